/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line_parser.c - gr_numbered_list_parser and gr_markdown_list_parser: the items of a list that a model
 * wrote, one a line.
 *
 * "1. first" anywhere in a line, and "- first" or "* first" at its beginning, blanks aside; other lines don't
 * count. Where a line ends with the number or the bullet the next one is the item, unless it is empty: the blank
 * that langchain-core looks for may be the line's end. A stream gives each item, as a list of one, once its line has ended; what is kept is the line that
 * is still coming.
 */
#include <greenroom/callbacks.h>
#include <greenroom/message.h>
#include <greenroom/parser.h>
#include <string.h>

#include "actors/compose/describe.h"
#include "actors/prompt/template.h"
#include "runtime/base/strbuf.h"

#define LINE_BYTES_MAX ((size_t)64 << 20)

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* numbered finds what follows a number, a full stop and a blank; NULL: nothing does. A line may hold a NUL, which
 * is a letter like any other. */
static const char *numbered(const char *line, const char *end)
{
    for (const char *p = line; end - p > 2; p++)
        if (p > line && p[0] == '.' && p[-1] >= '0' && p[-1] <= '9' && is_blank(p[1]))
            return p + 2;
    return NULL;
}

/* skip_blanks stops at the NUL behind the line at the latest. */
static const char *skip_blanks(const char *line)
{
    while (is_blank(*line))
        line++;
    return line;
}

/* bulleted finds what follows a bullet and a blank; NULL: nothing does. */
static const char *bulleted(const char *line, const char *end)
{
    line = skip_blanks(line);
    return end - line > 2 && (line[0] == '-' || line[0] == '*') && is_blank(line[1]) ? line + 2
                                                                                     : NULL;
}

static bool ends_numbered(const char *line, const char *end)
{
    return end - line >= 2 && end[-1] == '.' && end[-2] >= '0' && end[-2] <= '9';
}

static bool ends_bulleted(const char *line, const char *end)
{
    line = skip_blanks(line);
    return end - line == 1 && (line[0] == '-' || line[0] == '*');
}

/* What a list looks like. */
struct look {
    const char *(*item)(const char *line, const char *end);
    bool (*ends)(const char *line, const char *end); /* so that the next line is the item */
};
static const struct look numbers = { numbered, ends_numbered };
static const struct look bullets = { bulleted, ends_bulleted };

/* Where a list is read: each item goes to `items`, or, in a stream, out. */
struct reader {
    const struct look *look;
    bool next; /* this line is the item */
    struct gri_strbuf line;
    gr_value *items; /* counted, or an error; NULL: to the stream */
};

/* item_of finds the item in the line that has come; NULL: there is none. */
static const char *item_of(struct reader *r)
{
    const char *line = r->line.len > 0 ? r->line.data : NULL;
    const char *end = line != NULL ? line + r->line.len : NULL;
    const char *found = line == NULL || r->next ? line : r->look->item(line, end);

    r->next = line != NULL && found == NULL && r->look->ends(line, end);
    return found;
}

/* end_line takes the item out of the line that has come. */
static gr_code end_line(gr_ctx *c, struct reader *r)
{
    const char *found = item_of(r);
    gr_value *v =
        found != NULL ? gr_strn(found, (size_t)(r->line.data + r->line.len - found)) : NULL;

    if (r->line.failed) {
        gr_value_unref(v);
        v = gr_error(GR_ENOMEM, "out of memory, or a line above its limit");
    }
    gri_strbuf_clear(&r->line);
    if (v == NULL)
        return GR_OK;
    if (gr_error_code(v) != GR_OK)
        return gr_fail(c, v);
    if (r->items == NULL)
        return gr_emit(c, gr_list(v));
    r->items = gr_append(r->items, v);
    return GR_OK;
}

/* feed takes the text of a message, or of a part of one. */
static gr_code feed(gr_ctx *c, struct reader *r, const gr_value *chunk)
{
    gr_value *text = gr_message_text(chunk);
    const char *end = gr_cstr(text, "") + gr_len(text);
    gr_code rc = GR_OK;

    if (gr_error_code(text) != GR_OK)
        return gr_fail(c, text);
    for (const char *p = gr_cstr(text, ""); p < end && rc == GR_OK; p++) {
        if (*p == '\n')
            rc = end_line(c, r);
        else
            gri_strbuf_addc(&r->line, *p);
    }
    gr_value_unref(text);
    return rc;
}

/* parse_all gives all items of a text. */
static gr_value *parse_all(gr_ctx *c, const gr_value *input, const struct look *look)
{
    struct reader r = { .look = look, .line.max = LINE_BYTES_MAX, .items = gr_list_n(NULL, 0) };
    gr_value *text = gr_message_text(input);

    if (gr_error_code(text) != GR_OK) {
        gr_value_unref(r.items);
        return text;
    }
    if (feed(c, &r, text) != GR_OK || end_line(c, &r) != GR_OK) {
        gr_value_unref(r.items);
        r.items = gr_error(GR_ENOMEM, "out of memory for a list");
    }
    gri_strbuf_fini(&r.line);
    gr_value_unref(text);
    return r.items;
}

static gr_code parse_stream(gr_ctx *c, gr_stream *in, const struct look *look)
{
    struct reader r = { .look = look, .line.max = LINE_BYTES_MAX };
    gr_outcome o = { .code = GR_EOS };
    gr_code rc = GR_OK;

    while (in != NULL && rc == GR_OK && (o = gr_next(in, -1)).code == GR_OK)
        rc = feed(c, &r, o.value);
    if (rc == GR_OK && o.code == GR_EOS)
        rc = end_line(c, &r);
    else if (rc == GR_OK)
        rc = o.error != NULL ? gr_fail(c, gr_value_ref(o.error)) : o.code;
    gri_strbuf_fini(&r.line);
    return rc;
}

/* ---- the two --------------------------------------------------------------------------------- */

static gr_value *numbered_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    (void)self;
    return parse_all(c, input, &numbers);
}

static gr_code numbered_transform(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    (void)self;
    (void)args;
    return parse_stream(c, in, &numbers);
}

static gr_value *numbered_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    (void)self;
    (void)args;
    return gri_describe_leaf("NumberedListOutputParser", NULL, gri_schema_of_type("array"));
}

static gr_value *bulleted_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    (void)self;
    return parse_all(c, input, &bullets);
}

static gr_code bulleted_transform(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    (void)self;
    (void)args;
    return parse_stream(c, in, &bullets);
}

static gr_value *bulleted_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    (void)self;
    (void)args;
    return gri_describe_leaf("MarkdownListOutputParser", NULL, gri_schema_of_type("array"));
}

static gr_value *numbered_instructions(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    (void)self;
    (void)args;
    return gr_str(
        "Answer with a numbered list, an item on each line, and nothing else:\n1. one\n2. two");
}

static gr_value *bulleted_instructions(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    (void)self;
    (void)args;
    return gr_str(
        "Answer with a Markdown list, an item on each line, and nothing else:\n- one\n- two");
}

static const gr_method numbered_methods[] = {
    { "get_format_instructions", GR_CHEAP, numbered_instructions, NULL },
    { "describe", GR_CHEAP, numbered_describe, NULL },
    { "invoke", GR_CHEAP, numbered_invoke, NULL },
    { "transform", GR_ASYNC, NULL, numbered_transform },
};
static const gr_class numbered_class =
    GR_CLASS(.name = "NumberedListOutputParser", .run_type = GR_TYPE_PARSER,
             GR_METHODS(numbered_methods));

static const gr_method bulleted_methods[] = {
    { "get_format_instructions", GR_CHEAP, bulleted_instructions, NULL },
    { "describe", GR_CHEAP, bulleted_describe, NULL },
    { "invoke", GR_CHEAP, bulleted_invoke, NULL },
    { "transform", GR_ASYNC, NULL, bulleted_transform },
};
static const gr_class bulleted_class =
    GR_CLASS(.name = "MarkdownListOutputParser", .run_type = GR_TYPE_PARSER,
             GR_METHODS(bulleted_methods));

gr_ref gr_numbered_list_parser(gr_scope *in)
{
    return gr_spawn(in, &numbered_class, NULL);
}

gr_ref gr_markdown_list_parser(gr_scope *in)
{
    return gr_spawn(in, &bulleted_class, NULL);
}
