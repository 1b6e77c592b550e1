/* SPDX-License-Identifier: Apache-2.0 */
/* session_test.c - cli/session.h: the command asks for what the library leaves to its host. */
#include <signal.h>

#include "cli/session.h"

#include "tests/support/test.h"

static bool is_handled(int number)
{
    struct sigaction a;

    cr_assert_eq(sigaction(number, NULL, &a), 0);
    return (a.sa_flags & (SA_SIGINFO | SA_ONSTACK)) == (SA_SIGINFO | SA_ONSTACK);
}

Test(session, reports_overflows_and_backtraces)
{
    struct gri_session s;

    (void)signal(SIGSEGV, SIG_DFL);
    cr_assert(gri_session_open(&s, 1));
    cr_assert(is_handled(SIGSEGV));
    cr_assert(is_handled(SIGRTMAX - 1));
    gri_session_close(&s);
    cr_assert_not(is_handled(SIGSEGV));
    cr_assert_not(is_handled(SIGRTMAX - 1));
}
