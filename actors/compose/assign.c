/* SPDX-License-Identifier: Apache-2.0 */
/*
 * assign.c - gr_assign: a map plus the steps' answers to it.
 *
 * invoke is gather.c's, with the answers laid over the input. A stream passes the input's own
 * chunks first, without the keys that the steps will give, then the steps' chunks: fan.c, with the
 * input shared out by tee.c. stream is transform of one chunk.
 */
#include <string.h>

#include "actors/compose/describe.h"
#include "actors/compose/fan.h"
#include "actors/compose/gather.h"
#include "actors/compose/graph_value.h"

static gr_value *not_a_map(const gr_value *v)
{
    return gr_error(GR_ETYPE, "The input to RunnablePassthrough.assign() must be a dict, not %s",
                    gr_type_name(gr_value_type(v)));
}

static gr_value *lay_over(struct gri_call *call, gr_value *map)
{
    return gr_merge(gr_value_ref(call->args), map);
}

static void assign_invoke(struct gri_call *call)
{
    if (gr_value_type(call->args) != GR_MAP)
        gri_call_end(call, not_a_map(call->args));
    else
        gri_gather(call, lay_over);
}

/* pass_chunk takes the steps' keys out of an input's chunk; NULL: nothing is left to pass on. */
static gr_value *pass_chunk(struct gri_call *call, gr_value *chunk)
{
    const struct gri_steps *steps = gri_steps_of(call);

    if (gr_value_type(chunk) != GR_MAP) {
        gr_value *err = not_a_map(chunk);

        gr_value_unref(chunk);
        return err;
    }
    for (size_t i = 0; i < steps->count; i++)
        chunk = gr_without(chunk, steps->at[i].key);
    if (gr_value_type(chunk) == GR_MAP && gr_len(chunk) == 0) {
        gr_value_unref(chunk);
        return NULL;
    }
    return chunk;
}

static void assign_transform(struct gri_call *call)
{
    if (gri_compose_streams(call, true))
        gri_fan_assign(call, gri_call_take_in(call), pass_chunk);
}

static void assign_stream(struct gri_call *call)
{
    struct gr_stream *in;

    if (!gri_compose_streams(call, false))
        return;
    in = gri_stream_new(gri_call_sched(call), 1, SIZE_MAX);
    if (in != NULL) {
        gr_code rc = gri_stream_put(in, gr_value_ref(call->args));

        gri_stream_end(in, rc == GR_OK ? NULL : gr_error(rc, "the input could not be stored"));
        gri_stream_unref(in); /* the writer's */
    }
    gri_fan_assign(call, in, pass_chunk);
}

/* assign_output is what it gives, of what its mapper, a parallel, takes and gives. */
static gr_value *assign_output(const gr_value *mapper)
{
    const gr_value *takes = gr_get(mapper, "input_schema"),
                   *gives = gr_get(mapper, "output_schema");
    const gr_value *needs = gr_get(takes, "required");

    if (gr_get(takes, "properties") == NULL)
        return gr_value_ref(gives);
    return gr_map(
        GR_KV("title", gr_str("RunnableAssignOutput")), GR_KV("type", gr_str("object")),
        GR_KV("properties", gr_merge(gr_value_ref(gr_get(takes, "properties")),
                                     gr_value_ref(gr_get(gives, "properties")))),
        GR_KV("required", gr_add(gr_value_ref(needs), gr_value_ref(gr_get(gives, "required")))));
}

#define MAPPER "RunnableParallel"

/* assign_describe: it is seen as its mapper, with the input passing by. */
static gr_value *assign_describe(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *mapper = gri_describe_keyed(c, MAPPER, gr_as_opaque(gr_args(c)));
    const char *name = gr_cstr(gr_get(mapper, "name"), "");
    gr_value *graph, *whole;

    (void)self;
    (void)args;
    if (gr_error_code(mapper) != GR_OK)
        return mapper;
    if (strncmp(name, MAPPER, strlen(MAPPER)) == 0) /* not one that memory ran out for */
        name += strlen(MAPPER);
    graph =
        gri_graph_between(gr_value_ref(gr_get(mapper, "graph")),
                          gri_graph_one("PassthroughInput", "Passthrough", "PassthroughOutput"));
    whole = gr_set(gr_value_ref(mapper), "name", gr_strf("RunnableAssign%s", name));
    whole = gr_set(whole, "graph", graph);
    whole = gr_set(whole, "output_schema", assign_output(mapper));
    whole = gr_set(whole, "assigns", gr_value_ref(gr_get(mapper, "output_schema")));
    gr_value_unref(mapper);
    return whole;
}

static const gr_method assign_methods[] = {
    { "invoke", GRI_NATIVE, GRI_NATIVE_FN(assign_invoke), NULL },
    { "stream", GRI_NATIVE, GRI_NATIVE_FN(assign_stream), NULL },
    { "transform", GRI_NATIVE, GRI_NATIVE_FN(assign_transform), NULL },
    { "describe", GR_ASYNC, assign_describe, NULL },
};
static const gr_class assign_class = GR_CLASS(.name = "RunnableAssign", GR_METHODS(assign_methods));

gr_ref gr_assign_n(gr_scope *in, const gr_step *steps, size_t count)
{
    return gri_steps_spawn_map(in, &assign_class, "RunnableAssign", steps, count);
}
