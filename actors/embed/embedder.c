/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedder.c - embedders that ask a server.
 *
 * Two actors: the inner one makes one request for a list of texts, behind a rate limiter if there is
 * one, and is tried again as OpenAI's client does it; the outer one, whose ref is given out, cuts lists into batches,
 * has several of them under way at once, and puts the answers together.
 */
#include "actors/embed/embedder.h"

#include <greenroom/budget.h>

#include "actors/compose/retry.h"
#include "runtime/base/alloc.h"

#define ANSWER_BYTES_DEFAULT ((size_t)64 << 20)
#define TIMEOUT_DEFAULT_MS 60000
#define RETRIES_DEFAULT 2

/* The inner actor's spawn argument. */
struct embedder {
    const struct gri_embedder *api;
    struct gri_endpoint endpoint;
    gr_value *body; /* counted: the request without its input */
    gr_ref limiter; /* is told what answers say; {0, 0}: nobody is */
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

static gr_value *request(gr_ctx *c, void *self, const gr_value *texts)
{
    const struct embedder *e = gr_as_opaque(gr_args(c));
    gr_value *body = gr_set(gr_value_ref(e->body), "input", gr_value_ref(texts)), *err;

    (void)self;
    err = gri_transfer_start(c, &(struct gri_transfer_spec){ .endpoint = &e->endpoint,
                                                             .reader = &e->api->reader,
                                                             .body = body,
                                                             .limiter = e->limiter,
                                                             .count = gr_len(texts) });
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

/* batches_of cuts texts: none has more than so many texts, or so many bytes unless it is one text. */
static gr_value *batches_of(const gr_value *texts, size_t texts_max, size_t bytes_max)
{
    gr_value *all = gr_list_n(NULL, 0), *part = gr_list_n(NULL, 0);
    size_t bytes = 0;

    for (size_t i = 0; i < gr_len(texts); i++) {
        size_t len = gr_len(gr_at(texts, i));

        if (gr_error_code(part) != GR_OK)
            break;
        if (gr_len(part) > 0 &&
            (gr_len(part) == texts_max || len > bytes_max || bytes > bytes_max - len)) {
            all = gr_append(all, part);
            part = gr_list_n(NULL, 0);
            bytes = 0;
        }
        part = gr_append(part, gr_value_ref(gr_at(texts, i)));
        bytes += len;
    }
    if (gr_len(part) > 0 || gr_error_code(part) != GR_OK)
        return gr_append(all, part); /* a broken part makes all of it so */
    gr_value_unref(part);
    return all;
}

/* check_shapes: all vectors have the same length, and the one that was asked for. */
static gr_value *check_shapes(const gr_value *vectors, size_t wanted)
{
    for (size_t i = 0; i < gr_len(vectors); i++) {
        size_t dim = gr_len(gr_at(vectors, i));

        if (gr_value_type(gr_at(vectors, i)) != GR_FLOATS || dim == 0)
            return gr_error(GR_EPROTO, "vector %zu of the answer is none", i + 1);
        if (wanted == 0)
            wanted = dim;
        if (dim != wanted)
            return gr_error(GR_EPROTO, "vector %zu of the answer has %zu dimensions, not %zu",
                            i + 1, dim, wanted);
    }
    return NULL;
}

/* embed gives the vectors of texts, whose types were checked. */
static gr_value *embed(gr_ctx *c, const gr_value *texts)
{
    const gr_value *own = gr_args(c);
    gr_value *parts = batches_of(texts, (size_t)gr_as_int(gr_get(own, "batch"), 1),
                                 (size_t)gr_as_int(gr_get(own, "batch_bytes"), 1));
    gr_value *err = NULL, *answers, *all = gr_list_n(NULL, 0);

    answers = gr_batch(
        gr_runtime_of(c), gr_as_ref(gr_get(own, "request")), parts,
        GR_CALL(.config =
                    gr_map(GR_KV("max_concurrency", gr_value_ref(gr_get(own, "max_concurrency"))))),
        &err);
    for (size_t i = 0; i < gr_len(answers); i++)
        all = gr_add(all, gr_value_ref(gr_at(answers, i)));
    gr_value_unref(answers);
    if (err == NULL && gr_error_code(all) != GR_OK)
        err = gr_value_ref(all);
    if (err == NULL && gr_len(all) != gr_len(texts))
        err = gr_error(GR_EPROTO, "%zu vectors came for %zu texts", gr_len(all), gr_len(texts));
    if (err == NULL)
        err = check_shapes(all, (size_t)gr_as_int(gr_get(own, "dimensions"), 0));
    if (err == NULL)
        return all;
    gr_value_unref(all);
    return err;
}

static gr_value *embed_documents(gr_ctx *c, void *self, const gr_value *args)
{
    const gr_value *texts = gr_get(args, "texts");
    gr_value *err = check_texts(texts);

    (void)self;
    if (err != NULL)
        return err;
    return gr_len(texts) == 0 ? gr_list_n(NULL, 0) : embed(c, texts);
}

static gr_value *embed_query(gr_ctx *c, void *self, const gr_value *args)
{
    const gr_value *text = gr_get(args, "text");
    gr_value *texts, *vectors, *first;

    (void)self;
    if (gr_value_type(text) != GR_STR)
        return gr_error(GR_ETYPE, "expected {\"text\": string}");
    texts = gr_list(gr_value_ref(text));
    vectors = gr_error_code(texts) == GR_OK ? embed(c, texts) : gr_value_ref(texts);
    gr_value_unref(texts);
    if (gr_error_code(vectors) != GR_OK)
        return vectors;
    first = gr_value_ref(gr_at(vectors, 0));
    gr_value_unref(vectors);
    return first;
}

static const gr_method embedder_methods[] = {
    { "embed_query", GR_ASYNC, embed_query, NULL },
    { "embed_documents", GR_ASYNC, embed_documents, NULL },
};
static const gr_class embedder_class = GR_CLASS(.name = "Embeddings", GR_METHODS(embedder_methods));

/* ---- making ---------------------------------------------------------------------------------- */

static gr_value *read_opts(struct embedder *e, const char *model, const gr_embeddings_opts *o)
{
    e->body = e->api->body(o, model == NULL ? "" : model);
    if (o->extra != NULL)
        e->body = gr_merge(e->body, o->extra);
    e->limiter = o->limiter;
    if (gr_error_code(e->body) != GR_OK)
        return gr_value_ref(e->body);
    if (model == NULL || model[0] == '\0')
        return gr_error(GR_EINVAL, "an embedder needs the name of its model");
    if (o->batch > e->api->batch_max)
        return gr_error(GR_EINVAL, "%u texts in a request: at most %u", o->batch,
                        e->api->batch_max);
    return gri_endpoint_init(
        &e->endpoint, &e->api->address,
        &(struct gri_endpoint_opts){ .url = o->url,
                                     .model = model,
                                     .key_env = o->key_env,
                                     .headers = o->headers,
                                     .header_count = o->header_count,
                                     .timeout_ms = o->timeout_ms,
                                     .timeout_default_ms = TIMEOUT_DEFAULT_MS,
                                     .http2 = o->http2,
                                     .answer_bytes_max = o->answer_bytes_max == 0
                                                             ? ANSWER_BYTES_DEFAULT
                                                             : o->answer_bytes_max });
}

/* spawn_request makes the inner actor, and what is around it; e is taken. */
static gr_ref spawn_request(gr_scope *in, struct embedder *e, const char *model,
                            const gr_embeddings_opts *o)
{
    int retries = o->max_retries == 0 ? RETRIES_DEFAULT : o->max_retries;
    gr_ref inner =
        gr_spawn(in, &request_class, GR_SPAWN(.name = model, .args = gr_opaque(e, drop_embedder)));

    if (o->limiter.id != 0)
        inner = gr_with_rate_limiter(in, inner, o->limiter, GR_LIMITED(.counts_tokens = true));
    if (retries >= 0)
        inner = gri_retry_request(in, inner, (unsigned)retries + 1);
    return inner;
}

gr_ref gri_embedder_broken(gr_scope *in, gr_value *err)
{
    return gr_spawn(in, &embedder_class, GR_SPAWN(.name = "embeddings", .args = err));
}

gr_ref gri_embedder_spawn(gr_scope *in, const struct gri_embedder *api, const char *model,
                          const gr_embeddings_opts *opts)
{
    const gr_embeddings_opts defaults = { .size = sizeof(defaults) };
    const gr_embeddings_opts *o = opts == NULL ? &defaults : opts;
    struct embedder *e = gri_new0(struct embedder);
    gr_value *args;

    if (e == NULL) {
        gr_value_unref(o->extra);
        args = gr_error(GR_ENOMEM, "out of memory for an embedder");
    } else {
        e->api = api;
        args = read_opts(e, model, o);
    }
    if (args != NULL) {
        drop_embedder(e);
        return gri_embedder_broken(in, args);
    }
    args = gr_map(
        GR_KV("request", gr_ref_value(spawn_request(in, e, model, o))),
        GR_KV("batch", gr_int(o->batch == 0 ? (int64_t)api->batch_max : (int64_t)o->batch)),
        GR_KV("batch_bytes", gr_int(o->batch_bytes == 0 ? (int64_t)GRI_EMBEDDER_BATCH_BYTES
                                                        : (int64_t)o->batch_bytes)),
        GR_KV("max_concurrency", gr_int(o->max_concurrency == 0 ? GRI_EMBEDDER_CONCURRENCY
                                                                : (int64_t)o->max_concurrency)),
        GR_KV("dimensions", gr_int((int64_t)o->dimensions)));
    return gr_spawn(in, &embedder_class, GR_SPAWN(.name = model, .args = args));
}
