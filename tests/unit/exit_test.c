/* SPDX-License-Identifier: Apache-2.0 */
/* exit_test.c - exit signals, and the order of an actor's end. A number in a test's name is that of
 * the point of the supervision semantics that it shows. */
#include "tests/support/proc.h"

/* fails_as waits for f and checks that an exit has failed it, for a reason in words. */
static void fails_as(gr_future *f, const char *reason)
{
    gr_outcome o = gr_await(f, TEST_WAIT_MS);

    cr_assert_eq(o.code, GR_EBROKEN, "%s: %s", gr_code_name(o.code), gr_error_text(o.error));
    cr_assert_str_eq(gr_cstr(gr_get(o.error, "kind"), "?"), "ActorExit");
    cr_assert(gr_error_retryable(o.error));
    if (gr_get(o.error, "cause") != NULL)
        cr_assert_str_eq(gr_error_text(gr_get(o.error, "cause")), reason);
    else
        cr_assert(gr_reason_is(gr_get(o.error, "detail"), reason));
    gr_future_free(f);
}

/* ---- 8: reasons ------------------------------------------------------------------------------ */

Test(exit, p8_clean_reasons)
{
    static const struct {
        const char *json;
        bool clean;
    } cases[] = { { "\"normal\"", true },
                  { "\"shutdown\"", true },
                  { "{\"shutdown\": [1]}", true },
                  { "{\"shutdown\": 1, \"x\": 2}", false },
                  { "\"killed\"", false },
                  { "\"noproc\"", false },
                  { "null", false },
                  { "7", false } };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gr_value *v = json_of(cases[i].json);

        cr_assert_eq(gr_reason_clean(v), cases[i].clean, "%s", cases[i].json);
        gr_value_unref(v);
    }
    cr_assert_not(gr_reason_clean(NULL));
    cr_assert_not(gr_reason_is(NULL, "normal"));
}

/* ---- 9: what ends an actor ------------------------------------------------------------------- */

Test(exit, p9_a_crash_ends_that_actor_only)
{
    static struct log its = LOG, others = LOG;
    gr_ref a = proc(&its), b = proc(&others);

    cr_assert_eq(ask(a, "exit", gr_error(GR_EPROTO, "bad")), GR_EPROTO);
    log_is(&its, "terminate bad;stopped;");
    cr_assert_null(gr_check(rt, b));
    log_is(&others, "");
}

Test(exit, p9_the_callers_error_carries_a_reason_of_ones_own)
{
    static struct log its = LOG;
    gr_value *err = NULL;

    cr_assert_null(gr_do(rt, proc(&its), "exit", gr_int(42), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EBROKEN);
    cr_assert_eq(gr_as_int(gr_get(err, "detail"), 0), 42);
    gr_value_unref(err);
    log_is(&its, "terminate 42;stopped;");
}

/* ---- 10: the order of an end ----------------------------------------------------------------- */

/* A queued call, a handler that waits and a deferred call, in a class that lets them be at once. */
static void holds_three(struct log *l, gr_ref *ret_ref, gr_future *fs[3])
{
    *ret_ref =
        gr_spawn(root, &reentrant_proc_class,
                 GR_SPAWN(.max_concurrency = 2, .args = gr_map(GR_KV("log", gr_opaque(l, NULL)))));
    fs[0] = gr_acall(rt, *ret_ref, "keep", gr_nil(), NULL);
    fs[1] = gr_acall(rt, *ret_ref, "sleep", gr_int(600000), NULL);
    log_is(l, "asleep;");
    fs[2] = gr_acall(rt, *ret_ref, "trap", gr_bool(false), NULL);
}

Test(exit, p10_what_it_holds_fails_with_the_reason)
{
    static struct log its = LOG;
    gr_future *fs[3];
    gr_ref a;

    holds_three(&its, &a, fs);
    cr_assert_eq(gr_exit_to(rt, a, gr_str("over")), GR_OK);
    for (int i = 0; i < 3; i++)
        fails_as(fs[i], "over");
    log_is(&its, "asleep;interrupted;terminate \"over\";stopped;");
}

Test(exit, p10_kill_fails_what_it_holds_too)
{
    static struct log its = LOG;
    gr_future *fs[3];
    gr_ref a;

    holds_three(&its, &a, fs);
    cr_assert_eq(gr_exit_to(rt, a, gr_str("kill")), GR_OK);
    for (int i = 0; i < 3; i++)
        fails_as(fs[i], "killed");
    log_is(&its, "asleep;interrupted;stopped;");
}

Test(exit, p10_a_crash_fails_queued_calls_with_its_cause)
{
    static struct log its = LOG;
    gr_ref a = proc(&its);
    gr_future *first = gr_acall(rt, a, "sleep", gr_int(20), NULL), *last;

    gr_tell(rt, a, gr_error(GR_EPROTO, "bad"));
    last = gr_acall(rt, a, "trap", gr_bool(true), NULL);
    cr_assert_eq(code_of(first), GR_OK);
    fails_as(last, "bad");
}

Test(exit, p10_terminate_may_answer_what_was_deferred)
{
    static struct log its = LOG;
    gr_ref a = proc(&its);
    gr_future *f = gr_acall(rt, a, "keep", gr_nil(), NULL);
    gr_outcome o;

    cr_assert_eq(gr_exit_to(rt, a, gr_str("answer")), GR_OK);
    o = gr_await(f, TEST_WAIT_MS);
    if (o.code == GR_OK)
        cr_assert_str_eq(gr_cstr(o.value, "?"), "answered");
    else /* the exit came before the call */
        cr_assert_eq(o.code, GR_EBROKEN);
    gr_future_free(f);
}

/* After the actor is gone its promise leads nowhere, and may still be kept. */
Test(exit, p10_a_promise_outlives_its_actor)
{
    struct desk d = DESK;
    gr_ref a = desk_in(root, &d);
    gr_future *f = gr_ainvoke(rt, a, gr_nil(), NULL), *g = gr_ainvoke(rt, a, gr_nil(), NULL);

    until(atomic_load(&d.came) == 2);
    cr_assert_eq(gr_exit_to(rt, a, gr_str("over")), GR_OK);
    fails_as(f, "over");
    fails_as(g, "over");
    gone_is(a, "over");
    cr_assert_eq(atomic_load(&d.cancelled), 2, "its holder was told");
    gr_resolve(desk_take(&d, 0), gr_int(1));
    gr_resolve(desk_take(&d, 1), gr_error(GR_EREMOTE, "late"));
}

Test(exit, p10_stop_leaves_what_was_deferred_its_answer)
{
    struct desk d = DESK;
    gr_ref a = desk_in(root, &d);
    gr_future *f = gr_ainvoke(rt, a, gr_nil(), NULL), *end = gr_ended(rt, a);

    until(atomic_load(&d.came) == 1);
    gr_stop(rt, a);
    cr_assert_eq(gr_await(end, 20).code, GR_EPENDING, "it has not ended while it owes an answer");
    desk_answer(&d, 0, gr_int(7));
    cr_assert_eq(int_of(f), 7);
    cr_assert(gr_reason_is(gr_await(end, TEST_WAIT_MS).value, "normal"));
    gr_future_free(end);
}

Test(exit, p10_an_exit_after_a_stop_does_not_wait_for_it)
{
    struct desk d = DESK;
    gr_ref a = desk_in(root, &d);
    gr_future *f = gr_ainvoke(rt, a, gr_nil(), NULL), *end = gr_ended(rt, a);

    until(atomic_load(&d.came) == 1);
    gr_stop(rt, a);
    cr_assert_eq(gr_await(end, 5).code, GR_EPENDING);
    cr_assert_eq(gr_exit_to(rt, a, gr_str("hurry")), GR_OK);
    fails_as(f, "hurry");
    cr_assert(gr_reason_is(gr_await(end, TEST_WAIT_MS).value, "hurry"));
    gr_future_free(end);
    desk_close(&d);
}

/* Names are free before links hear of it, links before monitors, and stopped comes last. */
static struct log order = LOG;

static void order_exited(gr_ctx *c, void *self, gr_ref from, const gr_value *reason)
{
    gr_ref who = gr_whereis(gr_runtime_of(c), "ordered");

    (void)self, (void)from;
    log_add(&order, who.id == 0 ? "exit, free" : "exit, taken", reason);
}

static void order_down(gr_ctx *c, void *self, uint64_t monitor, gr_ref who, const gr_value *reason)
{
    (void)c, (void)self, (void)monitor, (void)who;
    log_add(&order, "down", reason);
}

static void ordered_stopped(void *self, const gr_value *args)
{
    (void)self, (void)args;
    log_add(&order, "stopped", NULL);
}

static void ordered_terminate(gr_ctx *c, void *self, const gr_value *reason)
{
    (void)c, (void)self, (void)reason;
    log_add(&order, "terminate", NULL);
}

static const gr_class ordered_class =
    GR_CLASS(.name = "ordered", .state_size = 8, .terminate = ordered_terminate,
             .stopped = ordered_stopped);
static const gr_class observer_class =
    GR_CLASS(.name = "observer", .state_size = sizeof(struct proc), .init = proc_init,
             GR_METHODS(proc_methods), .exited = order_exited, .down = order_down);

Test(exit, p10_the_order_of_an_end)
{
    gr_ref a = gr_spawn(root, &ordered_class, NULL);
    gr_ref o = gr_spawn(root, &observer_class,
                        GR_SPAWN(.worker = 1, .args = gr_map(GR_KV("trap", gr_bool(true)))));

    cr_assert_eq(ask_ref(o, "monitor", a), GR_OK);
    cr_assert_eq(ask_ref(o, "link", a), GR_OK);
    cr_assert_eq(gr_register(rt, "ordered", a), GR_OK);
    cr_assert_eq(gr_exit_to(rt, a, gr_str("x")), GR_OK);
    until(log_has(&order, "stopped;") && log_has(&order, "down \"x\";"));
    cr_assert(log_has(&order, "terminate;exit, free \"x\";down \"x\";stopped;") ||
                  log_has(&order, "terminate;exit, free \"x\";stopped;down \"x\";") ||
                  log_has(&order, "terminate;stopped;exit, free \"x\";down \"x\";"),
              "%s", order.text);
}

/* ---- terminate ------------------------------------------------------------------------------- */

Test(exit, p10_terminate_has_a_time_limit)
{
    static struct log its = LOG;
    gr_ref a =
        gr_spawn(root, &proc_class,
                 GR_SPAWN(.terminate_ms = 20, .args = gr_map(GR_KV("log", gr_opaque(&its, NULL)))));
    uint64_t start = test_now_ns();

    begun(a);
    cr_assert_eq(gr_exit_to(rt, a, gr_str("linger")), GR_OK);
    log_is(&its, "terminate \"linger\";cut;stopped;");
    cr_assert_geq(test_now_ns() - start, UINT64_C(20000000));
}

Test(exit, p12_kill_cuts_terminate_short)
{
    static struct log its = LOG;
    gr_ref a = proc(&its);
    gr_future *end = gr_ended(rt, a);

    cr_assert_eq(gr_exit_to(rt, a, gr_str("linger")), GR_OK);
    until(log_equals(&its, "terminate \"linger\";"));
    cr_assert_eq(gr_exit_to(rt, a, gr_str("again")), GR_OK, "another exit is nothing new");
    cr_assert_eq(gr_await(end, 20).code, GR_EPENDING);
    cr_assert_eq(gr_exit_to(rt, a, gr_str("kill")), GR_OK);
    log_is(&its, "terminate \"linger\";cut;stopped;");
    cr_assert(gr_reason_is(gr_await(end, TEST_WAIT_MS).value, "killed"));
    gr_future_free(end);
}

Test(exit, p10_no_terminate_after_kill_or_a_failed_init)
{
    static struct log killed = LOG, failed = LOG;
    gr_scope *s = gr_scope_new(root);
    gr_ref a = proc(&killed);

    gr_spawn(s, &proc_class,
             GR_SPAWN(.args = gr_map(GR_KV("log", gr_opaque(&failed, NULL)),
                                     GR_KV("fail", gr_bool(true)))));
    cr_assert_eq(gr_exit_to(rt, a, gr_str("kill")), GR_OK);
    log_is(&killed, "stopped;");
    gr_scope_free(s);
    log_is(&failed, "stopped;");
}

static gr_code then_code;

static void never_runs(gr_ctx *c, void *self, const gr_outcome *o, void *arg)
{
    (void)c, (void)self, (void)o, (void)arg;
    log_add(&order, "it ran", NULL);
}

static void dropped(void *arg)
{
    log_add(arg, "dropped", NULL);
}

static void last_words(gr_ctx *c, void *self, const gr_value *reason)
{
    (void)self, (void)reason;
    then_code = gr_then(c, gr_ainvoke(gr_runtime_of(c), echo(), gr_int(1), NULL), never_runs,
                        dropped, gr_as_opaque(gr_args(c)));
    cr_assert_eq(int_of(gr_ainvoke(gr_runtime_of(c), echo(), gr_int(5), NULL)), 5);
}

static const gr_class talker_class =
    GR_CLASS(.name = "talker", .state_size = 8, .reentrant = true, .terminate = last_words);

Test(exit, p10_terminate_may_call_but_not_go_on_later)
{
    static struct log its = LOG;
    gr_ref a = gr_spawn(root, &talker_class, GR_SPAWN(.args = gr_opaque(&its, NULL)));

    gr_stop(rt, a);
    gone_is(a, "normal");
    log_is(&its, "dropped;");
    cr_assert_eq(then_code, GR_EDEAD);
}

/* ---- 12: signals ----------------------------------------------------------------------------- */

Test(exit, p12_normal_is_ignored_unless_trapped)
{
    static struct log plain = LOG, traps = LOG;
    gr_ref a = proc(&plain), b = trapping_proc(&traps);

    cr_assert_eq(gr_exit_to(rt, a, gr_str("normal")), GR_OK);
    cr_assert_eq(gr_exit_to(rt, b, gr_str("normal")), GR_OK);
    log_is(&traps, "exit \"normal\";");
    cr_assert_eq(ask(a, "trap", gr_bool(false)), GR_OK, "it is there");
}

Test(exit, p12_trapped_signals_are_told_in_order)
{
    static struct log traps = LOG;
    gr_ref a = trapping_proc(&traps);

    cr_assert_eq(gr_exit_to(rt, a, gr_str("one")), GR_OK);
    cr_assert_eq(gr_exit_to(rt, a, gr_int(2)), GR_OK);
    cr_assert_eq(gr_exit_to(rt, a, gr_error(GR_EPROTO, "three")), GR_OK);
    log_is(&traps, "exit \"one\";exit 2;exit three;");
    cr_assert_eq(ask(a, "trap", gr_bool(false)), GR_OK);
    cr_assert_eq(gr_exit_to(rt, a, gr_str("four")), GR_OK);
    log_is(&traps, "exit \"one\";exit 2;exit three;terminate \"four\";stopped;");
}

Test(exit, p12_kill_cannot_be_trapped)
{
    static struct log traps = LOG;
    gr_ref a = trapping_proc(&traps);
    gr_future *end = gr_ended(rt, a);

    cr_assert_eq(ask(a, "trap", gr_bool(true)), GR_OK);
    cr_assert_eq(gr_exit_to(rt, a, gr_str("kill")), GR_OK);
    cr_assert(gr_reason_is(gr_await(end, TEST_WAIT_MS).value, "killed"));
    gr_future_free(end);
    log_is(&traps, "stopped;");
    cr_assert_eq(gr_exit_to(rt, a, gr_str("kill")), GR_EDEAD);
}

/* A system message comes before those that were in the mailbox before it. */
Test(exit, p5_signals_come_before_messages)
{
    static struct log traps = LOG;
    gr_ref a = trapping_proc(&traps);

    cr_assert_eq(gr_tell(rt, a, gr_int(30)), GR_OK);
    log_is(&traps, "asleep;");
    cr_assert_eq(gr_tell(rt, a, gr_str("bye")), GR_OK);
    cr_assert_eq(gr_exit_to(rt, a, gr_str("first")), GR_OK);
    log_is(&traps, "asleep;slept;exit \"first\";terminate \"bye\";stopped;");
}

Test(exit, p5_signals_do_not_count_in_the_mailbox_but_have_a_bound)
{
    static struct log traps = LOG;
    gr_ref a = gr_spawn(root, &proc_class,
                        GR_SPAWN(.mailbox_max = 1, .ties_max = 3,
                                 .args = gr_map(GR_KV("log", gr_opaque(&traps, NULL)),
                                                GR_KV("trap", gr_bool(true)))));

    cr_assert_eq(gr_tell(rt, a, gr_int(600000)), GR_OK);
    log_is(&traps, "asleep;");
    cr_assert_eq(gr_tell(rt, a, gr_int(1)), GR_OK);
    cr_assert_eq(gr_tell(rt, a, gr_int(1)), GR_EFULL);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(gr_exit_to(rt, a, gr_str("x")), GR_OK);
    cr_assert_eq(gr_exit_to(rt, a, gr_str("x")), GR_EFULL);
    cr_assert_eq(gr_exit_to(rt, a, gr_str("kill")), GR_OK, "that needs no room");
    log_is(&traps, "asleep;interrupted;stopped;");
}

Test(exit, p5_the_reasons_that_wait_have_a_bound_in_bytes)
{
    static struct log traps = LOG;
    gr_ref a = trapping_proc(&traps);
    char *bytes = calloc(1, 600001);
    gr_value *large;

    memset(bytes, 'x', 600000);
    large = gr_str(bytes);
    free(bytes);
    cr_assert_eq(gr_tell(rt, a, gr_int(600000)), GR_OK);
    log_is(&traps, "asleep;");
    cr_assert_eq(gr_exit_to(rt, a, gr_value_ref(large)), GR_OK);
    cr_assert_eq(gr_exit_to(rt, a, gr_str("small")), GR_OK);
    cr_assert_eq(gr_exit_to(rt, a, gr_value_ref(large)), GR_EFULL);
    cr_assert_eq(gr_exit_to(rt, a, gr_str("small")), GR_OK);
    cr_assert_eq(gr_exit_to(rt, a, gr_str("kill")), GR_OK, "that needs no room");
    log_is(&traps, "asleep;interrupted;stopped;");
    gr_value_unref(large);
}

Test(exit, a_class_without_the_method_loses_it_and_that_is_counted)
{
    static const gr_class deaf = GR_CLASS(.name = "deaf", .state_size = sizeof(struct proc),
                                          .init = proc_init, GR_METHODS(proc_methods));
    gr_ref a = gr_spawn(root, &deaf, NULL);
    gr_ref b = echo();
    uint64_t letters = gr_dead_letters(rt);

    cr_assert_eq(ask(a, "trap", gr_bool(true)), GR_OK);
    cr_assert_eq(gr_exit_to(rt, a, gr_str("x")), GR_OK);
    until(gr_dead_letters(rt) == letters + 1);
    cr_assert_eq(ask_ref(a, "monitor", b), GR_OK);
    gr_stop(rt, b);
    until(gr_dead_letters(rt) == letters + 2);
}

/* ---- interrupting ---------------------------------------------------------------------------- */

/* Wherever a handler waits, an exit ends the wait, and the handler runs to its end. */
static void wait_in_call(gr_ref a)
{
    gr_detach(gr_acall(rt, a, "sleep", gr_int(600000), NULL));
}

static void wait_in_blocking(gr_ref a)
{
    gr_detach(gr_acall(rt, a, "block", gr_int(600000), NULL));
}

static void wait_in_receive(gr_ref a)
{
    gr_tell(rt, a, gr_int(600000));
}

Test(exit, p12_an_exit_interrupts_what_waits)
{
    static void (*const waits[])(gr_ref a) = { wait_in_call, wait_in_blocking, wait_in_receive };

    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        for (int kill = 0; kill < 2; kill++) {
            static struct log its[6];
            struct log *l = &its[i * 2 + (size_t)kill];
            gr_ref a;

            pthread_mutex_init(&l->lock, NULL);
            a = proc(l);
            waits[i](a);
            log_is(l, "asleep;");
            cr_assert_eq(gr_exit_to(rt, a, gr_str(kill ? "kill" : "x")), GR_OK);
            log_is(l, kill ? "asleep;interrupted;stopped;"
                           : "asleep;interrupted;terminate \"x\";stopped;");
        }
    }
}

Test(exit, p12_an_exit_interrupts_an_init)
{
    static struct log its = LOG, other = LOG;
    gr_ref a = proc_with(&its, gr_map(GR_KV("nap", gr_int(600000)))), b = proc(&other);

    cr_assert_eq(ask_ref(b, "monitor", a), GR_OK);
    gr_sleep(rt, 5); /* most likely it has begun; else it never does */
    cr_assert_eq(gr_exit_to(rt, a, gr_str("x")), GR_OK);
    log_is(&its, "stopped;");
    log_is(&other, "down \"x\";");
}

static void then_waits(gr_ctx *c, void *self, const gr_outcome *o, void *arg)
{
    struct log *l = arg;

    (void)self, (void)o;
    log_add(l, "asleep", NULL);
    log_add(l, gr_sleep(gr_runtime_of(c), 600000) == GR_EINTR ? "interrupted" : "slept", NULL);
}

static gr_value *then_later(gr_ctx *c, void *self, const gr_value *args)
{
    struct log *l = gr_as_opaque(gr_args(c));
    gr_future *f = gr_as_bool(args, false)
                       ? gr_ainvoke(gr_runtime_of(c), nap(), gr_int(600000), GR_CALL(.scope = root))
                       : gr_ainvoke(gr_runtime_of(c), echo(), gr_nil(), GR_CALL(.scope = root));

    (void)self;
    gr_then(c, f, then_waits, dropped, l);
    return gr_nil();
}

static const gr_method then_methods[] = { { "invoke", GR_ASYNC, then_later, NULL } };
static const gr_class then_class =
    GR_CLASS(.name = "thenner", .state_size = 8, GR_METHODS(then_methods));

Test(exit, p12_an_exit_interrupts_a_continuation)
{
    static struct log its = LOG;
    gr_ref a = gr_spawn(root, &then_class, GR_SPAWN(.args = gr_opaque(&its, NULL)));

    cr_assert_eq(code_of(gr_ainvoke(rt, a, gr_bool(false), NULL)), GR_OK);
    log_is(&its, "asleep;");
    cr_assert_eq(gr_exit_to(rt, a, gr_str("x")), GR_OK);
    log_is(&its, "asleep;interrupted;dropped;");
}

/* What a continuation waits for is not waited for by the end: its call is cancelled. */
Test(exit, p10_an_exit_drops_continuations_that_are_due)
{
    static struct log its = LOG;
    gr_ref a = gr_spawn(root, &then_class, GR_SPAWN(.args = gr_opaque(&its, NULL)));

    cr_assert_eq(code_of(gr_ainvoke(rt, a, gr_bool(true), NULL)), GR_OK);
    cr_assert_eq(gr_exit_to(rt, a, gr_str("x")), GR_OK);
    log_is(&its, "dropped;");
    gone_is(a, "x");
}

static _Atomic int naps_begun, naps_cut;

static gr_value *long_nap(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    atomic_fetch_add(&naps_begun, 1);
    if (gr_sleep(gr_runtime_of(c), 600000) == GR_EINTR)
        atomic_fetch_add(&naps_cut, 1);
    return gr_nil();
}

static const gr_method nap_methods[] = { { "invoke", GR_ASYNC, long_nap, NULL } };
static const gr_class nap_class = GR_CLASS(.name = "long_nap", GR_METHODS(nap_methods));

Test(exit, p12_an_exit_interrupts_all_handlers_of_a_stateless_actor)
{
    gr_ref a = gr_spawn(root, &nap_class, NULL);
    gr_future *fs[20];

    for (int i = 0; i < 20; i++)
        fs[i] = gr_ainvoke(rt, a, gr_nil(), NULL);
    until(atomic_load(&naps_begun) == 20);
    cr_assert_eq(gr_exit_to(rt, a, gr_str("x")), GR_OK);
    for (int i = 0; i < 20; i++)
        fails_as(fs[i], "x");
    gone_is(a, "x");
    cr_assert_eq(atomic_load(&naps_cut), 20, "it ends after its handlers");
}

/* ---- 4: a stale ref -------------------------------------------------------------------------- */

Test(exit, p4_a_stale_ref_reaches_nobody)
{
    static struct log its = LOG, fresh = LOG;
    gr_ref a = proc(&its), b = a;

    gr_stop(rt, a);
    log_is(&its, "terminate \"normal\";stopped;");
    until((b = proc(&fresh), (b.id & 0xffffff) == (a.id & 0xffffff)) || (gr_stop(rt, b), false));
    cr_assert_eq(gr_exit_to(rt, a, gr_str("kill")), GR_EDEAD);
    gone_is(a, "noproc");
    cr_assert_eq(ask(b, "trap", gr_bool(false)), GR_OK);
}

/* In the plain mode all tests run in one process. */
static void start_afresh(void)
{
    engine_up();
    atomic_store(&naps_begun, 0);
    atomic_store(&naps_cut, 0);
}

TestSuite(exit, .init = start_afresh, .fini = engine_down);
