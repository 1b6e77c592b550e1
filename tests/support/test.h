/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test.h - how a test is written: Test(suite, name) { cr_assert_eq(1 + 1, 2); }
 *
 * Two modes, one spelling. Normally this is Criterion: each test is a process of its own. With
 * GR_TEST_PLAIN it is the small runner below, which runs all tests in this process, in the order
 * of the file: Criterion can't run under ThreadSanitizer. Both end with the same line, which
 * `./dev test` adds up: "[====] Synthesis: Tested: 3 | Passing: 3 | Failing: 0 | Crashing: 0".
 *
 * In plain mode
 *   - a failed cr_assert leaves the test (longjmp), so what it held leaks; on another thread than
 *     the test's own it ends the process, since there is nothing to jump to;
 *   - arguments choose tests: a part of "suite/name", or --filter with a glob; options are ignored;
 *   - a test with .signal or .exit_code is skipped: it needs a process of its own.
 *
 * Only the cr_assert family of Criterion below is to be used, so that every test runs in both.
 */
#ifndef GR_TESTS_SUPPORT_TEST_H
#define GR_TESTS_SUPPORT_TEST_H

#if defined(__clang__)
/* Test(suite, name) without options is the usual spelling, though ISO C11 wants one more comma. */
#pragma clang diagnostic ignored "-Wgnu-zero-variadic-macro-arguments"
#endif

#if !defined(GR_TEST_PLAIN)

#include <criterion/criterion.h>

#else
#include "tests/support/test_plain.h"
#endif

/* TEST_WAIT_MS bounds a wait for something that must happen: long, since it's never a measure. */
#define TEST_WAIT_MS 20000

#endif
