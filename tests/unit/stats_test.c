/* SPDX-License-Identifier: Apache-2.0 */
/* stats_test.c - what the engine counts of itself: each number moves when just that happens. */
#include <stddef.h>

#include <greenroom/call.h>
#include <greenroom/runnable.h>
#include <greenroom/stats.h>

#include "runtime/sched/sched.h"

#include "tests/support/engine.h"

static gr_stats stats(void)
{
    gr_stats s = GR_STATS_INIT;

    gr_stats_read(rt, &s);
    return s;
}

static struct gri_sched *sched(void)
{
    return gri_sched_of(rt);
}

/* With one worker everything is in its order; and no spare one comes to help. */
static void start_one(void)
{
    engine_blocks = test_memory_live();
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1, .stuck_ms = 60000), &rt), GR_OK);
    root = gr_root(rt);
}

/* at_rest waits until all workers sleep, so that nothing more is counted. */
static gr_stats at_rest(void)
{
    gr_stats s;

    until((s = stats(), s.workers_idle_now) == s.workers_now);
    return stats(); /* what they had counted when they were read may have been before that */
}

/* ---- actors ---------------------------------------------------------------------------------- */

static _Atomic int received;

static void note(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)c, (void)self, (void)msg;
    atomic_fetch_add(&received, 1);
}

static const gr_class note_class = GR_CLASS(.name = "note", .state_size = 1, .receive = note);

#define MANY 300 /* more than one may tell in a row: see take_turns */

/* asks the ref that it is given, as often as MANY, and waits for each answer. */
static gr_value *ask_many(gr_ctx *c, void *self, const gr_value *args)
{
    gr_ref to = gr_as_ref(args);

    (void)self;
    for (int i = 0; i < MANY; i++)
        gr_value_unref(gr_invoke(gr_runtime_of(c), to, gr_int(i), NULL, NULL));
    return gr_nil();
}

/* tells it as often, giving the worker away if others wait for it. */
static gr_value *tell_many(gr_ctx *c, void *self, const gr_value *args)
{
    gr_ref to = gr_as_ref(args);

    (void)self;
    for (int i = 0; i < MANY; i++)
        gr_tell_wait(gr_runtime_of(c), to, gr_int(i));
    return gr_nil();
}

static const gr_method many_methods[] = { { "ask", GR_ASYNC, ask_many, NULL },
                                          { "tell", GR_ASYNC, tell_many, NULL } };
static const gr_class many_class = GR_CLASS(.name = "many", GR_METHODS(many_methods));

static void do_many(const char *verb, gr_ref to)
{
    gr_ref many = gr_spawn(root, &many_class, NULL);

    cr_assert_eq(code_of(gr_acall(rt, many, verb, gr_ref_value(to), NULL)), GR_OK);
}

Test(stats, turns_take_messages)
{
    gr_stats before, after;
    gr_ref a;

    start_one();
    atomic_store(&received, 0);
    a = gr_spawn(root, &note_class, NULL);
    before = at_rest();
    for (int i = 0; i < 100; i++)
        cr_assert_eq(gr_tell(rt, a, gr_int(i)), GR_OK);
    until(atomic_load(&received) == 100);
    after = at_rest();
    cr_assert_eq(after.messages - before.messages, 100);
    cr_assert_geq(after.turns - before.turns, 2, "a turn takes no more than 64");
    cr_assert_leq(after.turns - before.turns, 102);
    engine_down();
}

/* start_with_echo: whatever is made at a first call is there. */
static gr_ref start_with_echo(void)
{
    gr_ref to;

    start_one();
    to = echo();
    cr_assert_eq(int_of(gr_ainvoke(rt, to, gr_int(1), NULL)), 1);
    return to;
}

Test(stats, cheap_calls_run_on_the_stack_of_who_waits)
{
    gr_stats before, after;
    gr_ref to;

    to = start_with_echo();
    before = at_rest();
    do_many("ask", to);
    after = at_rest();
    cr_assert_eq(after.calls_inline - before.calls_inline, MANY);
    cr_assert_eq(after.calls_started - before.calls_started, MANY + 1);
    cr_assert_eq(after.waits, before.waits, "nobody left a stack");
    engine_down();
}

Test(stats, cheap_items_of_a_batch_are_no_calls_of_their_own)
{
    gr_stats before, after;
    gr_ref to;

    to = start_with_echo();
    before = at_rest();
    cr_assert_eq(code_of(gr_acall(rt, to, "batch", gr_list(gr_int(1), gr_int(2), gr_int(3)), NULL)),
                 GR_OK);
    after = at_rest();
    cr_assert_eq(after.calls_direct - before.calls_direct, 3);
    cr_assert_eq(after.calls_started - before.calls_started, 1);
    engine_down();
}

Test(stats, who_waits_leaves_its_stack)
{
    gr_stats before, after;
    gr_ref a;

    start_one();
    a = nap();
    before = at_rest();
    for (int i = 0; i < 5; i++)
        cr_assert_eq(int_of(gr_ainvoke(rt, a, gr_int(1), NULL)), 1);
    after = at_rest();
    cr_assert_eq(after.waits - before.waits, 5);
    cr_assert_eq(after.stood_back, before.stood_back);
    engine_down();
}

Test(stats, who_tells_much_stands_back)
{
    gr_stats before, after;

    start_one();
    atomic_store(&received, 0);
    before = at_rest();
    do_many("tell", gr_spawn(root, &note_class, NULL));
    until(atomic_load(&received) == MANY);
    after = at_rest();
    cr_assert_gt(after.stood_back, before.stood_back);
    cr_assert_eq(after.waits - before.waits, after.stood_back - before.stood_back);
    engine_down();
}

/* ---- tasks ----------------------------------------------------------------------------------- */

static _Atomic int ran;
static struct signal_count holding = SIGNAL_COUNT, go = SIGNAL_COUNT;

static void task_run(struct gri_task *t)
{
    (void)t;
    atomic_fetch_add(&ran, 1);
}

#define TASKS 10
static struct gri_task tasks[TASKS];

/* hold_run readies the tasks up to the number that it is told, and holds its worker. */
static int hold_readies;

static void hold_run(struct gri_task *t)
{
    (void)t;
    for (int i = 0; i < hold_readies; i++)
        gri_ready(sched(), &tasks[i]);
    post(&holding);
    take(&go);
}

static struct gri_task hold = { .run = hold_run, .name = "hold" };

static void hold_a_worker(int readies)
{
    atomic_store(&ran, 0);
    for (int i = 0; i < TASKS; i++)
        tasks[i] = (struct gri_task){ .run = task_run, .name = "task" };
    hold_readies = readies;
    gri_ready(sched(), &hold);
    cr_assert(take(&holding));
}

Test(stats, what_waits_is_seen_where_it_lies)
{
    gr_stats before, s;

    start_one();
    before = at_rest();
    hold_a_worker(3); /* one into the LIFO slot, two into the ring */
    for (int i = 3; i < 7; i++)
        gri_ready(sched(), &tasks[i]);
    for (int i = 7; i < TASKS; i++)
        gri_ready_on(sched(), &tasks[i], 0);
    s = stats();
    cr_assert_eq(s.queue_now, TASKS);
    cr_assert_eq(s.queue_shared_now, 4);
    cr_assert_eq(s.queue_pinned_now, 3);
    cr_assert_eq(s.workers_now, 1);
    cr_assert_eq(s.workers_idle_now, 0);
    post(&go);
    until(atomic_load(&ran) == TASKS);
    s = at_rest();
    cr_assert_eq(s.queue_now, 0);
    cr_assert_eq(s.workers_searching_now, 0);
    cr_assert_eq(s.injected - before.injected, 5, "four tasks, and what held the worker");
    engine_down();
}

Test(stats, steals_bring_tasks)
{
    gr_stats s;

    engine_start(2);
    hold_a_worker(TASKS);
    until(atomic_load(&ran) == TASKS); /* the worker that is held has run none of them */
    s = stats();
    cr_assert_geq(s.steals, 1);
    cr_assert_geq(s.stolen, s.steals);
    cr_assert_geq(s.stolen, TASKS - 1, "all but what lay in the LIFO slot");
    post(&go);
    engine_down();
}

Test(stats, a_worker_parks_until_there_is_work)
{
    gr_stats before, after;
    gr_ref to;

    to = start_with_echo();
    until((before = at_rest(), before.parks) == before.wakes + 1);
    cr_assert_eq(int_of(gr_ainvoke(rt, to, gr_int(1), NULL)), 1);
    until((after = at_rest(), after.parks) == after.wakes + 1 && after.wakes > before.wakes);
    engine_down();
}

/* ---- versions -------------------------------------------------------------------------------- */

Test(stats, who_knows_less_gets_less)
{
    gr_stats s;

    start_one();
    memset(&s, 0x5a, sizeof(s));
    s.size = offsetof(gr_stats, turns);
    gr_stats_read(rt, &s);
    cr_assert_eq(s.size, offsetof(gr_stats, turns));
    cr_assert_eq(s.calls_now, 0);
    for (size_t i = offsetof(gr_stats, turns); i < sizeof(s); i++)
        cr_assert_eq(((unsigned char *)&s)[i], 0x5a);
    engine_down();
}
