/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash_vector.c - feature hashing (Weinberger et al., 2009).
 *
 * A text's features are its words, stemmed, and the 3- to 5-grams of characters of "<word>". Each
 * feature's hash picks a place and a sign; its weight is its class's times 1 + ln(how often). The
 * signs make what collides cancel out on average, instead of adding up.
 */
#include "actors/embed/hash_vector.h"

#include <math.h>
#include <string.h>

#include "actors/text/words.h"
#include "runtime/base/alloc.h"
#include "runtime/base/utf8.h"

enum { WEIGHT_WORD = 16, WEIGHT_COMMON = 2, WEIGHT_GRAM = 4, WEIGHT_COMMON_GRAM = 1 };
enum { GRAM_LEAST = 3, GRAM_MOST = 5 };

struct feature {
    uint64_t hash; /* 0: free */
    uint32_t count;
    uint32_t weight;
};

struct features {
    struct feature *slots; /* owned; cap is a power of two, at most 3/4 full */
    size_t cap, count;
};

/* 256 * ln(n) for n of 16 to 31; smaller and larger n are shifted into that range. */
static const uint32_t ln_table[16] = { 710, 725, 740, 754, 767, 779, 791, 803,
                                       814, 824, 834, 844, 853, 862, 871, 879 };
enum { LN2_256 = 177 };

/* ln_256 gives 256 * ln(n), rounded to a few units, n > 0. */
static int64_t ln_256(uint32_t n)
{
    int shift = 0;

    while (n >= 32) {
        n >>= 1;
        shift++;
    }
    while (n < 16) {
        n <<= 1;
        shift--;
    }
    return (int64_t)ln_table[n - 16] + (int64_t)shift * LN2_256;
}

static struct feature *find(struct features *f, uint64_t hash)
{
    size_t at = (size_t)hash & (f->cap - 1);

    while (f->slots[at].hash != 0 && f->slots[at].hash != hash)
        at = (at + 1) & (f->cap - 1);
    return &f->slots[at];
}

static bool grow(struct features *f)
{
    struct features bigger = { .cap = f->cap == 0 ? 256 : f->cap * 2, .count = f->count };

    bigger.slots = gri_alloc_array(bigger.cap, sizeof(*bigger.slots));
    if (bigger.slots == NULL)
        return false;
    for (size_t i = 0; i < f->cap; i++)
        if (f->slots[i].hash != 0)
            *find(&bigger, f->slots[i].hash) = f->slots[i];
    gri_free(f->slots);
    *f = bigger;
    return true;
}

static bool add(struct features *f, const char *text, size_t len, uint64_t seed, uint32_t weight)
{
    uint64_t hash = gri_hash_text(text, len, seed) | 1;
    struct feature *slot;

    if (f->count + 1 > f->cap / 4 * 3 && !grow(f))
        return false;
    slot = find(f, hash);
    if (slot->hash == 0) {
        slot->hash = hash;
        slot->weight = weight;
        f->count++;
    }
    if (slot->count < UINT32_MAX)
        slot->count++;
    return true;
}

/* add_grams adds the character n-grams of "<word>". */
static bool add_grams(struct features *f, const struct gri_word *w)
{
    char text[GRI_WORD_MAX + 2];
    size_t starts[GRI_WORD_MAX + 3], count = 0, len = 0;
    uint32_t weight = w->common ? WEIGHT_COMMON_GRAM : WEIGHT_GRAM, c = 0;

    text[len++] = '<';
    memcpy(text + len, w->text, w->len);
    len += w->len;
    text[len++] = '>';
    for (size_t at = 0; at < len; at += gri_utf8_next(text + at, len - at, &c))
        starts[count++] = at;
    starts[count] = len;
    for (size_t n = GRAM_LEAST; n <= GRAM_MOST; n++)
        for (size_t i = 0; i + n <= count; i++)
            if (!add(f, text + starts[i], starts[i + n] - starts[i], n, weight))
                return false;
    return true;
}

static bool read_features(struct features *f, const char *text, size_t len)
{
    struct gri_words words = gri_words_of(text, len);
    struct gri_word word;

    while (gri_words_next(&words, &word)) {
        if (!add_grams(f, &word))
            return false;
        if (!word.common)
            gri_word_stem(&word);
        if (!add(f, word.text, word.len, 1, word.common ? WEIGHT_COMMON : WEIGHT_WORD))
            return false;
    }
    return true;
}

/* scale gives x length 1. Sums stay below 2^23, so that their squares can be added exactly. */
static void scale(const int64_t *sums, size_t dim, float *x)
{
    int64_t most = 0;
    uint64_t squares = 0;
    int shift = 0;
    double norm;

    for (size_t i = 0; i < dim; i++) {
        int64_t size = sums[i] < 0 ? -sums[i] : sums[i];

        if (size > most)
            most = size;
    }
    while ((most >> shift) >= (INT64_C(1) << 23))
        shift++;
    for (size_t i = 0; i < dim; i++) {
        int64_t s = sums[i] / (INT64_C(1) << shift);

        squares += (uint64_t)(s * s);
    }
    norm = sqrt((double)squares);
    for (size_t i = 0; i < dim; i++) {
        int64_t s = sums[i] / (INT64_C(1) << shift);

        x[i] = squares == 0 ? 0.0f : (float)((double)s / norm);
    }
}

gr_code gri_hash_vector(const char *text, size_t len, size_t dim, float *x)
{
    struct features f = { .slots = NULL };
    int64_t *sums = gri_alloc_array(dim, sizeof(*sums));
    gr_code rc = GR_ENOMEM;

    if (sums == NULL || !read_features(&f, text, len))
        goto out;
    for (size_t i = 0; i < f.cap; i++) {
        const struct feature *slot = &f.slots[i];
        int64_t weight;

        if (slot->hash == 0)
            continue;
        weight = (int64_t)slot->weight * (256 + ln_256(slot->count));
        sums[(slot->hash >> 1) % dim] += (slot->hash >> 63) != 0 ? -weight : weight;
    }
    scale(sums, dim, x);
    rc = GR_OK;
out:
    gri_free(f.slots);
    gri_free(sums);
    return rc;
}
