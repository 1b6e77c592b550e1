/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/net/parts.h"

#define NIL '\xc0'

/* ---- a text in a frame ----------------------------------------------------------------------- */

/* begin_text looks for a text in a frame's first part, and takes in what comes before it. Returns how much that was. */
static size_t begin_text(struct gri_parts_slot *s, const struct gri_frame *part)
{
    struct gri_frame_find find;

    if (!gri_frame_find_text(part->value, part->value_size, &find) || find.at > s->total ||
        find.len > s->total - find.at)
        return 0;
    s->find = find;
    gri_strbuf_add(&s->data, part->value, find.head);
    gri_strbuf_addc(&s->data, NIL);
    return find.at;
}

/* fill takes in what is the text's of some bytes. *ret_n: how many. */
static gr_code fill(struct gri_parts_slot *s, const uint8_t *bytes, size_t size, size_t *ret_n)
{
    size_t left = s->find.len - s->fill.len, room = s->come * GRI_PARTS_AHEAD;

    *ret_n = size < left ? size : left;
    if (*ret_n == 0)
        return GR_OK;
    if (room > s->find.len)
        room = s->find.len;
    return gri_text_fill_add(&s->fill, s->find.type, bytes, *ret_n, room) ? GR_OK : GR_ENOMEM;
}

/* restore puts a text that is none into the frame, whose reader will say what is wrong. */
static gr_code restore(struct gri_parts_slot *s)
{
    struct gri_strbuf whole = GRI_STRBUF_INIT;
    size_t tail = s->find.head + 1; /* behind the nil */
    uint8_t head[5] = { s->find.type == GR_STR ? 0xdb : 0xc6 };

    for (unsigned i = 0; i < 4; i++)
        head[1 + i] = (uint8_t)(s->find.len >> (8 * (3 - i)));
    gri_strbuf_add(&whole, s->data.data, s->find.head);
    gri_strbuf_add(&whole, head, sizeof(head));
    gri_strbuf_add(&whole, gri_text_fill_data(&s->fill), s->fill.len);
    gri_strbuf_add(&whole, s->data.data + tail, s->data.len - tail);
    gri_text_fill_fini(&s->fill);
    gri_strbuf_fini(&s->data);
    s->data = whole;
    return whole.failed ? GR_ENOMEM : GR_OK;
}

static gr_code end_text(struct gri_parts_slot *s)
{
    if (s->find.len == 0)
        return GR_OK;
    s->text = gri_text_fill_take(&s->fill);
    return s->text != NULL ? GR_OK : restore(s);
}

/* ---- parts ----------------------------------------------------------------------------------- */

/* take_in takes in what is not before the text, and not it, as it comes. */
static gr_code take_in(struct gri_parts_slot *s, const uint8_t *bytes, size_t size)
{
    size_t n = 0;
    gr_code rc = s->find.len > 0 ? fill(s, bytes, size, &n) : GR_OK;

    if (rc != GR_OK)
        return rc;
    if (s->find.len == 0 && s->come > s->total / 2 && /* half of it is here */
        !gri_strbuf_reserve(&s->data, s->total - s->data.len))
        return GR_ENOMEM;
    gri_strbuf_add(&s->data, bytes + n, size - n);
    return s->data.failed ? GR_ENOMEM : GR_OK;
}

gr_code gri_parts_add(struct gri_parts *p, const struct gri_frame *part,
                      const struct gri_strbuf **ret_whole)
{
    struct gri_parts_slot *s;
    size_t come, head = 0;
    gr_code rc;

    *ret_whole = NULL;
    if (part->id >= GRI_PARTS_MAX || part->value_size == 0)
        return GR_EPROTO;
    s = &p->slots[part->id];
    come = s->come + part->value_size;
    if (part->number > GRI_FRAME_MAX || come + part->number > GRI_FRAME_MAX ||
        (s->total != 0 && s->total != come + part->number))
        return GR_EPROTO;
    s->total = come + (size_t)part->number;
    if (s->come == 0 && p->texts)
        head = begin_text(s, part);
    s->come = come;
    rc = take_in(s, part->value + head, part->value_size - head);
    if (rc == GR_OK && part->number == 0)
        rc = end_text(s);
    if (rc == GR_OK && part->number == 0)
        *ret_whole = &s->data;
    return rc;
}

void gri_parts_clear(struct gri_parts *p, uint64_t slot)
{
    struct gri_parts_slot *s = &p->slots[slot];

    gri_strbuf_fini(&s->data);
    gri_text_fill_fini(&s->fill);
    gr_value_unref(s->text);
    *s = (struct gri_parts_slot){ .total = 0 };
}

void gri_parts_fini(struct gri_parts *p)
{
    for (unsigned i = 0; i < GRI_PARTS_MAX; i++)
        gri_parts_clear(p, i);
}
