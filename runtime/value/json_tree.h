/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_tree.h - a value that grows at its end, as JSON does that is still arriving.
 *
 * At rest the tree is whole, under `root`. To add to it, the lists and maps that are open are taken out of each other,
 * outermost first, so that each is held alone and may grow in place; afterwards they are put back. Whoever has kept an
 * answer makes the first of these steps copy what is open, and nothing else.
 */
#ifndef GR_RUNTIME_VALUE_JSON_TREE_H
#define GR_RUNTIME_VALUE_JSON_TREE_H

#include <stddef.h>

#include <greenroom/value.h>

struct gri_json_open { /* a list or a map that has not ended */
    gr_value *v;       /* counted while the tree is apart, else NULL: it is in the tree */
    gr_value *key;     /* counted: a map's key whose value is due */
    size_t at;         /* where its last child stands */
    bool map;
};

struct gri_json_tree { /* all zero: nothing is there */
    gr_value *root;    /* counted; NULL: nothing is there, or the tree is apart */
    gr_value *leaf;    /* counted while the tree is apart: a text or number that may go on */
    size_t values;     /* so far */
    unsigned depth;
    bool has_leaf;       /* the last child is one */
    bool seen;           /* and was in the answer before */
    bool grown, changed; /* the leaf, or the rest, since then */
    struct gri_json_open open[GR_DEPTH_MAX];
};

void gri_json_tree_fini(struct gri_json_tree *t); /* nothing is there any more */
/* gri_json_tree_take_apart and gri_json_tree_put_together stand around all that follows. False, here as there: out of memory, or a limit was
 * reached. */
bool gri_json_tree_take_apart(struct gri_json_tree *t);
bool gri_json_tree_put_together(struct gri_json_tree *t);
/* gri_json_tree_place adds a child to the innermost list or map, under its key; gri_json_tree_place_leaf one that may still grow,
 * as t->leaf, and gri_json_tree_end_leaf leaves that as it is. */
bool gri_json_tree_place(struct gri_json_tree *t, gr_value *v GR_TAKES);
bool gri_json_tree_place_leaf(struct gri_json_tree *t, gr_value *v GR_TAKES);
void gri_json_tree_end_leaf(struct gri_json_tree *t);
/* gri_json_tree_open begins a list or a map, gri_json_tree_close ends the innermost one. */
bool gri_json_tree_open(struct gri_json_tree *t, bool map);
bool gri_json_tree_close(struct gri_json_tree *t);

#endif
