/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lent.h - refs that cross. A ref on the wire is of the sender's node or of the receiver's.
 *
 * Ours that leaves: the actor is lent to that peer, for as long as the link lives. A proxy for an actor
 * of the same peer leaves as that actor's own ref; any other proxy is an actor of ours, so calls go
 * through us. The peer's that comes becomes a proxy, one for each of its actors, which ends when that
 * one does, or the link. Ours that comes back must be one that was lent, or it leads nowhere.
 */
#ifndef GR_RUNTIME_NET_LENT_H
#define GR_RUNTIME_NET_LENT_H

#include "runtime/net/peer.h"

/* gri_lend and gri_borrow are gri_ref_maps' fn, with a gri_peer: for what is sent, by any thread, and for
 * what has come, in the link's events only. GR_EFULL: too many. */
gr_code gri_lend(void *peer, gr_ref *ref);
gr_code gri_borrow(void *peer, gr_ref *ref);
/* gri_peer_read decodes a value that has come; in the link's events only. *ret_sent: if it is an error,
 * that error was sent, and is not the decoder's word. */
gr_value *gri_peer_read(struct gri_peer *p, const uint8_t *data, size_t size, bool *ret_sent);
/* gri_peer_value_of reads a frame's value likewise. */
gr_value *gri_peer_value_of(struct gri_peer *p, const struct gri_frame *f, bool *ret_sent);
/* gri_peer_find returns whom a frame is for, if the peer may reach it; else {0, 0}. */
gr_ref gri_peer_find(struct gri_peer *p, const struct gri_frame *f);

#endif
