/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer.c - what calls do with a link: enter, leave, send, wait for room.
 *
 * Calls come and go from any thread: one that is over leaves its map before it drops its last
 * reference, so who finds it in there, under the lock, may take one. Lock order: two peers by their
 * serial, then the link, then nothing. A peer that has been merged into another one stands for that:
 * every function here goes on to it, which `into` leads to once and for good.
 */
#include "runtime/net/peer.h"

#include <string.h>

#include <greenroom/runtime.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/log.h"
#include "runtime/async/scope.h"
#include "runtime/net/lent.h"
#include "runtime/sched/sched.h"

#define LATER_NS (UINT64_C(5) * 1000000) /* for how long gri_peer_later waits */

/* ---- references ------------------------------------------------------------------------------ */

struct gri_peer *gri_peer_ref(struct gri_peer *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

static void peer_free(struct gri_peer *p)
{
    struct gri_node *node = p->node;

    gri_assert(p->ours.count == 0 && p->theirs.count == 0 && p->routed.count == 0);
    gri_lock(&node->lock);
    gri_list_remove(&p->at_node); /* first: who finds it there may look at its link */
    gri_unlock(&node->lock);
    if (p->link != NULL)
        p->link->driver->release(p->link);
    gri_scope_unref(p->scope);
    gri_map_fini(&p->ours);
    gri_map_fini(&p->theirs);
    gri_map_fini(&p->routed);
    gri_ties_fini(&p->ties);
    gri_lanes_fini(&p->lanes);
    gri_parts_fini(&p->parts);
    gri_strbuf_fini(&p->greeting.mine);
    gri_strbuf_fini(&p->greeting.theirs);
    gr_value_unref(p->why);
    gri_peer_unref(atomic_load_explicit(&p->into, memory_order_relaxed));
    gri_free(p);
    /* release: the node goes when it sees none. Waking uses its address, not its memory */
    if (atomic_fetch_sub_explicit(&node->peers, 1, memory_order_acq_rel) == 1)
        gri_futex_wake(&node->peers, 1);
}

void gri_peer_unref(struct gri_peer *p)
{
    if (p != NULL && atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
        peer_free(p);
}

/* ---- what a peer stands for ------------------------------------------------------------------ */

struct gri_peer *gri_peer_now(struct gri_peer *p)
{
    struct gri_peer *into;

    /* acquire: with the store in gri_peer_merge; what was moved there is there */
    while ((into = atomic_load_explicit(&p->into, memory_order_acquire)) != NULL)
        p = into;
    return p;
}

/* lock_now locks what p stands for, which may change until the lock is held. */
static struct gri_peer *lock_now(struct gri_peer *p)
{
    for (;;) {
        p = gri_peer_now(p);
        gri_lock(&p->lock);
        if (atomic_load_explicit(&p->into, memory_order_relaxed) == NULL)
            return p;
        gri_unlock(&p->lock);
    }
}

struct gri_peer *gri_peer_lock(struct gri_peer *p)
{
    return lock_now(p);
}

/* ---- sending --------------------------------------------------------------------------------- */

/* turn_locked sends the next turn of the lanes. */
static gr_code turn_locked(struct gri_peer *p, const struct gri_slice *slices, unsigned count)
{
    gr_code rc = p->link->driver->send(p->link, slices, count, &p->busy);

    if (rc == GR_OK)
        gri_lanes_sent(&p->lanes);
    return rc;
}

/* pay_locked answers a peer that leaves: all that was to be sent to it has been. */
static void pay_locked(struct gri_peer *p)
{
    struct gri_strbuf frame = GRI_STRBUF_INIT;
    struct gri_slice slice;
    gr_code rc = gri_frame_number(&frame, GRI_FRAME_PING, p->owed_ping, GRI_PING_ANSWER);

    p->owed_ping = 0;
    slice = (struct gri_slice){ frame.data, frame.len };
    if (rc == GR_OK)
        rc = p->link->driver->send(p->link, &slice, 1, &p->busy);
    gri_strbuf_fini(&frame);
    if (rc == GR_ENOMEM)
        gri_peer_hang_up(p, gr_error(rc, "out of memory while sending"));
}

void gri_peer_pump_locked(struct gri_peer *p)
{
    struct gri_slice slices[GRI_SLICES];
    gr_code rc = GR_OK;
    unsigned count;

    while (rc == GR_OK && p->state == GRI_PEER_UP && !p->busy &&
           (count = gri_lanes_next(&p->lanes, slices)) > 0)
        rc = turn_locked(p, slices, count);
    if (rc == GR_ENOMEM)
        gri_peer_hang_up(p, gr_error(rc, "out of memory while sending"));
    if (p->owed_ping != 0 && p->lanes.waiting == 0 && !p->busy)
        pay_locked(p);
    if (p->lanes.waiting <= GRI_LINK_QUEUE_MAX / 2)
        gri_peer_fire_locked(p);
}

/* is_full tells whether the lanes have no room for so much more. What is short has room besides a long
 * frame, which it will overtake. */
static gr_code is_full(struct gri_peer *p, size_t size, bool must)
{
    size_t waiting = p->lanes.waiting;
    size_t most = GRI_LINK_QUEUE_MAX + (size <= GRI_WHOLE_MAX ? GRI_FRAME_MAX : 0);

    if (!must && waiting > 0 && waiting + size > most)
        return GR_EFULL;
    if (waiting == 0 || waiting + size <= GRI_LINK_UNREAD_MAX)
        return GR_OK;
    gri_peer_hang_up(p, gr_error(GR_EUNREACH, "the peer does not read: %zu bytes wait", waiting));
    return GR_EUNREACH;
}

static void count_sent_locked(struct gri_peer *p, struct gri_frame_count n, bool back)
{
    struct gri_ledger *l = gri_sched_of(p->node->rt)->ledger;

    p->frames_out += back ? 0 - n.all : n.all;
    gri_count(l, GRI_COUNT_FRAMES_SENT, back ? 0 - n.all : n.all);
    if (n.values != 0)
        gri_count(l, GRI_COUNT_VALUES_SENT, back ? 0 - n.values : n.values);
}

static size_t size_of(const struct gri_strbuf *frame, const struct gri_frame_text *text)
{
    return frame->len + (text != NULL && text->v != NULL ? gr_len(text->v) : 0);
}

/* put_locked sends a frame, or some of one call: past the lanes if nothing waits there. */
static gr_code put_locked(struct gri_peer *p, struct gri_strbuf *frame,
                          const struct gri_frame_text *text, uint64_t key, bool must)
{
    struct gri_slice slice = { frame->data, frame->len };
    size_t size = size_of(frame, text);
    gr_code rc;

    if (p->state == GRI_PEER_DOWN)
        return GR_EUNREACH;
    if (p->state == GRI_PEER_UP && !p->busy && p->lanes.waiting == 0 &&
        size - GRI_FRAME_HEAD <= GRI_WHOLE_MAX)
        return p->link->driver->send(p->link, &slice, 1, &p->busy);
    rc = is_full(p, size, must);
    if (rc == GR_OK)
        rc = gri_lanes_put_text(&p->lanes, frame, text, key);
    if (rc == GR_OK && p->state == GRI_PEER_UP && !p->busy)
        gri_peer_pump_locked(p);
    return rc;
}

/* send_locked counts it before it is sent: who learns of what comes of it may read the counts. */
static gr_code send_text_locked(struct gri_peer *p, struct gri_strbuf *frame,
                                const struct gri_frame_text *text, uint64_t key, bool must)
{
    struct gri_frame_count n = gri_frame_count(frame);
    gr_code rc;

    count_sent_locked(p, n, false);
    rc = put_locked(p, frame, text, key, must);
    if (rc != GR_OK)
        count_sent_locked(p, n, true);
    return rc;
}

static gr_code send_locked(struct gri_peer *p, struct gri_strbuf *frame, uint64_t key, bool must)
{
    return send_text_locked(p, frame, NULL, key, must);
}

struct gri_log_gate *gri_peer_gate(struct gri_peer *p)
{
    return p->target != NULL ? &p->target->gate : &p->node->gate;
}

bool gri_peer_is_up(struct gri_peer *p)
{
    bool up;

    gri_lock(&p->lock);
    up = p->state == GRI_PEER_UP;
    gri_unlock(&p->lock);
    return up;
}

void gri_peer_hang_up(struct gri_peer *p, gr_value *why)
{
    if (p->link != NULL)
        p->link->driver->close(p->link, why);
    else
        gr_value_unref(why);
}

void gri_peer_wrong(struct gri_peer *p, gr_value *why)
{
    gri_peer_hang_up(gri_peer_now(p), why);
}

/* unlock_sent is for who has sent something: what has gathered may go out now. */
static void unlock_sent(struct gri_peer *p)
{
    const struct gri_net_driver *driver = p->state == GRI_PEER_UP ? p->link->driver : NULL;

    gri_unlock(&p->lock);
    if (driver != NULL && driver->flush != NULL)
        driver->flush(p->link);
}

static void send_text(struct gri_peer *p, struct gri_strbuf *frame,
                      const struct gri_frame_text *text, uint64_t key, gr_code rc)
{
    p = lock_now(p);
    if (rc == GR_OK)
        rc = send_text_locked(p, frame, text, key, true);
    unlock_sent(p);
    gri_strbuf_fini(frame);
    if (rc == GR_ENOMEM)
        gri_peer_wrong(p, gr_error(GR_ENOMEM, "out of memory while sending"));
}

void gri_peer_send(struct gri_peer *p, struct gri_strbuf *frame, uint64_t key, gr_code rc)
{
    send_text(p, frame, NULL, key, rc);
}

void gri_peer_send_locked(struct gri_peer *p, struct gri_strbuf *frame, uint64_t key)
{
    if (send_locked(p, frame, key, true) == GR_ENOMEM)
        gri_peer_hang_up(p, gr_error(GR_ENOMEM, "out of memory while sending"));
}

void gri_peer_value(struct gri_peer *p, enum gri_frame_type type, uint64_t id, const gr_value *v)
{
    bool ours = type == GRI_FRAME_INPUT_CHUNK || type == GRI_FRAME_INPUT_END;
    struct gri_ref_map refs = { gri_lend, p };
    struct gri_strbuf frame = GRI_STRBUF_INIT;
    struct gri_frame_text text;
    gr_code rc = gri_frame_value_text(&frame, type, id, v, &refs, &text);

    if (rc != GR_OK) { /* an answer that doesn't fit is answered by why */
        gr_value *err = gri_wire_unfit(rc, "the answer");

        rc = gri_frame_value(&frame, type, id, err, NULL);
        gr_value_unref(err);
        text.v = NULL;
    }
    send_text(p, &frame, &text, gri_peer_key(ours, id), rc == GR_OK ? GR_OK : GR_ENOMEM);
}

void gri_peer_number(struct gri_peer *p, enum gri_frame_type type, uint64_t id, uint64_t number)
{
    struct gri_strbuf frame = GRI_STRBUF_INIT;
    gr_code rc = gri_frame_number(&frame, type, id, number);

    /* a cancel must not overtake its call; credit may overtake anything */
    gri_peer_send(p, &frame, type == GRI_FRAME_CANCEL ? gri_peer_key(true, id) : 0, rc);
}

/* later_run sends what still waits. The reference is the timer's. */
static void later_run(struct gri_task *t)
{
    struct gri_peer *p = gri_container_of(t, struct gri_peer, later_task);

    gri_lock(&p->lock);
    p->later_armed = false;
    gri_peer_pump_locked(p);
    unlock_sent(p);
    gri_peer_unref(p);
}

/* later_fire runs with the wheel's lock held. */
static void later_fire(struct gri_timer *t)
{
    struct gri_peer *p = gri_container_of(t, struct gri_peer, later);

    gri_ready(gri_sched_of(p->node->rt), &p->later_task);
}

void gri_peer_later_init(struct gri_peer *p)
{
    gri_timer_init(&p->later, later_fire);
    p->later_task = (struct gri_task){ .run = later_run, .name = "later" };
}

/* put_later_locked leaves the frame in the lanes: whatever is sent next takes it along, else the timer does. */
static gr_code put_later_locked(struct gri_peer *p, struct gri_strbuf *frame)
{
    gr_code rc = is_full(p, frame->len, true);

    if (rc == GR_OK)
        rc = gri_lanes_put(&p->lanes, frame, 0);
    if (rc != GR_OK || p->state != GRI_PEER_UP || p->busy || p->later_armed)
        return rc; /* it goes with what is under way */
    p->later_armed = true;
    gri_timer_start(gri_sched_of(p->node->rt), &gri_peer_ref(p)->later,
                    gri_now(p->node->rt) + LATER_NS);
    return rc;
}

void gri_peer_later(struct gri_peer *p, enum gri_frame_type type, uint64_t id, uint64_t number)
{
    struct gri_strbuf frame = GRI_STRBUF_INIT;
    gr_code rc = gri_frame_number(&frame, type, id, number);

    p = lock_now(p);
    if (rc == GR_OK && p->state != GRI_PEER_DOWN) {
        count_sent_locked(p, gri_frame_count(&frame), false);
        rc = put_later_locked(p, &frame);
    }
    gri_unlock(&p->lock);
    gri_strbuf_fini(&frame);
    if (rc == GR_ENOMEM)
        gri_peer_wrong(p, gr_error(GR_ENOMEM, "out of memory while sending"));
}

void gri_peer_ask(struct gri_peer *p)
{
    struct gri_strbuf frame = GRI_STRBUF_INIT;
    uint64_t ping = gri_peer_fresh_id(p);
    gr_code rc = gri_frame_number(&frame, GRI_FRAME_PING, ping, GRI_PING_LAST);

    p = lock_now(p);
    if (rc == GR_OK && p->state == GRI_PEER_UP && p->lanes.waiting == 0) {
        /* before it is sent: the answer may be quick */
        atomic_store_explicit(&p->settling_ping, ping, memory_order_relaxed);
        atomic_store_explicit(&p->settling, GRI_SETTLING_ASKED, memory_order_relaxed);
        rc = send_locked(p, &frame, 0, true);
        if (rc != GR_OK)
            atomic_store_explicit(&p->settling, GRI_SETTLING_NONE, memory_order_relaxed);
    }
    gri_unlock(&p->lock);
    gri_strbuf_fini(&frame);
}

void gri_peer_answered(struct gri_peer *p, uint64_t ping)
{
    uint32_t asked = GRI_SETTLING_ASKED;

    if (ping == atomic_load_explicit(&p->settling_ping, memory_order_relaxed))
        (void)atomic_compare_exchange_strong_explicit(&p->settling, &asked, GRI_SETTLING_DONE,
                                                      memory_order_relaxed, memory_order_relaxed);
}

void gri_peer_ask_again(struct gri_peer *p)
{
    p = gri_peer_now(p);
    atomic_store_explicit(&p->settling, GRI_SETTLING_NONE, memory_order_relaxed);
}

void gri_peer_leaves(struct gri_peer *p, uint64_t ping)
{
    p = lock_now(p);
    p->leaving = true;
    p->owed_ping = ping;
    gri_peer_pump_locked(p);
    gri_unlock(&p->lock);
}

gr_code gri_peer_send_or_wait(struct gri_peer *p, struct gri_strbuf *frame, uint64_t key,
                              struct gri_waiting *w)
{
    gr_code rc;

    p = lock_now(p);
    gri_list_remove(&w->node); /* who tries again, for credit that came, may be waiting already */
    rc = send_locked(p, frame, key, false);
    if (rc == GR_EFULL)
        gri_list_push(&p->waiting, &w->node);
    unlock_sent(p);
    if (rc == GR_ENOMEM)
        gri_peer_wrong(p, gr_error(GR_ENOMEM, "out of memory while sending"));
    return rc;
}

void gri_peer_lose_tells(struct gri_peer *p, size_t count)
{
    gri_count(gri_sched_of(p->node->rt)->ledger, GRI_COUNT_DEAD_LETTERS, count);
}

uint64_t gri_peer_target_key(const char *name, gr_ref to)
{
    uint64_t hash = to.id != 0 ? gri_hash_bytes(&to.id, sizeof(to.id), 0)
                               : gri_hash_bytes(name, strlen(name), 0);

    return hash | 3; /* no call's key ends in 3 */
}

void gri_peer_tell(struct gri_peer *p, struct gri_strbuf *frame, uint64_t key)
{
    gr_code rc;

    p = lock_now(p);
    rc = send_locked(p, frame, key, false);
    unlock_sent(p);
    if (rc == GR_OK)
        return;
    gri_peer_lose_tells(p, 1);
    gri_log_peer(gri_peer_gate(p), gri_now(p->node->rt), GRI_LOG_DEBUG, p->url,
                 "a message to %s was dropped: %s", p->url, gr_code_name(rc));
}

void gri_peer_unwait(struct gri_peer *p, struct gri_waiting *w)
{
    p = lock_now(p);
    gri_list_remove(&w->node);
    gri_unlock(&p->lock);
}

void gri_peer_fire_locked(struct gri_peer *p)
{
    struct gri_list *n;

    while ((n = gri_list_pop(&p->waiting)) != NULL) {
        struct gri_waiting *w = gri_container_of(n, struct gri_waiting, node);

        w->fire(w);
    }
}

/* ---- credit ---------------------------------------------------------------------------------- */

uint32_t gri_peer_reserve(struct gri_peer *p, uint32_t wanted, uint32_t least)
{
    uint64_t most = p->node->set.link_bytes, share;
    uint32_t window = wanted;

    p = lock_now(p);
    share = p->reserved < most ? (most - p->reserved) / GRI_WINDOW_SHARE : 0;
    if (window > share)
        window = (uint32_t)share;
    if (window < least)
        window = least;
    if (p->reserved + window > 2 * most)
        window = 0;
    p->reserved += window;
    gri_unlock(&p->lock);
    return window;
}

void gri_peer_release(struct gri_peer *p, uint32_t window)
{
    p = lock_now(p);
    p->reserved -= window;
    gri_unlock(&p->lock);
}

/* ---- calls ----------------------------------------------------------------------------------- */

uint64_t gri_peer_fresh_id(struct gri_peer *p)
{
    return atomic_fetch_add_explicit(&p->node->calls, 1, memory_order_relaxed) + 1;
}

static gr_code enter_locked(struct gri_peer *p, uint64_t id, struct gri_ours *call)
{
    if (p->state == GRI_PEER_DOWN || p->leaving)
        return GR_EUNREACH;
    if (p->ours.count >= p->calls_max)
        return GR_EFULL;
    return gri_map_put(&p->ours, id, call) ? GR_OK : GR_ENOMEM;
}

gr_code gri_peer_enter_ours(struct gri_peer *p, uint64_t id, struct gri_ours *call)
{
    gr_code rc;

    p = lock_now(p);
    rc = enter_locked(p, id, call);
    gri_unlock(&p->lock);
    return rc;
}

gr_code gri_peer_begin(struct gri_peer *p, uint64_t id, struct gri_ours *call,
                       struct gri_strbuf *invoke, gr_value **reterr)
{
    return gri_peer_begin_text(p, id, call, invoke, NULL, reterr);
}

gr_code gri_peer_begin_text(struct gri_peer *p, uint64_t id, struct gri_ours *call,
                            struct gri_strbuf *invoke, const struct gri_frame_text *text,
                            gr_value **reterr)
{
    gr_value *err = NULL;
    gr_code rc;

    p = lock_now(p);
    rc = enter_locked(p, id, call);
    if (rc == GR_EUNREACH)
        err = p->state == GRI_PEER_DOWN
                  ? gr_value_ref(p->why)
                  : gr_error(rc, "%s is about to end, and takes no more calls", p->url);
    if (rc == GR_OK) {
        rc = send_text_locked(p, invoke, text, gri_peer_key(true, id), false);
        if (rc != GR_OK)
            gri_map_del(&p->ours, id);
    }
    unlock_sent(p);
    if (rc == GR_EFULL)
        err = gr_error(rc, "too much is under way to %s: %u calls, or %u bytes to send", p->url,
                       GRI_CALLS_MAX, GRI_LINK_QUEUE_MAX);
    else if (rc != GR_OK && err == NULL)
        err = gr_error(rc, rc == GR_ENOMEM ? "out of memory calling %s" : "link to %s was lost",
                       p->url);
    if (rc == GR_EUNREACH) /* so it may be sent elsewhere */
        err = gr_error_with(err, "kind", gr_str("NotSent"));
    if (rc != GR_OK)
        *reterr = err;
    return rc;
}

bool gri_peer_has_ours(struct gri_peer *p, uint64_t id)
{
    bool has;

    p = lock_now(p);
    has = gri_map_get(&p->ours, id) != NULL;
    gri_unlock(&p->lock);
    return has;
}

bool gri_peer_forget_ours(struct gri_peer *p, uint64_t id)
{
    bool was;

    p = lock_now(p);
    was = gri_map_del(&p->ours, id) != NULL;
    gri_unlock(&p->lock);
    return was;
}

static struct gri_map *calls_of(struct gri_peer *p, bool routed)
{
    return routed ? &p->routed : &p->theirs;
}

bool gri_peer_forget_theirs(struct gri_peer *p, uint64_t id, size_t bytes, bool routed)
{
    bool was;

    p = lock_now(p);
    was = gri_map_del(calls_of(p, routed), id) != NULL;
    p->held -= was ? bytes : 0;
    gri_unlock(&p->lock);
    return was;
}

gr_code gri_peer_enter_theirs(struct gri_peer *p, uint64_t id, struct gri_in_call *call,
                              size_t bytes, bool routed)
{
    struct gri_map *calls;
    gr_code rc = GR_OK;

    p = lock_now(p);
    calls = calls_of(p, routed);
    if (routed && p->state == GRI_PEER_DOWN)
        rc = GR_EUNREACH;
    else if (gri_map_get(calls, id) != NULL)
        rc = GR_EPROTO;
    else if (calls->count >= GRI_CALLS_MAX || p->held + bytes > p->node->set.args_bytes)
        rc = GR_EFULL;
    else if (!gri_map_put(calls, id, call))
        rc = GR_ENOMEM;
    p->held += rc == GR_OK ? bytes : 0;
    gri_unlock(&p->lock);
    return rc;
}

struct gr_scope *gri_peer_scope(struct gri_peer *p)
{
    struct gr_scope *fresh, *scope = atomic_load_explicit(&p->scope, memory_order_acquire);

    if (scope != NULL)
        return scope;
    fresh = gr_scope_new(gr_root(p->node->rt));
    gri_lock(&p->lock);
    scope = atomic_load_explicit(&p->scope, memory_order_relaxed);
    if (scope == NULL && fresh != NULL && p->state != GRI_PEER_DOWN) { /* else nobody closes it */
        atomic_store_explicit(&p->scope, fresh, memory_order_release);
        scope = fresh;
        fresh = NULL;
    }
    gri_unlock(&p->lock);
    if (fresh != NULL) {
        gri_scope_close(fresh, GR_ECANCELED);
        gri_scope_unref(fresh);
    }
    return scope;
}

bool gri_peer_await(struct gri_peer *p, struct gri_waiting *w)
{
    bool waits;

    p = lock_now(p);
    gri_list_remove(&w->node);
    waits = p->state == GRI_PEER_CONNECTING;
    if (waits)
        gri_list_push(&p->waiting, &w->node);
    gri_unlock(&p->lock);
    return waits;
}

enum gri_peer_state gri_peer_state_now(struct gri_peer *p)
{
    enum gri_peer_state state;

    p = lock_now(p);
    state = p->state;
    gri_unlock(&p->lock);
    return state;
}

/* ---- merging --------------------------------------------------------------------------------- */

/* take_over moves the calls of `from` to p, all or none. Both are locked. */
static bool take_over(struct gri_peer *p, struct gri_peer *from)
{
    const struct gri_map_slot *slot;
    size_t at = 0;
    gr_code rc = GR_OK;

    while (rc == GR_OK && (slot = gri_map_next(&from->ours, &at)) != NULL)
        rc = gri_map_put(&p->ours, slot->key, slot->value) ? GR_OK : GR_ENOMEM;
    if (rc == GR_OK)
        rc = gri_ties_move_locked(p, from) ? gri_lanes_move(&p->lanes, &from->lanes) : GR_ENOMEM;
    at = 0;
    while (rc != GR_OK && (slot = gri_map_next(&from->ours, &at)) != NULL)
        gri_map_del(&p->ours, slot->key);
    gri_ties_moved_locked(p, from, rc == GR_OK);
    return rc == GR_OK;
}

bool gri_peer_merge(struct gri_peer *p, struct gri_peer *into)
{
    struct gri_peer *first = p->serial < into->serial ? p : into;
    struct gri_peer *second = first == p ? into : p;
    bool done;

    gri_lock(&first->lock);
    gri_lock(&second->lock);
    done = p->state == GRI_PEER_CONNECTING && into->state != GRI_PEER_DOWN &&
           atomic_load_explicit(&into->into, memory_order_relaxed) == NULL && take_over(into, p);
    if (done) {
        into->reserved += p->reserved;
        into->frames_out += p->frames_out;
        gri_map_fini(&p->ours);
        gri_map_init(&p->ours, 0);
        gri_peer_pump_locked(into);
        /* release: see gri_peer_now */
        atomic_store_explicit(&p->into, gri_peer_ref(into), memory_order_release);
        gri_peer_fire_locked(p); /* who waited tries again, and comes to the other */
    }
    gri_unlock(&second->lock);
    gri_unlock(&first->lock);
    return done;
}

bool gri_peer_is_merged(struct gri_peer *p)
{
    return atomic_load_explicit(&p->into, memory_order_acquire) != NULL;
}
