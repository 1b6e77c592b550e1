/* SPDX-License-Identifier: Apache-2.0 */
/* examples.h - the examples of a prompt: a list, or what a selector chooses. */
#ifndef GR_ACTORS_PROMPT_EXAMPLES_H
#define GR_ACTORS_PROMPT_EXAMPLES_H

#include <greenroom/few_shot.h>

#define GRI_EXAMPLES_MAX 65536 /* of a selector by length, unless it says otherwise */

struct gri_examples {
    gr_value *list; /* counted; NULL: the selector's */
    gr_ref selector;
};

/* gri_examples_read takes list, which may be NULL; NULL, or what is wrong, and then nothing is in ret. */
gr_value *gri_examples_read(gr_value *list GR_TAKES, gr_ref selector, struct gri_examples *ret);
/* gri_examples_list_check: NULL, or what is wrong with a list of examples. */
gr_value *gri_examples_list_check(const gr_value *list);
/* gri_example_lacks: NULL, or which of the names the example of this index has not. */
gr_value *gri_example_lacks(const gr_value *names, const gr_value *example, size_t index);
/* gri_examples_print makes a prompt of examples and variables; it knows its own struct by the examples in it. */
typedef gr_value *gri_examples_print(const struct gri_examples *e, const gr_value *examples,
                                     const gr_value *vars);
/* gri_examples_fill answers an invoke of an actor whose args have the "names" of its variables and what is "partial";
 * who is its class, for errors. [waits] for a selector. */
gr_value *gri_examples_fill(gr_ctx *c, const char *who, const struct gri_examples *e,
                            gri_examples_print *print, const gr_value *input);

#endif
