/* SPDX-License-Identifier: Apache-2.0 */
/* retry_test.c - gr_with_retry; each test has a runtime of its own (gr_runtime_new). */
#include "tests/support/runnables.h"

TestSuite(retry, .init = set_up, .fini = tear_down, .timeout = 60);

#define AT_ONCE .backoff_ms = -1, .jitter_ms = -1

static gr_ref retried(gr_kind kind, struct flaky *f, unsigned attempts)
{
    return gr_with_retry(root, flaky(kind, f), GR_RETRY(.attempts = attempts, AT_ONCE));
}

Test(retry, tries_until_it_succeeds)
{
    for (int kind = GR_CHEAP; kind <= GR_BLOCKING; kind++) {
        struct flaky f = { .failures = 2, .code = GR_EUNREACH };

        invoke_is(retried((gr_kind)kind, &f, 0), "\"x\"", "\"R:x\"");
        cr_assert_eq(atomic_load(&f.calls), 3);
    }
}

Test(retry, the_last_error_is_the_one_given)
{
    for (int kind = GR_CHEAP; kind <= GR_BLOCKING; kind++) {
        struct flaky f = { .failures = 9, .code = GR_EREMOTE };

        invoke_fails(retried((gr_kind)kind, &f, 2), "\"x\"", GR_EREMOTE, "failure 2");
        cr_assert_eq(atomic_load(&f.calls), 2);
    }
}

Test(retry, final_errors_are_not_tried_again)
{
    const gr_code final[] = { GR_EINVAL, GR_ETYPE, GR_ECANCELED, GR_EPROTO };

    for (size_t i = 0; i < sizeof(final) / sizeof(final[0]); i++) {
        struct flaky f = { .failures = 9, .code = final[i] };

        invoke_fails(retried(GR_CHEAP, &f, 3), "\"x\"", final[i], "failure 1");
        cr_assert_eq(atomic_load(&f.calls), 1);
    }
}

Test(retry, all_errors_are_when_asked_for)
{
    struct flaky f = { .failures = 9, .code = GR_EINVAL };
    struct flaky g = { .failures = 9, .code = GR_ECANCELED };
    const gr_retry_opts *all = GR_RETRY(.attempts = 3, .all_errors = true, AT_ONCE);

    invoke_fails(gr_with_retry(root, flaky(GR_ASYNC, &f), all), "\"x\"", GR_EINVAL, "failure 3");
    invoke_fails(gr_with_retry(root, flaky(GR_ASYNC, &g), all), "\"x\"", GR_ECANCELED, "failure 1");
}

static gr_value *flaky_item(gr_ctx *c, void *arg, const gr_value *input)
{
    struct flaky *f = arg;

    (void)c;
    if (strcmp(gr_cstr(input, ""), "b") == 0 || strcmp(gr_cstr(input, ""), "dead") == 0) {
        int call = atomic_fetch_add(&f->calls, 1) + 1;

        if (call <= f->failures)
            return gr_error(GR_EREMOTE, "no %s yet", gr_cstr(input, ""));
    }
    return gr_strf("R:%s", gr_cstr(input, "?"));
}

Test(retry, a_batch_tries_only_what_failed)
{
    struct flaky f = { .failures = 1 }, dead = { .failures = 99 };
    gr_ref r =
        gr_with_retry(root, gr_lambda(root, GR_ASYNC, flaky_item, NULL, &f), GR_RETRY(AT_ONCE));
    gr_value *list;

    batch_is(r, "[\"a\",\"b\",\"c\"]", "[\"R:a\",\"R:b\",\"R:c\"]");
    cr_assert_eq(atomic_load(&f.calls), 2);

    r = gr_with_retry(root, gr_lambda(root, GR_ASYNC, flaky_item, NULL, &dead),
                      GR_RETRY(.attempts = 2, AT_ONCE));
    list = answer(gr_abatch(rt, r, json("[\"a\",\"dead\"]"), GR_CALL(.return_exceptions = true)));
    cr_assert_str_eq(gr_cstr(gr_at(list, 0), ""), "R:a");
    cr_assert_eq(gr_error_code(gr_at(list, 1)), GR_EREMOTE);
    gr_value_unref(list);
    cr_assert_eq(atomic_load(&dead.calls), 2);
}

Test(retry, waits_at_least_as_long_as_the_error_asks)
{
    struct flaky f = { .failures = 1, .code = GR_ERATE, .retry_after_ms = 30 };
    uint64_t before = gr_now_ns(rt);

    invoke_is(retried(GR_CHEAP, &f, 2), "\"x\"", "\"R:x\"");
    cr_assert_geq(gr_now_ns(rt) - before, 30u * 1000000u);
}

Test(retry, the_wait_doubles)
{
    struct flaky f = { .failures = 3, .code = GR_EUNREACH };
    gr_ref r = gr_with_retry(root, flaky(GR_ASYNC, &f),
                             GR_RETRY(.attempts = 4, .backoff_ms = 5, .jitter_ms = -1));
    uint64_t before = gr_now_ns(rt);

    invoke_is(r, "\"x\"", "\"R:x\"");
    cr_assert_geq(gr_now_ns(rt) - before, (5u + 10u + 20u) * 1000000u);
}

Test(retry, no_attempt_after_the_deadline)
{
    struct flaky f = { .failures = 9, .code = GR_EUNREACH };
    gr_ref r = gr_with_retry(root, flaky(GR_CHEAP, &f), GR_RETRY(.backoff_ms = 60000));

    /* the wait would pass the deadline, so the error comes at once */
    fails_with(answer(gr_ainvoke(rt, r, gr_str("x"), GR_CALL(.timeout_ms = 30000))), GR_EUNREACH,
               "failure 1");
    cr_assert_eq(atomic_load(&f.calls), 1);
}

Test(retry, cancelling_ends_the_wait)
{
    struct flaky f = { .failures = 9, .code = GR_EUNREACH };
    gr_ref r = gr_with_retry(root, flaky(GR_ASYNC, &f),
                             GR_RETRY(.backoff_ms = 3600000, .backoff_max_ms = 3600000));
    gr_scope *s = gr_scope_new(root);
    gr_future *call = gr_ainvoke(rt, r, gr_str("x"), GR_CALL(.scope = s));

    while (atomic_load(&f.calls) == 0)
        gr_sleep(rt, 1);
    gr_scope_free(s); /* joins: returns only when the call has let go */
    fails_with(answer(call), GR_ECANCELED, "");
    cr_assert_eq(atomic_load(&f.calls), 1);
}

Test(retry, cancelling_reaches_the_attempt)
{
    struct gate g = GATE;
    gr_future *f = gr_ainvoke(rt, gr_with_retry(root, gate(&g), NULL), gr_int(1), NULL);

    gate_wait(&g, &g.entered, 1);
    gr_future_cancel(f);
    fails_with(answer(f), GR_ECANCELED, "");
    gate_wait(&g, &g.cancelled, 1);
    gate_open(&g, gr_int(1));
}

Test(retry, streams_are_not_retried)
{
    gr_value *err = NULL;

    stream_is(gr_with_retry(root, letters("ab"), NULL), "1", "[\"a\",\"b\"]");
    transform_is(gr_with_retry(root, each_upper(), NULL), "[\"a\"]", "[\"A\"]");
    is(chunks(gr_astream(rt, gr_with_retry(root, letters("a!"), NULL), gr_nil(), NULL), &err),
       "[\"a\"]");
    fails_with(err, GR_EREMOTE, "letters fail");
}

Test(retry, of_a_broken_ref_is_that_ref)
{
    invoke_fails(gr_with_retry(root, gr_seq_n(root, NULL, 0), NULL), "1", GR_EINVAL, "no steps");
}
