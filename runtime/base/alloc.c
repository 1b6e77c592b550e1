/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/alloc.h"

#include <sys/mman.h>

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <greenroom/base.h>
#include <greenroom/codec.h>

#include "runtime/base/point.h"

/* Set once, before the first allocation; `used` makes a late change fail instead of mixing
 * heaps. */
static gr_resize_fn *hook;
static void *hook_ctx;
static atomic_bool used;

static void note_use(void)
{
    if (!atomic_load_explicit(&used, memory_order_relaxed))
        atomic_store_explicit(&used, true, memory_order_relaxed);
}

gr_code gr_set_allocator(gr_resize_fn *fn, void *ctx)
{
    if (atomic_load(&used))
        return GR_EFULL;
    hook = fn;
    hook_ctx = ctx;
    return GR_OK;
}

void *gri_alloc(size_t size)
{
    note_use();
    if (gri_fault(GRI_AT_ALLOC))
        return NULL;
    size = size != 0 ? size : 1;
    return hook == NULL ? malloc(size) : hook(hook_ctx, NULL, size);
}

void *gri_alloc0(size_t size)
{
    void *p = gri_alloc(size);

    if (p != NULL)
        memset(p, 0, size);
    return p;
}

void *gri_resize(void *p, size_t size)
{
    note_use();
    if (gri_fault(GRI_AT_ALLOC))
        return NULL;
    size = size != 0 ? size : 1;
    return hook == NULL ? realloc(p, size) : hook(hook_ctx, p, size);
}

void *gri_alloc_array(size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    return gri_alloc0(count * size);
}

void gri_free(void *p)
{
    if (p == NULL)
        return;
    note_use();
    if (hook == NULL)
        free(p);
    else
        hook(hook_ctx, p, 0);
}

void gr_free(void *p)
{
    gri_free(p);
}

void gri_alloc_trim(void)
{
#if defined(__GLIBC__)
    if (hook == NULL)
        malloc_trim(0);
#endif
}

void gri_alloc_touch(void *p, size_t size)
{
#if defined(MADV_POPULATE_WRITE)
    uintptr_t page = 4096, from = ((uintptr_t)p + page - 1) & ~(page - 1);
    uintptr_t to = ((uintptr_t)p + size) & ~(page - 1);

    if (hook == NULL && from < to) /* if it fails, the pages come as they are met */
        (void)madvise((void *)from, to - from, MADV_POPULATE_WRITE);
#else
    (void)p, (void)size;
#endif
}

char *gri_strndup(const char *s, size_t len)
{
    char *copy = gri_alloc(len + 1);

    if (copy == NULL)
        return NULL;
    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *gri_strdup(const char *s)
{
    return gri_strndup(s, strlen(s));
}

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas" /* before gcc 10 there was no analyzer */
/* it loses sight of the block, whose only pointer lies in the block itself */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif
/* align_in returns the aligned place in a block, and remembers the block right in front of it. */
static void *align_in(char *block, size_t align)
{
    uintptr_t at = ((uintptr_t)block + sizeof(void *) + align - 1) & ~(uintptr_t)(align - 1);

    ((void **)at)[-1] = block;
    return (void *)at;
}

void *gri_alloc_aligned(size_t align, size_t size)
{
    char *block = gri_alloc(size + align + sizeof(void *));

    return block != NULL ? align_in(block, align) : NULL;
}

void *gri_alloc_aligned0(size_t align, size_t size)
{
    size_t all = size + align + sizeof(void *);
    char *block;

    if (hook != NULL) {
        block = gri_alloc0(all);
    } else {
        note_use();
        block = gri_fault(GRI_AT_ALLOC) ? NULL : calloc(1, all);
    }
    return block != NULL ? align_in(block, align) : NULL;
}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

void gri_free_aligned(void *p)
{
    if (p != NULL)
        gri_free(((void **)p)[-1]);
}
