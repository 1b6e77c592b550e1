/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openai_wire.h - what OpenAI-compatible servers are sent and what they answer, as values.
 *
 * Unknown fields are ignored, missing ones are legal wherever some server leaves them out.
 */
#ifndef GR_ACTORS_MODEL_OPENAI_WIRE_H
#define GR_ACTORS_MODEL_OPENAI_WIRE_H

#include <greenroom/value.h>

#include "actors/model/provider.h"

/* How OpenAI's servers are reached, and Azure's, whatever is asked for there. */
#define GRI_OPENAI_ADDRESS(path_)                                                                  \
    {                                                                                              \
        .url_env = "OPENAI_BASE_URL", .url_default = "https://api.openai.com/v1", .path = (path_), \
        .key_env = "OPENAI_API_KEY", .env_headers = {                                              \
            { "OPENAI_ORG_ID", "OpenAI-Organization" },                                            \
            { "OPENAI_PROJECT_ID", "OpenAI-Project" }                                              \
        }                                                                                          \
    }
#define GRI_AZURE_ADDRESS(path_, path_bare_)                                                       \
    {                                                                                              \
        .url_env = "AZURE_OPENAI_ENDPOINT", .path = (path_), .path_bare = (path_bare_),            \
        .key_env = "AZURE_OPENAI_API_KEY", .key_header = "api-key",                                \
        .token_env = "AZURE_OPENAI_AD_TOKEN", .version_env = "OPENAI_API_VERSION",                 \
        .version_query = "api-version"                                                             \
    }

/* ---- openai_request.c, openai_content.c ------------------------------------------------------ */

/* gri_openai_request makes the body of a request, or an error value: GR_EINVAL for what has no form
 * there. Parameters that are nil are not sent. */
gr_value *gri_openai_request(const struct gri_model_ask *ask);
/* gri_openai_messages turns a list of messages into the request's; GR_EINVAL for what has no role
 * there. */
gr_value *gri_openai_messages(const gr_value *messages);
/* gri_openai_content gives a message's content as the request has it: a text as it is, of a list the
 * blocks in OpenAI's own form. What only other providers know (thinking, tool use) is left out. */
gr_value *gri_openai_content(const gr_value *content, size_t message);
/* gri_openai_part does so for one block: nil, it is left out; an error says which can't be sent. */
gr_value *gri_openai_part(const gr_value *block, size_t message, size_t index);
/* gri_openai_role gives the role of a message's type: NULL, there is none. */
const char *gri_openai_role(const gr_value *m);

/* ---- openai_answer.c -------------------------------------------------------------------------- */

/* gri_openai_answer reads a chat.completion: the ai message, or an error value, GR_EPROTO with
 * where. */
gr_value *gri_openai_answer(const gr_value *json);

#define GRI_OPENAI_INDEX_MAX 1000000 /* a call's; what is beyond is taken as it is */

/* What a stream keeps until its end; begins as zeros. */
struct gri_openai_stream {
    /* owned: the last that was told, since some servers tell the sum with each chunk; NULL: nothing yet */
    gr_value *usage, *tier;
    bool told; /* why it ended, and what else there is to say of the whole */
    /* of fragments of calls: how many came, the last one's index, and by how much the indexes from here on are too low */
    size_t calls;
    int64_t call, shift;
    gr_value *call_id; /* owned: of the last fragment that had one */
};

/*
 * gri_openai_event reads one event of a stream: an AIMessageChunk; nil when it says nothing; an error
 * value: what the server reports under "error" or in an event of that name, or GR_EPROTO. *finished is
 * set once a finish_reason was seen.
 */
gr_value *gri_openai_event(struct gri_openai_stream *s, const char *name, const gr_value *json,
                           bool *finished);
/* gri_openai_end gives the last chunk: nothing to say but that it is, and the usage. */
gr_value *gri_openai_end(struct gri_openai_stream *s);
void gri_openai_drop(struct gri_openai_stream *s);

/* gri_openai_usage gives usage_metadata, or nil. tier is the answer's service_tier: what langchain-openai has of
 * tokens with another price, flex and priority, is counted apart. */
gr_value *gri_openai_usage(const gr_value *usage, const gr_value *tier);
/* gri_openai_usage_by does so by other names for the numbers. */
struct gri_openai_names {
    const char *in, *out, *in_details, *out_details;
};
gr_value *gri_openai_usage_by(const struct gri_openai_names *names, const gr_value *usage,
                              const gr_value *tier);

/* ---- openai_error.c --------------------------------------------------------------------------- */

/* gri_openai_refusal makes the error value of an answer whose status is not 2xx. */
gr_value *gri_openai_refusal(const struct gri_refusal *r);
/* gri_openai_error_of does so for the object under "error" in an answer or a stream. */
gr_value *gri_openai_error_of(int status, const gr_value *error, int64_t retry_after_ms);

#endif
