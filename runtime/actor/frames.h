/* SPDX-License-Identifier: Apache-2.0 */
/* gri: for actors/ */
/*
 * frames.h - defaults of verbs that are written above the engine: what defaults.c calls upward.
 */
#ifndef GR_RUNTIME_ACTOR_FRAMES_H
#define GR_RUNTIME_ACTOR_FRAMES_H

#include "runtime/actor/call.h"

/* A frame serves the call for an actor whose class has invoke, stream or transform, and lacks the
 * verb. self is that actor. It consumes the duty. [any] */
typedef void gri_frame_fn(struct gri_call *call, gr_ref self);

struct gri_frames {
    gri_frame_fn *astream_events, *astream_log;
};
extern const struct gri_frames gri_frames; /* actors/observe/event_stream.c */

#endif
