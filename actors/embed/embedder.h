/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedder.h - an embedder that asks a server: the same for all providers, but for what the bytes mean.
 */
#ifndef GR_ACTORS_EMBED_EMBEDDER_H
#define GR_ACTORS_EMBED_EMBEDDER_H

#include <greenroom/embeddings.h>

#include "actors/model/transfer.h"

/* defaults of gr_embeddings_opts. OpenAI takes 300,000 tokens in a request, and a letter of three bytes may be one */
#define GRI_EMBEDDER_BATCH_BYTES ((size_t)512 << 10)
#define GRI_EMBEDDER_CONCURRENCY 4

/* What a provider gives: constants and pure functions. */
struct gri_embedder {
    const char *name;  /* before the colon in "openai:text-embedding-3-small" */
    const char *title; /* what LangChain calls its embedder: "OpenAIEmbeddings" */
    struct gri_address address;
    struct gri_reader reader; /* its answer makes a list of count vectors */
    unsigned batch_max;       /* texts that it takes in a request */
    /* body makes the request without its texts, which go under "input"; or an error value. */
    gr_value *(*body)(const gr_embeddings_opts *o, const char *model);
};

/* A further provider has a row in init_embeddings.c, too. */
extern const struct gri_embedder gri_openai_embedder, gri_ollama_embedder;

/* gri_embedder_spawn makes the embedder of model; errors as for gr_openai_embeddings. */
gr_ref gri_embedder_spawn(gr_scope *in, const struct gri_embedder *api, const char *model,
                          const gr_embeddings_opts *opts);

/* gri_embedder_broken makes one that says what is wrong. */
gr_ref gri_embedder_broken(gr_scope *in, gr_value *err GR_TAKES);

#endif
