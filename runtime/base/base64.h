/* SPDX-License-Identifier: Apache-2.0 */
/* base64.h - bytes out of base64 (RFC 4648, section 4). The JSON codec prints bytes as base64. */
#ifndef GR_RUNTIME_BASE_BASE64_H
#define GR_RUNTIME_BASE_BASE64_H

#include "runtime/base/strbuf.h"

/* gri_base64_decode adds the bytes of a text, padded or not, to b. false: it is no base64, or no memory. */
bool gri_base64_decode(struct gri_strbuf *b, const char *text, size_t len);

#endif
