/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/parent.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

void gri_parent_follow(void)
{
    const char *parent = getenv(GRI_PARENT_VARIABLE);
    long pid = parent != NULL ? strtol(parent, NULL, 10) : 0;

    if (parent == NULL)
        return;
    (void)unsetenv(GRI_PARENT_VARIABLE);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != pid) /* it went before we had said so */
        (void)raise(SIGTERM);
}
