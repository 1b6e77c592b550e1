/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value.h - the nodes behind gr_value, for the files of runtime/value only. The layers above use no
 * more of it than gri_is_broken, gri_broken and gri_value_why.
 *
 * A gr_value pointer is one of two things: an integer of up to 63 bits, shifted left by one with
 * bit 0 set, or the address of a node. A node begins with the eight bytes of struct gr_value and
 * is one allocation, contents included. Nodes never change once a second reference exists; whoever
 * holds the only one (gri_value_is_only) may change or move it, and that is what makes building a
 * map key by key, or a text chunk by chunk, cheap.
 *
 * Pinned nodes (nil, true, false, the broken values, the names of codes and fields) are static and
 * never counted. A count that would overflow pins its node too: a leak, never a use after free.
 */
#ifndef GR_RUNTIME_VALUE_VALUE_H
#define GR_RUNTIME_VALUE_VALUE_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <greenroom/value.h>

#define GRI_PINNED UINT32_C(0x80000000)
#define GRI_BYTES_MAX (UINT32_C(1) << 30) /* longest string or binary */
#define GRI_ITEMS_MAX (UINT32_C(1) << 27) /* most elements of a list, a map or floats */
#define GRI_MAP_SCAN_MAX 8u               /* maps up to here are searched from front to back */

struct gr_value {
    _Atomic uint32_t refs; /* GRI_PINNED and above: never counted, never freed */
    uint8_t type;          /* gr_type */
    uint8_t height;        /* 0 for scalars, else 1 + the highest child's */
    uint8_t flag;          /* bool: its value; error: 1 if broken */
    uint8_t code;          /* error: gr_code */
};

struct gri_text { /* GR_STR, GR_BIN */
    struct gr_value head;
    uint32_t len, cap; /* bytes, without the NUL that follows; bytes there is room for */
    char data[];
};

struct gri_number { /* GR_REAL, and GR_INT of 64 bits */
    struct gr_value head;
    union {
        int64_t i;
        double d;
    } u;
};

struct gri_items { /* GR_LIST */
    struct gr_value head;
    uint32_t count, cap;
    gr_value *at[]; /* counted */
};

struct gri_pair {
    gr_value *key;   /* counted; a GR_STR node, never NULL */
    gr_value *value; /* counted */
};

/* With a cap over GRI_MAP_SCAN_MAX (a power of two then) 2 * cap uint32_t follow the pairs: a hash
 * table of positions + 1, 0 for an empty slot. */
struct gri_pairs { /* GR_MAP */
    struct gr_value head;
    uint32_t count, cap;
    struct gri_pair at[];
};

struct gri_floats { /* GR_FLOATS */
    struct gr_value head;
    uint32_t count;
    float at[];
};

struct gri_refv { /* GR_REFV */
    struct gr_value head;
    gr_ref ref;
};

struct gri_opaque { /* GR_OPAQUE */
    struct gr_value head;
    void *p;
    void (*drop)(void *p);
};

enum gri_field {
    GRI_FIELD_KIND,
    GRI_FIELD_TEXT,
    GRI_FIELD_WHERE,
    GRI_FIELD_STATUS,
    GRI_FIELD_RETRY_AFTER_MS,
    GRI_FIELD_DETAIL,
    GRI_FIELD_CAUSE,
    GRI_FIELD_COUNT
};

struct gri_error { /* GR_ERROR */
    struct gr_value head;
    gr_value *field[GRI_FIELD_COUNT]; /* counted; NULL: not set */
};

/* What a broken value is broken by. */
enum gri_broken {
    GRI_BROKEN_MEMORY,
    GRI_BROKEN_UTF8,
    GRI_BROKEN_DEEP,
    GRI_BROKEN_LARGE,
    GRI_BROKEN_MISSING,
    GRI_BROKEN_TYPE,
    GRI_BROKEN_PARTS,
    GRI_BROKEN_COUNT
};

/* ---- looking, value.c ------------------------------------------------------------------------ */

static inline bool gri_is_tagged(const gr_value *v)
{
    return ((uintptr_t)v & 1) != 0;
}

/* gri_is_node: v is there, is no tagged integer, and is of this type. */
static inline bool gri_is_node(const gr_value *v, gr_type type)
{
    return v != NULL && !gri_is_tagged(v) && v->type == (uint8_t)type;
}

static inline unsigned gri_height(const gr_value *v)
{
    return v == NULL || gri_is_tagged(v) ? 0 : v->height;
}

static inline bool gri_is_broken(const gr_value *v)
{
    return gri_is_node(v, GR_ERROR) && v->flag != 0;
}

/* gri_value_is_only: the caller's is the only reference, so it may change the node. */
static inline bool gri_value_is_only(const gr_value *v)
{
    /* acquire: pairs with the release of whoever dropped the other references */
    return atomic_load_explicit(&v->refs, memory_order_acquire) == 1;
}

gr_value *gri_broken(enum gri_broken why);
/* gri_wait_error returns the error of a wait that failed by itself, not by what it waited for:
 * GR_ENOMEM, GR_EFULL, GR_EINTR, GR_EDEADLK; NULL for other codes. Pinned: it needs no memory. */
const gr_value *gri_wait_error(gr_code code);
/* gri_value_new makes a node of size bytes with its head filled; NULL when out of memory. */
void *gri_value_new(gr_type type, size_t size);
/* gri_value_why returns the broken value that stands for v in a container: v itself if broken, "no
 * value" for NULL; NULL if v is sound. Borrowed: broken values are pinned. */
gr_value *gri_value_why(const gr_value *v);
/* gri_nest computes the height of a container over a child of height `child`; false: too deep. */
bool gri_nest(struct gr_value *head, unsigned child);

/* ---- texts, value_text.c --------------------------------------------------------------------- */

static inline const struct gri_text *gri_text(const gr_value *v)
{
    return (const struct gri_text *)(const void *)v;
}

static inline bool gri_text_equal(const gr_value *key, const char *data, size_t len)
{
    const struct gri_text *t = gri_text(key);

    return t->len == len && (len == 0 || __builtin_memcmp(t->data, data, len) == 0);
}

/* gri_text_new makes a string or binary with len bytes of room, to be filled and cut by the caller;
 * a broken value on failure. gri_text_copy copies without looking at the encoding. */
gr_value *gri_text_new(gr_type type, size_t len);
gr_value *gri_text_copy(gr_type type, const void *data, size_t len);
/* gri_text_add returns left with more behind it; both taken, both of the same kind. */
gr_value *gri_text_add(gr_value *left, gr_value *more);
/* gri_text_vf formats; bytes that are not UTF-8 become '?' when mend is set, else break it. */
gr_value *gri_text_vf(bool mend, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* ---- lists, value_list.c; maps, value_map.c -------------------------------------------------- */

static inline const struct gri_items *gri_items(const gr_value *v)
{
    return (const struct gri_items *)(const void *)v;
}

static inline const struct gri_pairs *gri_pairs(const gr_value *v)
{
    return (const struct gri_pairs *)(const void *)v;
}

/* gri_items_concat appends all of more; both taken, both lists. */
gr_value *gri_items_concat(gr_value *left, gr_value *more);
/* gri_items_only returns the list as one that the caller alone holds, with room for `more` further
 * elements; taken; a broken value on failure. */
gr_value *gri_items_only(gr_value *list, size_t more);
/* gri_items_put replaces the element at index of a list held alone and takes v. False: v can't be
 * in a list, *ret_why says so; the list then still is whole, with nil at index. */
bool gri_items_put(gr_value *list, size_t index, gr_value *v, gr_value **ret_why);

/*
 * gri_pairs_from makes a map of pairs whose keys are strings, all taken. Of a key given twice the
 * last value wins, in first place; with ret_twice that is told, too.
 */
gr_value *gri_pairs_from(const struct gri_pair *pairs, size_t count, bool *ret_twice);
/* gri_pairs_find returns the position of a key; SIZE_MAX if absent. v is a map. */
size_t gri_pairs_find(const gr_value *map, const char *key, size_t len);
/* gri_pairs_only, gri_pairs_put: as for lists. gri_pairs_add adds or replaces; key and v taken. */
gr_value *gri_pairs_only(gr_value *map, size_t more);
bool gri_pairs_put(gr_value *map, size_t index, gr_value *v, gr_value **ret_why);
gr_value *gri_pairs_add(gr_value *map, gr_value *key, gr_value *v);

/* ---- errors, value_error.c ------------------------------------------------------------------- */

static inline const struct gri_error *gri_error(const gr_value *v)
{
    return (const struct gri_error *)(const void *)v;
}

/* gri_error_new makes an error with its text, which it takes. */
gr_value *gri_error_new(gr_code code, gr_value *text);
/* gri_error_get returns a field by name, "code" and "kind" always; NULL if not set. Borrowed. */
const gr_value *gri_error_get(const gr_value *err, const char *name);
const char *gri_field_name(enum gri_field field);
/* gri_code_known tells whether the number stands for a code that this library knows. */
bool gri_code_known(int64_t code);
void gri_error_free(gr_value *err);

#endif
