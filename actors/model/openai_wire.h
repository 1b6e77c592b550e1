/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openai_wire.h - what OpenAI-compatible servers are sent and what they answer, as values.
 *
 * Unknown fields are ignored, missing ones are legal wherever some server leaves them out.
 */
#ifndef GR_ACTORS_MODEL_OPENAI_WIRE_H
#define GR_ACTORS_MODEL_OPENAI_WIRE_H

#include <greenroom/value.h>

/* gri_openai_messages turns a list of messages into the request's; GR_EINVAL for what has no role
 * there. */
gr_value *gri_openai_messages(const gr_value *messages);

/* gri_openai_answer reads a chat.completion: the ai message, or an error value, GR_EPROTO with
 * where. */
gr_value *gri_openai_answer(const gr_value *json);

/*
 * gri_openai_chunk reads one chat.completion.chunk: an AIMessageChunk; nil when it says nothing;
 * an error value: what the server reports under "error", or GR_EPROTO. *finished is set once a
 * finish_reason was seen.
 */
gr_value *gri_openai_chunk(const gr_value *json, bool *finished);

/* gri_openai_event reads one event of a stream, whose name may say that it is an error. */
gr_value *gri_openai_event(const char *name, const gr_value *json, bool *finished);

/* gri_openai_usage gives usage_metadata, or nil. */
gr_value *gri_openai_usage(const gr_value *usage);

/*
 * gri_openai_error makes the error value of an answer with a status other than 200: body is what
 * came, JSON or not; retry_after_ms is negative when unknown.
 */
gr_value *gri_openai_error(int status, const char *body, size_t len, int64_t retry_after_ms);
/* gri_openai_error_of does so for the object under "error" in a stream. */
gr_value *gri_openai_error_of(int status, const gr_value *error, int64_t retry_after_ms);

#endif
