/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deploy.h - where the actors of a chain file live: its nodes, its pools, and what stands beside a kind
 * about them (on, pool, routing, idempotent).
 *
 * Placement says what a process makes itself and what it reaches through a proxy. That depends on what
 * the process is: a node of the file, a client of such nodes, or neither, as in `check`, `graph` and
 * simulations, where all is made in one process and placement means nothing.
 *
 * Nodes are numbered in the file's order; a set of them is a bit for each.
 */
#ifndef GR_CLI_DEPLOY_H
#define GR_CLI_DEPLOY_H

#include <greenroom/pool.h>

#include "cli/chain_kinds.h"

struct gri_chain_file;
struct gri_chain_actor;
struct gri_chain_builder;
struct gri_session;

#define GRI_DEPLOY_NODES_MAX 64 /* as many as a set has bits */
#define GRI_DEPLOY_URLS_MAX 16  /* of a node */

/* The file's own keys, and what may stand beside an actor's kind. */
extern const struct gri_chain_kind gri_chain_nodes_kind;
extern const struct gri_chain_kind gri_chain_pools_kind;
extern const struct gri_chain_kind gri_chain_beside_kind;
extern const struct gri_chain_kind gri_chain_up_kind;

struct gri_deploy_node {
    const char *name; /* first; borrowed from the tree, as all below */
    const struct gri_chain_node *key;
    const struct gri_chain_node *keys;   /* a map, or a URL or a list of URLs: listen alone */
    const struct gri_chain_node *listen; /* a URL, or a list of them */
    size_t url_count;
    const char *reached; /* the URL at which others call it */
};

struct gri_deploy_pool {
    const char *name; /* first */
    const struct gri_chain_node *key;
    uint64_t on;
    gr_routing routing;
    bool used; /* there is an actor with it */
};

/* One actor is made of another, by name: indexes in the file's order. */
struct gri_deploy_use {
    size_t from, to;
};

struct gri_deploy {
    struct gri_deploy_node *nodes; /* owned array */
    size_t node_count;             /* 0: the file says nothing of nodes */
    struct gri_deploy_pool *pools; /* owned array */
    size_t pool_count;
    struct gri_deploy_use *uses; /* owned array */
    size_t use_count, use_cap;
    const struct gri_chain_node *up; /* keys of gri_chain_up_kind; NULL: none */
    /* what this process is. Inactive: all actors are made here */
    bool active;
    const struct gri_deploy_node *here; /* NULL: a client */
};

/* What an actor says of its place. */
struct gri_placement {
    uint64_t on; /* 0: it is made wherever it is needed */
    bool pooled; /* called through a pool, even if that is of one node */
    bool idempotent;
    gr_routing routing;
    struct gri_chain_place at; /* of what says so */
};

/* ---- reading --------------------------------------------------------------------------------- */

/* gri_deploy_read reads nodes, pools and the placement of all actors, whose names are known. What has a wrong
 * type is left for gri_chain_check to tell. gri_deploy_fini in any case. */
void gri_deploy_read(struct gri_chain_file *f, const struct gri_chain_node *root,
                     struct gri_chain_report *r);
void gri_deploy_fini(struct gri_deploy *d);
/* gri_deploy_note_use remembers that one actor refers to another. false: out of memory. */
bool gri_deploy_note_use(struct gri_chain_file *f, const struct gri_chain_actor *from,
                         const struct gri_chain_actor *to);
/* gri_deploy_routing reads round_robin, fewest or local; otherwise: if n is NULL, or, told, none of these. */
gr_routing gri_deploy_routing(const struct gri_chain_node *n, gr_routing otherwise,
                              struct gri_chain_report *r);
/* gri_deploy_url returns the index-th URL at which a node listens. */
const char *gri_deploy_url(const struct gri_deploy_node *n, size_t index);
/* gri_deploy_beside returns what stands under a key beside the kind of an actor; NULL: it is not there.
 * gri_deploy_is_beside tells whether that key may. */
const struct gri_chain_node *gri_deploy_beside(const struct gri_chain_node *n, const char *key);
bool gri_deploy_is_beside(const char *key);

/* ---- looking at the whole -------------------------------------------------------------------- */

/* gri_deploy_calls fills in, for each node, the set of nodes whose actors it calls. */
void gri_deploy_calls(const struct gri_chain_file *f, uint64_t calls[GRI_DEPLOY_NODES_MAX]);
/* gri_deploy_made fills in, for each actor, the set of nodes that make it; *ret_client, if it is not NULL,
 * whether a client that calls main does. made has room for all actors. */
void gri_deploy_made(const struct gri_chain_file *f, uint64_t *made, bool *client);
/* gri_deploy_check_doors tells of URLs at which a node would refuse to listen; not of what options may mend. */
void gri_deploy_check_doors(const struct gri_chain_file *f, struct gri_chain_report *r);
/* gri_deploy_notes tells, into a report of its own, of what is no mistake and yet seldom meant. */
void gri_deploy_notes(const struct gri_chain_file *f, struct gri_chain_report *notes);
/* gri_deploy_draw writes the whole as Mermaid, a subgraph for each node. false: out of memory. */
bool gri_deploy_draw(const struct gri_chain_file *f, struct gri_strbuf *to);

/* ---- this process ---------------------------------------------------------------------------- */

/* gri_deploy_enter makes this process the node of that name: what it listens on and publishes is then as if
 * the file said it, and the node's env is set. *ret_workers is left alone unless the file says something and
 * it is 0. Returns -1, or the exit code after saying why. Before there are threads. */
int gri_deploy_enter(struct gri_chain_file *f, const char *path, const char *name,
                     unsigned *workers);
/* gri_deploy_visit makes this process a client of the file's nodes. */
void gri_deploy_visit(struct gri_chain_file *f);
/* gri_deploy_join joins the cluster, if the file has one: etcd's, or the list of what its pools have. Returns
 * -1, or the exit code after saying why. */
int gri_deploy_join(struct gri_session *s, const struct gri_chain_file *f, const char *path);
/* gri_deploy_await waits until etcd knows us and we it, for a while; it says so if that does not come. */
void gri_deploy_await(struct gri_session *s, const struct gri_chain_file *f);
/* gri_deploy_reach makes an actor, or a proxy for it where it lives elsewhere; false, told, on a mistake. */
bool gri_deploy_reach(struct gri_chain_builder *b, struct gri_chain_actor *a, gr_ref *ret_ref);

#endif
