/* SPDX-License-Identifier: Apache-2.0 */
/* extractive_model.c - gr_extractive_model: extract.c as an actor that looks like a chat model. */
#include <greenroom/callbacks.h>
#include <greenroom/message.h>
#include <greenroom/model.h>

#include <string.h>

#include "actors/model/extract.h"
#include "actors/model/text_stream.h"
#include "runtime/base/strbuf.h"

#define MODEL_NAME "extractive"

static struct gri_extract_opts opts_of(gr_ctx *c)
{
    const gr_value *args = gr_args(c);

    return (struct gri_extract_opts){
        .sentences_max = (size_t)gr_as_int(gr_get(args, "sentences_max"), 3),
        .score_min = gr_as_real(gr_get(args, "score_min"), 0.15),
    };
}

/* join puts the texts of the messages behind each other; *ret_last is where the last human one
 * begins. */
static void join(const gr_value *messages, struct gri_strbuf *b, size_t *ret_last)
{
    for (size_t i = 0; i < gr_len(messages); i++) {
        gr_value *text = gr_message_text(gr_at(messages, i));

        if (strcmp(gr_cstr(gr_get(gr_at(messages, i), "type"), ""), "human") == 0)
            *ret_last = b->len;
        gri_strbuf_add(b, gr_cstr(text, ""), gr_len(text));
        gri_strbuf_addc(b, '\n');
        gr_value_unref(text);
    }
}

static gr_value *answer_text(gr_ctx *c, const gr_value *input)
{
    const struct gri_extract_opts opts = opts_of(c);
    struct gri_strbuf b = GRI_STRBUF_INIT;
    struct gri_span question, context;
    gr_value *messages = gr_messages_coerce(gr_value_ref(input)), *text;
    size_t last = 0;

    if (gr_error_code(messages) != GR_OK)
        return messages;
    join(messages, &b, &last);
    if (b.failed) {
        text = gr_error(GR_ENOMEM, "out of memory for a prompt");
    } else {
        const char *prompt = b.len == 0 ? "" : b.data;

        gri_extract_find(prompt, b.len, &question, &context);
        if (question.len == 0) { /* no marked question: the last human message asks */
            question = (struct gri_span){ prompt + last, b.len - last };
            if (context.text >= question.text || context.text + context.len > question.text)
                context.len = context.text < question.text ? (size_t)(question.text - context.text)
                                                           : context.len;
            if (context.text > question.text) /* and its context follows it */
                question.len = (size_t)(context.text - question.text);
        }
        text = gri_extract_answer(question, context, &opts);
    }
    gri_strbuf_fini(&b);
    gr_value_unref(messages);
    return text;
}

static gr_value *answer(gr_ctx *c, const gr_value *input)
{
    gr_value *text = answer_text(c, input);

    if (gr_error_code(text) != GR_OK)
        return text;
    return gr_map(GR_KV("type", gr_str("ai")), GR_KV("content", text),
                  GR_KV("response_metadata", gr_map(GR_KV("model_name", gr_str(MODEL_NAME)),
                                                    GR_KV("finish_reason", gr_str("stop")))));
}

static gr_value *invoke(gr_ctx *c, void *self, const gr_value *input)
{
    (void)self;
    return answer(c, input);
}

static gr_code stream(gr_ctx *c, void *self, gr_stream *in, const gr_value *input)
{
    gr_value *m = answer(c, input);

    (void)self;
    (void)in;
    return gr_error_code(m) != GR_OK ? gr_fail(c, m) : gri_emit_words(c, m, 0);
}

/* Blocking, since a long context takes milliseconds of a worker's time. */
static const gr_method extractive_methods[] = {
    { "invoke", GR_BLOCKING, invoke, NULL },
    { "stream", GR_BLOCKING, NULL, stream },
};
static const gr_class extractive_class =
    GR_CLASS(.name = "ExtractiveModel", .run_type = GR_TYPE_CHAT_MODEL,
             GR_METHODS(extractive_methods));

gr_ref gr_extractive_model(gr_scope *in, const gr_extractive_opts *opts)
{
    gr_value *args = gr_map_n(NULL, 0);

    if (opts != NULL && opts->sentences_max != 0)
        args = gr_set(args, "sentences_max", gr_int((int64_t)opts->sentences_max));
    if (opts != NULL && opts->score_min > 0)
        args = gr_set(args, "score_min", gr_real(opts->score_min));
    return gr_spawn(in, &extractive_class,
                    GR_SPAWN(.args = args, .callbacks = opts != NULL ? opts->callbacks : NULL));
}
