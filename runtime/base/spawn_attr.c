/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/spawn_attr.h"

#include <signal.h>

void gri_spawn_attr_init(posix_spawnattr_t *attr, bool apart)
{
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    sigset_t none, all;

    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    (void)posix_spawnattr_init(attr);
    (void)posix_spawnattr_setsigmask(attr, &none);
    (void)posix_spawnattr_setsigdefault(attr, &all);
    (void)posix_spawnattr_setpgroup(attr, 0);
    if (apart)
        flags |= POSIX_SPAWN_SETPGROUP;
    (void)posix_spawnattr_setflags(attr, flags);
}
