/* SPDX-License-Identifier: Apache-2.0 */
/* value_list.c - lists: one node with its elements inline. */
#include "runtime/value/value.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

static struct gri_items *items_of(gr_value *v)
{
    return (struct gri_items *)(void *)v;
}

static size_t size_for(size_t cap)
{
    return sizeof(struct gri_items) + cap * sizeof(gr_value *);
}

/* list_new makes an empty list with room for cap elements; a broken value on failure. */
static gr_value *list_new(size_t cap)
{
    struct gri_items *l;

    if (cap > GRI_ITEMS_MAX)
        return gri_broken(GRI_BROKEN_LARGE);
    l = gri_value_new(GR_LIST, size_for(cap));
    if (l == NULL)
        return gri_broken(GRI_BROKEN_MEMORY);
    l->head.height = 1;
    l->count = 0;
    l->cap = (uint32_t)cap;
    return &l->head;
}

/* why_not returns what a container of v, nested in head, is broken by; NULL if v may go in. */
static gr_value *why_not(struct gr_value *head, const gr_value *v)
{
    gr_value *why = gri_value_why(v);

    if (why == NULL && !gri_nest(head, gri_height(v)))
        why = gri_broken(GRI_BROKEN_DEEP);
    return why;
}

gr_value *gr_list_n(gr_value *const *items, size_t count)
{
    gr_value *list;
    gr_value *why;

    if (items == NULL && count != 0)
        return gri_broken(GRI_BROKEN_MISSING);
    list = list_new(count);
    why = gri_is_broken(list) ? list : NULL;
    for (size_t i = 0; i < count && why == NULL; i++)
        why = why_not(list, items[i]);
    if (why != NULL) {
        for (size_t i = 0; i < count; i++)
            gr_value_unref(items[i]);
        gr_value_unref(list);
        return why;
    }
    if (count != 0)
        /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): list_new never gives NULL */
        memcpy(items_of(list)->at, items, count * sizeof(gr_value *));
    items_of(list)->count = (uint32_t)count;
    return list;
}

static gr_value *copy_with_room(const gr_value *list, size_t cap)
{
    const struct gri_items *from = gri_items(list);
    gr_value *copy = list_new(cap);

    if (gri_is_broken(copy))
        return copy;
    copy->height = list->height;
    for (uint32_t i = 0; i < from->count; i++)
        items_of(copy)->at[i] = gr_value_ref(from->at[i]);
    items_of(copy)->count = from->count;
    return copy;
}

gr_value *gri_items_only(gr_value *list, size_t more)
{
    size_t need = (size_t)gri_items(list)->count + more;
    size_t cap = need;
    gr_value *bigger;

    if (gri_value_is_only(list)) {
        if (need <= gri_items(list)->cap)
            return list;
        if (cap < (size_t)gri_items(list)->cap * 2)
            cap = (size_t)gri_items(list)->cap * 2;
        if (cap > GRI_ITEMS_MAX)
            cap = need;
        bigger = need > GRI_ITEMS_MAX ? NULL : gri_resize(list, size_for(cap));
        if (bigger != NULL) {
            items_of(bigger)->cap = (uint32_t)cap;
            return bigger;
        }
        bigger = gri_broken(need > GRI_ITEMS_MAX ? GRI_BROKEN_LARGE : GRI_BROKEN_MEMORY);
    } else {
        bigger = copy_with_room(list, cap);
    }
    gr_value_unref(list);
    return bigger;
}

/* settle_height recomputes the height after a child of height `gone` was replaced. */
static void settle_height(struct gri_items *l, unsigned gone)
{
    if (gone + 1 < l->head.height)
        return;
    l->head.height = 1;
    for (uint32_t i = 0; i < l->count; i++)
        (void)gri_nest(&l->head, gri_height(l->at[i]));
}

bool gri_items_put(gr_value *list, size_t index, gr_value *v, gr_value **ret_why)
{
    struct gri_items *l = items_of(list);
    gr_value *why = gri_value_why(v);
    unsigned gone = gri_height(l->at[index]);

    gri_assert(index < l->count);
    if (why == NULL && gri_height(v) >= GR_DEPTH_MAX)
        why = gri_broken(GRI_BROKEN_DEEP);
    gr_value_unref(l->at[index]);
    l->at[index] = why == NULL ? v : gr_nil();
    if (gri_nest(&l->head, gri_height(l->at[index])) && gri_height(l->at[index]) < gone)
        settle_height(l, gone);
    if (why == NULL)
        return true;
    gr_value_unref(v);
    *ret_why = why;
    return false;
}

gr_value *gr_append(gr_value *list, gr_value *v)
{
    gr_value *why = gri_value_why(list);

    if (why == NULL && !gri_is_node(list, GR_LIST))
        why = gri_broken(GRI_BROKEN_TYPE);
    if (why == NULL)
        why = gri_value_why(v);
    if (why == NULL && gri_height(v) >= GR_DEPTH_MAX)
        why = gri_broken(GRI_BROKEN_DEEP);
    if (why != NULL) {
        gr_value_unref(list);
        gr_value_unref(v);
        return why;
    }
    list = gri_items_only(list, 1);
    if (gri_is_broken(list)) {
        gr_value_unref(v);
        return list;
    }
    (void)gri_nest(list, gri_height(v));
    items_of(list)->at[items_of(list)->count++] = v;
    return list;
}

gr_value *gri_items_concat(gr_value *left, gr_value *more)
{
    const struct gri_items *m = gri_items(more);
    struct gri_items *l;

    if (m->count == 0) {
        gr_value_unref(more);
        return left;
    }
    left = gri_items_only(left, m->count);
    if (!gri_is_broken(left)) {
        l = items_of(left);
        for (uint32_t i = 0; i < m->count; i++)
            l->at[l->count++] = gr_value_ref(m->at[i]);
        if (more->height > left->height)
            left->height = more->height;
    }
    gr_value_unref(more);
    return left;
}
