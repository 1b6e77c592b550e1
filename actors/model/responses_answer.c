/* SPDX-License-Identifier: Apache-2.0 */
/* responses_answer.c - a whole response, what it cost, and why it failed. */
#include "actors/model/responses_wire.h"

#include "actors/message/tool_calls.h"
#include "actors/model/openai_wire.h"
#include "actors/model/wire.h"

/* ---- what is told of the whole ----------------------------------------------------------------- */

gr_value *gri_responses_usage(const gr_value *usage, const gr_value *tier)
{
    static const struct gri_openai_names names = {
        .in = "input_tokens",
        .out = "output_tokens",
        .in_details = "input_tokens_details",
        .out_details = "output_tokens_details",
    };

    return gri_openai_usage_by(&names, usage, tier);
}

gr_value *gri_responses_metadata(const gr_value *response)
{
    static const char *const keys[] = { "created_at", "incomplete_details",
                                        "metadata",   "object",
                                        "status",     "user",
                                        "model",      "service_tier" };
    gr_value *meta = gr_map_n(NULL, 0);

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        meta = gri_keep(meta, keys[i], gr_get(response, keys[i]));
    return gri_keep(meta, "model_name", gr_get(response, "model"));
}

gr_value *gri_responses_failure(const gr_value *response)
{
    const gr_value *error = gr_get(response, "error");

    if (!gr_is_nil(error))
        return gri_openai_error_of(200, error, -1);
    if (gri_is_text(gr_get(response, "status"), "failed"))
        return gri_openai_error_of(200, NULL, -1);
    return NULL;
}

/* ---- blocks ------------------------------------------------------------------------------------ */

gr_value *gri_responses_citation(const gr_value *annotation)
{
    const gr_value *index = gr_get(annotation, "index");

    if (!gri_has_type(annotation, "file_citation") || index == NULL)
        return gr_value_ref(annotation);
    return gr_set(gr_without(gr_value_ref(annotation), "index"), "file_index", gr_value_ref(index));
}

static gr_value *text_block(const gr_value *part, const gr_value *id)
{
    const gr_value *annotations = gr_get(part, "annotations"), *logprobs = gr_get(part, "logprobs");
    gr_value *list = gr_list_n(NULL, 0);
    gr_value *block = gr_map(GR_KV("type", gr_str("text")),
                             GR_KV("text", gr_str(gr_cstr(gr_get(part, "text"), ""))));

    for (size_t i = 0; i < gr_len(annotations); i++)
        list = gr_append(list, gri_responses_citation(gr_at(annotations, i)));
    block = gri_keep(gr_set(block, "annotations", list), "id", id);
    return gr_len(logprobs) > 0 ? gri_keep(block, "logprobs", logprobs) : block;
}

/* What an answer's items are sorted into; all owned. */
struct sorted {
    gr_value *content, *calls, *refusal;
};

static void add_message(struct sorted *s, const gr_value *item)
{
    const gr_value *parts = gr_get(item, "content"), *id = gr_get(item, "id");

    for (size_t i = 0; i < gr_len(parts); i++) {
        const gr_value *part = gr_at(parts, i), *refusal = gr_get(part, "refusal");

        if (gri_has_type(part, "output_text")) {
            s->content = gr_append(s->content, text_block(part, id));
        } else if (gri_has_type(part, "refusal") && gr_value_type(refusal) == GR_STR) {
            s->content =
                gr_append(s->content, gri_keep(gr_map(GR_KV("type", gr_str("refusal")),
                                                      GR_KV("refusal", gr_value_ref(refusal))),
                                               "id", id));
            gr_value_unref(s->refusal);
            s->refusal = gr_value_ref(refusal);
        }
    }
}

/* add_call adds a call in the form that gri_tool_calls_add takes. A custom tool's text is its only argument. */
static void add_call(struct sorted *s, const gr_value *item)
{
    const gr_value *args = gr_get(item, "arguments"), *text = gr_get(item, "input");
    gr_value *fn = gr_map(GR_KV("name", gr_str(gr_cstr(gr_get(item, "name"), ""))));

    if (gri_has_type(item, "custom_tool_call"))
        fn = gr_set(fn, "arguments", gr_map(GR_KV("__arg1", gr_str(gr_cstr(text, "")))));
    else
        fn = gri_keep(fn, "arguments", args);
    s->calls =
        gr_append(s->calls, gri_keep(gr_map(GR_KV("function", fn)), "id", gr_get(item, "call_id")));
}

static void add_item(struct sorted *s, const gr_value *item)
{
    if (gri_has_type(item, "message")) {
        add_message(s, item);
        return;
    }
    if (gr_value_type(gr_get(item, "type")) != GR_STR)
        return;
    s->content = gr_append(s->content, gri_wire_plain(item));
    if (gri_has_type(item, "function_call") || gri_has_type(item, "custom_tool_call"))
        add_call(s, item);
}

gr_value *gri_responses_answer(const gr_value *json)
{
    const gr_value *output = gr_get(json, "output"), *id = gr_get(json, "id");
    gr_value *m = gri_responses_failure(json), *usage, *meta;
    struct sorted s;

    if (m != NULL)
        return m;
    if (gr_value_type(json) != GR_MAP)
        return gr_error(GR_EPROTO, "the answer is no JSON object");
    if (gr_value_type(output) != GR_LIST)
        return gr_error(GR_EPROTO, "the answer has no output");
    s = (struct sorted){ .content = gr_list_n(NULL, 0), .calls = gr_list_n(NULL, 0) };
    for (size_t i = 0; i < gr_len(output); i++)
        add_item(&s, gr_at(output, i));
    m = gr_map(GR_KV("type", gr_str("ai")), GR_KV("content", s.content));
    if (s.refusal != NULL)
        m = gr_set(m, "additional_kwargs", gr_map(GR_KV("refusal", s.refusal)));
    if (gr_len(s.calls) > 0 || gr_error_code(s.calls) != GR_OK)
        m = gri_tool_calls_add(m, s.calls);
    gr_value_unref(s.calls);
    meta = gr_set(gri_keep(gri_responses_metadata(json), "id", id), "model_provider",
                  gr_str("openai"));
    m = gr_set(m, "response_metadata", meta);
    usage = gri_responses_usage(gr_get(json, "usage"), gr_get(json, "service_tier"));
    m = gr_is_nil(usage) ? m : gr_set(m, "usage_metadata", usage);
    return gr_value_type(id) == GR_STR ? gr_set(m, "id", gr_value_ref(id)) : m;
}
