/* SPDX-License-Identifier: Apache-2.0 */
/* memory_store_test.c - the memory store as an actor: write, read, replace, delete, and errors. */
#include <greenroom/greenroom.h>

#include <stdio.h>
#include <string.h>

#include "tests/support/test.h"

static gr_runtime *rt;
static gr_ref store;
static gr_value *err;

/* A two-dimensional embedder for tests: the text is the vector, "0.9 0.1"; "-" fails. */
static gr_value *vector_of(const gr_value *text)
{
    float x[3] = { 0, 0, 0 };
    int count = sscanf(gr_cstr(text, ""), "%f %f %f", &x[0], &x[1], &x[2]);

    return count < 1 ? gr_error(GR_ERATE, "no vector") : gr_floats(x, (size_t)count);
}

static gr_value *embed_query(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    (void)self;
    return vector_of(gr_get(args, "text"));
}

static gr_value *embed_documents(gr_ctx *c, void *self, const gr_value *args)
{
    const gr_value *texts = gr_get(args, "texts");
    gr_value *list = gr_list_n(NULL, 0);

    (void)c;
    (void)self;
    for (size_t i = 0; i < gr_len(texts); i++) {
        gr_value *v = vector_of(gr_at(texts, i));

        if (gr_error_code(v) != GR_OK) {
            gr_value_unref(list);
            return v;
        }
        list = gr_append(list, v);
    }
    return list;
}

static const gr_method methods[] = { { "embed_query", GR_CHEAP, embed_query, NULL },
                                     { "embed_documents", GR_ASYNC, embed_documents, NULL } };
static const gr_class embedder = GR_CLASS(.name = "PlainVectors", GR_METHODS(methods));

static void start(void)
{
    err = NULL;
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
    store = gr_memory_store(gr_root(rt), gr_spawn(gr_root(rt), &embedder, NULL));
}

static void stop(void)
{
    gr_value_unref(err);
    gr_runtime_free(rt);
}

static void fill(void)
{
    gr_value *ids = gr_add_texts(
        rt, store, gr_list(gr_str("1 0"), gr_str("0 1"), gr_str("-1 0"), gr_str("0.9 0.1")),
        gr_list(gr_map(GR_KV("g", gr_int(1))), gr_nil(), gr_map(GR_KV("g", gr_int(2))),
                gr_map(GR_KV("g", gr_int(2)))),
        gr_list(gr_str("a"), gr_str("b"), gr_str("c"), gr_str("d")), NULL, &err);

    cr_assert_eq(gr_len(ids), 4, "%s", gr_error_text(err));
    cr_assert_str_eq(gr_cstr(gr_at(ids, 3), ""), "d");
    gr_value_unref(ids);
}

/* ids joins the documents' ids, and frees the list. */
static const char *ids(gr_value *list)
{
    static char text[64];

    text[0] = '\0';
    for (size_t i = 0; i < gr_len(list); i++)
        strcat(text, gr_cstr(gr_get(gr_at(list, i), "id"), "?"));
    gr_value_unref(list);
    return text;
}

static bool failed(gr_value *v, gr_code code, const char *text)
{
    bool as_wanted =
        v == NULL && gr_error_code(err) == code && strstr(gr_error_text(err), text) != NULL;

    if (!as_wanted)
        fprintf(stderr, "got %s\n", gr_error_text(err));
    gr_value_unref(v);
    gr_value_unref(err);
    err = NULL;
    return as_wanted;
}

Test(memory_store, searches_by_likeness, .init = start, .fini = stop)
{
    gr_value *pairs;

    fill();
    cr_assert_str_eq(ids(gr_similarity_search(rt, store, "1 0", NULL, NULL, &err)), "adbc");
    cr_assert_str_eq(
        ids(gr_take(gr_asimilarity_search(rt, store, "1 0", GR_SEARCH(.k = 2), NULL), &err)), "ad");
    pairs = gr_similarity_search_with_score(rt, store, "1 0", GR_SEARCH(.k = 2), NULL, &err);
    cr_assert_float_eq(gr_as_real(gr_at(gr_at(pairs, 1), 1), 0), 0.9938837346736189, 1e-6);
    cr_assert_str_eq(gr_cstr(gr_get(gr_at(gr_at(pairs, 1), 0), "page_content"), ""), "0.9 0.1");
    gr_value_unref(pairs);
    cr_assert_str_eq(ids(gr_similarity_search_by_vector(rt, store, gr_list(gr_int(0), gr_real(1.0)),
                                                        GR_SEARCH(.k = 1), NULL, &err)),
                     "b");
}

Test(memory_store, filters_by_metadata, .init = start, .fini = stop)
{
    fill();
    cr_assert_str_eq(
        ids(gr_similarity_search(rt, store, "1 0",
                                 GR_SEARCH(.filter = gr_map(GR_KV("g", gr_int(2)))), NULL, &err)),
        "dc");
    cr_assert(
        failed(gr_do(rt, store, "similarity_search",
                     gr_map(GR_KV("query", gr_str("1 0")), GR_KV("filter", gr_int(1))), NULL, &err),
               GR_ETYPE, "filter"));
    cr_assert(
        failed(gr_do(rt, store, "similarity_search",
                     gr_map(GR_KV("query", gr_str("1 0")), GR_KV("k", gr_int(-1))), NULL, &err),
               GR_EINVAL, "k is"));
}

Test(memory_store, an_empty_store_finds_nothing, .init = start, .fini = stop)
{
    gr_value *found = gr_similarity_search(rt, store, "1 0", NULL, NULL, &err);

    cr_assert_eq(gr_value_type(found), GR_LIST);
    cr_assert_eq(gr_len(found), 0);
    gr_value_unref(found);
}

Test(memory_store, documents_get_ids_and_come_back_whole, .init = start, .fini = stop)
{
    gr_value *got =
        gr_add_documents(rt, store,
                         gr_list(gr_document("1 0", gr_map(GR_KV("k", gr_str("v"))), NULL),
                                 gr_document("0 1", NULL, "mine")),
                         NULL, &err);
    gr_value *found;

    cr_assert_eq(gr_len(gr_at(got, 0)), 36);
    cr_assert_eq(gr_cstr(gr_at(got, 0), "")[14], '4');
    cr_assert_str_eq(gr_cstr(gr_at(got, 1), ""), "mine");
    found = gr_get_by_ids(rt, store, gr_list(gr_str("nobody"), gr_value_ref(gr_at(got, 0))), NULL,
                          &err);
    cr_assert_eq(gr_len(found), 1);
    cr_assert_str_eq(gr_cstr(gr_get(gr_get(gr_at(found, 0), "metadata"), "k"), ""), "v");
    cr_assert_str_eq(gr_cstr(gr_get(gr_at(found, 0), "type"), ""), "Document");
    cr_assert_str_eq(gr_cstr(gr_get(gr_at(found, 0), "page_content"), ""), "1 0");
    gr_value_unref(found);
    gr_value_unref(got);
}

Test(memory_store, the_same_id_replaces_and_delete_forgets, .init = start, .fini = stop)
{
    gr_value *v;

    fill();
    v = gr_take(gr_aadd_documents(rt, store, gr_list(gr_document("0 -1", NULL, "a")), NULL), &err);
    gr_value_unref(v);
    cr_assert_str_eq(ids(gr_similarity_search(rt, store, "0 -1", GR_SEARCH(.k = 1), NULL, &err)),
                     "a");
    v = gr_delete_documents(rt, store, gr_list(gr_str("a"), gr_str("nobody")), NULL, &err);
    cr_assert(gr_as_bool(v, false));
    gr_value_unref(v);
    cr_assert_str_eq(ids(gr_similarity_search(rt, store, "1 0", GR_SEARCH(.k = 9), NULL, &err)),
                     "dbc");
    v = gr_take(gr_adelete_documents(rt, store, NULL, NULL), &err);
    gr_value_unref(v);
    v = gr_add_texts(rt, store, gr_list(gr_str("1 2 3")), NULL, NULL, NULL, &err);
    cr_assert_eq(gr_len(v), 1, "an empty store takes another dimension");
    gr_value_unref(v);
}

Test(memory_store, wrong_input_is_refused, .init = start, .fini = stop)
{
    fill();
    cr_assert(failed(gr_add_texts(rt, store, gr_list(gr_str("1 2 3")), NULL, NULL, NULL, &err),
                     GR_EINVAL, "3 dimensions in a store of 2"));
    cr_assert(failed(gr_similarity_search(rt, store, "1 2 3", NULL, NULL, &err), GR_EINVAL,
                     "3 dimensions"));
    cr_assert(failed(gr_add_texts(rt, store, gr_list(gr_str("1 0")), NULL,
                                  gr_list(gr_str("x"), gr_str("y")), NULL, &err),
                     GR_EINVAL, "1 texts but 2 ids"));
    cr_assert(failed(gr_add_documents(rt, store, gr_list(gr_str("x")), NULL, &err), GR_EINVAL,
                     "document 1 has no text"));
    cr_assert(failed(gr_add_texts(rt, store, gr_list(gr_str("-")), NULL, NULL, NULL, &err),
                     GR_ERATE, "no vector"));
    cr_assert(failed(gr_do(rt, store, "add_texts", gr_nil(), NULL, &err), GR_ETYPE, "texts"));
    cr_assert(
        failed(gr_do(rt, store, "similarity_search", gr_nil(), NULL, &err), GR_ETYPE, "query"));
    cr_assert(failed(gr_do(rt, store, "get_by_ids", gr_nil(), NULL, &err), GR_ETYPE, "ids"));
    cr_assert_str_eq(ids(gr_similarity_search(rt, store, "1 0", NULL, NULL, &err)), "adbc");
}

Test(memory_store, many_callers_at_once, .init = start, .fini = stop)
{
    gr_future *calls[100];
    gr_value *all;

    for (int i = 0; i < 100; i++) {
        gr_value *text = gr_strf("1 %d", i);

        calls[i] = gr_aadd_texts(rt, store, gr_list(text), NULL, gr_list(gr_strf("id%d", i)), NULL);
    }
    all = gr_take(gr_all(rt, calls, 100), &err);
    cr_assert_eq(gr_len(all), 100, "%s", gr_error_text(err));
    gr_value_unref(all);
    for (int i = 0; i < 100; i++)
        calls[i] = gr_asimilarity_search(rt, store, "1 0", GR_SEARCH(.k = 1), NULL);
    all = gr_take(gr_all(rt, calls, 100), &err);
    for (size_t i = 0; i < 100; i++)
        cr_assert_str_eq(gr_cstr(gr_get(gr_at(gr_at(all, i), 0), "id"), ""), "id0");
    gr_value_unref(all);
}
