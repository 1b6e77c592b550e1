/* SPDX-License-Identifier: Apache-2.0 */
/* anthropic.c - Anthropic's Messages API as a provider. */
#include "actors/model/anthropic_wire.h"
#include "actors/model/openai_wire.h"
#include "actors/model/provider.h"
#include "runtime/base/strbuf.h"

static gr_value *request(const struct gri_model_ask *ask)
{
    return gri_anthropic_body(ask->params, ask->messages, ask->stream, ask->version);
}

static gr_value *answer(const gr_value *json, size_t count)
{
    (void)count;
    return gri_anthropic_answer(json);
}

static void begin(void *state, const gr_value *body)
{
    gri_anthropic_begin(state, body);
}

/* event: the data repeats the event's name; a proxy may make an error with less in it. */
static gr_value *event(void *state, const char *name, const gr_value *json, bool *ret_last)
{
    gr_value *error, *err;

    if (strcmp(name, "error") != 0 || !gr_is_nil(gr_get(json, "error")))
        return gri_anthropic_event(state, json, ret_last);
    error = gr_map(GR_KV("error", gr_value_ref(json)));
    err = gri_anthropic_error(error);
    gr_value_unref(error);
    return err;
}

/* read_url takes a base URL with or without the "/v1" that other providers' have. */
static char *read_url(const char *text)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    size_t len = strlen(text);

    while (len > 0 && text[len - 1] == '/')
        len--;
    if (len >= 3 && memcmp(text + len - 3, "/v1", 3) == 0)
        len -= 3;
    gri_strbuf_add(&b, text, len);
    return gri_strbuf_take(&b);
}

static void drop(void *state)
{
    gri_anthropic_drop(state);
}

const struct gri_provider gri_anthropic = {
    .name = "anthropic",
    .title = "ChatAnthropic",
    .chat = { .url_env = "ANTHROPIC_BASE_URL",
              .url_default = "https://api.anthropic.com",
              .url_read = read_url,
              .path = "/v1/messages",
              .key_env = "ANTHROPIC_API_KEY",
              .key_header = "x-api-key",
              .version = GRI_ANTHROPIC_VERSION,
              .version_header = "anthropic-version" },
    .reader = { .framing = GRI_SSE,
                .state_size = sizeof(struct gri_anthropic_stream),
                .answer = answer,
                .begin = begin,
                .event = event,
                .drop = drop,
                .refusal = gri_openai_refusal },
    .request = request,
};
