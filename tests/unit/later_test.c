/* SPDX-License-Identifier: Apache-2.0 */
/* later_test.c - gr_send_after and gr_cancel_timer. */
#include <greenroom/stats.h>
#include <greenroom/timer.h>

#include "tests/support/engine.h"

static struct signal_count entered = SIGNAL_COUNT, go = SIGNAL_COUNT;
static _Atomic int received, last;
static uint64_t came_ns;

static void note_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)self;
    if (gr_as_bool(msg, false)) {
        post(&entered);
        take(&go);
        return;
    }
    came_ns = gr_now_ns(gr_runtime_of(c));
    atomic_store(&last, (int)gr_as_int(msg, -1));
    atomic_fetch_add(&received, 1);
}

static const gr_class note_class =
    GR_CLASS(.name = "note", .state_size = 1, .receive = note_receive);
static const gr_class deaf_class = GR_CLASS(.name = "deaf", .state_size = 1);

static gr_ref note(void)
{
    atomic_store(&received, 0);
    return gr_spawn(root, &note_class, GR_SPAWN(.mailbox_max = 2));
}

static gr_stats stats(void)
{
    gr_stats s = GR_STATS_INIT;

    gr_stats_read(rt, &s);
    return s;
}

Test(later, comes_when_it_is_due_and_not_before)
{
    uint64_t start = gr_now_ns(rt);
    gr_timer t = { 0, 0 };

    cr_assert_eq(gr_send_after(rt, note(), 30, gr_int(7), &t), GR_OK);
    cr_assert_eq(stats().timers_now, 1);
    until(atomic_load(&received) == 1);
    cr_assert_geq(came_ns - start, 30 * UINT64_C(1000000));
    cr_assert_eq(atomic_load(&last), 7);
    cr_assert(!gr_cancel_timer(rt, t), "it has come");
    cr_assert_eq(stats().timers_now, 0);
}

Test(later, at_once)
{
    gr_ref a = note();

    cr_assert_eq(gr_send_after(rt, a, 0, gr_int(1), NULL), GR_OK);
    cr_assert_eq(gr_send_after(rt, a, -5, gr_int(1), NULL), GR_OK);
    until(atomic_load(&received) == 2);
}

Test(later, cancelled_before_it_is_due)
{
    gr_ref a = note();
    gr_timer t = { 0, 0 };

    cr_assert_eq(gr_send_after(rt, a, 60000, gr_str("long"), &t), GR_OK);
    cr_assert_gt(stats().bytes_now, 0);
    cr_assert(gr_cancel_timer(rt, t));
    cr_assert(!gr_cancel_timer(rt, t));
    cr_assert_eq(stats().bytes_now, 0);
    cr_assert(!gr_cancel_timer(rt, (gr_timer){ 0, 0 }));
    cr_assert(!gr_cancel_timer(rt, (gr_timer){ t.node + 1, t.id }));
}

/* The message lies in the mailbox, behind one that holds the actor. */
Test(later, cancelled_when_it_is_in_the_mailbox)
{
    gr_ref a = note();
    gr_timer t = { 0, 0 }, kept = { 0, 0 };

    cr_assert_eq(gr_tell(rt, a, gr_bool(true)), GR_OK);
    cr_assert(take(&entered));
    cr_assert_eq(gr_tell(rt, a, gr_int(1)), GR_OK);
    cr_assert_eq(gr_tell(rt, a, gr_int(2)), GR_OK);
    cr_assert_eq(gr_tell(rt, a, gr_int(3)), GR_EFULL);
    cr_assert_eq(gr_send_after(rt, a, 1, gr_int(4), &t), GR_OK);
    cr_assert_eq(gr_send_after(rt, a, 1, gr_int(5), &kept), GR_OK);
    cr_assert_eq(gr_sleep(rt, 30), GR_OK); /* both are due now, though nothing depends on it */
    cr_assert(gr_cancel_timer(rt, t));
    post(&go);
    until(atomic_load(&received) == 3);
    cr_assert_eq(atomic_load(&last), 5, "a full mailbox refuses no timer");
    cr_assert(!gr_cancel_timer(rt, kept));
}

Test(later, an_actor_that_has_stopped)
{
    gr_ref a = note();

    cr_assert_eq(gr_send_after(rt, a, 20, gr_str("x"), NULL), GR_OK);
    gr_stop(rt, a);
    until(stats().dead_letters == 1);
    until(stats().timers_now == 0 && stats().bytes_now == 0);
    cr_assert_eq(gr_send_after(rt, a, 20, gr_str("x"), NULL), GR_EDEAD);
}

Test(later, what_is_wrong_is_said_at_once)
{
    gr_timer t = { 3, 4 };

    cr_assert_eq(gr_send_after(rt, gr_spawn(root, &deaf_class, NULL), 1, gr_nil(), &t), GR_ETYPE);
    cr_assert_eq(gr_send_after(rt, note(), 1, NULL, &t), GR_EINVAL);
    cr_assert_eq(gr_send_after(rt, note(), 1, gr_str("\xff"), &t), GR_EINVAL);
    cr_assert_eq(gr_send_after(rt, (gr_ref){ 0, 0 }, 1, gr_nil(), &t), GR_EINVAL);
    cr_assert(t.node == 3 && t.id == 4, "written on success only");
}

Test(later, pending_ones_end_with_the_runtime)
{
    gr_ref a = note();

    for (int i = 0; i < 100; i++)
        cr_assert_eq(gr_send_after(rt, a, i < 50 ? 1 : 100000, gr_str("x"), NULL), GR_OK);
}

Test(later_bounded, timers_max)
{
    gr_timer t;
    gr_ref a;

    engine_blocks = test_memory_live();
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1, .timers_max = 3), &rt), GR_OK);
    root = gr_root(rt);
    a = note();
    for (int i = 0; i < 3; i++)
        cr_assert_eq(gr_send_after(rt, a, 60000, gr_int(i), &t), GR_OK);
    cr_assert_eq(gr_send_after(rt, a, 60000, gr_int(3), NULL), GR_EFULL);
    cr_assert_eq(stats().refused_timers, 1);
    cr_assert(gr_cancel_timer(rt, t));
    cr_assert_eq(gr_send_after(rt, a, 1, gr_int(4), NULL), GR_OK);
    until(atomic_load(&received) == 1);
    engine_down();
}

/* Timers race with their cancellation: each message comes or was cancelled, never both. */
Test(later, a_cancelled_one_never_comes)
{
    enum { N = 300 };
    gr_ref a = gr_spawn(root, &note_class, NULL);
    gr_timer t[N];
    int cancelled = 0;

    atomic_store(&received, 0);
    for (int i = 0; i < N; i++)
        cr_assert_eq(gr_send_after(rt, a, i % 3, gr_int(i), &t[i]), GR_OK);
    for (int i = 0; i < N; i++)
        cancelled += gr_cancel_timer(rt, t[i]);
    until(atomic_load(&received) + cancelled == N);
    until(stats().timers_now == 0);
    gr_sleep(rt, 20);
    cr_assert_eq(atomic_load(&received) + cancelled, N);
}

TestSuite(later, .init = engine_up, .fini = engine_down);
