/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pair.h - which of the connections between two nodes is their link.
 *
 * Both may dial at any time, one of them may have lost a link that the other still has, and what is
 * said on one connection may come before or after what is said on another. So one of the two
 * decides: the one with the greater node number. The other tells it with each proof which other
 * connections with it are alive there, and numbers its proofs, so that old news is known as such:
 *
 *   the decider has no link with the peer                       the new connection is the link
 *   it has one, and the proof is older than the one of that     the new one is spare
 *   it has one, and the proof says that it is alive             the new one is spare
 *   it has one, which the peer has lost                         the new one takes its place
 *
 * A spare connection's calls go over to the link. One that is taken the place of handles no more
 * frames from then on, on both sides: so nothing that was sent on an earlier link is handled after
 * what was sent on a later one. Nodes that can't trust each other's numbers (`apart`: no secret, and
 * strangers may connect) keep a link for each direction; there who dialled decides, and only
 * connections of the same direction are compared.
 */
#ifndef GR_RUNTIME_NET_PAIR_H
#define GR_RUNTIME_NET_PAIR_H

#include "runtime/net/peer.h"

enum gri_verdict { GRI_PAIR_STAYS, GRI_PAIR_SPARE, GRI_PAIR_OUTRUN };

/* All in the link's events only. */

/* gri_pair_meet takes in the peer's hello; false: out of memory. gri_pair_forget_locked: p is down. */
bool gri_pair_meet(struct gri_peer *p, const struct gri_hello *hello);
void gri_pair_forget_locked(struct gri_peer *p);
bool gri_pair_decides(const struct gri_peer *p);
/* gri_pair_note fills in a proof's stamp and links, and counts p among those. false: this node is about to
 * end, and who dialled it comes too late. */
bool gri_pair_note(struct gri_peer *p, struct gri_proof *proof);
/* gri_pair_is_outrun tells whether a later start of the peer's node is connected. */
bool gri_pair_is_outrun(struct gri_peer *p);
/* gri_pair_decide: STAYS, p is the link, and earlier ones handle no more frames; SPARE, *ret_other
 * (counted) is; OUTRUN, a later start of the peer's node is connected. */
enum gri_verdict gri_pair_decide(struct gri_peer *p, const struct gri_proof *proof,
                                 struct gri_peer **ret_other);
/* gri_pair_welcomed: the peer has decided for p; false: and for a later one since. */
bool gri_pair_welcomed(struct gri_peer *p, uint64_t number);
/* gri_pair_find returns the connection with p's peer that has this number, counted; NULL: none. */
struct gri_peer *gri_pair_find(struct gri_peer *p, uint64_t link_id);
/* gri_pair_current returns the link with this start of a node, counted; NULL: there is none, or it is apart.
 * [any] */
struct gri_peer *gri_pair_current(struct gri_node *node, uint64_t id, uint64_t incarnation);
/* gri_pair_routes tells whether routes may be sent over p's link, and tells who is at its other end. [any] */
bool gri_pair_routes(struct gri_peer *p, uint64_t *ret_node, uint64_t *ret_incarnation);
/* gri_pair_merge has p's calls, and those to its target that follow, go over to another link. */
void gri_pair_merge(struct gri_peer *p, struct gri_peer *into);

#endif
