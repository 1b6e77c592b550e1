/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/value/text_fill.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/utf8.h"
#include "runtime/value/value.h"

static struct gri_text *text_of(const struct gri_text_fill *f)
{
    return (struct gri_text *)(void *)f->v;
}

/* grow: a value that nobody else has may move. */
static bool grow(struct gri_text_fill *f, gr_type type, size_t cap)
{
    size_t size = sizeof(struct gri_text) + cap + 1;
    gr_value *v = f->v != NULL ? gri_resize(f->v, size) : gri_value_new(type, size);

    if (v == NULL)
        return false;
    f->v = v;
    text_of(f)->cap = (uint32_t)cap;
    return true;
}

bool gri_text_fill_add(struct gri_text_fill *f, gr_type type, const void *data, size_t size,
                       size_t room)
{
    size_t need = f->len + size, cap = room > need ? room : need;

    if (need > GRI_BYTES_MAX || cap > GRI_BYTES_MAX)
        return false;
    if ((f->v == NULL || need > text_of(f)->cap) && !grow(f, type, cap))
        return false;
    memcpy(text_of(f)->data + f->len, data, size);
    f->len = need;
    if (type == GR_STR) /* a character that is not all there yet stays for the next time */
        f->valid += gri_utf8_valid_len(text_of(f)->data + f->valid, f->len - f->valid);
    else
        f->valid = f->len;
    return true;
}

gr_value *gri_text_fill_take(struct gri_text_fill *f)
{
    gr_value *v = f->v;

    if (v == NULL || f->valid != f->len)
        return NULL;
    text_of(f)->len = (uint32_t)f->len;
    text_of(f)->data[f->len] = '\0';
    *f = (struct gri_text_fill){ .v = NULL };
    return v;
}

const char *gri_text_fill_data(const struct gri_text_fill *f)
{
    return f->v != NULL ? text_of(f)->data : "";
}

void gri_text_fill_fini(struct gri_text_fill *f)
{
    gri_free(f->v); /* nobody has ever had it: there is nothing else in it */
    *f = (struct gri_text_fill){ .v = NULL };
}
