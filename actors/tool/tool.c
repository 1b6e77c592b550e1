/* SPDX-License-Identifier: Apache-2.0 */
/* tool.c - gr_as_tool, gr_tool: a runnable that answers tool calls. Its handlers wait for the runnable. */
#include "actors/tool/tool.h"

#include <greenroom/callbacks.h>
#include <stdarg.h>
#include <string.h>

#include "actors/compose/describe.h"
#include "runtime/base/alloc.h"
#include "runtime/base/strbuf.h"

static void tool_free(void *p)
{
    struct gri_tool *t = p;

    gri_free(t->name);
    gri_free(t->description);
    gr_value_unref(t->visible);
    gr_value_unref(t->required);
    gr_schema_free(t->schema);
    gr_value_unref(t->injected);
    gr_value_unref(t->on_exception);
    gr_value_unref(t->on_invalid);
    gri_free(t);
}

/* ---- verbs ---------------------------------------------------------------------------------------- */

static gr_value *tool_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    const struct gri_tool *t = gr_as_opaque(gr_args(c));
    gr_value *err = NULL, *args = gri_tool_input(t, c, input), *v;

    (void)self;
    if (gr_error_code(args) != GR_OK)
        return gri_tool_failure(t, c, input, args);
    v = gr_invoke(gr_runtime_of(c), t->runnable, args, GR_CALL(.timeout_ms = t->timeout_ms), &err);
    return v != NULL ? gri_tool_output(t, input, v) : gri_tool_failure(t, c, input, err);
}

/* description_of: that of the options, or one of the schema. */
static gr_value *description_of(const struct gri_tool *t, const gr_value *schema)
{
    gr_value *text, *description;

    if (t->description != NULL)
        return gr_str(t->description);
    text = gri_tool_content(gr_value_ref(schema));
    description = gr_strf("Takes %s.", gr_cstr(text, "?"));
    gr_value_unref(text);
    return description;
}

/* tool_tell says what a model, or an agent, must know of it. */
static gr_value *tool_tell(gr_ctx *c, void *self, const gr_value *args)
{
    const struct gri_tool *t = gr_as_opaque(gr_args(c));
    gr_value *whole = NULL, *schema, *name, *told;

    (void)self;
    (void)args;
    if (t->name == NULL || t->visible == NULL) {
        whole = gri_describe_ref(c, t->runnable);
        if (gr_error_code(whole) != GR_OK)
            return whole;
    }
    schema = t->visible != NULL ? gr_value_ref(t->visible)
                                : gri_tool_visible(t, gr_value_ref(gr_get(whole, "input_schema")));
    name = t->name != NULL ? gr_str(t->name) : gr_value_ref(gr_get(whole, "name"));
    told = gr_map(GR_KV("name", name), GR_KV("description", description_of(t, schema)),
                  GR_KV("parameters", schema));
    if (t->return_direct)
        told = gr_set(told, "return_direct", gr_bool(true));
    if (t->takes_state)
        told = gr_set(told, "takes_state", gr_bool(true));
    gr_value_unref(whole);
    return told;
}

static gr_value *tool_describe(gr_ctx *c, void *self, const gr_value *args)
{
    const struct gri_tool *t = gr_as_opaque(gr_args(c));

    (void)self;
    (void)args;
    return gri_describe_as(gri_describe_ref(c, t->runnable), gr_value_ref(t->visible), NULL);
}

static const gr_method tool_methods[] = {
    { "invoke", GR_ASYNC, tool_invoke, NULL },
    { "tool", GR_ASYNC, tool_tell, NULL },
    { "describe", GR_ASYNC, tool_describe, NULL },
};
static const gr_class tool_class =
    GR_CLASS(.name = "Tool", .run_type = GR_TYPE_TOOL, GR_METHODS(tool_methods));

gr_value *gri_tool_known_name(gr_scope *in, gr_ref ref)
{
    gr_value *args = in != NULL ? gri_ref_args(in->rt, ref, &tool_class) : NULL;
    const struct gri_tool *t = gr_as_opaque(args);
    gr_value *name = t != NULL && t->name != NULL ? gr_str(t->name) : NULL;

    gr_value_unref(args);
    return name;
}

/* ---- making ---------------------------------------------------------------------------------------- */

/* check_injected returns NULL, or what is wrong with a map of places. */
static gr_value *check_injected(struct gri_tool *t)
{
    const char *name = NULL;

    if (t->injected == NULL)
        return NULL;
    if (gr_value_type(t->injected) != GR_MAP)
        return gr_error(GR_ETYPE, "tool: injected must be a map of names to places");
    for (size_t i = 0; i < gr_len(t->injected); i++) {
        const char *place = gr_cstr(gr_pair_at(t->injected, i, &name), "");
        bool state = strcmp(place, "state") == 0 || strncmp(place, "state.", 6) == 0;

        t->takes_state = t->takes_state || state;
        if (!state && strcmp(place, "tool_call_id") != 0 &&
            strncmp(place, "configurable.", strlen("configurable.")) != 0)
            return gr_error(GR_EINVAL,
                            "tool: '%s' can't be injected from '%s', but from tool_call_id, state, "
                            "state.KEY or configurable.KEY",
                            name, place);
    }
    return NULL;
}

/* check_handle returns NULL, or what is wrong with one of the options that handle errors. */
static gr_value *check_handle(const gr_value *v, const char *what)
{
    gr_type type = gr_value_type(v);

    if (v == NULL || type == GR_NIL || type == GR_BOOL || type == GR_STR || type == GR_REFV)
        return NULL;
    return gr_error(GR_ETYPE,
                    "tool: %s must be true, false, a text or a ref, not a value of type %s", what,
                    gr_type_name(type));
}

/* broken_among gives an error value among the options; NULL: there is none. */
static gr_value *broken_among(const gr_tool_opts *o)
{
    gr_value *const all[] = { o->args_schema, o->handle_tool_error, o->handle_validation_error,
                              o->injected };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i] != NULL && gr_error_code(all[i]) != GR_OK)
            return gr_value_ref(all[i]);
    return NULL;
}

/* fill reads the options into t, and takes what they have; NULL, or what is wrong. */
static gr_value *fill(struct gri_tool *t, gr_ref runnable, const gr_tool_opts *o)
{
    gr_value *err;

    *t = (struct gri_tool){ .runnable = runnable,
                            .name = o->name != NULL ? gri_strdup(o->name) : NULL,
                            .description =
                                o->description != NULL ? gri_strdup(o->description) : NULL,
                            .injected = o->injected,
                            .on_exception = o->handle_tool_error,
                            .on_invalid = o->handle_validation_error,
                            .timeout_ms = o->timeout_ms,
                            .return_direct = o->return_direct,
                            .artifact = o->content_and_artifact };
    err = broken_among(o);
    if (err == NULL && o->max_concurrency != 0)
        err =
            gr_error(GR_EINVAL, "tool: max_concurrency is for functions; give it to the runnable");
    if (err == NULL)
        err = check_injected(t);
    if (err == NULL)
        err = check_handle(t->on_exception, "handle_tool_error");
    if (err == NULL)
        err = check_handle(t->on_invalid, "handle_validation_error");
    if (err != NULL)
        gr_value_unref(o->args_schema);
    else
        err = gri_tool_read_schema(t, o->args_schema);
    if (err == NULL && ((o->name != NULL && t->name == NULL) ||
                        (o->description != NULL && t->description == NULL)))
        err = gri_no_memory();
    return err;
}

static void drop_opts(const gr_tool_opts *o)
{
    gr_value_unref(o->args_schema);
    gr_value_unref(o->handle_tool_error);
    gr_value_unref(o->handle_validation_error);
    gr_value_unref(o->injected);
}

/* make returns the spawn argument, or an error; takes what the options have. */
static gr_value *make(gr_ref runnable, const gr_tool_opts *o)
{
    struct gri_tool *t = gri_new0(struct gri_tool);
    gr_value *err;

    if (t == NULL) {
        drop_opts(o);
        return gri_no_memory();
    }
    err = fill(t, runnable, o);
    if (err == NULL)
        return gr_opaque(t, tool_free);
    tool_free(t);
    return err;
}

/* own reads the options of a caller whose struct may be shorter, since it grew. */
static gr_tool_opts own(const gr_tool_opts *opts)
{
    gr_tool_opts o = { .size = sizeof(o) };

    if (opts != NULL)
        memcpy(&o, opts, opts->size < sizeof(o) ? opts->size : sizeof(o));
    return o;
}

gr_ref gr_as_tool(gr_scope *in, gr_ref runnable, const gr_tool_opts *opts)
{
    const gr_tool_opts o = own(opts);
    gr_value *name;
    gr_ref tool;

    if (gri_ref_broken(in, runnable)) {
        drop_opts(&o);
        return runnable;
    }
    name = o.name != NULL || in == NULL ? gr_str(o.name != NULL ? o.name : "Tool")
                                        : gri_ref_name(in->rt, runnable);
    tool = gr_spawn(in, &tool_class,
                    GR_SPAWN(.name = gr_cstr(name, "Tool"), .args = make(runnable, &o)));
    gr_value_unref(name);
    return tool;
}

gr_ref gr_tool(gr_scope *in, gr_kind kind, gr_lambda_fn *fn, void (*drop)(void *arg), void *arg,
               const gr_tool_opts *opts)
{
    gr_tool_opts o = own(opts);
    gr_ref function;

    if (o.name == NULL || o.name[0] == '\0') {
        drop_opts(&o);
        if (drop != NULL)
            drop(arg);
        return gr_spawn(in, &tool_class,
                        GR_SPAWN(.name = "Tool", .args = gr_error(GR_EINVAL, "tool: no name")));
    }
    function = gri_lambda_unseen(in, kind, fn, drop, arg, o.max_concurrency);
    o.max_concurrency = 0;
    if (o.args_schema == NULL)
        o.args_schema =
            gr_map(GR_KV("type", gr_str("object")), GR_KV("properties", gr_map_n(NULL, 0)));
    return gr_as_tool(in, function, &o);
}

gr_value *gr_tool_exception(const char *fmt, ...)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *err;
    va_list ap;

    va_start(ap, fmt);
    gri_strbuf_vaddf(&b, fmt, ap);
    va_end(ap);
    err = gr_error(b.failed ? GR_ENOMEM : GR_EREMOTE, "%s", b.failed || b.len == 0 ? "" : b.data);
    gri_strbuf_fini(&b);
    return gr_error_with(err, "kind", gr_str("ToolException"));
}
