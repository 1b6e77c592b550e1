/* SPDX-License-Identifier: Apache-2.0 */
/* kinds_models.c - the kinds that are made of models. */
#include "cli/chain_build.h"
#include "cli/chain_kinds.h"

#define KEYS(array) .keys = (array), .key_count = sizeof(array) / sizeof((array)[0])

static const struct gri_chain_key structured_output_keys[] = {
    { "model", GRI_ARG_ACTOR, true, 0, 0, "a chat model" },
    { "schema", GRI_ARG_DATA, false, 0, 0,
      "JSON Schema with a title; needed unless the method is json_mode" },
    { "method", GRI_ARG_TEXT, false, 0, 0,
      "function_calling, the default: by a tool that must be called; json_schema: by the server; "
      "json_mode: any JSON" },
    { "include_raw", GRI_ARG_BOOL, false, 0, 0,
      "the answer is {raw, parsed, parsing_error}; default false" },
    { "strict", GRI_ARG_BOOL, false, 0, 0,
      "asks the server to keep to the schema; default not sent" },
    { "unchecked", GRI_ARG_BOOL, false, 0, 0,
      "the answer is not judged by the schema; default false" },
};

static gr_ref build_structured_output(struct gri_chain_builder *b,
                                      const struct gri_chain_node *args)
{
    const struct gri_chain_node *schema = gri_chain_get(args, "schema");
    int strict = gri_chain_get(args, "strict") == NULL ? 0 : gri_arg_bool(args, "strict") ? 1 : -1;
    gr_ref model = gri_build_actor(b, gri_chain_get(args, "model"));

    return gr_with_structured_output(
        b->in, model, schema == NULL ? gr_nil() : gri_build_data(schema),
        GR_STRUCTURED(.method = gri_arg_text(args, "method", NULL),
                      .include_raw = gri_arg_bool(args, "include_raw"), .strict = strict,
                      .unchecked = gri_arg_bool(args, "unchecked")));
}

static const struct gri_chain_key generate_keys[] = {
    { "model", GRI_ARG_ACTOR, true, 0, 0, "a chat model" },
};

static gr_ref build_generate(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_generate(b->in, gri_build_actor(b, gri_build_arg("generate", args, "model")));
}

const struct gri_chain_kind gri_chain_kinds_models[GRI_CHAIN_KINDS_MODELS] = {
    { .name = "structured_output",
      .help = "a chat model that answers with data of a schema",
      KEYS(structured_output_keys),
      .build = build_structured_output },
    { .name = "generate",
      .help = "answers a list of prompts, all at once; fails when all are done, if one has",
      KEYS(generate_keys),
      .lone = true,
      .build = build_generate },
};
