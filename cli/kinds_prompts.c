/* SPDX-License-Identifier: Apache-2.0 */
/* kinds_prompts.c - the kinds that make prompts of examples and files, and what is done with messages. */
#include <string.h>

#include "cli/chain_build.h"
#include "cli/chain_kinds.h"
#include "runtime/base/alloc.h"

#define KEYS(array) .keys = (array), .key_count = sizeof(array) / sizeof((array)[0])
#define EXAMPLES                                                                                   \
    { "examples", GRI_ARG_ROWS, false, 0, 0, "maps of variables; these, or a selector" },          \
    {                                                                                              \
        "selector", GRI_ARG_ACTOR, false, 0, 0, "who chooses them"                                 \
    }
#define PARTIAL                                                                                    \
    {                                                                                              \
        "partial", GRI_ARG_DATA, false, 0, 0, "variables that need not be in the input"            \
    }
#define FORMAT                                                                                     \
    {                                                                                              \
        "format", GRI_ARG_TEXT, false, 0, 0, GRI_TEMPLATE_FORMATS                                  \
    }

static const struct gri_chain_key few_shot_keys[] = {
    EXAMPLES,
    { "example", GRI_ARG_TEXT, true, 0, 0, "the template of an example" },
    { "prefix", GRI_ARG_TEXT, false, 0, 0, "a template before the examples" },
    { "suffix", GRI_ARG_TEXT, false, 0, 0, "and one behind them" },
    { "separator", GRI_ARG_TEXT, false, 0, 0, "between all of these; default two line ends" },
    PARTIAL,
    FORMAT,
};
static const struct gri_chain_key few_shot_chat_keys[] = {
    EXAMPLES,
    { "example", GRI_ARG_ROLES, true, 0, 0, "the messages of an example, as in chat_prompt" },
    { "before", GRI_ARG_ROLES, false, 0, 0, "messages before the examples" },
    { "after", GRI_ARG_ROLES, false, 0, 0, "and behind them" },
    PARTIAL,
    FORMAT,
};
static const struct gri_chain_key structured_prompt_keys[] = {
    { "messages", GRI_ARG_ROLES, true, 0, 0, "as in chat_prompt" },
    { "schema", GRI_ARG_DATA, true, 0, 0, "JSON Schema with a title" },
    PARTIAL,
    FORMAT,
    GRI_STRUCTURED_KEYS,
};
static const struct gri_chain_key length_selector_keys[] = {
    { "examples", GRI_ARG_ROWS, false, 0, 0, "maps of variables" },
    { "example", GRI_ARG_TEXT, true, 0, 0, "the template by which one is measured" },
    { "max_length", GRI_ARG_INT, false, 1, 1e9,
      "words of the variables and the examples; default 2048" },
    { "examples_max", GRI_ARG_INT, false, 1, 1e9, "how many it keeps; default 65536" },
    FORMAT,
};
static const struct gri_chain_key similarity_selector_keys[] = {
    { "store", GRI_ARG_ACTOR, true, 0, 0, "where the examples are, as documents' metadata" },
    { "examples", GRI_ARG_ROWS, false, 0, 0, "put into the store when the chain starts" },
    { "k", GRI_ARG_INT, false, 1, 10000, "how many are chosen; default 4" },
    { "input_keys", GRI_ARG_TEXTS, false, 0, 0, "the variables that count; default all" },
    { "example_keys", GRI_ARG_TEXTS, false, 0, 0, "of a chosen example, these; default all" },
    { "filter", GRI_ARG_DATA, false, 0, 0, "metadata that a document must have" },
    { "mmr", GRI_ARG_BOOL, false, 0, 0,
      "by max_marginal_relevance_search, which the store must have; memory_store has not; default false" },
    { "fetch_k", GRI_ARG_INT, false, 1, 10000, "of so many; default 20" },
};
static const struct gri_chain_key load_prompt_keys[] = {
    { "path", GRI_ARG_TEXT, true, 0, 0,
      "a .json or .yaml file as langchain-core's load_prompt has it, seen from the chain file" },
};
static const struct gri_chain_key trim_messages_keys[] = {
    { "max_tokens", GRI_ARG_INT, true, 0, 1e9, "what the messages that are kept may have" },
    { "strategy", GRI_ARG_TEXT, false, 0, 0,
      "last, the default, keeps the last ones; first the first ones" },
    { "allow_partial", GRI_ARG_BOOL, false, 0, 0,
      "a part of a message may be kept; default false" },
    { "include_system", GRI_ARG_BOOL, false, 0, 0,
      "a system message at the beginning is kept; default false" },
    { "start_on", GRI_ARG_KEYS, false, 0, 0, "types of messages that the rest may begin with" },
    { "end_on", GRI_ARG_KEYS, false, 0, 0, "and end with" },
    { "counter", GRI_ARG_ACTOR, false, 0, 0,
      "who counts, by get_num_tokens_from_messages; default by the number of characters" },
};
static const struct gri_chain_key filter_messages_keys[] = {
    { "include_names", GRI_ARG_KEYS, false, 0, 0, "messages of these names" },
    { "exclude_names", GRI_ARG_KEYS, false, 0, 0, "none of these names" },
    { "include_types", GRI_ARG_KEYS, false, 0, 0, "messages of these types" },
    { "exclude_types", GRI_ARG_KEYS, false, 0, 0, "none of these types" },
    { "include_ids", GRI_ARG_KEYS, false, 0, 0, "messages of these ids" },
    { "exclude_ids", GRI_ARG_KEYS, false, 0, 0, "none of these ids" },
    { "exclude_tool_calls", GRI_ARG_BOOL, false, 0, 0,
      "no tool calls and no answers to them; default false" },
    { "exclude_tool_call_ids", GRI_ARG_TEXTS, false, 0, 0, "none of the tool calls of these ids" },
};
static const struct gri_chain_key merge_message_runs_keys[] = {
    { "separator", GRI_ARG_TEXT, false, 0, 0, "between their texts; default a line's end" },
};

/* data_or_null makes what a key may hold; NULL: it is not there. */
static gr_value *data_or_null(const struct gri_chain_node *args, const char *key)
{
    const struct gri_chain_node *n = gri_chain_get(args, key);

    return n != NULL ? gri_build_data(n) : NULL;
}

/* names_or_null makes a list of texts of a text or a list; numbers count as their text. */
static gr_value *names_or_null(const struct gri_chain_node *args, const char *key)
{
    const struct gri_chain_node *n = gri_chain_get(args, key);

    if (n == NULL)
        return NULL;
    return n->type == GRI_CHAIN_LIST ? gri_build_texts(n) : gr_list(gr_str(gri_chain_text(n)));
}

static gr_ref build_few_shot(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    gr_ref selector = gri_build_actor(b, gri_chain_get(args, "selector"));

    return gr_few_shot_prompt(b->in, GR_FEW_SHOT(.examples = data_or_null(args, "examples"),
                                                 .selector = selector,
                                                 .example = gri_arg_text(args, "example", NULL),
                                                 .prefix = gri_arg_text(args, "prefix", NULL),
                                                 .suffix = gri_arg_text(args, "suffix", NULL),
                                                 .separator = gri_arg_text(args, "separator", NULL),
                                                 .partial = data_or_null(args, "partial"),
                                                 .format = gri_build_format(b, args)));
}

static gr_ref build_few_shot_chat(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    size_t before, example, after;
    gr_ref selector = gri_build_actor(b, gri_chain_get(args, "selector")), ref;
    gr_role *first = gri_build_roles(gri_chain_get(args, "before"), &before);
    gr_role *middle = gri_build_roles(gri_chain_get(args, "example"), &example);
    gr_role *last = gri_build_roles(gri_chain_get(args, "after"), &after);

    /* what memory was missing for is left out, and gri_build_no_memory says so */
    ref = gr_few_shot_chat_prompt(
        b->in, GR_FEW_SHOT_CHAT(.examples = data_or_null(args, "examples"), .selector = selector,
                                .example = middle, .example_count = middle != NULL ? example : 0,
                                .before = first, .before_count = first != NULL ? before : 0,
                                .after = last, .after_count = last != NULL ? after : 0,
                                .partial = data_or_null(args, "partial"),
                                .format = gri_build_format(b, args)));
    if ((first == NULL && before > 0) || middle == NULL || (last == NULL && after > 0))
        ref = gri_build_no_memory(b, args);
    gri_free(first);
    gri_free(middle);
    gri_free(last);
    return ref;
}

static gr_ref build_structured_prompt(struct gri_chain_builder *b,
                                      const struct gri_chain_node *args)
{
    const struct gri_chain_node *n = gri_chain_get(args, "messages");
    gr_structured_opts structured = gri_build_structured(args);
    size_t count;
    gr_role *roles = gri_build_roles(n, &count);
    gr_ref ref;

    if (roles == NULL)
        return gri_build_no_memory(b, n);
    ref = gr_structured_prompt_n(
        b->in,
        GR_STRUCTURED_PROMPT(.schema = gri_build_data(gri_chain_get(args, "schema")),
                             .structured = &structured, .partial = data_or_null(args, "partial"),
                             .format = gri_build_format(b, args)),
        roles, count);
    gri_free(roles);
    return ref;
}

static gr_ref build_length_selector(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_length_selector(
        b->in, GR_LENGTH_SELECTOR(.examples = data_or_null(args, "examples"),
                                  .example = gri_arg_text(args, "example", NULL),
                                  .max_length = (size_t)gri_arg_int(args, "max_length", 0),
                                  .examples_max = (size_t)gri_arg_int(args, "examples_max", 0),
                                  .format = gri_build_format(b, args)));
}

static gr_ref build_similarity_selector(struct gri_chain_builder *b,
                                        const struct gri_chain_node *args)
{
    gr_ref store = gri_build_actor(b, gri_chain_get(args, "store"));

    return gr_similarity_selector(
        b->in, store,
        GR_SIMILARITY_SELECTOR(.examples = data_or_null(args, "examples"),
                               .k = (unsigned)gri_arg_int(args, "k", 0),
                               .input_keys = gri_build_texts(gri_chain_get(args, "input_keys")),
                               .example_keys = gri_build_texts(gri_chain_get(args, "example_keys")),
                               .filter = data_or_null(args, "filter"),
                               .mmr = gri_arg_bool(args, "mmr"),
                               .fetch_k = (unsigned)gri_arg_int(args, "fetch_k", 0)));
}

/* mistake_of gives the first mistake that was told. */
static gr_value *mistake_of(const struct gri_chain_report *r)
{
    const char *text = gri_chain_report_text(r);
    size_t len = strcspn(text, "\n");

    if (len == 0)
        return gr_error(GR_EINVAL, "the file is empty");
    return gr_error(GR_EINVAL, "%.*s", (int)(len > 400 ? 400 : len), text);
}

/* read_yaml reads a prompt's file as a chain file is read, but for its variables of the environment. */
static gr_value *read_yaml(void *arg, const char *text, size_t len)
{
    struct gri_chain_report report;
    struct gri_chain_tree *tree;
    gr_value *v;

    (void)arg;
    gri_chain_report_init(&report, "YAML");
    tree = gri_chain_tree_parse(text, len, &report);
    v = tree != NULL && tree->root != NULL ? gri_build_data(tree->root) : mistake_of(&report);
    gri_chain_tree_free(tree);
    gri_chain_report_fini(&report);
    return v;
}

static gr_ref build_load_prompt(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    char *path = gri_build_path(b, gri_build_arg("load_prompt", args, "path"));
    gr_ref ref;

    if (path == NULL)
        return (gr_ref){ 0, 0 };
    ref = gr_load_prompt(b->in, path, GR_LOAD_PROMPT(.read_yaml = read_yaml));
    gri_free(path);
    return ref;
}

static gr_ref build_trim_messages(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    gr_ref counter = gri_build_actor(b, gri_chain_get(args, "counter"));

    return gr_message_trimmer(b->in,
                              GR_TRIM(.max_tokens = gri_arg_int(args, "max_tokens", -1),
                                      .strategy = gri_arg_text(args, "strategy", NULL),
                                      .allow_partial = gri_arg_bool(args, "allow_partial"),
                                      .include_system = gri_arg_bool(args, "include_system"),
                                      .start_on = names_or_null(args, "start_on"),
                                      .end_on = names_or_null(args, "end_on"), .counter = counter));
}

static gr_ref build_filter_messages(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    gr_value *calls = gri_build_texts(gri_chain_get(args, "exclude_tool_call_ids"));

    if (gri_arg_bool(args, "exclude_tool_calls")) {
        gr_value_unref(calls);
        calls = gr_bool(true);
    }
    return gr_message_filter(b->in, GR_FILTER(.include_names = names_or_null(args, "include_names"),
                                              .exclude_names = names_or_null(args, "exclude_names"),
                                              .include_types = names_or_null(args, "include_types"),
                                              .exclude_types = names_or_null(args, "exclude_types"),
                                              .include_ids = names_or_null(args, "include_ids"),
                                              .exclude_ids = names_or_null(args, "exclude_ids"),
                                              .exclude_tool_calls = calls));
}

static gr_ref build_merge_message_runs(struct gri_chain_builder *b,
                                       const struct gri_chain_node *args)
{
    return gr_message_merger(b->in, gri_arg_text(args, "separator", NULL));
}

const struct gri_chain_kind gri_chain_kinds_prompts[GRI_CHAIN_KINDS_PROMPTS] = {
    { .name = "few_shot_prompt",
      .help = "a text of examples between two templates",
      KEYS(few_shot_keys),
      .build = build_few_shot },
    { .name = "few_shot_chat_prompt",
      .help = "messages of examples between other messages",
      KEYS(few_shot_chat_keys),
      .build = build_few_shot_chat },
    { .name = "structured_prompt",
      .help =
          "a chat prompt; the step behind it in a sequence is a model that answers with data of a schema",
      KEYS(structured_prompt_keys),
      .build = build_structured_prompt },
    { .name = "length_selector",
      .help = "chooses the first examples that fit",
      KEYS(length_selector_keys),
      .build = build_length_selector },
    { .name = "similarity_selector",
      .help = "chooses the examples most like the input",
      KEYS(similarity_selector_keys),
      .build = build_similarity_selector },
    { .name = "load_prompt",
      .help = "a prompt from a file",
      KEYS(load_prompt_keys),
      .lone = true,
      .build = build_load_prompt },
    { .name = "trim_messages",
      .help = "as many messages as fit into so many tokens",
      KEYS(trim_messages_keys),
      .build = build_trim_messages },
    { .name = "filter_messages",
      .help = "messages by their names, types, ids and tool calls",
      KEYS(filter_messages_keys),
      .build = build_filter_messages },
    { .name = "merge_message_runs",
      .help = "one message of those of a type that follow each other",
      KEYS(merge_message_runs_keys),
      .build = build_merge_message_runs },
};
