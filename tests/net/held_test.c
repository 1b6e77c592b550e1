/* SPDX-License-Identifier: Apache-2.0 */
/* held_test.c - the arguments of the calls that one link has here are bounded by their bytes. */
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/peer.h"

#define BOUND (1 << 20)
#define SIZE 300000 /* three are within the bound */

struct pair {
    gr_runtime *here, *there;
    gr_ref near, far;
};

static struct pair open_pair(const char *scheme, int64_t args_bytes)
{
    struct pair p;
    char url[128];

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &p.here), GR_OK);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &p.there), GR_OK);
    cr_assert_eq(gr_node_configure(p.there, GR_NODE(.args_bytes = args_bytes), NULL), GR_OK);
    test_peer_url(url, scheme);
    p.near = test_peer_publish(p.there);
    cr_assert_eq(gr_serve(p.there, url, NULL), GR_OK);
    p.far = gr_remote(gr_root(p.here), url, "all");
    return p;
}

static void close_pair(struct pair *p)
{
    gr_runtime_free(p->here);
    gr_runtime_free(p->there);
}

static gr_value *text(size_t size)
{
    char *s = malloc(size);
    gr_value *v;

    memset(s, 'x', size);
    v = gr_strn(s, size);
    free(s);
    return v;
}

static gr_future *hold(struct pair *p, size_t size)
{
    return gr_acall(p->here, p->far, "hold", text(size), NULL);
}

static void refused(gr_future *f)
{
    gr_value *err = NULL;

    cr_assert_null(gr_take(f, &err));
    cr_assert_eq(gr_error_code(err), GR_EFULL, "%s", gr_error_text(err));
    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), ""), "NotServed");
    cr_assert_not_null(strstr(gr_error_text(err), "args_bytes"), "%s", gr_error_text(err));
    gr_value_unref(err);
}

static void answered(gr_future *f, size_t size)
{
    gr_value *err = NULL, *v = gr_take(f, &err);

    cr_assert_eq(gr_len(v), size, "%s", gr_error_text(err));
    gr_value_unref(v);
}

/* is_answered_soon: the cancellation is not waited for, so its end may take a moment. */
static bool is_answered_soon(struct pair *p, size_t size)
{
    for (int ms = 0; ms < TEST_WAIT_MS; ms++) {
        gr_value *v = gr_invoke(p->here, p->far, text(size), NULL, NULL);
        bool well = gr_len(v) == size;

        gr_value_unref(v);
        if (well)
            return true;
        gr_sleep(p->here, 1);
    }
    return false;
}

static void fill_and_let_go(struct pair *p)
{
    gr_future *held[3];
    gr_stream *s;

    for (int i = 0; i < 3; i++)
        held[i] = hold(p, SIZE);
    cr_assert(test_peer_reaches(p->there, p->near, "held", 3));
    refused(hold(p, SIZE));
    s = gr_astream_call(p->here, p->far, "stream",
                        gr_map(GR_KV("n", gr_int(1)), GR_KV("x", text(SIZE))), NULL, NULL);
    cr_assert_eq(gr_next(s, TEST_WAIT_MS).code, GR_EFULL, "streams count, too");
    gr_stream_free(s);
    answered(gr_ainvoke(p->here, p->far, text(1000), NULL), 1000);
    gr_value_unref(gr_do(p->there, p->near, "let_go", gr_nil(), NULL, NULL));
    for (int i = 0; i < 3; i++)
        answered(held[i], SIZE);
}

Test(held, calls_beyond_the_bytes_of_a_link_are_refused_until_others_are_over)
{
    struct pair p = open_pair("ipc", BOUND);

    for (int round = 0; round < 3; round++) /* it has all come back */
        fill_and_let_go(&p);
    close_pair(&p);
}

Test(held, a_call_that_is_cancelled_gives_its_bytes_back)
{
    struct pair p = open_pair("tcp", BOUND);

    for (int i = 0; i < 10; i++) {
        gr_future *f = gr_acall(p.here, p.far, "wait", text(SIZE * 3), NULL);

        cr_assert(test_peer_reaches(p.there, p.near, "waiting", i + 1));
        gr_future_free(f);
        cr_assert(test_peer_reaches(p.there, p.near, "cancelled", i + 1));
        cr_assert(is_answered_soon(&p, SIZE * 3));
    }
    close_pair(&p);
}

Test(held, by_default_it_is_more_than_the_longest_frame)
{
    struct pair p = open_pair("ipc", 0);
    gr_future *held[3];

    for (int i = 0; i < 3; i++) { /* one by one: what waits to be sent is bounded, too */
        held[i] = hold(&p, 15 << 20);
        cr_assert(test_peer_reaches(p.there, p.near, "held", i + 1));
    }
    gr_value_unref(gr_do(p.there, p.near, "let_go", gr_nil(), NULL, NULL));
    for (int i = 0; i < 3; i++)
        answered(held[i], 15 << 20);
    close_pair(&p);
}

Test(held, the_bound_is_checked)
{
    gr_runtime *rt = NULL;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &rt), GR_OK);
    cr_assert_eq(gr_node_configure(rt, GR_NODE(.args_bytes = 1), NULL), GR_EINVAL);
    cr_assert_eq(gr_node_configure(rt, GR_NODE(.args_bytes = -1), NULL), GR_EINVAL);
    gr_runtime_free(rt);
}
