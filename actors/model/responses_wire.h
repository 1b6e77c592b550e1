/* SPDX-License-Identifier: Apache-2.0 */
/*
 * responses_wire.h - what OpenAI's Responses API is sent and what it answers, as values.
 *
 * Contents are lists of blocks as langchain-openai's output_version "responses/v1" has them: texts with the id
 * of their item, and the other items of the answer (reasoning, function_call, what the server's own tools did) as they
 * came, so that a message that goes back says all that it said. What servers of the like (Ollama, vLLM,
 * LM Studio) leave out is legal.
 */
#ifndef GR_ACTORS_MODEL_RESPONSES_WIRE_H
#define GR_ACTORS_MODEL_RESPONSES_WIRE_H

#include <greenroom/value.h>

#include "actors/model/provider.h"

#define GRI_RESPONSES_CALLS_MAX 128 /* calls of a stream whose arguments have not ended */

/* gri_responses_request makes the body of a request, or an error value: GR_EINVAL for what has no form there. */
gr_value *gri_responses_request(const struct gri_model_ask *ask);

/* gri_responses_input turns messages from `first` on into items. stored: the server keeps answers, so that a thought
 * can be sent by its id alone; else one without its encrypted content is left out. */
gr_value *gri_responses_input(const gr_value *messages, size_t first, bool stored);

/* gri_responses_answer reads a response: the ai message, or an error value. */
gr_value *gri_responses_answer(const gr_value *json);
/* gri_responses_metadata tells of a response as a whole, but for its id and the provider. */
gr_value *gri_responses_metadata(const gr_value *response);
/* gri_responses_usage gives usage_metadata, or nil. */
gr_value *gri_responses_usage(const gr_value *usage, const gr_value *tier);
/* gri_responses_citation renames what would be taken for the index of a part of a stream. */
gr_value *gri_responses_citation(const gr_value *annotation);
/* gri_responses_failure makes the error value of a response that failed: NULL if it did not. */
gr_value *gri_responses_failure(const gr_value *response);

/* ---- a stream -------------------------------------------------------------------------------- */

struct gri_responses_call {
    int64_t output, index; /* which item of the response, and which block of the content */
    bool has_delta;        /* a part of its arguments has come */
};

/* It begins as zeros. */
struct gri_responses_stream {
    gr_value *id;         /* counted: of the response; NULL: not told yet */
    bool began;           /* there is a block; else the next is the first */
    int64_t index;        /* of the block that came last */
    int64_t output, part; /* the item of the response that it is of, and the part of that */
    bool has_text;        /* a part of that block's text, or thought, has come */
    struct gri_responses_call calls[GRI_RESPONSES_CALLS_MAX];
    size_t call_count;
};

/*
 * gri_responses_event reads one event: an AIMessageChunk, nil when it says nothing, an error value. *ret_last is
 * set once the answer is complete.
 */
gr_value *gri_responses_event(struct gri_responses_stream *s, const char *name,
                              const gr_value *event, bool *ret_last);
void gri_responses_drop(struct gri_responses_stream *s);

#endif
