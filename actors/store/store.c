/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - the stores' verbs, plain and a-twins: the same for every vector store, here or
 * remote. */
#include <greenroom/store.h>

static gr_value *one(const char *key, gr_value *v)
{
    return gr_map(GR_KV(key, v));
}

/* An optional argument that is NULL is left out. */
static gr_value *with(gr_value *args, const char *key, gr_value *v)
{
    return v == NULL ? args : gr_set(args, key, v);
}

static gr_value *texts_args(gr_value *texts, gr_value *metadatas, gr_value *ids)
{
    return with(with(one("texts", texts), "metadatas", metadatas), "ids", ids);
}

static gr_value *delete_args(gr_value *ids)
{
    return with(gr_map_n(NULL, 0), "ids", ids);
}

static gr_value *search_args(const char *key, gr_value *what, const gr_search_opts *search)
{
    gr_value *args = one(key, what);

    if (search == NULL)
        return args;
    if (search->k != 0)
        args = gr_set(args, "k", gr_int((int64_t)search->k));
    return with(args, "filter", search->filter);
}

gr_value *gr_add_documents(gr_runtime *rt, gr_ref store, gr_value *documents,
                           const gr_call_opts *opts, gr_value **reterr)
{
    return gr_do(rt, store, "add_documents", one("documents", documents), opts, reterr);
}

gr_future *gr_aadd_documents(gr_runtime *rt, gr_ref store, gr_value *documents,
                             const gr_call_opts *opts)
{
    return gr_acall(rt, store, "add_documents", one("documents", documents), opts);
}

gr_value *gr_add_texts(gr_runtime *rt, gr_ref store, gr_value *texts, gr_value *metadatas,
                       gr_value *ids, const gr_call_opts *opts, gr_value **reterr)
{
    return gr_do(rt, store, "add_texts", texts_args(texts, metadatas, ids), opts, reterr);
}

gr_future *gr_aadd_texts(gr_runtime *rt, gr_ref store, gr_value *texts, gr_value *metadatas,
                         gr_value *ids, const gr_call_opts *opts)
{
    return gr_acall(rt, store, "add_texts", texts_args(texts, metadatas, ids), opts);
}

gr_value *gr_delete_documents(gr_runtime *rt, gr_ref store, gr_value *ids, const gr_call_opts *opts,
                              gr_value **reterr)
{
    return gr_do(rt, store, "delete", delete_args(ids), opts, reterr);
}

gr_future *gr_adelete_documents(gr_runtime *rt, gr_ref store, gr_value *ids,
                                const gr_call_opts *opts)
{
    return gr_acall(rt, store, "delete", delete_args(ids), opts);
}

gr_value *gr_get_by_ids(gr_runtime *rt, gr_ref store, gr_value *ids, const gr_call_opts *opts,
                        gr_value **reterr)
{
    return gr_do(rt, store, "get_by_ids", one("ids", ids), opts, reterr);
}

gr_future *gr_aget_by_ids(gr_runtime *rt, gr_ref store, gr_value *ids, const gr_call_opts *opts)
{
    return gr_acall(rt, store, "get_by_ids", one("ids", ids), opts);
}

gr_value *gr_similarity_search(gr_runtime *rt, gr_ref store, const char *query,
                               const gr_search_opts *search, const gr_call_opts *opts,
                               gr_value **reterr)
{
    return gr_do(rt, store, "similarity_search", search_args("query", gr_str(query), search), opts,
                 reterr);
}

gr_future *gr_asimilarity_search(gr_runtime *rt, gr_ref store, const char *query,
                                 const gr_search_opts *search, const gr_call_opts *opts)
{
    return gr_acall(rt, store, "similarity_search", search_args("query", gr_str(query), search),
                    opts);
}

gr_value *gr_similarity_search_with_score(gr_runtime *rt, gr_ref store, const char *query,
                                          const gr_search_opts *search, const gr_call_opts *opts,
                                          gr_value **reterr)
{
    return gr_do(rt, store, "similarity_search_with_score",
                 search_args("query", gr_str(query), search), opts, reterr);
}

gr_future *gr_asimilarity_search_with_score(gr_runtime *rt, gr_ref store, const char *query,
                                            const gr_search_opts *search, const gr_call_opts *opts)
{
    return gr_acall(rt, store, "similarity_search_with_score",
                    search_args("query", gr_str(query), search), opts);
}

gr_value *gr_similarity_search_by_vector(gr_runtime *rt, gr_ref store, gr_value *embedding,
                                         const gr_search_opts *search, const gr_call_opts *opts,
                                         gr_value **reterr)
{
    return gr_do(rt, store, "similarity_search_by_vector",
                 search_args("embedding", embedding, search), opts, reterr);
}

gr_future *gr_asimilarity_search_by_vector(gr_runtime *rt, gr_ref store, gr_value *embedding,
                                           const gr_search_opts *search, const gr_call_opts *opts)
{
    return gr_acall(rt, store, "similarity_search_by_vector",
                    search_args("embedding", embedding, search), opts);
}
