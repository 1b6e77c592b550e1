/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parts.h - long frames that come in parts, put together again. Memory is taken for what has come,
 * not for what is announced; GRI_PARTS_MAX frames at a time, each within the limit of a frame.
 *
 * A frame that brings a long string or binary consists of little else. With `texts` that is made the value that it will
 * be while it comes, with room for GRI_PARTS_AHEAD times what has come at most; in the frame a nil stands for it.
 */
#ifndef GR_RUNTIME_NET_PARTS_H
#define GR_RUNTIME_NET_PARTS_H

#include "runtime/net/frame.h"
#include "runtime/value/text_fill.h"

#define GRI_PARTS_AHEAD 16u

struct gri_parts_slot {
    struct gri_strbuf data;
    size_t total; /* 0: no frame is on its way */
    size_t come;
    struct gri_frame_find find; /* len 0: nothing is made a value */
    struct gri_text_fill fill;
    gr_value *text; /* owned; it, once the frame is whole; NULL: nothing */
};

struct gri_parts {
    bool texts;
    struct gri_parts_slot slots[GRI_PARTS_MAX];
};

/*
 * gri_parts_add takes in a part. GR_OK, and *ret_whole is the frame once it is whole, until the slot's
 * next part or gri_parts_clear; else NULL. GR_EPROTO: the part does not fit to what came before, or the
 * frame would be too long; GR_ENOMEM.
 */
gr_code gri_parts_add(struct gri_parts *p, const struct gri_frame *part,
                      const struct gri_strbuf **ret_whole);
/* gri_parts_clear forgets a frame that was whole. */
void gri_parts_clear(struct gri_parts *p, uint64_t slot);
void gri_parts_fini(struct gri_parts *p);

#endif
