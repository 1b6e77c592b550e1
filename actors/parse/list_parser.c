/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list_parser.c - gr_comma_list_parser: "a, b, c" as a list of texts.
 *
 * Blanks before an item don't count, nor do line breaks between items; an item in double quotes may
 * hold commas, and "" in it is a quote. A stream gives each item, as a list of one, once it is known
 * where it ends; what it keeps is the item that is still coming.
 */
#include <greenroom/callbacks.h>
#include <greenroom/message.h>
#include <greenroom/parser.h>
#include <string.h>

#include "actors/compose/describe.h"
#include "actors/prompt/template.h"
#include "runtime/base/strbuf.h"

#define ITEM_BYTES_MAX ((size_t)64 << 20)

struct reader {
    struct gri_strbuf item;
    bool begun, quoted; /* something of the item has come; inside of quotes */
    bool quote;         /* a quote came inside of quotes: the end of them, or half of "" */
    bool any;           /* a comma came, so another item is due */
};

static gr_value *take_item(struct reader *r)
{
    gr_value *v = gri_strbuf_value(&r->item);

    r->begun = r->quoted = r->quote = false;
    return v;
}

/* feed takes one byte; true: an item has ended. */
static bool feed(struct reader *r, char c)
{
    if (r->quoted && c == '"') {
        r->quote = !r->quote;
        if (!r->quote)
            gri_strbuf_addc(&r->item, c);
        return false;
    }
    if (r->quoted && !r->quote) {
        gri_strbuf_addc(&r->item, c);
        return false;
    }
    if (c == ',' || ((c == '\n' || c == '\r') && r->begun)) {
        r->any = c == ',';
        return true;
    }
    if (!r->begun && (c == ' ' || c == '\n' || c == '\r'))
        return false;
    r->any = false;
    if (!r->begun && c == '"') {
        r->begun = r->quoted = true;
        return false;
    }
    r->begun = true;
    gri_strbuf_addc(&r->item, c);
    return false;
}

/* A text may hold a NUL, which is a letter like any other. */
struct bytes {
    const char *at, *end;
};

static struct bytes bytes_of(const gr_value *text)
{
    const char *at = gr_cstr(text, "");

    return (struct bytes){ at, at + gr_len(text) };
}

/* add_item gives list with an item more, or the error that the item is. */
static gr_value *add_item(gr_value *list, gr_value *item)
{
    bool fine = gr_error_code(list) == GR_OK;

    if (fine && gr_error_code(item) == GR_OK)
        return gr_append(list, item);
    gr_value_unref(fine ? list : item);
    return fine ? item : list;
}

static gr_value *list_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    struct reader r = { .item.max = ITEM_BYTES_MAX };
    gr_value *text = gr_message_text(input), *list = gr_list_n(NULL, 0);

    (void)c;
    (void)self;
    if (gr_error_code(text) != GR_OK) {
        gr_value_unref(list);
        return text;
    }
    for (struct bytes b = bytes_of(text); b.at < b.end && gr_error_code(list) == GR_OK; b.at++)
        if (feed(&r, *b.at))
            list = add_item(list, take_item(&r));
    if (r.begun || r.any)
        list = add_item(list, take_item(&r));
    gri_strbuf_fini(&r.item);
    gr_value_unref(text);
    return list;
}

static gr_code emit_item(gr_ctx *c, struct reader *r)
{
    gr_value *item = take_item(r);

    return gr_error_code(item) == GR_OK ? gr_emit(c, gr_list(item)) : gr_fail(c, item);
}

static gr_code list_chunk(gr_ctx *c, struct reader *r, const gr_value *chunk)
{
    gr_value *text = gr_message_text(chunk);
    gr_code rc = GR_OK;

    if (gr_error_code(text) != GR_OK)
        return gr_fail(c, text);
    for (struct bytes b = bytes_of(text); b.at < b.end && rc == GR_OK; b.at++)
        if (feed(r, *b.at))
            rc = emit_item(c, r);
    gr_value_unref(text);
    return rc;
}

static gr_code list_transform(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    struct reader r = { .item.max = ITEM_BYTES_MAX };
    gr_outcome o = { .code = GR_EOS };
    gr_code rc = GR_OK;

    (void)self;
    (void)args;
    while (in != NULL && rc == GR_OK && (o = gr_next(in, -1)).code == GR_OK)
        rc = list_chunk(c, &r, o.value);
    if (rc == GR_OK && o.code == GR_EOS && (r.begun || r.any))
        rc = emit_item(c, &r);
    else if (rc == GR_OK && o.code != GR_EOS)
        rc = o.error != NULL ? gr_fail(c, gr_value_ref(o.error)) : o.code;
    gri_strbuf_fini(&r.item);
    return rc;
}

static gr_value *list_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    (void)self;
    (void)args;
    return gri_describe_leaf("CommaSeparatedListOutputParser", NULL, gri_schema_of_type("array"));
}

static gr_value *list_instructions(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    (void)self;
    (void)args;
    return gr_str(
        "Answer with a list of values with commas between them, and nothing else: one, two, three");
}

static const gr_method list_parser_methods[] = {
    { "get_format_instructions", GR_CHEAP, list_instructions, NULL },
    { "describe", GR_CHEAP, list_describe, NULL },
    { "invoke", GR_CHEAP, list_invoke, NULL },
    { "transform", GR_ASYNC, NULL, list_transform },
};
static const gr_class list_parser_class =
    GR_CLASS(.name = "CommaSeparatedListOutputParser", .run_type = GR_TYPE_PARSER,
             GR_METHODS(list_parser_methods));

gr_ref gr_comma_list_parser(gr_scope *in)
{
    return gr_spawn(in, &list_parser_class, NULL);
}
