/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slab.h - where a runtime's blocks of fixed sizes come from: slabs of pages, cut in address order.
 *
 * A store has a depot for each size, with a lock. A block is out (in use, or on a worker's shelf), in
 * a bundle of the depot's, or at home in its slab. A depot keeps 256 bundles at most; the blocks of
 * others are sent home, and a slab with all of its blocks at home goes back to the allocator, all but
 * one of each size. gri_store_trim sends all bundles home and frees that one too.
 *
 * So what is free and not given back is bounded by the bundles, the shelves, and the slabs in which
 * something is out.
 *
 * Blocks may be out when their runtime is gone: the last slab to go takes the store with it. Who sends
 * a block home finds its slab at the beginning of its page, and there the depot.
 */
#ifndef GR_RUNTIME_SCHED_SLAB_H
#define GR_RUNTIME_SCHED_SLAB_H

#include "runtime/sched/shelf.h"

struct gri_store;

struct gri_store *gri_store_new(void); /* NULL: out of memory */
/* gri_store_take returns a list of up to a bundle of blocks; NULL: out of memory. [any] */
struct gri_free_block *gri_store_take(struct gri_store *s, enum gri_block kind,
                                      unsigned *ret_count);
/* gri_store_take_one is for threads that are no workers. [any] */
struct gri_free_block *gri_store_take_one(struct gri_store *s, enum gri_block kind);
/* gri_store_give takes a whole bundle, whose blocks may be other stores'. [any] */
void gri_store_give(struct gri_store *s, enum gri_block kind, struct gri_free_block *bundle);
/* gri_blocks_go_home gives a list back, whoever's its blocks are. [any] */
void gri_blocks_go_home(struct gri_free_block *list);
/* gri_store_trim frees what it can. gri_store_close does so for good, when only blocks that are out
 * are left to come home; NULL is fine. */
void gri_store_trim(struct gri_store *s);
void gri_store_close(struct gri_store *s);

#endif
