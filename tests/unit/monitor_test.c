/* SPDX-License-Identifier: Apache-2.0 */
/* monitor_test.c - monitors and the futures of an end; the numbers are those of the list of
 * supervision semantics in docs/reliability.md. */
#include "tests/support/proc.h"

/* ---- 14: exactly one DOWN -------------------------------------------------------------------- */

Test(monitor, p14_down_comes_once_with_the_reason)
{
    static struct log mine = LOG, its = LOG;
    gr_ref a = proc(&mine), b = proc(&its);

    cr_assert_eq(ask_ref(a, "monitor", b), GR_OK);
    cr_assert_eq(ask(b, "exit", gr_str("bye")), GR_EBROKEN);
    log_is(&mine, "down \"bye\";");
    log_is(&its, "terminate \"bye\";stopped;");
    cr_assert_null(gr_check(rt, a), "a monitor goes one way");
}

TestSuite(monitor, .init = engine_up, .fini = engine_down);
