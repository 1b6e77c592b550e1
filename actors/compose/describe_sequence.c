/* SPDX-License-Identifier: Apache-2.0 */
/*
 * describe_sequence.c - what a sequence takes and gives, and its graph.
 *
 * It takes what its first step takes, and gives what its last one gives; but an assign takes what the
 * steps behind it need beside what it adds, and gives what it adds to what it gets; and a pick gives some of
 * what it gets. So these are looked through, as in langchain-core.
 */
#include <string.h>

#include "actors/compose/describe.h"
#include "actors/compose/graph_value.h"

static bool is_object(const gr_value *schema)
{
    return gr_value_type(gr_get(schema, "properties")) == GR_MAP;
}

/* some gives those of an object's properties that are among `keys`, a map's or a list's, or that are
 * not. */
static gr_value *some(const gr_value *schema, const gr_value *keys, bool among)
{
    const gr_value *properties = gr_get(schema, "properties"),
                   *required = gr_get(schema, "required");
    gr_value *kept = gr_map_n(NULL, 0), *needed = gr_list_n(NULL, 0);
    const char *key = NULL;

    for (size_t i = 0; i < gr_len(properties); i++) {
        const gr_value *v = gr_pair_at(properties, i, &key);
        bool found = gr_get(keys, key) != NULL;

        for (size_t k = 0; gr_value_type(keys) == GR_LIST && k < gr_len(keys); k++)
            found = found || strcmp(gr_cstr(gr_at(keys, k), ""), key) == 0;
        if (found == among)
            kept = gr_set(kept, key, gr_value_ref(v));
    }
    for (size_t i = 0; i < gr_len(required); i++)
        if (gr_get(kept, gr_cstr(gr_at(required, i), "")) != NULL)
            needed = gr_append(needed, gr_value_ref(gr_at(required, i)));
    return gr_map(GR_KV("type", gr_str("object")), GR_KV("properties", kept),
                  GR_KV("required", needed));
}

static gr_value *titled(const char *title, gr_value *schema GR_TAKES)
{
    return gr_merge(gr_map(GR_KV("title", gr_str(title))), schema);
}

/* input_of gives what the steps from the first to the last need. */
static gr_value *input_of(const gr_value *parts)
{
    size_t at = gr_len(parts) - 1;
    gr_value *schema = gr_value_ref(gr_get(gr_at(parts, at), "input_schema"));

    while (at-- > 0) {
        const gr_value *part = gr_at(parts, at), *adds = gr_get(part, "assigns");
        gr_value *before;

        if (gr_get(part, "picks") != NULL)
            continue;
        if (adds != NULL && is_object(schema))
            before =
                titled("RunnableSequenceInput", some(schema, gr_get(adds, "properties"), false));
        else
            before = gr_value_ref(gr_get(part, "input_schema"));
        gr_value_unref(schema);
        schema = before;
    }
    return schema;
}

/* picked gives what a pick makes of an object. */
static gr_value *picked(const gr_value *schema, const gr_value *keys)
{
    const gr_value *one;

    if (gr_value_type(keys) == GR_LIST)
        return titled("RunnableSequenceOutput", some(schema, keys, true));
    one = gr_get(gr_get(schema, "properties"), gr_cstr(keys, ""));
    return titled("RunnableSequenceOutput",
                  one != NULL ? gr_without(gr_value_ref(one), "title") : gr_map_n(NULL, 0));
}

/* added gives what an assign makes of an object. */
static gr_value *added(const gr_value *schema, const gr_value *adds)
{
    gr_value *whole = some(schema, gr_get(adds, "properties"), false);
    gr_value *properties = gr_merge(gr_value_ref(gr_get(whole, "properties")),
                                    gr_value_ref(gr_get(adds, "properties")));
    gr_value *required = gr_value_ref(gr_get(whole, "required"));

    if (gr_get(adds, "required") != NULL)
        required = gr_add(required, gr_value_ref(gr_get(adds, "required")));
    whole = gr_set(gr_set(whole, "properties", properties), "required", required);
    return titled("RunnableSequenceOutput", whole);
}

/* output_of gives what the steps from the first to the last give. */
static gr_value *output_of(const gr_value *parts)
{
    gr_value *schema = gr_value_ref(gr_get(gr_at(parts, 0), "output_schema"));

    for (size_t i = 1; i < gr_len(parts); i++) {
        const gr_value *part = gr_at(parts, i), *adds = gr_get(part, "assigns");
        const gr_value *keys = gr_get(part, "picks");
        gr_value *after;

        if (adds != NULL && is_object(schema))
            after = added(schema, adds);
        else if (keys != NULL && is_object(schema))
            after = picked(schema, keys);
        else
            after = gr_value_ref(gr_get(part, "output_schema"));
        gr_value_unref(schema);
        schema = after;
    }
    return schema;
}

gr_value *gri_describe_sequence(gr_ctx *c, const struct gri_steps *steps)
{
    gr_value *parts = gri_describe_parts(c, steps), *graph, *whole;

    if (gr_error_code(parts) != GR_OK)
        return parts;
    graph = gr_value_ref(gr_get(gr_at(parts, 0), "graph"));
    for (size_t i = 1; i < gr_len(parts); i++)
        graph = gri_graph_then(graph, gr_value_ref(gr_get(gr_at(parts, i), "graph")));
    whole = gr_error_code(graph) != GR_OK
                ? graph
                : gri_description("RunnableSequence", input_of(parts), output_of(parts), graph);
    for (size_t i = 0; i < gr_len(parts) && gr_error_code(whole) == GR_OK; i++)
        whole = gri_describe_specs(whole, gr_at(parts, i));
    gr_value_unref(parts);
    return whole;
}
