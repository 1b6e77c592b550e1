/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz.h - what the fuzz targets share: properties that must hold, and what an input may cost.
 *
 * A target takes its control bytes from the front of the input, and brackets the rest of its work:
 *
 *     struct fuzz_cost cost = fuzz_begin();
 *     …
 *     fuzz_end(&cost, size, 64);
 *
 * which fails when a block is left over, when more than FUZZ_FIXED + 64 bytes for each byte of the
 * input were held at any time, or when it took more than a second of this thread's time.
 */
#ifndef GR_TESTS_FUZZ_FUZZ_H
#define GR_TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/support/meter.h"

#define FUZZ_FIXED ((size_t)64 * 1024) /* what a decoder may hold for the shortest input */
#define FUZZ_NS UINT64_C(1000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* must: the process ends with the property that does not hold. */
#define must(cond) ((cond) ? (void)0 : fuzz_fail(#cond, __FILE__, __LINE__))

static inline _Noreturn void fuzz_fail(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: this must hold: %s\n", file, line, what);
    abort();
}

static inline uint64_t fuzz_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * FUZZ_NS + (uint64_t)t.tv_nsec;
}

struct fuzz_cost {
    long blocks;
    uint64_t ns;
};

static inline struct fuzz_cost fuzz_begin(void)
{
    meter_mark();
    return (struct fuzz_cost){ meter_blocks(), fuzz_ns() };
}

static inline void fuzz_end(const struct fuzz_cost *cost, size_t size, size_t factor)
{
    must(meter_blocks() == cost->blocks);
    if (meter_peak() > FUZZ_FIXED + factor * size)
        fprintf(stderr, "%zu bytes for an input of %zu\n", meter_peak(), size);
    must(meter_peak() <= FUZZ_FIXED + factor * size);
    must(fuzz_ns() - cost->ns < FUZZ_NS);
}

/* fuzz_text copies bytes as a C string, ended at the first NUL: free() it. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    must(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

#endif
