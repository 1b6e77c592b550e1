/* SPDX-License-Identifier: Apache-2.0 */
/* anthropic_tools.c - tools and the choice among them, from OpenAI's form. */
#include "actors/model/anthropic_wire.h"
#include "actors/model/wire.h"

static gr_value *tool_of(const gr_value *tool)
{
    const gr_value *fn = gr_get(tool, "function"), *schema = gr_get(fn, "parameters");
    gr_value *out;

    if (gr_value_type(fn) != GR_MAP) /* one of Anthropic's own, or one that its server runs */
        return gr_value_ref(tool);
    out = gr_map(GR_KV("name", gr_str(gr_cstr(gr_get(fn, "name"), ""))));
    if (gr_len(gr_get(fn, "description")) > 0)
        out = gri_keep(out, "description", gr_get(fn, "description"));
    if (gr_value_type(schema) == GR_MAP && gr_len(schema) > 0)
        out = gr_set(out, "input_schema", gr_value_ref(schema));
    else
        out =
            gr_set(out, "input_schema",
                   gr_map(GR_KV("type", gr_str("object")), GR_KV("properties", gr_map_n(NULL, 0))));
    out = gri_keep(out, "strict", gr_get(fn, "strict"));
    return gri_keep(out, "cache_control", gr_get(tool, "cache_control"));
}

gr_value *gri_anthropic_tools(const gr_value *tools)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(tools); i++)
        list = gr_append(list, tool_of(gr_at(tools, i)));
    return list;
}

static gr_value *of_type(const char *type)
{
    return gr_map(GR_KV("type", gr_str(type)));
}

static gr_value *of_name(const gr_value *name)
{
    return gr_set(of_type("tool"), "name", gr_value_ref(name));
}

/* of_text: a word that says how, or the name of the one to call. */
static gr_value *of_text(const gr_value *text)
{
    if (gri_is_text(text, "required") || gri_is_text(text, "any"))
        return of_type("any");
    if (gri_is_text(text, "auto") || gri_is_text(text, "none"))
        return of_type(gr_cstr(text, ""));
    return of_name(text);
}

static gr_value *read_choice(const gr_value *choice)
{
    const gr_value *name = gr_get(gr_get(choice, "function"), "name");

    if (gr_value_type(choice) == GR_STR && gr_len(choice) > 0)
        return of_text(choice);
    if (gr_value_type(choice) == GR_BOOL && gr_as_bool(choice, false))
        return of_type("any");
    if (gr_value_type(name) == GR_STR)
        return of_name(name);
    return gr_value_type(choice) == GR_MAP ? gr_value_ref(choice) : gr_nil();
}

gr_value *gri_anthropic_choice(const gr_value *choice, const gr_value *parallel, bool tools)
{
    gr_value *out = tools ? read_choice(choice) : gr_nil();

    if (!tools || gr_value_type(parallel) != GR_BOOL || gri_has_type(out, "none"))
        return out;
    if (gr_is_nil(out)) {
        if (gr_as_bool(parallel, true))
            return out; /* as it is anyway */
        out = of_type("auto");
    }
    return gr_set(out, "disable_parallel_tool_use", gr_bool(!gr_as_bool(parallel, true)));
}
