/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text_json.h - the JSON in a text that is still arriving: the whole text, or else what stands behind its first fence of
 * three backticks. Each letter is read once.
 *
 * White space and backticks around either don't count, as in langchain-core; those at the end wait for what follows them. A
 * fence ends where its JSON ends, not at the next three backticks, which may stand in a text of it: code, most often.
 */
#ifndef GR_ACTORS_PARSE_TEXT_JSON_H
#define GR_ACTORS_PARSE_TEXT_JSON_H

#include "runtime/base/strbuf.h"
#include "runtime/value/json_feed.h"

struct gri_text_json {
    struct gri_strbuf text;
    struct gri_json_feed whole, fenced;
    size_t looked; /* bytes that were searched for a fence */
    size_t start,
        inside;    /* where the text begins, and what is in the fence; SIZE_MAX: not known yet */
    bool in_fence; /* the answer is what is in there */
};

void gri_text_json_init(struct gri_text_json *t, size_t bytes_max);
void gri_text_json_fini(struct gri_text_json *t);
/*
 * gri_text_json_add takes more of the text. Returns what can be read now, yours; NULL: nothing, or nothing new; an
 * error value when the text is above its limit, or memory ran out.
 */
gr_value *gri_text_json_add(struct gri_text_json *t, const char *more);
/* gri_text_json_values counts the values that were read. */
size_t gri_text_json_values(const struct gri_text_json *t);

/* gri_json_in reads the JSON in a text that is whole, closing what is not finished: the value, or an error of kind
 * "OutputParserException". */
gr_value *gri_json_in(const gr_value *text);

#endif
