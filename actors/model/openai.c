/* SPDX-License-Identifier: Apache-2.0 */
/* openai.c - OpenAI, whatever speaks its chat completions, and Azure's form of it, as providers. */
#include "actors/model/openai_wire.h"
#include "actors/model/provider.h"

static gr_value *answer(const gr_value *json, size_t count)
{
    (void)count;
    return gri_openai_answer(json);
}

static gr_value *event(void *state, const char *name, const gr_value *json, bool *ret_last)
{
    return gri_openai_event(state, name, json, ret_last);
}

static gr_value *end(void *state)
{
    return gri_openai_end(state);
}

static void drop(void *state)
{
    gri_openai_drop(state);
}

#define OPENAI_READER                                                                              \
    {                                                                                              \
        .framing = GRI_SSE, .done = "[DONE]", .state_size = sizeof(struct gri_openai_stream),      \
        .answer = answer, .event = event, .end = end, .drop = drop, .refusal = gri_openai_refusal  \
    }

const struct gri_provider gri_openai = {
    .name = "openai",
    .title = "ChatOpenAI",
    .chat = GRI_OPENAI_ADDRESS("/chat/completions"),
    .reader = OPENAI_READER,
    .request = gri_openai_request,
    .responses = &gri_openai_responses,
};

const struct gri_provider gri_azure_openai = {
    .name = "azure_openai",
    .title = "AzureChatOpenAI",
    .chat = GRI_AZURE_ADDRESS("/openai/deployments/{model}/chat/completions",
                              "/openai/v1/chat/completions"),
    .reader = OPENAI_READER,
    .request = gri_openai_request,
    .responses = &gri_azure_responses,
};
