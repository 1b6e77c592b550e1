/* SPDX-License-Identifier: Apache-2.0 */
/* monitor_test.c - monitors, and the futures of an end. A number in a test's name is that of the
 * point of the supervision semantics that it shows. */
#include "tests/support/proc.h"

static const gr_class thin_class = GR_CLASS(.name = "thin", .state_size = 8);

static gr_ref thin(void)
{
    return gr_spawn(root, &thin_class, NULL);
}

/* ---- 14: exactly one DOWN -------------------------------------------------------------------- */

Test(monitor, p14_down_comes_with_the_reason_and_one_way)
{
    static struct log mine = LOG, its = LOG;
    gr_ref a = proc(&mine), b = proc(&its);

    cr_assert_eq(ask_ref(a, "monitor", b), GR_OK);
    cr_assert_eq(ask(b, "exit", gr_str("bye")), GR_EBROKEN);
    log_is(&mine, "down \"bye\";");
    log_is(&its, "terminate \"bye\";stopped;");
    cr_assert_null(gr_check(rt, a), "a monitor goes one way");
}

/* Every way in which an actor can end, and what its monitor is told. */
static void end_by_stop(gr_ref r)
{
    gr_stop(rt, r);
}

static void end_by_kill(gr_ref r)
{
    cr_assert_eq(gr_exit_to(rt, r, gr_str("kill")), GR_OK);
}

static void end_by_shutdown(gr_ref r)
{
    cr_assert_eq(gr_exit_to(rt, r, gr_map(GR_KV("shutdown", gr_int(7)))), GR_OK);
}

static void end_by_crash(gr_ref r)
{
    cr_assert_eq(ask(r, "exit", gr_error(GR_EPROTO, "it spoke in tongues")), GR_EPROTO);
}

static void end_by_normal_exit(gr_ref r)
{
    cr_assert_eq(ask(r, "exit", gr_str("normal")), GR_EBROKEN);
}

static void end_in_receive(gr_ref r)
{
    cr_assert_eq(gr_tell(rt, r, gr_str("enough")), GR_OK);
}

Test(monitor, p8_every_end_has_its_reason)
{
    static struct log mine = LOG, its = LOG;
    static const struct {
        void (*end)(gr_ref r);
        const char *told;
    } cases[] = { { end_by_stop, "down \"normal\";" },
                  { end_by_kill, "down \"killed\";" },
                  { end_by_shutdown, "down {\"shutdown\": 7};" },
                  { end_by_crash, "down it spoke in tongues;" },
                  { end_by_normal_exit, "down \"normal\";" },
                  { end_in_receive, "down \"enough\";" } };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gr_ref a = proc(&mine), b = proc(&its);

        mine.text[0] = '\0';
        cr_assert_eq(ask_ref(a, "monitor", b), GR_OK);
        cases[i].end(b);
        log_is(&mine, cases[i].told);
    }
}

Test(monitor, p8_the_end_of_a_scope_is_shutdown)
{
    gr_scope *s = gr_scope_new(root);
    gr_ref b = gr_spawn(s, &thin_class, NULL);
    gr_future *f = gr_ended(rt, b);
    gr_outcome o;

    gr_scope_free(s);
    o = gr_await(f, TEST_WAIT_MS);
    cr_assert(gr_reason_is(o.value, "shutdown"));
    gr_future_free(f);
}

Test(monitor, p14_several_on_one_actor_fire_each)
{
    static struct log mine = LOG;
    gr_ref a = proc(&mine), b = thin();

    for (int i = 0; i < 3; i++)
        cr_assert_eq(ask_ref(a, "monitor", b), GR_OK);
    gr_stop(rt, b);
    log_is(&mine, "down \"normal\";down \"normal\";down \"normal\";");
}

Test(monitor, p14_a_dead_target_is_noproc)
{
    static struct log mine = LOG;
    gr_ref a = proc(&mine), b = thin(), never = { .node = a.node, .id = a.id + 40000 };

    gr_stop(rt, b);
    gone_is(b, "normal");
    cr_assert_eq(ask_ref(a, "monitor", b), GR_OK);
    log_is(&mine, "down \"noproc\";");
    cr_assert_eq(ask_ref(a, "monitor", never), GR_OK);
    log_is(&mine, "down \"noproc\";down \"noproc\";");
}

Test(monitor, p14_a_failed_init_tells_why_before_and_after)
{
    static struct log mine = LOG;
    gr_ref a = proc(&mine);
    gr_ref b = proc_with(NULL, gr_map(GR_KV("fail", gr_bool(true))));

    cr_assert_eq(ask_ref(a, "monitor", b), GR_OK);
    log_is(&mine, "down no init;");
    cr_assert_eq(ask_ref(a, "monitor", b), GR_OK);
    log_is(&mine, "down no init;down no init;");
}

Test(monitor, refs_that_lead_nowhere)
{
    static struct log mine = LOG;
    gr_ref a = proc(&mine), empty = { 0, 0 }, foreign = { 12345, 1 };

    cr_assert_eq(ask_ref(a, "monitor", empty), GR_EINVAL);
    cr_assert_eq(ask_ref(a, "monitor", foreign), GR_EUNREACH);
    cr_assert_eq(ask_ref(a, "link", foreign), GR_EUNREACH);
    cr_assert_eq(gr_exit_to(rt, foreign, gr_str("x")), GR_EUNREACH);
    cr_assert_eq(gr_exit_to(rt, a, NULL), GR_EINVAL);
    cr_assert_eq(code_of(gr_ended(rt, foreign)), GR_EUNREACH);
}

Test(monitor, p14_demonitor_flushes)
{
    static struct log mine = LOG;
    gr_ref a = proc(&mine), b = thin();
    int64_t m = int_of(gr_acall(rt, a, "monitor", gr_ref_value(b), NULL));
    gr_value *args = gr_list(gr_int(m), gr_ref_value(b));

    /* signals come before calls, so the handler that takes it back is under way already */
    cr_assert_eq(int_of(gr_acall(rt, a, "forget", args, NULL)), 1, "it was there to be taken back");
    cr_assert_eq(ask_ref(a, "monitor", b), GR_OK);
    log_is(&mine, "down \"noproc\";");
}

Test(monitor, p14_demonitor_of_what_is_not_there)
{
    static struct log mine = LOG;
    gr_ref a = proc(&mine), b = thin();
    int64_t m = int_of(gr_acall(rt, a, "monitor", gr_ref_value(b), NULL));
    gr_value *v;

    for (int i = 0; i < 2; i++) {
        v = gr_do(rt, a, "demonitor", gr_int(m), NULL, NULL);
        cr_assert_eq(gr_as_bool(v, i != 0), i == 0);
        gr_value_unref(v);
    }
    gr_stop(rt, b);
    gone_is(b, "normal");
    cr_assert_eq(ask_ref(a, "monitor", b), GR_OK);
    log_is(&mine, "down \"noproc\";");
}

Test(monitor, p14_a_watcher_that_ends_first_is_forgotten)
{
    static struct log mine = LOG;
    gr_ref a = proc(&mine), b = thin();

    for (int i = 0; i < 10; i++)
        cr_assert_eq(ask_ref(a, "monitor", b), GR_OK);
    gr_stop(rt, a);
    log_is(&mine, "terminate \"normal\";stopped;");
    gr_stop(rt, b);
    gone_is(b, "normal");
    log_is(&mine, "terminate \"normal\";stopped;");
}

Test(monitor, p14_of_oneself_never_fires)
{
    static struct log mine = LOG;
    gr_ref a = proc(&mine);

    cr_assert_eq(ask_ref(a, "monitor", a), GR_OK);
    gr_stop(rt, a);
    log_is(&mine, "terminate \"normal\";stopped;");
}

/* A storm, and no list is walked once for each: 10,000 monitors in both directions. */
static void storm(int count, uint64_t *ret_ns)
{
    static struct log mine = LOG;
    gr_ref a = proc(&mine), b = thin();
    uint64_t start = test_now_ns();
    gr_value *v;

    /* the actor of the storm before may still be about to say that it has stopped */
    pthread_mutex_lock(&mine.lock);
    mine.downs = 0;
    pthread_mutex_unlock(&mine.lock);
    v = gr_do(rt, a, "storm", gr_list(gr_ref_value(b), gr_int(count)), NULL, NULL);
    cr_assert_eq(gr_as_int(v, -1), count);
    gr_value_unref(v);
    gr_stop(rt, b);
    until(log_downs(&mine) == count);
    *ret_ns = test_now_ns() - start;
    gr_stop(rt, a);
    gone_is(a, "normal");
    cr_assert_eq(log_downs(&mine), count);
}

Test(monitor, p14_ten_thousand_on_one_actor)
{
    uint64_t few = UINT64_MAX, many = UINT64_MAX;

    for (int i = 0; i < 3; i++) {
        uint64_t t = 0;

        storm(1000, &t);
        few = t < few ? t : few;
        storm(10000, &t);
        many = t < many ? t : many;
    }
    /* ten times as many take about ten times as long, not a hundred times */
    cr_assert_lt(many, few * 50 + 20 * UINT64_C(1000000), "%llu ns, %llu ns",
                 (unsigned long long)few, (unsigned long long)many);
}

Test(monitor, p5_ties_are_bounded)
{
    static struct log mine = LOG;
    gr_ref a =
        gr_spawn(root, &proc_class,
                 GR_SPAWN(.ties_max = 2, .args = gr_map(GR_KV("log", gr_opaque(&mine, NULL)))));
    gr_ref b = thin(), small = gr_spawn(root, &thin_class, GR_SPAWN(.ties_max = 1));
    int64_t m = int_of(gr_acall(rt, a, "monitor", gr_ref_value(b), NULL));

    cr_assert_eq(ask_ref(a, "monitor", small), GR_OK);
    cr_assert_eq(ask_ref(a, "monitor", b), GR_EFULL, "the watcher's bound");
    cr_assert_eq(ask_ref(a, "link", b), GR_EFULL);
    cr_assert_eq(gr_register(rt, "full", a), GR_EFULL);
    cr_assert_eq(code_of(gr_ended(rt, small)), GR_EFULL, "the target's bound");
    cr_assert_eq(ask(a, "demonitor", gr_int(m)), GR_OK);
    cr_assert_eq(ask_ref(a, "monitor", small), GR_EFULL);
    cr_assert_eq(ask_ref(a, "link", b), GR_OK, "and there is room again");
}

/* ---- from birth ------------------------------------------------------------------------------ */

Test(monitor, p19_a_child_is_monitored_from_its_birth)
{
    static struct log mine = LOG;
    gr_ref a = proc(&mine);

    cr_assert_eq(ask(a, "spawn", json_of("{\"monitor\": true, \"child\": {\"fail\": true}}")),
                 GR_OK);
    log_is(&mine, "down no init;");
}

static gr_value *spawn_refused(gr_ctx *c, void *self, const gr_value *args)
{
    uint64_t m = 0;

    (void)self, (void)args;
    gr_spawn(root, &thin_class, GR_SPAWN(.args = gr_error(GR_ERATE, "refused"), .ret_monitor = &m));
    (void)c;
    return gr_int((int64_t)m);
}

static void spawner_down(gr_ctx *c, void *self, uint64_t monitor, gr_ref who,
                         const gr_value *reason)
{
    (void)c, (void)self, (void)who, (void)monitor;
    log_add(gr_as_opaque(gr_args(c)), "down", reason);
}

static const gr_method spawner_methods[] = { { "invoke", GR_ASYNC, spawn_refused, NULL } };
static const gr_class spawner_class =
    GR_CLASS(.name = "spawner", .state_size = 8, GR_METHODS(spawner_methods), .down = spawner_down);

Test(monitor, p19_a_refused_child_too)
{
    static struct log mine = LOG;
    gr_ref a = gr_spawn(root, &spawner_class, GR_SPAWN(.args = gr_opaque(&mine, NULL)));

    cr_assert_gt(int_of(gr_ainvoke(rt, a, gr_nil(), NULL)), 0);
    log_is(&mine, "down refused;");
}

Test(monitor, ties_from_birth_need_a_handler)
{
    uint64_t m = 0;
    gr_ref r = gr_spawn(root, &thin_class, GR_SPAWN(.ret_monitor = &m));
    gr_value *err = gr_check(rt, r);

    cr_assert_eq(gr_error_code(err), GR_EINVAL);
    gr_value_unref(err);
}

/* ---- 15: a lost message is no secret --------------------------------------------------------- */

Test(monitor, p15_what_is_lost_by_death_is_followed_by_down)
{
    static struct log mine = LOG, its = LOG;
    gr_ref a = proc(&mine), b = proc(&its);
    uint64_t letters = gr_dead_letters(rt);

    cr_assert_eq(ask_ref(a, "monitor", b), GR_OK);
    cr_assert_eq(gr_tell(rt, b, gr_int(600000)), GR_OK); /* it sleeps on this one, */
    cr_assert_eq(gr_tell(rt, b, gr_str("lost")), GR_OK); /* and never gets to this */
    log_is(&its, "asleep;");
    cr_assert_eq(gr_exit_to(rt, b, gr_str("over")), GR_OK);
    log_is(&mine, "down \"over\";");
    cr_assert_eq(gr_dead_letters(rt), letters + 1);
}

/* ---- gr_ended -------------------------------------------------------------------------------- */

Test(monitor, ended_is_a_future_of_the_reason)
{
    gr_ref b = thin(), failed = proc_with(NULL, gr_map(GR_KV("fail", gr_bool(true))));
    gr_future *f = gr_ended(rt, b), *dropped = gr_ended(rt, b);
    gr_outcome o;

    cr_assert_not(gr_done(f));
    gr_future_free(dropped);
    gr_stop(rt, b);
    o = gr_await(f, TEST_WAIT_MS);
    cr_assert(gr_reason_is(o.value, "normal"));
    gr_future_free(f);
    gone_is(b, "noproc");
    cr_assert_eq(code_of(gr_ended(rt, failed)), GR_EREMOTE, "a crash fails it");
}

Test(monitor, ended_outlives_its_runtime)
{
    gr_future *f;
    gr_outcome o;

    engine_down();
    engine_start(1);
    f = gr_ended(rt, gr_spawn(root, &thin_class, NULL));
    gr_runtime_free(rt);
    o = gr_await(f, 0);
    cr_assert(gr_reason_is(o.value, "shutdown"));
    gr_future_free(f);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &rt), GR_OK);
}

TestSuite(monitor, .init = engine_up, .fini = engine_down);
