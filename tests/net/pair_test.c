/* SPDX-License-Identifier: Apache-2.0 */
/* pair_test.c - two nodes that both dial keep one link; who may be a peer at all. */
#include "tests/support/test.h"

#include <pthread.h>
#include <string.h>

#include <greenroom/greenroom.h>

#include "runtime/net/node.h"
#include "tests/support/peer.h"

#define SECRET "correct horse battery"

struct side {
    gr_runtime *rt;
    gr_ref far;
    char url[128];
};

static void start(struct side *s, const char *scheme, const gr_node_opts *opts)
{
    gr_value *err = NULL;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &s->rt), GR_OK);
    cr_assert_eq(gr_node_configure(s->rt, opts, &err), GR_OK, "%s", gr_error_text(err));
    test_peer_url(s->url, scheme);
    test_peer_publish(s->rt);
    cr_assert_eq(gr_serve(s->rt, s->url, &err), GR_OK, "%s", gr_error_text(err));
}

static void meet(struct side *a, struct side *b)
{
    a->far = gr_remote(gr_root(a->rt), b->url, "all");
    b->far = gr_remote(gr_root(b->rt), a->url, "all");
}

static void expect_answer(struct side *s)
{
    gr_value *err = NULL, *v = gr_invoke(s->rt, s->far, gr_int(8), NULL, &err);

    cr_assert_eq(gr_as_int(v, 0), 8, "%s", gr_error_text(err));
    gr_value_unref(v);
}

/* links waits until the node has so many connections. */
static void expect_links(struct side *s, unsigned n)
{
    struct gri_node *node = gri_node_get(s->rt);

    for (int ms = 0; atomic_load(&node->peers) != n && ms < TEST_WAIT_MS; ms++)
        gr_sleep(s->rt, 1);
    cr_assert_eq(atomic_load(&node->peers), n);
}

static void both_ways(const char *scheme, const gr_node_opts *opts, unsigned links)
{
    struct side a, b;

    start(&a, scheme, opts);
    start(&b, scheme, opts);
    meet(&a, &b);
    expect_answer(&a);
    expect_answer(&b);
    expect_links(&a, links);
    expect_links(&b, links);
    expect_answer(&a);
    expect_answer(&b);
    expect_links(&a, links);
    gr_runtime_free(b.rt);
    gr_runtime_free(a.rt);
}

Test(pair, two_nodes_that_call_each_other_share_one_link)
{
    both_ways("ipc", GR_NODE(.cluster = "x"), 1);
}

Test(pair, over_tcp_they_share_it_if_they_have_a_secret)
{
    both_ways("tcp", GR_NODE(.secret = SECRET), 1);
}

Test(pair, in_clear_without_a_secret_each_direction_has_its_own)
{
    both_ways("tcp", NULL, 2);
}

/* Calls made before the connection turns out to be one too many, of all kinds, come to their ends. */
Test(pair, the_calls_of_a_spare_connection_go_over_to_the_link)
{
    struct side a, b;
    gr_future *held, *plain;
    gr_stream *s;
    gr_value *v;

    start(&a, "ipc", NULL);
    start(&b, "ipc", NULL);
    meet(&a, &b);
    expect_answer(&a);
    held = gr_acall(b.rt, b.far, "hold", gr_int(5), NULL);
    s = gr_atransform(b.rt, b.far, gr_stream_of(b.rt, gr_list(gr_int(1), gr_int(2))), NULL);
    plain = gr_ainvoke(b.rt, b.far, gr_int(6), NULL);
    cr_assert_eq(gr_tell(b.rt, b.far, gr_int(3)), GR_OK);
    v = gr_take(plain, NULL);
    cr_assert_eq(gr_as_int(v, 0), 6);
    gr_value_unref(v);
    cr_assert_eq(gr_as_int(gr_next(s, -1).value, 0), 1);
    cr_assert_eq(gr_as_int(gr_next(s, -1).value, 0), 2);
    cr_assert_eq(gr_next(s, -1).code, GR_EOS);
    gr_stream_free(s);
    cr_assert(test_peer_reaches(b.rt, b.far, "held", 1));
    gr_value_unref(gr_do(b.rt, b.far, "let_go", gr_nil(), NULL, NULL));
    v = gr_take(held, NULL);
    cr_assert_eq(gr_as_int(v, 0), 5);
    gr_value_unref(v);
    cr_assert(test_peer_reaches(b.rt, b.far, "told", 3));
    expect_links(&b, 1);
    gr_runtime_free(b.rt);
    gr_runtime_free(a.rt);
}

static void *call_many(void *arg)
{
    struct side *s = arg;

    for (int i = 0; i < 5; i++)
        expect_answer(s);
    return NULL;
}

Test(pair, dialling_at_once_leaves_one_link_and_loses_no_call, .timeout = 100)
{
    for (int round = 0; round < 40; round++) {
        struct side a, b;
        pthread_t thread;

        start(&a, round % 2 == 0 ? "ipc" : "tcp", GR_NODE(.secret = SECRET));
        start(&b, round % 2 == 0 ? "ipc" : "tcp", GR_NODE(.secret = SECRET));
        meet(&a, &b);
        cr_assert_eq(pthread_create(&thread, NULL, call_many, &a), 0);
        call_many(&b);
        pthread_join(thread, NULL);
        expect_links(&a, 1);
        expect_links(&b, 1);
        gr_runtime_free(b.rt);
        gr_runtime_free(a.rt);
    }
}

Test(pair, two_urls_of_one_node_share_a_link)
{
    struct side a, b;
    char second[128];
    gr_value *v;

    start(&a, "ipc", NULL);
    start(&b, "ipc", NULL);
    meet(&a, &b);
    test_peer_url(second, "ipc");
    cr_assert_eq(gr_serve(b.rt, second, NULL), GR_OK);
    expect_answer(&a);
    v = gr_invoke(a.rt, gr_remote(gr_root(a.rt), second, "all"), gr_int(1), NULL, NULL);
    cr_assert_eq(gr_as_int(v, 0), 1);
    gr_value_unref(v);
    expect_links(&a, 1);
    gr_runtime_free(b.rt);
    gr_runtime_free(a.rt);
}

/* ---- who may come ---------------------------------------------------------------------------- */

static void refused(const gr_node_opts *here, const gr_node_opts *there, const char *why)
{
    struct side a, b;
    gr_value *err = NULL;

    start(&a, "tcp", here);
    start(&b, "tcp", there);
    meet(&a, &b);
    cr_assert_null(gr_invoke(a.rt, a.far, gr_int(1), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EPROTO, "%s", gr_error_text(err));
    cr_assert_not(gr_error_retryable(err));
    cr_assert_not_null(strstr(gr_error_text(err), why), "%s", gr_error_text(err));
    cr_assert_null(strstr(gr_error_text(err), SECRET));
    gr_value_unref(err);
    expect_links(&b, 0);
    gr_runtime_free(b.rt);
    gr_runtime_free(a.rt);
}

Test(pair, another_cluster_is_refused)
{
    refused(GR_NODE(.cluster = "red"), GR_NODE(.cluster = "blue"), "different clusters");
}

Test(pair, another_secret_is_refused)
{
    refused(GR_NODE(.secret = SECRET), GR_NODE(.secret = SECRET "!"),
            "secrets of the nodes differ");
}

Test(pair, who_shows_no_secret_is_refused)
{
    refused(NULL, GR_NODE(.secret = SECRET), "none was shown");
}

/* Who was let in must be known as well. */
Test(pair, a_server_that_knows_no_secret_is_refused)
{
    refused(GR_NODE(.secret = SECRET), NULL, "none was shown");
}

Test(pair, a_later_start_of_a_node_takes_the_place_of_an_earlier_one)
{
    struct side a, b, c;
    gr_value *err = NULL;
    gr_future *f;

    start(&a, "ipc", NULL);
    start(&b, "ipc", GR_NODE(.name = "worker"));
    meet(&a, &b);
    f = gr_acall(b.rt, b.far, "wait", gr_nil(), NULL);
    cr_assert(test_peer_reaches(b.rt, b.far, "waiting", 1));
    start(&c, "ipc", GR_NODE(.name = "worker"));
    c.far = gr_remote(gr_root(c.rt), a.url, "all");
    expect_answer(&c);
    cr_assert_null(gr_take(f, &err));
    cr_assert_eq(gr_error_code(err), GR_EUNREACH, "%s", gr_error_text(err));
    gr_value_unref(err);
    cr_assert_null(gr_invoke(b.rt, b.far, gr_int(1), NULL, &err));
    cr_assert_not_null(strstr(gr_error_text(err), "a later start"), "%s", gr_error_text(err));
    gr_value_unref(err);
    expect_answer(&c);
    gr_runtime_free(c.rt);
    gr_runtime_free(b.rt);
    gr_runtime_free(a.rt);
}

/* ---- options --------------------------------------------------------------------------------- */

static void bad(gr_runtime *rt, const gr_node_opts *opts, const char *what)
{
    gr_value *err = NULL;

    cr_assert_eq(gr_node_configure(rt, opts, &err), GR_EINVAL);
    cr_assert_not_null(strstr(gr_error_text(err), what), "%s", gr_error_text(err));
    gr_value_unref(err);
}

Test(pair, options_are_checked_and_come_before_use)
{
    static const char name[] = "0123456789012345678901234567890123456789012345678901234567890123";
    gr_runtime *rt = NULL;
    char url[128];

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &rt), GR_OK);
    bad(NULL, NULL, "no runtime");
    bad(rt, GR_NODE(.cluster = name), "cluster: at most 63");
    bad(rt, GR_NODE(.name = "\xff"), "name: at most 63");
    bad(rt, GR_NODE(.secret = "too short"), "secret: it must have 16");
    bad(rt, GR_NODE(.connect_ms = -1), "connect_ms: -1");
    cr_assert_eq(gr_node_configure(rt, GR_NODE(.secret = SECRET), NULL), GR_OK);
    cr_assert_eq(gr_node_configure(rt, NULL, NULL), GR_OK);
    test_peer_url(url, "ipc");
    cr_assert_eq(gr_serve(rt, url, NULL), GR_OK);
    bad(rt, NULL, "listens already");
    gr_runtime_free(rt);
}
