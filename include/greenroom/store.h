/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h - vector stores: documents in, the ones most like a query out.
 *
 * Any actor with these verbs is a store (examples/own_store.c writes one):
 *
 *   "add_documents"                {"documents", "ids"?}           -> [id …]
 *   "add_texts"                    {"texts", "metadatas"?, "ids"?} -> [id …]
 *   "delete"                       {"ids"?}                        -> true; no ids: everything
 *   "get_by_ids"                   {"ids"}                         -> [document …], those found
 *   "similarity_search"            {"query", "k"?, "filter"?}      -> [document …], best first
 *   "similarity_search_with_score" {"query", "k"?, "filter"?}      -> [[document, score] …]
 *   "similarity_search_by_vector"  {"embedding", "k"?, "filter"?}  -> [document …]
 *
 * A document is a map {"page_content": string, "metadata": map, "id"?, "type": "Document"}; see
 * gr_document (text.h). k is 4 unless given.
 */
#ifndef GREENROOM_STORE_H
#define GREENROOM_STORE_H

#include <greenroom/runnable.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_search_opts {
    size_t size;
    unsigned k;       /* default 4 */
    /* taken. Metadata that a document must have: {"lang": "en", "year": [2024, 2025]}; a list means
     * any of these; nil also matches a missing key */
    gr_value *filter;
} gr_search_opts;
#define GR_SEARCH(...) GR_OPT(gr_search_opts, __VA_ARGS__)

/* ---- writing. The plain twins wait [waits]; the a-twins return at once [any] ----------------- */

/* gr_add_documents stores documents and answers with their ids: each one's own "id", else a new
 * one. A document with an id that is there already replaces it. */
GR_API gr_value *gr_add_documents(gr_runtime *rt, gr_ref store, gr_value *documents GR_TAKES,
                                  const gr_call_opts *opts, gr_value **reterr);
GR_API gr_future *gr_aadd_documents(gr_runtime *rt, gr_ref store, gr_value *documents GR_TAKES,
                                    const gr_call_opts *opts);
/* gr_add_texts does the same for strings; metadatas and ids are lists of the same length, or NULL.
 * An id may be nil. */
GR_API gr_value *gr_add_texts(gr_runtime *rt, gr_ref store, gr_value *texts GR_TAKES,
                              gr_value *metadatas GR_TAKES, gr_value *ids GR_TAKES,
                              const gr_call_opts *opts, gr_value **reterr);
GR_API gr_future *gr_aadd_texts(gr_runtime *rt, gr_ref store, gr_value *texts GR_TAKES,
                                gr_value *metadatas GR_TAKES, gr_value *ids GR_TAKES,
                                const gr_call_opts *opts);
/* gr_delete_documents ("delete") forgets the documents with these ids; NULL: all of them. */
GR_API gr_value *gr_delete_documents(gr_runtime *rt, gr_ref store, gr_value *ids GR_TAKES,
                                     const gr_call_opts *opts, gr_value **reterr);
GR_API gr_future *gr_adelete_documents(gr_runtime *rt, gr_ref store, gr_value *ids GR_TAKES,
                                       const gr_call_opts *opts);

/* ---- reading --------------------------------------------------------------------------------- */

GR_API gr_value *gr_get_by_ids(gr_runtime *rt, gr_ref store, gr_value *ids GR_TAKES,
                               const gr_call_opts *opts, gr_value **reterr);
GR_API gr_future *gr_aget_by_ids(gr_runtime *rt, gr_ref store, gr_value *ids GR_TAKES,
                                 const gr_call_opts *opts);
GR_API gr_value *gr_similarity_search(gr_runtime *rt, gr_ref store, const char *query,
                                      const gr_search_opts *search, const gr_call_opts *opts,
                                      gr_value **reterr);
GR_API gr_future *gr_asimilarity_search(gr_runtime *rt, gr_ref store, const char *query,
                                        const gr_search_opts *search, const gr_call_opts *opts);
GR_API gr_value *gr_similarity_search_with_score(gr_runtime *rt, gr_ref store, const char *query,
                                                 const gr_search_opts *search,
                                                 const gr_call_opts *opts, gr_value **reterr);
GR_API gr_future *gr_asimilarity_search_with_score(gr_runtime *rt, gr_ref store, const char *query,
                                                   const gr_search_opts *search,
                                                   const gr_call_opts *opts);
GR_API gr_value *gr_similarity_search_by_vector(gr_runtime *rt, gr_ref store,
                                                gr_value *embedding GR_TAKES,
                                                const gr_search_opts *search,
                                                const gr_call_opts *opts, gr_value **reterr);
GR_API gr_future *gr_asimilarity_search_by_vector(gr_runtime *rt, gr_ref store,
                                                  gr_value *embedding GR_TAKES,
                                                  const gr_search_opts *search,
                                                  const gr_call_opts *opts);

/*
 * gr_memory_store keeps documents and their vectors in memory: InMemoryVectorStore. The vectors
 * come from the embedder; the first one sets the dimension. Calls that wait for the embedder don't
 * hold up the others, so a search sees what was added before it was called only if that call had
 * answered.
 *
 * Units:   scores are cosine similarity, -1 to 1; a vector of zeros scores 0. Of equal scores the
 *          document added later comes first, as in LangChain.
 * Errors:  GR_EINVAL a vector of another dimension, ids or metadatas of another length than the
 * texts,
 *          a vector with NaN; GR_EFULL above 4 Mi documents; the embedder's own.
 * Cost:    a search reads every vector: O(n dim).    [any]
 */
GR_API gr_ref gr_memory_store(gr_scope *in, gr_ref embeddings);

#ifdef __cplusplus
}
#endif
#endif
