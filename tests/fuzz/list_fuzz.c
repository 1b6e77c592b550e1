/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list_fuzz.c - any answer of a model to the parsers of lists, of JSON and of one value: whole and in pieces it gives the same
 * items. The first byte says which parser, and how long the pieces are.
 *
 * The actors live in a runtime of the process's, whose workers keep memory, so no blocks are counted here.
 */
#include <greenroom/greenroom.h>

#include "runtime/base/utf8.h"
#include "tests/fuzz/fuzz.h"

static gr_runtime *rt;

struct piece {
    const char *text;
    size_t len, size;
};

static gr_code pieces(gr_ctx *c, void *arg, gr_stream *in)
{
    const struct piece *p = arg;
    gr_code rc = GR_OK;

    (void)in;
    for (size_t at = 0, end; at < p->len && rc == GR_OK; at = end) {
        end = at + p->size < p->len ? at + p->size : p->len;
        while (end < p->len && ((unsigned char)p->text[end] & 0xc0) == 0x80)
            end++;
        rc = gr_emit(c, gr_strn(p->text + at, end - at));
    }
    return rc;
}

/* Chunks: the items of lists, one after the other, or the last of what could be read so far. */
struct heard {
    gr_value *items, *last;
};

static bool hear(void *arg, const gr_value *chunk)
{
    struct heard *h = arg;

    must(gr_error_code(chunk) == GR_OK);
    for (size_t i = 0; gr_value_type(chunk) == GR_LIST && i < gr_len(chunk); i++)
        h->items = gr_append(h->items, gr_value_ref(gr_at(chunk, i)));
    gr_value_unref(h->last);
    h->last = gr_value_ref(chunk);
    return true;
}

static gr_ref parser_of(gr_scope *in, unsigned which)
{
    switch (which) {
    case 0: return gr_comma_list_parser(in);
    case 1: return gr_numbered_list_parser(in);
    case 2: return gr_markdown_list_parser(in);
    case 3: return gr_json_parser(in);
    case 4: return gr_boolean_parser(in, NULL, NULL);
    case 5: return gr_enum_parser(in, gr_list(gr_str("a"), gr_str("b")));
    case 6:
        return gr_regex_parser(in, "(\\w+): *([^\\n]*)", gr_list(gr_str("k"), gr_str("v")), NULL);
    default: return gr_datetime_parser(in, NULL);
    }
}

/* is_sound: an error is one that a text may cause. */
static void is_sound(const gr_value *err)
{
    gr_code code = gr_error_code(err);

    must(err == NULL || code == GR_EINVAL || code == GR_ETYPE || code == GR_EFULL);
}

static void parse(gr_scope *in, unsigned which, struct piece *p)
{
    struct heard h = { .items = gr_list_n(NULL, 0) };
    gr_ref parser = parser_of(in, which);
    gr_value *err = NULL, *streamed = NULL, *whole;

    whole = gr_invoke(rt, parser, gr_strn(p->text, p->len), NULL, &err);
    must((whole == NULL) == (err != NULL));
    is_sound(err);
    (void)gr_do_stream(rt, gr_seq(in, gr_generator(in, GR_ASYNC, pieces, NULL, p), parser),
                       gr_nil(), NULL, hear, &h, &streamed);
    is_sound(streamed);
    if (whole != NULL && which < 3)
        must(streamed == NULL && gr_equal(h.items, whole));
    /* of JSON with a NUL between its tokens a stream and the whole read different beginnings */
    if (whole != NULL && which >= 3 && h.last != NULL && memchr(p->text, '\0', p->len) == NULL)
        must(gr_equal(h.last, whole));
    gr_value_unref(whole);
    gr_value_unref(err);
    gr_value_unref(streamed);
    gr_value_unref(h.items);
    gr_value_unref(h.last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct piece p = { .text = (const char *)data + 1, .len = size - 1 };
    gr_scope *in;

    if (size < 2 || size > 2000 || !gri_utf8_valid(p.text, p.len))
        return 0;
    if (rt == NULL)
        must(gr_runtime_new(GR_RUNTIME(.workers = 1), &rt) == GR_OK);
    in = gr_scope_new(gr_root(rt));
    must(in != NULL);
    p.size = 1 + data[0] / 8;
    parse(in, data[0] % 8, &p);
    gr_scope_free(in);
    return 0;
}
