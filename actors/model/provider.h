/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider.h - what there is to know of a kind of model server, in one struct of constants and pure
 * functions. chat_model.c and transfer.c know no provider; a new one is a file with such a struct and
 * a row in provider.c.
 */
#ifndef GR_ACTORS_MODEL_PROVIDER_H
#define GR_ACTORS_MODEL_PROVIDER_H

#include "actors/model/endpoint.h"
#include "actors/model/transfer.h"

/* gri_model_ask is what a chat model is asked for. */
struct gri_model_ask {
    const gr_value *messages; /* a list of messages; see message.h */
    /*
     * The model's settings, its extra and the call's kwargs, laid over each other in this order. "model" is
     * always there. All providers know, and translate: "temperature", "max_tokens", "top_p", "seed", "stop" (a
     * text or a list), "tools", "tool_choice", "parallel_tool_calls" and "response_format" (all four in OpenAI's form;
     * tool_choice may also be "any" or a tool's name). Anything else goes into the request as it is,
     * and what is nil not at all.
     */
    const gr_value *params;
    const char *version; /* of the API; NULL: none */
    const char *url;     /* that the request goes to */
    bool stream;
};

struct gri_provider {
    const char *name;  /* before the colon in "openai:gpt-5" */
    const char *title; /* what LangChain calls its chat model: "ChatOpenAI" */
    struct gri_address chat;
    struct gri_reader reader; /* makes "ai" messages, and AIMessageChunk values of streams */
    /* request makes the body of the request, or an error value (GR_EINVAL: what can't be asked for). */
    gr_value *(*request)(const struct gri_model_ask *ask);
    const struct gri_provider *responses; /* the same by the Responses API; NULL: it has none */
};

extern const struct gri_provider gri_openai, gri_azure_openai, gri_anthropic, gri_ollama;
extern const struct gri_provider gri_openai_responses, gri_azure_responses;

/*
 * gri_provider_of finds the provider of a model's name: "openai:gpt-5"; only known names count before
 * the first colon, so "llama3:8b" is a plain name. `named`, which may be NULL, says it instead, and the
 * name is plain then unless it begins with the same. The default is openai. *ret_model is the rest of
 * the name, borrowed from it.
 *
 * Returns: NULL with *reterr, yours: GR_EINVAL, an unknown provider.
 */
const struct gri_provider *gri_provider_of(const char *model, const char *named,
                                           const char **ret_model, gr_value **reterr);

#endif
