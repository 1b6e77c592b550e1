/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/observe/run_gate.h"

#include "runtime/base/assert.h"

void gri_gate_init(struct gri_run_gate *g)
{
    gri_list_init(&g->waiting);
}

void gri_gate_shut(struct gri_run_gate *g)
{
    gri_lock(&g->lock);
    atomic_store_explicit(&g->shut, true, memory_order_relaxed);
    gri_unlock(&g->lock);
}

/* let_one_through: false, nobody waits, or it was shut again. */
static bool let_one_through(struct gri_run_gate *g)
{
    struct gri_list *n = NULL;
    struct gri_gate_wait *w;
    bool goes;

    gri_lock(&g->lock);
    if (!gri_gate_is_shut(g))
        n = gri_list_pop(&g->waiting);
    if (n == NULL) {
        gri_unlock(&g->lock);
        return false;
    }
    w = gri_container_of(n, struct gri_gate_wait, node);
    goes = w->fire(w);
    gri_unlock(&g->lock);
    if (goes)
        w->go(w);
    return true;
}

void gri_gate_open(struct gri_run_gate *g)
{
    gri_lock(&g->lock);
    atomic_store_explicit(&g->shut, false, memory_order_relaxed);
    gri_unlock(&g->lock);
    while (let_one_through(g))
        ;
}

bool gri_gate_watch(struct gri_run_gate *g, struct gri_gate_wait *w)
{
    bool shut;

    gri_lock(&g->lock);
    shut = gri_gate_is_shut(g);
    gri_list_remove(&w->node);
    if (shut)
        gri_list_push(&g->waiting, &w->node);
    gri_unlock(&g->lock);
    return shut;
}

void gri_gate_unwatch(struct gri_run_gate *g, struct gri_gate_wait *w)
{
    gri_lock(&g->lock);
    gri_list_remove(&w->node);
    gri_unlock(&g->lock);
}
