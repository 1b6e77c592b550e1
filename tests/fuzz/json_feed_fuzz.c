/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_feed_fuzz.c - any text in pieces of any length: of each beginning the feed reads what gr_json_partial reads,
 * and says so when that is something else than before. The first byte says how long the pieces are.
 */
#include <greenroom/codec.h>

#include "runtime/base/utf8.h"
#include "runtime/value/json_feed.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX ((size_t)2000) /* bytes: gr_json_partial takes the square of them */

/* next_end cuts behind a character. */
static size_t next_end(const char *text, size_t len, size_t at, size_t size)
{
    size_t end = size < len - at ? at + size : len;

    while (end < len && ((unsigned char)text[end] & 0xc0) == 0x80)
        end++;
    return end;
}

static void check(const char *text, size_t len, size_t size)
{
    struct gri_json_feed f;
    gr_value *before = gr_nil();

    gri_json_feed_init(&f);
    for (size_t at = 0; at < len;) {
        gr_value *v, *want;
        bool changed;

        at = next_end(text, len, at, size);
        v = gri_json_feed(&f, text, at, &changed);
        want = gr_json_partial(text, at, NULL);
        must(gr_error_code(v) == gr_error_code(want));
        if (gr_error_code(v) == GR_OK) {
            must(gr_equal(v, want));
            must(changed || gr_is_nil(v) || gr_equal(v, before));
        }
        gr_value_unref(want);
        if (gr_is_nil(v) || gr_error_code(v) != GR_OK) {
            gr_value_unref(v);
            continue;
        }
        gr_value_unref(before);
        before = v;
    }
    gr_value_unref(before);
    gri_json_feed_fini(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_cost cost = fuzz_begin();
    const char *text = (const char *)data + 1;

    if (size < 2 || size > TEXT_MAX || !gri_utf8_valid(text, size - 1))
        return 0;
    check(text, size - 1, 1 + data[0] % 32);
    fuzz_end(&cost, size, 256);
    return 0;
}
