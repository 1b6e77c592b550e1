/* SPDX-License-Identifier: Apache-2.0 */
/* shelf.h - the free blocks of one size that a worker keeps at hand; see cache.h. */
#ifndef GR_RUNTIME_SCHED_SHELF_H
#define GR_RUNTIME_SCHED_SHELF_H

#include <stddef.h>

/* X(kind, bytes): multiples of 32, as small as what lies in them allows. */
#define GRI_BLOCK_SIZES(X)                                                                         \
    X(TELL, 32)                                                                                    \
    X(SMALL, 64)                                                                                   \
    X(MORE, 160)                                                                                   \
    X(CALL, 288)

enum gri_block {
#define X(kind, bytes) GRI_BLOCK_##kind,
    GRI_BLOCK_SIZES(X)
#undef X
        GRI_BLOCKS
};

enum {
#define X(kind, bytes) GRI_BLOCK_##kind##_BYTES = bytes,
    GRI_BLOCK_SIZES(X)
#undef X
};

#define GRI_BUNDLE 32 /* blocks that go to the store and come from there at once */

/* A free block; the first of a bundle in the store links to the next bundle. */
struct gri_free_block {
    struct gri_free_block *next, *bundle;
};

/* gri_blocks_reversed turns a list around in place: a stack of blocks that were freed in order has the
 * last on top. */
static inline struct gri_free_block *gri_blocks_reversed(struct gri_free_block *list)
{
    struct gri_free_block *back = NULL;

    while (list != NULL) {
        struct gri_free_block *next = list->next;

        list->next = back;
        back = list;
        list = next;
    }
    return back;
}

/* A stack of up to one bundle, and a whole bundle or none. Only the worker's own thread uses it. */
struct gri_shelf {
    struct gri_free_block *first, *spare;
    unsigned count; /* in `first` */
};

#endif
