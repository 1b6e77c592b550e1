/* SPDX-License-Identifier: Apache-2.0 */
/* agent_model.c - what the model gets, and what it says. */
#include <greenroom/message.h>
#include <string.h>

#include "actors/agent/agent.h"

gr_value *gri_agent_hook(struct gri_turn *t, gr_ref hook, const char *node, gr_value **ret_input)
{
    gr_value *update, *err = NULL;

    if (!gri_is_ref(hook))
        return NULL;
    update = gr_invoke(gr_runtime_of(t->c), hook, gri_turn_state(t), NULL, &err);
    if (update == NULL)
        return err;
    if (ret_input != NULL && !gr_is_nil(gr_get(update, "llm_input_messages")))
        *ret_input = gr_value_ref(gr_get(update, "llm_input_messages"));
    return gri_turn_update(t, node, update);
}

/* under_prompt puts the prompt before the messages, which it takes; or asks the runnable that it is. */
static gr_value *under_prompt(struct gri_turn *t, gr_value *messages)
{
    const gr_value *prompt = t->a->prompt;
    gr_value *v, *err = NULL;

    if (prompt == NULL || gr_is_nil(prompt))
        return messages;
    if (gr_value_type(prompt) != GR_REFV) {
        v = gr_value_type(prompt) == GR_STR
                ? gr_map(GR_KV("type", gr_str("system")), GR_KV("content", gr_value_ref(prompt)))
                : gr_message_coerce(gr_value_ref(prompt));
        return gr_error_code(v) != GR_OK ? (gr_value_unref(messages), v)
                                         : gr_add(gr_list(v), messages);
    }
    v = gr_invoke(gr_runtime_of(t->c), gr_as_ref(prompt),
                  gr_set(gri_turn_state(t), "messages", messages), NULL, &err);
    return v != NULL ? gr_messages_coerce(v) : err;
}

/* kwargs_of gives what the model must know beside the messages; NULL: nothing. */
static gr_value *kwargs_of(const struct gri_turn *t)
{
    gr_value *kwargs = gr_map_n(NULL, 0), *tools = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(t->told); i++)
        tools = gr_append(tools, gri_tool_of_told(gr_at(t->told, i), 0));
    if (gr_len(tools) > 0) {
        kwargs = gr_set(kwargs, "tools", tools);
        if (t->a->parallel != 0)
            kwargs = gr_set(kwargs, "parallel_tool_calls", gr_bool(t->a->parallel > 0));
    } else {
        gr_value_unref(tools);
    }
    kwargs = gri_format_kwargs(t->a, kwargs);
    if (gr_len(kwargs) > 0)
        return kwargs;
    gr_value_unref(kwargs);
    return NULL;
}

/* streamed asks the model by stream, and tells of each chunk. */
static gr_value *streamed(struct gri_turn *t, gr_value *input, const gr_call_opts *opts)
{
    gr_stream *s = gr_astream(gr_runtime_of(t->c), t->a->model, input, opts);
    gr_value *sum = NULL, *err = NULL;
    gr_outcome o = { .code = GR_ENOMEM };

    while (s != NULL && err == NULL && (o = gr_next(s, -1)).code == GR_OK) {
        sum = gr_add(sum, gr_value_ref(o.value));
        err = gri_turn_message(t, "model", o.value);
    }
    if (err == NULL && o.code != GR_EOS)
        err =
            o.error != NULL ? gr_value_ref(o.error) : gr_error(o.code, "the model's stream broke");
    if (err == NULL && sum == NULL)
        err = gr_error(GR_EPROTO, "No generation chunks were returned");
    gr_stream_free(s);
    if (err == NULL)
        return gr_message_of_chunk(sum);
    gr_value_unref(sum);
    return err;
}

static gr_value *ask(struct gri_turn *t, gr_value *input)
{
    gr_value *kwargs = kwargs_of(t), *err = NULL, *v;
    const gr_call_opts *opts =
        GR_CALL(.config = kwargs != NULL ? gr_map(GR_KV("kwargs", kwargs)) : NULL);

    if (t->streams && (t->modes & GRI_MESSAGES) != 0)
        return streamed(t, input, opts);
    v = gr_invoke(gr_runtime_of(t->c), t->a->model, input, opts, &err);
    return v != NULL ? gr_message_of_chunk(v) : err;
}

gr_value *gri_agent_ask(struct gri_turn *t)
{
    gr_value *input = NULL, *m;
    gr_value *err = gri_agent_hook(t, t->a->pre_hook, "pre_model_hook", &input);

    if (err != NULL) {
        gr_value_unref(input);
        return err;
    }
    input = input != NULL ? gr_messages_coerce(input) : gr_value_ref(t->messages);
    if (gr_error_code(input) == GR_OK)
        input = under_prompt(t, input);
    if (gr_error_code(input) != GR_OK)
        return input;
    m = ask(t, input);
    if (gr_error_code(m) != GR_OK)
        return m;
    if (strcmp(gr_cstr(gr_get(m, "type"), ""), "ai") == 0)
        return gri_with_id(t->c, gri_with_call_ids(t->messages, m));
    err = gr_error(GR_ETYPE, "an agent's model must answer with an ai message, not with a %s",
                   gr_cstr(gr_get(m, "type"), gr_type_name(gr_value_type(m))));
    gr_value_unref(m);
    return err;
}
