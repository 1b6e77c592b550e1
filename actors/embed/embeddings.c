/* SPDX-License-Identifier: Apache-2.0 */
/* embeddings.c - the embedders' verbs, plain and a-twins: the same for every embedder, here or
 * remote. */
#include <greenroom/embeddings.h>

static gr_value *query_args(const char *text)
{
    return gr_map(GR_KV("text", gr_str(text)));
}

static gr_value *documents_args(gr_value *texts)
{
    return gr_map(GR_KV("texts", texts));
}

gr_value *gr_embed_query(gr_runtime *rt, gr_ref embeddings, const char *text,
                         const gr_call_opts *opts, gr_value **reterr)
{
    return gr_do(rt, embeddings, "embed_query", query_args(text), opts, reterr);
}

gr_future *gr_aembed_query(gr_runtime *rt, gr_ref embeddings, const char *text,
                           const gr_call_opts *opts)
{
    return gr_acall(rt, embeddings, "embed_query", query_args(text), opts);
}

gr_value *gr_embed_documents(gr_runtime *rt, gr_ref embeddings, gr_value *texts,
                             const gr_call_opts *opts, gr_value **reterr)
{
    return gr_do(rt, embeddings, "embed_documents", documents_args(texts), opts, reterr);
}

gr_future *gr_aembed_documents(gr_runtime *rt, gr_ref embeddings, gr_value *texts,
                               const gr_call_opts *opts)
{
    return gr_acall(rt, embeddings, "embed_documents", documents_args(texts), opts);
}
