/* SPDX-License-Identifier: Apache-2.0 */
/* combine_test.c - several futures into one: all, any, race, settled, within. */
#include "tests/support/engine.h"

TestSuite(combine, .init = engine_up, .fini = engine_down);

static gr_future *ok(int64_t i)
{
    return gr_ainvoke(rt, echo(), gr_int(i), NULL);
}

static gr_future *bad(int64_t i)
{
    return gr_ainvoke(rt, boom(), gr_int(i), NULL);
}

static gr_future *slow(struct desk *d)
{
    int before = atomic_load(&d->came);
    gr_future *f = gr_ainvoke(rt, desk_in(root, d), gr_nil(), NULL);

    until(atomic_load(&d->came) == before + 1);
    return f;
}

static gr_value *value_of(gr_future *f)
{
    gr_value *err = NULL;
    gr_value *v = gr_take(f, &err);

    cr_assert_not_null(v, "%s", gr_error_text(err));
    return v;
}

Test(combine, all_gives_the_values_in_order)
{
    struct desk d = DESK;
    gr_future *fs[3] = { slow(&d), ok(2), slow(&d) };
    gr_future *all = gr_all(rt, fs, 3);

    desk_answer(&d, 1, gr_int(3));
    cr_assert_eq(gr_await(all, 2).code, GR_EPENDING);
    desk_answer(&d, 0, gr_int(1));
    json_is(value_of(all), "[1, 2, 3]");
}

Test(combine, all_fails_with_the_first_failure_and_cancels_the_others)
{
    struct desk d = DESK;
    gr_future *fs[3] = { slow(&d), bad(1), slow(&d) };
    gr_future *all = gr_all(rt, fs, 3);

    cr_assert_eq(gr_await(all, -1).code, GR_EREMOTE);
    until(atomic_load(&d.cancelled) == 2);
    desk_close(&d);
    gr_future_free(all);
}

Test(combine, any_gives_the_first_value)
{
    struct desk d = DESK;
    gr_future *fs[3] = { bad(1), slow(&d), ok(5) };

    cr_assert_eq(int_of(gr_any(rt, fs, 3)), 5);
    until(atomic_load(&d.cancelled) == 1);
    desk_close(&d);
}

Test(combine, any_fails_when_all_fail_with_the_first_given)
{
    struct desk d = DESK;
    gr_future *fs[2] = { slow(&d), bad(2) };
    gr_future *any = gr_any(rt, fs, 2);

    cr_assert_eq(gr_await(any, 2).code, GR_EPENDING);
    desk_answer(&d, 0, gr_error(GR_ERATE, "one"));
    cr_assert_eq(code_of(any), GR_ERATE);
}

Test(combine, race_gives_the_first_outcome_of_either_kind)
{
    struct desk d = DESK;
    gr_future *fs[2] = { slow(&d), bad(2) }, *gs[2] = { slow(&d), ok(2) };

    cr_assert_eq(code_of(gr_race(rt, fs, 2)), GR_EREMOTE);
    cr_assert_eq(int_of(gr_race(rt, gs, 2)), 2);
    until(atomic_load(&d.cancelled) == 2);
    desk_close(&d);
}

Test(combine, settled_never_fails)
{
    gr_future *fs[3] = { ok(1), bad(2), ok(3) };
    gr_value *v = value_of(gr_settled(rt, fs, 3));

    cr_assert_eq(gr_len(v), 3);
    cr_assert_eq(gr_as_int(gr_at(v, 0), 0), 1);
    cr_assert_eq(gr_error_code(gr_at(v, 1)), GR_EREMOTE);
    cr_assert_eq(gr_as_int(gr_at(v, 2), 0), 3);
    gr_value_unref(v);
}

Test(combine, of_no_futures)
{
    json_is(value_of(gr_all(rt, NULL, 0)), "[]");
    json_is(value_of(gr_settled(rt, NULL, 0)), "[]");
    cr_assert_eq(code_of(gr_any(rt, NULL, 0)), GR_EINVAL);
    cr_assert_eq(code_of(gr_race(rt, NULL, 0)), GR_EINVAL);
}

Test(combine, a_null_among_them_reads_as_out_of_memory_and_the_rest_is_freed)
{
    struct desk d = DESK;
    gr_future *fs[2] = { slow(&d), NULL };

    cr_assert_null(gr_all(rt, fs, 2));
    cr_assert_eq(atomic_load(&d.cancelled), 1);
    desk_close(&d);
    cr_assert_null(gr_within(rt, NULL, 5));
}

/* ---- within ---------------------------------------------------------------------------------- */

Test(combine, within_gives_the_outcome_in_time)
{
    cr_assert_eq(int_of(gr_within(rt, ok(4), 60000)), 4);
    cr_assert_eq(code_of(gr_within(rt, bad(4), 60000)), GR_EREMOTE);
}

Test(combine, within_times_out_and_cancels)
{
    struct desk d = DESK;

    cr_assert_eq(code_of(gr_within(rt, slow(&d), 5)), GR_ETIMEDOUT);
    until(atomic_load(&d.cancelled) == 1);
    desk_close(&d);
}

Test(combine, within_no_time_has_timed_out)
{
    struct desk d = DESK;

    cr_assert_eq(code_of(gr_within(rt, slow(&d), 0)), GR_ETIMEDOUT);
    cr_assert_eq(code_of(gr_within(rt, slow(&d), -5)), GR_ETIMEDOUT);
    desk_close(&d);
}

/* ---- letting go ------------------------------------------------------------------------------ */

Test(combine, freeing_it_cancels_the_parts)
{
    struct desk d = DESK;
    gr_future *fs[2] = { slow(&d), slow(&d) };

    gr_future_free(gr_all(rt, fs, 2));
    until(atomic_load(&d.cancelled) == 2);
    desk_close(&d);
}

Test(combine, combinations_nest)
{
    struct desk d = DESK;
    gr_future *inner[2] = { ok(1), ok(2) };
    gr_future *outer[2] = { gr_all(rt, inner, 2), gr_within(rt, slow(&d), 60000) };
    gr_future *f = gr_all(rt, outer, 2);

    desk_answer(&d, 0, gr_int(3));
    json_is(value_of(f), "[[1, 2], 3]");
}
