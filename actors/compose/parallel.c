/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parallel.c - gr_parallel: the same input to every step at once, a map of their answers.
 *
 * invoke is gather.c's, stream and transform are fan.c's.
 */
#include "actors/compose/describe.h"
#include "actors/compose/fan.h"
#include "actors/compose/gather.h"

static void parallel_invoke(struct gri_call *call)
{
    gri_gather(call, NULL);
}

static void parallel_stream(struct gri_call *call)
{
    if (gri_compose_streams(call, false))
        gri_fan_stream(call);
}

static void parallel_transform(struct gri_call *call)
{
    if (gri_compose_streams(call, true))
        gri_fan_transform(call, gri_call_take_in(call));
}

static gr_value *parallel_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    (void)args;
    return gri_describe_keyed(c, "RunnableParallel", gr_as_opaque(gr_args(c)));
}

static const gr_method parallel_methods[] = {
    { "invoke", GRI_NATIVE, GRI_NATIVE_FN(parallel_invoke), NULL },
    { "stream", GRI_NATIVE, GRI_NATIVE_FN(parallel_stream), NULL },
    { "transform", GRI_NATIVE, GRI_NATIVE_FN(parallel_transform), NULL },
    { "describe", GR_ASYNC, parallel_describe, NULL },
};
static const gr_class parallel_class =
    GR_CLASS(.name = "RunnableParallel", GR_METHODS(parallel_methods));

gr_ref gr_parallel_n(gr_scope *in, const gr_step *steps, size_t count)
{
    return gri_steps_spawn_map(in, &parallel_class, "RunnableParallel", steps, count);
}
