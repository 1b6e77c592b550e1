/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parts.h - long frames that come in parts, put together again. Memory is taken for what has come,
 * not for what is announced; GRI_PARTS_MAX frames at a time, each within the limit of a frame.
 */
#ifndef GR_RUNTIME_NET_PARTS_H
#define GR_RUNTIME_NET_PARTS_H

#include "runtime/net/frame.h"

struct gri_parts {
    struct {
        struct gri_strbuf data;
        size_t total; /* 0: no frame is on its way */
    } slots[GRI_PARTS_MAX];
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
