/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/strbuf.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"

void gri_strbuf_fini(struct gri_strbuf *b)
{
    gri_free(b->data);
    *b = (struct gri_strbuf){ .max = b->max };
}

void gri_strbuf_clear(struct gri_strbuf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data != NULL)
        b->data[0] = '\0';
}

bool gri_strbuf_reserve(struct gri_strbuf *b, size_t more)
{
    size_t need = b->len + more + 1;
    size_t cap = b->cap < 64 ? 64 : b->cap;
    char *data;

    if (b->failed || need < more || (b->max != 0 && b->len + more > b->max)) {
        b->failed = true;
        return false;
    }
    if (need <= b->cap)
        return true;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap + cap / 2;
    data = gri_resize(b->data, cap);
    if (data == NULL) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

void gri_strbuf_add_slow(struct gri_strbuf *b, const void *data, size_t len)
{
    if (!gri_strbuf_reserve(b, len))
        return;
    if (len != 0)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void gri_strbuf_adds(struct gri_strbuf *b, const char *s)
{
    gri_strbuf_add(b, s, strlen(s));
}

void gri_strbuf_vaddf(struct gri_strbuf *b, const char *fmt, va_list ap)
{
    va_list again;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    if (n < 0) {
        b->failed = true;
    } else if (gri_strbuf_reserve(b, (size_t)n)) {
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void gri_strbuf_addf(struct gri_strbuf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    gri_strbuf_vaddf(b, fmt, ap);
    va_end(ap);
}

void gri_strbuf_consume(struct gri_strbuf *b, size_t len)
{
    if (len > b->len)
        len = b->len;
    b->len -= len;
    if (b->data != NULL)
        memmove(b->data, b->data + len, b->len + 1);
}

char *gri_strbuf_take(struct gri_strbuf *b)
{
    char *data = b->data;

    if (b->failed) {
        gri_strbuf_fini(b);
        return NULL;
    }
    if (data == NULL)
        data = gri_strdup("");
    *b = (struct gri_strbuf){ .max = b->max };
    return data;
}
