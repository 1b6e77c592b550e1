/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer.c - one link's life, and which frame goes to which call.
 *
 * The link's events come one at a time, so what only they touch (scope) needs no lock.
 * Calls come and go from any thread: one that is over leaves its map before it drops its last
 * reference, so who finds it in there, under the lock, may take one. Lock order: peer, then link,
 * then nothing.
 */
#include "runtime/net/peer.h"

#include <limits.h>

#include <greenroom/codec.h>

#include "runtime/actor/call.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/log.h"
#include "runtime/net/in_call.h"
#include "runtime/net/out_call.h"

/* ---- references ------------------------------------------------------------------------------ */

struct gri_peer *gri_peer_ref(struct gri_peer *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

static void peer_free(struct gri_peer *p)
{
    struct gri_node *node = p->node;

    gri_assert(p->ours.count == 0 && p->theirs.count == 0);
    gri_lock(&node->lock);
    gri_list_remove(&p->at_node); /* first: who finds it there may look at its link */
    gri_unlock(&node->lock);
    if (p->link != NULL)
        p->link->driver->release(p->link);
    gri_scope_unref(p->scope);
    gri_map_fini(&p->ours);
    gri_map_fini(&p->theirs);
    gri_strbuf_fini(&p->early);
    gr_value_unref(p->why);
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

/* ---- sending --------------------------------------------------------------------------------- */

/* send_locked sends, or keeps for after the hello. */
static gr_code send_locked(struct gri_peer *p, const struct gri_strbuf *frames, bool must)
{
    if (p->state == GRI_PEER_DOWN)
        return GR_EUNREACH;
    if (p->state == GRI_PEER_UP)
        return p->link->driver->send(p->link, frames->data, frames->len, must);
    if (!must && p->early.len > 0 && p->early.len + frames->len > GRI_LINK_QUEUE_MAX)
        return GR_EFULL;
    gri_strbuf_add(&p->early, frames->data, frames->len);
    if (!p->early.failed)
        return GR_OK;
    p->early.failed = false;
    return GR_ENOMEM;
}

/* gate_of: peers that dial us have no name that they can't change, so they share one. */
static struct gri_log_gate *gate_of(struct gri_peer *p)
{
    return p->target != NULL ? &p->target->gate : &p->node->gate;
}

void gri_peer_wrong(struct gri_peer *p, gr_value *why)
{
    if (p->link != NULL)
        p->link->driver->close(p->link, why);
    else
        gr_value_unref(why);
}

gr_code gri_peer_send(struct gri_peer *p, const struct gri_strbuf *frames)
{
    gr_code rc;

    gri_lock(&p->lock);
    rc = send_locked(p, frames, true);
    gri_unlock(&p->lock);
    if (rc == GR_ENOMEM)
        gri_peer_wrong(p, gr_error(GR_ENOMEM, "out of memory while sending"));
    return rc;
}

void gri_peer_value(struct gri_peer *p, enum gri_frame_type type, uint64_t id, const gr_value *v)
{
    struct gri_strbuf frame = GRI_STRBUF_INIT;
    gr_code rc = gri_frame_value(&frame, type, id, v, NULL);

    if (rc != GR_OK) { /* an answer that doesn't fit is answered by why */
        gr_value *err = gri_wire_unfit(rc, "the answer");

        rc = gri_frame_value(&frame, type, id, err, NULL);
        gr_value_unref(err);
    }
    if (rc == GR_OK)
        gri_peer_send(p, &frame);
    else
        gri_peer_wrong(p, gr_error(GR_ENOMEM, "out of memory while sending"));
    gri_strbuf_fini(&frame);
}

void gri_peer_number(struct gri_peer *p, enum gri_frame_type type, uint64_t id, uint64_t number)
{
    struct gri_strbuf frame = GRI_STRBUF_INIT;

    if (gri_frame_number(&frame, type, id, number) == GR_OK)
        gri_peer_send(p, &frame);
    else
        gri_peer_wrong(p, gr_error(GR_ENOMEM, "out of memory while sending"));
    gri_strbuf_fini(&frame);
}

gr_code gri_peer_send_or_wait(struct gri_peer *p, const struct gri_strbuf *frame,
                              struct gri_waiting *w)
{
    gr_code rc;

    gri_lock(&p->lock);
    rc = send_locked(p, frame, false);
    gri_list_remove(&w->node); /* who tries again, for credit that came, may be waiting already */
    if (rc == GR_EFULL)
        gri_list_push(&p->waiting, &w->node);
    gri_unlock(&p->lock);
    if (rc == GR_ENOMEM)
        gri_peer_wrong(p, gr_error(GR_ENOMEM, "out of memory while sending"));
    return rc;
}

void gri_peer_tell(struct gri_peer *p, const struct gri_strbuf *frame)
{
    gr_code rc;

    gri_lock(&p->lock);
    rc = send_locked(p, frame, false);
    gri_unlock(&p->lock);
    if (rc != GR_OK)
        gri_log_gated(gate_of(p), gri_now(p->node->rt), GRI_LOG_DEBUG,
                      "a message to %s was dropped: %s", p->url, gr_code_name(rc));
}

void gri_peer_unwait(struct gri_peer *p, struct gri_waiting *w)
{
    gri_lock(&p->lock);
    gri_list_remove(&w->node);
    gri_unlock(&p->lock);
}

static void fire_waiting_locked(struct gri_peer *p)
{
    struct gri_list *n;

    while ((n = gri_list_pop(&p->waiting)) != NULL) {
        struct gri_waiting *w = gri_container_of(n, struct gri_waiting, node);

        w->fire(w);
    }
}

/* ---- calls ----------------------------------------------------------------------------------- */

uint64_t gri_peer_fresh_id(struct gri_peer *p)
{
    uint64_t n = atomic_fetch_add_explicit(&p->node->calls, 1, memory_order_relaxed) + 1;

    return n * 2 + (p->target != NULL ? 1 : 0);
}

/* is_ours tells by an id whose call it is. */
static bool is_ours(const struct gri_peer *p, uint64_t id)
{
    return (id % 2 == 1) == (p->target != NULL);
}

gr_code gri_peer_begin(struct gri_peer *p, uint64_t id, struct gri_out_call *call,
                       const struct gri_strbuf *invoke, gr_value **reterr)
{
    gr_code rc = GR_OK;
    gr_value *err = NULL;

    gri_lock(&p->lock);
    if (p->state == GRI_PEER_DOWN) {
        err = gr_value_ref(p->why);
        rc = GR_EUNREACH;
    } else if (p->ours.count >= GRI_CALLS_MAX) {
        rc = GR_EFULL;
    } else if (!gri_map_put(&p->ours, id, call)) {
        rc = GR_ENOMEM;
    } else {
        rc = send_locked(p, invoke, false);
        if (rc != GR_OK)
            gri_map_del(&p->ours, id);
    }
    gri_unlock(&p->lock);
    if (rc == GR_EFULL)
        err = gr_error(rc, "too much is under way to %s: %u calls, or %u bytes to send", p->url,
                       GRI_CALLS_MAX, GRI_LINK_QUEUE_MAX);
    else if (rc != GR_OK && err == NULL)
        err = gr_error(rc, rc == GR_ENOMEM ? "out of memory calling %s" : "link to %s was lost",
                       p->url);
    if (rc != GR_OK)
        *reterr = err;
    return rc;
}

bool gri_peer_has_ours(struct gri_peer *p, uint64_t id)
{
    bool has;

    gri_lock(&p->lock);
    has = gri_map_get(&p->ours, id) != NULL;
    gri_unlock(&p->lock);
    return has;
}

static bool forget(struct gri_peer *p, struct gri_map *calls, uint64_t id)
{
    bool was;

    gri_lock(&p->lock);
    was = gri_map_del(calls, id) != NULL;
    gri_unlock(&p->lock);
    return was;
}

bool gri_peer_forget_ours(struct gri_peer *p, uint64_t id)
{
    return forget(p, &p->ours, id);
}

bool gri_peer_forget_theirs(struct gri_peer *p, uint64_t id)
{
    return forget(p, &p->theirs, id);
}

gr_code gri_peer_enter_theirs(struct gri_peer *p, uint64_t id, struct gri_in_call *call)
{
    gr_code rc = GR_OK;

    gri_lock(&p->lock);
    if (is_ours(p, id) || gri_map_get(&p->theirs, id) != NULL)
        rc = GR_EPROTO;
    else if (p->theirs.count >= GRI_CALLS_MAX)
        rc = GR_EFULL;
    else if (!gri_map_put(&p->theirs, id, call))
        rc = GR_ENOMEM;
    gri_unlock(&p->lock);
    return rc;
}

enum gri_peer_state gri_peer_state_now(struct gri_peer *p)
{
    enum gri_peer_state state;

    gri_lock(&p->lock);
    state = p->state;
    gri_unlock(&p->lock);
    return state;
}

/* ---- events ---------------------------------------------------------------------------------- */

static void on_up(void *arg)
{
    struct gri_peer *p = arg;
    struct gri_strbuf frame = GRI_STRBUF_INIT;
    struct gri_hello hello = { .version_min = GRI_WIRE_VERSION,
                               .version_max = GRI_WIRE_VERSION,
                               .node = p->node->id,
                               .incarnation = p->node->incarnation,
                               .frame_max = GRI_FRAME_MAX,
                               .calls_max = GRI_CALLS_MAX,
                               .target = p->target != NULL ? p->target->number : 0,
                               .attempt = p->attempt };

    if (gri_frame_hello(&frame, &hello) != GR_OK ||
        p->link->driver->send(p->link, frame.data, frame.len, true) == GR_ENOMEM)
        gri_peer_wrong(p, gr_error(GR_ENOMEM, "out of memory while saying hello"));
    gri_strbuf_fini(&frame);
}

/* on_hello accepts the peer or not. What was gathered goes before anything that comes now. */
static void on_hello(struct gri_peer *p, const struct gri_frame *f)
{
    gr_code rc = GR_OK;

    if (f->type != GRI_FRAME_HELLO) {
        gri_peer_wrong(p, gr_error(GR_EPROTO, "the peer did not say hello"));
        return;
    }
    if (f->hello.version_min > GRI_WIRE_VERSION || f->hello.version_max < GRI_WIRE_VERSION) {
        gri_peer_wrong(p, gr_error(GR_EPROTO,
                                   "the peer speaks versions %u to %u of the protocol, "
                                   "this library %u",
                                   f->hello.version_min, f->hello.version_max, GRI_WIRE_VERSION));
        return;
    }
    if (!gri_node_greeted(p->node, p, &f->hello)) {
        gri_peer_wrong(p, gr_error(GR_EUNREACH, "a later link has taken its place"));
        return;
    }
    gri_timer_cancel(gri_sched_of(p->node->rt), &p->timer);
    p->link->driver->limit(p->link, GRI_FRAME_MAX);
    gri_lock(&p->lock);
    if (p->early.len > 0)
        rc = p->link->driver->send(p->link, p->early.data, p->early.len, true);
    gri_strbuf_fini(&p->early);
    p->state = GRI_PEER_UP;
    fire_waiting_locked(p);
    gri_unlock(&p->lock);
    if (rc == GR_ENOMEM)
        gri_peer_wrong(p, gr_error(GR_ENOMEM, "out of memory while sending"));
}

/* to_ours hands a frame to a call of ours. A call that is over already is no mistake. */
static void to_ours(struct gri_peer *p, const struct gri_frame *f)
{
    struct gri_out_call *call;

    gri_lock(&p->lock);
    call = gri_map_get(&p->ours, f->id);
    if (call != NULL)
        gri_out_call_ref(call);
    gri_unlock(&p->lock);
    if (call == NULL)
        return;
    gri_out_call_frame(call, f);
    gri_out_call_unref(call);
}

static void to_theirs(struct gri_peer *p, const struct gri_frame *f)
{
    struct gri_in_call *call;

    gri_lock(&p->lock);
    call = gri_map_get(&p->theirs, f->id);
    if (call != NULL)
        gri_in_call_ref(call);
    gri_unlock(&p->lock);
    if (call == NULL)
        return;
    gri_in_call_frame(call, f);
    gri_in_call_unref(call);
}

/* on_tell: a message has no answer, so what goes wrong is only logged. */
static void on_tell(struct gri_peer *p, const struct gri_frame *f)
{
    gr_value *msg = gr_msgpack_decode(f->value, f->value_size, NULL);
    bool is_ext = f->value_size > 0 && f->value[0] >= 0xc7 && f->value[0] <= 0xd8;
    gr_code rc;

    /* An error that is no extension is the decoder's word, not the message. Then the link ends, so
     * that the loss shows. */
    if (gr_value_type(msg) == GR_ERROR && (!is_ext || gr_error_code(msg) == GR_EPROTO)) {
        gri_peer_wrong(p, msg);
        return;
    }
    rc = gr_tell(p->node->rt, gri_node_find(p->node, f->name), msg);
    if (rc != GR_OK)
        gri_log_gated(gate_of(p), gri_now(p->node->rt), GRI_LOG_DEBUG,
                      "a message for '%s' was dropped: %s", f->name, gr_code_name(rc));
}

/* ---- a later link takes the place ------------------------------------------------------------ */

enum { HANDLING = 1, REPLACED = 2 };

static bool ref_living(struct gri_peer *p)
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
        !ref_living(p)) /* on its way out: the last frame has been handled */
        return false;
    gri_peer_wrong(p, gr_error(GR_EUNREACH, "a later link has taken its place"));
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

static void handle_frame(struct gri_peer *p, const void *body, size_t size)
{
    struct gri_frame f;
    gr_value *err = NULL;

    if (gri_frame_parse(body, size, &f, &err) != GR_OK) {
        gri_peer_wrong(p, err);
        return;
    }
    if (gri_peer_state_now(p) == GRI_PEER_CONNECTING) {
        on_hello(p, &f);
        return;
    }
    switch (f.type) {
    case GRI_FRAME_HELLO: gri_peer_wrong(p, gr_error(GR_EPROTO, "a second hello")); break;
    case GRI_FRAME_INVOKE: gri_in_call_start(p, &f); break;
    case GRI_FRAME_TELL: on_tell(p, &f); break;
    case GRI_FRAME_PING:
        if (f.number == 1)
            gri_peer_number(p, GRI_FRAME_PING, f.id, 0);
        break;
    case GRI_FRAME_REPLY:
    case GRI_FRAME_CHUNK:
    case GRI_FRAME_CREDIT:
    case GRI_FRAME_END:
    case GRI_FRAME_CANCEL:
        if (is_ours(p, f.id))
            to_ours(p, &f);
        else
            to_theirs(p, &f);
        break;
    default: break; /* GRI_FRAME_NONE: may be ignored */
    }
}

static void on_frame(void *arg, const void *body, size_t size)
{
    struct gri_peer *p = arg;

    if (!begin_frame(p))
        return;
    handle_frame(p, body, size);
    end_frame(p);
}

static void on_room(void *arg)
{
    struct gri_peer *p = arg;

    gri_lock(&p->lock);
    fire_waiting_locked(p);
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
    else
        err = gr_error(code, "no link to %s: %s", p->url, text);
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

static void end_calls(struct gri_peer *p)
{
    void *call;
    size_t at = 0;

    while ((call = pop(p, &p->ours, &at, gri_out_call_ref)) != NULL) {
        gri_out_call_lost(call, gr_value_ref(p->why));
        gri_out_call_unref(call);
    }
    at = 0;
    while ((call = pop(p, &p->theirs, &at, gri_in_call_ref)) != NULL) {
        gri_in_call_cancel(call);
        gri_in_call_unref(call);
    }
    if (p->scope != NULL)
        gri_scope_close(p->scope, GR_ECANCELED);
}

static void on_down(void *arg, gr_value *why)
{
    struct gri_peer *p = arg;
    bool was_up;

    gri_timer_cancel(gri_sched_of(p->node->rt), &p->timer);
    gri_lock(&p->lock);
    was_up = p->state == GRI_PEER_UP;
    p->state = GRI_PEER_DOWN;
    gri_unlock(&p->lock);
    why = lost_error(p, was_up, why);
    gri_lock(&p->lock);
    p->why = why;
    fire_waiting_locked(p);
    gri_unlock(&p->lock);
    gri_log_gated(gate_of(p), gri_now(p->node->rt), GRI_LOG_DEBUG, "%s", gr_error_text(why));
    if (p->target != NULL)
        gri_node_lost(p->node, p->target, p, was_up ? NULL : why);
    end_calls(p);
    gri_peer_unref(p); /* the link's */
}

static const struct gri_link_events events = {
    .up = on_up, .frame = on_frame, .room = on_room, .down = on_down
};

/* ---- beginning ------------------------------------------------------------------------------- */

static void late_run(struct gri_task *t)
{
    struct gri_peer *p = gri_container_of(t, struct gri_peer, late);

    if (gri_peer_state_now(p) == GRI_PEER_CONNECTING)
        gri_peer_wrong(p, gr_error(GR_EUNREACH, "it took more than %u s to connect",
                                   (unsigned)(GRI_CONNECT_NS / 1000000000)));
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
    gri_timer_start(gri_sched_of(p->node->rt), &p->timer, gri_now(p->node->rt) + GRI_CONNECT_NS);
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
    p->late = (struct gri_task){ .run = late_run, .name = "peer" };
    gri_timer_init(&p->timer, late_fire);
    gri_map_init(&p->ours, gri_random(node->rt));
    gri_map_init(&p->theirs, gri_random(node->rt));
    gri_list_init(&p->waiting);
    gri_list_init(&p->at_node);
    atomic_fetch_add_explicit(&node->peers, 1, memory_order_relaxed);
    return p;
}

void gri_peer_dial(struct gri_peer *p)
{
    gr_value *err = NULL;

    arm(p);
    if (p->node->driver->dial(p->node->rt, p->url, &events, p, &p->link, &err) != GR_OK)
        on_down(p, err);
}

void *gri_peer_accept(void *arg, struct gri_link *link, const struct gri_link_events **ret_ev)
{
    struct gri_node *node = arg;
    struct gri_peer *p = gri_peer_new(node, NULL);

    if (p == NULL)
        return NULL;
    p->link = link;
    *ret_ev = &events;
    gri_lock(&node->lock);
    gri_list_push(&node->at_node, &p->at_node);
    gri_unlock(&node->lock);
    arm(p);
    gri_peer_unref(p); /* nobody but the link keeps it */
    return p;
}
