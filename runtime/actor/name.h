/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name.h - the table of names, and who waits for one.
 *
 * names.lock guards the table, the names in it and those who wait. A name hangs in its owner's list
 * (gri_rare.names), which is guarded by names.lock and the owner's tie_lock, in that order.
 */
#ifndef GR_RUNTIME_ACTOR_NAME_H
#define GR_RUNTIME_ACTOR_NAME_H

#include <greenroom/name.h>

#include "runtime/base/list.h"
#include "runtime/base/lock.h"
#include "runtime/base/map.h"

struct gri_actor;

struct gri_names {
    struct gri_lock lock;
    struct gri_map by_name; /* text -> gri_name, owned */
};

/* Somebody who waits until a name has an owner. */
struct gri_name_waiter {
    struct gri_list node; /* guarded by names.lock */
    /* called once, under names.lock: it only wakes or readies. The node is in no list any more */
    void (*fire)(struct gri_name_waiter *w);
};

/* gri_name_await finds a name's owner: GR_OK with *ret_ref. Else with max waiters allowed it lists w,
 * GR_EPENDING, and GR_EFULL when there are as many; max 0 is GR_EUNREACH. Or GR_ENOMEM. */
gr_code gri_name_await(gr_runtime *rt, const char *name, struct gri_name_waiter *w, size_t max,
                       gr_ref *ret_ref);
/* gri_name_leave takes w off the list: false, it has fired. */
bool gri_name_leave(gr_runtime *rt, const char *name, struct gri_name_waiter *w);

/* gri_name_of_locked returns the latest name that an actor is registered under, borrowed for as long as its
 * tie_lock is held; NULL: none. gri_names_list gives the first few; those that are no UTF-8 are left out. The
 * caller has a pin. */
#define GRI_NAMES_LISTED 8
const char *gri_name_of_locked(const struct gri_actor *a);
gr_value *gri_names_list(struct gri_actor *a);

/* gri_named_name returns the name that an actor made by gr_named stands for, borrowed from it; NULL
 * for another. */
const char *gri_named_name(const struct gri_actor *a);

/* gri_named_by is gr_named where it is known who gives the name: once that actor is gone, or could not be started, calls fail
 * at once and say why. giver {0, 0}: it is not known. */
gr_ref gri_named_by(gr_scope *in, const char *name, const gr_named_opts *opts, gr_ref giver);

#endif
