/* SPDX-License-Identifier: Apache-2.0 */
/* parsing.h - what parsers have in common: their error, their streams, and what they tell a model to write. */
#ifndef GR_ACTORS_PARSE_PARSING_H
#define GR_ACTORS_PARSE_PARSING_H

#include <greenroom/parser.h>

#define GRI_FIX_RETRIES 1                       /* of a parser that asks a model */
#define GRI_PARSER_BYTES_MAX ((size_t)64 << 20) /* of a text that is parsed */

/* gri_parse_error makes an error of kind "OutputParserException", GR_EINVAL, whose detail is {"llm_output": text}; of the
 * message no more is told than fmt does. */
gr_value *gri_parse_error(const gr_value *text, const char *fmt, ...) GR_PRINTF(2, 3);
bool gri_is_parse_error(const gr_value *v);

/* gri_parse_each reads a stream to its end, and calls next for each chunk; what next returns ends it unless GR_OK. */
typedef gr_code gri_parse_next_fn(gr_ctx *c, void *state, const gr_value *chunk);
gr_code gri_parse_each(gr_ctx *c, gr_stream *in, gri_parse_next_fn *next, void *state);

/* gri_trimmed gives a text without the blanks and line ends around it. */
gr_value *gri_trimmed(const gr_value *text);

#endif
