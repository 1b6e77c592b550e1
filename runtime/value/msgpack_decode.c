/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msgpack_decode.c - MessagePack as values, by msgpack-c's unpack template with our callbacks.
 *
 * The template walks the bytes and knows the nesting; what it makes is kept by our builder, and its
 * own "objects" are no more than the type of what was read, so that a failure leaves nothing to
 * release in its stack. A count that an input announces is compared with the bytes there are, and
 * nothing is allocated for it.
 *
 * An error is an extension with a map inside, which is decoded by a decoder of its own; depth
 * bounds that recursion, and each level's state is on the heap.
 */
#include <endian.h>
#include <stdio.h>
#include <string.h>

#include <greenroom/codec.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/utf8.h"
#include "runtime/value/builder.h"
#include "runtime/value/msgpack_ext.h"
#include "runtime/value/msgpack_refs.h"

#define MSGPACK_EMBED_STACK_SIZE 64
#include <msgpack/unpack_define.h>

_Static_assert(MSGPACK_EMBED_STACK_SIZE >= GR_DEPTH_MAX, "the template's stack holds our depth");

/* What msgpack/unpack.h gives to its own instance of the template. */
#define MSGPACK_UNPACK_PARSE_ERROR (-1)
#define MSGPACK_UNPACK_NOMEM_ERROR (-2)

enum { FAILED = -3 }; /* what our callbacks return; the template wants it below zero */

struct input {
    const char *data; /* borrowed from the caller */
    size_t size;
    size_t offset; /* of data in the whole input, for messages */
    size_t bad_at; /* SIZE_MAX: where the template stopped */
    bool flat;     /* an error so deep inside that its fields may hold no further error */
    const struct gri_ref_map *refs; /* borrowed; NULL: they stay as they are */
    gr_decode_opts limits;
    struct gri_builder b;
};

static gr_value *decode_inside(const struct input *outer, const char *data, size_t size);

/* ---- callbacks ------------------------------------------------------------------------------- */

static int failed(struct input *in, const char *what)
{
    gri_builder_fail(&in->b, GR_EPROTO, what);
    return FAILED;
}

static int push(struct input *in, gr_value *v, gr_type *ret_type)
{
    *ret_type = gr_value_type(v);
    return gri_builder_push(&in->b, v) ? 0 : FAILED;
}

static int push_int(struct input *in, int64_t i, gr_type *ret_type)
{
    return push(in, gr_int(i), ret_type);
}

static inline gr_type on_root(struct input *in)
{
    (void)in;
    return GR_NIL;
}

static inline int on_nil(struct input *in, gr_type *o)
{
    return push(in, gr_nil(), o);
}
static inline int on_true(struct input *in, gr_type *o)
{
    return push(in, gr_bool(true), o);
}
static inline int on_false(struct input *in, gr_type *o)
{
    return push(in, gr_bool(false), o);
}
static inline int on_uint8(struct input *in, uint8_t d, gr_type *o)
{
    return push_int(in, d, o);
}
static inline int on_uint16(struct input *in, uint16_t d, gr_type *o)
{
    return push_int(in, d, o);
}
static inline int on_uint32(struct input *in, uint32_t d, gr_type *o)
{
    return push_int(in, d, o);
}
static inline int on_int8(struct input *in, int8_t d, gr_type *o)
{
    return push_int(in, d, o);
}
static inline int on_int16(struct input *in, int16_t d, gr_type *o)
{
    return push_int(in, d, o);
}
static inline int on_int32(struct input *in, int32_t d, gr_type *o)
{
    return push_int(in, d, o);
}
static inline int on_int64(struct input *in, int64_t d, gr_type *o)
{
    return push_int(in, d, o);
}
static inline int on_float(struct input *in, float d, gr_type *o)
{
    return push(in, gr_real((double)d), o);
}
static inline int on_double(struct input *in, double d, gr_type *o)
{
    return push(in, gr_real(d), o);
}

/* As in JSON, an integer over 63 bits becomes a real. */
static inline int on_uint64(struct input *in, uint64_t d, gr_type *o)
{
    return push(in, d <= INT64_MAX ? gr_int((int64_t)d) : gr_real((double)d), o);
}

/* open: each child takes a byte at least, so more of them than bytes can't come. */
static int open_container(struct input *in, bool map, size_t children, gr_type *ret_type)
{
    *ret_type = map ? GR_MAP : GR_LIST;
    if (children > in->size)
        return failed(in, "more elements announced than there are bytes");
    if (!gri_builder_open(&in->b, map, children))
        return FAILED;
    if (children == 0)
        return gri_builder_close(&in->b, NULL) ? 0 : FAILED;
    return 0;
}

static inline int on_array(struct input *in, size_t count, gr_type *ret_type)
{
    return open_container(in, false, count, ret_type);
}

static inline int on_map(struct input *in, size_t count, gr_type *ret_type)
{
    return open_container(in, true, count * 2, ret_type);
}

/* close_if_full ends the innermost container when its last child is there. */
static int close_if_full(struct input *in)
{
    const struct gri_frame *f = gri_builder_frame(&in->b);
    bool twice = false;

    gri_assert(f != NULL); /* a child has just been put into it */
    if (in->b.count - f->base < f->wants)
        return 0;
    if (!gri_builder_close(&in->b, &twice))
        return FAILED;
    return twice ? failed(in, "a key given twice") : 0;
}

static inline int on_array_item(struct input *in, const gr_type *list, gr_type item)
{
    (void)list;
    (void)item;
    return close_if_full(in);
}

static inline int on_map_item(struct input *in, const gr_type *map, gr_type key, gr_type value)
{
    (void)map;
    (void)value;
    if (key != GR_STR)
        return failed(in, "a key that is no string");
    return close_if_full(in);
}

static inline int on_str(struct input *in, const char *base, const char *p, size_t len,
                         gr_type *ret_type)
{
    (void)base;
    *ret_type = GR_STR;
    if (len == 0)
        p = "";
    if (!gri_utf8_valid(p, len)) {
        in->bad_at = (size_t)(p - in->data) + gri_utf8_valid_len(p, len);
        return failed(in, "bad UTF-8 in a string");
    }
    if (gri_builder_wants_key(&in->b))
        return gri_builder_push_key(&in->b, gri_builder_key(&in->b, p, len)) ? 0 : FAILED;
    return push(in, gri_text_copy(GR_STR, p, len), ret_type);
}

static inline int on_bin(struct input *in, const char *base, const char *p, size_t len,
                         gr_type *ret_type)
{
    (void)base;
    return push(in, gri_text_copy(GR_BIN, len != 0 ? p : "", len), ret_type);
}

/* ---- extensions ------------------------------------------------------------------------------ */

static gr_value *floats_of(const char *p, size_t size)
{
    struct gri_floats *f;
    size_t count = size / 4;

    if (count > GRI_ITEMS_MAX)
        return gri_broken(GRI_BROKEN_LARGE);
    f = gri_value_new(GR_FLOATS, sizeof(*f) + count * sizeof(float));
    if (f == NULL)
        return gri_broken(GRI_BROKEN_MEMORY);
    f->count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;

        memcpy(&bits, p + i * 4, 4);
        bits = le32toh(bits);
        memcpy(&f->at[i], &bits, 4);
    }
    return &f->head;
}

static int push_ref(struct input *in, const char *p, gr_type *ret_type)
{
    uint64_t both[2];
    gr_ref ref;
    gr_code rc;

    memcpy(both, p, sizeof(both));
    ref = (gr_ref){ .node = le64toh(both[0]), .id = le64toh(both[1]) };
    rc = in->refs != NULL ? in->refs->fn(in->refs->arg, &ref) : GR_OK;
    if (rc == GR_OK)
        return push(in, gr_ref_value(ref), ret_type);
    gri_builder_fail(&in->b, rc, "a ref that can't be taken");
    return FAILED;
}

/* error_of makes an error of its fields; a code from a newer peer is GR_EREMOTE here. NULL when the
 * fields make none. Fields that we don't know are left out. */
static gr_value *error_of(const gr_value *fields)
{
    const gr_value *code = gr_get(fields, "code");
    const gr_value *text = gr_get(fields, "text");
    int64_t number = gr_as_int(code, 0);
    gr_value *err;

    if (gr_value_type(code) != GR_INT || number == GR_OK || gr_value_type(text) != GR_STR)
        return NULL;
    err = gri_error_new(gri_code_known(number) ? (gr_code)number : GR_EREMOTE, gr_value_ref(text));
    for (int f = 0; f < GRI_FIELD_COUNT; f++) {
        const char *name = gri_field_name((enum gri_field)f);
        const gr_value *v = gr_get(fields, name);

        if (f != GRI_FIELD_TEXT && v != NULL && !gri_is_broken(err))
            err = gr_error_with(err, name, gr_value_ref(v));
    }
    return err;
}

static bool begins_map(const char *p, size_t size)
{
    unsigned char first = size != 0 ? (unsigned char)*p : 0;

    return (first & 0xf0) == 0x80 || first == 0xde || first == 0xdf;
}

static int push_error(struct input *in, const char *p, size_t size, gr_type *ret_type)
{
    gr_value *fields;
    gr_value *err;
    gr_code code;

    if (in->flat) {
        gri_builder_fail(&in->b, GR_ENOMEM, "nested deeper than the limit allows");
        return FAILED;
    }
    if (!begins_map(p, size))
        return failed(in, "an error that is no map");
    fields = decode_inside(in, p, size);
    code = gr_error_code(fields); /* of the decoding: what was decoded is a map */
    if (code != GR_OK) {
        gr_value_unref(fields);
        if (code == GR_EPROTO)
            return failed(in, "a malformed error");
        gri_builder_fail(&in->b, code, "no memory, or a limit, for an error");
        return FAILED;
    }
    err = error_of(fields);
    gr_value_unref(fields);
    return err != NULL ? push(in, err, ret_type) : failed(in, "an error without code or text");
}

/* on_ext: len counts the byte with the type; 0 is a size that overflowed in the template. */
static inline int on_ext(struct input *in, const char *base, const char *p, size_t len,
                         gr_type *ret_type)
{
    size_t size = len - 1;

    (void)base;
    if (len == 0)
        return failed(in, "an extension too large");
    gri_assert(p != NULL); /* the template's pointer to the bytes, which it sets at each of them */
    in->bad_at = (size_t)(p - in->data);
    switch ((signed char)*p++) {
    case GRI_EXT_FLOATS:
        if (size % 4 != 0)
            return failed(in, "floats of no whole number of bytes");
        in->bad_at = SIZE_MAX;
        return push(in, floats_of(p, size), ret_type);
    case GRI_EXT_REF:
        if (size != 16)
            return failed(in, "a ref that isn't 16 bytes");
        in->bad_at = SIZE_MAX;
        return push_ref(in, p, ret_type);
    case GRI_EXT_ERROR:
        if (push_error(in, p, size, ret_type) != 0)
            return FAILED;
        in->bad_at = SIZE_MAX;
        return 0;
    default: return failed(in, "an unknown extension");
    }
}

/* ---- the template ---------------------------------------------------------------------------- */

#define msgpack_unpack_struct(name) struct unpack##name
#define msgpack_unpack_func(ret, name) static inline ret unpack##name
#define msgpack_unpack_callback(name) on##name
#define msgpack_unpack_object gr_type
#define msgpack_unpack_user struct input
#include <msgpack/unpack_template.h>

static gr_value *error_at(const struct input *in, size_t at, gr_code code, const char *text)
{
    return gr_error(code, "byte %zu: %s", in->offset + (in->bad_at != SIZE_MAX ? in->bad_at : at),
                    text);
}

/* run: *ret_read, if it is not NULL, tells whether there was a value, which may be an error itself. */
static gr_value *run(struct unpack_context *ctx, bool *ret_read)
{
    struct input *in = &ctx->user;
    size_t at = 0;
    int rc = unpack_execute(ctx, in->data, in->size, &at);

    if (in->b.problem != GR_OK)
        return error_at(in, at, in->b.problem, in->b.problem_text);
    if (rc == MSGPACK_UNPACK_NOMEM_ERROR)
        return error_at(in, at, GR_ENOMEM, "nested deeper than the limit allows");
    if (rc < 0)
        return error_at(in, at, GR_EPROTO, "a byte that begins no value");
    if (rc == 0)
        return error_at(in, in->size, GR_EPROTO, "the input ends early");
    if (at != in->size)
        return error_at(in, at, GR_EPROTO, "more behind the value");
    if (ret_read != NULL)
        *ret_read = true;
    return gri_builder_take(&in->b);
}

static gr_value *decode(const struct input *start, bool *ret_read)
{
    struct unpack_context *ctx = gri_alloc(sizeof(*ctx));
    struct input *in;
    gr_value *v;

    if (ctx == NULL)
        return gri_broken(GRI_BROKEN_MEMORY);
    in = &ctx->user;
    in->data = start->data;
    in->size = start->size;
    in->offset = start->offset;
    in->bad_at = SIZE_MAX;
    in->flat = start->flat;
    in->limits = start->limits;
    in->refs = start->refs;
    gri_builder_init(&in->b, &in->limits);
    unpack_init(ctx);
    v = run(ctx, ret_read);
    gri_builder_fini(&in->b);
    gri_free(ctx);
    return v;
}

/*
 * decode_inside decodes the fields of an error. What they hold is one level below the error, as in
 * the error itself; the map around them is none. At the very bottom an error may still have its
 * plain fields, but not a further error: that bounds the recursion.
 */
static gr_value *decode_inside(const struct input *outer, const char *data, size_t size)
{
    struct input in = { .data = data, .size = size, .refs = outer->refs };

    in.offset = outer->offset + (size_t)(data - outer->data);
    in.limits = outer->limits;
    in.limits.count_max = outer->b.values_left;
    in.flat = outer->b.depth >= outer->limits.depth_max;
    in.limits.depth_max = in.flat ? 1 : outer->limits.depth_max - outer->b.depth;
    return decode(&in, NULL);
}

static uint64_t big_endian(const uint8_t *p, size_t bytes)
{
    uint64_t n = 0;

    for (size_t i = 0; i < bytes; i++)
        n = n << 8 | p[i];
    return n;
}

static gr_value *text_or_null(const uint8_t *text, size_t len)
{
    if (!gri_utf8_valid((const char *)text, len))
        return NULL;
    return gr_strn((const char *)text, len);
}

/* decode_short decodes what is all of a short scalar, which most frames hold. NULL: it is something else, or wrong. */
static gr_value *decode_short(const uint8_t *data, size_t size)
{
    if (size == 0)
        return NULL;
    if (size == 1 && (data[0] < 0x80 || data[0] >= 0xe0))
        return gr_int((int8_t)data[0]);
    if (size == 1 && data[0] == 0xc0)
        return gr_nil();
    if (size == 1 && (data[0] == 0xc2 || data[0] == 0xc3))
        return gr_bool(data[0] == 0xc3);
    if (data[0] >= 0xcc && data[0] <= 0xce && size == 1u + (1u << (data[0] - 0xcc)))
        return gr_int((int64_t)big_endian(data + 1, size - 1));
    if (data[0] >= 0xa0 && data[0] <= 0xbf && size == 1u + (data[0] & 31u))
        return text_or_null(data + 1, size - 1);
    if (data[0] == 0xd9 && size >= 2 && size == 2u + data[1])
        return text_or_null(data + 2, size - 2);
    return NULL;
}

static gr_value *decode_with(const void *data, size_t size, const gr_decode_opts *opts,
                             const struct gri_ref_map *refs, bool *ret_read)
{
    struct input in;
    gr_value *v;

    in.refs = refs;
    in.data = data != NULL ? data : "";
    in.size = size;
    in.offset = 0;
    in.flat = false;
    in.limits = gri_decode_opts(opts);
    if (data == NULL && size != 0)
        return gr_error(GR_EINVAL, "no input");
    if (size > in.limits.bytes_max)
        return gr_error(GR_ENOMEM, "%zu bytes of MessagePack, the limit is %zu", size,
                        in.limits.bytes_max);
    v = decode_short(data, size);
    return v != NULL ? v : decode(&in, ret_read);
}

gr_value *gr_msgpack_decode(const void *data, size_t size, const gr_decode_opts *opts)
{
    return decode_with(data, size, opts, NULL, NULL);
}

gr_value *gri_msgpack_read(const void *data, size_t size, const struct gri_ref_map *refs,
                           bool *ret_error)
{
    bool read = false;
    gr_value *v = decode_with(data, size, NULL, refs, &read);

    *ret_error = read && gr_value_type(v) == GR_ERROR;
    return v;
}
