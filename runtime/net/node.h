/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node.h - a runtime as peers see it: where it listens, what it publishes, whom it knows.
 *
 * One for each runtime, made on first use, stopped after the actors and before the workers. Lock
 * order: a peer's lock may be held when the node's is taken, never the other way round.
 */
#ifndef GR_RUNTIME_NET_NODE_H
#define GR_RUNTIME_NET_NODE_H

#include <greenroom/node.h>

#include "runtime/base/list.h"
#include "runtime/base/lock.h"
#include "runtime/base/log.h"
#include "runtime/base/map.h"
#include "runtime/net/link.h"

struct gri_peer;
struct gri_hello;

#define GRI_CALLS_MAX 65536u                      /* of one direction of a link */
#define GRI_REDIAL_NS (UINT64_C(100) * 1000000)   /* after a failure, calls fail without dialling */
#define GRI_CONNECT_NS (UINT64_C(5) * 1000000000) /* for connecting and the hello together */

/* A url that was dialled. Stays until the node goes. */
struct gri_target {
    char *url;             /* owned */
    struct gri_peer *peer; /* counted; NULL: no link, nor one on the way */
    uint64_t number;       /* from 1; names the target in hellos */
    uint64_t attempts;     /* links so far */
    gr_value *failure;     /* counted; of the last attempt */
    uint64_t failed_ns;
    struct gri_log_gate gate; /* for what its peers have us say */
};

/* The latest link of one dialler to one of its targets that has said hello here. An earlier one may say
 * its hello when this one has come and gone. */
struct gri_latest {
    uint64_t node, incarnation, target, attempt;
};

#define GRI_LATEST_MAX 256 /* that are remembered */

struct gri_node {
    gr_runtime *rt; /* borrowed */
    const struct gri_net_driver *driver;
    uint64_t id, incarnation;
    _Atomic uint64_t calls;   /* numbers handed out */
    _Atomic uint32_t peers;   /* that exist; also the futex on which stopping waits */
    struct gri_log_gate gate; /* for what all peers that have dialled us have us say */
    struct gri_lock lock;     /* guards all below, and the targets' fields */
    struct gri_map names;     /* published name -> gr_ref, owned */
    struct gri_map targets;   /* url -> gri_target, owned */
    struct gri_list at_node;  /* the peers */
    struct gri_latest latest[GRI_LATEST_MAX]; /* a ring; target 0: none */
    unsigned latest_next;
    struct gri_listener **listeners; /* owned array */
    size_t listener_count;
    bool stopping;
};

/* gri_node_get returns the runtime's node; NULL when out of memory or the runtime is going.
 * [any] */
struct gri_node *gri_node_get(gr_runtime *rt);
/* gri_node_peer returns the peer at url, counted, dialling if need be. NULL with *reterr. [any] */
struct gri_peer *gri_node_peer(struct gri_node *node, const char *url, gr_value **reterr);
/* gri_node_lost forgets the target's peer. failure is borrowed; NULL: it had been up. */
void gri_node_lost(struct gri_node *node, struct gri_target *target, struct gri_peer *peer,
                   const gr_value *failure);
/* gri_node_greeted takes in the peer's hello. Earlier links of the same target of the same node
 * handle no more frames when it returns; false: p is itself earlier than another one. Call it
 * in the link's events only. */
bool gri_node_greeted(struct gri_node *node, struct gri_peer *p, const struct gri_hello *hello);
/* gri_node_find returns what is published as name; {0, 0}: nothing. [any] */
gr_ref gri_node_find(struct gri_node *node, const char *name);

#endif
