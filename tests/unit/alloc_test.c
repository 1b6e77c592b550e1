/* SPDX-License-Identifier: Apache-2.0 */
/* alloc_test.c - the one door to memory. */
#include <stdint.h>
#include <string.h>

#include <greenroom/codec.h>

#include "runtime/base/alloc.h"
#include "tests/support/memory.h"
#include "tests/support/test.h"

Test(alloc, zeroed_is_zeroed)
{
    unsigned char *p = gri_alloc0(64);
    unsigned char *a = gri_alloc_array(8, 8);

    for (int i = 0; i < 64; i++)
        cr_assert(p[i] == 0 && a[i] == 0);
    gri_free(p);
    gri_free(a);
}

Test(alloc, sizes_that_overflow_are_refused)
{
    cr_assert_null(gri_alloc_array(SIZE_MAX / 2, 4));
    cr_assert_null(gri_alloc_array(4, SIZE_MAX / 2));
}

Test(alloc, nothing_is_still_a_block)
{
    void *p = gri_alloc(0);
    void *q = gri_alloc_array(0, 8);

    cr_assert_not_null(p);
    cr_assert_not_null(q);
    gri_free(p);
    gri_free(q);
    gri_free(NULL);
    gr_free(NULL);
}

Test(alloc, aligned_blocks_are_aligned_and_freed)
{
    long before = test_memory_live();

    for (size_t align = 8; align <= 4096; align *= 2) {
        char *p = gri_alloc_aligned(align, 100);

        cr_assert_eq((uintptr_t)p % align, 0);
        memset(p, 1, 100);
        gri_free_aligned(p);
    }
    gri_free_aligned(NULL);
    cr_assert_eq(test_memory_live(), before);
}

Test(alloc, strings_are_copied)
{
    char *a = gri_strdup("abc");
    char *b = gri_strndup("abc", 2);

    cr_assert_str_eq(a, "abc");
    cr_assert_str_eq(b, "ab");
    gri_free(a);
    gri_free(b);
}

Test(alloc, everything_goes_through_the_hook_and_reports_its_refusal)
{
    char *p = gri_alloc(8);

    test_memory_fail_from(1);
    cr_assert_null(gri_alloc(1));
    cr_assert_null(gri_alloc0(1));
    cr_assert_null(gri_alloc_array(1, 1));
    cr_assert_null(gri_strdup("a"));
    cr_assert_null(gri_strndup("a", 1));
    cr_assert_null(gri_alloc_aligned(64, 1));
    cr_assert_null(gri_resize(p, 100));
    cr_assert(test_memory_reached());
    p = gri_resize(p, 100); /* a refused resize has left it as it was */
    cr_assert_not_null(p);
    gri_free(p);
}

static void *other_hook(void *ctx, void *p, size_t size)
{
    (void)ctx;
    (void)p;
    (void)size;
    return NULL;
}

Test(alloc, the_hook_cannot_change_once_something_was_allocated)
{
    void *p = gri_alloc(1);

    cr_assert_eq(gr_set_allocator(other_hook, NULL), GR_EFULL);
    gri_free(p);
    p = gri_alloc(1);
    cr_assert_not_null(p);
    gri_free(p);
}
