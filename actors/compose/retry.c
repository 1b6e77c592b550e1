/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry.c - gr_with_retry: again, a little later, when it failed.
 *
 * invoke makes attempts until one succeeds, its error is final, or no more are due. The wait before
 * attempt n + 1 is min(max, backoff * 2^(n-1) + random jitter), as tenacity's exponential jitter,
 * and never less than what the error asks for by retry_after_ms. A wait that would pass the
 * deadline isn't begun: the caller learns at once why the last attempt failed. A first attempt that
 * is cheap and succeeds costs nothing; for the rest there is a machine, woken by the attempt's end,
 * the timer, or cancellation.
 *
 * stream and transform are handed on: part of an answer may be with the reader already. batch is
 * not here, so the engine invokes for each item, and only failed items are tried again.
 */
#include "actors/compose/machine.h"
#include "actors/compose/steps.h"
#include "runtime/base/alloc.h"

#define ATTEMPTS 3
#define BACKOFF_MS 1000
#define BACKOFF_MAX_MS 60000
#define JITTER_MS 1000
#define WAIT_MAX_MS ((int64_t)24 * 3600 * 1000) /* a server that asks for more is not believed */
#define NS_PER_MS UINT64_C(1000000)

/* The spawn argument: the options with their defaults filled in. */
struct retry {
    gr_ref inner;
    unsigned attempts;
    int64_t backoff_ms, backoff_max_ms, jitter_ms; /* 0: none */
    bool all_errors;
};

struct attempts {
    struct gri_machine machine;
    struct gri_call *call;     /* the duty */
    const struct retry *retry; /* borrowed from the actor */
    unsigned made;             /* attempts so far, with the one under way */
    uint32_t counted;          /* those of them that the machine counts */
    gr_future *future;         /* owned; the attempt under way, NULL while waiting */
    struct gri_wake ended;
    gr_value *error; /* counted; of the last attempt */
    struct gri_timer timer;
    uint64_t until_ns; /* when the wait is over; 0: there is none */
};

/* final tells whether another attempt is pointless. */
static bool final(const struct retry *r, const gr_value *err)
{
    gr_code code = gr_error_code(err);

    if (code == GR_ECANCELED)
        return true;
    if (r->all_errors || gr_error_retryable(err))
        return false;
    /* Errors that the steps' own code makes: they say nothing about a second attempt, so it is
     * made. */
    return code != GR_EBROKEN && (code != GR_EREMOTE || gr_get(err, "status") != NULL);
}

/* wait_ms is how long to wait after the made-th attempt. */
static int64_t wait_ms(gr_runtime *rt, const struct retry *r, unsigned made, const gr_value *err)
{
    int64_t wait = r->backoff_ms, least = gr_as_int(gr_get(err, "retry_after_ms"), 0);

    for (unsigned i = 1; i < made && wait < r->backoff_max_ms; i++)
        wait = wait > INT64_MAX / 2 ? INT64_MAX : wait * 2;
    if (wait > r->backoff_max_ms)
        wait = r->backoff_max_ms;
    if (r->jitter_ms > 0)
        wait += (int64_t)(gri_random(rt) % ((uint64_t)r->jitter_ms + 1));
    if (wait > r->backoff_max_ms)
        wait = r->backoff_max_ms;
    if (wait < least)
        wait = least;
    return wait < WAIT_MAX_MS ? wait : WAIT_MAX_MS;
}

static enum gri_next attempts_end(struct attempts *a, gr_value *v)
{
    gri_timer_cancel(a->machine.sched, &a->timer);
    gri_future_unref(a->future);
    gr_value_unref(a->error);
    gri_call_end(a->call, v);
    gri_free(a); /* after the end: until then the cancel hook may come */
    return GRI_OVER;
}

/* failed decides what follows an attempt that failed: true, a wait has begun; false, it was the
 * last. */
static bool failed(struct attempts *a, gr_value *err)
{
    struct gri_sched *s = a->machine.sched;
    uint64_t until, deadline = a->call->deadline_ns;

    gr_value_unref(a->error);
    a->error = err;
    if (a->made >= a->retry->attempts || final(a->retry, err) || gri_call_cancelled(a->call))
        return false;
    until = gri_sched_now(s) + (uint64_t)wait_ms(a->call->rt, a->retry, a->made, err) * NS_PER_MS;
    if (deadline != 0 && until >= deadline)
        return false;
    a->until_ns = until;
    gri_timer_start(s, &a->timer, until);
    return true;
}

static void timer_fire(struct gri_timer *t)
{
    gri_machine_wake(&gri_container_of(t, struct attempts, timer)->machine);
}

/* attempt makes one: its answer if that came at once, else NULL. */
static gr_value *attempt(struct attempts *a)
{
    gr_value *v = NULL, *input = gr_value_ref(a->call->args);
    gr_code rc;

    a->made++;
    if (gri_call_direct(a->call, a->retry->inner, input, &v))
        return v;
    a->future = gri_call_sub(a->call, a->retry->inner, GRI_INVOKE, input, NULL);
    if (a->future == NULL)
        return gri_no_memory();
    a->counted++;
    rc = gri_future_watch(a->future, &a->ended.waiter);
    gri_assert(rc != GR_EINVAL);
    if (rc == GR_EOS)
        gri_machine_count(&a->machine);
    return NULL;
}

static enum gri_next attempts_step(struct gri_machine *m)
{
    struct attempts *a = gri_container_of(m, struct attempts, machine);

    for (;;) {
        gr_value *v = NULL;

        if (a->future != NULL) {
            if (gri_machine_counted(m) < a->counted)
                return GRI_SLEEP;
            v = gr_value_ref(a->future->result);
            gri_future_unref(a->future);
            a->future = NULL;
        } else if (gri_call_cancelled(a->call)) {
            return attempts_end(a, a->error != NULL ? gr_value_ref(a->error) : gri_was_cancelled());
        } else if (a->until_ns > gri_sched_now(m->sched)) {
            return GRI_SLEEP;
        } else {
            gri_timer_cancel(m->sched, &a->timer);
            v = attempt(a);
            if (v == NULL)
                continue;
        }
        if (gr_error_code(v) == GR_OK)
            return attempts_end(a, v);
        if (!failed(a, v))
            return attempts_end(a, gr_value_ref(v));
    }
}

static const struct retry *retry_of(const struct gri_call *call)
{
    return gr_as_opaque(gri_call_spawn_args(call));
}

static void retry_invoke(struct gri_call *call)
{
    const struct retry *r = retry_of(call);
    struct attempts *a;
    gr_value *v = NULL, *input = gr_value_ref(call->args);
    bool direct = gri_call_direct(call, r->inner, input, &v);

    if (direct && gr_error_code(v) == GR_OK) {
        gri_call_end(call, v);
        return;
    }
    if (!direct)
        gr_value_unref(input);
    a = gri_new0(struct attempts);
    if (a == NULL) {
        gr_value_unref(v);
        gri_call_end(call, gri_no_memory());
        return;
    }
    a->call = call;
    a->retry = r;
    gri_machine_init(&a->machine, gri_call_sched(call), "retry", attempts_step);
    gri_count_init(&a->ended, &a->machine);
    gri_timer_init(&a->timer, timer_fire);
    if (direct) {
        a->made = 1;
        if (!failed(a, v)) {
            attempts_end(a, gr_value_ref(v));
            return;
        }
    }
    if (gri_call_on_cancel(call, gri_machine_cancelled, &a->machine) != GR_OK)
        attempts_end(a, gri_was_cancelled());
    else
        gri_machine_start(&a->machine);
}

static void retry_stream(struct gri_call *call)
{
    gri_call_forward(call, retry_of(call)->inner, GRI_STREAM, NULL, NULL);
}

static void retry_transform(struct gri_call *call)
{
    gri_call_forward(call, retry_of(call)->inner, GRI_TRANSFORM, NULL, NULL);
}

static const gr_method retry_methods[] = {
    { "invoke", GRI_NATIVE, GRI_NATIVE_FN(retry_invoke), NULL },
    { "stream", GRI_NATIVE, GRI_NATIVE_FN(retry_stream), NULL },
    { "transform", GRI_NATIVE, GRI_NATIVE_FN(retry_transform), NULL },
};
static const gr_class retry_class = GR_CLASS(.name = "RunnableRetry", GR_METHODS(retry_methods));

/* or_default: 0 is the default, negative none. */
static int64_t or_default(int64_t given, int64_t otherwise)
{
    if (given == 0)
        return otherwise;
    return given > 0 ? given : 0;
}

gr_ref gr_with_retry(gr_scope *in, gr_ref inner, const gr_retry_opts *opts)
{
    static const gr_retry_opts none = { .size = sizeof(none) };
    const gr_retry_opts *o = opts != NULL ? opts : &none;
    struct retry *r;
    gr_value *args;

    if (gri_ref_broken(in, inner))
        return inner;
    r = gri_new0(struct retry);
    if (r != NULL)
        *r = (struct retry){ .inner = inner,
                             .attempts = o->attempts != 0 ? o->attempts : ATTEMPTS,
                             .backoff_ms = or_default(o->backoff_ms, BACKOFF_MS),
                             .backoff_max_ms = or_default(o->backoff_max_ms, BACKOFF_MAX_MS),
                             .jitter_ms = or_default(o->jitter_ms, JITTER_MS),
                             .all_errors = o->all_errors };
    args = r != NULL ? gr_opaque(r, gri_free) : gri_no_memory();
    return gri_compose_spawn(in, &retry_class, "RunnableRetry", args);
}
