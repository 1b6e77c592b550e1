/* SPDX-License-Identifier: Apache-2.0 */
/* toolbox.h - tools by name: asked what they are once, then called. */
#ifndef GR_ACTORS_TOOL_TOOLBOX_H
#define GR_ACTORS_TOOL_TOOLBOX_H

#include <greenroom/tool.h>

#include "actors/compose/steps.h"
#include "runtime/base/lock.h"

/* gri_tools_ask asks them all what they are: a list in their order, or an error. Each has its own "ref"; an actor
 * that has tools (the verb "tools", as an MCP client's) has them stand in its place. [waits] */
gr_value *gri_tools_ask(gr_ctx *c, const struct gri_steps *tools);
/* gri_tool_of_told gives one of these in OpenAI's form. */
gr_value *gri_tool_of_told(const gr_value *told, int strict);

struct gri_toolbox {
    struct gri_steps *tools; /* owned */
    struct gri_lock lock;    /* of told */
    gr_value *told;          /* counted; NULL until they have been asked */
};

/* gri_toolbox_init copies the refs; NULL, or what is wrong. _fini is due in both cases. */
gr_value *gri_toolbox_init(struct gri_toolbox *b, const char *what, const gr_ref *tools,
                           size_t count);
void gri_toolbox_fini(struct gri_toolbox *b);
/* gri_toolbox_told gives what the tools say, as gri_tools_ask, which it calls as long as that fails. [waits] */
gr_value *gri_toolbox_told(struct gri_toolbox *b, gr_ctx *c);
/* gri_toolbox_find returns the index of a tool among them; SIZE_MAX: there is none of that name. */
size_t gri_toolbox_find(const gr_value *told, const char *name);

/* What a tool node is made of, and an agent's. */
struct gri_tool_node {
    struct gri_toolbox box;
    gr_value *on_error; /* counted; see handle_tool_errors */
    int64_t timeout_ms;
    unsigned max_concurrency;
    gr_ref runner; /* takes {"call", "state"}, answers with the message */
};

/* gri_tool_node_init reads the options, whose value it takes; NULL, or what is wrong. _fini is due in both cases. The
 * runner lives in the scope, and borrows n, which must outlive its calls. */
gr_value *gri_tool_node_init(struct gri_tool_node *n, gr_scope *in, const gr_ref *tools,
                             size_t count, const gr_tool_node_opts *o);
void gri_tool_node_fini(struct gri_tool_node *n);
/*
 * gri_tool_node_run runs the calls of a list, with a state or NULL for tools that take it: the messages, in the order of
 * the calls, or an error. each, which may be NULL, is given every message as it comes, and gives back what is to be kept of
 * it; an error value ends it all. [waits]
 */
typedef gr_value *gri_reply_fn(void *arg, gr_value *message GR_TAKES);
gr_value *gri_tool_node_run(const struct gri_tool_node *n, gr_ctx *c, const gr_value *calls,
                            const gr_value *state, gri_reply_fn *each, void *arg);

#endif
