/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_partial_fuzz.c - any text that is still arriving. Whole, a good text reads as ever; and of
 * each beginning of it we read what langchain-core's parse_partial_json reads, which is done here
 * as it is there: close what is open, and drop a character until the text is JSON.
 *
 * A damaged text must not crash; what is read of it is a value. The original keeps trying there, so
 * it may find what we don't.
 */
#include <greenroom/codec.h>

#include "runtime/base/strbuf.h"
#include "tests/fuzz/fuzz.h"

#define REFERENCE_MAX ((size_t)120) /* bytes: the original takes the square of them */

struct closing {
    char open[128];
    size_t depth;
    bool in_string, escaped;
    size_t escape_left; /* digits that an escape still wants */
};

/* note_char follows the text as the original does; false: a bracket that closes nothing. */
static bool note_char(struct closing *c, char ch)
{
    if (c->in_string) {
        if (c->escaped) {
            c->escaped = false;
            c->escape_left = ch == 'u' ? 4 : 0;
        } else if (ch == '\\') {
            c->escaped = true;
        } else if (ch == '"') {
            c->in_string = false;
        } else if (c->escape_left > 0) {
            c->escape_left--;
        }
    } else if (ch == '"') {
        c->in_string = true;
    } else if (ch == '{' || ch == '[') {
        must(c->depth < sizeof(c->open));
        c->open[c->depth++] = ch == '{' ? '}' : ']';
    } else if (ch == '}' || ch == ']') {
        if (c->depth == 0 || c->open[--c->depth] != ch)
            return false;
    }
    return true;
}

/* reference reads the first len bytes as the original does; NULL: it finds nothing. */
static gr_value *reference(const char *text, size_t len, const struct closing *c)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *v = NULL;

    gri_strbuf_add(&b, text, len);
    if (c->in_string)
        gri_strbuf_addc(&b, '"');
    for (len = b.len; v == NULL && len > 0; len--) {
        b.len = len;
        for (size_t i = c->depth; i > 0; i--)
            gri_strbuf_addc(&b, c->open[i - 1]);
        v = gr_json_parse(b.data, b.len, NULL);
        if (gr_error_code(v) != GR_OK) {
            gr_value_unref(v);
            v = NULL;
        }
        b.len = len;
        /* what was appended has overwritten nothing: it began at len */
    }
    gri_strbuf_fini(&b);
    return v;
}

/* is_inside_char: the cut is in the middle of a character. */
static bool is_inside_char(const char *text, size_t len, size_t at)
{
    return at < len && ((unsigned char)text[at] & 0xc0) == 0x80;
}

static void check_prefix(const char *text, size_t len, size_t at, const struct closing *c)
{
    gr_value *ours = gr_json_partial(text, at, NULL);
    gr_value *theirs;

    must(gr_error_code(ours) == GR_OK);
    /* inside of an escape or a character we keep more than the original: docs/values.md */
    if (c->escaped || c->escape_left > 0 || is_inside_char(text, len, at)) {
        gr_value_unref(ours);
        return;
    }
    theirs = reference(text, at, c);
    if (!(theirs == NULL ? gr_is_nil(ours) : gr_equal(ours, theirs)))
        fprintf(stderr, "at %zu of: %.*s\n", at, (int)len, text);
    must(theirs == NULL ? gr_is_nil(ours) : gr_equal(ours, theirs));
    gr_value_unref(theirs);
    gr_value_unref(ours);
}

static bool has_surrogate(const char *text, size_t len)
{
    for (size_t i = 0; i + 2 < len; i++)
        if (text[i] == '\\' && text[i + 1] == 'u' && (text[i + 2] == 'd' || text[i + 2] == 'D'))
            return true; /* a pair is two escapes, and one escape for us */
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_cost cost = fuzz_begin();
    const char *text = (const char *)data;
    gr_value *whole = gr_json_parse(text, size, NULL);
    gr_value *partial = gr_json_partial(text, size, NULL);
    struct closing c = { .depth = 0 };

    if (gr_error_code(whole) == GR_OK) {
        must(gr_equal(whole, partial));
        for (size_t at = 0; at < size && size <= REFERENCE_MAX && !has_surrogate(text, size);) {
            must(note_char(&c, text[at++]));
            check_prefix(text, size, at, &c);
        }
    }
    if (gr_error_code(partial) == GR_OK) {
        char *print = gr_json_print(partial, 0, NULL);

        must(print != NULL);
        gr_free(print);
    }
    gr_value_unref(whole);
    gr_value_unref(partial);
    gr_value_unref(gr_json_partial(text, size / 2, NULL));
    fuzz_end(&cost, size, 256);
    return 0;
}
