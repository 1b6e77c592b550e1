/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limit.h - what a model server's answer says of its rate limits, told to a rate limiter
 * (greenroom/budget.h).
 *
 * Read are x-ratelimit-{limit,remaining,reset}-{requests,tokens}, whose reset is one of Go's
 * durations; anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-…, whose reset is a
 * time of RFC 3339; retry-after-ms and retry-after. A negative number means that the server does
 * not know. Headers that can't be read say nothing.
 */
#ifndef GR_ACTORS_MODEL_LIMIT_H
#define GR_ACTORS_MODEL_LIMIT_H

#include <greenroom/value.h>

#include "runtime/http/http.h"

/* A look-up of a header by its name; NULL: there is none. */
typedef const char *gri_limit_header_fn(void *from, const char *name);

/*
 * gri_limit_read makes the arguments of a limiter's "saw" of an answer's headers:
 *   {"requests"?: {"limit"?, "remaining"?, "reset_ms"?}, "tokens"?: {…}, "retry_after_ms"?}
 * nil when they say nothing. wall_ms is the time since 1970.
 */
gr_value *gri_limit_read(gri_limit_header_fn *header, void *from, uint64_t wall_ms);

/*
 * gri_limit_saw reads the answer's headers and tells limiter; {0, 0}: nobody to tell. Only inside a
 * request's status event, from any thread; it does not wait.
 */
void gri_limit_saw(gr_runtime *rt, gr_ref limiter, struct gri_http_exchange *x);

/* gri_limit_time_ms reads a time of RFC 3339, "2026-01-02T03:04:05.6Z", as ms since 1970. False for
 * what is none. */
bool gri_limit_time_ms(const char *text, int64_t *ret_ms);

#endif
