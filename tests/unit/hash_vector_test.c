/* SPDX-License-Identifier: Apache-2.0 */
/* hash_vector_test.c - the hashing embedder's vectors: length, likeness, sameness. */
#include "actors/embed/hash_vector.h"

#include <math.h>
#include <string.h>

#include "actors/text/words.h"
#include "tests/support/memory.h"
#include "tests/support/test.h"

#define DIM 384

static void embed(const char *text, float *x)
{
    cr_assert_eq(gri_hash_vector(text, strlen(text), DIM, x), GR_OK);
}

static double cosine(const char *a, const char *b)
{
    float x[DIM], y[DIM];
    double sum = 0;

    embed(a, x);
    embed(b, y);
    for (size_t i = 0; i < DIM; i++)
        sum += (double)x[i] * (double)y[i];
    return sum;
}

Test(hash_vector, has_length_one_or_zero)
{
    float x[DIM];
    double squares = 0;

    embed("Refunds take five days.", x);
    for (size_t i = 0; i < DIM; i++)
        squares += (double)x[i] * (double)x[i];
    cr_assert_float_eq(squares, 1.0, 1e-5);
    embed(" ... \n", x);
    for (size_t i = 0; i < DIM; i++)
        cr_assert_float_eq(x[i], 0.0, 0.0);
}

Test(hash_vector, like_texts_are_near)
{
    cr_assert_float_eq(cosine("Same TEXT here", "same text, here!"), 1.0, 1e-5);
    cr_assert_gt(cosine("how long do refunds take", "A refund takes five days"),
                 cosine("how long do refunds take", "Our office is open on Mondays") + 0.2);
    cr_assert_gt(cosine("reset my password", "password resetting"),
                 cosine("reset my password", "invoice address") + 0.2);
    cr_assert_gt(cosine("Überweisung", "überweisungen"), 0.4);
}

/* Stored vectors outlive the program: a change here makes them worthless. */
Test(hash_vector, never_changes)
{
    float x[DIM];
    size_t most = 0;

    cr_assert_eq(gri_hash_text("refund", 6, 1), UINT64_C(0xb74d63ebdfabb67d));
    embed("refund", x);
    for (size_t i = 1; i < DIM; i++)
        if (fabsf(x[i]) > fabsf(x[most]))
            most = i;
    cr_assert_eq(most, 62);
    cr_assert_float_eq(x[most], -0.718421221, 1e-7);
}

Test(hash_vector, words_are_folded_and_stemmed)
{
    static const char text[] = "The Cities' BOXES—ÄRGER 2nd";
    struct gri_words words = gri_words_of(text, sizeof(text) - 1);
    struct gri_word w;

    cr_assert(gri_words_next(&words, &w));
    cr_assert_str_eq(w.text, "the");
    cr_assert(w.common);
    cr_assert(gri_words_next(&words, &w));
    cr_assert_str_eq(w.text, "cities");
    gri_word_stem(&w);
    cr_assert_str_eq(w.text, "city");
    cr_assert(gri_words_next(&words, &w));
    cr_assert_str_eq(w.text, "boxes");
    cr_assert(gri_words_next(&words, &w));
    cr_assert_str_eq(w.text, "ärger");
    cr_assert_eq(w.chars, 5);
    cr_assert(gri_words_next(&words, &w));
    cr_assert_str_eq(w.text, "2nd");
    cr_assert_not(gri_words_next(&words, &w));
}

Test(hash_vector, very_long_words_are_cut_at_a_character)
{
    char text[1000];
    struct gri_words words;
    struct gri_word w;

    for (size_t i = 0; i < sizeof(text); i += 2)
        memcpy(text + i, "ü", 2);
    words = gri_words_of(text, sizeof(text));
    cr_assert(gri_words_next(&words, &w));
    cr_assert_lt(w.len, (size_t)GRI_WORD_MAX);
    cr_assert_eq(w.len % 2, 0);
    cr_assert_not(gri_words_next(&words, &w));
}

Test(hash_vector, no_allocation_is_trusted)
{
    long before = test_memory_live();
    float x[DIM];
    bool more = true;

    for (long n = 1; more; n++) {
        gr_code rc;

        test_memory_fail_at(n);
        rc = gri_hash_vector("a quick brown fox jumps over the lazy dog and so on", 51, DIM, x);
        more = test_memory_reached();
        cr_assert_eq(rc, more ? GR_ENOMEM : GR_OK);
        cr_assert_eq(test_memory_live(), before);
    }
}
