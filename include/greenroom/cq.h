/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cq.h - completion queue: how a foreign event loop (epoll, libuv, GLib, asyncio) takes answers.
 *
 *     poll gr_cq_fd(cq) for reading; when it is readable:
 *         while ((f = gr_cq_next(cq, &tag)) != NULL) { … gr_future_free(f); }
 *
 * One queue for each loop; a runtime may have any number, and a queue may take answers of several
 * runtimes. docs/event-loops.md has the rules, examples/loop_epoll.c, loop_uv.c and loop_glib.c
 * have whole programs.
 */
#ifndef GREENROOM_CQ_H
#define GREENROOM_CQ_H

#include <greenroom/future.h>

#ifdef __cplusplus
extern "C" {
#endif

/* gr_cq_new makes an empty queue. NULL: out of memory or descriptors. [any] */
GR_API gr_cq *gr_cq_new(gr_runtime *rt);
/* gr_cq_fd is readable while answers wait, so poll it level-triggered, or empty the queue each
 * time. Never read, write or close it. Closed on exec. [any] */
GR_API int gr_cq_fd(const gr_cq *cq);
/* gr_cq_watch hands f to the queue; it comes out of gr_cq_next once, when complete, with the tag.
 * On an error f is freed. Errors: GR_EINVAL f is awaited already, or NULL; GR_ENOMEM. [any] */
GR_API gr_code gr_cq_watch(gr_cq *cq, gr_future *f GR_TAKES, void *tag);
/* gr_cq_next returns a completed future, yours, and its tag, in the order of completion; NULL when
 * none is ready. ret_tag may be NULL. Never waits. One thread at a time. */
GR_API gr_future *gr_cq_next(gr_cq *cq, void **ret_tag);
/* gr_cq_free cancels what is still watched and closes the descriptor: let the loop forget that
 * first. Tags are not told. One thread, when no other uses cq any more. */
GR_API void gr_cq_free(gr_cq *cq);

static inline void gr_cq_freep(gr_cq **p) { gr_cq_free(*p); }

#ifdef __cplusplus
}
#endif
#endif
