/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_keeper.h - private to etcd_keeper*.c: the actor that has this node's lease, and what hangs on
 * it.
 *
 * It does one thing at a time, and waits for etcd in between, never for longer than until the lease
 * runs out: from then on nothing is held. That moment is counted from when the last renewal that went
 * well was sent, on our own clock, less a tenth for clocks that differ: so it is over here before it
 * is over in etcd.
 *
 * After that a new lease is asked for, what is published is put under it, and only then the old one
 * is given up, in case it has outlived its time (etcd lengthens leases when it starts): so others
 * see no gap, and claims that were lost here are free there.
 */
#ifndef GR_RUNTIME_CLUSTER_ETCD_KEEPER_H
#define GR_RUNTIME_CLUSTER_ETCD_KEEPER_H

#include <greenroom/timer.h>

#include "runtime/cluster/etcd.h"
#include "runtime/cluster/member.h"

/* Who waits for an answer. A cancellation answers him at once, from whatever thread it comes: nobody would be
 * joined otherwise, since the keeper ends only after the calls of its scope. */
struct gri_asker {
    struct gri_cluster *k; /* borrowed */
    /* owned; whoever takes it out answers. NULL: that has been done, and a cancellation that was first
     * looks at this no more */
    _Atomic(gr_promise *) promise;
};

/* A name that is held, or wanted, for a holder. */
struct gri_claim {
    char *name; /* owned */
    gr_ref holder;
    uint64_t monitor;
    struct gri_asker *asker; /* owned */
    uint64_t token;          /* 0: not held */
    bool given;              /* the asker has been told the token */
};

struct gri_keeper {
    struct gri_cluster *k;     /* borrowed; outlives the actor */
    uint64_t lease, old_lease; /* 0: none */
    uint64_t sent_ns;          /* when the last renewal that went well was sent */
    int64_t ttl_ms;            /* as etcd gave it */
    unsigned failures;         /* in a row */
    gr_timer tick;
    bool leaving;
    struct gri_map registered; /* the names that are in etcd */
    struct gri_claim *claims;  /* owned array */
    size_t claim_count, claim_cap;
    struct gri_asker **ready; /* owned array of owned; who waits until all is registered */
    size_t ready_count;
};

/* gri_keeper_until_ns returns when the lease is over, for us. */
uint64_t gri_keeper_until_ns(const struct gri_keeper *s);
/* gri_keeper_wait_ms returns how long an answer may take. */
int64_t gri_keeper_wait_ms(const struct gri_keeper *s);
/* gri_keeper_lost tells whether an error of etcd's says that the lease is over, which it then is. */
bool gri_keeper_lost(gr_ctx *c, struct gri_keeper *s, const gr_value *err);

/* gri_asker_new takes the duty to answer the call at hand; NULL: out of memory, and the duty is not
 * taken. */
struct gri_asker *gri_asker_new(gr_ctx *c, struct gri_cluster *k);
/* gri_asker_answer: false, a cancellation was first. */
bool gri_asker_answer(struct gri_asker *a, gr_value *v GR_TAKES);
bool gri_asker_gone(const struct gri_asker *a);
/* gri_asker_free without an answer: the caller gets GR_EBROKEN. */
void gri_asker_free(struct gri_asker *a);

/* etcd_claims.c */
/* gri_claims_try asks for those that are wanted and not held; false: etcd is away. name NULL: all. */
bool gri_claims_try(gr_ctx *c, struct gri_keeper *s, const char *name);
/* gri_claims_lose tells all holders. */
void gri_claims_lose(gr_ctx *c, struct gri_keeper *s);
gr_value *gri_claims_add(gr_ctx *c, struct gri_keeper *s, const gr_value *args);
/* gri_claims_release gives up what a holder has (name NULL), or a name. */
void gri_claims_release(gr_ctx *c, struct gri_keeper *s, const char *name, gr_ref holder);
/* gri_claims_sweep gives up what nobody waits for any more. */
void gri_claims_sweep(gr_ctx *c, struct gri_keeper *s);
void gri_claims_fini(struct gri_keeper *s);

#endif
