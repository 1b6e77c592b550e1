/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervisor_stress_test.c - many restarts, in exact order (R24); many children; all that can be
 * asked of a supervisor at once, from several threads. Each test has its own gr_runtime_new.
 */
#include "tests/support/crew.h"

TestSuite(supervisor_stress, .init = engine_up, .fini = engine_down, .timeout = 280);

#define CYCLES 10000
#define ROUND 500 /* cycles between two looks at the log, which has to hold them */

static struct hand hands[4];

static gr_ref four(gr_strategy strategy)
{
    static const char *const ids[] = { "a", "b", "c", "d" };
    gr_child_spec specs[4];

    for (size_t i = 0; i < 4; i++) {
        hands[i] = (struct hand){ .id = ids[i] };
        specs[i] = (gr_child_spec)HAND(&hands[i]);
    }
    crew_clear();
    return gr_supervisor(root, GR_SUPERVISOR(.strategy = strategy, .intensity = 1000000,
                                             .children = specs, .child_count = 4));
}

/* expect adds to `out` what the crash of the index-th child is to have in the log. */
static size_t expect(gr_strategy strategy, int index, char *out, size_t len)
{
    int first = strategy == GR_ONE_FOR_ALL ? 0 : index;
    int last = strategy == GR_ONE_FOR_ONE ? index : 3;

    for (int i = last; i >= first; i--)
        if (i != index)
            len += (size_t)snprintf(out + len, 8, "%s-%s", len > 0 ? " " : "", hands[i].id);
    for (int i = first; i <= last; i++)
        len += (size_t)snprintf(out + len, 8, "%s+%s", len > 0 ? " " : "", hands[i].id);
    return len;
}

/* Each crash comes when the restart before it is over, so the whole log is known beforehand. */
static void cycles(gr_strategy strategy)
{
    static char expected[ROUND * 40];
    gr_ref sup = four(strategy);
    uint64_t dice = 88172645463325252u;
    gr_future *ended = gr_ended(rt, sup);

    up(sup);
    crew_is("+a +b +c +d");
    for (int i = 0; i < CYCLES / ROUND; i++) {
        size_t len = 0;

        crew_clear();
        for (int j = 0; j < ROUND; j++) {
            int index, starts;

            dice ^= dice << 13, dice ^= dice >> 7, dice ^= dice << 17;
            index = (int)(dice >> 33) & 3;
            starts = hands[index].starts;
            cr_assert_eq(gr_tell(rt, hand_ref(&hands[index]), gr_str("boom")), GR_OK);
            len = expect(strategy, index, expected, len);
            until(hands[index].starts > starts);
            /* answered after the restart */
            cr_assert_eq(count_of(sup, "active"), 4);
        }
        crew_is(expected);
    }
    cr_assert_eq(count_of(sup, "restarts"), CYCLES);
    cr_assert_eq(count_of(sup, "abandoned"), 0);
    gr_stop(rt, sup);
    over(ended, "normal");
}

Test(supervisor_stress, r24_one_for_one)
{
    cycles(GR_ONE_FOR_ONE);
}

Test(supervisor_stress, r24_one_for_all)
{
    cycles(GR_ONE_FOR_ALL);
}

Test(supervisor_stress, r24_rest_for_one)
{
    cycles(GR_REST_FOR_ONE);
}

/* ---- many ------------------------------------------------------------------------------------ */

#if defined(GR_TEST_PLAIN)
#define CHILDREN 10000 /* under the sanitizers */
#else
#define CHILDREN 100000
#endif

static _Atomic int born, gone;

static gr_code mayfly_init(gr_ctx *ctx, void *self, const gr_value *args)
{
    (void)ctx, (void)self, (void)args;
    atomic_fetch_add(&born, 1);
    return GR_OK;
}

static void mayfly_receive(gr_ctx *ctx, void *self, const gr_value *msg)
{
    (void)self;
    gr_value_unref(gr_exit(ctx, gr_value_ref(msg)));
}

static void mayfly_stopped(void *self, const gr_value *args)
{
    (void)self, (void)args;
    atomic_fetch_add(&gone, 1);
}

static const gr_class mayfly = GR_CLASS(.name = "mayfly", .state_size = 8, .init = mayfly_init,
                                        .receive = mayfly_receive, .stopped = mayfly_stopped);

static gr_ref pool(gr_restart restart)
{
    gr_child_spec spec = GR_CHILD(.cls = &mayfly, .restart = restart);

    born = gone = 0;
    return gr_supervisor(root, GR_SUPERVISOR(.strategy = GR_SIMPLE_ONE_FOR_ONE,
                                             .intensity = 1000000, .children = &spec,
                                             .child_count = 1, .children_max = CHILDREN));
}

Test(supervisor_stress, temporary_children_by_the_hundred_thousand)
{
    gr_ref sup = pool(GR_TEMPORARY);
    gr_future *ended = gr_ended(rt, sup);
    static gr_ref refs[CHILDREN];

    for (int i = 0; i < CHILDREN; i++)
        refs[i] = gr_start_child(rt, sup, NULL, NULL);
    cr_assert_eq(born, CHILDREN);
    cr_assert_eq(count_of(sup, "active"), CHILDREN);
    for (int i = 0; i < CHILDREN; i += 2)
        cr_assert_eq(gr_tell(rt, refs[i], gr_str("boom")), GR_OK);
    until(count_of(sup, "active") == CHILDREN / 2);
    gr_stop(rt, sup);
    over(ended, "normal");
    until(gone == CHILDREN);
}

Test(supervisor_stress, all_crash_at_once)
{
    gr_ref sup = pool(GR_PERMANENT);
    static gr_ref refs[1000];

    for (int i = 0; i < 1000; i++)
        refs[i] = gr_start_child(rt, sup, NULL, NULL);
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(gr_tell(rt, refs[i], gr_str("boom")), GR_OK);
    until(born == 2000);
    cr_assert_eq(count_of(sup, "active"), 1000);
    cr_assert_eq(count_of(sup, "restarts"), 1000);
}

/* ---- from several threads -------------------------------------------------------------------- */

static gr_ref busy;
static _Atomic bool enough;

/* killed_in_start tells whether a restart was answered with the end of the child that it made: a
 * meddler knows its ref from the beginning of its init, and may kill it there. */
static bool killed_in_start(const gr_outcome *o)
{
    return o->code == GR_EBROKEN && gr_reason_is(gr_get(o->error, "detail"), "killed");
}

/* Whatever is answered, it is an answer; the supervisor never gets out of step with its children.
 */
static void *meddle(void *arg)
{
    static const char *const ids[] = { "a", "b", "c", "d" };
    uint64_t dice = (uint64_t)(uintptr_t)arg * 0x9e3779b97f4a7c15u + 1;

    while (!enough) {
        const char *id;
        gr_future *f = NULL;
        bool restarts = false;

        dice ^= dice << 13, dice ^= dice >> 7, dice ^= dice << 17;
        id = ids[dice >> 20 & 3];
        switch (dice >> 40 & 7) {
        case 0: f = gr_aterminate_child(rt, busy, id); break;
        case 1:
        case 2:
            f = gr_arestart_child(rt, busy, id);
            restarts = true;
            break;
        case 3: f = gr_awhich_children(rt, busy); break;
        case 4: gr_exit_to(rt, hand_ref(&hands[dice >> 20 & 3]), gr_str("kill")); break;
        case 5: gr_future_free(gr_arestart_child(rt, busy, id)); break;
        default: gr_tell(rt, hand_ref(&hands[dice >> 20 & 3]), gr_str("boom")); break;
        }
        if (f != NULL) {
            gr_outcome o = gr_await(f, TEST_WAIT_MS);

            cr_assert(o.code == GR_OK || o.code == GR_EINVAL || (restarts && killed_in_start(&o)),
                      "%s: %s", gr_code_name(o.code), gr_error_text(o.error));
            gr_future_free(f);
        }
    }
    return NULL;
}

static void meddled(gr_strategy strategy)
{
    pthread_t threads[3];
    uint64_t end = test_now_ns() + UINT64_C(1500000000);

    busy = four(strategy);
    for (size_t i = 0; i < 4; i++)
        hands[i].silent = true;
    up(busy);
    enough = false;
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, meddle, (void *)(uintptr_t)(i + 1)), 0);
    until(test_now_ns() > end);
    enough = true;
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < 4; i++) /* by now, or before */
        gr_detach(gr_arestart_child(rt, busy, hands[i].id));
    until(count_of(busy, "active") == 4);
    cr_assert_eq(count_of(busy, "abandoned"), 0);
}

Test(supervisor_stress, one_for_one_from_several_threads)
{
    meddled(GR_ONE_FOR_ONE);
}

Test(supervisor_stress, one_for_all_from_several_threads)
{
    meddled(GR_ONE_FOR_ALL);
}

Test(supervisor_stress, rest_for_one_from_several_threads)
{
    meddled(GR_REST_FOR_ONE);
}
