/* SPDX-License-Identifier: Apache-2.0 */
/* tool_input.c - a tool's arguments: read, filled in, judged, and what the model does not give added. */
#include <string.h>

#include "actors/tool/arguments.h"
#include "actors/tool/tool.h"

bool gri_is_tool_call(const gr_value *input)
{
    return strcmp(gr_cstr(gr_get(input, "type"), ""), "tool_call") == 0 &&
           gr_get(input, "args") != NULL;
}

/* ---- the schema ---------------------------------------------------------------------------------- */

/* without_names gives a list of texts without those that are keys of a map. */
static gr_value *without_names(const gr_value *list, const gr_value *names, bool inverted)
{
    gr_value *out = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(list); i++)
        if ((gr_get(names, gr_cstr(gr_at(list, i), "")) != NULL) == inverted)
            out = gr_append(out, gr_value_ref(gr_at(list, i)));
    return out;
}

gr_value *gri_tool_visible(const struct gri_tool *t, gr_value *schema)
{
    gr_value *properties, *required;
    const char *key = NULL;

    if (t->injected == NULL || gr_value_type(schema) != GR_MAP)
        return schema;
    if (gr_value_type(gr_get(schema, "properties")) == GR_MAP) {
        properties = gr_value_ref(gr_get(schema, "properties"));
        for (size_t i = 0; i < gr_len(t->injected); i++) {
            (void)gr_pair_at(t->injected, i, &key);
            properties = gr_without(properties, key);
        }
        schema = gr_set(schema, "properties", properties);
    }
    if (gr_value_type(gr_get(schema, "required")) == GR_LIST) {
        required = without_names(gr_get(schema, "required"), t->injected, false);
        schema = gr_set(schema, "required", required);
    }
    return schema;
}

gr_value *gri_tool_read_schema(struct gri_tool *t, gr_value *schema)
{
    gr_value *err = NULL;

    if (schema == NULL)
        return NULL;
    t->required = without_names(gr_get(schema, "required"), t->injected, true);
    t->visible = gri_tool_visible(t, schema);
    t->schema = gr_schema_new(gr_value_ref(t->visible), NULL, &err);
    return err;
}

/* ---- what is injected ------------------------------------------------------------------------------ */

/* find gives what a place names; NULL: there is nothing. */
static const gr_value *find(gr_ctx *c, const gr_value *call, const char *place)
{
    const gr_value *state = gr_get(gr_kwargs(c), "state");

    if (strcmp(place, "tool_call_id") == 0)
        return gr_get(call, "id");
    if (strcmp(place, "state") == 0)
        return state;
    if (strncmp(place, "state.", 6) == 0)
        return gr_get(state, place + 6);
    return gr_get(gr_get(gr_config(c), "configurable"), place + strlen("configurable."));
}

/* inject adds what the model does not give; what it gives all the same goes. call NULL: the arguments came
 * plainly, from somebody who may. */
static gr_value *inject(const struct gri_tool *t, gr_ctx *c, const gr_value *call, gr_value *args)
{
    const char *name = NULL;

    for (size_t i = 0; i < gr_len(t->injected); i++) {
        const char *place = gr_cstr(gr_pair_at(t->injected, i, &name), "");
        const gr_value *v = find(c, call, place);

        if (call == NULL && gr_get(args, name) != NULL)
            continue;
        args = v != NULL ? gr_set(args, name, gr_value_ref(v)) : gr_without(args, name);
    }
    for (size_t i = 0; i < gr_len(t->required); i++)
        if (gr_get(args, gr_cstr(gr_at(t->required, i), "")) == NULL) {
            gr_value_unref(args);
            return gr_error(GR_EINVAL, "%s: nobody gave the injected argument '%s'",
                            t->name != NULL ? t->name : "tool", gr_cstr(gr_at(t->required, i), ""));
        }
    return args;
}

/* shown gives the arguments that are judged: without what is injected. */
static gr_value *shown(const struct gri_tool *t, gr_value *args)
{
    const char *name = NULL;

    for (size_t i = 0; i < gr_len(t->injected) && gr_value_type(args) == GR_MAP; i++) {
        (void)gr_pair_at(t->injected, i, &name);
        args = gr_without(args, name);
    }
    return args;
}

/* ---- reading --------------------------------------------------------------------------------------- */

static bool is_object(const struct gri_tool *t)
{
    const gr_value *type = gr_get(t->visible, "type");

    return gr_value_type(type) != GR_STR || strcmp(gr_cstr(type, ""), "object") == 0;
}

/* args_of takes the arguments out of the input. */
static gr_value *args_of(const struct gri_tool *t, const gr_value *input)
{
    bool call = gri_is_tool_call(input);
    const gr_value *args = call ? gr_get(input, "args") : input;
    const gr_value *properties = gr_get(t->visible, "properties");
    const char *key = NULL;

    if (call && !is_object(t) && gr_value_type(args) == GR_MAP && gr_len(args) == 1)
        return gr_value_ref(gr_pair_at(args, 0, &key));
    if (!call && gr_value_type(args) == GR_STR && is_object(t) && gr_len(properties) > 0) {
        (void)gr_pair_at(properties, 0, &key);
        return gr_map(GR_KV(key, gr_value_ref(args)));
    }
    return gr_value_ref(args);
}

gr_value *gri_tool_input(const struct gri_tool *t, gr_ctx *c, const gr_value *input)
{
    gr_value *args = args_of(t, input), *judged, *err;

    if (t->schema != NULL) {
        args = gr_schema_fill(t->schema, args);
        judged = shown(t, gr_value_ref(args));
        err = gri_arguments_judge(t->schema, t->name != NULL ? t->name : "tool", judged);
        gr_value_unref(judged);
        if (err != NULL) {
            gr_value_unref(args);
            return err;
        }
    }
    if (t->injected == NULL || gr_value_type(args) != GR_MAP)
        return args;
    return inject(t, c, gri_is_tool_call(input) ? input : NULL, args);
}
