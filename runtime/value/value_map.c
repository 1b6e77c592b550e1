/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value_map.c - maps: one node with its pairs inline, in insertion order, and behind them, for more
 * than GRI_MAP_SCAN_MAX pairs, a hash table of positions.
 *
 * Keys are string nodes of their own, so that a map with one more key shares all the others with
 * the map it came from and copies only the array of pairs.
 */
#include "runtime/value/value.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/map.h"
#include "runtime/value/known.h"

static struct gri_pairs *pairs_of(gr_value *v)
{
    return (struct gri_pairs *)(void *)v;
}

/* ---- the table ------------------------------------------------------------------------------- */

static size_t size_for(size_t cap)
{
    size_t size = sizeof(struct gri_pairs) + cap * sizeof(struct gri_pair);

    return cap > GRI_MAP_SCAN_MAX ? size + cap * 2 * sizeof(uint32_t) : size;
}

static uint32_t *table_of(const struct gri_pairs *m)
{
    return (uint32_t *)(uintptr_t)(m->at + m->cap);
}

/* The address of something in the library seeds the hash: a peer that picks keys doesn't know it,
 * and no order that anybody sees depends on it. */
static size_t home_of(const struct gri_pairs *m, const char *key, size_t len)
{
    static const char seed;

    return (size_t)gri_hash_bytes(key, len, (uint64_t)(uintptr_t)&seed) & ((size_t)m->cap * 2 - 1);
}

/* find_slot returns the slot that points to the key, or the free one where it belongs. */
static uint32_t *find_slot(const struct gri_pairs *m, const char *key, size_t len)
{
    uint32_t *table = table_of(m);
    size_t mask = (size_t)m->cap * 2 - 1;

    for (size_t i = home_of(m, key, len);; i = (i + 1) & mask)
        if (table[i] == 0 || gri_text_equal(m->at[table[i] - 1].key, key, len))
            return &table[i];
}

/* index_all enters all pairs anew. They are known to be different. */
static void index_all(struct gri_pairs *m)
{
    if (m->cap <= GRI_MAP_SCAN_MAX)
        return;
    memset(table_of(m), 0, (size_t)m->cap * 2 * sizeof(uint32_t));
    for (uint32_t i = 0; i < m->count; i++) {
        const struct gri_text *key = gri_text(m->at[i].key);

        *find_slot(m, key->data, key->len) = i + 1;
    }
}

static size_t find(const struct gri_pairs *m, const char *key, size_t len)
{
    if (m->cap > GRI_MAP_SCAN_MAX) {
        uint32_t at = *find_slot(m, key, len);

        return at != 0 ? at - 1 : SIZE_MAX;
    }
    for (uint32_t i = 0; i < m->count; i++)
        if (gri_text_equal(m->at[i].key, key, len))
            return i;
    return SIZE_MAX;
}

size_t gri_pairs_find(const gr_value *map, const char *key, size_t len)
{
    return find(gri_pairs(map), key, len);
}

/* ---- making ---------------------------------------------------------------------------------- */

/* cap_for rounds what needs a table up to a power of two. */
static size_t cap_for(size_t count)
{
    size_t cap = GRI_MAP_SCAN_MAX;

    if (count <= GRI_MAP_SCAN_MAX)
        return count;
    while (cap < count)
        cap *= 2;
    return cap;
}

static gr_value *map_new(size_t count)
{
    size_t cap = cap_for(count);
    struct gri_pairs *m;

    if (count > GRI_ITEMS_MAX)
        return gri_broken(GRI_BROKEN_LARGE);
    m = gri_value_new(GR_MAP, size_for(cap));
    if (m == NULL)
        return gri_broken(GRI_BROKEN_MEMORY);
    m->head.height = 1;
    m->count = 0;
    m->cap = (uint32_t)cap;
    if (cap > GRI_MAP_SCAN_MAX)
        memset(table_of(m), 0, cap * 2 * sizeof(uint32_t));
    return &m->head;
}

/* settle_height recomputes the height after a child of height `gone` was replaced or removed. */
static void settle_height(struct gri_pairs *m, unsigned gone)
{
    if (gone + 1 < m->head.height)
        return;
    m->head.height = 1;
    for (uint32_t i = 0; i < m->count; i++)
        (void)gri_nest(&m->head, gri_height(m->at[i].value));
}

/* replace puts v, which is sound and not too high, in the place of another value. */
static void replace(struct gri_pairs *m, size_t index, gr_value *v)
{
    unsigned gone = gri_height(m->at[index].value);

    gr_value_unref(m->at[index].value);
    m->at[index].value = v;
    if (gri_nest(&m->head, gri_height(v)) && gri_height(v) < gone)
        settle_height(m, gone);
}

/* why_not returns what a map of key and v is broken by, NULL for nothing. */
static gr_value *why_not(const gr_value *key, const gr_value *v)
{
    gr_value *why = gri_value_why(key);

    if (why == NULL)
        why = gri_value_why(v);
    if (why == NULL && gri_height(v) >= GR_DEPTH_MAX)
        why = gri_broken(GRI_BROKEN_DEEP);
    return why;
}

/* put_new adds or replaces in a map that has room; key and v, known to be sound, are taken. Returns
 * whether the key was there. */
static bool put_new(struct gri_pairs *m, gr_value *key, gr_value *v)
{
    const struct gri_text *t = gri_text(key);
    uint32_t *slot = m->cap > GRI_MAP_SCAN_MAX ? find_slot(m, t->data, t->len) : NULL;
    size_t at = slot == NULL ? find(m, t->data, t->len) : *slot != 0 ? *slot - 1 : SIZE_MAX;

    if (at != SIZE_MAX) {
        replace(m, at, v);
        gr_value_unref(key);
        return true;
    }
    gri_assert(m->count < m->cap);
    (void)gri_nest(&m->head, gri_height(v));
    m->at[m->count++] = (struct gri_pair){ key, v };
    if (slot != NULL)
        *slot = m->count;
    return false;
}

gr_value *gri_pairs_from(const struct gri_pair *pairs, size_t count, bool *ret_twice)
{
    gr_value *map = map_new(count);
    gr_value *why = gri_is_broken(map) ? map : NULL;
    bool twice = false;

    for (size_t i = 0; i < count && why == NULL; i++)
        why = why_not(pairs[i].key, pairs[i].value);
    for (size_t i = 0; i < count; i++) {
        if (why == NULL) {
            twice |= put_new(pairs_of(map), pairs[i].key, pairs[i].value);
        } else {
            gr_value_unref(pairs[i].key);
            gr_value_unref(pairs[i].value);
        }
    }
    if (why != NULL) {
        gr_value_unref(map);
        return why;
    }
    if (ret_twice != NULL)
        *ret_twice = twice;
    return map;
}

static gr_value *key_of(const char *key)
{
    return gri_key(key, key != NULL ? strlen(key) : 0);
}

gr_value *gr_map_n(const gr_kv *pairs, size_t count)
{
    gr_value *map;
    gr_value *why;

    if (pairs == NULL && count != 0)
        return gri_broken(GRI_BROKEN_MISSING);
    map = map_new(count);
    why = gri_is_broken(map) ? map : NULL;
    for (size_t i = 0; i < count; i++) {
        gr_value *key = why == NULL ? key_of(pairs[i].key) : NULL;

        if (why == NULL)
            why = why_not(key, pairs[i].value);
        if (why == NULL) {
            put_new(pairs_of(map), key, pairs[i].value);
        } else {
            gr_value_unref(key);
            gr_value_unref(pairs[i].value);
        }
    }
    if (why != NULL) {
        gr_value_unref(map);
        return why;
    }
    return map;
}

/* ---- changing what one holds alone ----------------------------------------------------------- */

static gr_value *copy_with_room(const gr_value *map, size_t count)
{
    const struct gri_pairs *from = gri_pairs(map);
    gr_value *copy = map_new(count);
    struct gri_pairs *m = pairs_of(copy);

    if (gri_is_broken(copy))
        return copy;
    copy->height = map->height;
    for (uint32_t i = 0; i < from->count; i++)
        m->at[i] =
            (struct gri_pair){ gr_value_ref(from->at[i].key), gr_value_ref(from->at[i].value) };
    m->count = from->count;
    if (m->cap == from->cap && m->cap > GRI_MAP_SCAN_MAX)
        memcpy(table_of(m), table_of(from), (size_t)m->cap * 2 * sizeof(uint32_t));
    else
        index_all(m);
    return copy;
}

gr_value *gri_pairs_only(gr_value *map, size_t more)
{
    size_t need = (size_t)gri_pairs(map)->count + more;
    size_t cap = cap_for(need < 4 && more != 0 ? 4 : need);
    gr_value *bigger;

    if (gri_value_is_only(map)) {
        if (need <= gri_pairs(map)->cap)
            return map;
        if (need <= GRI_MAP_SCAN_MAX && cap < (size_t)gri_pairs(map)->cap * 2)
            cap = GRI_MAP_SCAN_MAX;
        bigger = need > GRI_ITEMS_MAX ? NULL : gri_resize(map, size_for(cap));
        if (bigger != NULL) {
            pairs_of(bigger)->cap = (uint32_t)cap;
            index_all(pairs_of(bigger));
            return bigger;
        }
        bigger = gri_broken(need > GRI_ITEMS_MAX ? GRI_BROKEN_LARGE : GRI_BROKEN_MEMORY);
    } else {
        bigger = copy_with_room(map, need);
    }
    gr_value_unref(map);
    return bigger;
}

bool gri_pairs_put(gr_value *map, size_t index, gr_value *v, gr_value **ret_why)
{
    gr_value *why = why_not(gri_pairs(map)->at[index].key, v);

    gri_assert(index < gri_pairs(map)->count);
    replace(pairs_of(map), index, why == NULL ? v : gr_nil());
    if (why == NULL)
        return true;
    gr_value_unref(v);
    *ret_why = why;
    return false;
}

/* map_problem returns what keeps a value from being used as a map; NULL for nothing. */
static gr_value *map_problem(const gr_value *map)
{
    gr_value *why = gri_value_why(map);

    if (why == NULL && !gri_is_node(map, GR_MAP))
        why = gri_broken(GRI_BROKEN_TYPE);
    return why;
}

gr_value *gri_pairs_add(gr_value *map, gr_value *key, gr_value *v)
{
    gr_value *why = map_problem(map);
    size_t at;

    if (why == NULL)
        why = why_not(key, v);
    if (why == NULL) {
        at = gri_pairs_find(map, gri_text(key)->data, gri_text(key)->len);
        map = gri_pairs_only(map, at == SIZE_MAX ? 1 : 0);
        if (gri_is_broken(map))
            why = map;
    }
    if (why != NULL) {
        gr_value_unref(map);
        gr_value_unref(key);
        gr_value_unref(v);
        return why;
    }
    put_new(pairs_of(map), key, v);
    return map;
}

/* key_node returns a node for key: the map's own if it has one; then replacing allocates none. */
static gr_value *key_node(const gr_value *map, const char *key)
{
    size_t at = SIZE_MAX;

    if (key == NULL)
        return gri_broken(GRI_BROKEN_MISSING);
    if (gri_is_node(map, GR_MAP))
        at = gri_pairs_find(map, key, strlen(key));
    return at != SIZE_MAX ? gr_value_ref(gri_pairs(map)->at[at].key) : key_of(key);
}

gr_value *gr_set(gr_value *map, const char *key, gr_value *v)
{
    return gri_pairs_add(map, key_node(map, key), v);
}

gr_value *gr_without(gr_value *map, const char *key)
{
    gr_value *why = map_problem(map);
    struct gri_pairs *m;
    size_t at;

    if (why == NULL && key == NULL)
        why = gri_broken(GRI_BROKEN_MISSING);
    if (why != NULL) {
        gr_value_unref(map);
        return why;
    }
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): gri_broken never gives NULL */
    at = gri_pairs_find(map, key, strlen(key));
    if (at == SIZE_MAX)
        return map;
    map = gri_pairs_only(map, 0);
    if (gri_is_broken(map))
        return map;
    m = pairs_of(map);
    replace(m, at, gr_nil());
    gr_value_unref(m->at[at].key);
    memmove(&m->at[at], &m->at[at + 1], (m->count - at - 1) * sizeof(m->at[0]));
    m->count--;
    index_all(m);
    return map;
}

gr_value *gr_merge(gr_value *base, gr_value *over)
{
    gr_value *why;

    if (base != NULL && gr_is_nil(base))
        base = map_new(0);
    if (over != NULL && gr_is_nil(over))
        over = map_new(0);
    why = map_problem(base);
    if (why == NULL)
        why = map_problem(over);
    if (why != NULL) {
        gr_value_unref(base);
        gr_value_unref(over);
        return why;
    }
    if (gri_pairs(base)->count == 0) {
        gr_value_unref(base);
        return over;
    }
    for (uint32_t i = 0; i < gri_pairs(over)->count; i++) {
        const struct gri_pair *p = &gri_pairs(over)->at[i];

        base = gri_pairs_add(base, gr_value_ref(p->key), gr_value_ref(p->value));
    }
    gr_value_unref(over);
    return base;
}
