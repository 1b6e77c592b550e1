/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain_file.h - a chain file that was read and found right: its actors, and what it serves.
 *
 * Reading is pure: it opens the file and looks at the environment, and starts nothing. All mistakes
 * that can be seen without building are found here: unknown and missing keys, wrong types, names
 * that nothing has, cycles, variables that are not set. chain_build.h makes the actors.
 * The format: docs/chain-file.md.
 */
#ifndef GR_CLI_CHAIN_FILE_H
#define GR_CLI_CHAIN_FILE_H

#include "cli/deploy.h"
#include "runtime/base/map.h"

#define GRI_CHAIN_REFS_MAX 100 /* names in a row that refer to each other */

enum gri_chain_state { GRI_CHAIN_NEW, GRI_CHAIN_OPEN, GRI_CHAIN_DONE };

struct gri_chain_actor {
    const char *name; /* first; borrowed from the tree */
    const struct gri_chain_node *key;
    const struct gri_chain_node *node;
    enum gri_chain_state state; /* of the search for cycles */
    gr_ref ref;                 /* the builder's; valid once built */
    bool built;
    struct gri_placement placement;
    gr_ref proxy; /* the builder's, where the actor lives elsewhere; valid once proxied */
    bool proxied;
};

struct gri_chain_publish {
    const char *name; /* first; what peers call it; borrowed from the tree */
    struct gri_chain_place at;
    struct gri_chain_actor *actor; /* borrowed from the file */
};

struct gri_chain_file {
    char *text; /* owned; text_len bytes: what was read */
    size_t text_len;
    char *folder;                   /* owned; where relative paths begin; ends in / */
    struct gri_chain_tree *tree;    /* owned */
    struct gri_chain_actor *actors; /* owned array, in the file's order */
    size_t actor_count;
    struct gri_map by_name; /* of actors */
    const char **listen;    /* owned array of URLs, borrowed from the tree */
    size_t listen_count;
    struct gri_chain_publish *publish; /* owned array */
    size_t publish_count;
    const struct gri_chain_node *node; /* of the tree: keys of gri_chain_node_kind; NULL: none */
    struct gri_deploy deploy;
    bool serves; /* this process is called at the listen URLs */
    /* its actors are all made in this process, whatever isolate: says: this is an isolated actor's, or a
     * simulation */
    bool one_process;
    struct gri_chain_actor *main; /* NULL: none is named, and there are several */
};

/* gri_chain_file_open reads the file at path; on a mistake it tells r and returns NULL. */
struct gri_chain_file *gri_chain_file_open(const char *path, struct gri_chain_report *r);
/* gri_chain_file_parse does so with a text; path says where it is, look_up stands for getenv. */
struct gri_chain_file *gri_chain_file_parse(const char *path, const char *text, size_t len,
                                            gri_chain_look_up_fn *look_up,
                                            struct gri_chain_report *r);
void gri_chain_file_free(struct gri_chain_file *f);

/* gri_chain_check_name tells of a name that is none. */
void gri_chain_check_name(const struct gri_chain_node *n, struct gri_chain_report *r);
/* gri_chain_is_url tells whether text looks like the address of a node. */
bool gri_chain_is_url(const char *text);
/* gri_chain_actor_find returns the actor of that name, or NULL. */
struct gri_chain_actor *gri_chain_actor_find(const struct gri_chain_file *f, const char *name);

/* gri_chain_check looks at all actors (chain_check.c). */
void gri_chain_check(struct gri_chain_file *f, struct gri_chain_report *r);
/* gri_chain_check_ref finds the actor that a scalar refers to; NULL, told, if there is none. */
struct gri_chain_actor *gri_chain_check_ref(const struct gri_chain_file *f,
                                            const struct gri_chain_node *n,
                                            struct gri_chain_report *r);
/* gri_chain_unknown_key tells about a key that is not among the names, and guesses which
 * was meant. */
void gri_chain_unknown_key(struct gri_chain_report *r, const struct gri_chain_node *key,
                           const char *in, const void *names, size_t count, size_t stride);

#endif
