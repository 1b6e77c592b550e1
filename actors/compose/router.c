/* SPDX-License-Identifier: Apache-2.0 */
/*
 * router.c - gr_router: the input says which runnable it is for.
 *
 * The call itself is handed on, so nothing of the router is left in its way. A batch looks at all
 * keys before it starts any item, then is the engine's. As in langchain-core only the items of a batch
 * get the call's kwargs, so a batch has a verb of its own for them.
 */
#include <greenroom/callbacks.h>
#include <string.h>

#include "actors/compose/describe.h"
#include "actors/compose/steps.h"
#include "actors/compose/subcall.h"
#include "runtime/actor/batch.h"

#define ITEM_VERB "route"

/* find returns the step that an input is for, NULL with *ret_err when there is none. */
static const struct gri_step *find(const struct gri_steps *steps, const gr_value *input,
                                   gr_value **ret_err)
{
    const gr_value *key = gr_get(input, "key");

    size_t i = 0;

    if (gr_value_type(key) == GR_STR) {
        while (i < steps->count && strcmp(steps->at[i].key, gr_cstr(key, "")) != 0)
            i++;
        if (i < steps->count && gr_get(input, "input") != NULL)
            return &steps->at[i];
    }
    if (gr_value_type(key) == GR_STR && i == steps->count)
        *ret_err =
            gr_error(GR_EINVAL, "No runnable associated with key '%.200s'", gr_cstr(key, ""));
    else
        *ret_err = gr_error(GR_ETYPE, "The input to RouterRunnable must be {\"key\", \"input\"}");
    return NULL;
}

static void hand_on(struct gri_call *call, uint16_t verb)
{
    gr_value *err = NULL;
    const struct gri_step *step = find(gri_steps_of(call), call->args, &err);
    const gr_value *input = gr_get(call->args, "input");

    if (step == NULL)
        gri_call_end(call, err);
    else
        gri_call_forward(call, step->ref, verb, gr_value_ref(input), NULL);
}

static void router_invoke(struct gri_call *call)
{
    gri_subcall_drop_kwargs(call);
    hand_on(call, GRI_INVOKE);
}

/* router_item is what a batch calls for each of its inputs. */
static void router_item(struct gri_call *call)
{
    hand_on(call, GRI_INVOKE);
}

static void router_stream(struct gri_call *call)
{
    if (!gri_compose_streams(call, false))
        return;
    gri_subcall_drop_kwargs(call);
    hand_on(call, GRI_STREAM);
}

static void router_batch(struct gri_call *call)
{
    const gr_value *inputs = gri_batch_inputs(call);
    gr_value *err = NULL;

    for (size_t i = 0; i < gr_len(inputs) && err == NULL; i++)
        (void)find(gri_steps_of(call), gr_at(inputs, i), &err);
    if (err != NULL)
        gri_call_end(call, err);
    else
        gri_batch_start_by(call, ITEM_VERB);
}

static gr_value *router_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    (void)args;
    return gri_describe_kept(c, "RouterRunnable", gr_as_opaque(gr_args(c)));
}

static const gr_method router_methods[] = {
    { "invoke", GRI_NATIVE, GRI_NATIVE_FN(router_invoke), NULL },
    { "stream", GRI_NATIVE, GRI_NATIVE_FN(router_stream), NULL },
    { ITEM_VERB, GRI_NATIVE, GRI_NATIVE_FN(router_item), NULL },
    { "batch", GRI_NATIVE, GRI_NATIVE_FN(router_batch), NULL },
    { "describe", GR_ASYNC, router_describe, NULL },
};
static const gr_class router_class =
    GR_CLASS(.name = "RouterRunnable", .run_type = GR_TYPE_NONE, GR_METHODS(router_methods));

gr_ref gr_router_n(gr_scope *in, const gr_step *runnables, size_t count)
{
    return gri_steps_spawn_keyed(in, &router_class, "RouterRunnable", runnables, count);
}
