/* SPDX-License-Identifier: Apache-2.0 */
/* drain_test.c - a node that is about to end: new calls are refused, those under way get their answers. */
#include "tests/support/test.h"

#include <pthread.h>
#include <stdatomic.h>
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
    gr_runtime_free(p->there);
    gr_runtime_free(p->here);
}

static size_t left_of(gr_runtime *rt)
{
    size_t left = 0;

    cr_assert_eq(gr_node_drain(rt, &left), GR_OK);
    return left;
}

/* drains waits until nothing is left. */
static bool drains(gr_runtime *rt)
{
    for (int ms = 0; left_of(rt) > 0; ms++) {
        if (ms == TEST_WAIT_MS)
            return false;
        gr_sleep(rt, 1);
    }
    return true;
}

static void expect_refused(struct pair *p)
{
    gr_value *err = NULL;

    cr_assert_null(gr_invoke(p->here, p->far, gr_int(1), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EUNREACH, "%s", gr_error_text(err));
    cr_assert(gr_error_retryable(err));
    cr_assert_not_null(strstr(gr_error_text(err), "takes no more calls"), "%s", gr_error_text(err));
    gr_value_unref(err);
}

static void check_call(const char *scheme, size_t size)
{
    struct pair p = open_pair(scheme);
    char *text = calloc(size + 1, 1);
    gr_value *err = NULL, *v;
    gr_future *f;

    memset(text, 'x', size);
    f = gr_acall(p.here, p.far, "hold", gr_strn(text, size), NULL);
    cr_assert(test_peer_reaches(p.there, p.near, "held", 1));
    cr_assert_eq(left_of(p.there), (size_t)1);
    expect_refused(&p);
    cr_assert_eq(left_of(p.there), (size_t)1, "what is refused does not stay");
    gr_value_unref(gr_do(p.there, p.near, "let_go", gr_nil(), NULL, NULL));
    cr_assert(drains(p.there));
    gr_runtime_free(p.there); /* at once: the answer has arrived */
    p.there = NULL;
    v = gr_take(f, &err);
    cr_assert_eq(strlen(gr_cstr(v, "")), size, "%s", gr_error_text(err));
    gr_value_unref(v);
    free(text);
    close_pair(&p);
}

Test(drain, a_call_under_way_gets_its_answer_and_others_are_refused)
{
    check_call("ipc", 10);
    check_call("tcp", 10);
}

Test(drain, a_long_answer_arrives_whole)
{
    check_call("ipc", (size_t)8 << 20);
    check_call("tcp", (size_t)8 << 20);
}

Test(drain, a_stream_goes_on_to_its_end)
{
    struct pair p = open_pair("ipc");
    gr_stream *s =
        gr_astream_call(p.here, p.far, "stream",
                        gr_map(GR_KV("n", gr_int(2000)), GR_KV("size", gr_int(1000))), NULL, NULL);
    int chunks = 0;
    gr_outcome o = gr_next(s, -1);

    cr_assert_eq(o.code, GR_OK);
    cr_assert_eq(left_of(p.there), (size_t)1, "nobody reads on, so it can't have ended");
    expect_refused(&p);
    for (; o.code == GR_OK; o = gr_next(s, -1))
        chunks++;
    cr_assert_eq(o.code, GR_EOS);
    cr_assert_eq(chunks, 2000);
    gr_stream_free(s);
    cr_assert(drains(p.there));
    close_pair(&p);
}

Test(drain, what_is_cut_off_may_be_retried)
{
    struct pair p = open_pair("ipc");
    gr_value *err = NULL;
    gr_future *f = gr_acall(p.here, p.far, "wait", gr_nil(), NULL);

    cr_assert(test_peer_reaches(p.there, p.near, "waiting", 1));
    cr_assert_eq(left_of(p.there), (size_t)1);
    gr_runtime_free(p.there);
    p.there = NULL;
    cr_assert_null(gr_take(f, &err));
    cr_assert_eq(gr_error_code(err), GR_EUNREACH, "%s", gr_error_text(err));
    cr_assert(gr_error_retryable(err));
    gr_value_unref(err);
    close_pair(&p);
}

#define LOAD 4000

static gr_value *count(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c;
    atomic_fetch_add((_Atomic int *)arg, 1);
    return gr_value_ref(input);
}

static void *drain_and_free(void *arg)
{
    gr_runtime *rt = arg;

    if (drains(rt))
        gr_runtime_free(rt);
    return NULL;
}

/* What was done there and what is known here to have been done are the same, wherever the drain cuts in. */
static void check_load(const char *scheme, int before)
{
    static _Atomic int done;
    static gr_future *all[LOAD];
    struct pair p = open_pair(scheme);
    pthread_t other;
    int answers = 0;

    atomic_store(&done, 0);
    cr_assert_eq(
        gr_publish(p.there, "count", gr_lambda(gr_root(p.there), GR_CHEAP, count, NULL, &done)),
        GR_OK);
    p.far = gr_remote(gr_root(p.here), p.url, "count");
    for (int i = 0; i < LOAD; i++) {
        if (i == before)
            cr_assert_eq(pthread_create(&other, NULL, drain_and_free, p.there), 0);
        all[i] = gr_ainvoke(p.here, p.far, gr_int(i), NULL);
    }
    pthread_join(other, NULL);
    p.there = NULL;
    for (int i = 0; i < LOAD; i++) {
        gr_value *err = NULL, *v = gr_take(all[i], &err);

        answers += v != NULL;
        cr_assert(v != NULL ? gr_as_int(v, -1) == i : gr_error_retryable(err), "call %d: %s", i,
                  gr_error_text(err));
        gr_value_unref(v);
        gr_value_unref(err);
    }
    cr_assert_eq(answers, atomic_load(&done));
    close_pair(&p);
}

Test(drain, under_load_every_call_that_was_done_is_answered)
{
    for (int before = 0; before < LOAD; before += 500) {
        check_load("ipc", before);
        check_load("tcp", before);
    }
}

Test(drain, who_drains_can_still_call)
{
    struct pair p = open_pair("ipc");
    gr_value *v;

    cr_assert_eq(left_of(p.here), (size_t)0, "no link yet");
    v = gr_invoke(p.here, p.far, gr_int(3), NULL, NULL);
    cr_assert_eq(gr_as_int(v, 0), 3);
    gr_value_unref(v);
    cr_assert(drains(p.here));
    close_pair(&p);
}

Test(drain, needs_a_runtime)
{
    cr_assert_eq(gr_node_drain(NULL, NULL), GR_EINVAL);
}
