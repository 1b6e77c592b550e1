/* SPDX-License-Identifier: Apache-2.0 */
/* str_parser.c - gr_str_parser: a message, a chunk or a string to its text. */
#include <greenroom/callbacks.h>
#include <greenroom/message.h>
#include <greenroom/parser.h>
#include <greenroom/stream.h>

#include "actors/compose/describe.h"

static gr_value *parse(gr_ctx *c, void *self, const gr_value *input)
{
    (void)c;
    (void)self;
    return gr_message_text(input);
}

/* Each chunk is parsed alone, so that what a model says is passed on word by word. */
static gr_code transform(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    (void)self;
    (void)args;
    for (;;) {
        gr_outcome o = gr_next(in, -1);
        gr_value *text;
        gr_code rc;

        if (o.code == GR_EOS)
            return GR_OK;
        if (o.code != GR_OK)
            return gr_fail(c, gr_value_ref(o.error));
        text = gr_message_text(o.value);
        if (gr_error_code(text) != GR_OK)
            return gr_fail(c, text);
        rc = gr_emit(c, text);
        if (rc != GR_OK)
            return rc;
    }
}

static gr_value *describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    (void)self;
    (void)args;
    return gri_describe_leaf("StrOutputParser", NULL, gri_schema_of_type("string"));
}

static const gr_method str_parser_methods[] = {
    { "describe", GR_CHEAP, describe, NULL },
    { "invoke", GR_CHEAP, parse, NULL },
    { "transform", GR_ASYNC, NULL, transform },
};
static const gr_class str_parser_class =
    GR_CLASS(.name = "StrOutputParser", .run_type = GR_TYPE_PARSER, GR_METHODS(str_parser_methods));

gr_ref gr_str_parser(gr_scope *in)
{
    return gr_spawn(in, &str_parser_class, NULL);
}
