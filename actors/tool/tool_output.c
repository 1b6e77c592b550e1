/* SPDX-License-Identifier: Apache-2.0 */
/* tool_output.c - the message that answers a tool call, and what becomes of a failure. */
#include <greenroom/codec.h>
#include <greenroom/message.h>
#include <string.h>

#include "actors/tool/tool.h"

/* ---- content --------------------------------------------------------------------------------------- */

/* is_block: what chat models take in the content of a tool's message. */
static bool is_block(const gr_value *v)
{
    static const char *const types[] = {
        "text",  "image_url", "image",    "json",       "search_result",          "audio",
        "video", "file",      "document", "text-plain", "custom_tool_call_output"
    };
    const char *type = gr_cstr(gr_get(v, "type"), "");

    if (gr_value_type(v) == GR_STR)
        return true;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(types[i], type) == 0)
            return true;
    return false;
}

static bool is_content(const gr_value *v)
{
    if (gr_value_type(v) == GR_STR)
        return true;
    if (gr_value_type(v) != GR_LIST)
        return false;
    for (size_t i = 0; i < gr_len(v); i++)
        if (!is_block(gr_at(v, i)))
            return false;
    return true;
}

gr_value *gri_tool_content(gr_value *v)
{
    gr_value *text;
    char *json;

    if (is_content(v))
        return v;
    json = gr_json_print(v, 0, NULL);
    text = json != NULL ? gr_str(json) : gr_error(GR_ENOMEM, "out of memory for an answer");
    gr_free(json);
    gr_value_unref(v);
    return text;
}

gr_value *gri_tool_reply(const gr_value *call, gr_value *content, const char *status)
{
    gr_value *m;

    if (gr_error_code(content) != GR_OK)
        return content;
    m = gr_tool_message(gr_cstr(gr_get(call, "id"), ""), content);
    if (gr_get(call, "name") != NULL && gr_error_code(m) == GR_OK)
        m = gr_set(m, "name", gr_value_ref(gr_get(call, "name")));
    return gr_error_code(m) == GR_OK ? gr_set(m, "status", gr_str(status)) : m;
}

/* ---- answers ---------------------------------------------------------------------------------------- */

static bool is_reply(const gr_value *v)
{
    return strcmp(gr_cstr(gr_get(v, "type"), ""), "tool") == 0 && gr_get(v, "content") != NULL;
}

/* addressed has a message that the tool has made itself answer the call. */
static gr_value *addressed(const gr_value *call, gr_value *m)
{
    if (gr_cstr(gr_get(m, "tool_call_id"), "")[0] == '\0')
        m = gr_set(m, "tool_call_id", gr_str(gr_cstr(gr_get(call, "id"), "")));
    if (gr_get(m, "name") == NULL && gr_get(call, "name") != NULL)
        m = gr_set(m, "name", gr_value_ref(gr_get(call, "name")));
    return gr_get(m, "status") != NULL ? m : gr_set(m, "status", gr_str("success"));
}

/* no_pair is what an answer is that should be content and artifact, and is not. */
static gr_value *no_pair(gr_value *v)
{
    gr_value *err =
        gr_error(GR_EINVAL,
                 "Since content_and_artifact is set a two-tuple, a list of the message's "
                 "content and the raw output, is expected; got a %s of length %zu",
                 gr_type_name(gr_value_type(v)), gr_len(v));

    gr_value_unref(v);
    return err;
}

/* split_pair takes a pair apart, into v and *ret_artifact. */
static gr_value *split_pair(gr_value *v, gr_value **ret_artifact)
{
    gr_value *content = gr_value_ref(gr_at(v, 0));

    *ret_artifact = gr_value_ref(gr_at(v, 1));
    gr_value_unref(v);
    return content;
}

gr_value *gri_tool_output(const struct gri_tool *t, const gr_value *input, gr_value *v)
{
    gr_value *artifact = NULL, *m;

    if (gri_is_tool_call(input) && is_reply(v))
        return addressed(input, v);
    if (t->artifact) {
        if (gr_value_type(v) != GR_LIST || gr_len(v) != 2)
            return no_pair(v);
        v = split_pair(v, &artifact);
    }
    if (!gri_is_tool_call(input)) {
        gr_value_unref(artifact);
        return v;
    }
    m = gri_tool_reply(input, gri_tool_content(v), "success");
    return artifact != NULL ? gr_set(m, "artifact", artifact) : m;
}

/* ---- failures ----------------------------------------------------------------------------------------- */

gr_value *gri_tool_error_told(const gr_value *err)
{
    gr_value *detail = gr_value_ref(gr_get(err, "detail"));

    return gr_map(GR_KV("kind", gr_str(gr_cstr(gr_get(err, "kind"), ""))),
                  GR_KV("text", gr_str(gr_error_text(err))),
                  GR_KV("code", gr_str(gr_code_name(gr_error_code(err)))),
                  GR_KV("detail", detail != NULL ? detail : gr_nil()));
}

/* content_of gives what an error is answered with; an error value if it is not handled, or if that fails. */
static gr_value *content_of(gr_ctx *c, const gr_value *handle, const gr_value *err, bool invalid)
{
    gr_value *why = NULL, *v;

    if (gr_value_type(handle) == GR_STR)
        return gr_value_ref(handle);
    if (gr_value_type(handle) == GR_REFV) {
        v = gr_invoke(gr_runtime_of(c), gr_as_ref(handle), gri_tool_error_told(err), NULL, &why);
        return v != NULL ? v : why;
    }
    if (!gr_as_bool(handle, false))
        return gr_value_ref(err);
    if (invalid)
        return gr_str("Tool input validation error");
    return gr_error_text(err)[0] != '\0' ? gr_str(gr_error_text(err))
                                         : gr_str("Tool execution error");
}

gr_value *gri_tool_failure(const struct gri_tool *t, gr_ctx *c, const gr_value *input,
                           gr_value *err)
{
    const char *kind = gr_cstr(gr_get(err, "kind"), "");
    bool invalid = strcmp(kind, "ValidationError") == 0;
    gr_value *v;

    if (!invalid && strcmp(kind, "ToolException") != 0)
        return err;
    v = content_of(c, invalid ? t->on_invalid : t->on_exception, err, invalid);
    gr_value_unref(err);
    if (gr_error_code(v) != GR_OK || !gri_is_tool_call(input))
        return v;
    return gri_tool_reply(input, gri_tool_content(v), "error");
}
