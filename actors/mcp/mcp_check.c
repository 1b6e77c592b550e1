/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_check.c - see the header. */
#include "actors/mcp/mcp_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actors/mcp/mcp_session.h"
#include "runtime/base/strbuf.h"

/* look tells whether the file dir/name, or name, may be run: 0, or an errno. dir need not end in a NUL. */
static int look(const char *dir, size_t len, const char *name)
{
    struct gri_strbuf path = GRI_STRBUF_INIT;
    int why;

    gri_strbuf_add(&path, dir, len);
    gri_strbuf_adds(&path, len > 0 ? "/" : "");
    gri_strbuf_adds(&path, name);
    why = path.failed ? ENOMEM : access(path.data, X_OK) == 0 ? 0 : errno;
    gri_strbuf_fini(&path);
    return why;
}

/* find looks where the start of a program looks: 0, or why it is not to be had. */
static int find(const char *name, const char *folder)
{
    const char *dir = getenv("PATH") != NULL ? getenv("PATH") : "/bin:/usr/bin";
    int why = ENOENT;

    if (strchr(name, '/') != NULL)
        return name[0] == '/' || folder == NULL ? look("", 0, name)
                                                : look(folder, strlen(folder), name);
    for (size_t len; why != 0; dir += len + 1) {
        len = strcspn(dir, ":");
        why = look(dir, len, name);
        if (dir[len] == '\0')
            break;
    }
    return why;
}

gr_value *gri_mcp_check(const gr_mcp_opts *opts)
{
    struct gri_mcp_settings set;
    gr_value *err = gri_mcp_settings_init(&set, opts);
    int why = err == NULL && set.argv != NULL ? find(set.argv[0], set.folder) : 0;
    char text[128] = "";

    if (why != 0)
        err = gr_error(GR_EINVAL, "%s can't be run: %s", set.argv[0],
                       strerror_r(why, text, sizeof(text)));
    gri_mcp_settings_fini(&set);
    return err;
}
