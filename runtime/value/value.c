/* SPDX-License-Identifier: Apache-2.0 */
/* value.c - scalars, counting references, and reading. The other kinds have files of their own. */
#include "runtime/value/value.h"

#include <math.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

#define INT_TAGGED_MAX (INT64_MAX / 2)
#define INT_TAGGED_MIN (INT64_MIN / 2)

static gr_value nil_node = { .refs = GRI_PINNED, .type = GR_NIL };
static gr_value bool_nodes[2] = {
    { .refs = GRI_PINNED, .type = GR_BOOL, .flag = 0 },
    { .refs = GRI_PINNED, .type = GR_BOOL, .flag = 1 },
};

void *gri_value_new(gr_type type, size_t size)
{
    struct gr_value *v = gri_alloc(size);

    if (v == NULL)
        return NULL;
    atomic_init(&v->refs, 1);
    v->type = (uint8_t)type;
    v->height = 0;
    v->flag = 0;
    v->code = 0;
    return v;
}

gr_value *gri_value_why(const gr_value *v)
{
    if (v == NULL)
        return gri_broken(GRI_BROKEN_MISSING);
    return gri_is_broken(v) ? (gr_value *)(uintptr_t)v : NULL;
}

bool gri_nest(struct gr_value *head, unsigned child)
{
    if (child >= GR_DEPTH_MAX)
        return false;
    if (child + 1 > head->height)
        head->height = (uint8_t)(child + 1);
    return true;
}

/* ---- making ---------------------------------------------------------------------------------- */

gr_value *gr_nil(void)
{
    return &nil_node;
}

gr_value *gr_bool(bool b)
{
    return &bool_nodes[b ? 1 : 0];
}

static gr_value *number(gr_type type, int64_t i, double d)
{
    struct gri_number *n = gri_value_new(type, sizeof(*n));

    if (n == NULL)
        return gri_broken(GRI_BROKEN_MEMORY);
    if (type == GR_INT)
        n->u.i = i;
    else
        n->u.d = d;
    return &n->head;
}

gr_value *gr_int(int64_t i)
{
    _Static_assert(sizeof(uintptr_t) == 8, "small integers live in 64-bit pointers");
    if (i >= INT_TAGGED_MIN && i <= INT_TAGGED_MAX)
        return (gr_value *)(((uintptr_t)i << 1) | 1);
    return number(GR_INT, i, 0);
}

gr_value *gr_real(double d)
{
    return number(GR_REAL, 0, d);
}

gr_value *gr_floats(const float *x, size_t count)
{
    struct gri_floats *f;

    if (x == NULL && count != 0)
        return gri_broken(GRI_BROKEN_MISSING);
    if (count > GRI_ITEMS_MAX)
        return gri_broken(GRI_BROKEN_LARGE);
    f = gri_value_new(GR_FLOATS, sizeof(*f) + count * sizeof(float));
    if (f == NULL)
        return gri_broken(GRI_BROKEN_MEMORY);
    f->count = (uint32_t)count;
    if (count != 0)
        memcpy(f->at, x, count * sizeof(float));
    return &f->head;
}

gr_value *gr_ref_value(gr_ref ref)
{
    struct gri_refv *r = gri_value_new(GR_REFV, sizeof(*r));

    if (r == NULL)
        return gri_broken(GRI_BROKEN_MEMORY);
    r->ref = ref;
    return &r->head;
}

gr_value *gr_opaque(void *p, void (*drop)(void *p))
{
    struct gri_opaque *o = gri_value_new(GR_OPAQUE, sizeof(*o));

    if (o == NULL) { /* the last reference has gone before there was one */
        if (drop != NULL)
            drop(p);
        return gri_broken(GRI_BROKEN_MEMORY);
    }
    o->p = p;
    o->drop = drop;
    return &o->head;
}

/* ---- keeping --------------------------------------------------------------------------------- */

gr_value *gr_value_ref(const gr_value *v)
{
    gr_value *mine = (gr_value *)(uintptr_t)v;

    if (v == NULL || gri_is_tagged(v))
        return mine;
    if (atomic_load_explicit(&mine->refs, memory_order_relaxed) >= GRI_PINNED)
        return mine;
    /* relaxed: the caller has a reference already, so the node can't go meanwhile */
    atomic_fetch_add_explicit(&mine->refs, 1, memory_order_relaxed);
    return mine;
}

/* Children are at least one lower than their parent, so this goes at most GR_DEPTH_MAX deep. */
static void value_free(gr_value *v)
{
    switch ((gr_type)v->type) {
    case GR_LIST:
        for (uint32_t i = 0; i < gri_items(v)->count; i++)
            gr_value_unref(gri_items(v)->at[i]);
        break;
    case GR_MAP:
        for (uint32_t i = 0; i < gri_pairs(v)->count; i++) {
            gr_value_unref(gri_pairs(v)->at[i].key);
            gr_value_unref(gri_pairs(v)->at[i].value);
        }
        break;
    case GR_ERROR: gri_error_free(v); break;
    case GR_OPAQUE: {
        struct gri_opaque *o = (struct gri_opaque *)(void *)v;

        if (o->drop != NULL)
            o->drop(o->p);
        break;
    }
    default: break;
    }
    gri_free(v);
}

void gr_value_unref(gr_value *v)
{
    uint32_t before;

    if (v == NULL || gri_is_tagged(v))
        return;
    before = atomic_load_explicit(&v->refs, memory_order_acquire);
    if (before >= GRI_PINNED)
        return;
    gri_assert(before != 0);
    if (before == 1) { /* nobody else holds it, so nobody else can take a reference */
        value_free(v);
        return;
    }
    /* release: what we read is done; acquire: who frees sees that everybody's is done */
    if (atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) == 1)
        value_free(v);
}

/* ---- reading --------------------------------------------------------------------------------- */

gr_type gr_value_type(const gr_value *v)
{
    if (v == NULL)
        return GR_NIL;
    return gri_is_tagged(v) ? GR_INT : (gr_type)v->type;
}

const char *gr_type_name(gr_type type)
{
    static const char *const names[] = { "nil",  "bool", "int",    "real", "string", "binary",
                                         "list", "map",  "floats", "ref",  "error",  "opaque" };

    return (unsigned)type < sizeof(names) / sizeof(names[0]) ? names[type] : "?";
}

bool gr_is_nil(const gr_value *v)
{
    return gr_value_type(v) == GR_NIL;
}

const gr_value *gr_get(const gr_value *map, const char *key)
{
    size_t at;

    if (key == NULL)
        return NULL;
    if (gri_is_node(map, GR_ERROR))
        return gri_error_get(map, key);
    if (!gri_is_node(map, GR_MAP))
        return NULL;
    at = gri_pairs_find(map, key, strlen(key));
    return at == SIZE_MAX ? NULL : gri_pairs(map)->at[at].value;
}

const gr_value *gr_at(const gr_value *list, size_t index)
{
    if (!gri_is_node(list, GR_LIST) || index >= gri_items(list)->count)
        return NULL;
    return gri_items(list)->at[index];
}

size_t gr_len(const gr_value *v)
{
    switch (gr_value_type(v)) {
    case GR_STR:
    case GR_BIN: return gri_text(v)->len;
    case GR_LIST: return gri_items(v)->count;
    case GR_MAP: return gri_pairs(v)->count;
    case GR_FLOATS: return ((const struct gri_floats *)(const void *)v)->count;
    default: return 0;
    }
}

const gr_value *gr_pair_at(const gr_value *map, size_t index, const char **ret_key)
{
    if (!gri_is_node(map, GR_MAP) || index >= gri_pairs(map)->count)
        return NULL;
    if (ret_key != NULL)
        *ret_key = gri_text(gri_pairs(map)->at[index].key)->data;
    return gri_pairs(map)->at[index].value;
}

const char *gr_cstr(const gr_value *v, const char *otherwise)
{
    return gri_is_node(v, GR_STR) ? gri_text(v)->data : otherwise;
}

static double real_of(const gr_value *v)
{
    return ((const struct gri_number *)(const void *)v)->u.d;
}

int64_t gr_as_int(const gr_value *v, int64_t otherwise)
{
    double d;

    if (gri_is_tagged(v))
        return (int64_t)(intptr_t)v >> 1;
    if (gri_is_node(v, GR_INT))
        return ((const struct gri_number *)(const void *)v)->u.i;
    if (!gri_is_node(v, GR_REAL))
        return otherwise;
    d = real_of(v);
    /* 2^63 itself is a double, INT64_MAX is not */
    if (!(d >= -9223372036854775808.0 && d < 9223372036854775808.0) || trunc(d) != d)
        return otherwise;
    return (int64_t)d;
}

double gr_as_real(const gr_value *v, double otherwise)
{
    if (gri_is_node(v, GR_REAL))
        return real_of(v);
    if (gr_value_type(v) == GR_INT)
        return (double)gr_as_int(v, 0);
    return otherwise;
}

bool gr_as_bool(const gr_value *v, bool otherwise)
{
    return gri_is_node(v, GR_BOOL) ? v->flag != 0 : otherwise;
}

const void *gr_as_bin(const gr_value *v, size_t *ret_size)
{
    if (!gri_is_node(v, GR_BIN))
        return NULL;
    if (ret_size != NULL)
        *ret_size = gri_text(v)->len;
    return gri_text(v)->data;
}

const float *gr_as_floats(const gr_value *v, size_t *ret_count)
{
    const struct gri_floats *f = (const struct gri_floats *)(const void *)v;

    if (!gri_is_node(v, GR_FLOATS))
        return NULL;
    if (ret_count != NULL)
        *ret_count = f->count;
    return f->at;
}

gr_ref gr_as_ref(const gr_value *v)
{
    if (!gri_is_node(v, GR_REFV))
        return (gr_ref){ 0, 0 };
    return ((const struct gri_refv *)(const void *)v)->ref;
}

void *gr_as_opaque(const gr_value *v)
{
    return gri_is_node(v, GR_OPAQUE) ? ((const struct gri_opaque *)(const void *)v)->p : NULL;
}
