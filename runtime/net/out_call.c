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
#include "runtime/sched/world.h"

#define NS_PER_MS UINT64_C(1000000)

void gri_out_call_ref(void *arg)
{
    struct gri_out_call *oc = arg;

    atomic_fetch_add_explicit(&oc->refs, 1, memory_order_relaxed);
}

void gri_out_call_unref(void *arg)
{
    struct gri_out_call *oc = arg;

    if (atomic_fetch_sub_explicit(&oc->refs, 1, memory_order_acq_rel) != 1)
        return;
    gri_inflow_fini(&oc->out);
    gri_outflow_fini(&oc->in);
    gr_value_unref(oc->name);
    gri_peer_unref(oc->peer);
    gri_free(oc);
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
    gri_call_end(oc->call, v);
    gri_out_call_unref(oc); /* the life's */
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

    gri_peer_value(oc->peer, GRI_FRAME_END, oc->id, out);
    gr_value_unref(out);
    gr_value_unref(end);
}

static const struct gri_flow_ops answer_ops = { gri_out_call_ref, gri_out_call_unref, answer_over,
                                                answer_lost };
static const struct gri_flow_ops input_ops = { gri_out_call_ref, gri_out_call_unref, input_over,
                                               NULL };

/* decoded gives a frame's value; NULL when the peer broke the rules, and it is told off. */
static gr_value *decoded(struct gri_out_call *oc, const struct gri_frame *f)
{
    gr_value *v = gr_msgpack_decode(f->value, f->value_size, NULL);
    bool sent_error =
        f->value_size > 0 && gr_value_type(v) == GR_ERROR && f->value[0] >= 0xc7 &&
        f->value[0] <= 0xd8; /* an extension: it is the value, not the decoder's word */

    if (gr_value_type(v) != GR_ERROR)
        return v;
    if (sent_error && gr_error_code(v) != GR_ENOMEM)
        return gri_wire_error_in(v, oc->peer->url, gr_cstr(oc->name, ""));
    if (gr_error_code(v) != GR_EPROTO || sent_error)
        return v;
    gri_peer_wrong(oc->peer, v);
    return NULL;
}

static void on_chunk(struct gri_out_call *oc, gr_value *chunk, size_t size)
{
    gr_code rc = gr_error_code(chunk);

    if (rc == GR_OK)
        rc = gri_inflow_chunk(&oc->out, chunk, size);
    else
        gr_value_unref(chunk);
    if (rc != GR_OK && rc != GR_ENOMEM)
        gri_peer_wrong(oc->peer, gr_error(GR_EPROTO, "a chunk that is an error, is beyond its "
                                                     "credit, or comes after the end"));
    else if (rc == GR_ENOMEM)
        gri_peer_wrong(oc->peer, gr_error(rc, "out of memory while receiving"));
}

static void on_value(struct gri_out_call *oc, const struct gri_frame *f)
{
    gr_value *v = decoded(oc, f);

    if (v == NULL)
        return;
    if (f->type == GRI_FRAME_CHUNK) {
        on_chunk(oc, v, f->value_size);
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

void gri_out_call_frame(struct gri_out_call *oc, const struct gri_frame *f)
{
    bool fits = f->type == (oc->stream ? GRI_FRAME_END : GRI_FRAME_REPLY) ||
                (oc->stream && f->type == GRI_FRAME_CHUNK) ||
                (oc->input && f->type == GRI_FRAME_CREDIT);

    if (!fits)
        gri_peer_wrong(oc->peer, gr_error(GR_EPROTO,
                                          "a frame of type %u for a call that has no use "
                                          "for it",
                                          (unsigned)f->type));
    else if (f->type == GRI_FRAME_CREDIT)
        gri_outflow_credit(&oc->in, f->number);
    else
        on_value(oc, f);
}

void gri_out_call_lost(struct gri_out_call *oc, gr_value *why)
{
    if (oc->stream)
        gri_inflow_end(&oc->out, why); /* what came before is still read */
    else
        finish(oc, why);
}

/* ---- cancelling ------------------------------------------------------------------------------ */

/* on_cancel may come from any thread, also while the call is being started. */
static void on_cancel(void *arg)
{
    struct gri_out_call *oc = arg;

    gri_out_call_ref(oc);
    /* seq_cst, as its reading in start: one of the two sees the other */
    atomic_store(&oc->cancelled, true);
    if (oc->stream)
        gri_inflow_drop(&oc->out);
    if (gri_peer_has_ours(oc->peer, oc->id)) {
        gri_peer_number(oc->peer, GRI_FRAME_CANCEL, oc->id, GR_ECANCELED);
        /* without a link nobody will answer soon, and nothing has been started */
        if (gri_peer_state_now(oc->peer) == GRI_PEER_CONNECTING)
            finish(oc, gr_error(GR_ECANCELED, "cancelled while connecting to %s", oc->peer->url));
    }
    gri_out_call_unref(oc);
}

/* ---- starting -------------------------------------------------------------------------------- */

static uint64_t remaining_ms(struct gri_call *call)
{
    uint64_t now;

    if (call->deadline_ns == 0)
        return 0;
    now = gri_now(call->rt);
    return call->deadline_ns <= now ? 1 : (call->deadline_ns - now + NS_PER_MS - 1) / NS_PER_MS;
}

/* fit_config leaves out what can't leave the process: callbacks, mostly. */
static gr_value *fit_config(const gr_value *config)
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
                            struct gri_strbuf *out)
{
    const struct gri_call *call = oc->call;
    gr_code rc = gri_frame_invoke(out, f, call->args, call->config);
    gr_value *config;

    if (rc != GR_ETYPE || call->config == NULL)
        return rc;
    config = fit_config(call->config);
    rc = gri_frame_invoke(out, f, call->args, config);
    gr_value_unref(config);
    return rc;
}

static uint32_t window_of(const struct gr_stream *s)
{
    return s->window_bytes > GRI_FRAME_WINDOW_MAX ? GRI_FRAME_WINDOW_MAX
                                                  : (uint32_t)s->window_bytes;
}

/* open_flows prepares both directions; they run from the first kick on. */
static void open_flows(struct gri_out_call *oc, gr_stream *in, struct gri_frame *f)
{
    struct gr_stream *out = oc->call->out;

    if (out != NULL) {
        f->flags |= GRI_INVOKE_STREAM;
        f->window = window_of(out);
        f->least = (uint32_t)(f->window / out->window_chunks);
        if (f->least == 0)
            f->least = 1;
        gri_inflow_init(&oc->out, &answer_ops, oc, oc->peer, oc->id, gri_stream_ref(out));
        oc->out.window = f->window;
        oc->out.credit = f->window;
        oc->out.least = f->least;
    }
    if (in != NULL) {
        f->flags |= GRI_INVOKE_INPUT;
        gri_outflow_init(&oc->in, &input_ops, oc, oc->peer, oc->id, in);
        oc->in.credit = GRI_FRAME_INPUT_WINDOW;
        oc->in.least = GRI_FRAME_INPUT_LEAST;
    }
}

static gr_code fill_names(struct gri_frame *f, const char *name, const char *verb,
                          gr_value **reterr)
{
    if (strlen(verb) > GRI_FRAME_VERB_MAX) {
        *reterr = gr_error(GR_EINVAL, "the verb '%.20s…' is longer than %u bytes", verb,
                           GRI_FRAME_VERB_MAX);
        return GR_EINVAL;
    }
    memcpy(f->name, name, strlen(name) + 1);
    memcpy(f->verb, verb, strlen(verb) + 1);
    return GR_OK;
}

/* send writes and sends the invoke. From GR_OK on, the call may be over and its memory gone at
 * any time. */
static gr_code send(struct gri_out_call *oc, struct gri_frame *f, gr_value **reterr)
{
    struct gri_strbuf frame = GRI_STRBUF_INIT;
    gr_code rc = write_invoke(oc, f, &frame);

    if (rc != GR_OK) {
        *reterr = gri_wire_unfit(rc, "the arguments");
        goto out;
    }
    rc = gri_call_on_cancel(oc->call, on_cancel, oc);
    if (rc != GR_OK) {
        *reterr = gr_error(rc, "cancelled before it was sent");
        goto out;
    }
    rc = gri_peer_begin(oc->peer, oc->id, oc, &frame, reterr);
out:
    gri_strbuf_fini(&frame);
    return rc;
}

static void start(struct gri_out_call *oc, const char *name)
{
    struct gri_frame f = { .id = oc->id, .deadline_ms = remaining_ms(oc->call) };
    gr_value *err = NULL;

    open_flows(oc, gri_call_take_in(oc->call), &f);
    oc->stream = (f.flags & GRI_INVOKE_STREAM) != 0;
    oc->input = (f.flags & GRI_INVOKE_INPUT) != 0;
    if (fill_names(&f, name, gri_call_verb(oc->call), &err) != GR_OK ||
        send(oc, &f, &err) != GR_OK) {
        finish(oc, err);
        return;
    }
    if (oc->input)
        gri_outflow_kick(&oc->in);
    if (atomic_load(&oc->cancelled))
        on_cancel(oc); /* it came before the call was in the peer's map */
}

void gri_out_call_run(struct gri_node *node, struct gri_call *call, const char *url,
                      const gr_value *name)
{
    gr_value *err = NULL;
    struct gri_peer *peer = gri_node_peer(node, url, &err);
    struct gri_out_call *oc = NULL;

    if (peer == NULL) {
        gri_call_end(call, err);
        return;
    }
    oc = gri_new0(struct gri_out_call);
    if (oc == NULL) {
        gri_peer_unref(peer);
        gri_call_end(call, gr_error(GR_ENOMEM, "out of memory calling %s", url));
        return;
    }
    atomic_init(&oc->refs, 2); /* its life's and ours */
    oc->peer = peer;
    oc->call = call;
    oc->id = gri_peer_fresh_id(peer);
    oc->name = gr_value_ref(name);
    start(oc, gr_cstr(oc->name, ""));
    gri_out_call_unref(oc);
}
