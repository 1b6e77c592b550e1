/* SPDX-License-Identifier: Apache-2.0 */
/* remote_test.c - calls between two runtimes in one process, over ipc and tcp. */
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/peer.h"

struct pair {
    gr_runtime *here, *there;
    gr_ref near, far; /* the actor as seen from there, and from here */
    char url[128];
};

static struct pair open_pair(const char *scheme)
{
    struct pair p;
    gr_value *err = NULL;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &p.here), GR_OK);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &p.there), GR_OK);
    test_peer_url(p.url, scheme);
    p.near = test_peer_publish(p.there);
    cr_assert_eq(gr_serve(p.there, p.url, &err), GR_OK, "%s", gr_error_text(err));
    p.far = gr_remote(gr_root(p.here), p.url, "all");
    return p;
}

static void close_pair(struct pair *p)
{
    gr_runtime_free(p->here);
    gr_runtime_free(p->there);
}

static void check_invoke(const char *scheme)
{
    struct pair p = open_pair(scheme);
    gr_value *err = NULL, *v;

    v = gr_invoke(p.here, p.far, gr_map(GR_KV("a", gr_list(gr_int(1), gr_real(0.5)))), NULL, &err);
    cr_assert_not_null(v, "%s", gr_error_text(err));
    cr_assert_eq(gr_as_int(gr_at(gr_get(v, "a"), 0), 0), 1);
    gr_value_unref(v);
    close_pair(&p);
}

Test(remote, invoke_gives_the_answer_over_ipc)
{
    check_invoke("ipc");
}

Test(remote, invoke_gives_the_answer_over_tcp)
{
    check_invoke("tcp");
}

Test(remote, an_error_crosses_with_all_its_fields)
{
    struct pair p = open_pair("ipc");
    gr_value *err = NULL, *v = gr_do(p.here, p.far, "fail", gr_nil(), NULL, &err);
    const gr_value *cause;

    cr_assert_null(v);
    cr_assert_eq(gr_error_code(err), GR_ERATE);
    cr_assert_str_eq(gr_error_text(err), "slow down");
    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), ""), "RateLimit");
    cr_assert_eq(gr_as_int(gr_get(err, "status"), 0), 429);
    cr_assert_eq(gr_as_int(gr_get(err, "retry_after_ms"), 0), 1500);
    cr_assert_eq(gr_as_int(gr_get(gr_get(err, "detail"), "quota"), 0), 3);
    cr_assert_not_null(strstr(gr_cstr(gr_get(err, "where"), ""), p.url));
    cr_assert_not_null(strstr(gr_cstr(gr_get(err, "where"), ""), "all: model.c:7"));
    cause = gr_get(err, "cause");
    cr_assert_eq(gr_error_code(cause), GR_EREMOTE, "a local-only code must not cross");
    cr_assert_str_eq(gr_error_text(cause), "a local cause");
    gr_value_unref(err);
    close_pair(&p);
}

Test(remote, a_verb_that_the_actor_lacks_is_a_type_error)
{
    struct pair p = open_pair("ipc");
    gr_value *err = NULL;

    cr_assert_null(gr_do(p.here, p.far, "dance", gr_nil(), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_ETYPE);
    gr_value_unref(err);
    close_pair(&p);
}

Test(remote, a_name_nobody_publishes_is_dead)
{
    struct pair p = open_pair("ipc");
    gr_ref none = gr_remote(gr_root(p.here), p.url, "nobody");
    gr_value *err = NULL;

    cr_assert_null(gr_invoke(p.here, none, gr_nil(), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EDEAD);
    cr_assert_not_null(strstr(gr_error_text(err), "no actor is published as 'nobody'"));
    gr_value_unref(err);
    close_pair(&p);
}

Test(remote, a_withdrawn_name_can_be_given_again)
{
    struct pair p = open_pair("ipc");
    gr_value *err = NULL, *v;

    cr_assert_eq(gr_publish(p.there, "all", (gr_ref){ 0, 0 }), GR_OK);
    cr_assert_null(gr_invoke(p.here, p.far, gr_int(1), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EDEAD);
    gr_value_unref(err);
    test_peer_publish(p.there);
    v = gr_invoke(p.here, p.far, gr_int(1), NULL, NULL);
    cr_assert_eq(gr_as_int(v, 0), 1);
    gr_value_unref(v);
    cr_assert_eq(gr_publish(p.there, "all", p.far), GR_EINVAL, "a live actor has that name");
    cr_assert_eq(gr_publish(p.there, "", p.far), GR_EINVAL);
    close_pair(&p);
}

Test(remote, a_thousand_calls_share_a_link_and_answer_in_any_order)
{
    enum { N = 1000 };
    struct pair p = open_pair("ipc");
    gr_future *f[N];
    gr_value *v;

    for (int i = 0; i < N; i++)
        f[i] = gr_acall(p.here, p.far, "hold", gr_int(i), NULL);
    cr_assert(test_peer_reaches(p.here, p.far, "held", N));
    v = gr_do(p.here, p.far, "let_go", gr_nil(), NULL, NULL); /* the last one first */
    cr_assert_not_null(v);
    gr_value_unref(v);
    for (int i = 0; i < N; i++) {
        v = gr_take(f[i], NULL);
        cr_assert_eq(gr_as_int(v, -1), i);
        gr_value_unref(v);
    }
    close_pair(&p);
}

Test(remote, batch_crosses_in_order)
{
    struct pair p = open_pair("ipc");
    gr_value *v = gr_batch(p.here, p.far, gr_list(gr_int(1), gr_int(2), gr_int(3)), NULL, NULL);

    cr_assert_eq(gr_len(v), 3);
    cr_assert_eq(gr_as_int(gr_at(v, 2), 0), 3);
    gr_value_unref(v);
    close_pair(&p);
}

Test(remote, a_stream_brings_every_chunk)
{
    struct pair p = open_pair("tcp");
    gr_stream *s =
        gr_astream(p.here, p.far, gr_map(GR_KV("n", gr_int(1000)), GR_KV("size", gr_int(3))), NULL);
    gr_outcome o;
    int n = 0;

    while ((o = gr_next(s, -1)).code == GR_OK) {
        cr_assert_str_eq(gr_cstr(o.value, ""), "xxx");
        n++;
    }
    cr_assert_eq(o.code, GR_EOS);
    cr_assert_eq(n, 1000);
    gr_stream_free(s);
    close_pair(&p);
}

Test(remote, the_chunks_before_an_error_come_first)
{
    struct pair p = open_pair("ipc");
    gr_stream *s = gr_astream(p.here, p.far,
                              gr_map(GR_KV("n", gr_int(5)), GR_KV("fail", gr_bool(true))), NULL);
    gr_outcome o;
    int n = 0;

    while ((o = gr_next(s, -1)).code == GR_OK)
        n++;
    cr_assert_eq(n, 5);
    cr_assert_eq(o.code, GR_EREMOTE);
    cr_assert_str_eq(gr_error_text(o.error), "out of words");
    gr_stream_free(s);
    close_pair(&p);
}

/* The runs are told of where they are: what comes is what they are called there. */
Test(remote, the_events_of_a_run_cross)
{
    struct pair p = open_pair("ipc");
    gr_stream *s = gr_astream_events(
        p.here, p.far, gr_map(GR_KV("n", gr_int(100)), GR_KV("size", gr_int(3))), NULL, NULL);
    gr_outcome o;
    int n = 0;

    while ((o = gr_next(s, -1)).code == GR_OK) {
        const char *wanted = n == 0     ? "on_chain_start"
                             : n == 101 ? "on_chain_end"
                                        : "on_chain_stream";

        cr_assert_str_eq(gr_cstr(gr_get(o.value, "event"), ""), wanted);
        n++;
    }
    cr_assert_eq(o.code, GR_EOS);
    cr_assert_eq(n, 102);
    gr_stream_free(s);
    close_pair(&p);
}

/* What streaming a verb that has no stream gives here, it gives over a link. */
Test(remote, streaming_a_plain_verb_is_as_in_process)
{
    struct pair p = open_pair("ipc");
    gr_stream *far_s = gr_astream_call(p.here, p.far, "left_ms", gr_nil(), NULL, NULL);
    gr_stream *near_s = gr_astream_call(p.there, p.near, "left_ms", gr_nil(), NULL, NULL);

    cr_assert_eq(gr_next(far_s, -1).code, gr_next(near_s, -1).code);
    gr_stream_free(far_s);
    gr_stream_free(near_s);
    close_pair(&p);
}

/* The producer gets ahead of a reader that doesn't read by the windows on the way, not by the
 * whole. */
Test(remote, a_slow_reader_stops_the_producer)
{
    struct pair p = open_pair("ipc");
    int64_t before = test_peer_count(p.here, p.far, "emitted"), ahead;
    gr_stream *s =
        gr_astream(p.here, p.far, gr_map(GR_KV("n", gr_int(100000)), GR_KV("size", gr_int(10))),
                   GR_CALL(.window_chunks = 16));

    cr_assert_eq(gr_next(s, -1).code, GR_OK);
    cr_assert(test_peer_reaches(p.here, p.far, "emitted", before + 33));
    for (int i = 0; i < 200; i++) /* each a round trip, in which it could get further */
        test_peer_count(p.here, p.far, "emitted");
    ahead = test_peer_count(p.here, p.far, "emitted") - before;
    cr_assert_leq(ahead, 1 + 16 + 16 + 1 + 8 + 2, "%ld chunks", (long)ahead);
    for (int i = 0; i < 500; i++)
        cr_assert_eq(gr_next(s, -1).code, GR_OK);
    cr_assert(test_peer_reaches(p.here, p.far, "emitted", before + 501), "and starts it again");
    gr_stream_free(s);
    close_pair(&p);
}

Test(remote, leaving_a_stream_ends_its_producer)
{
    struct pair p = open_pair("ipc");
    int64_t before = test_peer_count(p.here, p.far, "cancelled");
    gr_stream *s = gr_astream(p.here, p.far, gr_map(GR_KV("n", gr_int(INT64_MAX))), NULL);

    cr_assert_eq(gr_next(s, -1).code, GR_OK);
    gr_stream_free(s); /* waits for the producer's word */
    cr_assert_eq(test_peer_count(p.here, p.far, "cancelled"), before + 1);
    close_pair(&p);
}

Test(remote, transform_streams_both_ways)
{
    enum { N = 2000 };
    struct pair p = open_pair("ipc");
    gr_value *items = gr_list_n(NULL, 0);
    gr_stream *s;
    int64_t sum = 0;
    gr_outcome o;

    for (int i = 0; i < N; i++)
        items = gr_append(items, gr_int(i));
    s = gr_atransform(p.here, p.far, gr_stream_of(p.here, items), NULL);
    for (int i = 0; (o = gr_next(s, -1)).code == GR_OK; i++) {
        cr_assert_eq(gr_as_int(o.value, -1), i);
        sum++;
    }
    cr_assert_eq(o.code, GR_EOS, "%s", gr_error_text(o.error));
    cr_assert_eq(sum, N);
    gr_stream_free(s);
    close_pair(&p);
}

Test(remote, an_input_that_fails_fails_there)
{
    struct pair p = open_pair("ipc");
    gr_stream *writer = NULL, *reader = gr_pipe(p.here, 0, &writer);
    gr_stream *s = gr_atransform(p.here, p.far, reader, NULL);
    gr_outcome o;

    cr_assert_eq(gr_pipe_write(writer, gr_int(7)), GR_OK);
    cr_assert_eq(gr_as_int(gr_next(s, -1).value, 0), 7);
    gr_pipe_close(writer, gr_error(GR_EREMOTE, "the source dried up"));
    o = gr_next(s, -1);
    cr_assert_eq(o.code, GR_EREMOTE);
    cr_assert_str_eq(gr_error_text(o.error), "the source dried up");
    gr_stream_free(s);
    close_pair(&p);
}

/* A handler that doesn't read its input stops who writes it. */
Test(remote, an_unread_input_stops_its_writer)
{
    struct pair p = open_pair("ipc");
    gr_value *items = gr_list_n(NULL, 0), *small = gr_str("x");
    gr_stream *in, *s;

    for (int i = 0; i < 5000; i++)
        items = gr_append(items, gr_value_ref(small));
    in = gr_stream_of(p.here, items);
    s = gr_astream_call(p.here, p.far, "swallow", gr_nil(), in, NULL);
    cr_assert(test_peer_reaches(p.here, p.far, "waiting", 1));
    cr_assert_eq(gr_next(s, 0).code, GR_EPENDING);
    gr_stream_free(s); /* cancels it; what waits to be sent goes away */
    cr_assert(test_peer_reaches(p.here, p.far, "cancelled", 1));
    gr_value_unref(small);
    close_pair(&p);
}

Test(remote, cancelling_reaches_the_handler)
{
    struct pair p = open_pair("ipc");
    int64_t waiting = test_peer_count(p.here, p.far, "waiting");
    int64_t cancelled = test_peer_count(p.here, p.far, "cancelled");
    gr_future *f = gr_acall(p.here, p.far, "wait", gr_nil(), NULL);

    cr_assert(test_peer_reaches(p.here, p.far, "waiting", waiting + 1));
    gr_future_cancel(f);
    cr_assert_eq(gr_await(f, -1).code, GR_ECANCELED);
    gr_future_free(f);
    cr_assert(test_peer_reaches(p.here, p.far, "cancelled", cancelled + 1));
    close_pair(&p);
}

Test(remote, the_deadline_is_inherited)
{
    struct pair p = open_pair("ipc");
    gr_value *v = gr_do(p.here, p.far, "left_ms", gr_nil(), GR_CALL(.timeout_ms = 100000), NULL);

    cr_assert_gt(gr_as_int(v, -2), 50000);
    cr_assert_leq(gr_as_int(v, -2), 100000);
    gr_value_unref(v);
    v = gr_do(p.here, p.far, "left_ms", gr_nil(), NULL, NULL);
    cr_assert_eq(gr_as_int(v, -2), -1);
    gr_value_unref(v);
    close_pair(&p);
}

Test(remote, a_passed_deadline_ends_both_sides)
{
    struct pair p = open_pair("ipc");
    int64_t cancelled = test_peer_count(p.here, p.far, "cancelled");
    gr_value *err = NULL;

    cr_assert_null(gr_do(p.here, p.far, "wait", gr_nil(), GR_CALL(.timeout_ms = 30), &err));
    cr_assert_eq(gr_error_code(err), GR_ETIMEDOUT);
    gr_value_unref(err);
    cr_assert(test_peer_reaches(p.here, p.far, "cancelled", cancelled + 1));
    close_pair(&p);
}

Test(remote, the_config_crosses_without_what_cannot)
{
    struct pair p = open_pair("ipc");
    int here = 0;
    gr_value *config = gr_map(GR_KV("tags", gr_list(gr_str("t"))),
                              GR_KV("callbacks", gr_list(gr_opaque(&here, NULL))));
    gr_value *v = gr_do(p.here, p.far, "config", gr_nil(), GR_CALL(.config = config), NULL);

    cr_assert_str_eq(gr_cstr(gr_at(gr_get(v, "tags"), 0), ""), "t");
    cr_assert_null(gr_get(v, "callbacks"));
    gr_value_unref(v);
    close_pair(&p);
}

Test(remote, the_whole_context_of_a_run_crosses)
{
    struct pair p = open_pair("ipc");
    gr_value *config = gr_map(GR_KV("tags", gr_list(gr_str("t"), gr_str("u"))),
                              GR_KV("metadata", gr_map(GR_KV("user", gr_int(7)))),
                              GR_KV("run_name", gr_str("far away")),
                              GR_KV("configurable", gr_map(GR_KV("session_id", gr_str("s")))),
                              GR_KV("recursion_limit", gr_int(9)));
    gr_value *v = gr_do(p.here, p.far, "config", gr_nil(), GR_CALL(.config = config), NULL);

    cr_assert_str_eq(gr_cstr(gr_at(gr_get(v, "tags"), 1), ""), "u");
    cr_assert_eq(gr_as_int(gr_get(gr_get(v, "metadata"), "user"), 0), 7);
    cr_assert_str_eq(gr_cstr(gr_get(gr_get(v, "configurable"), "session_id"), ""), "s");
    cr_assert_str_eq(gr_cstr(gr_get(v, "run_name"), ""), "far away");
    cr_assert_eq(gr_as_int(gr_get(v, "recursion_limit"), 0), 9);
    gr_value_unref(v);
    close_pair(&p);
}

Test(remote, floats_cross_as_floats)
{
    static const float x[] = { 1, -2.5F, 1e-30F };
    struct pair p = open_pair("tcp");
    gr_value *sent = gr_floats(x, 3), *v = gr_invoke(p.here, p.far, gr_value_ref(sent), NULL, NULL);

    cr_assert_eq(gr_value_type(v), GR_FLOATS);
    cr_assert(gr_equal(v, sent));
    gr_value_unref(v);
    gr_value_unref(sent);
    close_pair(&p);
}

Test(remote, an_opaque_argument_is_refused)
{
    struct pair p = open_pair("ipc");
    int here = 0;
    gr_value *err = NULL;

    cr_assert_null(gr_invoke(p.here, p.far, gr_opaque(&here, NULL), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_ETYPE);
    gr_value_unref(err);
    close_pair(&p);
}

Test(remote, a_megabyte_crosses_whole)
{
    struct pair p = open_pair("ipc");
    size_t size = 5u << 20, got = 0;
    char *data = malloc(size);
    gr_value *v, *err = NULL;

    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 7 + i / 251);
    v = gr_invoke(p.here, p.far, gr_bin(data, size), NULL, &err);
    cr_assert_not_null(v, "%s", gr_error_text(err));
    cr_assert_eq(memcmp(gr_as_bin(v, &got), data, size), 0);
    cr_assert_eq(got, size);
    gr_value_unref(v);
    free(data);
    close_pair(&p);
}

Test(remote, more_than_a_frame_is_refused)
{
    struct pair p = open_pair("ipc");
    size_t size = 17u << 20;
    char *data = calloc(1, size);
    gr_value *err = NULL, *v;

    cr_assert_null(gr_invoke(p.here, p.far, gr_bin(data, size), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_ENOMEM);
    gr_value_unref(err);
    v = gr_invoke(p.here, p.far, gr_int(1), NULL, NULL);
    cr_assert_eq(gr_as_int(v, 0), 1, "the link goes on");
    gr_value_unref(v);
    free(data);
    close_pair(&p);
}

Test(remote, telling_reaches_receive)
{
    struct pair p = open_pair("ipc");
    int64_t before = test_peer_count(p.here, p.far, "told");

    cr_assert_eq(gr_tell(p.here, p.far, gr_int(5)), GR_OK);
    cr_assert(test_peer_reaches(p.here, p.far, "told", before + 5));
    close_pair(&p);
}

static bool counts_lost(gr_runtime *rt, uint64_t n)
{
    for (int ms = 0; gr_dead_letters(rt) < n && ms < TEST_WAIT_MS; ms++)
        gr_sleep(rt, 1);
    return gr_dead_letters(rt) == n;
}

Test(remote, what_is_told_in_vain_is_counted)
{
    struct pair p = open_pair("ipc");
    char url[128];

    test_peer_url(url, "ipc");
    gr_tell(p.here, gr_remote(gr_root(p.here), url, "all"), gr_int(5)); /* nobody is there */
    cr_assert(counts_lost(p.here, 1));
    gr_tell(p.here, gr_remote(gr_root(p.here), p.url, "nothing"), gr_int(5));
    cr_assert(counts_lost(p.there, 1));
    cr_assert_eq(gr_dead_letters(p.here), 1);
    close_pair(&p);
}

Test(remote, a_node_may_call_itself_and_peers_each_other)
{
    struct pair p = open_pair("ipc");
    char url[128];
    gr_ref back, self;
    gr_value *v;

    test_peer_url(url, "ipc");
    test_peer_publish(p.here);
    cr_assert_eq(gr_serve(p.here, url, NULL), GR_OK);
    back = gr_remote(gr_root(p.there), url, "all");
    self = gr_remote(gr_root(p.here), url, "all");
    v = gr_invoke(p.there, back, gr_int(4), NULL, NULL);
    cr_assert_eq(gr_as_int(v, 0), 4);
    gr_value_unref(v);
    v = gr_invoke(p.here, self, gr_int(5), NULL, NULL);
    cr_assert_eq(gr_as_int(v, 0), 5);
    gr_value_unref(v);
    v = gr_invoke(p.here, p.far, gr_int(6), NULL, NULL);
    cr_assert_eq(gr_as_int(v, 0), 6);
    gr_value_unref(v);
    close_pair(&p);
}

Test(remote, a_foreign_ref_inside_a_message_says_so_when_called)
{
    struct pair p = open_pair("ipc");
    gr_ref foreign = { 0x1234, 0x5678 };
    gr_value *v = gr_invoke(p.here, p.far, gr_ref_value(foreign), NULL, NULL), *err = NULL;

    cr_assert_eq(gr_as_ref(v).id, foreign.id);
    cr_assert_eq(gr_as_ref(v).node, foreign.node);
    cr_assert_null(gr_invoke(p.here, gr_as_ref(v), gr_nil(), NULL, &err));
    cr_assert_neq(gr_error_code(err), GR_OK);
    cr_assert_gt(strlen(gr_error_text(err)), 5);
    gr_value_unref(err);
    gr_value_unref(v);
    close_pair(&p);
}

Test(remote, ending_with_calls_in_flight_leaves_nothing)
{
    struct pair p = open_pair("ipc");
    gr_future *f = gr_acall(p.here, p.far, "wait", gr_nil(), NULL);
    gr_stream *s = gr_astream(p.here, p.far, gr_map(GR_KV("n", gr_int(INT64_MAX))), NULL);

    cr_assert(test_peer_reaches(p.here, p.far, "waiting", 1));
    cr_assert_eq(gr_next(s, -1).code, GR_OK);
    gr_runtime_free(p.there); /* the serving side first */
    cr_assert_neq(gr_await(f, -1).code, GR_OK);
    gr_future_free(f);
    while (gr_next(s, -1).code == GR_OK)
        continue;
    gr_stream_free(s);
    gr_runtime_free(p.here);
}
