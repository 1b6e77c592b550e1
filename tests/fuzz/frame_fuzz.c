/* SPDX-License-Identifier: Apache-2.0 */
/* frame_fuzz.c - any bytes as a frame: read, ignored, or told why not; and what is read is
 * inside. */
#include <stdint.h>
#include <stdlib.h>

#include <greenroom/codec.h>

#include "runtime/net/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_value(const uint8_t *data, size_t size, const uint8_t *value, size_t value_size)
{
    if (value == NULL)
        return;
    if (value < data || value_size == 0 || value_size > size ||
        (size_t)(value - data) > size - value_size)
        abort();
    gr_value_unref(gr_msgpack_decode(value, value_size, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gri_frame f;
    gr_value *err = NULL;
    gr_code rc = gri_frame_parse(data, size, &f, &err);

    if (rc != GR_OK) {
        if (rc != GR_EPROTO || gr_error_code(err) != GR_EPROTO)
            abort();
        gr_value_unref(err);
        return 0;
    }
    if (err != NULL)
        abort();
    check_value(data, size, f.value, f.value_size);
    check_value(data, size, f.config, f.config_size);
    return 0;
}
