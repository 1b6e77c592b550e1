/* SPDX-License-Identifier: Apache-2.0 */
/* signals_test.c - links, monitors and exit signals between nodes, and refs that cross. */
#include "tests/support/test.h"

#include <string.h>

#include <greenroom/greenroom.h>

#include "runtime/net/node.h"
#include "runtime/net/peer.h"
#include "tests/support/memory.h"
#include "tests/support/party.h"
#include "tests/support/peer.h"

static gr_runtime *here, *there;
static gr_ref far_party; /* `there` publishes it as "party" */
static gr_ref far;       /* our proxy for it */
static char url[128];
static long blocks;

static void up(void)
{
    blocks = test_memory_live();
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &here), GR_OK);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &there), GR_OK);
    test_peer_url(url, "ipc");
    far_party = party_spawn(there, false);
    cr_assert_eq(gr_publish(there, "party", far_party), GR_OK);
    cr_assert_eq(gr_serve(there, url, NULL), GR_OK);
    far = gr_remote(gr_root(here), url, "party");
}

static void down(void)
{
    gr_runtime_free(here);
    gr_runtime_free(there);
    cr_assert_eq(test_memory_live(), blocks, "%ld blocks are left", test_memory_live() - blocks);
}

TestSuite(signals, .init = up, .fini = down);

/* ---- asking parties -------------------------------------------------------------------------- */

static gr_value *ask(gr_runtime *rt, gr_ref who, const char *verb, gr_value *args)
{
    gr_value *err = NULL, *v = gr_do(rt, who, verb, args, NULL, &err);

    cr_assert_not_null(v, "%s: %s", verb, gr_error_text(err));
    return v;
}

static int64_t ask_int(gr_runtime *rt, gr_ref who, const char *verb, gr_value *args)
{
    gr_value *v = ask(rt, who, verb, args);
    int64_t n = gr_value_type(v) == GR_BOOL ? gr_as_bool(v, false) : gr_as_int(v, -1);

    gr_value_unref(v);
    return n;
}

static gr_ref ask_ref(gr_runtime *rt, gr_ref who, const char *verb, gr_value *args)
{
    gr_value *v = ask(rt, who, verb, args);
    gr_ref ref = gr_as_ref(v);

    gr_value_unref(v);
    return ref;
}

/* crash has a party exit; the call that asks for it fails. */
static void crash(gr_runtime *rt, gr_ref who, gr_value *reason)
{
    gr_value_unref(gr_do(rt, who, "exit", reason, NULL, NULL));
}

/* settle returns when `there` has handled all that we have sent, and we what it had sent before. */
static void settle(void)
{
    gr_value_unref(ask(here, far, "invoke", gr_nil()));
}

static gr_value *to_what(gr_ref to, gr_value *what)
{
    return gr_map(GR_KV("to", gr_ref_value(to)), GR_KV("what", what));
}

/* of_kind counts what was heard, and gives the last, borrowed from heard. */
static size_t of_kind(const gr_value *heard, const char *kind, const gr_value **ret_last)
{
    size_t n = 0;

    for (size_t i = 0; i < gr_len(heard); i++) {
        if (strcmp(gr_cstr(gr_at(gr_at(heard, i), 0), ""), kind) != 0)
            continue;
        n++;
        *ret_last = gr_at(heard, i);
    }
    return n;
}

/* hears waits until a party has heard n things of a kind, and gives the last one. */
static gr_value *hears(gr_runtime *rt, gr_ref who, const char *kind, size_t n)
{
    uint64_t until = gr_now_ns(rt) + UINT64_C(1000000) * TEST_WAIT_MS;

    for (;;) {
        const gr_value *last = NULL;
        gr_value *heard = ask(rt, who, "heard", gr_nil()), *found;
        size_t got = of_kind(heard, kind, &last);

        found = gr_value_ref(last);
        gr_value_unref(heard);
        cr_assert_leq(got, n, "%zu times %s", got, kind);
        if (got == n)
            return found;
        gr_value_unref(found);
        cr_assert_lt(gr_now_ns(rt), until, "%zu times %s, not %zu", got, kind, n);
        gr_sleep(rt, 1);
    }
}

static void expect_down(gr_runtime *rt, gr_ref who, size_t n, int64_t number, const char *reason)
{
    gr_value *d = hears(rt, who, "down", n);

    if (number != 0)
        cr_assert_eq(gr_as_int(gr_at(d, 1), 0), number);
    cr_assert_str_eq(gr_cstr(gr_at(d, 3), "?"), reason);
    gr_value_unref(d);
}

/* node_of looks at the one link that a runtime has: how much is tied over it. */
struct tied {
    size_t lent, proxies, ours, theirs;
};

static struct tied tied(gr_runtime *rt)
{
    struct gri_node *node = gri_node_get(rt);
    struct tied sum = { 0 };

    gri_lock(&node->lock);
    for (struct gri_list *n = node->at_node.next; n != &node->at_node; n = n->next) {
        struct gri_peer *p = gri_container_of(n, struct gri_peer, at_node);

        gri_lock(&p->lock);
        sum.lent += p->ties.lent.count;
        sum.proxies += p->ties.proxies.count;
        sum.ours += p->ties.ours.count;
        sum.theirs += p->ties.theirs.count;
        gri_unlock(&p->lock);
    }
    gri_unlock(&node->lock);
    return sum;
}

static void until_tied(gr_runtime *rt, struct tied want)
{
    uint64_t end = gr_now_ns(rt) + UINT64_C(1000000) * TEST_WAIT_MS;
    struct tied now;

    for (;;) {
        now = tied(rt);
        if (memcmp(&now, &want, sizeof(now)) == 0)
            return;
        cr_assert_lt(gr_now_ns(rt), end, "lent %zu, proxies %zu, ours %zu, theirs %zu", now.lent,
                     now.proxies, now.ours, now.theirs);
        gr_sleep(rt, 1);
    }
}

/* ---- monitors of names ----------------------------------------------------------------------- */

Test(signals, a_monitor_of_a_name_tells_the_reason_once_and_the_proxy_lives_on)
{
    gr_ref me = party_spawn(here, false);
    int64_t number = ask_int(here, me, "monitor", gr_ref_value(far));
    gr_value *d;

    settle();
    crash(there, far_party, gr_str("tired"));
    d = hears(here, me, "down", 1);
    cr_assert_eq(gr_as_int(gr_at(d, 1), 0), number);
    cr_assert_eq(gr_as_ref(gr_at(d, 2)).id, far.id, "it is told of the ref that was watched");
    cr_assert_str_eq(gr_cstr(gr_at(d, 3), ""), "tired");
    gr_value_unref(d);
    far_party = party_spawn(there, false);
    cr_assert_eq(gr_publish(there, "party", far_party), GR_OK);
    cr_assert_eq(ask_int(here, far, "invoke", gr_int(5)), 5);
    expect_down(here, me, 1, number, "tired");
    cr_assert_eq(ask_int(here, me, "demonitor", gr_int(number)), 0);
    until_tied(here, (struct tied){ 0 });
    until_tied(there, (struct tied){ 0 });
}

Test(signals, a_crash_comes_as_the_error_it_was)
{
    gr_ref me = party_spawn(here, false);
    gr_value *d;
    const gr_value *reason;

    ask_int(here, me, "monitor", gr_ref_value(far));
    settle();
    crash(there, far_party,
          gr_error_with(gr_error(GR_ERATE, "too hot"), "kind", gr_str("Overheated")));
    d = hears(here, me, "down", 1);
    reason = gr_at(d, 3);
    cr_assert_eq(gr_error_code(reason), GR_ERATE);
    cr_assert_str_eq(gr_error_text(reason), "too hot");
    cr_assert_str_eq(gr_cstr(gr_get(reason, "kind"), ""), "Overheated");
    gr_value_unref(d);
}

Test(signals, a_name_that_nobody_has_is_noproc)
{
    gr_ref me = party_spawn(here, true), none = gr_remote(gr_root(here), url, "none");
    gr_value *d, *v;
    gr_future *f = gr_ended(here, none);

    ask_int(here, me, "monitor", gr_ref_value(none));
    expect_down(here, me, 1, 0, "noproc");
    cr_assert_eq(ask_int(here, me, "link", gr_ref_value(none)), GR_OK);
    d = hears(here, me, "exited", 1);
    cr_assert_str_eq(gr_cstr(gr_at(d, 2), ""), "noproc");
    cr_assert_eq(gr_as_ref(gr_at(d, 1)).id, none.id);
    gr_value_unref(d);
    v = gr_take(f, NULL);
    cr_assert_str_eq(gr_cstr(v, ""), "noproc");
    gr_value_unref(v);
}

Test(signals, a_node_that_is_not_there_is_noconnection)
{
    gr_ref me = party_spawn(here, true);
    char other[128];
    gr_value *d;
    gr_ref none;

    test_peer_url(other, "ipc");
    none = gr_remote(gr_root(here), other, "party");
    ask_int(here, me, "monitor", gr_ref_value(none));
    expect_down(here, me, 1, 0, "noconnection");
    ask_int(here, me, "monitor", gr_ref_value(none)); /* the last attempt has just failed */
    expect_down(here, me, 2, 0, "noconnection");
    cr_assert_eq(ask_int(here, me, "link", gr_ref_value(none)), GR_OK);
    d = hears(here, me, "exited", 1);
    cr_assert_str_eq(gr_cstr(gr_at(d, 2), ""), "noconnection");
    gr_value_unref(d);
}

Test(signals, several_monitors_count_each_for_itself)
{
    gr_ref me = party_spawn(here, false);
    int64_t number[3];

    for (int i = 0; i < 3; i++)
        number[i] = ask_int(here, me, "monitor", gr_ref_value(far));
    cr_assert_eq(ask_int(here, me, "demonitor", gr_int(number[1])), 1);
    cr_assert_eq(ask_int(here, me, "demonitor", gr_int(number[1])), 0);
    settle();
    crash(there, far_party, gr_str("gone"));
    expect_down(here, me, 2, 0, "gone");
}

Test(signals, what_was_demonitored_is_forgotten_on_both_sides)
{
    gr_ref me = party_spawn(here, false);
    int64_t number;

    for (int i = 0; i < 100; i++) {
        number = ask_int(here, me, "monitor", gr_ref_value(far));
        cr_assert_eq(ask_int(here, me, "demonitor", gr_int(number)), 1);
        gr_future_free(gr_ended(here, far));
    }
    until_tied(here, (struct tied){ 0 });
    until_tied(there, (struct tied){ 0 });
    ask_int(here, me, "monitor", gr_ref_value(far));
    until_tied(there, (struct tied){ .theirs = 1 });
    crash(here, me, gr_str("done")); /* a dead actor's monitors go, too */
    until_tied(there, (struct tied){ 0 });
}

Test(signals, the_future_of_an_end_crosses)
{
    gr_future *f = gr_ended(here, far);
    gr_value *v;

    cr_assert_eq(ask_int(here, far, "invoke", gr_int(1)), 1);
    cr_assert_eq(gr_await(f, 0).code, GR_EPENDING);
    crash(here, far, gr_map(GR_KV("shutdown", gr_int(7))));
    v = gr_take(f, NULL);
    cr_assert_eq(gr_as_int(gr_get(v, "shutdown"), 0), 7);
    gr_value_unref(v);
}

/* ---- links ----------------------------------------------------------------------------------- */

Test(signals, a_link_carries_the_end_either_way)
{
    gr_ref me = party_spawn(here, false), keeper = party_spawn(here, true);
    gr_future *my_end = gr_ended(here, me), *its_end = gr_ended(there, far_party);
    gr_value *v, *d;

    cr_assert_eq(ask_int(here, me, "link", gr_ref_value(far)), GR_OK);
    cr_assert_eq(ask_int(here, me, "link", gr_ref_value(far)), GR_OK); /* once a pair */
    cr_assert_eq(ask_int(here, keeper, "link", gr_ref_value(far)), GR_OK);
    until_tied(there, (struct tied){ .lent = 0, .proxies = 2, .ours = 2, .theirs = 2 });
    crash(here, me, gr_str("broken"));
    v = gr_take(its_end, NULL);
    cr_assert_str_eq(gr_cstr(v, ""), "broken");
    gr_value_unref(v);
    d = hears(here, keeper, "exited", 1);
    cr_assert_eq(gr_as_ref(gr_at(d, 1)).id, far.id);
    cr_assert_str_eq(gr_cstr(gr_at(d, 2), ""), "broken");
    gr_value_unref(d);
    gr_value_unref(gr_take(my_end, NULL));
}

Test(signals, a_trapping_actor_sees_who_it_was)
{
    gr_ref me = party_spawn(here, false), seen;
    gr_value *d;

    gr_value_unref(ask(there, far_party, "trap", gr_bool(true)));
    cr_assert_eq(ask_int(here, me, "link", gr_ref_value(far)), GR_OK);
    until_tied(there, (struct tied){ .proxies = 1, .ours = 1, .theirs = 1 });
    cr_assert_eq(ask_int(here, me, "tell", to_what(far, gr_ref_value(me))), GR_OK);
    d = hears(there, far_party, "told", 1);
    seen = gr_as_ref(gr_at(d, 1)); /* how `there` knows it */
    gr_value_unref(d);
    crash(here, me, gr_str("enough"));
    d = hears(there, far_party, "exited", 1);
    cr_assert_eq(gr_as_ref(gr_at(d, 1)).id, seen.id);
    cr_assert_eq(gr_as_ref(gr_at(d, 1)).node, seen.node);
    cr_assert_str_eq(gr_cstr(gr_at(d, 2), ""), "enough");
    gr_value_unref(d);
    until_tied(there, (struct tied){ 0 });
    until_tied(here, (struct tied){ 0 });
}

Test(signals, an_end_that_is_normal_is_no_signal)
{
    gr_ref me = party_spawn(here, false);

    cr_assert_eq(ask_int(here, me, "link", gr_ref_value(far)), GR_OK);
    crash(here, me, gr_str("normal"));
    until_tied(here, (struct tied){ 0 });
    until_tied(there, (struct tied){ 0 });
    cr_assert_eq(ask_int(here, far, "invoke", gr_int(2)), 2);
}

Test(signals, unlinked_on_one_side_is_unlinked_on_both)
{
    gr_ref me = party_spawn(here, false);

    cr_assert_eq(ask_int(here, me, "link", gr_ref_value(far)), GR_OK);
    gr_value_unref(ask(here, me, "unlink", gr_ref_value(far)));
    until_tied(here,
               (struct tied){ .lent = 1, .theirs = 1 }); /* `there` watches what it was lent */
    until_tied(there, (struct tied){ .proxies = 1, .ours = 1 });
    crash(there, far_party, gr_str("gone"));
    cr_assert_eq(ask_int(here, me, "invoke", gr_int(3)), 3);
}

/* Both ask, each by a ref: it is one link, and whoever takes it away takes it all away. */
Test(signals, a_link_from_both_sides_is_one)
{
    gr_ref me = party_spawn(here, true), there_me, here_it;
    gr_value *d;

    gr_value_unref(ask(there, far_party, "trap", gr_bool(true)));
    here_it = ask_ref(here, far, "self", gr_nil());
    there_me = ask_ref(there, far_party, "invoke", gr_nil()); /* {0, 0} */
    cr_assert_eq(gr_tell(here, far, gr_ref_value(me)), GR_OK);
    d = hears(there, far_party, "told", 1);
    there_me = gr_as_ref(gr_at(d, 1));
    gr_value_unref(d);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(ask_int(here, me, "link", gr_ref_value(here_it)), GR_OK);
        cr_assert_eq(ask_int(there, far_party, "link", gr_ref_value(there_me)), GR_OK);
        settle(); /* they may have crossed */
        gr_value_unref(i == 0 ? ask(here, me, "unlink", gr_ref_value(here_it))
                              : ask(there, far_party, "unlink", gr_ref_value(there_me)));
        until_tied(here, (struct tied){ .lent = 1, .proxies = 1, .ours = 1, .theirs = 1 });
        until_tied(there, (struct tied){ .lent = 1, .proxies = 1, .ours = 1, .theirs = 1 });
    }
    cr_assert_eq(ask_int(there, far_party, "link", gr_ref_value(there_me)), GR_OK);
    cr_assert_eq(ask_int(here, me, "link", gr_ref_value(here_it)), GR_OK);
    settle();
    crash(here, me, gr_str("over"));
    d = hears(there, far_party, "exited", 1);
    cr_assert_eq(gr_as_ref(gr_at(d, 1)).id, there_me.id);
    gr_value_unref(d);
    until_tied(there, (struct tied){ .lent = 1, .theirs = 1 });
    until_tied(here, (struct tied){ .proxies = 1, .ours = 1 });
    d = hears(there, far_party, "exited", 1);
    gr_value_unref(d);
}

/* ---- exit signals ---------------------------------------------------------------------------- */

Test(signals, an_exit_signal_ends_it_there)
{
    gr_future *f = gr_ended(here, far);
    gr_value *v;

    cr_assert_eq(ask_int(here, far, "invoke", gr_int(1)), 1);
    cr_assert_eq(gr_exit_to(here, far, gr_str("normal")), GR_OK);
    cr_assert_eq(ask_int(here, far, "invoke", gr_int(1)), 1);
    cr_assert_eq(gr_exit_to(here, far, gr_str("shutdown")), GR_OK);
    v = gr_take(f, NULL);
    cr_assert_str_eq(gr_cstr(v, ""), "shutdown");
    gr_value_unref(v);
}

Test(signals, kill_can_not_be_trapped_there_either)
{
    gr_ref me = party_spawn(here, false);
    gr_value *d;

    gr_value_unref(ask(there, far_party, "trap", gr_bool(true)));
    ask_int(here, me, "monitor", gr_ref_value(far));
    cr_assert_eq(ask_int(here, me, "exit_to", to_what(far, gr_str("please"))), GR_OK);
    d = hears(there, far_party, "exited", 1);
    cr_assert_str_eq(gr_cstr(gr_at(d, 2), ""), "please");
    cr_assert_eq(ask_int(there, far_party, "call", to_what(gr_as_ref(gr_at(d, 1)), gr_int(6))), 6,
                 "whom it sees is who sent it");
    gr_value_unref(d);
    cr_assert_eq(gr_exit_to(here, far, gr_str("kill")), GR_OK);
    expect_down(here, me, 1, 0, "killed");
}

Test(signals, an_exit_signal_stays_behind_what_was_told)
{
    gr_ref me = party_spawn(here, false);
    gr_value *heard;
    const gr_value *last = NULL;

    gr_value_unref(ask(there, far_party, "trap", gr_bool(true)));
    for (int i = 0; i < 200; i++) {
        cr_assert_eq(ask_int(here, me, "tell", to_what(far, gr_int(i))), GR_OK);
        if (i % 50 == 49)
            cr_assert_eq(ask_int(here, me, "exit_to", to_what(far, gr_int(i))), GR_OK);
    }
    gr_value_unref(hears(there, far_party, "told", 200));
    gr_value_unref(hears(there, far_party, "exited", 4));
    heard = ask(there, far_party, "heard", gr_nil());
    for (size_t i = 0, told = 0; i < gr_len(heard); i++) {
        const gr_value *h = gr_at(heard, i);

        if (strcmp(gr_cstr(gr_at(h, 0), ""), "told") == 0)
            cr_assert_eq(gr_as_int(gr_at(h, 1), -1), (int64_t)told++);
        else /* a signal may come ahead of what is in the mailbox, never after what was told later */
            cr_assert_geq(gr_as_int(gr_at(h, 2), -1) + 1, (int64_t)told);
    }
    cr_assert_eq(of_kind(heard, "told", &last), 200);
    gr_value_unref(heard);
}

/* ---- the loss of the link -------------------------------------------------------------------- */

Test(signals, a_node_that_ends_takes_everything_along)
{
    gr_ref me = party_spawn(here, true);
    gr_value *d;

    ask_int(here, me, "monitor", gr_ref_value(far));
    cr_assert_eq(ask_int(here, me, "link", gr_ref_value(far)), GR_OK);
    until_tied(there, (struct tied){ .proxies = 1, .ours = 1, .theirs = 2 });
    gr_runtime_free(there);
    gr_value_unref(hears(here, me, "down", 1)); /* "shutdown": its scope ended */
    gr_value_unref(hears(here, me, "exited", 1));
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &there), GR_OK);
    far_party = party_spawn(there, false);
    cr_assert_eq(gr_publish(there, "party", far_party), GR_OK);
    cr_assert_eq(gr_serve(there, url, NULL), GR_OK);
    for (gr_value *v = NULL; v == NULL; gr_value_unref(v))
        v = gr_invoke(here, far, gr_int(1), NULL, NULL);
    d = hears(here, me, "down", 1);
    gr_value_unref(d);
    until_tied(here, (struct tied){ 0 });
}

Test(signals, a_killed_process_is_noconnection_once_and_reconnecting_revives_nothing)
{
    gr_ref me = party_spawn(here, true), lost;
    struct test_peer peer;
    gr_future *f;
    char other[128];
    gr_value *d;

    test_peer_url(other, "ipc");
    peer = test_peer_start(other);
    lost = gr_remote(gr_root(here), other, "all");
    ask_int(here, me, "monitor", gr_ref_value(lost));
    cr_assert_eq(ask_int(here, me, "link", gr_ref_value(lost)), GR_OK);
    f = gr_ended(here, lost);
    gr_value_unref(ask(here, lost, "invoke", gr_nil())); /* it has all of them by now */
    test_peer_kill(&peer);
    expect_down(here, me, 1, 0, "noconnection");
    d = hears(here, me, "exited", 1);
    cr_assert_str_eq(gr_cstr(gr_at(d, 2), ""), "noconnection");
    gr_value_unref(d);
    d = gr_take(f, NULL);
    cr_assert_str_eq(gr_cstr(d, ""), "noconnection");
    gr_value_unref(d);
    peer = test_peer_start(other);
    for (gr_value *v = NULL; v == NULL; gr_value_unref(v))
        v = gr_invoke(here, lost, gr_int(1), NULL, NULL);
    test_peer_kill(&peer);
    while ((d = gr_invoke(here, lost, gr_int(1), NULL, NULL)) != NULL)
        gr_value_unref(d);
    expect_down(here, me, 1, 0, "noconnection");
    gr_value_unref(hears(here, me, "exited", 1));
}

/* ---- refs that cross ------------------------------------------------------------------------- */

Test(signals, a_ref_that_was_sent_is_called_and_told_there)
{
    gr_ref me = party_spawn(here, false), echoed;
    gr_value *d;

    cr_assert_eq(ask_int(here, far, "call", to_what(me, gr_int(42))), 42);
    cr_assert_eq(ask_int(here, far, "tell", to_what(me, gr_str("hello"))), GR_OK);
    d = hears(here, me, "told", 1);
    cr_assert_str_eq(gr_cstr(gr_at(d, 1), ""), "hello");
    gr_value_unref(d);
    echoed = ask_ref(here, far, "invoke", gr_ref_value(me));
    cr_assert(echoed.node == me.node && echoed.id == me.id, "ours comes back as ours");
    until_tied(here, (struct tied){ .lent = 1, .theirs = 1 });
    until_tied(there, (struct tied){ .proxies = 1, .ours = 1 });
}

Test(signals, a_ref_that_came_is_one_and_is_monitored_linked_and_ended)
{
    gr_ref me = party_spawn(here, true), it = ask_ref(here, far, "self", gr_nil()), again;
    gr_value *d;

    again = ask_ref(here, far, "self", gr_nil());
    cr_assert(it.node == again.node && it.id == again.id, "one for each actor");
    cr_assert_neq(it.id, far.id);
    cr_assert_eq(ask_int(here, it, "invoke", gr_int(9)), 9);
    ask_int(here, me, "monitor", gr_ref_value(it));
    cr_assert_eq(ask_int(here, me, "link", gr_ref_value(it)), GR_OK);
    cr_assert_eq(gr_exit_to(here, it, gr_str("enough")), GR_OK);
    expect_down(here, me, 1, 0, "enough");
    d = hears(here, me, "exited", 1);
    cr_assert_eq(gr_as_ref(gr_at(d, 1)).id, it.id);
    gr_value_unref(d);
    until_tied(here, (struct tied){ .lent = 1, .theirs = 1 }); /* who linked */
    while ((d = gr_check(here, it)) == NULL)
        gr_sleep(here, 1);
    gr_value_unref(d);
    cr_assert_null(gr_invoke(here, it, gr_int(1), NULL, &d));
    gr_value_unref(d);
    cr_assert_eq(ask_int(here, me, "monitor", gr_ref_value(it)) > 0, true);
    expect_down(here, me, 2, 0, "noproc");
}

Test(signals, refs_in_chunks_configs_errors_and_reasons_cross_as_well)
{
    gr_ref me = party_spawn(here, false), seen;
    gr_value *v, *err = NULL;
    gr_stream *s = gr_atransform(here, far, gr_stream_of(here, gr_list(gr_ref_value(me))), NULL);
    gr_future *f = gr_ended(here, far);

    seen = gr_as_ref(gr_next(s, -1).value);
    cr_assert(seen.node == me.node && seen.id == me.id);
    gr_stream_free(s);
    v = gr_error_with(gr_error(GR_EREMOTE, "see"), "detail", gr_ref_value(me));
    cr_assert_null(gr_invoke(here, far, v, NULL, &err));
    gr_value_unref(err);
    crash(here, far, gr_list(gr_str("because of"), gr_ref_value(me)));
    v = gr_take(f, NULL);
    seen = gr_as_ref(gr_at(v, 1));
    cr_assert(seen.node == me.node && seen.id == me.id);
    gr_value_unref(v);
}

/* gr_stop ends the proxy, and not the actor; when the ref comes again there is another proxy. */
Test(signals, a_proxy_that_is_stopped_is_made_anew)
{
    gr_ref it = ask_ref(here, far, "self", gr_nil()), again;
    gr_value *err = NULL;

    gr_stop(here, it);
    while ((err = gr_check(here, it)) == NULL)
        gr_sleep(here, 1);
    gr_value_unref(err);
    until_tied(here, (struct tied){ 0 });
    until_tied(there, (struct tied){ .lent = 1 });
    again = ask_ref(here, far, "self", gr_nil());
    cr_assert_neq(again.id, it.id);
    cr_assert_eq(ask_int(here, again, "invoke", gr_int(3)), 3);
}

/* A third node's actor is reached through the node that passed its ref on. */
Test(signals, a_ref_of_a_third_node_goes_through_us)
{
    gr_ref me, it = ask_ref(here, far, "self", gr_nil()), from_here;
    gr_runtime *third = NULL;
    char other[128];
    gr_value *v;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &third), GR_OK);
    me = party_spawn(third, false);
    test_peer_url(other, "ipc");
    gr_publish(here, "relay", party_spawn(here, false));
    gr_publish(here, "shop", it); /* and one that is published is, too */
    cr_assert_eq(gr_serve(here, other, NULL), GR_OK);
    v = gr_invoke(third, gr_remote(gr_root(third), other, "relay"), gr_nil(), NULL, NULL);
    gr_value_unref(v);
    from_here = gr_remote(gr_root(third), other, "shop");
    cr_assert_eq(ask_int(third, from_here, "invoke", gr_int(4)), 4);
    ask_int(third, me, "monitor", gr_ref_value(from_here));
    cr_assert_eq(ask_int(third, me, "link", gr_ref_value(from_here)), GR_OK);
    cr_assert_eq(ask_int(third, from_here, "call", to_what(me, gr_int(8))), 8);
    gr_value_unref(ask(third, me, "trap", gr_bool(true)));
    cr_assert_eq(gr_exit_to(third, from_here, gr_str("far away")), GR_OK);
    expect_down(third, me, 1, 0, "far away");
    v = hears(third, me, "exited", 1);
    cr_assert_str_eq(gr_cstr(gr_at(v, 2), ""), "far away");
    gr_value_unref(v);
    gr_runtime_free(third);
}

/* A port of this machine is open to all who are on it: who has not shown who he is may watch and call, but not end. */
Test(signals, who_is_not_known_ends_nobody)
{
    gr_ref me = party_spawn(here, true), it;
    char open_url[128];
    gr_value *v;

    test_peer_url(open_url, "tcp");
    cr_assert_eq(gr_serve(there, open_url, NULL), GR_OK);
    it = gr_remote(gr_root(here), open_url, "party");
    ask_int(here, me, "monitor", gr_ref_value(it));
    cr_assert_eq(gr_exit_to(here, it, gr_str("kill")), GR_OK);
    cr_assert_eq(ask_int(here, me, "link", gr_ref_value(it)), GR_OK);
    v = hears(here, me, "exited", 1);
    cr_assert_eq(gr_error_code(gr_at(v, 2)), GR_EINVAL);
    gr_value_unref(v);
    gr_value_unref(gr_do(here, me, "exit", gr_str("done"), NULL, NULL));
    cr_assert_eq(ask_int(here, it, "invoke", gr_int(5)), 5); /* behind all of that */
    cr_assert_null(gr_check(there, far_party));
}

static gr_value *many_refs(gr_runtime *rt, int n)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (int i = 0; i < n; i++)
        list = gr_append(list, gr_ref_value(party_spawn(rt, false)));
    return list;
}

Test(signals, too_many_refs_are_refused_and_their_ends_make_room)
{
    gr_runtime *small = NULL;
    gr_value *err = NULL, *list, *v;
    gr_ref to;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &small), GR_OK);
    cr_assert_eq(gr_node_configure(small, GR_NODE(.refs_max = 10), NULL), GR_OK);
    to = gr_remote(gr_root(small), url, "party");
    list = many_refs(small, 11);
    cr_assert_null(gr_invoke(small, to, gr_value_ref(list), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EFULL, "%s", gr_error_text(err));
    gr_value_unref(err);
    for (size_t i = 0; i < gr_len(list); i++)
        gr_stop(small, gr_as_ref(gr_at(list, i)));
    gr_value_unref(list);
    until_tied(there, (struct tied){ 0 });
    list = many_refs(small, 10);
    for (int i = 0; i < 200; i++) { /* those that ended are looked for now and then */
        v = gr_invoke(small, to, gr_value_ref(list), NULL, NULL);
        if (v != NULL)
            break;
    }
    cr_assert_not_null(v);
    gr_value_unref(v);
    gr_value_unref(list);
    gr_runtime_free(small);
}

Test(signals, more_refs_than_we_take_fail_the_call)
{
    gr_runtime *small = NULL;
    gr_value *err = NULL, *list;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &small), GR_OK);
    cr_assert_eq(gr_node_configure(small, GR_NODE(.refs_max = 10), NULL), GR_OK);
    list = many_refs(there, 11);
    for (size_t i = 0; i < 11; i++)
        gr_tell(there, far_party, gr_value_ref(gr_at(list, i)));
    gr_value_unref(list);
    gr_value_unref(hears(there, far_party, "told", 11));
    cr_assert_null(
        gr_do(small, gr_remote(gr_root(small), url, "party"), "heard", gr_nil(), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EFULL, "%s", gr_error_text(err));
    gr_value_unref(err);
    gr_runtime_free(small);
}

/* A ref that is made up leads nowhere, though there is such an actor. */
Test(signals, only_what_was_lent_comes_back)
{
    gr_ref me = party_spawn(here, false), secret = party_spawn(there, false), got;

    (void)me;
    got = ask_ref(here, far, "invoke", gr_ref_value(secret)); /* we have never been lent it */
    cr_assert_eq(got.node, 0);
    cr_assert_eq(got.id, GR_EDEAD);
}
