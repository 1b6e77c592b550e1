/* SPDX-License-Identifier: Apache-2.0 */
/* json_tree.c - see the header. */
#include "runtime/value/json_tree.h"

#include "runtime/value/value.h"

#define VALUES_MAX ((size_t)4 << 20) /* in all, as gr_json_parse has it */

void gri_json_tree_fini(struct gri_json_tree *t)
{
    gr_value_unref(t->root);
    gr_value_unref(t->leaf);
    for (unsigned i = 0; i < t->depth; i++) {
        gr_value_unref(t->open[i].v);
        gr_value_unref(t->open[i].key);
    }
    t->root = t->leaf = NULL;
    t->depth = 0;
    t->has_leaf = false;
}

/* swap_child puts v where a container that is held alone has a child, and returns that. The height may be too large
 * until the child is back. */
static gr_value *swap_child(const struct gri_json_open *o, gr_value *v)
{
    gr_value **at = o->map ? &((struct gri_pairs *)(void *)o->v)->at[o->at].value
                           : &((struct gri_items *)(void *)o->v)->at[o->at];
    gr_value *old = *at;

    *at = v;
    return old;
}

bool gri_json_tree_take_apart(struct gri_json_tree *t)
{
    gr_value *v = t->root;

    t->root = NULL;
    for (unsigned i = 0; i < t->depth; i++) {
        struct gri_json_open *o = &t->open[i];

        o->v = o->map ? gri_pairs_only(v, 0) : gri_items_only(v, 0);
        if (gri_is_broken(o->v))
            return false;
        v = i + 1 < t->depth || t->has_leaf ? swap_child(o, gr_nil()) : NULL;
    }
    t->leaf = v;
    return true;
}

bool gri_json_tree_put_together(struct gri_json_tree *t)
{
    gr_value *v = t->leaf;

    t->leaf = NULL;
    for (unsigned i = t->depth; i-- > 0;) {
        struct gri_json_open *o = &t->open[i];

        if (v != NULL) {
            bool fits = gri_nest(o->v, gri_height(v));

            gr_value_unref(swap_child(o, v));
            if (!fits)
                return false;
        }
        v = o->v;
        o->v = NULL;
    }
    if (v != NULL)
        t->root = v;
    return true;
}

bool gri_json_tree_place(struct gri_json_tree *t, gr_value *v)
{
    struct gri_json_open *o;

    if (t->values++ == VALUES_MAX) {
        gr_value_unref(v);
        return false;
    }
    if (t->depth == 0) {
        t->root = v;
        return !gri_is_broken(v);
    }
    o = &t->open[t->depth - 1];
    if (o->map) {
        gr_value *key = o->key;

        o->key = NULL;
        o->v = gri_pairs_add(o->v, gr_value_ref(key), v);
        o->at =
            gri_is_broken(o->v) ? 0 : gri_pairs_find(o->v, gri_text(key)->data, gri_text(key)->len);
        gr_value_unref(key);
    } else {
        o->v = gr_append(o->v, v);
        o->at = gri_is_broken(o->v) ? 0 : gri_items(o->v)->count - 1;
    }
    return !gri_is_broken(o->v);
}

bool gri_json_tree_place_leaf(struct gri_json_tree *t, gr_value *v)
{
    if (gri_is_broken(v) || !gri_json_tree_place(t, t->depth == 0 ? v : gr_nil())) {
        if (t->depth != 0)
            gr_value_unref(v);
        return false;
    }
    t->root = NULL;
    t->leaf = v;
    t->has_leaf = t->grown = true;
    t->seen = false;
    return true;
}

void gri_json_tree_end_leaf(struct gri_json_tree *t)
{
    if (t->depth == 0)
        t->root = t->leaf;
    else
        gr_value_unref(swap_child(&t->open[t->depth - 1], t->leaf));
    t->leaf = NULL;
    t->changed |= t->grown;
    t->has_leaf = t->grown = false;
}

bool gri_json_tree_open(struct gri_json_tree *t, bool map)
{
    struct gri_json_open o = { .map = map };

    if (t->depth == GR_DEPTH_MAX || (t->depth > 0 && !gri_json_tree_place(t, gr_nil())))
        return false;
    if (t->depth == 0)
        t->values++;
    o.v = map ? gr_map_n(NULL, 0) : gr_list_n(NULL, 0);
    t->open[t->depth++] = o;
    t->changed = true;
    return !gri_is_broken(o.v);
}

bool gri_json_tree_close(struct gri_json_tree *t)
{
    struct gri_json_open *o = &t->open[--t->depth];
    gr_value *v = o->v;

    o->v = NULL;
    gr_value_unref(o->key);
    o->key = NULL;
    if (t->depth == 0) {
        t->root = v;
        return true;
    }
    o--;
    if (gri_nest(o->v, gri_height(v))) {
        gr_value_unref(swap_child(o, v));
        return true;
    }
    gr_value_unref(v);
    return false;
}
