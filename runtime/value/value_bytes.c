/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/value/value_bytes.h"

#include "runtime/value/value.h"

#define PARTS_MAX 128 /* how many are looked at */
#define PART_GUESS 64 /* bytes of one that isn't */
#define BLOCK 16      /* what an allocator adds to a block */

static size_t bytes_of(const gr_value *v, int *left);

static const gr_value *part_at(const gr_value *v, size_t i)
{
    if (v->type == GR_LIST)
        return gri_items(v)->at[i];
    if (v->type == GR_ERROR)
        return gri_error(v)->field[i];
    return i % 2 == 0 ? gri_pairs(v)->at[i / 2].key : gri_pairs(v)->at[i / 2].value;
}

/*
 * parts adds up a container's parts. If they are more than may be looked at, it looks at as many at
 * even distances, an odd number apart so that keys and values both have their share, and scales.
 */
static size_t parts(const gr_value *v, size_t count, int *left)
{
    size_t room = *left > 0 ? (size_t)*left : 0, sum = 0, seen = 0;
    size_t step = 1;

    if (count == 0)
        return 0;
    if (room == 0)
        return count * PART_GUESS;
    if (count > room)
        step = ((count + room - 1) / room) | 1;
    for (size_t i = 0; i < count; i += step) {
        sum += bytes_of(part_at(v, i), left);
        seen++;
    }
    return seen == count ? sum : (size_t)((double)sum / (double)seen * (double)count);
}

static size_t bytes_of(const gr_value *v, int *left)
{
    if (v == NULL || gri_is_tagged(v) ||
        atomic_load_explicit(&((gr_value *)(uintptr_t)v)->refs, memory_order_relaxed) >= GRI_PINNED)
        return 0;
    (*left)--;
    switch ((gr_type)v->type) {
    case GR_STR:
    case GR_BIN: return BLOCK + sizeof(struct gri_text) + gri_text(v)->cap + 1;
    case GR_FLOATS: return BLOCK + sizeof(struct gri_floats) + gr_len(v) * sizeof(float);
    case GR_LIST:
        return BLOCK + sizeof(struct gri_items) + gri_items(v)->cap * sizeof(gr_value *) +
               parts(v, gri_items(v)->count, left);
    case GR_MAP:
        return BLOCK + sizeof(struct gri_pairs) + gri_pairs(v)->cap * sizeof(struct gri_pair) +
               (gri_pairs(v)->cap > GRI_MAP_SCAN_MAX ? gri_pairs(v)->cap * 2 * sizeof(uint32_t)
                                                     : 0) +
               parts(v, (size_t)gri_pairs(v)->count * 2, left);
    case GR_ERROR: return BLOCK + sizeof(struct gri_error) + parts(v, GRI_FIELD_COUNT, left);
    default: return BLOCK + sizeof(struct gri_refv);
    }
}

size_t gri_value_bytes(const gr_value *v)
{
    int left = PARTS_MAX;

    return bytes_of(v, &left);
}
