/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_stream.c - astream_events and astream_log: verbs that every runnable has.
 *
 * A native frame streams the runnable with one handler more, a tap, which puts what happens into the
 * call's own stream. The frame reads on from the runnable's answer only while the tap is not behind: so a
 * reader that holds back holds back the run as well, by the windows of its streams. The answer's chunks
 * are thrown away, or, for a log, added to it.
 *
 * The frame ends the call when the run is over and the queue is empty; so what led to an error comes
 * before the error. If the call is cancelled it ends at once, which cancels the run, and the call
 * leaves its scope when the run has.
 */
#include "actors/compose/steps.h"
#include "actors/observe/tap.h"
#include "runtime/actor/frames.h"
#include "runtime/base/alloc.h"

struct watch {
    struct gri_machine machine;
    struct gri_call *call; /* the duty */
    struct gri_tap *tap;   /* counted */
    gr_stream *in;         /* owned; the runnable's answer; NULL: over */
    gr_value *held;        /* counted; what has to be sent next */
    gr_value *error;       /* counted; what to end with, NULL: well */
    struct gri_wake chunk, room;
};

static enum gri_next watch_end(struct watch *w, gr_value *v)
{
    gri_leave_stream(w->in, &w->chunk);
    gri_stream_unwatch_room(w->call->out, &w->room.waiter);
    gri_tap_leave(w->tap);
    gr_value_unref(w->held);
    gr_value_unref(w->error);
    gri_call_end(w->call, v);
    gri_free(w); /* after the end: until then the cancel hook may come */
    return GRI_OVER;
}

static void run_over(struct watch *w, gr_value *error)
{
    gri_leave_stream(w->in, &w->chunk);
    w->in = NULL;
    w->error = error;
}

/* read_on lets the run go on. GR_OK: something has happened; GR_EPENDING. */
static gr_code read_on(struct watch *w)
{
    gr_value *chunk = NULL;
    gr_code rc = gri_pull(w->in, &w->chunk, &chunk);

    if (rc == GR_EPENDING)
        return rc;
    if (rc != GR_OK) {
        run_over(w, rc == GR_EOS ? NULL : gri_stream_why(w->in, rc));
        return GR_OK;
    }
    chunk = w->tap->kind->chunk(w->tap, chunk);
    if (chunk != NULL)
        gri_tap_tell(w->tap, chunk);
    return GR_OK;
}

/* go_on: GR_OK; GR_EPENDING; GR_EOS: there is no more to tell. */
static gr_code go_on(struct watch *w)
{
    w->held = gri_tap_next(w->tap);
    if (w->held != NULL)
        return GR_OK;
    return w->in != NULL ? read_on(w) : GR_EOS;
}

static gr_value *why_failed(gr_code rc)
{
    if (rc == GR_EFULL)
        return gr_error(GR_EFULL, "more events wait to be read than events_max allows");
    return gr_error(rc, "an event could not be told");
}

static gr_value *watch_answer(struct watch *w)
{
    gr_value *error = w->error;
    gr_code rc = gri_tap_failed(w->tap);

    w->error = NULL;
    if (error != NULL)
        return error;
    return rc != GR_OK ? why_failed(rc) : gr_nil();
}

static enum gri_next watch_step(struct gri_machine *m)
{
    struct watch *w = gri_container_of(m, struct watch, machine);
    gr_code rc;

    if (gri_call_cancelled(w->call))
        return watch_end(w, gri_was_cancelled());
    rc = gri_tap_failed(w->tap);
    if (w->in != NULL && rc != GR_OK)
        run_over(w, why_failed(rc));
    for (int i = 0; i < GRI_STEP_BUDGET; i++) {
        if (w->held != NULL) {
            rc = gri_push(w->call->out, &w->room, &w->held);
            if (rc == GR_EFULL)
                return GRI_SLEEP;
            if (rc != GR_OK)
                return watch_end(w, gr_error(rc, "the event could not be passed on"));
        }
        rc = go_on(w);
        if (rc == GR_EPENDING)
            return GRI_SLEEP;
        if (rc == GR_EOS)
            return watch_end(w, watch_answer(w));
    }
    return GRI_AGAIN;
}

/* ---- the beginning --------------------------------------------------------------------------- */

/* watched gives the call's config with the tap among its callbacks. In the call's own config they
 * leave the run where it is, within that of who asked for the events. */
static gr_value *watched(const struct gri_call *call, struct gri_tap *tap)
{
    const gr_value *callbacks = gr_get(call->config, "callbacks");
    gr_value *list =
        gr_value_type(callbacks) == GR_LIST ? gr_value_ref(callbacks) : gr_list_n(NULL, 0);
    gr_value *config = call->config != NULL ? gr_value_ref(call->config) : gr_map_n(NULL, 0);

    return gr_set(config, "callbacks", gr_append(list, gri_tap_handler(tap)));
}

/* own_config gives what a call has for its own run and its own runnable, and does not pass on: the
 * frame itself is no run. NULL: nothing. */
static gr_value *own_config(const struct gri_call *call)
{
    static const char *const keys[] = { "run_name", "run_id", "kwargs" };
    gr_value *config = NULL;

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const gr_value *v = gr_get(call->config, keys[i]);

        if (v != NULL)
            config = gr_set(config != NULL ? config : gr_map_n(NULL, 0), keys[i], gr_value_ref(v));
    }
    return config;
}

static gr_stream *start_run(const struct watch *w, gr_ref self)
{
    const gr_value *input = gr_get(w->call->args, "input");

    gri_call_set_config(w->call, watched(w->call, w->tap));
    return gri_call_sub_stream(w->call, self, GRI_STREAM,
                               input != NULL ? gr_value_ref(input) : gr_nil(), NULL,
                               GR_CALL(.config = own_config(w->call),
                                       .window_chunks = (unsigned)w->call->out->window_chunks,
                                       .window_bytes = w->call->out->window_bytes));
}

static struct watch *watch_new(struct gri_call *call, const struct gri_tap_kind *kind,
                               gr_value **ret_err)
{
    struct watch *w = gri_new0(struct watch);

    if (w == NULL) {
        *ret_err = gri_no_memory();
        return NULL;
    }
    gri_machine_init(&w->machine, gri_call_sched(call), "event stream", watch_step);
    gri_wake_init(&w->chunk, &w->machine);
    gri_wake_init(&w->room, &w->machine);
    w->call = call;
    w->tap = gri_tap_new(&w->machine, call, kind, ret_err);
    if (w->tap == NULL) {
        gri_free(w);
        return NULL;
    }
    return w;
}

static void start(struct gri_call *call, gr_ref self, const struct gri_tap_kind *kind)
{
    struct watch *w = NULL;
    gr_value *err = NULL;

    if (call->out == NULL)
        err = gr_error(GR_EINVAL, "'%s' streams: call it as a stream", gri_call_verb(call));
    else if (gr_value_type(call->args) != GR_MAP)
        err = gr_error(GR_ETYPE, "'%s' needs a map with an input", gri_call_verb(call));
    else
        w = watch_new(call, kind, &err);
    if (w == NULL) {
        gri_call_end(call, err);
        return;
    }
    if (gri_call_on_cancel(call, gri_machine_cancelled, &w->machine) != GR_OK) {
        watch_end(w, gri_was_cancelled());
        return;
    }
    w->in = start_run(w, self);
    if (w->in == NULL)
        watch_end(w, gri_no_memory());
    else
        gri_machine_start(&w->machine);
}

static void start_events(struct gri_call *call, gr_ref self)
{
    start(call, self, &gri_tap_events);
}

static void start_log(struct gri_call *call, gr_ref self)
{
    start(call, self, &gri_tap_log);
}

const struct gri_frames gri_frames = { .astream_events = start_events, .astream_log = start_log };

/* ---- the calls ------------------------------------------------------------------------------- */

static gr_stream *call_with(gr_runtime *rt, gr_ref r, const char *verb, gr_value *input,
                            const gr_call_opts *opts, const gr_events_opts *events)
{
    gr_value *args = gri_filter_args(gr_map(GR_KV("input", input)), events);

    if (events != NULL && events->events_max != 0)
        args = gr_set(args, "events_max",
                      gr_int(events->events_max < GRI_EVENTS_MOST ? (int64_t)events->events_max
                                                                  : (int64_t)GRI_EVENTS_MOST));
    return gr_astream_call(rt, r, verb, args, NULL, opts);
}

gr_stream *gr_astream_events(gr_runtime *rt, gr_ref r, gr_value *input, const gr_call_opts *opts,
                             const gr_events_opts *events)
{
    return call_with(rt, r, "astream_events", input, opts, events);
}

gr_stream *gr_astream_log(gr_runtime *rt, gr_ref r, gr_value *input, const gr_call_opts *opts,
                          const gr_events_opts *events)
{
    return call_with(rt, r, "astream_log", input, opts, events);
}
