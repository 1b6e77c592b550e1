/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_parser.c - gr_json_parser: the JSON in what a model says, also while it is still saying it.
 *
 * The JSON is the whole text, or what stands in its first fence of three backticks. What is not
 * finished is closed (gr_json_partial). A stream gives what can be read so far whenever that has
 * changed, or a patch that makes it of what could be read before. It reads each letter once (text_json.h).
 * The spawn argument says whether it is patches.
 */
#include <greenroom/callbacks.h>
#include <greenroom/message.h>
#include <greenroom/parser.h>

#include "actors/compose/describe.h"
#include "actors/parse/json_patch.h"
#include "actors/parse/parsing.h"
#include "actors/parse/text_json.h"

static gr_value *json_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    gr_value *text = gr_message_text(input), *v;

    (void)c;
    (void)self;
    if (gr_error_code(text) != GR_OK)
        return text;
    v = gri_json_in(text);
    gr_value_unref(text);
    return v;
}

/* json_tell emits what can be read now, NULL for nothing new; *last, of patches, is what was emitted before. */
static gr_code json_tell(gr_ctx *c, gr_value *v, gr_value **last)
{
    gr_value *patch;

    if (v == NULL)
        return GR_OK;
    if (gr_error_code(v) != GR_OK)
        return gr_fail(c, v);
    if (!gr_as_bool(gr_args(c), false))
        return gr_emit(c, v);
    patch = gri_json_patch(*last, v);
    gr_value_unref(*last);
    *last = v;
    return gr_error_code(patch) == GR_OK ? gr_emit(c, patch) : gr_fail(c, patch);
}

struct reading {
    struct gri_text_json json;
    gr_value *last; /* counted; of patches, what was emitted before */
};

/* json_next adds a chunk's text and emits what is new in it. */
static gr_code json_next(gr_ctx *c, void *state, const gr_value *chunk)
{
    struct reading *r = state;
    gr_value *text = gr_message_text(chunk), *v;

    if (gr_error_code(text) != GR_OK)
        return gr_fail(c, text);
    v = gri_text_json_add(&r->json, gr_cstr(text, ""));
    gr_value_unref(text);
    return json_tell(c, v, &r->last);
}

static gr_code json_transform(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    struct reading r = { .last = NULL };
    gr_code rc;

    (void)self;
    (void)args;
    gri_text_json_init(&r.json, GRI_PARSER_BYTES_MAX);
    rc = gri_parse_each(c, in, json_next, &r);
    gri_text_json_fini(&r.json);
    gr_value_unref(r.last);
    return rc;
}

static gr_value *json_instructions(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    (void)self;
    (void)args;
    return gr_str("Answer with one JSON value, and nothing else.");
}

static gr_value *json_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    (void)self;
    (void)args;
    return gri_describe_leaf("JsonOutputParser", NULL, NULL);
}

static const gr_method json_parser_methods[] = {
    { "describe", GR_CHEAP, json_describe, NULL },
    { "get_format_instructions", GR_CHEAP, json_instructions, NULL },
    { "invoke", GR_CHEAP, json_invoke, NULL },
    { "transform", GR_ASYNC, NULL, json_transform },
};
static const gr_class json_parser_class =
    GR_CLASS(.name = "JsonOutputParser", .run_type = GR_TYPE_PARSER,
             GR_METHODS(json_parser_methods));

gr_ref gr_json_parser(gr_scope *in)
{
    return gr_json_parser_for(in, NULL);
}

gr_ref gr_json_parser_for(gr_scope *in, const gr_json_parser_opts *opts)
{
    return gr_spawn(in, &json_parser_class, GR_SPAWN(.args = gr_bool(opts != NULL && opts->diff)));
}
