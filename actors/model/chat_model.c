/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chat_model.c - gr_chat_model: a client of a model server, whichever provider's it is.
 *
 * The class is stateless, so requests run side by side: what it needs to know is in a chat struct
 * that never changes, shared through the spawn arguments as an opaque value, where the key is
 * safe from printing. Retries are those of gr_with_retry around it.
 */
#include <greenroom/budget.h>
#include <greenroom/callbacks.h>
#include <greenroom/message.h>
#include <greenroom/model.h>

#include "actors/compose/retry.h"
#include "actors/model/provider.h"
#include "actors/store/digest.h"
#include "runtime/actor/observed.h"
#include "runtime/base/alloc.h"

#define ANSWER_BYTES_DEFAULT ((size_t)16 << 20)
#define TIMEOUT_DEFAULT_MS 600000
#define RETRIES_DEFAULT 2

struct chat {
    const struct gri_provider *provider;
    struct gri_endpoint endpoint;
    gr_ref limiter;
    bool no_streaming, no_tool_streaming;
    gr_value *settings; /* counted: what each request has, see provider.h */
};

static void drop_chat(void *p)
{
    struct chat *chat = p;

    if (chat == NULL)
        return;
    gri_endpoint_fini(&chat->endpoint);
    gr_value_unref(chat->settings);
    gri_free(chat);
}

/* params_of lays a call's kwargs over the settings. What attempts are told is no parameter. */
static gr_value *params_of(const struct chat *chat, const gr_value *kwargs)
{
    gr_value *params = gr_value_ref(chat->settings);

    if (kwargs == NULL)
        return params;
    return gri_retry_plain(gr_merge(params, gr_value_ref(kwargs)));
}

/* body_of gives the body for a prompt, or an error value. */
static gr_value *body_of(const struct chat *chat, const gr_value *input, const gr_value *params,
                         bool stream)
{
    gr_value *messages, *body;

    if (gr_error_code(params) != GR_OK)
        return gr_value_ref(params);
    messages = gr_messages_coerce(gr_value_ref(input));
    if (gr_error_code(messages) != GR_OK)
        return messages;
    body = chat->provider->request(&(struct gri_model_ask){ .messages = messages,
                                                            .params = params,
                                                            .version = chat->endpoint.version,
                                                            .url = chat->endpoint.url,
                                                            .stream = stream });
    gr_value_unref(messages);
    return body;
}

/* run_of gives the id of the run that an answer is of: the attempts' own, or this call's. nil: none is known. */
static gr_value *run_of(gr_ctx *c)
{
    const gr_value *told = gr_get(gr_kwargs(c), GRI_RUN_KWARG);

    return told != NULL ? gr_value_ref(told) : gri_ctx_run_id(c);
}

static gr_value *request(gr_ctx *c, const gr_value *input, bool stream)
{
    const struct chat *chat = gr_as_opaque(gr_args(c));
    gr_value *params = params_of(chat, gr_kwargs(c)), *body, *run, *err;
    bool whole = stream && (chat->no_streaming ||
                            (chat->no_tool_streaming && gr_len(gr_get(params, "tools")) > 0));

    body = body_of(chat, input, params, stream && !whole);
    gr_value_unref(params);
    if (gr_error_code(body) != GR_OK)
        return body;
    run = run_of(c);
    err = gri_transfer_start(
        c, &(struct gri_transfer_spec){
               .endpoint = &chat->endpoint,
               .reader = &chat->provider->reader,
               .body = body,
               .stream = stream,
               .whole = whole,
               .message = true,
               .run_id = run,
               .limiter = chat->limiter,
               .retries = (unsigned)gr_as_int(gr_get(gr_kwargs(c), GRI_RETRY_KWARG), 0) });
    gr_value_unref(body);
    gr_value_unref(run);
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

/* settings_of takes opts' extra. */
static gr_value *settings_of(const gr_chat_opts *o, const char *model)
{
    gr_value *settings = gr_map(GR_KV("model", gr_str(model == NULL ? "" : model)));

    if (o->temperature != NULL)
        settings = gr_set(settings, "temperature", gr_real(*o->temperature));
    if (o->max_tokens != 0)
        settings = gr_set(settings, "max_tokens", gr_int((int64_t)o->max_tokens));
    return o->extra == NULL ? settings : gr_merge(settings, o->extra);
}

static gr_value *read_opts(struct chat *chat, const gr_chat_opts *o)
{
    gr_value *err = NULL;
    const char *model;

    chat->limiter = o->limiter;
    chat->no_streaming = o->no_streaming;
    chat->no_tool_streaming = o->no_tool_streaming;
    chat->provider = gri_provider_of(o->model, o->provider, &model, &err);
    chat->settings = settings_of(o, model);
    if (chat->provider == NULL)
        return err;
    if (o->use_responses_api && chat->provider->responses == NULL)
        return gr_error(GR_EINVAL, "%s has no Responses API", chat->provider->title);
    if (o->use_responses_api)
        chat->provider = chat->provider->responses;
    if (gr_error_code(chat->settings) != GR_OK)
        return gr_value_ref(chat->settings);
    if (model == NULL || model[0] == '\0')
        return gr_error(GR_EINVAL, "%s needs the name of its model", chat->provider->title);
    return gri_endpoint_init(
        &chat->endpoint, &chat->provider->chat,
        &(struct gri_endpoint_opts){ .url = o->url,
                                     .model = model,
                                     .key_env = o->key_env,
                                     .version = o->api_version,
                                     .headers = o->headers,
                                     .header_count = o->header_count,
                                     .timeout_ms = o->timeout_ms,
                                     .timeout_default_ms = TIMEOUT_DEFAULT_MS,
                                     .idle_ms = o->idle_ms,
                                     .http2 = o->http2,
                                     .answer_bytes_max = o->answer_bytes_max == 0
                                                             ? ANSWER_BYTES_DEFAULT
                                                             : o->answer_bytes_max });
}

/* headers_of gives what is sent beside the key: betas and projects decide, too. */
static gr_value *headers_of(const struct gri_endpoint *e)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < e->header_count; i++)
        list = gr_append(list, gr_list(gr_str(e->headers[i].name), gr_str(e->headers[i].value)));
    return list;
}

/* fingerprint names all that decides about an answer, but for the prompt and a call's kwargs, without
 * telling it: a cache may be another process's. */
static gr_value *fingerprint(const struct chat *chat)
{
    gr_value *all =
        gr_list(gr_str(chat->provider->name), gr_str(chat->endpoint.url),
                chat->endpoint.version != NULL ? gr_str(chat->endpoint.version) : gr_nil(),
                headers_of(&chat->endpoint), gr_value_ref(chat->settings));
    char hex[GRI_DIGEST_LEN + 1];
    bool done = gri_digest_value(all, hex);

    gr_value_unref(all);
    return done ? gr_str(hex) : gr_error(GR_ENOMEM, "out of memory for a chat model");
}

/* spend puts the limiter and the cache around the model's attempts. print is taken. */
static gr_ref spend(gr_scope *in, gr_ref ref, const gr_chat_opts *o, gr_value *print)
{
    if (o->limiter.id != 0)
        ref = gr_with_rate_limiter(
            in, ref, o->limiter, GR_LIMITED(.counts_tokens = true, .tokens_answer = o->max_tokens));
    if (o->cache.id != 0)
        return gr_with_cache(in, ref, o->cache, print);
    gr_value_unref(print);
    return ref;
}

gr_ref gr_chat_model(gr_scope *in, const gr_chat_opts *opts)
{
    const gr_chat_opts defaults = { .size = sizeof(defaults) };
    const gr_chat_opts *o = opts == NULL ? &defaults : opts;
    int retries = o->max_retries == 0 ? RETRIES_DEFAULT : o->max_retries;
    bool alone = retries < 0 && o->limiter.id == 0 && o->cache.id == 0;
    struct chat *chat = gri_new0(struct chat);
    gr_value *args, *print = NULL;
    gr_ref ref;

    if (chat == NULL)
        gr_value_unref(o->extra);
    args =
        chat == NULL ? gr_error(GR_ENOMEM, "out of memory for a chat model") : read_opts(chat, o);
    if (args == NULL && o->cache.id != 0)
        print = fingerprint(chat);
    if (args == NULL)
        args = gr_opaque(chat, drop_chat);
    else
        drop_chat(chat);
    ref = gr_spawn(in, alone ? &chat_class : &attempt_class,
                   GR_SPAWN(.name = o->model, .args = args, .max_concurrency = o->max_concurrency,
                            .callbacks = alone ? o->callbacks : NULL));
    if (alone)
        return ref;
    return gri_retry_model(in, spend(in, ref, o, print), retries < 0 ? 1 : (unsigned)retries + 1,
                           o->callbacks);
}
