/* SPDX-License-Identifier: Apache-2.0 */
/* value_bytes_test.c - how much memory a value is said to hold. */
#include <string.h>

#include "runtime/value/value_bytes.h"

#include "tests/support/test.h"

static size_t bytes_of(gr_value *v)
{
    size_t bytes = gri_value_bytes(v);

    cr_assert_eq(gri_value_bytes(v), bytes, "the same each time");
    gr_value_unref(v);
    return bytes;
}

Test(value_bytes, what_needs_no_memory_weighs_nothing)
{
    cr_assert_eq(gri_value_bytes(NULL), 0);
    cr_assert_eq(bytes_of(gr_nil()), 0);
    cr_assert_eq(bytes_of(gr_bool(true)), 0);
    cr_assert_eq(bytes_of(gr_int(-7)), 0);
    cr_assert_eq(bytes_of(gr_str("\xff")), 0, "broken values are static");
}

Test(value_bytes, texts_and_numbers)
{
    static char space[5000];
    float floats[100] = { 0 };

    cr_assert(bytes_of(gr_bin(space, 5000)) >= 5000);
    cr_assert(bytes_of(gr_bin(space, 5000)) <= 5100);
    cr_assert(bytes_of(gr_floats(floats, 100)) >= 400);
    cr_assert(bytes_of(gr_real(1.5)) > 0);
    cr_assert(bytes_of(gr_str("")) > 0);
}

/* nested makes lists in lists around a text of 1,000 bytes. */
static gr_value *nested(int depth)
{
    static char space[1000];
    gr_value *v = gr_bin(space, sizeof(space));

    while (depth-- > 0)
        v = gr_list(v);
    return v;
}

Test(value_bytes, goes_all_the_way_down)
{
    cr_assert(bytes_of(nested(60)) >= 1000 + 60 * 8);
    cr_assert(bytes_of(gr_map(GR_KV("a", nested(3)), GR_KV("b", nested(5)))) >= 2000);
    cr_assert(bytes_of(gr_error_with(gr_error(GR_EINVAL, "x"), "detail", nested(2))) >= 1000);
}

/* documents makes `count` maps with texts of the sizes 500, 550, 600 … 950 in turn. */
static gr_value *documents(int count)
{
    static char space[1000];
    gr_value *list = gr_list_n(NULL, 0);

    for (int i = 0; i < count; i++)
        list = gr_append(list, gr_map(GR_KV("id", gr_int(i)),
                                      GR_KV("text", gr_bin(space, (size_t)(500 + i % 10 * 50)))));
    return list;
}

/* What the allocator has given out is the truth; large values are estimated to a quarter. */
Test(value_bytes, is_near_what_was_allocated)
{
    static const int counts[] = { 1, 10, 100, 1000, 5000 };

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        size_t said = bytes_of(documents(counts[i]));
        size_t least = (size_t)counts[i] * 725;

        cr_assert(said > least - least / 4 && said < 2 * least, "%d: %zu for %zu", counts[i], said,
                  least);
    }
}
