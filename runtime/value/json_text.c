/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_text.c - strings of JSON. Most have no escapes: those are found in strides of eight bytes,
 * checked, and copied once. The others are decoded into a node as long as their raw text, which is
 * never too short.
 */
#include "runtime/value/json.h"

#include <string.h>

#include "runtime/base/utf8.h"

#define ONES UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/* has_below sets the high bit of (at least the first of) the bytes of word that are below n. */
static uint64_t has_below(uint64_t word, uint64_t n)
{
    return (word - ONES * n) & ~word & HIGHS;
}

/* find_special returns the first quote, backslash or control character; end if there is none. The
 * high bits of the bytes before it end up in *high. */
static const char *find_special(const char *p, const char *end, uint64_t *high)
{
    while (end - p >= 8) {
        uint64_t word;

        memcpy(&word, p, 8);
        if ((has_below(word, 0x20) | has_below(word ^ ONES * '"', 1) |
             has_below(word ^ ONES * '\\', 1)) != 0)
            break;
        *high |= word & HIGHS;
        p += 8;
    }
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        *high |= (unsigned char)*p++ & 0x80u;
    return p;
}

/* find_end returns the closing quote, r->end if the text ends before it, NULL if stopped. *high is
 * not zero afterwards if there are bytes outside of ASCII. */
static const char *find_end(struct gri_json *r, const char *p, bool *ret_escapes, uint64_t *high)
{
    for (;;) {
        p = find_special(p, r->end, high);
        if (p == r->end || *p == '"')
            return p;
        if (*p == '\\') {
            *ret_escapes = true;
            if (r->end - p < 2)
                return r->end;
            *high |= (unsigned char)p[1] & 0x80u;
            p += 2;
        } else if (r->partial || r->controls) {
            p++;
        } else {
            gri_json_stopped(r, GRI_JSON_BAD, p, "control character in a string", "an escape");
            return NULL;
        }
    }
}

/* check_utf8 returns how many of the bytes are characters. A character cut off by the end of a text
 * that is still arriving is left out; anything else that isn't UTF-8 stops the reader: SIZE_MAX. */
static size_t check_utf8(struct gri_json *r, const char *p, size_t len, bool cut)
{
    size_t good = gri_utf8_valid_len(p, len);

    if (good == len || (cut && len - good <= 3 && (unsigned char)p[good] >= 0xc2))
        return good;
    gri_json_stopped(r, GRI_JSON_BAD, p + good, "bad UTF-8 in a string", "a character");
    return SIZE_MAX;
}

/* ---- escapes --------------------------------------------------------------------------------- */

struct escape {
    const char *p, *end; /* borrowed: behind the backslash; where the string ends */
    bool cut;            /* the string ended before the escape did */
    const char *what;    /* what is wrong with it */
};

/* hex4 reads four digits; -1 if they aren't. */
static long hex4(struct escape *e)
{
    long n = 0;

    for (int i = 0; i < 4; i++, e->p++) {
        int c;

        c = e->p < e->end ? *e->p : '"';
        if (c >= '0' && c <= '9')
            n = n * 16 + (c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            n = n * 16 + ((c | 0x20) - 'a' + 10);
        else {
            e->cut = e->p == e->end;
            e->what = "bad \\u escape";
            return -1;
        }
    }
    return n;
}

/* low_surrogate reads the second half of a pair whose first is high; -1 if it isn't one. */
static long low_surrogate(struct escape *e, long high)
{
    long low;

    e->what = "half of a surrogate pair";
    e->cut = e->p == e->end || (e->end - e->p == 1 && *e->p == '\\');
    if (e->cut || e->p[0] != '\\' || e->p[1] != 'u')
        return -1;
    e->p += 2;
    low = hex4(e);
    if (low < 0)
        return -1;
    if (low < 0xdc00 || low > 0xdfff) {
        e->what = "half of a surrogate pair";
        return -1;
    }
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

/* escape_char reads one escape and returns its character; -1: see cut and what. */
static long escape_char(struct escape *e)
{
    static const char names[] = "\"\\/bfnrt";
    static const char chars[] = "\"\\/\b\f\n\r\t";
    const char *name;
    long c;

    e->what = "unknown escape";
    e->cut = e->p == e->end;
    if (e->cut)
        return -1;
    if (*e->p == 'u') {
        e->p++;
        c = hex4(e);
        if (c >= 0xd800 && c <= 0xdbff)
            return low_surrogate(e, c);
        if (c >= 0xdc00 && c <= 0xdfff) {
            e->what = "half of a surrogate pair";
            return -1;
        }
        return c;
    }
    name = *e->p != '\0' ? strchr(names, *e->p) : NULL;
    if (name == NULL)
        return -1;
    e->p++;
    return chars[name - names];
}

/* decode writes the string's bytes to out and returns how many; SIZE_MAX if stopped. */
static size_t decode(struct gri_json *r, const char *p, const char *end, bool cut, char *out)
{
    char *to = out;

    while (p < end) {
        const char *plain = memchr(p, '\\', (size_t)(end - p));
        size_t len = (size_t)((plain != NULL ? plain : end) - p);
        struct escape e = { .end = end };
        long c;

        /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): gri_text_new never gives NULL */
        memcpy(to, p, len);
        to += len;
        if (plain == NULL)
            break;
        e.p = plain + 1;
        c = escape_char(&e);
        if (c < 0 && e.cut && cut)
            break; /* the rest of the escape is still to come */
        if (c < 0) {
            gri_json_stopped(r, GRI_JSON_BAD, plain, e.what, "an escape");
            return SIZE_MAX;
        }
        to += gri_utf8_put((uint32_t)c, to);
        p = e.p;
    }
    return (size_t)(to - out);
}

static gr_value *decoded(struct gri_json *r, const char *p, size_t len, bool cut)
{
    gr_value *v = gri_text_new(GR_STR, len);
    struct gri_text *t = (struct gri_text *)(void *)v;
    size_t used;

    if (gri_is_broken(v))
        return v;
    used = decode(r, p, p + len, cut, t->data);
    if (used == SIZE_MAX) {
        gr_value_unref(v);
        return NULL;
    }
    t->len = (uint32_t)used;
    t->data[used] = '\0';
    return v;
}

bool gri_json_text(struct gri_json *r, bool key, gr_value **ret_text)
{
    const char *start = r->p + 1;
    bool escapes = false;
    uint64_t high = 0;
    const char *end = find_end(r, start, &escapes, &high);
    bool cut = end == r->end;
    size_t len;

    r->in_text = r->p;
    if (end == NULL)
        return false;
    if (cut && (!r->partial || key))
        return gri_json_stopped(r, GRI_JSON_END, r->end, NULL, "'\"'");
    len = (size_t)(end - start);
    if (high != 0)
        len = check_utf8(r, start, len, cut);
    if (len == SIZE_MAX)
        return false;
    if (escapes)
        *ret_text = decoded(r, start, len, cut);
    else if (key)
        *ret_text = gri_builder_key(&r->b, start, len);
    else
        *ret_text = gri_text_copy(GR_STR, start, len);
    if (*ret_text == NULL)
        return false;
    r->p = cut ? end : end + 1;
    r->in_text = NULL;
    return true;
}
