/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kick.h - a step that runs once at a time, on a worker, soon after anybody asked for it. A kick while it runs
 * makes it run again.
 */
#ifndef GR_RUNTIME_NET_KICK_H
#define GR_RUNTIME_NET_KICK_H

#include <stdatomic.h>

#include "runtime/base/list.h"
#include "runtime/sched/sched.h"

enum { GRI_KICK_IDLE, GRI_KICK_QUEUED, GRI_KICK_RUNS, GRI_KICK_AGAIN };

struct gri_kick {
    _Atomic uint32_t state;
    struct gri_sched *sched; /* borrowed */
    struct gri_task task;
    void (*step)(struct gri_kick *k);
    /* the reference that a kick takes, and the run gives back */
    void (*ref)(struct gri_kick *k);
    void (*unref)(struct gri_kick *k);
};

/* gri_kick_claim is for who will call gri_kick_go, before anybody else can kick. */
static inline void gri_kick_claim(struct gri_kick *k)
{
    atomic_store(&k->state, GRI_KICK_RUNS);
}

/* gri_kick_go runs the step here and now. */
static inline void gri_kick_go(struct gri_kick *k)
{
    uint32_t runs;

    do { /* seq_cst throughout: a kick either finds RUNS, and the step comes again, or what it tells is seen */
        atomic_store(&k->state, GRI_KICK_RUNS);
        k->step(k);
        runs = GRI_KICK_RUNS;
    } while (!atomic_compare_exchange_strong(&k->state, &runs, GRI_KICK_IDLE));
}

static inline void gri_kick_run(struct gri_task *t)
{
    struct gri_kick *k = gri_container_of(t, struct gri_kick, task);

    gri_kick_go(k);
    k->unref(k);
}

static inline void gri_kick_init(struct gri_kick *k, struct gri_sched *sched, const char *name,
                                 void (*step)(struct gri_kick *k), void (*ref)(struct gri_kick *k),
                                 void (*unref)(struct gri_kick *k))
{
    *k = (struct gri_kick){ .sched = sched, .step = step, .ref = ref, .unref = unref };
    k->task = (struct gri_task){ .run = gri_kick_run, .name = name };
}

/* gri_kick needs somebody to hold a reference meanwhile. It may be called with any lock held. [any] */
static inline void gri_kick(struct gri_kick *k)
{
    uint32_t state = atomic_load(&k->state), next;

    do {
        if (state == GRI_KICK_QUEUED || state == GRI_KICK_AGAIN)
            return;
        next = state == GRI_KICK_IDLE ? GRI_KICK_QUEUED : GRI_KICK_AGAIN;
    } while (!atomic_compare_exchange_weak(&k->state, &state, next));
    if (next != GRI_KICK_QUEUED)
        return;
    k->ref(k);
    gri_ready(k->sched, &k->task);
}

#endif
