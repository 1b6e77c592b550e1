/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame.c - frames, written and read by hand: their fields are few, and a value inside must be
 * found without decoding it. Reading is sticky: after the first mistake nothing more is read, and
 * `bad` says what it was, at `at`.
 */
#include "runtime/net/frame.h"

#include <string.h>

#include <greenroom/codec.h>

#include "runtime/base/assert.h"
#include "runtime/base/utf8.h"

/* ---- writing --------------------------------------------------------------------------------- */

static void put_be(struct gri_strbuf *out, uint8_t tag, uint64_t n, unsigned bytes)
{
    uint8_t raw[9] = { tag };

    for (unsigned i = 0; i < bytes; i++)
        raw[1 + i] = (uint8_t)(n >> (8 * (bytes - 1 - i)));
    gri_strbuf_add(out, raw, 1 + bytes);
}

static void put_uint(struct gri_strbuf *out, uint64_t n)
{
    if (n < 0x80)
        gri_strbuf_addc(out, (char)n);
    else if (n <= UINT8_MAX)
        put_be(out, 0xcc, n, 1);
    else if (n <= UINT16_MAX)
        put_be(out, 0xcd, n, 2);
    else if (n <= UINT32_MAX)
        put_be(out, 0xce, n, 4);
    else
        put_be(out, 0xcf, n, 8);
}

static void put_text(struct gri_strbuf *out, const char *text)
{
    size_t len = strlen(text);

    gri_assert(len <= UINT8_MAX);
    if (len < 32)
        gri_strbuf_addc(out, (char)(0xa0 | len));
    else
        put_be(out, 0xd9, len, 1);
    gri_strbuf_add(out, text, len);
}

static gr_code put_value(struct gri_strbuf *out, const gr_value *v, size_t *ret_size)
{
    void *data = NULL;
    size_t size = 0;
    gr_code rc = gr_msgpack_encode(v, &data, &size);

    if (rc != GR_OK)
        return rc;
    gri_strbuf_add(out, data, size);
    gr_free(data);
    if (ret_size != NULL)
        *ret_size = size;
    return GR_OK;
}

/* begin leaves room for the length and opens the array. Returns where the frame starts. */
static size_t begin(struct gri_strbuf *out, uint8_t fields, enum gri_frame_type type)
{
    size_t start = out->len;

    gri_assert(fields < 16);
    gri_strbuf_add(out, "\0\0\0", GRI_FRAME_HEAD);
    gri_strbuf_addc(out, (char)(0x90 | fields));
    put_uint(out, (uint64_t)type);
    return start;
}

/* finish writes the length, or takes the frame back when rc, the buffer or the size says so. */
static gr_code finish(struct gri_strbuf *out, size_t start, gr_code rc)
{
    size_t size = out->len - start - GRI_FRAME_HEAD;

    if (rc == GR_OK && (out->failed || size > GRI_FRAME_MAX))
        rc = GR_ENOMEM;
    if (rc != GR_OK) {
        out->failed = false;
        out->len = start;
        return rc;
    }
    for (unsigned i = 0; i < GRI_FRAME_HEAD; i++)
        out->data[start + i] = (char)(uint8_t)(size >> (8 * (3 - i)));
    return GR_OK;
}

gr_code gri_frame_hello(struct gri_strbuf *out, const struct gri_hello *h)
{
    size_t start = begin(out, 10, GRI_FRAME_HELLO);

    put_text(out, "greenroom");
    put_uint(out, h->version_min);
    put_uint(out, h->version_max);
    put_uint(out, h->node);
    put_uint(out, h->incarnation);
    put_uint(out, h->frame_max);
    put_uint(out, h->calls_max);
    put_uint(out, h->target);
    put_uint(out, h->attempt);
    return finish(out, start, GR_OK);
}

gr_code gri_frame_invoke(struct gri_strbuf *out, const struct gri_frame *f, const gr_value *args,
                         const gr_value *config)
{
    size_t start = begin(out, 10, GRI_FRAME_INVOKE);
    gr_code rc;

    put_uint(out, f->id);
    put_uint(out, f->flags);
    put_text(out, f->name);
    put_text(out, f->verb);
    put_uint(out, f->deadline_ms);
    put_uint(out, f->window);
    put_uint(out, f->least);
    rc = put_value(out, args, NULL);
    if (rc == GR_OK)
        rc = put_value(out, config, NULL);
    return finish(out, start, rc);
}

gr_code gri_frame_value(struct gri_strbuf *out, enum gri_frame_type type, uint64_t id,
                        const gr_value *v, size_t *ret_size)
{
    size_t start = begin(out, 3, type);

    put_uint(out, id);
    return finish(out, start, put_value(out, v, ret_size));
}

gr_code gri_frame_number(struct gri_strbuf *out, enum gri_frame_type type, uint64_t id,
                         uint64_t number)
{
    size_t start = begin(out, 3, type);

    put_uint(out, id);
    put_uint(out, number);
    return finish(out, start, GR_OK);
}

gr_code gri_frame_tell(struct gri_strbuf *out, const char *name, const gr_value *msg)
{
    size_t start = begin(out, 3, GRI_FRAME_TELL);

    put_text(out, name);
    return finish(out, start, put_value(out, msg, NULL));
}

/* ---- reading --------------------------------------------------------------------------------- */

struct reader {
    const uint8_t *data; /* borrowed */
    size_t size, at;
    const char *bad; /* static; the first mistake */
};

static void fail(struct reader *r, size_t at, const char *what)
{
    if (r->bad == NULL) {
        r->bad = what;
        r->at = at;
    }
}

/* take returns n bytes and steps over them; NULL at the end of the frame, which is a mistake. */
static const uint8_t *take(struct reader *r, size_t n)
{
    const uint8_t *p = r->data + r->at;

    if (r->bad != NULL)
        return NULL;
    if (r->size - r->at < n) {
        fail(r, r->size, "the frame ends too early");
        return NULL;
    }
    r->at += n;
    return p;
}

static uint64_t take_be(struct reader *r, unsigned bytes)
{
    const uint8_t *p = take(r, bytes);
    uint64_t n = 0;

    for (unsigned i = 0; p != NULL && i < bytes; i++)
        n = n << 8 | p[i];
    return n;
}

static uint64_t read_uint(struct reader *r, uint64_t least, uint64_t most, const char *what)
{
    size_t start = r->at;
    uint8_t tag = (uint8_t)take_be(r, 1);
    uint64_t n = tag;

    if (tag >= 0xcc && tag <= 0xcf)
        n = take_be(r, 1u << (tag - 0xcc));
    else if (tag >= 0x80)
        n = most + 1; /* no unsigned number */
    if (r->bad == NULL && (n < least || n > most || (tag >= 0x80 && (tag < 0xcc || tag > 0xcf))))
        fail(r, start, what);
    return r->bad == NULL ? n : 0;
}

static void read_text(struct reader *r, char *ret, size_t max, const char *what)
{
    size_t start = r->at, len = 0;
    uint8_t tag = (uint8_t)take_be(r, 1);
    const uint8_t *p;

    if (tag >= 0xa0 && tag <= 0xbf)
        len = tag & 31u;
    else if (tag == 0xd9)
        len = (size_t)take_be(r, 1);
    else
        fail(r, start, what);
    if (len == 0 || len > max)
        fail(r, start, what);
    p = take(r, len);
    if (p == NULL)
        return;
    if (memchr(p, 0, len) != NULL || !gri_utf8_valid((const char *)p, len)) {
        fail(r, start, what);
        return;
    }
    memcpy(ret, p, len);
    ret[len] = '\0';
}

/* How 0xc4 to 0xdf go on: bytes of length or count, bytes besides, items for each counted. */
static const struct shape {
    uint8_t count_bytes, fixed, items;
} shapes[] = {
    { 1, 0, 0 }, { 2, 0, 0 }, { 4, 0, 0 },                            /* bin */
    { 1, 1, 0 }, { 2, 1, 0 }, { 4, 1, 0 },                            /* ext */
    { 0, 4, 0 }, { 0, 8, 0 },                                         /* float */
    { 0, 1, 0 }, { 0, 2, 0 }, { 0, 4, 0 }, { 0, 8, 0 },               /* uint */
    { 0, 1, 0 }, { 0, 2, 0 }, { 0, 4, 0 }, { 0, 8, 0 },               /* int */
    { 0, 2, 0 }, { 0, 3, 0 }, { 0, 5, 0 }, { 0, 9, 0 }, { 0, 17, 0 }, /* fixext */
    { 1, 0, 0 }, { 2, 0, 0 }, { 4, 0, 0 },                            /* str */
    { 2, 0, 1 }, { 4, 0, 1 },                                         /* array */
    { 2, 0, 2 }, { 4, 0, 2 },                                         /* map */
};

/* skip_one steps over a scalar or a container's head and returns how many items that holds. */
static uint64_t skip_one(struct reader *r)
{
    size_t start = r->at;
    uint8_t tag = (uint8_t)take_be(r, 1);
    const struct shape *s;
    uint64_t n;

    if (r->bad != NULL || tag < 0x80 || tag >= 0xe0 || tag == 0xc0 || tag == 0xc2 || tag == 0xc3)
        return 0;
    if (tag < 0x90)
        return 2 * (tag & 15u);
    if (tag < 0xa0)
        return tag & 15u;
    if (tag < 0xc0) {
        take(r, tag & 31u);
        return 0;
    }
    if (tag < 0xc4) {
        fail(r, start, "a byte that starts no value");
        return 0;
    }
    s = &shapes[tag - 0xc4];
    n = take_be(r, s->count_bytes);
    if (s->items != 0)
        return n * s->items;
    take(r, (size_t)n + s->fixed);
    return 0;
}

/* read_value finds the extent of one value. Each item takes a byte at least, which bounds the
 * loop. */
static const uint8_t *read_value(struct reader *r, size_t *ret_size)
{
    size_t start = r->at;
    uint64_t left = 1;

    while (left > 0 && r->bad == NULL) {
        left += skip_one(r) - 1;
        if (left > r->size - r->at)
            fail(r, r->at, "the frame ends too early");
    }
    *ret_size = r->bad == NULL ? r->at - start : 0;
    return r->data + start;
}

static void read_hello(struct reader *r, struct gri_hello *h)
{
    char magic[10] = "";

    read_text(r, magic, 9, "no \"greenroom\"");
    if (r->bad == NULL && strcmp(magic, "greenroom") != 0)
        fail(r, r->at, "no \"greenroom\"");
    h->version_min = (uint32_t)read_uint(r, 1, UINT32_MAX, "a bad version");
    h->version_max = (uint32_t)read_uint(r, h->version_min, UINT32_MAX, "a bad version");
    h->node = read_uint(r, 0, UINT64_MAX, "a bad node");
    h->incarnation = read_uint(r, 0, UINT64_MAX, "a bad incarnation");
    h->frame_max = (uint32_t)read_uint(r, GRI_FRAME_HELLO_MAX, UINT32_MAX, "a bad frame limit");
    h->calls_max = (uint32_t)read_uint(r, 1, UINT32_MAX, "a bad limit of calls");
}

static void read_invoke(struct reader *r, struct gri_frame *f)
{
    f->flags = (uint32_t)read_uint(r, 0, GRI_INVOKE_STREAM | GRI_INVOKE_INPUT, "bad flags");
    if (r->bad == NULL && f->flags == GRI_INVOKE_INPUT)
        fail(r, r->at, "an input without a stream");
    read_text(r, f->name, GRI_FRAME_NAME_MAX, "a bad name");
    read_text(r, f->verb, GRI_FRAME_VERB_MAX, "a bad verb");
    f->deadline_ms = read_uint(r, 0, INT64_MAX / 1000000, "a bad deadline");
    f->window = (uint32_t)read_uint(r, 0, GRI_FRAME_WINDOW_MAX, "a bad window");
    f->least = (uint32_t)read_uint(r, 0, GRI_FRAME_WINDOW_MAX, "a bad least cost");
    if (r->bad == NULL && (f->flags & GRI_INVOKE_STREAM) != 0 && (f->window == 0 || f->least == 0))
        fail(r, r->at, "a stream without a window");
    f->value = read_value(r, &f->value_size);
    f->config = read_value(r, &f->config_size);
}

static void read_fields(struct reader *r, struct gri_frame *f)
{
    switch (f->type) {
    case GRI_FRAME_HELLO: read_hello(r, &f->hello); return;
    case GRI_FRAME_TELL:
        read_text(r, f->name, GRI_FRAME_NAME_MAX, "a bad name");
        f->value = read_value(r, &f->value_size);
        return;
    case GRI_FRAME_INVOKE:
    case GRI_FRAME_REPLY:
    case GRI_FRAME_CHUNK:
    case GRI_FRAME_CREDIT:
    case GRI_FRAME_END:
    case GRI_FRAME_CANCEL:
    case GRI_FRAME_PING: break;
    case GRI_FRAME_NONE:
    case GRI_FRAME_EVENT:
    case GRI_FRAME_LINK:
    case GRI_FRAME_MONITOR:
    case GRI_FRAME_DOWN:
    case GRI_FRAME_OPTIONAL:
    default: fail(r, 1, "an unknown type"); return;
    }
    f->id = read_uint(r, 1, UINT64_MAX, "a bad call id");
    if (f->type == GRI_FRAME_INVOKE)
        read_invoke(r, f);
    else if (f->type == GRI_FRAME_CREDIT)
        f->number = read_uint(r, 1, GRI_FRAME_WINDOW_MAX, "a bad credit");
    else if (f->type == GRI_FRAME_CANCEL)
        f->number = read_uint(r, 0, UINT16_MAX, "a bad code");
    else if (f->type == GRI_FRAME_PING)
        f->number = read_uint(r, 0, 1, "a bad ping");
    else
        f->value = read_value(r, &f->value_size);
}

/* read_count opens the array and returns how many elements it has. */
static uint64_t read_count(struct reader *r)
{
    uint8_t tag = (uint8_t)take_be(r, 1);

    if (tag >= 0x90 && tag <= 0x9f)
        return tag & 15u;
    if (tag == 0xdc)
        return take_be(r, 2);
    fail(r, 0, "no array");
    return 0;
}

static uint64_t fields_of(enum gri_frame_type type)
{
    switch (type) {
    case GRI_FRAME_HELLO: return 8;
    case GRI_FRAME_INVOKE: return 10;
    default: return 3;
    }
}

gr_code gri_frame_parse(const void *body, size_t size, struct gri_frame *ret, gr_value **reterr)
{
    struct reader r = { .data = body, .size = size };
    uint64_t count = read_count(&r), known, type;

    memset(ret, 0, sizeof(*ret));
    type = read_uint(&r, 1, UINT8_MAX, "a bad type");
    if (r.bad == NULL && (type & GRI_FRAME_OPTIONAL) != 0)
        return GR_OK; /* from a later version, and it says that it may be ignored */
    ret->type = (enum gri_frame_type)type;
    known = fields_of(ret->type);
    if (count < known)
        fail(&r, 0, "too few fields");
    read_fields(&r, ret);
    if (ret->type == GRI_FRAME_HELLO && count >= known + 2) {
        ret->hello.target = read_uint(&r, 0, UINT64_MAX, "a bad target");
        ret->hello.attempt = read_uint(&r, 0, UINT64_MAX, "a bad attempt");
        known += 2;
    }
    for (uint64_t i = known; i < count && r.bad == NULL; i++) {
        size_t ignored;

        read_value(&r, &ignored);
    }
    if (r.bad == NULL && r.at != size)
        fail(&r, r.at, "bytes after the frame's end");
    if (r.bad == NULL)
        return GR_OK;
    *reterr = gr_error(GR_EPROTO, "frame of type %u, byte %zu: %s", (unsigned)type, r.at, r.bad);
    return GR_EPROTO;
}
