/* SPDX-License-Identifier: Apache-2.0 */
/* responses_request.c - settings to the body of a request. */
#include "actors/model/responses_wire.h"
#include "actors/model/wire.h"

/* ---- tools ----------------------------------------------------------------------------------- */

/* tool_of: a function stands in the tool itself here; the server's own tools are as they are. */
static gr_value *tool_of(const gr_value *tool)
{
    const gr_value *fn = gr_get(tool, "function");

    if (!gri_has_type(tool, "function") || gr_value_type(fn) != GR_MAP)
        return gr_value_ref(tool);
    return gr_merge(gr_map(GR_KV("type", gr_str("function"))), gr_value_ref(fn));
}

static gr_value *tools_of(const gr_value *tools)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(tools); i++)
        list = gr_append(list, tool_of(gr_at(tools, i)));
    return list;
}

/* is_servers tells whether a name is that of a tool that the server runs: such have a type and no name. */
static bool is_servers(const gr_value *tools, const gr_value *name)
{
    for (size_t i = 0; i < gr_len(tools); i++)
        if (gr_equal(gr_get(gr_at(tools, i), "type"), name))
            return !gri_is_text(name, "function");
    return false;
}

static gr_value *choice_of(const gr_value *choice, const gr_value *tools)
{
    const gr_value *fn = gr_get(choice, "function");

    if (gr_value_type(choice) == GR_BOOL)
        return gr_str(gr_as_bool(choice, false) ? "required" : "none");
    if (gr_value_type(fn) == GR_MAP)
        return gr_merge(gr_map(GR_KV("type", gr_str("function"))), gr_value_ref(fn));
    if (gr_value_type(choice) != GR_STR || gri_is_text(choice, "auto") ||
        gri_is_text(choice, "none") || gri_is_text(choice, "required"))
        return gr_value_ref(choice);
    if (gri_is_text(choice, "any"))
        return gr_str("required");
    if (is_servers(tools, choice))
        return gr_map(GR_KV("type", gr_value_ref(choice)));
    return gr_map(GR_KV("type", gr_str("function")), GR_KV("name", gr_value_ref(choice)));
}

/* ---- the rest -------------------------------------------------------------------------------- */

/* format_of: what response_format says stands in the format itself here. */
static gr_value *format_of(const gr_value *format)
{
    const gr_value *inner = gr_get(format, "json_schema");

    if (gr_value_type(inner) != GR_MAP)
        return gr_value_ref(format);
    return gr_merge(gr_map(GR_KV("type", gr_str("json_schema"))), gr_value_ref(inner));
}

/* text_of gives "text": how the answer's text is to be. nil: nothing is said of it. */
static gr_value *text_of(const gr_value *params)
{
    const gr_value *given = gr_get(params, "text"), *format = gr_get(params, "response_format");
    gr_value *text = gr_value_type(given) == GR_MAP ? gr_value_ref(given) : gr_map_n(NULL, 0);

    if (!gr_is_nil(format))
        text = gr_set(text, "format", format_of(format));
    text = gri_keep(text, "verbosity", gr_get(params, "verbosity"));
    if (gr_error_code(text) != GR_OK || gr_len(text) > 0)
        return text;
    gr_value_unref(text);
    return gr_nil();
}

/* Keys that have another name here, or are none of the request's. */
static bool is_own(const char *key)
{
    static const char *const keys[] = {
        "messages", "max_tokens",  "max_completion_tokens",   "reasoning_effort",
        "tools",    "tool_choice", "response_format",         "verbosity",
        "text",     "stream",      "use_previous_response_id"
    };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

/* refuses_temperature: these models answer a request that has one with an error; langchain-openai sends them none. */
static bool refuses_temperature(const char *model)
{
    return strncmp(model, "gpt-5", 5) == 0 && strstr(model, "chat") == NULL;
}

static gr_value *add_plain(gr_value *body, const gr_value *params, bool stream)
{
    bool cold = refuses_temperature(gr_cstr(gr_get(params, "model"), ""));

    for (size_t i = 0; i < gr_len(params); i++) {
        const char *key = NULL;
        const gr_value *v = gr_pair_at(params, i, &key);

        if (!is_own(key) && (stream || strcmp(key, "stream_options") != 0) &&
            !(cold && strcmp(key, "temperature") == 0))
            body = gri_keep(body, key, v);
    }
    return body;
}

static gr_value *params_of(const gr_value *params, bool stream)
{
    const gr_value *tools = gr_get(params, "tools"), *choice = gr_get(params, "tool_choice");
    const gr_value *effort = gr_get(params, "reasoning_effort");
    gr_value *body = add_plain(gr_map_n(NULL, 0), params, stream), *text = text_of(params);

    body = gri_keep(body, "max_output_tokens", gr_get(params, "max_completion_tokens"));
    body = gri_keep(body, "max_output_tokens", gr_get(params, "max_tokens"));
    if (!gr_is_nil(effort) && gr_is_nil(gr_get(params, "reasoning")))
        body = gr_set(body, "reasoning", gr_map(GR_KV("effort", gr_value_ref(effort))));
    body = gri_keep_some(body, "tools", tools_of(tools));
    if (!gr_is_nil(choice))
        body = gr_set(body, "tool_choice", choice_of(choice, tools));
    if (gr_is_nil(text))
        return body;
    return gr_set(body, "text", text);
}

/* answered_before finds the last answer that this API gave; its id, and in *ret_next the message behind it. NULL:
 * there is none. */
static const gr_value *answered_before(const gr_value *messages, size_t *ret_next)
{
    for (size_t i = gr_len(messages); i-- > 0;) {
        const gr_value *m = gr_at(messages, i);
        const gr_value *id = gr_get(gr_get(m, "response_metadata"), "id");

        if ((gri_has_type(m, "ai") || gri_has_type(m, "AIMessageChunk")) &&
            strncmp(gr_cstr(id, ""), "resp_", 5) == 0) {
            *ret_next = i + 1;
            return id;
        }
    }
    return NULL;
}

gr_value *gri_responses_request(const struct gri_model_ask *ask)
{
    size_t first = 0;
    const gr_value *before = gr_as_bool(gr_get(ask->params, "use_previous_response_id"), false)
                                 ? answered_before(ask->messages, &first)
                                 : NULL;
    gr_value *input =
        gri_responses_input(ask->messages, first, gr_as_bool(gr_get(ask->params, "store"), true));
    gr_value *body;

    if (gr_error_code(input) != GR_OK)
        return input;
    body = gr_set(params_of(ask->params, ask->stream), "input", input);
    body = gri_keep(body, "previous_response_id", before);
    return ask->stream ? gr_set(body, "stream", gr_bool(true)) : body;
}
