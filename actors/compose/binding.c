/* SPDX-License-Identifier: Apache-2.0 */
/*
 * binding.c - gr_bind, gr_with_config and gr_with_types: a runnable with a config of its own.
 *
 * A binding has no run of its own: whatever the verb, the call itself goes on to the runnable, with
 * the binding's config under its own. kwargs are a key of the config. As in langchain-core what is bound
 * to an each is bound to what that calls, and the result is an each.
 */
#include <greenroom/callbacks.h>

#include "actors/compose/describe.h"
#include "actors/compose/each.h"
#include "actors/compose/steps.h"
#include "runtime/actor/run_config.h"
#include "runtime/base/alloc.h"

struct binding {
    gr_ref bound;
    gr_value *config;                       /* counted; its keys are those that a config has */
    gr_value *input_schema, *output_schema; /* counted; NULL: the runnable's */
};

static void binding_free(void *p)
{
    struct binding *b = p;

    gr_value_unref(b->config);
    gr_value_unref(b->input_schema);
    gr_value_unref(b->output_schema);
    gri_free(b);
}

static gr_value *under(const struct binding *b, const gr_value *config)
{
    return gr_merge_configs(gr_value_ref(b->config), gr_value_ref(config));
}

/* item_under is that for an item of a batch, which has the callbacks of the batch unless it is given some. */
static gr_value *item_under(const struct binding *b, const gr_value *config)
{
    gr_value *whole = under(b, config);

    return gr_is_nil(gr_get(config, "callbacks")) && gr_get(whole, "callbacks") != NULL
               ? gr_without(whole, "callbacks")
               : whole;
}

/* with_configs gives a batch's arguments with each item's config laid over the binding's. */
static gr_value *with_configs(const struct binding *b, const gr_value *args)
{
    const gr_value *configs = gr_get(args, "configs");
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(configs); i++)
        list = gr_append(list, item_under(b, gr_at(configs, i)));
    return gr_set(gr_value_ref(args), "configs", list);
}

static void binding_any(struct gri_call *call)
{
    const struct binding *b = gr_as_opaque(gri_call_spawn_args(call));
    bool batch = call->verb == GRI_BATCH || call->verb == GRI_BATCH_AS_COMPLETED;
    gr_value *args = NULL;

    if (batch && gr_value_type(call->args) == GR_MAP &&
        gr_value_type(gr_get(call->args, "configs")) == GR_LIST)
        args = with_configs(b, call->args);
    gri_call_set_config(call, under(b, call->config));
    gri_call_forward(call, b->bound, call->verb, args, NULL);
}

static gr_value *binding_describe(gr_ctx *c, void *self, const gr_value *args)
{
    const struct binding *b = gr_as_opaque(gr_args(c));

    (void)self;
    (void)args;
    return gri_describe_as(gri_describe_ref(c, b->bound), gr_value_ref(b->input_schema),
                           gr_value_ref(b->output_schema));
}

static const gr_method binding_methods[] = {
    { "describe", GR_ASYNC, binding_describe, NULL },
    { "*", GRI_NATIVE, GRI_NATIVE_FN(binding_any), NULL },
};
static const gr_class binding_class =
    GR_CLASS(.name = "RunnableBinding", .run_type = GR_TYPE_NONE, GR_METHODS(binding_methods));

/* name_for: it goes by its run's name, or else by that of what is bound. */
static gr_value *name_for(gr_scope *in, const struct binding *b)
{
    const gr_value *name = gr_get(b->config, "run_name");

    return gr_value_type(name) == GR_STR || in == NULL ? gr_value_ref(name)
                                                       : gri_ref_name(in->rt, b->bound);
}

/* spawn makes the binding of what was looked at; an error as its config makes it broken. Takes what
 * given has. */
static gr_ref spawn(gr_scope *in, struct binding given)
{
    struct binding *b = NULL;
    gr_value *args = given.config;

    if (gr_error_code(args) == GR_OK && !gri_ref_broken(in, given.bound))
        b = gri_new0(struct binding);
    if (b != NULL) {
        gr_value *name;

        *b = given;
        name = name_for(in, b); /* first: gr_opaque frees b if there is no memory */
        return gri_named_spawn(in, &binding_class, name, gr_opaque(b, binding_free));
    }
    gr_value_unref(given.input_schema);
    gr_value_unref(given.output_schema);
    if (gr_error_code(args) == GR_OK) {
        gr_value_unref(args);
        if (gri_ref_broken(in, given.bound))
            return given.bound;
        args = gri_no_memory();
    }
    return gri_compose_spawn(in, &binding_class, "RunnableBinding", args);
}

gr_ref gr_with_config(gr_scope *in, gr_ref runnable, gr_value *config)
{
    gr_ref inner;

    if (gri_each_of(in, runnable, &inner))
        return gri_each_again(in, runnable, gr_with_config(in, inner, config));
    return spawn(in, (struct binding){ .bound = runnable,
                                       .config = gri_config_child(
                                           NULL, config != NULL ? config : gr_nil(), NULL) });
}

gr_ref gr_bind(gr_scope *in, gr_ref runnable, gr_value *kwargs)
{
    gr_value *config = kwargs;
    gr_ref inner;

    if (gri_each_of(in, runnable, &inner))
        return gri_each_again(in, runnable, gr_bind(in, inner, kwargs));
    if (gr_value_type(kwargs) == GR_MAP) {
        config = gr_map(GR_KV("kwargs", kwargs));
    } else if (gr_error_code(kwargs) == GR_OK || kwargs == NULL) {
        gr_value_unref(kwargs);
        config = gr_error(GR_ETYPE, "bind: kwargs must be a map");
    }
    return spawn(in, (struct binding){ .bound = runnable, .config = config });
}

gr_ref gr_with_types(gr_scope *in, gr_ref runnable, gr_value *input_schema, gr_value *output_schema)
{
    return spawn(in, (struct binding){ .bound = runnable,
                                       .config = gr_map_n(NULL, 0),
                                       .input_schema = input_schema,
                                       .output_schema = output_schema });
}
