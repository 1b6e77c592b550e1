/* SPDX-License-Identifier: Apache-2.0 */
/* flow_in.c - chunks out of frames into a stream. See flow_turn.c for the order of locks, and how a flow ends. */
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/net/flow_turn.h"
#include "runtime/net/lent.h"
#include "runtime/net/run_frames.h"

#define EVENTS_A_TURN 64  /* that handlers are told of before others get the worker */
#define CHUNKS_FIRST 8u   /* that there is room for at first */
#define CHUNKS_KEPT 1024u /* of which the memory is kept */

static void in_fire(struct gri_waiter *w)
{
    gri_turn_kick(&gri_container_of(w, struct gri_inflow, waiter)->turn);
}

/* give_back returns credit for what was taken, once it is worth a frame. */
static void give_back(struct gri_inflow *i, int64_t cost)
{
    i->owed += cost;
    if (i->left || i->owed < ((int64_t)i->window + 1) / 2)
        return;
    gri_lock(&i->turn.lock);
    i->credit += i->owed;
    gri_unlock(&i->turn.lock);
    gri_peer_number(i->peer, i->turn.ops->frame, i->id, (uint64_t)i->owed);
    i->owed = 0;
}

/* ---- what has come --------------------------------------------------------------------------- */

/* push adds one at the end. false: out of memory. */
static bool push(struct gri_flow_chunks *q, struct gri_flow_chunk c)
{
    if (q->count == q->cap) {
        uint32_t cap = q->cap != 0 ? q->cap * 2 : CHUNKS_FIRST;
        struct gri_flow_chunk *at = gri_resize(q->at, cap * sizeof(*at));

        if (at == NULL)
            return false;
        q->at = at;
        q->cap = cap;
    }
    q->at[q->count++] = c;
    return true;
}

/* used_up empties what has been taken one by one. */
static void used_up(struct gri_flow_chunks *q)
{
    q->next = q->count = 0;
    if (q->cap > CHUNKS_KEPT) {
        gri_free(q->at);
        *q = (struct gri_flow_chunks){ .at = NULL };
    }
}

/* first is what comes next, which `next` goes past once it is dealt with; NULL: nothing for now. All that has come
 * is taken at once, so that there is one lock for many. */
static struct gri_flow_chunk *first(struct gri_inflow *i, bool *ret_ended)
{
    struct gri_flow_chunks *taken = &i->taken, empty;

    if (taken->next < taken->count)
        return &taken->at[taken->next];
    used_up(taken);
    empty = *taken;
    gri_lock(&i->turn.lock);
    *taken = i->come;
    i->come = empty;
    *ret_ended = i->ended;
    gri_unlock(&i->turn.lock);
    return taken->count > 0 ? taken->at : NULL;
}

/* ---- passing on ------------------------------------------------------------------------------ */

static bool is_dropping(struct gri_inflow *i)
{
    bool dropping;

    gri_lock(&i->turn.lock);
    dropping = i->dropping || i->turn.halted;
    gri_unlock(&i->turn.lock);
    return dropping;
}

static bool gate_fire(struct gri_gate_wait *w)
{
    gri_turn_kick(&gri_container_of(w, struct gri_inflow, gate)->turn);
    return false;
}

/* lose: what still comes would leave a hole. */
static void lose(struct gri_inflow *i, gr_code why)
{
    i->lost = why;
    i->turn.ops->lost(i->turn.call, why);
}

/* is_lost tells whether it is one that could not be read, or comes after one. */
static bool is_lost(struct gri_inflow *i, const struct gri_flow_chunk *c)
{
    if (i->lost == GR_OK && gr_error_code(c->value) != GR_OK)
        lose(i, gr_error_code(c->value));
    return i->lost != GR_OK;
}

/* tell_event returns false when it has to wait. */
static bool tell_event(struct gri_inflow *i, const struct gri_flow_chunk *c)
{
    gr_code rc = is_dropping(i) || is_lost(i, c)
                     ? GR_OK
                     : i->turn.ops->event(i->turn.call, c->value, (size_t)c->cost, &i->gate);

    if (rc == GR_EPENDING)
        return false;
    if (rc == GR_EFULL)
        lose(i, rc);
    else if (rc != GR_OK)
        gri_peer_wrong(i->peer, rc == GR_EPROTO ? gr_error(rc, "an event that can't be")
                                                : gr_error(rc, "out of memory while receiving"));
    gr_value_unref(c->value);
    give_back(i, c->cost);
    return true;
}

/* put_one returns false when the stream is full. */
static bool put_one(struct gri_inflow *i, const struct gri_flow_chunk *c)
{
    gr_code rc = GR_OK;

    i->left = i->left || is_dropping(i);
    if (i->left || is_lost(i, c))
        gr_value_unref(c->value);
    else
        rc = gri_stream_put(i->stream, c->value);
    if (rc == GR_EFULL)
        return false;
    /* nobody reads: what still comes is dropped, without credit */
    i->left = i->left || rc == GR_ECANCELED;
    if (rc != GR_OK && rc != GR_ECANCELED)
        lose(i, rc);
    give_back(i, c->cost);
    return true;
}

/* tell_end passes the end on, which is no good one if a chunk was lost. */
static void tell_end(struct gri_inflow *i)
{
    gr_value *end = i->end;

    i->end = NULL;
    i->done = true;
    if (i->lost != GR_OK) {
        gr_value_unref(end);
        end = gr_error(i->lost, "a chunk could not be passed on");
    }
    i->turn.ops->over(i->turn.call, end);
}

/* event_step: false, it has to wait. */
static bool event_step(struct gri_inflow *i, const struct gri_flow_chunk *c)
{
    if (tell_event(i, c))
        return true;
    if (gri_turn_halted(&i->turn))
        i->turn.ops->unwait(i->turn.call, &i->gate);
    return false; /* gate_fire kicks */
}

/* chunk_step: false, it has to wait. */
static bool chunk_step(struct gri_inflow *i, const struct gri_flow_chunk *c)
{
    while (!put_one(i, c)) {
        if (!gri_stream_watch_room(i->stream, &i->waiter))
            continue;
        if (!is_dropping(i))
            return false; /* in_fire kicks */
        gri_stream_unwatch_room(i->stream, &i->waiter);
    }
    return true;
}

static void in_step(struct gri_turn *t)
{
    struct gri_inflow *i = gri_container_of(t, struct gri_inflow, turn);
    unsigned told = 0;

    while (!i->done) {
        bool ended = false;
        const struct gri_flow_chunk *c = first(i, &ended);

        if (c == NULL) {
            if (ended)
                tell_end(i);
            return;
        }
        if (c->event ? !event_step(i, c) : !chunk_step(i, c))
            return;
        i->taken.next++;
        t->stands_back = c->event && ++told == EVENTS_A_TURN;
        if (t->stands_back)
            return;
    }
}

void gri_inflow_init(struct gri_inflow *i, const struct gri_flow_ops *ops, void *call,
                     struct gri_peer *peer, uint64_t id, gr_stream *stream)
{
    gri_turn_init(&i->turn, ops, call, peer, in_step);
    i->waiter.fire = in_fire;
    i->gate.fire = gate_fire;
    gri_list_init(&i->gate.node);
    i->stream = stream;
    i->peer = peer;
    i->id = id;
}

/* put_now is for who has claimed the turn: what the stream has no room for waits as ever. */
static gr_code put_now(struct gri_inflow *i, const struct gri_flow_chunk *c)
{
    gr_code rc = GR_OK;

    if (!put_one(i, c)) {
        gri_lock(&i->turn.lock);
        rc = push(&i->come, *c) ? GR_OK : GR_ENOMEM;
        i->turn.again = true;
        gri_unlock(&i->turn.lock);
    }
    gri_turn_leave(&i->turn);
    return rc;
}

/* is_clear_locked: nothing is before a chunk that comes, nor is anybody at work. */
static bool is_clear_locked(struct gri_inflow *i)
{
    return !i->turn.halted && !i->dropping && i->come.count == 0 && !i->turn.queued &&
           i->taken.next == i->taken.count && gri_turn_claim_locked(&i->turn);
}

static gr_code take_in(struct gri_inflow *i, gr_value *chunk, int64_t cost, bool event)
{
    struct gri_flow_chunk c = { .value = chunk, .cost = cost, .event = event };
    gr_code rc = GR_OK;
    bool now = false;

    gri_lock(&i->turn.lock);
    if (i->credit <= 0 || i->ended) {
        rc = GR_EPROTO;
    } else {
        i->credit -= cost;
        now = !event && is_clear_locked(i);
        if (!now && !push(&i->come, c))
            rc = GR_ENOMEM;
    }
    gri_unlock(&i->turn.lock);
    if (now)
        rc = put_now(i, &c);
    else if (rc == GR_OK)
        gri_turn_kick(&i->turn);
    if (rc != GR_OK)
        gr_value_unref(chunk);
    return rc;
}

gr_code gri_inflow_chunk(struct gri_inflow *i, gr_value *chunk, size_t size)
{
    return take_in(i, chunk, gri_flow_cost(size, i->least), false);
}

gr_code gri_inflow_event(struct gri_inflow *i, gr_value *event, size_t size)
{
    return take_in(i, event, gri_flow_cost(size, GRI_FRAME_EVENT_LEAST), true);
}

bool gri_inflow_end(struct gri_inflow *i, gr_value *end)
{
    bool first;

    gri_lock(&i->turn.lock);
    first = !i->ended;
    if (first) {
        i->ended = true;
        i->end = end;
        end = NULL;
    }
    gri_unlock(&i->turn.lock);
    gr_value_unref(end);
    gri_turn_kick(&i->turn);
    return first;
}

void gri_inflow_drop(struct gri_inflow *i)
{
    gri_lock(&i->turn.lock);
    i->dropping = true;
    gri_unlock(&i->turn.lock);
    gri_turn_kick(&i->turn);
}

void gri_inflow_halt(struct gri_inflow *i)
{
    if (i->turn.step == NULL)
        return;
    gri_turn_halt(&i->turn);
    if (i->stream != NULL)
        gri_stream_unwatch_room(i->stream, &i->waiter);
    if (i->turn.ops->unwait != NULL)
        i->turn.ops->unwait(i->turn.call, &i->gate);
}

static void chunks_fini(struct gri_flow_chunks *q)
{
    while (q->next < q->count)
        gr_value_unref(q->at[q->next++].value);
    gri_free(q->at);
}

void gri_inflow_fini(struct gri_inflow *i)
{
    chunks_fini(&i->taken);
    chunks_fini(&i->come);
    gr_value_unref(i->end);
    gri_stream_unref(i->stream);
}
