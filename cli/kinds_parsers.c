/* SPDX-License-Identifier: Apache-2.0 */
/* kinds_parsers.c - the kinds of output parsers beside those of text, JSON and lists. */
#include "cli/chain_build.h"
#include "cli/chain_kinds.h"

#define KEYS(array) .keys = (array), .key_count = sizeof(array) / sizeof((array)[0])

static const struct gri_chain_key enum_keys[] = {
    { "values", GRI_ARG_TEXTS, true, 0, 0, "one of which the answer is" },
};
static const struct gri_chain_key boolean_keys[] = {
    { "true_val", GRI_ARG_TEXT, false, 0, 0, "a word that says so; default YES" },
    { "false_val", GRI_ARG_TEXT, false, 0, 0, "and one that says not; default NO" },
};
static const struct gri_chain_key datetime_keys[] = {
    { "format", GRI_ARG_TEXT, false, 0, 0, "strptime's letters; default %Y-%m-%dT%H:%M:%S.%fZ" },
};
static const struct gri_chain_key regex_keys[] = {
    { "regex", GRI_ARG_TEXT, true, 0, 0, "a regular expression with groups" },
    { "output_keys", GRI_ARG_TEXTS, true, 0, 0, "their names, in order" },
    { "default_output_key", GRI_ARG_TEXT, false, 0, 0,
      "which of these holds an answer that does not match; default: it fails" },
};
static const struct gri_chain_key structured_keys[] = {
    { "schema", GRI_ARG_DATA, true, 0, 0, "JSON Schema" },
};
static const struct gri_chain_key xml_keys[] = {
    { "tags", GRI_ARG_TEXTS, false, 0, 0, "that the model is told to use" },
};
static const struct gri_chain_key tools_keys[] = {
    { "key_name", GRI_ARG_TEXT, false, 0, 0, "only calls of this tool, and of them the arguments" },
    { "first_tool_only", GRI_ARG_BOOL, false, 0, 0, "not a list, but its first; default false" },
    { "return_id", GRI_ARG_BOOL, false, 0, 0, "with the calls' ids; default false" },
};
static const struct gri_chain_key fixing_keys[] = {
    { "parser", GRI_ARG_ACTOR, true, 0, 0, "what reads the answer" },
    { "model", GRI_ARG_ACTOR, true, 0, 0, "who is asked when it can't" },
    { "max_retries", GRI_ARG_INT, false, 1, 100, "how often; default 1" },
    { "prompt", GRI_ARG_ACTOR, false, 0, 0,
      "with what; its variables are instructions, completion and error" },
};
static const struct gri_chain_key retry_keys[] = {
    { "parser", GRI_ARG_ACTOR, true, 0, 0, "what reads the completion" },
    { "model", GRI_ARG_ACTOR, true, 0, 0, "who is asked when it can't" },
    { "max_retries", GRI_ARG_INT, false, 1, 100, "how often; default 1" },
    { "prompt", GRI_ARG_ACTOR, false, 0, 0,
      "with what; its variables are prompt, completion and error" },
};

static gr_ref build_enum(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_enum_parser(b->in, gri_build_texts(gri_build_arg("enum_parser", args, "values")));
}

static gr_ref build_boolean(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_boolean_parser(b->in, gri_arg_text(args, "true_val", NULL),
                             gri_arg_text(args, "false_val", NULL));
}

static gr_ref build_datetime(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_datetime_parser(b->in, gri_arg_text(args, "format", NULL));
}

static gr_ref build_regex(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_regex_parser(b->in, gri_arg_text(args, "regex", NULL),
                           gri_build_texts(gri_chain_get(args, "output_keys")),
                           gri_arg_text(args, "default_output_key", NULL));
}

static gr_ref build_structured(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_structured_parser(b->in, gri_build_data(gri_chain_get(args, "schema")));
}

static gr_ref build_xml(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_xml_parser(b->in,
                         GR_XML_PARSER(.tags = gri_build_texts(gri_chain_get(args, "tags"))));
}

static gr_ref build_tools(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_tools_parser(b->in,
                           GR_TOOLS_PARSER(.key_name = gri_arg_text(args, "key_name", NULL),
                                           .first_tool_only = gri_arg_bool(args, "first_tool_only"),
                                           .return_id = gri_arg_bool(args, "return_id")));
}

/* build_fix makes either of the two that ask a model. */
static gr_ref build_fix(struct gri_chain_builder *b, const struct gri_chain_node *args,
                        gr_ref (*make)(gr_scope *in, gr_ref parser, gr_ref model,
                                       const gr_fix_opts *opts))
{
    gr_ref parser = gri_build_actor(b, gri_chain_get(args, "parser"));
    gr_ref model = gri_build_actor(b, gri_chain_get(args, "model"));
    gr_ref prompt = gri_build_actor(b, gri_chain_get(args, "prompt"));

    return make(
        b->in, parser, model,
        GR_FIX(.max_retries = (unsigned)gri_arg_int(args, "max_retries", 0), .prompt = prompt));
}

static gr_ref build_fixing(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return build_fix(b, args, gr_fixing_parser);
}

static gr_ref build_retry(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return build_fix(b, args, gr_retry_parser);
}

const struct gri_chain_kind gri_chain_kinds_parsers[GRI_CHAIN_KINDS_PARSERS] = {
    { .name = "enum_parser",
      .help = "one of several texts",
      KEYS(enum_keys),
      .lone = true,
      .build = build_enum },
    { .name = "boolean_parser",
      .help = "yes or no, as a word anywhere in the answer",
      KEYS(boolean_keys),
      .build = build_boolean },
    { .name = "datetime_parser",
      .help = "a date and a time, as a map",
      KEYS(datetime_keys),
      .build = build_datetime },
    { .name = "regex_parser",
      .help = "the groups of a regular expression, by name",
      KEYS(regex_keys),
      .build = build_regex },
    { .name = "structured_parser",
      .help = "JSON that is by a schema",
      KEYS(structured_keys),
      .build = build_structured },
    { .name = "xml_parser", .help = "XML, as maps and lists", KEYS(xml_keys), .build = build_xml },
    { .name = "tools_parser",
      .help = "a message's tool calls",
      KEYS(tools_keys),
      .build = build_tools },
    { .name = "fixing_parser",
      .help = "has a model put right what a parser can't read",
      KEYS(fixing_keys),
      .build = build_fixing },
    { .name = "retry_parser",
      .help = "has a model answer again what a parser can't read",
      KEYS(retry_keys),
      .build = build_retry },
};
