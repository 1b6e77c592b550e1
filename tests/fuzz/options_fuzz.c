/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options_fuzz.c - any command line: read, or answered with a help, a version or a mistake.
 *
 * The arguments are separated by NULs. Those that would read a file or standard input are left out:
 * what they read is JSON and text like any other.
 */
#include <fcntl.h>
#include <unistd.h>

#include "cli/options.h"
#include "tests/fuzz/fuzz.h"

#define ARGS_MAX 16

static void check_options(int rc, const struct gri_options *o)
{
    must(rc == -1 || rc == GRI_EXIT_OK || rc == GRI_EXIT_USAGE);
    if (rc != -1)
        return;
    must(o->command != NULL && o->timeout_ms >= 0 && o->workers <= 64);
    must(gr_error_code(o->input) == GR_OK);
    must(o->config == NULL || gr_value_type(o->config) == GR_MAP);
    for (int i = 0; i < o->command->args_min; i++)
        must(o->args[i] != NULL);
}

static bool reads_files(const char *arg)
{
    return strchr(arg, '@') != NULL || strcmp(arg, "-") == 0 ||
           (strlen(arg) >= 2 && strcmp(arg + strlen(arg) - 2, "=-") == 0) ||
           (arg[0] == '-' && arg[strlen(arg) - 1] == '-');
}

/* read_quietly: what the command says is not looked at, and would drown what the fuzzer says. */
static int read_quietly(int argc, char **argv, struct gri_options *ret)
{
    static int nowhere = -1;
    int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO), rc;

    if (nowhere < 0)
        nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    must(out >= 0 && err >= 0 && fflush(stdout) == 0);
    must(dup2(nowhere, STDOUT_FILENO) >= 0 && dup2(nowhere, STDERR_FILENO) >= 0);
    rc = gri_options_read(argc, argv, ret);
    (void)fflush(stdout);
    must(dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0);
    close(out);
    close(err);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char name[] = "greenroom";
    char *text = fuzz_text(data, size), *argv[ARGS_MAX + 2] = { name };
    struct fuzz_cost cost = fuzz_begin();
    struct gri_options o;
    int argc = 1;

    for (size_t at = 0; at < size && argc <= ARGS_MAX; at += strlen(text + at) + 1)
        if (!reads_files(text + at))
            argv[argc++] = text + at;
    check_options(read_quietly(argc, argv, &o), &o);
    gri_options_fini(&o);
    free(text);
    fuzz_end(&cost, size, 256);
    return 0;
}
