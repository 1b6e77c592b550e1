/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cq.h - completion queue: how a foreign event loop (epoll, libuv, GLib, asyncio) takes answers.
 *
 *     poll gr_cq_fd(cq) for reading; when it is readable:
 *         while ((f = gr_cq_next(cq, &tag)) != NULL) { … gr_future_free(f); }
 */
#ifndef GREENROOM_CQ_H
#define GREENROOM_CQ_H

#include <greenroom/future.h>

#ifdef __cplusplus
extern "C" {
#endif

GR_API gr_cq *gr_cq_new(gr_runtime *rt); /* NULL: out of memory or descriptors */
/* gr_cq_fd is readable while answers wait. Never read, write or close it. [any] */
GR_API int gr_cq_fd(const gr_cq *cq);
/* gr_cq_watch hands f to the queue; it comes out of gr_cq_next when complete. On an error f is
 * freed. Errors: GR_EINVAL f is awaited already, or NULL; GR_ENOMEM. [any] */
GR_API gr_code gr_cq_watch(gr_cq *cq, gr_future *f GR_TAKES, void *tag);
/* gr_cq_next returns a completed future, yours, and its tag; NULL when none is ready. Never waits.
 * One thread at a time. */
GR_API gr_future *gr_cq_next(gr_cq *cq, void **ret_tag);
/* gr_cq_free cancels what is still watched. */
GR_API void gr_cq_free(gr_cq *cq);

#ifdef __cplusplus
}
#endif
#endif
