/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch.h - what stands behind a URL: a runnable from a URL to its text, to be a model's tool.
 *
 * What is fetched is somebody else's choice, a user's or a model's, so it is guarded (guard.h) unless
 * told otherwise: only public addresses, no redirects, no proxy.
 */
#ifndef GREENROOM_FETCH_H
#define GREENROOM_FETCH_H

#include <greenroom/runnable.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_fetch_opts {
    size_t size;
    size_t bytes_max;   /* longest answer; default 1 MiB */
    int64_t timeout_ms; /* from start to end; default 30000 */
    bool inner_too;     /* not guarded: reaches what this machine reaches */
} gr_fetch_opts;
#define GR_FETCH(...) GR_OPT(gr_fetch_opts, __VA_ARGS__)

/*
 * gr_fetch makes the runnable: GET, and the answer's text. Its input is a URL, or a map with a
 * "url". gr_as_tool makes a tool of it: langchain-community's RequestsGetTool ("requests_get").
 *
 * Errors:  GR_EINVAL   no URL; kind "NotPublic": the URL, or the address that its host's name means, is
 *                      none for others to reach
 *          GR_EREMOTE  a status other than 2xx, with "status"; 408, 429 and 5xx are worth a retry.
 *                      Redirects are not followed: the text says where to
 *          GR_EPROTO   the answer is no UTF-8 text
 *          GR_ENOMEM   it is longer than bytes_max
 *          GR_EUNREACH, GR_ETIMEDOUT
 * Cancelling closes the transfer. [any]
 */
GR_API gr_ref gr_fetch(gr_scope *in, const gr_fetch_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
