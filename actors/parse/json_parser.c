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
#include <greenroom/codec.h>
#include <greenroom/message.h>
#include <greenroom/parser.h>
#include <string.h>

#include "actors/compose/describe.h"
#include "actors/parse/json_patch.h"
#include "actors/parse/text_json.h"

#define TEXT_BYTES_MAX ((size_t)64 << 20)

static gr_value *read_json(const char *text, size_t len)
{
    gr_value *v = gr_json_parse(text, len, NULL);

    if (gr_error_code(v) == GR_OK)
        return v;
    gr_value_unref(v);
    return gr_json_partial(text, len, NULL);
}

/* inside_fence finds what stands behind ``` or ```json, up to the next fence or the end; NULL: there
 * is no fence. */
static const char *inside_fence(const char *text, size_t *ret_len)
{
    const char *start = strstr(text, "```"), *end;

    if (start == NULL)
        return NULL;
    start += 3;
    if (strncmp(start, "json", 4) == 0)
        start += 4;
    end = strstr(start, "```");
    *ret_len = end != NULL ? (size_t)(end - start) : strlen(start);
    return start;
}

/* parse gives the JSON that is in a text; nil if there is none yet. */
static gr_value *parse(const char *text, size_t len)
{
    gr_value *v = read_json(text, len);
    const char *fenced;

    if (!gr_is_nil(v) && gr_error_code(v) == GR_OK)
        return v;
    fenced = inside_fence(text, &len);
    if (fenced == NULL)
        return v;
    gr_value_unref(v);
    return read_json(fenced, len);
}

static bool is_null(const char *text)
{
    size_t blank = strspn(text, " \t\r\n");

    return strncmp(text + blank, "null", 4) == 0 &&
           strspn(text + blank + 4, " \t\r\n") == strlen(text + blank + 4);
}

static gr_value *no_json(const char *text)
{
    return gr_error_with(gr_error(GR_EINVAL, "Invalid json output: %.200s", text), "kind",
                         gr_str("OutputParserException"));
}

static gr_value *json_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    gr_value *text = gr_message_text(input), *v;

    (void)c;
    (void)self;
    if (gr_error_code(text) != GR_OK)
        return text;
    v = parse(gr_cstr(text, ""), gr_len(text));
    if ((gr_is_nil(v) && !is_null(gr_cstr(text, ""))) || gr_error_code(v) == GR_EINVAL) {
        gr_value_unref(v);
        v = no_json(gr_cstr(text, ""));
    }
    gr_value_unref(text);
    return v;
}

/* json_tell emits what can be read now; *last, of patches, is what was emitted before. */
static gr_code json_tell(gr_ctx *c, gr_value *v, gr_value **last)
{
    gr_value *patch;

    if (!gr_as_bool(gr_args(c), false))
        return gr_emit(c, v);
    patch = gri_json_patch(*last, v);
    gr_value_unref(*last);
    *last = v;
    return gr_error_code(patch) == GR_OK ? gr_emit(c, patch) : gr_fail(c, patch);
}

/* json_next adds a chunk's text and emits what is new in it. */
static gr_code json_next(gr_ctx *c, struct gri_text_json *t, const gr_value *chunk, gr_value **last)
{
    gr_value *text = gr_message_text(chunk), *v;

    if (gr_error_code(text) != GR_OK)
        return gr_fail(c, text);
    v = gri_text_json_add(t, gr_cstr(text, ""));
    gr_value_unref(text);
    if (v == NULL)
        return GR_OK;
    return gr_error_code(v) == GR_OK ? json_tell(c, v, last) : gr_fail(c, v);
}

static gr_code json_transform(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    struct gri_text_json t;
    gr_value *last = NULL, *v;
    gr_code rc = GR_OK;
    gr_outcome o = { .code = GR_EOS };

    (void)self;
    (void)args;
    gri_text_json_init(&t, TEXT_BYTES_MAX);
    while (in != NULL && rc == GR_OK && (o = gr_next(in, -1)).code == GR_OK)
        rc = json_next(c, &t, o.value, &last);
    if (rc == GR_OK && o.code != GR_EOS)
        rc = o.error != NULL ? gr_fail(c, gr_value_ref(o.error)) : o.code;
    else if (rc == GR_OK && (v = gri_text_json_end(&t)) != NULL)
        rc = gr_error_code(v) == GR_OK ? json_tell(c, v, &last) : gr_fail(c, v);
    gri_text_json_fini(&t);
    gr_value_unref(last);
    return rc;
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
