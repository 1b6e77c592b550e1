/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fallbacks.c - gr_with_fallbacks: the first of several that does not fail.
 *
 * invoke tries them in order with the same input: cheap ones at once on this stack, others as
 * sub-calls that a small heap frame waits for. stream is a pump that goes on with the next one's
 * stream as long as no chunk has come; a stream that ends without any counts as failed, as in
 * LangChain. A transform is the engine's: it adds up the input and streams that. If all fail the
 * first error is given: what followed was only tried because of it.
 */
#include "actors/compose/pump.h"
#include "actors/compose/steps.h"
#include "runtime/base/alloc.h"

/* How far a call has come; the first error stands for all. */
struct tries {
    const struct gri_steps *steps; /* borrowed from the actor */
    size_t next;                   /* index of the one to try next */
    gr_value *first;               /* counted; the first error */
};

/* goes_on keeps err and tells whether another one is to be tried; else *ret_v is what to give.
 * Takes err. */
static bool goes_on(struct gri_call *call, struct tries *t, gr_value *err, gr_value **ret_v)
{
    /* cancellation is not a failure, whoever was cancelled */
    if (gr_error_code(err) == GR_ECANCELED || gri_call_cancelled(call)) {
        *ret_v = err;
        return false;
    }
    if (t->first == NULL)
        t->first = err;
    else
        gr_value_unref(err);
    if (t->next < t->steps->count)
        return true;
    *ret_v = gr_value_ref(t->first);
    return false;
}

/* ---- invoke ---------------------------------------------------------------------------------- */

/* What waits for the one that runs: the waiter, then the task, own it. */
struct wait {
    struct gri_waiter waiter;
    struct gri_task task;
    struct gri_call *call; /* the duty */
    struct tries tries;
    gr_future *future; /* owned; the one that runs */
};

static void try_on(struct gri_call *call, struct tries t, struct wait *w);

static void wait_fire(struct gri_waiter *waiter)
{
    struct wait *w = gri_container_of(waiter, struct wait, waiter);

    gri_ready(gri_call_sched(w->call), &w->task);
}

static gr_value *wait_take(struct wait *w)
{
    gr_value *v = gr_value_ref(w->future->result);

    gri_future_unref(w->future);
    w->future = NULL;
    return v;
}

/* try_end gives v and lets go. Takes all. */
static void try_end(struct gri_call *call, struct tries *t, struct wait *w, gr_value *v)
{
    gr_value_unref(t->first);
    gri_free(w);
    gri_call_end(call, v);
}

static void wait_run(struct gri_task *task)
{
    struct wait *w = gri_container_of(task, struct wait, task);
    struct tries t = w->tries;
    gr_value *v = wait_take(w);

    if (gr_error_code(v) != GR_OK && goes_on(w->call, &t, v, &v))
        try_on(w->call, t, w);
    else
        try_end(w->call, &t, w, v);
}

/* try_start tries the one before t->next as a sub-call: true, w waits for it; false, *ret_v is
 * its answer. */
static bool try_start(struct wait *w, const struct tries *t, gr_value *input, gr_value **ret_v)
{
    gr_code rc;

    w->tries = *t;
    w->future = gri_call_sub(w->call, t->steps->at[t->next - 1].ref, GRI_INVOKE, input, NULL);
    if (w->future == NULL) {
        *ret_v = gri_no_memory();
        return false;
    }
    rc = gri_future_watch(w->future, &w->waiter);
    if (rc == GR_OK)
        return true;
    gri_assert(rc == GR_EOS);
    *ret_v = wait_take(w);
    return false;
}

/* try_on tries the rest. Takes t and w, which may be NULL. */
static void try_on(struct gri_call *call, struct tries t, struct wait *w)
{
    gr_value *v = NULL;

    do {
        gr_value *input = gr_value_ref(call->args);

        if (gri_call_direct(call, t.steps->at[t.next++].ref, input, &v))
            continue;
        if (w == NULL && (w = gri_new0(struct wait)) != NULL)
            *w = (struct wait){ .waiter.fire = wait_fire,
                                .task = { .run = wait_run, .name = "fallbacks" },
                                .call = call };
        if (w == NULL) {
            gr_value_unref(input);
            v = gri_no_memory();
            break;
        }
        if (try_start(w, &t, input, &v))
            return;
    } while (gr_error_code(v) != GR_OK && goes_on(call, &t, v, &v));
    try_end(call, &t, w, v);
}

static void fallbacks_invoke(struct gri_call *call)
{
    try_on(call, (struct tries){ .steps = gri_steps_of(call) }, NULL);
}

/* ---- stream ---------------------------------------------------------------------------------- */

static void tries_free(void *p)
{
    struct tries *t = p;

    gr_value_unref(t->first);
    gri_free(t);
}

static gr_stream *open_next(struct gri_call *call, struct tries *t)
{
    return gri_call_sub_stream(call, t->steps->at[t->next++].ref, GRI_STREAM,
                               gr_value_ref(call->args), NULL, NULL);
}

static gr_stream *next_stream(struct gri_call *call, void *arg, gr_value *err, gr_value **reterr)
{
    struct tries *t = arg;
    gr_stream *s;

    if (err == NULL)
        err = gr_error(GR_EBROKEN, "the stream ended without a chunk");
    if (!goes_on(call, t, err, reterr))
        return NULL;
    s = open_next(call, t);
    if (s == NULL)
        *reterr = gri_no_memory();
    return s;
}

static void fallbacks_stream(struct gri_call *call)
{
    struct tries *t;

    if (!gri_compose_streams(call, false))
        return;
    t = gri_new0(struct tries);
    if (t == NULL) {
        gri_call_end(call, gri_no_memory());
        return;
    }
    t->steps = gri_steps_of(call);
    gri_pump_start(call, open_next(call, t),
                   &(struct gri_pump_opts){ .next = next_stream, .drop = tries_free, .arg = t });
}

static const gr_method fallbacks_methods[] = {
    { "invoke", GRI_NATIVE, GRI_NATIVE_FN(fallbacks_invoke), NULL },
    { "stream", GRI_NATIVE, GRI_NATIVE_FN(fallbacks_stream), NULL },
};
static const gr_class fallbacks_class =
    GR_CLASS(.name = "RunnableWithFallbacks", GR_METHODS(fallbacks_methods));

gr_ref gr_with_fallbacks_n(gr_scope *in, const gr_ref *runnables, size_t count)
{
    return gri_steps_spawn(in, &fallbacks_class, "RunnableWithFallbacks", runnables, count);
}
