/* SPDX-License-Identifier: Apache-2.0 */
/* refusal.h - what goes with every server's no, whoever's it is: see gri_refusal in transfer.h. */
#ifndef GR_ACTORS_MODEL_REFUSAL_H
#define GR_ACTORS_MODEL_REFUSAL_H

#include <greenroom/value.h>

#include "runtime/http/http.h"

/* gri_refusal_told notes what the head of an answer tells: whether to ask again, which gr_error_retryable knows
 * ("should_retry"), and the name that the server's people find the request by ("request_id"). Inside of a
 * status event only. key is hidden in it, see below. */
gr_value *gri_refusal_told(struct gri_http_exchange *x, const char *key);
/* gri_refusal_with lays that over an error's detail; told may be NULL. */
gr_value *gri_refusal_with(gr_value *err GR_TAKES, const gr_value *told);
/* gri_refusal_hide puts stars in the place of a key, which may be NULL: a server may repeat the one that it
 * refuses, and no error may show it. So of one that JSON's escapes spell. True if there was one. */
bool gri_refusal_hide(char *text, size_t len, const char *key);

#endif
