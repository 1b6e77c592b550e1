/* SPDX-License-Identifier: Apache-2.0 */
/* responses.c - OpenAI's Responses API, and Azure's form of it, as providers. */
#include "actors/model/openai_wire.h"
#include "actors/model/provider.h"
#include "actors/model/responses_wire.h"

static gr_value *answer(const gr_value *json, size_t count)
{
    (void)count;
    return gri_responses_answer(json);
}

static gr_value *event(void *state, const char *name, const gr_value *json, bool *ret_last)
{
    return gri_responses_event(state, name, json, ret_last);
}

static void drop(void *state)
{
    gri_responses_drop(state);
}

#define RESPONSES_READER                                                                           \
    {                                                                                              \
        .framing = GRI_SSE, .done = "[DONE]", .state_size = sizeof(struct gri_responses_stream),   \
        .answer = answer, .event = event, .drop = drop, .refusal = gri_openai_refusal              \
    }

const struct gri_provider gri_openai_responses = {
    .name = "openai",
    .title = "ChatOpenAI",
    .chat = GRI_OPENAI_ADDRESS("/responses"),
    .reader = RESPONSES_READER,
    .request = gri_responses_request,
};

const struct gri_provider gri_azure_responses = {
    .name = "azure_openai",
    .title = "AzureChatOpenAI",
    .chat = GRI_AZURE_ADDRESS("/openai/responses", "/openai/v1/responses"),
    .reader = RESPONSES_READER,
    .request = gri_responses_request,
};
