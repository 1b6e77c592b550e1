/* SPDX-License-Identifier: Apache-2.0 */
/*
 * structured_parser.c - gr_structured_parser: JSON that is by a schema.
 *
 * A value is judged as a whole, which costs what it holds. So that a stream of a large one does not cost its square, it is
 * judged, and emitted, less often the more it holds; the last time at the end.
 */
#include <greenroom/callbacks.h>
#include <greenroom/codec.h>
#include <greenroom/message.h>
#include <greenroom/parser.h>
#include <greenroom/schema.h>

#include "actors/compose/describe.h"
#include "actors/parse/parsing.h"
#include "actors/parse/text_json.h"

static const gr_schema *schema_of(gr_ctx *c)
{
    return gr_as_opaque(gr_args(c));
}

/* judged fills the defaults in and gives the value if it is by the schema, else the error. */
static gr_value *judged(const gr_schema *schema, gr_value *v, const gr_value *text)
{
    gr_value *found, *told, *err;

    v = gr_schema_fill(schema, v);
    if (gr_error_code(v) != GR_OK)
        return v;
    found = gr_schema_validate(schema, v);
    if (gr_error_code(found) != GR_OK || gr_len(found) == 0) {
        bool fine = gr_error_code(found) == GR_OK;

        gr_value_unref(fine ? found : v);
        return fine ? v : found;
    }
    gr_value_unref(v);
    told = gr_schema_text(found);
    err = gri_parse_error(text, "the answer is not by the schema: %s",
                          gr_cstr(told, gr_error_text(told)));
    if (gri_is_parse_error(err)) {
        gr_value *detail = gr_map_n(NULL, 0);

        if (text != NULL)
            detail = gr_set(detail, "llm_output", gr_value_ref(text));
        err = gr_error_with(err, "detail", gr_set(detail, "errors", gr_value_ref(found)));
    }
    gr_value_unref(told);
    gr_value_unref(found);
    return err;
}

static gr_value *structured_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    gr_value *text = gr_message_text(input), *v;

    (void)self;
    if (gr_error_code(text) != GR_OK)
        return text;
    v = gri_json_in(text);
    if (gr_error_code(v) == GR_OK)
        v = judged(schema_of(c), v, text);
    gr_value_unref(text);
    return v;
}

/* ---- streams --------------------------------------------------------------------------------- */

#define VALUES_PER_BYTE 16 /* that are judged for each byte that has come */

struct reading {
    struct gri_text_json json;
    size_t due; /* the length of the text at which it is judged again */
    bool good;  /* what was read last was by the schema, and emitted */
};

/* tell emits what can be read now, NULL for nothing new, if it is by the schema. */
static gr_code tell(gr_ctx *c, struct reading *r, gr_value *v)
{
    if (v == NULL)
        return GR_OK;
    if (gr_error_code(v) != GR_OK)
        return gr_fail(c, v);
    if (r->json.text.len < r->due) {
        gr_value_unref(v);
        r->good = false;
        return GR_OK;
    }
    r->due = r->json.text.len + gri_text_json_values(&r->json) / VALUES_PER_BYTE;
    v = judged(schema_of(c), v, NULL);
    r->good = gr_error_code(v) == GR_OK;
    if (r->good)
        return gr_emit(c, v);
    if (!gri_is_parse_error(v))
        return gr_fail(c, v);
    gr_value_unref(v);
    return GR_OK;
}

static gr_code structured_next(gr_ctx *c, void *state, const gr_value *chunk)
{
    struct reading *r = state;
    gr_value *text = gr_message_text(chunk), *v;

    if (gr_error_code(text) != GR_OK)
        return gr_fail(c, text);
    v = gri_text_json_add(&r->json, gr_cstr(text, ""));
    gr_value_unref(text);
    return tell(c, r, v);
}

/* at_end fails a stream whose end is not by the schema, with what invoke says of it. */
static gr_code at_end(gr_ctx *c, struct reading *r)
{
    gr_value *text, *v;

    if (r->good)
        return GR_OK;
    text = gr_strn(r->json.text.len > 0 ? r->json.text.data : "", r->json.text.len);
    v = gr_error_code(text) != GR_OK ? gr_value_ref(text) : gri_json_in(text);
    if (gr_error_code(v) == GR_OK)
        v = judged(schema_of(c), v, text);
    gr_value_unref(text);
    return gr_error_code(v) == GR_OK ? gr_emit(c, v) : gr_fail(c, v);
}

static gr_code structured_transform(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    struct reading r = { .good = false };
    gr_code rc;

    (void)self;
    (void)args;
    gri_text_json_init(&r.json, GRI_PARSER_BYTES_MAX);
    rc = gri_parse_each(c, in, structured_next, &r);
    if (rc == GR_OK)
        rc = at_end(c, &r);
    gri_text_json_fini(&r.json);
    return rc;
}

/* ---- the actor ------------------------------------------------------------------------------- */

static gr_value *structured_instructions(gr_ctx *c, void *self, const gr_value *args)
{
    char *json = gr_json_print(gr_schema_value(schema_of(c)), 0, NULL);
    gr_value *text;

    (void)self;
    (void)args;
    if (json == NULL)
        return gr_error(GR_ENOMEM, "out of memory");
    text = gr_strf(
        "Answer with one JSON value that is by this JSON Schema, and nothing else. The schema tells what the answer looks "
        "like; it is not the answer.\n```json\n%s\n```",
        json);
    gr_free(json);
    return text;
}

static gr_value *structured_describe(gr_ctx *c, void *self, const gr_value *args)
{
    const gr_value *schema = gr_schema_value(schema_of(c));

    (void)self;
    (void)args;
    return gri_describe_leaf("PydanticOutputParser", NULL,
                             gr_value_type(schema) == GR_MAP ? gr_value_ref(schema) : NULL);
}

static const gr_method structured_methods[] = {
    { "invoke", GR_CHEAP, structured_invoke, NULL },
    { "transform", GR_ASYNC, NULL, structured_transform },
    { "get_format_instructions", GR_CHEAP, structured_instructions, NULL },
    { "describe", GR_CHEAP, structured_describe, NULL },
};
static const gr_class structured_class =
    GR_CLASS(.name = "PydanticOutputParser", .run_type = GR_TYPE_PARSER,
             GR_METHODS(structured_methods));

static void drop_schema(void *p)
{
    gr_schema_free(p);
}

gr_ref gr_structured_parser(gr_scope *in, gr_value *schema)
{
    gr_value *err = NULL;
    gr_schema *s = gr_schema_new(schema, NULL, &err);

    return gr_spawn(in, &structured_class,
                    GR_SPAWN(.args = s != NULL ? gr_opaque(s, drop_schema) : err));
}
