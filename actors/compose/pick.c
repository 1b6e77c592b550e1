/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pick.c - gr_pick: one value out of a map. In a stream the chunks that hold the key go through, as
 * what they hold under it.
 */
#include "actors/compose/pump.h"
#include "actors/compose/steps.h"

static gr_value *pick(const gr_value *key, const gr_value *map)
{
    const gr_value *v;

    if (gr_value_type(map) != GR_MAP)
        return gr_error(GR_ETYPE, "The input to RunnablePick must be a dict, not %s",
                        gr_type_name(gr_value_type(map)));
    v = gr_get(map, gr_cstr(key, ""));
    return v != NULL ? gr_value_ref(v) : gr_nil();
}

static gr_value *pick_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    (void)self;
    return pick(gr_args(c), input);
}

static gr_value *pick_chunk(struct gri_call *call, gr_value *chunk)
{
    gr_value *v = pick(gri_call_spawn_args(call), chunk);

    gr_value_unref(chunk);
    return gr_is_nil(v) ? NULL : v;
}

static void pick_transform(struct gri_call *call)
{
    static const struct gri_pump_opts picking = { .map = pick_chunk };

    if (gri_compose_streams(call, true))
        gri_pump_start(call, gri_call_take_in(call), &picking);
}

static const gr_method pick_methods[] = {
    { "invoke", GR_CHEAP, pick_invoke, NULL },
    { "transform", GRI_NATIVE, GRI_NATIVE_FN(pick_transform), NULL },
};
static const gr_class pick_class = GR_CLASS(.name = "RunnablePick", GR_METHODS(pick_methods));

gr_ref gr_pick(gr_scope *in, const char *key)
{
    gr_value *args = key != NULL ? gr_str(key) : gr_error(GR_EINVAL, "pick: no key");

    return gri_compose_spawn(in, &pick_class, "RunnablePick", args);
}
