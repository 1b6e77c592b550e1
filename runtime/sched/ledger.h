/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger.h - what a runtime counts: events, and amounts that have a limit.
 *
 * Each worker writes its own tally, which no other thread writes, so counting costs it a load and a
 * store; who reads adds the tallies up. Threads that are no workers share one and count atomically.
 *
 * A meter is an amount with a limit (bytes that wait, calls in flight). A worker notes in its tally
 * what it adds and takes away, and moves that to the meter's total once it has grown to `batch`
 * either way. So the total that is compared with the limit is off by less than batch for each
 * worker; batch is chosen so that all of them together stay within a sixteenth of the limit, and is
 * 1, exact, when the limit is that small.
 *
 * The ledger is counted, since a stream with chunks in it may outlive its runtime.
 */
#ifndef GR_RUNTIME_SCHED_LEDGER_H
#define GR_RUNTIME_SCHED_LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <greenroom/base.h>

struct gri_worker;

enum gri_meter_kind { GRI_METER_CALLS, GRI_METER_BYTES, GRI_METERS };

/* Events. Those down to WAKES happen all the time, the most frequent in the tally's first line of memory;
 * the others when something is refused or odd. */
enum gri_count {
    GRI_COUNT_MESSAGES,
    GRI_COUNT_TURNS,
    GRI_COUNT_CALLS,
    GRI_COUNT_CALLS_INLINE,
    GRI_COUNT_CALLS_DIRECT,
    GRI_COUNT_WAITS,
    GRI_COUNT_STOOD_BACK,
    GRI_COUNT_INJECTED,
    GRI_COUNT_STEALS,
    GRI_COUNT_STOLEN,
    GRI_COUNT_PARKS,
    GRI_COUNT_WAKES,
    GRI_COUNT_REFUSED_MAILBOX,
    GRI_COUNT_REFUSED_MAILBOX_BYTES,
    GRI_COUNT_REFUSED_QUEUE_MS,
    GRI_COUNT_REFUSED_BYTES,
    GRI_COUNT_REFUSED_CALLS,
    GRI_COUNT_REFUSED_ASKS,
    GRI_COUNT_REFUSED_BUDGET,
    GRI_COUNT_REFUSED_FIBERS,
    GRI_COUNT_REFUSED_BLOCKING,
    GRI_COUNT_REFUSED_ACTORS,
    GRI_COUNT_REFUSED_TIMERS,
    GRI_COUNT_REFUSED_STASH,
    GRI_COUNT_REFUSED_VERBS,
    GRI_COUNT_DROPPED_NEWEST,
    GRI_COUNT_DROPPED_OLDEST,
    GRI_COUNT_KILLED_OVERFLOW,
    GRI_COUNT_KILLED_OVERTIME,
    GRI_COUNT_DEAD_LETTERS,
    GRI_COUNT_SLOW_HANDLERS,
    GRI_COUNT_STUCK_WORKERS,
    GRI_COUNT_EVENTS_LOST,
    GRI_COUNT_FRAMES_SENT,
    GRI_COUNT_FRAMES_RECEIVED,
    GRI_COUNT_VALUES_SENT,
    GRI_COUNT_VALUES_RECEIVED,
    GRI_COUNTS
};

struct gri_tally {
    _Alignas(64) _Atomic uint64_t count[GRI_COUNTS];
    _Atomic int64_t share[GRI_METERS]; /* not yet in the meters' totals */
};

struct gri_meter {
    _Alignas(64) _Atomic int64_t total; /* what tallies have handed over */
    _Atomic int64_t high;               /* of total */
    int64_t max, batch;
};

struct gri_ledger {
    struct gri_meter meter[GRI_METERS];
    struct gri_tally others; /* of threads that are no workers */
    _Atomic uint32_t refs;
    unsigned tally_count;
    struct gri_tally tally[]; /* a worker each */
};

/* gri_ledger_new makes one with a reference; NULL: out of memory. max holds the meters' limits,
 * 0: none. */
struct gri_ledger *gri_ledger_new(unsigned workers, const size_t max[GRI_METERS]);
struct gri_ledger *gri_ledger_ref(struct gri_ledger *l);
void gri_ledger_unref(struct gri_ledger *l); /* NULL is fine */

/* gri_tally_count counts for the worker that runs, whose tally it is. */
static inline void gri_tally_count(struct gri_tally *t, enum gri_count what, uint64_t n)
{
    atomic_store_explicit(&t->count[what],
                          atomic_load_explicit(&t->count[what], memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* All of these: [any], also when the ledger's runtime is gone. */
void gri_count(struct gri_ledger *l, enum gri_count what, uint64_t n);
uint64_t gri_count_total(struct gri_ledger *l, enum gri_count what);

/* gri_meter_has_room tells whether `amount` more is within the limit; gri_meter_add adds it, or
 * takes it away. Threads that look at the same time may all find room for the last. */
static inline bool gri_meter_has_room(const struct gri_ledger *l, enum gri_meter_kind kind,
                                      int64_t amount)
{
    const struct gri_meter *m = &l->meter[kind];

    return atomic_load_explicit(&m->total, memory_order_relaxed) + amount <= m->max;
}
void gri_meter_add(struct gri_ledger *l, enum gri_meter_kind kind, int64_t amount);
/* gri_meter_begin adds 1 and counts an event: both at the price of one. */
void gri_meter_begin(struct gri_ledger *l, enum gri_meter_kind kind, enum gri_count what);
/* gri_meter_now adds up all tallies; gri_meter_high is the most that the total has been. */
int64_t gri_meter_now(struct gri_ledger *l, enum gri_meter_kind kind);
int64_t gri_meter_high(struct gri_ledger *l, enum gri_meter_kind kind);

/* gri_raise makes *high at least `value`. */
static inline void gri_raise(_Atomic int64_t *high, int64_t value)
{
    int64_t old = atomic_load_explicit(high, memory_order_relaxed);

    while (value > old && !atomic_compare_exchange_weak_explicit(
                              high, &old, value, memory_order_relaxed, memory_order_relaxed))
        ;
}

#endif
