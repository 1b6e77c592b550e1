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
#include "runtime/base/thread.h"
#include "runtime/net/frame.h"
#include "runtime/net/link.h"

struct gri_peer;

#define GRI_GREETINGS_MAX 1024u /* connections that have come and are not known yet */
#define GRI_CALLS_MAX 65536u    /* of one direction of a link */
#define GRI_REDIAL_NS (UINT64_C(100) * 1000000) /* after a failure, calls fail without dialling */

#define GRI_WINDOW_SHARE                                                                           \
    8u /* a stream's window is at most so small a part of what is left of the link's */

#define GRI_TARGETS_ASKED                                                                          \
    1024u /* URLs of a node, beyond which none is added because another node has named it */

/* A url that was dialled. Stays until the node goes. */
struct gri_target {
    char *url;                /* owned */
    struct gri_peer *peer;    /* counted; NULL: no link, nor one on the way */
    uint32_t origin;          /* random; see pair.c */
    gr_value *failure;        /* counted; of the last attempt */
    unsigned failures;        /* in a row */
    uint64_t redial_ns;       /* no attempt before */
    struct gri_log_gate gate; /* for what its peers have us say */
};

/* What gr_node_configure sets. */
struct gri_node_settings {
    char cluster[GRI_HELLO_NAME_MAX + 1], name[GRI_HELLO_NAME_MAX + 1];
    char *secret; /* owned, wiped when freed; NULL: none */
    size_t secret_size;
    struct gri_tls tls;    /* owned */
    uint64_t connect_ns;   /* for connecting and the greeting together */
    uint64_t heartbeat_ns; /* between two beats */
    uint64_t detect_ns;    /* who is silent for longer is given up */
    uint64_t stuck_ns;     /* and who handles nothing for so long */
    uint64_t link_bytes;   /* windows of all streams that are read from one link */
    uint64_t args_bytes;   /* arguments of all calls that are served for one link */
    uint64_t redial_ns;    /* the longest time between two attempts to connect */
    size_t refs_max;       /* that are lent over one link, and that are had of it */
    bool insecure;
};

/* The actor by which the node is operated: see admin.h. What it may do is fixed before it can be found. */
struct gri_admin {
    _Atomic uint64_t id; /* the actor's; 0: there is none */
    _Atomic bool drain_told;
    _Atomic size_t drains; /* calls of drain that are here, and among node->in_calls */
    bool there;            /* guarded by node->lock */
    bool read_only;
    void (*drain)(void *arg);
    void *arg;
};

/* Where the node listens. */
struct gri_door {
    char *url;             /* owned */
    struct gri_node *node; /* borrowed */
    struct gri_listener *listener;
    uint64_t features; /* of the hellos there */
};

/* Features in a hello. */
#define GRI_FEATURE_SHARE 1u /* one link may serve both directions */
#define GRI_FEATURE_ROUTE 2u /* routes may come: see hop.c. Only with the other one */

struct gri_node {
    gr_runtime *rt; /* borrowed */
    const struct gri_net_driver *driver;
    uint64_t id, incarnation;
    _Atomic uint64_t calls;     /* numbers handed out */
    _Atomic uint64_t serials;   /* of peers */
    _Atomic uint32_t greetings; /* accepted, and neither up nor down */
    _Atomic size_t in_calls;    /* of peers, that are here */
    _Atomic bool draining;      /* no more of them are taken; see drain.c */
    _Atomic uint32_t peers;     /* that exist; also the futex on which stopping waits */
    struct gri_log_gate gate;   /* for what all peers that have dialled us have us say */
    uint64_t born_ns;           /* when it was made */
    struct gri_admin admin;
    struct gri_thread beat;       /* see beat.h */
    _Atomic uint32_t beat_wake;   /* a futex, counts up by 2; odd: the thread is to end */
    struct gri_lock lock;         /* guards all below, and the targets' fields */
    struct gri_map names;         /* published name -> gr_ref, owned */
    void (*published)(void *arg); /* see gri_node_watch; NULL: nobody */
    void *published_arg;
    struct gri_map targets; /* url -> gri_target, owned */
    struct gri_target
        *recent;             /* borrowed; the one asked for last; NULL: none yet. Guarded by lock */
    struct gri_list at_node; /* the peers */
    struct gri_map latest;   /* welcomes: see pair.c */
    struct gri_map current;  /* node -> the link with it, while that is not apart; see pair.c */
    struct gri_map
        same; /* rings of peers that could stand for each other, by one of each: see pair.c */
    struct gri_map namesakes; /* likewise, of those that have one name */
    uint64_t compared;        /* peers with each other, so far */
    uint64_t stamps;          /* of proofs */
    uint64_t welcomes;        /* numbers handed out */
    struct gri_door **doors;  /* owned array */
    size_t door_count;
    bool beating; /* the thread runs */
    bool used;    /* something listens or was dialled: the settings stay as they are */
    bool drained; /* and nothing was left: no more links */
    bool stopping;
    struct gri_node_settings set; /* fixed once used */
};

/* gri_node_get returns the runtime's node; NULL when out of memory or the runtime is going.
 * [any] */
struct gri_node *gri_node_get(gr_runtime *rt);
/* gri_node_peer returns the peer at url, counted, dialling if need be. NULL with *reterr. [any] */
struct gri_peer *gri_node_peer(struct gri_node *node, const char *url, gr_value **reterr);
/* gri_node_peer_asked is that for a URL that another node has named: of those only so many are dialled.
 * NULL: it can't be. [any] */
struct gri_peer *gri_node_peer_asked(struct gri_node *node, const char *url);
/* gri_node_lost forgets the peer. failure is borrowed, and puts off the next attempt, the longer the more
 * have failed; NULL: it had been up. */
void gri_node_lost(struct gri_node *node, struct gri_peer *peer, const gr_value *failure);
/* gri_node_features returns what our hello offers to who is at the other end of this URL. */
uint64_t gri_node_features(const struct gri_node *node, const char *url);
/* gri_node_close_doors stops listening. [waits] */
void gri_node_close_doors(struct gri_node *node);
void gri_node_settings_init(struct gri_node_settings *set);
void gri_node_settings_fini(struct gri_node_settings *set);
/* gri_node_find returns what is published as name; {0, 0}: nothing. [any] */
gr_ref gri_node_find(struct gri_node *node, const char *name);
/* gri_node_publish is gr_publish for names of our own, which begin with GRI_RESERVED. */
#define GRI_RESERVED '$'
gr_code gri_node_publish(struct gri_node *node, const char *name, gr_ref ref);
/* gri_node_names lists what is published by others than us, in order: texts, so names that are no UTF-8 are left
 * out. [any] */
gr_value *gri_node_names(struct gri_node *node);
/* gri_node_watch has fn called whenever that may have changed, from any thread, without the lock; it
 * must not wait. NULL: no more. A call that is under way may go on for a moment. */
void gri_node_watch(struct gri_node *node, void (*fn)(void *arg), void *arg);

#endif
