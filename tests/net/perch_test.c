/* SPDX-License-Identifier: Apache-2.0 */
/*
 * perch_test.c - a worker that waits for a link's next frame itself: it still comes when there is other work, and what
 * comes over the link is not held up by what the worker does instead.
 */
#include "tests/support/test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <greenroom/greenroom.h>

#include "runtime/base/thread.h"
#include "tests/support/peer.h"

#define WAIT_MS 60000

struct ends {
    gr_runtime *here, *there;
    gr_ref echo, hold;
    char url[128];
};

static _Atomic uint32_t go, holding;

/* hold keeps its worker until `go`. */
static gr_value *hold(gr_ctx *c, void *arg, const gr_value *in)
{
    uint64_t until = gri_clock_ns() + (uint64_t)WAIT_MS * 1000000;

    (void)c;
    (void)arg;
    atomic_store(&holding, 1);
    while (atomic_load(&go) == 0 && gri_clock_ns() < until)
        gri_cpu_relax();
    return gr_value_ref(in);
}

static gr_value *echo(gr_ctx *c, void *arg, const gr_value *in)
{
    (void)c;
    (void)arg;
    return gr_value_ref(in);
}

static struct ends open_ends(const char *scheme, unsigned workers)
{
    struct ends e;
    gr_value *err = NULL;

    atomic_store(&go, 0);
    atomic_store(&holding, 0);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = workers), &e.here), GR_OK);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = workers), &e.there), GR_OK);
    test_peer_url(e.url, scheme);
    cr_assert_eq(gr_serve(e.there, e.url, &err), GR_OK, "%s", gr_error_text(err));
    gr_publish(e.there, "echo", gr_lambda(gr_root(e.there), GR_CHEAP, echo, NULL, NULL));
    gr_publish(e.there, "hold", gr_lambda(gr_root(e.there), GR_ASYNC, hold, NULL, NULL));
    e.echo = gr_remote(gr_root(e.here), e.url, "echo");
    e.hold = gr_remote(gr_root(e.here), e.url, "hold");
    return e;
}

static void close_ends(struct ends *e)
{
    atomic_store(&go, 1);
    gr_runtime_free(e->here);
    gr_runtime_free(e->there);
}

/* ask makes a lone call: after its frame each side has nothing to do but to wait for the next one. */
static void ask(gr_runtime *rt, gr_ref to, int i)
{
    gr_value *err = NULL;
    gr_value *v = gr_invoke(rt, to, gr_int(i), GR_CALL(.timeout_ms = WAIT_MS), &err);

    cr_assert_not_null(v, "%s", gr_error_text(err));
    cr_assert_eq(gr_as_int(v, -1), i);
    gr_value_unref(v);
}

static void alternate(const char *scheme, unsigned workers)
{
    struct ends e = open_ends(scheme, workers);
    gr_ref near = gr_lambda(gr_root(e.here), GR_ASYNC, echo, NULL, NULL);

    for (int i = 0; i < 300; i++) {
        ask(e.here, e.echo, i);
        ask(e.here, near, i); /* other work has the worker come back from the link */
    }
    close_ends(&e);
}

Test(perch, other_work_is_done_meanwhile)
{
    alternate("ipc", 1);
}

Test(perch, other_work_is_done_meanwhile_over_tcp)
{
    alternate("tcp", 2);
}

Test(perch, a_held_worker_does_not_hold_the_link)
{
    struct ends e = open_ends("ipc", 2);
    gr_future *held;

    for (int i = 0; i < 10; i++)
        ask(e.here, e.echo, i);
    held = gr_ainvoke(e.here, e.hold, gr_int(7), NULL);
    while (atomic_load(&holding) == 0) /* in a handler, with the link's next read on its hands */
        usleep(100);
    for (int i = 0; i < 10; i++)
        ask(e.here, e.echo, i); /* would wait for the handler for a minute, and time out */
    atomic_store(&go, 1);
    gr_value_unref(gr_take(held, NULL));
    close_ends(&e);
}

/* All workers of the other node are held up, the one that has the link's next read on its hands, too: what we send
 * still shows there that we are not silent. */
Test(perch, a_held_node_still_hears)
{
    gr_node_opts quick = { .size = sizeof(quick), .heartbeat_ms = 20, .detect_ms = 200 };
    gr_runtime *there = NULL, *here = NULL;
    char url[128];
    gr_ref near, held;
    gr_future *f;
    gr_value *v, *err = NULL;

    atomic_store(&go, 0);
    atomic_store(&holding, 0);
    /* no spare worker comes to the help of one that is held up */
    cr_assert_eq(
        gr_runtime_new(GR_RUNTIME(.workers = 1, .stuck_ms = 600000, .report_ms = 600000), &there),
        GR_OK);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &here), GR_OK);
    cr_assert_eq(gr_node_configure(there, &quick, NULL), GR_OK);
    cr_assert_eq(gr_node_configure(here, GR_NODE(.heartbeat_ms = 20, .detect_ms = 20000), NULL),
                 GR_OK);
    test_peer_url(url, "ipc");
    cr_assert_eq(gr_serve(there, url, NULL), GR_OK);
    gr_publish(there, "echo", gr_lambda(gr_root(there), GR_CHEAP, echo, NULL, NULL));
    gr_publish(there, "hold", gr_lambda(gr_root(there), GR_ASYNC, hold, NULL, NULL));
    near = gr_remote(gr_root(here), url, "echo");
    held = gr_remote(gr_root(here), url, "hold");
    for (int i = 0; i < 20; i++)
        ask(here, near, i);
    f = gr_ainvoke(here, held, gr_int(7), NULL);
    cr_assert_eq(gr_await(f, 1000).code, GR_EPENDING);
    atomic_store(&go, 1);
    v = gr_take(f, &err);
    cr_assert_eq(gr_as_int(v, 0), 7, "%s", gr_error_text(err));
    gr_value_unref(v);
    gr_runtime_free(here);
    gr_runtime_free(there);
}

Test(perch, links_take_turns)
{
    struct ends one = open_ends("ipc", 1), two;
    gr_ref far;
    gr_value *err = NULL;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &two.there), GR_OK);
    test_peer_url(two.url, "tcp");
    cr_assert_eq(gr_serve(two.there, two.url, &err), GR_OK, "%s", gr_error_text(err));
    gr_publish(two.there, "echo", gr_lambda(gr_root(two.there), GR_CHEAP, echo, NULL, NULL));
    far = gr_remote(gr_root(one.here), two.url, "echo"); /* two links of one worker */
    for (int i = 0; i < 300; i++) {
        ask(one.here, one.echo, i);
        ask(one.here, far, i);
    }
    gr_runtime_free(two.there); /* while somebody may wait there */
    for (int i = 0; i < 30; i++)
        ask(one.here, one.echo, i);
    close_ends(&one);
}

#define BURST 400

struct computing {
    gr_ref far;
    unsigned right;
};

/* compute has many calls under way, and holds its worker for longer than a peer may be silent when some are answered. */
static gr_value *compute(gr_ctx *c, void *arg, const gr_value *in)
{
    static const char text[] =
        "a hundred bytes make for a read that brings several frames, after which a link looks "
        "for more itself";
    struct computing *k = arg;
    static gr_future *fs[BURST];

    (void)in;
    for (unsigned i = 0; i < BURST; i++)
        fs[i] = gr_ainvoke(gr_runtime_of(c), k->far, gr_str(text), NULL);
    for (unsigned i = 0; i < BURST; i++) {
        uint64_t until = gri_clock_ns() + UINT64_C(700000000);
        gr_value *v = gr_take(fs[i], NULL);

        k->right += v != NULL && strcmp(gr_cstr(v, ""), text) == 0;
        gr_value_unref(v);
        while (i == BURST / 8 && gri_clock_ns() < until)
            gri_cpu_relax();
    }
    return gr_nil();
}

/* The link may have been about to look for more, and have nobody read meanwhile: that is not the other's silence. */
Test(perch, a_worker_that_computes_after_a_read_takes_nobody_for_silent)
{
    gr_node_opts quick = { .size = sizeof(quick), .heartbeat_ms = 20, .detect_ms = 200 };
    gr_runtime *there = NULL, *here = NULL;
    struct computing k = { .right = 0 };
    char url[128];
    gr_ref near;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &there), GR_OK);
    cr_assert_eq(
        gr_runtime_new(GR_RUNTIME(.workers = 1, .stuck_ms = 600000, .report_ms = 600000), &here),
        GR_OK);
    cr_assert_eq(gr_node_configure(there, &quick, NULL), GR_OK);
    cr_assert_eq(gr_node_configure(here, &quick, NULL), GR_OK);
    test_peer_url(url, "ipc");
    cr_assert_eq(gr_serve(there, url, NULL), GR_OK);
    gr_publish(there, "echo", gr_lambda(gr_root(there), GR_CHEAP, echo, NULL, NULL));
    k.far = gr_remote(gr_root(here), url, "echo");
    near = gr_lambda(gr_root(here), GR_ASYNC, compute, NULL, &k);
    gr_value_unref(gr_invoke(here, near, gr_nil(), NULL, NULL));
    cr_assert_eq(k.right, BURST);
    gr_runtime_free(here);
    gr_runtime_free(there);
}
