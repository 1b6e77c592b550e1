/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embeddings.h - embedders: texts in, vectors out.
 *
 * Any actor with these two verbs is an embedder, one's own class too:
 *
 *   "embed_query"      {"text": string}       -> floats
 *   "embed_documents"  {"texts": [string …]}  -> [floats …], in the order of the texts
 */
#ifndef GREENROOM_EMBEDDINGS_H
#define GREENROOM_EMBEDDINGS_H

#include <greenroom/runnable.h>
#include <greenroom/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The plain twins wait [waits]; the a-twins return at once [any]. opts: as for every call, or
 * NULL. */
GR_API gr_value *gr_embed_query(gr_runtime *rt, gr_ref embeddings, const char *text,
                                const gr_call_opts *opts, gr_value **reterr);
GR_API gr_future *gr_aembed_query(gr_runtime *rt, gr_ref embeddings, const char *text,
                                  const gr_call_opts *opts);
GR_API gr_value *gr_embed_documents(gr_runtime *rt, gr_ref embeddings, gr_value *texts GR_TAKES,
                                    const gr_call_opts *opts, gr_value **reterr);
GR_API gr_future *gr_aembed_documents(gr_runtime *rt, gr_ref embeddings, gr_value *texts GR_TAKES,
                                      const gr_call_opts *opts);

/*
 * gr_hash_embeddings makes the embedder that needs no model: words and character n-grams, hashed
 * with a sign into dim places, weighted by 1 + ln(count), scaled to length 1 (an empty text gives
 * zeros). It finds texts that share words and word stems, not texts that share a meaning. The same
 * text gives the same vector on every machine.
 *
 * Shapes:  floats[dim]; dim 0 is 384, at most 65536, else broken: GR_EINVAL.    [any]
 */
GR_API gr_ref gr_hash_embeddings(gr_scope *in, unsigned dim);

typedef struct gr_embeddings_opts {
    size_t size;
    /* base, before "/embeddings"; default: $OPENAI_BASE_URL, else OpenAI's own */
    const char *url;
    const char *model;   /* required */
    const char *key_env; /* the environment variable that holds the key; default "OPENAI_API_KEY" */
    unsigned dimensions; /* 0: not sent, the model's own */
    unsigned batch;      /* texts in a request; default and most 2048 */
    int64_t timeout_ms;  /* one request; default 60000, negative: none */
    int max_retries;     /* of a request; default 2, negative: none */
    const gr_header *headers; /* sent with every request; copied */
    size_t header_count;
    size_t answer_bytes_max; /* longest answer; default 64 MiB */
    size_t batch_bytes;  /* of texts in a request, unless it is one text; default 512 KiB */
    unsigned max_concurrency; /* requests of one call under way at once; default 4 */
    /* how OpenAI's server is to send vectors: "base64", the default, or "float"; both are read */
    const char *encoding;
    gr_value *extra; /* taken: a map laid over the request's body ("user", "keep_alive", "options") */
    gr_ref limiter; /* grants each request, and its tokens, about: see budget.h; {0, 0}: none */
    bool http2;     /* as in gr_chat_opts; an embedder is never slow to read */
} gr_embeddings_opts;
#define GR_EMBEDDINGS(...) GR_OPT(gr_embeddings_opts, __VA_ARGS__)

/*
 * gr_openai_embeddings makes a client of an OpenAI-compatible server: POST url/embeddings. Key and
 * errors as for gr_chat_model; an answer with a vector too few or twice is GR_EPROTO, as is one of
 * another length than the others, or than dimensions. Lists of texts go out in batches, several at
 * once; the vectors come in the order of the texts. [any]
 */
GR_API gr_ref gr_openai_embeddings(gr_scope *in, const gr_embeddings_opts *opts);

/*
 * gr_ollama_embeddings makes a client of an Ollama server: POST url/api/embed, whose url is what OLLAMA_HOST
 * may hold, by default $OLLAMA_HOST, else 127.0.0.1:11434. A key is sent if $OLLAMA_API_KEY has one. At most
 * 512 texts go in a request; encoding counts not; all else as for gr_openai_embeddings. After LangChain's
 * OllamaEmbeddings. [any]
 */
GR_API gr_ref gr_ollama_embeddings(gr_scope *in, const gr_embeddings_opts *opts);

/*
 * gr_init_embeddings makes an embedder by name: LangChain's init_embeddings. "openai:NAME",
 * "ollama:NAME", "hash:384" or "hash" (gr_hash_embeddings); a name without one of these before its
 * first colon is OpenAI's. opts' own model counts not. [any]
 */
GR_API gr_ref gr_init_embeddings(gr_scope *in, const char *model, const gr_embeddings_opts *opts);

typedef struct gr_caching_opts {
    size_t size;
    const char *name_space; /* what keys begin with: name the model in it; default ""; copied */
    unsigned batch;         /* missing texts that are embedded, and kept, at a time; default: all */
    gr_ref query_store;     /* keeps queries, too; {0, 0}: they are not kept, as in LangChain */
} gr_caching_opts;
#define GR_CACHING(...) GR_OPT(gr_caching_opts, __VA_ARGS__)

/*
 * gr_caching_embeddings keeps what embeddings made in a store by key (byte_store.h), and asks it only
 * for what is not there: CacheBackedEmbeddings. A text that comes several times in a call is embedded
 * once. Keys are name_space and the SHA-256 of the text, values the floats, 32 bits each,
 * little-endian; what is damaged in the store is made anew. A store that fails is logged, at level 3, and
 * counts as one that has nothing. [any]
 */
GR_API gr_ref gr_caching_embeddings(gr_scope *in, gr_ref embeddings, gr_ref store,
                                    const gr_caching_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
