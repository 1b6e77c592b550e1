/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/net/parts.h"

gr_code gri_parts_add(struct gri_parts *p, const struct gri_frame *part,
                      const struct gri_strbuf **ret_whole)
{
    struct gri_strbuf *data;
    size_t *total, come;

    *ret_whole = NULL;
    if (part->id >= GRI_PARTS_MAX || part->value_size == 0)
        return GR_EPROTO;
    data = &p->slots[part->id].data;
    total = &p->slots[part->id].total;
    come = data->len + part->value_size;
    if (part->number > GRI_FRAME_MAX || come + part->number > GRI_FRAME_MAX ||
        (*total != 0 && *total != come + part->number))
        return GR_EPROTO;
    *total = come + (size_t)part->number;
    if (come > *total / 2 && !gri_strbuf_reserve(data, *total - data->len)) /* half of it is here */
        return GR_ENOMEM;
    gri_strbuf_add(data, part->value, part->value_size);
    if (data->failed)
        return GR_ENOMEM;
    if (part->number == 0)
        *ret_whole = data;
    return GR_OK;
}

void gri_parts_clear(struct gri_parts *p, uint64_t slot)
{
    gri_strbuf_fini(&p->slots[slot].data);
    p->slots[slot].total = 0;
}

void gri_parts_fini(struct gri_parts *p)
{
    for (unsigned i = 0; i < GRI_PARTS_MAX; i++)
        gri_parts_clear(p, i);
}
