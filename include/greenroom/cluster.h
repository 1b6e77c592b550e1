/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster.h - who provides which name: a list in the program, or etcd.
 *
 * A runtime joins one cluster. From then on it knows the providers of each name, which a pool
 * (pool.h) calls. Two sources, which may be used together:
 *
 *   a static list   URLs and names, given when joining; never changes
 *   etcd            nodes register what they publish (gr_publish) under a lease, and watch what
 *                   others do; claims give a name to one node at a time
 *
 * While etcd can't be reached what was known last stays in use, marked stale; when it is back all
 * is registered again. docs/cluster.md has the keys, the timing and a run to paste.
 */
#ifndef GREENROOM_CLUSTER_H
#define GREENROOM_CLUSTER_H

#include <greenroom/actor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One provider of the static list. */
typedef struct gr_provider {
    const char *name; /* what it publishes */
    const char *url;  /* ipc:///path, tcp://host:port */
    unsigned weight;  /* its share of round robin, at most 100; 0: 1 */
} gr_provider;

typedef struct gr_cluster_opts {
    size_t size;
    const gr_provider *providers; /* copied; names and URLs too */
    size_t provider_count;        /* at most 1024 for one name, 16384 in all */
    /* the URL at which peers reach this runtime (gr_serve). With etcd, what is published here is
     * registered with it; NULL: this runtime registers nothing, and only calls */
    const char *advertise;
    unsigned weight;    /* that others see for what is published here, at most 100; 0: 1 */
    /* the rest is etcd's. Its URLs, with commas between them; NULL: no etcd. They are tried in
     * turn. http://host:port, https://host:port */
    const char *etcd;
    const char *cluster; /* whose keys: "/greenroom/CLUSTER/…"; default "default". No '/' */
    int64_t ttl_ms;      /* of the lease, in whole seconds; default 10,000, least 2000 */
    /* one of the two, or neither. Neither is ever logged or part of an error */
    const char *user, *password;
    const char *token;   /* sent as the header Authorization as it is */
    const char *ca_file; /* PEM; default: the system's */
} gr_cluster_opts;
#define GR_CLUSTER(...) GR_OPT(gr_cluster_opts, __VA_ARGS__)

/*
 * gr_cluster_join joins; with etcd, that goes on in the background: see gr_cluster_ready. What is
 * published later is registered, too.
 * Errors: GR_EINVAL an option, or joined already; GR_ENOMEM.    [any]
 */
GR_NODISCARD GR_API gr_code gr_cluster_join(gr_runtime *rt, const gr_cluster_opts *opts,
                                            gr_value **reterr);
/*
 * gr_cluster_ready returns a future that is complete when the providers have been read from etcd
 * and what is published here is registered; at once without etcd. It waits as long as etcd is away:
 * give it a deadline by gr_await. GR_EINVAL: not joined. NULL only when out of memory. [any]
 */
GR_API gr_future *gr_cluster_ready(gr_runtime *rt);
/*
 * gr_cluster_leave withdraws what is registered, gives up claims and forgets the providers. Peers
 * learn of it within moments; calls under way here go on. It waits for etcd for up to two seconds,
 * and leaves the rest to the lease. GR_EINVAL: not joined. [waits]
 */
GR_API gr_code gr_cluster_leave(gr_runtime *rt);

/*
 * gr_cluster_providers returns who provides a name, but for this runtime itself, as far as is
 * known: a list of {"name", "url", "node", "incarnation", "weight"}, node and incarnation "" where
 * the list is the static one. [any]
 */
GR_API gr_value *gr_cluster_providers(gr_runtime *rt, const char *name);
/*
 * gr_cluster_info returns {"joined", "etcd", "stale", "providers", "registered", "revision",
 * "lease", "claims"}: stale while etcd can't be reached and so what is known may be old; registered
 * how many names are in etcd for this node; revision the last that was seen. [any]
 */
GR_API gr_value *gr_cluster_info(gr_runtime *rt);
/*
 * gr_cluster_watch has changes told to an actor of this runtime, as maps {"event", "name", "url",
 * "node"} where event is "joined", "left" or "changed"; and {"event": "stale"}, {"event": "fresh"}
 * when etcd goes away and comes back. name NULL: of all names. It ends with the actor. What its
 * mailbox has no room for is not told. GR_EFULL beyond 64 of them; GR_EDEAD. [any]
 */
GR_API gr_code gr_cluster_watch(gr_runtime *rt, const char *name, gr_ref to);

/* ---- claims: a name that one node at a time has ------------------------------------------------- */

/*
 * gr_claim asks etcd for a name for an actor of this runtime, the holder, until it has it: the
 * future then gives the fencing token, a whole number that grows with each holder in turn. Whatever
 * the holder does outside (writes to a database, say) should carry the token, so that the other side can
 * refuse a smaller one than it has seen: a process may be stopped for longer than its lease lasts,
 * and not know it yet.
 *
 * The claim ends when the holder does, by gr_claim_release, or when the lease has run out, which
 * this side sees by its own clock before others can have the name. Then, and only then, the holder
 * gets an exit signal: an error GR_ECANCELED of kind "ClaimLost".
 *
 * Cancelling the future gives the claim up. A claim is not published: the holder does that, if it is
 * to be called by others.
 * Errors: GR_EINVAL the name, one claimed here already, or no etcd; GR_EDEAD the holder; GR_EFULL
 * beyond 1024 claims.    [any]
 */
GR_API gr_future *gr_claim(gr_runtime *rt, const char *name, gr_ref holder);
/* gr_claim_token returns the fencing token of a claim that is surely held right now, else 0. [any] */
GR_API uint64_t gr_claim_token(gr_runtime *rt, const char *name);
/* gr_claim_release gives a claim up. false: there is none of that name here. [any] */
GR_API bool gr_claim_release(gr_runtime *rt, const char *name);

#ifdef __cplusplus
}
#endif
#endif
