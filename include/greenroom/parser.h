/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parser.h - output parsers: what a model said in, a value of one's own out.
 *
 * Each takes a text, a message or, in a stream, chunks of one. What can't be parsed is GR_EINVAL of kind
 * "OutputParserException", whose detail is {"llm_output": the text}. Parsers that know how to tell a model what
 * to write have the verb "get_format_instructions". A text of more than 64 MiB is GR_ENOMEM.
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

/* gr_get_format_instructions asks a parser what a model is to be told: a text, yours; NULL with *reterr, GR_ETYPE for one that
 * does not say. [waits] */
GR_API gr_value *gr_get_format_instructions(gr_runtime *rt, gr_ref parser, gr_value **reterr);

/* ---- one value ------------------------------------------------------------------------------- */

/* gr_enum_parser answers with the one of a list of texts that the answer is, blanks around it aside: EnumOutputParser.
 * [any] */
GR_API gr_ref gr_enum_parser(gr_scope *in, gr_value *values GR_TAKES);

/* gr_boolean_parser answers with true if the answer has the word true_val in it ("YES" if NULL), with false if it has
 * false_val ("NO"), in letters of any size; with both, or none, it fails: BooleanOutputParser. [any] */
GR_API gr_ref gr_boolean_parser(gr_scope *in, const char *true_val, const char *false_val);

/*
 * gr_datetime_parser reads a date by a format of strptime's letters (%Y %m %d %H %M %S %f %y %I %p %j %a %A %b %B %z
 * %%), in English whatever the locale; NULL: "%Y-%m-%dT%H:%M:%S.%fZ". It answers with {"year", "month", "day", "hour",
 * "minute", "second", "microsecond", "timestamp_us"}, the last since 1970 in UTC, and "utc_offset_minutes" where
 * the format has %z: DatetimeOutputParser. An unknown letter: broken, GR_EINVAL. [any]
 */
GR_API gr_ref gr_datetime_parser(gr_scope *in, const char *format);

/*
 * gr_regex_parser answers with what the groups of the first match are, by the keys, in order: RegexParser. Without a match
 * the whole text is under default_output_key, the others are empty; NULL: it fails. regex is PCRE2's, in UTF-8;
 * a search that takes more than 20 million steps, over the whole text, is GR_EFULL. Broken, GR_EINVAL: a bad expression,
 * fewer groups than keys, or a library without PCRE2. [any]
 */
GR_API gr_ref gr_regex_parser(gr_scope *in, const char *regex, gr_value *output_keys GR_TAKES,
                              const char *default_output_key);

/* ---- data ------------------------------------------------------------------------------------ */

/*
 * gr_structured_parser reads JSON as gr_json_parser does, and judges it by a JSON Schema (schema.h): PydanticOutputParser,
 * StructuredOutputParser. Keys that it lacks get the schema's defaults. It streams what can be read so far whenever that has
 * changed and is by the schema, of an answer of hundreds of values now and then; a stream whose end is not by it fails. The
 * error's detail has "errors" besides, as gr_schema_validate tells them. A bad schema: broken. [any]
 */
GR_API gr_ref gr_structured_parser(gr_scope *in, gr_value *schema GR_TAKES);

typedef struct gr_xml_parser_opts {
    size_t size;
    gr_value *tags; /* taken; a list of texts that the model is told to use, in get_format_instructions */
} gr_xml_parser_opts;
#define GR_XML_PARSER(...) GR_OPT(gr_xml_parser_opts, __VA_ARGS__)
/*
 * gr_xml_parser answers with {tag: text} for an element without others in it (nil for no text), else with {tag: [{tag: …}, …]}:
 * XMLOutputParser. The XML is the whole text, or what is in a fence of three backticks. It streams each innermost
 * element once it has ended, within those around it: {"a": [{"b": [{"c": "text"}]}]}. Attributes don't count. Document types
 * are refused, so there are no entities but the five; elements nest 30 deep at most: GR_EINVAL. A library
 * without expat gives a broken ref. [any]
 */
GR_API gr_ref gr_xml_parser(gr_scope *in, const gr_xml_parser_opts *opts);

/* ---- tool calls ------------------------------------------------------------------------------ */

typedef struct gr_tools_parser_opts {
    size_t size;
    const char *key_name; /* only calls of this tool, and of them the arguments: JsonOutputKeyToolsParser */
    bool first_tool_only; /* the first one instead of a list; nil if there is none */
    bool return_id;       /* with the call's id; of calls by key_name, the call instead of its arguments */
} gr_tools_parser_opts;
#define GR_TOOLS_PARSER(...) GR_OPT(gr_tools_parser_opts, __VA_ARGS__)
/*
 * gr_tools_parser answers with the tool calls of a message, {"type": name, "args"} each: JsonOutputToolsParser. It streams
 * the calls so far whenever they have changed, with what can be read of arguments that have no end yet; each letter of
 * them is read once. Calls whose arguments are no JSON object fail it. What is no message: GR_ETYPE. [any]
 */
GR_API gr_ref gr_tools_parser(gr_scope *in, const gr_tools_parser_opts *opts);

/* ---- another try ----------------------------------------------------------------------------- */

typedef struct gr_fix_opts {
    size_t size;
    unsigned max_retries; /* how often the model is asked; default 1, at most 100 */
    gr_ref prompt;        /* what it is asked with; default one of our own. Its variables: see below */
} gr_fix_opts;
#define GR_FIX(...) GR_OPT(gr_fix_opts, __VA_ARGS__)
/*
 * gr_fixing_parser has a model put right what parser can't read: OutputFixingParser. The prompt gets {instructions} (the
 * parser's, "" if it has none), {completion} and {error}. An error that is no OutputParserException is not tried
 * again. The last error is the one given. [any]
 */
GR_API gr_ref gr_fixing_parser(gr_scope *in, gr_ref parser, gr_ref model, const gr_fix_opts *opts);
/*
 * gr_retry_parser takes {"completion", "prompt"}, the second being what the model was asked with (a text, or
 * messages), and has the model answer again when the completion can't be read: RetryOutputParser,
 * RetryWithErrorOutputParser. Its prompt gets {prompt}, {completion} and {error}. [any]
 */
GR_API gr_ref gr_retry_parser(gr_scope *in, gr_ref parser, gr_ref model, const gr_fix_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
