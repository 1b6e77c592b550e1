/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tool_node.c - gr_tool_node: a message's tool calls run at once.
 *
 * The calls are a batch of the runner, an actor beside the node that finds the tool of one call, calls it and has what
 * fails told or not; the batch bounds how many run at a time. Neither runner nor batch is a run of its own, so the tools'
 * runs are in that of who has the node.
 */
#include <greenroom/callbacks.h>
#include <greenroom/codec.h>
#include <greenroom/message.h>
#include <string.h>

#include "actors/compose/error_names.h"
#include "actors/tool/tool.h"
#include "actors/tool/toolbox.h"
#include "runtime/base/alloc.h"
#include "runtime/base/strbuf.h"

#define CONCURRENCY 16

/* ---- one call: the runner ---------------------------------------------------------------------------- */

/* no_such_tool names those that there are. */
static gr_value *no_such_tool(const gr_value *call, const gr_value *told)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *content;

    for (size_t i = 0; i < gr_len(told); i++)
        gri_strbuf_addf(&b, "%s%s", i > 0 ? ", " : "", gr_cstr(gr_get(gr_at(told, i), "name"), ""));
    content = gr_strf("Error: %s is not a valid tool, try one of [%s].",
                      gr_cstr(gr_get(call, "name"), ""), b.len > 0 && !b.failed ? b.data : "");
    gri_strbuf_fini(&b);
    return gri_tool_reply(call, content, "error");
}

/* invalid_told tells the model what is wrong with its arguments. */
static gr_value *invalid_told(const gr_value *call, const gr_value *err)
{
    char *args = gr_json_print(gr_get(call, "args"), 0, NULL);
    gr_value *text =
        gr_strf("Error invoking tool '%s' with kwargs %s with error:\n %s\n Please fix the error "
                "and try again.",
                gr_cstr(gr_get(call, "name"), ""), args != NULL ? args : "?", gr_error_text(err));

    gr_free(args);
    return text;
}

static gr_value *mistake_told(const gr_value *err)
{
    return gr_strf("Error: %s('%s')\n Please fix your mistakes.",
                   gr_cstr(gr_get(err, "kind"), "Error"), gr_error_text(err));
}

/* content_of gives what is told of a failure, or the error if it is not told. */
static gr_value *content_of(gr_ctx *c, const struct gri_tool_node *n, const gr_value *call,
                            const gr_value *err)
{
    const gr_value *on = n->on_error;
    gr_value *v, *why = NULL;

    if (gr_is_nil(on))
        return strcmp(gr_cstr(gr_get(err, "kind"), ""), "ValidationError") == 0
                   ? invalid_told(call, err)
                   : gr_value_ref(err);
    switch (gr_value_type(on)) {
    case GR_STR: return gr_value_ref(on);
    case GR_LIST: return gri_error_named(on, err) ? mistake_told(err) : gr_value_ref(err);
    case GR_REFV:
        v = gr_invoke(gr_runtime_of(c), gr_as_ref(on), gri_tool_error_told(err), NULL, &why);
        return v != NULL ? v : why;
    default: return gr_as_bool(on, false) ? mistake_told(err) : gr_value_ref(err);
    }
}

/* failed makes what the runner answers of a failure, which it takes. */
static gr_value *failed(gr_ctx *c, const struct gri_tool_node *n, const gr_value *call,
                        gr_value *err)
{
    gr_value *content;

    if (gr_cancelled(c))
        return err;
    content = content_of(c, n, call, err);
    gr_value_unref(err);
    return gr_error_code(content) != GR_OK
               ? content
               : gri_tool_reply(call, gri_tool_content(content), "error");
}

/* whole gives a call as a tool must get it. One without a type, or without arguments, would look like arguments that came
 * plainly, from somebody who may say what is injected. */
static gr_value *whole(const gr_value *call)
{
    gr_value *v = gr_set(gr_value_ref(call), "type", gr_str("tool_call"));

    return gr_get(call, "args") != NULL ? v : gr_set(v, "args", gr_map_n(NULL, 0));
}

static gr_value *runner_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    struct gri_tool_node *n = gr_as_opaque(gr_args(c));
    const gr_value *call = gr_get(input, "call"), *state = gr_get(input, "state"), *it;
    gr_value *told = gri_toolbox_told(&n->box, c), *v, *err = NULL, *config = NULL;
    gr_ref tool;
    size_t at = gri_toolbox_find(told, gr_cstr(gr_get(call, "name"), ""));

    (void)self;
    if (gr_error_code(told) != GR_OK)
        return told;
    it = gr_at(told, at);
    if (it == NULL) {
        v = no_such_tool(call, told);
        gr_value_unref(told);
        return v;
    }
    if (state != NULL && gr_as_bool(gr_get(it, "takes_state"), false))
        config = gr_map(GR_KV("kwargs", gr_map(GR_KV("state", gr_value_ref(state)))));
    tool = gr_as_ref(gr_get(it, "ref"));
    gr_value_unref(told);
    v = gr_invoke(gr_runtime_of(c), tool, whole(call),
                  GR_CALL(.timeout_ms = n->timeout_ms, .config = config), &err);
    if (v == NULL)
        return failed(c, n, call, err);
    if (strcmp(gr_cstr(gr_get(v, "type"), ""), "tool") == 0)
        return v;
    return gri_tool_reply(call, gri_tool_content(v),
                          "success"); /* an actor that knows no messages */
}

static const gr_method runner_methods[] = { { "invoke", GR_ASYNC, runner_invoke, NULL } };
static const gr_class runner_class =
    GR_CLASS(.name = "ToolRunner", .run_type = GR_TYPE_NONE, GR_METHODS(runner_methods));

/* ---- many calls ------------------------------------------------------------------------------------------ */

gr_value *gri_tool_node_init(struct gri_tool_node *n, gr_scope *in, const gr_ref *tools,
                             size_t count, const gr_tool_node_opts *o)
{
    gr_type type = gr_value_type(o->handle_tool_errors);

    n->on_error = o->handle_tool_errors;
    n->timeout_ms = o->timeout_ms;
    n->max_concurrency = o->max_concurrency != 0 ? o->max_concurrency : CONCURRENCY;
    if (type != GR_NIL && type != GR_BOOL && type != GR_STR && type != GR_LIST && type != GR_REFV)
        return gr_error(GR_ETYPE,
                        "handle_tool_errors must be true, false, a text, a list of names or a "
                        "ref, not a value of type %s",
                        gr_type_name(type));
    n->runner =
        gr_spawn(in, &runner_class, GR_SPAWN(.name = "ToolRunner", .args = gr_opaque(n, NULL)));
    return gri_toolbox_init(&n->box, "tool_node", tools, count);
}

void gri_tool_node_fini(struct gri_tool_node *n)
{
    gri_toolbox_fini(&n->box);
    gr_value_unref(n->on_error);
}

/* start runs the calls: a stream of [index, message]. */
static gr_stream *start(const struct gri_tool_node *n, gr_ctx *c, const gr_value *calls,
                        const gr_value *state)
{
    gr_value *inputs = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(calls); i++) {
        gr_value *one = gr_map(GR_KV("call", gr_value_ref(gr_at(calls, i))));

        inputs = gr_append(inputs, state != NULL ? gr_set(one, "state", gr_value_ref(state)) : one);
    }
    return gr_abatch_as_completed(
        gr_runtime_of(c), n->runner, inputs,
        GR_CALL(.config = gr_map(GR_KV("max_concurrency", gr_int(n->max_concurrency)))));
}

/* collect reads the stream into `got`, one place for each call; NULL, or why it failed. */
static gr_value *collect(gr_stream *s, gr_value **got, size_t count, gri_reply_fn *each, void *arg)
{
    gr_outcome o;

    while ((o = gr_next(s, -1)).code == GR_OK) {
        size_t at = (size_t)gr_as_int(gr_at(o.value, 0), 0);
        gr_value *message = gr_value_ref(gr_at(o.value, 1));

        if (each != NULL)
            message = each(arg, message);
        if (gr_error_code(message) != GR_OK)
            return message;
        if (at < count && got[at] == NULL)
            got[at] = message;
        else
            gr_value_unref(message);
    }
    if (o.code == GR_EOS)
        return NULL;
    return o.error != NULL ? gr_value_ref(o.error) : gr_error(o.code, "interrupted");
}

gr_value *gri_tool_node_run(const struct gri_tool_node *n, gr_ctx *c, const gr_value *calls,
                            const gr_value *state, gri_reply_fn *each, void *arg)
{
    size_t count = gr_len(calls);
    gr_value **got = gri_alloc_array(count + 1, sizeof(*got)), *err = NULL, *list;
    gr_stream *s = got != NULL ? start(n, c, calls, state) : NULL;

    if (s == NULL) {
        gri_free(got);
        return gri_no_memory();
    }
    err = collect(s, got, count, each, arg);
    gr_stream_free(s);
    list = gr_list_n(got, count); /* takes them all; a call without a reply breaks it */
    gri_free(got);
    if (err == NULL)
        return list;
    gr_value_unref(list);
    return err;
}

/* ---- the node itself --------------------------------------------------------------------------- */

static void node_free(void *p)
{
    gri_tool_node_fini(p);
    gri_free(p);
}

/* calls_in finds the tool calls in the input: borrowed; NULL: there is no place for any. */
static const gr_value *calls_in(const gr_value *input)
{
    const gr_value *list = gr_value_type(input) == GR_MAP ? gr_get(input, "messages") : input;
    const gr_value *last = gr_at(list, gr_len(list) - 1);

    if (gr_value_type(list) != GR_LIST || gr_len(list) == 0)
        return NULL;
    return strcmp(gr_cstr(gr_get(last, "type"), ""), "tool_call") == 0 ? list
                                                                       : gr_get(last, "tool_calls");
}

/* shaped gives messages as the input's form has them. */
static gr_value *shaped(const gr_value *input, gr_value *messages)
{
    return gr_value_type(input) == GR_MAP ? gr_map(GR_KV("messages", messages)) : messages;
}

/* run runs the calls in the input. */
static gr_value *run(gr_ctx *c, const gr_value *input, gri_reply_fn *each, void *arg)
{
    const gr_value *calls = calls_in(input);

    if (gr_value_type(calls) != GR_LIST)
        return gr_error(GR_EINVAL, "No AIMessage with tool calls found in input");
    return gri_tool_node_run(gr_as_opaque(gr_args(c)), c, calls,
                             gr_value_type(input) == GR_MAP ? input : NULL, each, arg);
}

static gr_value *node_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    gr_value *messages = run(c, input, NULL, NULL);

    (void)self;
    return gr_error_code(messages) != GR_OK ? messages : shaped(input, messages);
}

struct sending {
    gr_ctx *c;
    const gr_value *input;
};

static gr_value *send_reply(void *arg, gr_value *message)
{
    const struct sending *s = arg;
    gr_code rc = gr_emit(s->c, shaped(s->input, gr_list(gr_value_ref(message))));

    if (rc == GR_OK)
        return message;
    gr_value_unref(message);
    return gr_error(rc, "the node's stream is read no more");
}

static gr_code node_stream(gr_ctx *c, void *self, gr_stream *in, const gr_value *input)
{
    struct sending s = { c, input };
    gr_value *messages = run(c, input, send_reply, &s);

    (void)self;
    (void)in;
    if (gr_error_code(messages) != GR_OK)
        return gr_fail(c, messages);
    gr_value_unref(messages);
    return GR_OK;
}

static const gr_method node_methods[] = {
    { "invoke", GR_ASYNC, node_invoke, NULL },
    { "stream", GR_ASYNC, NULL, node_stream },
};
static const gr_class node_class = GR_CLASS(.name = "ToolNode", GR_METHODS(node_methods));

gr_ref gr_tool_node_n(gr_scope *in, const gr_tool_node_opts *opts, const gr_ref *tools,
                      size_t count)
{
    static const gr_tool_node_opts none = { .size = sizeof(none) };
    const gr_tool_node_opts *o = opts != NULL ? opts : &none;
    struct gri_tool_node *n = gri_new0(struct gri_tool_node);
    gr_value *err;

    if (n == NULL) {
        gr_value_unref(o->handle_tool_errors);
        return gri_compose_spawn(in, &node_class, "ToolNode", gri_no_memory());
    }
    err = gri_tool_node_init(n, in, tools, count, o);
    if (err != NULL)
        node_free(n);
    return gri_compose_spawn(in, &node_class, "ToolNode",
                             err != NULL ? err : gr_opaque(n, node_free));
}
