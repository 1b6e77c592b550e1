/* SPDX-License-Identifier: Apache-2.0 */
/* spawn_attr.h - how a child process begins: with nothing of what its parent has done to signals. */
#ifndef GR_RUNTIME_BASE_SPAWN_ATTR_H
#define GR_RUNTIME_BASE_SPAWN_ATTR_H

#include <spawn.h>
#include <stdbool.h>

/*
 * gri_spawn_attr_init: the default for each signal, and nothing blocked. apart: in a process group of its own,
 * since Ctrl-C is the parent's to hear. End it with posix_spawnattr_destroy.
 */
void gri_spawn_attr_init(posix_spawnattr_t *attr, bool apart);

#endif
