/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gather.c - see the header.
 *
 * Cheap steps answer at once on this stack; the others become sub-calls, each with a part that
 * counts its ending in the machine. The first part to fail is remembered by a compare and exchange,
 * since its error is the one to give; the others are then cancelled, which completes them. The call
 * is ended when all parts have ended: on failure that is at once, for a cancelled future is
 * complete. With leave_siblings they are let go instead, and the machine outlives its call until they
 * have ended.
 */
#include "actors/compose/gather.h"

#include "actors/compose/machine.h"
#include "runtime/actor/observed.h"
#include "runtime/base/alloc.h"

struct part {
    struct gri_waiter waiter;
    struct gather *whole; /* borrowed */
    gr_future *future;    /* owned; NULL: the step answered at once */
};

struct gather {
    struct gri_machine machine;
    struct gri_call *call;         /* the duty; NULL once ended */
    const struct gri_steps *steps; /* borrowed from the actor, until the call has ended */
    size_t count;                  /* of the steps */
    gr_value *(*finish)(struct gri_call *call, gr_value *map);
    struct part *parts;            /* owned array, as long as steps; NULL: all were cheap */
    _Atomic(struct part *) failed; /* the first to fail */
    uint32_t started;              /* parts that will be counted */
    bool stopping;                 /* the others were cancelled */
    gr_value *error;               /* counted; a failure of no part */
    gr_kv answers[];               /* keys borrowed from steps; values owned, or a part's */
};

static void part_fire(struct gri_waiter *w)
{
    struct part *p = gri_container_of(w, struct part, waiter);
    struct part *none = NULL;

    if (p->future->failed)
        /* release: pairs with the acquire in first_failure; the loser changes nothing */
        atomic_compare_exchange_strong_explicit(&p->whole->failed, &none, p, memory_order_acq_rel,
                                                memory_order_relaxed);
    gri_machine_count(&p->whole->machine);
}

static void gather_free(struct gather *g)
{
    for (size_t i = 0; i < g->count; i++) {
        gr_value_unref(g->answers[i].value);
        if (g->parts != NULL)
            gri_future_unref(g->parts[i].future);
    }
    gri_free(g->parts);
    gr_value_unref(g->error);
    gri_free(g);
}

/* first_failure returns the error to end with, counted; NULL: none. */
static gr_value *first_failure(struct gather *g)
{
    struct part *p = atomic_load_explicit(&g->failed, memory_order_acquire);

    if (g->error != NULL)
        return gr_value_ref(g->error);
    return p != NULL ? gr_value_ref(p->future->result) : NULL;
}

/* gathered makes the map, keys in the order of the steps. */
static gr_value *gathered(struct gather *g)
{
    gr_value *map;

    for (size_t i = 0; i < g->steps->count; i++)
        if (g->answers[i].value == NULL)
            g->answers[i].value = gr_value_ref(g->parts[i].future->result);
    map = gr_map_n(g->answers, g->steps->count);
    for (size_t i = 0; i < g->steps->count; i++)
        g->answers[i].value = NULL; /* taken */
    return map;
}

static void gather_end(struct gather *g)
{
    struct gri_call *call = g->call;
    gr_value *v = first_failure(g);

    if (v == NULL) {
        v = gathered(g);
        if (g->finish != NULL) {
            gri_run_within_end(call, v);
            v = g->finish(call, v);
        }
    }
    gather_free(g); /* before the end: the steps are the actor's */
    gri_call_end(call, v);
}

/* leave_siblings lets go of the parts and ends the call. */
static void leave_siblings(struct gather *g)
{
    struct gri_call *call = g->call;
    gr_value *v = first_failure(g);

    for (size_t i = 0; g->parts != NULL && i < g->count; i++)
        if (g->parts[i].future != NULL)
            g->parts[i].future->ops->detach(g->parts[i].future);
    g->call = NULL;
    gri_call_end(call, v);
}

static void stop_others(struct gather *g)
{
    g->stopping = true;
    if (gr_as_bool(gr_get(g->call->config, "leave_siblings"), false) &&
        !gri_call_cancelled(g->call)) {
        leave_siblings(g);
        return;
    }
    for (size_t i = 0; g->parts != NULL && i < g->count; i++)
        gr_future_cancel(g->parts[i].future);
}

static enum gri_next gather_step(struct gri_machine *m)
{
    struct gather *g = gri_container_of(m, struct gather, machine);
    bool failed =
        g->error != NULL || atomic_load_explicit(&g->failed, memory_order_acquire) != NULL;

    if (failed && !g->stopping)
        stop_others(g);
    if (gri_machine_counted(m) < g->started)
        return GRI_SLEEP;
    if (g->call != NULL)
        gather_end(g);
    else
        gather_free(g);
    return GRI_OVER;
}

/* start_part starts the step as a sub-call. GR_OK, GR_ENOMEM. */
static gr_code start_part(struct gather *g, size_t i, gr_value *input)
{
    struct part *p;
    gr_code rc = GR_ENOMEM;

    if (g->parts == NULL)
        g->parts = gri_alloc_array(g->steps->count, sizeof(*g->parts));
    if (g->parts == NULL) {
        gr_value_unref(input);
        return GR_ENOMEM;
    }
    p = &g->parts[i];
    *p = (struct part){ .waiter.fire = part_fire, .whole = g };
    gri_run_tag(g->call, "map:key:", g->steps->at[i].key);
    p->future = gri_call_sub(g->call, g->steps->at[i].ref, GRI_INVOKE, input, NULL);
    if (p->future == NULL)
        return GR_ENOMEM;
    g->started++;
    rc = gri_future_watch(p->future, &p->waiter);
    gri_assert(rc != GR_EINVAL);
    if (rc == GR_EOS)
        part_fire(&p->waiter);
    return GR_OK;
}

/* start_step gets the answer at once or has a part wait for it; an error value to stop here,
 * else NULL. */
static gr_value *start_step(struct gather *g, size_t i)
{
    gr_value *v = NULL, *input = gr_value_ref(g->call->args);

    if (gri_call_cancelled(g->call)) {
        gr_value_unref(input);
        return gri_was_cancelled();
    }
    g->answers[i].key = g->steps->at[i].key;
    if (!gri_call_direct(g->call, g->steps->at[i].ref, input, &v))
        return start_part(g, i, input) == GR_OK ? NULL : gri_no_memory();
    if (gr_error_code(v) != GR_OK)
        return v;
    g->answers[i].value = v;
    return NULL;
}

void gri_gather(struct gri_call *call, gr_value *(*finish)(struct gri_call *, gr_value *))
{
    const struct gri_steps *steps = gri_steps_of(call);
    struct gather *g = gri_alloc0(sizeof(*g) + steps->count * sizeof(g->answers[0]));

    if (g == NULL) {
        gri_call_end(call, gri_no_memory());
        return;
    }
    g->call = call;
    g->steps = steps;
    g->count = steps->count;
    g->finish = finish;
    if (finish != NULL)
        gri_run_within(call, "RunnableParallel", NULL);
    gri_machine_init(&g->machine, gri_call_sched(call), "gather", gather_step);
    for (size_t i = 0; i < steps->count && g->error == NULL; i++)
        g->error = start_step(g, i);
    gri_machine_start(&g->machine);
}
