/* SPDX-License-Identifier: Apache-2.0 */
/* fix_parser.c - gr_fixing_parser and gr_retry_parser: a model gets another try when its answer can't be read. */
#include <greenroom/callbacks.h>
#include <greenroom/message.h>
#include <greenroom/parser.h>
#include <greenroom/prompt.h>

#include "actors/compose/describe.h"
#include "actors/parse/parsing.h"

#define RETRIES_MAX 100

#define FIXING_PROMPT                                                                              \
    "An answer has to be in this form:\n{instructions}\n\nThis answer is not:\n{completion}\n\n"   \
    "What is wrong: {error}\n\nGive the same answer in the form that was asked for, and nothing "  \
    "else."
#define RETRY_PROMPT                                                                               \
    "{prompt}\n\nThe answer was:\n{completion}\n\nIt can't be used: {error}\n\nAnswer again so "   \
    "that it can."

static gr_ref ref_of(gr_ctx *c, const char *key)
{
    return gr_as_ref(gr_get(gr_args(c), key));
}

/* instructions_of gives what the parser wants to be told, "" if it does not say. */
static gr_value *instructions_of(gr_ctx *c)
{
    gr_value *err = NULL;
    gr_value *text = gr_get_format_instructions(gr_runtime_of(c), ref_of(c, "parser"), &err);

    if (text != NULL)
        return text;
    if (gr_error_code(err) != GR_ETYPE)
        return err;
    gr_value_unref(err);
    return gr_str("");
}

/* ask has the model answer a prompt with these variables: a text, or an error value. */
static gr_value *ask(gr_ctx *c, gr_value *vars)
{
    gr_runtime *rt = gr_runtime_of(c);
    gr_value *err = NULL, *text;
    gr_value *asked = gr_invoke(rt, ref_of(c, "prompt"), vars, NULL, &err);
    gr_value *answer = asked == NULL ? NULL : gr_invoke(rt, ref_of(c, "model"), asked, NULL, &err);

    if (answer == NULL)
        return err;
    text = gr_message_text(answer);
    gr_value_unref(answer);
    return text;
}

/* again asks for another answer: prompt is what the first was asked with, NULL for a parser that fixes. */
static gr_value *again(gr_ctx *c, const gr_value *prompt, const gr_value *completion,
                       const gr_value *err)
{
    gr_value *vars = gr_map(GR_KV("completion", gr_value_ref(completion)),
                            GR_KV("error", gr_str(gr_error_text(err))));

    gr_value *more = prompt != NULL ? gr_value_ref(prompt) : instructions_of(c);

    if (gr_error_code(more) == GR_OK)
        return ask(c, gr_set(vars, prompt != NULL ? "prompt" : "instructions", more));
    gr_value_unref(vars);
    return more;
}

/* parse tries as often as it may; completion is taken. */
static gr_value *parse(gr_ctx *c, const gr_value *prompt, gr_value *completion)
{
    int64_t left = gr_as_int(gr_get(gr_args(c), "max_retries"), 0);

    for (;; left--) {
        gr_value *err = NULL, *next, *v;

        if (gr_error_code(completion) != GR_OK)
            return completion;
        v = gr_invoke(gr_runtime_of(c), ref_of(c, "parser"), gr_value_ref(completion), NULL, &err);
        if (v != NULL || left <= 0 || !gri_is_parse_error(err)) {
            gr_value_unref(completion);
            return v != NULL ? v : err;
        }
        next = again(c, prompt, completion, err);
        gr_value_unref(err);
        gr_value_unref(completion);
        completion = next;
    }
}

static gr_value *fix_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    (void)self;
    return parse(c, NULL, gr_message_text(input));
}

/* prompt_text gives what was asked as a text. */
static gr_value *prompt_text(const gr_value *prompt)
{
    gr_value *messages, *text;

    if (gr_value_type(prompt) == GR_STR)
        return gr_value_ref(prompt);
    messages = gr_messages_coerce(gr_value_ref(prompt));
    text = gr_error_code(messages) == GR_OK ? gr_messages_text(messages) : gr_value_ref(messages);
    gr_value_unref(messages);
    return text;
}

static gr_value *retry_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    const gr_value *completion = gr_get(input, "completion"), *asked = gr_get(input, "prompt");
    gr_value *prompt, *v;

    (void)self;
    if (completion == NULL || asked == NULL)
        return gr_error(GR_ETYPE, "a retry parser takes {\"completion\", \"prompt\"}");
    prompt = prompt_text(asked);
    v = gr_error_code(prompt) != GR_OK ? gr_value_ref(prompt)
                                       : parse(c, prompt, gr_message_text(completion));
    gr_value_unref(prompt);
    return v;
}

static gr_value *instructions(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    (void)args;
    return instructions_of(c);
}

static gr_value *fix_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    (void)self;
    (void)args;
    return gri_describe_leaf("OutputFixingParser", NULL, NULL);
}

static gr_value *retry_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    (void)self;
    (void)args;
    return gri_describe_leaf("RetryOutputParser", NULL, NULL);
}

static const gr_method fix_methods[] = {
    { "invoke", GR_ASYNC, fix_invoke, NULL },
    { "get_format_instructions", GR_ASYNC, instructions, NULL },
    { "describe", GR_CHEAP, fix_describe, NULL },
};
static const gr_method retry_methods[] = {
    { "invoke", GR_ASYNC, retry_invoke, NULL },
    { "get_format_instructions", GR_ASYNC, instructions, NULL },
    { "describe", GR_CHEAP, retry_describe, NULL },
};
static const gr_class fix_class =
    GR_CLASS(.name = "OutputFixingParser", .run_type = GR_TYPE_PARSER, GR_METHODS(fix_methods));
static const gr_class retry_class =
    GR_CLASS(.name = "RetryOutputParser", .run_type = GR_TYPE_PARSER, GR_METHODS(retry_methods));

static gr_ref make(gr_scope *in, const gr_class *cls, gr_ref parser, gr_ref model,
                   const gr_fix_opts *opts, const char *prompt)
{
    static const gr_fix_opts none = { .size = sizeof(none) };
    const gr_fix_opts *o = opts != NULL ? opts : &none;
    unsigned retries = o->max_retries != 0 ? o->max_retries : GRI_FIX_RETRIES;
    gr_ref asked = o->prompt.id != 0 ? o->prompt : gr_prompt(in, prompt);
    gr_value *args =
        retries > RETRIES_MAX
            ? gr_error(GR_EINVAL, "max_retries is %u, the most is %d", retries, RETRIES_MAX)
            : gr_map(GR_KV("parser", gr_ref_value(parser)), GR_KV("model", gr_ref_value(model)),
                     GR_KV("prompt", gr_ref_value(asked)), GR_KV("max_retries", gr_int(retries)));

    return gr_spawn(in, cls, GR_SPAWN(.args = args));
}

gr_ref gr_fixing_parser(gr_scope *in, gr_ref parser, gr_ref model, const gr_fix_opts *opts)
{
    return make(in, &fix_class, parser, model, opts, FIXING_PROMPT);
}

gr_ref gr_retry_parser(gr_scope *in, gr_ref parser, gr_ref model, const gr_fix_opts *opts)
{
    return make(in, &retry_class, parser, model, opts, RETRY_PROMPT);
}
