/* SPDX-License-Identifier: Apache-2.0 */
/* strbuf_test.c - bytes that grow, and errors that stick. */
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/strbuf.h"
#include "tests/support/memory.h"
#include "tests/support/test.h"

Test(strbuf, text_is_added_in_every_way)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    char *text;

    gri_strbuf_adds(&b, "a");
    gri_strbuf_addc(&b, 'b');
    gri_strbuf_add(&b, "cd", 2);
    gri_strbuf_add(&b, NULL, 0);
    gri_strbuf_addf(&b, "%d-%s", 12, "x");
    cr_assert_str_eq(b.data, "abcd12-x");
    cr_assert_eq(b.len, 8);
    text = gri_strbuf_take(&b);
    cr_assert_str_eq(text, "abcd12-x");
    cr_assert_eq(b.len, 0);
    cr_assert_null(b.data);
    gri_free(text);
}

Test(strbuf, nothing_added_is_an_empty_text)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    char *text = gri_strbuf_take(&b);

    cr_assert_str_eq(text, "");
    gri_free(text);
}

Test(strbuf, it_grows_and_keeps_what_it_had)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    long before = test_memory_total();

    for (int i = 0; i < 100000; i++)
        gri_strbuf_addc(&b, (char)('a' + i % 26));
    cr_assert_eq(b.len, 100000);
    for (int i = 0; i < 100000; i++)
        if (b.data[i] != (char)('a' + i % 26))
            cr_assert_fail("byte %d", i);
    cr_assert_eq(b.data[100000], '\0');
    cr_assert_lt(test_memory_total() - before, 40);
    gri_strbuf_fini(&b);
}

Test(strbuf, the_limit_is_kept_and_the_failure_sticks)
{
    struct gri_strbuf b = { .max = 4 };

    gri_strbuf_adds(&b, "abcd");
    cr_assert_not(b.failed);
    gri_strbuf_addc(&b, 'e');
    cr_assert(b.failed);
    cr_assert_str_eq(b.data, "abcd");
    gri_strbuf_clear(&b);
    gri_strbuf_adds(&b, "toolong");
    gri_strbuf_adds(&b, "x"); /* would fit, but comes too late */
    cr_assert_eq(b.len, 0);
    cr_assert_null(gri_strbuf_take(&b));
    gri_strbuf_adds(&b, "abcd"); /* taken: usable again, the limit stays */
    cr_assert_not(b.failed);
    gri_strbuf_addf(&b, "%d", 1);
    cr_assert(b.failed);
    gri_strbuf_fini(&b);
}

Test(strbuf, an_impossible_size_is_refused)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;

    gri_strbuf_adds(&b, "a");
    cr_assert_not(gri_strbuf_reserve(&b, SIZE_MAX));
    cr_assert(b.failed);
    gri_strbuf_fini(&b);
}

Test(strbuf, consume_drops_from_the_front)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;

    gri_strbuf_consume(&b, 5);
    gri_strbuf_adds(&b, "abcdef");
    gri_strbuf_consume(&b, 2);
    cr_assert_str_eq(b.data, "cdef");
    gri_strbuf_consume(&b, 99);
    cr_assert_str_eq(b.data, "");
    cr_assert_eq(b.len, 0);
    gri_strbuf_fini(&b);
}

Test(strbuf, out_of_memory_loses_nothing_and_leaks_nothing)
{
    long before = test_memory_live();
    struct gri_strbuf b = GRI_STRBUF_INIT;

    gri_strbuf_adds(&b, "kept");
    test_memory_fail_at(1);
    for (int i = 0; i < 100; i++)
        gri_strbuf_addc(&b, 'x');
    cr_assert(test_memory_reached());
    cr_assert(b.failed);
    cr_assert_eq(strncmp(b.data, "keptx", 5), 0);
    cr_assert_null(gri_strbuf_take(&b));
    cr_assert_eq(test_memory_live(), before);
}
