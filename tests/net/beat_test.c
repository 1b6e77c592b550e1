/* SPDX-License-Identifier: Apache-2.0 */
/*
 * beat_test.c - peers that stand still: a stopped process, and one that lives but whose only worker
 * is held up.
 */
#include "tests/support/test.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/peer.h"

#define NEVER_MS 3600000

static gr_runtime *node(const gr_node_opts *opts)
{
    gr_runtime *rt = NULL;

    /* no spare worker comes to the help of one that is held up */
    cr_assert_eq(
        gr_runtime_new(GR_RUNTIME(.workers = 1, .stuck_ms = NEVER_MS, .report_ms = NEVER_MS), &rt),
        GR_OK);
    cr_assert_eq(gr_node_configure(rt, opts, NULL), GR_OK);
    return rt;
}

static void expect_lost(gr_future *f, const char *why)
{
    gr_value *err = NULL;

    cr_assert_null(gr_take(f, &err));
    cr_assert_eq(gr_error_code(err), GR_EUNREACH, "%s", gr_error_text(err));
    cr_assert_not_null(strstr(gr_error_text(err), why), "%s", gr_error_text(err));
    cr_assert(gr_error_retryable(err));
    gr_value_unref(err);
}

/* again calls until the peer answers. */
static bool again(gr_runtime *rt, gr_ref far)
{
    for (int ms = 0; ms < TEST_WAIT_MS; ms += 20) {
        gr_value *v = gr_invoke(rt, far, gr_int(3), NULL, NULL);
        bool well = gr_as_int(v, 0) == 3;

        gr_value_unref(v);
        if (well)
            return true;
        gr_sleep(rt, 20);
    }
    return false;
}

static void stopped(const char *scheme)
{
    gr_runtime *rt = node(GR_NODE(.heartbeat_ms = 100, .detect_ms = 500));
    struct test_peer peer;
    gr_future *f;
    gr_ref far;
    char url[128];

    setenv("GR_TEST_PEER_BEAT_MS", "100", 1);
    test_peer_url(url, scheme);
    peer = test_peer_start(url);
    unsetenv("GR_TEST_PEER_BEAT_MS");
    far = gr_remote(gr_root(rt), url, "all");
    f = gr_acall(rt, far, "wait", gr_nil(), NULL);
    cr_assert(test_peer_reaches(rt, far, "waiting", 1));
    kill(peer.pid, SIGSTOP);
    expect_lost(f, "silent for");
    kill(peer.pid, SIGCONT);
    cr_assert(again(rt, far));
    cr_assert(test_peer_reaches(rt, far, "cancelled", 1), "it has learnt that we gave it up");
    test_peer_stop(&peer);
    gr_runtime_free(rt);
}

Test(beat, a_stopped_peer_is_noticed_and_comes_back_over_ipc)
{
    stopped("ipc");
}

Test(beat, a_stopped_peer_is_noticed_and_comes_back_over_tcp)
{
    stopped("tcp");
}

/* ---- a worker that is held up ---------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool held_up;

static void hold_up(bool on)
{
    pthread_mutex_lock(&lock);
    held_up = on;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static gr_value *block(gr_ctx *c, void *arg, const gr_value *args)
{
    (void)c, (void)arg;
    pthread_mutex_lock(&lock);
    while (held_up)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    return gr_value_ref(args);
}

static gr_runtime *server(const gr_node_opts *opts, char url[128])
{
    gr_runtime *rt = node(opts);

    cr_assert_eq(gr_publish(rt, "block", gr_lambda(gr_root(rt), GR_CHEAP, block, NULL, NULL)),
                 GR_OK);
    test_peer_url(url, "ipc");
    cr_assert_eq(gr_serve(rt, url, NULL), GR_OK);
    hold_up(true);
    return rt;
}

Test(beat, a_peer_whose_workers_are_stuck_is_told_from_one_that_is_silent)
{
    char url[128];
    gr_runtime *far = server(GR_NODE(.heartbeat_ms = 20), url);
    gr_runtime *rt = node(GR_NODE(.heartbeat_ms = 20, .detect_ms = NEVER_MS, .stuck_ms = 300));

    expect_lost(gr_ainvoke(rt, gr_remote(gr_root(rt), url, "block"), gr_int(1), NULL),
                "its process lives");
    hold_up(false);
    gr_runtime_free(rt);
    gr_runtime_free(far);
}

Test(beat, a_peer_that_computes_for_longer_than_silence_may_last_is_not_lost)
{
    char url[128];
    gr_runtime *far = server(GR_NODE(.heartbeat_ms = 20), url);
    gr_runtime *rt = node(GR_NODE(.heartbeat_ms = 20, .detect_ms = 200));
    gr_future *f = gr_ainvoke(rt, gr_remote(gr_root(rt), url, "block"), gr_int(1), NULL);
    gr_value *v, *err = NULL;

    cr_assert_eq(gr_await(f, 1000).code, GR_EPENDING);
    hold_up(false);
    v = gr_take(f, &err);
    cr_assert_eq(gr_as_int(v, 0), 1, "%s", gr_error_text(err));
    gr_value_unref(v);
    gr_runtime_free(rt);
    gr_runtime_free(far);
}

/* Who is held up itself does not blame its peer for what it could not hear. */
Test(beat, who_is_stuck_itself_blames_nobody)
{
    char url[128];
    gr_runtime *far = server(GR_NODE(.heartbeat_ms = 20, .detect_ms = 200), url);
    gr_runtime *rt = node(GR_NODE(.heartbeat_ms = 20, .detect_ms = 200));
    gr_future *f = gr_ainvoke(rt, gr_remote(gr_root(rt), url, "block"), gr_int(1), NULL), *own;
    gr_value *v;

    own = gr_ainvoke(rt, gr_lambda(gr_root(rt), GR_CHEAP, block, NULL, NULL), gr_int(2), NULL);
    cr_assert_eq(gr_await(own, 1000).code, GR_EPENDING);
    hold_up(false);
    v = gr_take(own, NULL);
    cr_assert_eq(gr_as_int(v, 0), 2);
    gr_value_unref(v);
    v = gr_take(f, NULL);
    cr_assert_eq(gr_as_int(v, 0), 1);
    gr_value_unref(v);
    gr_runtime_free(rt);
    gr_runtime_free(far);
}

/* ---- ending ---------------------------------------------------------------------------------- */

static int warnings;

static void count_warnings(void *arg, int level, const char *text)
{
    (void)arg, (void)text;
    warnings += level <= 1;
}

/* A runtime that is connecting to who never answers does not wait for that. */
Test(beat, ending_does_not_wait_for_connecting)
{
    char url[128];
    gr_runtime *far = server(NULL, url);
    gr_runtime *rt = node(GR_NODE(.connect_ms = NEVER_MS));
    gr_ref block_there = gr_remote(gr_root(rt), url, "block");
    gr_ref block_here = gr_lambda(gr_root(far), GR_CHEAP, block, NULL, NULL);
    gr_future *held = gr_ainvoke(far, block_here, gr_int(1), NULL); /* nobody accepts now */
    gr_future *f = gr_ainvoke(rt, block_there, gr_int(1), NULL);
    gr_stream *s = gr_atransform(rt, block_there, gr_stream_of(rt, gr_list(gr_int(1))), NULL);

    warnings = 0;
    gr_set_log(count_warnings, NULL, 1);
    cr_assert_eq(gr_await(f, 50).code, GR_EPENDING);
    gr_runtime_free(rt);
    gr_set_log(NULL, NULL, 0);
    cr_assert_eq(warnings, 0, "something was left behind");
    cr_assert_eq(gr_await(f, 0).code, GR_ECANCELED);
    gr_future_free(f);
    gr_stream_free(s);
    hold_up(false);
    gr_value_unref(gr_take(held, NULL));
    gr_runtime_free(far);
}
