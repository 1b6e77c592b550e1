/* SPDX-License-Identifier: Apache-2.0 */
/*
 * standalone.c - runs a fuzz target over the files, and the files of the folders, that are given as
 * arguments; so that the corpora run as plain tests, without libFuzzer and with any compiler.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int runs;

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    long size = -1;
    uint8_t *data = NULL;
    int rc = 1;

    if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0)
        goto out;
    rewind(f);
    /* exactly as long as the input, so that reading past it is seen */
    data = malloc(size > 0 ? (size_t)size : 1);
    if (data == NULL || fread(data, 1, (size_t)size, f) != (size_t)size)
        goto out;
    LLVMFuzzerTestOneInput(data, (size_t)size);
    runs++;
    rc = 0;
out:
    if (rc != 0)
        perror(path);
    if (f != NULL)
        fclose(f);
    free(data);
    return rc;
}

static int run_folder(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    char file[4096];
    int rc = 0;

    if (dir == NULL) {
        perror(path);
        return 1;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        rc |= run_file(file);
    }
    closedir(dir);
    return rc;
}

int main(int argc, char **argv)
{
    int rc = 0;

    for (int i = 1; i < argc; i++) {
        struct stat st;

        if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
            rc |= run_folder(argv[i]);
        else
            rc |= run_file(argv[i]);
    }
    if (runs == 0) { /* a corpus that isn't found must not pass */
        fprintf(stderr, "no input was run\n");
        rc = 1;
    }
    printf("[====] Synthesis: Tested: %d | Passing: %d | Failing: %d | Crashing: 0\n",
           rc ? runs + 1 : runs, runs, rc != 0);
    return rc;
}
