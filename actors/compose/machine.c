/* SPDX-License-Identifier: Apache-2.0 */
#include "actors/compose/machine.h"

#define WAKES UINT64_C(0xffffffff)
#define ONE_ENDING (UINT64_C(1) << 32)

static void machine_run(struct gri_task *t)
{
    struct gri_machine *m = gri_container_of(t, struct gri_machine, task);

    for (;;) {
        /* acquire: what was done before the wakes counted here is seen by step */
        uint64_t seen = atomic_load_explicit(&m->word, memory_order_acquire);
        enum gri_next next = m->step(m);
        uint64_t now = seen;

        if (next == GRI_OVER)
            return;
        if (next == GRI_AGAIN) {
            gri_ready_later(m->sched, &m->task);
            return;
        }
        /* release: the next runner, on whatever worker, sees what step did */
        while ((now & WAKES) == (seen & WAKES))
            if (atomic_compare_exchange_weak_explicit(&m->word, &now, now & ~WAKES,
                                                      memory_order_acq_rel, memory_order_acquire))
                return;
    }
}

void gri_machine_init(struct gri_machine *m, struct gri_sched *sched, const char *name,
                      enum gri_next (*step)(struct gri_machine *m))
{
    m->task = (struct gri_task){ .run = machine_run, .name = name };
    atomic_init(&m->word, 1);
    m->sched = sched;
    m->step = step;
}

void gri_machine_start(struct gri_machine *m)
{
    machine_run(&m->task);
}

static void add(struct gri_machine *m, uint64_t what)
{
    struct gri_sched *sched = m->sched;

    /* acq_rel: see machine_run. Unless it was asleep, m may be gone once this is done. */
    if ((atomic_fetch_add_explicit(&m->word, what, memory_order_acq_rel) & WAKES) == 0)
        gri_ready(sched, &m->task);
}

void gri_machine_wake(struct gri_machine *m)
{
    add(m, 1);
}

void gri_machine_count(struct gri_machine *m)
{
    add(m, ONE_ENDING + 1);
}

uint32_t gri_machine_counted(struct gri_machine *m)
{
    return (uint32_t)(atomic_load_explicit(&m->word, memory_order_acquire) >> 32);
}

void gri_machine_cancelled(void *m)
{
    gri_machine_wake(m);
}

static void wake_fire(struct gri_waiter *w)
{
    gri_machine_wake(gri_container_of(w, struct gri_wake, waiter)->machine);
}

static void count_fire(struct gri_waiter *w)
{
    gri_machine_count(gri_container_of(w, struct gri_wake, waiter)->machine);
}

void gri_wake_init(struct gri_wake *w, struct gri_machine *m)
{
    w->waiter.fire = wake_fire;
    w->machine = m;
}

void gri_count_init(struct gri_wake *w, struct gri_machine *m)
{
    w->waiter.fire = count_fire;
    w->machine = m;
}

/* ---- streams --------------------------------------------------------------------------------- */

void gri_leave_stream(gr_stream *s, struct gri_wake *w)
{
    if (s == NULL)
        return;
    gri_stream_unwatch(s, &w->waiter);
    gri_stream_close(s);
    gri_stream_unref(s);
}

gr_code gri_pull(gr_stream *s, struct gri_wake *w, gr_value **ret_chunk)
{
    gr_code rc;

    do
        rc = gri_stream_get(s, ret_chunk);
    while (rc == GR_EPENDING && !gri_stream_watch(s, &w->waiter));
    return rc;
}

gr_code gri_push(gr_stream *s, struct gri_wake *w, gr_value **chunk)
{
    gr_code rc;

    do
        rc = gri_stream_put(s, *chunk);
    while (rc == GR_EFULL && !gri_stream_watch_room(s, &w->waiter));
    if (rc != GR_EFULL)
        *chunk = NULL;
    return rc;
}

gr_value *gri_stream_why(gr_stream *s, gr_code rc)
{
    gr_value *err = gri_stream_error(s);

    return err != NULL ? err : gr_error(rc, "the stream could not be read");
}
