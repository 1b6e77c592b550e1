/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gather.h - one input to all steps at once, their answers into a map: what invoke of gr_parallel
 * and gr_assign share.
 */
#ifndef GR_ACTORS_COMPOSE_GATHER_H
#define GR_ACTORS_COMPOSE_GATHER_H

#include "actors/compose/steps.h"

/* gri_gather consumes the duty: the call ends with finish(call, map), or with the first failure.
 * Its input is call->args. finish NULL: the map itself; else the
 * map is the answer of a run within, a parallel's. */
void gri_gather(struct gri_call *call,
                gr_value *(*finish)(struct gri_call *call, gr_value *map GR_TAKES));

#endif
