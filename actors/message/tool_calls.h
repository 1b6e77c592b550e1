/* SPDX-License-Identifier: Apache-2.0 */
/* tool_calls.h - a message's tool calls, from OpenAI's form and from the chunks of a stream. */
#ifndef GR_ACTORS_MESSAGE_TOOL_CALLS_H
#define GR_ACTORS_MESSAGE_TOOL_CALLS_H

#include <greenroom/value.h>

/*
 * gri_tool_calls_add sets message's "tool_calls" and "invalid_tool_calls" from a list of OpenAI's
 * {"id", "function": {"name", "arguments"}} or of tool_call_chunks {"id", "name", "args"}.
 * Arguments that are no JSON object make the call invalid, as in LangChain; none at all are {}.
 */
gr_value *gri_tool_calls_add(gr_value *message GR_TAKES, const gr_value *calls);

#endif
