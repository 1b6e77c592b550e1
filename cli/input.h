/* SPDX-License-Identifier: Apache-2.0 */
/* input.h - the input of a call, as the command line gives it. */
#ifndef GR_CLI_INPUT_H
#define GR_CLI_INPUT_H

#include <greenroom/greenroom.h>

/*
 * gri_input_json reads JSON: the text itself, "@path" for a file, "-" for standard input. option is
 * its name in what it says. gri_input_text gives the text as a string, unread; "@path" and "-" too.
 * Both return NULL after saying why.
 */
gr_value *gri_input_json(const char *option, const char *arg);
gr_value *gri_input_text(const char *option, const char *arg);

#endif
