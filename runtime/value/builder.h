/* SPDX-License-Identifier: Apache-2.0 */
/*
 * builder.h - how a decoder makes values out of an input: bottom up, on a stack, within limits.
 *
 * A decoder pushes values as it meets them; opening a container marks where its children begin,
 * closing it turns them into one value of exactly their size. Nothing is allocated for what an
 * input merely announces. After a failure `problem` says what it was; gri_builder_fini releases
 * whatever is there, at any point.
 */
#ifndef GR_RUNTIME_VALUE_BUILDER_H
#define GR_RUNTIME_VALUE_BUILDER_H

#include <greenroom/codec.h>

#include "runtime/value/value.h"

#define GRI_BUILDER_INLINE 48
#define GRI_BUILDER_KEYS 32 /* a power of two */

struct gri_frame {
    size_t base;  /* where the children begin on the stack; in a map keys and values take turns */
    size_t wants; /* children announced, 0 if not known */
    bool map;
};

struct gri_builder {
    gr_value **at; /* the stack, counted: fixed, or owned once it has grown */
    size_t count, cap;
    size_t values_left; /* how many more values the limit allows */
    unsigned depth, depth_max;
    gr_code problem; /* GR_OK until something failed */
    const char *problem_text;
    struct gri_frame frames[GR_DEPTH_MAX];
    gr_value *fixed[GRI_BUILDER_INLINE];
    gr_value
        *keys[GRI_BUILDER_KEYS]; /* counted: keys seen lately, shared by the maps of one input */
};

/* gri_decode_opts fills in the defaults; opts may be NULL, or an older and shorter struct. */
gr_decode_opts gri_decode_opts(const gr_decode_opts *opts);

void gri_builder_init(struct gri_builder *b, const gr_decode_opts *opts);
void gri_builder_fini(struct gri_builder *b);
bool gri_builder_fail(struct gri_builder *b, gr_code code, const char *text); /* always false */
bool gri_builder_push(struct gri_builder *b, gr_value *v); /* takes v; false if it is broken */
bool gri_builder_push_key(struct gri_builder *b, gr_value *key);
bool gri_builder_open(struct gri_builder *b, bool map, size_t wants);
/* gri_builder_close ends the innermost container; a dangling key is left out. */
bool gri_builder_close(struct gri_builder *b, bool *ret_twice);
/* gri_builder_key returns a string node for a key, which must be UTF-8; may be broken. */
gr_value *gri_builder_key(struct gri_builder *b, const char *data, size_t len);
/* gri_builder_take returns the one value that was built; NULL if there is none. */
gr_value *gri_builder_take(struct gri_builder *b);

/* gri_builder_frame returns the innermost open container; NULL if there is none. */
static inline const struct gri_frame *gri_builder_frame(const struct gri_builder *b)
{
    return b->depth != 0 ? &b->frames[b->depth - 1] : NULL;
}

/* gri_builder_wants_key tells whether the next child of the innermost container is a key. */
static inline bool gri_builder_wants_key(const struct gri_builder *b)
{
    const struct gri_frame *f = gri_builder_frame(b);

    return f != NULL && f->map && ((b->count - f->base) & 1) == 0;
}

#endif
