/* SPDX-License-Identifier: Apache-2.0 */
/* retriever.c - gr_retriever: a question passed on to a store's search. */
#include <greenroom/callbacks.h>
#include <greenroom/message.h>
#include <greenroom/retriever.h>

#include "runtime/base/alloc.h"

/* search_args gives the map for the store: the question, and k and filter, the input's before our
 * own. */
static gr_value *search_args(const gr_value *own, const gr_value *input)
{
    gr_value *args;

    if (gr_value_type(input) == GR_MAP && gr_get(input, "query") != NULL) {
        args = gr_map(GR_KV("query", gr_value_ref(gr_get(input, "query"))));
        if (!gr_is_nil(gr_get(input, "k")))
            args = gr_set(args, "k", gr_value_ref(gr_get(input, "k")));
        if (!gr_is_nil(gr_get(input, "filter")))
            args = gr_set(args, "filter", gr_value_ref(gr_get(input, "filter")));
    } else {
        gr_value *text = gr_message_text(input);

        if (gr_error_code(text) != GR_OK) {
            gr_value_unref(text);
            return gr_error(GR_ETYPE,
                            "a retriever takes a string, a message or {\"query\": …}, not "
                            "a value of type %s",
                            gr_type_name(gr_value_type(input)));
        }
        args = gr_map(GR_KV("query", text));
    }
    return gr_merge(gr_value_ref(gr_get(own, "search")), args);
}

static gr_value *above(const gr_value *pairs, double least)
{
    gr_value *documents = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(pairs); i++)
        if (gr_as_real(gr_at(gr_at(pairs, i), 1), -2) >= least)
            documents = gr_append(documents, gr_value_ref(gr_at(gr_at(pairs, i), 0)));
    return documents;
}

static gr_value *retrieve(gr_ctx *c, void *self, const gr_value *input)
{
    const gr_value *own = gr_args(c);
    gr_ref store = gr_as_ref(gr_get(own, "store"));
    gr_value *args = search_args(own, input), *pairs, *answer = NULL;

    (void)self;
    if (gr_error_code(args) != GR_OK)
        return args;
    if (gr_get(own, "score_min") == NULL)
        return gr_delegate(c, store, "similarity_search", args);
    pairs = gr_do(gr_runtime_of(c), store, "similarity_search_with_score", args, NULL, &answer);
    if (pairs != NULL)
        answer = above(pairs, gr_as_real(gr_get(own, "score_min"), 0));
    gr_value_unref(pairs);
    return answer;
}

static const gr_method retriever_methods[] = { { "invoke", GR_ASYNC, retrieve, NULL } };
static const gr_class retriever_class =
    GR_CLASS(.name = "VectorStoreRetriever", .run_type = GR_TYPE_RETRIEVER,
             GR_METHODS(retriever_methods));

gr_ref gr_retriever(gr_scope *in, gr_ref store, const gr_retriever_opts *opts)
{
    gr_value *search = gr_map_n(NULL, 0), *args;

    if (opts != NULL && opts->k != 0)
        search = gr_set(search, "k", gr_int((int64_t)opts->k));
    if (opts != NULL && opts->filter != NULL)
        search = gr_set(search, "filter", opts->filter);
    args = gr_map(GR_KV("store", gr_ref_value(store)), GR_KV("search", search));
    if (opts != NULL && opts->score_min != NULL)
        args = gr_set(args, "score_min", gr_real(*opts->score_min));
    return gr_spawn(in, &retriever_class, GR_SPAWN(.args = args));
}
