/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer_events.c - one link's life, and which frame goes to which call.
 *
 * The link's events come one at a time, so what only they touch (scope, greeting) needs no lock.
 */
#include <limits.h>

#include <greenroom/codec.h>

#include "runtime/actor/call.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/log.h"
#include "runtime/net/greet.h"
#include "runtime/net/hop.h"
#include "runtime/net/in_call.h"
#include "runtime/net/lent.h"
#include "runtime/net/peer.h"

void gri_peer_known(struct gri_peer *p)
{
    if (p->greeting.counted)
        atomic_fetch_sub_explicit(&p->node->greetings, 1, memory_order_relaxed);
    p->greeting.counted = false;
}

/* to_ours hands a frame to a call of ours. A call that is over already is no mistake. */
static void to_ours(struct gri_peer *p, const struct gri_frame *f)
{
    struct gri_ours *call;

    gri_lock(&p->lock);
    call = gri_map_get(&p->ours, f->id);
    if (call != NULL)
        call->ops->ref(call);
    gri_unlock(&p->lock);
    if (call != NULL) {
        call->ops->frame(call, f);
        call->ops->unref(call);
    } else if (f->type == GRI_FRAME_HELD) { /* nobody wants what a node has taken on */
        gri_peer_number(p, GRI_FRAME_CANCEL, f->id, GR_ECANCELED);
    }
}

static void to_theirs(struct gri_peer *p, const struct gri_frame *f)
{
    struct gri_in_call *call;

    gri_lock(&p->lock);
    call = gri_map_get(&p->theirs, f->id);
    if (call == NULL && f->type == GRI_FRAME_CANCEL)
        call = gri_map_get(&p->routed, f->id);
    if (call != NULL)
        gri_in_call_ref(call);
    gri_unlock(&p->lock);
    if (call == NULL)
        return;
    gri_in_call_frame(call, f);
    gri_in_call_unref(call);
}

struct gri_in_call *gri_peer_find_routed(struct gri_peer *p, uint64_t id)
{
    struct gri_in_call *call;

    gri_lock(&p->lock);
    call = gri_map_get(&p->routed, id);
    if (call != NULL)
        gri_in_call_ref(call);
    gri_unlock(&p->lock);
    return call;
}

/* on_tell: a message has no answer, so what goes wrong is only logged. */
static void on_tell(struct gri_peer *p, const struct gri_frame *f)
{
    bool sent = false;
    gr_value *msg = gri_peer_value_of(p, f, &sent);
    gr_code rc = gr_value_type(msg) == GR_ERROR && !sent ? gr_error_code(msg) : GR_OK;

    /* The decoder's word, not the message. Then the link ends, so that the loss shows; but not for too many
     * refs, which is a matter of this message. */
    if (rc != GR_OK && rc != GR_EFULL) {
        gri_peer_wrong(p, msg);
        return;
    }
    if (rc == GR_OK)
        rc = gr_tell(p->node->rt, gri_peer_find(p, f), msg);
    else
        gr_value_unref(msg);
    if (rc == GR_OK)
        return;
    gri_peer_lose_tells(p, 1);
    gri_log_peer(gri_peer_gate(p), gri_now(p->node->rt), GRI_LOG_DEBUG, p->url,
                 "a message for '%s' was dropped: %s", f->name, gr_code_name(rc));
}

/* ---- a later link takes the place ------------------------------------------------------------ */

enum { HANDLING = 1, REPLACED = 2 };

bool gri_peer_ref_living(struct gri_peer *p)
{
    uint32_t refs = atomic_load_explicit(&p->refs, memory_order_relaxed);

    while (refs > 0)
        if (atomic_compare_exchange_weak_explicit(&p->refs, &refs, refs + 1, memory_order_relaxed,
                                                  memory_order_relaxed))
            return true;
    return false;
}

bool gri_peer_replace(struct gri_peer *p)
{
    /* acq_rel: with begin_frame, one of the two sees the other in this one word */
    if ((atomic_fetch_or_explicit(&p->frames, REPLACED, memory_order_acq_rel) & REPLACED) != 0 ||
        !gri_peer_ref_living(p)) /* on its way out: the last frame has been handled */
        return false;
    gri_peer_hang_up(p, gr_error(GR_EUNREACH, "a later link has taken its place"));
    return true;
}

void gri_peer_quiet(struct gri_peer *p)
{
    uint32_t frames;

    /* acquire: what the frame's handling did is done */
    while (((frames = atomic_load_explicit(&p->frames, memory_order_acquire)) & HANDLING) != 0)
        gri_futex_wait(&p->frames, frames, GRI_NEVER);
}

static bool begin_frame(struct gri_peer *p)
{
    uint32_t frames = atomic_fetch_or_explicit(&p->frames, HANDLING, memory_order_acq_rel);

    if ((frames & REPLACED) == 0)
        return true;
    atomic_fetch_and_explicit(&p->frames, ~(uint32_t)HANDLING, memory_order_release);
    gri_futex_wake(&p->frames, INT_MAX);
    return false;
}

static void end_frame(struct gri_peer *p)
{
    /* release: pairs with gri_peer_quiet */
    if (atomic_fetch_and_explicit(&p->frames, ~(uint32_t)HANDLING, memory_order_release) !=
        HANDLING)
        gri_futex_wake(&p->frames, INT_MAX);
}

static void handle_frame(struct gri_peer *p, const void *body, size_t size, bool whole,
                         const gr_value *text);

/* on_part handles the frame that a part makes whole. A frame that comes in parts is no part itself. */
static void on_part(struct gri_peer *p, const struct gri_frame *f)
{
    const struct gri_strbuf *whole = NULL;
    gr_code rc = gri_parts_add(&p->parts, f, &whole);

    if (rc != GR_OK)
        gri_peer_hang_up(p, gr_error(rc, rc == GR_ENOMEM ? "out of memory while receiving"
                                                         : "a part that does not fit"));
    if (whole == NULL)
        return;
    handle_frame(p, whole->data, whole->len, false, p->parts.slots[f->id].text);
    gri_parts_clear(&p->parts, f->id);
}

static void count_received(struct gri_peer *p, enum gri_frame_type type)
{
    struct gri_ledger *l = gri_sched_of(p->node->rt)->ledger;

    if (type != GRI_FRAME_BEAT) {
        atomic_store_explicit(&p->frames_in,
                              atomic_load_explicit(&p->frames_in, memory_order_relaxed) + 1,
                              memory_order_relaxed);
        gri_count(l, GRI_COUNT_FRAMES_RECEIVED, 1);
    }
    if (gri_frame_brings(type))
        gri_count(l, GRI_COUNT_VALUES_RECEIVED, 1);
}

static void handle_call(struct gri_peer *p, const struct gri_frame *f, const void *body,
                        size_t size)
{
    count_received(p, f->type);
    switch (f->type) {
    case GRI_FRAME_HELLO:
    case GRI_FRAME_PROOF:
    case GRI_FRAME_WELCOME: gri_peer_wrong(p, gr_error(GR_EPROTO, "a second hello")); break;
    case GRI_FRAME_REFUSE: gri_greet_frame(p, f, body, size); break; /* it crossed our welcome */
    case GRI_FRAME_INVOKE: gri_in_call_start(p, f); break;
    case GRI_FRAME_TELL: on_tell(p, f); break;
    case GRI_FRAME_LINK:
    case GRI_FRAME_MONITOR:
    case GRI_FRAME_DOWN:
    case GRI_FRAME_UNTIE:
    case GRI_FRAME_EXIT: gri_ties_frame(p, f); break;
    case GRI_FRAME_PING:
        if (f->number == GRI_PING_ASK)
            gri_peer_number(p, GRI_FRAME_PING, f->id, GRI_PING_ANSWER);
        else if (f->number == GRI_PING_LAST)
            gri_peer_leaves(p, f->id);
        else
            gri_peer_answered(p, f->id);
        break;
    case GRI_FRAME_BEAT:
        atomic_store_explicit(&p->stalled_ms, f->number, memory_order_relaxed);
        break;
    case GRI_FRAME_ROUTE:
        if (gri_hop_is_back(p, f))
            to_ours(p, f);
        else
            gri_hop_arrive(p, f);
        break;
    case GRI_FRAME_REPLY:
    case GRI_FRAME_CHUNK:
    case GRI_FRAME_EVENT:
    case GRI_FRAME_END:
    case GRI_FRAME_HELD:
    case GRI_FRAME_INPUT_CREDIT: to_ours(p, f); break;
    case GRI_FRAME_CREDIT:
    case GRI_FRAME_CANCEL:
    case GRI_FRAME_INPUT_CHUNK:
    case GRI_FRAME_INPUT_END: to_theirs(p, f); break;
    default: break; /* GRI_FRAME_NONE: may be ignored */
    }
}

/* may_be_cut: only what holds a value comes in parts. */
static bool may_be_cut(enum gri_frame_type type)
{
    switch (type) {
    case GRI_FRAME_NONE:
    case GRI_FRAME_INVOKE:
    case GRI_FRAME_ROUTE:
    case GRI_FRAME_TELL:
    case GRI_FRAME_DOWN:
    case GRI_FRAME_EXIT:
    case GRI_FRAME_REPLY:
    case GRI_FRAME_CHUNK:
    case GRI_FRAME_EVENT:
    case GRI_FRAME_END:
    case GRI_FRAME_INPUT_CHUNK:
    case GRI_FRAME_INPUT_END: return true;
    default: return false;
    }
}

/* give puts a text in the place of the nil that stands for it. */
static void give(struct gri_frame *f, const gr_value *text)
{
    f->given = text;
    f->value = NULL;
    f->value_size = 5 + gr_len(text); /* as it came, with its head */
}

static void handle_frame(struct gri_peer *p, const void *body, size_t size, bool whole,
                         const gr_value *text)
{
    struct gri_frame f;
    gr_value *err = NULL;

    if (gri_frame_parse(body, size, &f, &err) != GR_OK)
        gri_peer_wrong(p, err);
    else if (p->greeting.phase != GRI_GREETING_OVER)
        gri_greet_frame(p, &f, body, size);
    else if (!gri_peer_is_up(p))
        return; /* refused, and on its way out */
    else if (!whole && !may_be_cut(f.type))
        gri_peer_wrong(p, gr_error(GR_EPROTO, "a frame of type %u in parts", (unsigned)f.type));
    else if (f.type == GRI_FRAME_PART)
        on_part(p, &f);
    else {
        if (text != NULL)
            give(&f, text);
        handle_call(p, &f, body, size);
    }
}

static void on_frame(void *arg, const void *body, size_t size)
{
    struct gri_peer *p = arg;

    if (!begin_frame(p))
        return;
    handle_frame(p, body, size, true, NULL);
    end_frame(p);
}

static void on_room(void *arg)
{
    struct gri_peer *p = arg;

    gri_lock(&p->lock);
    p->busy = false;
    gri_peer_pump_locked(p);
    gri_unlock(&p->lock);
}

/* lost_error says to calls what the link's end means for them. Takes why. */
static gr_value *lost_error(struct gri_peer *p, bool was_up, gr_value *why)
{
    gr_code code = gr_error_code(why);
    const char *text = why != NULL ? gr_error_text(why) : "closed";
    gr_value *err;

    if (code != GR_EPROTO && code != GR_ENOMEM && code != GR_EINVAL)
        code = GR_EUNREACH;
    if (was_up)
        err = gr_error(code, "link to %s was lost: %s", p->url, text);
    else /* nothing has been sent, so whatever was to be may be sent elsewhere */
        err = gr_error_with(gr_error(code, "no link to %s: %s", p->url, text), "kind",
                            gr_str("NotSent"));
    gr_value_unref(why);
    return err;
}

/* pop takes some call out of a map and refers to it; NULL when there is none. *at is where to
 * go on. */
static void *pop(struct gri_peer *p, struct gri_map *calls, size_t *at, void (*ref)(void *call))
{
    const struct gri_map_slot *slot;
    void *call = NULL;

    gri_lock(&p->lock);
    if (calls->count > 0) {
        slot = gri_map_next(calls, at);
        if (slot == NULL) {
            *at = 0;
            slot = gri_map_next(calls, at);
        }
        call = slot->value;
        ref(call);
        gri_map_del(calls, slot->key);
        *at -= 1; /* what came after may have moved here */
    }
    gri_unlock(&p->lock);
    return call;
}

static void ref_ours(void *call)
{
    ((struct gri_ours *)call)->ops->ref(call);
}

static void cancel_all(struct gri_peer *p, struct gri_map *calls)
{
    struct gri_in_call *call;
    size_t at = 0;

    while ((call = pop(p, calls, &at, gri_in_call_ref)) != NULL) {
        gri_in_call_cancel(call);
        gri_in_call_unref(call);
    }
}

static void end_calls(struct gri_peer *p)
{
    struct gri_ours *call;
    size_t at = 0;

    while ((call = pop(p, &p->ours, &at, ref_ours)) != NULL) {
        call->ops->lost(call, gr_value_ref(p->why));
        call->ops->unref(call);
    }
    cancel_all(p, &p->theirs);
    cancel_all(p, &p->routed);
    if (p->scope != NULL)
        gri_scope_close(p->scope, GR_ECANCELED);
}

static void on_down(void *arg, gr_value *why)
{
    struct gri_peer *p = arg;
    size_t untold;
    bool was_up;

    gri_timer_cancel(gri_sched_of(p->node->rt), &p->timer);
    gri_peer_known(p);
    gri_lock(&p->lock);
    was_up = p->state == GRI_PEER_UP;
    p->state = GRI_PEER_DOWN;
    untold =
        gri_lanes_count(&p->lanes, GRI_FRAME_TELL); /* calls fail, but nobody waits for these */
    gri_unlock(&p->lock);
    gri_peer_lose_tells(p, untold);
    why = lost_error(p, was_up, why);
    gri_lock(&p->lock);
    p->why = why;
    gri_peer_fire_locked(p);
    gri_unlock(&p->lock);
    if (!gri_peer_is_merged(p))
        gri_log_peer(gri_peer_gate(p), gri_now(p->node->rt), GRI_LOG_DEBUG, p->url, "%s",
                     gr_error_text(why));
    gri_node_lost(p->node, p, was_up || gri_peer_is_merged(p) ? NULL : why);
    end_calls(p);
    gri_ties_lost(p);
    gri_peer_unref(p); /* the link's */
}

static void on_up(void *arg)
{
    gri_greet_begin(arg);
}

static const struct gri_link_events events = {
    .up = on_up, .frame = on_frame, .room = on_room, .down = on_down
};

/* ---- beginning ------------------------------------------------------------------------------- */

static void late_run(struct gri_task *t)
{
    struct gri_peer *p = gri_container_of(t, struct gri_peer, late);

    bool late;

    gri_lock(&p->lock);
    late = p->state == GRI_PEER_CONNECTING; /* p's own: it may have been merged, and hang */
    gri_unlock(&p->lock);
    if (late)
        gri_peer_hang_up(p, gr_error(GR_EUNREACH, "it took more than %u ms to connect",
                                     (unsigned)(p->node->set.connect_ns / 1000000)));
    gri_peer_unref(p);
}

/* late_fire runs with the wheel's lock held; the peer is there, since it disarms its timer
 * first. */
static void late_fire(struct gri_timer *t)
{
    struct gri_peer *p = gri_container_of(t, struct gri_peer, timer);

    gri_peer_ref(p);
    gri_ready(gri_sched_of(p->node->rt), &p->late);
}

static void arm(struct gri_peer *p)
{
    gri_timer_start(gri_sched_of(p->node->rt), &p->timer,
                    gri_now(p->node->rt) + p->node->set.connect_ns);
}

struct gri_peer *gri_peer_new(struct gri_node *node, struct gri_target *target)
{
    struct gri_peer *p = gri_new0(struct gri_peer);

    if (p == NULL)
        return NULL;
    atomic_init(&p->refs, 2);
    p->node = node;
    p->target = target;
    p->url = target != NULL ? target->url : "a peer";
    p->serial = atomic_fetch_add_explicit(&node->serials, 1, memory_order_relaxed);
    p->calls_max = GRI_CALLS_MAX;
    p->greeting.features = gri_node_features(node, target != NULL ? target->url : "");
    p->late = (struct gri_task){ .run = late_run, .name = "peer" };
    gri_timer_init(&p->timer, late_fire);
    gri_peer_later_init(p);
    gri_map_init(&p->ours, gri_random(node->rt));
    gri_map_init(&p->theirs, gri_random(node->rt));
    gri_map_init(&p->routed, gri_random(node->rt));
    gri_list_init(&p->waiting);
    gri_lanes_init(&p->lanes);
    p->parts.texts = true;
    gri_list_init(&p->at_node);
    gri_list_init(&p->same);
    gri_list_init(&p->namesakes);
    atomic_fetch_add_explicit(&node->peers, 1, memory_order_relaxed);
    return p;
}

void gri_peer_dial(struct gri_peer *p)
{
    gr_value *err = NULL;

    arm(p);
    if (p->node->driver->dial(p->node->rt, p->url, &p->node->set.tls, &events, p, &p->link, &err) !=
        GR_OK)
        on_down(p, err);
}

/* Strangers have a bound of their own, so that they can't keep out who is known. */
void *gri_peer_accept(void *arg, struct gri_link *link, const struct gri_link_events **ret_ev)
{
    struct gri_door *door = arg;
    struct gri_node *node = door->node;
    struct gri_peer *p;

    if (atomic_load_explicit(&node->greetings, memory_order_relaxed) >= GRI_GREETINGS_MAX)
        return NULL;
    p = gri_peer_new(node, NULL);
    if (p == NULL)
        return NULL;
    atomic_fetch_add_explicit(&node->greetings, 1, memory_order_relaxed);
    p->greeting.counted = true;
    p->link = link;
    p->greeting.features = door->features;
    *ret_ev = &events;
    gri_lock(&node->lock);
    gri_list_push(&node->at_node, &p->at_node);
    gri_unlock(&node->lock);
    arm(p);
    gri_peer_unref(p); /* nobody but the link keeps it */
    return p;
}
