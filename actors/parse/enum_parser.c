/* SPDX-License-Identifier: Apache-2.0 */
/* enum_parser.c - gr_enum_parser: one of several texts. */
#include <greenroom/callbacks.h>
#include <greenroom/message.h>
#include <greenroom/parser.h>

#include "actors/compose/describe.h"
#include "actors/parse/parsing.h"
#include "runtime/base/strbuf.h"

/* listed gives the texts, one behind the other. */
static gr_value *listed(const gr_value *texts)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *v;

    for (size_t i = 0; i < gr_len(texts); i++)
        gri_strbuf_addf(&b, "%s%s", i == 0 ? "" : ", ", gr_cstr(gr_at(texts, i), ""));
    v = b.failed ? gr_error(GR_ENOMEM, "out of memory") : gr_str(b.data);
    gri_strbuf_fini(&b);
    return v;
}

static gr_value *enum_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    const gr_value *texts = gr_args(c);
    gr_value *text = gr_message_text(input), *word, *names, *err;

    (void)self;
    if (gr_error_code(text) != GR_OK)
        return text;
    word = gri_trimmed(text);
    gr_value_unref(text);
    if (gr_error_code(word) != GR_OK)
        return word;
    for (size_t i = 0; i < gr_len(texts); i++)
        if (gr_equal(gr_at(texts, i), word))
            return word;
    names = listed(texts);
    err = gri_parse_error(word, "the answer is none of the expected values: %s",
                          gr_cstr(names, gr_error_text(names)));
    gr_value_unref(names);
    gr_value_unref(word);
    return err;
}

static gr_value *enum_instructions(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *names = listed(gr_args(c)), *text;

    (void)self;
    (void)args;
    text = gr_strf("Answer with one of these, and nothing else: %s",
                   gr_cstr(names, gr_error_text(names)));
    gr_value_unref(names);
    return text;
}

static gr_value *enum_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    (void)args;
    return gri_describe_leaf(
        "EnumOutputParser", NULL,
        gr_set(gri_schema_of_type("string"), "enum", gr_value_ref(gr_args(c))));
}

static const gr_method enum_methods[] = {
    { "invoke", GR_CHEAP, enum_invoke, NULL },
    { "get_format_instructions", GR_CHEAP, enum_instructions, NULL },
    { "describe", GR_CHEAP, enum_describe, NULL },
};
static const gr_class enum_class =
    GR_CLASS(.name = "EnumOutputParser", .run_type = GR_TYPE_PARSER, GR_METHODS(enum_methods));

gr_ref gr_enum_parser(gr_scope *in, gr_value *values)
{
    gr_value *err = NULL;

    if (gr_error_code(values) == GR_OK && (gr_value_type(values) != GR_LIST || gr_len(values) == 0))
        err = gr_error(GR_EINVAL, "enum_parser: expected a list of texts");
    for (size_t i = 0; i < gr_len(values) && err == NULL; i++)
        if (gr_value_type(gr_at(values, i)) != GR_STR)
            err = gr_error(GR_EINVAL, "enum_parser: value %zu is no text", i + 1);
    if (err != NULL) {
        gr_value_unref(values);
        values = err;
    }
    return gr_spawn(in, &enum_class, GR_SPAWN(.args = values));
}
