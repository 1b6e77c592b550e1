/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/net/in_call.h"

#include <greenroom/codec.h>
#include <greenroom/runtime.h>

#include "runtime/actor/runtime_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

#define PUMP_CHUNKS 8 /* a served stream's own window: what waits for credit waits in the handler */

void gri_in_call_ref(void *arg)
{
    struct gri_in_call *ic = arg;

    atomic_fetch_add_explicit(&ic->refs, 1, memory_order_relaxed);
}

void gri_in_call_unref(void *arg)
{
    struct gri_in_call *ic = arg;

    if (atomic_fetch_sub_explicit(&ic->refs, 1, memory_order_acq_rel) != 1)
        return;
    gri_outflow_fini(&ic->out);
    gri_inflow_fini(&ic->in);
    gr_future_free(ic->future);
    gri_peer_unref(ic->peer);
    gri_free(ic);
}

/* finish answers, once. v is borrowed; nobody listens any more when the link is lost. */
static void finish(struct gri_in_call *ic, const gr_value *v)
{
    gr_value *out = NULL;

    if (atomic_exchange_explicit(&ic->over, true, memory_order_acq_rel))
        return;
    gri_peer_forget_theirs(ic->peer, ic->id);
    gri_outflow_halt(&ic->out);
    if (ic->in.stream != NULL)
        gri_stream_end(ic->in.stream, NULL);
    gri_inflow_halt(&ic->in);
    if (v != NULL && gr_value_type(v) == GR_ERROR)
        v = out = gri_wire_error_out(v);
    gri_peer_value(ic->peer, ic->future != NULL ? GRI_FRAME_REPLY : GRI_FRAME_END, ic->id, v);
    gr_value_unref(out);
    gri_in_call_unref(ic); /* the life's */
}

/* ---- what the actor says --------------------------------------------------------------------- */

static void answer_over(void *arg, gr_value *end)
{
    finish(arg, end);
    gr_value_unref(end);
}

/* input_over: the peer's input has been passed on to its end. */
static void input_over(void *arg, gr_value *end)
{
    struct gri_in_call *ic = arg;

    gri_stream_end(ic->in.stream, end);
}

/* input_lost lets the handler see at once that its input has a hole. */
static void input_lost(void *arg, gr_code why)
{
    struct gri_in_call *ic = arg;

    gri_stream_end(ic->in.stream, gr_error(why, "a chunk of the input could not be passed on"));
}

static const struct gri_flow_ops answer_ops = { gri_in_call_ref, gri_in_call_unref, answer_over,
                                                NULL };
static const struct gri_flow_ops input_ops = { gri_in_call_ref, gri_in_call_unref, input_over,
                                               input_lost };

static void on_answer(struct gri_waiter *w)
{
    struct gri_in_call *ic = gri_container_of(w, struct gri_in_call, waiter);

    gri_ready(gri_sched_of(ic->peer->node->rt), &ic->task);
}

static void answer_run(struct gri_task *t)
{
    struct gri_in_call *ic = gri_container_of(t, struct gri_in_call, task);
    gr_outcome o = gri_future_outcome(ic->future);

    finish(ic, o.code == GR_OK ? o.value : o.error);
}

/* ---- what the peer says ---------------------------------------------------------------------- */

void gri_in_call_cancel(struct gri_in_call *ic)
{
    if (ic->future != NULL)
        gr_future_cancel(ic->future);
    else
        gri_outflow_stop(&ic->out);
}

static void on_input(struct gri_in_call *ic, const struct gri_frame *f)
{
    gr_value *v = gr_msgpack_decode(f->value, f->value_size, NULL);
    gr_code rc = GR_OK;

    if (f->type == GRI_FRAME_CHUNK) {
        rc = gr_error_code(v);
        if (rc == GR_OK)
            rc = gri_inflow_chunk(&ic->in, v, f->value_size);
        else
            gr_value_unref(v);
    } else if (gr_is_nil(v) || gr_error_code(v) != GR_OK) {
        gri_inflow_end(&ic->in, gr_is_nil(v) ? NULL : v);
    } else {
        rc = GR_EPROTO;
        gr_value_unref(v);
    }
    if (rc != GR_OK)
        gri_peer_wrong(ic->peer, gr_error(rc, "a bad chunk, one beyond its credit, or a bad end"));
}

void gri_in_call_frame(struct gri_in_call *ic, const struct gri_frame *f)
{
    bool input = ic->in.stream != NULL && (f->type == GRI_FRAME_CHUNK || f->type == GRI_FRAME_END);

    if (f->type == GRI_FRAME_CANCEL)
        gri_in_call_cancel(ic);
    else if (f->type == GRI_FRAME_CREDIT && ic->future == NULL)
        gri_outflow_credit(&ic->out, f->number);
    else if (input)
        on_input(ic, f);
    else
        gri_peer_wrong(ic->peer, gr_error(GR_EPROTO,
                                          "a frame of type %u for a call that has no use "
                                          "for it",
                                          (unsigned)f->type));
}

/* ---- starting -------------------------------------------------------------------------------- */

/* refuse answers a call that was not started. */
static void refuse(struct gri_peer *p, const struct gri_frame *f, gr_value *err)
{
    bool stream = (f->flags & GRI_INVOKE_STREAM) != 0;

    gri_peer_value(p, stream ? GRI_FRAME_END : GRI_FRAME_REPLY, f->id, err);
    gr_value_unref(err);
}

/* payload decodes args or config; NULL when the peer broke the rules, or it was refused. */
static gr_value *payload(struct gri_peer *p, const struct gri_frame *f, const uint8_t *data,
                         size_t size)
{
    gr_value *v = gr_msgpack_decode(data, size, NULL);
    bool is_ext = size > 0 && data[0] >= 0xc7 && data[0] <= 0xd8; /* an error that is the value */

    if (gr_value_type(v) != GR_ERROR || is_ext)
        return v;
    if (gr_error_code(v) == GR_EPROTO)
        gri_peer_wrong(p, v);
    else
        refuse(p, f, v);
    return NULL;
}

static gr_scope *scope_of(struct gri_peer *p)
{
    if (p->scope == NULL)
        p->scope = gr_scope_new(gr_root(p->node->rt));
    return p->scope;
}

static bool start_stream(struct gri_in_call *ic, const struct gri_frame *f, gr_ref to,
                         gr_value *args, const gr_call_opts *opts)
{
    gr_runtime *rt = ic->peer->node->rt;
    gr_stream *in = NULL, *writer = NULL, *out;

    if ((f->flags & GRI_INVOKE_INPUT) != 0) {
        in = gr_pipe(rt, 0, &writer);
        if (in == NULL) {
            gr_value_unref(args);
            gr_value_unref(opts->config);
            return false;
        }
        gri_inflow_init(&ic->in, &input_ops, ic, ic->peer, ic->id, writer);
        ic->in.window = GRI_FRAME_INPUT_WINDOW;
        ic->in.credit = GRI_FRAME_INPUT_WINDOW;
        ic->in.least = GRI_FRAME_INPUT_LEAST;
    }
    out = gr_astream_call(rt, to, f->verb, args, in, opts);
    if (out == NULL)
        return false;
    gri_outflow_init(&ic->out, &answer_ops, ic, ic->peer, ic->id, out);
    ic->out.credit = f->window;
    ic->out.least = f->least;
    return true;
}

static bool start_call(struct gri_in_call *ic, const struct gri_frame *f, gr_ref to, gr_value *args,
                       gr_value *config)
{
    gr_call_opts opts = { .size = sizeof(opts),
                          .timeout_ms = (int64_t)f->deadline_ms,
                          .scope = scope_of(ic->peer),
                          .config = gr_is_nil(config) ? NULL : config,
                          .window_chunks = PUMP_CHUNKS,
                          .window_bytes = f->window };

    if (opts.config == NULL)
        gr_value_unref(config);
    if (opts.scope == NULL) {
        gr_value_unref(opts.config);
        gr_value_unref(args);
        return false;
    }
    if ((f->flags & GRI_INVOKE_STREAM) != 0)
        return start_stream(ic, f, to, args, &opts);
    ic->future = gr_acall(ic->peer->node->rt, to, f->verb, args, &opts);
    return ic->future != NULL;
}

/* go lets the answer come, from the moment that the call is in the peer's map. */
static void go(struct gri_in_call *ic)
{
    if (ic->future == NULL)
        gri_outflow_kick(&ic->out);
    else if (gri_future_watch(ic->future, &ic->waiter) != GR_OK)
        answer_run(&ic->task);
}

static void start(struct gri_in_call *ic, const struct gri_frame *f, gr_ref to, gr_value *args,
                  gr_value *config)
{
    gr_code rc = gri_peer_enter_theirs(ic->peer, f->id, ic);

    if (rc == GR_OK && start_call(ic, f, to, args, config)) {
        go(ic);
        return;
    }
    if (rc == GR_OK) {
        gri_peer_forget_theirs(ic->peer, f->id);
        rc = GR_ENOMEM;
    } else {
        gr_value_unref(args);
        gr_value_unref(config);
    }
    if (rc == GR_EPROTO)
        gri_peer_wrong(ic->peer, gr_error(rc, "a call's id is in use, or not the peer's to give"));
    else
        refuse(ic->peer, f,
               gr_error(rc,
                        rc == GR_EFULL ? "more than %u calls on one link"
                                       : "out of memory (at most %u calls)",
                        GRI_CALLS_MAX));
    gri_in_call_unref(ic);
}

static bool knows_verb(gr_runtime *rt, const char *verb)
{
    if (gri_verb_learn(&rt->verbs, verb) != GRI_VERB_NONE)
        return true;
    gri_count(rt->sched.ledger, GRI_COUNT_REFUSED_VERBS, 1);
    return false;
}

void gri_in_call_start(struct gri_peer *p, const struct gri_frame *f)
{
    gr_ref to = gri_node_find(p->node, f->name);
    struct gri_in_call *ic;
    gr_value *args, *config;

    if (to.id == 0) {
        refuse(p, f, gr_error(GR_EDEAD, "no actor is published as '%s'", f->name));
        return;
    }
    if (!knows_verb(p->node->rt, f->verb)) {
        refuse(p, f, gr_error(GR_EFULL, "too many different verbs have come from other processes"));
        return;
    }
    args = payload(p, f, f->value, f->value_size);
    if (args == NULL)
        return;
    config = payload(p, f, f->config, f->config_size);
    ic = config != NULL ? gri_new0(struct gri_in_call) : NULL;
    if (ic == NULL) {
        if (config != NULL)
            refuse(p, f, gr_error(GR_ENOMEM, "out of memory for a call"));
        gr_value_unref(args);
        gr_value_unref(config);
        return;
    }
    atomic_init(&ic->refs, 1);
    ic->peer = gri_peer_ref(p);
    ic->id = f->id;
    ic->waiter.fire = on_answer;
    ic->task = (struct gri_task){ .run = answer_run, .name = "answer" };
    start(ic, f, to, args, config);
}
