/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow.c - chunks between streams and frames.
 *
 * Lock order: a stream's lock, then a turn's (a waiter that fires kicks). So a stream is never
 * touched with a turn's lock held.
 *
 * A waiter that fires takes a reference to the call, so it may only be set while somebody else has
 * one. That is what halting is for: it marks the turn, then takes the waiters away. A step sets a
 * waiter, then looks at the mark. Whichever comes second, of setting and marking, takes the waiter
 * away.
 */
#include "runtime/net/flow.h"

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/net/lent.h"
#include "runtime/net/run_frames.h"

#define EVENTS_A_TURN 64 /* that handlers are told of before others get the worker */

struct gri_flow_chunk {
    struct gri_flow_chunk *next;
    gr_value *value; /* counted */
    int64_t cost;
    bool event;
};

/* ---- turns ----------------------------------------------------------------------------------- */

/* turn_kick has step run soon. The reference that a queued task needs is taken here. */
static void turn_kick(struct gri_turn *t)
{
    bool ready = false;

    gri_lock(&t->lock);
    if (t->queued) {
        t->again = true;
    } else {
        t->queued = true;
        ready = true;
        t->ops->ref(t->call);
    }
    gri_unlock(&t->lock);
    if (ready)
        gri_ready(t->sched, &t->task);
}

static void turn_run(struct gri_task *task)
{
    struct gri_turn *t = gri_container_of(task, struct gri_turn, task);
    bool more;

    do {
        t->step(t);
        if (t->stands_back) {
            t->stands_back = false;
            gri_ready(t->sched, task);
            return;
        }
        gri_lock(&t->lock);
        more = t->again;
        t->again = false;
        if (!more)
            t->queued = false;
        gri_unlock(&t->lock);
    } while (more);
    t->ops->unref(t->call);
}

static void turn_init(struct gri_turn *t, const struct gri_flow_ops *ops, void *call,
                      struct gri_peer *peer, void (*step)(struct gri_turn *t))
{
    *t = (struct gri_turn){ .step = step, .ops = ops, .call = call };
    t->sched = gri_sched_of(peer->node->rt);
    t->task = (struct gri_task){ .run = turn_run, .name = "flow" };
}

static bool turn_halted(struct gri_turn *t)
{
    bool halted;

    gri_lock(&t->lock);
    halted = t->halted;
    gri_unlock(&t->lock);
    return halted;
}

static void turn_halt(struct gri_turn *t)
{
    gri_lock(&t->lock);
    t->halted = true;
    gri_unlock(&t->lock);
}

/* cost_of is what both sides count for a chunk. */
static int64_t cost_of(size_t size, uint32_t least)
{
    return size > least ? (int64_t)size : (int64_t)least;
}

/* ---- out ------------------------------------------------------------------------------------- */

static void out_fire(struct gri_waiter *w)
{
    turn_kick(&gri_container_of(w, struct gri_outflow, waiter)->turn);
}

static void events_fire(struct gri_waiter *w)
{
    turn_kick(&gri_container_of(w, struct gri_outflow, events_waiter)->turn);
}

static void out_room(struct gri_waiting *w)
{
    turn_kick(&gri_container_of(w, struct gri_outflow, room)->turn);
}

static bool may_send(struct gri_outflow *o)
{
    bool may;

    gri_lock(&o->turn.lock);
    may = !o->turn.halted && (o->credit > 0 || o->stopped);
    gri_unlock(&o->turn.lock);
    return may;
}

static void out_over(struct gri_outflow *o, gr_value *end)
{
    o->done = true;
    o->turn.ops->over(o->turn.call, end);
}

static void charge(struct gri_outflow *o, int64_t cost)
{
    gri_lock(&o->turn.lock);
    o->credit -= cost;
    gri_unlock(&o->turn.lock);
}

/* hold writes the chunk's frame and charges for it. */
static void hold(struct gri_outflow *o)
{
    struct gri_ref_map refs = { gri_lend, o->peer };
    size_t size = 0;
    gr_code rc = gri_frame_value_for(&o->held, o->turn.ops->frame, o->id, o->chunk, &refs, &size);

    gr_value_unref(o->chunk);
    o->chunk = NULL;
    if (rc == GR_OK) {
        charge(o, cost_of(size, o->least));
        return;
    }
    gri_stream_close(o->stream);
    out_over(o, gri_wire_unfit(rc, "a chunk"));
}

static bool is_stopped(struct gri_outflow *o)
{
    bool stopped;

    gri_lock(&o->turn.lock);
    stopped = o->stopped;
    gri_unlock(&o->turn.lock);
    return stopped;
}

/* write_event: what can't leave its process is replaced. Nothing may be left out: later ones refer to it. */
static void write_event(struct gri_outflow *o, gr_value *event)
{
    struct gri_ref_map refs = { gri_lend, o->peer };
    size_t size = 0;
    gr_code rc = gri_frame_value_for(&o->held, GRI_FRAME_EVENT, o->id, event, &refs, &size);

    if (rc != GR_OK && rc != GR_EFULL) {
        event = gri_event_fit(event);
        rc = gri_frame_value_for(&o->held, GRI_FRAME_EVENT, o->id, event, &refs, &size);
    }
    if (rc == GR_EFULL) { /* its refs are more than can be lent: they lead nowhere there */
        event = gri_event_fit(event);
        rc = gri_frame_value(&o->held, GRI_FRAME_EVENT, o->id, event, &size);
    }
    gr_value_unref(event);
    if (rc == GR_OK)
        charge(o, cost_of(size, GRI_FRAME_EVENT_LEAST));
    else
        gri_peer_wrong(o->peer, gr_error(GR_ENOMEM, "out of memory while sending"));
}

/* hold_event writes the next event's frame; false: there is none. Who wants no more answer wants no events. */
static bool hold_event(struct gri_outflow *o)
{
    gr_value *event = NULL;

    if (o->events == NULL || gri_stream_get(o->events, &event) != GR_OK)
        return false;
    if (is_stopped(o))
        gr_value_unref(event);
    else
        write_event(o, event);
    if (o->turn.ops->drained != NULL)
        o->turn.ops->drained(o->turn.call);
    return true;
}

/* send_held returns false when there is no room; out_room kicks then. */
static bool send_held(struct gri_outflow *o)
{
    bool ours = o->turn.ops->frame == GRI_FRAME_INPUT_CHUNK;
    gr_code rc = gri_peer_send_or_wait(o->peer, &o->held, gri_peer_key(ours, o->id), &o->room);

    if (rc == GR_EFULL) {
        if (turn_halted(&o->turn))
            gri_peer_unwait(o->peer, &o->room);
        return false;
    }
    gri_strbuf_clear(&o->held); /* sent; or the link is down, which ends the call by itself */
    return true;
}

/*
 * is_released tells whether who fills the stream has let go; if not, the waiter fires then. Only a
 * call's stream is waited for: so the end that crosses means on the other side what it means here.
 */
static bool is_released(struct gri_outflow *o)
{
    return o->stream == NULL || o->stream->producer == NULL ||
           !gri_stream_watch_release(o->stream, &o->waiter);
}

static void unwatch(struct gri_outflow *o)
{
    if (o->stream != NULL) {
        gri_stream_unwatch(o->stream, &o->waiter);
        gri_stream_unwatch_release(o->stream, &o->waiter);
    }
    if (o->events != NULL)
        gri_stream_unwatch(o->events, &o->events_waiter);
}

/* look takes the next chunk, or the end, if there is one. */
static void look(struct gri_outflow *o)
{
    gr_code rc;

    if (o->chunk != NULL || o->ended)
        return;
    if (o->stream != NULL) {
        rc = gri_stream_get(o->stream, &o->chunk);
        o->ended = rc != GR_OK && rc != GR_EPENDING;
        return;
    }
    gri_lock(&o->turn.lock);
    o->ended = o->answered;
    gri_unlock(&o->turn.lock);
}

/* wait: true, something kicks once there is more to do. */
static bool wait(struct gri_outflow *o)
{
    if (o->events != NULL && !gri_stream_watch(o->events, &o->events_waiter))
        return false;
    return o->ended || o->stream == NULL || gri_stream_watch(o->stream, &o->waiter);
}

/* A chunk is looked for before the events are: those that happened before it was put in are there by then, and go
 * first. Likewise what happened before the end. */
static void out_step(struct gri_turn *t)
{
    struct gri_outflow *o = gri_container_of(t, struct gri_outflow, turn);

    for (;;) {
        bool over;

        if ((o->held.len > 0 && !send_held(o)) || o->done || !may_send(o))
            break; /* room, or credit, kicks */
        look(o);
        over = o->ended && is_released(o);
        if (hold_event(o))
            continue;
        if (o->chunk != NULL) {
            hold(o);
        } else if (over) {
            out_over(o, o->stream != NULL ? gri_stream_error(o->stream) : NULL);
        } else if (wait(o)) {
            break; /* out_fire, events_fire or the answer kicks */
        }
    }
    if (turn_halted(t))
        unwatch(o);
}

void gri_outflow_init(struct gri_outflow *o, const struct gri_flow_ops *ops, void *call,
                      struct gri_peer *peer, uint64_t id, gr_stream *stream)
{
    turn_init(&o->turn, ops, call, peer, out_step);
    o->waiter.fire = out_fire;
    o->events_waiter.fire = events_fire;
    o->room.fire = out_room;
    gri_list_init(&o->room.node);
    o->stream = stream;
    o->peer = peer;
    o->id = id;
}

void gri_outflow_watch(struct gri_outflow *o, struct gr_stream *events)
{
    o->events = events;
}

void gri_outflow_kick(struct gri_outflow *o)
{
    turn_kick(&o->turn);
}

void gri_outflow_answered(struct gri_outflow *o)
{
    gri_lock(&o->turn.lock);
    o->answered = true;
    gri_unlock(&o->turn.lock);
    turn_kick(&o->turn);
}

void gri_outflow_credit(struct gri_outflow *o, uint64_t bytes)
{
    gri_lock(&o->turn.lock);
    if (o->credit < (int64_t)GRI_FRAME_WINDOW_MAX * 4) /* a peer can't make it overflow */
        o->credit += (int64_t)bytes;
    gri_unlock(&o->turn.lock);
    turn_kick(&o->turn);
}

void gri_outflow_stop(struct gri_outflow *o)
{
    gri_lock(&o->turn.lock);
    o->stopped = true;
    gri_unlock(&o->turn.lock);
    if (o->stream != NULL)
        gri_stream_close(o->stream);
    turn_kick(&o->turn);
}

void gri_outflow_halt(struct gri_outflow *o)
{
    if (o->turn.step == NULL)
        return;
    turn_halt(&o->turn);
    unwatch(o);
    gri_peer_unwait(o->peer, &o->room);
    if (o->stream != NULL)
        gri_stream_close(o->stream); /* harmless after its end */
}

void gri_outflow_fini(struct gri_outflow *o)
{
    gri_strbuf_fini(&o->held);
    gr_value_unref(o->chunk);
    gri_stream_unref(o->stream);
}

/* ---- in -------------------------------------------------------------------------------------- */

static void in_fire(struct gri_waiter *w)
{
    turn_kick(&gri_container_of(w, struct gri_inflow, waiter)->turn);
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

static struct gri_flow_chunk *pop(struct gri_inflow *i, bool *ret_ended)
{
    struct gri_flow_chunk *c;

    gri_lock(&i->turn.lock);
    c = i->first;
    *ret_ended = i->ended;
    if (c != NULL) {
        i->first = c->next;
        if (c->next == NULL)
            i->last = NULL;
    }
    gri_unlock(&i->turn.lock);
    return c;
}

static void push_back(struct gri_inflow *i, struct gri_flow_chunk *c)
{
    gri_lock(&i->turn.lock);
    c->next = i->first;
    i->first = c;
    if (i->last == NULL)
        i->last = c;
    gri_unlock(&i->turn.lock);
}

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
    turn_kick(&gri_container_of(w, struct gri_inflow, gate)->turn);
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
static bool tell_event(struct gri_inflow *i, struct gri_flow_chunk *c)
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
    gri_free(c);
    return true;
}

/* put_one returns false when the stream is full. */
static bool put_one(struct gri_inflow *i, struct gri_flow_chunk *c)
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
    gri_free(c);
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

static void in_step(struct gri_turn *t)
{
    struct gri_inflow *i = gri_container_of(t, struct gri_inflow, turn);
    unsigned told = 0;

    while (!i->done) {
        bool ended = false;
        struct gri_flow_chunk *c = pop(i, &ended);

        if (c == NULL) {
            if (ended)
                tell_end(i);
            return;
        }
        if (c->event) {
            if (!tell_event(i, c)) {
                push_back(i, c);
                if (turn_halted(t))
                    i->turn.ops->unwait(i->turn.call, &i->gate);
                return; /* gate_fire kicks */
            }
            t->stands_back = ++told == EVENTS_A_TURN;
            if (t->stands_back)
                return;
            continue;
        }
        if (!put_one(i, c)) {
            push_back(i, c);
            if (gri_stream_watch_room(i->stream, &i->waiter)) {
                if (is_dropping(i))
                    gri_stream_unwatch_room(i->stream, &i->waiter);
                else
                    return; /* in_fire kicks */
            }
        }
    }
}

void gri_inflow_init(struct gri_inflow *i, const struct gri_flow_ops *ops, void *call,
                     struct gri_peer *peer, uint64_t id, gr_stream *stream)
{
    turn_init(&i->turn, ops, call, peer, in_step);
    i->waiter.fire = in_fire;
    i->gate.fire = gate_fire;
    gri_list_init(&i->gate.node);
    i->stream = stream;
    i->peer = peer;
    i->id = id;
}

static gr_code take_in(struct gri_inflow *i, gr_value *chunk, int64_t cost, bool event)
{
    struct gri_flow_chunk *c = gri_new0(struct gri_flow_chunk);
    gr_code rc = c != NULL ? GR_OK : GR_ENOMEM;

    gri_lock(&i->turn.lock);
    if (i->credit <= 0 || i->ended)
        rc = GR_EPROTO;
    if (rc == GR_OK) {
        *c = (struct gri_flow_chunk){ .value = chunk, .cost = cost, .event = event };
        i->credit -= cost;
        if (i->last != NULL)
            i->last->next = c;
        else
            i->first = c;
        i->last = c;
    }
    gri_unlock(&i->turn.lock);
    if (rc != GR_OK) {
        gri_free(c);
        gr_value_unref(chunk);
        return rc;
    }
    turn_kick(&i->turn);
    return GR_OK;
}

gr_code gri_inflow_chunk(struct gri_inflow *i, gr_value *chunk, size_t size)
{
    return take_in(i, chunk, cost_of(size, i->least), false);
}

gr_code gri_inflow_event(struct gri_inflow *i, gr_value *event, size_t size)
{
    return take_in(i, event, cost_of(size, GRI_FRAME_EVENT_LEAST), true);
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
    turn_kick(&i->turn);
    return first;
}

void gri_inflow_drop(struct gri_inflow *i)
{
    gri_lock(&i->turn.lock);
    i->dropping = true;
    gri_unlock(&i->turn.lock);
    turn_kick(&i->turn);
}

void gri_inflow_halt(struct gri_inflow *i)
{
    if (i->turn.step == NULL)
        return;
    turn_halt(&i->turn);
    if (i->stream != NULL)
        gri_stream_unwatch_room(i->stream, &i->waiter);
    if (i->turn.ops->unwait != NULL)
        i->turn.ops->unwait(i->turn.call, &i->gate);
}

void gri_inflow_fini(struct gri_inflow *i)
{
    struct gri_flow_chunk *c;

    while ((c = i->first) != NULL) {
        i->first = c->next;
        gr_value_unref(c->value);
        gri_free(c);
    }
    gr_value_unref(i->end);
    gri_stream_unref(i->stream);
}
