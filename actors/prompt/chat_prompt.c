/* SPDX-License-Identifier: Apache-2.0 */
/* chat_prompt.c - gr_chat_prompt: a list of role templates and placeholders to a list of
 * messages. */
#include <greenroom/callbacks.h>
#include <greenroom/message.h>
#include <greenroom/prompt.h>

#include <string.h>

#include "actors/compose/describe.h"
#include "actors/prompt/template.h"
#include "runtime/base/alloc.h"

#define PROMPT_BYTES_MAX ((size_t)64 << 20)

struct role {
    char *name;             /* owned: the message's role; NULL for a placeholder */
    struct gri_template *t; /* owned; a placeholder has one variable: its messages */
    size_t n_messages;      /* of a placeholder: at most so many, 0: all */
    bool optional;          /* a placeholder whose variable may be missing */
};

struct chat_prompt {
    struct role *roles; /* owned */
    size_t count;
};

static void drop_chat_prompt(void *p)
{
    struct chat_prompt *cp = p;

    if (cp == NULL)
        return;
    for (size_t i = 0; i < cp->count; i++) {
        gri_free(cp->roles[i].name);
        gri_template_free(cp->roles[i].t);
    }
    gri_free(cp->roles);
    gri_free(cp);
}

static gr_value *no_memory(void)
{
    return gr_error(GR_ENOMEM, "out of memory for a chat prompt");
}

/* read_placeholder takes "{history}" and "history" alike. */
static gr_value *read_placeholder(const char *text, struct role *role)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *err = NULL;

    gri_strbuf_addf(&b, text[0] == '{' ? "%s" : "{%s}", text);
    if (b.failed) {
        err = no_memory();
    } else if (gri_template_parse(b.data, b.len, &role->t, &err) == GR_OK) {
        const char *name = gri_template_var(role->t, 0);

        if (name == NULL || strlen(name) + 2 != b.len)
            err = gr_error(GR_EINVAL, "a placeholder is the name of one variable");
    }
    gri_strbuf_fini(&b);
    return err;
}

static gr_value *read_role(const gr_role *from, struct role *role)
{
    gr_value *err, *probe;

    if (from->role == NULL || from->tmpl == NULL)
        return gr_error(GR_EINVAL, "no role or no template");
    role->n_messages = from->n_messages;
    role->optional = strcmp(from->role, "placeholder") == 0;
    if (role->optional || strcmp(from->role, "messages") == 0)
        return read_placeholder(from->tmpl, role);
    probe = gr_message(from->role, gr_str(""));
    if (gr_error_code(probe) != GR_OK)
        return probe;
    gr_value_unref(probe);
    role->name = gri_strdup(from->role);
    if (role->name == NULL)
        return no_memory();
    err = NULL;
    gri_template_parse(from->tmpl, strlen(from->tmpl), &role->t, &err);
    return err;
}

/* read_roles gives NULL, or what is wrong, naming the message. */
static gr_value *read_roles(const gr_role *from, size_t count, struct chat_prompt *cp)
{
    cp->roles = gri_alloc_array(count == 0 ? 1 : count, sizeof(*cp->roles));
    if (cp->roles == NULL)
        return no_memory();
    cp->count = count;
    for (size_t i = 0; i < count; i++) {
        gr_value *err = read_role(&from[i], &cp->roles[i]);

        if (err != NULL) {
            gr_value *named =
                gr_error(gr_error_code(err), "message %zu: %s", i + 1, gr_error_text(err));
            gr_value_unref(err);
            return named;
        }
    }
    return NULL;
}

static bool has_name(const gr_value *names, const char *name)
{
    for (size_t i = 0; i < gr_len(names); i++)
        if (strcmp(gr_cstr(gr_at(names, i), ""), name) == 0)
            return true;
    return false;
}

/* names_of lists the variables that must be there. */
static gr_value *names_of(const struct chat_prompt *cp)
{
    gr_value *names = gr_list_n(NULL, 0);

    for (size_t i = 0; i < cp->count; i++) {
        const char *name;

        if (cp->roles[i].optional)
            continue;
        for (size_t n = 0; (name = gri_template_var(cp->roles[i].t, n)) != NULL; n++)
            if (!has_name(names, name))
                names = gr_append(names, gr_str(name));
    }
    return names;
}

/* last_of gives the last so many of a list, 0: all. */
static gr_value *last_of(gr_value *list GR_TAKES, size_t most)
{
    gr_value *some;

    if (most == 0 || gr_len(list) <= most)
        return list;
    some = gr_list_n(NULL, 0);
    for (size_t i = gr_len(list) - most; i < gr_len(list); i++)
        some = gr_append(some, gr_value_ref(gr_at(list, i)));
    gr_value_unref(list);
    return some;
}

/* add_placed adds the messages under the placeholder's variable; an error value when they are
 * none. */
static gr_value *add_placed(gr_value *messages, const struct role *role, const gr_value *vars)
{
    const char *name = gri_template_var(role->t, 0);
    const gr_value *v = gr_get(vars, name);
    gr_value *placed;

    if (gr_is_nil(v))
        return messages;
    placed = gr_value_type(v) == GR_LIST
                 ? gr_messages_coerce(gr_value_ref(v))
                 : gr_error(GR_ETYPE, "should be a list of messages, not of type %s",
                            gr_type_name(gr_value_type(v)));
    if (gr_error_code(placed) != GR_OK) {
        gr_value *err =
            gr_error(gr_error_code(placed), "variable '%s': %s", name, gr_error_text(placed));
        gr_value_unref(placed);
        gr_value_unref(messages);
        return err;
    }
    return gr_add(messages, last_of(placed, role->n_messages));
}

static gr_value *print_messages(const struct chat_prompt *cp, const gr_value *vars)
{
    gr_value *messages = gr_list_n(NULL, 0);

    for (size_t i = 0; i < cp->count && gr_error_code(messages) == GR_OK; i++) {
        const struct role *role = &cp->roles[i];
        struct gri_strbuf b = { .max = PROMPT_BYTES_MAX };
        gr_value *m;

        if (role->name == NULL) {
            messages = add_placed(messages, role, vars);
            continue;
        }
        gri_template_print(role->t, vars, &b);
        m = gr_message(role->name, gri_strbuf_value(&b));
        if (gr_error_code(m) != GR_OK) {
            gr_value_unref(messages);
            return m;
        }
        messages = gr_append(messages, m);
    }
    return messages;
}

static gr_value *chat_prompt_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    const gr_value *args = gr_args(c);
    gr_value *vars = gri_vars_given(input, gr_get(args, "names"), gr_get(args, "partial"));
    gr_value *answer = gri_vars_check("ChatPromptTemplate", gr_get(args, "names"), vars);

    (void)self;
    if (answer == NULL)
        answer = print_messages(gr_as_opaque(gr_get(args, "prompt")), vars);
    gr_value_unref(vars);
    return answer;
}

static gr_value *chat_prompt_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    (void)args;
    return gri_describe_leaf(
        "ChatPromptTemplate",
        gr_set(gri_schema_of_texts(gr_get(gr_args(c), "names")), "title", gr_str("PromptInput")),
        gri_schema_of_type("array"));
}

static const gr_method chat_prompt_methods[] = {
    { "invoke", GR_CHEAP, chat_prompt_invoke, NULL },
    { "describe", GR_CHEAP, chat_prompt_describe, NULL },
};
static const gr_class chat_prompt_class =
    GR_CLASS(.name = "ChatPromptTemplate", .run_type = GR_TYPE_PROMPT,
             GR_METHODS(chat_prompt_methods));

/* partial_of: a placeholder's variable may be missing, as if there were a partial. */
static gr_value *partial_of(const struct chat_prompt *cp, gr_value *partial)
{
    for (size_t i = 0; i < cp->count && gr_is_nil(partial); i++)
        if (cp->roles[i].optional)
            return gr_map_n(NULL, 0);
    return gr_value_ref(partial);
}

gr_ref gr_chat_prompt_n(gr_scope *in, const gr_role *roles, size_t count)
{
    return gr_chat_prompt_for_n(in, NULL, roles, count);
}

gr_ref gr_chat_prompt_for_n(gr_scope *in, const gr_prompt_opts *opts, const gr_role *roles,
                            size_t count)
{
    gr_value *partial = opts != NULL && opts->partial != NULL ? opts->partial : gr_nil(), *args;
    struct chat_prompt *cp = gri_new0(struct chat_prompt);

    if (!gr_is_nil(partial) && gr_value_type(partial) != GR_MAP)
        args = gri_vars_not_a_map(gr_value_ref(partial));
    else
        args = cp == NULL ? no_memory() : read_roles(roles, count, cp);
    if (args == NULL)
        args = gr_map(GR_KV("names", gri_vars_due(names_of(cp), partial)),
                      GR_KV("partial", partial_of(cp, partial)),
                      GR_KV("prompt", gr_opaque(cp, drop_chat_prompt)));
    else
        drop_chat_prompt(cp);
    gr_value_unref(partial);
    return gr_spawn(in, &chat_prompt_class, GR_SPAWN(.args = gri_vars_whole(args)));
}
