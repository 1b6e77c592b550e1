/* SPDX-License-Identifier: Apache-2.0 */
/* openai.c - OpenAI, whatever speaks its chat completions, and Azure's form of it, as providers. */
#include "actors/model/openai_wire.h"
#include "actors/model/provider.h"

static gr_value *request(const struct gri_model_ask *ask)
{
    gr_value *wire = gri_openai_messages(ask->messages), *body;

    if (gr_error_code(wire) != GR_OK)
        return wire;
    body = gr_set(gr_value_ref(ask->params), "messages", wire);
    if (!ask->stream)
        return body;
    body = gr_set(body, "stream", gr_bool(true));
    if (gr_get(body, "stream_options") != NULL)
        return body;
    return gr_set(body, "stream_options", gr_map(GR_KV("include_usage", gr_bool(true))));
}

static gr_value *answer(const gr_value *json, size_t count)
{
    (void)count;
    return gri_openai_answer(json);
}

static gr_value *event(void *state, const char *name, const gr_value *json, bool *ret_last)
{
    (void)state;
    return gri_openai_event(name, json, ret_last);
}

static gr_value *refusal(const struct gri_refusal *r)
{
    return gri_openai_error(r->status, r->body, r->len, r->retry_after_ms);
}

#define OPENAI_READER                                                                              \
    {                                                                                              \
        .framing = GRI_SSE, .done = "[DONE]", .answer = answer, .event = event, .refusal = refusal \
    }

const struct gri_provider gri_openai = {
    .name = "openai",
    .title = "ChatOpenAI",
    .chat = { .url_env = "OPENAI_BASE_URL",
              .url_default = "https://api.openai.com/v1",
              .path = "/chat/completions",
              .key_env = "OPENAI_API_KEY",
              .env_headers = { { "OPENAI_ORG_ID", "OpenAI-Organization" },
                               { "OPENAI_PROJECT_ID", "OpenAI-Project" } } },
    .reader = OPENAI_READER,
    .request = request,
};

const struct gri_provider gri_azure_openai = {
    .name = "azure_openai",
    .title = "AzureChatOpenAI",
    .chat = { .url_env = "AZURE_OPENAI_ENDPOINT",
              .path = "/openai/deployments/{model}/chat/completions",
              .path_bare = "/openai/v1/chat/completions",
              .key_env = "AZURE_OPENAI_API_KEY",
              .key_header = "api-key",
              .version_env = "OPENAI_API_VERSION",
              .version_query = "api-version" },
    .reader = OPENAI_READER,
    .request = request,
};
