/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/memory.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <greenroom/base.h>

#if defined(GR_TESTING)
#include "runtime/sched/cache.h"
#endif

static atomic_long live, total, bytes;
static atomic_long countdown; /* allocations until one is refused; 0 and below: none */
static atomic_bool reached, go_on;
static bool (*asked)(void); /* who decides instead; set before main */

/* refuse tells whether this allocation is the one; each allocation asks once. */
static bool refuse(void)
{
    long left;

    if (asked != NULL)
        return asked();
    if (atomic_load(&go_on) && atomic_load(&reached))
        return true;
    if (atomic_load(&countdown) <= 0)
        return false;
    left = atomic_fetch_sub(&countdown, 1);
    if (left != 1)
        return false;
    atomic_store(&reached, true);
    return true;
}

static void *counted(void *ctx, void *p, size_t size)
{
    void *fresh;

    (void)ctx;
    if (size == 0) {
        if (p != NULL)
            atomic_fetch_sub(&live, 1);
        free(p);
        return NULL;
    }
    atomic_fetch_add(&total, 1);
    atomic_fetch_add(&bytes, (long)size);
    if (refuse())
        return NULL;
    fresh = realloc(p, size);
    if (fresh != NULL && p == NULL)
        atomic_fetch_add(&live, 1);
    return fresh;
}

/* Before main, since the allocator can be set only before anything is allocated. */
__attribute__((constructor)) static void install(void)
{
    if (gr_set_allocator(counted, NULL) == GR_OK)
        return;
    fputs("memory.c: something was allocated before main\n", stderr);
    abort();
}

long test_memory_live(void)
{
    return atomic_load(&live);
}

long test_memory_total(void)
{
    return atomic_load(&total);
}

long test_memory_bytes(void)
{
    return atomic_load(&bytes);
}

/* every_one has each block come from the allocator, none from what workers keep. */
static void every_one(bool on)
{
#if defined(GR_TESTING)
    atomic_store(&gri_cache_off, on);
#else
    (void)on;
#endif
}

static void arm(long n, bool all)
{
    every_one(n > 0);
    atomic_store(&reached, false);
    atomic_store(&go_on, all);
    atomic_store(&countdown, n);
}

void test_memory_fail_at(long n)
{
    arm(n, false);
}

void test_memory_fail_from(long n)
{
    arm(n, true);
}

void test_memory_ask(bool (*refuse_it)(void))
{
    every_one(refuse_it != NULL);
    asked = refuse_it;
}

bool test_memory_reached(void)
{
    bool was = atomic_load(&reached);

    arm(0, false);
    return was;
}
