/* SPDX-License-Identifier: Apache-2.0 */
/* script_model.c - gr_script_model: a chat model that says what a script says, in turn. */
#include <greenroom/callbacks.h>
#include <greenroom/message.h>
#include <greenroom/model.h>
#include <greenroom/runtime.h>

#include "actors/model/text_stream.h"

struct script {
    size_t at; /* the next answer */
};

/* next_answer gives an ai message, or the error of the script's turn. */
static gr_value *next_answer(gr_ctx *c, struct script *s)
{
    const gr_value *answers = gr_get(gr_args(c), "answers"), *item;

    item = gr_at(answers, s->at++ % gr_len(answers));
    if (gr_value_type(item) == GR_STR)
        return gr_map(GR_KV("type", gr_str("ai")), GR_KV("content", gr_value_ref(item)));
    return gr_message_coerce(gr_value_ref(item));
}

static gr_value *invoke(gr_ctx *c, void *self, const gr_value *input)
{
    int64_t delay_ms = gr_as_int(gr_get(gr_args(c), "delay_ms"), 0);
    gr_value *m = next_answer(c, self);

    (void)input;
    if (delay_ms > 0 && gr_sleep(gr_runtime_of(c), delay_ms) != GR_OK) {
        gr_value_unref(m);
        return gr_error(GR_ECANCELED, "cancelled");
    }
    return m;
}

static gr_code stream(gr_ctx *c, void *self, gr_stream *in, const gr_value *input)
{
    gr_value *m = next_answer(c, self);

    (void)in;
    (void)input;
    if (gr_error_code(m) != GR_OK)
        return gr_fail(c, m);
    return gri_emit_words(c, m, gr_as_int(gr_get(gr_args(c), "delay_ms"), 0));
}

static gr_code init(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    if (gr_value_type(gr_get(args, "answers")) == GR_ERROR)
        return gr_fail(c, gr_value_ref(gr_get(args, "answers")));
    if (gr_value_type(gr_get(args, "answers")) != GR_LIST || gr_len(gr_get(args, "answers")) == 0)
        return gr_fail(c, gr_error(GR_EINVAL, "a script needs a list of answers"));
    return GR_OK;
}

static const gr_method script_methods[] = {
    { "invoke", GR_ASYNC, invoke, NULL },
    { "stream", GR_ASYNC, NULL, stream },
};
static const gr_class script_class =
    GR_CLASS(.name = "ScriptModel", .run_type = GR_TYPE_CHAT_MODEL,
             .state_size = sizeof(struct script), .reentrant = true, .init = init,
             GR_METHODS(script_methods));

gr_ref gr_script_model(gr_scope *in, const gr_script_opts *opts)
{
    gr_value *answers = opts == NULL || opts->answers == NULL ? gr_nil() : opts->answers;
    int64_t delay_ms = opts == NULL ? 0 : opts->delay_ms;

    return gr_spawn(
        in, &script_class,
        GR_SPAWN(.args = gr_map(GR_KV("answers", answers), GR_KV("delay_ms", gr_int(delay_ms))),
                 .callbacks = opts != NULL ? opts->callbacks : NULL));
}
