/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template.h - a prompt template, read once: text with {name} for variables and {{ }} for braces, or mustache.
 *
 * A template never changes after it is made, so any number of threads may format with it.
 */
#ifndef GR_ACTORS_PROMPT_TEMPLATE_H
#define GR_ACTORS_PROMPT_TEMPLATE_H

#include <greenroom/prompt.h>

#include "runtime/base/strbuf.h"

struct gri_template;

/* gri_template_parse reads an f-string, gri_template_read what the format says: GR_EINVAL with *reterr "line 1, column
 * 7: …"; GR_ENOMEM. */
gr_code gri_template_parse(const char *text, size_t len, struct gri_template **ret_t,
                           gr_value **reterr);
gr_code gri_template_read(const char *text, size_t len, gr_template_format format,
                          struct gri_template **ret_t, gr_value **reterr);
/* gri_template_error says where in a template what is wrong; columns count characters, from 1, as editors do. */
gr_value *gri_template_error(const char *text, size_t at, const char *what);
void gri_template_free(struct gri_template *t);
/* gri_template_var returns the index-th distinct variable, in order of appearance; NULL past the
 * end. */
const char *gri_template_var(const struct gri_template *t, size_t index);
/* gri_template_print adds the text to b; a variable that vars lacks prints as nothing. */
void gri_template_print(const struct gri_template *t, const gr_value *vars, struct gri_strbuf *b);
/* gri_print_value adds what a template prints for a value. */
void gri_print_value(struct gri_strbuf *b, const gr_value *v);
/* gri_strbuf_value makes a string value of what is in b, and empties b; broken after a failure. */
gr_value *gri_strbuf_value(struct gri_strbuf *b);

#endif
