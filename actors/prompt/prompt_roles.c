/* SPDX-License-Identifier: Apache-2.0 */
/* prompt_roles.c - the messages of a chat prompt's description, in each of their forms. */
#include "actors/prompt/prompt_config.h"

#include <string.h>

#include <greenroom/message.h>
#include <greenroom/messages.h>

#include "runtime/base/alloc.h"

struct reader {
    const struct gri_prompt_source *s;
    struct gri_prompt_roles *roles;
    gr_template_format *format;
    bool formatted; /* a template has said which */
};

/* keep holds a text for as long as the roles are there, and returns its characters. */
static const char *keep(struct reader *r, gr_value *text)
{
    r->roles->kept = gr_append(r->roles->kept, text);
    return gr_cstr(gr_at(r->roles->kept, gr_len(r->roles->kept) - 1), NULL);
}

static void add(struct reader *r, gr_role role)
{
    r->roles->at[r->roles->count++] = role;
}

/* take_format reads a template's format, if it says one; NULL, or what is wrong. */
static gr_value *take_format(struct reader *r, const gr_value *template)
{
    const gr_value *kwargs = gri_prompt_kwargs(template);
    gr_template_format format = GR_FSTRING;
    gr_value *err = gri_prompt_format(kwargs, &format);

    if (err != NULL || gr_is_nil(gr_get(kwargs, "template_format")))
        return err;
    if (r->formatted && format != *r->format)
        return gr_error(GR_EINVAL, "templates of two formats in one prompt");
    r->formatted = true;
    *r->format = format;
    return NULL;
}

/* take_formats reads those of a message, before any message is: a text that is no template is written in the format of those
 * that are. */
static gr_value *take_formats(struct reader *r, const gr_value *message)
{
    const gr_value *prompt = gr_get(gri_prompt_kwargs(message), "prompt");
    gr_value *err = NULL;

    if (gr_value_type(prompt) == GR_MAP)
        return take_format(r, prompt);
    for (size_t i = 0; gr_value_type(prompt) == GR_LIST && i < gr_len(prompt) && err == NULL; i++)
        err = take_format(r, gr_at(prompt, i));
    return err;
}

/* block_of reads one of the templates that are a message's blocks: of a text, of a whole block, or of an image. */
static gr_value *block_of(const gr_value *template)
{
    const gr_value *inner = gr_get(gri_prompt_kwargs(template), "template");

    if (gr_value_type(inner) != GR_MAP)
        return gr_map(GR_KV("type", gr_str("text")), GR_KV("text", gr_str(gr_cstr(inner, NULL))));
    if (gri_prompt_is_class(template, "DictPromptTemplate"))
        return gr_value_ref(inner);
    return gr_map(GR_KV("type", gr_str("image_url")), GR_KV("image_url", gr_value_ref(inner)));
}

/* of_prompts reads what a message's prompt is: a template, or a list of them that are its blocks. */
static gr_value *of_prompts(struct reader *r, const char *role, const gr_value *prompt)
{
    const gr_value *kwargs = gri_prompt_kwargs(prompt);
    gr_value *text;

    if (gr_value_type(prompt) == GR_LIST) {
        gr_value *blocks = gr_list_n(NULL, 0);

        for (size_t i = 0; i < gr_len(prompt); i++)
            blocks = gr_append(blocks, block_of(gr_at(prompt, i)));
        add(r, (gr_role)GR_BLOCKS(role, blocks));
        return NULL;
    }
    if (gr_value_type(kwargs) != GR_MAP)
        return gr_error(GR_EINVAL, "a message's prompt is a map, or a list of them");
    text = gri_source_part(r->s, kwargs, "template");
    if (gr_is_nil(text))
        return gr_error(GR_EINVAL, "a message without a template");
    if (gr_error_code(text) != GR_OK)
        return text;
    add(r, (gr_role)GR_ROLE(role, keep(r, text)));
    return NULL;
}

static gr_value *of_placeholder(struct reader *r, const gr_value *kwargs)
{
    const char *name = gr_cstr(gr_get(kwargs, "variable_name"), NULL);
    int64_t most = gr_as_int(gr_get(kwargs, "n_messages"), 0);
    bool optional = gr_as_bool(gr_get(kwargs, "optional"), false);

    if (name == NULL || most < 0)
        return gr_error(GR_EINVAL,
                        "a placeholder has a variable_name, and n_messages of 1 or more");
    add(r, (gr_role){ optional ? "placeholder" : "messages", name, (size_t)most, NULL });
    return NULL;
}

/* of_message keeps a message that is none of templates as it is, with its calls and blocks: it is the value of a variable
 * of its own. */
static gr_value *of_message(struct reader *r, const gr_value *v)
{
    gr_value *list = gr_list(gr_value_ref(v)), *messages = gr_messages_from_dict(list);
    const char *name;

    gr_value_unref(list);
    if (gr_error_code(messages) != GR_OK)
        return messages;
    name = keep(r, gr_strf("_message_%zu", r->roles->count + 1));
    r->roles->constants = gr_set(r->roles->constants, name != NULL ? name : "", messages);
    add(r, (gr_role)GR_MESSAGES(name, 0));
    return NULL;
}

static gr_value *of_constructor(struct reader *r, const gr_value *v)
{
    static const char *const classes[][2] = {
        { "SystemMessagePromptTemplate", "system" },
        { "HumanMessagePromptTemplate", "human" },
        { "AIMessagePromptTemplate", "ai" },
    };

    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (gri_prompt_is_class(v, classes[i][0]))
            return of_prompts(r, classes[i][1], gr_get(gri_prompt_kwargs(v), "prompt"));
    if (gri_prompt_is_class(v, "MessagesPlaceholder"))
        return of_placeholder(r, gri_prompt_kwargs(v));
    return of_message(r, v);
}

/* of_role reads {"role", "content" or "template"}. */
static gr_value *of_role(struct reader *r, const char *role, const gr_value *content)
{
    if (gr_value_type(content) == GR_LIST)
        add(r, (gr_role)GR_BLOCKS(role, gr_value_ref(content)));
    else if (gr_value_type(content) == GR_STR)
        add(r, (gr_role)GR_ROLE(role, gr_cstr(content, "")));
    else
        return gr_error(GR_EINVAL, "a message's content is a text, or a list of blocks");
    return NULL;
}

static gr_value *read_one(struct reader *r, const gr_value *v)
{
    const gr_value *role = gr_get(v, "role"), *content = gr_get(v, "content");

    if (gr_value_type(v) == GR_STR)
        return of_role(r, "human", v);
    if (gr_value_type(v) == GR_LIST && gr_len(v) == 2 && gr_value_type(gr_at(v, 0)) == GR_STR)
        return of_role(r, gr_cstr(gr_at(v, 0), ""), gr_at(v, 1));
    if (gr_get(v, "lc") != NULL)
        return of_constructor(r, v);
    if (gr_get(v, "prompt") != NULL)
        return of_prompts(r, gr_cstr(role, "human"), gr_get(v, "prompt"));
    if (gr_get(v, "variable_name") != NULL)
        return of_placeholder(r, v);
    if (gr_value_type(role) == GR_STR)
        return of_role(r, gr_cstr(role, ""), content != NULL ? content : gr_get(v, "template"));
    if (gr_value_type(v) == GR_MAP && content != NULL)
        return of_message(r, v);
    return gr_error(GR_EINVAL, "expected a pair, or a map with role, prompt or variable_name");
}

gr_value *gri_prompt_roles_read(const struct gri_prompt_source *s, const gr_value *messages,
                                gr_template_format *format, struct gri_prompt_roles *roles)
{
    struct reader r = { s, roles, format, false };
    gr_value *err = NULL;

    if (gr_value_type(messages) != GR_LIST || gr_len(messages) > GRI_PROMPT_ROLES_MAX)
        return gr_error(GR_EINVAL, "a chat prompt's messages are a list, of at most %d",
                        GRI_PROMPT_ROLES_MAX);
    roles->at = gri_alloc_array(gr_len(messages) + 1, sizeof(*roles->at));
    roles->kept = gr_list_n(NULL, 0);
    roles->constants = gr_map_n(NULL, 0);
    if (roles->at == NULL)
        return gr_error(GR_ENOMEM, "out of memory for a prompt");
    for (size_t i = 0; i < 2 * gr_len(messages) && err == NULL; i++) {
        const gr_value *message = gr_at(messages, i % gr_len(messages));
        gr_value *wrong = i < gr_len(messages) ? take_formats(&r, message) : read_one(&r, message);

        if (wrong == NULL)
            continue;
        err = gr_error(gr_error_code(wrong), "message %zu: %s", i % gr_len(messages) + 1,
                       gr_error_text(wrong));
        gr_value_unref(wrong);
    }
    if (err == NULL && gr_error_code(roles->kept) != GR_OK)
        err = gr_value_ref(roles->kept);
    return err;
}

void gri_prompt_roles_fini(struct gri_prompt_roles *roles, bool contents)
{
    for (size_t i = 0; contents && i < roles->count; i++)
        gr_value_unref(roles->at[i].content);
    gr_value_unref(roles->kept);
    gr_value_unref(roles->constants);
    gri_free(roles->at);
}
