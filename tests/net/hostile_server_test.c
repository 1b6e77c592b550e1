/* SPDX-License-Identifier: Apache-2.0 */
/* hostile_server_test.c - nodes that are dialled and do not say what they should, over a raw socket. */
#include "tests/support/test.h"

#include "tests/support/raw_node.h"

#define SECRET "correct horse battery"

static void expect_links(gr_runtime *rt, unsigned n)
{
    struct gri_node *node = gri_node_get(rt);

    for (int ms = 0; atomic_load(&node->peers) != n && ms < TEST_WAIT_MS; ms++)
        gr_sleep(rt, 1);
    cr_assert_eq(atomic_load(&node->peers), n);
}

/* Once its connection is known to be one too many, what still comes there is not listened to: that the peer
 * says the same had the calls go over twice. */
Test(hostile_server, what_comes_on_a_spare_connection_is_ignored)
{
    struct gri_strbuf out = GRI_STRBUF_INIT;
    struct gri_proof proof = { .stamp = 1 };
    struct raw first, second;
    gr_runtime *rt = NULL;
    gr_future *f, *g;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
    open_raw(&first);
    open_raw(&second);
    f = gr_ainvoke(rt, gr_remote(gr_root(rt), first.url, "all"), gr_int(1), NULL);
    proof.holds[0] = be_dialled(&first, 1, 2);
    cr_assert_eq(gri_frame_proof(&out, &proof), GR_OK);
    say(&first, &out);
    hear(&first, GRI_FRAME_INVOKE);
    g = gr_ainvoke(rt, gr_remote(gr_root(rt), second.url, "all"), gr_int(2), NULL);
    be_dialled(&second, 1, 2);
    proof.stamp = 2;
    proof.hold_count = 1;
    cr_assert_eq(gri_frame_proof(&out, &proof), GR_OK);
    cr_assert_eq(gri_frame_refuse(&out, GR_OK, proof.holds[0], ""), GR_OK);
    cr_assert_eq(gri_frame_refuse(&out, GR_OK, proof.holds[0], ""), GR_OK);
    say(&second, &out);
    hear(&first, GRI_FRAME_INVOKE);
    close_raw(&second);
    close_raw(&first);
    cr_assert_eq(gr_await(f, -1).code, GR_EUNREACH);
    cr_assert_eq(gr_await(g, -1).code, GR_EUNREACH);
    gr_future_free(f);
    gr_future_free(g);
    expect_links(rt, 0);
    gr_runtime_free(rt);
}

/* Nodes say in clear who they are, so anybody may say so, too, and must not get calls by it to where they
 * were not meant for. */
Test(hostile_server, who_shows_no_secret_does_not_say_where_calls_go)
{
    struct gri_strbuf out = GRI_STRBUF_INIT;
    gr_runtime *rt = NULL, *good = NULL;
    gr_value *err = NULL, *v;
    struct gri_node *node;
    struct raw bad;
    gr_future *f;
    char url[128];
    gr_outcome o;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &good), GR_OK);
    cr_assert_eq(gr_node_configure(rt, GR_NODE(.secret = SECRET), NULL), GR_OK);
    cr_assert_eq(gr_node_configure(good, GR_NODE(.secret = SECRET), NULL), GR_OK);
    test_peer_publish(good);
    test_peer_url(url, "ipc");
    cr_assert_eq(gr_serve(good, url, NULL), GR_OK);
    v = gr_invoke(rt, gr_remote(gr_root(rt), url, "all"), gr_int(8), NULL, &err);
    cr_assert_eq(gr_as_int(v, 0), 8, "%s", gr_error_text(err));
    gr_value_unref(v);
    open_raw(&bad);
    f = gr_ainvoke(rt, gr_remote(gr_root(rt), bad.url, "all"), gr_int(9), NULL);
    node = gri_node_get(good);
    be_dialled(&bad, node->id, node->incarnation);
    cr_assert_eq(bad.heard.proof.hold_count, 1);
    cr_assert_eq(gri_frame_refuse(&out, GR_OK, bad.heard.proof.holds[0], ""), GR_OK);
    say(&bad, &out);
    o = gr_await(f, -1);
    cr_assert_eq(o.code, GR_EUNREACH, "%lld", (long long)gr_as_int(o.value, 0));
    gr_future_free(f);
    close_raw(&bad);
    gr_runtime_free(good);
    gr_runtime_free(rt);
}

/* What a peer says of itself goes into errors and logs, one line each. */
Test(hostile_server, a_name_of_several_lines_is_told_in_one)
{
    struct gri_strbuf out = GRI_STRBUF_INIT;
    struct gri_hello h = test_hello(1, 0);
    gr_runtime *rt = NULL;
    gr_value *err = NULL;
    struct raw bad;
    gr_future *f;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
    open_raw(&bad);
    f = gr_ainvoke(rt, gr_remote(gr_root(rt), bad.url, "all"), gr_int(9), NULL);
    bad.fd = accept(bad.door, NULL, NULL);
    strcpy(h.cluster, "x\ny\x1b[2J");
    cr_assert_eq(gri_frame_hello(&out, &h), GR_OK);
    say(&bad, &out);
    cr_assert_null(gr_take(f, &err));
    cr_assert_not_null(strstr(gr_error_text(err), "different clusters"), "%s", gr_error_text(err));
    cr_assert_null(strpbrk(gr_error_text(err), "\n\x1b"), "%s", gr_error_text(err));
    gr_value_unref(err);
    close_raw(&bad);
    gr_runtime_free(rt);
}
