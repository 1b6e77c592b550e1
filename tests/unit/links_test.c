/* SPDX-License-Identifier: Apache-2.0 */
/* links_test.c - links between actors. A number in a test's name is that of the point of the
 * supervision semantics that it shows. */
#include "tests/support/proc.h"

/* ---- 11: symmetric, idempotent, one a pair --------------------------------------------------- */

Test(links, p11_both_ways)
{
    for (int way = 0; way < 2; way++) {
        static struct log la = LOG, lb = LOG;
        gr_ref a = proc(&la), b = proc(&lb);

        la.text[0] = lb.text[0] = '\0';
        cr_assert_eq(ask_ref(a, "link", b), GR_OK);
        cr_assert_eq(gr_exit_to(rt, way == 0 ? a : b, gr_str("x")), GR_OK);
        log_is(&la, "terminate \"x\";stopped;");
        log_is(&lb, "terminate \"x\";stopped;");
    }
}

Test(links, p11_once_a_pair)
{
    static struct log la = LOG, lb = LOG;
    gr_ref a = trapping_proc(&la), b = proc(&lb);

    for (int i = 0; i < 3; i++) {
        cr_assert_eq(ask_ref(a, "link", b), GR_OK);
        cr_assert_eq(ask_ref(b, "link", a), GR_OK);
    }
    cr_assert_eq(gr_exit_to(rt, b, gr_str("x")), GR_OK);
    log_is(&la, "exit \"x\";");
    cr_assert_eq(ask_ref(a, "link", a), GR_OK, "with itself: nothing");
    gr_stop(rt, a);
    log_is(&la, "exit \"x\";terminate \"normal\";stopped;");
}

Test(links, p11_one_unlink_takes_it_away_from_either_side)
{
    static struct log la = LOG, lb = LOG;
    gr_ref a = proc(&la), b = proc(&lb);

    cr_assert_eq(ask_ref(a, "link", b), GR_OK);
    cr_assert_eq(ask_ref(a, "link", b), GR_OK);
    cr_assert_eq(ask_ref(b, "unlink", a), GR_OK);
    cr_assert_eq(ask_ref(b, "unlink", a), GR_OK);
    cr_assert_eq(gr_exit_to(rt, a, gr_str("x")), GR_OK);
    log_is(&la, "terminate \"x\";stopped;");
    cr_assert_eq(ask(b, "trap", gr_bool(false)), GR_OK);
    log_is(&lb, "");
}

/* ---- 12: what a link does -------------------------------------------------------------------- */

Test(links, p12_normal_is_ignored_by_links)
{
    static struct log la = LOG, lb = LOG, lc = LOG;
    gr_ref a = proc(&la), b = proc(&lb), c = trapping_proc(&lc);

    cr_assert_eq(ask_ref(a, "link", b), GR_OK);
    cr_assert_eq(ask_ref(a, "link", c), GR_OK);
    gr_stop(rt, a);
    log_is(&lc, "exit \"normal\";");
    cr_assert_eq(ask(b, "trap", gr_bool(false)), GR_OK);
    log_is(&lb, "");
}

Test(links, p12_the_reason_goes_on_unchanged)
{
    static struct log l[4] = { LOG, LOG, LOG, LOG };
    gr_ref r[4];

    for (int i = 0; i < 3; i++)
        r[i] = proc(&l[i]);
    r[3] = trapping_proc(&l[3]);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(ask_ref(r[i], "link", r[i + 1]), GR_OK);
    cr_assert_eq(ask(r[0], "exit", gr_error(GR_EPROTO, "bad")), GR_EPROTO);
    for (int i = 0; i < 3; i++)
        log_is(&l[i], "terminate bad;stopped;");
    log_is(&l[3], "exit bad;");
}

Test(links, p12_who_is_linked_to_the_killed_sees_killed)
{
    static struct log la = LOG, lb = LOG, lc = LOG;
    gr_ref a = trapping_proc(&la), b = trapping_proc(&lb), c = proc(&lc);

    cr_assert_eq(ask_ref(a, "link", b), GR_OK);
    cr_assert_eq(ask_ref(a, "link", c), GR_OK);
    cr_assert_eq(gr_exit_to(rt, a, gr_str("kill")), GR_OK);
    log_is(&la, "stopped;");
    log_is(&lb, "exit \"killed\";");
    log_is(&lc, "terminate \"killed\";stopped;");
}

/* Erlang: "kill" is a word like others when it comes by a link; only exit/2 makes it deadly. */
Test(links, p12_kill_as_a_reason_of_ones_own_can_be_trapped)
{
    static struct log la = LOG, lb = LOG;
    gr_ref a = proc(&la), b = trapping_proc(&lb);

    cr_assert_eq(ask_ref(a, "link", b), GR_OK);
    cr_assert_eq(ask(a, "exit", gr_str("kill")), GR_EBROKEN);
    log_is(&lb, "exit \"kill\";");
}

Test(links, p12_a_ring_ends_once)
{
    static struct log l[8];
    gr_ref r[8];

    for (int i = 0; i < 8; i++) {
        pthread_mutex_init(&l[i].lock, NULL);
        r[i] = proc(&l[i]);
    }
    for (int i = 0; i < 8; i++)
        for (int k = i + 1; k < 8; k++)
            cr_assert_eq(ask_ref(r[i], "link", r[k]), GR_OK);
    cr_assert_eq(gr_exit_to(rt, r[3], gr_str("x")), GR_OK);
    for (int i = 0; i < 8; i++)
        log_is(&l[i], "terminate \"x\";stopped;");
}

Test(links, p12_an_exit_of_a_link_interrupts_what_waits)
{
    static struct log la = LOG, lb = LOG;
    gr_ref a = proc(&la), b = proc(&lb);
    gr_future *f;

    cr_assert_eq(ask_ref(a, "link", b), GR_OK);
    f = gr_acall(rt, b, "sleep", gr_int(600000), NULL);
    log_is(&lb, "asleep;");
    cr_assert_eq(ask(a, "exit", gr_str("x")), GR_EBROKEN);
    cr_assert_eq(code_of(f), GR_EBROKEN);
    log_is(&lb, "asleep;interrupted;terminate \"x\";stopped;");
}

/* ---- 13: unlink ------------------------------------------------------------------------------ */

/* cut [who]: in one handler, links to who, has it end, waits for that, and unlinks. */
static gr_value *cut(gr_ctx *c, void *self, const gr_value *args)
{
    gr_runtime *r = gr_runtime_of(c);
    gr_ref who = gr_as_ref(args);
    gr_future *f;
    gr_code rc = gr_link(c, who);

    (void)self;
    if (rc != GR_OK)
        return proc_code(rc);
    f = gr_ended(r, who);
    gr_exit_to(r, who, gr_str("x"));
    gr_await(f, -1); /* links were signalled before this was told */
    gr_future_free(f);
    gr_unlink(c, who);
    return gr_nil();
}

static const gr_method cut_methods[] = { { "cut", GR_ASYNC, cut, NULL },
                                         { "trap", GR_ASYNC, proc_trap, NULL } };
static const gr_class cut_class =
    GR_CLASS(.name = "cutter", .state_size = sizeof(struct proc), .init = proc_init,
             GR_METHODS(cut_methods), .exited = proc_exited, .terminate = proc_terminate);

Test(links, p13_unlink_takes_back_what_is_queued)
{
    static struct log la = LOG, lb = LOG;
    gr_ref b = proc(&lb);
    gr_ref a = gr_spawn(
        root, &cut_class,
        GR_SPAWN(.args = gr_map(GR_KV("log", gr_opaque(&la, NULL)), GR_KV("trap", gr_bool(true)))));

    cr_assert_eq(ask_ref(a, "cut", b), GR_OK);
    cr_assert_eq(gr_exit_to(rt, a, gr_str("marker")), GR_OK);
    log_is(&la, "exit \"marker\";");
}

/* ---- the dead -------------------------------------------------------------------------------- */

Test(links, p11_to_a_dead_actor_is_noproc)
{
    static struct log la = LOG, lb = LOG, ld = LOG;
    gr_ref a = proc(&la), b = trapping_proc(&lb), dead = proc(&ld);

    gr_stop(rt, dead);
    log_is(&ld, "terminate \"normal\";stopped;");
    gone_is(dead, "normal");
    cr_assert_eq(ask_ref(b, "link", dead), GR_OK);
    log_is(&lb, "exit \"noproc\";");
    cr_assert_eq(ask_ref(b, "link", dead), GR_OK);
    log_is(&lb, "exit \"noproc\";exit \"noproc\";");
    cr_assert_eq(ask_ref(a, "link", dead), GR_OK, "the handler that did it runs to its end");
    log_is(&la, "terminate \"noproc\";stopped;");
}

Test(links, p19_from_birth)
{
    static struct log la = LOG, lb = LOG;
    gr_ref a = proc(&la), b = trapping_proc(&lb);

    cr_assert_eq(ask(b, "spawn", json_of("{\"link\": true, \"child\": {\"fail\": true}}")), GR_OK);
    log_is(&lb, "exit no init;");
    cr_assert_eq(ask(a, "spawn", json_of("{\"link\": true, \"child\": {\"fail\": true}}")), GR_OK);
    log_is(&la, "terminate no init;stopped;");
}

Test(links, p19_a_parent_takes_its_child_along)
{
    static struct log la = LOG;
    gr_ref a = proc(&la);
    gr_value *v = gr_do(rt, a, "spawn", json_of("{\"link\": true}"), NULL, NULL);
    gr_future *f = gr_ended(rt, gr_as_ref(v));

    gr_value_unref(v);
    cr_assert_eq(gr_exit_to(rt, a, gr_str("x")), GR_OK);
    cr_assert(gr_reason_is(gr_await(f, TEST_WAIT_MS).value, "x"));
    gr_future_free(f);
}

/* Both ends die at once: nothing is told twice or lost on the way. */
Test(links, p11_both_ends_at_once)
{
    for (int i = 0; i < 200; i++) {
        static struct log la = LOG, lb = LOG;
        gr_ref a, b;

        la.text[0] = lb.text[0] = '\0';
        a = proc(&la);
        b = proc(&lb);
        cr_assert_eq(ask_ref(a, "link", b), GR_OK);
        cr_assert_eq(ask(b, "trap", gr_bool(false)), GR_OK, "it has begun, so it says farewell");
        gr_tell(rt, a, gr_str("x"));
        gr_tell(rt, b, gr_str("x"));
        log_is(&la, "terminate \"x\";stopped;");
        log_is(&lb, "terminate \"x\";stopped;");
    }
}

TestSuite(links, .init = engine_up, .fini = engine_down);
