/* SPDX-License-Identifier: Apache-2.0 */
/* value_equal.c - comparing by content. */
#include "runtime/value/value.h"

#include <math.h>
#include <string.h>

/* By content a value equals its copy, so a NaN equals a NaN here. */
static bool equal_reals(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool equal_floats(const gr_value *a, const gr_value *b)
{
    size_t count = gr_len(a);
    const float *x = gr_as_floats(a, NULL);
    const float *y = gr_as_floats(b, NULL);

    if (count != gr_len(b))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!equal_reals((double)x[i], (double)y[i]))
            return false;
    return true;
}

static bool equal_lists(const gr_value *a, const gr_value *b)
{
    if (gri_items(a)->count != gri_items(b)->count)
        return false;
    for (uint32_t i = 0; i < gri_items(a)->count; i++)
        if (!gr_equal(gri_items(a)->at[i], gri_items(b)->at[i]))
            return false;
    return true;
}

static bool equal_maps(const gr_value *a, const gr_value *b)
{
    if (gri_pairs(a)->count != gri_pairs(b)->count)
        return false;
    for (uint32_t i = 0; i < gri_pairs(a)->count; i++) {
        const struct gri_pair *p = &gri_pairs(a)->at[i];
        size_t at = gri_pairs_find(b, gri_text(p->key)->data, gri_text(p->key)->len);

        if (at == SIZE_MAX || !gr_equal(p->value, gri_pairs(b)->at[at].value))
            return false;
    }
    return true;
}

/* What reads the same is the same: a kind that was not set and one set to the code's name; a broken
 * value and its error as it arrives elsewhere. */
static bool equal_errors(const gr_value *a, const gr_value *b)
{
    if (a->code != b->code)
        return false;
    for (int f = 0; f < GRI_FIELD_COUNT; f++) {
        const char *name = gri_field_name((enum gri_field)f);
        const gr_value *x = gri_error_get(a, name);
        const gr_value *y = gri_error_get(b, name);

        if ((x == NULL) != (y == NULL) || !gr_equal(x, y))
            return false;
    }
    return true;
}

bool gr_equal(const gr_value *a, const gr_value *b)
{
    gr_type type = gr_value_type(a);

    if (a == b)
        return true;
    if (type != gr_value_type(b))
        return false;
    switch (type) {
    case GR_NIL: return true;
    case GR_BOOL: return a->flag == b->flag;
    case GR_INT: return gr_as_int(a, 0) == gr_as_int(b, 0);
    case GR_REAL: return equal_reals(gr_as_real(a, 0), gr_as_real(b, 0));
    case GR_STR:
    case GR_BIN: return gri_text_equal(a, gri_text(b)->data, gri_text(b)->len);
    case GR_LIST: return equal_lists(a, b);
    case GR_MAP: return equal_maps(a, b);
    case GR_FLOATS: return equal_floats(a, b);
    case GR_REFV:
        return gr_as_ref(a).node == gr_as_ref(b).node && gr_as_ref(a).id == gr_as_ref(b).id;
    case GR_ERROR: return equal_errors(a, b);
    case GR_OPAQUE: return gr_as_opaque(a) == gr_as_opaque(b);
    }
    return false;
}
