/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bind_tools.c - gr_bind_tools: a model, bound to what its tools say of themselves.
 *
 * Constructors don't wait, and tools may be anywhere. So the first call has another actor ask them, and then makes the
 * binding (binding.c), in the scope that this actor lives in; calls from then on are handed to that. Calls that come
 * meanwhile ask, too; the first that is done decides.
 */
#include <greenroom/callbacks.h>
#include <greenroom/tool.h>
#include <string.h>

#include "actors/compose/describe.h"
#include "actors/compose/subcall.h"
#include "actors/tool/tool_names.h"
#include "actors/tool/toolbox.h"
#include "runtime/base/alloc.h"
#include "runtime/base/lock.h"

struct bound {
    gr_scope *in; /* borrowed: this actor is in it */
    gr_ref model, asker;
    gr_value *kwargs; /* counted; those beside the tools */
    gr_value *extra;  /* counted; a list of tools in OpenAI's form */
    int strict;
    struct gri_lock lock; /* of binding */
    gr_ref binding;       /* once the tools have said what they are; else {0, 0} */
};

static void bound_free(void *p)
{
    struct bound *b = p;

    gr_value_unref(b->kwargs);
    gr_value_unref(b->extra);
    gri_free(b);
}

/* ---- asking ----------------------------------------------------------------------------------------- */

static gr_value *ask_all(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    (void)args;
    return gri_tools_ask(c, gr_as_opaque(gr_args(c)));
}

static const gr_method asker_methods[] = { { "invoke", GR_ASYNC, ask_all, NULL } };
static const gr_class asker_class =
    GR_CLASS(.name = "ToolAsker", .run_type = GR_TYPE_NONE, GR_METHODS(asker_methods));

/* ---- calls -------------------------------------------------------------------------------------------- */

static gr_ref binding_of(struct bound *b)
{
    gr_ref binding;

    gri_lock(&b->lock);
    binding = b->binding;
    gri_unlock(&b->lock);
    return binding;
}

/* check_choice sees that a tool_choice is one of the words that there are, or the name of a tool, or names a server's own by
 * its type. names: of the tools. NULL, or what is wrong. */
static gr_value *check_choice(const gr_value *choice, const gr_value *names, const gr_value *extra)
{
    static const char *const words[] = { "auto", "any", "required", "none" };
    const char *name = gr_cstr(choice, NULL);
    bool found = name == NULL || gri_tool_names_have(names, name);

    for (size_t i = 0; !found && i < sizeof(words) / sizeof(words[0]); i++)
        found = strcmp(words[i], name) == 0;
    for (size_t i = 0; !found && i < gr_len(extra); i++) {
        const gr_value *tool = gr_at(extra, i);

        found = strcmp(gr_cstr(gr_get(gr_get(tool, "function"), "name"), ""), name) == 0 ||
                strcmp(gr_cstr(gr_get(gr_get(tool, "custom"), "name"), ""), name) == 0 ||
                strcmp(gr_cstr(gr_get(tool, "name"), ""), name) == 0 ||
                strcmp(gr_cstr(gr_get(tool, "type"), ""), name) == 0;
    }
    return found ? NULL : gri_tool_names_unknown("bind_tools: tool_choice", name, names);
}

/* check_told looks at the tool_choice once the tools have said their names. */
static gr_value *check_told(const struct bound *b, const gr_value *told)
{
    gr_value *names = gri_tool_names_told(told), *err;

    err = gr_error_code(names) != GR_OK
              ? gr_value_ref(names)
              : check_choice(gr_get(b->kwargs, "tool_choice"), names, b->extra);
    gr_value_unref(names);
    return err;
}

/* make_binding makes the binding of what the tools have said, unless another call has. */
static gr_value *make_binding(struct bound *b, const gr_value *told)
{
    gr_value *tools = gr_list_n(NULL, 0), *kwargs;
    gr_ref ours, first;

    for (size_t i = 0; i < gr_len(told); i++)
        tools = gr_append(tools, gri_tool_of_told(gr_at(told, i), b->strict));
    for (size_t i = 0; i < gr_len(b->extra); i++)
        tools = gr_append(tools, gr_value_ref(gr_at(b->extra, i)));
    for (size_t i = 0; i < gr_len(tools); i++)
        if (gr_error_code(gr_at(tools, i)) != GR_OK) {
            gr_value *err = gr_value_ref(gr_at(tools, i));

            gr_value_unref(tools);
            return err;
        }
    kwargs = gr_merge(gr_map(GR_KV("tools", tools)), gr_value_ref(b->kwargs));
    ours = gr_bind(b->in, b->model, kwargs);
    gri_lock(&b->lock);
    first = b->binding;
    if (first.node == 0 && first.id == 0)
        b->binding = ours;
    gri_unlock(&b->lock);
    if (first.node != 0 || first.id != 0)
        gr_stop(b->in->rt, ours);
    return NULL;
}

struct asking {
    struct gri_subcall sub;
};

/* go_on hands the call over once the tools have answered, with v. Takes both. */
static void go_on(struct gri_call *call, gr_value *v)
{
    struct bound *b = gr_as_opaque(gri_call_spawn_args(call));
    gr_value *err = gr_error_code(v) != GR_OK ? gr_value_ref(v) : check_told(b, v);

    if (err == NULL)
        err = make_binding(b, v);
    gr_value_unref(v);
    if (err != NULL)
        gri_call_end(call, err);
    else
        gri_call_forward(call, binding_of(b), call->verb, NULL, NULL);
}

static void asking_then(struct gri_subcall *s, gr_value *v)
{
    struct gri_call *call = s->call;

    gri_free(gri_container_of(s, struct asking, sub));
    go_on(call, v);
}

static void bound_any(struct gri_call *call)
{
    struct bound *b = gr_as_opaque(gri_call_spawn_args(call));
    gr_ref binding = binding_of(b);
    struct asking *a;
    gr_value *v = NULL;

    if (binding.node != 0 || binding.id != 0) {
        gri_call_forward(call, binding, call->verb, NULL, NULL);
        return;
    }
    a = gri_new0(struct asking);
    if (a == NULL) {
        gri_call_end(call, gri_no_memory());
        return;
    }
    gri_subcall_init(&a->sub, call, "bind_tools", asking_then);
    if (gri_subcall_start(&a->sub, b->asker, GRI_INVOKE, gr_nil(), NULL, &v))
        return;
    gri_free(a);
    go_on(call, v);
}

static gr_value *bound_describe(gr_ctx *c, void *self, const gr_value *args)
{
    const struct bound *b = gr_as_opaque(gr_args(c));

    (void)self;
    (void)args;
    return gri_describe_ref(c, b->model);
}

static const gr_method bound_methods[] = {
    { "describe", GR_ASYNC, bound_describe, NULL },
    { "*", GRI_NATIVE, GRI_NATIVE_FN(bound_any), NULL },
};
static const gr_class bound_class =
    GR_CLASS(.name = "RunnableBinding", .run_type = GR_TYPE_NONE, GR_METHODS(bound_methods));

/* ---- making ---------------------------------------------------------------------------------------- */

static gr_value *kwargs_of(const gr_bind_tools_opts *o)
{
    gr_value *kwargs = gr_map_n(NULL, 0);

    if (o->tool_choice != NULL)
        kwargs = gr_set(kwargs, "tool_choice", gr_str(o->tool_choice));
    if (o->parallel != 0)
        kwargs = gr_set(kwargs, "parallel_tool_calls", gr_bool(o->parallel > 0));
    return kwargs;
}

/* extra_of gives the further tools in OpenAI's form; an error for what is none. */
static gr_value *extra_of(const gr_value *extra, int strict)
{
    gr_value *list = gr_list_n(NULL, 0);

    if (extra != NULL && !gr_is_nil(extra) && gr_value_type(extra) != GR_LIST) {
        gr_value_unref(list);
        return gr_error(GR_ETYPE, "bind_tools: extra must be a list of tools");
    }
    for (size_t i = 0; i < gr_len(extra); i++) {
        gr_value *tool = gr_openai_tool(gr_value_ref(gr_at(extra, i)), strict);

        if (gr_error_code(tool) != GR_OK) {
            gr_value_unref(list);
            return tool;
        }
        list = gr_append(list, tool);
    }
    return list;
}

/* check_known looks at the tool_choice if the tools' names are known by now. Else the first call does. */
static gr_value *check_known(gr_scope *in, const gr_bind_tools_opts *o, const gr_ref *tools,
                             size_t count, const gr_value *extra)
{
    gr_value *names, *choice, *err = NULL;

    if (o->tool_choice == NULL)
        return NULL;
    names = gri_tool_names_known(in, tools, count);
    if (names == NULL || gr_error_code(names) != GR_OK)
        return names;
    choice = gr_str(o->tool_choice);
    err = check_choice(choice, names, extra);
    gr_value_unref(choice);
    gr_value_unref(names);
    return err;
}

/* make returns the spawn argument, or an error. */
static gr_value *make(gr_scope *in, gr_ref model, const gr_bind_tools_opts *o,
                      struct gri_steps *tools, gr_value *extra)
{
    struct bound *b = gri_new0(struct bound);

    if (b == NULL) {
        gr_value_unref(extra);
        gri_steps_free(tools);
        return gri_no_memory();
    }
    *b = (struct bound){
        .in = in, .model = model, .kwargs = kwargs_of(o), .extra = extra, .strict = o->strict
    };
    b->asker = gri_compose_spawn(in, &asker_class, "ToolAsker", gr_opaque(tools, gri_steps_free));
    return gr_opaque(b, bound_free);
}

/* checked makes it unless something is wrong with the options. Takes steps. */
static gr_value *checked(gr_scope *in, gr_ref model, const gr_bind_tools_opts *o,
                         const gr_ref *tools, size_t count, struct gri_steps *steps)
{
    gr_value *extra = extra_of(o->extra, o->strict), *err = NULL;

    if (gr_error_code(extra) == GR_OK)
        err = check_known(in, o, tools, count, extra);
    else
        err = gr_value_ref(extra);
    if (err == NULL)
        return make(in, model, o, steps, extra);
    gr_value_unref(extra);
    gri_steps_free(steps);
    return err;
}

gr_ref gr_bind_tools_n(gr_scope *in, gr_ref model, const gr_bind_tools_opts *opts,
                       const gr_ref *tools, size_t count)
{
    static const gr_bind_tools_opts none = { .size = sizeof(none) };
    const gr_bind_tools_opts *o = opts != NULL ? opts : &none;
    struct gri_steps *steps = NULL;
    gr_value *args = NULL;
    gr_ref broken = { 0, 0 }, ref;

    if (gri_ref_broken(in, model))
        broken = model;
    for (size_t i = 0; i < count && broken.node == 0; i++)
        if (gri_ref_broken(in, tools[i]))
            broken = tools[i];
    if (broken.node != 0) {
        gr_value_unref(o->extra);
        return broken;
    }
    if (count == 0)
        steps = gri_alloc0(sizeof(*steps));
    else
        steps = gri_steps_copy("bind_tools", tools, NULL, count, &args);
    if (steps == NULL && args == NULL)
        args = gri_no_memory();
    if (args == NULL)
        args = checked(in, model, o, tools, count, steps);
    ref =
        gri_named_spawn(in, &bound_class,
                        in == NULL ? gr_str("RunnableBinding") : gri_ref_name(in->rt, model), args);
    gr_value_unref(o->extra);
    return ref;
}
