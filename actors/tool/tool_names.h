/* SPDX-License-Identifier: Apache-2.0 */
/* tool_names.h - the names that tools have, and options that name some of them. */
#ifndef GR_ACTORS_TOOL_TOOL_NAMES_H
#define GR_ACTORS_TOOL_TOOL_NAMES_H

#include <greenroom/tool.h>

/* gri_tool_names_known gives the names of tools that need not be asked for them, those of gr_tool and of a gr_as_tool that
 * was given one: a list of texts, or NULL where one of them must be asked. [any] */
gr_value *gri_tool_names_known(gr_scope *in, const gr_ref *tools, size_t count);
/* gri_tool_names_told lists the names of tools that have said what they are. */
gr_value *gri_tool_names_told(const gr_value *told);
bool gri_tool_names_have(const gr_value *names, const char *name);
/* gri_tool_names_unknown is the error of an option, what, that names none of them. */
gr_value *gri_tool_names_unknown(const char *what, const char *name, const gr_value *names);

#endif
