/* SPDX-License-Identifier: Apache-2.0 */
/* json_feed_test.c - JSON that arrives in pieces: the answers of gr_json_partial, without reading again. */
#include "runtime/value/json_feed.h"

#include <stdlib.h>

#include "tests/support/json_check.h"
#include "tests/support/memory.h"
#include "tests/support/test.h"

static const char *const texts[] = {
    "{\"foo\": \"bar\", \"n\": [1, -2.5e3, true, false, null], \"m\": {\"x\": {\"y\": \"z\"}}}",
    " [ 1 , \"a\\nb\\u0041\\ud83d\\ude00\\\"c\\\\\", {} , [ ] ] ",
    "\"text \xc3\xa9\"",
    "12.50",
    "tru",
    "nothing to see",
    "{\"a\": 1} and more",
    "{\"a\": 1} [ and ] more",
    "{\"a\": 1} \"]\\\"\" x",
    "{\"a\": foo, \"b\": [1], \"c\"",
    "{\"a\": [1}",
    "[1,]",
    "[01]",
    "[12.x]",
    "[1-2, 3]",
    "[1e999, 2]",
    "{\"a\": \"x\\q\", \"b\": 1",
    "{\"a\": \"x\\uZ\", \"b\": 1",
    "{\"a\": \"x\\ud83dx\", \"b\": 1",
    "{\"a\": \"x\\u00\"}",
    "{\"a\": \"b\\u004\xd9\xa3\", \"c\": 1}",
    "{\"a\\q\": 1}",
    "{\"a\" 1}",
    "{\"a\": \"li\nne\"}",
    "{\"a\": 1, \"a\": \"two\", \"a\": [3]}",
    "{,}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]",
    "null",
    "- 1",
    "{\"\": \"\", \"k\": -}",
};
#define TEXT_COUNT (sizeof(texts) / sizeof(texts[0]))

/* check feeds text in pieces of `size` bytes, cut between characters. */
static void check(const char *text, size_t size)
{
    struct gri_json_feed f;
    gr_value *before = gr_nil();
    size_t len = strlen(text);

    gri_json_feed_init(&f);
    for (size_t at = size; at < len + size; at += size) {
        size_t end = at < len ? at : len;
        gr_value *v, *want;
        bool changed;

        while (end < len && ((unsigned char)text[end] & 0xc0) == 0x80)
            end++;
        v = gri_json_feed(&f, text, end, &changed);
        want = gr_json_partial(text, end, NULL);
        cr_assert(gr_equal(v, want), "%.*s by %zu", (int)end, text, size);
        cr_assert(changed || gr_is_nil(v) || gr_equal(v, before), "%.*s by %zu", (int)end, text,
                  size);
        cr_assert(!changed || strstr(text, "\"a\": \"two\"") != NULL || !gr_equal(v, before),
                  "%.*s by %zu: nothing new", (int)end, text, size);
        gr_value_unref(want);
        if (gr_is_nil(v))
            continue;
        gr_value_unref(before);
        before = v;
    }
    gr_value_unref(before);
    gri_json_feed_fini(&f);
}

Test(json_feed, reads_each_beginning_as_json_partial_does)
{
    for (size_t i = 0; i < TEXT_COUNT; i++)
        for (size_t size = 1; size < 9; size++)
            check(texts[i], size);
}

Test(json_feed, an_answer_that_was_kept_stays_as_it_is)
{
    static const char text[] = "{\"a\": [\"xy\", {\"b\": \"c";
    struct gri_json_feed f;
    gr_value *kept;

    gri_json_feed_init(&f);
    kept = gri_json_feed(&f, text, 10, NULL); /* {"a": ["xy */
    gr_value_unref(gri_json_feed(&f, text, sizeof(text) - 1, NULL));
    cr_assert(is(kept, "{\"a\": [\"xy\"]}"));
    kept = gri_json_feed(&f, text, sizeof(text) - 1, NULL);
    cr_assert(is(kept, "{\"a\": [\"xy\", {\"b\": \"c\"}]}"));
    gri_json_feed_fini(&f);
}

/* by count, not by time: what is asked of the allocator for a text of n pieces does not grow with n squared */
static long bytes_for(size_t items)
{
    struct gri_json_feed f;
    char *text = malloc(items * 8 + 2);
    size_t len = 0;
    long before;

    text[len++] = '[';
    for (size_t i = 0; i < items; i++) {
        memcpy(text + len, "\"abcde\",", 8);
        len += 8;
    }
    before = test_memory_bytes();
    gri_json_feed_init(&f);
    for (size_t end = 0; end <= len; end += 4)
        gr_value_unref(gri_json_feed(&f, text, end, NULL));
    gri_json_feed_fini(&f);
    free(text);
    return test_memory_bytes() - before;
}

Test(json_feed, costs_what_is_new)
{
    long one = bytes_for(1000), ten = bytes_for(10000);

    cr_assert_lt(ten, 20 * one, "%ld bytes, and %ld for ten times as much", one, ten);
}

Test(json_feed, limits_are_kept)
{
    struct gri_json_feed f;
    gr_value *v;
    char deep[GR_DEPTH_MAX + 2];

    memset(deep, '[', sizeof(deep));
    gri_json_feed_init(&f);
    v = gri_json_feed(&f, deep, GR_DEPTH_MAX, NULL);
    cr_assert_eq(gr_value_type(v), GR_LIST);
    gr_value_unref(v);
    for (int i = 0; i < 2; i++) {
        v = gri_json_feed(&f, deep, GR_DEPTH_MAX + 1, NULL);
        cr_assert_eq(gr_error_code(v), GR_ENOMEM);
        gr_value_unref(v);
    }
    gri_json_feed_fini(&f);
}

Test(json_feed, every_failed_allocation_is_survived_without_a_leak)
{
    static const char text[] = "{\"a\": [1, \"x\\n\", {\"b\": 1.5, \"c\": \"y\"}], \"d\": tr?";
    long before = test_memory_live();

    for (long n = 1;; n++) {
        struct gri_json_feed f;

        gri_json_feed_init(&f);
        test_memory_fail_at(n);
        for (size_t end = 3; end < sizeof(text); end += 3) {
            gr_value *kept = gri_json_feed(&f, text, end, NULL);

            gr_value_unref(gri_json_feed(&f, text, end + 1 < sizeof(text) ? end + 1 : end, NULL));
            gr_value_unref(kept);
        }
        gri_json_feed_fini(&f);
        cr_assert_eq(test_memory_live(), before, "allocation %ld", n);
        if (!test_memory_reached())
            break;
    }
}
