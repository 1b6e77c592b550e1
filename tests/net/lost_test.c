/* SPDX-License-Identifier: Apache-2.0 */
/* lost_test.c - peers that die, come back, or never were: two processes. */
#include "tests/support/test.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/net/peer.h"
#include "tests/support/peer.h"

static gr_runtime *runtime(void)
{
    gr_runtime *rt = NULL;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
    return rt;
}

static void expect_lost(gr_value *err, const char *url)
{
    cr_assert_eq(gr_error_code(err), GR_EUNREACH, "%s", gr_error_text(err));
    cr_assert(gr_error_retryable(err));
    cr_assert_not_null(strstr(gr_error_text(err), "was lost"), "%s", gr_error_text(err));
    cr_assert_not_null(strstr(gr_error_text(err), url));
    gr_value_unref(err);
}

/* again calls until the node answers: what went wrong meanwhile must be worth a retry. */
static bool again(gr_runtime *rt, gr_ref far)
{
    for (int i = 0; i < 200; i++) {
        gr_value *err = NULL, *v = gr_invoke(rt, far, gr_int(3), NULL, &err);
        bool well = gr_as_int(v, 0) == 3;

        cr_assert(well || gr_error_retryable(err), "%s", gr_error_text(err));
        gr_value_unref(v);
        gr_value_unref(err);
        if (well)
            return true;
        gr_sleep(rt, 20);
    }
    return false;
}

static void killed_in_a_call(const char *scheme)
{
    gr_runtime *rt = runtime();
    gr_value *err = NULL;
    struct test_peer peer;
    gr_future *f;
    gr_ref far;
    char url[128];

    test_peer_url(url, scheme);
    peer = test_peer_start(url);
    far = gr_remote(gr_root(rt), url, "all");
    f = gr_acall(rt, far, "wait", gr_nil(), NULL);
    cr_assert(test_peer_reaches(rt, far, "waiting", 1));
    test_peer_kill(&peer);
    cr_assert_null(gr_take(f, &err));
    expect_lost(err, url);
    peer = test_peer_start(url); /* the socket's file of the dead one is in its way */
    cr_assert(again(rt, far));
    test_peer_stop(&peer);
    gr_runtime_free(rt);
}

Test(lost, a_killed_peer_fails_its_calls_and_comes_back_over_ipc)
{
    killed_in_a_call("ipc");
}

Test(lost, a_killed_peer_fails_its_calls_and_comes_back_over_tcp)
{
    killed_in_a_call("tcp");
}

Test(lost, a_killed_peer_ends_its_streams_after_what_came)
{
    gr_runtime *rt = runtime();
    struct test_peer peer;
    gr_outcome o;
    gr_stream *s;
    char url[128];

    test_peer_url(url, "ipc");
    peer = test_peer_start(url);
    s = gr_astream(rt, gr_remote(gr_root(rt), url, "all"), gr_map(GR_KV("n", gr_int(INT64_MAX))),
                   NULL);
    cr_assert_eq(gr_next(s, -1).code, GR_OK);
    test_peer_kill(&peer);
    while ((o = gr_next(s, -1)).code == GR_OK)
        continue;
    expect_lost(gr_value_ref(o.error), url);
    gr_stream_free(s);
    gr_runtime_free(rt);
}

Test(lost, a_peer_that_kills_itself_fails_the_call)
{
    gr_runtime *rt = runtime();
    gr_value *err = NULL;
    struct test_peer peer;
    char url[128];

    test_peer_url(url, "ipc");
    peer = test_peer_start(url);
    cr_assert_null(gr_do(rt, gr_remote(gr_root(rt), url, "all"), "die", gr_nil(), NULL, &err));
    expect_lost(err, url);
    test_peer_kill(&peer);
    gr_runtime_free(rt);
}

/* What a lost caller had started is cancelled where it runs. */
Test(lost, a_caller_that_ends_cancels_what_it_started)
{
    gr_runtime *rt = runtime(), *caller = runtime();
    struct test_peer peer;
    gr_future *f;
    gr_ref far;
    char url[128];

    test_peer_url(url, "ipc");
    peer = test_peer_start(url);
    far = gr_remote(gr_root(rt), url, "all");
    f = gr_acall(caller, gr_remote(gr_root(caller), url, "all"), "wait", gr_nil(), NULL);
    cr_assert(test_peer_reaches(rt, far, "waiting", 1));
    gr_runtime_free(caller);
    cr_assert_neq(gr_await(f, 0).code, GR_OK);
    gr_future_free(f);
    cr_assert(test_peer_reaches(rt, far, "cancelled", 1));
    test_peer_stop(&peer);
    gr_runtime_free(rt);
}

Test(lost, nobody_there_is_unreachable)
{
    gr_runtime *rt = runtime();
    gr_value *err = NULL;
    gr_ref far;
    char url[128];

    test_peer_url(url, "ipc");
    far = gr_remote(gr_root(rt), url, "all");
    for (int i = 0; i < 3; i++) { /* the second and third fail by the first one's word */
        cr_assert_null(gr_invoke(rt, far, gr_nil(), NULL, &err));
        cr_assert_eq(gr_error_code(err), GR_EUNREACH);
        cr_assert_not_null(strstr(gr_error_text(err), url));
        gr_value_unref(err);
    }
    test_peer_url(url, "tcp");
    cr_assert_null(gr_invoke(rt, gr_remote(gr_root(rt), url, "all"), gr_nil(), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EUNREACH);
    gr_value_unref(err);
    gr_runtime_free(rt);
}

Test(lost, a_url_that_is_none_is_invalid)
{
    gr_runtime *rt = runtime();
    gr_value *err = NULL;

    cr_assert_null(gr_invoke(rt, gr_remote(gr_root(rt), "http://x", "all"), gr_nil(), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EINVAL);
    gr_value_unref(err);
    cr_assert_null(
        gr_invoke(rt, gr_remote(gr_root(rt), "tcp://nonsense", "all"), gr_nil(), NULL, &err));
    cr_assert_neq(gr_error_code(err), GR_OK);
    gr_value_unref(err);
    gr_runtime_free(rt);
}

Test(lost, an_address_in_use_is_said_to_be)
{
    gr_runtime *a = runtime(), *b = runtime();
    gr_value *err = NULL;
    struct stat st;
    char url[128];

    test_peer_url(url, "ipc");
    cr_assert_eq(gr_serve(a, url, NULL), GR_OK);
    cr_assert_eq(stat(url + 6, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    cr_assert_eq(gr_serve(b, url, &err), GR_EUNREACH);
    cr_assert_not_null(strstr(gr_error_text(err), "address in use"), "%s", gr_error_text(err));
    gr_value_unref(err);
    gr_runtime_free(b);
    gr_runtime_free(a);
    cr_assert_neq(access(url + 6, F_OK), 0, "the file goes with the server");
}

/* A machine without /etc/hosts does not know its own name. */
static bool resolves(const char *host)
{
    struct addrinfo *found = NULL;
    bool does = getaddrinfo(host, NULL, NULL, &found) == 0;

    if (does)
        freeaddrinfo(found);
    return does;
}

Test(lost, only_loopback_is_served_in_clear)
{
    gr_runtime *rt = runtime();
    gr_value *err = NULL;
    gr_code rc;

    unsetenv("GR_INSECURE");
    cr_assert_eq(gr_serve(rt, "tcp://0.0.0.0:0", &err), GR_EINVAL);
    cr_assert_not_null(strstr(gr_error_text(err), "GR_INSECURE=1"));
    gr_value_unref(err);
    cr_assert_eq(gr_serve(rt, "tcp://127.0.0.1.example.com:1", NULL), GR_EINVAL);
    cr_assert_eq(gr_serve(rt, "tcp://:0", NULL), GR_EINVAL);
    /* a user's name may look like a host of its own */
    cr_assert_eq(gr_serve(rt, "tcp://127.0.0.1:1@0.0.0.0:0", NULL), GR_EINVAL);
    cr_assert_eq(gr_serve(rt, "tcp://[::1]:1@0.0.0.0:0", NULL), GR_EINVAL);
    cr_assert_eq(gr_serve(rt, "tcp://localhost:", NULL), GR_EINVAL);
    cr_assert_eq(gr_serve(rt, "tcp://localhost:0/x", NULL), GR_EINVAL);
    cr_assert_eq(gr_serve(rt, "ipc://relative", NULL), GR_EINVAL);
    cr_assert_eq(gr_serve(rt, "tcp://127.0.0.1:0", NULL), GR_OK);
    rc = gr_serve(rt, "tcp://localhost:0", NULL);
    cr_assert_eq(rc, resolves("localhost") ? GR_OK : GR_EUNREACH);
    setenv("GR_INSECURE", "1", 1);
    cr_assert_eq(gr_serve(rt, "tcp://0.0.0.0:0", NULL), GR_OK);
    gr_runtime_free(rt);
}

Test(lost, a_call_cancelled_while_connecting_is_over_at_once)
{
    gr_runtime *rt = runtime();
    gr_scope *scope = gr_scope_new(gr_root(rt));
    gr_future *f;

    /* a documentation address: nothing answers there, or the network says so at once */
    f = gr_acall(rt, gr_remote(gr_root(rt), "tcp://192.0.2.1:9", "all"), "invoke", gr_nil(),
                 GR_CALL(.scope = scope));
    gr_future_cancel(f);
    cr_assert_neq(gr_await(f, -1).code, GR_OK);
    gr_future_free(f);
    gr_scope_free(scope);
    gr_runtime_free(rt);
}

/* A call may find the link just before it is lost, and come to it just after. */
Test(lost, what_comes_too_late_for_a_link_was_not_sent)
{
    gr_runtime *here = NULL, *there = NULL;
    struct gri_strbuf invoke = GRI_STRBUF_INIT;
    gr_value *err = NULL, *v;
    struct gri_peer *p;
    char url[128];

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &here), GR_OK);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &there), GR_OK);
    test_peer_url(url, "ipc");
    test_peer_publish(there);
    cr_assert_eq(gr_serve(there, url, NULL), GR_OK);
    v = gr_invoke(here, gr_remote(gr_root(here), url, "all"), gr_int(1), NULL, NULL);
    cr_assert_eq(gr_as_int(v, 0), 1);
    gr_value_unref(v);
    p = gri_node_peer(gri_node_get(here), url, &err);
    cr_assert_not_null(p);
    gr_runtime_free(there);
    for (int ms = 0; gri_peer_state_now(p) != GRI_PEER_DOWN && ms < TEST_WAIT_MS; ms++)
        gr_sleep(here, 1);
    cr_assert_eq(gri_peer_begin(p, 99, NULL, &invoke, &err), GR_EUNREACH);
    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), ""), "NotSent", "%s", gr_error_text(err));
    gr_value_unref(err);
    gri_peer_unref(p);
    gr_runtime_free(here);
}
