/* SPDX-License-Identifier: Apache-2.0 */
/*
 * add.c - the + between the chunks of a stream (langchain-core's addition of chunks).
 *
 * A sum is built up from many small chunks, so what is on the left is changed in place when nobody
 * else holds it: adding n chunks costs time in proportion to their bytes, not to n squared.
 *
 * Maps are added key by key under a set of rules, picked by what the map is: see rules_of. To give
 * a kind of map a rule of its own, add it there.
 */
#include "runtime/value/value.h"

#include <string.h>

#include "runtime/base/assert.h"

struct rules {
    const char *const *keep; /* keys whose values say what the map is: they replace, never add up */
    bool by_index;           /* list elements of one "index" are parts of one thing: they add up */
};

static const char *const no_keys[] = { NULL };
static const char *const chunk_keys[] = { "type",  "role",           "id", "name",
                                          "model", "chunk_position", NULL };
/* A tool call's name and arguments come in pieces; what tells it from others does not. */
static const char *const part_keys[] = { "type", "id", "index", NULL };

static const struct rules plain = { no_keys, false };
static const struct rules chunk = { chunk_keys, true };
static const struct rules part = { part_keys, true };

static gr_value *add(gr_value *left, gr_value *right, const struct rules *rules);

static bool is_kept(const struct rules *rules, const char *key)
{
    for (size_t i = 0; rules->keep[i] != NULL; i++)
        if (strcmp(rules->keep[i], key) == 0)
            return true;
    return false;
}

/* A message, or a chunk of one, says what it is and has a content. */
static bool is_message(const gr_value *map)
{
    return gr_get(map, "content") != NULL &&
           (gri_is_node(gr_get(map, "type"), GR_STR) || gri_is_node(gr_get(map, "role"), GR_STR));
}

static const struct rules *rules_of(const gr_value *left, const struct rules *outer)
{
    return is_message(left) ? &chunk : outer;
}

/* keep gives the right side if it says anything, else the left; both taken. */
static gr_value *keep(gr_value *left, gr_value *right)
{
    bool says_nothing = gr_is_nil(right) || (gri_is_node(right, GR_STR) && gr_len(right) == 0);

    gr_value_unref(says_nothing ? right : left);
    return says_nothing ? left : right;
}

/* ---- maps ------------------------------------------------------------------------------------ */

/* add_at adds v to the value at a position of a map held alone. The value is lifted out of the map
 * for that, so that it, too, is held alone. */
static gr_value *add_at(gr_value *map, size_t at, gr_value *v, const struct rules *rules)
{
    const struct gri_pair *p = &gri_pairs(map)->at[at];
    bool kept = is_kept(rules, gri_text(p->key)->data);
    gr_value *why = NULL;
    gr_value *old = gr_value_ref(p->value);
    gr_value *sum;

    (void)gri_pairs_put(map, at, gr_nil(), &why);
    sum = kept ? keep(old, v) : add(old, v, rules);
    if (gri_pairs_put(map, at, sum, &why))
        return map;
    gr_value_unref(map);
    return why;
}

static gr_value *add_maps(gr_value *left, gr_value *right, const struct rules *rules)
{
    rules = rules_of(left, rules);
    left = gri_pairs_only(left, 0);
    for (uint32_t i = 0; i < gri_pairs(right)->count && !gri_is_broken(left); i++) {
        const struct gri_pair *p = &gri_pairs(right)->at[i];
        size_t at = gri_pairs_find(left, gri_text(p->key)->data, gri_text(p->key)->len);

        if (at == SIZE_MAX)
            left = gri_pairs_add(left, gr_value_ref(p->key), gr_value_ref(p->value));
        else
            left = add_at(left, at, gr_value_ref(p->value), rules);
    }
    gr_value_unref(right);
    return left;
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* find_part returns the position of the element that v is a further part of; SIZE_MAX if none. Two
 * ids that are both given and differ are two things, whatever their index. */
static size_t find_part(const gr_value *list, const gr_value *v)
{
    const gr_value *index = gr_get(v, "index");
    const char *id = gr_cstr(gr_get(v, "id"), "");

    if (gr_value_type(index) != GR_INT)
        return SIZE_MAX;
    for (uint32_t i = 0; i < gri_items(list)->count; i++) {
        const gr_value *other = gri_items(list)->at[i];
        const char *other_id = gr_cstr(gr_get(other, "id"), "");

        if (gr_equal(gr_get(other, "index"), index) &&
            (id[0] == '\0' || other_id[0] == '\0' || strcmp(id, other_id) == 0))
            return i;
    }
    return SIZE_MAX;
}

static gr_value *add_part(gr_value *list, size_t at, gr_value *v)
{
    gr_value *why = NULL;
    gr_value *old = gr_value_ref(gri_items(list)->at[at]);

    (void)gri_items_put(list, at, gr_nil(), &why);
    if (gri_items_put(list, at, add(old, v, &part), &why))
        return list;
    gr_value_unref(list);
    return why;
}

static gr_value *add_lists(gr_value *left, gr_value *right, const struct rules *rules)
{
    if (!rules->by_index)
        return gri_items_concat(left, right);
    left = gri_items_only(left, 0);
    for (uint32_t i = 0; i < gri_items(right)->count && !gri_is_broken(left); i++) {
        gr_value *v = gr_value_ref(gri_items(right)->at[i]);
        size_t at = find_part(left, v);

        left = at == SIZE_MAX ? gr_append(left, v) : add_part(left, at, v);
    }
    gr_value_unref(right);
    return left;
}

/* ---- scalars --------------------------------------------------------------------------------- */

static bool is_number(const gr_value *v)
{
    return gr_value_type(v) == GR_INT || gr_value_type(v) == GR_REAL;
}

static gr_value *add_numbers(gr_value *left, gr_value *right)
{
    gr_value *sum;
    int64_t i;

    if (gr_value_type(left) == GR_INT && gr_value_type(right) == GR_INT &&
        !__builtin_add_overflow(gr_as_int(left, 0), gr_as_int(right, 0), &i))
        sum = gr_int(i);
    else
        sum = gr_real(gr_as_real(left, 0) + gr_as_real(right, 0));
    gr_value_unref(left);
    gr_value_unref(right);
    return sum;
}

/* add: both are there, and neither is broken. */
static gr_value *add(gr_value *left, gr_value *right, const struct rules *rules)
{
    gr_type type = gr_value_type(left);

    if (gr_is_nil(right))
        return left;
    if (is_number(left) && is_number(right))
        return add_numbers(left, right);
    if (type == gr_value_type(right)) {
        if (type == GR_STR || type == GR_BIN)
            return gri_text_add(left, right);
        if (type == GR_LIST)
            return add_lists(left, right, rules);
        if (type == GR_MAP)
            return add_maps(left, right, rules);
    }
    gr_value_unref(left);
    return right;
}

gr_value *gr_add(gr_value *left, gr_value *right)
{
    gr_value *why = gri_value_why(right);

    if (why == NULL && left == NULL)
        return right;
    if (why == NULL)
        why = gri_value_why(left);
    if (why != NULL) {
        gr_value_unref(left);
        gr_value_unref(right);
        return why;
    }
    return add(left, right, &plain);
}
