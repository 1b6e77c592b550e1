/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/value/builder.h"

#include "runtime/value/known.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

#define BYTES_MAX_DEFAULT ((size_t)64 << 20)
#define COUNT_MAX_DEFAULT ((size_t)4 << 20)

gr_decode_opts gri_decode_opts(const gr_decode_opts *opts)
{
    gr_decode_opts o = { .size = sizeof(o) };

    if (opts != NULL)
        memcpy(&o, opts, opts->size < sizeof(o) ? opts->size : sizeof(o));
    if (o.depth_max == 0 || o.depth_max > GR_DEPTH_MAX)
        o.depth_max = GR_DEPTH_MAX;
    if (o.bytes_max == 0)
        o.bytes_max = BYTES_MAX_DEFAULT;
    if (o.count_max == 0)
        o.count_max = COUNT_MAX_DEFAULT;
    return o;
}

void gri_builder_init(struct gri_builder *b, const gr_decode_opts *opts)
{
    b->at = b->fixed;
    b->count = 0;
    b->cap = GRI_BUILDER_INLINE;
    b->values_left = opts->count_max;
    b->depth = 0;
    b->depth_max = opts->depth_max;
    b->problem = GR_OK;
    b->problem_text = "";
    memset(b->keys, 0, sizeof(b->keys));
}

/* ref_private counts without an atomic addition: what is still being built no other thread has. */
static gr_value *ref_private(gr_value *key)
{
    uint32_t refs = atomic_load_explicit(&key->refs, memory_order_relaxed);

    atomic_store_explicit(&key->refs, refs + 1, memory_order_relaxed);
    return key;
}

/* forget_key is the counterpart; the value that is handed out afterwards isn't shared yet. */
static void forget_key(gr_value *key)
{
    uint32_t refs = key != NULL ? atomic_load_explicit(&key->refs, memory_order_relaxed) : 0;

    if (refs > 1)
        atomic_store_explicit(&key->refs, refs - 1, memory_order_relaxed);
    else
        gr_value_unref(key);
}

void gri_builder_fini(struct gri_builder *b)
{
    for (size_t i = 0; i < b->count; i++)
        gr_value_unref(b->at[i]);
    for (size_t i = 0; i < GRI_BUILDER_KEYS; i++)
        forget_key(b->keys[i]);
    if (b->at != b->fixed)
        gri_free(b->at);
    b->at = b->fixed;
    b->count = 0;
}

bool gri_builder_fail(struct gri_builder *b, gr_code code, const char *text)
{
    b->problem = code;
    b->problem_text = text;
    return false;
}

static bool grow(struct gri_builder *b)
{
    size_t cap = b->cap * 2;
    gr_value **at = gri_resize(b->at != b->fixed ? b->at : NULL, cap * sizeof(gr_value *));

    if (at == NULL)
        return gri_builder_fail(b, GR_ENOMEM, "out of memory");
    if (b->at == b->fixed)
        memcpy(at, b->fixed, b->count * sizeof(gr_value *));
    b->at = at;
    b->cap = cap;
    return true;
}

bool gri_builder_push_key(struct gri_builder *b, gr_value *v)
{
    if (gri_is_broken(v)) /* too deep and too large are limits too, whatever their code */
        return gri_builder_fail(b, GR_ENOMEM, gr_error_text(v));
    if (b->count == b->cap && !grow(b)) {
        gr_value_unref(v);
        return false;
    }
    b->at[b->count++] = v;
    return true;
}

bool gri_builder_push(struct gri_builder *b, gr_value *v)
{
    if (b->values_left == 0) {
        gr_value_unref(v);
        return gri_builder_fail(b, GR_ENOMEM, "more values than the limit allows");
    }
    b->values_left--;
    return gri_builder_push_key(b, v);
}

bool gri_builder_open(struct gri_builder *b, bool map, size_t wants)
{
    if (b->depth >= b->depth_max)
        return gri_builder_fail(b, GR_ENOMEM, "nested deeper than the limit allows");
    b->frames[b->depth++] = (struct gri_frame){ .base = b->count, .wants = wants, .map = map };
    return true;
}

bool gri_builder_close(struct gri_builder *b, bool *ret_twice)
{
    struct gri_frame f;
    size_t children;
    gr_value *v;

    gri_assert(b->depth != 0);
    f = b->frames[--b->depth];
    children = b->count - f.base;
    if (f.map && (children & 1) != 0) {
        gr_value_unref(b->at[--b->count]);
        children--;
    }
    b->count = f.base; /* the children are taken, whatever comes of it */
    if (f.map) {
        _Static_assert(sizeof(struct gri_pair) == 2 * sizeof(gr_value *),
                       "keys and values in turn");
        v = gri_pairs_from((const struct gri_pair *)(void *)(b->at + f.base), children / 2,
                           ret_twice);
    } else {
        v = gr_list_n(b->at + f.base, children);
    }
    return gri_builder_push(b, v);
}

gr_value *gri_builder_key(struct gri_builder *b, const char *data, size_t len)
{
    unsigned char first = len != 0 ? (unsigned char)data[0] : 0;
    unsigned char last = len != 0 ? (unsigned char)data[len - 1] : 0;
    size_t slot = (first * 7u + last * 3u + len) & (GRI_BUILDER_KEYS - 1);
    gr_value *key = b->keys[slot];

    if (key != NULL && gri_text_equal(key, data, len))
        return ref_private(key);
    key = gri_known_text(data, len);
    if (key != NULL)
        return key;
    key = gri_text_copy(GR_STR, data, len);
    if (!gri_is_broken(key)) {
        forget_key(b->keys[slot]);
        b->keys[slot] = ref_private(key);
    }
    return key;
}

gr_value *gri_builder_take(struct gri_builder *b)
{
    if (b->depth != 0 || b->count != 1)
        return NULL;
    return b->at[--b->count];
}
