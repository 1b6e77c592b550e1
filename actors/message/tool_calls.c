/* SPDX-License-Identifier: Apache-2.0 */
/* tool_calls.c - reading tool calls; what can't be read is kept, as an invalid call. */
#include "actors/message/tool_calls.h"

#include <greenroom/codec.h>

static gr_value *text_or_nil(const gr_value *v)
{
    return gr_value_type(v) == GR_STR ? gr_value_ref(v) : gr_nil();
}

/* read_args gives the map of arguments, or an error value. Line ends in their texts are fine: models write code. Of a chunk they may have no end yet: then
 * what can be read so far. */
static gr_value *read_args(const gr_value *args, bool chunk)
{
    gr_value *v;

    if (gr_value_type(args) == GR_MAP)
        return gr_value_ref(args);
    if (gr_is_nil(args) || (gr_value_type(args) == GR_STR && gr_len(args) == 0))
        return gr_map_n(NULL, 0);
    if (gr_value_type(args) != GR_STR)
        return gr_error(GR_EINVAL, "arguments of type %s", gr_type_name(gr_value_type(args)));
    v = gr_json_parse(gr_cstr(args, ""), gr_len(args), GR_DECODE(.control_characters = true));
    if (chunk && gr_error_code(v) == GR_EINVAL) {
        gr_value_unref(v);
        v = gr_json_partial(gr_cstr(args, ""), gr_len(args), NULL);
    }
    if (gr_error_code(v) != GR_OK || gr_value_type(v) == GR_MAP)
        return v;
    gr_value_unref(v);
    return gr_error(GR_EINVAL, "arguments that are no JSON object");
}

gr_value *gri_tool_calls_add(gr_value *message, const gr_value *calls)
{
    gr_value *valid = gr_list_n(NULL, 0), *invalid = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(calls); i++) {
        const gr_value *call = gr_at(calls, i), *fn = gr_get(call, "function");
        const gr_value *name = gr_get(fn != NULL ? fn : call, "name");
        const gr_value *text = fn != NULL ? gr_get(fn, "arguments") : gr_get(call, "args");
        gr_value *id = text_or_nil(gr_get(call, "id"));
        gr_value *args = read_args(text, fn == NULL);

        if (gr_error_code(args) == GR_OK) {
            valid = gr_append(valid,
                              gr_map(GR_KV("name", gr_str(gr_cstr(name, ""))), GR_KV("args", args),
                                     GR_KV("id", id), GR_KV("type", gr_str("tool_call"))));
            continue;
        }
        invalid = gr_append(invalid, gr_map(GR_KV("name", text_or_nil(name)),
                                            GR_KV("args", text_or_nil(text)), GR_KV("id", id),
                                            GR_KV("error", gr_str(gr_error_text(args))),
                                            GR_KV("type", gr_str("invalid_tool_call"))));
        gr_value_unref(args);
    }
    if (gr_len(valid) > 0 || gr_error_code(valid) != GR_OK)
        message = gr_set(message, "tool_calls", valid);
    else
        gr_value_unref(valid);
    if (gr_len(invalid) > 0 || gr_error_code(invalid) != GR_OK)
        return gr_set(message, "invalid_tool_calls", invalid);
    gr_value_unref(invalid);
    return message;
}
