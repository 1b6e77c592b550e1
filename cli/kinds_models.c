/* SPDX-License-Identifier: Apache-2.0 */
/* kinds_models.c - the kinds that are made of models. */
#include "cli/chain_build.h"
#include "cli/chain_kinds.h"

#define KEYS(array) .keys = (array), .key_count = sizeof(array) / sizeof((array)[0])

static const struct gri_chain_key structured_output_keys[] = {
    { "model", GRI_ARG_ACTOR, true, 0, 0, "a chat model" },
    { "schema", GRI_ARG_DATA, false, 0, 0,
      "JSON Schema with a title; needed unless the method is json_mode" },
    GRI_STRUCTURED_KEYS,
};

gr_structured_opts gri_build_structured(const struct gri_chain_node *args)
{
    int strict = gri_chain_get(args, "strict") == NULL ? 0 : gri_arg_bool(args, "strict") ? 1 : -1;

    return (gr_structured_opts){ .size = sizeof(gr_structured_opts),
                                 .method = gri_arg_text(args, "method", NULL),
                                 .include_raw = gri_arg_bool(args, "include_raw"),
                                 .strict = strict,
                                 .unchecked = gri_arg_bool(args, "unchecked") };
}

static gr_ref build_structured_output(struct gri_chain_builder *b,
                                      const struct gri_chain_node *args)
{
    const struct gri_chain_node *schema = gri_chain_get(args, "schema");
    gr_ref model = gri_build_actor(b, gri_chain_get(args, "model"));
    gr_structured_opts opts = gri_build_structured(args);

    return gr_with_structured_output(b->in, model,
                                     schema == NULL ? gr_nil() : gri_build_data(schema), &opts);
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
