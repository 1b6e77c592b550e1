/* SPDX-License-Identifier: Apache-2.0 */
/* chat_prompt.c - gr_chat_prompt: a list of role templates and placeholders to a list of
 * messages. */
#include <greenroom/callbacks.h>

#include "actors/compose/describe.h"
#include "actors/prompt/chat_prompt.h"
#include "actors/prompt/chat_template.h"
#include "actors/prompt/vars.h"

#define NAME "ChatPromptTemplate"

gr_value *gri_chat_prompt_fill(gr_ctx *c, const char *name, const gr_value *input)
{
    const gr_value *args = gr_args(c);
    gr_value *vars = gri_vars_given(input, gr_get(args, "names"), gr_get(args, "partial"));
    gr_value *answer = gri_vars_check(name, gr_get(args, "names"), vars);

    if (answer == NULL)
        answer =
            gri_chat_template_print(gr_as_opaque(gr_get(args, "prompt")), gr_list_n(NULL, 0), vars);
    gr_value_unref(vars);
    return answer;
}

gr_value *gri_chat_prompt_says(gr_ctx *c, const char *name)
{
    return gri_describe_leaf(
        name,
        gr_set(gri_schema_of_texts(gr_get(gr_args(c), "names")), "title", gr_str("PromptInput")),
        gri_schema_of_type("array"));
}

static gr_value *chat_prompt_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    (void)self;
    return gri_chat_prompt_fill(c, NAME, input);
}

static gr_value *chat_prompt_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    (void)args;
    return gri_chat_prompt_says(c, NAME);
}

static const gr_method chat_prompt_methods[] = {
    { "invoke", GR_CHEAP, chat_prompt_invoke, NULL },
    { "describe", GR_CHEAP, chat_prompt_describe, NULL },
};
static const gr_class chat_prompt_class =
    GR_CLASS(.name = NAME, .run_type = GR_TYPE_PROMPT, GR_METHODS(chat_prompt_methods));

gr_value *gri_chat_prompt_args(const gr_prompt_opts *opts, const gr_role *roles, size_t count)
{
    struct gri_vars vars;
    struct gri_chat_template *t = NULL;
    gr_value *err =
        gri_chat_template_read(roles, count, opts != NULL ? opts->format : GR_FSTRING, &t);

    if (err != NULL) {
        gr_value_unref(opts != NULL ? opts->partial : NULL);
        return err;
    }
    err = gri_vars_read(&vars, opts, gri_chat_template_names(t, gr_list_n(NULL, 0)),
                        gri_chat_template_may_lack(t));
    if (err != NULL) {
        gri_chat_template_free(t);
        return err;
    }
    return gr_map(GR_KV("names", vars.names), GR_KV("partial", vars.partial),
                  GR_KV("prompt", gr_opaque(t, gri_chat_template_free)));
}

gr_ref gr_chat_prompt_n(gr_scope *in, const gr_role *roles, size_t count)
{
    return gr_chat_prompt_for_n(in, NULL, roles, count);
}

gr_ref gr_chat_prompt_for_n(gr_scope *in, const gr_prompt_opts *opts, const gr_role *roles,
                            size_t count)
{
    return gr_spawn(in, &chat_prompt_class,
                    GR_SPAWN(.args = gri_chat_prompt_args(opts, roles, count)));
}
