/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the `greenroom` command. */
#include <stdio.h>

#include "cli/options.h"

/* on_log shows what the library has to say and no answer can carry. */
static void on_log(void *arg, int level, const char *text)
{
    (void)arg;
    gri_say("%s%s", level == 0 ? "" : "warning: ", text);
}

int main(int argc, char **argv)
{
    struct gri_options options;
    int exit_code;

    gr_set_log(on_log, NULL, 1);
    exit_code = gri_options_read(argc, argv, &options);
    if (exit_code < 0)
        exit_code = options.command->run(&options);
    gri_options_fini(&options);
    if (fflush(stdout) != 0 && exit_code == GRI_EXIT_OK)
        exit_code = GRI_EXIT_FAILED; /* help into a full disk; results are checked as they go */
    return exit_code;
}
