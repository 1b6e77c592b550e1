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

#define PARTS_MAX                                                                                  \
    4096 /* in a list: each further one is looked for among them; value_error.c says the number, too */

struct rules {
    const char *const *keep; /* keys whose values say what the map is: they replace, never add up */
    bool by_index;           /* list elements of one "index" are parts of one thing: they add up */
    bool message;            /* it is a message: see add_field */
    bool told;               /* what is told twice is no more than told once: see add_told */
    bool ranked;             /* of two ids the one of the better kind stays, else the left one */
};

static const char *const no_keys[] = { NULL };
static const char *const chunk_keys[] = { "role",           "name",         "model",
                                          "chunk_position", "tool_call_id", NULL };
/* A tool call's name and arguments come in pieces; what tells it from others does not. */
static const char *const part_keys[] = { "id", "index", NULL };

static const struct rules plain = { no_keys, false, false, false, false };
static const struct rules chunk = { chunk_keys, true, true, false, false };
static const struct rules ai_chunk = { chunk_keys, true, true, false, true };
static const struct rules part = { part_keys, true, false, true, false };
/* additional_kwargs and response_metadata of a message, as langchain-core's merge_dicts adds them */
static const struct rules extras = { no_keys, true, false, true, false };

static gr_value *add(gr_value *left, gr_value *right, const struct rules *rules);

/* A message, or a chunk of one, says what it is and has a content. */
static bool is_message(const gr_value *map)
{
    return gr_get(map, "content") != NULL &&
           (gri_is_node(gr_get(map, "type"), GR_STR) || gri_is_node(gr_get(map, "role"), GR_STR));
}

static const struct rules *rules_of(const gr_value *left, const struct rules *outer)
{
    const char *type;

    if (!is_message(left))
        return outer;
    type = gr_cstr(gr_get(left, "type"), "ai");
    return strcmp(type, "AIMessageChunk") == 0 || strcmp(type, "ai") == 0 ? &ai_chunk : &chunk;
}

/* keep gives the right side if it says anything, else the left; both taken. */
static gr_value *keep(gr_value *left, gr_value *right)
{
    bool says_nothing = gr_is_nil(right) || (gri_is_node(right, GR_STR) && gr_len(right) == 0);

    gr_value_unref(says_nothing ? right : left);
    return says_nothing ? left : right;
}

/* is_type tells whether a key says what a message or a part of one is: what came first says that for good. */
static bool is_type(const char *key, const struct rules *rules)
{
    return (rules->message || rules == &part) && strcmp(key, "type") == 0;
}

/* add_content adds a text and a list of blocks, or texts, as langchain-core's merge_content does: a
 * text before a list is its first element; one behind it goes to a text at its end, unless it says
 * nothing. */
static gr_value *add_content(gr_value *left, gr_value *right)
{
    size_t last;

    if (gr_value_type(left) == GR_STR)
        return gri_items_concat(gr_list(left), right);
    if (gr_len(right) == 0) {
        gr_value_unref(right);
        return left;
    }
    last = gr_len(left);
    if (last > 0 && gr_value_type(gr_at(left, last - 1)) == GR_STR) {
        gr_value *why = NULL;
        gr_value *old = gr_value_ref(gr_at(left, last - 1));

        left = gri_items_only(left, 0);
        (void)gri_items_put(left, last - 1, gr_nil(), &why); /* so that the text is held alone */
        if (gri_items_put(left, last - 1, gri_text_add(old, right), &why))
            return left;
        gr_value_unref(left);
        return why;
    }
    return gr_append(left, right);
}

static bool is_mixed(const gr_value *left, const gr_value *right)
{
    return (gr_value_type(left) == GR_STR && gr_value_type(right) == GR_LIST) ||
           (gr_value_type(left) == GR_LIST && gr_value_type(right) == GR_STR);
}

/* ---- messages -------------------------------------------------------------------------------- */

static bool is_one_of(const char *key, const char *const *keys)
{
    while (*keys != NULL && strcmp(*keys, key) != 0)
        keys++;
    return *keys != NULL;
}

static bool is_text_of(const gr_value *v, const char *text)
{
    return strcmp(gr_cstr(v, ""), text) == 0;
}

/* rank_of: the id that a provider gave goes before that of a run, and that before one of our own. */
static int rank_of(const gr_value *id)
{
    const char *text = gr_cstr(id, "");

    if (text[0] == '\0')
        return 0;
    if (strncmp(text, "lc_", 3) != 0)
        return 3;
    return strncmp(text, "lc_run-", 7) == 0 ? 2 : 1;
}

static gr_value *choose(bool first, gr_value *left, gr_value *right)
{
    gr_value_unref(first ? right : left);
    return first ? left : right;
}

/* add_field adds what a message has under a key, where that has a rule of its own. */
static gr_value *add_field(const char *key, gr_value *left, gr_value *right,
                           const struct rules *rules)
{
    static const char *const extra[] = { "additional_kwargs", "response_metadata", NULL };

    if (strcmp(key, "content") == 0 && is_mixed(left, right))
        return add_content(left, right);
    if (strcmp(key, "id") == 0)
        return choose(rules->ranked ? rank_of(left) >= rank_of(right) : rank_of(left) > 0, left,
                      right);
    if (strcmp(key, "status") == 0) /* of a tool: an error stays one */
        return choose(is_text_of(left, "error") || gr_is_nil(right), left, right);
    if (is_one_of(key, extra))
        return add(left, right, &extras);
    if (strcmp(key, "usage_metadata") == 0)
        return add(left, right, &plain);
    return add(left, right, rules);
}

/* add_told: what tells who or when replaces or stays, and a number that is told again is the same. */
static gr_value *add_told(const char *key, gr_value *left, gr_value *right)
{
    static const char *const same[] = { "id", "output_version", "model_provider", "ls_provider",
                                        NULL };
    static const char *const last[] = { "index", "created", "timestamp", NULL };
    bool text = gr_value_type(left) == GR_STR;
    bool number = gr_value_type(left) == GR_INT || gr_value_type(left) == GR_REAL;

    if (text && strcmp(key, "index") == 0 && strncmp(gr_cstr(left, ""), "lc_", 3) == 0)
        return choose(true, left, right);
    if ((number || (text && is_one_of(key, same))) && gr_equal(left, right))
        return choose(true, left, right);
    if (number && is_one_of(key, last) && !gr_is_nil(right))
        return choose(false, left, right);
    return add(left, right, &extras);
}

/* ---- maps ------------------------------------------------------------------------------------ */

/* add_at adds v to the value at a position of a map held alone. The value is lifted out of the map
 * for that, so that it, too, is held alone. */
static gr_value *add_at(gr_value *map, size_t at, gr_value *v, const struct rules *rules)
{
    const struct gri_pair *p = &gri_pairs(map)->at[at];
    const char *key = gri_text(p->key)->data;
    gr_value *why = NULL;
    gr_value *old = gr_value_ref(p->value);
    gr_value *sum;

    (void)gri_pairs_put(map, at, gr_nil(), &why);
    if (is_type(key, rules))
        sum = keep(v, old);
    else if (is_one_of(key, rules->keep))
        sum = keep(old, v);
    else if (rules->message)
        sum = add_field(key, old, v, rules);
    else
        sum = rules->told ? add_told(key, old, v) : add(old, v, rules);
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

/* is_part tells whether an element says which thing it is a part of. */
static bool is_part(const gr_value *v)
{
    const gr_value *index = gr_get(v, "index");

    return gr_value_type(index) == GR_INT || strncmp(gr_cstr(index, ""), "lc_", 3) == 0;
}

/* find_part returns the position of the element that v is a further part of; SIZE_MAX if none. Two
 * ids that are both given and differ are two things, whatever their index. */
static size_t find_part(const gr_value *list, const gr_value *v)
{
    const gr_value *index = gr_get(v, "index");
    const char *id = gr_cstr(gr_get(v, "id"), "");

    if (!is_part(v))
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

/* of_unknown: what a block of no standard kind brings goes under "extras" of another kind's, under "value" of
 * its own kind's; v is taken, and comes back as it was if it is of a standard kind. */
static gr_value *of_unknown(const gr_value *left, gr_value *v)
{
    const gr_value *value = gr_get(v, "value"), *type = gr_get(left, "type");
    bool same = is_text_of(type, "non_standard");
    gr_value *out;

    if (!is_text_of(gr_get(v, "type"), "non_standard") || gr_value_type(value) != GR_MAP ||
        gr_cstr(type, "")[0] == '\0')
        return v;
    out = gr_map(GR_KV(same ? "value" : "extras", gr_without(gr_value_ref(value), "type")));
    gr_value_unref(v);
    return out;
}

static gr_value *add_part(gr_value *list, size_t at, gr_value *v)
{
    gr_value *why = NULL;
    gr_value *old = gr_value_ref(gri_items(list)->at[at]);

    v = of_unknown(old, v);
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
        const gr_value *v = gri_items(right)->at[i];
        uint32_t count = gri_items(left)->count;
        size_t at = count <= PARTS_MAX ? find_part(left, v) : SIZE_MAX;

        if (at == SIZE_MAX && count >= PARTS_MAX && is_part(v)) {
            gr_value_unref(left);
            left = gri_broken(GRI_BROKEN_PARTS);
            break;
        }
        left =
            at == SIZE_MAX ? gr_append(left, gr_value_ref(v)) : add_part(left, at, gr_value_ref(v));
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
