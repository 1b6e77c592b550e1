/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_fuzz.c - any text: it is read or refused; what was read prints as text that reads as the
 * same value; a partial reading of a good text is the same, and of any prefix never crashes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <greenroom/codec.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int cond)
{
    if (!cond)
        abort();
}

static void check_round_trip(const gr_value *v, unsigned indent)
{
    size_t len = 0;
    char *text = gr_json_print(v, indent, &len);
    gr_value *again;

    must(text != NULL);
    again = gr_json_parse(text, len, NULL);
    must(gr_equal(v, again));
    gr_value_unref(again);
    gr_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    gr_value *v = gr_json_parse(text, size, GR_DECODE(.count_max = 100000));
    gr_value *partial = gr_json_partial(text, size, GR_DECODE(.count_max = 100000));

    if (gr_error_code(v) == GR_OK) {
        check_round_trip(v, 0);
        check_round_trip(v, 2);
        must(gr_equal(v, partial));
    } else {
        must(gr_error_text(v)[0] != '\0');
    }
    if (gr_error_code(partial) == GR_OK)
        check_round_trip(partial, 0);
    gr_value_unref(v);
    gr_value_unref(partial);
    partial = gr_json_partial(text, size / 2, NULL);
    gr_value_unref(partial);
    return 0;
}
