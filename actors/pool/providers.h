/* SPDX-License-Identifier: Apache-2.0 */
/*
 * providers.h - private to actors/pool/: a pool's table of providers, and which one is next.
 *
 * The table follows the cluster's list (runtime/cluster/directory.h), which a pool compares with the
 * one that it saw last whenever it chooses. Each provider has a proxy (gr_remote) of its own, in the
 * pool's scope. One that is no more listed stays until its last call has ended.
 *
 * Choosing is smooth weighted round robin: each candidate gains its weight, the one that has most is
 * chosen and pays all of their weights. With equal weights that is plain turns; a provider of weight
 * 2 comes twice as often, spread evenly.
 */
#ifndef GR_ACTORS_POOL_PROVIDERS_H
#define GR_ACTORS_POOL_PROVIDERS_H

#include <greenroom/pool.h>

#include "runtime/base/lock.h"

#define GRI_POOL_PROVIDERS_MAX 2049u /* 1024 of the cluster, 1024 of its own, and here */
#define GRI_TRIES_MAX 8              /* providers that one call is given to */

struct gri_pool_provider {
    char *url;             /* owned; "": this runtime */
    gr_ref proxy;          /* the actor itself, if it is here */
    gr_value *incarnation; /* counted; a text */
    uint64_t number;       /* of this entry, for whoever asks whether it is back */
    int64_t weight, gain;
    uint32_t outstanding; /* calls of this pool */
    bool out;             /* it has left, and is asked now and then */
    bool listed;
};

struct gri_pool {
    _Atomic uint32_t refs; /* the pool's and its prober's */
    gr_runtime *rt;        /* borrowed */
    gr_scope *scope;       /* borrowed: the pool and its prober are members */
    char *name;            /* owned */
    gr_routing routing;
    bool idempotent;
    gr_value *own;        /* counted; a list of URLs, texts */
    gr_ref prober;        /* written once, before the pool can be called */
    struct gri_lock lock; /* guards all below */
    gr_value *seen;       /* counted; the cluster's list at the last look; NULL: none */
    bool looked;
    struct gri_pool_provider **at; /* owned array of owned; [0] is this runtime */
    size_t count;
    uint64_t numbers;
};

/* What a call's end says of its provider. */
enum gri_verdict {
    GRI_ANSWERED,  /* it is there */
    GRI_NOT_BEGUN, /* it could not be reached, or refused: the call may go elsewhere, it is out */
    GRI_BUSY,      /* it refused for want of room: the call may go elsewhere */
    GRI_LOST,      /* it went away, and the call may have begun: it is out */
    GRI_OURS       /* cancelled, timed out, out of memory here: that says nothing */
};

/* gri_pool_new: NULL when out of memory, or with *ret_err. */
struct gri_pool *gri_pool_new(gr_scope *in, const char *name, const gr_pool_opts *opts,
                              gr_value **ret_err);
void gri_pool_unref(void *pool);

/*
 * gri_pool_choose gives the next provider that is not among those tried, and counts a call of it;
 * *ret_to is where to send it. One that is out is given only when no other is left. NULL: there is
 * none, *ret_known says whether there is any at all. Each must be given back by gri_pool_done.
 */
struct gri_pool_provider *gri_pool_choose(struct gri_pool *pool,
                                          struct gri_pool_provider *const *tried, size_t count,
                                          gr_ref *ret_to, bool *ret_known);
/* gri_pool_verdict judges what a call came to. */
enum gri_verdict gri_pool_verdict(const struct gri_pool *pool, const struct gri_pool_provider *p,
                                  const gr_value *v, bool cancelled);
/* gri_pool_judge notes what that says of the provider; gri_pool_done ends the call. */
void gri_pool_judge(struct gri_pool *pool, struct gri_pool_provider *p, enum gri_verdict verdict);
void gri_pool_done(struct gri_pool *pool, struct gri_pool_provider *p);

/* gri_pool_out finds the provider of that number if it is still listed and out, and counts a call of
 * it; NULL: it is not. */
struct gri_pool_provider *gri_pool_out(struct gri_pool *pool, uint64_t number, gr_ref *ret_to);
/* gri_pool_list is what gr_pool_providers gives. */
gr_value *gri_pool_list(struct gri_pool *pool);

/* probe.c: gri_prober_spawn makes who asks those that are out; gri_prober_ask has it ask one, a first
 * time in a moment. false: it can't. */
gr_ref gri_prober_spawn(gr_scope *in, struct gri_pool *pool);
bool gri_prober_ask(struct gri_pool *pool, uint64_t number);

#endif
