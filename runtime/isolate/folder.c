/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/isolate/folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEAF "/greenroom-XXXXXX"
#define OWNER_ONLY 0700

/* fresh makes a folder under a new name, in the user's own place for such things if it is there. */
static int fresh(struct gri_folder *f)
{
    const char *const homes[] = { getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR"), "/tmp" };
    int failure = ENOENT;

    for (size_t i = 0; i < sizeof(homes) / sizeof(homes[0]); i++) {
        if (homes[i] == NULL || homes[i][0] != '/' ||
            strlen(homes[i]) + sizeof(LEAF) > sizeof(f->path) - 12)
            continue;
        (void)snprintf(f->path, sizeof(f->path), "%s" LEAF, homes[i]);
        if (mkdtemp(f->path) != NULL)
            return 0;
        failure = errno;
    }
    f->path[0] = '\0';
    return failure;
}

int gri_folder_enter(struct gri_folder *f, unsigned number, char url[GRI_FOLDER_URL_SIZE])
{
    int failure = 0;

    if (f->users == 0 && (f->path[0] == '\0' || mkdir(f->path, OWNER_ONLY) != 0))
        failure = fresh(f);
    if (failure != 0)
        return failure;
    f->users++;
    (void)snprintf(url, GRI_FOLDER_URL_SIZE, "ipc://%s/%u", f->path, number);
    return 0;
}

void gri_folder_leave(struct gri_folder *f, unsigned number)
{
    char path[GRI_FOLDER_PATH_SIZE + 16];

    (void)snprintf(path, sizeof(path), "%s/%u", f->path, number);
    (void)unlink(path);
    if (--f->users == 0)
        (void)rmdir(f->path);
}

void gri_folder_fini(struct gri_folder *f)
{
    if (f->users != 0 && f->path[0] != '\0')
        (void)rmdir(f->path);
}
