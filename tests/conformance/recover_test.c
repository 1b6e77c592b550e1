/* SPDX-License-Identifier: Apache-2.0 */
/* recover_test.c - langchain-core's retry and fallbacks: which errors, streams, batches. */
#include "tests/conformance/cases.h"

TestSuite(recover, .init = set_up, .fini = tear_down, .timeout = 120);

#define AT_ONCE .backoff_ms = -1, .jitter_ms = -1

/* Fails with an error of kind "ValueError", and counts its calls. */
static gr_value *value_error_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c;
    atomic_fetch_add((_Atomic int *)arg, 1);
    return gr_error_with(gr_error(GR_EREMOTE, "p:%s", gr_cstr(input, "bad")), "kind",
                         gr_str("ValueError"));
}

static gr_ref value_error(_Atomic int *calls)
{
    return gr_lambda(root, GR_ASYNC, value_error_fn, NULL, calls);
}

static const char *const key_error[] = { "KeyError" };
static const char *const value_or_rate[] = { "GR_ERATE", "ValueError" };

/* ---- retry ----------------------------------------------------------------------------------- */

Test(recover, ret_01_until_one_succeeds)
{
    struct flaky f = { .failures = 2, .code = GR_EREMOTE };

    invoke_is(gr_with_retry(root, flaky(GR_ASYNC, &f), GR_RETRY(AT_ONCE)), "\"x\"", "\"R:x\"");
    cr_assert_eq(atomic_load(&f.calls), 3);
}

Test(recover, ret_02_the_last_error_comes_as_it_is)
{
    struct flaky f = { .failures = 9, .code = GR_EREMOTE };
    gr_ref r = gr_with_retry(root, flaky(GR_ASYNC, &f), GR_RETRY(AT_ONCE, .attempts = 2));
    gr_value *err = answer(gr_ainvoke(rt, r, gr_str("x"), NULL));

    cr_assert_eq(gr_error_code(err), GR_EREMOTE);
    cr_assert_str_eq(gr_error_text(err), "failure 2");
    gr_value_unref(err);
    cr_assert_eq(atomic_load(&f.calls), 2);
}

Test(recover, ret_03_only_for_the_errors_that_are_named)
{
    _Atomic int calls = 0;

    invoke_fails(gr_with_retry(root, value_error(&calls),
                               GR_RETRY(AT_ONCE, .errors = key_error, .error_count = 1)),
                 "\"x\"", GR_EREMOTE, "p:x");
    cr_assert_eq(atomic_load(&calls), 1);
    invoke_fails(gr_with_retry(root, value_error(&calls),
                               GR_RETRY(AT_ONCE, .errors = value_or_rate, .error_count = 2)),
                 "\"x\"", GR_EREMOTE, "p:x");
    cr_assert_eq(atomic_load(&calls), 4);
}

/* Fails the first time for each input that says so. */
struct once {
    _Atomic int a, b, c;
};

static gr_value *b_fails_once_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    struct once *o = arg;
    const char *text = gr_cstr(input, "");
    _Atomic int *calls = text[0] == 'a' ? &o->a : text[0] == 'b' ? &o->b : &o->c;

    (void)c;
    if (atomic_fetch_add(calls, 1) == 0 && text[0] == 'b')
        return gr_error(GR_EREMOTE, "not yet");
    return gr_strf("R:%s", text);
}

Test(recover, ret_04_a_batch_tries_the_failed_items_again)
{
    struct once o = { 0 };
    gr_ref r = gr_with_retry(root, gr_lambda(root, GR_ASYNC, b_fails_once_fn, NULL, &o),
                             GR_RETRY(AT_ONCE));

    batch_is(r, "[\"a\",\"b\",\"c\"]", "[\"R:a\",\"R:b\",\"R:c\"]");
    cr_assert_eq(atomic_load(&o.a), 1);
    cr_assert_eq(atomic_load(&o.b), 2);
    cr_assert_eq(atomic_load(&o.c), 1);
}

/* A stream that fails a few times, before its first chunk or after it. */
struct shaky {
    _Atomic int calls;
    int failures;
    bool late, cancelled;
};

static gr_code shaky_stream(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    struct shaky *s = gr_as_opaque(gr_args(c));
    bool fails = atomic_fetch_add(&s->calls, 1) < s->failures;
    gr_code rc = GR_OK;

    (void)self, (void)in, (void)args;
    if (s->late || !fails)
        rc = gr_emit(c, gr_str("a"));
    if (rc == GR_OK && fails)
        return gr_fail(c, gr_error(GR_EUNREACH, "lost"));
    return rc == GR_OK ? gr_emit(c, gr_str("b")) : rc;
}

static gr_ref shaky(struct shaky *s)
{
    static const gr_method methods[] = { { "stream", GR_ASYNC, NULL, shaky_stream } };
    static const gr_class cls = GR_CLASS(.name = "shaky", GR_METHODS(methods));

    return gr_spawn(root, &cls, GR_SPAWN(.args = gr_opaque(s, NULL)));
}

/* ret-08: LangChain does not retry streams at all. Here they are, as long as no chunk has come. */
Test(recover, ret_08_a_stream_is_tried_again_until_its_first_chunk)
{
    struct shaky early = { .failures = 2 }, late = { .failures = 1, .late = true },
                 dead = { .failures = 9 };
    gr_value *err = NULL;

    stream_is(gr_with_retry(root, shaky(&early), GR_RETRY(AT_ONCE)), "1", "[\"a\",\"b\"]");
    cr_assert_eq(atomic_load(&early.calls), 3);
    is(chunks(gr_astream(rt, gr_with_retry(root, shaky(&late), GR_RETRY(AT_ONCE)), gr_int(1), NULL),
              &err),
       "[\"a\"]");
    fails_with(err, GR_EUNREACH, "lost");
    cr_assert_eq(atomic_load(&late.calls), 1);
    is(chunks(gr_astream(rt, gr_with_retry(root, shaky(&dead), GR_RETRY(AT_ONCE)), gr_int(1), NULL),
              &err),
       "[]");
    fails_with(err, GR_EUNREACH, "lost");
    cr_assert_eq(atomic_load(&dead.calls), 3);
    stream_is(gr_with_retry(root, letters(""), NULL), "1", "[]");
}

/* a stream that is left while it waits for its next attempt, or for a chunk, ends at once */
Test(recover, ret_08_a_stream_is_left_between_attempts)
{
    struct shaky dead = { .failures = 9 };
    gr_ref r =
        gr_with_retry(root, shaky(&dead),
                      GR_RETRY(.backoff_ms = 3600000, .jitter_ms = -1, .backoff_max_ms = 3600000));
    gr_stream *s = gr_astream(rt, r, gr_int(1), NULL);

    while (atomic_load(&dead.calls) == 0)
        cr_assert_eq(gr_next(s, 1).code, GR_EPENDING);
    cr_assert_eq(gr_next(s, 20).code, GR_EPENDING);
    gr_stream_free(s);
    cr_assert_eq(atomic_load(&dead.calls), 1);
}

static gr_value *rounds_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    uint64_t *at = arg;

    (void)input;
    at[1 + at[0]++] = gr_now_ns(gr_runtime_of(c));
    return gr_error(GR_EUNREACH, "always");
}

/* ret-09: initial * exp_base^(n-1), at most max */
Test(recover, ret_09_waits_grow)
{
    uint64_t at[5] = { 0 };

    invoke_fails(gr_with_retry(root, gr_lambda(root, GR_ASYNC, rounds_fn, NULL, at),
                               GR_RETRY(.attempts = 4, .backoff_ms = 2, .exp_base = 10,
                                        .backoff_max_ms = 30, .jitter_ms = -1)),
                 "1", GR_EUNREACH, "always");
    cr_assert_eq(at[0], 4);
    cr_assert_geq(at[2] - at[1], 2000000u);
    cr_assert_geq(at[3] - at[2], 20000000u);
    cr_assert_geq(at[4] - at[3], 30000000u);
    fails_with(gr_check(rt, gr_with_retry(root, inc(GR_CHEAP), GR_RETRY(.exp_base = 0.5))),
               GR_EINVAL, "exp_base");
}

/* ---- fallbacks ------------------------------------------------------------------------------- */

Test(recover, fb_03_only_for_the_errors_that_are_named)
{
    _Atomic int calls = 0;
    gr_ref never = gr_with_fallbacks_for(root, GR_FALLBACKS(.errors = key_error, .error_count = 1),
                                         value_error(&calls), shout(GR_CHEAP));
    gr_ref does =
        gr_with_fallbacks_for(root, GR_FALLBACKS(.errors = value_or_rate, .error_count = 2),
                              value_error(&calls), shout(GR_CHEAP));
    gr_value *err = NULL;

    invoke_fails(never, "\"x\"", GR_EREMOTE, "p:x");
    is(chunks(gr_astream(rt, never, gr_str("x"), NULL), &err), "[]");
    fails_with(err, GR_EREMOTE, "p:x");
    invoke_is(does, "\"x\"", "\"x!\"");
    stream_is(does, "\"x\"", "[\"x!\"]");
    transform_is(does, "[\"x\",\"y\"]", "[\"xy!\"]");
}

/* "dead" fails everywhere, and its error is that of the first: the others' answers are not touched by it */
static gr_value *but_dead_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    const char *text = gr_cstr(input, "");

    (void)c;
    return strcmp(text, "dead") == 0 ? gr_error(GR_EREMOTE, "%s:dead", (const char *)arg)
                                     : gr_strf("%s:%s", (const char *)arg, text);
}

Test(recover, fb_07_what_fails_everywhere_is_kept_at_its_place)
{
    gr_ref p = gr_lambda(root, GR_ASYNC, but_dead_fn, NULL, (void *)(uintptr_t) "P");
    gr_ref q = gr_lambda(root, GR_ASYNC, but_dead_fn, NULL, (void *)(uintptr_t) "Q");
    gr_ref r = gr_with_fallbacks(root, p, q);

    is(kept(answer(
           gr_abatch(rt, r, json("[\"a\",\"dead\",\"b\"]"), GR_CALL(.return_exceptions = true)))),
       "[\"P:a\",\"!P:dead\",\"P:b\"]");
}

static gr_value *show_error_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    const gr_value *err = gr_get(input, "err");

    (void)c, (void)arg;
    return gr_map(
        GR_KV("t", gr_value_ref(gr_get(input, "t"))),
        GR_KV("err", gr_strf("%s('%s')", gr_cstr(gr_get(err, "kind"), "?"), gr_error_text(err))));
}

Test(recover, fb_04_the_error_goes_into_the_input)
{
    _Atomic int calls = 0;
    gr_ref r = gr_with_fallbacks_for(root, GR_FALLBACKS(.exception_key = "err"),
                                     value_error(&calls), lambda(GR_CHEAP, show_error_fn));

    invoke_is(r, "{\"t\":\"foo\"}", "{\"t\":\"foo\",\"err\":\"ValueError('p:bad')\"}");
    stream_is(r, "{\"t\":\"foo\"}", "[{\"t\":\"foo\",\"err\":\"ValueError('p:bad')\"}]");
}

/* fb-05: the input must be a map; each gets the error of the one just before it */
static gr_value *pass_error_on_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_error(GR_EREMOTE, "after %s", gr_error_text(gr_get(input, "err")));
}

Test(recover, fb_05_each_gets_the_error_before_it)
{
    _Atomic int calls = 0;
    gr_ref r =
        gr_with_fallbacks_for(root, GR_FALLBACKS(.exception_key = "err"), value_error(&calls),
                              lambda(GR_ASYNC, pass_error_on_fn), lambda(GR_CHEAP, show_error_fn));
    gr_value *err = NULL;

    invoke_is(r, "{\"t\":1}", "{\"t\":1,\"err\":\"GR_EREMOTE('after p:bad')\"}");
    invoke_fails(r, "1", GR_ETYPE, "input must be a dict");
    is(chunks(gr_astream(rt, r, gr_int(1), NULL), &err), "[]");
    fails_with(err, GR_ETYPE, "input must be a dict");
}

/* js-04: a call that is cancelled tries no further */
Test(recover, js_04_no_fallback_after_a_cancellation)
{
    static struct gate g = GATE;
    struct flaky next = { 0 };
    gr_future *f =
        gr_ainvoke(rt, gr_with_fallbacks(root, gate(&g), flaky(GR_ASYNC, &next)), gr_int(1), NULL);

    gate_wait(&g, &g.entered, 1);
    gr_future_cancel(f);
    fails_with(answer(f), GR_ECANCELED, "");
    gate_wait(&g, &g.cancelled, 1);
    gr_promise_free(g.promise);
    cr_assert_eq(atomic_load(&next.calls), 0);
}

/* kwargs go to what is called, by retry, fallbacks and branch alike */
static gr_value *kwargs_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg, (void)input;
    return gr_kwargs(c) != NULL ? gr_value_ref(gr_kwargs(c)) : gr_error(GR_EREMOTE, "no kwargs");
}

Test(recover, bind_01_kwargs_go_through)
{
    gr_ref shown = lambda(GR_CHEAP, kwargs_fn), none = boom(GR_ASYNC, "first");
    gr_ref all[] = {
        gr_with_retry(root, shown, GR_RETRY(AT_ONCE)),
        gr_with_fallbacks(root, none, shown),
        gr_branch(root, inc(GR_CHEAP), GR_ARM(lambda(GR_CHEAP, same_fn), shown)),
        gr_with_config(root, shown, json("{\"tags\":[\"t\"]}")),
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        invoke_is(gr_bind(root, all[i], json("{\"a\":1}")), "1", "{\"a\":1}");
        stream_is(gr_bind(root, all[i], json("{\"a\":1}")), "1", "[{\"a\":1}]");
        batch_is(gr_bind(root, gr_each(root, all[i]), json("{\"a\":1}")), "[[1]]", "[[{\"a\":1}]]");
    }
}
