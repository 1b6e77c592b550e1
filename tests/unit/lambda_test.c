/* SPDX-License-Identifier: Apache-2.0 */
/* lambda_test.c - gr_lambda; each test has a runtime of its own (gr_runtime_new). */
#include "tests/support/runnables.h"

TestSuite(lambda, .init = set_up, .fini = tear_down, .timeout = 60);

Test(lambda, every_kind_answers_to_every_verb)
{
    const gr_kind kinds[] = { GR_CHEAP, GR_ASYNC, GR_BLOCKING };

    for (size_t i = 0; i < 3; i++) {
        invoke_is(inc(kinds[i]), "1", "2");
        batch_is(dbl(kinds[i]), "[1,2]", "[2,4]");
        stream_is(inc(kinds[i]), "1", "[2]");
        transform_is(shout(kinds[i]), "[\"a\",\"b\",\"c\"]", "[\"abc!\"]");
    }
}

Test(lambda, an_error_value_fails_the_call)
{
    invoke_fails(boom(GR_CHEAP, "p"), "\"x\"", GR_EREMOTE, "p:x");
    invoke_fails(boom(GR_ASYNC, "p"), "\"x\"", GR_EREMOTE, "p:x");
    invoke_fails(boom(GR_BLOCKING, "p"), "\"x\"", GR_EREMOTE, "p:x");
}

static void count_drop(void *arg)
{
    atomic_fetch_add((_Atomic int *)arg, 1);
}

static gr_value *same_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_value_ref(input);
}

Test(lambda, drop_runs_once_when_the_scope_ends)
{
    _Atomic int drops = 0;
    gr_scope *s = gr_scope_new(root);
    gr_ref r = gr_lambda(s, GR_CHEAP, same_fn, count_drop, &drops);

    invoke_is(r, "\"x\"", "\"x\"");
    cr_assert_eq(atomic_load(&drops), 0);
    gr_scope_free(s);
    cr_assert_eq(atomic_load(&drops), 1);
    invoke_fails(r, "1", GR_EDEAD, "");
}

Test(lambda, drop_runs_when_it_could_not_be_made)
{
    _Atomic int drops = 0;
    gr_ref r = gr_lambda(root, GR_CHEAP, NULL, count_drop, &drops);

    cr_assert_eq(atomic_load(&drops), 1);
    invoke_fails(r, "1", GR_EINVAL, "no function");
    r = gr_lambda(root, (gr_kind)7, same_fn, count_drop, &drops);
    cr_assert_eq(atomic_load(&drops), 2);
    invoke_fails(r, "1", GR_EINVAL, "no such kind");
    gr_lambda(NULL, GR_CHEAP, same_fn, count_drop, &drops);
    cr_assert_eq(atomic_load(&drops), 3);
}

static gr_value *config_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg, (void)input;
    return gr_map(GR_KV("u", gr_value_ref(gr_get(gr_get(gr_config(c), "configurable"), "u"))));
}

Test(lambda, sees_the_config_of_the_call)
{
    const gr_call_opts *opts = GR_CALL(.config = json("{\"configurable\":{\"u\":7}}"));

    is(answer(gr_ainvoke(rt, gr_lambda(root, GR_ASYNC, config_fn, NULL, NULL), gr_nil(), opts)),
       "{\"u\":7}");
}

static gr_value *nested_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_value *err = NULL;
    gr_value *v = gr_invoke(gr_runtime_of(c), *(gr_ref *)arg, gr_value_ref(input), NULL, &err);

    return v != NULL ? v : err;
}

Test(lambda, an_async_one_may_invoke_another)
{
    gr_ref inner = inc(GR_BLOCKING);

    invoke_is(gr_lambda(root, GR_ASYNC, nested_fn, NULL, &inner), "1", "2");
}
