/* SPDX-License-Identifier: Apache-2.0 */
/* chat_template.c - reading a list of roles, and filling it in. */
#include "actors/prompt/chat_template.h"

#include <string.h>

#include <greenroom/message.h>

#include "actors/prompt/value_template.h"
#include "runtime/base/alloc.h"

struct role {
    char *name;                        /* owned: the message's role; NULL for a placeholder */
    struct gri_template *t;            /* owned; a placeholder has one variable: its messages */
    struct gri_value_template *blocks; /* owned; a content of blocks, instead of t */
    size_t n_messages;                 /* of a placeholder: at most so many, 0: all */
    bool optional;                     /* a placeholder whose variable may be missing */
};

struct gri_chat_template {
    struct role *roles; /* owned */
    size_t count;
};

void gri_chat_template_free(void *t)
{
    struct gri_chat_template *cp = t;

    if (cp == NULL)
        return;
    for (size_t i = 0; i < cp->count; i++) {
        gri_free(cp->roles[i].name);
        gri_template_free(cp->roles[i].t);
        gri_value_template_free(cp->roles[i].blocks);
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

/* read_content reads what stands under a role: a text, or blocks. */
static gr_value *read_content(const gr_role *from, gr_template_format format, struct role *role)
{
    gr_value *err = NULL;

    if (from->content == NULL)
        gri_template_read(from->tmpl, strlen(from->tmpl), format, &role->t, &err);
    else if (gr_error_code(from->content) == GR_OK && gr_value_type(from->content) != GR_LIST)
        err = gr_error(GR_ETYPE, "a content of blocks is a list, not of type %s",
                       gr_type_name(gr_value_type(from->content)));
    else
        gri_value_template_read(from->content, format, &role->blocks, &err);
    return err;
}

static gr_value *read_role(const gr_role *from, gr_template_format format, struct role *role)
{
    gr_value *probe;

    if (from->role == NULL || (from->tmpl == NULL) == (from->content == NULL))
        return gr_error(GR_EINVAL, "no role or no template");
    role->n_messages = from->n_messages;
    role->optional = strcmp(from->role, "placeholder") == 0;
    if ((role->optional || strcmp(from->role, "messages") == 0) && from->tmpl != NULL)
        return read_placeholder(from->tmpl, role);
    probe = gr_message(from->role, gr_str(""));
    if (gr_error_code(probe) != GR_OK)
        return probe;
    gr_value_unref(probe);
    role->name = gri_strdup(from->role);
    return role->name == NULL ? no_memory() : read_content(from, format, role);
}

/* read_roles gives NULL, or what is wrong, naming the message. */
static gr_value *read_roles(const gr_role *from, size_t count, gr_template_format format,
                            struct gri_chat_template *cp)
{
    cp->roles = gri_alloc_array(count == 0 ? 1 : count, sizeof(*cp->roles));
    if (cp->roles == NULL)
        return no_memory();
    cp->count = count;
    for (size_t i = 0; i < count; i++) {
        gr_value *err = read_role(&from[i], format, &cp->roles[i]);

        if (err != NULL) {
            gr_value *named =
                gr_error(gr_error_code(err), "message %zu: %s", i + 1, gr_error_text(err));
            gr_value_unref(err);
            return named;
        }
    }
    return NULL;
}

gr_value *gri_chat_template_read(const gr_role *roles, size_t count, gr_template_format format,
                                 struct gri_chat_template **ret_t)
{
    struct gri_chat_template *t = gri_new0(struct gri_chat_template);
    gr_value *err = t == NULL ? no_memory() : read_roles(roles, count, format, t);

    for (size_t i = 0; i < count; i++)
        gr_value_unref(roles[i].content);
    if (err == NULL)
        *ret_t = t;
    else
        gri_chat_template_free(t);
    return err;
}

bool gri_chat_template_may_lack(const struct gri_chat_template *t)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->roles[i].optional)
            return true;
    return false;
}

static bool has_name(const gr_value *names, const char *name)
{
    for (size_t i = 0; i < gr_len(names); i++)
        if (strcmp(gr_cstr(gr_at(names, i), ""), name) == 0)
            return true;
    return false;
}

static gr_value *add_names(gr_value *names, const struct gri_template *t)
{
    const char *name;

    for (size_t n = 0; (name = gri_template_var(t, n)) != NULL; n++)
        if (!has_name(names, name))
            names = gr_append(names, gr_str(name));
    return names;
}

gr_value *gri_chat_template_names(const struct gri_chat_template *cp, gr_value *names)
{
    for (size_t i = 0; i < cp->count; i++) {
        const struct role *role = &cp->roles[i];
        const struct gri_template *t;

        if (role->optional)
            continue;
        if (role->t != NULL)
            names = add_names(names, role->t);
        for (size_t n = 0; role->blocks != NULL; n++) {
            t = gri_value_template_at(role->blocks, n);
            if (t == NULL)
                break;
            names = add_names(names, t);
        }
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

    if (role->optional && gr_is_nil(v))
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

/* content_of fills a role's template in. */
static gr_value *content_of(const struct role *role, const gr_value *vars)
{
    struct gri_strbuf b = { .max = GRI_PROMPT_BYTES_MAX };

    if (role->blocks != NULL)
        return gri_value_template_print(role->blocks, vars, GRI_PROMPT_BYTES_MAX);
    gri_template_print(role->t, vars, &b);
    return gri_strbuf_value(&b);
}

gr_value *gri_chat_template_print(const struct gri_chat_template *cp, gr_value *messages,
                                  const gr_value *vars)
{
    for (size_t i = 0; i < cp->count && gr_error_code(messages) == GR_OK; i++) {
        const struct role *role = &cp->roles[i];
        gr_value *m;

        if (role->name == NULL) {
            messages = add_placed(messages, role, vars);
            continue;
        }
        m = gr_message(role->name, content_of(role, vars));
        if (gr_error_code(m) != GR_OK) {
            gr_value_unref(messages);
            return m;
        }
        messages = gr_append(messages, m);
    }
    return messages;
}
