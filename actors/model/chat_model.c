/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chat_model.c - gr_chat_model: a client of an OpenAI-compatible server.
 *
 * The class is stateless, so requests run side by side: what it needs to know is in a chat struct
 * that never changes, shared through the spawn arguments as an opaque value, where the key is
 * safe from printing. Retries are those of gr_with_retry around it.
 */
#include <greenroom/callbacks.h>
#include <greenroom/message.h>
#include <greenroom/model.h>

#include "actors/compose/retry.h"
#include "actors/model/openai_client.h"
#include "actors/model/openai_wire.h"
#include "actors/model/transfer.h"
#include "runtime/base/alloc.h"

#define ANSWER_BYTES_DEFAULT ((size_t)16 << 20)
#define TIMEOUT_DEFAULT_MS 600000
#define RETRIES_DEFAULT 2
#define HEADERS_MAX 64

struct chat {
    struct gri_openai client;
    gr_value *body; /* counted: the request without its messages */
};

static void drop_chat(void *p)
{
    struct chat *chat = p;

    if (chat == NULL)
        return;
    gri_openai_fini(&chat->client);
    gr_value_unref(chat->body);
    gri_free(chat);
}

static gr_value *make_answer(const gr_value *json, size_t count)
{
    (void)count;
    return gri_openai_answer(json);
}

/* request_body gives the body for a prompt, or an error value. */
static gr_value *request_body(const struct chat *chat, const gr_value *input, bool stream)
{
    gr_value *messages = gr_messages_coerce(gr_value_ref(input)), *wire, *body;

    if (gr_error_code(messages) != GR_OK)
        return messages;
    wire = gri_openai_messages(messages);
    gr_value_unref(messages);
    if (gr_error_code(wire) != GR_OK)
        return wire;
    body = gr_set(gr_value_ref(chat->body), "messages", wire);
    if (!stream)
        return body;
    body = gr_set(body, "stream", gr_bool(true));
    if (gr_get(body, "stream_options") != NULL)
        return body;
    return gr_set(body, "stream_options", gr_map(GR_KV("include_usage", gr_bool(true))));
}

static gr_value *request(gr_ctx *c, const gr_value *input, bool stream)
{
    const struct chat *chat = gr_as_opaque(gr_args(c));
    gr_value *body = request_body(chat, input, stream), *err;

    if (gr_kwargs(c) != NULL && gr_error_code(body) == GR_OK)
        body = gr_merge(body, gr_value_ref(gr_kwargs(c)));
    if (gr_error_code(body) != GR_OK)
        return body;
    err = gri_transfer_start(
        c, &(struct gri_transfer_spec){
               .client = &chat->client, .body = body, .stream = stream, .answer = make_answer });
    gr_value_unref(body);
    return err;
}

static gr_value *chat_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    (void)self;
    return request(c, input, false);
}

static gr_code chat_stream(gr_ctx *c, void *self, gr_stream *in, const gr_value *input)
{
    gr_value *err = request(c, input, true);

    (void)self;
    (void)in;
    return err == NULL ? GR_OK : gr_fail(c, err);
}

static const gr_method chat_methods[] = {
    { "invoke", GR_ASYNC, chat_invoke, NULL },
    { "stream", GR_ASYNC, NULL, chat_stream },
};
static const gr_class chat_class =
    GR_CLASS(.name = "ChatModel", .run_type = GR_TYPE_CHAT_MODEL, GR_METHODS(chat_methods));
/* one attempt of several, which are one run */
static const gr_class attempt_class =
    GR_CLASS(.name = "ChatModel", .run_type = GR_TYPE_NONE, GR_METHODS(chat_methods));

/* base_body takes opts' extra. */
static gr_value *base_body(const gr_chat_opts *o)
{
    gr_value *body = gr_map(GR_KV("model", gr_str(o->model == NULL ? "" : o->model)));

    if (o->temperature != NULL)
        body = gr_set(body, "temperature", gr_real(*o->temperature));
    if (o->max_tokens != 0)
        body = gr_set(body, "max_tokens", gr_int((int64_t)o->max_tokens));
    return o->extra == NULL ? body : gr_merge(body, o->extra);
}

static gr_value *read_opts(struct chat *chat, const gr_chat_opts *o)
{
    chat->body = base_body(o);
    if (gr_error_code(chat->body) != GR_OK)
        return gr_value_ref(chat->body);
    if (o->model == NULL || o->model[0] == '\0')
        return gr_error(GR_EINVAL, "a chat model needs the name of its model");
    if (o->header_count > HEADERS_MAX)
        return gr_error(GR_EINVAL, "%zu headers: at most %d", o->header_count, HEADERS_MAX);
    return gri_openai_init(
        &chat->client, &(struct gri_openai_opts){ .url = o->url,
                                                  .path = "/chat/completions",
                                                  .key_env = o->key_env,
                                                  .headers = o->headers,
                                                  .header_count = o->header_count,
                                                  .timeout_ms = o->timeout_ms,
                                                  .timeout_default_ms = TIMEOUT_DEFAULT_MS,
                                                  .idle_ms = o->idle_ms,
                                                  .answer_bytes_max = o->answer_bytes_max == 0
                                                                          ? ANSWER_BYTES_DEFAULT
                                                                          : o->answer_bytes_max });
}

gr_ref gr_chat_model(gr_scope *in, const gr_chat_opts *opts)
{
    const gr_chat_opts defaults = { .size = sizeof(defaults) };
    const gr_chat_opts *o = opts == NULL ? &defaults : opts;
    int retries = o->max_retries == 0 ? RETRIES_DEFAULT : o->max_retries;
    struct chat *chat = gri_new0(struct chat);
    gr_value *args;
    gr_ref ref;

    if (chat == NULL)
        gr_value_unref(o->extra);
    args =
        chat == NULL ? gr_error(GR_ENOMEM, "out of memory for a chat model") : read_opts(chat, o);
    if (args == NULL)
        args = gr_opaque(chat, drop_chat);
    else
        drop_chat(chat);
    ref = gr_spawn(in, retries < 0 ? &chat_class : &attempt_class,
                   GR_SPAWN(.name = o->model, .args = args, .max_concurrency = o->max_concurrency,
                            .callbacks = retries < 0 ? o->callbacks : NULL));
    if (retries < 0)
        return ref;
    return gri_retry_model(in, ref,
                           GR_RETRY(.attempts = (unsigned)retries + 1, .backoff_ms = 500,
                                    .backoff_max_ms = 8000, .jitter_ms = 250),
                           o->callbacks);
}
