/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xml_parser.c - gr_xml_parser, and the one user of expat.
 *
 * The elements that are open are a stack; what is read of one is its text before its first child, and its children. A stream gives
 * each element without children once it has ended. Text goes to expat up to the last '>' that has come, so that expat never has
 * to look at the beginning of a long token again and again. A document type stops the reading: with it goes
 * everything that entities can do. Memory comes from gri_alloc.
 */
#include <greenroom/callbacks.h>
#include <greenroom/message.h>
#include <greenroom/parser.h>

#include <string.h>

#include "actors/compose/describe.h"
#include "actors/parse/parsing.h"
#include "runtime/base/alloc.h"
#include "runtime/base/strbuf.h"

#define DEPTH_MAX 30 /* elements in elements: each is a map and a list, of GR_DEPTH_MAX levels */

static gr_value *xml_instructions(gr_ctx *c, void *self, const gr_value *args)
{
    const gr_value *tags = gr_args(c);
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *v;

    (void)self;
    (void)args;
    gri_strbuf_adds(
        &b,
        "Answer with one XML document, and nothing else. Close every element that you open, the innermost "
        "first, and use no attributes.");
    for (size_t i = 0; i < gr_len(tags); i++)
        gri_strbuf_addf(&b, "%s%s", i == 0 ? " Use these tags: " : ", ",
                        gr_cstr(gr_at(tags, i), ""));
    gri_strbuf_adds(&b, gr_len(tags) > 0 ? "." : " Choose tags that say what they hold.");
    v = b.failed ? gr_error(GR_ENOMEM, "out of memory") : gr_str(b.data);
    gri_strbuf_fini(&b);
    return v;
}

#ifdef GR_EXPAT
#include <expat.h>

struct element {
    gr_value *tag;          /* counted */
    struct gri_strbuf text; /* before its first child */
    gr_value *children;     /* counted; a list; NULL: none */
};

struct xml {
    XML_Parser parser; /* owned; NULL: nothing was read */
    gr_ctx *c;
    struct element open[DEPTH_MAX];
    unsigned depth;
    bool stream, ended;     /* elements are emitted; the outermost has ended */
    gr_value *root;         /* counted; what was read, unless it is a stream */
    gr_value *err;          /* counted; why the reading stopped */
    gr_code rc;             /* of gr_emit */
    struct gri_strbuf rest; /* of a stream: what has not gone to expat */
    bool begun;
};

/* ---- what expat tells ------------------------------------------------------------------------ */

static void stop(struct xml *x, gr_value *err)
{
    if (x->err == NULL)
        x->err = err;
    else
        gr_value_unref(err);
    (void)XML_StopParser(x->parser, XML_FALSE);
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
    struct xml *x = arg;

    (void)attributes;
    if (x->depth == DEPTH_MAX) {
        stop(x, gri_parse_error(NULL, "XML nested more than %d deep", DEPTH_MAX));
        return;
    }
    x->open[x->depth++] = (struct element){ .tag = gr_str(name), .text = GRI_STRBUF_INIT };
    if (gr_error_code(x->open[x->depth - 1].tag) != GR_OK)
        stop(x, gr_error(GR_ENOMEM, "out of memory for XML"));
}

static void XMLCALL on_text(void *arg, const XML_Char *text, int len)
{
    struct xml *x = arg;

    if (x->depth > 0 && x->open[x->depth - 1].children == NULL)
        gri_strbuf_add(&x->open[x->depth - 1].text, text, (size_t)len);
}

/* text_of gives an element's text, nil for none. */
static gr_value *text_of(struct element *e)
{
    if (e->text.failed)
        return gr_error(GR_ENOMEM, "out of memory for XML");
    return e->text.len == 0 ? gr_nil() : gr_strn(e->text.data, e->text.len);
}

static bool is_blank(const struct gri_strbuf *b)
{
    for (size_t i = 0; i < b->len; i++)
        if (strchr(" \t\n\r", b->data[i]) == NULL)
            return false;
    return true;
}

/* pair gives {tag: v}; an error stays one. */
static gr_value *pair(const gr_value *tag, gr_value *v)
{
    if (gr_error_code(v) != GR_OK)
        return v;
    return gr_map(GR_KV(gr_cstr(tag, ""), v));
}

static void element_fini(struct element *e)
{
    gr_value_unref(e->tag);
    gr_value_unref(e->children);
    gri_strbuf_fini(&e->text);
}

/* whole gives an element as it is in the answer. */
static gr_value *whole(struct element *e, bool outermost)
{
    gr_value *children = e->children;

    e->children = NULL;
    if (!is_blank(&e->text) || (children == NULL && !outermost) || e->text.failed) {
        gr_value_unref(children);
        return pair(e->tag, text_of(e));
    }
    return pair(e->tag, children != NULL ? children : gr_list_n(NULL, 0));
}

/* emit gives an element that has ended within those that are open. */
static void emit(struct xml *x, struct element *e)
{
    gr_value *v = pair(e->tag, text_of(e));

    for (unsigned i = x->depth; i-- > 0 && gr_error_code(v) == GR_OK;)
        v = pair(x->open[i].tag, gr_list(v));
    x->rc = gr_error_code(v) == GR_OK ? gr_emit(x->c, v) : gr_fail(x->c, v);
    if (x->rc != GR_OK)
        (void)XML_StopParser(x->parser, XML_FALSE);
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
    struct xml *x = arg;
    struct element *e = &x->open[--x->depth], *around = x->depth > 0 ? e - 1 : NULL;
    gr_value *v = NULL;

    (void)name;
    if (x->stream && e->children == NULL)
        emit(x, e);
    else if (!x->stream)
        v = whole(e, around == NULL);
    element_fini(e);
    x->ended = around == NULL;
    if (v != NULL && gr_error_code(v) != GR_OK) {
        stop(x, v);
        return;
    }
    if (around == NULL) {
        x->root = v;
        return;
    }
    if (around->children == NULL)
        around->children = gr_list_n(NULL, 0);
    if (v != NULL)
        around->children = gr_append(around->children, v);
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *system,
                               const XML_Char *public_id, int subset)
{
    (void)name;
    (void)system;
    (void)public_id;
    (void)subset;
    stop(arg, gri_parse_error(NULL, "XML with a document type"));
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool begin(struct xml *x)
{
    static const XML_Memory_Handling_Suite memory = { gri_alloc, gri_resize, gri_free };

    x->parser = XML_ParserCreate_MM("UTF-8", &memory, NULL);
    if (x->parser == NULL)
        return false;
    XML_SetUserData(x->parser, x);
    XML_SetElementHandler(x->parser, on_start, on_end);
    XML_SetCharacterDataHandler(x->parser, on_text);
    XML_SetStartDoctypeDeclHandler(x->parser, on_doctype);
    return true;
}

static void xml_fini(struct xml *x)
{
    if (x->parser != NULL)
        XML_ParserFree(x->parser);
    while (x->depth > 0)
        element_fini(&x->open[--x->depth]);
    gr_value_unref(x->root);
    gr_value_unref(x->err);
    gri_strbuf_fini(&x->rest);
}

/* feed gives expat a part of the text; NULL, or why it can't go on, yours. What follows the end is not XML's. */
static gr_value *feed(struct xml *x, const char *text, size_t len, bool last)
{
    enum XML_Error code;

    while (len > 0 || last) {
        int piece = len > (1 << 20) ? 1 << 20 : (int)len;

        if (XML_Parse(x->parser, text, piece, last && (size_t)piece == len) == XML_STATUS_ERROR)
            break;
        text += piece;
        len -= (size_t)piece;
        if (len == 0)
            return NULL;
    }
    if (len == 0 && !last)
        return NULL;
    if (x->err != NULL)
        return gr_value_ref(x->err);
    code = XML_GetErrorCode(x->parser);
    if (code == XML_ERROR_NO_MEMORY)
        return gr_error(GR_ENOMEM, "out of memory for XML");
    if (x->ended || code == XML_ERROR_ABORTED)
        return NULL;
    return gri_parse_error(NULL, "no XML: line %lu, column %lu: %s",
                           (unsigned long)XML_GetCurrentLineNumber(x->parser),
                           (unsigned long)XML_GetCurrentColumnNumber(x->parser) + 1,
                           XML_ErrorString(code));
}

/* inside_fence finds what is in a fence of three backticks, up to the last one, else gives the text. */
static const char *inside_fence(const char *text, size_t *len)
{
    const char *start = strstr(text, "```"), *end = NULL, *next;

    if (start == NULL)
        return text;
    start += 3;
    if (strncmp(start, "xml", 3) == 0)
        start += 3;
    for (next = strstr(start, "```"); next != NULL; next = strstr(next + 1, "```"))
        end = next;
    if (end == NULL)
        return text;
    *len = (size_t)(end - start);
    return start;
}

/* with_output adds the text to an error that says what is wrong with it. */
static gr_value *with_output(gr_value *err, const gr_value *text)
{
    if (!gri_is_parse_error(err))
        return err;
    return gr_error_with(err, "detail", gr_map(GR_KV("llm_output", gr_value_ref(text))));
}

static gr_value *xml_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    struct xml x = { .c = c };
    gr_value *text = gr_message_text(input), *v;
    size_t len = gr_len(text);
    const char *s;

    (void)self;
    if (gr_error_code(text) != GR_OK)
        return text;
    s = inside_fence(gr_cstr(text, ""), &len);
    while (len > 0 && strchr(" \t\n\r", *s) != NULL)
        s++, len--;
    if (len > GRI_PARSER_BYTES_MAX || !begin(&x))
        v = gr_error(GR_ENOMEM, "out of memory for XML, or a text above its limit");
    else
        v = feed(&x, s, len, true);
    if (v == NULL && x.root == NULL)
        v = gri_parse_error(NULL, "no XML in the answer");
    if (v == NULL) {
        v = x.root;
        x.root = NULL;
    } else {
        v = with_output(v, text);
    }
    xml_fini(&x);
    gr_value_unref(text);
    return v;
}

/* begins finds where an element begins; NULL: nowhere yet. */
static const char *begins(const char *text)
{
    for (const char *p = text; (p = strchr(p, '<')) != NULL; p++)
        if ((p[1] >= 'a' && p[1] <= 'z') || (p[1] >= 'A' && p[1] <= 'Z') || p[1] == ':' ||
            p[1] == '_')
            return p;
    return NULL;
}

/* give_expat passes on what has come, up to the last '>', of which there is none before `from`. */
static gr_code give_expat(gr_ctx *c, struct xml *x, size_t from)
{
    const char *end = NULL;
    gr_value *err;

    for (size_t i = x->rest.len; i > from && end == NULL; i--)
        if (x->rest.data[i - 1] == '>')
            end = x->rest.data + i;
    if (end == NULL || x->ended)
        return GR_OK;
    err = feed(x, x->rest.data, (size_t)(end - x->rest.data), false);
    if (x->rc != GR_OK) {
        gr_value_unref(err);
        return x->rc;
    }
    gri_strbuf_consume(&x->rest, (size_t)(end - x->rest.data));
    return err == NULL ? GR_OK : gr_fail(c, err);
}

static gr_code xml_next(gr_ctx *c, void *state, const gr_value *chunk)
{
    struct xml *x = state;
    gr_value *text = gr_message_text(chunk);
    size_t from = x->rest.len;
    const char *start;

    if (gr_error_code(text) != GR_OK)
        return gr_fail(c, text);
    if (!x->ended)
        gri_strbuf_add(&x->rest, gr_cstr(text, ""), gr_len(text));
    gr_value_unref(text);
    if (x->rest.failed)
        return gr_fail(c, gr_error(GR_ENOMEM, "out of memory for XML, or a text above its limit"));
    if (x->rest.len == 0 || x->ended)
        return GR_OK;
    if (!x->begun) {
        start = begins(x->rest.data);
        if (start == NULL) { /* a '<' at the end may begin one */
            size_t keep = x->rest.data[x->rest.len - 1] == '<' ? 1 : 0;

            gri_strbuf_consume(&x->rest, x->rest.len - keep);
            return GR_OK;
        }
        gri_strbuf_consume(&x->rest, (size_t)(start - x->rest.data));
        x->begun = true;
        from = 0;
        if (!begin(x))
            return gr_fail(c, gr_error(GR_ENOMEM, "out of memory for XML"));
    }
    return give_expat(c, x, from);
}

static gr_code xml_transform(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    struct xml x = { .c = c, .stream = true, .rest.max = GRI_PARSER_BYTES_MAX };
    gr_code rc = gri_parse_each(c, in, xml_next, &x);

    (void)self;
    (void)args;
    xml_fini(&x);
    return rc;
}

#else /* !GR_EXPAT */

static gr_value *xml_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    (void)c;
    (void)self;
    (void)input;
    return gr_error(GR_EINVAL, "this library was built without XML (expat)");
}

#endif

static gr_value *xml_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    (void)self;
    (void)args;
    return gri_describe_leaf("XMLOutputParser", NULL, gri_schema_of_type("object"));
}

static const gr_method xml_methods[] = {
    { "invoke", GR_CHEAP, xml_invoke, NULL },
#ifdef GR_EXPAT
    { "transform", GR_ASYNC, NULL, xml_transform },
#endif
    { "get_format_instructions", GR_CHEAP, xml_instructions, NULL },
    { "describe", GR_CHEAP, xml_describe, NULL },
};
static const gr_class xml_class =
    GR_CLASS(.name = "XMLOutputParser", .run_type = GR_TYPE_PARSER, GR_METHODS(xml_methods));

gr_ref gr_xml_parser(gr_scope *in, const gr_xml_parser_opts *opts)
{
    gr_value *tags = opts != NULL && opts->tags != NULL ? opts->tags : gr_list_n(NULL, 0);

#ifndef GR_EXPAT
    gr_value_unref(tags);
    tags = gr_error(GR_EINVAL, "this library was built without XML (expat)");
#endif
    return gr_spawn(in, &xml_class, GR_SPAWN(.args = tags));
}
