/* SPDX-License-Identifier: Apache-2.0 */
/*
 * split.c - RecursiveCharacterTextSplitter's algorithm, on spans of the text in place of copies.
 *
 * split_span cuts a span at the first separator that occurs in it. Pieces that are short enough are
 * collected; a long one is first preceded by the chunks of what was collected, then cut by the next
 * separators. merge joins collected pieces up to chunk_size, and lets each chunk begin with the
 * last pieces of the one before, up to chunk_overlap. Depth is bounded by the number of separators.
 */
#include "actors/text/split.h"

#include <stdint.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/strbuf.h"
#include "runtime/base/utf8.h"

struct piece {
    uint32_t start, len, chars; /* bytes, bytes, characters */
};

struct pieces {
    struct piece *items; /* owned */
    size_t count, cap;
};

struct splitter {
    const struct gri_split_opts *opts;
    const char *text;
    gri_chunk_fn *fn;
    void *arg;
    struct gri_strbuf joined;      /* a chunk that is no span of the text */
    size_t seen_bytes, seen_chars; /* how far characters were counted for start_chars */
};

static size_t count_chars(const char *s, size_t len)
{
    size_t chars = 0;

    for (size_t i = 0; i < len; i++)
        chars += ((unsigned char)s[i] & 0xc0) != 0x80;
    return chars;
}

static bool add_piece(struct pieces *p, const char *text, size_t start, size_t len)
{
    if (len == 0)
        return true;
    if (p->count == p->cap) {
        size_t cap = p->cap == 0 ? 32 : p->cap * 2;
        struct piece *items = gri_resize(p->items, cap * sizeof(*items));

        if (items == NULL)
            return false;
        p->items = items;
        p->cap = cap;
    }
    p->items[p->count++] =
        (struct piece){ (uint32_t)start, (uint32_t)len, (uint32_t)count_chars(text + start, len) };
    return true;
}

/* is_space agrees with Python's str.isspace. */
static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

/* strip gives the bytes of white space at the start, and shortens *len by those at the end. */
static size_t strip(const char *s, size_t *len)
{
    size_t start = 0, end = *len;
    uint32_t c = 0;

    while (start < end) {
        size_t size = gri_utf8_next(s + start, end - start, &c);

        if (size == 0 || !is_space(c))
            break;
        start += size;
    }
    while (end > start) {
        size_t at = end - 1;

        while (at > start && ((unsigned char)s[at] & 0xc0) == 0x80)
            at--;
        if (gri_utf8_next(s + at, end - at, &c) == 0 || !is_space(c))
            break;
        end = at;
    }
    *len = end - start;
    return start;
}

/* chars_before counts on from the last call if it can: chunks come nearly in order. */
static size_t chars_before(struct splitter *s, size_t bytes)
{
    if (bytes >= s->seen_bytes)
        s->seen_chars += count_chars(s->text + s->seen_bytes, bytes - s->seen_bytes);
    else
        s->seen_chars -= count_chars(s->text + bytes, s->seen_bytes - bytes);
    s->seen_bytes = bytes;
    return s->seen_chars;
}

/* emit joins the pieces [from, to) and gives them to fn. */
static gr_code emit(struct splitter *s, const struct pieces *p, size_t from, size_t to,
                    const char *separator)
{
    const struct piece *first = &p->items[from], *last = &p->items[to - 1];
    const char *chunk = s->text + first->start;
    size_t len = (size_t)last->start + last->len - first->start, skipped = 0;

    if (separator[0] != '\0') {
        gri_strbuf_clear(&s->joined);
        for (size_t i = from; i < to; i++) {
            if (i > from)
                gri_strbuf_adds(&s->joined, separator);
            gri_strbuf_add(&s->joined, s->text + p->items[i].start, p->items[i].len);
        }
        if (s->joined.failed)
            return GR_ENOMEM;
        chunk = s->joined.data;
        len = s->joined.len;
    }
    if (!s->opts->keep_whitespace)
        skipped = strip(chunk, &len);
    if (len == 0)
        return GR_OK;
    return s->fn(s->arg, chunk + skipped, len, chars_before(s, first->start + skipped));
}

static gr_code merge(struct splitter *s, const struct pieces *p, const char *separator)
{
    size_t sep = count_chars(separator, strlen(separator)), from = 0, total = 0;
    size_t size = s->opts->chunk_size, overlap = s->opts->chunk_overlap;

    for (size_t i = 0; i < p->count; i++) {
        size_t chars = p->items[i].chars;

        if (i > from && total + chars + sep > size) {
            gr_code rc = emit(s, p, from, i, separator);

            if (rc != GR_OK)
                return rc;
            while (from < i && (total > overlap || total + chars + sep > size)) {
                total -= p->items[from].chars + (i - from > 1 ? sep : 0);
                from++;
            }
        }
        total += chars + (i > from ? sep : 0);
    }
    return p->count > from ? emit(s, p, from, p->count, separator) : GR_OK;
}

static bool cut_everywhere(const struct splitter *s, struct piece span, struct pieces *out)
{
    uint32_t c = 0;

    for (size_t at = 0; at < span.len;) {
        size_t size = gri_utf8_next(s->text + span.start + at, span.len - at, &c);

        size = size == 0 ? 1 : size;
        if (!add_piece(out, s->text, span.start + at, size))
            return false;
        at += size;
    }
    return true;
}

/* cut_at cuts before each separator, which stays in front of what follows it, or is dropped. */
static bool cut_at(const struct splitter *s, struct piece span, const char *separator,
                   struct pieces *out)
{
    const char *base = s->text + span.start, *from = base, *end = base + span.len;
    size_t len = strlen(separator);

    if (len == 0)
        return cut_everywhere(s, span, out);
    for (const char *search = base;;) {
        const char *found = memmem(search, (size_t)(end - search), separator, len);
        const char *to = found == NULL ? end : found;

        if (!add_piece(out, s->text, (size_t)(from - s->text), (size_t)(to - from)))
            return false;
        if (found == NULL)
            return true;
        search = found + len;
        from = s->opts->drop_separator ? search : found;
    }
}

/* pick gives the index of the first separator that occurs in the span, else of the last one. */
static size_t pick(const struct splitter *s, struct piece span, size_t first)
{
    const struct gri_split_opts *o = s->opts;

    for (size_t i = first; i < o->separator_count; i++)
        if (o->separators[i][0] == '\0' || memmem(s->text + span.start, span.len, o->separators[i],
                                                  strlen(o->separators[i])) != NULL)
            return i;
    return o->separator_count - 1;
}

static gr_code emit_alone(struct splitter *s, struct piece piece)
{
    const char *chunk = s->text + piece.start;

    return s->fn(s->arg, chunk, piece.len, chars_before(s, piece.start));
}

static gr_code split_span(struct splitter *s, struct piece span, size_t first)
{
    const struct gri_split_opts *o = s->opts;
    size_t picked = pick(s, span, first);
    const char *separator = o->separators[picked];
    const char *joint = o->drop_separator ? separator : "";
    bool last = separator[0] == '\0' || picked + 1 == o->separator_count;
    struct pieces all = { .items = NULL }, good = { .items = NULL };
    gr_code rc = GR_ENOMEM;

    if (!cut_at(s, span, separator, &all))
        goto out;
    for (size_t i = 0; i < all.count; i++) {
        struct piece piece = all.items[i];

        if (piece.chars < o->chunk_size) {
            rc = add_piece(&good, s->text, piece.start, piece.len) ? GR_OK : GR_ENOMEM;
        } else {
            rc = merge(s, &good, joint);
            good.count = 0;
            if (rc == GR_OK)
                rc = last ? emit_alone(s, piece) : split_span(s, piece, picked + 1);
        }
        if (rc != GR_OK)
            goto out;
    }
    rc = merge(s, &good, joint);
out:
    gri_free(all.items);
    gri_free(good.items);
    return rc;
}

gr_code gri_split(const char *text, size_t len, const struct gri_split_opts *opts, gri_chunk_fn *fn,
                  void *arg)
{
    struct splitter s = { .opts = opts, .text = text, .fn = fn, .arg = arg };
    gr_code rc;

    if (len > GRI_SPLIT_TEXT_MAX)
        return GR_EINVAL;
    if (len == 0 || opts->separator_count == 0)
        return len == 0 ? GR_OK : GR_EINVAL;
    rc = split_span(&s, (struct piece){ 0, (uint32_t)len, 0 }, 0);
    gri_strbuf_fini(&s.joined);
    return rc;
}
