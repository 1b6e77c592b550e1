/* SPDX-License-Identifier: Apache-2.0 */
/* openai_tool.c - gr_openai_tool: a tool in the form in which kwargs have it. */
#include <greenroom/tool.h>

#include "actors/schema/schema_closed.h"

/* parts_of finds name, description and parameters in what a tool may be written as; false: it is none. */
static bool parts_of(const gr_value *tool, const gr_value **ret_name, const gr_value **ret_schema)
{
    const gr_value *name = gr_get(tool, "name"), *schema = gr_get(tool, "parameters");

    if (gr_value_type(name) == GR_STR && schema == NULL)
        schema = gr_get(tool, "input_schema");
    if (gr_value_type(name) == GR_STR && schema == NULL)
        schema = gr_get(tool, "inputSchema"); /* MCP's */
    *ret_name = name;
    *ret_schema = schema;
    return gr_value_type(name) == GR_STR && gr_value_type(schema) == GR_MAP;
}

/* with_parts makes the function. */
static gr_value *with_parts(const gr_value *name, const gr_value *description, gr_value *schema,
                            int strict)
{
    gr_value *closed, *function;

    if (strict > 0) {
        closed = gri_schema_closed(schema);
        gr_value_unref(schema);
        schema = closed;
    }
    function =
        gr_map(GR_KV("name", gr_value_ref(name)),
               GR_KV("description", gr_str(gr_cstr(description, ""))), GR_KV("parameters", schema));
    if (strict != 0)
        function = gr_set(function, "strict", gr_bool(strict > 0));
    return gr_map(GR_KV("type", gr_str("function")), GR_KV("function", function));
}

gr_value *gr_openai_tool(gr_value *tool, int strict)
{
    const gr_value *fn = gr_get(tool, "function"), *name, *schema;
    gr_value *out;

    if (gr_error_code(tool) != GR_OK)
        return tool != NULL ? tool : gr_error(GR_EINVAL, "no value");
    if (gr_value_type(fn) == GR_MAP && strict == 0)
        return tool;
    if (gr_value_type(fn) != GR_MAP)
        fn = tool;
    if (parts_of(fn, &name, &schema))
        out = with_parts(name, gr_get(fn, "description"), gr_value_ref(schema), strict);
    else if (gr_value_type(gr_get(fn, "title")) == GR_STR)
        out = with_parts(gr_get(fn, "title"), gr_get(fn, "description"),
                         gr_without(gr_without(gr_value_ref(fn), "title"), "description"), strict);
    else if (gr_value_type(gr_get(tool, "type")) == GR_STR)
        return tool; /* a server's own */
    else
        out = gr_error(GR_EINVAL,
                       "a tool must have a name and parameters, or be a JSON Schema with a title");
    gr_value_unref(tool);
    return out;
}
