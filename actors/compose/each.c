/* SPDX-License-Identifier: Apache-2.0 */
/*
 * each.c - gr_each: a list's items, each to the same runnable.
 *
 * The call is handed on as a batch of that runnable. A stream, which is the engine's, gives the
 * whole list as one chunk.
 */
#include "actors/compose/each.h"

#include "actors/compose/describe.h"
#include "actors/compose/steps.h"

static void each_invoke(struct gri_call *call)
{
    if (gr_value_type(call->args) != GR_LIST)
        gri_call_end(call, gr_error(GR_ETYPE, "The input to RunnableEach must be a list, not %s",
                                    gr_type_name(gr_value_type(call->args))));
    else
        gri_call_forward(call, gri_steps_of(call)->at[0].ref, GRI_BATCH, NULL, NULL);
}

static gr_value *list_of(const gr_value *schema)
{
    return gr_map(GR_KV("type", gr_str("array")), GR_KV("items", gr_value_ref(schema)));
}

static gr_value *each_describe(gr_ctx *c, void *self, const gr_value *args)
{
    const struct gri_steps *steps = gr_as_opaque(gr_args(c));
    gr_value *part = gri_describe_ref(c, steps->at[0].ref);
    const gr_value *input = gr_get(part, "input_schema"), *output = gr_get(part, "output_schema");

    (void)self;
    (void)args;
    if (gr_error_code(part) != GR_OK)
        return part;
    return gri_describe_as(part, list_of(input), list_of(output));
}

static const gr_method each_methods[] = {
    { "invoke", GRI_NATIVE, GRI_NATIVE_FN(each_invoke), NULL },
    { "describe", GR_ASYNC, each_describe, NULL },
};
static const gr_class each_class = GR_CLASS(.name = "RunnableEach", GR_METHODS(each_methods));

/* spawn makes one; name is taken. */
static gr_ref spawn(gr_scope *in, gr_ref runnable, gr_value *name)
{
    gr_value *err = NULL;
    struct gri_steps *s = gri_steps_copy("RunnableEach", &runnable, NULL, 1, &err);

    return gri_named_spawn(in, &each_class, name, s != NULL ? gr_opaque(s, gri_steps_free) : err);
}

gr_ref gr_each(gr_scope *in, gr_ref runnable)
{
    gr_value *inner, *name;

    if (in == NULL || gri_ref_broken(in, runnable))
        return gri_steps_spawn(in, &each_class, "RunnableEach", &runnable, 1);
    inner = gri_ref_name(in->rt, runnable);
    name = gr_strf("RunnableEach<%s>", gr_cstr(inner, ""));
    gr_value_unref(inner);
    return spawn(in, runnable, name);
}

bool gri_each_of(gr_scope *in, gr_ref runnable, gr_ref *ret_inner)
{
    gr_value *args = in != NULL ? gri_ref_args(in->rt, runnable, &each_class) : NULL;
    const struct gri_steps *steps = gr_as_opaque(args);

    if (steps != NULL)
        *ret_inner = steps->at[0].ref;
    gr_value_unref(args);
    return steps != NULL;
}

gr_ref gri_each_again(gr_scope *in, gr_ref each, gr_ref inner)
{
    return gri_ref_broken(in, inner) ? inner : spawn(in, inner, gri_ref_name(in->rt, each));
}
