/* SPDX-License-Identifier: Apache-2.0 */
/*
 * greet.h - what two nodes say to each other before calls: hello, proof, then welcome or refuse
 * (docs/wire.md). Both for the link's events only.
 */
#ifndef GR_RUNTIME_NET_GREET_H
#define GR_RUNTIME_NET_GREET_H

#include "runtime/net/peer.h"

/* gri_greet_begin says hello: the link is up. */
void gri_greet_begin(struct gri_peer *p);
/* gri_greet_frame takes a frame that comes while p's greeting is not over; body is the frame. */
void gri_greet_frame(struct gri_peer *p, const struct gri_frame *f, const void *body, size_t size);

#endif
