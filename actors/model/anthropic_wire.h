/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anthropic_wire.h - what Anthropic's Messages API is sent and what it answers, as values.
 *
 * Unknown fields, blocks and events pass or are ignored; what an API of this shape elsewhere leaves out
 * (Ollama, llama.cpp and vLLM serve one too) is legal.
 */
#ifndef GR_ACTORS_MODEL_ANTHROPIC_WIRE_H
#define GR_ACTORS_MODEL_ANTHROPIC_WIRE_H

#include <greenroom/value.h>

#define GRI_ANTHROPIC_VERSION "2023-06-01"
#define GRI_ANTHROPIC_MAX_TOKENS                                                                   \
    4096 /* the API wants one, and has no default; of models that aren't known */
#define GRI_ANTHROPIC_BLOCKS_MAX 64 /* blocks that a stream has open at once */

/*
 * gri_anthropic_body makes the request's body. settings: the model's own and the call's, in the common
 * form (stop, tools, tool_choice, parallel_tool_calls, response_format, max_tokens and so on); a key that
 * has no other name here goes along as it is. version decides what may be sent.
 * Errors: GR_EINVAL "message 3: …" for what the API can't be told.
 */
gr_value *gri_anthropic_body(const gr_value *settings, const gr_value *messages, bool stream,
                             const char *version);

/* gri_anthropic_thinks tells of the setting "thinking" whether it is on. */
bool gri_anthropic_thinks(const gr_value *thinking);

/* gri_anthropic_blocks turns a message's content into blocks; `at` is the message's place, for errors.
 * strict leaves out what later versions of the API refuse. */
gr_value *gri_anthropic_blocks(const gr_value *content, size_t at, bool strict);
/* gri_anthropic_call makes the block of a tool call. Arguments that are no map can't be sent; the call must
 * be, since what the tool said to it refers to it. */
gr_value *gri_anthropic_call(const gr_value *call);

/* gri_anthropic_tools and gri_anthropic_choice turn tools and tool_choice from OpenAI's form;
 * Anthropic's own pass. choice is nil when there is none to send; parallel may be NULL. */
gr_value *gri_anthropic_tools(const gr_value *tools);
gr_value *gri_anthropic_choice(const gr_value *choice, const gr_value *parallel, bool tools);

/* gri_anthropic_answer reads a message: the ai message, or an error value. */
gr_value *gri_anthropic_answer(const gr_value *json);

/* gri_anthropic_usage gives usage_metadata, or nil. What was read from a cache and written to it counts
 * among the input tokens, as in LangChain. */
gr_value *gri_anthropic_usage(const gr_value *usage);

/* gri_anthropic_error makes the error value of {"error": {"type", "message"}} in a stream, whose status was
 * 200: the type tells which it would have been. */
gr_value *gri_anthropic_error(const gr_value *json);

/* ---- a stream -------------------------------------------------------------------------------- */

struct gri_anthropic_block {
    int64_t index;
    bool is_call, has_delta; /* a tool_use block; a part of its arguments has come */
    gr_value *input;         /* owned: arguments that came with its start, or NULL */
};

/* It begins as zeros. */
struct gri_anthropic_stream {
    bool as_blocks; /* content is a list of blocks, since more than text may come */
    struct gri_anthropic_block open[GRI_ANTHROPIC_BLOCKS_MAX];
    size_t open_count;
    gr_value *usage, *told; /* owned: as the server counts so far; what the chunks say so far */
};

/* gri_anthropic_begin: body is the request's. As in LangChain content is text where nothing else can come,
 * else blocks. */
void gri_anthropic_begin(struct gri_anthropic_stream *s, const gr_value *body);
/*
 * gri_anthropic_event reads one event: an AIMessageChunk, nil when it says nothing, an error value.
 * *ret_last is set once the answer is complete.
 */
gr_value *gri_anthropic_event(struct gri_anthropic_stream *s, const gr_value *event,
                              bool *ret_last);
void gri_anthropic_drop(struct gri_anthropic_stream *s);

#endif
