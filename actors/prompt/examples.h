/* SPDX-License-Identifier: Apache-2.0 */
/* examples.h - the examples of a prompt: a list, or what a selector chooses. */
#ifndef GR_ACTORS_PROMPT_EXAMPLES_H
#define GR_ACTORS_PROMPT_EXAMPLES_H

#include <greenroom/few_shot.h>

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
/* gri_examples_get gives the examples for these variables, yours, or an error value. [waits] for a selector. */
gr_value *gri_examples_get(gr_ctx *c, const struct gri_examples *e, const gr_value *vars);

#endif
