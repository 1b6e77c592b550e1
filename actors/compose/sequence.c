/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sequence.c - gr_seq: each step's answer is the next one's input.
 *
 * invoke walks along the steps. Cheap ones run at once on this stack and allocate nothing; when a
 * step really is asynchronous the walk goes into a small heap frame, which waits for that step's
 * future and walks on from there. The last step is handed the call itself, so its answer needn't
 * come back through here, be it on another node.
 *
 * stream and transform connect the steps by streams: each transforms the stream of the one before,
 * and the last one is handed the call with that stream as its input. After that nothing of the
 * sequence is left; back-pressure, errors and cancellation go through the streams.
 */
#include "actors/compose/steps.h"
#include "runtime/base/alloc.h"

/* A walk that waits. Whoever runs it owns it: the native method first, then the waiter, then the
 * task. */
struct walk {
    struct gri_waiter waiter; /* in `step` */
    struct gri_task task;
    struct gri_call *call;         /* the duty */
    const struct gri_steps *steps; /* borrowed from the actor */
    size_t next;                   /* index of the step after the one that runs */
    gr_future *step;               /* owned */
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
    gr_value *v = gr_value_ref(w->step->result);

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
    gr_code rc;

    w->step = gri_call_sub(w->call, w->steps->at[w->next - 1].ref, GRI_INVOKE, input, NULL);
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

/* walk_on gives v to the steps from `next` on and ends the call, or leaves that to w. Takes v
 * and w. */
static void walk_on(struct gri_call *call, const struct gri_steps *steps, size_t next, gr_value *v,
                    struct walk *w)
{
    while (next < steps->count && gr_error_code(v) == GR_OK) {
        gr_ref step = steps->at[next++].ref;

        if (gri_call_cancelled(call)) {
            gr_value_unref(v);
            v = gri_was_cancelled();
            break;
        }
        if (gri_call_direct(call, step, v, &v))
            continue;
        if (next == steps->count) {
            gri_free(w);
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
        in = gri_call_sub_stream(call, steps->at[i].ref, verb, args, in, NULL);
        if (in == NULL) {
            gri_call_end(call, gri_no_memory());
            return;
        }
        verb = GRI_TRANSFORM;
        args = gr_nil();
    }
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

static const gr_method sequence_methods[] = {
    { "invoke", GRI_NATIVE, GRI_NATIVE_FN(sequence_invoke), NULL },
    { "stream", GRI_NATIVE, GRI_NATIVE_FN(sequence_stream), NULL },
    { "transform", GRI_NATIVE, GRI_NATIVE_FN(sequence_transform), NULL },
};
static const gr_class sequence_class =
    GR_CLASS(.name = "RunnableSequence", GR_METHODS(sequence_methods));

gr_ref gr_seq_n(gr_scope *in, const gr_ref *steps, size_t count)
{
    return gri_steps_spawn(in, &sequence_class, "RunnableSequence", steps, count);
}
