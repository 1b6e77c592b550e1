/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parser.h - output parsers: what a model said in, a value of one's own out.
 */
#ifndef GREENROOM_PARSER_H
#define GREENROOM_PARSER_H

#include <greenroom/runnable.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * gr_str_parser answers with the text of a message, a chunk or a string: StrOutputParser. It
 * streams chunk by chunk; chunks without text are passed on as "". Other input: GR_ETYPE. [any]
 */
GR_API gr_ref gr_str_parser(gr_scope *in);

/*
 * gr_json_parser answers with the JSON that is in a text or message, alone or in a fence of three
 * backticks; what is not finished is closed: JsonOutputParser. None: GR_EINVAL, kind
 * "OutputParserException". It streams what can be read so far whenever that has changed. [any]
 */
GR_API gr_ref gr_json_parser(gr_scope *in);
typedef struct gr_json_parser_opts {
    size_t size;
    bool diff; /* a stream gives, not what can be read so far, but what makes it of what could be before: a
                  list of operations of JSON Patch (RFC 6902) */
} gr_json_parser_opts;
#define GR_JSON_PARSER(...) GR_OPT(gr_json_parser_opts, __VA_ARGS__)
/* gr_json_parser_for is gr_json_parser with options. [any] */
GR_API gr_ref gr_json_parser_for(gr_scope *in, const gr_json_parser_opts *opts);

/* gr_comma_list_parser answers with the items of "a, b, c": CommaSeparatedListOutputParser. It
 * streams each item, as a list of one, once it is whole. [any] */
GR_API gr_ref gr_comma_list_parser(gr_scope *in);

/* gr_numbered_list_parser answers with the items of the lines "1. a", and gr_markdown_list_parser with those of
 * "- a" and "* a": NumberedListOutputParser, MarkdownListOutputParser. Other lines don't count. They
 * stream each item, as a list of one, once its line has ended. [any] */
GR_API gr_ref gr_numbered_list_parser(gr_scope *in);
GR_API gr_ref gr_markdown_list_parser(gr_scope *in);

#ifdef __cplusplus
}
#endif
#endif
