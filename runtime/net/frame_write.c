/* SPDX-License-Identifier: Apache-2.0 */
/* frame_write.c - frames, written by hand: their fields are few, and values are appended whole. */
#include <endian.h>
#include <string.h>

#include "runtime/base/assert.h"
#include "runtime/net/frame.h"
#include "runtime/value/msgpack_ext.h"

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

static void put_ref(struct gri_strbuf *out, gr_ref ref)
{
    uint64_t both[2] = { htole64(ref.node), htole64(ref.id) };

    gri_strbuf_addc(out, (char)0xd8); /* an extension of 16 bytes */
    gri_strbuf_addc(out, GRI_EXT_REF);
    gri_strbuf_add(out, both, sizeof(both));
}

/* put_to writes whom a frame is for. */
static void put_to(struct gri_strbuf *out, const struct gri_frame *f)
{
    if (f->to.id != 0)
        put_ref(out, f->to);
    else
        put_text(out, f->name);
}

#define SHORT 160u /* bytes that most frames have at most */

/* begin leaves room for the length and opens the array. Returns where the frame starts. */
static size_t begin(struct gri_strbuf *out, uint8_t fields, enum gri_frame_type type)
{
    size_t start = out->len;

    gri_assert(fields < 16);
    if (out->data == NULL)
        gri_strbuf_reserve(out, SHORT);
    gri_strbuf_add(out, "\0\0\0", GRI_FRAME_HEAD);
    gri_strbuf_addc(out, (char)(0x90 | fields));
    put_uint(out, (uint64_t)type);
    return start;
}

/* finish_with writes the length, or takes the frame back when rc, the buffer or the size says so. more: bytes that are
 * left out of the buffer. */
static gr_code finish_with(struct gri_strbuf *out, size_t start, gr_code rc, size_t more)
{
    size_t size = out->len - start - GRI_FRAME_HEAD + more;

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

static gr_code finish(struct gri_strbuf *out, size_t start, gr_code rc)
{
    return finish_with(out, start, rc, 0);
}

/* put_value writes v, or only its head, if it may be left out and is worth that. */
static gr_code put_value(struct gri_strbuf *out, const gr_value *v, const struct gri_ref_map *refs,
                         struct gri_frame_text *ret)
{
    gr_type type = gr_value_type(v);

    if (ret == NULL || (type != GR_STR && type != GR_BIN) || gr_len(v) < GRI_WHOLE_MAX ||
        gr_len(v) > GRI_FRAME_MAX)
        return gri_msgpack_write(out, v, refs, NULL);
    put_be(out, type == GR_STR ? 0xdb : 0xc6, gr_len(v), 4);
    *ret = (struct gri_frame_text){ .v = v, .at = out->len };
    return GR_OK;
}

static size_t left_out(const struct gri_frame_text *text)
{
    return text != NULL ? gr_len(text->v) : 0;
}

static void put_bin(struct gri_strbuf *out, const void *data, size_t size)
{
    if (size <= UINT8_MAX)
        put_be(out, 0xc4, size, 1);
    else if (size <= UINT16_MAX)
        put_be(out, 0xc5, size, 2);
    else
        put_be(out, 0xc6, size, 4);
    gri_strbuf_add(out, data, size);
}

gr_code gri_frame_hello(struct gri_strbuf *out, const struct gri_hello *h)
{
    size_t start = begin(out, 14, GRI_FRAME_HELLO);

    put_text(out, "greenroom");
    put_uint(out, h->version_min);
    put_uint(out, h->version_max);
    put_uint(out, h->node);
    put_uint(out, h->incarnation);
    put_uint(out, h->frame_max);
    put_uint(out, h->calls_max);
    put_text(out, h->cluster);
    put_text(out, h->name);
    put_uint(out, h->features);
    put_bin(out, h->nonce, sizeof(h->nonce));
    put_uint(out, h->beat_ms);
    put_uint(out, h->link);
    return finish(out, start, GR_OK);
}

gr_code gri_frame_proof(struct gri_strbuf *out, const struct gri_proof *p)
{
    size_t start = begin(out, 4, GRI_FRAME_PROOF);

    gri_assert(p->mac_size <= sizeof(p->mac) && p->hold_count <= GRI_HOLDS_MAX);
    put_bin(out, p->mac, p->mac_size);
    put_uint(out, p->stamp);
    gri_strbuf_addc(out, (char)(0x90 | p->hold_count));
    for (unsigned i = 0; i < p->hold_count; i++)
        put_uint(out, p->holds[i]);
    return finish(out, start, GR_OK);
}

gr_code gri_frame_welcome(struct gri_strbuf *out, uint64_t number)
{
    size_t start = begin(out, 2, GRI_FRAME_WELCOME);

    put_uint(out, number);
    return finish(out, start, GR_OK);
}

gr_code gri_frame_beat(struct gri_strbuf *out, uint64_t stalled_ms)
{
    size_t start = begin(out, 2, GRI_FRAME_BEAT);

    put_uint(out, stalled_ms);
    return finish(out, start, GR_OK);
}

gr_code gri_frame_refuse(struct gri_strbuf *out, gr_code code, uint64_t link, const char *text)
{
    size_t start = begin(out, 4, GRI_FRAME_REFUSE);

    put_uint(out, (uint64_t)code);
    put_uint(out, link);
    put_text(out, text);
    return finish(out, start, GR_OK);
}

gr_code gri_frame_invoke(struct gri_strbuf *out, const struct gri_frame *f, const gr_value *args,
                         const gr_value *config)
{
    return gri_frame_invoke_text(out, f, args, config, NULL);
}

gr_code gri_frame_invoke_text(struct gri_strbuf *out, const struct gri_frame *f,
                              const gr_value *args, const gr_value *config,
                              struct gri_frame_text *ret)
{
    size_t start = begin(out, f->watch_size > 0 ? 11 : 10, GRI_FRAME_INVOKE);
    gr_code rc;

    if (ret != NULL)
        ret->v = NULL;
    put_uint(out, f->id);
    put_uint(out, f->flags);
    put_to(out, f);
    put_text(out, f->verb);
    put_uint(out, f->deadline_ms);
    put_uint(out, f->window);
    put_uint(out, f->least);
    rc = put_value(out, args, f->refs, ret);
    if (rc == GR_OK)
        rc = gri_msgpack_write(out, config, f->refs, NULL);
    if (f->watch_size > 0)
        gri_strbuf_add(out, f->watch, f->watch_size);
    return finish_with(out, start, rc, left_out(ret));
}

gr_code gri_frame_route(struct gri_strbuf *out, const struct gri_frame *f, const gr_value *args,
                        const gr_value *config)
{
    size_t start = begin(out, 10, GRI_FRAME_ROUTE);
    gr_code rc;

    put_uint(out, f->id);
    put_uint(out, f->origin);
    put_uint(out, f->incarnation);
    put_uint(out, f->call);
    put_uint(out, f->number);
    put_uint(out, f->deadline_ms);
    rc = gri_msgpack_write(out, args, f->refs, NULL);
    if (rc == GR_OK)
        rc = gri_msgpack_write(out, config, f->refs, NULL);
    if (f->step_count < 16)
        gri_strbuf_addc(out, (char)(0x90 | f->step_count));
    else
        put_be(out, 0xdc, f->step_count, 2);
    gri_strbuf_add(out, (const char *)f->steps, f->steps_size);
    return finish(out, start, rc);
}

void gri_route_step_write(struct gri_strbuf *out, const struct gri_route_step *step)
{
    gri_strbuf_addc(out, (char)0x94);
    put_text(out, step->url);
    put_uint(out, step->node);
    put_uint(out, step->incarnation);
    put_text(out, step->name);
}

gr_code gri_frame_value_for(struct gri_strbuf *out, enum gri_frame_type type, uint64_t id,
                            const gr_value *v, const struct gri_ref_map *refs, size_t *ret_size)
{
    size_t start = begin(out, 3, type);

    put_uint(out, id);
    return finish(out, start, gri_msgpack_write(out, v, refs, ret_size));
}

gr_code gri_frame_value_text(struct gri_strbuf *out, enum gri_frame_type type, uint64_t id,
                             const gr_value *v, const struct gri_ref_map *refs,
                             struct gri_frame_text *ret)
{
    size_t start = begin(out, 3, type);
    gr_code rc;

    ret->v = NULL;
    put_uint(out, id);
    rc = put_value(out, v, refs, ret);
    return finish_with(out, start, rc, left_out(ret));
}

gr_code gri_frame_value(struct gri_strbuf *out, enum gri_frame_type type, uint64_t id,
                        const gr_value *v, size_t *ret_size)
{
    return gri_frame_value_for(out, type, id, v, NULL, ret_size);
}

gr_code gri_frame_number(struct gri_strbuf *out, enum gri_frame_type type, uint64_t id,
                         uint64_t number)
{
    size_t start = begin(out, 3, type);

    put_uint(out, id);
    put_uint(out, number);
    return finish(out, start, GR_OK);
}

gr_code gri_frame_tell_to(struct gri_strbuf *out, const struct gri_frame *f, const gr_value *msg)
{
    size_t start = begin(out, 3, GRI_FRAME_TELL);

    put_to(out, f);
    return finish(out, start, gri_msgpack_write(out, msg, f->refs, NULL));
}

gr_code gri_frame_tell(struct gri_strbuf *out, const char *name, const gr_value *msg)
{
    struct gri_frame f = { .type = GRI_FRAME_TELL };

    memcpy(f.name, name, strlen(name) + 1);
    return gri_frame_tell_to(out, &f, msg);
}

gr_code gri_frame_signal(struct gri_strbuf *out, const struct gri_frame *f, const gr_value *reason)
{
    size_t start = begin(out, f->type == GRI_FRAME_MONITOR ? 3 : 4, f->type);
    gr_code rc = GR_OK;

    if (f->type != GRI_FRAME_EXIT)
        put_uint(out, f->id);
    if (f->type == GRI_FRAME_DOWN)
        put_uint(out, f->number);
    else
        put_to(out, f);
    if (f->type == GRI_FRAME_LINK || f->type == GRI_FRAME_EXIT)
        put_ref(out, f->from);
    if (f->type == GRI_FRAME_DOWN || f->type == GRI_FRAME_EXIT)
        rc = gri_msgpack_write(out, reason, f->refs, NULL);
    return finish(out, start, rc);
}

size_t gri_frame_part(char head[GRI_PART_HEAD_MAX], unsigned slot, size_t left, size_t size)
{
    struct gri_strbuf out = { .data = head, .cap = GRI_PART_HEAD_MAX }; /* it fits: no allocation */
    size_t start = begin(&out, 4, GRI_FRAME_PART), body;

    put_uint(&out, slot);
    put_uint(&out, left);
    put_be(&out, 0xc6, size, 4);
    body = out.len - start - GRI_FRAME_HEAD + size;
    for (unsigned i = 0; i < GRI_FRAME_HEAD; i++)
        head[start + i] = (char)(uint8_t)(body >> (8 * (3 - i)));
    return out.len;
}
