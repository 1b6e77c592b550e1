/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openai_embeddings.c - gr_openai_embeddings: a client of an OpenAI-compatible server.
 *
 * Two actors: the inner one makes one request for a list of texts, with gr_with_retry around it;
 * the outer one, whose ref is given out, cuts lists into batches and puts the answers together.
 */
#include <greenroom/embeddings.h>

#include "actors/embed/openai_vectors.h"
#include "actors/model/openai_wire.h"
#include "actors/model/transfer.h"
#include "runtime/base/alloc.h"

#define ANSWER_BYTES_DEFAULT ((size_t)64 << 20)
#define TIMEOUT_DEFAULT_MS 60000
#define RETRIES_DEFAULT 2
#define BATCH_MAX 2048

struct embedder {
    struct gri_endpoint endpoint;
    gr_value *body; /* counted: the request without its input */
};

static void drop_embedder(void *p)
{
    struct embedder *e = p;

    if (e == NULL)
        return;
    gri_endpoint_fini(&e->endpoint);
    gr_value_unref(e->body);
    gri_free(e);
}

/* ---- one request ----------------------------------------------------------------------------- */

static const struct gri_reader reader = { .answer = gri_openai_vectors,
                                          .refusal = gri_openai_refusal };

static gr_value *request(gr_ctx *c, void *self, const gr_value *texts)
{
    const struct embedder *e = gr_as_opaque(gr_args(c));
    gr_value *body = gr_set(gr_value_ref(e->body), "input", gr_value_ref(texts)), *err;

    (void)self;
    err = gri_transfer_start(
        c, &(struct gri_transfer_spec){
               .endpoint = &e->endpoint, .reader = &reader, .body = body, .count = gr_len(texts) });
    gr_value_unref(body);
    return err;
}

static const gr_method request_methods[] = { { "invoke", GR_ASYNC, request, NULL } };
static const gr_class request_class =
    GR_CLASS(.name = "EmbeddingsRequest", GR_METHODS(request_methods));

/* ---- the embedder ---------------------------------------------------------------------------- */

static gr_value *check_texts(const gr_value *texts)
{
    if (gr_value_type(texts) != GR_LIST)
        return gr_error(GR_ETYPE, "expected {\"texts\": [string …]}");
    for (size_t i = 0; i < gr_len(texts); i++)
        if (gr_value_type(gr_at(texts, i)) != GR_STR)
            return gr_error(GR_ETYPE, "text %zu is no string", i + 1);
    return NULL;
}

static gr_value *embed_documents(gr_ctx *c, void *self, const gr_value *args)
{
    const gr_value *texts = gr_get(args, "texts"), *own = gr_args(c);
    size_t batch = (size_t)gr_as_int(gr_get(own, "batch"), BATCH_MAX);
    gr_value *all = check_texts(texts), *err = NULL;

    (void)self;
    if (all != NULL)
        return all;
    all = gr_list_n(NULL, 0);
    for (size_t at = 0; at < gr_len(texts); at += batch) {
        gr_value *part = gr_list_n(NULL, 0);

        for (size_t i = at; i < gr_len(texts) && i < at + batch; i++)
            part = gr_append(part, gr_value_ref(gr_at(texts, i)));
        part = gr_invoke(gr_runtime_of(c), gr_as_ref(gr_get(own, "request")), part, NULL, &err);
        if (part == NULL) {
            gr_value_unref(all);
            return err;
        }
        all = gr_add(all, part);
    }
    return all;
}

static gr_value *embed_query(gr_ctx *c, void *self, const gr_value *args)
{
    const gr_value *text = gr_get(args, "text");
    gr_value *vectors, *err = NULL, *first;

    (void)self;
    if (gr_value_type(text) != GR_STR)
        return gr_error(GR_ETYPE, "expected {\"text\": string}");
    vectors = gr_invoke(gr_runtime_of(c), gr_as_ref(gr_get(gr_args(c), "request")),
                        gr_list(gr_value_ref(text)), NULL, &err);
    if (vectors == NULL)
        return err;
    first = gr_value_ref(gr_at(vectors, 0));
    gr_value_unref(vectors);
    return first;
}

static const gr_method embedder_methods[] = {
    { "embed_query", GR_ASYNC, embed_query, NULL },
    { "embed_documents", GR_ASYNC, embed_documents, NULL },
};
static const gr_class embedder_class =
    GR_CLASS(.name = "OpenAIEmbeddings", GR_METHODS(embedder_methods));

static const struct gri_address address = {
    .url_env = "OPENAI_BASE_URL",
    .url_default = "https://api.openai.com/v1",
    .path = "/embeddings",
    .key_env = "OPENAI_API_KEY",
    .env_headers = { { "OPENAI_ORG_ID", "OpenAI-Organization" },
                     { "OPENAI_PROJECT_ID", "OpenAI-Project" } },
};

static gr_value *read_opts(struct embedder *e, const gr_embeddings_opts *o)
{
    e->body = gr_map(GR_KV("model", gr_str(o->model == NULL ? "" : o->model)));
    if (o->dimensions != 0)
        e->body = gr_set(e->body, "dimensions", gr_int((int64_t)o->dimensions));
    if (gr_error_code(e->body) != GR_OK)
        return gr_value_ref(e->body);
    if (o->model == NULL || o->model[0] == '\0')
        return gr_error(GR_EINVAL, "an embedder needs the name of its model");
    if (o->batch > BATCH_MAX)
        return gr_error(GR_EINVAL, "%u texts in a request: at most %d", o->batch, BATCH_MAX);
    return gri_endpoint_init(
        &e->endpoint, &address,
        &(struct gri_endpoint_opts){ .url = o->url,
                                     .key_env = o->key_env,
                                     .headers = o->headers,
                                     .header_count = o->header_count,
                                     .timeout_ms = o->timeout_ms,
                                     .timeout_default_ms = TIMEOUT_DEFAULT_MS,
                                     .answer_bytes_max = o->answer_bytes_max == 0
                                                             ? ANSWER_BYTES_DEFAULT
                                                             : o->answer_bytes_max });
}

gr_ref gr_openai_embeddings(gr_scope *in, const gr_embeddings_opts *opts)
{
    const gr_embeddings_opts defaults = { .size = sizeof(defaults) };
    const gr_embeddings_opts *o = opts == NULL ? &defaults : opts;
    int retries = o->max_retries == 0 ? RETRIES_DEFAULT : o->max_retries;
    struct embedder *e = gri_new0(struct embedder);
    gr_value *args =
        e == NULL ? gr_error(GR_ENOMEM, "out of memory for an embedder") : read_opts(e, o);
    gr_ref inner;

    if (args != NULL) {
        drop_embedder(e);
        return gr_spawn(in, &embedder_class, GR_SPAWN(.args = args));
    }
    inner = gr_spawn(in, &request_class,
                     GR_SPAWN(.name = o->model, .args = gr_opaque(e, drop_embedder)));
    if (retries >= 0)
        inner = gr_with_retry(in, inner,
                              GR_RETRY(.attempts = (unsigned)retries + 1, .backoff_ms = 500,
                                       .backoff_max_ms = 8000, .jitter_ms = 250));
    args = gr_map(GR_KV("request", gr_ref_value(inner)),
                  GR_KV("batch", gr_int(o->batch == 0 ? BATCH_MAX : (int64_t)o->batch)));
    return gr_spawn(in, &embedder_class, GR_SPAWN(.name = o->model, .args = args));
}
