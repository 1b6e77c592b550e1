/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/watchers.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* watched adds a handler to a config's callbacks. */
static gr_value *watched(gr_value *config GR_TAKES, gr_value *handler GR_TAKES)
{
    const gr_value *given = gr_get(config, "callbacks");
    gr_value *list = gr_value_type(given) == GR_LIST ? gr_value_ref(given) : gr_list_n(NULL, 0);

    return gr_set(config, "callbacks", gr_append(list, handler));
}

int gri_watchers_open(struct gri_watchers *w, struct gri_options *o)
{
    gr_value *config = o->config;

    w->file = -1;
    if (!o->trace && o->trace_file == NULL)
        return -1;
    if (config == NULL)
        config = gr_map_n(NULL, 0);
    o->config = NULL;
    if (o->trace)
        config = watched(config, gr_console_tracer(STDERR_FILENO, NULL));
    if (o->trace_file != NULL) {
        w->file = open(o->trace_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        if (w->file < 0) {
            gri_say("--trace-file: %s can't be opened: %s", o->trace_file, strerror(errno));
            gr_value_unref(config);
            return GRI_EXIT_USAGE;
        }
        config = watched(config, gr_json_tracer(w->file, NULL));
    }
    o->config = config;
    return -1;
}

void gri_watchers_close(struct gri_watchers *w)
{
    if (w->file >= 0)
        (void)close(w->file);
    w->file = -1;
}
