/* SPDX-License-Identifier: Apache-2.0 */
/* memory_test.c - the tests' own counting allocator, and that the allocation door asks it. */
#include "tests/support/test.h"

#include "runtime/base/alloc.h"
#include "tests/support/memory.h"

Test(memory, counts_what_is_alive)
{
    long before = test_memory_live();
    char *a = gri_alloc(1), *b = gri_strdup("text");

    cr_assert_eq(test_memory_live(), before + 2);
    a = gri_resize(a, 1000);
    cr_assert_eq(test_memory_live(), before + 2, "a block that grows is the same block");
    gri_free(a);
    gri_free(b);
    gri_free(NULL);
    cr_assert_eq(test_memory_live(), before);
}

Test(memory, refuses_the_one_asked_for)
{
    void *first, *second, *third;

    test_memory_fail_at(2);
    first = gri_alloc(1);
    second = gri_alloc(1);
    third = gri_alloc(1);
    cr_assert_not_null(first);
    cr_assert_null(second);
    cr_assert_not_null(third);
    cr_assert(test_memory_reached());
    cr_assert(!test_memory_reached(), "it was told already");
    gri_free(first);
    gri_free(third);
}

Test(memory, refuses_all_from_one_on)
{
    void *first, *second, *third;

    test_memory_fail_from(2);
    first = gri_alloc(1);
    second = gri_alloc_aligned(64, 1);
    third = gri_alloc(1);
    cr_assert_not_null(first);
    cr_assert_null(second);
    cr_assert_null(third);
    cr_assert(test_memory_reached());
    gri_free(first);
}

Test(memory, refused_growth_leaves_the_block_alone)
{
    char *p = gri_strdup("text"), *grown;

    test_memory_fail_at(1);
    grown = gri_resize(p, 1000);
    cr_assert_null(grown);
    cr_assert_str_eq(p, "text");
    cr_assert(test_memory_reached());
    gri_free(p);
}
