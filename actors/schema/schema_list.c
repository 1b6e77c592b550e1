/* SPDX-License-Identifier: Apache-2.0 */
/* schema_list.c - words that judge lists. */
#include "actors/schema/schema.h"

#include <stdlib.h>

#include "runtime/base/alloc.h"

GRI_SCHEMA_HOLDS(min_items)
{
    return gr_len(v) >= k->most || gri_schema_wrong(r, k, "must have at least %zu items", k->most);
}

GRI_SCHEMA_HOLDS(max_items)
{
    return gr_len(v) <= k->most || gri_schema_wrong(r, k, "must have at most %zu items", k->most);
}

/* ---- items ---------------------------------------------------------------------------------------- */

/* judge_item judges the item at an index, which packed floats have to make first. */
static bool judge_item(struct gri_schema_run *r, const struct gri_schema_node *n, const gr_value *v,
                       size_t index)
{
    gr_value *item = gri_schema_item(v, index);
    bool holds = gri_schema_judge_at(r, n, item, NULL, index);

    gr_value_unref(item);
    return holds;
}

GRI_SCHEMA_HOLDS(prefix_items)
{
    bool holds = true;

    for (size_t i = 0; i < k->sub_count && i < gr_len(v); i++)
        holds = judge_item(r, k->subs[i], v, i) && holds;
    return holds;
}

/* items: `least` is the index of the first item that it is about. The old form, a list, has schemas for
 * the first ones and, last of the subs, additionalItems', or none. */
GRI_SCHEMA_READ(items)
{
    const gr_value *more = gr_get(k->node->v, "additionalItems");

    if (gr_value_type(k->arg) != GR_LIST) {
        k->least = gr_len(gr_get(k->node->v, "prefixItems"));
        return gri_schema_sub(r, k, k->arg, NULL, SIZE_MAX);
    }
    k->least = gr_len(k->arg);
    for (size_t i = 0; i < k->least; i++)
        if (!gri_schema_sub(r, k, gr_at(k->arg, i), NULL, i))
            return false;
    return more != NULL ? gri_schema_sub(r, k, more, "additionalItems", SIZE_MAX)
                        : gri_schema_sub_none(r, k);
}

GRI_SCHEMA_HOLDS(items)
{
    const struct gri_schema_node *rest = k->subs[k->sub_count - 1];
    bool holds = true;

    for (size_t i = 0; i + 1 < k->sub_count && i < gr_len(v); i++)
        holds = judge_item(r, k->subs[i], v, i) && holds;
    for (size_t i = k->least; rest != NULL && i < gr_len(v); i++)
        if (!judge_item(r, rest, v, i)) {
            holds = false;
            if (r->quiet > 0 || gri_schema_stopped(r))
                return false;
        }
    return holds;
}

/* ---- contains ---------------------------------------------------------------------------------------- */

/* read_bound reads one of the words beside contains. */
static bool read_bound(struct gri_schema_reader *r, struct gri_check *k, const char *name,
                       size_t otherwise, size_t *ret)
{
    const gr_value *v = gr_get(k->node->v, name);
    int64_t count = gr_as_int(v, v == NULL ? 0 : -1);

    if (count < 0)
        return gri_schema_refuse(r, k, "%s must be a whole number, at least 0", name);
    *ret = v != NULL ? (size_t)count : otherwise;
    return true;
}

GRI_SCHEMA_READ(contains)
{
    return gri_schema_sub(r, k, k->arg, NULL, SIZE_MAX) &&
           read_bound(r, k, "minContains", 1, &k->least) &&
           read_bound(r, k, "maxContains", SIZE_MAX, &k->most);
}

GRI_SCHEMA_HOLDS(contains)
{
    size_t count = 0;

    for (size_t i = 0; i < gr_len(v) && count <= k->most; i++) {
        gr_value *item = gri_schema_item(v, i);

        count += gri_schema_try(r, k->subs[0], item);
        gr_value_unref(item);
        if (gri_schema_stopped(r))
            return false;
    }
    if (count < k->least)
        return gri_schema_wrong(r, k, "must contain at least %zu items of its schema", k->least);
    return count <= k->most ||
           gri_schema_wrong(r, k, "must contain at most %zu items of its schema", k->most);
}

/* ---- uniqueItems ---------------------------------------------------------------------------------------- */

struct hashed {
    uint64_t hash;
    size_t index;
};

GRI_SCHEMA_READ(flag)
{
    return gr_value_type(k->arg) == GR_BOOL || gri_schema_refuse(r, k, "must be true or false");
}

static int by_hash(const void *a, const void *b)
{
    const struct hashed *x = a, *y = b;

    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* find_twins looks for two equal items among those sorted by hash; true: *ret_a and *ret_b. Items of one
 * hash are compared each with each, which is counted, since who writes them may have made them so. */
static bool find_twins(struct gri_schema_run *r, const gr_value *v, const struct hashed *items,
                       size_t count, size_t *ret_a, size_t *ret_b)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count && items[j].hash == items[i].hash; j++) {
            const gr_value *a = gr_at(v, items[i].index), *b = gr_at(v, items[j].index);

            if (!gri_schema_work(r, gri_schema_size(a)))
                return false;
            if (gri_schema_equal(a, b)) {
                *ret_a = items[i].index;
                *ret_b = items[j].index;
                return true;
            }
        }
    }
    return false;
}

static bool has_twins(struct gri_schema_run *r, const gr_value *v, size_t *ret_a, size_t *ret_b)
{
    size_t count = gr_len(v);
    struct hashed *items;
    bool found;

    if (!gri_schema_work(r, gri_schema_size(v)))
        return false;
    items = gri_alloc_array(count, sizeof(*items));
    if (items == NULL) {
        if (r->why == NULL)
            r->why = gr_error(GR_ENOMEM, "out of memory for uniqueItems");
        return false;
    }
    for (size_t i = 0; i < count; i++)
        items[i] = (struct hashed){ gri_schema_hash(gr_at(v, i)), i };
    qsort(items, count, sizeof(*items), by_hash);
    found = find_twins(r, v, items, count, ret_a, ret_b);
    gri_free(items);
    return found;
}

GRI_SCHEMA_HOLDS(unique_items)
{
    gr_value *list = NULL;
    size_t a = 0, b = 0;
    bool twins;

    if (!gr_as_bool(k->arg, false) || gr_len(v) < 2)
        return true;
    if (gr_value_type(v) == GR_FLOATS) {
        list = gr_list_n(NULL, 0);
        for (size_t i = 0; i < gr_len(v); i++)
            list = gr_append(list, gri_schema_item(v, i));
        v = list;
    }
    twins = has_twins(r, v, &a, &b);
    gr_value_unref(list);
    if (gri_schema_stopped(r))
        return false;
    return !twins || gri_schema_wrong(r, k, "items %zu and %zu are the same", a, b);
}
