/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.h - the bounded channel behind gr_stream.
 *
 * One reader, one writer, one lock. A side that can't go on leaves a waiter; the other side fires
 * it under the lock, once, so after an unwatch it won't fire. `ended` is the writer's word and
 * `closed` the reader's; `released` comes when what produced the stream has let go of everything,
 * which a reader that leaves early waits for.
 */
#ifndef GR_RUNTIME_ASYNC_STREAM_H
#define GR_RUNTIME_ASYNC_STREAM_H

#include <greenroom/stream.h>

#include "runtime/async/future.h"

#define GRI_WINDOW_CHUNKS 32
#define GRI_WINDOW_BYTES (256 * 1024)

/* Who watches the stream of an observed call, its producer. Called without the lock: `put` by the
 * writer, before the reader can have the chunk; `left` by the reader, when he has read the end or
 * reads no more, maybe more than once. */
struct gri_stream_tap {
    void (*put)(struct gr_future *producer, const gr_value *chunk);
    void (*left)(struct gr_future *producer);
    /* shut tells, with the lock held, whether nothing may be put in for now; if s is given, gri_stream_fire_writer
     * follows once it may. */
    bool (*shut)(struct gr_future *producer, struct gr_stream *s);
};

/* Who watches what is read of a stream; it stays with the stream. Called without the lock by the reader:
 * chunk NULL is the end, rc what it was. */
struct gri_stream_eater {
    struct gri_stream_eater *next;
    void (*got)(struct gri_stream_eater *e, const gr_value *chunk, gr_code rc);
    void (*drop)(struct gri_stream_eater *e);
};

struct gri_chunk {
    gr_value *value; /* counted */
    size_t bytes;    /* gri_value_bytes of it, when it came */
};

struct gr_stream {
    _Atomic uint32_t refs;    /* the reader's and the writer's */
    struct gri_lock lock;     /* guards all below but `current` and `producer` */
    struct gri_chunk *chunks; /* owned ring; grows up to window_chunks */
    size_t cap, head, count;  /* cap: a power of two, or 0 */
    size_t bytes;             /* of the chunks in the ring */
    size_t window_chunks, window_bytes;
    bool ended, closed, released;
    gr_value *error;           /* counted; why it ended, NULL: well */
    struct gri_waiter *reader; /* borrowed; fired when there is a chunk or the end */
    struct gri_waiter *writer; /* borrowed; fired when there is room or nobody reads any more */
    struct gri_sched *sched;   /* borrowed */
    struct gri_ledger *ledger; /* counted: chunks may outlive the runtime */
    gr_value *current;         /* counted; what gr_next gave last. The reader's own */
    struct gri_waiter *leaver; /* borrowed; fired at the release */
    /* counted; cancelled when the reader leaves early; NULL for a pipe */
    struct gr_future *producer;
    const struct gri_stream_tap *tap; /* NULL: nobody */
    struct gri_stream_eater *eaters;  /* owned; in the order in which they came */
};

/* gri_stream_new makes a stream with two references. 0: the default windows. NULL: out of
 * memory. */
struct gr_stream *gri_stream_new(struct gri_sched *s, size_t window_chunks, size_t window_bytes);
/* gri_stream_narrow makes the window smaller, if it was larger. [any] */
void gri_stream_narrow(struct gr_stream *s, size_t window_bytes);
struct gr_stream *gri_stream_ref(struct gr_stream *s);
void gri_stream_unref(struct gr_stream *s);
/* gri_stream_try_ref is for who has s in a list that it leaves before it goes; false: it is going. */
bool gri_stream_try_ref(struct gr_stream *s);
/* gri_stream_fire_writer has the writer look again. */
void gri_stream_fire_writer(struct gr_stream *s);

/* gri_stream_watch_put has a call's stream watched from now on; gri_stream_watch_got what is read of
 * any. */
void gri_stream_watch_put(struct gr_stream *s, const struct gri_stream_tap *tap);
void gri_stream_watch_got(struct gr_stream *s, struct gri_stream_eater *e);

/* ---- the writer ---- */
/* gri_stream_put: GR_OK; GR_EFULL, and chunk is still the caller's; GR_ECANCELED the reader has
 * left, GR_ENOMEM, or the chunk's own error if it is broken: then chunk is consumed. */
gr_code gri_stream_put(struct gr_stream *s, gr_value *chunk);
/* gri_stream_put_wait waits for room. Always consumes chunk. [waits] */
gr_code gri_stream_put_wait(struct gr_stream *s, gr_value *chunk GR_TAKES);
/* NULL: well; the first end counts */
void gri_stream_end(struct gr_stream *s, gr_value *err GR_TAKES);
/* the producer is gone; ends the stream if nothing has */
void gri_stream_release(struct gr_stream *s);
/* gri_stream_watch_room: true, w fires once when there is room or the reader has left; false: there
 * is now. */
bool gri_stream_watch_room(struct gr_stream *s, struct gri_waiter *w);
void gri_stream_unwatch_room(struct gr_stream *s, struct gri_waiter *w);
/* gri_stream_waiting tells how many chunks are in it, and their bytes. */
size_t gri_stream_waiting(struct gr_stream *s, size_t *ret_bytes);
bool gri_stream_has_room(struct gr_stream *s); /* also true when a put would fail for good */

/* ---- the reader ---- */
/* gri_stream_get: GR_OK with *ret_chunk, owned; GR_EPENDING; GR_EOS; else the error's code. */
gr_code gri_stream_get(struct gr_stream *s, gr_value **ret_chunk);
/* as _watch_room, for a chunk or the end */
bool gri_stream_watch(struct gr_stream *s, struct gri_waiter *w);
void gri_stream_unwatch(struct gr_stream *s, struct gri_waiter *w);
/* as _watch, for the release: for who leaves early and wants to know when the producer has let
 * go */
bool gri_stream_watch_release(struct gr_stream *s, struct gri_waiter *w);
void gri_stream_unwatch_release(struct gr_stream *s, struct gri_waiter *w);
/* gri_stream_next is gri_stream_get that waits. GR_EPENDING at the deadline, GR_EINTR. [waits] */
gr_code gri_stream_next(struct gr_stream *s, uint64_t deadline_ns, gr_value **ret_chunk);
gr_value *gri_stream_error(struct gr_stream *s); /* counted; NULL: none */
/* gri_stream_close: nothing more will be read; cancels the producer. Doesn't wait, keeps the
 * reference. */
void gri_stream_close(struct gr_stream *s);

#endif
