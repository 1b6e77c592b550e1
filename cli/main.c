/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the `greenroom` command. */
#include <stdio.h>

#include "cli/chain_isolate.h"
#include "cli/log_lines.h"
#include "cli/options.h"
#include "cli/parent.h"

int main(int argc, char **argv)
{
    struct gri_options options;
    int exit_code;

    gri_log_lines_start();
    gr_isolate_main(argc, argv, gri_chain_isolated_kinds, GRI_CHAIN_ISOLATED_KINDS);
    gri_parent_follow();
    exit_code = gri_options_read(argc, argv, &options);
    if (exit_code < 0)
        exit_code = options.command->run(&options);
    gri_options_fini(&options);
    if (fflush(stdout) != 0 && exit_code == GRI_EXIT_OK && gri_print_check() != GR_OK)
        exit_code = GRI_EXIT_FAILED; /* help into a full disk; results are checked as they go */
    return exit_code;
}
