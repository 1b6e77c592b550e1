/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turnstile.h - one at a time for each name, in the order of coming: for handlers that wait.
 *
 * Each waiting handler keeps its fiber, so fibers_max bounds how many there are.
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

#endif
