/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.h - Greenroom's allocations under the test's control: counted, and made to fail.
 *
 * A test that uses any of these has the counting allocator from before main on. What is torture:
 *
 *     for (long n = 1; test_memory_fail_at(n), use_it(), test_memory_reached(); n++)
 *         cr_assert_eq(test_memory_live(), before);
 *
 * runs use_it with its first allocation failing, then its second, until all of it succeeds; it must
 * leave nothing behind each time. Any thread may allocate; only one may call the functions here.
 */
#ifndef GR_TESTS_SUPPORT_MEMORY_H
#define GR_TESTS_SUPPORT_MEMORY_H

#include <stdbool.h>

long test_memory_live(void);  /* blocks that are not freed */
long test_memory_total(void); /* allocations and reallocations so far, refused ones too */
long test_memory_bytes(void); /* that all of these asked for */

/* test_memory_fail_at refuses the n-th allocation from now, 1 being the next; 0: none. _fail_from
 * refuses that one and every one after it. */
void test_memory_fail_at(long n);
void test_memory_fail_from(long n);

/* test_memory_ask lets refuse decide from now on, which is asked once for each allocation; before any is
 * made by another thread. */
void test_memory_ask(bool (*refuse)(void));

/* test_memory_reached tells whether one was refused since the last call of either, and stops
 * refusing. */
bool test_memory_reached(void);

#endif
