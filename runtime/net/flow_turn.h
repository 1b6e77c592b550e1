/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow_turn.h - a flow's turns: its step runs once at a time, on a worker, and again after a kick that came meanwhile.
 * For flow_in.c and flow_out.c.
 */
#ifndef GR_RUNTIME_NET_FLOW_TURN_H
#define GR_RUNTIME_NET_FLOW_TURN_H

#include "runtime/net/flow.h"

void gri_turn_init(struct gri_turn *t, const struct gri_flow_ops *ops, void *call,
                   struct gri_peer *peer, void (*step)(struct gri_turn *t));
/* gri_turn_kick has step run soon. The reference that a queued task needs is taken here. */
void gri_turn_kick(struct gri_turn *t);
/* gri_turn_claim_locked lets the caller, who has a reference to the call, do the step's work until gri_turn_leave;
 * false: it runs, or will. */
bool gri_turn_claim_locked(struct gri_turn *t);
void gri_turn_leave(struct gri_turn *t);
void gri_turn_halt(struct gri_turn *t);
bool gri_turn_halted(struct gri_turn *t);

/* gri_flow_cost is what both sides count for a chunk. */
static inline int64_t gri_flow_cost(size_t size, uint32_t least)
{
    return size > least ? (int64_t)size : (int64_t)least;
}

#endif
