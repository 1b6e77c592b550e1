/* SPDX-License-Identifier: Apache-2.0 */
/* endure.h - a scenario of the engine with every allocation failing in turn; for engine.h's `rt` and `root`. */
#ifndef GR_TESTS_SUPPORT_ENDURE_H
#define GR_TESTS_SUPPORT_ENDURE_H

#include "tests/support/engine.h"

/* endure runs a scenario with every allocation failing in turn; `all`: and every one after it. */
static inline void endure(void (*scenario)(void), bool all, unsigned workers)
{
    long before = test_memory_live();
    bool reached = true;

    for (long n = 1; reached; n++) {
        gr_code rc;

        (all ? test_memory_fail_from : test_memory_fail_at)(n);
        rc = gr_runtime_new(GR_RUNTIME(.workers = workers), &rt);
        cr_assert(rc == GR_OK || rc == GR_ENOMEM, "%s", gr_code_name(rc));
        if (rc == GR_OK) {
            root = gr_root(rt);
            scenario();
            gr_runtime_free(rt);
        }
        reached = test_memory_reached();
        cr_assert_eq(test_memory_live(), before, "allocation %ld failing leaves %ld blocks", n,
                     test_memory_live() - before);
    }
}

#endif
