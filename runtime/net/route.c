/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route.c - a call with a route, at the node that makes it: the origin.
 *
 * The origin has links with all nodes of the route before it sends anything, and an entry (a leg) among the calls of
 * each, all under the number of the call. So whoever holds the call answers as it would answer any other, over its own
 * link with the origin, and is cancelled in the same way. Nothing is lost silently:
 *
 *   held       each node after the first says that it has the call now, so the origin knows the holder, or one that
 *              held it not long ago
 *   answer     from the holder; from a node that the call has left for good it is old news
 *   back       the holder can't pass the call on; the origin goes on from there
 *   link lost  the node may hold the call, or come to hold it, unless the call has left it for good: then the call fails
 *
 * While legs are entered (ENTERS) and the frame is not sent yet, what comes is kept until that is done: only then may
 * all legs be taken out.
 */
#include "runtime/net/route.h"

#include <string.h>

#include <greenroom/codec.h>

#include "runtime/actor/send.h"
#include "runtime/base/alloc.h"
#include "runtime/net/kick.h"
#include "runtime/net/lent.h"
#include "runtime/net/out_call.h"
#include "runtime/net/pair.h"
#include "runtime/net/remote.h"
#include "runtime/net/run_frames.h"

_Static_assert(GRI_ROUTE_MAX == GRI_ROUTE_STEPS_MAX, "as many actors as steps");

enum phase { CONNECTS, ENTERS, SENT, OVER };

/* One node of the route. */
struct leg {
    struct gri_ours ours;
    struct gri_route *route; /* borrowed; references to a leg are the route's */
    struct gri_peer *peer;   /* borrowed from the first stop there */
    size_t last;             /* the last stop there; fixed once SENT */
};

struct stop {
    gr_value *args;        /* counted; the proxy's */
    struct gri_peer *peer; /* counted */
    uint64_t node, incarnation;
    size_t leg; /* fixed once SENT */
};

struct gri_route {
    _Atomic uint32_t refs; /* its life's, until `then` is called; the starter's; a queued kick's */
    struct gri_kick kick;
    struct gri_waiting up; /* in the peer that it waits for */
    struct gri_node *node; /* borrowed */
    struct gri_call *call; /* the duty, until `then` is called */
    gri_route_fn *then;
    void *arg;
    uint64_t id;
    gr_value *value, *config; /* counted; until it is sent */
    size_t ready;             /* stops with which there is a link */
    size_t leg_count;
    size_t cap;           /* of stops */
    struct leg *legs;     /* owned */
    struct gri_lock lock; /* guards what follows, down to `next` */
    enum phase phase;
    bool cancelled, decided; /* decided: answer and next came while it was sent */
    size_t count;            /* stops */
    size_t at;               /* the last stop that is known to have been reached */
    gr_value *answer;        /* counted */
    size_t next;
    struct stop stops[];
};

/* ---- its life -------------------------------------------------------------------------------- */

static void route_ref(struct gri_route *r)
{
    atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
}

static void route_unref(struct gri_route *r)
{
    if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < r->cap && r->stops[i].args != NULL; i++) {
        gr_value_unref(r->stops[i].args);
        gri_peer_unref(r->stops[i].peer);
    }
    gri_free(r->legs);
    gr_value_unref(r->value);
    gr_value_unref(r->config);
    gr_value_unref(r->answer);
    gri_free(r);
}

static void leg_ref(struct gri_ours *o)
{
    route_ref(gri_container_of(o, struct leg, ours)->route);
}

static void leg_unref(struct gri_ours *o)
{
    route_unref(gri_container_of(o, struct leg, ours)->route);
}

static void kick_ref(struct gri_kick *k)
{
    route_ref(gri_container_of(k, struct gri_route, kick));
}

static void kick_unref(struct gri_kick *k)
{
    route_unref(gri_container_of(k, struct gri_route, kick));
}

/* conclude is called once, by who has made it OVER. Needs a reference besides the life's. */
static void conclude(struct gri_route *r, gr_value *v, size_t next)
{
    for (size_t i = 0; i < r->leg_count; i++)
        gri_peer_forget_ours(r->legs[i].peer, r->id);
    gri_call_unhook(r->call);
    r->then(r->arg, v, next);
    route_unref(r); /* the life's */
}

/* settle ends it, now or when it has been sent. The first one counts. */
static void settle(struct gri_route *r, gr_value *v, size_t next)
{
    bool now, later;

    gri_lock(&r->lock);
    now = r->phase == CONNECTS || r->phase == SENT;
    later = r->phase == ENTERS && !r->decided;
    if (now)
        r->phase = OVER;
    if (later) {
        r->decided = true;
        r->answer = v;
        r->next = next;
    }
    gri_unlock(&r->lock);
    if (now)
        conclude(r, v, next);
    else if (!later)
        gr_value_unref(v);
}

/* give_up ends it before anything was sent. */
static void give_up(struct gri_route *r, gr_value *v)
{
    gri_lock(&r->lock);
    r->phase = OVER;
    gri_unlock(&r->lock);
    conclude(r, v, 0);
}

/* ---- what the nodes say ---------------------------------------------------------------------- */

/* has_left tells whether the call has left the leg's node for good. */
static bool has_left(struct leg *leg)
{
    struct gri_route *r = leg->route;
    bool left;

    gri_lock(&r->lock);
    left = r->phase == SENT && leg->last < r->at;
    gri_unlock(&r->lock);
    return left;
}

static void cancel_at(struct gri_route *r, struct gri_peer *peer)
{
    gri_peer_number(peer, GRI_FRAME_CANCEL, r->id, GR_ECANCELED);
}

static void on_held(struct leg *leg, uint64_t number)
{
    struct gri_route *r = leg->route;
    bool cancelled, fits;

    gri_lock(&r->lock);
    fits = number < r->count;
    if (fits && number > r->at)
        r->at = number;
    cancelled = r->cancelled && r->phase == SENT;
    gri_unlock(&r->lock);
    if (!fits)
        gri_peer_wrong(leg->peer,
                       gr_error(GR_EPROTO, "a route has no step %llu", (unsigned long long)number));
    else if (cancelled)
        cancel_at(r, leg->peer);
}

/* on_value takes an answer, or what a node could not pass on. */
static void on_value(struct leg *leg, const struct gri_frame *f)
{
    struct gri_route *r = leg->route;
    bool sent = false; /* an error that is the answer */
    gr_value *v = gri_peer_value_of(leg->peer, f, &sent);
    size_t count;

    gri_lock(&r->lock);
    count = r->count;
    gri_unlock(&r->lock);
    if (gr_error_code(v) == GR_EPROTO && !sent)
        gri_peer_wrong(leg->peer, v);
    else if (f->type == GRI_FRAME_ROUTE && f->number >= count) {
        gr_value_unref(v);
        gri_peer_wrong(leg->peer, gr_error(GR_EPROTO, "a route that comes back from its end"));
    } else if (has_left(leg))
        gr_value_unref(v);
    else
        settle(r, v, f->type == GRI_FRAME_ROUTE ? f->number : count);
}

static void leg_frame(struct gri_ours *o, const struct gri_frame *f)
{
    struct leg *leg = gri_container_of(o, struct leg, ours);

    if (f->type == GRI_FRAME_HELD)
        on_held(leg, f->number);
    else if (f->type == GRI_FRAME_REPLY || f->type == GRI_FRAME_ROUTE)
        on_value(leg, f);
    else
        gri_peer_wrong(leg->peer, gr_error(GR_EPROTO, "a frame of type %u for a call with a route",
                                           (unsigned)f->type));
}

/* leg_lost: who else may hold the call is told to stop; if it has gone on since, the next one will be, when it
 * says that it has it. */
static void leg_lost(struct gri_ours *o, gr_value *why)
{
    struct leg *leg = gri_container_of(o, struct leg, ours);
    struct gri_route *r = leg->route;
    struct gri_peer *holder = NULL;

    if (has_left(leg)) {
        gr_value_unref(why);
        return;
    }
    gri_lock(&r->lock);
    if (r->phase == SENT)
        holder = r->legs[r->stops[r->at].leg].peer;
    gri_unlock(&r->lock);
    if (holder != NULL && holder != leg->peer)
        cancel_at(r, holder);
    settle(r, why, 0);
}

static const struct gri_ours_ops leg_ops = { leg_ref, leg_unref, leg_frame, leg_lost };

/* on_cancel may come from any thread. */
static void on_cancel(void *arg)
{
    struct gri_route *r = arg;
    struct gri_peer *holder = NULL;

    route_ref(r);
    gri_lock(&r->lock);
    r->cancelled = true;
    if (r->phase == SENT)
        holder = r->legs[r->stops[r->at].leg].peer;
    gri_unlock(&r->lock);
    if (holder != NULL)
        cancel_at(r, holder);
    gri_kick(&r->kick); /* it may still be connecting */
    route_unref(r);
}

/* ---- sending --------------------------------------------------------------------------------- */

static const char *url_of(const struct stop *s)
{
    return gr_cstr(gr_get(s->args, "url"), "");
}

static const char *name_of(const struct stop *s)
{
    return gr_cstr(gr_get(s->args, "name"), "");
}

/* leg_to finds or makes the leg of a peer; false: it takes no more calls, or is lost. The first one is entered
 * when the frame is sent. */
static bool leg_to(struct gri_route *r, struct stop *s)
{
    size_t i = 0;

    while (i < r->leg_count && r->legs[i].peer != s->peer)
        i++;
    s->leg = i;
    if (i < r->leg_count)
        return true;
    r->legs[i] = (struct leg){ .ours.ops = &leg_ops, .route = r, .peer = s->peer };
    if (i > 0 && gri_peer_enter_ours(s->peer, r->id, &r->legs[i].ours) != GR_OK)
        return false;
    r->leg_count++;
    return true;
}

/* enter_legs returns how many stops the route has then. */
static size_t enter_legs(struct gri_route *r)
{
    size_t i = 0;

    r->legs = gri_alloc0(r->count * sizeof(*r->legs));
    while (r->legs != NULL && i < r->count && leg_to(r, &r->stops[i])) {
        r->legs[r->stops[i].leg].last = i;
        i++;
    }
    gri_lock(&r->lock);
    r->count = i;
    gri_unlock(&r->lock);
    return i;
}

static void write_steps(const struct gri_route *r, struct gri_strbuf *steps)
{
    struct gri_route_step step;

    for (size_t i = 0; i < r->count; i++) {
        const struct stop *s = &r->stops[i];

        step.node = s->node;
        step.incarnation = s->incarnation;
        memcpy(step.url, url_of(s), strlen(url_of(s)) + 1);
        memcpy(step.name, name_of(s), strlen(name_of(s)) + 1);
        gri_route_step_write(steps, &step);
    }
}

static gr_code write_route(const struct gri_route *r, struct gri_strbuf *out)
{
    struct gri_ref_map refs = { gri_lend, r->stops[0].peer };
    struct gri_strbuf steps = GRI_STRBUF_INIT;
    struct gri_frame f = { .id = r->id,
                           .origin = r->node->id,
                           .incarnation = r->node->incarnation,
                           .call = r->id,
                           .deadline_ms = gri_remaining_ms(r->call->rt, r->call->deadline_ns),
                           .step_count = (unsigned)r->count,
                           .refs = &refs };
    gr_value *fit;
    gr_code rc;

    write_steps(r, &steps);
    f.steps = (const uint8_t *)steps.data;
    f.steps_size = steps.len;
    rc = steps.failed ? GR_ENOMEM : gri_frame_route(out, &f, r->value, r->config);
    if (rc == GR_ETYPE && r->config != NULL) {
        fit = gri_config_fit(r->config);
        rc = gri_frame_route(out, &f, r->value, fit);
        gr_value_unref(fit);
    }
    gri_strbuf_fini(&steps);
    return rc;
}

/* is_sent lets what comes count. */
static void is_sent(struct gri_route *r)
{
    struct gri_peer *holder;
    bool decided, cancelled;
    gr_value *v;

    gr_value_unref(r->value);
    r->value = NULL;
    gri_lock(&r->lock);
    decided = r->decided;
    cancelled = r->cancelled;
    r->phase = decided ? OVER : SENT;
    holder = r->legs[r->stops[r->at].leg].peer;
    v = r->answer;
    r->answer = NULL;
    gri_unlock(&r->lock);
    if (decided)
        conclude(r, v, r->next);
    else if (cancelled)
        cancel_at(r, holder);
}

/* set_out: what fails before anything was sent is left to who called; it will find out why. */
static void set_out(struct gri_route *r)
{
    struct gri_strbuf frame = GRI_STRBUF_INIT;
    gr_value *err = NULL;
    gr_code rc = GR_EFULL;

    gri_lock(&r->lock);
    r->phase = ENTERS;
    gri_unlock(&r->lock);
    if (enter_legs(r) >= 2)
        rc = write_route(r, &frame);
    if (rc == GR_OK)
        rc = gri_peer_begin(r->stops[0].peer, r->id, &r->legs[0].ours, &frame, &err);
    gri_strbuf_fini(&frame);
    gr_value_unref(err);
    if (rc == GR_OK)
        is_sent(r);
    else
        give_up(r, rc == GR_ETYPE ? gri_wire_unfit(rc, "the arguments") : gr_value_ref(r->value));
}

/* ---- connecting ------------------------------------------------------------------------------ */

/* is_connected goes over the stops; false: it waits for one, and will be kicked. A node that can't be reached, or
 * takes no routes, is where the route ends. */
static bool is_connected(struct gri_route *r)
{
    for (; r->ready < r->count; r->ready++) {
        struct stop *s = &r->stops[r->ready];
        struct gri_peer *now;

        if (gri_peer_await(s->peer, &r->up))
            return false;
        if (!gri_pair_routes(s->peer, &s->node, &s->incarnation)) {
            gri_lock(&r->lock);
            r->count = r->ready;
            gri_unlock(&r->lock);
            return true;
        }
        now = gri_peer_ref(gri_peer_now(s->peer));
        gri_peer_unref(s->peer);
        s->peer = now;
    }
    return true;
}

static void on_up(struct gri_waiting *w)
{
    gri_kick(&gri_container_of(w, struct gri_route, up)->kick);
}

static void step(struct gri_kick *k)
{
    struct gri_route *r = gri_container_of(k, struct gri_route, kick);
    bool cancelled, connects;

    gri_lock(&r->lock);
    connects = r->phase == CONNECTS;
    cancelled = r->cancelled;
    gri_unlock(&r->lock);
    if (!connects)
        return;
    if (cancelled) {
        gri_peer_unwait(r->stops[r->ready < r->count ? r->ready : 0].peer, &r->up);
        settle(r, gr_error(GR_ECANCELED, "cancelled while connecting"), 0);
    } else if (is_connected(r)) {
        set_out(r);
    }
}

/* ---- beginning ------------------------------------------------------------------------------- */

bool gri_route_leads_out(gr_runtime *rt, gr_ref ref)
{
    gr_value *args = gri_ref_args(rt, ref, &gri_remote_class);
    bool leads = args != NULL;

    gr_value_unref(args);
    return leads;
}

/* fill_stop is false for what a route can't have. *bytes is what is left for the steps' frame. */
static bool fill_stop(struct gri_route *r, struct stop *s, gr_ref ref, size_t *bytes)
{
    const gr_value *url, *name;
    gr_value *err = NULL;
    size_t size;

    s->args = gri_ref_args(r->call->rt, ref, &gri_remote_class);
    url = gr_get(s->args, "url");
    name = gr_get(s->args, "name");
    size = gr_len(url) + gr_len(name) + 32; /* the rest takes 23 at most */
    if (s->args == NULL || !gri_is_remote_url(gr_cstr(url, "")) || !gri_is_remote_name(name) ||
        gr_cstr(name, "")[0] == GRI_RESERVED || gr_len(url) > GRI_FRAME_NAME_MAX ||
        strlen(gr_cstr(url, "")) != gr_len(url) || size > *bytes)
        return false;
    *bytes -= size;
    s->peer = gri_node_peer(r->node, gr_cstr(url, ""), &err);
    gr_value_unref(err);
    return s->peer != NULL;
}

/* plan dials all nodes at once; false: it is no route. */
static bool plan(struct gri_route *r, const gr_ref *refs, size_t count)
{
    size_t bytes = GRI_ROUTE_BYTES_MAX;

    while (r->count < count && fill_stop(r, &r->stops[r->count], refs[r->count], &bytes))
        r->count++;
    return r->count >= 2;
}

bool gri_route_start(struct gri_call *call, const gr_ref *refs, size_t count, const gr_value *v,
                     gr_value *config, gri_route_fn *then, void *arg)
{
    struct gri_node *node = gri_call_budget(call) == NULL ? gri_node_get(call->rt) : NULL;
    struct gri_route *r = NULL;
    bool begins;

    if (count > GRI_ROUTE_MAX)
        count = GRI_ROUTE_MAX;
    if (node != NULL)
        r = gri_alloc0(sizeof(*r) + count * sizeof(struct stop));
    if (r == NULL) {
        gr_value_unref(config);
        return false;
    }
    atomic_init(&r->refs, 2);
    r->cap = count;
    gri_kick_init(&r->kick, gri_call_sched(call), "route", step, kick_ref, kick_unref);
    gri_list_init(&r->up.node);
    r->up.fire = on_up;
    r->node = node;
    r->call = call;
    r->then = then;
    r->arg = arg;
    r->id = atomic_fetch_add_explicit(&node->calls, 1, memory_order_relaxed) + 1;
    r->value = gr_value_ref(v);
    r->config = gri_config_unheard(config);
    begins = plan(r, refs, count);
    if (begins) {
        gri_kick_claim(&r->kick);
        (void)gri_call_on_cancel(call, on_cancel,
                                 r); /* a call that is cancelled has the step know */
        gri_kick_go(&r->kick);
    } else {
        route_unref(r);
    }
    route_unref(r);
    return begins;
}
