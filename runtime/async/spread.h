/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spread.h - the members of a scope that several workers add to all the time.
 *
 * A scope has one list of members and one lock. Where workers keep taking turns at adding to it, each add and
 * each leave moves the scope's lines of memory, and those of the neighbours in the list, from core to core. Such a scope
 * is spread: each worker adds to a part of its own, and whoever leaves takes only the lock of the part that it was added to. A
 * spread is made the first time that it is needed, and stays with the scope.
 *
 * Passes over all members, and all that a scope does when it is cancelled or closed, know nothing of
 * this: before, the parts are gathered into the scope's own lists, in order of birth, under all their locks
 * (some 100 ms for a million members), and from then on it takes no members.
 *
 * The order: `epoch` holds a number and which part it belongs to. Who adds to another part takes the
 * next number for that part first; members keep the number (gri_member.at). So numbers grow
 * along a part's list and no two parts share one. What has been added before an add began has a
 * smaller number, or the same one in the same list: the word's values are read in their order, since it
 * is one word, and relaxed will do. When the numbers are used up the parts are gathered and it begins anew.
 *
 * Locks: the scope's, then those of the parts by number. All parts are opened, and gathered, under the
 * scope's, so who has that knows whether it is spread, and nothing is added to the scope's own lists while it is.
 */
#ifndef GR_RUNTIME_ASYNC_SPREAD_H
#define GR_RUNTIME_ASYNC_SPREAD_H

#include "runtime/async/scope.h"

#define GRI_PART_BITS 8 /* of gri_member.at: a part, counted from 1; 0: in the scope's own lists */
#define GRI_PARTS_MAX 16
#define GRI_EPOCHS (UINT32_C(1) << (32 - GRI_PART_BITS))

struct gri_part {
    _Alignas(64) struct gri_lock lock; /* guards the rest, and `at` of those in the lists */
    bool open;                         /* takes members */
    uint32_t calls, actors;            /* how many of either */
    struct gri_list members[2];        /* as those of a scope */
};

struct gri_spread {
    /* a number and, in the low bits, whose it is */
    _Alignas(64) _Atomic uint32_t epoch;
    uint32_t part_count;
    struct gri_part part[];
};

/* gri_spread_new makes one whose parts are not open; NULL: out of memory. */
struct gri_spread *gri_spread_new(uint32_t workers);
void gri_spread_free(struct gri_spread *p); /* NULL is fine */
/* gri_spread_open has it take members from here on. Under the scope's lock. */
void gri_spread_open(struct gri_spread *p);
/* gri_spread_add puts m into the calling worker's part; false: it takes no members. */
bool gri_spread_add(struct gri_spread *p, struct gr_scope *s, struct gri_member *m);
/* gri_spread_used_up: there may be no number for the next member; it is to be gathered. */
static inline bool gri_spread_used_up(const struct gri_spread *p)
{
    return atomic_load_explicit(&p->epoch, memory_order_relaxed) >> GRI_PART_BITS == GRI_EPOCHS - 1;
}
/* gri_spread_gather moves all members to the end of the scope's own lists, and takes no more. Under
 * the scope's lock. */
void gri_spread_gather(struct gri_spread *p, struct gr_scope *s);

static inline uint32_t gri_member_part(const struct gri_member *m)
{
    return atomic_load_explicit(&m->at, memory_order_relaxed) & ((1u << GRI_PART_BITS) - 1);
}

#endif
