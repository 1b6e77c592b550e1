/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rag.c - what an answer from one's own documents costs, all of it embedded: embedding the
 * question, the search over 10,000 documents, the prompt, the extractive answer.
 */
#include "bench/bench.h"

#define DOCUMENTS 10000
#define ADD_AT_ONCE 500

static const char *const topics[] = {
    "refunds",  "deliveries", "passwords", "invoices", "holidays",
    "printers", "contracts",  "visitors",  "parking",  "backups"
};
static const char *const facts[] = {
    "take five days", "need a form",   "are handled by the front desk", "start in the morning",
    "cost nothing",   "end on Friday", "are recorded in the ledger"
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static gr_value *text_of(long i)
{
    return gr_strf("In office %ld, %s %s. Ask %s%ld for details.", i,
                   topics[(size_t)i % COUNT(topics)], facts[(size_t)i % COUNT(facts)],
                   topics[(size_t)(i / 7) % COUNT(topics)], i);
}

static void fill(struct bench_run *b, gr_ref store)
{
    for (long i = 0; i < DOCUMENTS && !b->failed; i += ADD_AT_ONCE) {
        gr_value *texts = gr_list_n(NULL, 0);

        for (long k = i; k < i + ADD_AT_ONCE; k++)
            texts = gr_append(texts, text_of(k));
        bench_take(b, gr_aadd_texts(b->rt, store, texts, NULL, NULL, NULL));
    }
}

/* {context: retriever | format, question: passthrough} | prompt | extractive model | text */
static gr_ref chain(gr_scope *s, gr_ref store)
{
    gr_ref context = gr_seq(s, gr_retriever(s, store, NULL), gr_format_docs(s));

    return gr_seq(
        s, gr_parallel(s, GR_STEP("context", context), GR_STEP("question", gr_passthrough(s))),
        gr_prompt(s, "Context:\n{context}\n\nQuestion: {question}\nAnswer:"),
        gr_extractive_model(s, NULL), gr_str_parser(s));
}

static void rag_10k(struct bench_run *b)
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    gr_ref store = gr_memory_store(s, gr_hash_embeddings(s, 0)), rag = chain(s, store);

    fill(b, store);
    bench_begin(b);
    for (long i = 0; i < b->n && !b->failed; i++) {
        gr_value *question =
            gr_strf("Which %s %s in office %ld?", topics[(size_t)i % COUNT(topics)],
                    facts[(size_t)i % COUNT(facts)], i * 37 % DOCUMENTS);

        bench_take(b, gr_ainvoke(b->rt, rag, question, NULL));
        bench_lap(b, 1);
    }
    bench_end(b);
    gr_scope_free(s);
}

const struct bench bench_rag[] = {
    { .name = "rag_10k",
      .what = "a question answered from 10,000 documents",
      .n = 200,
      .run = rag_10k },
    { .name = NULL },
};
