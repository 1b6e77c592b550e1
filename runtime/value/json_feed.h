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

struct gri_json_open { /* a list or a map that has not ended */
    gr_value *v;       /* counted while the feed reads, else NULL: it is in the tree */
    gr_value *key;     /* counted: a map's key whose value is due */
    size_t at;         /* where its last child stands */
    bool map;
};

struct gri_json_feed {
    gr_value *root; /* counted; NULL: nothing can be read, or the feed reads */
    gr_value *leaf; /* counted while the feed reads: a text or number that may go on */
    size_t used;    /* bytes of the text that were read */
    size_t start;   /* where the token began that may go on */
    size_t values;  /* so far */
    unsigned depth;
    int want, token;
    bool has_leaf;       /* the last child is one */
    bool seen;           /* and was in the answer before */
    bool grown, changed; /* the leaf, or the rest, since then */
    bool escaped;        /* a key's last byte was a backslash */
    bool waits;          /* for the rest of an escape */
    bool stops;          /* to be set: what stands behind the value is not looked at */
    struct {             /* the brackets behind what is no JSON */
        unsigned depth;
        bool in_text, escaped, broken;
        char open[GR_DEPTH_MAX];
    } rest;
    struct gri_json_open open[GR_DEPTH_MAX];
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
