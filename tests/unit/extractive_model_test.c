/* SPDX-License-Identifier: Apache-2.0 */
/* extractive_model_test.c - the offline models as actors: whole, streamed, and behind a prompt. */
#include <greenroom/greenroom.h>

#include <string.h>

#include "tests/support/test.h"

static gr_runtime *rt;
static gr_value *err;

static void start(void)
{
    err = NULL;
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
}

static void stop(void)
{
    gr_value_unref(err);
    gr_runtime_free(rt);
}

static const char prompt[] = "Context:\n[docs/refunds.md]\nRefunds take five days.\n\n"
                             "Question: How many days do refunds take?";
static const char answer[] = "Extractive answer (no language model):\n"
                             "- \"Refunds take five days.\" [docs/refunds.md]";

Test(extractive_model, quotes_what_was_retrieved, .init = start, .fini = stop)
{
    gr_ref m = gr_extractive_model(gr_root(rt), NULL);
    gr_value *got = gr_invoke(rt, m, gr_str(prompt), NULL, &err);

    cr_assert_str_eq(gr_cstr(gr_get(got, "content"), gr_error_text(err)), answer);
    cr_assert_str_eq(gr_cstr(gr_get(got, "type"), ""), "ai");
    gr_value_unref(got);
    cr_assert_null(gr_invoke(rt, m, gr_int(1), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EINVAL);
}

Test(extractive_model, context_and_question_may_be_two_messages, .init = start, .fini = stop)
{
    gr_value *got =
        gr_invoke(rt, gr_extractive_model(gr_root(rt), NULL),
                  gr_list(gr_system("Context:\n[docs/refunds.md]\nRefunds take five days."),
                          gr_human("How many days do refunds take?")),
                  NULL, &err);

    cr_assert_str_eq(gr_cstr(gr_get(got, "content"), gr_error_text(err)), answer);
    gr_value_unref(got);
}

Test(extractive_model, streams_word_by_word, .init = start, .fini = stop)
{
    gr_stream *s = gr_astream(rt, gr_extractive_model(gr_root(rt), NULL), gr_str(prompt), NULL);
    gr_outcome o = gr_next(s, TEST_WAIT_MS);
    gr_value *sum;

    cr_assert_str_eq(gr_cstr(gr_get(o.value, "content"), ""), "Extractive");
    cr_assert_str_eq(gr_cstr(gr_get(o.value, "type"), ""), "AIMessageChunk");
    sum = gr_value_ref(o.value); /* before s is gone */
    sum = gr_add(sum, gr_stream_take(s, &err));
    sum = gr_message_of_chunk(sum);
    cr_assert_str_eq(gr_cstr(gr_get(sum, "content"), ""), answer);
    cr_assert_str_eq(gr_cstr(gr_get(gr_get(sum, "response_metadata"), "model_name"), ""),
                     "extractive");
    gr_value_unref(sum);
}

Test(extractive_model, the_whole_chain_runs_offline, .init = start, .fini = stop)
{
    gr_scope *root = gr_root(rt);
    gr_ref store = gr_memory_store(root, gr_hash_embeddings(root, 0));
    gr_value *ids = gr_add_documents(
        rt, store,
        gr_list(gr_document("Refunds take five days.",
                            gr_map(GR_KV("source", gr_str("docs/refunds.md"))), NULL),
                gr_document("Bring your dog.", NULL, NULL)),
        NULL, &err);
    gr_ref context =
        gr_seq(root, gr_retriever(root, store, GR_RETRIEVER(.k = 1)), gr_format_docs(root));
    gr_ref chain = gr_seq(
        root,
        gr_parallel(root, GR_STEP("context", context), GR_STEP("question", gr_passthrough(root))),
        gr_prompt(root, "Context:\n{context}\n\nQuestion: {question}"),
        gr_extractive_model(root, NULL), gr_str_parser(root));
    gr_value *got = gr_invoke(rt, chain, gr_str("How many days do refunds take?"), NULL, &err);

    cr_assert_str_eq(gr_cstr(got, gr_error_text(err)), answer);
    gr_value_unref(got);
    gr_value_unref(ids);
}

Test(extractive_model, a_script_answers_in_turn, .init = start, .fini = stop)
{
    gr_ref m = gr_script_model(
        gr_root(rt), GR_SCRIPT(.answers = gr_list(gr_str("one two"), gr_error(GR_ERATE, "slow"),
                                                  gr_ai("three"))));
    gr_value *got = gr_stream_take(gr_astream(rt, m, gr_str("x"), NULL), &err);

    cr_assert_str_eq(gr_cstr(gr_get(got, "content"), ""), "one two");
    gr_value_unref(got);
    cr_assert_null(gr_invoke(rt, m, gr_str("x"), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_ERATE);
    for (int i = 0; i < 2; i++) {
        got = gr_invoke(rt, m, gr_str("x"), NULL, NULL);
        cr_assert_str_eq(gr_cstr(gr_get(got, "content"), ""), i == 0 ? "three" : "one two");
        gr_value_unref(got);
    }
    got = gr_check(rt, gr_script_model(gr_root(rt), NULL));
    gr_value_unref(got);
}
