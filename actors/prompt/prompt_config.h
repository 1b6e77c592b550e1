/* SPDX-License-Identifier: Apache-2.0 */
/* prompt_config.h - reading the description of a prompt: what its parts share. */
#ifndef GR_ACTORS_PROMPT_PROMPT_CONFIG_H
#define GR_ACTORS_PROMPT_PROMPT_CONFIG_H

#include "actors/prompt/prompt_source.h"

/* gri_prompt_is_class tells whether v is the constructor of a class of that name; gri_prompt_kwargs gives a constructor's arguments, or v
 * itself where it is none. */
bool gri_prompt_is_class(const gr_value *v, const char *name);
const gr_value *gri_prompt_kwargs(const gr_value *v);
/* gri_prompt_format reads the template's format; NULL, or what is wrong. */
gr_value *gri_prompt_format(const gr_value *config, gr_template_format *ret_format);

/* The messages of a chat prompt. */
struct gri_prompt_roles {
    gr_role *at; /* owned array; the texts are borrowed, from the description or from kept */
    size_t count;
    gr_value *kept; /* counted; texts that are nowhere else */
    gr_value
        *constants; /* counted; a map, of the variables that stand for messages without templates */
};

#define GRI_PROMPT_ROLES_MAX 10000

/* gri_prompt_roles_read reads a list of messages; the format is what one of them says, if one does. NULL, or what is
 * wrong, with its place. */
gr_value *gri_prompt_roles_read(const struct gri_prompt_source *s, const gr_value *messages,
                                gr_template_format *format, struct gri_prompt_roles *roles);
/* gri_prompt_roles_fini lets go; contents, too, if nobody has taken them. */
void gri_prompt_roles_fini(struct gri_prompt_roles *roles, bool contents);

#endif
