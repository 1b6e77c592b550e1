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

#ifdef __cplusplus
}
#endif
#endif
