/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bounds.h - the limits of one actor beyond mailbox_max: what happens at the bound, bytes, how long
 * a message may wait, how long a handler may run, calls that it has started.
 *
 * Only an actor that was given such a limit has one of these; all others pay a look at a pointer.
 */
#ifndef GR_RUNTIME_ACTOR_BOUNDS_H
#define GR_RUNTIME_ACTOR_BOUNDS_H

#include "runtime/actor/mailbox.h"

/* Why the watchdog or a sender has an actor fault. */
enum gri_verdict { GRI_NO_VERDICT, GRI_OVERFLOWED, GRI_OVERTIME };

struct gri_bounds {
    gr_overflow overflow;
    uint32_t mailbox_max;
    bool kill_overtime;
    _Atomic uint32_t verdict; /* gri_verdict */
    struct gri_task sentence; /* carries it out, with a pin; once */
    struct gri_actor *actor;  /* whose bounds these are */
    uint32_t asks_max;        /* 0: none */
    _Atomic uint32_t asks;
    uint64_t handler_ns; /* 0: the runtime's */
    int64_t bytes_max;   /* 0: none */
    _Atomic int64_t bytes;

    /*
     * queue_ms, all the turn's. While messages wait, the time between two that are taken is what
     * one of them costs. These times and their number are added up over windows of ten times
     * queue_ns, long enough for calls that end in clusters, and count half as much with each
     * further window. How many fit into queue_ns is what the mailbox admits from then on. A message
     * that has waited for more than twice queue_ns shows that this is too much, and cuts it at once.
     */
    uint64_t queue_ns; /* 0: none */
    uint64_t window_end_ns, busy_ns, last_ns;
    uint64_t taken;
    bool more; /* messages were left when the last one was taken */

    /* drop the oldest: tells and calls lie here instead of in the inbox, in order */
    struct gri_lock lock; /* guards queue */
    struct gri_envelope_queue queue;
    _Atomic uint32_t queued;
};

/* gri_bounds_set_up gives a fresh actor what its options ask for; GR_EINVAL, GR_ENOMEM. */
gr_code gri_bounds_set_up(struct gri_actor *a, const gr_spawn_opts *o);

/*
 * gri_actor_enter pins `to` and takes a place in its mailbox for e, whose bytes are set; NULL with
 * *ret_err when there is none. gri_envelope_leave gives the place back, if e has one.
 */
struct gri_actor *gri_actor_enter(gr_runtime *rt, gr_ref to, struct gri_envelope *e,
                                  gr_value **ret_err);
void gri_envelope_leave(struct gri_actor *a, struct gri_envelope *e);
/* gri_note_depth keeps the deepest mailbox of all, for gr_stats_read. */
void gri_note_depth(gr_runtime *rt, uint64_t depth);
/* gri_bounds_enter counts e's bytes and stamps it; false: there is no room for so many. An empty
 * mailbox takes one of any size. */
bool gri_bounds_enter(struct gri_actor *a, struct gri_envelope *e);
/* gri_bounds_full does what the policy asks for when there is no room, and returns the error for
 * the sender. */
gr_value *gri_bounds_full(struct gri_actor *a, enum gri_count why);
/* gri_mailbox_put puts a tell or a call that has entered where the turn finds it. */
void gri_bounds_put(struct gri_actor *a, struct gri_envelope *e);
static inline void gri_mailbox_put(struct gri_actor *a, struct gri_envelope *e)
{
    if (gri_actor_bounds(a) == NULL)
        gri_actor_post(a, e);
    else
        gri_bounds_put(a, e);
}
/* gri_bounds_pop takes what an actor that drops the oldest has next; NULL: nothing. */
struct gri_envelope *gri_bounds_pop(struct gri_actor *a);
static inline bool gri_bounds_waits(const struct gri_actor *a)
{
    const struct gri_bounds *b = gri_actor_bounds(a);

    return b != NULL && atomic_load(&b->queued) != 0;
}
/* gri_bounds_would_start tells whether a message beyond what is admitted by queue_ms finds one of
 * max_concurrency free, so that it would not wait. */
bool gri_bounds_would_start(const struct gri_actor *a, uint64_t depth);
/* gri_bounds_taken is told of each message that the turn takes; false: it has waited for so long
 * that it should be refused. */
bool gri_bounds_measure(struct gri_actor *a, const struct gri_envelope *e);
static inline bool gri_bounds_taken(struct gri_actor *a, const struct gri_envelope *e)
{
    return gri_actor_bounds(a) == NULL || gri_bounds_measure(a, e);
}

/* gri_actor_condemn has the actor exit soon, by a worker; it takes no more from now on. [any] */
void gri_actor_condemn(struct gri_actor *a, enum gri_verdict why);
/* gri_bounds_sentence makes the exit of it, if it has not been made. The caller has a pin. */
void gri_bounds_sentence(struct gri_actor *a);

/* gri_asks_begin counts a call that `asker` starts; false: it has too many. gri_asks_end takes it
 * away, unless the actor is gone. */
bool gri_asks_begin(struct gri_actor *asker);
void gri_asks_end(gr_runtime *rt, uint64_t asker);

/* overtime.c: what the watchdog knows of actors */
extern const struct gri_watch_ops gri_actor_watch;

#endif
