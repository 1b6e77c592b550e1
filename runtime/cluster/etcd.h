/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd.h - private to runtime/cluster/: etcd as the source of membership, over its v3 JSON gateway.
 *
 * Three actors, in a scope of the cluster's own:
 *
 *   client    sends requests (etcd_client.c): its calls are cancelled as any others, which closes
 *             the transfer
 *   watcher   reads the providers, then what changes (etcd_watcher.c); writes the directory
 *   keeper    has the lease, registers what is published, holds claims (etcd_keeper.c)
 *
 * Keys, below "/greenroom/CLUSTER/": "names/NAME/NODE" is a provider, its value {"url",
 * "incarnation", "weight"}; "claims/NAME" a claim, its value {"node", "incarnation"}. A name may
 * hold a '/', the node's number is what follows the last one.
 */
#ifndef GR_RUNTIME_CLUSTER_ETCD_H
#define GR_RUNTIME_CLUSTER_ETCD_H

#include <greenroom/actor.h>
#include <greenroom/cluster.h>

#include "runtime/base/lock.h"
#include "runtime/base/strbuf.h"

struct gri_cluster;

#define GRI_ETCD_URLS_MAX 16u
#define GRI_ETCD_ANSWER_MAX ((size_t)32 << 20) /* bytes */
#define GRI_ETCD_TTL_MS 10000
#define GRI_ETCD_TTL_LEAST_MS 2000

struct gri_etcd {
    char *urls[GRI_ETCD_URLS_MAX]; /* owned; without a '/' at the end */
    size_t url_count;
    char *ca_file;         /* owned; NULL: the system's */
    char *user, *password; /* owned; the password is wiped before it is freed */
    char *prefix;          /* owned; "/greenroom/CLUSTER/" */
    int64_t ttl_ms;
    _Atomic unsigned at;  /* which URL is used */
    struct gri_lock lock; /* guards the two below */
    char *secret;         /* owned, wiped: the header that lets us in; NULL: none (yet) */
    unsigned secrets;     /* how many there have been */
};

/* ---- joining (etcd_join.c) ------------------------------------------------------------------- */

gr_value *gri_etcd_bad_options(const gr_cluster_opts *o);
/* gri_etcd_join makes the actors and starts them; NULL, or what went wrong. */
gr_value *gri_etcd_join(struct gri_cluster *k, const gr_cluster_opts *o);
/* gri_etcd_leave withdraws all and ends the actors. Harmless without etcd. [waits] */
void gri_etcd_leave(struct gri_cluster *k);
gr_future *gri_etcd_ready(struct gri_cluster *k);
void gri_etcd_free(struct gri_etcd *e);

/* ---- requests (etcd_client.c, etcd_ask.c) ----------------------------------------------------- */

extern const gr_class gri_etcd_client_class;

/* gri_etcd_post sends a request and gives the answer, or an error: GR_EUNREACH, GR_ETIMEDOUT and what
 * gri_etcd_away says; GR_EREMOTE with "status" and, in "detail", gRPC's code; GR_ECANCELED. It signs
 * in when that is due. [waits] */
gr_value *gri_etcd_post(gr_ctx *c, struct gri_cluster *k, const char *path, gr_value *body GR_TAKES,
                        int64_t timeout_ms);
/* gri_etcd_watch opens a stream whose chunks are lists of what etcd sent. */
gr_stream *gri_etcd_watch(gr_ctx *c, struct gri_cluster *k, gr_value *body GR_TAKES);
/* gri_etcd_farewell sends a request from an actor's terminate, where no calls can be made if the runtime
 * ends, and drops the answer. It waits for a second at most. */
void gri_etcd_farewell(gr_runtime *rt, struct gri_etcd *e, const char *path,
                       gr_value *body GR_TAKES);
/* gri_etcd_away tells whether an error means that etcd can't be used now; then the next URL is. */
bool gri_etcd_away(struct gri_etcd *e, const gr_value *err);
/* gri_etcd_code returns gRPC's code of an error; -1: none. */
int64_t gri_etcd_code(const gr_value *err);
#define GRI_ETCD_SIGN_IN "/v3/auth/authenticate" /* the one request that goes without the secret */
#define GRI_ETCD_NOT_FOUND 5
#define GRI_ETCD_NO_ENTRY 16 /* not signed in, or no more */

/* ---- what goes over the wire (etcd_wire.c) ---------------------------------------------------- */

/* gri_etcd_key makes a key of the cluster's prefix and up to three more parts; a binary, which JSON
 * prints as base64. */
gr_value *gri_etcd_key(const struct gri_etcd *e, const char *a, const char *b, const char *c);
/* gri_etcd_range is {"key", "range_end"}: all keys that begin with the prefix and `below`. */
gr_value *gri_etcd_range(const struct gri_etcd *e, const char *below);
/* gri_etcd_int reads a 64-bit number, which is a text in JSON and left out when it is 0. */
int64_t gri_etcd_int(const gr_value *map, const char *key);
/* gri_etcd_bytes decodes a base64 text into b. false: it is none. */
bool gri_etcd_bytes(const gr_value *map, const char *key, struct gri_strbuf *b);

/* What a key is. name and node point into the key. */
enum gri_etcd_kind { GRI_ETCD_OTHER, GRI_ETCD_NAME, GRI_ETCD_CLAIM };
enum gri_etcd_kind gri_etcd_split(const struct gri_etcd *e, char *key, const char **ret_name,
                                  const char **ret_node);
/* gri_etcd_provider makes a provider of a key-value pair that is one; NULL: it is not fit. */
gr_value *gri_etcd_provider(const char *name, const char *node, const gr_value *kv);

/* gri_etcd_wait_ms: the wait before attempt number n (from 0), from 100 ms to 5 s, less up to half of
 * it by chance. */
int64_t gri_etcd_wait_ms(gr_runtime *rt, unsigned n);

/* ---- the two that speak to it ----------------------------------------------------------------- */

extern const gr_class gri_etcd_watcher_class, gri_etcd_keeper_class;

/* What the keeper is told, as {"what": …}; see etcd_keeper.c. */
#define GRI_KEEPER_TICK "tick"
#define GRI_KEEPER_PUBLISHED "published"
#define GRI_KEEPER_SYNCED "synced"
#define GRI_KEEPER_FREE "free"           /* and "name": a claim is free */
#define GRI_KEEPER_MISSING "missing"     /* and "name": what we registered is gone */
#define GRI_KEEPER_CANCELLED "cancelled" /* somebody waits no more */

#endif
