/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap.h - the handler behind astream_events and astream_log: what happens in a tree of runs, into the
 * stream that is read (event_stream.c has its frame).
 *
 * A handler must not wait. While the reader keeps up the tap puts what it has to tell into the
 * stream itself. Once there is no room the tap is `behind`: it tells the frame, and all goes into a queue,
 * which the frame empties into the stream as there is room; when the queue is empty, the tap is not behind
 * any more. So at any time one of the two writes, and what comes first is told first.
 *
 * The queue is a stream whose window is events_max, so what waits in it counts among the bytes of
 * the runtime's streams. When that is full, or an event can't be put into it, the tap has failed, for
 * good. It says so to the machine of the frame, which ends the run.
 *
 * `lock` guards what is below it. Events of one tree come one at a time, but somebody may have put
 * the handler into the callbacks of a tree of his own as well.
 */
#ifndef GR_ACTORS_OBSERVE_TAP_H
#define GR_ACTORS_OBSERVE_TAP_H

#include "actors/compose/machine.h"
#include "actors/observe/event_filter.h"
#include "runtime/base/map.h"

#define GRI_EVENTS_MAX 65536                /* by default */
#define GRI_EVENTS_MOST (UINT32_C(1) << 24) /* that anybody, also a peer, may ask for */

struct gri_tap;

/* What becomes of events and of the answer's chunks: NULL, nothing. */
struct gri_tap_kind {
    gr_value *(*event)(struct gri_tap *tap, const gr_event *event);    /* with the lock held */
    gr_value *(*chunk)(struct gri_tap *tap, gr_value *chunk GR_TAKES); /* the frame's task alone */
};
extern const struct gri_tap_kind gri_tap_events, gri_tap_log;

struct gri_tap {
    const struct gri_tap_kind *kind;
    gr_value *args; /* counted; the verb's, from which the filter borrows */
    struct gri_event_filter filter;
    gr_stream *out;        /* borrowed from the frame's call; not to be used once machine is NULL */
    gr_stream *queue;      /* owned, both ends */
    gr_value *sum;         /* counted; log: of the answer's chunks. The frame's task alone */
    _Atomic uint32_t refs; /* the handler's and the frame's */
    _Atomic uint32_t failed; /* a gr_code: why it takes no more; GR_OK: it does */
    struct gri_lock lock;
    struct gri_machine *machine; /* borrowed, of the frame; NULL: it is over */
    bool behind;
    bool begun;            /* an event has been given */
    char first[40];        /* the id of its run: whose input was given */
    char root[40];         /* log: the id of the first run there was; "": none yet */
    struct gri_map keys;   /* log: id of a run -> its key in logs, an owned text */
    struct gri_map counts; /* log: name -> how many runs had it */
};

/* gri_tap_new makes a tap for the call's frame: NULL and *ret_err when the arguments are wrong or memory
 * has run out. */
struct gri_tap *gri_tap_new(struct gri_machine *machine, const struct gri_call *call,
                            const struct gri_tap_kind *kind, gr_value **ret_err);
/* gri_tap_handler makes the handler, which has a reference of its own. */
gr_value *gri_tap_handler(struct gri_tap *tap);
/* gri_tap_tell adds what is to be told. */
void gri_tap_tell(struct gri_tap *tap, gr_value *v GR_TAKES);
/* gri_tap_next takes the next from the queue, for the frame to send it; NULL: the tap is not behind. */
gr_value *gri_tap_next(struct gri_tap *tap);
/* gri_tap_failed tells why it takes no more; GR_OK: it does. */
static inline gr_code gri_tap_failed(const struct gri_tap *tap)
{
    /* acquire: pairs with fail_locked */
    return (gr_code)atomic_load_explicit(&tap->failed, memory_order_acquire);
}
/* gri_tap_leave ends the frame's part; nothing wakes the machine any more. NULL is fine. */
void gri_tap_leave(struct gri_tap *tap);
/* gri_tap_streams: prompts, retrievers and tools answer at once, so nobody hears of their one chunk. */
bool gri_tap_streams(const gr_run *run);
/* gri_tap_event is the handler's function. */
void gri_tap_event(void *tap, const gr_event *event);

#endif
