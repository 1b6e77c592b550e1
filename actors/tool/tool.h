/* SPDX-License-Identifier: Apache-2.0 */
/* tool.h - a tool as its actor has it: what goes into its runnable, and what is made of the answer. */
#ifndef GR_ACTORS_TOOL_TOOL_H
#define GR_ACTORS_TOOL_TOOL_H

#include <greenroom/schema.h>
#include <greenroom/tool.h>

struct gri_tool {
    gr_ref runnable;
    char *name, *description; /* owned, or NULL */
    gr_value *visible;  /* counted; args_schema without what is injected; NULL: the runnable's */
    gr_value *required; /* counted; a list: what is injected and must be there */
    gr_schema *schema;  /* owned; visible, to judge by; NULL: nothing is judged */
    gr_value *injected; /* counted; a map, or NULL */
    gr_value *on_exception, *on_invalid; /* counted, or NULL: see handle_tool_error */
    int64_t timeout_ms;
    bool return_direct, artifact, takes_state;
};

/* gri_tool_known_name gives the name of a tool that was made here with one; NULL: it must be asked. tool.c [any] */
gr_value *gri_tool_known_name(gr_scope *in, gr_ref ref);

/* ---- what goes in, tool_input.c ------------------------------------------------------------------- */

bool gri_is_tool_call(const gr_value *input);
/* gri_tool_visible gives a schema without what is injected. */
gr_value *gri_tool_visible(const struct gri_tool *t, gr_value *schema GR_TAKES);
/* gri_tool_read_schema makes what arguments are judged by of the options' schema, which it takes; NULL, or what is
 * wrong. */
gr_value *gri_tool_read_schema(struct gri_tool *t, gr_value *schema GR_TAKES);
/* gri_tool_input gives the runnable's input for a tool call or plain arguments, or an error, whose kind is
 * "ValidationError" where the arguments are wrong. */
gr_value *gri_tool_input(const struct gri_tool *t, gr_ctx *c, const gr_value *input);

/* ---- what comes out, tool_output.c ------------------------------------------------------------------ */

/* gri_tool_output makes what the tool answers to its input of what the runnable has answered, which it takes. */
gr_value *gri_tool_output(const struct gri_tool *t, const gr_value *input, gr_value *v GR_TAKES);
/* gri_tool_failure does so of an error: the error itself, unless it is to be handled. [waits] */
gr_value *gri_tool_failure(const struct gri_tool *t, gr_ctx *c, const gr_value *input,
                           gr_value *err GR_TAKES);
/* gri_tool_error_told is an error as a runnable that handles it sees it. */
gr_value *gri_tool_error_told(const gr_value *err);
/* gri_tool_content makes a message's content of an answer. */
gr_value *gri_tool_content(gr_value *v GR_TAKES);
/* gri_tool_reply is the message that answers a call. */
gr_value *gri_tool_reply(const gr_value *call, gr_value *content GR_TAKES, const char *status);

#endif
