/* SPDX-License-Identifier: Apache-2.0 */
/* flow_out.c - chunks out of a stream into frames. See flow_turn.c for the order of locks, and how a flow ends. */
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/net/flow_turn.h"
#include "runtime/net/lent.h"
#include "runtime/net/run_frames.h"

#define GATHERED 4096u /* bytes of frames, after which they are sent whether there is more or not */

static void out_fire(struct gri_waiter *w)
{
    gri_turn_kick(&gri_container_of(w, struct gri_outflow, waiter)->turn);
}

static void events_fire(struct gri_waiter *w)
{
    gri_turn_kick(&gri_container_of(w, struct gri_outflow, events_waiter)->turn);
}

static void out_room(struct gri_waiting *w)
{
    gri_turn_kick(&gri_container_of(w, struct gri_outflow, room)->turn);
}

/* may_send takes over the credit that has come, once the last is used up. */
static bool may_send(struct gri_outflow *o)
{
    bool may;

    if (o->budget > 0)
        return true;
    gri_lock(&o->turn.lock);
    o->budget += o->credit;
    o->credit = 0;
    may = !o->turn.halted && (o->budget > 0 || o->stopped);
    gri_unlock(&o->turn.lock);
    return may;
}

static void out_over(struct gri_outflow *o, gr_value *end)
{
    o->done = true;
    o->turn.ops->over(o->turn.call, end);
}

/* hold writes the chunk's frame, behind those that are held already, and charges for it. */
static void hold(struct gri_outflow *o)
{
    struct gri_ref_map refs = { gri_lend, o->peer };
    size_t size = 0;

    o->unfit = gri_frame_value_for(&o->held, o->turn.ops->frame, o->id, o->chunk, &refs, &size);
    gr_value_unref(o->chunk);
    o->chunk = NULL;
    if (o->unfit == GR_OK)
        o->budget -= gri_flow_cost(size, o->least);
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
        o->budget -= gri_flow_cost(size, GRI_FRAME_EVENT_LEAST);
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
    gr_code rc;

    if (o->held.len == 0)
        return true;
    if (gri_turn_halted(&o->turn)) { /* the call is over, and its end may have been sent */
        gri_strbuf_clear(&o->held);
        return true;
    }
    rc = gri_peer_send_or_wait(o->peer, &o->held, gri_peer_key(ours, o->id), &o->room);
    if (rc == GR_EFULL) {
        if (gri_turn_halted(&o->turn))
            gri_peer_unwait(o->peer, &o->room);
        return false;
    }
    gri_strbuf_clear(&o->held); /* sent; or the link is down, which ends the call by itself */
    if (o->held.cap > 4 * GATHERED)
        gri_strbuf_fini(&o->held); /* what a long chunk took isn't kept */
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

/* end_out tells of the end, behind all that is held. false: there is no room for that yet. */
static bool end_out(struct gri_outflow *o)
{
    if (!send_held(o))
        return false;
    if (o->unfit == GR_OK) {
        out_over(o, o->stream != NULL ? gri_stream_error(o->stream) : NULL);
        return true;
    }
    gri_stream_close(o->stream);
    out_over(o, gri_wire_unfit(o->unfit, "a chunk"));
    return true;
}

/* next_out takes one step: false, something kicks once there is more to do. A chunk is looked for before the events
 * are: those that happened before it was put in are there by then, and go first. Likewise what happened before the
 * end. What is short is sent together, once nothing else is there to go with it. */
static bool next_out(struct gri_outflow *o)
{
    bool over;

    if (o->done || (o->held.len >= GATHERED && !send_held(o)))
        return false;
    if (o->unfit != GR_OK)
        return end_out(o);
    if (!may_send(o)) {
        send_held(o);
        return false;
    }
    look(o);
    over = o->ended && is_released(o);
    if (hold_event(o))
        return true;
    if (o->chunk != NULL) {
        hold(o);
        return true;
    }
    return over ? end_out(o) : send_held(o) && !wait(o);
}

static void out_step(struct gri_turn *t)
{
    struct gri_outflow *o = gri_container_of(t, struct gri_outflow, turn);

    while (next_out(o))
        ;
    if (gri_turn_halted(t))
        unwatch(o);
}

void gri_outflow_init(struct gri_outflow *o, const struct gri_flow_ops *ops, void *call,
                      struct gri_peer *peer, uint64_t id, gr_stream *stream)
{
    gri_turn_init(&o->turn, ops, call, peer, out_step);
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
    gri_turn_kick(&o->turn);
}

void gri_outflow_answered(struct gri_outflow *o)
{
    gri_lock(&o->turn.lock);
    o->answered = true;
    gri_unlock(&o->turn.lock);
    gri_turn_kick(&o->turn);
}

void gri_outflow_credit(struct gri_outflow *o, uint64_t bytes)
{
    gri_lock(&o->turn.lock);
    if (o->credit < (int64_t)GRI_FRAME_WINDOW_MAX * 4) /* a peer can't make it overflow */
        o->credit += (int64_t)bytes;
    gri_unlock(&o->turn.lock);
    gri_turn_kick(&o->turn);
}

void gri_outflow_stop(struct gri_outflow *o)
{
    gri_lock(&o->turn.lock);
    o->stopped = true;
    gri_unlock(&o->turn.lock);
    if (o->stream != NULL)
        gri_stream_close(o->stream);
    gri_turn_kick(&o->turn);
}

void gri_outflow_halt(struct gri_outflow *o)
{
    if (o->turn.step == NULL)
        return;
    gri_turn_halt(&o->turn);
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
