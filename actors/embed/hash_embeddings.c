/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash_embeddings.c - gr_hash_embeddings, the embedder without a model.
 *
 * Short texts are embedded on the spot. Above INLINE_BYTES, where it would hold a worker for more
 * than a millisecond or so, the same work is passed on to the actor's blocking verbs.
 */
#include <greenroom/embeddings.h>

#include "actors/embed/hash_vector.h"
#include "runtime/base/alloc.h"

#define INLINE_BYTES 8192
#define DIM_DEFAULT 384

static gr_value *embed(const gr_value *text, size_t dim)
{
    float *x;
    gr_value *v;

    if (gr_value_type(text) != GR_STR)
        return gr_error(GR_ETYPE, "expected a string to embed, got a value of type %s",
                        gr_type_name(gr_value_type(text)));
    x = gri_alloc_array(dim, sizeof(*x));
    if (x == NULL || gri_hash_vector(gr_cstr(text, ""), gr_len(text), dim, x) != GR_OK)
        v = gr_error(GR_ENOMEM, "out of memory for an embedding");
    else
        v = gr_floats(x, dim);
    gri_free(x);
    return v;
}

static size_t dim_of(gr_ctx *c)
{
    return (size_t)gr_as_int(gr_args(c), DIM_DEFAULT);
}

static gr_value *query_now(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return embed(gr_get(args, "text"), dim_of(c));
}

static gr_value *documents_now(gr_ctx *c, void *self, const gr_value *args)
{
    const gr_value *texts = gr_get(args, "texts");
    size_t count = gr_len(texts);
    gr_value **vectors, *answer = NULL;

    (void)self;
    if (gr_value_type(texts) != GR_LIST)
        return gr_error(GR_ETYPE, "expected {\"texts\": [string …]}");
    vectors = gri_alloc_array(count == 0 ? 1 : count, sizeof(gr_value *));
    if (vectors == NULL)
        return gr_error(GR_ENOMEM, "out of memory for %zu embeddings", count);
    for (size_t i = 0; i < count && answer == NULL; i++) {
        if (gr_cancelled(c))
            answer = gr_error(GR_ECANCELED, "cancelled");
        else
            vectors[i] = embed(gr_at(texts, i), dim_of(c));
        if (answer == NULL && gr_error_code(vectors[i]) != GR_OK)
            answer = gr_value_ref(vectors[i]);
    }
    if (answer == NULL) {
        answer = gr_list_n(vectors, count);
    } else {
        for (size_t i = 0; i < count; i++)
            gr_value_unref(vectors[i]);
    }
    gri_free(vectors);
    return answer;
}

static gr_value *embed_query(gr_ctx *c, void *self, const gr_value *args)
{
    if (gr_len(gr_get(args, "text")) > INLINE_BYTES)
        return gr_delegate(c, gr_self(c), "embed_query_blocking", gr_value_ref(args));
    return query_now(c, self, args);
}

static gr_value *embed_documents(gr_ctx *c, void *self, const gr_value *args)
{
    const gr_value *texts = gr_get(args, "texts");
    size_t bytes = 0;

    for (size_t i = 0; i < gr_len(texts); i++)
        bytes += gr_len(gr_at(texts, i)) + 64;
    if (bytes > INLINE_BYTES)
        return gr_delegate(c, gr_self(c), "embed_documents_blocking", gr_value_ref(args));
    return documents_now(c, self, args);
}

static const gr_method hash_methods[] = {
    { "embed_query", GR_CHEAP, embed_query, NULL },
    { "embed_documents", GR_CHEAP, embed_documents, NULL },
    { "embed_query_blocking", GR_BLOCKING, query_now, NULL },
    { "embed_documents_blocking", GR_BLOCKING, documents_now, NULL },
};
static const gr_class hash_class = GR_CLASS(.name = "HashEmbeddings", GR_METHODS(hash_methods));

gr_ref gr_hash_embeddings(gr_scope *in, unsigned dim)
{
    gr_value *args = dim == 0 ? gr_int(DIM_DEFAULT) : gr_int((int64_t)dim);

    if (dim > GRI_HASH_DIM_MAX) {
        gr_value_unref(args);
        args = gr_error(GR_EINVAL, "%u dimensions: at most %d", dim, GRI_HASH_DIM_MAX);
    }
    return gr_spawn(in, &hash_class, GR_SPAWN(.args = args));
}
