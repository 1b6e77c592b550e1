/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pick.c - gr_pick: one value out of a map, and gr_pick_n: a map of some of its keys. In a stream the
 * chunks that hold any go through, as what they hold.
 *
 * The spawn argument is the key, or the list of keys.
 */
#include "actors/compose/describe.h"
#include "actors/compose/pump.h"
#include "actors/compose/steps.h"

static gr_value *pick_some(const gr_value *keys, const gr_value *map)
{
    gr_value *some = NULL;

    for (size_t i = 0; i < gr_len(keys); i++) {
        const char *key = gr_cstr(gr_at(keys, i), "");
        const gr_value *v = gr_get(map, key);

        if (v != NULL)
            some = gr_set(some != NULL ? some : gr_map_n(NULL, 0), key, gr_value_ref(v));
    }
    return some != NULL ? some : gr_nil();
}

static gr_value *pick(const gr_value *keys, const gr_value *map)
{
    const gr_value *v;

    if (gr_value_type(map) != GR_MAP)
        return gr_error(GR_ETYPE, "The input to RunnablePick must be a dict, not %s",
                        gr_type_name(gr_value_type(map)));
    if (gr_value_type(keys) == GR_LIST)
        return pick_some(keys, map);
    v = gr_get(map, gr_cstr(keys, ""));
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

/* name_of makes the name of what picks a key, or keys. */
static gr_value *name_of(const gr_value *keys)
{
    gr_value *list = gr_str(gr_cstr(keys, "")), *name;

    for (size_t i = 0; i < gr_len(keys) && gr_value_type(keys) == GR_LIST; i++)
        list = gr_add(list, gr_strf("%s%s", i > 0 ? "," : "", gr_cstr(gr_at(keys, i), "")));
    name = gr_strf("RunnablePick<%.200s>", gr_cstr(list, ""));
    gr_value_unref(list);
    return name;
}

static gr_value *pick_describe(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *name = name_of(gr_args(c)), *whole;

    (void)self;
    (void)args;
    whole = gri_describe_leaf(gr_cstr(name, "RunnablePick"), NULL, NULL);
    gr_value_unref(name);
    return gr_set(whole, "picks", gr_value_ref(gr_args(c)));
}

static const gr_method pick_methods[] = {
    { "describe", GR_CHEAP, pick_describe, NULL },
    { "invoke", GR_CHEAP, pick_invoke, NULL },
    { "transform", GRI_NATIVE, GRI_NATIVE_FN(pick_transform), NULL },
};
static const gr_class pick_class = GR_CLASS(.name = "RunnablePick", GR_METHODS(pick_methods));

static gr_ref spawn(gr_scope *in, gr_value *keys GR_TAKES)
{
    return gri_named_spawn(in, &pick_class, name_of(keys), keys);
}

gr_ref gr_pick(gr_scope *in, const char *key)
{
    return spawn(in, key != NULL ? gr_str(key) : gr_error(GR_EINVAL, "pick: no key"));
}

gr_ref gr_pick_n(gr_scope *in, const char *const *keys, size_t count)
{
    gr_value *args = gr_list_n(NULL, 0);

    for (size_t i = 0; i < count && keys != NULL; i++)
        args = gr_append(args, gr_str(keys[i]));
    if (count == 0 || keys == NULL) {
        gr_value_unref(args);
        args = gr_error(GR_EINVAL, "pick: no keys");
    }
    return spawn(in, args);
}
