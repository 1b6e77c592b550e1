/* SPDX-License-Identifier: Apache-2.0 */
/* value_text.c - strings and binaries: one node each, bytes inline, a NUL behind the last. */
#include "runtime/value/value.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/utf8.h"

gr_value *gri_text_new(gr_type type, size_t len)
{
    struct gri_text *t;

    if (len > GRI_BYTES_MAX)
        return gri_broken(GRI_BROKEN_LARGE);
    t = gri_value_new(type, sizeof(*t) + len + 1);
    if (t == NULL)
        return gri_broken(GRI_BROKEN_MEMORY);
    t->len = t->cap = (uint32_t)len;
    t->data[len] = '\0';
    return &t->head;
}

gr_value *gri_text_copy(gr_type type, const void *data, size_t len)
{
    gr_value *v = gri_text_new(type, len);

    if (!gri_is_broken(v) && len != 0)
        /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): v is never NULL */
        memcpy(((struct gri_text *)(void *)v)->data, data, len);
    return v;
}

gr_value *gr_strn(const char *utf8, size_t len)
{
    if (utf8 == NULL)
        return gri_broken(GRI_BROKEN_MISSING);
    if (len > GRI_BYTES_MAX)
        return gri_broken(GRI_BROKEN_LARGE);
    if (!gri_utf8_valid(utf8, len))
        return gri_broken(GRI_BROKEN_UTF8);
    return gri_text_copy(GR_STR, utf8, len);
}

gr_value *gr_str(const char *utf8)
{
    return gr_strn(utf8, utf8 != NULL ? strlen(utf8) : 0);
}

gr_value *gr_bin(const void *data, size_t size)
{
    if (data == NULL && size != 0)
        return gri_broken(GRI_BROKEN_MISSING);
    return gri_text_copy(GR_BIN, data, size);
}

static void replace_bad_bytes(char *s, size_t len)
{
    for (size_t at = gri_utf8_valid_len(s, len); at < len;
         at += gri_utf8_valid_len(s + at, len - at))
        s[at] = '?';
}

gr_value *gri_text_vf(bool mend, const char *fmt, va_list ap)
{
    gr_value *v;
    struct gri_text *t;
    va_list again;
    int len;

    if (fmt == NULL)
        return gri_broken(GRI_BROKEN_MISSING);
    va_copy(again, ap);
    len = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (len < 0)
        return gri_broken(GRI_BROKEN_LARGE);
    v = gri_text_new(GR_STR, (size_t)len);
    if (gri_is_broken(v))
        return v;
    t = (struct gri_text *)(void *)v;
    vsnprintf(t->data, (size_t)len + 1, fmt, ap);
    if (gri_utf8_valid(t->data, t->len))
        return v;
    if (mend) {
        replace_bad_bytes(t->data, t->len);
        return v;
    }
    gr_value_unref(v);
    return gri_broken(GRI_BROKEN_UTF8);
}

gr_value *gr_strf(const char *fmt, ...)
{
    gr_value *v;
    va_list ap;

    va_start(ap, fmt);
    v = gri_text_vf(false, fmt, ap);
    va_end(ap);
    return v;
}

static gr_value *copy_with_room(const gr_value *v, size_t cap)
{
    const struct gri_text *from = gri_text(v);
    struct gri_text *t = gri_value_new((gr_type)v->type, sizeof(*t) + cap + 1);

    if (t == NULL)
        return NULL;
    t->len = from->len;
    memcpy(t->data, from->data, (size_t)from->len + 1);
    return &t->head;
}

/* with_room returns left held alone, with room for `more` further bytes; taken. The room of one held alone at least
 * doubles, so that a text added to chunk by chunk is copied a few times in all; a copy has no more than it needs,
 * since who keeps one sum may keep them all. */
static gr_value *with_room(gr_value *left, size_t more)
{
    size_t need = (size_t)gri_text(left)->len + more;
    bool only = gri_value_is_only(left);
    size_t cap = only ? (size_t)gri_text(left)->cap * 2 : need;
    gr_value *bigger;

    if (only && need <= gri_text(left)->cap)
        return left;
    if (need > GRI_BYTES_MAX) {
        gr_value_unref(left);
        return gri_broken(GRI_BROKEN_LARGE);
    }
    if (cap < need)
        cap = need;
    if (cap > GRI_BYTES_MAX)
        cap = GRI_BYTES_MAX;
    bigger = only ? gri_resize(left, sizeof(struct gri_text) + cap + 1) : copy_with_room(left, cap);
    if (bigger == NULL || !only)
        gr_value_unref(left);
    if (bigger == NULL)
        return gri_broken(GRI_BROKEN_MEMORY);
    ((struct gri_text *)(void *)bigger)->cap = (uint32_t)cap;
    return bigger;
}

gr_value *gri_text_add(gr_value *left, gr_value *more)
{
    const struct gri_text *m = gri_text(more);
    struct gri_text *t;

    gri_assert(left->type == more->type);
    if (m->len == 0) {
        gr_value_unref(more);
        return left;
    }
    if (gri_text(left)->len == 0) {
        gr_value_unref(left);
        return more;
    }
    left = with_room(left, m->len);
    if (!gri_is_broken(left)) {
        t = (struct gri_text *)(void *)left;
        memcpy(t->data + t->len, m->data, (size_t)m->len + 1);
        t->len += m->len;
    }
    gr_value_unref(more);
    return left;
}
