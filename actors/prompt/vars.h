/* SPDX-License-Identifier: Apache-2.0 */
/* vars.h - the variables of a prompt: which must be there, which are its own, and what an input gives. */
#ifndef GR_ACTORS_PROMPT_VARS_H
#define GR_ACTORS_PROMPT_VARS_H

#include <greenroom/prompt.h>

struct gri_vars {
    gr_value *names;   /* those that must be in the input */
    gr_value *partial; /* those that need not; nil: none */
};

/* gri_vars_read takes the option `partial` and, of the names, what that has not. may_lack: an input may have more
 * than the names, as if there were a partial. NULL, or what is wrong: then nothing is in vars. */
gr_value *gri_vars_read(struct gri_vars *vars, const gr_prompt_opts *opts, gr_value *names GR_TAKES,
                        bool may_lack);
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
gr_value *gri_vars_check(const char *who, const gr_value *names, const gr_value *vars);

#endif
