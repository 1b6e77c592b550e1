/* SPDX-License-Identifier: Apache-2.0 */
/* schema_equal.c - values as JSON Schema compares them: numbers by value, whatever they are kept as. */
#include <string.h>

#include "actors/schema/schema.h"

static bool is_number(const gr_value *v)
{
    return gr_value_type(v) == GR_INT || gr_value_type(v) == GR_REAL;
}

/* compare_mixed compares an integer with a real without rounding either. */
static int compare_mixed(int64_t i, double d)
{
    int64_t whole;

    if (d >= 9223372036854775808.0)
        return -1;
    if (d < -9223372036854775808.0)
        return 1;
    whole = (int64_t)d; /* towards 0 */
    if (i != whole)
        return i < whole ? -1 : 1;
    return (double)whole < d ? -1 : (double)whole > d;
}

int gri_schema_compare(const gr_value *a, const gr_value *b)
{
    bool a_int = gr_value_type(a) == GR_INT, b_int = gr_value_type(b) == GR_INT;
    int64_t i = a_int ? gr_as_int(a, 0) : 0, j = b_int ? gr_as_int(b, 0) : 0;
    double x = a_int ? 0 : gr_as_real(a, 0), y = b_int ? 0 : gr_as_real(b, 0);

    if (a_int && b_int)
        return i < j ? -1 : i > j;
    if (a_int)
        return compare_mixed(i, y);
    if (b_int)
        return -compare_mixed(j, x);
    return x < y ? -1 : x > y;
}

gr_value *gri_schema_item(const gr_value *list, size_t index)
{
    size_t count = 0;
    const float *x;

    if (gr_value_type(list) != GR_FLOATS)
        return gr_value_ref(gr_at(list, index));
    x = gr_as_floats(list, &count);
    return gr_real((double)x[index]);
}

static bool is_list(const gr_value *v)
{
    return gr_value_type(v) == GR_LIST || gr_value_type(v) == GR_FLOATS;
}

static bool equal_lists(const gr_value *a, const gr_value *b)
{
    bool equal = gr_len(a) == gr_len(b);

    for (size_t i = 0; equal && i < gr_len(a); i++) {
        gr_value *x = gri_schema_item(a, i), *y = gri_schema_item(b, i);

        equal = gri_schema_equal(x, y);
        gr_value_unref(x);
        gr_value_unref(y);
    }
    return equal;
}

static bool equal_maps(const gr_value *a, const gr_value *b)
{
    const char *key = NULL;

    if (gr_len(a) != gr_len(b))
        return false;
    for (size_t i = 0; i < gr_len(a); i++) {
        const gr_value *x = gr_pair_at(a, i, &key), *y = gr_get(b, key);

        if (y == NULL || !gri_schema_equal(x, y))
            return false;
    }
    return true;
}

bool gri_schema_equal(const gr_value *a, const gr_value *b)
{
    if (is_number(a) && is_number(b))
        return gri_schema_compare(a, b) == 0;
    if (is_list(a) && is_list(b))
        return equal_lists(a, b);
    if (gr_value_type(a) != gr_value_type(b))
        return false;
    return gr_value_type(a) == GR_MAP ? equal_maps(a, b) : gr_equal(a, b);
}

/* hash_number gives the same for an integer and a real of the same value. */
static uint64_t hash_number(const gr_value *v)
{
    double d = gr_as_real(v, 0);
    int64_t i = gr_as_int(v, INT64_MIN); /* of a real that is whole, too */

    if (gr_value_type(v) == GR_INT || i != INT64_MIN)
        return gri_hash_bytes(&i, sizeof(i), 1);
    return gri_hash_bytes(&d, sizeof(d), 2);
}

uint64_t gri_schema_hash(const gr_value *v)
{
    uint64_t hash = (uint64_t)gr_len(v) + 3;
    const char *key = NULL;

    if (is_number(v))
        return hash_number(v);
    if (gr_value_type(v) == GR_STR)
        return gri_hash_bytes(gr_cstr(v, ""), gr_len(v), 4);
    for (size_t i = 0; is_list(v) && i < gr_len(v); i++) {
        gr_value *item = gri_schema_item(v, i);

        hash = hash * UINT64_C(0x9E3779B97F4A7C15) + gri_schema_hash(item);
        gr_value_unref(item);
    }
    for (size_t i = 0; gr_value_type(v) == GR_MAP && i < gr_len(v); i++) {
        uint64_t part = gri_schema_hash(gr_pair_at(v, i, &key));

        hash += gri_hash_bytes(key, strlen(key), part); /* in any order */
    }
    return hash + (uint64_t)(is_list(v) ? GR_LIST : gr_value_type(v));
}

size_t gri_schema_size(const gr_value *v)
{
    size_t size = 1;
    const char *key = NULL;

    switch (gr_value_type(v)) {
    case GR_STR:
    case GR_BIN:
    case GR_FLOATS: return 1 + gr_len(v) / 16;
    case GR_LIST:
        for (size_t i = 0; i < gr_len(v); i++)
            size += gri_schema_size(gr_at(v, i));
        return size;
    case GR_MAP:
        for (size_t i = 0; i < gr_len(v); i++)
            size += gri_schema_size(gr_pair_at(v, i, &key));
        return size;
    default: return 1;
    }
}
