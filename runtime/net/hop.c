/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hop.c - a call with a route comes, and is passed on.
 *
 * Who passes a call on answers for it until the next node says that it has it (held), and keeps the value until then:
 *
 *   held        the call is the next node's, and the origin is told so by that, too: nothing is left here. Likewise
 *               if the call comes around, to a later step that is here
 *   refused     or no link can be made, or it takes no routes: it goes back to the origin, with the value
 *   link lost   nobody knows whether the next node has it: the origin is told so; it was not passed on again
 *
 * A node is known by its number and start, which the origin has learned from it: a URL may mean somebody else here.
 */
#include "runtime/net/hop.h"

#include <greenroom/codec.h>

#include "runtime/base/alloc.h"
#include "runtime/net/kick.h"
#include "runtime/net/lent.h"
#include "runtime/net/out_call.h"
#include "runtime/net/pair.h"

/* ---- a call comes ---------------------------------------------------------------------------- */

bool gri_hop_is_back(struct gri_peer *p, const struct gri_frame *f)
{
    return f->origin == p->node->id && f->incarnation == p->node->incarnation;
}

/* What has come, while it is looked at. */
struct arrival {
    struct gri_peer *from;   /* borrowed */
    struct gri_peer *origin; /* counted; NULL: no link with it */
    const struct gri_frame *f;
    struct gri_route_step here;
    struct gri_in_call *ic; /* with a reference of ours, if it was entered */
};

/* find_origin: false, the sender breaks the rules. */
static bool find_origin(struct arrival *a)
{
    uint64_t node = 0, incarnation = 0;

    if (a->f->step_count == 0 || !gri_pair_routes(a->from, &node, &incarnation))
        return false;
    if (node == a->f->origin && incarnation == a->f->incarnation) {
        a->origin = gri_peer_ref(a->from);
        return a->f->id == a->f->call;
    }
    a->origin = gri_pair_current(a->from->node, a->f->origin, a->f->incarnation);
    if (a->origin != NULL && !gri_pair_routes(a->origin, &node, &incarnation)) {
        gri_peer_unref(a->origin);
        a->origin = NULL;
    }
    return true;
}

/* refusal tells why the call is not taken; NULL: it is. */
static gr_value *refusal(const struct arrival *a)
{
    const struct gri_node *node = a->from->node;

    if (a->origin == NULL)
        return gr_error(GR_EUNREACH, "there is no link with the node that made the call");
    if (a->here.node != node->id || a->here.incarnation != node->incarnation)
        return gr_error(GR_EUNREACH, "the call is for another start of this node, or another one");
    if (gri_trip_find(a->from->node, a->here.name).id == 0)
        return gr_error(GR_EDEAD, "no actor is published as '%s'", a->here.name);
    return NULL;
}

static void refuse(const struct arrival *a, gr_value *err)
{
    gri_in_call_refuse(a->from, a->f, gri_wire_error_in(err, a->here.url, a->here.name));
}

static bool came_around(struct gri_in_call *old, size_t at);

/* enter_map: a call that was here before and comes again has been passed on, though nobody has said so yet. */
static gr_code enter_map(struct arrival *a, struct gri_in_call *ic)
{
    gr_code rc = gri_peer_enter_theirs(a->origin, ic->id, ic, ic->held, true);
    struct gri_in_call *old = rc == GR_EPROTO ? gri_peer_find_routed(a->origin, ic->id) : NULL;

    if (old == NULL)
        return rc;
    if (came_around(old, a->f->number))
        rc = gri_peer_enter_theirs(a->origin, ic->id, ic, ic->held, true);
    gri_in_call_unref(old);
    return rc;
}

/* enter makes the call one of its origin's; an error, if that can't be. */
static gr_value *enter(struct arrival *a, gr_value *config)
{
    struct gri_in_call *ic = gri_in_call_new(a->origin, a->f->call);
    gr_value *err = NULL;
    gr_code rc = GR_ENOMEM;

    if (ic != NULL)
        ic->trip = gri_trip_new(a->from->node, a->f, config);
    else
        gr_value_unref(config);
    if (ic != NULL && ic->trip != NULL) {
        ic->held = a->f->value_size + a->f->config_size;
        err = gri_in_call_admit(ic);
        gri_in_call_ref(ic); /* the life's, from here on */
        if (err == NULL)
            rc = enter_map(a, ic);
        if (err != NULL || rc != GR_OK)
            gri_in_call_unref(ic);
    }
    if (err == NULL && rc == GR_OK) {
        a->ic = ic;
        return NULL;
    }
    if (ic != NULL)
        gri_in_call_unref(ic);
    if (err != NULL)
        return err;
    return gr_error(rc == GR_EPROTO ? GR_EUNREACH : rc,
                    rc == GR_EPROTO ? "the call is here already" : "the call can't be taken");
}

/* take_in says that the call is here now, before anything else can be said of it. Nobody waits for that: until it
 * has come, who had the call before answers for it, or the origin takes it to be there. So it takes no write of its own. */
static void take_in(struct arrival *a, gr_value *args)
{
    if (a->from != a->origin) {
        gri_peer_later(a->from, GRI_FRAME_HELD, a->f->id, a->f->number);
        gri_peer_later(a->origin, GRI_FRAME_HELD, a->f->call, a->f->number);
    }
    gri_trip_run(a->ic, args);
    gri_in_call_unref(a->ic);
}

/* look: what was sent is right, so the call is taken, or refused. */
static void look(struct arrival *a)
{
    const uint8_t *steps = a->f->steps;
    size_t size = a->f->steps_size;
    gr_value *args, *config, *err;

    (void)gri_route_step_read(&steps, &size, &a->here);
    err = refusal(a);
    if (err != NULL) {
        refuse(a, err);
        return;
    }
    args = gri_in_call_payload(a->from, a->f, a->f->value, a->f->value_size);
    if (args == NULL)
        return;
    config = gri_in_call_payload(a->from, a->f, a->f->config, a->f->config_size);
    if (config == NULL) {
        gr_value_unref(args);
        return;
    }
    if (gr_is_nil(config)) {
        gr_value_unref(config);
        config = NULL;
    } else {
        config = gri_config_unheard(config);
    }
    err = enter(a, config);
    if (err == NULL) {
        take_in(a, args);
        return;
    }
    gr_value_unref(args);
    refuse(a, err);
}

void gri_hop_arrive(struct gri_peer *p, const struct gri_frame *f)
{
    struct arrival a = { .from = p, .f = f };

    if (find_origin(&a))
        look(&a);
    else
        gri_peer_wrong(p, gr_error(GR_EPROTO, "a route without a step or with a wrong number, or "
                                              "from who may send none"));
    gri_peer_unref(a.origin);
}

/* ---- passing it on --------------------------------------------------------------------------- */

struct gri_hop {
    struct gri_ours ours;
    _Atomic uint32_t refs; /* its life's, until it is over; who looks at it */
    _Atomic bool over;
    struct gri_kick kick;
    struct gri_waiting up;  /* in the peer */
    struct gri_in_call *ic; /* counted */
    struct gri_peer *peer;  /* counted; the step's own until it is sent */
    uint64_t id;
    bool sent;           /* the step's own */
    _Atomic bool passed; /* it may be with the next node */
};

void gri_hop_ref(struct gri_hop *h)
{
    atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
}

void gri_hop_unref(struct gri_hop *h)
{
    if (atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) != 1)
        return;
    gri_peer_unref(h->peer);
    gri_in_call_unref(h->ic);
    gri_free(h);
}

static void ours_ref(struct gri_ours *o)
{
    gri_hop_ref(gri_container_of(o, struct gri_hop, ours));
}

static void ours_unref(struct gri_ours *o)
{
    gri_hop_unref(gri_container_of(o, struct gri_hop, ours));
}

static void kick_ref(struct gri_kick *k)
{
    gri_hop_ref(gri_container_of(k, struct gri_hop, kick));
}

static void kick_unref(struct gri_kick *k)
{
    gri_hop_unref(gri_container_of(k, struct gri_hop, kick));
}

/* is_last tells the first who asks; that one says what becomes of the call, then drops the life's reference. */
static bool is_last(struct gri_hop *h)
{
    struct gri_in_call *ic = h->ic;

    if (atomic_exchange_explicit(&h->over, true, memory_order_acq_rel))
        return false;
    if (h->peer != NULL)
        gri_peer_forget_ours(h->peer, h->id);
    gri_lock(&ic->lock);
    ic->trip->hop = NULL;
    gri_unlock(&ic->lock);
    return true;
}

static bool came_around(struct gri_in_call *old, size_t at)
{
    struct gri_hop *h;
    bool came;

    gri_lock(&old->lock);
    h = old->trip->hop;
    if (h != NULL)
        gri_hop_ref(h);
    gri_unlock(&old->lock);
    if (h == NULL)
        return false;
    /* acquire: its peer is there */
    came =
        atomic_load_explicit(&h->passed, memory_order_acquire) && at > old->trip->at && is_last(h);
    if (came) {
        gri_in_call_leave(old);
        gri_hop_unref(h);
    }
    gri_hop_unref(h);
    return came;
}

static void fail(struct gri_hop *h, gr_value *err)
{
    if (is_last(h)) {
        gri_in_call_finish(h->ic, err);
        gri_hop_unref(h);
    }
    gr_value_unref(err);
}

/* go_back gives the call back to its origin, as it was to be passed on. */
static void go_back(struct gri_hop *h)
{
    struct gri_in_call *ic = h->ic;
    const struct gri_trip *t = ic->trip;
    struct gri_ref_map refs = { gri_lend, ic->peer };
    struct gri_strbuf frame = GRI_STRBUF_INIT;
    struct gri_frame f = { .id = ic->id,
                           .origin = t->origin,
                           .incarnation = t->incarnation,
                           .call = ic->id,
                           .number = t->at + 1,
                           .refs = &refs };
    gr_value *err;
    gr_code rc;

    if (!is_last(h))
        return;
    rc = gri_frame_route(&frame, &f, gri_future_outcome(ic->future).value, NULL);
    if (rc == GR_OK) {
        gri_peer_send(ic->peer, &frame, gri_peer_key(false, ic->id), rc);
        gri_in_call_leave(ic);
    } else {
        err = gri_wire_unfit(rc, "the answer");
        gri_in_call_finish(ic, err);
        gr_value_unref(err);
        gri_strbuf_fini(&frame);
    }
    gri_hop_unref(h);
}

static void on_frame(struct gri_ours *o, const struct gri_frame *f)
{
    struct gri_hop *h = gri_container_of(o, struct gri_hop, ours);

    if (f->type == GRI_FRAME_HELD) {
        if (!is_last(h))
            return;
        gri_in_call_leave(h->ic);
        gri_hop_unref(h);
    } else if (f->type == GRI_FRAME_REPLY) {
        go_back(h);
    } else {
        gri_peer_wrong(h->peer,
                       gr_error(GR_EPROTO, "a frame of type %u for a call that was passed on",
                                (unsigned)f->type));
    }
}

static void on_lost(struct gri_ours *o, gr_value *why)
{
    fail(gri_container_of(o, struct gri_hop, ours), why);
}

static const struct gri_ours_ops hop_ops = { ours_ref, ours_unref, on_frame, on_lost };

static gr_code write_next(struct gri_hop *h, struct gri_strbuf *out)
{
    struct gri_in_call *ic = h->ic;
    const struct gri_trip *t = ic->trip;
    struct gri_ref_map refs = { gri_lend, h->peer };
    struct gri_strbuf steps = GRI_STRBUF_INIT;
    struct gri_frame f = { .id = h->id,
                           .origin = t->origin,
                           .incarnation = t->incarnation,
                           .call = ic->id,
                           .number = t->at + 1,
                           .deadline_ms = gri_remaining_ms(ic->peer->node->rt, t->deadline_ns),
                           .step_count = t->left_count + 1,
                           .refs = &refs };
    gr_code rc;

    gri_route_step_write(&steps, &t->next);
    gri_strbuf_add(&steps, t->left, t->left_size);
    f.steps = (const uint8_t *)steps.data;
    f.steps_size = steps.len;
    rc = steps.failed ? GR_ENOMEM
                      : gri_frame_route(out, &f, gri_future_outcome(ic->future).value, t->config);
    gri_strbuf_fini(&steps);
    return rc;
}

/* send: whatever keeps it from being sent, the origin has another way. */
static void send(struct gri_hop *h)
{
    struct gri_strbuf frame = GRI_STRBUF_INIT;
    gr_value *err = NULL;
    gr_code rc = write_next(h, &frame);

    h->sent = true;
    if (rc == GR_ETYPE) {
        fail(h, gri_wire_unfit(rc, "the answer"));
        gri_strbuf_fini(&frame);
        return;
    }
    atomic_store_explicit(&h->passed, true, memory_order_release);
    if (rc != GR_OK || gri_peer_begin(h->peer, h->id, &h->ours, &frame, &err) != GR_OK) {
        gr_value_unref(err);
        go_back(h);
    }
    gri_strbuf_fini(&frame);
}

/* leads_there tells whether the peer is the node that is meant, and takes routes. */
static bool leads_there(const struct gri_hop *h)
{
    const struct gri_route_step *next = &h->ic->trip->next;
    uint64_t node = 0, incarnation = 0;

    return gri_pair_routes(h->peer, &node, &incarnation) && node == next->node &&
           incarnation == next->incarnation;
}

static bool is_cancelled(struct gri_in_call *ic)
{
    bool cancelled;

    gri_lock(&ic->lock);
    cancelled = atomic_load_explicit(&ic->cancelled, memory_order_relaxed);
    gri_unlock(&ic->lock);
    return cancelled;
}

static void step(struct gri_kick *k)
{
    struct gri_hop *h = gri_container_of(k, struct gri_hop, kick);
    struct gri_in_call *ic = h->ic;
    struct gri_node *node = ic->peer->node;
    const struct gri_route_step *next = &ic->trip->next;

    if (h->sent)
        return;
    if (is_cancelled(ic)) {
        h->sent = true;
        if (h->peer != NULL)
            gri_peer_unwait(h->peer, &h->up);
        fail(h, gr_error(GR_ECANCELED, "the call was cancelled"));
        return;
    }
    if (h->peer == NULL)
        h->peer = gri_pair_current(node, next->node, next->incarnation);
    if (h->peer == NULL)
        h->peer = gri_node_peer_asked(node, next->url);
    if (h->peer != NULL && gri_peer_await(h->peer, &h->up))
        return;
    if (h->peer != NULL && leads_there(h)) {
        send(h);
    } else {
        h->sent = true;
        go_back(h);
    }
}

static void on_up(struct gri_waiting *w)
{
    gri_kick(&gri_container_of(w, struct gri_hop, up)->kick);
}

void gri_hop_cancel(struct gri_hop *h)
{
    gri_kick(&h->kick);
}

void gri_hop_pass(struct gri_in_call *ic)
{
    struct gri_node *node = ic->peer->node;
    struct gri_hop *h = gri_new0(struct gri_hop);
    gr_value *err;

    if (h == NULL) {
        err = gr_error(GR_ENOMEM, "out of memory for passing the call on");
        gri_in_call_finish(ic, err);
        gr_value_unref(err);
        return;
    }
    atomic_init(&h->refs, 2); /* its life's and ours */
    h->ours.ops = &hop_ops;
    gri_kick_init(&h->kick, gri_sched_of(node->rt), "hop", step, kick_ref, kick_unref);
    gri_kick_claim(&h->kick);
    gri_list_init(&h->up.node);
    h->up.fire = on_up;
    gri_in_call_ref(ic);
    h->ic = ic;
    h->id = atomic_fetch_add_explicit(&node->calls, 1, memory_order_relaxed) + 1;
    gri_lock(&ic->lock);
    ic->trip->hop = h;
    gri_unlock(&ic->lock);
    gri_kick_go(&h->kick);
    gri_hop_unref(h);
}
