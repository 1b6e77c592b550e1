/* SPDX-License-Identifier: Apache-2.0 */
/* extract_test.c - finding question and context in a prompt, and quoting what answers. */
#include "actors/model/extract.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/memory.h"
#include "tests/support/test.h"

static const char prompt[] =
    "Answer from the context only.\n\n"
    "Context:\n"
    "[docs/refunds.md]\n"
    "# Refunds\n\n"
    "A refund takes five working days. It goes to the card\nthat was charged. Write to us first.\n\n"
    "[docs/office.md]\n"
    "Our office is open from 9 to 5 on weekdays. Bring your dog!\n\n"
    "Question: How many days do refunds take?\n"
    "Answer:";

static const struct gri_extract_opts usual = { 1, 0.15 };

static gr_value *answer(const char *text, const struct gri_extract_opts *opts)
{
    struct gri_span question, context;

    gri_extract_find(text, strlen(text), &question, &context);
    return gri_extract_answer(question, context, opts);
}

static bool says(const char *text, const struct gri_extract_opts *opts, const char *want)
{
    gr_value *got = answer(text, opts);
    bool same = strcmp(gr_cstr(got, ""), want) == 0;

    if (!same)
        fprintf(stderr, "got %s\n", gr_cstr(got, gr_error_text(got)));
    gr_value_unref(got);
    return same;
}

static bool span_is(struct gri_span span, const char *want)
{
    return span.len == strlen(want) && memcmp(span.text, want, span.len) == 0;
}

Test(extract, tells_question_and_context_apart)
{
    struct gri_span q, c;

    gri_extract_find("Context:\nA.\nQuestion: B?\nAnswer:", 32, &q, &c);
    cr_assert(span_is(q, " B?\n"));
    cr_assert(span_is(c, "\nA.\n"));
    gri_extract_find("Question: B?\nContext: A.", 24, &q, &c);
    cr_assert(span_is(q, " B?\n"));
    cr_assert(span_is(c, " A."));
    gri_extract_find("only text", 9, &q, &c);
    cr_assert_eq(q.len, 0);
    cr_assert(span_is(c, "only text"));
    gri_extract_find("", 0, &q, &c);
    cr_assert_eq(q.len + c.len, 0);
}

Test(extract, quotes_the_best_sentence_with_its_source)
{
    cr_assert(says(prompt, &usual,
                   "Extractive answer (no language model):\n"
                   "- \"A refund takes five working days.\" [docs/refunds.md]"));
}

Test(extract, folds_lines_and_cites_each_source)
{
    cr_assert(says("Context:\n[a]\nThe card\n   is charged. Else.\n[b]\nA card\tworks.\n\n"
                   "Question: card?",
                   &(struct gri_extract_opts){ 3, 0.15 },
                   "Extractive answer (no language model):\n"
                   "- \"The card is charged.\" [a]\n- \"A card works.\" [b]"));
}

Test(extract, headings_tables_and_code_are_not_quoted)
{
    cr_assert(says("Context:\n[a]\n# Tea\nTea is hot.\n\n| tea | hot |\n\n    tea(hot);\n"
                   "```c\ntea = hot;\n```\n- Tea is green.\n\nQuestion: tea",
                   &(struct gri_extract_opts){ 9, 0.15 },
                   "Extractive answer (no language model):\n"
                   "- \"Tea is hot.\" [a]\n- \"- Tea is green.\" [a]"));
}

Test(extract, says_when_nothing_answers)
{
    cr_assert(says("Context:\n[a]\nApples are red.\n\nQuestion: Where is Paris?", &usual,
                   "Extractive answer (no language model): nothing in the context answers this."));
    cr_assert(says("", &usual,
                   "Extractive answer (no language model): nothing in the context answers this."));
}

Test(extract, the_same_sentence_is_quoted_once)
{
    cr_assert(says("Context:\n[a]\nTea is hot.\n[b]\nTea is hot.\n\nQuestion: tea",
                   &(struct gri_extract_opts){ 3, 0.15 },
                   "Extractive answer (no language model):\n- \"Tea is hot.\" [a]"));
}

Test(extract, long_sentences_are_cut_at_a_character)
{
    char text[4000] = "Context:\ntea ";
    gr_value *got;

    for (size_t i = strlen(text); i + 40 < sizeof(text); i += 2)
        memcpy(text + i, "ü", 3);
    strcat(text, "\nQuestion: tea");
    got = answer(text, &usual);
    cr_assert_eq(gr_error_code(got), GR_OK);
    cr_assert_lt(gr_len(got), (size_t)700);
    gr_value_unref(got);
}

Test(extract, no_allocation_is_trusted)
{
    long before = test_memory_live();

    for (long n = 1;
         test_memory_fail_at(n), gr_value_unref(answer(prompt, &usual)), test_memory_reached(); n++)
        cr_assert_eq(test_memory_live(), before, "after allocation %ld", n);
}
