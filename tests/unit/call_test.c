/* SPDX-License-Identifier: Apache-2.0 */
/* call_test.c - verbs, options, configuration, sub-calls, deadlocks. */
#include <stdio.h>

#include "tests/support/engine.h"

TestSuite(call, .init = engine_up, .fini = engine_down);

static gr_ref target;

static gr_value *config_of(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    return gr_config(c) != NULL ? gr_value_ref(gr_config(c)) : gr_nil();
}

/* sub calls the target's config with a config of its own, if it is given one. */
static gr_value *sub(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *err = NULL;
    gr_value *v = gr_do(gr_runtime_of(c), target, "config", gr_nil(),
                        GR_CALL(.config = gr_is_nil(args) ? NULL : gr_value_ref(args)), &err);

    (void)self;
    return v != NULL ? v : err;
}

static gr_value *nothing(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self, (void)args;
    return NULL;
}

static gr_value *broken(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self, (void)args;
    return gr_str("\xff");
}

static gr_value *whichever(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    return gr_str(gr_verb(c));
}

static const gr_method methods[] = { { "config", GR_CHEAP, config_of, NULL },
                                     { "sub", GR_ASYNC, sub, NULL },
                                     { "nothing", GR_CHEAP, nothing, NULL },
                                     { "broken", GR_CHEAP, broken, NULL } };
static const gr_class cls = GR_CLASS(.name = "configured", GR_METHODS(methods));
static const gr_method any_methods[] = { { "*", GR_CHEAP, whichever, NULL } };
static const gr_class any_class = GR_CLASS(.name = "any", GR_METHODS(any_methods));

Test(call, a_verb_that_is_lacking)
{
    gr_ref a = gr_spawn(root, &cls, GR_SPAWN(.name = "the one"));
    gr_value *err = NULL;

    cr_assert_null(gr_do(rt, a, "sing", gr_str("taken"), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_ETYPE);
    cr_assert_not_null(strstr(gr_error_text(err), "sing"));
    cr_assert_str_eq(gr_cstr(gr_get(err, "where"), ""), "the one");
    gr_value_unref(err);
    cr_assert_eq(code_of(gr_ainvoke(rt, a, gr_nil(), NULL)), GR_ETYPE);
}

Test(call, no_verb_and_no_value)
{
    gr_ref a = gr_spawn(root, &cls, NULL);

    cr_assert_eq(
        code_of(gr_acall(rt, a, NULL, gr_str("taken"), GR_CALL(.config = gr_map_n(NULL, 0)))),
        GR_EINVAL);
    cr_assert_eq(code_of(gr_acall(rt, a, "config", NULL, NULL)), GR_EINVAL);
    cr_assert_eq(code_of(gr_acall(rt, a, "config", gr_str("\xff"), NULL)), GR_EINVAL);
    cr_assert_eq(code_of(gr_acall(rt, a, "config", gr_nil(), GR_CALL(.config = gr_str("\xff")))),
                 GR_EINVAL);
    cr_assert_eq(code_of(gr_acall(rt, a, "nothing", gr_nil(), NULL)), GR_EINVAL);
    cr_assert_eq(code_of(gr_acall(rt, a, "broken", gr_nil(), NULL)), GR_EINVAL);
}

Test(call, the_star_takes_all_verbs)
{
    gr_ref a = gr_spawn(root, &any_class, NULL);

    json_is(gr_do(rt, a, "whatever", gr_nil(), NULL, NULL), "\"whatever\"");
    json_is(gr_invoke(rt, a, gr_nil(), NULL, NULL), "\"invoke\"");
}

/* Verbs are numbered, and the numbers can run out: a method whose verb gets none must not take
 * all the others. */
Test(call, verbs_are_bounded)
{
    static const gr_method late_methods[] = { { "a verb too late", GR_CHEAP, whichever, NULL } };
    static const gr_class late = GR_CLASS(.name = "late", GR_METHODS(late_methods));
    gr_ref a = gr_spawn(root, &cls, NULL);
    gr_code rc = GR_ETYPE;
    char verb[32];

    for (int i = 0; rc == GR_ETYPE && i < 100000; i++) {
        snprintf(verb, sizeof(verb), "verb %d", i);
        rc = code_of(gr_acall(rt, a, verb, gr_nil(), NULL));
    }
    cr_assert_eq(rc, GR_EFULL);
    cr_assert_neq(code_of(gr_ainvoke(rt, gr_spawn(root, &late, NULL), gr_nil(), NULL)), GR_OK);
    cr_assert_eq(code_of(gr_acall(rt, a, "config", gr_nil(), NULL)), GR_OK);
}

/* ---- configuration --------------------------------------------------------------------------- */

Test(call, a_sub_call_inherits_the_config_without_what_names_the_run)
{
    gr_ref a = gr_spawn(root, &cls, NULL);

    target = a;
    json_is(gr_do(rt, a, "sub", gr_nil(), NULL, NULL), "null");
    json_is(
        gr_do(rt, a, "sub", gr_nil(),
              GR_CALL(.config = json_of("{\"tags\": [1], \"run_name\": \"x\", \"run_id\": \"y\"}")),
              NULL),
        "{\"tags\": [1]}");
    json_is(gr_do(rt, a, "sub", json_of("{\"tags\": [2], \"more\": 3}"),
                  GR_CALL(.config = json_of("{\"tags\": [1], \"kept\": true}")), NULL),
            "{\"tags\": [2], \"configurable\": {\"kept\": true, \"more\": 3}}");
    json_is(gr_do(rt, a, "sub", json_of("{\"own\": 1}"), NULL, NULL),
            "{\"configurable\": {\"own\": 1}}");
}

/* ---- deadlocks ------------------------------------------------------------------------------- */

static gr_value *call_other(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *err = NULL, *v;

    (void)self;
    v = gr_invoke(gr_runtime_of(c), gr_as_ref(gr_at(args, 0)),
                  gr_len(args) > 1
                      ? gr_list(gr_value_ref(gr_at(args, 1)), gr_value_ref(gr_at(args, 0)))
                      : gr_nil(),
                  NULL, &err);
    return v != NULL ? v : err;
}

static gr_value *call_self(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *err = NULL;
    gr_value *v = gr_do(gr_runtime_of(c), gr_self(c), "plain", gr_value_ref(args), NULL, &err);

    (void)self;
    return v != NULL ? v : err;
}

static gr_value *plain(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    return gr_value_ref(args);
}

static const gr_method cycle_methods[] = { { "invoke", GR_ASYNC, call_other, NULL },
                                           { "self", GR_ASYNC, call_self, NULL },
                                           { "block", GR_BLOCKING, call_self, NULL },
                                           { "plain", GR_CHEAP, plain, NULL } };
static const gr_class cycle_class =
    GR_CLASS(.name = "cycle", .state_size = 1, GR_METHODS(cycle_methods));
static const gr_class open_class =
    GR_CLASS(.name = "open", .state_size = 1, .reentrant = true, GR_METHODS(cycle_methods));

Test(call, a_cycle_through_exclusive_actors_fails)
{
    gr_ref a = gr_spawn(root, &cycle_class, NULL), b = gr_spawn(root, &cycle_class, NULL);

    cr_assert_eq(code_of(gr_ainvoke(rt, a, gr_list(gr_ref_value(b), gr_ref_value(a)), NULL)),
                 GR_EDEADLK);
    cr_assert_eq(code_of(gr_acall(rt, a, "self", gr_int(1), NULL)), GR_EDEADLK);
    cr_assert_eq(code_of(gr_acall(rt, a, "block", gr_int(1), NULL)), GR_EDEADLK);
    cr_assert_eq(int_of(gr_acall(rt, a, "plain", gr_int(1), NULL)), 1, "both are free again");
    cr_assert_eq(int_of(gr_acall(rt, b, "plain", gr_int(1), NULL)), 1);
}

/* pass_on calls the first of a list of actors with the others. */
static gr_value *pass_on(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *rest = gr_list_n(NULL, 0), *err = NULL, *v;

    (void)self;
    for (size_t i = 1; i < gr_len(args); i++)
        rest = gr_append(rest, gr_value_ref(gr_at(args, i)));
    if (gr_len(args) == 0)
        return rest;
    v = gr_invoke(gr_runtime_of(c), gr_as_ref(gr_at(args, 0)), rest, NULL, &err);
    return v != NULL ? v : err;
}

static const gr_method pass_on_methods[] = { { "invoke", GR_ASYNC, pass_on, NULL } };
static const gr_class passing_class = GR_CLASS(.name = "passing", GR_METHODS(pass_on_methods));
static const gr_class keeping_class =
    GR_CLASS(.name = "keeping", .state_size = 1, GR_METHODS(pass_on_methods));

Test(call, a_cycle_is_found_however_long_it_is)
{
    gr_ref a = gr_spawn(root, &keeping_class, NULL), b = gr_spawn(root, &keeping_class, NULL);
    gr_ref s = gr_spawn(root, &passing_class, NULL);

    cr_assert_eq(code_of(gr_ainvoke(rt, s,
                                    gr_list(gr_ref_value(a), gr_ref_value(s), gr_ref_value(s),
                                            gr_ref_value(s), gr_ref_value(a)),
                                    NULL)),
                 GR_EDEADLK);
    cr_assert_eq(
        code_of(gr_ainvoke(
            rt, a, gr_list(gr_ref_value(s), gr_ref_value(b), gr_ref_value(s), gr_ref_value(a)),
            NULL)),
        GR_EDEADLK);
    cr_assert_eq(code_of(gr_ainvoke(
                     rt, a, gr_list(gr_ref_value(s), gr_ref_value(s), gr_ref_value(b)), NULL)),
                 GR_OK);
}

Test(call, reentrant_actors_may_call_themselves)
{
    gr_ref a = gr_spawn(root, &open_class, NULL);

    cr_assert_eq(int_of(gr_acall(rt, a, "self", gr_int(5), NULL)), 5);
}

/* A handler that waits for another call gives its permit back, so nested limits can't lock each
 * other up. */
Test(call, a_limit_of_one_does_not_stop_calls_to_oneself)
{
    gr_ref a = gr_spawn(root, &open_class, GR_SPAWN(.max_concurrency = 1));
    gr_future *fs[10];

    for (int i = 0; i < 10; i++)
        fs[i] = gr_acall(rt, a, "self", gr_int(i), NULL);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(int_of(fs[i]), i);
}

/* ---- two runtimes ---------------------------------------------------------------------------- */

static gr_runtime *far;
static gr_ref far_echo;

static gr_value *across(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *err = NULL;
    gr_value *v = gr_invoke(far, far_echo, gr_value_ref(args), NULL, &err);

    (void)c, (void)self;
    return v != NULL ? v : err;
}

static const gr_method across_methods[] = { { "invoke", GR_ASYNC, across, NULL } };
static const gr_class across_class = GR_CLASS(.name = "across", GR_METHODS(across_methods));

Test(call, two_runtimes_await_each_other)
{
    gr_ref a = gr_spawn(root, &across_class, NULL);
    gr_runtime *mine = rt;
    gr_future *fs[100];

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &far), GR_OK);
    rt = far;
    root = gr_root(far);
    far_echo = nap();
    rt = mine;
    root = gr_root(mine);
    for (int i = 0; i < 100; i++)
        fs[i] = gr_ainvoke(rt, a, gr_int(i % 5), NULL);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(int_of(fs[i]), i % 5);
    cr_assert_eq(code_of(gr_ainvoke(rt, far_echo, gr_nil(), NULL)), GR_EUNREACH);
    gr_runtime_free(far);
}
