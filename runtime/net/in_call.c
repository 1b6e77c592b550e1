/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/net/in_call.h"

#include <string.h>

#include <greenroom/runtime.h>

#include "runtime/actor/runtime_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/net/admin.h"
#include "runtime/net/hop.h"
#include "runtime/net/lent.h"

#define INPUT_WINDOW (256u * 1024) /* bytes of an input, if the link's credit allows for so much */
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
    if (ic->in.window > 0)
        gri_peer_release(ic->peer, ic->in.window);
    gri_outflow_fini(&ic->out);
    gri_teller_leave(ic->teller);
    gri_teller_unref(ic->teller);
    gri_inflow_fini(&ic->in);
    gr_future_free(ic->future);
    gri_trip_free(ic->trip);
    if (ic->drains)
        atomic_fetch_sub(&ic->peer->node->admin.drains, 1);
    if (ic->admitted)
        atomic_fetch_sub(&ic->peer->node->in_calls, 1);
    gri_peer_unref(ic->peer);
    gri_free(ic);
}

/* cut_off: v is the cancellation of a call that its caller wants, by the end of a node that drains: another
 * node may answer it. */
static bool cut_off(struct gri_in_call *ic, const gr_value *v)
{
    return gr_error_code(v) == GR_ECANCELED && atomic_load(&ic->peer->node->draining) &&
           !atomic_load_explicit(&ic->cancelled, memory_order_relaxed);
}

/* given_up gives what a call is answered with that its teller had given up; NULL: it had not. */
static gr_value *given_up(struct gri_in_call *ic)
{
    return ic->teller != NULL ? gri_teller_failed(ic->teller) : NULL;
}

/* end takes it out of the peer's map, once, and before its answer is sent: who has that may call again. false:
 * somebody else has ended it. */
static bool end(struct gri_in_call *ic)
{
    if (atomic_exchange_explicit(&ic->over, true, memory_order_acq_rel))
        return false;
    gri_peer_forget_theirs(ic->peer, ic->id, ic->held, ic->trip != NULL);
    return true;
}

void gri_in_call_leave(struct gri_in_call *ic)
{
    if (end(ic))
        gri_in_call_unref(ic); /* the life's */
}

/* Nobody listens any more when the link is lost. */
void gri_in_call_finish(struct gri_in_call *ic, const gr_value *v)
{
    bool plain = ic->future != NULL || ic->trip != NULL;
    gr_value *out = NULL;

    if (!end(ic))
        return;
    gri_outflow_halt(&ic->out);
    gri_teller_leave(ic->teller);
    if (ic->in.stream != NULL)
        gri_stream_end(ic->in.stream, NULL);
    gri_inflow_halt(&ic->in);
    out = given_up(ic);
    if (out != NULL)
        v = out;
    else if (v != NULL && cut_off(ic, v))
        v = out = gr_error_with(gr_error(GR_EUNREACH, "the node ended before it had an answer"),
                                "kind", gr_str("NodeEnded"));
    else if (v != NULL && gr_value_type(v) == GR_ERROR)
        v = out = gri_wire_error_out(v);
    if (out != NULL && ic->trip != NULL)
        v = out = gri_trip_error(ic->trip, out);
    gri_peer_value(ic->peer, plain ? GRI_FRAME_REPLY : GRI_FRAME_END, ic->id, v);
    gr_value_unref(out);
    gri_in_call_unref(ic); /* the life's */
}

/* ---- what the actor says --------------------------------------------------------------------- */

static void answer_over(void *arg, gr_value *end)
{
    struct gri_in_call *ic = arg;
    gr_outcome o;

    if (ic->future == NULL) {
        gri_in_call_finish(ic, end);
    } else {
        o = gri_future_outcome(ic->future);
        gri_in_call_finish(ic, o.code == GR_OK ? o.value : o.error);
    }
    gr_value_unref(end);
}

/* event_taken lets the tree of runs go on, once little waits to be told. */
static void event_taken(void *arg)
{
    struct gri_in_call *ic = arg;

    gri_teller_taken(ic->teller);
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

static const struct gri_flow_ops answer_ops = { .ref = gri_in_call_ref,
                                                .unref = gri_in_call_unref,
                                                .over = answer_over,
                                                .frame = GRI_FRAME_CHUNK,
                                                .drained = event_taken };
static const struct gri_flow_ops input_ops = { .ref = gri_in_call_ref,
                                               .unref = gri_in_call_unref,
                                               .over = input_over,
                                               .lost = input_lost,
                                               .frame = GRI_FRAME_INPUT_CREDIT };

static void on_answer(struct gri_waiter *w)
{
    struct gri_in_call *ic = gri_container_of(w, struct gri_in_call, waiter);

    gri_ready(gri_sched_of(ic->peer->node->rt), &ic->task);
}

/* step_done is for a call with a route: true, it goes on to its next step. */
static bool step_done(struct gri_in_call *ic)
{
    gr_outcome o = gri_future_outcome(ic->future);

    return o.code == GR_OK && gri_trip_goes_on(ic, o.value);
}

static void answer_run(struct gri_task *t)
{
    struct gri_in_call *ic = gri_container_of(t, struct gri_in_call, task);

    if (ic->teller == NULL) {
        if (ic->trip == NULL || !step_done(ic))
            answer_over(ic, NULL);
        return;
    }
    gri_in_call_ref(ic); /* it may be over as soon as the flow knows, which runs elsewhere */
    gri_outflow_answered(&ic->out); /* the events go first */
    gri_in_call_unref(ic);
}

/* ---- what the peer says ---------------------------------------------------------------------- */

static void give_up(struct gri_in_call *ic)
{
    if (ic->future != NULL)
        gr_future_cancel(ic->future);
    if (ic->future == NULL || ic->teller != NULL)
        gri_outflow_stop(&ic->out);
}

void gri_in_call_cancel(struct gri_in_call *ic)
{
    atomic_store_explicit(&ic->cancelled, true, memory_order_relaxed);
    if (ic->trip != NULL)
        gri_trip_cancel(ic);
    else
        give_up(ic);
}

void gri_in_call_overrun(struct gri_in_call *ic)
{
    if (atomic_load(&ic->going)) /* else `go` sees to it */
        give_up(ic);
}

static void on_input(struct gri_in_call *ic, const struct gri_frame *f)
{
    bool sent = false;
    gr_value *v = gri_peer_value_of(ic->peer, f, &sent);
    gr_code rc = GR_OK;

    if (f->type == GRI_FRAME_INPUT_CHUNK) {
        rc = gr_error_code(v);
        if (rc == GR_OK || (rc == GR_EFULL && !sent)) /* too many refs are a matter of this call */
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
    bool input = ic->in.stream != NULL &&
                 (f->type == GRI_FRAME_INPUT_CHUNK || f->type == GRI_FRAME_INPUT_END);

    if (f->type == GRI_FRAME_CANCEL)
        gri_in_call_cancel(ic);
    else if (f->type == GRI_FRAME_CREDIT && (ic->future == NULL || ic->teller != NULL))
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

/* forbid answers a call that was not started. */
static void forbid(struct gri_peer *p, const struct gri_frame *f, gr_value *err)
{
    bool stream = (f->flags & GRI_INVOKE_STREAM) != 0;

    gri_peer_value(p, stream ? GRI_FRAME_END : GRI_FRAME_REPLY, f->id, err);
    gr_value_unref(err);
    gri_peer_ask_again(p); /* if this node is about to end, the peer is to have this, too */
}

void gri_in_call_refuse(struct gri_peer *p, const struct gri_frame *f, gr_value *err)
{
    forbid(p, f, gr_error_with(err, "kind", gr_str("NotServed")));
}

/* payload takes what was read of a frame; sent: an error in it is the value. */
static gr_value *payload(struct gri_peer *p, const struct gri_frame *f, gr_value *v, bool sent)
{
    if (gr_value_type(v) != GR_ERROR || sent)
        return v;
    if (gr_error_code(v) == GR_EPROTO)
        gri_peer_wrong(p, v);
    else
        gri_in_call_refuse(p, f, v);
    return NULL;
}

gr_value *gri_in_call_payload(struct gri_peer *p, const struct gri_frame *f, const uint8_t *data,
                              size_t size)
{
    bool sent = false;
    gr_value *v = gri_peer_read(p, data, size, &sent);

    return payload(p, f, v, sent);
}

static gr_value *arguments(struct gri_peer *p, const struct gri_frame *f)
{
    bool sent = false;
    gr_value *v = gri_peer_value_of(p, f, &sent);

    return payload(p, f, v, sent);
}

/* open_out prepares what goes to the peer besides a reply; out NULL: the events alone. */
static void open_out(struct gri_in_call *ic, const struct gri_frame *f, gr_stream *out)
{
    gri_outflow_init(&ic->out, &answer_ops, ic, ic->peer, ic->id, out);
    ic->out.credit = f->window;
    ic->out.least = f->least;
    if (ic->teller != NULL)
        gri_outflow_watch(&ic->out, ic->teller->queue);
}

/* own_config is what the caller's config is here: who hears of the runs is not for it to say, but for its watch. */
static gr_value *own_config(struct gri_in_call *ic, gr_value *config GR_TAKES)
{
    config = gri_config_unheard(config);
    if (ic->teller == NULL)
        return config;
    if (gr_is_nil(config)) {
        gr_value_unref(config);
        config = gr_map_n(NULL, 0);
    }
    return gr_set(config, "callbacks", gr_list(gri_teller_handler(ic->teller)));
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
        gri_stream_narrow(writer, ic->in.window);
        gri_inflow_init(&ic->in, &input_ops, ic, ic->peer, ic->id, writer);
        ic->in.credit = ic->in.window;
        ic->in.least = GRI_FRAME_INPUT_LEAST;
        if (ic->in.window > GRI_FRAME_INPUT_WINDOW) /* the caller begins with so much */
            gri_peer_number(ic->peer, GRI_FRAME_INPUT_CREDIT, ic->id,
                            ic->in.window - GRI_FRAME_INPUT_WINDOW);
    }
    out = gr_astream_call(rt, to, f->verb, args, in, opts);
    if (out == NULL)
        return false;
    open_out(ic, f, out);
    return true;
}

static bool start_call(struct gri_in_call *ic, const struct gri_frame *f, gr_ref to, gr_value *args,
                       gr_value *given)
{
    gr_value *config = own_config(ic, given);
    gr_call_opts opts = { .size = sizeof(opts),
                          .timeout_ms = (int64_t)f->deadline_ms,
                          .scope = gri_peer_scope(ic->peer),
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
    if (ic->teller != NULL) /* before it is called, since it has something to tell from then on */
        open_out(ic, f, NULL);
    ic->future = gr_acall(ic->peer->node->rt, to, f->verb, args, &opts);
    return ic->future != NULL;
}

/* go lets the answer come, from the moment that the call is in the peer's map. A teller may have failed before: of
 * "set going, look for that" and "fail, look at going" the later one sees the other. */
static void go(struct gri_in_call *ic)
{
    gr_value *failed;

    atomic_store(&ic->going, true);
    failed = given_up(ic);
    if (failed != NULL)
        give_up(ic);
    gr_value_unref(failed);
    if (ic->future == NULL) {
        gri_outflow_kick(&ic->out); /* from here on it may be over */
        return;
    }
    if (ic->teller != NULL)
        gri_outflow_kick(&ic->out);
    gri_future_hurry(ic->future); /* cheap code is run here, and needs no other task */
    if (gri_future_watch(ic->future, &ic->waiter) != GR_OK)
        answer_run(&ic->task);
}

static void start(struct gri_in_call *ic, const struct gri_frame *f, gr_ref to, gr_value *args,
                  gr_value *config)
{
    gr_code rc;

    ic->held = f->value_size + f->config_size + f->watch_size;
    rc = gri_peer_enter_theirs(ic->peer, f->id, ic, ic->held, false);
    if (rc == GR_OK && start_call(ic, f, to, args, config)) {
        go(ic);
        return;
    }
    if (rc == GR_OK) {
        gri_peer_forget_theirs(ic->peer, f->id, ic->held, false);
        rc = GR_ENOMEM;
    } else {
        gr_value_unref(args);
        gr_value_unref(config);
    }
    if (rc == GR_EPROTO)
        gri_peer_wrong(ic->peer, gr_error(rc, "a call's id is in use"));
    else
        gri_in_call_refuse(
            ic->peer, f,
            gr_error(rc,
                     rc == GR_EFULL ? "more than %u calls on one link, or %llu bytes of arguments "
                                      "(args_bytes)"
                                    : "out of memory (at most %u calls, %llu bytes of arguments)",
                     GRI_CALLS_MAX, (unsigned long long)ic->peer->node->set.args_bytes));
    gri_in_call_unref(ic);
}

static bool knows_verb(gr_runtime *rt, const char *verb)
{
    if (gri_verb_learn(&rt->verbs, verb) != GRI_VERB_NONE)
        return true;
    gri_count(rt->sched.ledger, GRI_COUNT_REFUSED_VERBS, 1);
    return false;
}

/* admit_operator takes a call by which the node is operated, while it drains, too. Only drains count, so that they
 * are answered before it ends. */
static void admit_operator(struct gri_in_call *ic, const struct gri_frame *f)
{
    struct gri_node *node = ic->peer->node;

    if (strcmp(f->verb, GRI_ADMIN_DRAIN) != 0)
        return;
    atomic_fetch_add(&node->in_calls, 1);
    atomic_fetch_add(&node->admin.drains, 1);
    ic->admitted = ic->drains = true;
}

gr_value *gri_in_call_admit(struct gri_in_call *ic)
{
    struct gri_node *node = ic->peer->node;

    atomic_fetch_add(&node->in_calls, 1); /* before we look: see gr_node_drain */
    if (atomic_load(&node->draining)) {
        atomic_fetch_sub(&node->in_calls, 1);
        return gr_error(GR_EUNREACH, "this node is about to end, and takes no more calls");
    }
    ic->admitted = true;
    return NULL;
}

/* reserve gives the call's input its window. */
static gr_value *reserve(struct gri_in_call *ic, const struct gri_frame *f)
{
    if ((f->flags & GRI_INVOKE_INPUT) == 0)
        return NULL;
    ic->in.window = gri_peer_reserve(ic->peer, INPUT_WINDOW, GRI_WINDOW_LEAST);
    return ic->in.window == 0 ? gr_error(GR_EFULL, "too many input streams on one link") : NULL;
}

struct gri_in_call *gri_in_call_new(struct gri_peer *p, uint64_t id)
{
    struct gri_in_call *ic = gri_new0(struct gri_in_call);

    if (ic == NULL)
        return NULL;
    atomic_init(&ic->refs, 1);
    ic->peer = gri_peer_ref(p);
    ic->id = id;
    ic->waiter.fire = on_answer;
    ic->task = (struct gri_task){ .run = answer_run, .name = "answer" };
    return ic;
}

/* watched makes the teller of a call that its caller observes. GR_OK; or a frame was wrong, or refused. */
static gr_code watched(struct gri_in_call *ic, const struct gri_frame *f)
{
    struct gri_watch watch;
    gr_value *v;
    bool good;

    if (f->watch == NULL)
        return GR_OK;
    v = gri_in_call_payload(ic->peer, f, f->watch, f->watch_size);
    if (v == NULL)
        return GR_EPROTO;
    good = gri_watch_unpack(v, &watch);
    gr_value_unref(v);
    if (!good) {
        gri_peer_wrong(ic->peer, gr_error(GR_EPROTO, "a bad watch"));
        return GR_EPROTO;
    }
    ic->teller = gri_teller_new(ic->peer->node->rt, &watch, ic);
    if (ic->teller != NULL)
        return GR_OK;
    gri_in_call_refuse(ic->peer, f, gr_error(GR_ENOMEM, "out of memory for a call"));
    return GR_ENOMEM;
}

void gri_in_call_start(struct gri_peer *p, const struct gri_frame *f)
{
    gr_ref to = gri_peer_find(p, f);
    bool operates = to.id != 0 && gri_admin_is(p->node, to);
    gr_value *args, *config, *err = operates ? gri_admin_refuses(p, f->verb) : NULL;
    struct gri_in_call *ic;

    if (err != NULL) {
        forbid(p, f, err);
        return;
    }
    if (to.id == 0) {
        gri_in_call_refuse(p, f,
                           f->to.id != 0
                               ? gr_error(GR_EDEAD, "no such actor is lent on this link")
                               : gr_error(GR_EDEAD, "no actor is published as '%s'", f->name));
        return;
    }
    if (!knows_verb(p->node->rt, f->verb)) {
        gri_in_call_refuse(
            p, f, gr_error(GR_EFULL, "too many different verbs have come from other processes"));
        return;
    }
    args = arguments(p, f);
    if (args == NULL)
        return;
    config = gri_in_call_payload(p, f, f->config, f->config_size);
    ic = config != NULL ? gri_in_call_new(p, f->id) : NULL;
    if (ic == NULL) {
        if (config != NULL)
            gri_in_call_refuse(p, f, gr_error(GR_ENOMEM, "out of memory for a call"));
        gr_value_unref(args);
        gr_value_unref(config);
        return;
    }
    if (operates)
        admit_operator(ic, f);
    else
        err = gri_in_call_admit(ic);
    if (err == NULL)
        err = reserve(ic, f);
    if (err != NULL)
        gri_in_call_refuse(p, f, err);
    if (err != NULL || watched(ic, f) != GR_OK) {
        gr_value_unref(args);
        gr_value_unref(config);
        gri_in_call_unref(ic);
        return;
    }
    start(ic, f, to, args, config);
}
