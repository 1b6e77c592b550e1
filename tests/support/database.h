/* SPDX-License-Identifier: Apache-2.0 */
/* database.h - a folder for the files of one test, and whether there is SQLite to make any. */
#ifndef GR_TESTS_SUPPORT_DATABASE_H
#define GR_TESTS_SUPPORT_DATABASE_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actors/store/sqlite.h"

#include "tests/support/test.h"

static char folder[32];
static char database[64]; /* a file in it, which is not there yet */

static inline void folder_make(void)
{
    strcpy(folder, "/tmp/gr_test_XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(database, sizeof(database), "%s/a.db", folder);
}

/* folder_remove deletes it with the files in it. */
static inline void folder_remove(void)
{
    DIR *d = opendir(folder);

    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
        (void)unlinkat(dirfd(d), e->d_name, 0);
    if (d != NULL)
        closedir(d);
    (void)rmdir(folder);
}

/* lacks_sqlite: built without it, there is nothing to test. */
static inline bool lacks_sqlite(void)
{
    gr_value *args = gri_sqlite_args(":memory:", NULL, "t");
    bool lacks = gr_error_code(args) != GR_OK;

    if (lacks)
        fprintf(stderr, "skipped: %s\n", gr_error_text(args));
    gr_value_unref(args);
    return lacks;
}

#endif
