/* SPDX-License-Identifier: Apache-2.0 */
/* ollama.c - Ollama's own API as a provider. */
#include "actors/model/ollama_wire.h"
#include "actors/model/openai_wire.h"
#include "actors/model/provider.h"

struct state {
    size_t calls; /* seen so far */
};

static gr_value *request(const struct gri_model_ask *ask)
{
    return gri_ollama_body(ask->params, ask->messages, ask->stream);
}

static gr_value *answer(const gr_value *json, size_t count)
{
    (void)count;
    return gri_ollama_answer(json);
}

static gr_value *event(void *state, const char *name, const gr_value *json, bool *ret_last)
{
    (void)name;
    return gri_ollama_line(json, &((struct state *)state)->calls, ret_last);
}

const struct gri_provider gri_ollama = {
    .name = "ollama",
    .title = "ChatOllama",
    .chat = { .url_env = "OLLAMA_HOST",
              .url_default = GRI_OLLAMA_URL,
              .url_read = gri_ollama_url,
              .path = "/api/chat",
              .key_env = "OLLAMA_API_KEY" },
    .reader = { .framing = GRI_NDJSON,
                .state_size = sizeof(struct state),
                .answer = answer,
                .event = event,
                .refusal = gri_openai_refusal },
    .request = request,
};
