/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fan.c - see the header.
 *
 * One machine reads the steps' streams in turn, a chunk of each that has one, and holds at most the
 * one chunk that the answer has no room for; then nothing is read until there is. An input stream
 * is shared out by a tee, which the same machine steps.
 *
 * An assign passes all of the input before the first of the steps' chunks, so until then their
 * streams are not read, and a step that emits more than its window stops reading its input. If the
 * tee held the input back for it, neither could go on; so there the tee's outs are large, and one
 * that is full nevertheless fails the call.
 */
#include "actors/compose/fan.h"

#include "actors/compose/tee.h"
#include "runtime/actor/observed.h"
#include "runtime/base/alloc.h"

#define ASSIGN_WINDOW_CHUNKS ((size_t)1 << 20)
#define ASSIGN_WINDOW_BYTES ((size_t)64 << 20)

struct source {
    gr_stream *stream; /* owned; NULL: it has ended, or has not begun */
    struct gri_wake chunk;
};

struct fan {
    struct gri_machine machine;
    struct gri_call *call;         /* the duty */
    const struct gri_steps *steps; /* borrowed from the actor */
    struct gri_tee *tee;           /* owned; NULL: no input stream */
    bool input_first;              /* the steps' chunks wait for the tee's end */
    gr_value *held;                /* counted; the chunk there was no room for */
    struct gri_wake room;
    size_t turn;             /* the source that is asked next */
    struct source sources[]; /* as many as steps */
};

static enum gri_next fan_end(struct fan *f, gr_value *v)
{
    for (size_t i = 0; i < f->steps->count; i++)
        gri_leave_stream(f->sources[i].stream, &f->sources[i].chunk);
    gri_stream_unwatch_room(f->call->out, &f->room.waiter);
    gri_tee_free(f->tee);
    gr_value_unref(f->held);
    gri_call_end(f->call, v);
    gri_free(f); /* after the end: until then the cancel hook may come */
    return GRI_OVER;
}

/* read_source: GR_OK with the chunk in f->held, GR_EPENDING, GR_EOS, else *ret_err. */
static gr_code read_source(struct fan *f, size_t i, gr_value **ret_err)
{
    struct source *s = &f->sources[i];
    gr_value *chunk = NULL;
    gr_code rc = gri_pull(s->stream, &s->chunk, &chunk);

    if (rc == GR_OK) {
        f->held = gr_map(GR_KV(f->steps->at[i].key, chunk));
        return GR_OK;
    }
    if (rc == GR_EPENDING)
        return rc;
    if (rc != GR_EOS)
        *ret_err = gri_stream_why(s->stream, rc);
    gri_stream_unref(s->stream);
    s->stream = NULL;
    return rc;
}

/* read_next takes the next chunk there is. GR_OK; GR_EPENDING; GR_EOS: all have ended; else
 * *ret_err. */
static gr_code read_next(struct fan *f, gr_value **ret_err)
{
    size_t count = f->steps->count, start = f->turn;
    gr_code all = GR_EOS, rc;

    for (size_t k = 0; k < count; k++) {
        size_t i = (start + k) % count;

        if (f->sources[i].stream == NULL)
            continue;
        rc = read_source(f, i, ret_err);
        if (rc == GR_EPENDING) {
            all = rc;
        } else if (rc == GR_OK) {
            f->turn = (i + 1) % count;
            return rc;
        } else if (rc != GR_EOS) {
            return rc;
        }
    }
    return all;
}

/* merge passes chunks on until there is none, or no room. *ret_v is what to end the call with,
 * if over. */
static enum gri_next merge(struct fan *f, gr_value **ret_v)
{
    gr_code rc;

    for (int i = 0; i < GRI_STEP_BUDGET; i++) {
        if (f->held != NULL) {
            rc = gri_push(f->call->out, &f->room, &f->held);
            if (rc == GR_EFULL)
                return GRI_SLEEP;
            if (rc != GR_OK) {
                *ret_v = gr_error(rc, "the chunk could not be passed on");
                return GRI_OVER;
            }
        }
        rc = read_next(f, ret_v);
        if (rc == GR_EPENDING)
            return GRI_SLEEP;
        if (rc == GR_EOS)
            *ret_v = gr_nil();
        if (rc != GR_OK)
            return GRI_OVER;
    }
    return GRI_AGAIN;
}

static enum gri_next fan_step(struct gri_machine *m)
{
    struct fan *f = gri_container_of(m, struct fan, machine);
    enum gri_next input = GRI_OVER, next = GRI_SLEEP;
    gr_value *v = NULL;

    if (gri_call_cancelled(f->call))
        return fan_end(f, gri_was_cancelled());
    if (f->tee != NULL) {
        input = gri_tee_step(f->tee);
        if (input == GRI_OVER && f->tee->error != NULL)
            return fan_end(f, gr_value_ref(f->tee->error));
    }
    if (input == GRI_OVER && f->input_first)
        gri_run_pass(f->call, false);
    if (input == GRI_OVER || !f->input_first)
        next = merge(f, &v);
    if (next == GRI_OVER)
        return fan_end(f, v);
    return next == GRI_AGAIN || input == GRI_AGAIN ? GRI_AGAIN : GRI_SLEEP;
}

static struct fan *fan_new(struct gri_call *call)
{
    const struct gri_steps *steps = gri_steps_of(call);
    struct fan *f = gri_alloc0(sizeof(*f) + steps->count * sizeof(f->sources[0]));

    if (f == NULL)
        return NULL;
    f->call = call;
    f->steps = steps;
    gri_machine_init(&f->machine, gri_call_sched(call), "fan", fan_step);
    gri_wake_init(&f->room, &f->machine);
    for (size_t i = 0; i < steps->count; i++)
        gri_wake_init(&f->sources[i].chunk, &f->machine);
    return f;
}

/* fan_start starts the steps, with the tee's outs as their input if there is a tee. */
static void fan_start(struct fan *f)
{
    size_t count = f->steps->count;
    bool ok = gri_call_on_cancel(f->call, gri_machine_cancelled, &f->machine) == GR_OK;

    for (size_t i = 0; i < count; i++) {
        gr_ref step = f->steps->at[i].ref;
        gr_stream *in = f->tee != NULL ? gri_tee_take(f->tee, i) : NULL;

        if (!ok) {
            gri_stream_unref(in); /* the reader's end, which nobody takes now */
            continue;
        }
        gri_run_tag(f->call, "map:key:", f->steps->at[i].key);
        if (f->tee != NULL)
            f->sources[i].stream =
                gri_call_sub_stream(f->call, step, GRI_TRANSFORM, gr_nil(), in, NULL);
        else
            f->sources[i].stream = gri_call_sub_stream(f->call, step, GRI_STREAM,
                                                       gr_value_ref(f->call->args), NULL, NULL);
        ok = f->sources[i].stream != NULL;
    }
    if (ok)
        gri_machine_start(&f->machine);
    else
        fan_end(f, gri_no_memory());
}

void gri_fan_stream(struct gri_call *call)
{
    struct fan *f = fan_new(call);

    if (f == NULL)
        gri_call_end(call, gri_no_memory());
    else
        fan_start(f);
}

/* fan_tee makes the fan whose tee shares `in` out; else the call has been ended. */
static struct fan *fan_tee(struct gri_call *call, gr_stream *in, size_t window_chunks,
                           size_t window_bytes)
{
    struct fan *f = in != NULL ? fan_new(call) : NULL;

    if (f != NULL) {
        f->tee = gri_tee_new(&f->machine, call, in, f->steps->count, window_chunks, window_bytes);
        if (f->tee != NULL)
            return f;
        gri_free(f);
    } else if (in != NULL) {
        gri_stream_close(in);
        gri_stream_unref(in);
    }
    gri_call_end(call, gri_no_memory());
    return NULL;
}

void gri_fan_transform(struct gri_call *call, gr_stream *in)
{
    struct fan *f = fan_tee(call, in, 0, 0);

    if (f != NULL)
        fan_start(f);
}

void gri_fan_assign(struct gri_call *call, gr_stream *in,
                    gr_value *(*pass)(struct gri_call *call, gr_value *chunk))
{
    struct fan *f;

    if (in != NULL)
        gri_run_within(call, "RunnableParallel", in);
    gri_run_pass(call, true);
    f = fan_tee(call, in, ASSIGN_WINDOW_CHUNKS, ASSIGN_WINDOW_BYTES);
    if (f == NULL)
        return;
    f->input_first = true;
    f->tee->map = pass;
    f->tee->strict = true;
    fan_start(f);
}
