/* SPDX-License-Identifier: Apache-2.0 */
/* shelf.h - the free blocks of one size that a worker keeps at hand; see cache.h. */
#ifndef GR_RUNTIME_SCHED_SHELF_H
#define GR_RUNTIME_SCHED_SHELF_H

#include <stddef.h>

/* X(kind, bytes, bundle): multiples of 32, as small as what lies in them allows, and how many blocks go
 * to the store and come from there at once. TELL is cut out of REGION: see region.h. */
#define GRI_BLOCK_SIZES(X)                                                                         \
    X(TELL, 32, 32)                                                                                \
    X(TINY, 32, 32)                                                                                \
    X(SMALL, 64, 32)                                                                               \
    X(MORE, 192, 32)                                                                               \
    X(CALL, 288, 32)                                                                               \
    X(REGION, 512, 4)

enum gri_block {
#define X(kind, bytes, bundle) GRI_BLOCK_##kind,
    GRI_BLOCK_SIZES(X)
#undef X
        GRI_BLOCKS
};

enum {
#define X(kind, bytes, bundle) GRI_BLOCK_##kind##_BYTES = bytes,
    GRI_BLOCK_SIZES(X)
#undef X
};

/* gri_bundle_of is how many blocks a bundle has. */
static inline unsigned gri_bundle_of(enum gri_block kind)
{
    static const unsigned char bundles[GRI_BLOCKS] = {
#define X(kind, bytes, bundle) bundle,
        GRI_BLOCK_SIZES(X)
#undef X
    };

    return bundles[kind];
}

/* A free block; the first of a bundle in the store links to the next bundle. */
struct gri_free_block {
    struct gri_free_block *next, *bundle;
};

/* A stack of up to one bundle, and a whole bundle or none. Only the worker's own thread uses it. */
struct gri_shelf {
    struct gri_free_block *first, *spare;
    unsigned count; /* in `first` */
};

#endif
