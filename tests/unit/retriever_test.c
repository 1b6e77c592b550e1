/* SPDX-License-Identifier: Apache-2.0 */
/* retriever_test.c - questions of all kinds passed on to a store, and the documents printed. */
#include <greenroom/greenroom.h>

#include <stdio.h>
#include <string.h>

#include "tests/support/test.h"

static gr_runtime *rt;
static gr_ref store;
static gr_value *err;

static void start(void)
{
    gr_value *ids;

    err = NULL;
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
    store = gr_memory_store(gr_root(rt), gr_hash_embeddings(gr_root(rt), 0));
    ids = gr_add_documents(
        rt, store,
        gr_list(gr_document("Refunds take five days.",
                            gr_map(GR_KV("source", gr_str("docs/refunds.md"))), "1"),
                gr_document("Our office is in Bern.", NULL, "2"),
                gr_document("Refunds need a receipt.",
                            gr_map(GR_KV("source", gr_str("docs/refunds.md"))), "3")),
        NULL, &err);
    cr_assert_eq(gr_len(ids), 3, "%s", gr_error_text(err));
    gr_value_unref(ids);
}

static void stop(void)
{
    gr_value_unref(err);
    gr_runtime_free(rt);
}

/* found gives the id of the best document and how many there are: "1/2". */
static const char *found(gr_ref retriever, gr_value *input)
{
    static char text[64];
    gr_value *list = gr_invoke(rt, retriever, input, NULL, &err);

    snprintf(text, sizeof(text), "%s/%zu", gr_cstr(gr_get(gr_at(list, 0), "id"), "?"),
             gr_len(list));
    gr_value_unref(list);
    return text;
}

Test(retriever, takes_strings_messages_and_maps, .init = start, .fini = stop)
{
    gr_ref r = gr_retriever(gr_root(rt), store, GR_RETRIEVER(.k = 2));

    cr_assert_str_eq(found(r, gr_str("how many days do refunds take?")), "1/2");
    cr_assert_str_eq(found(r, gr_human("where is the office?")), "2/2");
    cr_assert_str_eq(found(r, gr_map(GR_KV("query", gr_str("office")), GR_KV("k", gr_int(1)))),
                     "2/1");
    cr_assert_str_eq(found(gr_retriever(gr_root(rt), store, NULL), gr_str("x")) + 1, "/3");
    cr_assert_null(gr_invoke(rt, r, gr_int(1), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_ETYPE);
}

Test(retriever, filters_and_thresholds, .init = start, .fini = stop)
{
    gr_ref filtered =
        gr_retriever(gr_root(rt), store,
                     GR_RETRIEVER(.filter = gr_map(GR_KV("source", gr_str("docs/refunds.md")))));
    gr_ref strict = gr_retriever(gr_root(rt), store, GR_RETRIEVER(.score_min = &(double){ 0.99 }));

    cr_assert_str_eq(found(filtered, gr_str("office in Bern")) + 1, "/2");
    cr_assert_str_eq(found(strict, gr_str("Refunds take five days.")), "1/1");
    cr_assert_str_eq(found(strict, gr_str("nothing like it")), "?/0");
}

Test(retriever, documents_print_with_their_sources, .init = start, .fini = stop)
{
    gr_ref format = gr_format_docs(gr_root(rt));
    gr_value *text =
        gr_invoke(rt, format,
                  gr_list(gr_document("A.", gr_map(GR_KV("source", gr_str("a.md"))), "7"),
                          gr_document("B.", NULL, "8"), gr_document("C.", NULL, NULL)),
                  NULL, &err);

    cr_assert_str_eq(gr_cstr(text, ""), "[a.md]\nA.\n\n[8]\nB.\n\n[3]\nC.");
    gr_value_unref(text);
    cr_assert_null(gr_invoke(rt, format, gr_list(gr_str("x")), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_ETYPE);
}
