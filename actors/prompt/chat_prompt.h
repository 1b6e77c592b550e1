/* SPDX-License-Identifier: Apache-2.0 */
/* chat_prompt.h - what the actors that are chat prompts have in common. */
#ifndef GR_ACTORS_PROMPT_CHAT_PROMPT_H
#define GR_ACTORS_PROMPT_CHAT_PROMPT_H

#include <greenroom/prompt.h>

/* gri_chat_prompt_args makes the spawn argument of one, a map, or an error value. It takes what gr_chat_prompt_for_n takes. */
gr_value *gri_chat_prompt_args(const gr_prompt_opts *opts, const gr_role *roles, size_t count);
/* gri_chat_prompt_fill answers an input, and gri_chat_prompt_says describes; `name` is the class's. */
gr_value *gri_chat_prompt_fill(gr_ctx *c, const char *name, const gr_value *input);
gr_value *gri_chat_prompt_says(gr_ctx *c, const char *name);

#endif
