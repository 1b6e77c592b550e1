/* SPDX-License-Identifier: Apache-2.0 */
/* configurable_test.c - langchain-core's configurable fields and alternatives. */
#include "tests/conformance/cases.h"

TestSuite(configurable, .init = set_up, .fini = tear_down, .timeout = 120);

static gr_value *invoke_with(gr_ref r, const char *input, const char *configurable)
{
    return answer(gr_ainvoke(rt, r, json(input),
                             GR_CALL(.config = gr_map(GR_KV("configurable", json(configurable))))));
}

static gr_ref inc_or_dbl(void)
{
    return gr_configurable_alternatives(root, inc(GR_CHEAP), GR_ALTERNATIVES(.id = "which"),
                                        GR_STEP("dbl", dbl(GR_ASYNC)),
                                        GR_STEP("ab", letters("ab")));
}

Test(configurable, con_02_alternatives)
{
    gr_ref r = inc_or_dbl();
    gr_call_opts o = { .size = sizeof(o) };

    invoke_is(r, "5", "6");
    is(invoke_with(r, "5", "{\"which\":\"default\"}"), "6");
    is(invoke_with(r, "5", "{\"which\":\"dbl\"}"), "10");
    fails_with(invoke_with(r, "5", "{\"which\":\"x\"}"), GR_EINVAL, "Unknown alternative: x");
    o.config = json("{\"configurable\":{\"which\":\"ab\"}}");
    chunks_are(gr_astream(rt, r, gr_nil(), &o), "[\"a\",\"b\"]");
    batch_is(r, "[1,2]", "[2,3]");
    o.config = json("[{\"configurable\":{\"which\":\"dbl\"}},{}]");
    is(answer(gr_abatch(rt, r, json("[5,5]"), &o)), "[10,6]");
    fails_with(gr_check(rt, gr_configurable_alternatives_n(root, r, NULL, NULL, 0)), GR_EINVAL,
               "no id");
}

/* an unknown key of a config is configurable, and steps of a chain see it */
Test(configurable, con_02_steps_are_chosen_by_the_chains_config)
{
    gr_ref r =
        gr_seq(root, inc_or_dbl(), gr_with_config(root, inc_or_dbl(), json("{\"which\":\"dbl\"}")));

    invoke_is(r, "5", "12");
    is(answer(gr_ainvoke(rt, r, json("5"), GR_CALL(.config = json("{\"which\":\"dbl\"}")))), "20");
}

/* ---- fields ---------------------------------------------------------------------------------- */

static gr_value *affix_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c;
    return gr_strf("%s%s%s", gr_cstr(gr_get(arg, "before"), ""), gr_cstr(input, "?"),
                   gr_cstr(gr_get(arg, "after"), ""));
}

static void unref(void *v)
{
    gr_value_unref(v);
}

static gr_ref make_affix(gr_scope *in, void *arg, const gr_value *fields)
{
    atomic_fetch_add((_Atomic int *)arg, 1);
    return gr_lambda(in, GR_ASYNC, affix_fn, unref, gr_value_ref(fields));
}

static gr_ref affix(_Atomic int *made)
{
    return gr_configurable_fields(root, make_affix, NULL, made,
                                  { .name = "before", .id = "b", .otherwise = gr_str("<") },
                                  { .name = "after",
                                    .otherwise = gr_str("angle"),
                                    .options = json("{\"angle\":\">\",\"square\":\"]\"}") });
}

Test(configurable, con_01_fields)
{
    _Atomic int made = 0;
    gr_ref r = affix(&made);
    gr_call_opts o = { .size = sizeof(o) };

    invoke_is(r, "\"x\"", "\"<x>\"");
    stream_is(r, "\"x\"", "[\"<x>\"]");
    cr_assert_eq(atomic_load(&made), 1);
    is(invoke_with(r, "\"x\"", "{\"b\":\"[\",\"after\":\"square\"}"), "\"[x]\"");
    cr_assert_eq(atomic_load(&made), 2);
    fails_with(invoke_with(r, "\"x\"", "{\"after\":\"round\"}"), GR_EINVAL, "no option 'round'");
    o.config = json("{\"b\":\"(\"}");
    chunks_are(gr_astream(rt, r, gr_str("x"), &o), "[\"(x>\"]");
    o.config = json("[{\"b\":\"(\"},{}]");
    is(answer(gr_abatch(rt, r, json("[\"x\",\"y\"]"), &o)), "[\"(x>\",\"<y>\"]");
}

/* con-03: a prefix tells which alternative's field is meant */
Test(configurable, con_03_prefixed_keys)
{
    _Atomic int made = 0;
    gr_ref r = gr_configurable_alternatives(root, affix(&made),
                                            GR_ALTERNATIVES(.id = "which", .prefix_keys = true),
                                            GR_STEP("other", affix(&made)));

    is(invoke_with(r, "\"x\"", "{\"which==default/b\":\"(\",\"which==other/b\":\"{\"}"), "\"(x>\"");
    is(invoke_with(r, "\"x\"",
                   "{\"which\":\"other\",\"which==default/b\":\"(\",\"which==other/b\":\"{\"}"),
       "\"{x>\"");
    is(invoke_with(r, "\"x\"", "{\"b\":\"!\"}"), "\"!x>\"");
}

/* con-04: an alternative's own keys can be configured, too, under its prefix unless they are shared */
Test(configurable, con_04_config_specs_of_all_alternatives)
{
    _Atomic int made = 0;
    gr_ref shared = gr_configurable_fields(
        root, make_affix, NULL, &made,
        { .name = "before", .otherwise = gr_str("<"), .is_shared = true, .title = "Before" },
        { .name = "after", .otherwise = gr_str(""), .description = "what comes last" });
    gr_ref plain = gr_configurable_alternatives(root, inc(GR_CHEAP), GR_ALTERNATIVES(.id = "which"),
                                                GR_STEP("s", shared));
    gr_ref prefixed = gr_configurable_alternatives(
        root, shared,
        GR_ALTERNATIVES(.id = "which", .prefix_keys = true, .default_key = "d", .name = "Which"),
        GR_STEP("inc", inc(GR_CHEAP)), GR_STEP("s", shared));
    gr_value *whole = gr_describe(rt, plain, NULL);

    is(gr_value_ref(gr_get(whole, "config_specs")),
       "[{\"id\":\"after\",\"name\":\"after\",\"default\":\"\",\"description\":\"what comes last\"},"
       "{\"id\":\"before\",\"name\":\"Before\",\"default\":\"<\",\"is_shared\":true},"
       "{\"id\":\"which\",\"default\":\"default\",\"options\":[\"s\",\"default\"]}]");
    gr_value_unref(whole);
    is(gr_config_schema(rt, prefixed, NULL, 0, NULL),
       "{\"title\":\"RunnableLambdaConfig\",\"type\":\"object\",\"properties\":{\"configurable\":{"
       "\"title\":\"Configurable\",\"type\":\"object\",\"properties\":{"
       "\"before\":{\"title\":\"Before\",\"default\":\"<\"},"
       "\"which\":{\"title\":\"Which\",\"default\":\"d\",\"enum\":[\"inc\",\"s\",\"d\"]},"
       "\"which==d/after\":{\"title\":\"after\",\"description\":\"what comes last\",\"default\":\"\"},"
       "\"which==s/after\":{\"title\":\"after\",\"description\":\"what comes last\",\"default\":\"\"}}}}}");
}

/* an option that the config leaves empty is the default's */
Test(configurable, con_01_an_empty_option_is_the_default)
{
    _Atomic int made = 0;
    gr_ref r = affix(&made);

    is(invoke_with(r, "\"x\"", "{\"after\":\"\"}"), "\"<x>\"");
    is(invoke_with(r, "\"x\"", "{\"after\":null}"), "\"<x>\"");
    is(invoke_with(r, "\"x\"", "{\"after\":[\"square\",\"angle\"]}"), "\"<x\"");
}

static void count_drop(void *arg)
{
    atomic_fetch_add((_Atomic int *)arg, 1);
}

static gr_ref make_nothing(gr_scope *in, void *arg, const gr_value *fields)
{
    (void)in, (void)arg, (void)fields;
    return (gr_ref){ 0, 0 };
}

Test(configurable, what_cant_be_made_is_broken)
{
    _Atomic int drops = 0;
    gr_value *err;

    fails_with(gr_check(rt, gr_configurable_fields_n(root, NULL, count_drop, &drops, NULL, 0)),
               GR_EINVAL, "no function");
    fails_with(gr_check(rt, gr_configurable_fields(root, make_affix, count_drop, &drops,
                                                   { .name = NULL, .otherwise = gr_str("x") })),
               GR_EINVAL, "no name");
    fails_with(gr_check(rt, gr_configurable_fields(root, make_affix, count_drop, &drops,
                                                   { .name = "a", .options = gr_int(1) })),
               GR_ETYPE, "must be a map");
    fails_with(gr_check(rt, gr_configurable_fields(root, make_affix, count_drop, &drops,
                                                   { .name = "a",
                                                     .otherwise = gr_str("no"),
                                                     .options = json("{\"yes\":1}") })),
               GR_EINVAL, "no option 'no'");
    err = gr_check(rt, gr_configurable_fields_n(root, make_nothing, count_drop, &drops, NULL, 0));
    cr_assert_not_null(err);
    gr_value_unref(err);
    cr_assert_eq(atomic_load(&drops), 5);
}
