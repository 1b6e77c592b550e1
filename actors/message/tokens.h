/* SPDX-License-Identifier: Apache-2.0 */
/* tokens.h - about how many tokens a prompt is, for whom that will do. */
#ifndef GR_ACTORS_MESSAGE_TOKENS_H
#define GR_ACTORS_MESSAGE_TOKENS_H

#include <greenroom/value.h>

/*
 * gri_tokens_about reckons as LangChain's count_tokens_approximately: a token for each four characters
 * of a message's text, role and tool calls, rounded up, and three for the message. A list of
 * messages, one, or a text; of anything else its JSON.
 */
int64_t gri_tokens_about(const gr_value *v);

#endif
