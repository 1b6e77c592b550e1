/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow.h - a local stream's way over a link: chunks out under the peer's credit, chunks in that
 * give credit back.
 *
 * The answer of an observed call has events of its runs in between (run_frames.h), which are paid for as chunks are. An
 * event comes before whatever was put into the stream after it happened. A plain call that is observed has a flow of
 * events alone, and its reply is the end of that.
 *
 * A chunk costs its bytes on the wire, or `least` if that is more; so a window bounds both bytes
 * and chunks. A writer may send while its credit is above zero, so one chunk of any size can
 * always go. A reader gives credit back once it owes half its window.
 *
 * Each flow is part of a call (out_call, in_call), which it keeps alive while its task is queued.
 * It runs once at a time, on a worker; kicks while it runs make it run again. Before the call
 * gives up its last reference the flow must be halted: then no waiter of its is set anywhere.
 */
#ifndef GR_RUNTIME_NET_FLOW_H
#define GR_RUNTIME_NET_FLOW_H

#include "runtime/async/stream.h"
#include "runtime/net/peer.h"
#include "runtime/observe/run_gate.h"

struct gri_flow_ops {
    void (*ref)(void *call);
    void (*unref)(void *call);
    /* over: the local stream has ended (outflow), or all that the peer sent has been taken
     * (inflow) */
    void (*over)(void *call, gr_value *end GR_TAKES);
    /* lost (inflow): a chunk could not be passed on for this reason, so all that follows is thrown
     * away and `over` comes with an error; until then the peer should be told to stop */
    void (*lost)(void *call, gr_code why);
    enum gri_frame_type frame; /* what it writes: chunks (outflow), or credit (inflow) */
    /* event (inflow) tells of one that has come; GR_EPENDING: only when the gate that w waits at has opened;
     * GR_EFULL: it is lost */
    gr_code (*event)(void *call, const gr_value *event, size_t size, struct gri_gate_wait *w);
    void (*unwait)(void *call, struct gri_gate_wait *w);
    void (*drained)(void *call); /* outflow: called for each event that was taken; may be NULL */
};

struct gri_turn {
    struct gri_lock lock; /* guards queued, again, halted, and what the flow says */
    bool queued, again, halted;
    bool stands_back;        /* the step's own: it has done much, and others come first */
    struct gri_sched *sched; /* borrowed */
    struct gri_task task;
    void (*step)(struct gri_turn *t);
    const struct gri_flow_ops *ops;
    void *call; /* borrowed: the flow is part of it */
};

/* From a local stream to the peer. */
struct gri_outflow {
    struct gri_turn turn;
    struct gri_waiter waiter;        /* in the stream: for a chunk or its end */
    struct gri_waiting room;         /* in the peer: for room on the link */
    struct gr_stream *stream;        /* counted; the reader's end. NULL: a plain call's events */
    struct gr_stream *events;        /* borrowed from the call; NULL: it is not observed */
    struct gri_waiter events_waiter; /* in there */
    struct gri_peer *peer;           /* borrowed from the call */
    uint64_t id;
    uint32_t least;
    gr_value *chunk;        /* counted; read, and to be sent after the events; the step's own */
    struct gri_strbuf held; /* frames that are to be sent; the step's own */
    int64_t budget;         /* the credit that it has taken over; the step's own */
    int64_t credit;         /* that has come since; guarded by turn.lock */
    bool stopped;           /* guarded by turn.lock; the stream was closed: only its end goes */
    bool answered;          /* guarded by turn.lock; without a stream: there is an answer */
    bool ended, done;       /* the step's own */
    gr_code unfit;          /* likewise: why a chunk could not be written; GR_OK: none */
};

struct gri_flow_chunk {
    gr_value *value; /* counted */
    int64_t cost;
    bool event;
};

struct gri_flow_chunks {
    struct gri_flow_chunk *at; /* owned */
    uint32_t next, count, cap; /* those before next are gone */
};

/* From the peer to a local stream. */
struct gri_inflow {
    struct gri_turn turn;
    struct gri_waiter waiter;  /* in the stream: for room */
    struct gri_gate_wait gate; /* for the tree of runs that events are told to */
    struct gr_stream *stream;  /* counted; the writer's end. NULL: a plain call's events */
    struct gri_peer *peer;     /* borrowed from the call */
    uint64_t id;
    uint32_t window, least;
    int64_t credit;               /* what the peer may still send; guarded by turn.lock */
    struct gri_flow_chunks come;  /* and not taken; guarded by turn.lock */
    struct gri_flow_chunks taken; /* the step's own */
    gr_value *end;                /* counted; guarded by turn.lock */
    bool ended, dropping;         /* guarded by turn.lock; dropping: nobody reads any more */
    int64_t owed;                 /* the step's own, as is done */
    bool left, done;
    gr_code lost; /* the step's own: a chunk was lost for this reason; GR_OK: none */
};

/* stream is taken. Nothing runs before the first kick. */
void gri_outflow_init(struct gri_outflow *o, const struct gri_flow_ops *ops, void *call,
                      struct gri_peer *peer, uint64_t id, gr_stream *stream GR_TAKES);
/* gri_outflow_watch adds the events of an observed call, before the first kick. events is borrowed from the call. */
void gri_outflow_watch(struct gri_outflow *o, struct gr_stream *events);
void gri_outflow_kick(struct gri_outflow *o);
/* gri_outflow_answered: a plain call has its answer, so `over` follows once all events are sent. */
void gri_outflow_answered(struct gri_outflow *o);
void gri_outflow_credit(struct gri_outflow *o, uint64_t bytes);
/* gri_outflow_stop closes the stream, which cancels who fills it; `over` follows once that has
 * ended. */
void gri_outflow_stop(struct gri_outflow *o);
/* gri_outflow_halt closes the stream; no waiter is set any more, and `over` is of no use.
 * Harmless, as is _fini, when it was never made. */
void gri_outflow_halt(struct gri_outflow *o);
void gri_outflow_fini(struct gri_outflow *o);

void gri_inflow_init(struct gri_inflow *i, const struct gri_flow_ops *ops, void *call,
                     struct gri_peer *peer, uint64_t id, gr_stream *stream GR_TAKES);
/* gri_inflow_chunk takes a chunk of `size` bytes in. An error is why one could not be read: it is lost. GR_EPROTO:
 * beyond its credit; GR_ENOMEM. */
gr_code gri_inflow_chunk(struct gri_inflow *i, gr_value *chunk GR_TAKES, size_t size);
/* gri_inflow_event likewise takes an event in. */
gr_code gri_inflow_event(struct gri_inflow *i, gr_value *event GR_TAKES, size_t size);
/* gri_inflow_end: no more will come. The first end counts; false: there was one. */
bool gri_inflow_end(struct gri_inflow *i, gr_value *end GR_TAKES);
/* gri_inflow_drop: nobody reads; what came and comes is thrown away. */
void gri_inflow_drop(struct gri_inflow *i);
void gri_inflow_halt(struct gri_inflow *i);
void gri_inflow_fini(struct gri_inflow *i);

#endif
