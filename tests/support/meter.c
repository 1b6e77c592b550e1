/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/meter.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <greenroom/base.h>

static atomic_size_t live, marked, peak, single;
static atomic_long blocks;

static void raise_to(atomic_size_t *most, size_t n)
{
    size_t was = atomic_load_explicit(most, memory_order_relaxed);

    while (was < n && !atomic_compare_exchange_weak(most, &was, n))
        ;
}

static void *measured(void *ctx, void *p, size_t size)
{
    size_t before = p != NULL ? malloc_usable_size(p) : 0;
    void *fresh = NULL;

    (void)ctx;
    if (size == 0) {
        free(p);
        atomic_fetch_sub(&live, before);
        atomic_fetch_sub(&blocks, p != NULL);
        return NULL;
    }
    raise_to(&single, size);
    fresh = realloc(p, size);
    if (fresh == NULL)
        return NULL;
    atomic_fetch_add(&blocks, p == NULL);
    raise_to(&peak, atomic_fetch_add(&live, malloc_usable_size(fresh) - before) +
                        malloc_usable_size(fresh) - before);
    return fresh;
}

/* Before main, since the allocator can be set only before anything is allocated. */
__attribute__((constructor)) static void install(void)
{
    if (gr_set_allocator(measured, NULL) == GR_OK)
        return;
    fputs("meter.c: something was allocated before main\n", stderr);
    abort();
}

size_t meter_live(void)
{
    return atomic_load(&live);
}

long meter_blocks(void)
{
    return atomic_load(&blocks);
}

void meter_mark(void)
{
    size_t now = atomic_load(&live);

    atomic_store(&marked, now);
    atomic_store(&peak, now);
    atomic_store(&single, 0);
}

size_t meter_peak(void)
{
    size_t most = atomic_load(&peak), from = atomic_load(&marked);

    return most > from ? most - from : 0;
}

size_t meter_single(void)
{
    return atomic_load(&single);
}
