/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passthrough.c - gr_passthrough: the input is the answer, chunk by chunk if it comes so; and
 * gr_passthrough_tap, which shows it to another runnable on the way.
 *
 * A tap gets the sum of the chunks, after the last one has gone on and before the stream ends.
 */
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

/* ---- with a tap ------------------------------------------------------------------------------ */

/* show gives the tap what went by, with the call's kwargs: NULL, or the tap's error. */
static gr_value *show(gr_ctx *c, gr_value *whole GR_TAKES)
{
    const struct gri_steps *steps = gr_as_opaque(gr_args(c));
    const gr_value *kwargs = gr_kwargs(c);
    gr_call_opts opts = { .size = sizeof(opts) };
    gr_value *err = NULL, *v;

    if (kwargs != NULL)
        opts.config = gr_map(GR_KV("kwargs", gr_value_ref(kwargs)));
    v = gr_invoke(gr_runtime_of(c), steps->at[0].ref, whole, &opts, &err);
    gr_value_unref(v);
    return err;
}

static gr_value *tap_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    gr_value *err = show(c, gr_value_ref(input));

    (void)self;
    return err != NULL ? err : gr_value_ref(input);
}

static gr_code tap_transform(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_value *sum = NULL, *err = NULL;
    gr_outcome o;

    (void)self;
    (void)args;
    if (in == NULL)
        return gr_fail(c, gr_error(GR_EINVAL, "'%s' needs an input stream", gr_verb(c)));
    while ((o = gr_next(in, -1)).code == GR_OK) {
        gr_code rc = gr_emit(c, gr_value_ref(o.value));

        if (rc != GR_OK) {
            gr_value_unref(sum);
            return rc;
        }
        sum = gr_add(sum, gr_value_ref(o.value));
    }
    if (o.code == GR_EOS && sum != NULL) {
        err = show(c, sum);
        return err == NULL ? GR_OK : gr_fail(c, err);
    }
    gr_value_unref(sum);
    if (o.code == GR_EOS)
        return GR_OK;
    return o.error != NULL ? gr_fail(c, gr_value_ref(o.error)) : o.code;
}

static const gr_method tap_methods[] = {
    { "invoke", GR_ASYNC, tap_invoke, NULL },
    { "transform", GR_ASYNC, NULL, tap_transform },
};
static const gr_class tap_class = GR_CLASS(.name = "RunnablePassthrough", GR_METHODS(tap_methods));

gr_ref gr_passthrough_tap(gr_scope *in, gr_ref tap)
{
    return gri_steps_spawn(in, &tap_class, "RunnablePassthrough", &tap, 1);
}
