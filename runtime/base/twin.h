/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twin.h - two words that change together, or one of them by itself.
 *
 * gri_twin_swap is a compare-and-exchange of both (cmpxchg16b, ldaxp/stlxp). Where the processor has
 * none, or GR_TWIN_LOCKED asks for it, the few that change a pair take a lock; who reads one word
 * never does.
 *
 * Orders: a swap, gri_twin_add and all reads here are sequentially consistent: of "change the pair, then
 * read a flag" and "set the flag, then read the pair" the later one sees the other, even if it finds
 * nothing to swap. What a swap has published is seen by who reads `head` (acquire) or changes either
 * word. ThreadSanitizer keeps what it knows by address, and so would not see that an addition to `load`
 * follows a swap, nor that a read of `load` does: for it an addition is a swap, and such a read is
 * followed by one of `head`.
 */
#ifndef GR_RUNTIME_BASE_TWIN_H
#define GR_RUNTIME_BASE_TWIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#if !defined(GR_TWIN_LOCKED) && !defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_16) &&                   \
    !defined(__aarch64__)
#define GR_TWIN_LOCKED 1
#endif

#if defined(GR_TWIN_LOCKED)
#include "runtime/base/lock.h"
#endif

#if defined(__SIZEOF_INT128__)
__extension__ typedef unsigned __int128 gri_twin_bits;
#endif

/* What a pair holds, or is to hold. */
union gri_two {
    struct {
        uint64_t head, load;
    };
#if defined(__SIZEOF_INT128__)
    gri_twin_bits both;
#endif
};

union gri_twin {
    struct {
        _Alignas(16) _Atomic uint64_t head;
        _Atomic uint64_t load;
    };
#if defined(__SIZEOF_INT128__)
    gri_twin_bits both;
#endif
};

/* gri_twin_read reads one word after the other, which may be of different times: good enough to begin
 * a swap with, which fails then. */
static inline union gri_two gri_twin_read(const union gri_twin *p)
{
    union gri_two two;

    two.head = atomic_load(&p->head);
    two.load = atomic_load(&p->load);
    return two;
}

static inline uint64_t gri_twin_load(const union gri_twin *p)
{
    uint64_t load = atomic_load(&p->load);

#if defined(__SANITIZE_THREAD__)
    (void)atomic_load(&p->head);
#endif
    return load;
}

#if defined(GR_TWIN_LOCKED)

extern struct gri_lock gri_twin_locks[64];

static inline struct gri_lock *gri_twin_lock(const union gri_twin *p)
{
    return &gri_twin_locks[(uintptr_t)p / 64 % 64];
}

static inline bool gri_twin_swap(union gri_twin *p, union gri_two *old, union gri_two to)
{
    struct gri_lock *l = gri_twin_lock(p);
    union gri_two was;
    bool same;

    gri_lock(l);
    was = gri_twin_read(p);
    same = was.head == old->head && was.load == old->load;
    if (same) {
        atomic_store(&p->head, to.head);
        atomic_store(&p->load, to.load);
    }
    gri_unlock(l);
    *old = was;
    return same;
}

static inline uint64_t gri_twin_add(union gri_twin *p, uint64_t load)
{
    struct gri_lock *l = gri_twin_lock(p);
    uint64_t was;

    gri_lock(l);
    was = atomic_fetch_add(&p->load, load);
    gri_unlock(l);
    return was;
}

#else

/* gri_twin_swap makes the pair `to` if it is *old; false: it is not, and *old is what it was seen to
 * be, as gri_twin_read sees it. */
static inline bool gri_twin_swap(union gri_twin *p, union gri_two *old, union gri_two to)
{
    union gri_two was;

#if defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_16)
    was.both = __sync_val_compare_and_swap(&p->both, old->both, to.both);
    if (was.head == old->head && was.load == old->load)
        return true;
#else
    uint32_t failed = 1; /* of the two: not the same, another store came between */

    /* All between the two is registers, or the store might never succeed. The barrier: a store-release
     * may yet wait for later loads. */
    __asm__ __volatile__(
        "1:  ldaxp %[head], %[load], %[at]\n"
        "    cmp   %[head], %[old_head]\n"
        "    ccmp  %[load], %[old_load], #0, eq\n"
        "    b.ne  2f\n"
        "    stlxp %w[failed], %[to_head], %[to_load], %[at]\n"
        "    cbnz  %w[failed], 1b\n"
        "    dmb   ish\n"
        "2:"
        : [head] "=&r"(was.head), [load] "=&r"(was.load), [failed] "+&r"(failed), [at] "+Q"(p->both)
        : [old_head] "r"(old->head), [old_load] "r"(old->load), [to_head] "r"(to.head),
          [to_load] "r"(to.load)
        : "cc", "memory");
    if (failed == 0)
        return true;
#endif
    *old = was;
    return false;
}

/* gri_twin_add adds to `load` alone, modulo 2^64, and returns what it was before. */
static inline uint64_t gri_twin_add(union gri_twin *p, uint64_t load)
{
#if defined(__SANITIZE_THREAD__)
    union gri_two old = gri_twin_read(p), to;

    do {
        to = old;
        to.load += load;
    } while (!gri_twin_swap(p, &old, to));
    return old.load;
#else
    return atomic_fetch_add(&p->load, load);
#endif
}

#endif

#endif
