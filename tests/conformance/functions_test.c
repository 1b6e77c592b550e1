/* SPDX-License-Identifier: Apache-2.0 */
/* functions_test.c - langchain-core's lambda, generator, passthrough and pick. */
#include <time.h>

#include "tests/conformance/cases.h"

TestSuite(functions, .init = set_up, .fini = tear_down, .timeout = 120);

/* ---- lambdas that answer with runnables ------------------------------------------------------ */

static gr_ref returned; /* what returning_fn answers with */

static gr_value *returning_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg, (void)input;
    return gr_ref_value(returned);
}

static gr_ref returns(gr_kind kind, gr_ref r)
{
    returned = r;
    return lambda(kind, returning_fn);
}

static gr_ref returns_async(void)
{
    return returns(GR_ASYNC, shout(GR_ASYNC));
}
static gr_ref blocking_returns(void)
{
    return returns(GR_BLOCKING, shout(GR_CHEAP));
}
static gr_ref returns_stream(void)
{
    return returns(GR_ASYNC, letters("abc"));
}
static gr_ref returns_boom(void)
{
    return returns(GR_ASYNC, boom(GR_CHEAP, "returned"));
}
static gr_ref in_a_sequence(void)
{
    return gr_seq(root, shout(GR_CHEAP), returns_async(), returns_async());
}
static gr_ref identity(void)
{
    return lambda(GR_ASYNC, same_fn);
}

/* A lambda that answers with itself until it was called so many times. */
struct hops {
    gr_ref self;
    _Atomic int calls;
    int wanted;
};

static gr_value *hop_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    struct hops *h = arg;

    (void)c;
    if (atomic_fetch_add(&h->calls, 1) == h->wanted)
        return gr_value_ref(input);
    return gr_ref_value(h->self);
}

static gr_value *hop(int wanted, int limit, bool stream)
{
    struct hops h = { .wanted = wanted };
    gr_call_opts o = { .size = sizeof(o) };
    gr_value *v;

    h.self = gr_lambda(root, GR_ASYNC, hop_fn, NULL, &h);
    if (limit != 0)
        o.config = gr_map(GR_KV("recursion_limit", gr_int(limit)));
    if (!stream) {
        v = answer(gr_ainvoke(rt, h.self, gr_int(7), &o));
    } else {
        gr_value *err = NULL;

        v = gr_stream_take(gr_astream(rt, h.self, gr_int(7), &o), &err);
        v = v != NULL ? v : err;
    }
    if (gr_error_code(v) == GR_OK)
        cr_assert_eq(atomic_load(&h.calls), wanted + 1);
    return v;
}

Test(functions, lam_03_a_lambda_may_answer_with_itself)
{
    for (int stream = 0; stream < 2; stream++) {
        is(hop(10, 0, stream), "7");
        is(hop(25, 0, stream), "7");
        is(hop(10, 10, stream), "7");
    }
}

Test(functions, lam_04_under_recursion_limit)
{
    for (int stream = 0; stream < 2; stream++) {
        gr_value *err = hop(10, 9, stream);

        cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), ""), "recursion");
        cr_assert_not(gr_error_retryable(err));
        fails_with(err, GR_EFULL, "Recursion limit reached");
        fails_with(hop(26, 0, stream), GR_EFULL, "Recursion limit reached");
        fails_with(hop(1, -1, stream), GR_EFULL, "Recursion limit reached");
    }
}

/* cheap code can't hand its call over: there a ref is the answer */
Test(functions, a_cheap_lambda_answers_with_the_ref)
{
    gr_ref r = shout(GR_CHEAP);
    gr_value *v = answer(gr_ainvoke(rt, returns(GR_CHEAP, r), gr_nil(), NULL));

    cr_assert_eq(gr_as_ref(v).id, r.id);
    gr_value_unref(v);
}

Test(functions, lam_05_a_ref_that_is_gone_fails_the_lambda)
{
    gr_ref gone = shout(GR_CHEAP);

    gr_stop(rt, gone);
    fails_with(answer(gr_ainvoke(rt, returns(GR_ASYNC, gone), gr_nil(), NULL)), GR_EDEAD, "");
}

/* ---- what a lambda sees ---------------------------------------------------------------------- */

static gr_value *config_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_value *full = gr_ensure_config(gr_value_ref(gr_config(c)));
    gr_value *shown =
        gr_map(GR_KV("tags", gr_value_ref(gr_get(full, "tags"))),
               GR_KV("u", gr_value_ref(gr_get(gr_get(full, "configurable"), "u"))),
               GR_KV("recursion_limit", gr_value_ref(gr_get(full, "recursion_limit"))));

    (void)arg, (void)input;
    gr_value_unref(full);
    return shown;
}

Test(functions, lam_06_a_lambda_sees_its_config)
{
    for (gr_kind kind = GR_CHEAP; kind <= GR_BLOCKING; kind++)
        is(answer(gr_ainvoke(
               rt, lambda(kind, config_fn), gr_int(1),
               GR_CALL(.config = json("{\"tags\":[\"t\"],\"configurable\":{\"u\":7}}")))),
           "{\"tags\":[\"t\"],\"u\":7,\"recursion_limit\":25}");
}

/* lam-13: two blocking functions, which wait for each other and for a ticker, run at once */
struct meeting {
    _Atomic int inside, ticks;
};

static gr_value *meet_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    struct meeting *m = arg;
    struct timespec t = { .tv_nsec = 1000000 };

    (void)c;
    atomic_fetch_add(&m->inside, 1);
    for (int i = 0; i < TEST_WAIT_MS; i++) {
        if (atomic_load(&m->inside) == 2 && atomic_load(&m->ticks) >= 5)
            return gr_value_ref(input);
        nanosleep(&t, NULL);
    }
    return gr_error(GR_ETIMEDOUT, "alone");
}

static gr_value *tick_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    struct meeting *m = arg;

    (void)input;
    while (atomic_load(&m->inside) < 2 || atomic_load(&m->ticks) < 5) {
        if (gr_sleep(gr_runtime_of(c), 1) != GR_OK)
            break;
        atomic_fetch_add(&m->ticks, atomic_load(&m->inside) == 2);
    }
    return gr_nil();
}

Test(functions, lam_13_blocking_functions_run_at_once)
{
    struct meeting m = { 0 };
    gr_ref meet = gr_lambda(root, GR_BLOCKING, meet_fn, NULL, &m);
    gr_future *ticker =
        gr_ainvoke(rt, gr_lambda(root, GR_ASYNC, tick_fn, NULL, &m), gr_nil(), NULL);
    gr_future *a = gr_ainvoke(rt, meet, gr_int(1), NULL);
    gr_future *b = gr_ainvoke(rt, meet, gr_int(2), NULL);

    is(answer(a), "1");
    is(answer(b), "2");
    is(answer(ticker), "null");
}

/* core-17: what a function fails with is an error, never the end of a stream */
static gr_value *stop_iteration_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg, (void)input;
    return gr_error_with(gr_error(GR_EREMOTE, "stop"), "kind", gr_str("StopIteration"));
}

static gr_value *eos_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg, (void)input;
    return gr_error(GR_EOS, "the end?");
}

Test(functions, core_17_an_error_is_no_end_of_stream)
{
    for (gr_kind kind = GR_CHEAP; kind <= GR_BLOCKING; kind++) {
        gr_value *err = NULL;

        is(chunks(gr_astream(rt, lambda(kind, stop_iteration_fn), gr_str("x"), NULL), &err), "[]");
        fails_with(err, GR_EREMOTE, "stop");
        fails_with(answer(gr_ainvoke(rt, lambda(kind, eos_fn), gr_str("x"), NULL)), GR_EOS, "end");
    }
}

/* ---- generators ------------------------------------------------------------------------------ */

static gr_code doubled_fn(gr_ctx *c, void *arg, gr_stream *in)
{
    gr_outcome o;

    (void)arg;
    while ((o = gr_next(in, -1)).code == GR_OK) {
        gr_code rc = gr_emit(c, gr_strf("%s%s", gr_cstr(o.value, "?"), gr_cstr(o.value, "?")));

        if (rc != GR_OK)
            return rc;
    }
    return o.code == GR_EOS ? GR_OK : gr_fail(c, gr_value_ref(o.error));
}

static gr_code a_then_raises_fn(gr_ctx *c, void *arg, gr_stream *in)
{
    gr_code rc = gr_emit(c, gr_str("a"));

    (void)arg, (void)in;
    return rc != GR_OK ? rc : gr_fail(c, gr_error(GR_EREMOTE, "after a"));
}

static gr_code nothing_fn(gr_ctx *c, void *arg, gr_stream *in)
{
    (void)c, (void)arg, (void)in;
    return GR_OK;
}

static gr_ref async_doubled(void)
{
    return gr_generator(root, GR_ASYNC, doubled_fn, NULL, NULL);
}
static gr_ref blocking_doubled(void)
{
    return gr_generator(root, GR_BLOCKING, doubled_fn, NULL, NULL);
}
static gr_ref a_then_raises(void)
{
    return gr_generator(root, GR_ASYNC, a_then_raises_fn, NULL, NULL);
}
static gr_ref nothing(void)
{
    return gr_generator(root, GR_ASYNC, nothing_fn, NULL, NULL);
}
static gr_ref streams_all_along(void)
{
    return gr_seq(root, letters("abc"), async_doubled(), each_upper(), blocking_doubled());
}

static void count_drop(void *arg)
{
    atomic_fetch_add((_Atomic int *)arg, 1);
}

Test(functions, a_generator_that_cant_be_made_is_broken)
{
    static _Atomic int drops; /* the last one drops when the runtime ends */

    fails_with(gr_check(rt, gr_generator(root, GR_CHEAP, doubled_fn, count_drop, &drops)),
               GR_EINVAL, "can't be cheap");
    fails_with(gr_check(rt, gr_generator(root, GR_ASYNC, NULL, count_drop, &drops)), GR_EINVAL,
               "no function");
    cr_assert_eq(atomic_load(&drops), 2);
    gr_stop(rt, gr_generator(root, GR_ASYNC, doubled_fn, count_drop, &drops));
}

/* ---- passthrough with a tap, pick ------------------------------------------------------------ */

static gr_value *seen_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the items of a batch come at once */
    gr_value **seen = arg;

    (void)c;
    pthread_mutex_lock(&lock);
    gr_value_unref(*seen);
    *seen = gr_value_ref(input);
    pthread_mutex_unlock(&lock);
    return gr_str("dropped");
}

Test(functions, pas_02_a_tap_sees_the_whole_input)
{
    gr_value *seen = NULL;
    gr_ref r;

    for (gr_kind kind = GR_CHEAP; kind <= GR_BLOCKING; kind++) {
        r = gr_passthrough_tap(root, gr_lambda(root, kind, seen_fn, NULL, &seen));
        invoke_is(r, "1", "1");
        is(gr_value_ref(seen), "1");
        transform_is(r, "[\"a\",\"b\",\"c\"]", "[\"a\",\"b\",\"c\"]");
        is(gr_value_ref(seen), "\"abc\"");
        stream_is(r, "\"x\"", "[\"x\"]");
        batch_is(r, "[1,2]", "[1,2]");
    }
    gr_value_unref(seen);
}

/* Greenroom's maps are all addable, so the tap sees their sum, as with AddableDict */
Test(functions, pas_03_a_tap_sees_the_sum_of_maps)
{
    gr_value *seen = NULL;
    gr_ref r = gr_passthrough_tap(root, gr_lambda(root, GR_ASYNC, seen_fn, NULL, &seen));

    transform_is(r, "[{\"foo\":\"a\"},{\"foo\":\"n\"}]", "[{\"foo\":\"a\"},{\"foo\":\"n\"}]");
    is(seen, "{\"foo\":\"an\"}");
}

Test(functions, pas_04_a_tap_that_fails_fails_the_call)
{
    gr_ref r = gr_passthrough_tap(root, boom(GR_ASYNC, "tap"));
    gr_value *err = NULL;

    invoke_fails(r, "\"x\"", GR_EREMOTE, "tap:x");
    is(chunks(gr_atransform(rt, r, gr_stream_of(rt, json("[\"a\",\"b\"]")), NULL), &err),
       "[\"a\",\"b\"]");
    fails_with(err, GR_EREMOTE, "tap:ab");
}

static gr_ref pick_a_b(void)
{
    return gr_pick_keys(root, "a", "b");
}

static const struct expectation cases[] = {
    { "lam-05", returns_async, INVOKE, "\"x\"", "\"x!\"", 0 },
    { "lam-05", blocking_returns, INVOKE, "\"x\"", "\"x!\"", 0 },
    { "lam-05", returns_async, BATCH, "[\"x\",\"y\"]", "[\"x!\",\"y!\"]", 0 },
    { "lam-05", in_a_sequence, INVOKE, "\"x\"", "\"x!!!\"", 0 },
    { "lam-05", returns_boom, INVOKE_FAILS, "\"x\"", "returned:x", GR_EREMOTE },
    { "lam-09", identity, TRANSFORM, "[{\"foo\":\"a\"},{\"foo\":\"n\"}]", "[{\"foo\":\"an\"}]", 0 },
    { "lam-11", returns_stream, STREAM, "\"_\"", "[\"a\",\"b\",\"c\"]", 0 },
    { "lam-11", returns_stream, TRANSFORM, "[\"_\"]", "[\"a\",\"b\",\"c\"]", 0 },
    { "lam-11", returns_async, STREAM, "\"x\"", "[\"x!\"]", 0 },
    { "gen-01", async_doubled, TRANSFORM, "[\"a\",\"b\"]", "[\"aa\",\"bb\"]", 0 },
    { "gen-01", async_doubled, INVOKE, "\"a\"", "\"aa\"", 0 },
    { "gen-01", async_doubled, BATCH, "[\"a\",\"b\"]", "[\"aa\",\"bb\"]", 0 },
    { "gen-01", nothing, INVOKE, "\"a\"", "null", 0 },
    /* there is one function for both twins, so neither is refused */
    { "gen-02", async_doubled, STREAM, "\"a\"", "[\"aa\"]", 0 },
    { "gen-03", streams_all_along, STREAM, "\"_\"", "[\"AAAA\",\"BBBB\",\"CCCC\"]", 0 },
    { "gen-06", a_then_raises, STREAM_FAILS, "\"_\"", "[\"a\"]", GR_EREMOTE },
    { "gen-06", a_then_raises, INVOKE_FAILS, "\"_\"", "after a", GR_EREMOTE },
    /* a blocking one has its thread, where LangChain refuses it */
    { "gen-07", blocking_doubled, TRANSFORM, "[\"a\",\"b\"]", "[\"aa\",\"bb\"]", 0 },
    { "pick-01", pick_a_b, INVOKE, "{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":1,\"b\":2}", 0 },
    { "pick-01", pick_a_b, INVOKE, "{\"c\":3}", "null", 0 },
    { "pick-01", pick_a_b, INVOKE_FAILS, "3", "must be a dict", GR_ETYPE },
    { "pick-02", pick_a_b, TRANSFORM, "[{\"a\":1},{\"c\":2},{\"b\":3,\"c\":4}]",
      "[{\"a\":1},{\"b\":3}]", 0 },
};

Test(functions, what_langchain_core_gives)
{
    check_all(cases, sizeof(cases) / sizeof(cases[0]));
}
