/* SPDX-License-Identifier: Apache-2.0 */
#include "actors/compose/describe.h"

#include <ctype.h>
#include <string.h>

#include "actors/compose/graph_value.h"

/* ---- schemas --------------------------------------------------------------------------------- */

gr_value *gri_schema_of_type(const char *type)
{
    return gr_map(GR_KV("type", gr_str(type)));
}

gr_value *gri_schema_of_texts(const gr_value *names)
{
    gr_value *properties = gr_map_n(NULL, 0);

    for (size_t i = 0; i < gr_len(names); i++)
        properties =
            gr_set(properties, gr_cstr(gr_at(names, i), "?"), gri_schema_of_type("string"));
    return gr_map(GR_KV("type", gr_str("object")), GR_KV("properties", properties),
                  GR_KV("required", gr_value_ref(names)));
}

/* suffixed is Runnable.get_name(suffix): "PromptInput", but "my_prompt_input". */
static gr_value *suffixed(const char *name, const char *suffix)
{
    if (isupper((unsigned char)name[0]))
        return gr_strf("%s%s", name, suffix);
    return gr_strf("%s_%c%s", name, tolower((unsigned char)suffix[0]), suffix + 1);
}

/* titled completes a schema, which may be NULL, by its title, unless it has one. */
static gr_value *titled(gr_value *schema GR_TAKES, const char *name, const char *suffix)
{
    gr_value *title;

    if (gr_is_nil(schema))
        schema = gr_map_n(NULL, 0);
    if (gr_value_type(schema) != GR_MAP || gr_get(schema, "title") != NULL)
        return schema;
    title = gr_map(GR_KV("title", suffixed(name, suffix)));
    return gr_merge(title, schema);
}

static const char *title_of(const gr_value *schema)
{
    return gr_cstr(gr_get(schema, "title"), "?");
}

/* ---- descriptions ---------------------------------------------------------------------------- */

gr_value *gri_description(const char *name, gr_value *input, gr_value *output, gr_value *graph)
{
    return gr_map(GR_KV("name", gr_str(name)), GR_KV("input_schema", input),
                  GR_KV("output_schema", output), GR_KV("config_specs", gr_list_n(NULL, 0)),
                  GR_KV("graph", graph));
}

gr_value *gri_describe_leaf(const char *name, gr_value *input, gr_value *output)
{
    gr_value *graph;

    input = titled(input, name, "Input");
    output = titled(output, name, "Output");
    graph = gri_graph_one(title_of(input), name, title_of(output));
    return gri_description(name, input, output, graph);
}

gr_value *gri_describe_as(gr_value *part, gr_value *input, gr_value *output)
{
    const char *name;

    if (gr_error_code(part) == GR_OK) /* what has it is no assign or pick itself */
        part = gr_without(gr_without(part, "assigns"), "picks");
    name = gr_cstr(gr_get(part, "name"), "?");
    if (gr_error_code(part) == GR_OK && input != NULL)
        part = gr_set(part, "input_schema", titled(gr_value_ref(input), name, "Input"));
    name = gr_cstr(gr_get(part, "name"), "?");
    if (gr_error_code(part) == GR_OK && output != NULL)
        part = gr_set(part, "output_schema", titled(gr_value_ref(output), name, "Output"));
    gr_value_unref(input);
    gr_value_unref(output);
    return part;
}

gr_value *gri_describe_says(const char *name, const char *description, bool is_shared)
{
    gr_value *says = gr_map_n(NULL, 0);

    if (name != NULL)
        says = gr_set(says, "name", gr_str(name));
    if (description != NULL)
        says = gr_set(says, "description", gr_str(description));
    return is_shared ? gr_set(says, "is_shared", gr_bool(true)) : says;
}

/* placed gives specs with one more, in the order of their ids. */
static gr_value *placed(const gr_value *specs, gr_value *spec GR_TAKES)
{
    const char *id = gr_cstr(gr_get(spec, "id"), "");
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(specs); i++) {
        const gr_value *other = gr_at(specs, i);

        if (spec != NULL && strcmp(gr_cstr(gr_get(other, "id"), ""), id) > 0) {
            list = gr_append(list, spec);
            spec = NULL;
        }
        list = gr_append(list, gr_value_ref(other));
    }
    return spec != NULL ? gr_append(list, spec) : list;
}

gr_value *gri_describe_spec(gr_value *description, gr_value *spec)
{
    const gr_value *specs = gr_get(description, "config_specs");
    const char *id = gr_cstr(gr_get(spec, "id"), "?");

    if (gr_error_code(description) != GR_OK) {
        gr_value_unref(spec);
        return description;
    }
    for (size_t i = 0; i < gr_len(specs); i++) {
        bool same = gr_equal(gr_at(specs, i), spec);
        gr_value *err;

        if (strcmp(gr_cstr(gr_get(gr_at(specs, i), "id"), ""), id) != 0)
            continue;
        err = same ? NULL
                   : gr_error(GR_EINVAL,
                              "RunnableSequence contains conflicting config specs for %s", id);
        gr_value_unref(spec);
        if (err == NULL)
            return description;
        gr_value_unref(description);
        return err;
    }
    return gr_set(description, "config_specs", placed(specs, spec));
}

gr_value *gri_describe_specs(gr_value *description, const gr_value *part)
{
    const gr_value *specs = gr_get(part, "config_specs");

    for (size_t i = 0; i < gr_len(specs); i++)
        description = gri_describe_spec(description, gr_value_ref(gr_at(specs, i)));
    return description;
}

/* or_leaf makes a description of the answer of an actor that may lack the verb; takes err. */
static gr_value *or_leaf(gr_value *err)
{
    gr_value *leaf;

    if (gr_error_code(err) != GR_ETYPE || gr_get(err, "where") == NULL)
        return err;
    leaf = gri_describe_leaf(gr_cstr(gr_get(err, "where"), "?"), NULL, NULL);
    gr_value_unref(err);
    return leaf;
}

gr_value *gri_describe_ref(gr_ctx *c, gr_ref r)
{
    gr_value *err = NULL, *v = gr_do(gr_runtime_of(c), r, "describe", gr_nil(), NULL, &err);

    return v != NULL ? v : or_leaf(err);
}

gr_value *gri_describe_kept(gr_ctx *c, const char *name, const struct gri_steps *steps)
{
    gr_value *whole = NULL;

    for (size_t i = 0; i < steps->count; i++) {
        gr_value *part = gri_describe_ref(c, steps->at[i].ref);

        if (gr_error_code(part) != GR_OK) {
            gr_value_unref(whole);
            return part;
        }
        if (whole == NULL) /* it takes and gives what its first part does */
            whole = gri_describe_leaf(
                name, gr_without(gr_value_ref(gr_get(part, "input_schema")), "title"),
                gr_without(gr_value_ref(gr_get(part, "output_schema")), "title"));
        whole = gri_describe_specs(whole, part);
        gr_value_unref(part);
    }
    return whole;
}

/* ---- side by side ---------------------------------------------------------------------------- */

/* Several descriptions on the way to becoming one. */
struct beside {
    gr_value *inputs, *outputs, *keys, *required; /* counted; schemas by key */
    gr_value *graph, *parts;                      /* counted */
};

static gr_value *keyed_name(const char *name, const struct gri_steps *steps)
{
    gr_value *list = gr_strf("%s<", name);

    for (size_t i = 0; i < steps->count; i++)
        list = gr_add(list, gr_strf("%s%s", i > 0 ? "," : "", steps->at[i].key));
    return gr_add(list, gr_str(">"));
}

/* join_inputs merges what the parts take: their properties, if all take objects. */
static gr_value *join_inputs(const gr_value *parts)
{
    gr_value *properties = gr_map_n(NULL, 0), *required = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(parts); i++) {
        const gr_value *schema = gr_get(gr_at(parts, i), "input_schema");
        const gr_value *own = gr_get(schema, "properties"), *needs = gr_get(schema, "required");

        if (gr_get(schema, "type") != NULL && own == NULL) { /* no object: the first's will do */
            gr_value_unref(properties);
            gr_value_unref(required);
            return gr_without(gr_value_ref(gr_get(gr_at(parts, 0), "input_schema")), "title");
        }
        if (own != NULL)
            properties = gr_merge(properties, gr_value_ref(own));
        for (size_t k = 0; k < gr_len(needs); k++) {
            bool there = false;

            for (size_t n = 0; n < gr_len(required) && !there; n++)
                there = gr_equal(gr_at(required, n), gr_at(needs, k));
            if (!there)
                required = gr_append(required, gr_value_ref(gr_at(needs, k)));
        }
    }
    if (gr_len(properties) == 0) {
        gr_value_unref(properties);
        gr_value_unref(required);
        return NULL;
    }
    return gr_map(GR_KV("type", gr_str("object")), GR_KV("properties", properties),
                  GR_KV("required", required));
}

static gr_value *join_outputs(const gr_value *parts, const struct gri_steps *steps)
{
    gr_value *properties = gr_map_n(NULL, 0), *required = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(parts); i++) {
        properties = gr_set(properties, steps->at[i].key,
                            gr_value_ref(gr_get(gr_at(parts, i), "output_schema")));
        required = gr_append(required, gr_str(steps->at[i].key));
    }
    return gr_map(GR_KV("type", gr_str("object")), GR_KV("properties", properties),
                  GR_KV("required", required));
}

gr_value *gri_describe_parts(gr_ctx *c, const struct gri_steps *steps)
{
    gr_value *parts = gr_list_n(NULL, 0);

    for (size_t i = 0; i < steps->count; i++) {
        gr_value *part = gri_describe_ref(c, steps->at[i].ref);

        if (gr_error_code(part) != GR_OK) {
            gr_value_unref(parts);
            return part;
        }
        parts = gr_append(parts, part);
    }
    return parts;
}

gr_value *gri_describe_keyed(gr_ctx *c, const char *name, const struct gri_steps *steps)
{
    gr_value *parts = gri_describe_parts(c, steps), *named, *input, *output, *graph, *whole;

    if (gr_error_code(parts) != GR_OK)
        return parts;
    named = keyed_name(name, steps);
    input = titled(join_inputs(parts), gr_cstr(named, "?"), "Input");
    output = titled(join_outputs(parts, steps), gr_cstr(named, "?"), "Output");
    graph = gri_graph_ends(title_of(input), title_of(output));
    for (size_t i = 0; i < gr_len(parts); i++)
        graph = gri_graph_between(graph, gr_value_ref(gr_get(gr_at(parts, i), "graph")));
    if (gr_error_code(graph) != GR_OK) {
        gr_value_unref(input);
        gr_value_unref(output);
        whole = graph;
    } else {
        whole = gri_description(gr_cstr(named, "?"), input, output, graph);
    }
    for (size_t i = 0; i < gr_len(parts); i++)
        whole = gr_error_code(whole) == GR_OK ? gri_describe_specs(whole, gr_at(parts, i)) : whole;
    gr_value_unref(named);
    gr_value_unref(parts);
    return whole;
}

/* ---- for users ------------------------------------------------------------------------------- */

gr_value *gr_describe(gr_runtime *rt, gr_ref r, gr_value **reterr)
{
    gr_value *err = NULL, *v = gr_do(rt, r, "describe", gr_nil(), NULL, &err);

    if (v != NULL)
        return v;
    v = or_leaf(err);
    if (gr_error_code(v) == GR_OK)
        return v;
    if (reterr != NULL)
        *reterr = v;
    else
        gr_value_unref(v);
    return NULL;
}

/* one_of gives one field of the description. */
static gr_value *one_of(gr_runtime *rt, gr_ref r, const char *field, gr_value **reterr)
{
    gr_value *whole = gr_describe(rt, r, reterr), *v;

    if (whole == NULL)
        return NULL;
    v = gr_value_ref(gr_get(whole, field));
    gr_value_unref(whole);
    return v != NULL ? v : gr_nil();
}

gr_value *gr_get_name(gr_runtime *rt, gr_ref r, gr_value **reterr)
{
    return one_of(rt, r, "name", reterr);
}

gr_value *gr_get_graph(gr_runtime *rt, gr_ref r, gr_value **reterr)
{
    return one_of(rt, r, "graph", reterr);
}

gr_value *gr_get_input_schema(gr_runtime *rt, gr_ref r, gr_value **reterr)
{
    return one_of(rt, r, "input_schema", reterr);
}

gr_value *gr_get_output_schema(gr_runtime *rt, gr_ref r, gr_value **reterr)
{
    return one_of(rt, r, "output_schema", reterr);
}

/* property_of is the schema of one key of configurable. */
static gr_value *property_of(const gr_value *spec)
{
    static const char *const same[] = { "description", "default" };
    const gr_value *title = gr_get(spec, "name"), *options = gr_get(spec, "options");
    gr_value *schema =
        gr_map(GR_KV("title", gr_value_ref(title != NULL ? title : gr_get(spec, "id"))));

    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        if (gr_get(spec, same[i]) != NULL)
            schema = gr_set(schema, same[i], gr_value_ref(gr_get(spec, same[i])));
    if (options != NULL)
        schema = gr_set(schema, "enum", gr_value_ref(options));
    return schema;
}

gr_value *gr_config_schema(gr_runtime *rt, gr_ref r, const char *const *include, size_t count,
                           gr_value **reterr)
{
    gr_value *whole = gr_describe(rt, r, reterr), *inner = gr_map_n(NULL, 0), *outer;
    const gr_value *specs = gr_get(whole, "config_specs");
    const char *name = gr_cstr(gr_get(whole, "name"), "?");

    for (size_t i = 0; i < gr_len(specs); i++)
        inner = gr_set(inner, gr_cstr(gr_get(gr_at(specs, i), "id"), "?"),
                       property_of(gr_at(specs, i)));
    outer = gr_map_n(NULL, 0);
    if (gr_len(inner) > 0)
        outer = gr_set(outer, "configurable",
                       gr_map(GR_KV("title", gr_str("Configurable")),
                              GR_KV("type", gr_str("object")), GR_KV("properties", inner)));
    else
        gr_value_unref(inner);
    for (size_t i = 0; i < count; i++)
        outer = gr_set(outer, include[i], gr_map(GR_KV("title", gr_str(include[i]))));
    if (whole == NULL) {
        gr_value_unref(outer);
        return NULL;
    }
    outer = gr_map(GR_KV("title", suffixed(name, "Config")), GR_KV("type", gr_str("object")),
                   GR_KV("properties", outer));
    gr_value_unref(whole);
    return outer;
}
