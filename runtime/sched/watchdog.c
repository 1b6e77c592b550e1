/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/sched/watchdog.h"

#include <stdio.h>

#include "runtime/base/log.h"

#define LOG_GAP_NS UINT64_C(1000000000) /* between lines; what comes sooner is only counted */

/* ---- telling --------------------------------------------------------------------------------- */

static void log_slow(struct gri_sched *s, uint64_t now, const char *name, uint64_t ran_ns)
{
    struct gri_watchdog *watch = &s->watch;

    if (now < watch->log_again_ns) {
        watch->unsaid++;
        return;
    }
    watch->log_again_ns = now + LOG_GAP_NS;
    if (watch->unsaid == 0)
        gri_log(GRI_LOG_WARN, "watchdog: %s has held its worker for %llu ms", name,
                (unsigned long long)(ran_ns / 1000000u));
    else
        gri_log(GRI_LOG_WARN, "watchdog: %s has held its worker for %llu ms; %u more before", name,
                (unsigned long long)(ran_ns / 1000000u), watch->unsaid);
    watch->unsaid = 0;
}

static void report(struct gri_worker *w, uint64_t now, uint64_t ran_ns)
{
    struct gri_sched *s = w->sched;
    char name[64] = "a task";

    w->watched.reported = true;
    gri_count(s->ledger, GRI_COUNT_SLOW_HANDLERS, 1);
    if (s->watch.ops != NULL && w->watched.who != 0)
        s->watch.ops->overtime(s, w->watched.who, name);
    log_slow(s, now, name, ran_ns);
}

/* ---- spare workers --------------------------------------------------------------------------- */

/* spare_for has a spare worker serve: one that rests, or a new one. NULL: all of them serve, or
 * there is no memory or thread; then the next tick tries again. */
static struct gri_worker *spare_for(struct gri_sched *s)
{
    unsigned live = atomic_load(&s->live_count);
    struct gri_worker *w;

    for (unsigned i = s->worker_count; i < live; i++) {
        w = &s->workers[i];
        if (atomic_load(&w->resting)) {
            atomic_store(&w->resting, false);
            atomic_fetch_add(&s->active_count, 1);
            atomic_store(&w->serve, 1);
            gri_futex_wake(&w->serve, 1);
            return w;
        }
    }
    if (live >= s->worker_count + s->spares_max)
        return NULL;
    w = &s->workers[live];
    atomic_store(&w->serve, 1);
    atomic_fetch_add(&s->active_count, 1);
    if (gri_worker_start(s, live, "gr-spare") != GR_OK) {
        atomic_fetch_sub(&s->active_count, 1);
        return NULL;
    }
    atomic_store(&s->live_count, live + 1); /* from now on others steal from it */
    return w;
}

static void take_over(struct gri_worker *w)
{
    struct gri_sched *s = w->sched;

    if (!w->watched.stuck)
        gri_count(s->ledger, GRI_COUNT_STUCK_WORKERS, 1);
    w->watched.stuck = true;
    gri_worker_empty(w);
    w->watched.spare = spare_for(s);
}

static void recovered(struct gri_worker *w)
{
    struct gri_worker *spare = w->watched.spare;

    if (spare == NULL)
        return;
    w->watched.spare = NULL;
    atomic_store(&spare->serve, 0);
    gri_worker_rouse(spare); /* if it sleeps for want of work */
}

void gri_spare_rest(struct gri_worker *w)
{
    struct gri_sched *s = w->sched;

    gri_worker_empty(w);
    atomic_fetch_sub(&s->active_count, 1);
    atomic_store(&w->resting, true); /* last: from now on the monitor may have it serve again */
    while (atomic_load(&w->serve) == 0 && !atomic_load(&s->stopping))
        gri_futex_wait(&w->serve, 0, GRI_NEVER);
}

void gri_spares_wake(struct gri_sched *s)
{
    unsigned live = atomic_load(&s->live_count);

    for (unsigned i = s->worker_count; i < live; i++) {
        atomic_store(&s->workers[i].serve, 1);
        gri_futex_wake(&s->workers[i].serve, 1);
    }
}

/* ---- watching -------------------------------------------------------------------------------- */

static void watch_one(struct gri_worker *w, uint64_t now)
{
    struct gri_sched *s = w->sched;
    struct gri_watched *seen = &w->watched;
    uint32_t beat = atomic_load_explicit(&w->beat, memory_order_acquire);
    uint64_t ran;

    if ((beat & 1) == 0 || beat != seen->beat) {
        recovered(w);
        *seen = (struct gri_watched){ .beat = beat, .since_ns = now };
        return;
    }
    if (seen->limit_ns == 0) { /* the second look at this beat */
        seen->who = atomic_load_explicit(&w->who, memory_order_relaxed);
        seen->limit_ns = s->watch.report_ns;
        if (s->watch.ops != NULL && seen->who != 0)
            seen->limit_ns = s->watch.ops->limit(s, seen->who);
    }
    ran = now - seen->since_ns;
    if (!seen->reported && ran >= seen->limit_ns)
        report(w, now, ran);
    if (seen->spare == NULL && ran >= s->watch.stuck_ns)
        take_over(w);
}

void gri_watchdog_tick(struct gri_sched *s, uint64_t now)
{
    unsigned live = atomic_load(&s->live_count);

    for (unsigned i = 0; i < live; i++)
        watch_one(&s->workers[i], now);
}
