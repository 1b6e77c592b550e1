/* SPDX-License-Identifier: Apache-2.0 */
/* refusal.h - what goes with every server's no, whoever's it is: see gri_refusal in transfer.h. */
#ifndef GR_ACTORS_MODEL_REFUSAL_H
#define GR_ACTORS_MODEL_REFUSAL_H

#include <greenroom/value.h>

#include "runtime/http/hidden.h"
#include "runtime/http/http.h"

/* gri_refusal_told notes what the head of an answer tells: whether to ask again, which gr_error_retryable knows
 * ("should_retry"), and the name that the server's people find the request by ("request_id"). Inside of a
 * status event only. What is hidden does not show in it. */
gr_value *gri_refusal_told(struct gri_http_exchange *x, const struct gri_hidden *hidden);
/* gri_refusal_with lays that over an error's detail; told may be NULL. */
gr_value *gri_refusal_with(gr_value *err GR_TAKES, const gr_value *told);

#endif
