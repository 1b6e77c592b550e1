/* SPDX-License-Identifier: Apache-2.0 */
/* sim.c - simulated threads: how they take turns, wait, and how time passes. See sim.h. */
#include "runtime/sched/sim.h"

#include "runtime/base/alloc.h"
#include "runtime/base/log.h"
#include "runtime/sched/sched.h"

#define STACK_SIZE ((size_t)256 * 1024)
#define START_NS UINT64_C(1000000000)
#define LAST_TURNS 10000 /* for detached threads, at the end */
#define LAST_TURN_NS 100000
#define READ_NS 20 /* what reading the clock takes */

static _Thread_local struct gri_sim *here;
static _Thread_local gr_sim_trace_fn *trace; /* NULL: nobody does */
static _Thread_local void *trace_arg;

struct gri_sim *gri_sim_here(void)
{
    return here;
}

void gr_sim_trace(gr_sim_trace_fn *fn, void *arg)
{
    trace = fn;
    trace_arg = arg;
}

void gri_sim_tell(enum gri_point p)
{
    if (trace == NULL)
        return;
    trace(trace_arg, &(gr_sim_step){ .now_ns = here->now_ns,
                                     .thread = here->running->name,
                                     .thread_id = here->running->id,
                                     .point = gr_sim_point(p, NULL, NULL) });
}

static struct gri_sim_thread *thread_of(struct gri_list *n)
{
    return gri_container_of(n, struct gri_sim_thread, node);
}

#define FOR_EACH_THREAD(s, t)                                                                      \
    for (struct gri_sim_thread *t = thread_of((s)->threads.next); &t->node != &(s)->threads;       \
         t = thread_of(t->node.next))

/* ---- whose turn it is ------------------------------------------------------------------------ */

static void make_runnable(struct gri_sim_thread *t)
{
    t->state = GRI_SIM_RUNNABLE;
    t->word = NULL;
    t->until = GRI_NEVER;
}

/* wake_due makes runnable whoever's time has come. */
static void wake_due(struct gri_sim *s)
{
    FOR_EACH_THREAD(s, t)
    if (t->state == GRI_SIM_WAITING && t->until <= s->now_ns)
        make_runnable(t);
}

static bool can_run(const struct gri_sim *s, const struct gri_sim_thread *t)
{
    return t->state == GRI_SIM_RUNNABLE &&
           (t->process == 0 || t->process != s->frozen || s->frozen_until <= s->now_ns);
}

static bool anyone_runnable(struct gri_sim *s)
{
    FOR_EACH_THREAD(s, t)
    if (can_run(s, t))
        return true;
    return false;
}

/* pass_idle_time jumps to the next deadline, as nobody can run before. If there is none the creating
 * thread has to do something: its wait ends. */
static void pass_idle_time(struct gri_sim *s)
{
    uint64_t next = s->frozen_until > s->now_ns ? s->frozen_until : GRI_NEVER;

    FOR_EACH_THREAD(s, t)
    if (t->state == GRI_SIM_WAITING && t->until < next)
        next = t->until;
    if (next == GRI_NEVER) {
        s->stuck = true;
        make_runnable(&s->main);
        return;
    }
    s->now_ns = next > s->now_ns ? next : s->now_ns;
    if (gri_sim_fault(&s->chance, GRI_AT_LATE_TIMEOUT))
        s->now_ns += gri_sim_draw(&s->chance, s->chance.delay_ns);
    wake_due(s);
}

static struct gri_sim_thread *pick_uniform(struct gri_sim *s, const struct gri_sim_thread *but)
{
    unsigned runnable = 0, nth;

    FOR_EACH_THREAD(s, t)
    runnable += can_run(s, t) && t != but;
    if (runnable == 0)
        return s->running;
    nth = (unsigned)gri_sim_draw(&s->chance, runnable);
    FOR_EACH_THREAD(s, t)
    if (can_run(s, t) && t != but && nth-- == 0)
        return t;
    return s->running;
}

static struct gri_sim_thread *pick_by_priority(struct gri_sim *s, const struct gri_sim_thread *but)
{
    struct gri_sim_thread *best = NULL;

    FOR_EACH_THREAD(s, t)
    if (can_run(s, t) && t != but && (best == NULL || t->priority > best->priority))
        best = t;
    return best != NULL ? best : s->running;
}

static void draw_priorities(struct gri_sim *s)
{
    FOR_EACH_THREAD(s, t)
    t->priority = gri_sim_draw(&s->chance, UINT64_MAX);
}

/* pick says who goes on. `spins`: the running thread waits for somebody else, so others go first. */
static struct gri_sim_thread *pick(struct gri_sim *s, bool spins)
{
    const struct gri_sim_thread *but = spins ? s->running : NULL;

    s->now_ns += 1 + gri_sim_draw(&s->chance, s->chance.step_ns);
    wake_due(s);
    while (!anyone_runnable(s))
        pass_idle_time(s);
    if (s->chance.policy != GRI_SIM_PRIORITIES)
        return pick_uniform(s, but);
    /* who spins gives way; and now and then all is drawn anew, so that nobody starves */
    if (spins && s->running->priority > 0)
        s->running->priority = gri_sim_draw(&s->chance, s->running->priority);
    if (gri_sim_odds(&s->chance, 1024))
        draw_priorities(s);
    return pick_by_priority(s, but);
}

/* own_stack is where a thread began. The creating thread's is asked for once: that reads a file. */
static const struct gri_fiber *own_stack(const struct gri_sim_thread *t)
{
    static _Thread_local struct gri_fiber creator;

    if (t->stack != NULL)
        return t->stack;
    if (creator.asan_size == 0)
        gri_fiber_bounds(&creator);
    return &creator;
}

/* note_stack tells the sanitizers' bookkeeping which stack the thread is about to leave. */
static void note_stack(struct gri_sim_thread *t)
{
    const struct gri_fiber *on =
        t->current != NULL && t->current->fiber != NULL ? t->current->fiber : own_stack(t);

    t->at.asan_bottom = on->asan_bottom;
    t->at.asan_size = on->asan_size;
    gri_fiber_note(&t->at);
}

static void keep_stack(struct gri_sim *s)
{
    struct gri_sim_thread *t = s->ended;

    s->ended = NULL;
    if (t == NULL)
        return;
    gri_fiber_free(t->stack);
    t->stack = NULL;
    if (t->detached)
        gri_free(t);
}

static void switch_to(struct gri_sim *s, struct gri_sim_thread *next)
{
    struct gri_sim_thread *self = s->running;
    struct gri_fiber *to = next->resume;

    if (next == self)
        return;
    gri_sim_record(&s->chance, next->id);
    gri_sim_record(&s->chance, s->now_ns);
    self->current = gri_exec_swap(next->current);
    note_stack(self);
    self->resume = &self->at;
    s->running = next;
    gri_sim_tell(GRI_POINT_COUNT);
    gri_fiber_switch(&self->at, to);
    keep_stack(here);
}

static void yield_turn(struct gri_sim *s, bool spins)
{
    switch_to(s, pick(s, spins));
}

void gri_sim_sleep(struct gri_sim *s, uint64_t ns)
{
    s->running->until = s->now_ns + ns;
    s->running->state = GRI_SIM_WAITING;
    yield_turn(s, false);
}

/* ---- the machine ----------------------------------------------------------------------------- */

static void sim_point(unsigned point)
{
    struct gri_sim *s = here;
    struct gri_sim_chance *c = &s->chance;

    c->events++;
    if (point == GRI_AT_SLOW_BLOCKING) {
        if (gri_sim_fault(c, GRI_AT_SLOW_BLOCKING))
            gri_sim_sleep(s, gri_sim_draw(c, c->delay_ns));
    } else if (gri_sim_odds(c, c->preempt)) {
        c->fired[point]++;
        gri_sim_tell(point);
        if (gri_sim_draw(c, 4) == 0) /* long enough for others to do a whole thing */
            gri_sim_sleep(s, gri_sim_draw(c, 100 * c->step_ns));
        else
            yield_turn(s, false);
    } else if (!c->healed && gri_sim_odds(c, c->delay)) {
        c->fired[GRI_AT_DELAY]++;
        gri_sim_tell(GRI_AT_DELAY);
        gri_sim_sleep(s, gri_sim_draw(c, c->delay_ns));
    }
}

static bool sim_fault(unsigned point)
{
    return gri_sim_fault(&here->chance, (enum gri_point)point);
}

static void sim_relax(void)
{
    here->chance.events++;
    here->now_ns += 100;
    yield_turn(here, true);
}

static uint64_t sim_clock(void)
{
    return here->now_ns += READ_NS;
}

static uint64_t sim_random(void)
{
    return gri_sim_draw(&here->chance, UINT64_MAX);
}

static bool sim_futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ns)
{
    struct gri_sim *s = here;
    struct gri_sim_thread *self = s->running;

    sim_point(GRI_AT_FUTEX_WAIT);
    if (atomic_load(word) != expected || deadline_ns <= s->now_ns)
        return true;
    if (gri_sim_fault(&s->chance, GRI_AT_SPURIOUS)) {
        yield_turn(s, true);
        return true;
    }
    self->word = word;
    self->until = deadline_ns;
    self->state = GRI_SIM_WAITING;
    yield_turn(s, false);
    if (self == &s->main && s->stuck) {
        s->stuck = false;
        return false;
    }
    return true;
}

/* waiter_of picks one of those who wait on the word; the real machine promises no order either. */
static struct gri_sim_thread *waiter_of(struct gri_sim *s, const _Atomic uint32_t *word)
{
    struct gri_sim_thread *found = NULL;
    unsigned seen = 0;

    FOR_EACH_THREAD(s, t)
    if (t->state == GRI_SIM_WAITING && t->word == word && gri_sim_draw(&s->chance, ++seen) == 0)
        found = t;
    return found;
}

static void sim_futex_wake(_Atomic uint32_t *word, int count)
{
    struct gri_sim *s = here;
    struct gri_sim_thread *t;

    while (count-- > 0 && (t = waiter_of(s, word)) != NULL) {
        gri_sim_record(&s->chance, t->id);
        make_runnable(t);
        if (gri_sim_fault(&s->chance, GRI_AT_LATE_WAKE)) {
            t->until = s->now_ns + gri_sim_draw(&s->chance, s->chance.delay_ns);
            t->state = GRI_SIM_WAITING;
        }
    }
    sim_point(GRI_AT_FUTEX_WAKE);
}

/* ---- threads --------------------------------------------------------------------------------- */

static void thread_main(void *arg)
{
    struct gri_sim_thread *t = arg;
    struct gri_sim *s = here;

    keep_stack(s);
    t->fn(t->arg);
    t->state = GRI_SIM_DONE;
    gri_list_remove(&t->node);
    atomic_store(&t->done, 1);
    s->ended = t; /* its stack goes when another one runs */
    t->word = NULL;
    FOR_EACH_THREAD(s, w)
    if (w->state == GRI_SIM_WAITING && w->word == &t->done)
        make_runnable(w);
    yield_turn(s, true);
    gri_check_failed("an ended thread was resumed", __FILE__, __LINE__);
}

static gr_code sim_thread_start(struct gri_thread *ret, const char *name, void *(*fn)(void *),
                                void *arg)
{
    struct gri_sim *s = here;
    struct gri_sim_thread *t;

    if (gri_sim_fault(&s->chance, GRI_AT_THREAD_START))
        return GR_ENOMEM;
    t = gri_new0(struct gri_sim_thread);
    if (t == NULL)
        return GR_ENOMEM;
    *t = (struct gri_sim_thread){ .name = name,
                                  .fn = fn,
                                  .arg = arg,
                                  .id = ++s->thread_count,
                                  .process = s->running->process,
                                  .priority = gri_sim_draw(&s->chance, UINT64_MAX),
                                  .until = GRI_NEVER };
    t->current = &t->exec;
    t->stack = gri_fiber_new(STACK_SIZE, thread_main, t);
    if (t->stack == NULL) {
        gri_free(t);
        return GR_ENOMEM;
    }
    t->resume = t->stack;
    gri_list_push(&s->threads, &t->node);
    ret->simulated = t;
    return GR_OK;
}

static void sim_thread_join(struct gri_thread *thread)
{
    struct gri_sim_thread *t = thread->simulated;

    while (atomic_load(&t->done) == 0)
        gri_check(sim_futex_wait(&t->done, 0, GRI_NEVER));
    gri_check(here->ended != t && t->stack == NULL);
    gri_free(t);
}

static void sim_thread_detach(struct gri_thread *thread)
{
    struct gri_sim_thread *t = thread->simulated;

    t->detached = true;
}

static void sim_stack(const void **ret_bottom, size_t *ret_size)
{
    const struct gri_fiber *on = own_stack(here->running);

    *ret_bottom = on->asan_bottom;
    *ret_size = on->asan_size;
}

static const struct gri_platform machine = {
    .thread_start = sim_thread_start,
    .thread_join = sim_thread_join,
    .thread_detach = sim_thread_detach,
    .futex_wait = sim_futex_wait,
    .futex_wake = sim_futex_wake,
    .clock_ns = sim_clock,
    .random = sim_random,
    .relax = sim_relax,
    .point = sim_point,
    .fault = sim_fault,
    .stack = sim_stack,
};

/* ---- coming and going ------------------------------------------------------------------------ */

gr_code gri_sim_enter(uint64_t seed, uint32_t faults)
{
    struct gri_sim *s = here;

    if (s != NULL) {
        if (seed != s->chance.seed)
            return GR_EINVAL;
        s->runtimes++;
        return GR_OK;
    }
    s = gri_new0(struct gri_sim);
    if (s == NULL)
        return GR_ENOMEM;
    gri_sim_seed(&s->chance, seed, faults);
    s->runtimes = 1;
    s->now_ns = START_NS;
    gri_list_init(&s->threads);
    s->main.name = "main";
    s->main.until = GRI_NEVER;
    gri_list_push(&s->threads, &s->main.node);
    s->running = &s->main;
    here = s;
    gri_platform = &machine;
    atomic_fetch_add(&gri_simulations, 1);
    return GR_OK;
}

void gri_sim_process(unsigned process)
{
    here->running->process = process;
}

void gri_sim_freeze(unsigned process, uint64_t ns)
{
    gri_assert(process != 0 && here->running->process != process);
    here->frozen = process;
    here->frozen_until = here->now_ns + ns;
}

/* await_threads lets detached threads come to their end, as a process would that goes on. */
static bool await_threads(struct gri_sim *s)
{
    bool alone = false;

    for (int i = 0; i < LAST_TURNS && !alone; i++) {
        alone = s->threads.next == &s->main.node && s->threads.prev == &s->main.node;
        if (!alone)
            gri_sim_sleep(s, LAST_TURN_NS);
    }
    return alone;
}

void gri_sim_leave(void)
{
    struct gri_sim *s = here;
    bool alone;

    if (--s->runtimes > 0)
        return;
    gri_check(s->running == &s->main);
    if (s->net != NULL)
        s->net_free(s);
    alone = await_threads(s);
    atomic_fetch_sub(&gri_simulations, 1);
    gri_platform = NULL;
    here = NULL;
    if (alone)
        gri_free(s);
    else
        gri_log(GRI_LOG_WARN, "sim: threads that did not end are left behind");
}

gr_code gr_sim_advance(gr_runtime *rt, int64_t ms)
{
    if (here == NULL || gri_sched_of(rt)->sim != here || gri_exec()->worker != NULL)
        return GR_EINVAL;
    gri_sim_sleep(here, ms > 0 ? (uint64_t)ms * 1000000u : 0);
    return GR_OK;
}
