/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/async/future.h"

#include "runtime/base/alloc.h"
#include "runtime/base/point.h"
#include "runtime/value/value.h"

void gri_future_init(struct gr_future *f, struct gri_sched *s, const struct gri_future_ops *ops,
                     uint32_t refs)
{
    atomic_init(&f->waiter, NULL);
    atomic_init(&f->refs, refs);
    atomic_init(&f->claimed, false);
    f->failed = false;
    f->result = NULL;
    f->sched = s;
    f->ops = ops;
}

struct gr_future *gri_future_ref(struct gr_future *f)
{
    atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
    return f;
}

static void destroy(struct gr_future *f)
{
    gr_value_unref(f->result);
    f->ops->destroy(f);
}

void gri_future_unref(struct gr_future *f)
{
    if (f == NULL)
        return;
    /* acquire and acq_rel: the last holder sees everything the others did. Who finds only his own needs
     * no atomic step: others come only from who has one, or from a list that it is in, which a flag tells
     * by then */
    if (atomic_load_explicit(&f->refs, memory_order_acquire) != 1 &&
        (atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) & GRI_FUTURE_REFS) != 1)
        return;
    destroy(f);
}

bool gri_future_try_ref(struct gr_future *f)
{
    uint32_t refs = atomic_load_explicit(&f->refs, memory_order_relaxed);

    do {
        if ((refs & GRI_FUTURE_REFS) == 0)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&f->refs, &refs, refs + 1, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

bool gri_future_leave(struct gr_future *f)
{
    uint32_t refs = atomic_load_explicit(&f->refs, memory_order_relaxed), next;

    do {
        if ((refs & GRI_FUTURE_SEALED) != 0)
            return false;
        next = (refs - 1) | GRI_FUTURE_LEFT;
        gri_point(GRI_AT_SCOPE_LEAVE);
        /* acq_rel: as in gri_future_unref, and for who seals: all that it did is over */
    } while (!atomic_compare_exchange_weak_explicit(&f->refs, &refs, next, memory_order_acq_rel,
                                                    memory_order_relaxed));
    if ((next & GRI_FUTURE_REFS) == 0)
        destroy(f);
    return true;
}

bool gri_future_seal(struct gr_future *f)
{
    uint32_t refs = atomic_load_explicit(&f->refs, memory_order_relaxed), next;
    bool mine;

    do {
        if ((refs & GRI_FUTURE_SEALED) != 0)
            return false;
        /* without a reference whoever gave up the last one is about to take it out */
        mine = (refs & GRI_FUTURE_LEFT) != 0 && (refs & GRI_FUTURE_REFS) != 0;
        next = (refs | GRI_FUTURE_SEALED) + (mine ? 1 : 0);
        gri_point(GRI_AT_SCOPE_PASS);
        /* acquire: pairs with gri_future_leave */
    } while (!atomic_compare_exchange_weak_explicit(&f->refs, &refs, next, memory_order_acq_rel,
                                                    memory_order_relaxed));
    return mine;
}

gr_value *gri_answer(gr_value *v)
{
    return v != NULL ? v : gr_error(GR_EINVAL, "no value");
}

bool gri_future_complete(struct gr_future *f, gr_value *v)
{
    if (atomic_exchange_explicit(&f->claimed, true, memory_order_relaxed)) {
        gr_value_unref(v);
        return false;
    }
    gri_future_settle(f, v);
    return true;
}

void gri_future_settle(struct gr_future *f, gr_value *v)
{
    struct gri_waiter *w;

    f->result = gri_answer(v);
    f->failed = gr_value_type(f->result) == GR_ERROR;
    gri_point(GRI_AT_COMPLETE);
    /* release: the result is readable by whoever sees DONE; acquire: the waiter's fields by us */
    w = atomic_exchange_explicit(&f->waiter, GRI_DONE, memory_order_acq_rel);
    if (gri_is_waiter(w))
        w->fire(w);
}

gr_outcome gri_future_outcome(const struct gr_future *f)
{
    gr_outcome o = { .code = GR_OK };

    if (f->failed) {
        o.code = gr_error_code(f->result);
        o.error = f->result;
    } else {
        o.value = f->result;
    }
    return o;
}

gr_code gri_future_watch(struct gr_future *f, struct gri_waiter *w)
{
    struct gri_waiter *expected = NULL;

    gri_point(GRI_AT_WATCH);
    if (atomic_compare_exchange_strong_explicit(&f->waiter, &expected, w, memory_order_acq_rel,
                                                memory_order_acquire))
        return GR_OK;
    return expected == GRI_DONE ? GR_EOS : GR_EINVAL;
}

bool gri_future_unwatch(struct gr_future *f, struct gri_waiter *w)
{
    gri_point(GRI_AT_UNWATCH);
    return atomic_compare_exchange_strong_explicit(&f->waiter, &w, NULL, memory_order_acq_rel,
                                                   memory_order_acquire);
}

/* ---- a future without a call: complete from birth -------------------------------------------- */

static void failed_cancel(struct gr_future *f, gr_code why)
{
    (void)f, (void)why;
}

static void failed_destroy(struct gr_future *f)
{
    gri_free(f);
}

static const struct gri_future_ops failed_ops = { .cancel = failed_cancel,
                                                  .destroy = failed_destroy };

struct gr_future *gri_future_failed(struct gri_sched *s, gr_value *err)
{
    struct gr_future *f = gri_new0(struct gr_future);

    if (f == NULL) {
        gr_value_unref(err);
        return NULL;
    }
    gri_future_init(f, s, &failed_ops, 1);
    gri_future_complete(f, err);
    return f;
}

/* ---- awaiting -------------------------------------------------------------------------------- */

static gr_code park_for(struct gr_future *f, uint64_t deadline_ns)
{
    uint32_t why = 0;
    gr_code rc = gri_park_meet(&f->waiter, deadline_ns, &why);

    if (rc != GR_OK || gri_future_done(f))
        return rc;
    return (why & GRI_INTERRUPTED) != 0 ? GR_EINTR : GR_EPENDING;
}

gr_outcome gr_await(gr_future *f, int64_t timeout_ms)
{
    gr_code rc = GR_OK;

    if (f == NULL)
        return (gr_outcome){ .code = GR_ENOMEM, .error = gri_wait_error(GR_ENOMEM) };
    if (!gri_future_done(f)) {
        if (timeout_ms == 0)
            return (gr_outcome){ .code = GR_EPENDING };
        if (f->ops->hurry != NULL)
            rc = f->ops->hurry(f);
    }
    if (rc == GR_OK && !gri_future_done(f))
        rc = park_for(f, gri_park_deadline(timeout_ms));
    if (rc != GR_OK)
        return (gr_outcome){ .code = rc, .error = gri_wait_error(rc) };
    return gri_future_outcome(f);
}

/* error_for makes the error value of a wait that failed by itself. */
static gr_value *error_for(const gr_outcome *o)
{
    if (o->error != NULL && o->error != gri_wait_error(o->code))
        return gr_value_ref(o->error);
    switch (o->code) {
    case GR_ENOMEM: return gr_error(GR_ENOMEM, "out of memory");
    case GR_EINTR: return gr_error(GR_ECANCELED, "the waiting handler was cancelled");
    case GR_EDEADLK:
        return gr_error(GR_EDEADLK, "this wait would never end: "
                                    "cheap code waits, or a cycle of calls");
    case GR_EFULL: return gr_error(GR_EFULL, "too many handlers wait (fibers_max)");
    default: return gr_error(o->code, "the answer could not be awaited");
    }
}

gr_value *gr_take(gr_future *f, gr_value **reterr)
{
    gr_outcome o = gr_await(f, -1);
    gr_value *v = NULL;

    if (o.code == GR_OK)
        v = gr_value_ref(o.value);
    else if (reterr != NULL)
        *reterr = error_for(&o);
    gr_future_free(f);
    return v;
}

bool gr_done(const gr_future *f)
{
    return f == NULL || gri_future_done(f);
}

/* ---- letting go ------------------------------------------------------------------------------ */

void gr_future_cancel(gr_future *f)
{
    if (f != NULL && !gri_future_done(f))
        f->ops->cancel(f, GR_ECANCELED);
}

void gr_future_free(gr_future *f)
{
    gr_future_cancel(f);
    gri_future_unref(f);
}

void gr_detach(gr_future *f)
{
    if (f != NULL && !gri_future_done(f) && f->ops->detach != NULL)
        f->ops->detach(f);
    gri_future_unref(f);
}

gr_call gr_future_call(gr_future *f)
{
    if (f == NULL || gri_future_done(f) || f->ops->name == NULL)
        return (gr_call){ 0, 0 };
    return f->ops->name(f);
}

/* ---- callbacks ------------------------------------------------------------------------------- */

struct on_done {
    struct gri_waiter waiter;
    struct gri_task task;
    gr_future *future; /* owned until fn takes it */
    gr_done_fn *fn;
    void (*drop)(void *arg);
    void *arg;
};

static void on_done_run(struct gri_task *t)
{
    struct on_done *d = gri_container_of(t, struct on_done, task);

    d->fn(d->arg, d->future);
    if (d->drop != NULL)
        d->drop(d->arg);
    gri_free(d);
}

static void on_done_fire(struct gri_waiter *w)
{
    struct on_done *d = gri_container_of(w, struct on_done, waiter);

    gri_ready(d->future->sched, &d->task);
}

gr_code gr_on_done(gr_future *f, gr_done_fn *fn, void (*drop)(void *arg), void *arg)
{
    struct on_done *d = f != NULL ? gri_new0(struct on_done) : NULL;
    gr_code rc = GR_ENOMEM;

    if (d != NULL) {
        *d = (struct on_done){ .waiter.fire = on_done_fire,
                               .task = { .run = on_done_run, .name = "on_done" },
                               .future = f,
                               .fn = fn,
                               .drop = drop,
                               .arg = arg };
        rc = gri_future_watch(f, &d->waiter);
        if (rc == GR_EOS)
            gri_ready(f->sched, &d->task);
        if (rc == GR_OK || rc == GR_EOS)
            return GR_OK;
    }
    gri_free(d);
    gr_future_free(f);
    if (drop != NULL)
        drop(arg);
    return rc;
}
