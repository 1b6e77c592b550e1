/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_history.c - gr_sqlite_history: LangChain's SQLChatMessageHistory, with its table and its rows, so
 * that both can read what the other wrote.
 */
#include <greenroom/codec.h>
#include <greenroom/history.h>
#include <greenroom/message.h>

#include <string.h>

#include "actors/compose/steps.h"
#include "actors/message/session.h"
#include "actors/store/sqlite.h"

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS \"%s\" (id INTEGER NOT NULL PRIMARY KEY, session_id TEXT, message TEXT);"
    "CREATE INDEX IF NOT EXISTS \"%s_session\" ON \"%s\" (session_id, id);";

struct table {
    struct gri_sqlite *db; /* owned; NULL until the first call */
};

static void table_stopped(void *self, const gr_value *args)
{
    struct table *t = self;

    (void)args;
    gri_sqlite_close(t->db);
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* row_text gives a message as LangChain's message_to_dict has it, {"type", "data"}, as JSON. */
static gr_value *row_text(const gr_value *message)
{
    gr_value *dict = gr_map(GR_KV("type", gr_value_ref(gr_get(message, "type"))),
                            GR_KV("data", gr_value_ref(message)));
    size_t len = 0;
    char *text = gr_error_code(dict) == GR_OK ? gr_json_print(dict, 0, &len) : NULL;
    gr_value *v = text != NULL ? gr_strn(text, len) : gri_no_memory();

    gr_free(text);
    gr_value_unref(dict);
    return v;
}

/* is_empty: what LangChain writes for what a message does not have. */
static bool is_empty(const gr_value *v)
{
    return gr_is_nil(v) ||
           ((gr_value_type(v) == GR_MAP || gr_value_type(v) == GR_LIST) && gr_len(v) == 0);
}

/* message_of reads a row's text. */
static gr_value *message_of(const gr_value *text)
{
    gr_value *dict = gr_json_parse(gr_cstr(text, ""), gr_len(text), NULL), *m = gr_map_n(NULL, 0);
    const gr_value *data =
        gr_value_type(gr_get(dict, "data")) == GR_MAP ? gr_get(dict, "data") : dict;
    const char *key = NULL;

    if (gr_value_type(dict) != GR_MAP) {
        gr_value_unref(m);
        return gr_error_code(dict) != GR_OK ? dict : gr_error(GR_EPROTO, "this is no message");
    }
    m = gr_set(m, "type", gr_value_ref(gr_get(dict, "type")));
    for (size_t i = 0; i < gr_len(data); i++) {
        const gr_value *v = gr_pair_at(data, i, &key);

        if (strcmp(key, "content") == 0 || (!is_empty(v) && strcmp(key, "type") != 0))
            m = gr_set(m, key, gr_value_ref(v));
    }
    gr_value_unref(dict);
    return gr_message_coerce(m);
}

/* What a reading of rows has come to. */
struct reading {
    gr_value *messages; /* counted */
    gr_value *err;
};

static bool read_row(void *arg, gr_value *row)
{
    struct reading *r = arg;
    gr_value *m = message_of(gr_at(row, 1));

    if (gr_error_code(m) == GR_OK) {
        r->messages = gr_append(r->messages, m);
    } else {
        r->err = gr_error(gr_error_code(m) == GR_ENOMEM ? GR_ENOMEM : GR_EPROTO, "row %lld: %s",
                          (long long)gr_as_int(gr_at(row, 0), 0), gr_error_text(m));
        gr_value_unref(m);
    }
    gr_value_unref(row);
    return r->err == NULL;
}

/* ---- verbs ----------------------------------------------------------------------------------- */

/* session_of gives the name as a value, with the database open; an error value if one is not. */
static gr_value *session_of(gr_ctx *c, struct table *t, const gr_value *ids)
{
    gr_value *err = NULL, *v;
    char *name = gri_session_name(ids, &err);

    if (name == NULL)
        return err;
    v = gr_str(name);
    gr_free(name);
    err = gri_sqlite_open(&t->db, gr_runtime_of(c), gr_args(c), schema);
    if (err == NULL)
        return v;
    gr_value_unref(v);
    return err;
}

static gr_value *get_messages(gr_ctx *c, void *self, const gr_value *ids)
{
    struct table *t = self;
    gr_value *session = session_of(c, t, ids), *err;
    struct reading r = { .messages = gr_list_n(NULL, 0) };

    if (gr_error_code(session) != GR_OK) {
        gr_value_unref(r.messages);
        return session;
    }
    err = gri_sqlite_run(t->db, "SELECT id, message FROM \"%s\" WHERE session_id = ? ORDER BY id",
                         gr_list(session), read_row, &r);
    if (err == NULL)
        err = r.err;
    else
        gr_value_unref(r.err);
    if (err == NULL)
        return r.messages;
    gr_value_unref(r.messages);
    return err;
}

static gr_value *add_all(gr_ctx *c, struct table *t, const gr_value *session,
                         const gr_value *messages)
{
    gr_value *err = gri_sqlite_begin(t->db);

    if (err != NULL)
        return err;
    for (size_t i = 0; i < gr_len(messages) && err == NULL; i++) {
        gr_value *text = row_text(gr_at(messages, i));

        err = gri_sqlite_check_size(gr_args(c), text);
        if (err == NULL)
            err = gri_sqlite_run(t->db, "INSERT INTO \"%s\" (session_id, message) VALUES (?, ?)",
                                 gr_list(gr_value_ref(session), text), NULL, NULL);
        else
            gr_value_unref(text);
    }
    return gri_sqlite_end(t->db, err);
}

static gr_value *add_messages(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *messages = gr_messages_coerce(gr_value_ref(gr_get(args, "messages"))), *err = NULL;
    gr_value *session;

    if (gr_error_code(messages) != GR_OK)
        return messages;
    session = session_of(c, self, gr_get(args, "ids"));
    if (gr_error_code(session) != GR_OK)
        err = gr_value_ref(session);
    else if (gr_len(messages) > 0)
        err = add_all(c, self, session, messages);
    gr_value_unref(session);
    gr_value_unref(messages);
    return err != NULL ? err : gr_nil();
}

static gr_value *clear(gr_ctx *c, void *self, const gr_value *ids)
{
    struct table *t = self;
    gr_value *session = session_of(c, t, ids), *err;

    if (gr_error_code(session) != GR_OK)
        return session;
    err = gri_sqlite_run(t->db, "DELETE FROM \"%s\" WHERE session_id = ?", gr_list(session), NULL,
                         NULL);
    return err != NULL ? err : gr_nil();
}

static const gr_method history_methods[] = {
    { "get_messages", GR_BLOCKING, get_messages, NULL },
    { "add_messages", GR_BLOCKING, add_messages, NULL },
    { "clear", GR_BLOCKING, clear, NULL },
};
static const gr_class history_class =
    GR_CLASS(.name = "SQLChatMessageHistory", .state_size = sizeof(struct table),
             .stopped = table_stopped, GR_METHODS(history_methods));

gr_ref gr_sqlite_history(gr_scope *in, const char *path, const gr_sqlite_opts *opts)
{
    return gr_spawn(
        in, &history_class,
        GR_SPAWN(.name = "sqlite history", .args = gri_sqlite_args(path, opts, "message_store")));
}
