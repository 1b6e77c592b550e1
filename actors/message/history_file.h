/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history_file.h - the file of one conversation: locked between processes, appended to, cut back to its
 * last whole line. All of it may block.
 */
#ifndef GR_ACTORS_MESSAGE_HISTORY_FILE_H
#define GR_ACTORS_MESSAGE_HISTORY_FILE_H

#include <greenroom/actor.h>

struct gri_history_file {
    int fd, folder_fd; /* -1: not open */
    char *path;        /* owned; for people */
    bool is_new;       /* it was made just now */
};

/*
 * gri_history_file_open opens the session's file in folder, which is made if it is not there, and
 * locks it: exclusively to write, else shared; then a file that is not there is none, fd -1. It waits
 * for others for up to lock_ms: GR_EFULL, kind "busy". NULL, or what is wrong, with the path. Close it
 * in both cases.
 */
gr_value *gri_history_file_open(gr_ctx *c, struct gri_history_file *f, const char *folder,
                                const char *session, bool writes, int64_t lock_ms);
void gri_history_file_close(struct gri_history_file *f);

/* gri_history_file_load gives all bytes, to be freed with gr_free. */
gr_value *gri_history_file_load(struct gri_history_file *f, size_t bytes_max, char **ret_text,
                                size_t *ret_len);
/* gri_history_file_append cuts off what was torn, and adds bytes: head too, if the file is empty. With
 * sync they are on the disk when it returns. What could not be written whole is taken back. */
gr_value *gri_history_file_append(struct gri_history_file *f, const char *head, size_t head_len,
                                  const char *line, size_t len, size_t bytes_max, bool sync);
gr_value *gri_history_file_clear(struct gri_history_file *f, bool sync);

#endif
