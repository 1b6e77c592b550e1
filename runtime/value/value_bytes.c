/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/value/value_bytes.h"

#include "runtime/value/value.h"

#define PARTS_MAX 256 /* how many are looked at */
#define SAMPLE 32     /* of one container */
#define PART_GUESS 64 /* bytes of one that is not looked at */
#define BLOCK 16      /* what an allocator adds to a block */

static size_t bytes_of(const gr_value *v, size_t share);

static size_t part_bytes(const gr_value *v, size_t i, size_t share)
{
    if (v->type == GR_LIST)
        return bytes_of(gri_items(v)->at[i], share);
    if (v->type == GR_ERROR)
        return bytes_of(gri_error(v)->field[i], share);
    /* a key is a text, and costs no looking around */
    return bytes_of(gri_pairs(v)->at[i].key, 1) + bytes_of(gri_pairs(v)->at[i].value, share);
}

/*
 * parts adds up a container's parts. `share` is how many values it may look at, which its parts
 * share evenly. If they are more than that, or than a sample, it looks at some at even distances,
 * an odd number apart so that what alternates has its share of the sample, and scales.
 */
static size_t parts(const gr_value *v, size_t count, size_t share)
{
    size_t sum = 0, seen = 0, step = 1, each, most = share < SAMPLE ? share : SAMPLE;

    if (count == 0 || share == 0)
        return count * PART_GUESS;
    if (count > most)
        step = ((count + most - 1) / most) | 1;
    else
        most = count;
    each = share / most;
    for (size_t i = 0; i < count; i += step) {
        sum += part_bytes(v, i, each);
        seen++;
    }
    return seen == count ? sum : (size_t)((double)sum / (double)seen * (double)count);
}

static size_t bytes_of(const gr_value *v, size_t share)
{
    size_t rest = share > 0 ? share - 1 : 0;

    if (v == NULL || gri_is_tagged(v) ||
        atomic_load_explicit(&((gr_value *)(uintptr_t)v)->refs, memory_order_relaxed) >= GRI_PINNED)
        return 0;
    switch ((gr_type)v->type) {
    case GR_STR:
    case GR_BIN: return BLOCK + sizeof(struct gri_text) + gri_text(v)->cap + 1;
    case GR_FLOATS: return BLOCK + sizeof(struct gri_floats) + gr_len(v) * sizeof(float);
    case GR_LIST:
        return BLOCK + sizeof(struct gri_items) + gri_items(v)->cap * sizeof(gr_value *) +
               parts(v, gri_items(v)->count, rest);
    case GR_MAP:
        return BLOCK + sizeof(struct gri_pairs) + gri_pairs(v)->cap * sizeof(struct gri_pair) +
               (gri_pairs(v)->cap > GRI_MAP_SCAN_MAX ? gri_pairs(v)->cap * 2 * sizeof(uint32_t)
                                                     : 0) +
               parts(v, gri_pairs(v)->count, rest);
    case GR_ERROR: return BLOCK + sizeof(struct gri_error) + parts(v, GRI_FIELD_COUNT, rest);
    default: return BLOCK + sizeof(struct gri_refv);
    }
}

size_t gri_value_bytes(const gr_value *v)
{
    return bytes_of(v, PARTS_MAX);
}
