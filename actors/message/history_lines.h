/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history_lines.h - a conversation as lines of JSON: what gr_file_history writes. Pure functions.
 *
 *   {"greenroom": "history", "version": 1, "session": {ids}}
 *   [message …]
 *
 * The first line tells what it is, each further one is what one call added, whole or not at all: what
 * stands behind the last line break was torn off when somebody wrote it, and does not count.
 */
#ifndef GR_ACTORS_MESSAGE_HISTORY_LINES_H
#define GR_ACTORS_MESSAGE_HISTORY_LINES_H

#include <greenroom/value.h>

/* gri_history_head makes the first line of a session, gri_history_line that of a list of messages, with
 * their line breaks; free them with gr_free. NULL: out of memory. */
char *gri_history_head(const gr_value *ids, size_t *ret_len);
char *gri_history_line(const gr_value *messages, size_t *ret_len);

/*
 * gri_history_read gives the messages of all whole lines; an empty text has none. Or an error: GR_EPROTO
 * "line 3: …", GR_ENOMEM.
 */
gr_value *gri_history_read(const char *text, size_t len);

#endif
