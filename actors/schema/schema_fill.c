/* SPDX-License-Identifier: Apache-2.0 */
/* schema_fill.c - gr_schema_fill: the defaults of what a value lacks. */
#include <string.h>

#include "actors/schema/schema.h"

/* One filling: how deep it is, and how much it may still do. */
struct fill {
    unsigned depth, depth_max;
    size_t work;
};

static gr_value *fill_node(struct fill *f, const struct gri_schema_node *n, gr_value *v);

/* fill_properties fills in what is there, and adds what is not and has a default. */
static gr_value *fill_properties(struct fill *f, const struct gri_check *k, gr_value *v)
{
    const char *key = NULL;

    for (size_t i = 0; i < k->sub_count && gr_value_type(v) == GR_MAP; i++) {
        const gr_value *otherwise = gr_get(gr_pair_at(k->arg, i, &key), "default");
        const gr_value *part = gr_get(v, key);

        if (part == NULL && otherwise != NULL)
            v = gr_set(v, key, gr_value_ref(otherwise)); /* as it stands: it may lead back here */
        else if (part != NULL) {
            gr_value *filled = fill_node(f, k->subs[i], gr_value_ref(part));

            if (filled == part)
                gr_value_unref(filled); /* v keeps it, and needs no copy */
            else
                v = gr_set(v, key, filled);
        }
    }
    return v;
}

static gr_value *fill_items(struct fill *f, const struct gri_check *k, gr_value *v, size_t from,
                            bool each)
{
    gr_value *list;

    if (gr_value_type(v) != GR_LIST)
        return v;
    list = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(v); i++) {
        const struct gri_schema_node *n = NULL;

        if (each && i >= from)
            n = k->subs[k->sub_count - 1];
        else if (i < k->sub_count && i < from)
            n = k->subs[i];
        list = gr_append(list, n != NULL ? fill_node(f, n, gr_value_ref(gr_at(v, i)))
                                         : gr_value_ref(gr_at(v, i)));
    }
    gr_value_unref(v);
    return list;
}

static gr_value *fill_check(struct fill *f, const struct gri_check *k, gr_value *v)
{
    const char *word = k->word->name;

    if (strcmp(word, "properties") == 0)
        return fill_properties(f, k, v);
    if (strcmp(word, "prefixItems") == 0)
        return fill_items(f, k, v, k->sub_count, false);
    if (strcmp(word, "items") == 0)
        return fill_items(f, k, v, k->least, true);
    if (strcmp(word, "$ref") == 0 || strcmp(word, "allOf") == 0)
        for (size_t i = 0; i < k->sub_count; i++)
            v = fill_node(f, k->subs[i], v);
    return v;
}

static gr_value *fill_node(struct fill *f, const struct gri_schema_node *n, gr_value *v)
{
    if (f->depth >= f->depth_max || f->work == 0)
        return v;
    f->depth++;
    f->work--;
    for (size_t i = 0; i < n->check_count; i++)
        v = fill_check(f, &n->checks[i], v);
    f->depth--;
    return v;
}

gr_value *gr_schema_fill(const gr_schema *s, gr_value *v)
{
    struct fill f = { .depth_max = s != NULL ? s->depth_max : 0,
                      .work = s != NULL ? s->work_max : 0 };

    if (s == NULL || gr_error_code(v) != GR_OK)
        return v;
    return fill_node(&f, s->top, v);
}
