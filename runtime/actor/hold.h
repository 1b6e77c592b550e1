/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hold.h - observed calls at the gate of their tree: see run_gate.h.
 *
 * A call that is to begin waits before it is posted, QUEUED, so that a cancellation ends it as ever and leaves a
 * shell. Who writes into an observed call's stream waits as if that were full.
 */
#ifndef GR_RUNTIME_ACTOR_HOLD_H
#define GR_RUNTIME_ACTOR_HOLD_H

#include "runtime/actor/observed.h"

/* gri_hold_shut tells whether the call's tree is held back; a hint. For observed calls only, as are all here. */
bool gri_hold_shut(struct gri_call *call);
/* gri_hold_call keeps a QUEUED call, which is then posted to `to` later. false: it may be posted now. */
bool gri_hold_call(struct gri_call *call, gr_ref to);
/* gri_hold_stream has the writer of the call's stream fired later. false: it may write. The stream's lock is held. */
bool gri_hold_stream(struct gri_call *call, struct gr_stream *s);
/* gri_hold_left: the stream goes, or may. */
void gri_hold_left(struct gri_call *call);
void gri_hold_free(struct gri_hold *hold); /* NULL is fine */

#endif
