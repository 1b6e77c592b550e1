/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_history.c - gr_file_history: conversations in the files of a folder.
 *
 * The class has no state: calls run side by side on the blocking pool, and the files' locks keep apart
 * what must be kept apart, in this process and between processes.
 */
#include <greenroom/codec.h>
#include <greenroom/history.h>
#include <greenroom/message.h>

#include "actors/compose/steps.h"
#include "actors/message/history_file.h"
#include "actors/message/history_lines.h"
#include "actors/message/session.h"

#define LOCK_MAX_MS 3600000

struct settings {
    const char *folder;
    size_t bytes_max;
    int64_t lock_ms;
    bool sync;
};

static struct settings settings_of(gr_ctx *c)
{
    const gr_value *args = gr_args(c);

    return (struct settings){ .folder = gr_cstr(gr_get(args, "folder"), ""),
                              .bytes_max = (size_t)gr_as_int(gr_get(args, "bytes_max"), 0),
                              .lock_ms = gr_as_int(gr_get(args, "lock_ms"), 0),
                              .sync = gr_as_bool(gr_get(args, "sync"), true) };
}

/* open_session opens the file of ids. */
static gr_value *open_session(gr_ctx *c, struct gri_history_file *f, const gr_value *ids,
                              bool writes)
{
    struct settings s = settings_of(c);
    gr_value *err = NULL;
    char *name = gri_session_name(ids, &err);

    *f = (struct gri_history_file){ .fd = -1, .folder_fd = -1 };
    if (name != NULL)
        err = gri_history_file_open(c, f, s.folder, name, writes, s.lock_ms);
    gr_free(name);
    return err;
}

/* with_path puts the file's path before what is wrong with its contents. */
static gr_value *with_path(const struct gri_history_file *f, gr_value *v)
{
    gr_code code = gr_error_code(v);
    gr_value *told;

    if (code == GR_OK || code == GR_ENOMEM)
        return v;
    told = gr_error(code, "%s: %s", f->path, gr_error_text(v));
    gr_value_unref(v);
    return told;
}

static gr_value *get_messages(gr_ctx *c, void *self, const gr_value *ids)
{
    struct gri_history_file f;
    gr_value *err = open_session(c, &f, ids, false), *messages = NULL;
    char *text = NULL;
    size_t len = 0;

    (void)self;
    if (err == NULL && f.fd < 0)
        messages = gr_list_n(NULL, 0);
    else if (err == NULL)
        err = gri_history_file_load(&f, settings_of(c).bytes_max, &text, &len);
    if (text != NULL)
        messages = with_path(&f, gri_history_read(text, len));
    gr_free(text);
    gri_history_file_close(&f);
    return err != NULL ? err : messages;
}

static gr_value *append(gr_ctx *c, const gr_value *ids, const gr_value *messages)
{
    struct settings s = settings_of(c);
    size_t head_len = 0, len = 0;
    char *head = gri_history_head(ids, &head_len), *line = gri_history_line(messages, &len);
    struct gri_history_file f = { .fd = -1, .folder_fd = -1 };
    gr_value *err = open_session(c, &f, ids, true);

    if (err == NULL && (head == NULL || line == NULL))
        err = gri_no_memory();
    if (err == NULL)
        err = gri_history_file_append(&f, head, head_len, line, len, s.bytes_max, s.sync);
    gri_history_file_close(&f);
    gr_free(head);
    gr_free(line);
    return err;
}

static gr_value *add_messages(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *messages = gr_messages_coerce(gr_value_ref(gr_get(args, "messages"))), *err = NULL;

    (void)self;
    if (gr_error_code(messages) != GR_OK)
        return messages;
    if (gr_len(messages) > 0)
        err = append(c, gr_get(args, "ids"), messages);
    gr_value_unref(messages);
    return err != NULL ? err : gr_nil();
}

static gr_value *clear(gr_ctx *c, void *self, const gr_value *ids)
{
    struct gri_history_file f;
    gr_value *err = open_session(c, &f, ids, true);

    (void)self;
    if (err == NULL)
        err = gri_history_file_clear(&f, settings_of(c).sync);
    gri_history_file_close(&f);
    return err != NULL ? err : gr_nil();
}

static const gr_method history_methods[] = {
    { "get_messages", GR_BLOCKING, get_messages, NULL },
    { "add_messages", GR_BLOCKING, add_messages, NULL },
    { "clear", GR_BLOCKING, clear, NULL },
};
static const gr_class history_class =
    GR_CLASS(.name = "FileChatMessageHistory", GR_METHODS(history_methods));

gr_ref gr_file_history(gr_scope *in, const char *folder, const gr_file_history_opts *opts)
{
    static const gr_file_history_opts none = { .size = sizeof(none) };
    const gr_file_history_opts *o = opts != NULL ? opts : &none;
    gr_value *args;

    if (folder == NULL || folder[0] == '\0')
        args = gr_error(GR_EINVAL, "file_history: it needs a folder");
    else if (o->lock_ms > LOCK_MAX_MS)
        args = gr_error(GR_EINVAL, "file_history: lock_ms is at most %d", LOCK_MAX_MS);
    else
        args =
            gr_map(GR_KV("folder", gr_str(folder)),
                   GR_KV("bytes_max", gr_int(o->bytes_max != 0 ? (int64_t)o->bytes_max
                                                               : (int64_t)GRI_HISTORY_BYTES_MAX)),
                   GR_KV("lock_ms", gr_int(o->lock_ms == 0  ? GRI_HISTORY_LOCK_MS
                                           : o->lock_ms > 0 ? o->lock_ms
                                                            : 0)),
                   GR_KV("sync", gr_bool(!o->no_sync)));
    return gr_spawn(in, &history_class, GR_SPAWN(.name = "file history", .args = args));
}
