/* SPDX-License-Identifier: Apache-2.0 */
/*
 * combine.c - several futures into one: all, any, race, settled, within.
 *
 * One object holds the combined future and a part for each future given. A part's waiter fires on
 * whatever thread completes it; the parts count down, and the one that decides the outcome
 * completes the combined future. Cancelling the others may run users' hooks, so that happens in a
 * task.
 */
#include "runtime/async/future.h"
#include "runtime/base/alloc.h"

enum rule { ALL, ANY, RACE, SETTLED, WITHIN };

struct part {
    struct gri_waiter waiter;
    struct combined *whole; /* borrowed: a reference is held for each part not yet fired */
    gr_future *future;      /* owned; freed with the whole */
};

struct combined {
    struct gr_future future;
    enum rule rule;
    _Atomic uint32_t left;   /* parts that have not fired */
    _Atomic bool cancelling; /* the task below was readied */
    struct gri_task cancel_task;
    struct gri_timer timer; /* WITHIN */
    struct gri_task timeout_task;
    size_t count;
    struct part parts[];
};

static struct combined *whole_of(struct gr_future *f)
{
    return gri_container_of(f, struct combined, future);
}

static void combined_destroy(struct gr_future *f)
{
    struct combined *c = whole_of(f);

    for (size_t i = 0; i < c->count; i++)
        gr_future_free(c->parts[i].future);
    gri_free(c);
}

static void cancel_parts(struct gri_task *t)
{
    struct combined *c = gri_container_of(t, struct combined, cancel_task);

    for (size_t i = 0; i < c->count; i++)
        gr_future_cancel(c->parts[i].future);
    gri_future_unref(&c->future);
}

static void cancel_others(struct combined *c)
{
    if (atomic_exchange(&c->cancelling, true))
        return;
    gri_future_ref(&c->future);
    gri_ready(c->future.sched, &c->cancel_task);
}

static void combined_cancel(struct gr_future *f, gr_code why)
{
    gri_future_complete(f, gr_error(why, "cancelled"));
    cancel_others(whole_of(f));
}

static void combined_detach(struct gr_future *f)
{
    struct combined *c = whole_of(f);

    for (size_t i = 0; i < c->count; i++)
        if (!gri_future_done(c->parts[i].future) && c->parts[i].future->ops->detach != NULL)
            c->parts[i].future->ops->detach(c->parts[i].future);
}

static const struct gri_future_ops combined_ops = { .cancel = combined_cancel,
                                                    .detach = combined_detach,
                                                    .destroy = combined_destroy };

/* gather lists the parts' results; all of them are done. */
static gr_value *gather(struct combined *c)
{
    gr_value **items = gri_alloc_array(c->count + 1, sizeof(*items));
    gr_value *list;

    if (items == NULL)
        return gr_error(GR_ENOMEM, "out of memory");
    for (size_t i = 0; i < c->count; i++)
        items[i] = gr_value_ref(c->parts[i].future->result);
    list = gr_list_n(items, c->count);
    gri_free(items);
    return list;
}

static void decide_all(struct combined *c, gr_future *f, bool last)
{
    if (c->rule == ALL && f->failed) {
        if (gri_future_complete(&c->future, gr_value_ref(f->result)))
            cancel_others(c);
    } else if (last && !gri_future_done(&c->future)) {
        gri_future_complete(&c->future, gather(c));
    }
}

static void decide_any(struct combined *c, gr_future *f, bool last)
{
    if (c->rule != ANY || !f->failed) {
        if (gri_future_complete(&c->future, gr_value_ref(f->result)))
            cancel_others(c);
    } else if (last) {
        /* all failed: the first one given tells why */
        gri_future_complete(&c->future, gr_value_ref(c->parts[0].future->result));
    }
}

static void part_fire(struct gri_waiter *w)
{
    struct part *p = gri_container_of(w, struct part, waiter);
    struct combined *c = p->whole;
    /* acq_rel: the last one sees all results */
    bool last = atomic_fetch_sub_explicit(&c->left, 1, memory_order_acq_rel) == 1;

    if (c->rule == ALL || c->rule == SETTLED)
        decide_all(c, p->future, last);
    else
        decide_any(c, p->future, last);
    if (c->rule == WITHIN && gri_timer_cancel(c->future.sched, &c->timer))
        gri_future_unref(&c->future);
    gri_future_unref(&c->future);
}

static void free_all(gr_future *const *fs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        gr_future_free(fs[i]);
}

static struct combined *combined_new(gr_runtime *rt, enum rule rule, gr_future *const *fs,
                                     size_t count)
{
    struct combined *c = NULL;

    for (size_t i = 0; i < count; i++)
        if (fs[i] == NULL)
            goto fail; /* NULL reads as out of memory */
    if (count < (SIZE_MAX - sizeof(*c)) / sizeof(struct part))
        c = gri_alloc0(sizeof(*c) + count * sizeof(struct part));
    if (c == NULL)
        goto fail;
    gri_future_init(&c->future, gri_sched_of(rt), &combined_ops, 1);
    c->rule = rule;
    atomic_init(&c->left, (uint32_t)count);
    c->cancel_task = (struct gri_task){ .run = cancel_parts, .name = "cancel" };
    c->count = count;
    for (size_t i = 0; i < count; i++)
        c->parts[i] = (struct part){ .waiter.fire = part_fire, .whole = c, .future = fs[i] };
    return c;
fail:
    free_all(fs, count);
    return NULL;
}

static void watch_parts(struct combined *c)
{
    for (size_t i = 0; i < c->count; i++) {
        gr_code rc;

        gri_future_ref(&c->future); /* the waiter's */
        rc = gri_future_watch(c->parts[i].future, &c->parts[i].waiter);
        if (rc == GR_EOS) {
            part_fire(&c->parts[i].waiter);
        } else if (rc != GR_OK) {
            gri_future_complete(&c->future, gr_error(rc, "future %zu is awaited already", i));
            atomic_fetch_sub(&c->left, 1);
            gri_future_unref(&c->future);
        }
    }
}

static gr_future *combine(gr_runtime *rt, enum rule rule, gr_future *const *fs, size_t count)
{
    struct combined *c = combined_new(rt, rule, fs, count);

    if (c == NULL)
        return NULL;
    if (count == 0)
        gri_future_complete(&c->future, rule == ALL || rule == SETTLED
                                            ? gr_list_n(NULL, 0)
                                            : gr_error(GR_EINVAL, "no futures given"));
    watch_parts(c);
    return &c->future;
}

gr_future *gr_all(gr_runtime *rt, gr_future *const *fs, size_t count)
{
    return combine(rt, ALL, fs, count);
}

gr_future *gr_any(gr_runtime *rt, gr_future *const *fs, size_t count)
{
    return combine(rt, ANY, fs, count);
}

gr_future *gr_race(gr_runtime *rt, gr_future *const *fs, size_t count)
{
    return combine(rt, RACE, fs, count);
}

gr_future *gr_settled(gr_runtime *rt, gr_future *const *fs, size_t count)
{
    return combine(rt, SETTLED, fs, count);
}

static void timeout_run(struct gri_task *t)
{
    struct combined *c = gri_container_of(t, struct combined, timeout_task);

    if (gri_future_complete(&c->future, gr_error(GR_ETIMEDOUT, "no answer in time")))
        gr_future_cancel(c->parts[0].future);
    gri_future_unref(&c->future);
}

static void timeout_fire(struct gri_timer *t)
{
    struct combined *c = gri_container_of(t, struct combined, timer);

    gri_ready(c->future.sched, &c->timeout_task);
}

gr_future *gr_within(gr_runtime *rt, gr_future *f, int64_t timeout_ms)
{
    struct gri_sched *s = gri_sched_of(rt);
    struct combined *c = combined_new(rt, WITHIN, &f, 1);

    if (c == NULL)
        return NULL;
    c->timeout_task = (struct gri_task){ .run = timeout_run, .name = "within" };
    gri_timer_init(&c->timer, timeout_fire);
    gri_future_ref(&c->future); /* the timer's */
    gri_timer_start(s, &c->timer, gri_deadline_after(s, timeout_ms < 0 ? 0 : timeout_ms));
    watch_parts(c);
    return &c->future;
}
