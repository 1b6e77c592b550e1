/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry.c - gr_with_retry: again, a little later, when it failed.
 *
 * invoke makes attempts until one succeeds, its error is final, or no more are due. The wait before
 * attempt n + 1 is min(max, backoff * exp_base^(n-1) + random jitter), as tenacity's exponential
 * jitter, and never less than what the error asks for by retry_after_ms. A wait that would pass the
 * deadline isn't begun: the caller learns at once why the last attempt failed. A first attempt that
 * is cheap and succeeds costs nothing; for the rest there is a machine, woken by the attempt's end,
 * the timer, or cancellation.
 *
 * stream does the same up to the first chunk, then a pump takes over: from there on part of an answer
 * may be with the reader. transform is handed on, since its input can be read only once, and has no run then,
 * as in langchain-core. batch is not here, so the engine invokes for each item, and only failed items are tried again.
 */
#include "actors/compose/describe.h"
#include "actors/compose/error_names.h"
#include "actors/compose/machine.h"
#include "actors/compose/pump.h"
#include "actors/compose/retry.h"
#include "actors/compose/steps.h"
#include "actors/compose/subcall.h"
#include "runtime/actor/observed.h"
#include "runtime/base/alloc.h"
#include "runtime/http/backoff.h"

#define ATTEMPTS 3
#define BACKOFF_MS 1000
#define BACKOFF_MAX_MS 60000
#define EXP_BASE 2.0
#define JITTER_MS 1000
#define WAIT_MAX_MS ((int64_t)24 * 3600 * 1000) /* a server that asks for more is not believed */
#define NS_PER_MS UINT64_C(1000000)

/* The spawn argument: the options with their defaults filled in. */
struct retry {
    gr_ref inner;
    unsigned attempts;
    int64_t backoff_ms, backoff_max_ms, jitter_ms; /* 0: none */
    double exp_base;
    gr_value *errors; /* counted; names of those that are tried again; nil: see final */
    bool all_errors;
    bool model; /* as the clients of model servers do it: see gri_retry_model */
};

struct attempts {
    struct gri_machine machine;
    struct gri_call *call;     /* the duty */
    const struct retry *retry; /* borrowed from the actor */
    unsigned made;             /* attempts so far, with the one under way */
    uint32_t counted;          /* those of them that the machine counts */
    gr_future *future;         /* owned; the attempt under way, NULL while waiting */
    gr_stream *stream;         /* owned; the same for a call that streams */
    struct gri_wake ended, chunk;
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
    if (r->model)
        return !gr_error_retryable(err);
    if (!gr_is_nil(r->errors))
        return !gri_error_named(r->errors, err);
    if (r->all_errors || gr_error_retryable(err))
        return false;
    /* Errors that the steps' own code makes: they say nothing about a second attempt, so it is
     * made. */
    return code != GR_EBROKEN && (code != GR_EREMOTE || gr_get(err, "status") != NULL);
}

/* backoff_ms is the wait without jitter. */
static int64_t backoff_ms(const struct retry *r, unsigned made)
{
    double wait = (double)r->backoff_ms;

    for (unsigned i = 1; i < made && wait < (double)r->backoff_max_ms && wait > 0; i++)
        wait *= r->exp_base;
    return wait < (double)r->backoff_max_ms ? (int64_t)wait : r->backoff_max_ms;
}

/* wait_ms is how long to wait after the made-th attempt. */
static int64_t wait_ms(gr_runtime *rt, const struct retry *r, unsigned made, const gr_value *err)
{
    int64_t wait = backoff_ms(r, made), least = gr_as_int(gr_get(err, "retry_after_ms"), 0);

    if (r->model)
        return gri_backoff_wait_ms(made - 1, least, gri_random(rt));
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
    gri_leave_stream(a->stream, &a->chunk);
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
    gri_run_retry(a->call, err);
    a->until_ns = until;
    gri_timer_start(s, &a->timer, until);
    return true;
}

static void timer_fire(struct gri_timer *t)
{
    gri_machine_wake(&gri_container_of(t, struct attempts, timer)->machine);
}

/* call_opts fills in opts, which is all zero: the call's kwargs, and for a model how often it was tried and in
 * which run. */
static const gr_call_opts *call_opts(const struct attempts *a, gr_call_opts *opts)
{
    const gr_call_opts *given = gri_subcall_kwargs(a->call, opts);
    gr_value *run = a->retry->model ? gri_run_id(a->call) : gr_nil(), *kwargs;

    if (!a->retry->model || (a->made < 2 && gr_is_nil(run))) {
        gr_value_unref(run);
        return given;
    }
    kwargs = given == NULL ? gr_map_n(NULL, 0) : gr_value_ref(gr_get(opts->config, "kwargs"));
    gr_value_unref(opts->config);
    if (a->made > 1)
        kwargs = gr_set(kwargs, GRI_RETRY_KWARG, gr_int((int64_t)a->made - 1));
    if (!gr_is_nil(run))
        kwargs = gr_set(kwargs, GRI_RUN_KWARG, gr_value_ref(run));
    gr_value_unref(run);
    opts->size = sizeof(*opts);
    opts->config = gr_map(GR_KV("kwargs", kwargs));
    return opts;
}

/* attempt makes one: its answer if that came at once, else NULL. */
static gr_value *attempt(struct attempts *a)
{
    gr_value *v = NULL, *input = gr_value_ref(a->call->args);
    gr_ref inner = a->retry->inner;
    gr_call_opts opts = { 0 };
    gr_code rc;

    a->made++;
    if (a->made > 1)
        gri_run_tag_number(a->call, "retry:attempt:", a->made);
    if (a->call->out != NULL) {
        a->stream =
            gri_call_sub_stream(a->call, inner, GRI_STREAM, input, NULL, call_opts(a, &opts));
        return a->stream == NULL ? gri_no_memory() : NULL;
    }
    if (gri_call_direct(a->call, inner, input, &v))
        return v;
    a->future = gri_call_sub(a->call, inner, GRI_INVOKE, input, call_opts(a, &opts));
    if (a->future == NULL)
        return gri_no_memory();
    a->counted++;
    rc = gri_future_watch(a->future, &a->ended.waiter);
    gri_assert(rc != GR_EINVAL);
    if (rc == GR_EOS)
        gri_machine_count(&a->machine);
    return NULL;
}

/* pump_on passes the stream on, of which the first chunk, taken, is here. */
static enum gri_next pump_on(struct attempts *a, gr_value *first)
{
    struct gri_call *call = a->call;
    gr_stream *s = a->stream;

    gri_call_unhook(call);
    gri_timer_cancel(a->machine.sched, &a->timer);
    gr_value_unref(a->error);
    gri_free(a);
    gri_pump_start(call, s, &(struct gri_pump_opts){ .first = first });
    return GRI_OVER;
}

/* attempt_ended: GR_EPENDING; GR_OK, *ret_v is the answer or the error; GR_EOS, *ret_v is the first
 * chunk of a stream. */
static gr_code attempt_ended(struct attempts *a, gr_value **ret_v)
{
    gr_code rc;

    if (a->future != NULL) {
        if (gri_machine_counted(&a->machine) < a->counted)
            return GR_EPENDING;
        *ret_v = gr_value_ref(a->future->result);
        gri_future_unref(a->future);
        a->future = NULL;
        return GR_OK;
    }
    rc = gri_pull(a->stream, &a->chunk, ret_v);
    if (rc == GR_OK || rc == GR_EPENDING)
        return rc == GR_OK ? GR_EOS : rc;
    *ret_v = rc == GR_EOS ? gr_nil() : gri_stream_why(a->stream, rc);
    gri_leave_stream(a->stream, &a->chunk);
    a->stream = NULL;
    return GR_OK;
}

static enum gri_next attempts_step(struct gri_machine *m)
{
    struct attempts *a = gri_container_of(m, struct attempts, machine);

    for (;;) {
        gr_value *v = NULL;

        if (a->future != NULL || a->stream != NULL) {
            gr_code rc = attempt_ended(a, &v);

            if (rc == GR_EPENDING && a->stream != NULL && gri_call_cancelled(a->call))
                return attempts_end(a, gri_was_cancelled());
            if (rc == GR_EPENDING)
                return GRI_SLEEP;
            if (rc == GR_EOS)
                return pump_on(a, v);
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

static struct attempts *attempts_new(struct gri_call *call)
{
    struct attempts *a = gri_new0(struct attempts);

    if (a == NULL)
        return NULL;
    a->call = call;
    a->retry = retry_of(call);
    gri_machine_init(&a->machine, gri_call_sched(call), "retry", attempts_step);
    gri_count_init(&a->ended, &a->machine);
    gri_wake_init(&a->chunk, &a->machine);
    gri_timer_init(&a->timer, timer_fire);
    return a;
}

static void attempts_start(struct attempts *a)
{
    if (gri_call_on_cancel(a->call, gri_machine_cancelled, &a->machine) != GR_OK)
        attempts_end(a, gri_was_cancelled());
    else
        gri_machine_start(&a->machine);
}

static void retry_invoke(struct gri_call *call)
{
    struct attempts *a;
    gr_value *v = NULL, *input = gr_value_ref(call->args);
    bool direct = gri_call_direct(call, retry_of(call)->inner, input, &v);

    if (direct && gr_error_code(v) == GR_OK) {
        gri_call_end(call, v);
        return;
    }
    if (!direct)
        gr_value_unref(input);
    a = attempts_new(call);
    if (a == NULL) {
        gr_value_unref(v);
        gri_call_end(call, gri_no_memory());
        return;
    }
    if (direct) {
        a->made = 1;
        if (!failed(a, v)) {
            attempts_end(a, gr_value_ref(v));
            return;
        }
    }
    attempts_start(a);
}

static void retry_stream(struct gri_call *call)
{
    struct attempts *a;

    if (!gri_compose_streams(call, false))
        return;
    a = attempts_new(call);
    if (a == NULL)
        gri_call_end(call, gri_no_memory());
    else
        attempts_start(a);
}

static void retry_transform(struct gri_call *call)
{
    gri_call_forward(call, retry_of(call)->inner, GRI_TRANSFORM, NULL, NULL);
}

static gr_value *retry_describe(gr_ctx *c, void *self, const gr_value *args)
{
    const struct retry *r = gr_as_opaque(gr_args(c));

    (void)self;
    (void)args;
    return gri_describe_ref(c, r->inner);
}

static const gr_method retry_methods[] = {
    { "invoke", GRI_NATIVE, GRI_NATIVE_FN(retry_invoke), NULL },
    { "stream", GRI_NATIVE, GRI_NATIVE_FN(retry_stream), NULL },
    { "transform", GRI_PASSING, GRI_NATIVE_FN(retry_transform), NULL },
    { "describe", GR_ASYNC, retry_describe, NULL },
};
static const gr_class retry_class = GR_CLASS(.name = "RunnableRetry", GR_METHODS(retry_methods));
static const gr_class retry_model_class =
    GR_CLASS(.name = "ChatModel", .run_type = GR_TYPE_CHAT_MODEL, GR_METHODS(retry_methods));

/* or_default: 0 is the default, negative none. */
static int64_t or_default(int64_t given, int64_t otherwise)
{
    if (given == 0)
        return otherwise;
    return given > 0 ? given : 0;
}

static void retry_free(void *p)
{
    struct retry *r = p;

    gr_value_unref(r->errors);
    gri_free(r);
}

/* make returns the spawn argument, or an error. */
static gr_value *make(gr_ref inner, const gr_retry_opts *o, bool model)
{
    struct retry *r = gri_new0(struct retry);
    gr_value *err = NULL;

    if (r == NULL)
        return gri_no_memory();
    *r = (struct retry){ .inner = inner,
                         .attempts = o->attempts != 0 ? o->attempts : ATTEMPTS,
                         .backoff_ms = or_default(o->backoff_ms, BACKOFF_MS),
                         .backoff_max_ms = or_default(o->backoff_max_ms, BACKOFF_MAX_MS),
                         .jitter_ms = or_default(o->jitter_ms, JITTER_MS),
                         .exp_base = o->exp_base != 0 ? o->exp_base : EXP_BASE,
                         .errors = gri_error_names(o->errors, o->error_count),
                         .all_errors = o->all_errors,
                         .model = model };
    if (r->exp_base < 1)
        err = gr_error(GR_EINVAL, "with_retry: exp_base must be at least 1");
    else if (gr_error_code(r->errors) != GR_OK)
        err = gr_value_ref(r->errors);
    if (err == NULL)
        return gr_opaque(r, retry_free);
    retry_free(r);
    return err;
}

/* spawn makes a retry of cls, which goes by inner's name; model: see struct retry. Takes callbacks. */
static gr_ref spawn(gr_scope *in, const gr_class *cls, gr_ref inner, const gr_retry_opts *opts,
                    bool model, gr_value *callbacks)
{
    static const gr_retry_opts none = { .size = sizeof(none) };
    gr_value *name;
    gr_ref ref;

    if (gri_ref_broken(in, inner)) {
        gr_value_unref(callbacks);
        return inner;
    }
    name = in != NULL ? gri_ref_name(in->rt, inner) : NULL;
    ref = gr_spawn(in, cls,
                   GR_SPAWN(.name = gr_cstr(name, cls->name), .callbacks = callbacks,
                            .args = make(inner, opts != NULL ? opts : &none, model)));
    gr_value_unref(name);
    return ref;
}

gr_ref gr_with_retry(gr_scope *in, gr_ref inner, const gr_retry_opts *opts)
{
    return spawn(in, &retry_class, inner, opts, false, NULL);
}

gr_ref gri_retry_request(gr_scope *in, gr_ref inner, unsigned attempts)
{
    return spawn(in, &retry_class, inner, GR_RETRY(.attempts = attempts), true, NULL);
}

gr_ref gri_retry_model(gr_scope *in, gr_ref inner, unsigned attempts, gr_value *callbacks)
{
    return spawn(in, &retry_model_class, inner, GR_RETRY(.attempts = attempts), true, callbacks);
}
