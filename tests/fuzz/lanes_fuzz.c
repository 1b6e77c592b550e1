/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lanes_fuzz.c - any frames in any order through the lanes, into parts and together again: each arrives
 * once, whole, and those with one key in their order. What is on the wire is never too long.
 *
 * Operations, two bytes each: how long a frame is and which key it has, or that a turn is taken.
 */
#include "runtime/net/lanes.h"
#include "runtime/net/parts.h"
#include "tests/fuzz/fuzz.h"

#define FRAMES_MAX 200
#define KEYS 8

static struct gri_lanes lanes;
static struct gri_parts parts;
static size_t sizes[FRAMES_MAX]; /* of the frames' values, by id - 1 */
static unsigned made, come;
static uint64_t last[KEYS]; /* that came with a key */

static size_t size_of(uint8_t what)
{
    static const size_t few[] = { 0, 10, 3000, 65000, 65530, 65536, 70000, 140000 };

    return few[what % 8];
}

static void put(uint8_t what, uint8_t key)
{
    static char bytes[200000];
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *v;

    if (made == FRAMES_MAX)
        return;
    sizes[made++] = size_of(what);
    v = gr_bin(bytes, size_of(what));
    must(gri_frame_value(&b, GRI_FRAME_REPLY, (uint64_t)made * KEYS + key, v, NULL) == GR_OK);
    must(gri_lanes_put(&lanes, &b, key) == GR_OK);
    gri_strbuf_fini(&b);
    gr_value_unref(v);
}

static void arrive(const struct gri_frame *f)
{
    uint64_t id = f->id / KEYS, key = f->id % KEYS;

    must(id >= 1 && id <= made && f->value_size >= sizes[id - 1] &&
         f->value_size <= sizes[id - 1] + 5);
    must(key == 0 || id > last[key]);
    last[key] = id;
    come++;
}

static void take_frame(const void *body, size_t size)
{
    const struct gri_strbuf *whole = NULL;
    struct gri_frame f;
    gr_value *err = NULL;

    must(gri_frame_parse(body, size, &f, &err) == GR_OK);
    if (f.type != GRI_FRAME_PART) {
        arrive(&f);
        return;
    }
    must(gri_parts_add(&parts, &f, &whole) == GR_OK);
    if (whole == NULL)
        return;
    take_frame(whole->data, whole->len);
    gri_parts_clear(&parts, f.id);
}

static bool turn(void)
{
    struct gri_slice slices[GRI_SLICES];
    struct gri_strbuf all = GRI_STRBUF_INIT;
    unsigned count = gri_lanes_next(&lanes, slices);
    size_t at = 0;

    for (unsigned i = 0; i < count; i++)
        gri_strbuf_add(&all, slices[i].data, slices[i].size);
    if (count > 0)
        gri_lanes_sent(&lanes);
    while (at < all.len) {
        const uint8_t *p = (const uint8_t *)all.data + at;
        size_t size = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];

        must(size > 0 && size <= GRI_WHOLE_MAX && size <= all.len - at - GRI_FRAME_HEAD);
        take_frame(p + GRI_FRAME_HEAD, size);
        at += GRI_FRAME_HEAD + size;
    }
    gri_strbuf_fini(&all);
    return count > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    made = come = 0;
    memset(last, 0, sizeof(last));
    gri_lanes_init(&lanes);
    for (size_t i = 0; i + 1 < size; i += 2) {
        if (data[i] % 4 == 3)
            turn();
        else
            put(data[i] / 4, data[i + 1] % KEYS);
    }
    while (turn())
        continue;
    must(come == made && lanes.waiting == 0 && lanes.train_count == 0);
    gri_lanes_fini(&lanes);
    gri_parts_fini(&parts);
    return 0;
}
