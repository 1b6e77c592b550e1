/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msgpack_fuzz.c - any bytes: they are decoded or refused. What was decoded is within the limits;
 * it encodes to bytes that decode as the same value, and encode as the same bytes; a frame that
 * carries the input agrees about where the value ends; and it prints, and adds to itself.
 *
 * The first byte of the input sets the limit of depth.
 */
#include <greenroom/codec.h>

#include "runtime/net/frame.h"
#include "runtime/value/value.h"
#include "tests/fuzz/fuzz.h"

#define COUNT_MAX ((size_t)100000)

/* check_frame: the frame's reader walks the value by tables of its own. */
static void check_frame(const uint8_t *data, size_t size)
{
    static const uint8_t head[] = { 0x93, GRI_FRAME_REPLY, 1 };
    uint8_t *frame = malloc(sizeof(head) + size);
    struct gri_frame f;
    gr_value *err = NULL;

    must(frame != NULL);
    memcpy(frame, head, sizeof(head));
    memcpy(frame + sizeof(head), data, size);
    must(gri_frame_parse(frame, sizeof(head) + size, &f, &err) == GR_OK);
    must(f.value_size == size);
    free(frame);
}

static void check_again(const gr_value *v)
{
    void *bytes = NULL, *bytes_2 = NULL;
    size_t count = 0, count_2 = 0;
    gr_value *w;
    char *text;

    must(gr_msgpack_encode(v, &bytes, &count) == GR_OK);
    w = gr_msgpack_decode(bytes, count, NULL);
    must(gr_equal(v, w));
    must(gr_msgpack_encode(w, &bytes_2, &count_2) == GR_OK);
    must(count == count_2 && memcmp(bytes, bytes_2, count) == 0);
    gr_free(bytes);
    gr_free(bytes_2);
    text = gr_json_print(w, 0, NULL);
    must(text != NULL);
    gr_free(text);
    gr_value_unref(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned depth = size > 0 ? data[0] % (GR_DEPTH_MAX + 1) : 0;
    struct fuzz_cost cost = fuzz_begin();
    gr_value *v;

    if (size > 0) {
        data++;
        size--;
    }
    v = gr_msgpack_decode(data, size, GR_DECODE(.count_max = COUNT_MAX, .depth_max = depth));
    if (gr_value_type(v) != GR_ERROR) {
        must(gri_height(v) <= (depth == 0 ? GR_DEPTH_MAX : depth));
        check_frame(data, size);
    } else {
        must(gr_error_text(v) != NULL);
    }
    check_again(v);
    gr_value_unref(gr_add(gr_value_ref(v), v));
    fuzz_end(&cost, size, 512);
    return 0;
}
