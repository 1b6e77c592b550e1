/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate.c - gr_generate: several prompts at once, as langchain-core's generate has it: all are answered before
 * the first failure is told, and each is a run of its own.
 */
#include <greenroom/callbacks.h>
#include <greenroom/message.h>
#include <greenroom/model.h>

/* generations_of gives [[{"text", "message"}] …]; usage, which is taken, grows to the sum of all. */
static gr_value *generations_of(const gr_value *messages, gr_value **usage)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(messages); i++) {
        const gr_value *m = gr_at(messages, i), *used = gr_get(m, "usage_metadata");

        list = gr_append(list, gr_list(gr_map(GR_KV("text", gr_message_text(m)),
                                              GR_KV("message", gr_value_ref(m)))));
        if (!gr_is_nil(used))
            *usage = gr_add(*usage, gr_value_ref(used));
    }
    return list;
}

static gr_value *result_of(const gr_value *messages)
{
    gr_value *usage = NULL, *generations = generations_of(messages, &usage);
    gr_value *output = gr_map_n(NULL, 0);

    if (usage != NULL)
        output = gr_set(output, "token_usage", usage);
    return gr_map(GR_KV("generations", generations), GR_KV("llm_output", output));
}

static const gr_value *first_failure(const gr_value *messages)
{
    for (size_t i = 0; i < gr_len(messages); i++)
        if (gr_error_code(gr_at(messages, i)) != GR_OK)
            return gr_at(messages, i);
    return NULL;
}

static gr_value *generate(gr_ctx *c, void *self, const gr_value *prompts)
{
    gr_value *config =
        gr_kwargs(c) == NULL ? NULL : gr_map(GR_KV("kwargs", gr_value_ref(gr_kwargs(c))));
    gr_value *err = NULL, *messages, *result;

    (void)self;
    messages = gr_batch(gr_runtime_of(c), gr_as_ref(gr_args(c)), gr_value_ref(prompts),
                        GR_CALL(.return_exceptions = true, .config = config), &err);
    if (messages == NULL)
        return err;
    result = first_failure(messages) != NULL ? gr_value_ref(first_failure(messages))
                                             : result_of(messages);
    gr_value_unref(messages);
    return result;
}

static const gr_method generate_methods[] = { { "invoke", GR_ASYNC, generate, NULL } };
static const gr_class generate_class =
    GR_CLASS(.name = "Generate", .run_type = GR_TYPE_NONE, GR_METHODS(generate_methods));

gr_ref gr_generate(gr_scope *in, gr_ref model)
{
    return gr_spawn(in, &generate_class, GR_SPAWN(.args = gr_ref_value(model)));
}
