/* SPDX-License-Identifier: Apache-2.0 */
/* few_shot_test.c - prompts with examples, fixed or chosen. */
#include <greenroom/greenroom.h>

#include "tests/support/json_check.h"
#include "tests/support/memory.h"
#include "tests/support/test.h"

static gr_runtime *rt;
static gr_scope *root;

static void start(void)
{
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
    root = gr_root(rt);
}

static void stop(void)
{
    gr_runtime_free(rt);
}

TestSuite(few_shot, .init = start, .fini = stop);

static bool gives(gr_ref r, const char *input, const char *expected)
{
    gr_value *err = NULL, *v = gr_invoke(rt, r, json(input), NULL, &err);

    if (v == NULL)
        fprintf(stderr, "%s\n", gr_error_text(err));
    gr_value_unref(err);
    return v != NULL && is(v, expected);
}

static bool fails(gr_ref r, const char *input, const char *text)
{
    gr_value *err = NULL, *v = gr_invoke(rt, r, json(input), NULL, &err);
    bool as_wanted = v == NULL && strstr(gr_error_text(err), text) != NULL;

    if (!as_wanted)
        fprintf(stderr, "%s\n", v == NULL ? gr_error_text(err) : "no failure");
    gr_value_unref(v);
    gr_value_unref(err);
    return as_wanted;
}

#define PAIRS "[{\"q\":\"1+1\",\"a\":\"2\"},{\"q\":\"{x}\",\"a\":\"y z\"}]"

Test(few_shot, a_text)
{
    gr_ref p =
        gr_few_shot_prompt(root, GR_FEW_SHOT(.examples = json(PAIRS), .example = "Q {q} A {a}",
                                             .prefix = "In {lang}:", .suffix = "Q {q}",
                                             .partial = json("{\"lang\":\"C\"}")));
    gr_ref bare = gr_few_shot_prompt(
        root, GR_FEW_SHOT(.examples = json(PAIRS), .example = "{a}", .separator = ","));

    cr_assert(gives(p, "{\"q\":\"2+2\"}", "\"In C:\\n\\nQ 1+1 A 2\\n\\nQ {x} A y z\\n\\nQ 2+2\""));
    cr_assert(gives(p, "\"3\"", "\"In C:\\n\\nQ 1+1 A 2\\n\\nQ {x} A y z\\n\\nQ 3\""));
    cr_assert(fails(p, "{}", "missing variables {'q'}"));
    cr_assert(gives(bare, "null", "\"2,y z\""));
}

Test(few_shot, messages)
{
    gr_role before[] = { GR_ROLE("system", "Add.") };
    gr_role after[] = { GR_ROLE("placeholder", "{h}"), GR_ROLE("human", "{q}") };
    gr_ref p = gr_few_shot_chat_prompt(
        root,
        GR_FEW_SHOT_CHAT(.examples = json(PAIRS),
                         GR_ROLES(GR_ROLE("human", "{q}"), GR_ROLE("ai", "{a}")), .before = before,
                         .before_count = 1, .after = after, .after_count = 2));
    gr_ref alone = gr_few_shot_chat_prompt(
        root, GR_FEW_SHOT_CHAT(.examples = json("[]"), GR_ROLES(GR_ROLE("human", "{q}"))));

    cr_assert(gives(
        p, "{\"q\":\"5\"}",
        "[{\"type\":\"system\",\"content\":\"Add.\"},{\"type\":\"human\",\"content\":\"1+1\"},"
        "{\"type\":\"ai\",\"content\":\"2\"},{\"type\":\"human\",\"content\":\"{x}\"},"
        "{\"type\":\"ai\",\"content\":\"y z\"},{\"type\":\"human\",\"content\":\"5\"}]"));
    cr_assert(gives(alone, "null", "[]"));
}

Test(few_shot, what_is_wrong_is_said)
{
    gr_ref selector = gr_length_selector(root, GR_LENGTH_SELECTOR(.example = "{q}"));

    cr_assert(fails(gr_few_shot_prompt(root, NULL), "null", "one of the two"));
    cr_assert(fails(gr_few_shot_prompt(root, GR_FEW_SHOT(.examples = json("[]"),
                                                         .selector = selector, .example = "x")),
                    "null", "one of the two"));
    cr_assert(fails(gr_few_shot_prompt(root, GR_FEW_SHOT(.examples = json("[]"))), "null",
                    "needs the template"));
    cr_assert(fails(gr_few_shot_prompt(root, GR_FEW_SHOT(.examples = json("[3]"), .example = "x")),
                    "null", "example 1 is a value of type int"));
    cr_assert(fails(gr_few_shot_prompt(
                        root, GR_FEW_SHOT(.examples = json("[]"), .example = "x", .suffix = "{")),
                    "null", "suffix: line 1"));
    cr_assert(fails(
        gr_few_shot_prompt(root, GR_FEW_SHOT(.examples = json("[{\"q\":1},{}]"), .example = "{q}")),
        "null", "Input to example 2 is missing variables {'q'}"));
    cr_assert(fails(gr_few_shot_chat_prompt(root, GR_FEW_SHOT_CHAT(.examples = json("[]"))), "null",
                    "needs the messages"));
    cr_assert(fails(gr_few_shot_chat_prompt(root, GR_FEW_SHOT_CHAT(.examples = json("[]"),
                                                                   GR_ROLES(GR_ROLE("x", "y")),
                                                                   .partial = gr_map_n(NULL, 0))),
                    "null", "message 1: unknown role"));
}

static gr_value *call(gr_ref r, const char *verb, const char *args)
{
    gr_value *err = NULL, *v = gr_do(rt, r, verb, json(args), NULL, &err);

    return v != NULL ? v : err;
}

Test(few_shot, chosen_by_length)
{
    gr_ref s = gr_length_selector(
        root, GR_LENGTH_SELECTOR(.examples = json("[{\"t\":\"one\"},{\"t\":\"two words\"},"
                                                  "{\"t\":\"three words here\"}]"),
                                 .example = "{t}", .max_length = 6, .examples_max = 4));
    gr_ref p = gr_few_shot_prompt(
        root, GR_FEW_SHOT(.selector = s, .example = "{t}", .suffix = "{q}", .separator = "|"));
    gr_value *v;

    cr_assert(
        is(call(s, "select_examples", "{\"q\":\"a\"}"), "[{\"t\":\"one\"},{\"t\":\"two words\"}]"));
    cr_assert(is(call(s, "select_examples", "{\"q\":\"a b c d\"}"), "[{\"t\":\"one\"}]"));
    cr_assert(is(call(s, "select_examples", "{\"q\":\"a b\\nc d\",\"r\":\"e f\"}"), "[]"));
    cr_assert(gives(p, "{\"q\":\"a b c d\"}", "\"one|a b c d\""));
    gr_value_unref(call(s, "add_example", "{\"t\":\"x\"}"));
    v = call(s, "add_example", "{\"t\":\"x\"}");
    cr_assert_eq(gr_error_code(v), GR_EFULL);
    gr_value_unref(v);
    v = call(s, "select_examples", "3");
    cr_assert_eq(gr_error_code(v), GR_ETYPE);
    gr_value_unref(v);
    cr_assert(fails(gr_few_shot_prompt(root, GR_FEW_SHOT(.selector = gr_length_selector(root, NULL),
                                                         .example = "x")),
                    "null", "needs the template of an example"));
}

Test(few_shot, chosen_by_likeness)
{
    gr_ref store = gr_memory_store(root, gr_hash_embeddings(root, 0));
    gr_ref s = gr_similarity_selector(
        root, store,
        GR_SIMILARITY_SELECTOR(.examples = json("[{\"word\":\"happy cat\",\"tone\":\"glad\"},"
                                                "{\"word\":\"tall tree\",\"tone\":\"high\"}]"),
                               .k = 1, .input_keys = json("[\"word\"]"),
                               .example_keys = json("[\"tone\"]")));
    gr_ref roles = gr_few_shot_chat_prompt(
        root, GR_FEW_SHOT_CHAT(.selector = s, GR_ROLES(GR_ROLE("ai", "{tone}"))));
    gr_value *id;

    cr_assert(is(call(s, "select_examples", "{\"word\":\"a tall tree\",\"other\":\"happy cat\"}"),
                 "[{\"tone\":\"high\"}]"));
    id = call(s, "add_example", "{\"word\":\"blue sea\",\"tone\":\"calm\"}");
    cr_assert_eq(gr_value_type(id), GR_STR);
    gr_value_unref(id);
    cr_assert(
        is(call(s, "select_examples", "{\"word\":\"the blue sea\"}"), "[{\"tone\":\"calm\"}]"));
    cr_assert(
        gives(roles, "{\"word\":\"happy cats\"}", "[{\"type\":\"ai\",\"content\":\"glad\"}]"));
    cr_assert(
        fails(gr_similarity_selector(root, store, GR_SIMILARITY_SELECTOR(.input_keys = gr_int(1))),
              "{}", "input_keys: expected a list of texts"));
}

/* A store of one's own that can tell apart what is like the query from what is like each other. */
static gr_value *mmr_search(gr_ctx *c, void *self, const gr_value *query)
{
    (void)c;
    (void)self;
    return gr_list(
        gr_map(GR_KV("page_content", gr_str("")),
               GR_KV("metadata", gr_map(GR_KV("fetch_k", gr_value_ref(gr_get(query, "fetch_k"))),
                                        GR_KV("k", gr_value_ref(gr_get(query, "k")))))));
}

static const gr_method own_methods[] = {
    { "max_marginal_relevance_search", GR_CHEAP, mmr_search, NULL },
};
static const gr_class own_class = GR_CLASS(.name = "OwnStore", GR_METHODS(own_methods));

Test(few_shot, by_mmr_where_the_store_has_it)
{
    gr_ref own = gr_similarity_selector(root, gr_spawn(root, &own_class, NULL),
                                        GR_SIMILARITY_SELECTOR(.mmr = true, .k = 2));
    gr_ref plain = gr_similarity_selector(root, gr_memory_store(root, gr_hash_embeddings(root, 0)),
                                          GR_SIMILARITY_SELECTOR(.mmr = true));
    gr_value *v;

    cr_assert(is(call(own, "select_examples", "{}"), "[{\"fetch_k\":20,\"k\":2}]"));
    v = call(plain, "select_examples", "{}");
    cr_assert(gr_error_code(v) == GR_ETYPE || gr_value_type(v) == GR_LIST);
    gr_value_unref(v);
}
