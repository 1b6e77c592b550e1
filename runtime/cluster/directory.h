/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directory.h - who provides which name, as far as this runtime knows: what the sources of
 * membership write, and pools read.
 *
 * A provider is a value that never changes, {"name", "id", "url", "node", "incarnation", "weight"};
 * the id tells it from others of the same name: etcd's key ends with it, for the static list it is
 * the URL. Each name has one list of them, replaced as a whole: so who reads keeps the list, and
 * sees by its address whether there is a newer one.
 *
 * Changes are told to those who subscribed, after the lock is given back. Who writes does so from
 * one place at a time, which keeps what is told in order.
 */
#ifndef GR_RUNTIME_CLUSTER_DIRECTORY_H
#define GR_RUNTIME_CLUSTER_DIRECTORY_H

#include <greenroom/base.h>

#include "runtime/base/lock.h"
#include "runtime/base/log.h"
#include "runtime/base/map.h"

#define GRI_PROVIDERS_MAX 16384u     /* in all */
#define GRI_NAME_PROVIDERS_MAX 1024u /* of one name */
#define GRI_SUBSCRIBERS_MAX 64u
#define GRI_WEIGHT_MAX 100u

struct gri_subscriber {
    gr_ref to;
    char *name; /* owned; NULL: all names */
};

struct gri_directory {
    gr_runtime *rt;           /* borrowed */
    struct gri_log_gate gate; /* for what is beyond the bounds */
    struct gri_lock lock;     /* guards all below */
    struct gri_map names;     /* name -> gr_value, a counted list of providers */
    size_t count;
    bool stale;
    struct gri_subscriber subscribers[GRI_SUBSCRIBERS_MAX];
    size_t subscriber_count;
};

void gri_directory_init(struct gri_directory *d, gr_runtime *rt);
void gri_directory_fini(struct gri_directory *d);

/* gri_provider makes a provider. node and incarnation may be "". An out of range weight counts as
 * the nearest. */
gr_value *gri_provider(const char *name, const char *id, const char *url, const char *node,
                       const char *incarnation, int64_t weight);

/* gri_directory_put adds a provider, or replaces the one with its name and id. GR_EFULL at a bound;
 * GR_ENOMEM, or the value's own if it is broken. */
gr_code gri_directory_put(struct gri_directory *d, gr_value *provider GR_TAKES);
/* gri_directory_remove takes one away; false: it was not there. */
bool gri_directory_remove(struct gri_directory *d, const char *name, const char *id);
/* gri_directory_keep takes away what comes from etcd (has a node) and is not in `list`, a list of
 * providers; those in it are put by the caller. */
void gri_directory_keep(struct gri_directory *d, const gr_value *list);
/* gri_directory_clear takes all away. */
void gri_directory_clear(struct gri_directory *d);
/* gri_directory_set_stale notes, and tells, whether the source is away. */
void gri_directory_set_stale(struct gri_directory *d, bool stale);

/* gri_directory_of returns the list of a name's providers, counted; NULL: it has none. */
gr_value *gri_directory_of(struct gri_directory *d, const char *name);
/* gri_directory_subscribe: see gr_cluster_watch. */
gr_code gri_directory_subscribe(struct gri_directory *d, const char *name, gr_ref to);

#endif
