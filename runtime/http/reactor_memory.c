/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reactor_memory.c - the memory that libcurl works in: the C library's own, wiped before it is given back.
 *
 * A request's bytes, secret header and all, go through several buffers of curl's. What it frees would
 * otherwise lie about until somebody uses the place, and be in any core dump until then. The blocks
 * are malloc's and free takes them, for a host that uses curl, too, may mix the two.
 *
 * Nothing comes of it if the host has called curl_global_init before.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/http/reactor.h"

static void wipe_free(void *p)
{
    if (p == NULL)
        return;
    explicit_bzero(p, malloc_usable_size(p));
    free(p);
}

/* realloc would leave what it moves behind. */
static void *wipe_realloc(void *p, size_t size)
{
    size_t had = p != NULL ? malloc_usable_size(p) : 0;
    void *moved = NULL;

    if (p != NULL && size <= had && size > had / 2)
        return p;
    moved = malloc(size);
    if (moved == NULL)
        return NULL;
    if (p != NULL)
        memcpy(moved, p, had < size ? had : size);
    wipe_free(p);
    return moved;
}

CURLcode gri_curl_init(void)
{
    return curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wipe_free, wipe_realloc, strdup,
                                calloc);
}
