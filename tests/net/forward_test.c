/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forward_test.c - sequences whose steps are at other nodes: which way the value goes, counted by frames. How such calls
 * end early is in ended_routes_test.c. Each test has runtimes of its own (gr_runtime_new).
 */
#include "tests/support/ring.h"

/* ---- which way it goes ------------------------------------------------------------------------ */

Test(forward, ten_steps_on_ten_nodes_take_eleven_ways)
{
    static const int places[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };
    gr_ref own[NODES];
    struct ring r;
    gr_ref seq, local;
    gr_value *v, *w;

    open_ring(&r, NODES, NULL);
    seq = sequence(&r, places, NODES);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(goes(&r, seq, places, NODES), 11);
    for (int i = 0; i < NODES; i++) {
        cr_assert_eq(atomic_load(&r.at[i].runs), 3);
        own[i] = spawn_step(r.rt, &r.at[i]);
    }
    local = gr_seq_n(gr_root(r.rt), own, NODES);
    v = gr_invoke(r.rt, seq, input("x", gr_real(0.5)), NULL, NULL);
    w = gr_invoke(r.rt, local, input("x", gr_real(0.5)), NULL, NULL);
    cr_assert(gr_equal(v, w));
    gr_value_unref(v);
    gr_value_unref(w);
    close_ring(&r);
}

Test(forward, received_is_what_was_sent)
{
    struct ring r;
    gr_stats s = GR_STATS_INIT;
    gr_ref seq;
    uint64_t got = 0, sent;

    open_ring(&r, 3, NULL);
    seq = SEQUENCE(&r, 0, 1, 2);
    cr_assert_eq(GOES(&r, seq, 0, 1, 2), 4);
    sent = ways(&r);
    gr_stats_read(r.rt, &s);
    got = s.values_received;
    for (int i = 0; i < 3; i++) {
        gr_stats_read(r.at[i].rt, &s);
        got += s.values_received;
        cr_assert_geq(s.frames_received, s.values_received);
        cr_assert_geq(s.frames_sent, s.values_sent);
    }
    cr_assert_eq(got, sent);
    close_ring(&r);
}

Test(forward, steps_at_one_node_take_no_way_between_them)
{
    struct ring r;

    open_ring(&r, 2, NULL);
    cr_assert_eq(GOES(&r, SEQUENCE(&r, 0, 0, 0), 0, 0, 0), 2);
    cr_assert_eq(GOES(&r, SEQUENCE(&r, 0, 0, 1, 1), 0, 0, 1, 1), 3);
    cr_assert_eq(GOES(&r, SEQUENCE(&r, 0, 1, 0), 0, 1, 0), 4, "there and back again");
    close_ring(&r);
}

/* That the call comes again tells a node that it was passed on, if nothing else has yet. */
Test(forward, a_call_may_come_around)
{
    struct ring r;

    open_ring(&r, 3, NULL);
    (void)GOES(&r, SEQUENCE(&r, 0, 1, 2), 0, 1, 2);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(GOES(&r, SEQUENCE(&r, 0, 1, 2, 0, 1, 2, 0), 0, 1, 2, 0, 1, 2, 0), 8);
    close_ring(&r);
}

Test(forward, a_step_of_the_callers_own_ends_a_route)
{
    struct ring r;

    open_ring(&r, 4, NULL);
    cr_assert_eq(GOES(&r, SEQUENCE(&r, -1, 0, 1), 99, 0, 1), 3);
    cr_assert_eq(GOES(&r, SEQUENCE(&r, 0, 1, -1), 0, 1, 99), 3);
    cr_assert_eq(GOES(&r, SEQUENCE(&r, -1, 0, 1, -1, 2, 3, -1), 99, 0, 1, 99, 2, 3, 99), 6);
    cr_assert_eq(GOES(&r, SEQUENCE(&r, 0, -1, 1), 0, 99, 1), 4);
    close_ring(&r);
}

Test(forward, more_steps_than_a_route_may_have)
{
    static int places[500];
    struct ring r;

    open_ring(&r, 3, NULL);
    for (int i = 0; i < 500; i++)
        places[i] = i * i % 3;
    (void)goes(&r, sequence(&r, places, 500), places, 500);
    close_ring(&r);
}

Test(forward, a_batch_is_calls_of_their_own)
{
    enum { ITEMS = 100 };
    struct ring r;
    gr_value *items = gr_list_n(NULL, 0), *all, *err = NULL;
    uint64_t before;
    gr_ref seq;

    open_ring(&r, 4, NULL);
    seq = SEQUENCE(&r, 0, 1, 2, 3);
    (void)GOES(&r, seq, 0, 1, 2, 3); /* the nodes know each other now */
    for (int i = 0; i < ITEMS; i++)
        items = gr_append(items, input("x", gr_int(i)));
    before = ways(&r);
    all = gr_batch(r.rt, seq, items, NULL, &err);
    cr_assert_eq(gr_len(all), ITEMS, "%s", gr_error_text(err));
    for (int i = 0; i < ITEMS; i++) {
        expect_path(gr_at(all, (size_t)i), (int[]){ 0, 1, 2, 3 }, 4);
        cr_assert_eq(gr_as_int(gr_get(gr_at(all, (size_t)i), "x"), -1), i);
    }
    cr_assert_eq(ways(&r) - before, 5 * ITEMS);
    gr_value_unref(all);
    close_ring(&r);
}

/* A ref is good wherever its value has come to, also if that was not by way of its owner's own links. */
Test(forward, refs_go_along)
{
    struct ring r;
    gr_ref own, seq;
    gr_value *v, *w;
    uint64_t before;

    open_ring(&r, 3, NULL);
    own = gr_spawn(gr_root(r.rt), &own_class, GR_SPAWN(.args = gr_int(99)));
    seq = SEQUENCE(&r, 0, 1, 2);
    (void)GOES(&r, seq, 0, 1, 2);
    before = ways(&r);
    v = gr_invoke(r.rt, seq, gr_set(input("whom", gr_ref_value(own)), "asks", gr_int(2)), NULL,
                  NULL);
    expect_path(v, (int[]){ 0, 1, 2 }, 3);
    cr_assert_eq(gr_as_int(gr_get(v, "said"), 0), 99);
    cr_assert_eq(ways(&r) - before, 4 + 6, "by way of the nodes that have passed the ref on");
    gr_value_unref(v);
    before = ways(&r);
    v = gr_invoke(r.rt, seq, gr_set(input("lends", gr_int(0)), "asks", gr_int(1)), NULL, NULL);
    expect_path(v, (int[]){ 0, 1, 2 }, 3);
    cr_assert_eq(gr_as_int(gr_get(v, "said"), 0), 100);
    cr_assert_eq(ways(&r) - before, 4 + 2);
    w = gr_invoke(r.rt, gr_as_ref(gr_get(v, "whom")), gr_nil(), NULL, NULL);
    cr_assert_eq(gr_as_int(w, 0), 100);
    gr_value_unref(w);
    gr_value_unref(v);
    close_ring(&r);
}

Test(forward, long_values_go_that_way_as_well)
{
    static char text[300000];
    struct ring r;
    gr_value *v;
    uint64_t before;
    gr_ref seq;

    open_ring(&r, 3, NULL);
    memset(text, 'x', sizeof(text));
    seq = SEQUENCE(&r, 0, 1, 2);
    (void)GOES(&r, seq, 0, 1, 2);
    before = ways(&r);
    v = gr_invoke(r.rt, seq, input("x", gr_strn(text, sizeof(text))), NULL, NULL);
    cr_assert_eq(gr_len(gr_get(v, "x")), sizeof(text));
    cr_assert_eq(ways(&r) - before, 4);
    gr_value_unref(v);
    close_ring(&r);
}

/* Whoever hears of the runs is told of each step's answer, so that comes back. */
static void ignore(void *arg, const gr_event *e)
{
    (void)e;
    atomic_fetch_add((_Atomic int *)arg, 1);
}

Test(forward, an_observed_call_goes_through_its_caller)
{
    static _Atomic int events;
    struct ring r;
    uint64_t before;
    gr_value *v, *h;

    open_ring(&r, 3, NULL);
    h = gr_handler_value(GR_HANDLER(.name = "test", .on_event = ignore, .arg = &events));
    before = ways(&r);
    v = gr_invoke(r.rt, SEQUENCE(&r, 0, 1, 2), input("x", gr_nil()),
                  GR_CALL(.config = gr_map(GR_KV("callbacks", gr_list(h)))), NULL);
    expect_path(v, (int[]){ 0, 1, 2 }, 3);
    cr_assert_eq(ways(&r) - before, 6);
    cr_assert_gt(atomic_load(&events), 2);
    gr_value_unref(v);
    close_ring(&r);
}

Test(forward, what_a_call_is_told_goes_along)
{
    struct ring r;
    gr_value *v;
    const gr_value *path;

    open_ring(&r, 3, NULL);
    v = gr_invoke(r.rt, SEQUENCE(&r, 0, 0, 1, 2), input("note", gr_str("config")),
                  GR_CALL(.config = gr_map(GR_KV("tags", gr_list(gr_str("a"))),
                                           GR_KV("run_name", gr_str("mine")),
                                           GR_KV("kwargs", gr_map(GR_KV("k", gr_int(1)))))),
                  NULL);
    path = gr_get(v, "path");
    cr_assert_eq(gr_len(path), 4);
    for (size_t i = 0; i < 4; i++) {
        cr_assert_str_eq(gr_cstr(gr_at(gr_get(gr_at(path, i), "tags"), 0), ""), "a");
        cr_assert_null(gr_get(gr_at(path, i), "run_name"));
        cr_assert_eq(gr_get(gr_at(path, i), "kwargs") != NULL, i == 0,
                     "kwargs are the first step's alone");
    }
    gr_value_unref(v);
    close_ring(&r);
}

/* ---- nodes that take no routes ----------------------------------------------------------------- */

/* Strangers may connect over tcp without a secret, so such a node is sent none, and is not named to others. */
Test(forward, who_could_be_a_stranger_gets_no_route)
{
    static const char *const schemes[] = { "ipc", "tcp", "ipc", "ipc" };
    struct ring r;

    open_ring(&r, 4, schemes);
    cr_assert_eq(GOES(&r, SEQUENCE(&r, 0, 1, 2), 0, 1, 2), 6);
    cr_assert_eq(GOES(&r, SEQUENCE(&r, 0, 1, 2, 3), 0, 1, 2, 3), 2 + 2 + 3);
    cr_assert_eq(GOES(&r, SEQUENCE(&r, 2, 3, 1, 0), 2, 3, 1, 0), 3 + 2 + 2);
    close_ring(&r);
}

Test(forward, nodes_with_a_secret_take_routes_over_tcp)
{
    struct ring r = { .count = 3 };

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &r.rt), GR_OK);
    cr_assert_eq(gr_node_configure(r.rt, GR_NODE(.secret = "sixteen bytes or more"), NULL), GR_OK);
    for (int i = 0; i < 3; i++) {
        struct node *n = &r.at[i];

        n->place = i;
        cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &n->rt), GR_OK);
        cr_assert_eq(gr_node_configure(n->rt, GR_NODE(.secret = "sixteen bytes or more"), NULL),
                     GR_OK);
        test_peer_url(n->url, "tcp");
        cr_assert_eq(gr_publish(n->rt, "step", spawn_step(n->rt, n)), GR_OK);
        cr_assert_eq(gr_serve(n->rt, n->url, NULL), GR_OK);
        n->far = gr_remote(gr_root(r.rt), n->url, "step");
    }
    meet(&r);
    cr_assert_eq(GOES(&r, SEQUENCE(&r, 0, 1, 2), 0, 1, 2), 4);
    close_ring(&r);
}

/* A URL may mean somebody else at another node: here a socket that was given to another one since. */
Test(forward, a_node_that_has_another_start_since_is_not_taken_for_the_old_one)
{
    struct ring r;
    gr_ref seq;
    gr_value *err = NULL, *v;

    open_ring(&r, 3, NULL);
    seq = SEQUENCE(&r, 0, 1, 2);
    cr_assert_eq(GOES(&r, seq, 0, 1, 2), 4);
    gr_runtime_free(r.at[1].rt);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &r.at[1].rt), GR_OK);
    cr_assert_eq(gr_publish(r.at[1].rt, "step", spawn_step(r.at[1].rt, &r.at[1])), GR_OK);
    cr_assert_eq(gr_serve(r.at[1].rt, r.at[1].url, NULL), GR_OK);
    for (int i = 0; i < 1000; i++) { /* until the links are there again */
        v = gr_invoke(r.rt, seq, input("x", gr_nil()), NULL, &err);
        if (v != NULL)
            break;
        cr_assert_eq(gr_error_code(err), GR_EUNREACH, "%s", gr_error_text(err));
        gr_value_unref(err);
        err = NULL;
        gr_sleep(r.rt, 10);
    }
    expect_path(v, (int[]){ 0, 1, 2 }, 3);
    gr_value_unref(v);
    close_ring(&r);
}

/* A node that drains takes no more calls: what a route would have brought it comes back, and is told so. It has
 * a call still, so it has told nobody yet that it takes no more. */
Test(forward, a_node_that_drains_refuses_and_the_call_ends_as_it_would_have)
{
    struct ring r;
    gr_value *err = NULL;
    gr_future *last;
    size_t left = 0;
    uint64_t before;

    open_ring(&r, 3, NULL);
    cr_assert_eq(GOES(&r, SEQUENCE(&r, 0, 1, 2), 0, 1, 2), 4);
    last = gr_ainvoke(r.rt, r.at[2].far, input("wait", gr_int(2)), NULL);
    cr_assert(reaches(&r.at[2].waits, 1));
    cr_assert_eq(gr_node_drain(r.at[2].rt, &left), GR_OK);
    cr_assert_eq(left, 1);
    before = ways(&r);
    cr_assert_null(gr_invoke(r.rt, SEQUENCE(&r, 0, 1, 2), input("x", gr_nil()), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EUNREACH);
    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), ""), "NotServed");
    cr_assert_not_null(strstr(gr_cstr(gr_get(err, "where"), ""), r.at[2].url));
    cr_assert_eq(ways(&r) - before, 3 + 1 + 1 + 2,
                 "three there, a refusal, one back, and one plain call");
    cr_assert_eq(atomic_load(&r.at[1].runs), 2, "no step has run twice");
    gr_value_unref(err);
    gr_future_cancel(last);
    gr_future_free(last);
    close_ring(&r);
}

/* Once a node has said that it takes no more, a route ends before it. */
Test(forward, a_node_that_has_drained_is_on_no_route)
{
    struct ring r;
    gr_value *err = NULL;
    size_t left = 1;
    uint64_t before;

    open_ring(&r, 3, NULL);
    cr_assert_eq(GOES(&r, SEQUENCE(&r, 0, 1, 2), 0, 1, 2), 4);
    for (int ms = 0; left > 0 && ms < TEST_WAIT_MS; ms += 2) {
        cr_assert_eq(gr_node_drain(r.at[2].rt, &left), GR_OK);
        gr_sleep(r.rt, 2);
    }
    cr_assert_eq(left, 0);
    before = ways(&r);
    cr_assert_null(gr_invoke(r.rt, SEQUENCE(&r, 0, 1, 2), input("x", gr_nil()), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EUNREACH);
    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), ""), "NotSent");
    cr_assert_eq(ways(&r) - before, 3, "the first two steps, and nothing more");
    gr_value_unref(err);
    close_ring(&r);
}

Test(forward, a_name_that_is_not_there_is_told_as_ever)
{
    struct ring r;
    gr_value *err = NULL;
    gr_ref none, seq;

    open_ring(&r, 3, NULL);
    none = gr_remote(gr_root(r.rt), r.at[1].url, "nobody");
    for (int i = 0; i < 3; i++) {
        gr_ref refs[] = { r.at[0].far, r.at[1].far, r.at[2].far };

        refs[i] = none;
        seq = gr_seq_n(gr_root(r.rt), refs, 3);
        cr_assert_null(gr_invoke(r.rt, seq, input("x", gr_nil()), NULL, &err));
        cr_assert_eq(gr_error_code(err), GR_EDEAD, "%s", gr_error_text(err));
        cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), ""), "NotServed");
        cr_assert_not_null(strstr(gr_cstr(gr_get(err, "where"), ""), r.at[1].url));
        cr_assert_not_null(strstr(gr_cstr(gr_get(err, "where"), ""), "/nobody"));
        gr_value_unref(err);
        err = NULL;
    }
    close_ring(&r);
}

Test(forward, a_proxy_that_has_been_stopped_ends_the_call_as_ever)
{
    struct ring r;
    gr_value *err = NULL;
    gr_ref seq;

    open_ring(&r, 3, NULL);
    seq = SEQUENCE(&r, 0, 1, 2);
    cr_assert_eq(GOES(&r, seq, 0, 1, 2), 4);
    gr_stop(r.rt, r.at[2].far);
    while ((err = gr_check(r.rt, r.at[2].far)) == NULL)
        gr_sleep(r.rt, 1);
    gr_value_unref(err);
    err = NULL;
    cr_assert_null(gr_invoke(r.rt, seq, input("x", gr_nil()), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EDEAD, "%s", gr_error_text(err));
    gr_value_unref(err);
    close_ring(&r);
}
