/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alloc.h - the one door to memory: every allocation of Greenroom's own goes through here, so that
 * a host can replace it (gr_set_allocator) and tests can make the n-th one fail.
 */
#ifndef GR_RUNTIME_BASE_ALLOC_H
#define GR_RUNTIME_BASE_ALLOC_H

#include <stddef.h>

void *gri_alloc(size_t size);                     /* NULL when out of memory; size 0 counts as 1 */
void *gri_alloc0(size_t size);                    /* zeroed */
void *gri_resize(void *p, size_t size);           /* p NULL: allocates; NULL: p is untouched */
void *gri_alloc_array(size_t count, size_t size); /* zeroed; NULL when count * size overflows */
void gri_free(void *p);                           /* NULL is fine */
char *gri_strdup(const char *s);
char *gri_strndup(const char *s, size_t len);
/* gri_alloc_touch has the system give memory to the pages of a block that is about to be used from end
 * to end: at once, not page by page as they are met. Nothing with an allocator of the user's. */
void gri_alloc_touch(void *p, size_t size);
/* gri_alloc_aligned: align is a power of two; free with gri_free_aligned. _aligned0: zeroed, and where the
 * system gives zeroed pages they are not touched. */
void *gri_alloc_aligned(size_t align, size_t size);
void *gri_alloc_aligned0(size_t align, size_t size);
void gri_free_aligned(void *p);

/* gri_alloc_trim gives free memory back to the system, as far as the allocator is able to: what
 * lies below a block that is in use stays the process's otherwise. Takes milliseconds for a large
 * heap, and who allocates meanwhile waits. */
void gri_alloc_trim(void);

#define gri_new0(type) ((type *)gri_alloc0(sizeof(type)))

#endif
