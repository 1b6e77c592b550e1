/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turnstile.h - one at a time for each name, in the order of coming: for handlers that wait.
 *
 * Each waiting handler keeps its fiber, so fibers_max bounds how many there are. Who is inside may say so in what
 * it calls, so that a call which comes back to the same turnstile does not wait for itself.
 */
#ifndef GR_ACTORS_COMPOSE_TURNSTILE_H
#define GR_ACTORS_COMPOSE_TURNSTILE_H

#include <greenroom/actor.h>

#include "runtime/base/list.h"
#include "runtime/base/lock.h"

#define GRI_TURNSTILE_ROWS 64

struct gri_turnstile {
    struct gri_lock lock;
    struct gri_list rows[GRI_TURNSTILE_ROWS]; /* of tickets, by the hash of their names */
};

/* Who is inside, or waits. */
struct gri_ticket {
    struct gri_list node;
    char *name;        /* owned */
    gr_stream *writer; /* owned while it waits; its end is the call to come in */
    bool inside;
};

void gri_turnstile_init(struct gri_turnstile *t);
/* gri_turnstile_enter waits until nobody of that name is inside. GR_OK with *ret_ticket, which
 * gri_turnstile_leave takes, NULL is fine; GR_ECANCELED, GR_ENOMEM, GR_EFULL. [waits] */
gr_code gri_turnstile_enter(struct gri_turnstile *t, gr_runtime *rt, const char *name,
                            struct gri_ticket **ret_ticket);
void gri_turnstile_leave(struct gri_turnstile *t, struct gri_ticket *ticket GR_TAKES);
/* gri_turnstile_open leaves, and lets in all who wait for that name now, side by side. */
void gri_turnstile_open(struct gri_turnstile *t, struct gri_ticket *ticket GR_TAKES);

/*
 * gri_turnstile_take enters on behalf of a handler's call, unless that call was made inside: `held`, a list of names, is
 * looked for under `key` in its configurable, and what is called with opts has the name there, too. name is for one
 * turnstile among all: it begins with what tells them apart. NULL with *ret_ticket, which is NULL for a call
 * from inside; or an error. [waits]
 */
gr_value *gri_turnstile_take(gr_ctx *c, struct gri_turnstile *t, const char *key,
                             gr_value *name GR_TAKES, gr_call_opts *opts,
                             struct gri_ticket **ret_ticket);
/* gri_turnstile_held gives the names that a handler's call was made in; NULL: none. gri_turnstile_hold has what is
 * called with opts be made in that of name, too; of a list with another one. */
const gr_value *gri_turnstile_held(gr_ctx *c, const char *key);
void gri_turnstile_hold(gr_ctx *c, const char *key, gr_value *name GR_TAKES, gr_call_opts *opts);
bool gri_turnstile_has(const gr_value *held, const gr_value *name);

#endif
