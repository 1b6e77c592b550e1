/* SPDX-License-Identifier: Apache-2.0 */
/*
 * messages.h - what is done with lists of messages: trimming, filtering, merging, and other forms of them.
 *
 * Each function takes what gr_messages_coerce takes (message.h), which it borrows, and gives a new list; an error value
 * for what is no list of messages. The same as runnables take such a list as their input.
 * Meaning as in langchain_core.messages.utils.
 */
#ifndef GREENROOM_MESSAGES_H
#define GREENROOM_MESSAGES_H

#include <greenroom/runnable.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- trimming -------------------------------------------------------------------------------- */

/* A gr_count_tokens_fn counts the tokens of a list of messages, which is borrowed; less than 0: it can't, and trimming
 * fails with GR_EINVAL. It must not wait. */
typedef int64_t gr_count_tokens_fn(void *arg, const gr_value *messages);

typedef struct gr_trim_opts {
    size_t size;
    int64_t max_tokens;   /* required, 0 or more; with count messages: see below */
    const char *strategy; /* "last", the default, keeps the last ones, "first" the first ones */
    bool allow_partial;   /* of a message that does not fit a part is kept: blocks, or else lines of its text */
    bool include_system;  /* "last" only: a system message at the beginning is kept */
    /* taken: a type ("human", "ai", "tool" …) or a list of them. What stands before the first message of start_on ("last" only), and
     * behind the last one of end_on, goes */
    gr_value *start_on;
    gr_value *end_on;
    /* how to count: by a function; else by an actor's verb get_num_tokens_from_messages, which takes the messages and
     * answers with a number (only in the runnable); else by gr_count_tokens_approximately */
    gr_count_tokens_fn *count;
    void *arg;
    gr_ref counter;
} gr_trim_opts;
#define GR_TRIM(...) GR_OPT(gr_trim_opts, __VA_ARGS__)

/*
 * gr_trim_messages keeps as many messages as fit: trim_messages. Errors: GR_EINVAL for options that don't go
 * together. [any]
 */
GR_API gr_value *gr_trim_messages(const gr_value *messages, const gr_trim_opts *opts);
/* gr_message_trimmer does so as a runnable. arg must stay valid as long as it is. [any] */
GR_API gr_ref gr_message_trimmer(gr_scope *in, const gr_trim_opts *opts);

/* gr_count_tokens_approximately counts 4 characters as a token, and 3 tokens for each message besides; 85 for each image.
 * -1 for what is no list of messages. [any] */
GR_API int64_t gr_count_tokens_approximately(const gr_value *messages);

/* ---- filtering and merging ------------------------------------------------------------------- */

typedef struct gr_filter_opts {
    size_t size;
    /* each taken: a list of texts, or one. With none of the include_ ones all are included that are not
     * excluded */
    gr_value *include_names, *exclude_names;
    gr_value *include_types, *exclude_types;
    gr_value *include_ids, *exclude_ids;
    /* taken: true, for all messages with tool calls and their answers; or a list of the calls' ids: those calls are
     * taken out of their messages, and messages that have no others left out */
    gr_value *exclude_tool_calls;
} gr_filter_opts;
#define GR_FILTER(...) GR_OPT(gr_filter_opts, __VA_ARGS__)
/* gr_filter_messages: filter_messages. [any] */
GR_API gr_value *gr_filter_messages(const gr_value *messages, const gr_filter_opts *opts);
GR_API gr_ref gr_message_filter(gr_scope *in, const gr_filter_opts *opts);

/* gr_merge_message_runs makes one message of those of a type that follow each other; texts are joined by
 * separator, NULL: a line's end. Tool messages stay apart: merge_message_runs. [any] */
GR_API gr_value *gr_merge_message_runs(const gr_value *messages, const char *separator);
GR_API gr_ref gr_message_merger(gr_scope *in, const char *separator);

/* ---- other forms ----------------------------------------------------------------------------- */

/* gr_get_buffer_string is gr_messages_text with other names for "Human" and "AI"; NULL: those. [any] */
GR_API gr_value *gr_get_buffer_string(const gr_value *messages, const char *human_prefix,
                                      const char *ai_prefix);

/*
 * gr_messages_to_dict gives {"type", "data"} for each message, with all keys that langchain-core writes:
 * messages_to_dict. gr_messages_dumpd gives {"lc": 1, "type": "constructor", "id": […, "HumanMessage"], "kwargs": {…}}:
 * dumpd. gr_messages_from_dict reads both, and messages as they are; of constructors only those of messages.
 * Errors: GR_EINVAL "message 3: …". [any]
 */
GR_API gr_value *gr_messages_to_dict(const gr_value *messages);
GR_API gr_value *gr_messages_dumpd(const gr_value *messages);
GR_API gr_value *gr_messages_from_dict(const gr_value *dicts);

/*
 * gr_convert_to_openai_messages gives {"role", "content", "tool_calls"?, "tool_call_id"?, "name"?} for each message, as
 * gr_chat_model sends it, but that each has a content and its name: convert_to_openai_messages. text_format: "string", the default if NULL, makes one text of a content
 * of texts; "block" makes blocks of a text. Blocks that OpenAI's servers have no form for: GR_EINVAL; those of other
 * providers' thinking and tool use are left out. [any]
 */
GR_API gr_value *gr_convert_to_openai_messages(const gr_value *messages, const char *text_format);

/*
 * gr_content_blocks gives the content of a message as langchain-core's standard blocks, whoever's form it
 * has: a list of {"type": "text" | "reasoning" | "image" | "audio" | "video" | "file" | "text-plain" | "tool_call" |
 * … | "non_standard", …}. OpenAI's and Anthropic's blocks are translated, tool calls that
 * the content lacks are added at the end, reasoning_content at the beginning. [any]
 */
GR_API gr_value *gr_content_blocks(const gr_value *message);

#ifdef __cplusplus
}
#endif
#endif
