/* SPDX-License-Identifier: Apache-2.0 */
/* utf8_test.c - what is UTF-8 and what isn't. */
#include <string.h>

#include "runtime/base/utf8.h"
#include "tests/support/test.h"

Test(utf8, every_character_is_put_checked_and_read_back)
{
    for (uint32_t c = 0; c <= 0x110000; c++) {
        char out[4];
        uint32_t again = 0;
        size_t len = gri_utf8_put(c, out);

        if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
            cr_assert_eq(len, 0);
            continue;
        }
        if (!gri_utf8_valid(out, len) || gri_utf8_next(out, len, &again) != len || again != c)
            cr_assert_fail("character %x", (unsigned)c);
    }
}

Test(utf8, what_is_no_character_is_found_where_it_stands)
{
    static const struct {
        const char *s;
        size_t good;
    } cases[] = {
        { "abc\x80", 3 },  /* a continuation alone */
        { "\xc0\x80", 0 }, /* overlong */
        { "\xc1\xbf", 0 },
        { "\xe0\x9f\xbf", 0 },
        { "\xf0\x8f\xbf\xbf", 0 },
        { "a\xed\xa0\x80", 1 },    /* a surrogate */
        { "\xf4\x90\x80\x80", 0 }, /* above U+10FFFF */
        { "\xf5\x80\x80\x80", 0 },
        { "\xff", 0 },
        { "12345678\xc3", 8 }, /* cut off, behind a whole word of ASCII */
        { "\xe2\x82", 0 },
        { "\xf0\x9f\x98", 0 },
        { "\xe2\x28\xa1", 0 },
        { "1234567\xc3\xa9"
          "12345678\xfe",
          17 },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t len = strlen(cases[i].s);

        cr_assert_eq(gri_utf8_valid_len(cases[i].s, len), cases[i].good, "case %zu", i);
        cr_assert_not(gri_utf8_valid(cases[i].s, len));
    }
}

Test(utf8, a_bad_byte_reads_as_the_replacement_character)
{
    uint32_t c = 0;

    cr_assert_eq(gri_utf8_next("\xff", 1, &c), 1);
    cr_assert_eq(c, 0xfffd);
}

Test(utf8, nothing_is_valid)
{
    cr_assert(gri_utf8_valid("", 0));
}

Test(utf8, a_bad_byte_is_found_at_each_place_of_each_length)
{
    char text[24];

    for (size_t len = 1; len <= sizeof(text); len++)
        for (size_t at = 0; at < len; at++) {
            memset(text, 'a', sizeof(text));
            cr_assert_eq(gri_utf8_valid_len(text, len), len);
            text[at] = '\x80';
            if (gri_utf8_valid_len(text, len) != at)
                cr_assert_fail("byte %zu of %zu", at, len);
        }
}
