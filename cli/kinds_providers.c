/* SPDX-License-Identifier: Apache-2.0 */
/* kinds_providers.c - the kinds that have keys of a provider's own. */
#include "cli/chain_build.h"
#include "cli/chain_kinds.h"
#include "runtime/base/alloc.h"
#include "runtime/base/strbuf.h"

#define KEYS(array) .keys = (array), .key_count = sizeof(array) / sizeof((array)[0])
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What all models have behind their own keys. */
#define COMMON_KEYS                                                                                \
    { "stop", GRI_ARG_TEXTS, false, 0, 0, "texts that end the answer" },                           \
        { "timeout_ms", GRI_ARG_INT, false, 1, GRI_MS_MAX, "for one request; default 600000" },    \
        { "idle_ms", GRI_ARG_INT, false,                                                           \
          1,         GRI_MS_MAX,  "longest silence of the server; default 60000" },                \
        { "max_retries", GRI_ARG_INT,                                                              \
          false,         0,                                                                        \
          100,           "of a request, or of a stream before its first chunk; default 2" },       \
        { "max_concurrency",                                                                       \
          GRI_ARG_INT,                                                                             \
          false,                                                                                   \
          1,                                                                                       \
          1e6,                                                                                     \
          "requests under way at once; default no limit" },                                        \
        { "limiter",                                                                               \
          GRI_ARG_ACTOR,                                                                           \
          false,                                                                                   \
          0,                                                                                       \
          0,                                                                                       \
          "a rate_limiter that grants each request, and hears what servers say of their limits" }, \
        { "cache", GRI_ARG_ACTOR, false, 0, 0, "a response_cache that keeps answers" },            \
        { "headers", GRI_ARG_HEADERS, false, 0, 0, "sent with each request; not for secrets" },    \
        { "http2", GRI_ARG_BOOL, false, 0, 0, GRI_HTTP2_HELP },                                    \
        { "extra", GRI_ARG_DATA, false, 0, 0, "laid over the request's body" },                    \
        { "key", GRI_ARG_SECRET, false, 0, 0, GRI_KEY_ENV },                                       \
    {                                                                                              \
        "api_key", GRI_ARG_SECRET, false, 0, 0, GRI_KEY_ENV                                        \
    }

static const struct gri_chain_key anthropic_keys[] = {
    { "model", GRI_ARG_TEXT, true, 0, 0, "its name" },
    { "url", GRI_ARG_TEXT, false, 0, 0,
      "base URL, before /v1; default $ANTHROPIC_BASE_URL, else Anthropic's own" },
    { "key_env", GRI_ARG_VARIABLE, false, 0, 0,
      "the variable that holds the key; default ANTHROPIC_API_KEY" },
    { "api_version", GRI_ARG_TEXT, false, 0, 0, "default 2023-06-01" },
    { "betas", GRI_ARG_TEXTS, false, 0, 0, "what is tried out: the header anthropic-beta" },
    { "max_tokens", GRI_ARG_INT, false, 1, 1e9,
      "longest answer; default the model's most, 4096 where that isn't known" },
    { "temperature", GRI_ARG_REAL, false, 0, 1,
      "default the server's; not sent with a later api_version" },
    { "top_p", GRI_ARG_REAL, false, 0, 1, "as temperature" },
    { "top_k", GRI_ARG_INT, false, 1, 1e9, "as temperature" },
    { "thinking", GRI_ARG_DATA, false, 0, 0, "{type: enabled, budget_tokens: 2048}, say" },
    COMMON_KEYS
};

static const struct gri_chain_key ollama_keys[] = {
    { "model", GRI_ARG_TEXT, true, 0, 0, "its name" },
    { "url", GRI_ARG_TEXT, false, 0, 0,
      "host, host:port or base URL; default $OLLAMA_HOST, else http://127.0.0.1:11434" },
    { "key_env", GRI_ARG_VARIABLE, false, 0, 0,
      "the variable that holds the key, if one is needed; default OLLAMA_API_KEY" },
    { "max_tokens", GRI_ARG_INT, false, 1, 1e9,
      "longest answer, num_predict; default the model's" },
    { "temperature", GRI_ARG_REAL, false, 0, 2, "default the model's" },
    { "num_ctx", GRI_ARG_INT, false, 1, 1e9, "tokens that the model sees; default the server's" },
    { "seed", GRI_ARG_INT, false, 0, 0, "for the same answer to the same prompt" },
    { "top_p", GRI_ARG_REAL, false, 0, 1, "default the model's" },
    { "top_k", GRI_ARG_INT, false, 1, 1e9, "default the model's" },
    { "think", GRI_ARG_TEXT, false, 0, 0,
      "true, false, low, medium or high: thoughts go into reasoning_content" },
    { "keep_alive", GRI_ARG_TEXT, false, 0, 0,
      "how long the model stays in memory: 5m, seconds, -1 for good; default the server's" },
    COMMON_KEYS
};

static const struct gri_chain_key ollama_embeddings_keys[] = {
    { "model", GRI_ARG_TEXT, true, 0, 0, "its name" },
    { "url", GRI_ARG_TEXT, false, 0, 0,
      "host, host:port or base URL; default $OLLAMA_HOST, else http://127.0.0.1:11434" },
    { "key_env", GRI_ARG_VARIABLE, false, 0, 0,
      "the variable that holds the key, if one is needed; default OLLAMA_API_KEY" },
    { "dimensions", GRI_ARG_INT, false, 1, 65536, "of the vectors; default the model's" },
    { "batch", GRI_ARG_INT, false, 1, 512, "texts in a request; default 512" },
    { "batch_bytes", GRI_ARG_INT, false, 1, 1e9,
      "of texts in a request, unless it is one text; default 512 KiB" },
    { "max_concurrency", GRI_ARG_INT, false, 1, 1e6,
      "requests of a call under way at once; default 4" },
    { "limiter", GRI_ARG_ACTOR, false, 0, 0, "a rate_limiter that grants each request" },
    { "http2", GRI_ARG_BOOL, false, 0, 0, GRI_HTTP2_HELP },
    { "keep_alive", GRI_ARG_TEXT, false, 0, 0,
      "how long the model stays in memory: 5m, seconds, -1 for good; default the server's" },
    { "truncate", GRI_ARG_BOOL, false, 0, 0,
      "cuts texts that are too long, instead of refusing them; default true" },
    { "options", GRI_ARG_DATA, false, 0, 0, "of the model: num_ctx and so on" },
    { "timeout_ms", GRI_ARG_INT, false, 1, GRI_MS_MAX, "for one request; default 60000" },
    { "max_retries", GRI_ARG_INT, false, 0, 100, "of a request; default 2" },
    { "headers", GRI_ARG_HEADERS, false, 0, 0, "sent with each request; not for secrets" },
    { "key", GRI_ARG_SECRET, false, 0, 0, GRI_KEY_ENV },
    { "api_key", GRI_ARG_SECRET, false, 0, 0, GRI_KEY_ENV },
};

/* extra_of collects what has no field of its own in gr_chat_opts. */
static gr_value *extra_of(const struct gri_chain_node *args, const char *const *keys, size_t count)
{
    const struct gri_chain_node *over = gri_chain_get(args, "extra");
    gr_value *extra = gr_map_n(NULL, 0);

    for (size_t i = 0; i < count; i++) {
        const struct gri_chain_node *n = gri_chain_get(args, keys[i]);

        if (n != NULL)
            extra = gr_set(extra, keys[i], gri_build_data(n));
    }
    return over == NULL ? extra : gr_merge(extra, gri_build_data(over));
}

/* joined puts texts behind each other, with commas between them. */
static char *joined(const struct gri_chain_node *n)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;

    for (size_t i = 0; i < n->count; i++) {
        gri_strbuf_adds(&b, i == 0 ? "" : ",");
        gri_strbuf_adds(&b, gri_chain_text(n->items[i].value));
    }
    return gri_strbuf_take(&b);
}

static gr_ref build_model(struct gri_chain_builder *b, const struct gri_chain_node *args,
                          const char *provider, gr_value *extra)
{
    const struct gri_chain_node *betas = gri_chain_get(args, "betas");
    size_t count = 0;
    gr_header *headers = gri_build_headers(args, 1, &count);
    char *beta = betas == NULL ? NULL : joined(betas);
    gr_ref limiter = gri_build_actor(b, gri_chain_get(args, "limiter"));
    gr_ref cache = gri_build_actor(b, gri_chain_get(args, "cache")), ref;
    double temperature = 0;

    if (headers == NULL || (betas != NULL && beta == NULL)) {
        gri_free(headers);
        gri_free(beta);
        gr_value_unref(extra);
        return gri_build_no_memory(b, args);
    }
    if (beta != NULL)
        headers[count++] = (gr_header){ "anthropic-beta", beta };
    ref = gr_chat_model(
        b->in,
        GR_CHAT(.url = gri_arg_text(args, "url", NULL), .model = gri_arg_text(args, "model", NULL),
                .key_env = gri_arg_text(args, "key_env", NULL), .provider = provider,
                .api_version = gri_arg_text(args, "api_version", NULL),
                .temperature = gri_arg_real(args, "temperature", &temperature),
                .max_tokens = (unsigned)gri_arg_int(args, "max_tokens", 0),
                .timeout_ms = gri_arg_int(args, "timeout_ms", 0),
                .idle_ms = gri_arg_int(args, "idle_ms", 0), .http2 = gri_arg_bool(args, "http2"),
                .max_retries = gri_build_retries(args),
                .max_concurrency = (unsigned)gri_arg_int(args, "max_concurrency", 0),
                .limiter = limiter, .cache = cache, .headers = headers, .header_count = count,
                .extra = extra));
    gri_free(headers);
    gri_free(beta);
    return ref;
}

static gr_ref build_anthropic(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    static const char *const keys[] = { "top_p", "top_k", "thinking", "stop" };

    return build_model(b, args, "anthropic", extra_of(args, keys, COUNT(keys)));
}

static gr_ref build_ollama(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    static const char *const keys[] = { "num_ctx", "seed",       "top_p", "top_k",
                                        "think",   "keep_alive", "stop" };

    return build_model(b, args, "ollama", extra_of(args, keys, COUNT(keys)));
}

static gr_ref build_ollama_embeddings(struct gri_chain_builder *b,
                                      const struct gri_chain_node *args)
{
    static const char *const keys[] = { "keep_alive", "truncate", "options" };
    size_t count = 0;
    gr_header *headers = gri_build_headers(args, 0, &count);
    gr_ref limiter = gri_build_actor(b, gri_chain_get(args, "limiter")), ref;

    if (headers == NULL)
        return gri_build_no_memory(b, args);
    ref = gr_ollama_embeddings(
        b->in, GR_EMBEDDINGS(.url = gri_arg_text(args, "url", NULL),
                             .model = gri_arg_text(args, "model", NULL),
                             .key_env = gri_arg_text(args, "key_env", NULL),
                             .dimensions = (unsigned)gri_arg_int(args, "dimensions", 0),
                             .batch = (unsigned)gri_arg_int(args, "batch", 0),
                             .batch_bytes = (size_t)gri_arg_int(args, "batch_bytes", 0),
                             .max_concurrency = (unsigned)gri_arg_int(args, "max_concurrency", 0),
                             .limiter = limiter, .http2 = gri_arg_bool(args, "http2"),
                             .timeout_ms = gri_arg_int(args, "timeout_ms", 0),
                             .max_retries = gri_build_retries(args), .headers = headers,
                             .header_count = count, .extra = extra_of(args, keys, COUNT(keys))));
    gri_free(headers);
    return ref;
}

const struct gri_chain_kind gri_chain_kinds_providers[GRI_CHAIN_KINDS_PROVIDERS] = {
    { .name = "chat_anthropic",
      .help = "a client of Anthropic's Messages API",
      KEYS(anthropic_keys),
      .build = build_anthropic },
    { .name = "chat_ollama",
      .help = "a client of an Ollama server: /api/chat",
      KEYS(ollama_keys),
      .build = build_ollama },
    { .name = "ollama_embeddings",
      .help = "an embedder of an Ollama server: /api/embed",
      KEYS(ollama_embeddings_keys),
      .build = build_ollama_embeddings },
};
