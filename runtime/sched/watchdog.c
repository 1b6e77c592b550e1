/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/sched/watchdog.h"

#include <stdio.h>

#include "runtime/base/log.h"
#include "runtime/base/symbol.h"
#include "runtime/sched/cache.h"
#include "runtime/sched/perch.h"
#include "runtime/sched/witness.h"

#define LOG_GAP_NS UINT64_C(1000000000) /* between lines; what comes sooner is only counted */
#define ANSWER_NS UINT64_C(200000000)   /* how long a line waits for its backtrace */
/* How long a spare worker that nobody needs stays: who computes in one handler after the other
 * would else leave the rest without a worker at the start of each. */
#define REST_NS UINT64_C(50000000)
/* When a handler's thread is first asked what it has had of the processors: earlier for a limit that is
 * shorter than four times as long. And how often, past the limit. */
#define ASK_NS UINT64_C(10000000)
#define ASK_GAP_NS UINT64_C(5000000)
#define LATE_NS UINT64_C(10000000) /* between two ticks; beyond, the monitor did not run itself */

/* ---- telling --------------------------------------------------------------------------------- */

static void log_frames(const struct gri_trace *t)
{
    char text[200];

    for (unsigned i = 0; i < t->count; i++) {
        gri_symbol_print(t->frame[i], text, sizeof(text));
        gri_log(GRI_LOG_WARN, "watchdog:   at %s", text);
    }
}

/* say logs a report, with the frames of a trace if there is one of that handler. */
static void say(const struct gri_slow *slow, const struct gri_trace *trace)
{
    unsigned long long ms = slow->ran_ns / 1000000u;

    if (slow->unsaid == 0)
        gri_log_actor(GRI_LOG_WARN, slow->name, "watchdog: %s has held its worker for %llu ms",
                      slow->name, ms);
    else
        gri_log_actor(GRI_LOG_WARN, slow->name,
                      "watchdog: %s has held its worker for %llu ms; %u more before", slow->name,
                      ms, slow->unsaid);
    if (trace != NULL && trace->beat == slow->beat)
        log_frames(trace);
}

static void say_pending(struct gri_sched *s, uint64_t now)
{
    struct gri_slow *slow = &s->watch.slow;
    const struct gri_trace *trace;

    if (slow->worker == NULL)
        return;
    trace = gri_witness_answer(slow->worker->witness);
    if (trace == NULL && now < slow->until_ns)
        return;
    say(slow, trace);
    slow->worker = NULL;
}

bool gri_watchdog_waits(const struct gri_sched *s)
{
    return s->watch.slow.worker != NULL;
}

void gri_watchdog_end(struct gri_sched *s)
{
    say_pending(s, GRI_NEVER);
}

static void log_slow(struct gri_worker *w, uint64_t now, const char *name, uint64_t ran_ns)
{
    struct gri_watchdog *watch = &w->sched->watch;
    struct gri_slow slow = { .worker = w, .ran_ns = ran_ns, .until_ns = now + ANSWER_NS };

    if (now < watch->log_again_ns) {
        watch->unsaid++;
        return;
    }
    snprintf(slow.name, sizeof(slow.name), "%s", name);
    slow.beat = w->watched.beat;
    slow.unsaid = watch->unsaid;
    watch->log_again_ns = now + LOG_GAP_NS;
    watch->unsaid = 0;
    if (gri_witness_ask(w->witness))
        watch->slow = slow;
    else
        say(&slow, NULL);
}

static void report(struct gri_worker *w, uint64_t now, uint64_t ran_ns)
{
    struct gri_sched *s = w->sched;
    char name[64] = "a task";

    w->watched.reported = true;
    gri_count(s->ledger, GRI_COUNT_SLOW_HANDLERS, 1);
    if (s->watch.ops != NULL && w->watched.who != 0)
        s->watch.ops->overtime(s, w->watched.who, name);
    log_slow(w, now, name, ran_ns);
}

/* ---- spare workers --------------------------------------------------------------------------- */

/* lend has a spare worker serve: one that rests, or a new one. If all of them serve, or there is no
 * memory or thread, the next tick tries again. */
static void lend(struct gri_sched *s)
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
            return;
        }
    }
    if (live >= s->worker_count + s->spares_max)
        return;
    w = &s->workers[live];
    atomic_store(&w->serve, 1);
    atomic_fetch_add(&s->active_count, 1);
    if (gri_worker_start(s, live, "gr-spare") != GR_OK) {
        atomic_fetch_sub(&s->active_count, 1);
        return;
    }
    atomic_store(&s->live_count, live + 1); /* from now on others steal from it */
}

/* take_over counts a worker that has become stuck and hands on what is queued behind it. */
static void take_over(struct gri_worker *w)
{
    gri_count(w->sched->ledger, GRI_COUNT_STUCK_WORKERS, 1);
    w->watched.stuck = true;
    gri_worker_empty(w);
}

/* work_waits: for any worker, that is; what is pinned waits for its own. */
static bool work_waits(struct gri_sched *s)
{
    if (atomic_load(&s->inject_count) != 0)
        return true;
    for (unsigned i = 0; i < atomic_load(&s->live_count); i++) {
        struct gri_worker *w = &s->workers[i];

        if (atomic_load(&w->tail) != atomic_load(&w->head) || gri_lifo_peek(&w->lifo) != NULL ||
            atomic_load(&w->spill_count) != 0)
            return true;
    }
    return false;
}

/* What the workers that serve are at, spare ones too; those on their way to rest don't count. */
struct muster {
    unsigned serve, held, stuck;
};

static bool serves(struct gri_worker *w)
{
    return !w->spare_worker || (atomic_load(&w->serve) != 0 && !atomic_load(&w->resting));
}

static struct muster count_workers(struct gri_sched *s)
{
    struct muster m = { 0 };

    for (unsigned i = 0; i < atomic_load(&s->live_count); i++) {
        struct gri_worker *w = &s->workers[i];

        if (!serves(w))
            continue;
        m.serve++;
        m.held += w->watched.held;
        m.stuck += w->watched.stuck;
    }
    return m;
}

/* send_to_rest tells a spare worker to rest, if one of them is between handlers. */
static void send_to_rest(struct gri_sched *s)
{
    for (unsigned i = s->worker_count; i < atomic_load(&s->live_count); i++) {
        struct gri_worker *w = &s->workers[i];

        if (!serves(w) || w->watched.held)
            continue;
        atomic_store(&w->serve, 0);
        gri_worker_rouse(w); /* if it sleeps for want of work */
        return;
    }
}

/* provide lends a spare worker, or takes one back once it has not been needed for a while. */
static void provide(struct gri_sched *s, uint64_t now)
{
    struct muster m = count_workers(s);
    bool needed = m.serve <= s->worker_count + m.stuck || m.serve - m.held < 2;

    if (m.serve < s->worker_count + m.stuck || (m.held == m.serve && work_waits(s)))
        lend(s);
    if (needed || s->watch.spared_since_ns == 0)
        s->watch.spared_since_ns = now;
    if (now - s->watch.spared_since_ns < REST_NS)
        return;
    send_to_rest(s);
    s->watch.spared_since_ns = now;
}

void gri_spare_rest(struct gri_worker *w)
{
    struct gri_sched *s = w->sched;

    gri_perch_drop(w);
    gri_worker_empty(w);
    gri_shelves_empty(w); /* each block, and each tell not noted as home, would keep a slab */
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

/* ---- how long -------------------------------------------------------------------------------- */

/*
 * Not all of the time since a handler's first beat was the handler's: its thread may have waited for a
 * processor, which on a machine with much to do takes longer than any limit. What it blocked is its own.
 *
 * The kernel counts a wait once it is over. So of a thread that is runnable, and may be waiting now, only
 * what it ran is certain; or, if it has run since it was asked before, all up to that moment but for the
 * waits counted by now, since one that is not yet counted began later.
 *
 * While the monitor did not run, nobody knows what the worker did: the process was stopped, say, or frozen.
 */

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* ask starts to count. */
static void ask(struct gri_worker *w, uint64_t now)
{
    struct gri_watched *seen = &w->watched;

    seen->asked = true;
    if (!gri_cpu_time_read(&w->cpu, &seen->from))
        return;
    seen->before_ns = less(now - seen->from_ns, seen->late_ns);
    seen->late_ns = 0;
    seen->from_ns = seen->last_ns = now;
    seen->last = seen->from;
}

/* held_ns returns how long the handler has held its worker. */
static uint64_t held_ns(struct gri_worker *w, uint64_t now)
{
    struct gri_watched *seen = &w->watched;
    struct gri_cpu_time t;
    uint64_t lost = seen->late_ns, ran = 0, until = now;

    if (seen->last_ns != 0 && gri_cpu_time_read(&w->cpu, &t)) {
        uint64_t waited = less(t.waited_ns, seen->from.waited_ns);

        if (waited > lost)
            lost = waited; /* not both: it may be the same time */
        ran = less(t.ran_ns, seen->from.ran_ns);
        if (t.runnable)
            until = t.waits_known && t.ran_ns > seen->last.ran_ns ? seen->last_ns : seen->from_ns;
        seen->last = t;
        seen->last_ns = now;
    }
    until = less(until - seen->from_ns, lost);
    return seen->before_ns + (ran > until ? ran : until);
}

/* check_limit reports a handler that is past its limit. */
static void check_limit(struct gri_worker *w, uint64_t now)
{
    struct gri_watched *seen = &w->watched;
    uint64_t past = now - seen->since_ns, held;

    if (seen->limit_ns == GRI_NEVER)
        return;
    if (!seen->asked && past >= (seen->limit_ns / 4 < ASK_NS ? seen->limit_ns / 4 : ASK_NS))
        ask(w, now);
    if (past < seen->limit_ns || now - seen->last_ns < ASK_GAP_NS)
        return;
    held = held_ns(w, now);
    if (held >= seen->limit_ns)
        report(w, now, held);
}

/* ---- watching -------------------------------------------------------------------------------- */

/* watch_one returns whether w is in the handler in which it was at the last look. */
static bool watch_one(struct gri_worker *w, uint64_t now)
{
    struct gri_sched *s = w->sched;
    struct gri_watched *seen = &w->watched;
    uint32_t beat = atomic_load_explicit(&w->beat, memory_order_acquire);
    uint64_t ran;

    if ((beat & 1) == 0 || beat != seen->beat) {
        *seen =
            (struct gri_watched){ .beat = beat, .since_ns = now, .seen_ns = now, .from_ns = now };
        return false;
    }
    if (gri_platform_here() == NULL)
        seen->late_ns += less(now - seen->seen_ns, LATE_NS);
    seen->seen_ns = now;
    if (seen->limit_ns == 0) { /* the second look at this beat */
        seen->who = atomic_load_explicit(&w->who, memory_order_relaxed);
        seen->limit_ns = s->watch.report_ns;
        if (s->watch.ops != NULL && seen->who != 0)
            seen->limit_ns = s->watch.ops->limit(s, seen->who);
    }
    ran = now - seen->since_ns;
    seen->held = ran >= s->watch.spare_ns;
    if (!seen->reported)
        check_limit(w, now);
    if (!seen->stuck && ran >= s->watch.stuck_ns)
        take_over(w);
    return true;
}

bool gri_watchdog_tick(struct gri_sched *s, uint64_t now)
{
    unsigned live = atomic_load(&s->live_count);
    bool lasting = false;

    say_pending(s, now);
    for (unsigned i = 0; i < live; i++)
        lasting |= watch_one(&s->workers[i], now);
    provide(s, now);
    return lasting && s->watch.spare_ns < s->watch.stuck_ns;
}
