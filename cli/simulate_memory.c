/* SPDX-License-Identifier: Apache-2.0 */
/* simulate_memory.c - how many blocks are allocated: what a seed leaves behind is a leak. */
#include <stdatomic.h>
#include <stdlib.h>

#include "cli/simulate.h"

static atomic_long blocks;

static void *counted(void *ctx, void *p, size_t size)
{
    void *fresh;

    (void)ctx;
    if (size == 0) {
        if (p != NULL)
            atomic_fetch_sub(&blocks, 1);
        free(p);
        return NULL;
    }
    fresh = realloc(p, size);
    if (fresh != NULL && p == NULL)
        atomic_fetch_add(&blocks, 1);
    return fresh;
}

void gri_simulate_count_memory(void)
{
    if (gr_set_allocator(counted, NULL) != GR_OK)
        gri_say("sim: memory can't be counted: something was allocated already");
}

long gri_simulate_blocks(void)
{
    return atomic_load(&blocks);
}
