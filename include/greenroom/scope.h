/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scope.h - structured concurrency: what is started together is cancelled and joined together.
 *
 * A scope owns actors, calls and other scopes. Calls made in a handler belong to that handler's own
 * run scope unless told otherwise, so cancelling a call reaches everything it started.
 */
#ifndef GREENROOM_SCOPE_H
#define GREENROOM_SCOPE_H

#include <greenroom/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/* gr_scope_new makes a scope inside parent. NULL when out of memory, or when parent has ended.
 * [any] */
GR_API gr_scope *gr_scope_new(gr_scope *parent);
/* gr_scope_runtime returns the runtime that the scope belongs to. [any] */
GR_API gr_runtime *gr_scope_runtime(const gr_scope *scope);
/* gr_scope_cancel cancels every call in the scope and below, and refuses new ones. [any] */
GR_API void gr_scope_cancel(gr_scope *scope);
/* gr_scope_free cancels, joins the calls, stops the actors in reverse order, frees the scope.
 * [waits] */
GR_API void gr_scope_free(gr_scope *scope);

static inline void gr_scope_freep(gr_scope **p) { gr_scope_free(*p); }

#ifdef __cplusplus
}
#endif
#endif
