/* SPDX-License-Identifier: Apache-2.0 */
/* peer_send.c - what calls send over a link, and how they wait for room. See peer.c for the order of locks. */
#include "runtime/net/peer.h"

#include <string.h>

#include "runtime/base/log.h"
#include "runtime/net/lent.h"
#include "runtime/sched/sched.h"

#define LATER_NS (UINT64_C(5) * 1000000) /* for how long gri_peer_later waits */

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
    p = gri_peer_lock(p);
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

    p = gri_peer_lock(p);
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

    p = gri_peer_lock(p);
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
    p = gri_peer_lock(p);
    p->leaving = true;
    p->owed_ping = ping;
    gri_peer_pump_locked(p);
    gri_unlock(&p->lock);
}

gr_code gri_peer_send_or_wait(struct gri_peer *p, struct gri_strbuf *frame, uint64_t key,
                              struct gri_waiting *w)
{
    gr_code rc;

    p = gri_peer_lock(p);
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

    p = gri_peer_lock(p);
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
    p = gri_peer_lock(p);
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

/* ---- calls ----------------------------------------------------------------------------------- */

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

    p = gri_peer_lock(p);
    rc = gri_peer_enter_ours_locked(p, id, call);
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
