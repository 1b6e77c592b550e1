/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt.c - gr_prompt, the actor of one template, and gr_format, the same without an actor.
 *
 * The class is stateless, so that every worker may format at once: the template was read when the
 * ref was made and is shared, unchanged, through the spawn arguments.
 */
#include <greenroom/callbacks.h>
#include <greenroom/prompt.h>

#include <string.h>

#include "actors/compose/describe.h"
#include "actors/prompt/chat_template.h"
#include "actors/prompt/vars.h"

static gr_value *names_of(const struct gri_template *t)
{
    gr_value *names = gr_list_n(NULL, 0);

    for (size_t i = 0; gri_template_var(t, i) != NULL; i++)
        names = gr_append(names, gr_str(gri_template_var(t, i)));
    return names;
}

static gr_value *format(const struct gri_template *t, const gr_value *names,
                        const gr_value *partial, const gr_value *input)
{
    struct gri_strbuf b = { .max = GRI_PROMPT_BYTES_MAX };
    gr_value *vars = gri_vars_given(input, names, partial);
    gr_value *text = gri_vars_check("PromptTemplate", names, vars);

    if (text == NULL) {
        gri_template_print(t, vars, &b);
        text = gri_strbuf_value(&b);
    }
    gr_value_unref(vars);
    return text;
}

gr_value *gr_format(const char *tmpl, const gr_value *vars)
{
    struct gri_template *t = NULL;
    gr_value *err = NULL, *names, *text;

    if (tmpl == NULL)
        return gr_error(GR_EINVAL, "no template");
    if (gri_template_parse(tmpl, strlen(tmpl), &t, &err) != GR_OK)
        return err;
    names = names_of(t);
    text = format(t, names, NULL, vars);
    gr_value_unref(names);
    gri_template_free(t);
    return text;
}

static void drop_template(void *p)
{
    gri_template_free(p);
}

static gr_value *prompt_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    const gr_value *args = gr_args(c);

    (void)self;
    return format(gr_as_opaque(gr_get(args, "template")), gr_get(args, "names"),
                  gr_get(args, "partial"), input);
}

static gr_value *prompt_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    (void)args;
    return gri_describe_leaf(
        "PromptTemplate",
        gr_set(gri_schema_of_texts(gr_get(gr_args(c), "names")), "title", gr_str("PromptInput")),
        gri_schema_of_type("string"));
}

static const gr_method prompt_methods[] = {
    { "invoke", GR_CHEAP, prompt_invoke, NULL },
    { "describe", GR_CHEAP, prompt_describe, NULL },
};
static const gr_class prompt_class =
    GR_CLASS(.name = "PromptTemplate", .run_type = GR_TYPE_PROMPT, GR_METHODS(prompt_methods));

gr_ref gr_prompt(gr_scope *in, const char *tmpl)
{
    return gr_prompt_for(in, NULL, tmpl);
}

gr_ref gr_prompt_for(gr_scope *in, const gr_prompt_opts *opts, const char *tmpl)
{
    struct gri_template *t = NULL;
    struct gri_vars vars;
    gr_value *args = NULL;

    if (tmpl == NULL)
        args = gr_error(GR_EINVAL, "no template");
    else
        (void)gri_template_read(tmpl, strlen(tmpl), opts != NULL ? opts->format : GR_FSTRING, &t,
                                &args);
    if (args != NULL)
        gr_value_unref(opts != NULL ? opts->partial : NULL);
    else if ((args = gri_vars_read(&vars, opts, names_of(t), false)) != NULL)
        gri_template_free(t);
    else
        args = gr_map(GR_KV("names", vars.names), GR_KV("partial", vars.partial),
                      GR_KV("template", gr_opaque(t, drop_template)));
    return gr_spawn(in, &prompt_class, GR_SPAWN(.args = args));
}
