/* SPDX-License-Identifier: Apache-2.0 */
/* stats_stress_test.c - the numbers are read all the time while workers count: they only grow, and
 * come out right in the end. */
#include <greenroom/stats.h>

#include "runtime/base/thread.h"

#include "tests/support/engine.h"

TestSuite(stats_stress, .init = engine_up, .fini = engine_down);

#define TELLERS 4
#define TELLS 5000

static _Atomic int received;
static _Atomic bool done;
static _Atomic long reads;

static void note(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)c, (void)self, (void)msg;
    atomic_fetch_add(&received, 1);
}

static const gr_class note_class = GR_CLASS(.name = "note", .state_size = 1, .receive = note);

static gr_value *tell_many(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    for (int i = 0; i < TELLS; i++) {
        cr_assert_eq(gr_tell_wait(gr_runtime_of(c), gr_as_ref(args), gr_int(i)), GR_OK);
        if (i % 500 == 0)
            gr_sleep(gr_runtime_of(c), 1);
    }
    return gr_nil();
}

static const gr_method teller_methods[] = { { "invoke", GR_ASYNC, tell_many, NULL } };
static const gr_class teller_class = GR_CLASS(.name = "teller", GR_METHODS(teller_methods));

static void only_grows(const gr_stats *old, const gr_stats *s)
{
#define GROWS(field) cr_assert_leq(old->field, s->field, "%s", #field)
    GROWS(messages);
    GROWS(turns);
    GROWS(calls_started);
    GROWS(calls_inline);
    GROWS(waits);
    GROWS(stood_back);
    GROWS(steals);
    GROWS(stolen);
    GROWS(injected);
    GROWS(parks);
    GROWS(wakes);
    GROWS(mailbox_high);
    GROWS(calls_high);
    GROWS(stacks_high);
#undef GROWS
}

static void *read_on(void *arg)
{
    gr_stats old = GR_STATS_INIT, s = GR_STATS_INIT;

    (void)arg;
    while (!atomic_load(&done)) {
        gr_stats_read(rt, &s);
        only_grows(&old, &s);
        cr_assert_leq(s.queue_now, 10000, "more than there is");
        old = s;
        atomic_fetch_add(&reads, 1);
    }
    return NULL;
}

Test(stats_stress, reading_all_the_time_disturbs_nobody)
{
    gr_ref to = gr_spawn(root, &note_class, NULL), teller = gr_spawn(root, &teller_class, NULL);
    gr_ref quick = echo();
    struct gri_thread reader;
    gr_future *f[TELLERS];
    gr_stats s = GR_STATS_INIT;

    atomic_store(&received, 0);
    atomic_store(&done, false);
    cr_assert_eq(gri_thread_start(&reader, "reader", read_on, NULL), GR_OK);
    until(atomic_load(&reads) > 0);
    for (int i = 0; i < TELLERS; i++)
        f[i] = gr_ainvoke(rt, teller, gr_ref_value(to), NULL);
    for (int i = 0; i < 2000; i++)
        cr_assert_eq(int_of(gr_ainvoke(rt, quick, gr_int(i), NULL)), i);
    for (int i = 0; i < TELLERS; i++)
        cr_assert_eq(code_of(f[i]), GR_OK);
    until((gr_stats_read(rt, &s), s.messages) >= TELLERS * TELLS); /* counted at the turn's end */
    atomic_store(&done, true);
    gri_thread_join(&reader);
    cr_assert_eq(atomic_load(&received), TELLERS * TELLS);
    cr_assert_geq(s.calls_started, 2000 + TELLERS);
    cr_assert_geq(s.waits, TELLERS * (TELLS / 500));
}
