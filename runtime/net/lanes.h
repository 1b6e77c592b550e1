/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lanes.h - what waits to be sent over one link, and what goes next.
 *
 * Frames of up to GRI_WHOLE_MAX bytes go whole, in the order they came: the quick lane. Longer ones
 * become trains and go in parts, GRI_PARTS_MAX trains at a time by turns, each once the quick lane has
 * sent what was there before it; between two parts there is room for what is quick. So a long value delays what follows by one part, not by its own length.
 *
 * Some frames may not overtake each other: those of one call, and messages to one name. They have the
 * same key, and what finds a train with its key goes aboard it. Key 0: no matter.
 *
 * Not thread-safe: the peer's lock guards it.
 */
#ifndef GR_RUNTIME_NET_LANES_H
#define GR_RUNTIME_NET_LANES_H

#include "runtime/base/list.h"
#include "runtime/net/frame.h"
#include "runtime/net/link.h"

#define GRI_TRAINS_MAX 64u /* of one link; a long frame beyond goes aboard the last one */

struct gri_lanes {
    struct gri_strbuf quick;
    size_t quick_at;        /* of it has been sent */
    struct gri_list active; /* trains that have a slot; the first goes next */
    struct gri_list rest;   /* those that wait for one */
    unsigned train_count;
    unsigned slots;                 /* a bit for each that is taken */
    uint64_t quick_put, quick_gone; /* bytes, ever */
    size_t waiting;                 /* bytes, all in all */
    /* the turn that gri_lanes_next told of */
    size_t turn_quick, turn_part;
    char head[GRI_PART_HEAD_MAX];
};

void gri_lanes_init(struct gri_lanes *l);
void gri_lanes_fini(struct gri_lanes *l);
/* gri_lanes_put adds one frame, with its length; a long one's buffer is taken over. On failure nothing
 * has changed. GR_ENOMEM. */
gr_code gri_lanes_put(struct gri_lanes *l, struct gri_strbuf *frame, uint64_t key);
/* gri_lanes_put_text adds one with what was left out of it (NULL, or v NULL: nothing), of which it keeps a reference until
 * that is sent. */
gr_code gri_lanes_put_text(struct gri_lanes *l, struct gri_strbuf *frame,
                           const struct gri_frame_text *text, uint64_t key);
/* gri_lanes_next tells what goes next, GRI_WHOLE_MAX bytes or a little more, and how many slices that
 * is; 0: nothing waits. It is valid until gri_lanes_sent takes it out. */
unsigned gri_lanes_next(struct gri_lanes *l, struct gri_slice slices[GRI_SLICES]);
void gri_lanes_sent(struct gri_lanes *l);
/* gri_lanes_count counts the frames of a type that wait, but for one that has gone in part. */
size_t gri_lanes_count(const struct gri_lanes *l, enum gri_frame_type type);
/* gri_lanes_move adds all that waits in `from`, of which no part has been sent. GR_ENOMEM: nothing has
 * changed. */
gr_code gri_lanes_move(struct gri_lanes *l, struct gri_lanes *from);

#endif
