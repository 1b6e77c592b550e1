/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.h - chat messages: plain maps with documented keys, as LangChain dumps them.
 *
 *   {"type": "human", "content": "hi"}
 *
 *   type               "human", "ai", "system", "tool", "function", "chat", "remove"; "AIMessageChunk" and
 *                      the like for a piece of one
 *   content            a string, or a list of strings and blocks {"type": "text", "text": …}
 *   id, name           strings, when known; a function's message has a name
 *   role               chat: what it is called there
 *   tool_calls         ai: a list of {"name", "args": {…}, "id", "type": "tool_call"}
 *   invalid_tool_calls ai: the same with "args" as the text that is no JSON object, and "error"
 *   tool_call_chunks   AIMessageChunk: {"name", "args" (text), "id", "index", "type"}
 *   usage_metadata     ai: {"input_tokens", "output_tokens", "total_tokens", …}
 *   response_metadata  ai: {"model_name", "finish_reason", …}
 *   tool_call_id, status   tool: which call it answers; "success" or "error"
 *   additional_kwargs  what has no place elsewhere
 *
 * Keys that a message does not need are left out. gr_add knows the chunks' own rules.
 */
#ifndef GREENROOM_MESSAGE_H
#define GREENROOM_MESSAGE_H

#include <greenroom/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One message with a text; NULL or bad UTF-8: broken, as for gr_str. [any] */
GR_API gr_value *gr_human(const char *text);
GR_API gr_value *gr_ai(const char *text);
GR_API gr_value *gr_system(const char *text);
/* gr_ai_chunk is a piece of an answer, as models stream them. [any] */
GR_API gr_value *gr_ai_chunk(const char *text);
/* gr_tool_message answers the tool call named by id. [any] */
GR_API gr_value *gr_tool_message(const char *tool_call_id, gr_value *content GR_TAKES);

/* gr_chat_message has a role of any name. [any] */
GR_API gr_value *gr_chat_message(const char *role, gr_value *content GR_TAKES);
/* gr_remove_message tells those who keep messages that the one of this id goes. [any] */
GR_API gr_value *gr_remove_message(const char *id);

/*
 * gr_message makes a message of a role: "human" or "user", "ai" or "assistant", "system",
 * "developer" (a system message that remembers the name), "tool", "function". nil content counts as "".
 * Errors: GR_EINVAL "unknown role 'x'", GR_ETYPE content that is neither a string nor a list. [any]
 */
GR_API gr_value *gr_message(const char *role, gr_value *content GR_TAKES);

/*
 * gr_message_coerce makes a message of what people write for one: a message; a string (human); a
 * list of two, [role, text]; a map {"role" or "type", "content", …}, where "tool_calls" may be
 * OpenAI's, also in "additional_kwargs". Errors: GR_EINVAL with what it was and what it may be. [any]
 */
GR_API gr_value *gr_message_coerce(gr_value *v GR_TAKES);

/*
 * gr_messages_coerce makes a list of messages of a prompt: a string, one message, a list of what
 * gr_message_coerce takes, or a map {"messages": […]}. A list of two strings is two human messages,
 * unless the first names a role.
 * Errors: GR_EINVAL "message 3: …". [any]
 */
GR_API gr_value *gr_messages_coerce(gr_value *v GR_TAKES);

/*
 * gr_message_text returns the text of a message or a chunk: its content, or the text blocks of it
 * joined. A string gives itself; everything else is an error value, GR_ETYPE. [any]
 */
GR_API gr_value *gr_message_text(const gr_value *message);

/*
 * gr_message_of_chunk ends a sum of chunks: the same message with type "ai" and without what only
 * chunks have, its tool calls read from tool_call_chunks. Arguments that have no end yet are read as
 * far as they have come, so it may be asked of a sum that is still growing. Other values come back
 * unchanged. [any]
 */
GR_API gr_value *gr_message_of_chunk(gr_value *chunk GR_TAKES);

/* gr_messages_text prints a list of messages for people and for models that take text: lines of
 * "Human: …", "AI: …", "System: …", "Tool: …", "Function: …", or a chat message's role; behind an answer's text its tool calls, as
 * JSON. An error value for what is no list of messages. [any] */
GR_API gr_value *gr_messages_text(const gr_value *messages);

#ifdef __cplusplus
}
#endif
#endif
