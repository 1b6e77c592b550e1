/* SPDX-License-Identifier: Apache-2.0 */
/* passthrough.c - gr_passthrough: the input is the answer, chunk by chunk if it comes so. */
#include "actors/compose/pump.h"
#include "actors/compose/steps.h"

static gr_value *passthrough_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    (void)c;
    (void)self;
    return gr_value_ref(input);
}

static void passthrough_transform(struct gri_call *call)
{
    static const struct gri_pump_opts unchanged = { .map = NULL };

    if (gri_compose_streams(call, true))
        gri_pump_start(call, gri_call_take_in(call), &unchanged);
}

static const gr_method passthrough_methods[] = {
    { "invoke", GR_CHEAP, passthrough_invoke, NULL },
    { "transform", GRI_NATIVE, GRI_NATIVE_FN(passthrough_transform), NULL },
};
static const gr_class passthrough_class =
    GR_CLASS(.name = "RunnablePassthrough", GR_METHODS(passthrough_methods));

gr_ref gr_passthrough(gr_scope *in)
{
    return gr_spawn(in, &passthrough_class, NULL);
}
