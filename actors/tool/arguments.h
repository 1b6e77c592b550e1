/* SPDX-License-Identifier: Apache-2.0 */
/* arguments.h - arguments of a tool call, judged by a schema. */
#ifndef GR_ACTORS_TOOL_ARGUMENTS_H
#define GR_ACTORS_TOOL_ARGUMENTS_H

#include <greenroom/schema.h>

/* gri_arguments_judge returns NULL, or what is wrong with the arguments of the tool of that name: GR_EINVAL, kind
 * "ValidationError", "detail" as gr_schema_validate has it; or why that can't be known, its own errors. */
gr_value *gri_arguments_judge(const gr_schema *schema, const char *name, const gr_value *args);

#endif
