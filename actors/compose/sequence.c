/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sequence.c - gr_seq: each step's answer is the next one's input.
 *
 * invoke walks along the steps. Cheap ones run at once on this stack and allocate nothing; when a
 * step really is asynchronous the walk goes into a small heap frame, which waits for that step's
 * future and walks on from there. The last step is handed the call itself, so its answer needn't
 * come back through here, be it on another node. kwargs are the first step's alone.
 *
 * Steps that are proxies, one after the other, get the value in one call with a route: it goes from node to node and
 * comes back from the last of them, or from where it could not go on. If somebody hears of the runs, each step's answer
 * has to come here anyhow, and so it does.
 *
 * stream and transform connect the steps by streams: each transforms the stream of the one before,
 * and the last one is handed the call with that stream as its input. After that nothing of the
 * sequence is left; back-pressure, errors and cancellation go through the streams.
 *
 * As in langchain-core a sequence among the steps is not a step, but its own steps are; and what follows a structured
 * prompt becomes a model with structured output.
 */
#include "actors/compose/describe.h"
#include "actors/compose/steps.h"
#include "actors/compose/subcall.h"
#include "actors/prompt/structured_prompt.h"
#include "runtime/actor/observed.h"
#include "runtime/actor/run_config.h"
#include "runtime/base/alloc.h"
#include "runtime/net/route.h"

/* A walk that waits. Whoever runs it owns it: the native method first, then the waiter, then the
 * task. */
struct walk {
    struct gri_waiter waiter; /* in `step` */
    struct gri_task task;
    struct gri_call *call;         /* the duty */
    const struct gri_steps *steps; /* borrowed from the actor */
    size_t next;                   /* index of the step after the one that runs */
    gr_future *step;               /* owned; NULL: what it waited for was a route */
    gr_value *routed;              /* owned; what came of that */
    bool plain;                    /* the next step is called by itself */
};

static void walk_on(struct gri_call *call, const struct gri_steps *steps, size_t next, gr_value *v,
                    struct walk *w);

static void walk_fire(struct gri_waiter *waiter)
{
    struct walk *w = gri_container_of(waiter, struct walk, waiter);

    gri_ready(gri_call_sched(w->call), &w->task);
}

/* walk_take takes the answer of the step that is done. */
static gr_value *walk_take(struct walk *w)
{
    gr_value *v;

    if (w->step == NULL) {
        v = w->routed;
        w->routed = NULL;
        return v;
    }
    v = gr_value_ref(w->step->result);
    gri_future_unref(w->step);
    w->step = NULL;
    return v;
}

static void walk_run(struct gri_task *task)
{
    struct walk *w = gri_container_of(task, struct walk, task);

    walk_on(w->call, w->steps, w->next, walk_take(w), w);
}

static struct walk *walk_new(struct gri_call *call, const struct gri_steps *steps)
{
    struct walk *w = gri_new0(struct walk);

    if (w != NULL)
        *w = (struct walk){ .waiter.fire = walk_fire,
                            .task = { .run = walk_run, .name = "sequence" },
                            .call = call,
                            .steps = steps };
    return w;
}

/* walk_start starts the step before w->next: true, w waits for it; false, its answer is *ret_v. */
static bool walk_start(struct walk *w, gr_value *input, gr_value **ret_v)
{
    gr_call_opts opts = { 0 };
    gr_code rc;

    w->step = gri_call_sub(w->call, w->steps->at[w->next - 1].ref, GRI_INVOKE, input,
                           w->next == 1 ? gri_subcall_kwargs(w->call, &opts) : NULL);
    if (w->step == NULL) {
        *ret_v = gri_no_memory();
        return false;
    }
    rc = gri_future_watch(w->step, &w->waiter);
    if (rc == GR_OK)
        return true;
    gri_assert(rc == GR_EOS);
    *ret_v = walk_take(w);
    return false;
}

/* walk_routed is a gri_route_fn. The step that it could not reach is called by itself, which tells why. */
static void walk_routed(void *arg, gr_value *v, size_t next)
{
    struct walk *w = arg;

    w->next += next;
    w->plain = true;
    w->routed = v;
    if (w->next < w->steps->count && gr_error_code(v) == GR_OK) {
        gri_ready(gri_call_sched(w->call), &w->task);
        return;
    }
    gri_call_end(w->call, v);
    gri_free(w);
}

/* walk_route sends v along the steps from w->next on that are proxies; false: it can't. */
static bool walk_route(struct walk *w, const gr_value *v)
{
    struct gri_call *call = w->call;
    gr_call_opts opts = { 0 };
    gr_ref refs[GRI_ROUTE_MAX];
    gr_value *config = NULL;
    size_t count = 0;

    while (count < GRI_ROUTE_MAX && count < w->steps->at[w->next].run) {
        refs[count] = w->steps->at[w->next + count].ref;
        count++;
    }
    if (w->next == 0 && gri_subcall_kwargs(call, &opts) != NULL)
        config = opts.config;
    config = gri_config_child(call->config, config, NULL);
    return gri_route_start(call, refs, count, v, config, walk_routed, w);
}

/* walk_on gives v to the steps from `next` on and ends the call, or leaves that to w. Takes v
 * and w. */
static void walk_on(struct gri_call *call, const struct gri_steps *steps, size_t next, gr_value *v,
                    struct walk *w)
{
    while (next < steps->count && gr_error_code(v) == GR_OK) {
        bool route = steps->at[next].run > 1 && !gri_call_heard(call) && !(w != NULL && w->plain);
        gr_ref step = steps->at[next++].ref;

        if (w != NULL)
            w->plain = false;
        if (gri_call_cancelled(call)) {
            gr_value_unref(v);
            v = gri_was_cancelled();
            break;
        }
        if (gri_call_direct(call, step, v, &v))
            continue;
        if (route && w == NULL)
            w = walk_new(call, steps);
        if (route && w != NULL) {
            w->next = next - 1;
            if (walk_route(w, v)) {
                gr_value_unref(v);
                return;
            }
        }
        gri_run_tag_number(call, "seq:step:", next);
        if (next == steps->count) {
            gri_free(w);
            if (next > 1)
                gri_subcall_drop_kwargs(call);
            gri_call_forward(call, step, GRI_INVOKE, v, NULL);
            return;
        }
        if (w == NULL && (w = walk_new(call, steps)) == NULL) {
            gr_value_unref(v);
            v = gri_no_memory();
            break;
        }
        w->next = next;
        if (walk_start(w, v, &v))
            return;
    }
    gri_free(w);
    gri_call_end(call, v);
}

static void sequence_invoke(struct gri_call *call)
{
    walk_on(call, gri_steps_of(call), 0, gr_value_ref(call->args), NULL);
}

/* connect streams the first step's answer through the others; the last one takes the call over. */
static void connect(struct gri_call *call, uint16_t verb, gr_value *args, gr_stream *in)
{
    const struct gri_steps *steps = gri_steps_of(call);
    size_t last = steps->count - 1;

    for (size_t i = 0; i < last; i++) {
        gr_call_opts opts = { 0 };

        gri_run_tag_number(call, "seq:step:", i + 1);
        in = gri_call_sub_stream(call, steps->at[i].ref, verb, args, in,
                                 i == 0 ? gri_subcall_kwargs(call, &opts) : NULL);
        if (in == NULL) {
            gri_call_end(call, gri_no_memory());
            return;
        }
        verb = GRI_TRANSFORM;
        args = gr_nil();
    }
    if (last > 0)
        gri_subcall_drop_kwargs(call);
    gri_run_tag_number(call, "seq:step:", last + 1);
    gri_call_forward(call, steps->at[last].ref, verb, args, in);
}

static void sequence_stream(struct gri_call *call)
{
    if (gri_compose_streams(call, false))
        connect(call, GRI_STREAM, gr_value_ref(call->args), NULL);
}

static void sequence_transform(struct gri_call *call)
{
    if (gri_compose_streams(call, true))
        connect(call, GRI_TRANSFORM, gr_nil(), gri_call_take_in(call));
}

static gr_value *sequence_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    (void)args;
    return gri_describe_sequence(c, gr_as_opaque(gr_args(c)));
}

static const gr_method sequence_methods[] = {
    { "invoke", GRI_NATIVE, GRI_NATIVE_FN(sequence_invoke), NULL },
    { "stream", GRI_NATIVE, GRI_NATIVE_FN(sequence_stream), NULL },
    { "transform", GRI_NATIVE, GRI_NATIVE_FN(sequence_transform), NULL },
    { "describe", GR_ASYNC, sequence_describe, NULL },
};
static const gr_class sequence_class =
    GR_CLASS(.name = "RunnableSequence", GR_METHODS(sequence_methods));

/* ---- making ---------------------------------------------------------------------------------- */

/* A list of steps that grows. */
struct flat {
    gr_ref *at; /* owned */
    size_t count, cap;
};

static bool flat_add(struct flat *f, gr_ref step)
{
    if (f->count == f->cap) {
        size_t cap = f->cap != 0 ? 2 * f->cap : 16;
        gr_ref *at = gri_resize(f->at, cap * sizeof(*at));

        if (at == NULL)
            return false;
        f->at = at;
        f->cap = cap;
    }
    f->at[f->count++] = step;
    return true;
}

/* flatten adds the steps; a sequence among them is its own steps, which are no sequences. */
static bool flatten(struct flat *f, gr_runtime *rt, const gr_ref *steps, size_t count)
{
    bool ok = true;

    for (size_t i = 0; i < count && ok; i++) {
        gr_value *args = gri_ref_args(rt, steps[i], &sequence_class);
        const struct gri_steps *inner = gr_as_opaque(args);

        if (inner == NULL)
            ok = flat_add(f, steps[i]);
        for (size_t k = 0; inner != NULL && k < inner->count && ok; k++)
            ok = flat_add(f, inner->at[k].ref);
        gr_value_unref(args);
    }
    return ok;
}

/* pipe_structured gives the steps behind structured prompts what those ask for; such a step is a sequence then. False: out of memory. */
static bool pipe_structured(struct flat *f, gr_scope *in)
{
    struct flat again = { NULL, 0, 0 };
    bool piped = false, ok = true;

    for (size_t i = 0; i + 1 < f->count; i++)
        piped |= gri_structured_pipe(in, &f->at[i], &f->at[i + 1]);
    if (!piped)
        return true;
    ok = flatten(&again, in->rt, f->at, f->count);
    gri_free(f->at);
    *f = again;
    return ok;
}

/* mark_runs: from the end, so each knows how many follow. */
static void mark_runs(gr_runtime *rt, struct gri_steps *s)
{
    for (size_t i = s->count, run = 0; i-- > 0;) {
        run = gri_route_leads_out(rt, s->at[i].ref) ? run + 1 : 0;
        s->at[i].run = (unsigned)run;
    }
}

static gr_ref spawn(gr_scope *in, const struct flat *f)
{
    struct gri_steps *s;
    gr_value *err = NULL;

    for (size_t i = 0; i < f->count; i++)
        if (gri_ref_broken(in, f->at[i]))
            return f->at[i];
    s = gri_steps_copy("RunnableSequence", f->at, NULL, f->count, &err);
    if (s != NULL)
        mark_runs(in->rt, s);
    return gri_compose_spawn(in, &sequence_class, "RunnableSequence",
                             s != NULL ? gr_opaque(s, gri_steps_free) : err);
}

gr_ref gr_seq_n(gr_scope *in, const gr_ref *steps, size_t count)
{
    struct flat f = { NULL, 0, 0 };
    gr_ref seq;

    if (in == NULL || steps == NULL || count > GRI_STEPS_MAX)
        return gri_steps_spawn(in, &sequence_class, "RunnableSequence", steps, count);
    if (flatten(&f, in->rt, steps, count) && pipe_structured(&f, in))
        seq = spawn(in, &f);
    else
        seq = gri_compose_spawn(in, &sequence_class, "RunnableSequence", gri_no_memory());
    gri_free(f.at);
    return seq;
}
