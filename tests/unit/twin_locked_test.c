/* SPDX-License-Identifier: Apache-2.0 */
/* twin_locked_test.c - twin_test.c for processors that can't change two words at once: with locks. */
#if !defined(GR_TWIN_LOCKED)
#define GR_TWIN_LOCKED 1
#endif

#include "tests/unit/twin_test.c"

struct gri_lock gri_twin_locks[64]; /* the library has none where it needs none */
