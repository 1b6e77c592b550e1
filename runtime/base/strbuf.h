/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strbuf.h - bytes that grow. Errors stick: after a failed append (no memory, or the limit) nothing
 * more is added, `failed` is set, and gri_strbuf_take returns NULL; so code that writes needs no
 * checks.
 */
#ifndef GR_RUNTIME_BASE_STRBUF_H
#define GR_RUNTIME_BASE_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <greenroom/base.h>

struct gri_strbuf {
    char *data;      /* owned; NUL-terminated once anything was added */
    size_t len, cap; /* bytes without the NUL; bytes allocated */
    size_t max;      /* longest len allowed; 0: no limit */
    bool failed;
};

#define GRI_STRBUF_INIT                                                                            \
    {                                                                                              \
        .data = NULL                                                                               \
    }

void gri_strbuf_fini(struct gri_strbuf *b);  /* frees; b may be used again */
void gri_strbuf_clear(struct gri_strbuf *b); /* keeps the memory, forgets a failure */
bool gri_strbuf_reserve(struct gri_strbuf *b, size_t more); /* room for `more` further bytes */
void gri_strbuf_add_slow(struct gri_strbuf *b, const void *data, size_t len);
/* gri_strbuf_has_room: without asking for memory; a buffer with a limit is never sure of it. */
static inline bool gri_strbuf_has_room(const struct gri_strbuf *b, size_t more)
{
    return !b->failed && b->max == 0 && b->cap > b->len && b->cap - b->len > more;
}
static inline void gri_strbuf_add(struct gri_strbuf *b, const void *data, size_t len)
{
    if (!gri_strbuf_has_room(b, len) || len == 0) {
        gri_strbuf_add_slow(b, data, len);
        return;
    }
    memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}
static inline void gri_strbuf_addc(struct gri_strbuf *b, char c)
{
    if (!gri_strbuf_has_room(b, 1)) {
        gri_strbuf_add_slow(b, &c, 1);
        return;
    }
    b->data[b->len++] = c;
    b->data[b->len] = '\0';
}
void gri_strbuf_adds(struct gri_strbuf *b, const char *s);
void gri_strbuf_addf(struct gri_strbuf *b, const char *fmt, ...) GR_PRINTF(2, 3);
void gri_strbuf_vaddf(struct gri_strbuf *b, const char *fmt, va_list ap) GR_PRINTF(2, 0);
void gri_strbuf_consume(struct gri_strbuf *b, size_t len); /* drops len bytes from the front */
/* gri_strbuf_take returns the text ("" if nothing was added), owned by the caller (gri_free); NULL
 * after a failure. b is empty afterwards. */
char *gri_strbuf_take(struct gri_strbuf *b);

#endif
