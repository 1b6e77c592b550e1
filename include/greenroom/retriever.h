/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retriever.h - retrievers: a question in, documents out.
 */
#ifndef GREENROOM_RETRIEVER_H
#define GREENROOM_RETRIEVER_H

#include <greenroom/runnable.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_retriever_opts {
    size_t size;
    unsigned k;            /* default 4 */
    gr_value *filter;      /* taken; as in gr_search_opts */
    /* only documents that score at least so much: "similarity_score_threshold" */
    const double *score_min;
} gr_retriever_opts;
#define GR_RETRIEVER(...) GR_OPT(gr_retriever_opts, __VA_ARGS__)

/*
 * gr_retriever asks a store for the documents most like its input: VectorStore.as_retriever. The
 * input is a string, a message, or a map {"query", "k"?, "filter"?} whose k and filter win over the
 * options. Answers with the list of documents, best first. Other input: GR_ETYPE. [any]
 */
GR_API gr_ref gr_retriever(gr_scope *in, gr_ref store, const gr_retriever_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
