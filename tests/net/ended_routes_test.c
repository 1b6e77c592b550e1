/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ended_routes_test.c - sequences whose steps are at other nodes: what comes of a call that fails, is cancelled or is late, or
 * whose nodes die, while it is on its way. Each test has runtimes of its own (gr_runtime_new).
 */
#include "tests/support/ring.h"

/* ---- errors, cancelling, deadlines ---------------------------------------------------------------- */

Test(ended_routes, an_error_on_the_way_ends_it_with_its_place_and_cause)
{
    struct ring r;
    gr_value *err = NULL;
    char place[200];

    open_ring(&r, NODES, NULL);
    cr_assert_null(gr_invoke(r.rt, SEQUENCE(&r, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
                             input("fail", gr_int(4)), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_ERATE);
    cr_assert_str_eq(gr_error_text(err), "slow down");
    snprintf(place, sizeof(place), "%s/step: step.c:7", r.at[4].url);
    cr_assert_str_eq(gr_cstr(gr_get(err, "where"), ""), place);
    cr_assert_str_eq(gr_error_text(gr_get(err, "cause")), "too much");
    for (int i = 0; i < NODES; i++)
        cr_assert_eq(atomic_load(&r.at[i].runs), i <= 4);
    gr_value_unref(err);
    close_ring(&r);
}

Test(ended_routes, what_cant_leave_its_node_is_told_by_it)
{
    struct ring r;
    gr_value *err = NULL;

    open_ring(&r, 2, NULL);
    cr_assert_null(gr_invoke(r.rt, SEQUENCE(&r, 0, 1), gr_map(GR_KV("path", gr_opaque(&r, NULL))),
                             NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_ETYPE);
    cr_assert_not_null(strstr(gr_error_text(err), "the arguments"));
    gr_value_unref(err);
    close_ring(&r);
}

Test(ended_routes, cancelling_reaches_who_holds_the_call)
{
    struct ring r;
    gr_future *f;
    gr_ref seq;

    open_ring(&r, 4, NULL);
    seq = SEQUENCE(&r, 0, 1, 2, 3);
    for (int i = 0; i < 4; i++) {
        f = gr_ainvoke(r.rt, seq, input("wait", gr_int(i)), NULL);
        cr_assert(reaches(&r.at[i].waits, 1));
        gr_future_cancel(f);
        cr_assert_eq(gr_await(f, -1).code, GR_ECANCELED);
        cr_assert(reaches(&r.at[i].woken, 1), "node %d", i);
        gr_future_free(f);
    }
    cr_assert_eq(atomic_load(&r.at[3].runs), 1, "no step runs after the cancelled one");
    close_ring(&r);
}

/* Many are cancelled at any moment: on their way, too. None stays behind anywhere. */
Test(ended_routes, cancelling_at_any_moment_leaves_nothing_behind)
{
    struct ring r;
    gr_stats s = GR_STATS_INIT;
    gr_ref seq;

    open_ring(&r, 5, NULL);
    seq = SEQUENCE(&r, 0, 1, 2, 3, 4);
    for (int i = 0; i < 400; i++) {
        gr_future *f = gr_ainvoke(r.rt, seq, input("wait", gr_int(i % 7)), NULL);

        for (int k = 0; k < i * 50; k++)
            atomic_signal_fence(memory_order_seq_cst);
        gr_future_cancel(f);
        gr_future_free(f);
    }
    for (int i = 0; i <= r.count; i++) {
        int ms = 0;

        do {
            gr_stats_read(i < r.count ? r.at[i].rt : r.rt, &s);
            nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
        } while (s.calls_now > 0 && (ms += 2) < TEST_WAIT_MS);
        cr_assert_eq(s.calls_now, 0, "node %d has %d calls", i, (int)s.calls_now);
    }
    close_ring(&r);
}

Test(ended_routes, the_deadline_shrinks_from_node_to_node)
{
    struct ring r;
    gr_value *v;
    int64_t before = 60000;

    open_ring(&r, 4, NULL);
    v = gr_invoke(r.rt, SEQUENCE(&r, 0, 1, 2, 3), input("note", gr_str("left")),
                  GR_CALL(.timeout_ms = 60000), NULL);
    cr_assert_eq(gr_len(gr_get(v, "path")), 4);
    for (size_t i = 0; i < 4; i++) {
        int64_t left = gr_as_int(gr_at(gr_get(v, "path"), i), -1);

        cr_assert(left > 0 && left <= before, "%d ms at node %zu", (int)left, i);
        before = left + 1; /* each way rounds up */
    }
    gr_value_unref(v);
    close_ring(&r);
}

Test(ended_routes, a_deadline_reaches_who_holds_the_call)
{
    struct ring r;
    gr_value *err = NULL;

    open_ring(&r, 3, NULL);
    cr_assert_null(gr_invoke(r.rt, SEQUENCE(&r, 0, 1, 2), input("wait", gr_int(1)),
                             GR_CALL(.timeout_ms = 300), &err));
    cr_assert_eq(gr_error_code(err), GR_ETIMEDOUT);
    if (atomic_load(&r.at[1].waits) > 0) /* a slow machine may not have come so far */
        cr_assert(reaches(&r.at[1].woken, 1));
    cr_assert_eq(atomic_load(&r.at[2].runs), 0);
    gr_value_unref(err);
    close_ring(&r);
}

/* ---- nodes that go --------------------------------------------------------------------------------- */

/* Three processes; the second one keeps the call. */
struct line {
    gr_runtime *rt;
    struct test_peer peers[3];
    char url[3][128];
    gr_ref all[3], seq;
    gr_future *f;
};

static void open_line(struct line *l)
{
    gr_ref refs[3];

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &l->rt), GR_OK);
    for (int i = 0; i < 3; i++) {
        test_peer_url(l->url[i], "ipc");
        l->peers[i] = test_peer_start(l->url[i]);
        l->all[i] = gr_remote(gr_root(l->rt), l->url[i], "all");
        refs[i] = i == 1 ? gr_remote(gr_root(l->rt), l->url[i], "keep") : l->all[i];
        cr_assert_geq(test_peer_count(l->rt, l->all[i], "held"), 0);
    }
    l->seq = gr_seq_n(gr_root(l->rt), refs, 3);
    l->f = gr_ainvoke(l->rt, l->seq, gr_int(7), NULL);
    cr_assert(test_peer_reaches(l->rt, l->all[1], "held", 1));
}

static void kill_node(struct line *l, int i)
{
    test_peer_kill(&l->peers[i]);
    l->peers[i].pid = 0;
}

static void close_line(struct line *l)
{
    gr_future_free(l->f);
    gr_runtime_free(l->rt);
    for (int i = 0; i < 3; i++)
        if (l->peers[i].pid != 0)
            test_peer_kill(&l->peers[i]);
}

static void ends_unreached(struct line *l, int i)
{
    gr_outcome o = gr_await(l->f, -1);

    cr_assert_eq(o.code, GR_EUNREACH, "%s", gr_error_text(o.error));
    cr_assert(gr_error_retryable(o.error));
    cr_assert_not_null(strstr(gr_error_text(o.error), l->url[i]), "%s", gr_error_text(o.error));
    cr_assert_str_neq(gr_cstr(gr_get(o.error, "kind"), ""), "NotSent", "it may have run");
}

Test(ended_routes, the_death_of_who_holds_the_call_fails_it)
{
    struct line l;

    open_line(&l);
    kill_node(&l, 1);
    ends_unreached(&l, 1);
    close_line(&l);
}

Test(ended_routes, the_death_of_who_is_still_to_come_fails_it)
{
    struct line l;

    open_line(&l);
    kill_node(&l, 2);
    ends_unreached(&l, 2);
    close_line(&l);
}

Test(ended_routes, the_death_of_who_has_passed_the_call_on_does_not_matter)
{
    struct line l;
    gr_value *v;

    open_line(&l);
    kill_node(&l, 0);
    do /* the caller has seen that */
        v = gr_invoke(l.rt, l.all[0], gr_nil(), NULL, NULL);
    while (v != NULL);
    cr_assert_eq(gr_await(l.f, 0).code, GR_EPENDING);
    v = gr_do(l.rt, l.all[1], "let_go", gr_nil(), NULL, NULL);
    cr_assert_not_null(v);
    gr_value_unref(v);
    cr_assert_eq(gr_await(l.f, -1).code, GR_OK);
    close_line(&l);
}

Test(ended_routes, the_end_of_the_caller_ends_the_call_where_it_is)
{
    struct ring r;
    gr_future *f;

    open_ring(&r, 3, NULL);
    f = gr_ainvoke(r.rt, SEQUENCE(&r, 0, 1, 2), input("wait", gr_int(1)), NULL);
    cr_assert(reaches(&r.at[1].waits, 1));
    gr_detach(f);
    gr_runtime_free(r.rt);
    cr_assert(reaches(&r.at[1].woken, 1));
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &r.rt), GR_OK);
    close_ring(&r);
}
