/* SPDX-License-Identifier: Apache-2.0 */
/*
 * member.h - private to runtime/cluster/: what one runtime has of its cluster.
 *
 * Made on first use, stopped after the actors and before the links and the HTTP client. So the
 * actors that speak to etcd, which it owns through `scope`, may use it as long as they are.
 */
#ifndef GR_RUNTIME_CLUSTER_MEMBER_H
#define GR_RUNTIME_CLUSTER_MEMBER_H

#include <greenroom/cluster.h>

#include "runtime/cluster/directory.h"

struct gri_etcd;
struct gri_node;

#define GRI_CLAIMS_MAX 1024u
#define GRI_NODE_TEXT 17 /* a node's number in hexadecimal, and a NUL */

struct gri_member_state {
    int64_t registered; /* names of ours that are in etcd */
    int64_t revision;   /* the last that was seen */
    uint64_t lease;
    bool synced; /* the providers have been read once */
};

struct gri_cluster {
    gr_runtime *rt; /* borrowed */
    struct gri_directory directory;
    char node[GRI_NODE_TEXT], incarnation[GRI_NODE_TEXT];
    _Atomic bool poked;   /* the keeper has been told that something was published */
    struct gri_lock lock; /* guards all below */
    bool joined;
    struct gri_node *links; /* borrowed; NULL: never joined etcd */
    char *advertise;        /* owned; NULL: nothing is registered */
    int64_t weight;
    gr_scope *scope;       /* owned; the actors of etcd; NULL: without */
    struct gri_etcd *etcd; /* owned; NULL: without */
    gr_ref client, watcher, keeper;
    gr_future *watching; /* owned; the watcher's only call */
    struct gri_member_state state;
    struct gri_map claims;    /* name -> its token, an owned uint64_t: what is held */
    uint64_t claims_until_ns; /* the lease is surely alive until then */
};

/* gri_cluster_get returns the runtime's; NULL when out of memory or the runtime is going. [any] */
struct gri_cluster *gri_cluster_get(gr_runtime *rt);

#endif
