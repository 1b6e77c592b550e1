/* SPDX-License-Identifier: Apache-2.0 */
/* stats.c - gr_stats: the ledger, and what others know of themselves, put together. */
#include <string.h>

#include <greenroom/stats.h>

#include "runtime/actor/runtime_impl.h"

/* Which of the ledger's counts goes where. */
static const struct {
    enum gri_count count;
    size_t offset;
} counts[] = {
#define COUNT(name, field)                                                                         \
    {                                                                                              \
        GRI_COUNT_##name, offsetof(gr_stats, field)                                                \
    }
    COUNT(MESSAGES, messages),
    COUNT(TURNS, turns),
    COUNT(CALLS, calls_started),
    COUNT(CALLS_INLINE, calls_inline),
    COUNT(CALLS_DIRECT, calls_direct),
    COUNT(WAITS, waits),
    COUNT(STOOD_BACK, stood_back),
    COUNT(INJECTED, injected),
    COUNT(STEALS, steals),
    COUNT(STOLEN, stolen),
    COUNT(PARKS, parks),
    COUNT(WAKES, wakes),
    COUNT(REFUSED_MAILBOX, refused_mailbox),
    COUNT(REFUSED_MAILBOX_BYTES, refused_mailbox_bytes),
    COUNT(REFUSED_QUEUE_MS, refused_queue_ms),
    COUNT(REFUSED_BYTES, refused_bytes),
    COUNT(REFUSED_CALLS, refused_calls),
    COUNT(REFUSED_ASKS, refused_asks),
    COUNT(REFUSED_BUDGET, refused_budget),
    COUNT(REFUSED_FIBERS, refused_fibers),
    COUNT(REFUSED_BLOCKING, refused_blocking),
    COUNT(REFUSED_ACTORS, refused_actors),
    COUNT(REFUSED_TIMERS, refused_timers),
    COUNT(REFUSED_STASH, refused_stash),
    COUNT(REFUSED_VERBS, refused_verbs),
    COUNT(DROPPED_NEWEST, dropped_newest),
    COUNT(DROPPED_OLDEST, dropped_oldest),
    COUNT(KILLED_OVERFLOW, killed_overflow),
    COUNT(KILLED_OVERTIME, killed_overtime),
    COUNT(DEAD_LETTERS, dead_letters),
    COUNT(SLOW_HANDLERS, slow_handlers),
    COUNT(STUCK_WORKERS, stuck_workers),
    COUNT(EVENTS_LOST, events_lost),
    COUNT(FRAMES_SENT, frames_sent),
    COUNT(FRAMES_RECEIVED, frames_received),
    COUNT(VALUES_SENT, values_sent),
    COUNT(VALUES_RECEIVED, values_received),
#undef COUNT
};
_Static_assert(sizeof(counts) / sizeof(counts[0]) == GRI_COUNTS, "each count has its place");

static void read_ledger(struct gri_ledger *l, gr_stats *s)
{
    for (size_t i = 0; i < GRI_COUNTS; i++)
        *(uint64_t *)(void *)((char *)s + counts[i].offset) = gri_count_total(l, counts[i].count);
    s->calls_now = (uint64_t)gri_meter_now(l, GRI_METER_CALLS);
    s->calls_high = (uint64_t)gri_meter_high(l, GRI_METER_CALLS);
    s->bytes_now = (uint64_t)gri_meter_now(l, GRI_METER_BYTES);
    s->bytes_high = (uint64_t)gri_meter_high(l, GRI_METER_BYTES);
    /* started is read first, so the difference is never too large */
    s->calls_ended = s->calls_started > s->calls_now ? s->calls_started - s->calls_now : 0;
}

static void read_sched(struct gri_sched *sched, gr_stats *s)
{
    struct gri_blocking *b = &sched->blocking;
    struct gri_depth depth = gri_sched_depth(sched);

    s->stacks_now = atomic_load(&sched->fibers);
    s->stacks_high = (uint64_t)atomic_load(&sched->fibers_high);
    s->workers_now = atomic_load(&sched->active_count);
    s->spares_now = s->workers_now - sched->worker_count;
    /* not relaxed: who then reads again finds what the idle ones had counted */
    s->workers_idle_now = atomic_load(&sched->idle_count);
    s->workers_searching_now = atomic_load_explicit(&sched->searching, memory_order_relaxed);
    s->queue_now = depth.all;
    s->queue_shared_now = depth.shared;
    s->queue_pinned_now = depth.pinned;
    gri_lock(&b->lock);
    s->blocking_threads_now = b->threads;
    s->blocking_threads_high = b->threads_high;
    s->blocking_queue_now = b->queued;
    s->blocking_queue_high = b->queued_high;
    gri_unlock(&b->lock);
}

void gr_stats_read(gr_runtime *rt, gr_stats *s)
{
    gr_stats all = { .size = s->size };

    read_ledger(rt->sched.ledger, &all);
    read_sched(&rt->sched, &all);
    all.mailbox_high = (uint64_t)atomic_load(&rt->mailbox_high);
    gri_lock(&rt->laters.lock);
    all.timers_now = rt->laters.by_id.count;
    gri_unlock(&rt->laters.lock);
    memcpy(s, &all, s->size < sizeof(all) ? s->size : sizeof(all));
}
