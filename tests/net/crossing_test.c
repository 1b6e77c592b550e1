/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crossing_test.c - values of all lengths cross a link as they are, many at a time: what is long goes from where it is
 * and is received where it stays, what is short goes by bursts, and calls to cheap code are run where they arrive.
 */
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/peer.h"

#define CALLS 60
#define BURST 5000
#define CHUNKS 40

struct pair {
    gr_runtime *here, *there;
    gr_ref same, steps; /* as seen from here */
    char url[128];
};

static gr_value *same(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_value_ref(input);
}

/* text_of makes the n-th value: every third a binary, the others of characters of one to four bytes. */
static gr_value *text_of(unsigned n)
{
    static const size_t sizes[] = { 0, 1, 65519, 65535, 65536, 65537, 200000, 1048576, 3000001 };
    static const char *const chars[] = { "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80" };
    size_t size = sizes[n % 9], at = 0;
    char *bytes = malloc(size + 1);
    gr_value *v;

    for (unsigned i = n; at < size; i = i * 5 + 3) {
        const char *c = chars[i / 8 % 4];

        if (at + strlen(c) > size)
            c = "z";
        memcpy(bytes + at, c, strlen(c));
        at += strlen(c);
    }
    bytes[size] = '\0';
    v = n % 3 == 0 ? gr_bin(bytes, size) : gr_str(bytes);
    free(bytes);
    return v;
}

/* steps streams the first n of them. */
static gr_value *steps(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    for (unsigned i = 0; i < (unsigned)gr_as_int(args, 0); i++)
        if (gr_emit(c, text_of(i)) != GR_OK)
            return gr_error(GR_ECANCELED, "nobody reads any more");
    return gr_nil();
}

static const gr_method steps_methods[] = { { "stream", GR_ASYNC, steps, NULL } };
static const gr_class steps_class = GR_CLASS(.name = "steps", GR_METHODS(steps_methods));

static struct pair open_pair(const char *scheme)
{
    struct pair p;
    gr_value *err = NULL;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &p.here), GR_OK);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &p.there), GR_OK);
    test_peer_url(p.url, scheme);
    cr_assert_eq(gr_serve(p.there, p.url, &err), GR_OK, "%s", gr_error_text(err));
    cr_assert_eq(
        gr_publish(p.there, "same", gr_lambda(gr_root(p.there), GR_CHEAP, same, NULL, NULL)),
        GR_OK);
    cr_assert_eq(gr_publish(p.there, "steps", gr_spawn(gr_root(p.there), &steps_class, NULL)),
                 GR_OK);
    p.same = gr_remote(gr_root(p.here), p.url, "same");
    p.steps = gr_remote(gr_root(p.here), p.url, "steps");
    return p;
}

static void close_pair(struct pair *p)
{
    gr_runtime_free(p->here);
    gr_runtime_free(p->there);
}

static void all_cross(const char *scheme)
{
    struct pair p = open_pair(scheme);
    gr_future *fs[CALLS];

    for (unsigned i = 0; i < CALLS; i++)
        fs[i] = gr_ainvoke(p.here, p.same, text_of(i), NULL);
    for (unsigned i = 0; i < CALLS; i++) {
        gr_value *err = NULL, *v = gr_take(fs[i], &err), *wanted = text_of(i);

        cr_assert_not_null(v, "call %u: %s", i, gr_error_text(err));
        cr_assert(gr_equal(v, wanted), "call %u", i);
        gr_value_unref(v);
        gr_value_unref(wanted);
    }
    close_pair(&p);
}

Test(crossing, values_of_all_lengths_at_a_time_over_ipc)
{
    all_cross("ipc");
}

Test(crossing, values_of_all_lengths_at_a_time_over_tcp)
{
    all_cross("tcp");
}

Test(crossing, a_long_text_within_something_else)
{
    struct pair p = open_pair("ipc");
    gr_value *v = gr_map(GR_KV("a", gr_list(text_of(7), gr_int(1))), GR_KV("b", text_of(8)));
    gr_value *err = NULL, *back = gr_invoke(p.here, p.same, gr_value_ref(v), NULL, &err);

    cr_assert(gr_equal(v, back), "%s", gr_error_text(err));
    gr_value_unref(v);
    gr_value_unref(back);
    close_pair(&p);
}

Test(crossing, a_stream_of_them_keeps_its_order)
{
    struct pair p = open_pair("ipc");
    gr_stream *s = gr_astream(p.here, p.steps, gr_int(CHUNKS), NULL);
    gr_outcome o;
    unsigned n = 0;

    while ((o = gr_next(s, -1)).code == GR_OK) {
        gr_value *wanted = text_of(n++), *err = NULL;
        /* other calls are made between two chunks, which wait meanwhile */
        gr_value *v = gr_invoke(p.here, p.same, gr_int(n), NULL, &err);

        cr_assert_eq(gr_as_int(v, 0), n);
        cr_assert(gr_equal(o.value, wanted), "chunk %u", n);
        gr_value_unref(v);
        gr_value_unref(wanted);
    }
    cr_assert_eq(o.code, GR_EOS);
    cr_assert_eq(n, CHUNKS);
    gr_stream_free(s);
    close_pair(&p);
}

struct burst {
    gr_ref same;
    bool right;
};

/* burst has all calls under way before it awaits the first: each is sent as it is made, and run as it arrives. */
static gr_value *burst(gr_ctx *c, void *arg, const gr_value *input)
{
    static gr_future *fs[BURST];
    struct burst *b = arg;

    (void)input;
    for (unsigned i = 0; i < BURST; i++)
        fs[i] = gr_ainvoke(gr_runtime_of(c), b->same, gr_int(i), NULL);
    for (unsigned i = 0; i < BURST; i++) {
        gr_value *v = gr_take(fs[i], NULL);

        b->right = b->right && gr_as_int(v, -1) == (int64_t)i;
        gr_value_unref(v);
    }
    return gr_nil();
}

Test(crossing, a_burst_of_short_calls_has_all_its_answers)
{
    struct pair p = open_pair("ipc");
    struct burst b = { p.same, true };
    gr_ref r = gr_lambda(gr_root(p.here), GR_ASYNC, burst, NULL, &b);

    for (int i = 0; i < 3; i++)
        gr_value_unref(gr_invoke(p.here, r, gr_nil(), NULL, NULL));
    cr_assert(b.right);
    close_pair(&p);
}

/* What is cancelled at once may be on its way already: each call ends, one way or the other. */
Test(crossing, a_burst_that_is_cancelled_ends)
{
    struct pair p = open_pair("ipc");
    static gr_future *fs[BURST];

    gr_value_unref(gr_invoke(p.here, p.same, gr_int(0), NULL, NULL));
    for (unsigned i = 0; i < 500; i++)
        fs[i] = gr_ainvoke(p.here, p.same, text_of(i % 7), NULL);
    for (unsigned i = 0; i < 500; i += 2)
        gr_future_cancel(fs[i]);
    for (unsigned i = 0; i < 500; i++) {
        gr_outcome o = gr_await(fs[i], -1);

        cr_assert(o.code == GR_OK || (i % 2 == 0 && o.code == GR_ECANCELED));
        gr_future_free(fs[i]);
    }
    close_pair(&p);
}
