/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.h - one ref for all who provide a name.
 *
 * Akka calls it a group router: a proxy that hands each call to one of several providers. Here
 * these are nodes that publish the name, and this runtime itself if it does.
 */
#ifndef GREENROOM_POOL_H
#define GREENROOM_POOL_H

#include <greenroom/actor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gr_routing {
    GR_ROUND_ROBIN = 0,       /* in turn, by weight */
    GR_FEWEST_OUTSTANDING = 1, /* who has the fewest of this pool's calls, by weight */
    GR_LOCAL_FIRST = 2        /* this runtime, if it publishes the name; else in turn */
} gr_routing;

typedef struct gr_pool_opts {
    size_t size;
    gr_routing routing;
    /* its calls may run twice without harm: see gr_pool. A call's config may say so for itself, and
     * for the calls that it starts, by "idempotent": true or false */
    bool idempotent;
    const char *const *urls; /* copied; providers besides those of the cluster */
    size_t url_count;        /* at most 1024 */
} gr_pool_opts;
#define GR_POOL(...) GR_OPT(gr_pool_opts, __VA_ARGS__)

/*
 * gr_pool makes a proxy for a published name that takes every verb and hands each call to one
 * provider: those of the cluster (cluster.h), of urls, and this runtime. The items of a batch are
 * calls of their own; tells go in turn, so they keep no order between them.
 *
 * A provider leaves the pool at once when its node can't be reached, its link is lost, its runtime
 * ends, or it has the name no more; it is asked every now and then, from 100 ms to 5 s apart, by
 * the verb "ping", which needs no method, and comes back when it answers anything. When all have
 * left, a call tries one of them all the same.
 *
 * A call that was not begun there is handed to the next provider. One that may have begun
 * fails at once with GR_EUNREACH, unless it is idempotent: then it, too, is tried elsewhere, within
 * its deadline. A stream is moved only before its first chunk, a transform, whose input can be read
 * once only, never. At most eight providers are tried; the last error is the call's. An error that a
 * provider's actor answers is the call's answer.
 *
 * With no provider known, calls fail with GR_EUNREACH, and tells are lost. Broken if the
 * name or a URL is wrong.    [any]
 */
GR_API gr_ref gr_pool(gr_scope *in, const char *name, const gr_pool_opts *opts);

/* gr_pool_providers returns a pool's providers: a list of {"url", "weight", "outstanding", "out"},
 * out while the provider has left; url "" is this runtime. An error for a ref that is no pool. It calls
 * the verb "pool_providers", which the pool answers itself. [waits] */
GR_API gr_value *gr_pool_providers(gr_runtime *rt, gr_ref pool);

#ifdef __cplusplus
}
#endif
#endif
