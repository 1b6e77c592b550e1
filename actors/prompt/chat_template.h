/* SPDX-License-Identifier: Apache-2.0 */
/* chat_template.h - a list of role templates and placeholders, read once: what chat prompts are made of. */
#ifndef GR_ACTORS_PROMPT_CHAT_TEMPLATE_H
#define GR_ACTORS_PROMPT_CHAT_TEMPLATE_H

#include "actors/prompt/template.h"

/* A prompt can't be longer than what a value may hold; far above any model's context. */
#define GRI_PROMPT_BYTES_MAX ((size_t)64 << 20)

struct gri_chat_template;

/* gri_chat_template_read takes the roles' contents, whatever comes of it. NULL with *ret_t, or what is wrong, naming the
 * message. */
gr_value *gri_chat_template_read(const gr_role *roles, size_t count, gr_template_format format,
                                 struct gri_chat_template **ret_t);
void gri_chat_template_free(void *t);
/* gri_chat_template_names adds the variables that must be there to names, each once. */
gr_value *gri_chat_template_names(const struct gri_chat_template *t, gr_value *names GR_TAKES);
/* gri_chat_template_may_lack: it has a placeholder whose variable may be missing. */
bool gri_chat_template_may_lack(const struct gri_chat_template *t);
/* gri_chat_template_print adds its messages to a list; an error value when a placeholder holds none. */
gr_value *gri_chat_template_print(const struct gri_chat_template *t, gr_value *messages GR_TAKES,
                                  const gr_value *vars);

#endif
