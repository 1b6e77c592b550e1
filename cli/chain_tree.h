/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain_tree.h - a chain file as a tree of scalars, lists and maps, each with its place.
 *
 * The tree knows nothing of actors. It is read with libyaml (chain_yaml.c, the only file that
 * includes it) under limits: size, depth, number of nodes; anchors, aliases, tags, several
 * documents in a file, keys that are not scalars and keys given twice are mistakes.
 */
#ifndef GR_CLI_CHAIN_TREE_H
#define GR_CLI_CHAIN_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/chain_report.h"

#define GRI_CHAIN_BYTES_MAX ((size_t)1024 * 1024)
#define GRI_CHAIN_DEPTH_MAX 64
#define GRI_CHAIN_NODES_MAX 20000

enum gri_chain_type { GRI_CHAIN_SCALAR, GRI_CHAIN_LIST, GRI_CHAIN_MAP };

struct gri_chain_node {
    enum gri_chain_type type;
    bool plain; /* a scalar without quotes, or with ${NAME}: may be a number, true … */
    struct gri_chain_place at;
    char *text;                   /* scalar: owned; as the file has it, without NUL inside */
    char *expanded;               /* owned; text with ${NAME} replaced; NULL when there was none */
    struct gri_chain_item *items; /* owned array; list and map */
    size_t count, cap;
    struct gri_chain_node *next; /* owned by the tree: all its nodes */
};

struct gri_chain_item {
    struct gri_chain_node *key; /* a scalar; NULL in a list */
    struct gri_chain_node *value;
};

struct gri_chain_tree {
    struct gri_chain_node *nodes; /* all, newest first; owned */
    struct gri_chain_node *root;  /* NULL for an empty file */
    size_t count;
};

/* gri_chain_tree_parse reads text; on a mistake it tells r and returns NULL. */
struct gri_chain_tree *gri_chain_tree_parse(const char *text, size_t len,
                                            struct gri_chain_report *r);
void gri_chain_tree_free(struct gri_chain_tree *t);

/*
 * gri_chain_tree_expand replaces ${NAME} and ${NAME:-otherwise} in all scalars but keys by what
 * `look_up` knows (getenv); $${ stands for ${ itself. A NAME that is not set is a mistake.
 */
typedef char *gri_chain_look_up_fn(const char *name);
void gri_chain_tree_expand(struct gri_chain_tree *t, gri_chain_look_up_fn *look_up,
                           struct gri_chain_report *r);

/* gri_chain_text returns a scalar's text after expansion. */
static inline const char *gri_chain_text(const struct gri_chain_node *n)
{
    return n->expanded != NULL ? n->expanded : n->text;
}

/* gri_chain_get returns the value under key, NULL when absent or when n is no map. */
struct gri_chain_node *gri_chain_get(const struct gri_chain_node *n, const char *key);

/* gri_chain_is_nothing: an empty value, ~ or null. */
bool gri_chain_is_nothing(const struct gri_chain_node *n);
/* The readers of scalars return false for what is not of that type. */
bool gri_chain_to_int(const struct gri_chain_node *n, long long *ret);
bool gri_chain_to_real(const struct gri_chain_node *n, double *ret);
bool gri_chain_to_bool(const struct gri_chain_node *n, bool *ret);
/* gri_chain_what names n's type for a mistake: "a list", "the number 3" is "a number". */
const char *gri_chain_what(const struct gri_chain_node *n);

#endif
