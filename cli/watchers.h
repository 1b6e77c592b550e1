/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watchers.h - who watches the runs of a command: --trace and --trace-file.
 *
 * They go into the config's callbacks, behind those that --config has.
 */
#ifndef GR_CLI_WATCHERS_H
#define GR_CLI_WATCHERS_H

#include "cli/options.h"

struct gri_watchers {
    int file; /* of --trace-file; -1: none. Must stay open until the runtime is gone */
};

/* gri_watchers_open adds to the options' config. Returns -1, or the exit code after saying why.
 * gri_watchers_close in any case. */
int gri_watchers_open(struct gri_watchers *w, struct gri_options *o);
void gri_watchers_close(struct gri_watchers *w);

#endif
