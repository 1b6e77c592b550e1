/* SPDX-License-Identifier: Apache-2.0 */
/* hash_embeddings_test.c - the hashing embedder as an actor, and its twins. */
#include <greenroom/greenroom.h>

#include <string.h>

#include "tests/support/test.h"

static gr_runtime *rt;

static void start(void)
{
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
}

static void stop(void)
{
    gr_runtime_free(rt);
}

Test(hash_embeddings, both_twins_give_the_same, .init = start, .fini = stop)
{
    gr_ref e = gr_hash_embeddings(gr_root(rt), 0);
    gr_value *err = NULL, *a = gr_embed_query(rt, e, "some text", NULL, &err);
    gr_value *b = gr_take(gr_aembed_query(rt, e, "some text", NULL), &err);
    gr_value *list =
        gr_embed_documents(rt, e, gr_list(gr_str("x"), gr_str("some text")), NULL, &err);

    cr_assert_eq(gr_len(a), 384);
    cr_assert(gr_equal(a, b));
    cr_assert_eq(gr_len(list), 2);
    cr_assert(gr_equal(a, gr_at(list, 1)));
    gr_value_unref(list);
    list = gr_take(gr_aembed_documents(rt, e, gr_list_n(NULL, 0), NULL), &err);
    cr_assert_eq(gr_len(list), 0);
    cr_assert_eq(gr_value_type(list), GR_LIST);
    gr_value_unref(list);
    gr_value_unref(a);
    gr_value_unref(b);
}

Test(hash_embeddings, long_texts_go_to_the_blocking_pool, .init = start, .fini = stop)
{
    static char text[100001];
    gr_ref e = gr_hash_embeddings(gr_root(rt), 16);
    gr_value *err = NULL, *v, *list;

    memset(text, 'a', sizeof(text) - 1);
    for (size_t i = 5; i < sizeof(text) - 1; i += 6)
        text[i] = ' ';
    v = gr_embed_query(rt, e, text, NULL, &err);
    cr_assert_eq(gr_len(v), 16, "%s", gr_error_text(err));
    list = gr_embed_documents(rt, e, gr_list(gr_str("b"), gr_str(text)), NULL, &err);
    cr_assert(gr_equal(gr_at(list, 1), v));
    gr_value_unref(v);
    gr_value_unref(list);
}

Test(hash_embeddings, wrong_input_is_refused, .init = start, .fini = stop)
{
    gr_ref e = gr_hash_embeddings(gr_root(rt), 8), big = gr_hash_embeddings(gr_root(rt), 1u << 30);
    gr_value *err = NULL;

    cr_assert_null(gr_do(rt, e, "embed_query", gr_map(GR_KV("text", gr_int(1))), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_ETYPE);
    gr_value_unref(err);
    cr_assert_null(gr_embed_documents(rt, e, gr_list(gr_str("a"), gr_nil()), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_ETYPE);
    gr_value_unref(err);
    cr_assert_null(gr_embed_query(rt, big, "x", NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EINVAL);
    gr_value_unref(err);
}
