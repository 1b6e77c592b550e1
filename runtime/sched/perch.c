/* SPDX-License-Identifier: Apache-2.0 */
/*
 * perch.c - see perch.h.
 *
 * No wake-up is lost: who waits sets `perched`, then reads `wake`; who wakes sets `wake`, then reads `perched`, all
 * seq_cst, so the later one sees the other. The lock keeps the perch from going while it is roused.
 */
#include "runtime/sched/perch.h"

/* take_away returns the perch that w had, for the caller to leave; NULL: none, or `stirring` and it does not. */
static struct gri_perch *take_away(struct gri_worker *w, struct gri_perch *next, bool stirring)
{
    struct gri_perch *p;

    gri_lock(&w->perch_lock);
    p = atomic_load_explicit(&w->perch, memory_order_relaxed);
    if (p != NULL && (atomic_load(&w->perched) || (stirring && !p->stirs(p))))
        p = NULL;
    else
        atomic_store_explicit(&w->perch, next, memory_order_relaxed);
    gri_unlock(&w->perch_lock);
    return p;
}

void gri_perch_take(struct gri_worker *w, struct gri_perch *p)
{
    struct gri_perch *old = take_away(w, p, false);

    w->perch_tasks = 0;
    if (old != NULL)
        old->leave(old);
}

void gri_perch_drop(struct gri_worker *w)
{
    struct gri_perch *p = take_away(w, NULL, false);

    if (p != NULL)
        p->leave(p);
}

bool gri_perch_stirs(struct gri_worker *w)
{
    struct gri_perch *p = take_away(w, NULL, true);

    if (p != NULL)
        p->leave(p);
    return p != NULL;
}

bool gri_perch_wait(struct gri_worker *w)
{
    struct gri_perch *p;

    gri_lock(&w->perch_lock);
    p = atomic_load_explicit(&w->perch, memory_order_relaxed);
    atomic_store(&w->perched, p != NULL);
    gri_unlock(&w->perch_lock);
    if (p == NULL)
        return false;
    if (atomic_load(&w->wake) == 0)
        p->wait(p);
    gri_lock(&w->perch_lock);
    atomic_store(&w->perched, false);
    atomic_store_explicit(&w->perch, NULL, memory_order_relaxed);
    gri_unlock(&w->perch_lock);
    p->leave(p);
    return true;
}

bool gri_perch_rouse(struct gri_worker *w)
{
    bool there;

    if (!atomic_load(&w->perched))
        return false;
    gri_lock(&w->perch_lock);
    there = atomic_load(&w->perched);
    if (there) {
        struct gri_perch *p = atomic_load_explicit(&w->perch, memory_order_relaxed);

        p->rouse(p);
    }
    gri_unlock(&w->perch_lock);
    return there;
}

void gri_perch_watch(struct gri_worker *w)
{
    const struct gri_perch *p = atomic_load_explicit(&w->perch, memory_order_relaxed);

    if (p != NULL && p == w->perch_seen)
        gri_perch_drop(w);
    w->perch_seen = p;
}
