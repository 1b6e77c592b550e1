/* SPDX-License-Identifier: Apache-2.0 */
/* few_shot_chat.c - gr_few_shot_chat_prompt: messages of examples between other messages. */
#include <greenroom/callbacks.h>

#include "actors/compose/describe.h"
#include "actors/prompt/chat_template.h"
#include "actors/prompt/examples.h"
#include "actors/prompt/vars.h"
#include "runtime/base/alloc.h"

struct few_shot_chat {
    struct gri_examples examples;
    struct gri_chat_template *before, *example, *after; /* owned */
    gr_value *example_names;                            /* counted */
};

static void drop_few_shot_chat(void *p)
{
    struct few_shot_chat *f = p;

    if (f == NULL)
        return;
    gr_value_unref(f->examples.list);
    gri_chat_template_free(f->before);
    gri_chat_template_free(f->example);
    gri_chat_template_free(f->after);
    gr_value_unref(f->example_names);
    gri_free(f);
}

static gr_value *print_all(const struct gri_examples *of, const gr_value *examples,
                           const gr_value *vars)
{
    const struct few_shot_chat *f = gri_container_of(of, const struct few_shot_chat, examples);
    gr_value *messages = gri_chat_template_print(f->before, gr_list_n(NULL, 0), vars);

    for (size_t i = 0; i < gr_len(examples) && gr_error_code(messages) == GR_OK; i++) {
        gr_value *err = gri_example_lacks(f->example_names, gr_at(examples, i), i);

        if (err != NULL) {
            gr_value_unref(messages);
            return err;
        }
        messages = gri_chat_template_print(f->example, messages, gr_at(examples, i));
    }
    return gri_chat_template_print(f->after, messages, vars);
}

static gr_value *few_shot_chat_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    const struct few_shot_chat *f = gr_as_opaque(gr_get(gr_args(c), "prompt"));

    (void)self;
    return gri_examples_fill(c, "FewShotChatMessagePromptTemplate", &f->examples, print_all, input);
}

static gr_value *few_shot_chat_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    (void)args;
    return gri_describe_leaf(
        "FewShotChatMessagePromptTemplate",
        gr_set(gri_schema_of_texts(gr_get(gr_args(c), "names")), "title", gr_str("PromptInput")),
        gri_schema_of_type("array"));
}

/* Who has a selector waits for it. */
static const gr_method fixed_methods[] = {
    { "invoke", GR_CHEAP, few_shot_chat_invoke, NULL },
    { "describe", GR_CHEAP, few_shot_chat_describe, NULL },
};
static const gr_method choosing_methods[] = {
    { "invoke", GR_ASYNC, few_shot_chat_invoke, NULL },
    { "describe", GR_CHEAP, few_shot_chat_describe, NULL },
};
static const gr_class fixed_class = GR_CLASS(.name = "FewShotChatMessagePromptTemplate",
                                             .run_type = GR_TYPE_PROMPT, GR_METHODS(fixed_methods));
static const gr_class choosing_class =
    GR_CLASS(.name = "FewShotChatMessagePromptTemplate", .run_type = GR_TYPE_PROMPT,
             GR_METHODS(choosing_methods));

/* read_roles reads all three lists, whose contents it takes; NULL, or the first thing that is wrong. */
static gr_value *read_roles(const gr_few_shot_chat_opts *o, struct few_shot_chat *f)
{
    gr_value *errs[3], *err = NULL;

    errs[0] = gri_chat_template_read(o->before, o->before_count, o->format, &f->before);
    errs[1] = gri_chat_template_read(o->example, o->example_count, o->format, &f->example);
    errs[2] = gri_chat_template_read(o->after, o->after_count, o->format, &f->after);
    for (size_t i = 0; i < 3; i++) {
        if (err == NULL)
            err = errs[i];
        else
            gr_value_unref(errs[i]);
    }
    if (err == NULL && o->example_count == 0)
        err = gr_error(GR_EINVAL, "a few-shot prompt needs the messages of an example");
    if (err == NULL)
        f->example_names = gri_chat_template_names(f->example, gr_list_n(NULL, 0));
    return err;
}

gr_ref gr_few_shot_chat_prompt(gr_scope *in, const gr_few_shot_chat_opts *opts)
{
    static const gr_few_shot_chat_opts none = { .size = sizeof(none) };
    const gr_few_shot_chat_opts *o = opts != NULL ? opts : &none;
    struct few_shot_chat spare = { .before = NULL }, *f = gri_new0(struct few_shot_chat);
    gr_value *args = read_roles(o, f != NULL ? f : &spare), *err;
    struct gri_vars vars;

    err = gri_examples_read(o->examples, o->selector, f != NULL ? &f->examples : &spare.examples);
    if (args == NULL)
        args = err;
    else
        gr_value_unref(err);
    if (args == NULL && f == NULL)
        args = gr_error(GR_ENOMEM, "out of memory for a prompt");
    if (args != NULL) {
        gr_value_unref(o->partial);
    } else {
        gr_value *names = gri_chat_template_names(f->before, gr_list_n(NULL, 0));

        args = gri_vars_read(
            &vars, GR_PROMPT(.partial = o->partial), gri_chat_template_names(f->after, names),
            gri_chat_template_may_lack(f->before) || gri_chat_template_may_lack(f->after));
    }
    if (args == NULL)
        args = gr_map(GR_KV("names", vars.names), GR_KV("partial", vars.partial),
                      GR_KV("prompt", gr_opaque(f, drop_few_shot_chat)));
    else if (f != NULL)
        drop_few_shot_chat(f);
    else {
        gr_value_unref(spare.examples.list);
        gr_value_unref(spare.example_names);
        gri_chat_template_free(spare.before);
        gri_chat_template_free(spare.example);
        gri_chat_template_free(spare.after);
    }
    return gr_spawn(in, o->selector.id != 0 ? &choosing_class : &fixed_class,
                    GR_SPAWN(.args = args));
}
