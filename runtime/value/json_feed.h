/* SPDX-License-Identifier: Apache-2.0 */
/* gri: for actors/ */
/*
 * json_feed.h - what can be read of a JSON text that is still arriving, without reading it again.
 *
 * The answers are gr_json_partial's for each beginning of the text, at a cost in proportion to what is new; the
 * value is one tree that grows, so a reader who keeps an answer has the lists and maps copied that are still open, and no others.
 */
#ifndef GR_RUNTIME_VALUE_JSON_FEED_H
#define GR_RUNTIME_VALUE_JSON_FEED_H

#include <stddef.h>

#include <greenroom/value.h>

#include "runtime/value/json_tree.h"

struct gri_json_feed {
    struct gri_json_tree tree; /* what was read */
    size_t used;               /* bytes of the text that were */
    size_t start;              /* where the token began that may go on */
    int want, token;
    bool escaped; /* a key's last byte was a backslash */
    bool waits;   /* for the rest of an escape */
    bool stops;   /* to be set: what stands behind the value is not looked at */
    struct {      /* the brackets behind what is no JSON */
        unsigned depth;
        bool in_text, escaped, broken;
        char open[GR_DEPTH_MAX];
    } rest;
};

void gri_json_feed_init(struct gri_json_feed *f);
void gri_json_feed_fini(struct gri_json_feed *f);
/*
 * gri_json_feed reads on: text is what it was, and what has come behind it. Returns what can be read of it, yours;
 * nil: nothing; an error value, GR_ENOMEM, when a limit was reached, and from then on. *ret_changed, if
 * given: it is not what was returned before.
 */
gr_value *gri_json_feed(struct gri_json_feed *f, const char *text, size_t len, bool *ret_changed);

#endif
