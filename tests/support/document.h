/* SPDX-License-Identifier: Apache-2.0 */
/*
 * document.h - documents made from a seed, to compare decoders on: each seed makes the same one on
 * every machine. Some are good, some are damaged, and all kinds of corner are visited: numbers at
 * the edges, surrogates, keys given twice, deep nesting, every width of a length.
 */
#ifndef GR_TESTS_SUPPORT_DOCUMENT_H
#define GR_TESTS_SUPPORT_DOCUMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/strbuf.h"

struct test_dice {
    uint64_t state;
};

/* test_dice_of: seeds that are neighbours have nothing in common. */
struct test_dice test_dice_of(uint64_t seed);
uint64_t test_throw(struct test_dice *d); /* 64 random bits (splitmix64) */
/* test_below returns a number from 0 to n - 1. */
static inline size_t test_below(struct test_dice *d, size_t n)
{
    return (size_t)(test_throw(d) % n);
}
static inline bool test_one_in(struct test_dice *d, size_t n)
{
    return test_below(d, n) == 0;
}

/* Each appends one document to out. Two of five are damaged, in JSON, MessagePack and NDJSON. */
void test_make_json(struct gri_strbuf *out, uint64_t seed);
void test_make_msgpack(struct gri_strbuf *out, uint64_t seed);
void test_make_sse(struct gri_strbuf *out, uint64_t seed); /* a stream of server-sent events */
void test_make_ndjson(struct gri_strbuf *out, uint64_t seed);

/* test_damage changes one to four places from `from` on: bytes flip, go, come, or repeat. */
void test_damage(struct gri_strbuf *out, size_t from, struct test_dice *d);

/* test_seed is $GR_TEST_SEED, or 1; test_documents is $GR_TEST_DOCUMENTS, or the number given. */
uint64_t test_seed(void);
size_t test_documents(size_t by_default);

#endif
