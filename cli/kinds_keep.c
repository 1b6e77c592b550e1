/* SPDX-License-Identifier: Apache-2.0 */
/* kinds_keep.c - the kinds that keep things, or count them: stores, caches, limiters, histories. */
#include <string.h>

#include "cli/chain_build.h"
#include "cli/chain_kinds.h"
#include "runtime/base/alloc.h"

#define KEYS(array) .keys = (array), .key_count = sizeof(array) / sizeof((array)[0])
#define MS_MAX GRI_MS_MAX
#define KEY_ENV GRI_KEY_ENV

static const gr_ref no_ref = { 0, 0 };

/* ---- embedders ------------------------------------------------------------------------------- */

/* What all clients of embedding servers have, behind what they say in words of their own. */
#define EMBEDDER_KEYS                                                                              \
    { "dimensions", GRI_ARG_INT, false, 1, 65536, "length of a vector; default the model's own" }, \
        { "batch_bytes", GRI_ARG_INT,                                                              \
          false,         1,                                                                        \
          1e9,           "of texts in a request, unless it is one text; default 512 KiB" },        \
        { "max_concurrency",                                                                       \
          GRI_ARG_INT,                                                                             \
          false,                                                                                   \
          1,                                                                                       \
          1e6,                                                                                     \
          "requests of a call under way at once; default 4" },                                     \
        { "encoding", GRI_ARG_TEXT,                                                                \
          false,      0,                                                                           \
          0,          "how OpenAI's server is to send vectors: base64, the default, or float" },   \
        { "http2", GRI_ARG_BOOL, false, 0, 0, GRI_HTTP2_HELP },                                    \
        { "limiter", GRI_ARG_ACTOR, false, 0, 0, "a rate_limiter that grants each request" },      \
        { "timeout_ms", GRI_ARG_INT, false, 1, MS_MAX, "for one request; default 60000" },         \
        { "max_retries", GRI_ARG_INT, false, 0, 100, "of a request; default 2" },                  \
        { "headers", GRI_ARG_HEADERS, false, 0, 0, "sent with each request; not for secrets" },    \
        { "key", GRI_ARG_SECRET, false, 0, 0, KEY_ENV },                                           \
        { "api_key", GRI_ARG_SECRET, false, 0, 0, KEY_ENV },

static const struct gri_chain_key embeddings_keys[] = {
    { "model", GRI_ARG_TEXT, true, 0, 0,
      "openai:NAME, ollama:NAME, hash:DIMENSIONS; another name is OpenAI's" },
    { "url", GRI_ARG_TEXT, false, 0, 0, "base URL; default the provider's" },
    { "key_env", GRI_ARG_VARIABLE, false, 0, 0,
      "the variable that holds the key; default the provider's" },
    { "batch", GRI_ARG_INT, false, 1, 2048, "texts in a request; default what the provider takes" },
    EMBEDDER_KEYS
};

static const struct gri_chain_key openai_embeddings_keys[] = {
    { "model", GRI_ARG_TEXT, true, 0, 0, "the server's name for the model" },
    { "url", GRI_ARG_TEXT, false, 0, 0, "base URL; default $OPENAI_BASE_URL, else OpenAI's own" },
    { "key_env", GRI_ARG_VARIABLE, false, 0, 0,
      "the variable that holds the key; default OPENAI_API_KEY" },
    { "batch", GRI_ARG_INT, false, 1, 2048, "texts in a request; default 2048" },
    EMBEDDER_KEYS
};

typedef gr_ref embedder_fn(gr_scope *in, const char *model, const gr_embeddings_opts *opts);

/* build_embedder reads the options that all embedders share. */
static gr_ref build_embedder(struct gri_chain_builder *b, const struct gri_chain_node *args,
                             const char *model, embedder_fn *make)
{
    gr_ref limiter = gri_build_actor(b, gri_chain_get(args, "limiter")), ref;
    size_t count;
    gr_header *headers = gri_build_headers(args, 0, &count);

    if (headers == NULL)
        return gri_build_no_memory(b, args);
    ref = make(b->in, model,
               GR_EMBEDDINGS(.url = gri_arg_text(args, "url", NULL), .model = model,
                             .key_env = gri_arg_text(args, "key_env", NULL),
                             .dimensions = (unsigned)gri_arg_int(args, "dimensions", 0),
                             .batch = (unsigned)gri_arg_int(args, "batch", 0),
                             .batch_bytes = (size_t)gri_arg_int(args, "batch_bytes", 0),
                             .max_concurrency = (unsigned)gri_arg_int(args, "max_concurrency", 0),
                             .encoding = gri_arg_text(args, "encoding", NULL), .limiter = limiter,
                             .http2 = gri_arg_bool(args, "http2"),
                             .timeout_ms = gri_arg_int(args, "timeout_ms", 0),
                             .max_retries = gri_build_retries(args), .headers = headers,
                             .header_count = count));
    gri_free(headers);
    return ref;
}

static gr_ref openai(gr_scope *in, const char *model, const gr_embeddings_opts *opts)
{
    (void)model;
    return gr_openai_embeddings(in, opts);
}

static gr_ref build_openai_embeddings(struct gri_chain_builder *b,
                                      const struct gri_chain_node *args)
{
    return build_embedder(b, args, gri_arg_text(args, "model", NULL), openai);
}

static gr_ref build_embeddings(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return build_embedder(b, args, gri_chain_text(gri_build_arg("embeddings", args, "model")),
                          gr_init_embeddings);
}

static const struct gri_chain_key caching_embeddings_keys[] = {
    { "embeddings", GRI_ARG_ACTOR, true, 0, 0, "what makes the vectors" },
    { "store", GRI_ARG_ACTOR, true, 0, 0, "a store by key, which keeps them" },
    { "name_space", GRI_ARG_TEXT, false, 0, 0, "what keys begin with: name the model in it" },
    { "batch", GRI_ARG_INT, false, 1, 1e6,
      "missing texts that are embedded and kept at a time; default all" },
    { "query_store", GRI_ARG_ACTOR, false, 0, 0, "keeps queries, too; default: they are not kept" },
};

static gr_ref build_caching_embeddings(struct gri_chain_builder *b,
                                       const struct gri_chain_node *args)
{
    gr_ref embeddings = gri_build_actor(b, gri_chain_get(args, "embeddings"));
    gr_ref store = gri_build_actor(b, gri_chain_get(args, "store"));

    return gr_caching_embeddings(
        b->in, embeddings, store,
        GR_CACHING(.name_space = gri_arg_text(args, "name_space", NULL),
                   .batch = (unsigned)gri_arg_int(args, "batch", 0),
                   .query_store = gri_build_actor(b, gri_chain_get(args, "query_store"))));
}

/* ---- stores by key --------------------------------------------------------------------------- */

static const struct gri_chain_key memory_byte_store_keys[] = {
    { "keys_max", GRI_ARG_INT, false, 1, 1e9, "default 1 Mi" },
    { "bytes_max", GRI_ARG_INT, false, 1, 1e12, "of keys and values, about; default 256 MiB" },
    { "evicts_oldest", GRI_ARG_BOOL, false, 0, 0,
      "at a limit the oldest keys go; default: nothing more is taken" },
};

static gr_ref build_memory_byte_store(struct gri_chain_builder *b,
                                      const struct gri_chain_node *args)
{
    return gr_memory_byte_store(
        b->in, GR_MEMORY_BYTE_STORE(.keys_max = (size_t)gri_arg_int(args, "keys_max", 0),
                                    .bytes_max = (size_t)gri_arg_int(args, "bytes_max", 0),
                                    .evicts_oldest = gri_arg_bool(args, "evicts_oldest")));
}

static const struct gri_chain_key sqlite_keys[] = {
    { "path", GRI_ARG_TEXT, true, 0, 0,
      "the database's file, seen from the chain file; made when first used" },
    { "busy_ms", GRI_ARG_INT, false, 0, 3600000,
      "how long to wait for other writers; default 5000" },
    { "is_durable", GRI_ARG_BOOL, false, 0, 0,
      "each change is on the disk before it is answered; default false" },
    { "value_max", GRI_ARG_INT, false, 1, 2147483647, "bytes of one value; default 64 MiB" },
    { "table", GRI_ARG_TEXT, false, 0, 0, "its name; default the kind's own" },
};

typedef gr_ref sqlite_fn(gr_scope *in, const char *path, const gr_sqlite_opts *opts);

static gr_ref build_sqlite(struct gri_chain_builder *b, const char *kind,
                           const struct gri_chain_node *args, sqlite_fn *make)
{
    const struct gri_chain_node *n = gri_build_arg(kind, args, "path");
    char *path =
        strcmp(gri_chain_text(n), ":memory:") == 0 ? gri_strdup(":memory:") : gri_build_path(b, n);
    long long busy = gri_arg_int(args, "busy_ms", 5000);
    gr_ref ref;

    if (path == NULL)
        return no_ref;
    ref = make(b->in, path,
               GR_SQLITE(.busy_ms = busy == 0 ? -1 : busy,
                         .is_durable = gri_arg_bool(args, "is_durable"),
                         .value_max = (size_t)gri_arg_int(args, "value_max", 0),
                         .table = gri_arg_text(args, "table", NULL)));
    gri_free(path);
    return ref;
}

static gr_ref build_sqlite_store(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return build_sqlite(b, "sqlite_store", args, gr_sqlite_store);
}

/* ---- budget ---------------------------------------------------------------------------------- */

static const struct gri_chain_key rate_limiter_keys[] = {
    { "requests_per_second", GRI_ARG_REAL, false, 0, 1e9, "default no limit of its own" },
    { "requests_burst", GRI_ARG_REAL, false, 1, 1e9,
      "the most that are granted at once; default 1" },
    { "tokens_per_minute", GRI_ARG_REAL, false, 0, 1e12, "default no limit of its own" },
    { "tokens_burst", GRI_ARG_REAL, false, 1, 1e12, "default what a minute gives" },
    { "starts_full", GRI_ARG_BOOL, false, 0, 0, "default: it starts empty" },
    { "waiters_max", GRI_ARG_INT, false, 1, 1e9, "calls that wait; default 65536" },
    { "ignores_servers", GRI_ARG_BOOL, false, 0, 0,
      "what servers say of their limits changes nothing; default false" },
    { "hold_max_ms", GRI_ARG_INT, false, 1, MS_MAX,
      "the longest that a server's word, or tokens that are owed, hold calls back; default 600000" },
};

static gr_ref build_rate_limiter(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    double requests = 0, requests_burst = 0, tokens = 0, tokens_burst = 0;

    (void)gri_arg_real(args, "requests_per_second", &requests);
    (void)gri_arg_real(args, "requests_burst", &requests_burst);
    (void)gri_arg_real(args, "tokens_per_minute", &tokens);
    (void)gri_arg_real(args, "tokens_burst", &tokens_burst);
    return gr_rate_limiter(
        b->in, GR_RATE_LIMITER(.requests_per_second = requests, .requests_burst = requests_burst,
                               .tokens_per_minute = tokens, .tokens_burst = tokens_burst,
                               .starts_full = gri_arg_bool(args, "starts_full"),
                               .waiters_max = (size_t)gri_arg_int(args, "waiters_max", 0),
                               .ignores_servers = gri_arg_bool(args, "ignores_servers"),
                               .hold_max_ms = gri_arg_int(args, "hold_max_ms", 0)));
}

static const struct gri_chain_key with_rate_limiter_keys[] = {
    { "runnable", GRI_ARG_ACTOR, true, 0, 0, "what is called once the limiter grants it" },
    { "limiter", GRI_ARG_ACTOR, true, 0, 0, "a rate_limiter, here or of another process" },
    { "counts_tokens", GRI_ARG_BOOL, false, 0, 0, "tokens, about, count as well; default false" },
    { "tokens_answer", GRI_ARG_INT, false, 1, 1e9,
      "what an answer is reckoned with until it is known; default 0" },
};

static gr_ref build_with_rate_limiter(struct gri_chain_builder *b,
                                      const struct gri_chain_node *args)
{
    gr_ref runnable = gri_build_actor(b, gri_chain_get(args, "runnable"));
    gr_ref limiter = gri_build_actor(b, gri_chain_get(args, "limiter"));

    return gr_with_rate_limiter(
        b->in, runnable, limiter,
        GR_LIMITED(.counts_tokens = gri_arg_bool(args, "counts_tokens"),
                   .tokens_answer = (unsigned)gri_arg_int(args, "tokens_answer", 0)));
}

static const struct gri_chain_key response_cache_keys[] = {
    { "store", GRI_ARG_ACTOR, true, 0, 0, "a store by key, which keeps the answers" },
    { "ttl_ms", GRI_ARG_INT, false, 1, 3e11, "how long an answer is good; default for ever" },
    { "name_space", GRI_ARG_TEXT, false, 0, 0, "what keys begin with; default llm" },
};

static gr_ref build_response_cache(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_response_cache(
        b->in, gri_build_actor(b, gri_build_arg("response_cache", args, "store")),
        GR_RESPONSE_CACHE(.ttl_ms = gri_arg_int(args, "ttl_ms", 0),
                          .name_space = gri_arg_text(args, "name_space", NULL)));
}

static const struct gri_chain_key with_cache_keys[] = {
    { "model", GRI_ARG_ACTOR, true, 0, 0, "what is called when the cache has no answer" },
    { "cache", GRI_ARG_ACTOR, true, 0, 0, "a response_cache, here or of another process" },
    { "settings", GRI_ARG_DATA, false, 0, 0,
      "what else decides about an answer: the model's name" },
};

static gr_ref build_with_cache(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    const struct gri_chain_node *settings = gri_chain_get(args, "settings");
    gr_ref model = gri_build_actor(b, gri_chain_get(args, "model"));
    gr_ref cache = gri_build_actor(b, gri_chain_get(args, "cache"));

    return gr_with_cache(b->in, model, cache,
                         settings != NULL ? gri_build_data(settings) : gr_nil());
}

static const struct gri_chain_key with_breaker_keys[] = {
    { "runnable", GRI_ARG_ACTOR, true, 0, 0, "what is called as long as it works" },
    { "failures_share", GRI_ARG_REAL, false, 0.001, 1,
      "of the window's calls at which it opens; default 0.5" },
    { "calls_min", GRI_ARG_INT, false, 1, 1e9,
      "calls in the window below which it does not; default 10" },
    { "window_ms", GRI_ARG_INT, false, 10, MS_MAX, "default 60000" },
    { "open_ms", GRI_ARG_INT, false, 1, MS_MAX,
      "how long it stays open before a probe; default 30000" },
    { "errors", GRI_ARG_TEXTS, false, 0, 0,
      "which count: kinds, or codes such as GR_ERATE; default those of the service" },
};

static gr_ref build_with_breaker(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    const struct gri_chain_node *named = gri_chain_get(args, "errors");
    gr_ref inner = gri_build_actor(b, gri_build_arg("with_breaker", args, "runnable")), ref;
    double share = 0;
    size_t count;
    const char **errors = gri_build_names(named, &count);

    if (errors == NULL && named != NULL)
        return gri_build_no_memory(b, named);
    (void)gri_arg_real(args, "failures_share", &share);
    ref = gr_with_breaker(b->in, inner,
                          GR_BREAKER(.failures_share = share,
                                     .calls_min = (unsigned)gri_arg_int(args, "calls_min", 0),
                                     .window_ms = gri_arg_int(args, "window_ms", 0),
                                     .open_ms = gri_arg_int(args, "open_ms", 0), .errors = errors,
                                     .error_count = count));
    gri_free(errors);
    return ref;
}

/* ---- conversations --------------------------------------------------------------------------- */

static const struct gri_chain_key file_history_keys[] = {
    { "path", GRI_ARG_TEXT, true, 0, 0,
      "a folder, seen from the chain file, with a file for each session; made when first used" },
    { "bytes_max", GRI_ARG_INT, false, 1, 1e12, "of a session's file; default 64 MiB" },
    { "lock_ms", GRI_ARG_INT, false, 0, 3600000,
      "how long to wait for who has the file; default 5000" },
    { "no_sync", GRI_ARG_BOOL, false, 0, 0,
      "what was added may be lost with the power; default false" },
};

static gr_ref build_file_history(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    char *path = gri_build_path(b, gri_build_arg("file_history", args, "path"));
    long long wait = gri_arg_int(args, "lock_ms", 5000);
    gr_ref ref;

    if (path == NULL)
        return no_ref;
    ref = gr_file_history(b->in, path,
                          GR_FILE_HISTORY(.bytes_max = (size_t)gri_arg_int(args, "bytes_max", 0),
                                          .lock_ms = wait == 0 ? -1 : wait,
                                          .no_sync = gri_arg_bool(args, "no_sync")));
    gri_free(path);
    return ref;
}

static gr_ref build_sqlite_history(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return build_sqlite(b, "sqlite_history", args, gr_sqlite_history);
}

static const struct gri_chain_key window_history_keys[] = {
    { "history", GRI_ARG_ACTOR, true, 0, 0, "who keeps all of it" },
    { "turns", GRI_ARG_INT, false, 1, 1e9,
      "the last so many, from a human's message on; default 5 if nothing else is said" },
    { "messages", GRI_ARG_INT, false, 1, 1e9, "the last so many" },
    { "tokens", GRI_ARG_INT, false, 1, 1e9, "the last messages of so many, about" },
};

static gr_ref build_window_history(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_window_history(b->in,
                             gri_build_actor(b, gri_build_arg("window_history", args, "history")),
                             GR_WINDOW(.turns = (unsigned)gri_arg_int(args, "turns", 0),
                                       .messages = (unsigned)gri_arg_int(args, "messages", 0),
                                       .tokens = (unsigned)gri_arg_int(args, "tokens", 0)));
}

static const struct gri_chain_key summary_history_keys[] = {
    { "history", GRI_ARG_ACTOR, true, 0, 0, "who keeps all of it" },
    { "model", GRI_ARG_ACTOR, true, 0, 0, "what summarises" },
    { "tokens", GRI_ARG_INT, false, 1, 1e9,
      "of the messages that stay as they are, about; default 2000" },
    { "instruction", GRI_ARG_TEXT, false, 0, 0, "what the model is told to do" },
    { "store", GRI_ARG_ACTOR, false, 0, 0, "a store by key for the summaries; default in memory" },
};

static gr_ref build_summary_history(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    gr_ref history = gri_build_actor(b, gri_chain_get(args, "history"));
    gr_ref model = gri_build_actor(b, gri_chain_get(args, "model"));
    gr_ref store = gri_build_actor(b, gri_chain_get(args, "store"));

    return gr_summary_history(b->in, history, model,
                              GR_SUMMARY(.tokens = (unsigned)gri_arg_int(args, "tokens", 0),
                                         .instruction = gri_arg_text(args, "instruction", NULL),
                                         .store = store));
}

static const struct gri_chain_key shared_history_keys[] = {
    { "history", GRI_ARG_ACTOR, true, 0, 0, "who keeps it" },
    { "turn_max_ms", GRI_ARG_INT, false, 1, MS_MAX,
      "how long a turn may take before the next one is let in; default 600000" },
};

static gr_ref build_shared_history(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_shared_history(b->in,
                             gri_build_actor(b, gri_build_arg("shared_history", args, "history")),
                             GR_SHARED(.turn_max_ms = gri_arg_int(args, "turn_max_ms", 0)));
}

/* ---- the table ------------------------------------------------------------------------------- */

const struct gri_chain_kind gri_chain_kinds_keep[GRI_CHAIN_KINDS_KEEP] = {
    { .name = "embeddings",
      .help = "an embedder by its name",
      KEYS(embeddings_keys),
      .lone = true,
      .build = build_embeddings },
    { .name = "openai_embeddings",
      .help = "a client of an OpenAI-compatible server: /embeddings",
      KEYS(openai_embeddings_keys),
      .build = build_openai_embeddings },
    { .name = "caching_embeddings",
      .help = "an embedder that keeps what it made",
      KEYS(caching_embeddings_keys),
      .build = build_caching_embeddings },
    { .name = "memory_byte_store",
      .help = "a store by key, in memory",
      KEYS(memory_byte_store_keys),
      .build = build_memory_byte_store },
    { .name = "sqlite_store",
      .help = "a store by key, in an SQLite database",
      KEYS(sqlite_keys),
      .lone = true,
      .build = build_sqlite_store },
    { .name = "rate_limiter",
      .help = "grants requests and tokens at a rate, to all who ask it",
      KEYS(rate_limiter_keys),
      .build = build_rate_limiter },
    { .name = "with_rate_limiter",
      .help = "calls when a rate_limiter grants it",
      KEYS(with_rate_limiter_keys),
      .build = build_with_rate_limiter },
    { .name = "response_cache",
      .help = "keeps answers of models in a store by key",
      KEYS(response_cache_keys),
      .lone = true,
      .build = build_response_cache },
    { .name = "with_cache",
      .help = "asks a model only what a response_cache does not know",
      KEYS(with_cache_keys),
      .build = build_with_cache },
    { .name = "with_breaker",
      .help = "leaves alone for a while what fails too often",
      KEYS(with_breaker_keys),
      .lone = true,
      .build = build_with_breaker },
    { .name = "file_history",
      .help = "keeps conversations, each in a file",
      KEYS(file_history_keys),
      .lone = true,
      .build = build_file_history },
    { .name = "sqlite_history",
      .help = "keeps conversations in an SQLite database",
      KEYS(sqlite_keys),
      .lone = true,
      .build = build_sqlite_history },
    { .name = "window_history",
      .help = "the end of conversations that another keeps",
      KEYS(window_history_keys),
      .lone = true,
      .build = build_window_history },
    { .name = "summary_history",
      .help = "a summary, and the end, of conversations that another keeps",
      KEYS(summary_history_keys),
      .build = build_summary_history },
    { .name = "shared_history",
      .help = "whose turn it is in conversations that another keeps, for several processes",
      KEYS(shared_history_keys),
      .lone = true,
      .build = build_shared_history },
};
