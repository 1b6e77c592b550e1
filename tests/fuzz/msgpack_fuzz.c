/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msgpack_fuzz.c - any bytes: they are decoded or refused; what was decoded encodes to bytes that
 * decode as the same value, in our shortest forms; and it can be printed and added to itself.
 */
#include <stdint.h>
#include <stdlib.h>

#include <greenroom/codec.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int cond)
{
    if (!cond)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gr_value *v = gr_msgpack_decode(data, size, GR_DECODE(.count_max = 100000));
    gr_value *again;
    void *bytes = NULL;
    size_t count = 0;
    char *text;

    must(gr_msgpack_encode(v, &bytes, &count) == GR_OK);
    again = gr_msgpack_decode(bytes, count, NULL);
    must(gr_equal(v, again));
    gr_free(bytes);
    text = gr_json_print(again, 0, NULL);
    must(text != NULL);
    gr_free(text);
    gr_value_unref(gr_add(v, again));
    return 0;
}
