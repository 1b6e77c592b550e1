/* SPDX-License-Identifier: Apache-2.0 */
/* few_shot.c - gr_few_shot_prompt: a text of examples between two templates. */
#include <greenroom/callbacks.h>

#include <string.h>

#include "actors/compose/describe.h"
#include "actors/prompt/chat_template.h"
#include "actors/prompt/examples.h"
#include "actors/prompt/vars.h"
#include "runtime/base/alloc.h"

struct few_shot {
    struct gri_examples examples;
    struct gri_template *prefix, *example, *suffix; /* owned; NULL: none */
    gr_value *example_names;                        /* counted */
    char *separator;                                /* owned */
};

static void drop_few_shot(void *p)
{
    struct few_shot *f = p;

    if (f == NULL)
        return;
    gr_value_unref(f->examples.list);
    gri_template_free(f->prefix);
    gri_template_free(f->example);
    gri_template_free(f->suffix);
    gr_value_unref(f->example_names);
    gri_free(f->separator);
    gri_free(f);
}

static gr_value *add_names(gr_value *names, const struct gri_template *t)
{
    const char *name;

    for (size_t i = 0; t != NULL && (name = gri_template_var(t, i)) != NULL; i++)
        names = gr_append(names, gr_str(name));
    return names;
}

/* add_piece adds what a template prints, behind a separator, unless it is nothing. */
static void add_piece(const struct few_shot *f, const struct gri_template *t, const gr_value *vars,
                      struct gri_strbuf *b)
{
    size_t before = b->len, start;

    if (t == NULL)
        return;
    if (before > 0)
        gri_strbuf_adds(b, f->separator);
    start = b->len;
    gri_template_print(t, vars, b);
    if (b->len == start && !b->failed)
        b->len = before;
}

static gr_value *print_all(const struct gri_examples *of, const gr_value *examples,
                           const gr_value *vars)
{
    const struct few_shot *f = gri_container_of(of, const struct few_shot, examples);
    struct gri_strbuf b = { .max = GRI_PROMPT_BYTES_MAX };

    add_piece(f, f->prefix, vars, &b);
    for (size_t i = 0; i < gr_len(examples); i++) {
        gr_value *err = gri_example_lacks(f->example_names, gr_at(examples, i), i);

        if (err != NULL) {
            gri_strbuf_fini(&b);
            return err;
        }
        add_piece(f, f->example, gr_at(examples, i), &b);
    }
    add_piece(f, f->suffix, vars, &b);
    return gri_strbuf_value(&b);
}

static gr_value *few_shot_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    const struct few_shot *f = gr_as_opaque(gr_get(gr_args(c), "prompt"));

    (void)self;
    return gri_examples_fill(c, "FewShotPromptTemplate", &f->examples, print_all, input);
}

static gr_value *few_shot_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    (void)args;
    return gri_describe_leaf(
        "FewShotPromptTemplate",
        gr_set(gri_schema_of_texts(gr_get(gr_args(c), "names")), "title", gr_str("PromptInput")),
        gri_schema_of_type("string"));
}

/* Who has a selector waits for it. */
static const gr_method fixed_methods[] = {
    { "invoke", GR_CHEAP, few_shot_invoke, NULL },
    { "describe", GR_CHEAP, few_shot_describe, NULL },
};
static const gr_method choosing_methods[] = {
    { "invoke", GR_ASYNC, few_shot_invoke, NULL },
    { "describe", GR_CHEAP, few_shot_describe, NULL },
};
static const gr_class fixed_class = GR_CLASS(.name = "FewShotPromptTemplate",
                                             .run_type = GR_TYPE_PROMPT, GR_METHODS(fixed_methods));
static const gr_class choosing_class =
    GR_CLASS(.name = "FewShotPromptTemplate", .run_type = GR_TYPE_PROMPT,
             GR_METHODS(choosing_methods));

/* read_part reads one of the three templates; NULL is none. */
static gr_value *read_part(const char *what, const char *text, gr_template_format format,
                           struct gri_template **ret_t)
{
    gr_value *err = NULL, *named;

    if (text == NULL || gri_template_read(text, strlen(text), format, ret_t, &err) == GR_OK)
        return NULL;
    named = gr_error(gr_error_code(err), "%s: %s", what, gr_error_text(err));
    gr_value_unref(err);
    return named;
}

static gr_value *read_texts(const gr_few_shot_opts *o, struct few_shot *f)
{
    gr_value *err = NULL;

    if (o->example == NULL)
        return gr_error(GR_EINVAL, "a few-shot prompt needs the template of an example");
    f->separator = gri_strdup(o->separator != NULL ? o->separator : "\n\n");
    if (f->separator == NULL)
        return gr_error(GR_ENOMEM, "out of memory for a prompt");
    err = read_part("prefix", o->prefix, o->format, &f->prefix);
    if (err == NULL)
        err = read_part("example", o->example, o->format, &f->example);
    if (err == NULL)
        err = read_part("suffix", o->suffix, o->format, &f->suffix);
    if (err == NULL)
        f->example_names = add_names(gr_list_n(NULL, 0), f->example);
    return err;
}

gr_ref gr_few_shot_prompt(gr_scope *in, const gr_few_shot_opts *opts)
{
    static const gr_few_shot_opts none = { .size = sizeof(none) };
    const gr_few_shot_opts *o = opts != NULL ? opts : &none;
    struct few_shot *f = gri_new0(struct few_shot);
    struct gri_vars vars;
    struct gri_examples examples = { NULL, { 0, 0 } };
    gr_value *args = gri_examples_read(o->examples, o->selector, &examples);

    if (f != NULL)
        f->examples = examples;
    else
        gr_value_unref(examples.list);
    if (args == NULL)
        args = f == NULL ? gr_error(GR_ENOMEM, "out of memory for a prompt") : read_texts(o, f);
    if (args != NULL)
        gr_value_unref(o->partial);
    else
        args = gri_vars_read(&vars, GR_PROMPT(.partial = o->partial),
                             add_names(add_names(gr_list_n(NULL, 0), f->prefix), f->suffix), false);
    if (args != NULL)
        drop_few_shot(f);
    else
        args = gr_map(GR_KV("names", vars.names), GR_KV("partial", vars.partial),
                      GR_KV("prompt", gr_opaque(f, drop_few_shot)));
    return gr_spawn(in, o->selector.id != 0 ? &choosing_class : &fixed_class,
                    GR_SPAWN(.args = args));
}
