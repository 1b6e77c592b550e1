/* SPDX-License-Identifier: Apache-2.0 */
/* anthropic_answer.c - whole answers, what they cost, and what the API says no with. */
#include "actors/model/anthropic_wire.h"
#include "actors/model/openai_wire.h"
#include "actors/model/wire.h"

/* ---- usage ----------------------------------------------------------------------------------- */

static gr_value *details_of(const gr_value *usage)
{
    const gr_value *written = gr_get(usage, "cache_creation");
    gr_value *out = gr_map_n(NULL, 0);

    out = gri_keep_count(out, "cache_read", usage, "cache_read_input_tokens");
    out = gri_keep_count(out, "cache_creation", usage, "cache_creation_input_tokens");
    out = gri_keep_count(out, "ephemeral_5m_input_tokens", written, "ephemeral_5m_input_tokens");
    return gri_keep_count(out, "ephemeral_1h_input_tokens", written, "ephemeral_1h_input_tokens");
}

gr_value *gri_anthropic_usage(const gr_value *usage)
{
    int64_t in, out;
    gr_value *m;

    if (gr_value_type(usage) != GR_MAP)
        return gr_nil();
    in = gri_token_count(usage, "input_tokens") +
         gri_token_count(usage, "cache_read_input_tokens") +
         gri_token_count(usage, "cache_creation_input_tokens");
    out = gri_token_count(usage, "output_tokens");
    m = gr_map(GR_KV("input_tokens", gr_int(in)), GR_KV("output_tokens", gr_int(out)),
               GR_KV("total_tokens", gr_int(in + out)));
    return gri_keep_some(m, "input_token_details", details_of(usage));
}

/* ---- answers --------------------------------------------------------------------------------- */

static gr_value *content_of(const gr_value *blocks)
{
    const gr_value *only = gr_len(blocks) == 1 ? gr_at(blocks, 0) : NULL;
    gr_value *list;

    if (gr_value_type(blocks) == GR_STR)
        return gr_value_ref(blocks);
    if (gr_len(blocks) == 0)
        return gr_str("");
    if (gri_has_type(only, "text") && gr_len(gr_get(only, "citations")) == 0)
        return gr_str(gr_cstr(gr_get(only, "text"), ""));
    list = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(blocks); i++)
        list = gr_append(list, gri_wire_plain(gr_at(blocks, i)));
    return list;
}

static gr_value *calls_of(const gr_value *blocks)
{
    gr_value *calls = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(blocks); i++) {
        const gr_value *block = gr_at(blocks, i), *input = gr_get(block, "input");

        if (!gri_has_type(block, "tool_use"))
            continue;
        calls = gr_append(calls,
                          gr_map(GR_KV("name", gr_str(gr_cstr(gr_get(block, "name"), ""))),
                                 GR_KV("args", gr_value_type(input) == GR_MAP ? gr_value_ref(input)
                                                                              : gr_map_n(NULL, 0)),
                                 GR_KV("id", gr_str(gr_cstr(gr_get(block, "id"), ""))),
                                 GR_KV("type", gr_str("tool_call"))));
    }
    return calls;
}

static gr_value *metadata_of(const gr_value *json)
{
    gr_value *meta = gr_map_n(NULL, 0);

    meta = gri_keep(meta, "id", gr_get(json, "id"));
    meta = gri_keep(meta, "model_name", gr_get(json, "model"));
    meta = gri_keep(meta, "stop_reason", gr_get(json, "stop_reason"));
    meta = gri_keep(meta, "stop_sequence", gr_get(json, "stop_sequence"));
    meta = gri_keep(meta, "container", gr_get(json, "container"));
    meta = gri_keep(meta, "context_management", gr_get(json, "context_management"));
    return gr_set(meta, "model_provider", gr_str("anthropic"));
}

gr_value *gri_anthropic_answer(const gr_value *json)
{
    const gr_value *content = gr_get(json, "content");
    gr_value *m, *usage;

    if (!gr_is_nil(gr_get(json, "error")))
        return gri_anthropic_error(json);
    if (gr_value_type(json) != GR_MAP)
        return gr_error(GR_EPROTO, "the answer is no JSON object");
    if (gr_value_type(content) != GR_LIST && gr_value_type(content) != GR_STR)
        return gr_error(GR_EPROTO, "the answer has no content");
    for (size_t i = 0; gr_value_type(content) == GR_LIST && i < gr_len(content); i++)
        if (gr_value_type(gr_at(content, i)) != GR_MAP)
            return gr_error(GR_EPROTO, "content[%zu] of the answer is no block", i);
    m = gr_map(GR_KV("type", gr_str("ai")), GR_KV("content", content_of(content)));
    m = gri_keep_some(m, "tool_calls", calls_of(content));
    m = gr_set(m, "response_metadata", metadata_of(json));
    usage = gri_anthropic_usage(gr_get(json, "usage"));
    return gr_is_nil(usage) ? m : gr_set(m, "usage_metadata", usage);
}

/* ---- errors ---------------------------------------------------------------------------------- */

static int status_of(const gr_value *type)
{
    static const struct {
        const char *type;
        int status;
    } statuses[] = {
        { "invalid_request_error", 400 }, { "authentication_error", 401 },
        { "billing_error", 402 },         { "permission_error", 403 },
        { "not_found_error", 404 },       { "request_too_large", 413 },
        { "rate_limit_error", 429 },      { "api_error", 500 },
        { "timeout_error", 504 },         { "overloaded_error", 529 },
    };

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
        if (gri_is_text(type, statuses[i].type))
            return statuses[i].status;
    return 200;
}

gr_value *gri_anthropic_error(const gr_value *json)
{
    const gr_value *error = gr_get(json, "error"), *id = gr_get(json, "request_id");
    gr_value *err = gri_openai_error_of(status_of(gr_get(error, "type")), error, -1);

    if (gr_value_type(id) != GR_STR || gr_value_type(error) != GR_MAP)
        return err;
    return gr_error_with(err, "detail",
                         gr_set(gr_value_ref(error), "request_id", gr_value_ref(id)));
}
