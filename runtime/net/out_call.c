/* SPDX-License-Identifier: Apache-2.0 */
/*
 * out_call.c - a proxied call from its invoke to its answer.
 *
 * `over` decides who ends it: the answer, the lost link, or a cancellation while there was no link
 * yet. The hook for cancellation is set before the call can be answered, since the local call may
 * be gone as soon as it is; gri_call_end waits for a hook that runs, so no lock is held around it.
 */
#include "runtime/net/out_call.h"

#include <string.h>

#include <greenroom/codec.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/net/lent.h"
#include "runtime/net/run_frames.h"
#include "runtime/sched/world.h"

#define NS_PER_MS UINT64_C(1000000)
#define CHUNKS_AHEAD 1024u              /* short ones, of a stream with the default window */
#define EVENTS_WINDOW (128u * 1024)     /* of a plain call that is observed */
#define EVENTS_WINDOW_LEAST (2u * 1024) /* so all calls that there may be can have one */

static void out_call_ref(void *arg)
{
    struct gri_out_call *oc = arg;

    atomic_fetch_add_explicit(&oc->refs, 1, memory_order_relaxed);
}

static void out_call_unref(void *arg)
{
    struct gri_out_call *oc = arg;

    if (atomic_fetch_sub_explicit(&oc->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (oc->out.window > 0)
        gri_peer_release(oc->peer, oc->out.window);
    gri_inflow_fini(&oc->out);
    gri_outflow_fini(&oc->in);
    gri_far_unref(oc->far);
    gr_value_unref(oc->name);
    gri_peer_unref(oc->peer);
    gri_free(oc);
}

static void ours_ref(struct gri_ours *o)
{
    out_call_ref(o);
}

static void ours_unref(struct gri_ours *o)
{
    out_call_unref(o);
}

/* finish ends the call, once. Needs a reference besides the life's. */
static void finish(struct gri_out_call *oc, gr_value *v)
{
    if (atomic_exchange_explicit(&oc->over, true, memory_order_acq_rel)) {
        gr_value_unref(v);
        return;
    }
    gri_peer_forget_ours(oc->peer, oc->id);
    gri_outflow_halt(&oc->in);
    gri_inflow_halt(&oc->out);
    if (oc->far != NULL) /* before the caller learns of the answer */
        gri_far_end(oc->far, v);
    gri_call_end(oc->call, v);
    out_call_unref(oc); /* the life's */
}

/* ---- what the peer sends --------------------------------------------------------------------- */

/* answer_over is the inflow's: all chunks have been passed on. */
static void answer_over(void *arg, gr_value *end)
{
    finish(arg, end != NULL ? end : gr_nil());
}

/* answer_lost stops the answer: what is still to come is of no use any more. */
static void answer_lost(void *arg, gr_code why)
{
    struct gri_out_call *oc = arg;

    (void)why;
    gri_peer_number(oc->peer, GRI_FRAME_CANCEL, oc->id, GR_ECANCELED);
}

/* input_over is the outflow's: the input has ended, or can't go on. */
static void input_over(void *arg, gr_value *end)
{
    struct gri_out_call *oc = arg;
    gr_value *out = end != NULL ? gri_wire_error_out(end) : NULL;

    gri_peer_value(oc->peer, GRI_FRAME_INPUT_END, oc->id, out);
    gr_value_unref(out);
    gr_value_unref(end);
}

/* answer_event tells of an event, as soon as who is told of the tree keeps up. */
static gr_code answer_event(void *arg, const gr_value *event, size_t size, struct gri_gate_wait *w)
{
    struct gri_out_call *oc = arg;

    if (gri_gate_watch(&oc->far->tree->gate, w))
        return GR_EPENDING;
    return gri_event_tell(oc->far, event, size, oc->peer->url, gr_cstr(oc->name, ""));
}

static void answer_unwait(void *arg, struct gri_gate_wait *w)
{
    struct gri_out_call *oc = arg;

    if (oc->far != NULL)
        gri_gate_unwatch(&oc->far->tree->gate, w);
}

static const struct gri_flow_ops answer_ops = { .ref = out_call_ref,
                                                .unref = out_call_unref,
                                                .over = answer_over,
                                                .lost = answer_lost,
                                                .frame = GRI_FRAME_CREDIT,
                                                .event = answer_event,
                                                .unwait = answer_unwait };
static const struct gri_flow_ops input_ops = {
    .ref = out_call_ref, .unref = out_call_unref, .over = input_over, .frame = GRI_FRAME_INPUT_CHUNK
};

/* decoded gives a frame's value; NULL when the peer broke the rules, and it is told off. *ret_full: there are more refs
 * in it than can be had, which is a matter of this call. */
static gr_value *decoded(struct gri_out_call *oc, const struct gri_frame *f, bool *ret_full)
{
    bool sent_error = false;
    gr_value *v = gri_peer_value_of(oc->peer, f, &sent_error);

    *ret_full = !sent_error && gr_error_code(v) == GR_EFULL;
    if (gr_value_type(v) != GR_ERROR)
        return v;
    if (sent_error && gr_error_code(v) != GR_ENOMEM)
        return gri_wire_error_in(v, oc->peer->url, gr_cstr(oc->name, ""));
    if (gr_error_code(v) != GR_EPROTO || sent_error)
        return v;
    gri_peer_wrong(oc->peer, v);
    return NULL;
}

static void on_chunk(struct gri_out_call *oc, gr_value *chunk, size_t size, bool event, bool full)
{
    gr_code rc = full ? GR_OK : gr_error_code(chunk);

    if (rc != GR_OK)
        gr_value_unref(chunk);
    else
        rc = event ? gri_inflow_event(&oc->out, chunk, size)
                   : gri_inflow_chunk(&oc->out, chunk, size);
    if (rc != GR_OK && rc != GR_ENOMEM)
        gri_peer_wrong(oc->peer, gr_error(GR_EPROTO, "a chunk that is an error, is beyond its "
                                                     "credit, or comes after the end"));
    else if (rc == GR_ENOMEM)
        gri_peer_wrong(oc->peer, gr_error(rc, "out of memory while receiving"));
}

static void on_value(struct gri_out_call *oc, const struct gri_frame *f)
{
    bool full = false;
    gr_value *v = decoded(oc, f, &full);

    if (v == NULL)
        return;
    if (f->type == GRI_FRAME_CHUNK || f->type == GRI_FRAME_EVENT) {
        on_chunk(oc, v, f->value_size, f->type == GRI_FRAME_EVENT, full);
    } else if (!oc->stream && oc->far != NULL) {
        gri_inflow_end(&oc->out, v); /* once all events have been told */
    } else if (!oc->stream) {
        finish(oc, v);
    } else {
        if (gr_error_code(v) == GR_OK) {
            gr_value_unref(v);
            v = NULL;
        }
        gri_inflow_end(&oc->out, v);
    }
}

/* on_frame takes a reply, chunk, end or credit from the peer. */
static void on_frame(struct gri_ours *ours, const struct gri_frame *f)
{
    struct gri_out_call *oc = gri_container_of(ours, struct gri_out_call, ours);
    bool fits = f->type == (oc->stream ? GRI_FRAME_END : GRI_FRAME_REPLY) ||
                (oc->stream && f->type == GRI_FRAME_CHUNK) ||
                (oc->far != NULL && f->type == GRI_FRAME_EVENT) ||
                (oc->input && f->type == GRI_FRAME_INPUT_CREDIT);

    if (!fits)
        gri_peer_wrong(oc->peer, gr_error(GR_EPROTO,
                                          "a frame of type %u for a call that has no use "
                                          "for it",
                                          (unsigned)f->type));
    else if (f->type == GRI_FRAME_INPUT_CREDIT)
        gri_outflow_credit(&oc->in, f->number);
    else
        on_value(oc, f);
}

static void on_lost(struct gri_ours *ours, gr_value *why)
{
    struct gri_out_call *oc = gri_container_of(ours, struct gri_out_call, ours);

    if (oc->stream || oc->far != NULL)
        gri_inflow_end(&oc->out, why); /* what came before is still read */
    else
        finish(oc, why);
}

static const struct gri_ours_ops ours_ops = { ours_ref, ours_unref, on_frame, on_lost };

/* ---- cancelling ------------------------------------------------------------------------------ */

/* on_cancel may come from any thread, also while the call is being started. */
static void on_cancel(void *arg)
{
    struct gri_out_call *oc = arg;

    out_call_ref(oc);
    /* seq_cst, as its reading in start: one of the two sees the other */
    atomic_store(&oc->cancelled, true);
    if (oc->stream || oc->far != NULL)
        gri_inflow_drop(&oc->out);
    if (gri_peer_has_ours(oc->peer, oc->id)) {
        gri_peer_number(oc->peer, GRI_FRAME_CANCEL, oc->id, GR_ECANCELED);
        /* without a link nobody will answer soon, and nothing has been started */
        if (gri_peer_state_now(oc->peer) == GRI_PEER_CONNECTING)
            finish(oc, gr_error(GR_ECANCELED, "cancelled while connecting to %s", oc->peer->url));
    }
    out_call_unref(oc);
}

/* ---- starting -------------------------------------------------------------------------------- */

/* It rounds down, so that a deadline shrinks from hop to hop; 0 would be none. */
uint64_t gri_remaining_ms(gr_runtime *rt, uint64_t deadline_ns)
{
    uint64_t now;

    if (deadline_ns == 0)
        return 0;
    now = gri_now(rt);
    if (deadline_ns < now + NS_PER_MS)
        return 1;
    return (deadline_ns - now) / NS_PER_MS;
}

gr_value *gri_config_fit(const gr_value *config)
{
    gr_value *fit = gr_map_n(NULL, 0);
    const gr_value *v;
    const char *key = NULL;
    void *data = NULL;
    size_t size = 0;

    for (size_t i = 0; (v = gr_pair_at(config, i, &key)) != NULL; i++) {
        if (gr_msgpack_encode(v, &data, &size) != GR_OK)
            continue;
        gr_free(data);
        fit = gr_set(fit, key, gr_value_ref(v));
    }
    return fit;
}

static gr_code write_invoke(struct gri_out_call *oc, const struct gri_frame *f,
                            struct gri_strbuf *out, struct gri_frame_text *ret_text)
{
    const struct gri_call *call = oc->call;
    gr_value *config = gr_value_ref(call->config), *fit;
    gr_code rc;

    config = gri_config_unheard(config);
    rc = gri_frame_invoke_text(out, f, call->args, config, ret_text);
    if (rc == GR_ETYPE && config != NULL) {
        fit = gri_config_fit(config);
        rc = gri_frame_invoke_text(out, f, call->args, fit, ret_text);
        gr_value_unref(fit);
    }
    gr_value_unref(config);
    return rc;
}

static uint32_t window_of(const struct gr_stream *s)
{
    return s->window_bytes > GRI_FRAME_WINDOW_MAX ? GRI_FRAME_WINDOW_MAX
                                                  : (uint32_t)s->window_bytes;
}

/* chunks_ahead is how many chunks may be on their way: as many as the reader's window has; or more if nobody has asked
 * for a certain window, since a link's answer to a credit takes a while. */
static size_t chunks_ahead(const struct gr_stream *s)
{
    return s->window_chunks == GRI_WINDOW_CHUNKS ? CHUNKS_AHEAD : s->window_chunks;
}

/* open_flows prepares both directions; they run from the first kick on. */
static bool open_flows(struct gri_out_call *oc, gr_stream *in, struct gri_frame *f)
{
    struct gr_stream *out = oc->call->out;
    bool room = true;

    if (out != NULL || oc->far != NULL) {
        f->window = out != NULL ? gri_peer_reserve(oc->peer, window_of(out), GRI_WINDOW_LEAST)
                                : gri_peer_reserve(oc->peer, EVENTS_WINDOW, EVENTS_WINDOW_LEAST);
        room = f->window > 0;
        gri_inflow_init(&oc->out, &answer_ops, oc, oc->peer, oc->id,
                        out != NULL ? gri_stream_ref(out) : NULL);
        oc->out.window = f->window;
        oc->out.credit = f->window;
    }
    if (out != NULL) {
        f->flags |= GRI_INVOKE_STREAM;
        gri_stream_narrow(out, f->window); /* what was passed on and not read counts as well */
        f->least = (uint32_t)(f->window / chunks_ahead(out));
        if (f->least == 0)
            f->least = 1;
        oc->out.least = f->least;
    }
    if (in != NULL) {
        f->flags |= GRI_INVOKE_INPUT;
        gri_outflow_init(&oc->in, &input_ops, oc, oc->peer, oc->id, in);
        oc->in.credit = GRI_FRAME_INPUT_WINDOW;
        oc->in.least = GRI_FRAME_INPUT_LEAST;
    }
    return room;
}

/* fill_names: the name is not sent to who has a ref. */
static gr_code fill_names(struct gri_frame *f, const char *name, const char *verb,
                          gr_value **reterr)
{
    if (strlen(verb) > GRI_FRAME_VERB_MAX) {
        *reterr = gr_error(GR_EINVAL, "the verb '%.20s…' is longer than %u bytes", verb,
                           GRI_FRAME_VERB_MAX);
        return GR_EINVAL;
    }
    if (f->to.id == 0)
        memcpy(f->name, name, strlen(name) + 1);
    memcpy(f->verb, verb, strlen(verb) + 1);
    return GR_OK;
}

/* send writes and sends the invoke. From GR_OK on, the call may be over and its memory gone at
 * any time. */
static gr_code send(struct gri_out_call *oc, struct gri_frame *f, gr_value **reterr)
{
    struct gri_strbuf frame = GRI_STRBUF_INIT;
    struct gri_frame_text text;
    gr_code rc = write_invoke(oc, f, &frame, &text);

    if (rc != GR_OK) {
        *reterr = gri_wire_unfit(rc, "the arguments");
        goto out;
    }
    rc = gri_call_on_cancel(oc->call, on_cancel, oc);
    if (rc != GR_OK) {
        *reterr = gr_error(rc, "cancelled before it was sent");
        goto out;
    }
    rc = gri_peer_begin_text(oc->peer, oc->id, &oc->ours, &frame, &text, reterr);
out:
    gri_strbuf_fini(&frame);
    return rc;
}

/* watch has the runs there told to who observes the call here. *ret_watch is for gr_free. false: out of memory. */
static bool watch(struct gri_out_call *oc, struct gri_frame *f, void **ret_watch)
{
    gr_code rc;

    oc->far = gri_far_new(oc->call, &rc);
    if (oc->far != NULL)
        rc = gri_watch_pack(oc->far, ret_watch, &f->watch_size);
    f->watch = *ret_watch;
    return rc == GR_OK;
}

static void start_with(struct gri_out_call *oc, const char *name, struct gri_frame *f, bool ready)
{
    gr_value *err = NULL;
    bool room = open_flows(oc, gri_call_take_in(oc->call), f);

    oc->stream = (f->flags & GRI_INVOKE_STREAM) != 0;
    oc->input = (f->flags & GRI_INVOKE_INPUT) != 0;
    if (!ready)
        err = gr_error(GR_ENOMEM, "out of memory calling %s", oc->peer->url);
    else if (!room)
        err = gr_error(GR_EFULL, "too many streams from %s", oc->peer->url);
    if (err != NULL || fill_names(f, name, gri_call_verb(oc->call), &err) != GR_OK ||
        send(oc, f, &err) != GR_OK) {
        finish(oc, err);
        return;
    }
    if (oc->input)
        gri_outflow_kick(&oc->in);
    if (atomic_load(&oc->cancelled))
        on_cancel(oc); /* it came before the call was in the peer's map */
}

static void start(struct gri_out_call *oc, const char *name, gr_ref to)
{
    struct gri_ref_map refs = { gri_lend, oc->peer };
    struct gri_frame f = { .id = oc->id,
                           .to = to,
                           .deadline_ms = gri_remaining_ms(oc->call->rt, oc->call->deadline_ns),
                           .refs = &refs };
    void *data = NULL;
    bool ready = watch(oc, &f, &data);

    start_with(oc, name, &f, ready);
    gr_free(data);
}

void gri_out_call_to(struct gri_peer *peer, struct gri_call *call, const gr_value *name, gr_ref to)
{
    struct gri_out_call *oc = gri_new0(struct gri_out_call);

    if (oc == NULL) {
        gri_call_end(call, gr_error(GR_ENOMEM, "out of memory calling %s", peer->url));
        gri_peer_unref(peer);
        return;
    }
    atomic_init(&oc->refs, 2); /* its life's and ours */
    oc->ours.ops = &ours_ops;
    oc->peer = peer;
    oc->call = call;
    oc->id = gri_peer_fresh_id(peer);
    oc->name = gr_value_ref(name);
    start(oc, gr_cstr(oc->name, ""), to);
    out_call_unref(oc);
}

void gri_out_call_run(struct gri_node *node, struct gri_call *call, const char *url,
                      const gr_value *name)
{
    gr_value *err = NULL;
    struct gri_peer *peer = gri_node_peer(node, url, &err);

    if (peer == NULL)
        gri_call_end(call, err);
    else
        gri_out_call_to(peer, call, name, (gr_ref){ 0, 0 });
}
