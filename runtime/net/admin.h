/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin.h - the actor by which a node is operated: see greenroom/admin.h.
 *
 *   admin.c       the actor, and who may call what of it
 *   admin_ps.c    actors as values
 *   admin_info.c  the node as a value
 */
#ifndef GR_RUNTIME_NET_ADMIN_H
#define GR_RUNTIME_NET_ADMIN_H

#include <greenroom/admin.h>

#include "runtime/net/peer.h"

/* gri_admin_is tells whether a ref that was found by its published name is that actor. */
static inline bool gri_admin_is(const struct gri_node *node, gr_ref to)
{
    return to.id == atomic_load_explicit(&node->admin.id, memory_order_relaxed);
}

/* gri_admin_refuses tells why the peer may not call that verb of it; NULL: it may. */
gr_value *gri_admin_refuses(const struct gri_peer *p, const char *verb);

/* gri_admin_calls_in is how many calls of other nodes are here that are no drains. */
#define GRI_ADMIN_DRAIN "drain"
size_t gri_admin_calls_in(struct gri_node *node);

/* gri_admin_ps answers ps; c: whose handler waits for supervisors. gri_admin_actor is info of one actor. */
gr_value *gri_admin_ps(gr_ctx *c, struct gri_node *node, uint64_t after, size_t max);
gr_value *gri_admin_actor(struct gri_node *node, gr_ref who);
/* gri_admin_id makes an actor's id a text; gri_admin_find finds one by id or name; {0, 0}: there is none. */
gr_value *gri_admin_id(gr_ref ref);
gr_ref gri_admin_find(struct gri_node *node, const char *text);

gr_value *gri_admin_stats(gr_runtime *rt);

#endif
