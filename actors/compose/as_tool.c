/* SPDX-License-Identifier: Apache-2.0 */
/* as_tool.c - gr_as_tool: a runnable that answers tool calls. Its handlers wait for the runnable. */
#include <greenroom/callbacks.h>
#include <greenroom/codec.h>
#include <greenroom/message.h>
#include <greenroom/tool.h>
#include <string.h>

#include "actors/compose/describe.h"
#include "runtime/base/alloc.h"

struct tool {
    gr_ref runnable;
    char *name, *description; /* owned, or NULL */
    gr_value *schema;         /* counted, or NULL */
};

static void tool_free(void *p)
{
    struct tool *t = p;

    gri_free(t->name);
    gri_free(t->description);
    gr_value_unref(t->schema);
    gri_free(t);
}

static bool is_call(const gr_value *input)
{
    return strcmp(gr_cstr(gr_get(input, "type"), ""), "tool_call") == 0 &&
           gr_get(input, "args") != NULL;
}

/* input_of gives what the runnable gets for a tool call's args. */
static gr_value *input_of(const struct tool *t, const gr_value *args)
{
    const char *type = gr_cstr(gr_get(t->schema, "type"), "object"), *key = NULL;

    if (strcmp(type, "object") != 0 && gr_value_type(args) == GR_MAP && gr_len(args) == 1)
        return gr_value_ref(gr_pair_at(args, 0, &key));
    return gr_value_ref(args);
}

/* text_of makes a message's content of an answer, which it takes. */
static gr_value *text_of(gr_value *v)
{
    gr_value *text;
    char *json;

    if (gr_value_type(v) == GR_STR)
        return v;
    json = gr_json_print(v, 0, NULL);
    text = json != NULL ? gr_str(json) : gr_error(GR_ENOMEM, "out of memory for an answer");
    gr_free(json);
    gr_value_unref(v);
    return text;
}

/* message_of is the answer to a tool call. Takes v. */
static gr_value *message_of(const gr_value *call, gr_value *v)
{
    gr_value *m = gr_tool_message(gr_cstr(gr_get(call, "id"), ""), text_of(v));

    if (gr_get(call, "name") != NULL)
        m = gr_set(m, "name", gr_value_ref(gr_get(call, "name")));
    return gr_get(m, "status") != NULL ? m : gr_set(m, "status", gr_str("success"));
}

static gr_value *tool_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    const struct tool *t = gr_as_opaque(gr_args(c));
    bool call = is_call(input);
    gr_value *args = call ? input_of(t, gr_get(input, "args")) : gr_value_ref(input);
    gr_value *err = NULL, *v = gr_invoke(gr_runtime_of(c), t->runnable, args, NULL, &err);

    (void)self;
    if (v == NULL)
        return err;
    return call ? message_of(input, v) : v;
}

/* tool_tell says what a model must know of it. */
static gr_value *tool_tell(gr_ctx *c, void *self, const gr_value *args)
{
    const struct tool *t = gr_as_opaque(gr_args(c));
    gr_value *whole = gri_describe_ref(c, t->runnable), *schema, *text, *told;

    (void)self;
    (void)args;
    if (gr_error_code(whole) != GR_OK)
        return whole;
    schema = gr_value_ref(t->schema != NULL ? t->schema : gr_get(whole, "input_schema"));
    text = text_of(gr_value_ref(schema));
    told = gr_map(
        GR_KV("name", t->name != NULL ? gr_str(t->name) : gr_value_ref(gr_get(whole, "name"))),
        GR_KV("description", t->description != NULL ? gr_str(t->description)
                                                    : gr_strf("Takes %s.", gr_cstr(text, "?"))),
        GR_KV("parameters", schema));
    gr_value_unref(text);
    gr_value_unref(whole);
    return told;
}

static gr_value *tool_describe(gr_ctx *c, void *self, const gr_value *args)
{
    const struct tool *t = gr_as_opaque(gr_args(c));

    (void)self;
    (void)args;
    return gri_describe_as(gri_describe_ref(c, t->runnable), gr_value_ref(t->schema), NULL);
}

static const gr_method tool_methods[] = {
    { "invoke", GR_ASYNC, tool_invoke, NULL },
    { "tool", GR_ASYNC, tool_tell, NULL },
    { "describe", GR_ASYNC, tool_describe, NULL },
};
static const gr_class tool_class =
    GR_CLASS(.name = "Tool", .run_type = GR_TYPE_TOOL, GR_METHODS(tool_methods));

/* make returns the spawn argument, or an error; takes the options' schema. */
static gr_value *make(gr_ref runnable, const gr_tool_opts *o)
{
    struct tool *t = gri_new0(struct tool);

    if (t == NULL) {
        gr_value_unref(o->args_schema);
        return gri_no_memory();
    }
    *t = (struct tool){ .runnable = runnable,
                        .name = o->name != NULL ? gri_strdup(o->name) : NULL,
                        .description = o->description != NULL ? gri_strdup(o->description) : NULL,
                        .schema = o->args_schema };
    if ((o->name == NULL || t->name != NULL) && (o->description == NULL || t->description != NULL))
        return gr_opaque(t, tool_free);
    tool_free(t);
    return gri_no_memory();
}

gr_ref gr_as_tool(gr_scope *in, gr_ref runnable, const gr_tool_opts *opts)
{
    static const gr_tool_opts none = { .size = sizeof(none) };
    const gr_tool_opts *o = opts != NULL ? opts : &none;

    if (gri_ref_broken(in, runnable)) {
        gr_value_unref(o->args_schema);
        return runnable;
    }
    return gri_named_spawn(in, &tool_class,
                           o->name != NULL || in == NULL
                               ? gr_str(o->name != NULL ? o->name : "Tool")
                               : gri_ref_name(in->rt, runnable),
                           make(runnable, o));
}
