/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_fuzz.c - any text: it is read or refused. What was read is within the limits, and prints as
 * text that reads as the same value and prints as the same text.
 *
 * The first byte of the input sets the limit of depth.
 */
#include <greenroom/codec.h>

#include "runtime/value/value.h"
#include "tests/fuzz/fuzz.h"

#define COUNT_MAX ((size_t)100000)

static void check_round_trip(const gr_value *v, unsigned indent)
{
    size_t len = 0, len_2 = 0;
    char *text = gr_json_print(v, indent, &len), *text_2;
    gr_value *again;

    must(text != NULL && strlen(text) == len);
    again = gr_json_parse(text, len, NULL);
    must(gr_equal(v, again));
    text_2 = gr_json_print(again, indent, &len_2);
    must(len == len_2 && memcmp(text, text_2, len) == 0);
    gr_value_unref(again);
    gr_free(text);
    gr_free(text_2);
}

/* check_refusal: the text says where, and the place is in the input. */
static void check_refusal(const gr_value *err, size_t size)
{
    unsigned long line = 0, column = 0;

    must(gr_error_code(err) == GR_EINVAL || gr_error_code(err) == GR_ENOMEM);
    must(sscanf(gr_error_text(err), "line %lu, column %lu:", &line, &column) == 2);
    must(line >= 1 && column >= 1 && line - 1 + column - 1 <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned depth = size > 0 ? data[0] % (GR_DEPTH_MAX + 1) : 0;
    struct fuzz_cost cost = fuzz_begin();
    const char *text = (const char *)data + (size > 0);
    gr_value *v;

    size -= size > 0;
    v = gr_json_parse(text, size, GR_DECODE(.count_max = COUNT_MAX, .depth_max = depth));
    if (gr_value_type(v) != GR_ERROR) {
        must(gri_height(v) <= (depth == 0 ? GR_DEPTH_MAX : depth));
        check_round_trip(v, 0);
        if (gri_height(v) < 16) /* indentation makes a long text of a deep one */
            check_round_trip(v, 2);
    } else {
        check_refusal(v, size);
    }
    gr_value_unref(v);
    fuzz_end(&cost, size, 256);
    return 0;
}
