/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node_settings.h - what this process tells other nodes, and asks of them: cluster, name, secret, TLS.
 *
 * It comes from the command line and from a chain file's key "node"; an option wins over the file. The
 * secret itself is in neither: it is read from a file, or from an environment variable, and is wiped
 * once the runtime has it. Nothing that is said here quotes it.
 */
#ifndef GR_CLI_NODE_SETTINGS_H
#define GR_CLI_NODE_SETTINGS_H

#include "cli/chain_file.h"
#include "cli/options.h"
#include "cli/session.h"

/* gri_node_settings_use configures the session's runtime, before anything listens or calls. file NULL:
 * there are only options. Returns -1, or the exit code after saying what is wrong, and where. */
int gri_node_settings_use(struct gri_session *s, const struct gri_options *o,
                          const struct gri_chain_file *file);

/* What a process that serves lets others know and do. */
enum gri_admin_mode { GRI_ADMIN_FULL, GRI_ADMIN_READ, GRI_ADMIN_OFF };
/* gri_admin_mode_read reads the value of the key "admin". false: it is none. */
bool gri_admin_mode_read(const struct gri_chain_node *n, enum gri_admin_mode *ret);
struct gri_served_settings {
    enum gri_admin_mode admin;
    char *health;     /* owned; NULL: no socket */
    int64_t stuck_ms; /* 0: the default */
};
/* gri_served_settings_read returns -1, or the exit code after saying what is wrong. _fini in any case. */
int gri_served_settings_read(struct gri_served_settings *s, const struct gri_options *o,
                             const struct gri_chain_file *file);
void gri_served_settings_fini(struct gri_served_settings *s);

#endif
