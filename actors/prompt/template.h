/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template.h - a prompt template, read once: text with {name} for variables and {{ }} for braces.
 *
 * A template never changes after it is made, so any number of threads may format with it.
 */
#ifndef GR_ACTORS_PROMPT_TEMPLATE_H
#define GR_ACTORS_PROMPT_TEMPLATE_H

#include <greenroom/value.h>

#include "runtime/base/strbuf.h"

struct gri_template;

/* gri_template_parse: GR_EINVAL with *reterr "line 1, column 7: …"; GR_ENOMEM. */
gr_code gri_template_parse(const char *text, size_t len, struct gri_template **ret_t,
                           gr_value **reterr);
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

/*
 * gri_vars_take makes the map of variables of a prompt's input: a map is itself, anything else is
 * the value of the only one of the names. gri_vars_check returns NULL if all names are there,
 * else the error that names those that are not.
 */
gr_value *gri_vars_take(const gr_value *input, const gr_value *names);
/* gri_vars_given does so, and lays it over partial, which may be nil: then there is no variable but those names,
 * and who has none takes any input; else nil is for no variables. */
gr_value *gri_vars_given(const gr_value *input, const gr_value *names, const gr_value *partial);
/* gri_vars_not_a_map is what is wrong with a partial that is none; an error comes back as it is. */
gr_value *gri_vars_not_a_map(gr_value *partial GR_TAKES);
/* gri_vars_due gives those of the names that partial, which may be nil, does not have. */
gr_value *gri_vars_due(gr_value *names GR_TAKES, const gr_value *partial);
/* gri_vars_whole gives a prompt's spawn argument, or the error that stands for its names or its partial. */
gr_value *gri_vars_whole(gr_value *args GR_TAKES);
gr_value *gri_vars_check(const char *who, const gr_value *names, const gr_value *vars);

#endif
