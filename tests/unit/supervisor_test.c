/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervisor_test.c - supervisors: what tests/otp can't compare with Erlang, since Erlang has no
 * such thing or no such way to look. The numbers are those of the points in docs/supervision.md.
 * Each test has a runtime of its own (gr_runtime_new).
 */
#include "tests/support/crew.h"

TestSuite(supervisor, .init = engine_up, .fini = engine_down, .timeout = 100);

static struct hand a, b, c, d;

/* fresh forgets what was before, and makes four hands. */
static void fresh(void)
{
    struct hand *all[] = { &a, &b, &c, &d };
    static const char *const ids[] = { "a", "b", "c", "d" };

    for (size_t i = 0; i < 4; i++)
        *all[i] = (struct hand){ .id = ids[i] };
    crew_clear();
}

static gr_ref three(gr_strategy strategy, int intensity)
{
    gr_child_spec specs[] = { HAND(&a), HAND(&b), HAND(&c) };

    return gr_supervisor(root, GR_SUPERVISOR(.strategy = strategy, .intensity = intensity,
                                             .children = specs, .child_count = 3));
}

/* error_is checks why an actor could not be made. */
static void error_is(gr_ref ref, gr_code code, const char *part)
{
    gr_value *err = NULL;

    cr_assert_eq(code_of(gr_started(rt, ref)), code);
    err = gr_check(rt, ref);
    cr_assert_eq(gr_error_code(err), code, "%s", gr_error_text(err));
    cr_assert_not_null(strstr(gr_error_text(err), part), "%s", gr_error_text(err));
    gr_value_unref(err);
}

/* ---- 17: specs ------------------------------------------------------------------------------- */

static gr_ref start_nothing(gr_scope *in, void *arg, const gr_value *args)
{
    (void)in, (void)arg, (void)args;
    return (gr_ref){ 0, 0 };
}

Test(supervisor, p17_specs_that_make_no_sense)
{
    static const gr_spawn_opts linked = { .size = sizeof(linked), .link = true };
    static const gr_child_spec bad[] = {
        GR_CHILD(.cls = &hand_class),
        GR_CHILD(.id = "", .cls = &hand_class),
        GR_CHILD(.id = "x"),
        GR_CHILD(.id = "x", .cls = &hand_class, .start = start_nothing),
        GR_CHILD(.id = "x", .cls = &hand_class, .restart = (gr_restart)7),
        GR_CHILD(.id = "x", .cls = &hand_class, .shutdown_ms = -3),
        GR_CHILD(.id = "x", .cls = &hand_class, .start_ms = -2),
        GR_CHILD(.id = "x", .cls = &hand_class, .backoff = { .min_ms = -1 }),
        GR_CHILD(.id = "x", .cls = &hand_class, .significant = true, .restart = GR_TRANSIENT),
        GR_CHILD(.id = "x", .cls = &hand_class, .spawn = &linked),
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        error_is(gr_supervisor(root, GR_SUPERVISOR(.children = &bad[i], .child_count = 1)),
                 GR_EINVAL, "child '");
}

Test(supervisor, p17_options_that_make_no_sense)
{
    gr_child_spec twice[] = { GR_CHILD(.id = "x", .cls = &hand_class),
                              GR_CHILD(.id = "x", .cls = &hand_class) };
    gr_child_spec lasting = GR_CHILD(.id = "x", .cls = &hand_class, .significant = true);
    gr_child_spec broken =
        GR_CHILD(.id = "x", .cls = &hand_class, .args = gr_error(GR_EINVAL, "no such model"));

    error_is(gr_supervisor(root, GR_SUPERVISOR(.children = twice, .child_count = 2)), GR_EINVAL,
             "'x'");
    error_is(
        gr_supervisor(root, GR_SUPERVISOR(.children = twice, .child_count = 2, .children_max = 1)),
        GR_EINVAL, "children_max");
    error_is(gr_supervisor(root, GR_SUPERVISOR(.strategy = (gr_strategy)9)), GR_EINVAL, "strategy");
    error_is(gr_supervisor(root, GR_SUPERVISOR(.strategy = GR_SIMPLE_ONE_FOR_ONE)), GR_EINVAL,
             "one spec");
    error_is(gr_supervisor(root, GR_SUPERVISOR(.intensity = 1000001)), GR_EINVAL, "intensity");
    error_is(gr_supervisor(root, GR_SUPERVISOR(.period_ms = -1)), GR_EINVAL, "negative");
    error_is(gr_supervisor(root, GR_SUPERVISOR(.children = &lasting, .child_count = 1,
                                               .auto_shutdown = GR_AUTO_ANY_SIGNIFICANT)),
             GR_EINVAL, "significant");
    error_is(gr_supervisor(root, GR_SUPERVISOR(.children = &broken, .child_count = 1)), GR_EINVAL,
             "no such model");
    cr_assert_eq(gr_supervisor(NULL, NULL).node, 0);
}

Test(supervisor, p17_without_children)
{
    gr_ref sup = gr_supervisor(root, NULL);

    up(sup);
    json_is(gr_which_children(rt, sup, NULL), "[]");
    json_is(gr_count_children(rt, sup, NULL), "{\"specs\": 0, \"active\": 0, \"supervisors\": 0, "
                                              "\"workers\": 0, \"restarts\": 0, \"abandoned\": 0}");
}

Test(supervisor, p17_a_name_is_registered_for_each_incarnation)
{
    gr_child_spec spec = HAND_SPEC((fresh(), &a), .name = "the a");
    gr_ref sup = gr_supervisor(root, GR_SUPERVISOR(.children = &spec, .child_count = 1));
    gr_ref first;

    up(sup);
    first = gr_whereis(rt, "the a");
    cr_assert_eq(first.id, hand_ref(&a).id);
    crash(&a, "boom");
    until(gr_whereis(rt, "the a").id != 0 && gr_whereis(rt, "the a").id != first.id);
    cr_assert_eq(gr_whereis(rt, "the a").id, hand_ref(&a).id);
}

Test(supervisor, p17_a_name_that_is_taken_fails_the_start)
{
    gr_child_spec specs[] = { HAND((fresh(), &a)), HAND_SPEC(&b, .name = "taken") };
    gr_ref sup;

    cr_assert_eq(gr_register(rt, "taken", echo()), GR_OK);
    sup = gr_supervisor(root, GR_SUPERVISOR(.children = specs, .child_count = 2));
    error_is(sup, GR_EINVAL, "the name 'taken'");
    crew_is("+a +b -b -a");
}

/* ---- 18, 24: strategies ---------------------------------------------------------------------- */

Test(supervisor, p18_strategies)
{
    static const struct {
        gr_strategy strategy;
        struct hand *who;
        const char *log;
    } rows[] = {
        { GR_ONE_FOR_ONE, &a, "+a" },
        { GR_ONE_FOR_ONE, &b, "+b" },
        { GR_ONE_FOR_ONE, &c, "+c" },
        { GR_ONE_FOR_ALL, &a, "-c -b +a +b +c" },
        { GR_ONE_FOR_ALL, &b, "-c -a +a +b +c" },
        { GR_ONE_FOR_ALL, &c, "-b -a +a +b +c" },
        { GR_REST_FOR_ONE, &a, "-c -b +a +b +c" },
        { GR_REST_FOR_ONE, &b, "-c +b +c" },
        { GR_REST_FOR_ONE, &c, "+c" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        gr_future *ended;
        gr_ref sup;

        fresh();
        sup = three(rows[i].strategy, 1);
        up(sup);
        crew_is("+a +b +c");
        crew_clear();
        ended = gr_ended(rt, sup);
        crash(rows[i].who, "boom");
        crew_is(rows[i].log);
        gr_stop(rt, sup);
        over(ended, "normal");
    }
}

/* ---- 19: start ------------------------------------------------------------------------------- */

Test(supervisor, p19_the_next_starts_when_the_one_before_has)
{
    struct signal_count gate = SIGNAL_COUNT;
    gr_ref sup;

    fresh();
    b.gate = &gate;
    sup = three(GR_ONE_FOR_ONE, 1);
    until(b.starts == 1);
    gr_sleep(rt, 20);
    crew_is("+a");
    cr_assert_eq(c.starts, 0);
    post(&gate);
    up(sup);
    crew_is("+a +b +c");
}

Test(supervisor, p19_a_failing_start_is_the_supervisors_own)
{
    gr_value *err;
    gr_ref sup;

    fresh();
    c.fail_from = c.fail_to = 1;
    sup = three(GR_ONE_FOR_ONE, 1);
    error_is(sup, GR_EREMOTE, "child 'c' could not be started: no luck");
    crew_is("+a +b !c -b -a");
    err = gr_check(rt, sup);
    cr_assert_str_eq(gr_error_text(gr_get(err, "cause")), "no luck");
    gr_value_unref(err);
    cr_assert_null(gr_which_children(rt, sup, &err));
    cr_assert_eq(gr_error_code(err), GR_EREMOTE);
    gr_value_unref(err);
}

Test(supervisor, p19_an_init_that_takes_too_long)
{
    struct signal_count gate = SIGNAL_COUNT;
    gr_child_spec specs[] = { HAND((fresh(), &a)), HAND_SPEC(&b, .start_ms = 30) };
    gr_ref sup;

    b.gate = &gate;
    sup = gr_supervisor(root, GR_SUPERVISOR(.children = specs, .child_count = 2));
    error_is(sup, GR_ETIMEDOUT, "child 'b' could not be started");
    crew_is("+a -a");
}

static gr_ref start_broken(gr_scope *in, void *arg, const gr_value *args)
{
    (void)arg, (void)args;
    return gr_spawn(in, &hand_class, GR_SPAWN(.args = gr_error(GR_EINVAL, "no key")));
}

static gr_ref start_missing(gr_scope *in, void *arg, const gr_value *args)
{
    (void)in, (void)arg, (void)args;
    return gr_spawn(in, NULL, NULL);
}

Test(supervisor, p19_a_constructor_that_fails)
{
    gr_child_spec specs[] = { GR_CHILD(.id = "x", .start = start_broken),
                              GR_CHILD(.id = "x", .start = start_missing) };

    error_is(gr_supervisor(root, GR_SUPERVISOR(.children = &specs[0], .child_count = 1)), GR_EINVAL,
             "no key");
    error_is(gr_supervisor(root, GR_SUPERVISOR(.children = &specs[1], .child_count = 1)), GR_EINVAL,
             "child 'x'");
}

/* A constructor that spawns more than the actor it returns: all of it is the incarnation. */
static struct hand helper = { .id = "h" };

static gr_ref start_two(gr_scope *in, void *arg, const gr_value *args)
{
    (void)args;
    gr_spawn(in, &hand_class, GR_SPAWN(.args = gr_opaque(&helper, NULL)));
    return gr_spawn(in, &hand_class, GR_SPAWN(.args = gr_opaque(arg, NULL)));
}

Test(supervisor, p19_what_a_constructor_spawns_besides_ends_with_it)
{
    gr_child_spec spec = GR_CHILD(.id = "a", .start = start_two, .arg = &a);
    gr_ref sup, first;

    fresh();
    helper = (struct hand){ .id = "h", .silent = true };
    sup = gr_supervisor(root, GR_SUPERVISOR(.children = &spec, .child_count = 1));
    up(sup);
    until(helper.starts == 1);
    first = hand_ref(&helper);
    crash(&a, "boom");
    crew_is("+a +a");
    cr_assert_eq(helper.ends, 1);
    cr_assert_eq(code_of(gr_ainvoke(rt, first, gr_nil(), NULL)), GR_EDEAD);
    until(helper.starts == 2);
    cr_assert_eq(gr_terminate_child(rt, sup, "a", NULL), GR_OK);
    cr_assert_eq(helper.ends, 2);
    cr_assert_eq(count_of(sup, "abandoned"), 0);
}

/* ---- 20: stop -------------------------------------------------------------------------------- */

/* hang has a hand sit in a handler that does not return. */
static gr_future *hang(struct hand *h)
{
    gr_future *f;

    h->hang = true;
    f = gr_acall(rt, hand_ref(h), "hang", gr_nil(), NULL);
    until(h->hung == 1);
    return f;
}

Test(supervisor, p20_a_child_that_never_ends_is_abandoned)
{
    gr_child_spec specs[] = { HAND((fresh(), &a)), HAND_SPEC(&b, .shutdown_ms = 20), HAND(&c) };
    gr_child_spec again = HAND_SPEC(&b, .restart = GR_TEMPORARY);
    gr_ref sup =
        gr_supervisor(root, GR_SUPERVISOR(.children = specs, .child_count = 3, .kill_ms = 20));
    gr_ref old;
    gr_future *f;

    up(sup);
    old = hand_ref(&b);
    f = hang(&b);
    cr_assert_eq(gr_terminate_child(rt, sup, "b", NULL), GR_OK);
    cr_assert_str_eq(state_of(sup, "b"), "abandoned");
    cr_assert_eq(count_of(sup, "abandoned"), 1);
    cr_assert_eq(count_of(sup, "active"), 2);
    cr_assert_eq(gr_delete_child(rt, sup, "b", NULL), GR_OK);
    cr_assert_neq(gr_start_child(rt, sup, &again, NULL).id, old.id); /* its id is free again */
    cr_assert_eq(count_of(sup, "active"), 3);
    cr_assert(!gr_done(f)); /* whoever called it has a time limit of his own, or waits */
    b.hang = false;
    gr_future_free(f);
    until(count_of(sup, "abandoned") == 0);
    crew_is("+a +b +c +b");
    gr_stop(rt, sup);
    crew_is("+a +b +c +b -b -c -a");
}

Test(supervisor, p20_a_name_is_taken_from_who_is_abandoned)
{
    gr_child_spec spec = HAND_SPEC((fresh(), &a), .name = "a's", .shutdown_ms = GR_BRUTAL_KILL_MS);
    gr_ref sup =
        gr_supervisor(root, GR_SUPERVISOR(.children = &spec, .child_count = 1, .kill_ms = 10));

    up(sup);
    gr_detach(hang(&a));
    cr_assert_eq(gr_terminate_child(rt, sup, "a", NULL), GR_OK);
    cr_assert_eq(gr_whereis(rt, "a's").id, 0);
    cr_assert_neq(gr_restart_child(rt, sup, "a", NULL).id, 0);
    cr_assert_eq(gr_whereis(rt, "a's").id, hand_ref(&a).id);
    a.hang = false;
    until(count_of(sup, "abandoned") == 0);
    cr_assert_eq(gr_whereis(rt, "a's").id, hand_ref(&a).id); /* it did not take it along */
}

Test(supervisor, p20_twenty_hung_children)
{
    static struct hand hands[20];
    gr_child_spec specs[20];
    gr_future *ended;
    gr_ref sup;

    fresh();
    for (size_t i = 0; i < 20; i++) {
        static char ids[20][8];

        snprintf(ids[i], sizeof(ids[i]), "h%zu", i);
        hands[i] = (struct hand){ .id = ids[i], .silent = true };
        specs[i] = (gr_child_spec)HAND_SPEC(&hands[i], .shutdown_ms = 1);
    }
    sup = gr_supervisor(root, GR_SUPERVISOR(.children = specs, .child_count = 20, .kill_ms = 1,
                                            .abandoned_max = 20));
    up(sup);
    for (size_t i = 0; i < 20; i++)
        gr_detach(hang(&hands[i]));
    ended = gr_ended(rt, sup);
    gr_exit_to(rt, sup, gr_str("shutdown"));
    over(ended, "shutdown"); /* it has given up on all of them, and is gone itself */
    for (size_t i = 0; i < 20; i++) {
        cr_assert_eq(hands[i].hung, 1);
        hands[i].hang = false;
    }
}

Test(supervisor, p20_too_many_abandoned_and_it_gives_up)
{
    gr_child_spec specs[] = { HAND_SPEC((fresh(), &a), .shutdown_ms = GR_BRUTAL_KILL_MS),
                              HAND_SPEC(&b, .shutdown_ms = GR_BRUTAL_KILL_MS), HAND(&c) };
    gr_ref sup = gr_supervisor(
        root, GR_SUPERVISOR(.children = specs, .child_count = 3, .kill_ms = 5, .abandoned_max = 1));
    gr_future *ended = gr_ended(rt, sup);

    up(sup);
    gr_detach(hang(&a));
    gr_detach(hang(&b));
    cr_assert_eq(gr_terminate_child(rt, sup, "a", NULL), GR_OK);
    cr_assert_str_eq(state_of(sup, "c"), "running");
    cr_assert_eq(gr_terminate_child(rt, sup, "b", NULL), GR_OK);
    over(ended, "shutdown");
    crew_is("+a +b +c -c");
    a.hang = b.hang = false;
}

Test(supervisor, p20_the_end_of_a_scope_stops_in_reverse)
{
    gr_scope *scope = gr_scope_new(root);
    gr_child_spec specs[] = { HAND((fresh(), &b)), HAND(&c) };
    gr_ref sup;

    gr_spawn(scope, &hand_class, GR_SPAWN(.args = gr_opaque(&a, NULL)));
    until(a.ref != 0);
    sup = gr_supervisor(scope, GR_SUPERVISOR(.children = specs, .child_count = 2));
    up(sup);
    gr_spawn(scope, &hand_class, GR_SPAWN(.args = gr_opaque(&d, NULL)));
    until(d.ref != 0);
    gr_scope_free(scope);
    crew_is("+a +b +c +d -d -c -b -a");
}

Test(supervisor, p20_the_end_of_a_scope_waits_for_the_abandoned)
{
    gr_scope *scope = gr_scope_new(root);
    gr_child_spec spec = HAND_SPEC((fresh(), &a), .shutdown_ms = GR_BRUTAL_KILL_MS);
    gr_ref sup =
        gr_supervisor(scope, GR_SUPERVISOR(.children = &spec, .child_count = 1, .kill_ms = 5));
    gr_future *ended = gr_ended(rt, sup);

    up(sup);
    gr_detach(hang(&a));
    gr_stop(rt, sup);
    over(ended, "normal");
    cr_assert_eq(a.hung, 1);
    a.hang = false;
    gr_scope_free(scope);
    cr_assert_eq(a.hung, 0);
}

Test(supervisor, p20_a_scope_that_ends_while_it_starts)
{
    for (int i = 0; i < 50; i++) {
        gr_scope *scope = gr_scope_new(root);
        gr_child_spec specs[] = { HAND((fresh(), &a)), HAND(&b), HAND(&c) };

        gr_supervisor(scope, GR_SUPERVISOR(.children = specs, .child_count = 3));
        gr_scope_free(scope);
        cr_assert_eq(a.starts, a.ends);
        cr_assert_eq(c.starts, c.ends);
    }
}

Test(supervisor, p20_a_killed_supervisor_takes_its_children_along)
{
    gr_ref sup = (fresh(), three(GR_ONE_FOR_ONE, 1));
    gr_future *ended = gr_ended(rt, sup), *child;

    up(sup);
    child = gr_ended(rt, hand_ref(&a));
    cr_assert_eq(gr_exit_to(rt, sup, gr_str("kill")), GR_OK);
    over(ended, "killed");
    over(child, "killed");
    until(b.ends == 1 && c.ends == 1);
}

Test(supervisor, p20_killed_while_it_starts_a_child)
{
    struct signal_count gate = SIGNAL_COUNT;
    gr_future *ended;
    gr_ref sup;

    fresh();
    b.gate = &gate;
    sup = three(GR_ONE_FOR_ONE, 1);
    until(b.starts == 1);
    ended = gr_ended(rt, sup);
    cr_assert_eq(gr_exit_to(rt, sup, gr_str("kill")), GR_OK);
    over(ended, "killed");
    cr_assert_eq(c.starts, 0);
}

/* ---- 22, 23: intensity and back-off ---------------------------------------------------------- */

Test(supervisor, p22_one_too_many_and_all_stop)
{
    gr_ref sup = (fresh(), three(GR_ONE_FOR_ONE, 2));
    gr_future *ended = gr_ended(rt, sup);

    up(sup);
    crash(&a, "boom");
    crew_is("+a +b +c +a");
    crash(&b, "boom");
    crew_is("+a +b +c +a +b");
    crash(&c, "boom");
    over(ended, "shutdown");
    crew_is("+a +b +c +a +b -b -a");
}

Test(supervisor, p22_a_start_that_keeps_failing_ends_it)
{
    gr_ref sup;
    gr_future *ended;

    fresh();
    b.fail_from = 2, b.fail_to = 1000;
    sup = three(GR_ONE_FOR_ONE, 3);
    ended = gr_ended(rt, sup);
    up(sup);
    crash(&b, "boom");
    over(ended, "shutdown");
    crew_is("+a +b +c !b !b !b -c -a");
}

Test(supervisor, p23_a_restart_is_put_off)
{
    gr_child_spec spec = HAND_SPEC((fresh(), &a), .backoff = { .min_ms = 40, .max_ms = 80 });
    gr_ref sup =
        gr_supervisor(root, GR_SUPERVISOR(.intensity = 10, .children = &spec, .child_count = 1));
    static const uint64_t least_ms[] = { 40, 80, 80 };

    up(sup);
    for (size_t i = 0; i < 3; i++) {
        uint64_t before = test_now_ns();

        crash(&a, "boom");
        until(a.starts == (int)i + 2);
        cr_assert_geq(test_now_ns() - before, least_ms[i] * 1000000, "restart %zu", i);
        until(strcmp(state_of(sup, "a"), "running") == 0);
    }
    cr_assert_eq(count_of(sup, "restarts"), 3);
}

Test(supervisor, p23_back_off_while_it_is_stopped)
{
    gr_child_spec spec = HAND_SPEC((fresh(), &a), .backoff = { .min_ms = 100000 });
    gr_scope *scope = gr_scope_new(root);
    gr_ref sup = gr_supervisor(scope, GR_SUPERVISOR(.children = &spec, .child_count = 1));

    up(sup);
    crash(&a, "boom");
    until(strcmp(state_of(sup, "a"), "restarting") == 0);
    gr_scope_free(scope); /* at once */
    cr_assert_eq(a.starts, 1);
}

/* ---- 26: what it is asked -------------------------------------------------------------------- */

Test(supervisor, p26_calls_wait_for_a_restart)
{
    struct signal_count gate = SIGNAL_COUNT;
    gr_child_spec more = HAND((fresh(), &d));
    gr_ref sup = three(GR_ONE_FOR_ALL, 5);
    gr_future *started, *count, *gone;

    up(sup);
    b.gate = &gate;
    crash(&a, "boom");
    until(b.starts == 2);
    started = gr_astart_child(rt, sup, &more);
    gone = gr_aterminate_child(rt, sup, "c");
    count = gr_acount_children(rt, sup);
    gr_sleep(rt, 20);
    cr_assert(!gr_done(started) && !gr_done(count));
    post(&gate);
    cr_assert_eq(code_of(started), GR_OK);
    cr_assert_eq(code_of(gone), GR_OK);
    cr_assert_eq(gr_as_int(gr_get(gr_await(count, TEST_WAIT_MS).value, "active"), 0), 3);
    gr_future_free(count);
    crew_is("+a +b +c -c -b +a +b +c +d -c");
}

Test(supervisor, p26_a_cancelled_start_is_a_start_all_the_same)
{
    struct signal_count gate = SIGNAL_COUNT;
    gr_child_spec spec = HAND((fresh(), &a));
    gr_ref sup = gr_supervisor(root, NULL);
    gr_future *f;

    a.gate = &gate;
    f = gr_astart_child(rt, sup, &spec);
    until(a.starts == 1);
    gr_future_free(f); /* cancels the call */
    post(&gate);
    until(count_of(sup, "active") == 1);
    crew_is("+a");
}

/* fails_with_kind checks how a request was refused. */
static void fails_with_kind(gr_future *f, const char *kind)
{
    gr_outcome o = gr_await(f, TEST_WAIT_MS);

    cr_assert_eq(o.code, GR_EINVAL);
    cr_assert_str_eq(gr_cstr(gr_get(o.error, "kind"), ""), kind);
    gr_future_free(f);
}

Test(supervisor, p26_refusals_say_why)
{
    gr_child_spec same = HAND((fresh(), &a)), same_again = HAND(&a);
    gr_ref sup = three(GR_ONE_FOR_ONE, 1);
    gr_future *f;

    up(sup);
    f = gr_astart_child(rt, sup, &same);
    cr_assert_eq(gr_as_ref(gr_get(gr_await(f, TEST_WAIT_MS).error, "detail")).id, hand_ref(&a).id);
    fails_with_kind(f, "already_started");
    fails_with_kind(gr_arestart_child(rt, sup, "a"), "running");
    fails_with_kind(gr_adelete_child(rt, sup, "a"), "running");
    fails_with_kind(gr_aterminate_child(rt, sup, "x"), "not_found");
    fails_with_kind(gr_aterminate_ref(rt, sup, sup), "not_found");
    cr_assert_eq(gr_terminate_child(rt, sup, "a", NULL), GR_OK);
    fails_with_kind(gr_astart_child(rt, sup, &same_again), "already_present");
    cr_assert_eq(code_of(gr_astart_child(rt, sup, NULL)), GR_EINVAL);
    cr_assert_eq(code_of(gr_acall(rt, sup, "sing", gr_nil(), NULL)), GR_ETYPE);
}

Test(supervisor, p26_by_verbs_alone)
{
    gr_ref sup = (fresh(), three(GR_ONE_FOR_ONE, 1));
    gr_value *v;

    up(sup);
    v = gr_do(rt, sup, "child", gr_map(GR_KV("id", gr_str("b"))), NULL, NULL);
    cr_assert_eq(gr_as_ref(v).id, hand_ref(&b).id);
    json_is(gr_do(rt, sup, "terminate_child", gr_map(GR_KV("child", v)), NULL, NULL), "null");
    json_is(gr_do(rt, sup, "child", gr_map(GR_KV("id", gr_str("b"))), NULL, NULL), "null");
    v = gr_do(rt, sup, "restart_child", gr_map(GR_KV("id", gr_str("b"))), NULL, NULL);
    cr_assert_eq(gr_as_ref(v).id, hand_ref(&b).id);
    gr_value_unref(v);
    crew_is("+a +b +c -b +b");
}

Test(supervisor, p26_a_pool_lays_arguments_over_those_of_all)
{
    gr_child_spec spec = GR_CHILD(.cls = &hand_class, .restart = GR_TEMPORARY,
                                  .args = gr_map(GR_KV("x", gr_int(1))));
    gr_child_spec one = GR_CHILD(.args = gr_map(GR_KV("hand", gr_opaque((fresh(), &a), NULL))));
    gr_ref sup = gr_supervisor(root, GR_SUPERVISOR(.strategy = GR_SIMPLE_ONE_FOR_ONE,
                                                   .children = &spec, .child_count = 1));
    gr_ref child = gr_start_child(rt, sup, &one, NULL);

    cr_assert_eq(child.id, hand_ref(&a).id);
    crew_is("+a");
    cr_assert_eq(gr_terminate_ref(rt, sup, child, NULL), GR_OK);
    crew_is("+a -a");
    json_is(gr_which_children(rt, sup, NULL), "[]");
}

Test(supervisor, children_have_a_bound)
{
    gr_child_spec specs[] = { HAND((fresh(), &a)), HAND(&b) };
    gr_child_spec more[] = { HAND(&c), HAND(&c) };
    gr_ref sup =
        gr_supervisor(root, GR_SUPERVISOR(.children = specs, .child_count = 2, .children_max = 2));

    up(sup);
    cr_assert_eq(code_of(gr_astart_child(rt, sup, &more[0])), GR_EFULL);
    cr_assert_eq(gr_terminate_child(rt, sup, "b", NULL), GR_OK);
    cr_assert_eq(gr_delete_child(rt, sup, "b", NULL), GR_OK);
    cr_assert_neq(gr_start_child(rt, sup, &more[1], NULL).id, 0);
}

Test(supervisor, a_stranger_can_not_stop_it)
{
    gr_ref sup = (fresh(), three(GR_ONE_FOR_ONE, 1));

    up(sup);
    cr_assert_eq(gr_tell(rt, sup, gr_str("boom")), GR_OK);
    cr_assert_eq(gr_tell(rt, sup, gr_nil()), GR_OK);
    cr_assert_eq(count_of(sup, "active"), 3);
}

/* ---- 27: refs to children -------------------------------------------------------------------- */

static int64_t ask(gr_ref ref)
{
    return int_of(gr_ainvoke(rt, ref, gr_nil(), NULL));
}

Test(supervisor, p27_a_ref_leads_to_the_present_incarnation)
{
    gr_ref sup = (fresh(), three(GR_ONE_FOR_ONE, 5));
    gr_ref child, old;

    up(sup);
    child = gr_child(root, sup, "b", GR_NAMED(.wait_ms = TEST_WAIT_MS));
    old = hand_ref(&b);
    cr_assert_eq(ask(child), 1);
    cr_assert_eq(ask(child), 2);
    crash(&b, "boom");
    cr_assert_eq(ask(child), 1, "its state is not new");
    cr_assert_neq(hand_ref(&b).id, old.id);
    cr_assert_neq(code_of(gr_ainvoke(rt, old, gr_nil(), NULL)), GR_OK);
}

Test(supervisor, p27_calls_wait_during_a_restart_or_fail)
{
    struct signal_count gate = SIGNAL_COUNT;
    gr_ref sup = (fresh(), three(GR_ONE_FOR_ONE, 5));
    gr_ref patient, hasty;
    gr_future *waits[3], *fails;
    gr_outcome o;

    up(sup);
    patient = gr_child(root, sup, "b", GR_NAMED(.wait_ms = TEST_WAIT_MS, .wait_max = 2));
    hasty = gr_child(root, sup, "b", NULL);
    b.gate = &gate;
    crash(&b, "boom");
    for (size_t i = 0; i < 3; i++)
        waits[i] = gr_ainvoke(rt, patient, gr_nil(), NULL);
    fails = gr_ainvoke(rt, hasty, gr_nil(), NULL);
    o = gr_await(fails, TEST_WAIT_MS);
    cr_assert_eq(o.code, GR_EUNREACH);
    cr_assert(gr_error_retryable(o.error));
    gr_future_free(fails);
    post(&gate);
    o = gr_await(waits[2], TEST_WAIT_MS); /* one more than may wait */
    cr_assert(o.code == GR_EFULL || o.code == GR_OK, "%s", gr_code_name(o.code));
    for (size_t i = 0; i < 3; i++) {
        o = gr_await(waits[i], TEST_WAIT_MS);
        cr_assert(i == 2 || o.code == GR_OK || o.code == GR_EFULL, "%s", gr_code_name(o.code));
        gr_future_free(waits[i]);
    }
}

Test(supervisor, p27_a_call_in_flight_gets_an_error_that_may_be_retried)
{
    gr_ref sup = (fresh(), three(GR_ONE_FOR_ONE, 5));
    gr_future *f;
    gr_outcome o;

    up(sup);
    f = gr_acall(rt, gr_child(root, sup, "b", NULL), "nap", gr_nil(), NULL);
    until(b.hung == 1);
    gr_exit_to(rt, hand_ref(&b), gr_str("kill"));
    o = gr_await(f, TEST_WAIT_MS);
    cr_assert_eq(o.code, GR_EBROKEN, "%s", gr_code_name(o.code));
    cr_assert(gr_error_retryable(o.error));
    gr_future_free(f);
}

static gr_ref start_inner(gr_scope *in, void *arg, const gr_value *args)
{
    gr_child_spec specs[] = { HAND(&b), HAND(&c) };

    (void)arg, (void)args;
    return gr_supervisor(in, GR_SUPERVISOR(.children = specs, .child_count = 2));
}

Test(supervisor, p27_a_ref_outlives_the_supervisors_above)
{
    gr_child_spec specs[] = { HAND((fresh(), &a)),
                              GR_CHILD(.id = "inner", .start = start_inner, .supervisor = true) };
    gr_ref top = gr_supervisor(root, GR_SUPERVISOR(.children = specs, .child_count = 2));
    gr_named_opts wait = { .size = sizeof(wait), .wait_ms = TEST_WAIT_MS };
    gr_ref inner, child;

    up(top);
    inner = gr_child(root, top, "inner", &wait);
    child = gr_child(root, inner, "c", &wait);
    cr_assert_eq(ask(child), 1);
    cr_assert_eq(count_of(inner, "active"), 2);
    crash(&b, "boom");
    until(b.starts == 2);
    cr_assert_eq(ask(child), 2);
    crash(&b, "boom"); /* the inner supervisor gives up, and is restarted */
    until(c.starts == 2);
    cr_assert_eq(ask(child), 1);
    cr_assert_eq(count_of(inner, "active"), 2);
    cr_assert_eq(gr_terminate_child(rt, inner, "c", NULL), GR_OK); /* it is served by the new one */
    crew_is("+a +b +c +b -c +b +c -c");
}

Test(supervisor, p27_no_ref_to_a_child)
{
    gr_ref sup = (fresh(), three(GR_ONE_FOR_ONE, 1));
    gr_ref plain = echo();

    up(sup);
    error_is(gr_child(root, sup, "", NULL), GR_EINVAL, "supervisor and an id");
    error_is(gr_child(root, sup, NULL, NULL), GR_EINVAL, "supervisor and an id");
    error_is(gr_child(root, plain, "a", NULL), GR_EINVAL, "supervisor and an id");
    cr_assert_eq(code_of(gr_ainvoke(rt, gr_child(root, sup, "x", NULL), gr_nil(), NULL)),
                 GR_EUNREACH);
    cr_assert_eq(gr_terminate_child(rt, sup, "a", NULL), GR_OK);
    cr_assert_eq(code_of(gr_ainvoke(rt, gr_child(root, sup, "a", NULL), gr_nil(), NULL)),
                 GR_EUNREACH);
}
