/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extract.h - answering a question by quoting: the extractive model without its actor.
 *
 * model.h describes what a prompt looks like.
 */
#ifndef GR_ACTORS_MODEL_EXTRACT_H
#define GR_ACTORS_MODEL_EXTRACT_H

#include <greenroom/value.h>

struct gri_extract_opts {
    size_t sentences_max;
    double score_min;
};

/* A stretch of a text, borrowed. */
struct gri_span {
    const char *text;
    size_t len;
};

/* gri_extract_find tells question and context apart. Either may be empty. */
void gri_extract_find(const char *prompt, size_t len, struct gri_span *ret_question,
                      struct gri_span *ret_context);
/* gri_extract_answer returns the answer's text, or an error value: GR_ENOMEM. */
gr_value *gri_extract_answer(struct gri_span question, struct gri_span context,
                             const struct gri_extract_opts *opts);

#endif
