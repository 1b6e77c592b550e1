/* SPDX-License-Identifier: Apache-2.0 */
/* gri: for actors/ */
/*
 * route.h - a call that several actors at other nodes serve one after the other, each with what the one before
 * has made of it: the value goes from node to node, and the last one answers.
 */
#ifndef GR_RUNTIME_NET_ROUTE_H
#define GR_RUNTIME_NET_ROUTE_H

#include "runtime/actor/call.h"

#define GRI_ROUTE_MAX 256u /* actors of one route; the same as GRI_ROUTE_STEPS_MAX */

/*
 * gri_route_fn is told how far it has come. v is the answer of the actor before refs[next], or an error, which
 * ends it all; next is 0 if nobody could be reached that way. On any worker, at times in the middle of a link's
 * event: it must not wait, nor run users' code.
 */
typedef void gri_route_fn(void *arg, gr_value *v GR_TAKES, size_t next);

/* gri_route_leads_out tells whether ref is a proxy for an actor at another node. */
bool gri_route_leads_out(gr_runtime *rt, gr_ref ref);

/*
 * gri_route_start has v invoke refs[0], its answer refs[1] and so on, as far as they are proxies, for the call, whose duty
 * the caller has. config is for refs[0]; the others get it without kwargs. true: `then` is called, once, and
 * maybe before this returns; until then the call's hook for cancellation is in use. false: there is no such way,
 * and nothing was done.
 */
bool gri_route_start(struct gri_call *call, const gr_ref *refs, size_t count, const gr_value *v,
                     gr_value *config GR_TAKES, gri_route_fn *then, void *arg);

#endif
