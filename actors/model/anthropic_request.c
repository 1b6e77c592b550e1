/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anthropic_request.c - messages and settings to the body of a request.
 *
 * The API wants the system prompt beside the messages, the user's and the assistant's turns in turn, and
 * what tools answered in the user's.
 */
#include <ctype.h>

#include "actors/model/anthropic_wire.h"
#include "actors/model/wire.h"

/* ---- messages -------------------------------------------------------------------------------- */

static bool is_role(const gr_value *m, const char *type, const char *chunk)
{
    return gri_has_type(m, type) || gri_has_type(m, chunk);
}

static const char *role_of(const gr_value *m)
{
    if (is_role(m, "human", "HumanMessageChunk") || is_role(m, "tool", "ToolMessageChunk"))
        return "user";
    if (is_role(m, "ai", "AIMessageChunk"))
        return "assistant";
    return is_role(m, "system", "SystemMessageChunk") ? "system" : NULL;
}

/* call_of finds the call that a tool_use block stands for. */
static const gr_value *call_of(const gr_value *calls, const gr_value *block)
{
    for (size_t i = 0; i < gr_len(calls); i++)
        if (gr_equal(gr_get(gr_at(calls, i), "id"), gr_get(block, "id")))
            return gr_at(calls, i);
    return NULL;
}

static gr_value *add_calls(gr_value *blocks, const gr_value *calls)
{
    for (size_t i = 0; i < gr_len(calls); i++) {
        bool there = false;

        for (size_t k = 0; k < gr_len(blocks) && !there; k++)
            there = gri_has_type(gr_at(blocks, k), "tool_use") &&
                    gr_equal(gr_get(gr_at(blocks, k), "id"), gr_get(gr_at(calls, i), "id"));
        if (!there)
            blocks = gr_append(blocks, gri_anthropic_call(gr_at(calls, i)));
    }
    return blocks;
}

/* assistant_blocks: the calls count as tool_calls has them, since blocks of a stream have no arguments. */
static gr_value *assistant_blocks(const gr_value *m, size_t at, bool strict)
{
    const gr_value *calls = gr_get(m, "tool_calls");
    gr_value *blocks = gri_anthropic_blocks(gr_get(m, "content"), at, strict), *out;

    if (gr_error_code(blocks) != GR_OK)
        return blocks;
    out = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(blocks); i++) {
        const gr_value *block = gr_at(blocks, i);
        const gr_value *call = gri_has_type(block, "tool_use") ? call_of(calls, block) : NULL;

        out = gr_append(out, call != NULL ? gr_set(gr_value_ref(block), "input",
                                                   gr_value_ref(gr_get(call, "args")))
                                          : gr_value_ref(block));
    }
    gr_value_unref(blocks);
    return add_calls(add_calls(out, calls), gr_get(m, "invalid_tool_calls"));
}

static bool has_result(const gr_value *content)
{
    for (size_t i = 0; i < gr_len(content); i++)
        if (gri_has_type(gr_at(content, i), "tool_result"))
            return true;
    return false;
}

static gr_value *tool_blocks(const gr_value *m, size_t at, bool strict)
{
    const gr_value *content = gr_get(m, "content");
    gr_value *inner, *block;

    if (gr_value_type(content) == GR_LIST && has_result(content))
        return gri_anthropic_blocks(content, at, strict);
    inner = gr_value_type(content) == GR_STR ? gr_value_ref(content)
                                             : gri_anthropic_blocks(content, at, strict);
    if (gr_error_code(inner) != GR_OK)
        return inner;
    block = gr_map(GR_KV("type", gr_str("tool_result")),
                   GR_KV("tool_use_id", gr_str(gr_cstr(gr_get(m, "tool_call_id"), ""))),
                   GR_KV("content", inner));
    if (gri_is_text(gr_get(m, "status"), "error"))
        block = gr_set(block, "is_error", gr_bool(true));
    return gr_list(block);
}

static gr_value *blocks_of(const gr_value *m, size_t at, bool strict)
{
    if (is_role(m, "tool", "ToolMessageChunk"))
        return tool_blocks(m, at, strict);
    if (is_role(m, "ai", "AIMessageChunk"))
        return assistant_blocks(m, at, strict);
    return gri_anthropic_blocks(gr_get(m, "content"), at, strict);
}

/* compact writes a lone text as a text. */
static gr_value *compact(gr_value *blocks)
{
    const gr_value *only = gr_len(blocks) == 1 ? gr_at(blocks, 0) : NULL;
    gr_value *text;

    if (gr_error_code(blocks) == GR_OK && gr_len(blocks) == 0) {
        gr_value_unref(blocks);
        return gr_str("");
    }
    if (!gri_has_type(only, "text") || gr_len(only) != 2)
        return blocks;
    text = gr_value_ref(gr_get(only, "text"));
    gr_value_unref(blocks);
    return text;
}

/* A turn that grows: messages of one side, one behind the other, are one turn. */
struct turns {
    gr_value *list;   /* owned: the turns that are complete */
    gr_value *blocks; /* owned: of the turn that may grow; NULL before the first */
    const char *role;
};

static void end_turn(struct turns *t)
{
    if (t->blocks == NULL)
        return;
    if (gr_error_code(t->blocks) == GR_OK && gr_len(t->blocks) == 0 && t->role[0] == 'a')
        gr_value_unref(t->blocks); /* an assistant that said nothing */
    else
        t->list = gr_append(
            t->list, gr_map(GR_KV("role", gr_str(t->role)), GR_KV("content", compact(t->blocks))));
    t->blocks = NULL;
}

static void add_turn(struct turns *t, const char *role, gr_value *blocks)
{
    if (t->blocks != NULL && strcmp(t->role, role) == 0) {
        t->blocks = gr_add(t->blocks, blocks);
        return;
    }
    end_turn(t);
    t->role = role;
    t->blocks = blocks;
}

/* trim_end: the API refuses white space at the end of an answer that the model is to continue. */
static gr_value *trim_end(gr_value *blocks)
{
    const gr_value *text = gr_get(gr_at(blocks, gr_len(blocks) - 1), "text");
    size_t len = gr_len(text);
    gr_value *out;

    if (!gri_has_type(gr_at(blocks, gr_len(blocks) - 1), "text"))
        return blocks;
    while (len > 0 && isspace((unsigned char)gr_cstr(text, "")[len - 1]))
        len--;
    if (len == gr_len(text))
        return blocks;
    out = gr_list_n(NULL, 0);
    for (size_t i = 0; i + 1 < gr_len(blocks); i++)
        out = gr_append(out, gr_value_ref(gr_at(blocks, i)));
    out = gr_append(out, gr_set(gr_value_ref(gr_at(blocks, gr_len(blocks) - 1)), "text",
                                gr_strn(gr_cstr(text, ""), len)));
    gr_value_unref(blocks);
    return out;
}

/* fill reads the messages into turns, and the first of them into *system; NULL, or an error value. */
static gr_value *fill(struct turns *t, gr_value **system, const gr_value *messages, bool strict)
{
    for (size_t i = 0; i < gr_len(messages); i++) {
        const gr_value *m = gr_at(messages, i);
        const char *role = role_of(m);
        gr_value *blocks;

        if (role == NULL)
            return gr_error(GR_EINVAL, "message %zu: type '%s' can't be sent to Anthropic", i + 1,
                            gr_cstr(gr_get(m, "type"), ""));
        if (role[0] == 's' && t->blocks != NULL)
            return gr_error(GR_EINVAL,
                            "message %zu: Anthropic takes system messages at the beginning only",
                            i + 1);
        blocks = blocks_of(m, i, strict);
        if (gr_error_code(blocks) != GR_OK)
            return blocks;
        if (role[0] == 's')
            *system = gr_add(*system, blocks);
        else
            add_turn(t, role, blocks);
    }
    if (t->blocks != NULL && t->role[0] == 'a' && gr_len(t->blocks) > 0)
        t->blocks = trim_end(t->blocks);
    end_turn(t);
    return NULL;
}

static gr_value *add_messages(gr_value *body, const gr_value *messages, bool strict)
{
    struct turns t = { .list = gr_list_n(NULL, 0) };
    gr_value *system = NULL;
    gr_value *err = fill(&t, &system, messages, strict);

    if (err != NULL) {
        gr_value_unref(t.list);
        gr_value_unref(t.blocks);
        gr_value_unref(system);
        gr_value_unref(body);
        return err;
    }
    if (system != NULL && gr_len(system) > 0)
        body = gr_set(body, "system", compact(system));
    else
        gr_value_unref(system);
    return gr_set(body, "messages", t.list);
}

/* ---- settings -------------------------------------------------------------------------------- */

/* Keys of the common form that have another name here, or none. */
static bool is_common(const char *key)
{
    static const char *const keys[] = { "model",
                                        "messages",
                                        "stop",
                                        "tools",
                                        "tool_choice",
                                        "parallel_tool_calls",
                                        "response_format",
                                        "seed",
                                        "max_tokens",
                                        "max_completion_tokens",
                                        "stream",
                                        "stream_options",
                                        NULL };
    size_t i = 0;

    while (keys[i] != NULL && strcmp(keys[i], key) != 0)
        i++;
    return keys[i] != NULL;
}

static bool is_sampling(const char *key)
{
    return strcmp(key, "temperature") == 0 || strcmp(key, "top_p") == 0 ||
           strcmp(key, "top_k") == 0;
}

static gr_value *add_rest(gr_value *body, const gr_value *settings, bool strict)
{
    for (size_t i = 0; i < gr_len(settings); i++) {
        const char *key;
        const gr_value *v = gr_pair_at(settings, i, &key);

        if (!is_common(key) && !(strict && is_sampling(key)))
            body = gri_keep(body, key, v);
    }
    return body;
}

/* add_format: output_config may hold more than the format. */
static gr_value *add_format(gr_value *body, const gr_value *format)
{
    const gr_value *schema = gr_get(gr_get(format, "json_schema"), "schema");
    const gr_value *config = gr_get(body, "output_config");
    gr_value *out;

    if (gr_is_nil(format) || gri_has_type(format, "text"))
        return body;
    if (!gri_has_type(format, "json_schema") || gr_value_type(schema) != GR_MAP) {
        gr_value_unref(body);
        return gr_error(GR_EINVAL,
                        "Anthropic's response_format is a json_schema with a schema, "
                        "no '%s'",
                        gr_cstr(gr_get(format, "type"), ""));
    }
    out = gr_map(GR_KV("type", gr_str("json_schema")), GR_KV("schema", gr_value_ref(schema)));
    out = gr_set(gr_value_type(config) == GR_MAP ? gr_value_ref(config) : gr_map_n(NULL, 0),
                 "format", out);
    return gr_set(body, "output_config", out);
}

bool gri_anthropic_thinks(const gr_value *thinking)
{
    return gr_value_type(thinking) == GR_MAP && !gri_has_type(thinking, "disabled");
}

/* allowed: the API refuses to make a model that thinks call a tool. LangChain drops the choice, too. */
static gr_value *allowed(gr_value *choice, const gr_value *thinking)
{
    if (!gri_anthropic_thinks(thinking) ||
        (!gri_has_type(choice, "any") && !gri_has_type(choice, "tool")))
        return choice;
    return gr_without(gr_set(choice, "type", gr_str("auto")), "name");
}

static gr_value *add_tools(gr_value *body, const gr_value *settings)
{
    gr_value *tools = gri_anthropic_tools(gr_get(settings, "tools"));
    bool some = gr_len(tools) > 0;
    gr_value *choice = gri_anthropic_choice(gr_get(settings, "tool_choice"),
                                            gr_get(settings, "parallel_tool_calls"), some);

    body = gri_keep_some(body, "tools", tools);
    if (gr_is_nil(choice))
        return body;
    return gr_set(body, "tool_choice", allowed(choice, gr_get(settings, "thinking")));
}

/* longest_of gives the longest answer that a model can give, as langchain-anthropic has it. */
static int64_t longest_of(const char *model)
{
    static const struct {
        const char *family;
        int64_t tokens;
    } known[] = { { "claude-3-haiku", 4096 },     { "claude-3-5-haiku", 8192 },
                  { "claude-3-7-sonnet", 64000 }, { "claude-sonnet-4", 64000 },
                  { "claude-haiku-4", 64000 },    { "claude-opus-4", 32000 } };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strncmp(model, known[i].family, strlen(known[i].family)) == 0)
            return known[i].tokens;
    return GRI_ANTHROPIC_MAX_TOKENS;
}

static gr_value *limit_of(const gr_value *settings)
{
    int64_t limit = gr_as_int(gr_get(settings, "max_tokens"),
                              gr_as_int(gr_get(settings, "max_completion_tokens"),
                                        longest_of(gr_cstr(gr_get(settings, "model"), ""))));

    return gr_int(limit);
}

gr_value *gri_anthropic_body(const gr_value *settings, const gr_value *messages, bool stream,
                             const char *version)
{
    bool strict = strcmp(version, GRI_ANTHROPIC_VERSION) > 0;
    const gr_value *stop = gr_get(settings, "stop");
    gr_value *body = gr_map(GR_KV("model", gr_str(gr_cstr(gr_get(settings, "model"), ""))),
                            GR_KV("max_tokens", limit_of(settings)));

    body = add_messages(body, messages, strict);
    if (gr_error_code(body) != GR_OK)
        return body;
    if (!gr_is_nil(stop))
        body = gr_set(body, "stop_sequences",
                      gr_value_type(stop) == GR_STR ? gr_list(gr_value_ref(stop))
                                                    : gr_value_ref(stop));
    body = add_tools(body, settings);
    body = add_rest(body, settings, strict);
    body = add_format(body, gr_get(settings, "response_format"));
    return stream && gr_error_code(body) == GR_OK ? gr_set(body, "stream", gr_bool(true)) : body;
}
