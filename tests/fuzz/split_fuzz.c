/* SPDX-License-Identifier: Apache-2.0 */
/*
 * split_fuzz.c - any text, cut into chunks and into words. UTF-8 is judged as a plain reading of
 * RFC 3629 does; chunks are pieces of the text, as long as allowed, and nothing is lost; words are
 * text.
 *
 * The first two bytes set the sizes of the chunks, the third the separators and what is kept.
 */
#include "actors/text/split.h"
#include "actors/text/words.h"
#include "runtime/base/utf8.h"
#include "tests/fuzz/fuzz.h"

struct check {
    const char *text;
    size_t len, covered; /* the text up to `covered` was in some chunk */
    const struct gri_split_opts *opts;
    bool is_span; /* chunks are spans of the text */
};

/* plain_next decodes one character as RFC 3629 says it; 0 bytes if it is none. */
static size_t plain_next(const uint8_t *p, size_t left, uint32_t *ret)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint32_t c = n < 2 ? p[0] : p[0] & (0x7fu >> n);

    if (n == 0 || n > left || p[0] >= 0xf8)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3fu);
    }
    *ret = c;
    return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : n;
}

/* check_utf8 returns whether all of it is text. */
static bool check_utf8(const uint8_t *data, size_t size)
{
    size_t at = 0;

    while (at < size) {
        uint32_t c = 0, ours = 0;
        size_t n = plain_next(data + at, size - at, &c);
        char put[4];

        if (n == 0)
            break;
        must(gri_utf8_next((const char *)data + at, size - at, &ours) == n && ours == c);
        must(gri_utf8_put(c, put) == n && memcmp(put, data + at, n) == 0);
        at += n;
    }
    must(gri_utf8_valid_len((const char *)data, size) == at);
    return at == size;
}

static size_t count_chars(const char *s, size_t len)
{
    size_t chars = 0;

    for (size_t i = 0; i < len; i++)
        chars += ((unsigned char)s[i] & 0xc0) != 0x80;
    return chars;
}

static size_t byte_of_char(const char *s, size_t len, size_t chars)
{
    size_t at = 0;

    for (; at < len; at++)
        if (((unsigned char)s[at] & 0xc0) != 0x80 && chars-- == 0)
            break;
    return at;
}

static gr_code on_chunk(void *arg, const char *chunk, size_t len, size_t start_chars)
{
    struct check *c = arg;
    size_t at = byte_of_char(c->text, c->len, start_chars);

    must(len > 0 && gri_utf8_valid(chunk, len));
    must(count_chars(chunk, len) <= c->opts->chunk_size); /* the last separator cuts everywhere */
    if (!c->is_span)
        return GR_OK;
    must(at + len <= c->len && memcmp(c->text + at, chunk, len) == 0);
    if (c->opts->keep_whitespace) {
        must(at <= c->covered && at + len >= c->covered);
        c->covered = at + len;
    }
    return GR_OK;
}

static void check_split(const char *text, size_t len, const uint8_t control[3])
{
    static const char *const plain[] = { "\n\n", "\n", " ", "" };
    static const char *const others[] = { "ab", "\xc3\xa9", ".", "" };
    struct gri_split_opts opts = { .chunk_size = control[0] % 40 + 1,
                                   .separators = (control[2] & 1) != 0 ? others : plain,
                                   .separator_count = 4,
                                   .drop_separator = (control[2] & 2) != 0,
                                   .keep_whitespace = (control[2] & 4) != 0 };
    struct check c = { .text = text, .len = len, .opts = &opts };

    opts.chunk_overlap = control[1] % opts.chunk_size;
    c.is_span = !opts.drop_separator;
    must(gri_split(text, len, &opts, on_chunk, &c) == GR_OK);
    must(!c.is_span || !opts.keep_whitespace || c.covered == len);
}

static void check_words(const char *text, size_t len)
{
    struct gri_words words = gri_words_of(text, len);
    struct gri_word w;
    size_t at = 0;

    while (gri_words_next(&words, &w)) {
        must(words.at > at && words.at <= len);
        must(w.len > 0 && w.len <= GRI_WORD_MAX && gri_utf8_valid(w.text, w.len));
        at = words.at;
        gri_word_stem(&w);
        must(w.len > 0 && w.len <= GRI_WORD_MAX && gri_utf8_valid(w.text, w.len));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_cost cost = fuzz_begin();

    if (size < 3)
        return 0;
    if (check_utf8(data + 3, size - 3)) {
        check_split((const char *)data + 3, size - 3, data);
        check_words((const char *)data + 3, size - 3);
    }
    fuzz_end(&cost, size, 128);
    return 0;
}
