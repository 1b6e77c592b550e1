/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region.h - where tells come from: regions of 512 bytes, handed out and taken back whole.
 *
 * A region is a head and room for 15 tells. A worker that has no free tell takes a region, and hands
 * its tells out in address order. A worker that has too many, as a consumer's, sends the oldest home, which
 * only counts them: it keeps the counts of a few hundred regions, notes one in the region's head when
 * another region needs its place, and whose note makes it 15 has a free region. So tells that cross from one
 * core to another lie one behind the other for ever, however often they have been sent, and what is
 * walked through in order can be fetched ahead; were they kept in lists, they would soon lie in any order.
 *
 * A worker that is about to have nothing to do sends all of its tells home and notes all counts: a region that is
 * not whole keeps its slab. The price of regions: a tell that stays keeps its region. Most wait for
 * microseconds, and come and go in order. What is set aside for long, in a stash, comes from the allocator;
 * in the mailboxes of slow actors beside fast ones a tell may keep 512 bytes.
 *
 * Order: a note is acq_rel, so what all did with their tells comes before the region is used again.
 */
#ifndef GR_RUNTIME_SCHED_REGION_H
#define GR_RUNTIME_SCHED_REGION_H

#include <stdint.h>

#include "runtime/base/thread.h"
#include "runtime/sched/shelf.h"

struct gri_worker;

#define GRI_REGION_TELLS (GRI_BLOCK_REGION_BYTES / GRI_BLOCK_TELL_BYTES - 1)
#define GRI_COMING 256 /* regions to which a worker sends tells home by turns */

/* What a worker has sent home and not noted: in the place of each region, by its address, that region and
 * the count, which is less than 15, in one; 0: none. Only the worker's thread uses it. */
struct gri_homecoming {
    uintptr_t count[GRI_COMING];
};

/* gri_region_take returns a region's tells, in address order; NULL: out of memory. w is the calling
 * worker. */
struct gri_free_block *gri_region_take(struct gri_worker *w);
/* gri_region_give sends a list of tells home. w: the calling worker; NULL: the thread is none. */
void gri_region_give(struct gri_worker *w, struct gri_free_block *tells);
/* gri_region_note notes all that w has sent home. */
void gri_region_note(struct gri_worker *w);

static inline uintptr_t gri_region_of(const void *p)
{
    return (uintptr_t)p & ~(uintptr_t)(GRI_BLOCK_REGION_BYTES - 1);
}

/* gri_region_want fetches the region of which p is a part, to be changed. */
static inline void gri_region_want(const void *p)
{
    for (size_t at = 0; at < GRI_BLOCK_REGION_BYTES; at += 64)
        gri_want((const char *)gri_region_of(p) + at);
}

#endif
