/* SPDX-License-Identifier: Apache-2.0 */
/*
 * structured_prompt.c - gr_structured_prompt: a chat prompt with a schema for the model behind it.
 *
 * It answers as a chat prompt does. The schema, and how the model is made to keep to it, are kept under "structured" of the spawn
 * argument, for the sequence that it becomes a step of.
 */
#include "actors/prompt/structured_prompt.h"

#include <greenroom/callbacks.h>

#include "actors/prompt/chat_prompt.h"
#include "runtime/actor/call.h"

#define NAME "StructuredPrompt"

static gr_value *structured_prompt_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    (void)self;
    return gri_chat_prompt_fill(c, NAME, input);
}

static gr_value *structured_prompt_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    (void)args;
    return gri_chat_prompt_says(c, NAME);
}

static const gr_method structured_prompt_methods[] = {
    { "invoke", GR_CHEAP, structured_prompt_invoke, NULL },
    { "describe", GR_CHEAP, structured_prompt_describe, NULL },
};
static const gr_class structured_prompt_class =
    GR_CLASS(.name = NAME, .run_type = GR_TYPE_PROMPT, GR_METHODS(structured_prompt_methods));

/* how_of keeps what gr_with_structured_output is to be told. */
static gr_value *how_of(gr_value *schema, const gr_structured_opts *o)
{
    static const gr_structured_opts none = { .size = sizeof(none) };

    o = o != NULL ? o : &none;
    return gr_map(GR_KV("schema", schema),
                  GR_KV("method", o->method != NULL ? gr_str(o->method) : gr_nil()),
                  GR_KV("include_raw", gr_bool(o->include_raw)), GR_KV("strict", gr_int(o->strict)),
                  GR_KV("unchecked", gr_bool(o->unchecked)));
}

gr_ref gr_structured_prompt_n(gr_scope *in, const gr_structured_prompt_opts *opts,
                              const gr_role *roles, size_t count)
{
    gr_value *args = gri_chat_prompt_args(
        opts == NULL ? NULL : GR_PROMPT(.partial = opts->partial, .format = opts->format), roles,
        count);

    if (opts == NULL || opts->schema == NULL) {
        gr_value_unref(args);
        args = gr_error(GR_EINVAL, "a structured prompt needs a schema");
    } else if (gr_error_code(args) != GR_OK) {
        gr_value_unref(opts->schema);
    } else {
        args = gr_set(args, "structured", how_of(opts->schema, opts->structured));
    }
    return gr_spawn(in, &structured_prompt_class, GR_SPAWN(.args = args));
}

bool gri_structured_pipe(gr_scope *in, gr_ref *prompt, gr_ref *model)
{
    gr_value *args = gri_ref_args(gr_scope_runtime(in), *prompt, &structured_prompt_class);
    const gr_value *how = gr_get(args, "structured");

    if (how == NULL) {
        gr_value_unref(args);
        return false;
    }
    *model = gr_with_structured_output(
        in, *model, gr_value_ref(gr_get(how, "schema")),
        GR_STRUCTURED(.method = gr_cstr(gr_get(how, "method"), NULL),
                      .include_raw = gr_as_bool(gr_get(how, "include_raw"), false),
                      .strict = (int)gr_as_int(gr_get(how, "strict"), 0),
                      .unchecked = gr_as_bool(gr_get(how, "unchecked"), false)));
    *prompt =
        gr_spawn(in, &structured_prompt_class, GR_SPAWN(.args = gr_without(args, "structured")));
    return true;
}
