/* SPDX-License-Identifier: Apache-2.0 */
/* agent_answer.c - answers that are data: by a tool that the model must call, or by the server. */
#include <greenroom/codec.h>
#include <greenroom/message.h>
#include <string.h>

#include "actors/agent/agent.h"
#include "actors/tool/tool.h"

const char *gri_format_name(const struct gri_agent *a)
{
    return gr_cstr(gr_get(gr_schema_value(a->format), "title"), "");
}

gr_value *gri_format_read(struct gri_agent *a, gr_value *schema, const char *method)
{
    gr_value *err = NULL;

    a->native = method != NULL && strcmp(method, "provider") == 0;
    if (method != NULL && !a->native && strcmp(method, "tool") != 0)
        err = gr_error(GR_EINVAL, "agent: response_method must be tool or provider, not '%s'",
                       method);
    else if (schema != NULL && gr_cstr(gr_get(schema, "title"), "")[0] == '\0')
        err = gr_error(GR_EINVAL, "agent: response_format must be a JSON Schema with a title");
    if (err != NULL || schema == NULL) {
        gr_value_unref(schema);
        return err;
    }
    a->format = gr_schema_new(schema, NULL, &err);
    return err;
}

gr_value *gri_format_kwargs(const struct gri_agent *a, gr_value *kwargs)
{
    const gr_value *schema = gr_schema_value(a->format);
    gr_value *tools;

    if (a->format == NULL)
        return kwargs;
    if (a->native)
        return gr_set(kwargs, "response_format",
                      gr_map(GR_KV("type", gr_str("json_schema")),
                             GR_KV("json_schema", gr_map(GR_KV("name", gr_str(gri_format_name(a))),
                                                         GR_KV("schema", gr_value_ref(schema))))));
    tools = gr_value_ref(gr_get(kwargs, "tools"));
    if (tools == NULL)
        tools = gr_list_n(NULL, 0);
    kwargs = gr_set(kwargs, "tools", gr_append(tools, gr_openai_tool(gr_value_ref(schema), 0)));
    return gr_set(kwargs, "tool_choice", gr_str("any"));
}

/* wrong_with gives what is wrong with an answer, as a text; NULL: nothing. An error value if it can't be judged. */
static gr_value *wrong_with(const struct gri_agent *a, const gr_value *v)
{
    gr_value *errors = gr_schema_validate(a->format, v), *text = NULL;

    if (gr_error_code(errors) != GR_OK || gr_len(errors) > 0)
        text = gr_schema_text(errors);
    gr_value_unref(errors);
    return text;
}

static bool is_answer(const struct gri_agent *a, const gr_value *call)
{
    return strcmp(gr_cstr(gr_get(call, "name"), ""), gri_format_name(a)) == 0;
}

bool gri_format_answers(const struct gri_agent *a, const gr_value *calls)
{
    gr_value *args, *wrong;

    if (a->format == NULL || a->native || gr_len(calls) != 1 || !is_answer(a, gr_at(calls, 0)))
        return false;
    args = gr_schema_fill(a->format, gr_value_ref(gr_get(gr_at(calls, 0), "args")));
    wrong = wrong_with(a, args);
    gr_value_unref(args);
    gr_value_unref(wrong);
    return wrong == NULL;
}

/* by_call takes the answer from the arguments of its tool's call. */
static gr_value *by_call(struct gri_turn *t, const gr_value *call)
{
    gr_value *args = gr_schema_fill(t->a->format, gr_value_ref(gr_get(call, "args"))), *text;
    gr_value *wrong = wrong_with(t->a, args);
    char *json;

    if (gr_value_type(wrong) == GR_ERROR) {
        gr_value_unref(args);
        return wrong;
    }
    if (wrong != NULL) {
        text =
            gr_strf("Error: Failed to parse structured output for tool '%s': %s.\n Please fix your "
                    "mistakes.",
                    gri_format_name(t->a), gr_cstr(wrong, "?"));
        gr_value_unref(args);
        gr_value_unref(wrong);
        return gri_turn_add(t, "model", gr_list(gri_tool_reply(call, text, "error")));
    }
    json = gr_json_print(args, 0, NULL);
    text = gr_strf("Returning structured response: %s", json != NULL ? json : "?");
    gr_free(json);
    t->structured = args;
    return gri_turn_add(t, "model", gr_list(gri_tool_reply(call, text, "success")));
}

/* by_text takes the answer from the message's text. */
static gr_value *by_text(struct gri_turn *t, const gr_value *message)
{
    gr_value *text = gr_message_text(message), *v, *wrong, *err;

    v = gr_json_parse(gr_cstr(text, ""), gr_len(text), NULL);
    gr_value_unref(text);
    if (gr_error_code(v) != GR_OK)
        return v;
    wrong = wrong_with(t->a, v);
    if (wrong == NULL) {
        t->structured = v;
        return NULL;
    }
    gr_value_unref(v);
    if (gr_value_type(wrong) == GR_ERROR)
        return wrong;
    err = gr_error_with(gr_error(GR_EINVAL, "the answer is not by the schema '%s': %s",
                                 gri_format_name(t->a), gr_cstr(wrong, "?")),
                        "kind", gr_str("OutputParserException"));
    gr_value_unref(wrong);
    return err;
}

gr_value *gri_format_answer(struct gri_turn *t, const gr_value *message)
{
    const gr_value *calls = gr_get(message, "tool_calls");
    gr_value *err = NULL;

    if (t->a->format == NULL)
        return NULL;
    if (t->a->native)
        return gr_len(calls) == 0 ? by_text(t, message) : NULL;
    for (size_t i = 0; err == NULL && t->structured == NULL && i < gr_len(calls); i++)
        if (is_answer(t->a, gr_at(calls, i)))
            err = by_call(t, gr_at(calls, i));
    return err;
}
