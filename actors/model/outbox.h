/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox.h - the chunks and the answer of an exchange on their way to the promise of a call.
 *
 * Three parties touch it: the handler that starts the exchange, the HTTP thread with its events, and
 * whoever cancels the call or reads its stream (cancel and room, any thread). The rules:
 *
 *   - refs counts the starter and the exchange; the last one frees.
 *   - x is written under lock, and NULL once end or error has begun; cancel and resume are called
 *     under lock, so that they never meet an exchange that is gone. They never call back.
 *   - chunks wait in pending until the promise takes them. Only one party at a time gives them
 *     (flushing); another that comes meanwhile leaves `again` behind. So order holds, and
 *     gr_promise_* is called without the lock.
 *   - while something is pending no more bytes are taken: what a slow reader makes us keep is at
 *     most what one read held.
 *   - the promise is resolved once, after the exchange has ended and pending is empty.
 */
#ifndef GR_ACTORS_MODEL_OUTBOX_H
#define GR_ACTORS_MODEL_OUTBOX_H

#include <greenroom/actor.h>

#include "runtime/base/lock.h"
#include "runtime/http/http.h"

struct gri_outbox {
    struct gri_lock lock;
    int refs;                    /* by lock */
    struct gri_http_exchange *x; /* by lock; borrowed while under way */
    bool cancelled, ended;       /* by lock */
    bool paused;                 /* by lock: bytes were refused, and x waits for a resume */
    bool flushing, again;        /* by lock */
    gr_code lost;                /* by lock: a chunk could not be given for this reason */
    gr_value **pending;          /* by lock: owned, items owned */
    size_t pending_at, pending_count, pending_cap;
    gr_value *answer;                   /* owned: what to resolve with, once ended */
    gr_promise *promise;                /* owned until resolved */
    void (*free)(struct gri_outbox *o); /* frees what contains it, and calls _fini */
};

/* gri_outbox_init: two references, the starter's and the exchange's. The rest of *o is zero. */
void gri_outbox_init(struct gri_outbox *o, gr_promise *promise GR_TAKES,
                     void (*free)(struct gri_outbox *o));
void gri_outbox_fini(struct gri_outbox *o);
void gri_outbox_unref(struct gri_outbox *o);

/* gri_outbox_started tells which exchange it is about; one that was cancelled before is cancelled
 * now, one that has ended is left alone. */
void gri_outbox_started(struct gri_outbox *o, struct gri_http_exchange *x);
/* gri_outbox_close cancels the exchange: its last event follows. */
void gri_outbox_close(struct gri_outbox *o);
/* gri_outbox_push adds a chunk, which gri_outbox_flush gives. GR_ENOMEM: it is lost. */
gr_code gri_outbox_push(struct gri_outbox *o, gr_value *chunk GR_TAKES);
/* gri_outbox_must_pause: something is pending, so bytes are to be refused. Whoever takes the last of
 * what is pending then resumes, which the lock makes sure of. */
bool gri_outbox_must_pause(struct gri_outbox *o);
/*
 * gri_outbox_flush gives what is pending; after the last chunk of what has ended it answers the call,
 * and o may be gone. Must be the last thing that its caller does with o, unless the caller has a
 * reference.
 */
void gri_outbox_flush(struct gri_outbox *o);
/* gri_outbox_end: the exchange is over, and so is its reference; answer goes out behind the chunks
 * that still wait. */
void gri_outbox_end(struct gri_outbox *o, gr_value *answer GR_TAKES);

/* The hooks for gr_on_cancel; arg is the outbox. */
void gri_outbox_on_cancel(void *arg);
void gri_outbox_on_room(void *arg);

#endif
