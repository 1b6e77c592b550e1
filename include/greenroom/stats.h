/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats.h - what a runtime has done, holds and has refused.
 *
 * docs/limits.md lists the limits, and which of these numbers belongs to which.
 */
#ifndef GREENROOM_STATS_H
#define GREENROOM_STATS_H

#include <greenroom/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is not marked "now" or "high" counts up from the runtime's start. */
typedef struct gr_stats {
    size_t size;
    uint64_t messages;        /* taken from mailboxes, or told by link.h; not calls past a mailbox */
    uint64_t calls_started, calls_ended;
    uint64_t calls_now, calls_high; /* in flight */
    uint64_t bytes_now, bytes_high; /* of values that wait: see gr_runtime_opts.bytes_max */
    uint64_t mailbox_high;    /* the most messages that one mailbox has held */
    uint64_t stacks_now, stacks_high; /* handlers' stacks, spare ones too: see fibers_max */
    uint64_t blocking_threads_now, blocking_queue_now, blocking_queue_high;
    uint64_t timers_now;      /* of gr_send_after */
    uint64_t dead_letters;    /* messages that were lost: see gr_dead_letters */

    /* refused, by the limit that was reached */
    uint64_t refused_mailbox;       /* mailbox_max, whatever the policy */
    uint64_t refused_mailbox_bytes; /* mailbox_bytes_max, likewise */
    uint64_t refused_queue_ms;      /* queue_ms, while mailbox_max was not reached */
    uint64_t refused_bytes;         /* the runtime's bytes_max */
    uint64_t refused_calls;         /* the runtime's calls_max */
    uint64_t refused_asks;          /* asks_max */
    uint64_t refused_budget;        /* a run's calls_max, depth_max or bytes_max */
    uint64_t refused_fibers;        /* fibers_max: waits that failed */
    uint64_t refused_blocking;      /* blocking_queue_max, or no thread to be had */
    uint64_t refused_actors;        /* actors_max */
    uint64_t refused_timers;        /* timers_max */
    uint64_t refused_stash;         /* stash_max */
    uint64_t refused_verbs;         /* peer_verbs_max, and 1,018 verbs in all */
    uint64_t dropped_newest, dropped_oldest;   /* by overflow policy */
    uint64_t killed_overflow, killed_overtime; /* actors, by overflow policy and handler_kill */

    uint64_t slow_handlers;   /* ran longer than report_ms or handler_ms */
    uint64_t stuck_workers;   /* were in one handler for stuck_ms */
    uint64_t spares_now;      /* spare workers at work */
    uint64_t blocking_threads_high;

    /* what the engine does: docs/architecture.md says what they tell */
    uint64_t turns;           /* of actors: each takes up to 64 messages */
    uint64_t calls_inline;    /* of calls_started: cheap ones, run on the stack of who waited for them, or by the link that
                                brought them */
    uint64_t calls_direct;    /* a batch's cheap items, run in place; not among calls_started */
    uint64_t waits;           /* handlers that left their stack, to wait or to stand back */
    uint64_t stood_back;      /* of these: they had told so much that others were let run first */
    uint64_t steals, stolen;  /* a worker's visits to another's queue that brought something; the tasks */
    uint64_t injected;        /* tasks that came by the shared queue: from other threads, or a stuck worker */
    uint64_t parks, wakes;    /* workers that went to sleep for want of work; that were woken up */
    uint64_t queue_now;       /* tasks that are ready and wait for a worker, wherever they lie */
    uint64_t queue_shared_now, queue_pinned_now; /* of these: for any worker; for a certain one */
    uint64_t workers_now;     /* that serve, spare ones too */
    uint64_t workers_idle_now, workers_searching_now; /* of these: asleep; awake, without work yet */

    /* of runs, that an actor in "callbacks" had no room for, and beyond 65536 that wait: see callbacks.h */
    uint64_t events_lost;

    /* frames of all links to other nodes, without the greeting and heartbeats; a long one counts once */
    uint64_t frames_sent, frames_received;
    /* of these: those that bring an argument, an answer, a chunk or a message. So one more for each
     * way that a value goes from node to node: docs/cluster.md. What is told of runs, and reasons of ends and
     * exits, are no such values */
    uint64_t values_sent, values_received;
} gr_stats;

/*
 * gr_stats_read fills *s in; s->size says how much of it the caller knows, so set it first:
 * gr_stats s = GR_STATS_INIT. Costs some forty loads for each worker and three short locks, and
 * stops nobody. The numbers are read one after another, while others count, so they need not fit
 * each other to the last.    [any]
 */
#define GR_STATS_INIT { .size = sizeof(gr_stats) }
GR_API void gr_stats_read(gr_runtime *rt, gr_stats *s);

#ifdef __cplusplus
}
#endif
#endif
