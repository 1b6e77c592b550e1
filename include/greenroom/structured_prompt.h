/* SPDX-License-Identifier: Apache-2.0 */
/*
 * structured_prompt.h - a chat prompt that says what the model behind it answers with: StructuredPrompt.
 *
 * It answers as gr_chat_prompt does. In a sequence the step behind it is taken for the model, and becomes
 * gr_with_structured_output of it (model.h), with this schema; so
 *
 *   gr_seq(in, gr_structured_prompt(in, GR_STRUCTURED_PROMPT(.schema = schema), GR_ROLE("human", "Plan a trip to {city}.")), model)
 *
 * answers with data. langchain-core does so where the prompt is the first step of a sequence; here it may be any. As the last
 * step it is a chat prompt, and so it is elsewhere: called by itself, on another node, as a step of a parallel.
 */
#ifndef GREENROOM_STRUCTURED_PROMPT_H
#define GREENROOM_STRUCTURED_PROMPT_H

#include <greenroom/model.h>
#include <greenroom/prompt.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_structured_prompt_opts {
    size_t size;
    gr_value *schema;                     /* taken; as gr_with_structured_output has it */
    const gr_structured_opts *structured; /* how the model is made to; NULL: the defaults. structured_output_kwargs */
    gr_value *partial;                    /* taken; these two as in gr_prompt_opts */
    gr_template_format format;
} gr_structured_prompt_opts;
#define GR_STRUCTURED_PROMPT(...) GR_OPT(gr_structured_prompt_opts, __VA_ARGS__)

/*
 * gr_structured_prompt takes the roles of gr_chat_prompt. What is wrong with them, or no schema: broken, GR_EINVAL. What is
 * wrong with the schema makes the sequence broken, as gr_with_structured_output tells it. [any]
 */
GR_API gr_ref gr_structured_prompt_n(gr_scope *in, const gr_structured_prompt_opts *opts, const gr_role *roles,
                                     size_t count);
#define gr_structured_prompt(in, opts, ...) gr_structured_prompt_n((in), (opts), GR_ARR(gr_role, __VA_ARGS__))

#ifdef __cplusplus
}
#endif
#endif
