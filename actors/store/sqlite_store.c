/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_store.c - gr_sqlite_store: values by key in a table.
 *
 * Bytes and texts are kept as such, so that others can read them; what else there is as MessagePack,
 * which the column `form` tells. The database is opened by the first call, on a blocking thread.
 * Keys are given out in pages, so that no slow reader keeps the database from others.
 */
#include <greenroom/codec.h>

#include "actors/store/byte_store.h"
#include "actors/store/sqlite.h"

#define PAGE 512 /* keys */
enum { FORM_PLAIN = 0, FORM_MSGPACK = 1 };

static const char schema[] = "CREATE TABLE IF NOT EXISTS \"%s\" (key TEXT PRIMARY KEY NOT NULL, "
                             "form INTEGER NOT NULL, value NOT NULL) WITHOUT ROWID;";

struct table {
    struct gri_sqlite *db; /* owned; NULL until the first call */
};

static void table_stopped(void *self, const gr_value *args)
{
    struct table *t = self;

    (void)args;
    gri_sqlite_close(t->db);
}

/* ---- values ---------------------------------------------------------------------------------- */

/* packed gives the params of a pair: key, form, value. */
static gr_value *packed(const gr_value *key, const gr_value *v)
{
    void *data = NULL;
    size_t size = 0;
    gr_value *bin;
    gr_code rc;

    if (gr_value_type(v) == GR_STR || gr_value_type(v) == GR_BIN)
        return gr_list(gr_value_ref(key), gr_int(FORM_PLAIN), gr_value_ref(v));
    rc = gr_msgpack_encode(v, &data, &size);
    if (rc != GR_OK)
        return gr_error(rc, "the value of %.64s can't be kept", gr_cstr(key, "?"));
    bin = gr_bin(data, size);
    gr_free(data);
    return gr_list(gr_value_ref(key), gr_int(FORM_MSGPACK), bin);
}

/* unpacked gives the value of a row: form, value. */
static gr_value *unpacked(const gr_value *row)
{
    const gr_value *v = gr_at(row, 1);
    size_t size = 0;
    const void *data;

    if (gr_as_int(gr_at(row, 0), FORM_PLAIN) == FORM_PLAIN)
        return gr_value_ref(v);
    data = gr_as_bin(v, &size);
    return gr_msgpack_decode(data, size, NULL);
}

static bool keep_value(void *arg, gr_value *row)
{
    *(gr_value **)arg = unpacked(row);
    gr_value_unref(row);
    return false;
}

/* ---- verbs ----------------------------------------------------------------------------------- */

static gr_value *mget(gr_ctx *c, void *self, const gr_value *args)
{
    struct table *t = self;
    const gr_value *keys = gr_get(args, "keys");
    gr_value *err = gri_store_check_keys(args), *list = gr_list_n(NULL, 0);

    if (err == NULL)
        err = gri_sqlite_open(&t->db, gr_runtime_of(c), gr_args(c), schema);
    for (size_t i = 0; i < gr_len(keys) && err == NULL; i++) {
        gr_value *v = NULL;

        err = gri_sqlite_run(t->db, "SELECT form, value FROM \"%s\" WHERE key = ?",
                             gr_list(gr_value_ref(gr_at(keys, i))), keep_value, &v);
        if (err == NULL && v != NULL && gr_error_code(v) != GR_OK)
            err = gr_error(gr_error_code(v), "the value of %.64s can't be read: %s",
                           gr_cstr(gr_at(keys, i), "?"), gr_error_text(v));
        if (err == NULL)
            list = gr_append(list, v != NULL ? gr_value_ref(v) : gr_nil());
        gr_value_unref(v);
    }
    if (err == NULL)
        return list;
    gr_value_unref(list);
    return err;
}

/* change runs sql with what params_of makes of each item, all or nothing. */
static gr_value *change(gr_ctx *c, struct table *t, const char *sql, const gr_value *items,
                        gr_value *(*params_of)(const gr_value *item))
{
    gr_value *err = gri_sqlite_open(&t->db, gr_runtime_of(c), gr_args(c), schema);

    if (err == NULL)
        err = gri_sqlite_begin(t->db);
    if (err != NULL)
        return err;
    for (size_t i = 0; i < gr_len(items) && err == NULL; i++) {
        gr_value *params = params_of(gr_at(items, i));

        err = gri_sqlite_check_size(gr_args(c), gr_at(params, 2));
        if (err == NULL)
            err = gri_sqlite_run(t->db, sql, params, NULL, NULL);
        else
            gr_value_unref(params);
    }
    err = gri_sqlite_end(t->db, err);
    return err != NULL ? err : gr_nil();
}

static gr_value *params_of_pair(const gr_value *pair)
{
    return packed(gr_at(pair, 0), gr_at(pair, 1));
}

static gr_value *params_of_key(const gr_value *key)
{
    return gr_list(gr_value_ref(key));
}

static gr_value *mset(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *err = gri_store_check_pairs(args);

    if (err != NULL)
        return err;
    return change(c, self,
                  "INSERT INTO \"%s\" (key, form, value) VALUES (?, ?, ?) ON CONFLICT (key) DO "
                  "UPDATE SET form = excluded.form, value = excluded.value",
                  gr_get(args, "pairs"), params_of_pair);
}

static gr_value *mdelete(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *err = gri_store_check_keys(args);

    if (err != NULL)
        return err;
    return change(c, self, "DELETE FROM \"%s\" WHERE key = ?", gr_get(args, "keys"), params_of_key);
}

static bool keep_key(void *arg, gr_value *row)
{
    gr_value **list = arg;

    *list = gr_append(*list, gr_value_ref(gr_at(row, 0)));
    gr_value_unref(row);
    return gr_len(*list) < PAGE;
}

/* keys_page gives the next keys behind "after" that begin with "prefix". */
static gr_value *keys_page(gr_ctx *c, void *self, const gr_value *args)
{
    struct table *t = self;
    const gr_value *prefix = gr_get(args, "prefix");
    gr_value *list = gr_list_n(NULL, 0),
             *err = gri_sqlite_open(&t->db, gr_runtime_of(c), gr_args(c), schema);

    if (err == NULL)
        err = gri_sqlite_run(
            t->db,
            "SELECT key FROM \"%s\" WHERE key > ?1 AND key >= ?2 AND "
            "substr(key, 1, length(?2)) = ?2 ORDER BY key",
            gr_list(gr_str(gr_cstr(gr_get(args, "after"), "")), gr_str(gr_cstr(prefix, ""))),
            keep_key, &list);
    if (err == NULL)
        return list;
    gr_value_unref(list);
    return err;
}

static gr_code yield_keys(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_value *after = gr_str(""), *err = NULL, *page;
    gr_code rc = GR_OK;
    size_t count = PAGE;

    (void)self;
    (void)in;
    while (rc == GR_OK && count == PAGE) {
        page = gr_do(gr_runtime_of(c), gr_self(c), "keys_page",
                     gr_map(GR_KV("prefix", gr_str(gr_cstr(gr_get(args, "prefix"), ""))),
                            GR_KV("after", gr_value_ref(after))),
                     NULL, &err);
        if (page == NULL) {
            rc = gr_fail(c, err);
            break;
        }
        count = gr_len(page);
        for (size_t i = 0; i < count && rc == GR_OK; i++)
            rc = gr_emit(c, gr_value_ref(gr_at(page, i)));
        if (count > 0) {
            gr_value_unref(after);
            after = gr_value_ref(gr_at(page, count - 1));
        }
        gr_value_unref(page);
    }
    gr_value_unref(after);
    return rc;
}

static const gr_method store_methods[] = {
    { "mget", GR_BLOCKING, mget, NULL },          { "mset", GR_BLOCKING, mset, NULL },
    { "mdelete", GR_BLOCKING, mdelete, NULL },    { "keys_page", GR_BLOCKING, keys_page, NULL },
    { "yield_keys", GR_ASYNC, NULL, yield_keys },
};
/* reentrant, so that who gives out keys may call itself; blocking methods are one at a time anyway */
static const gr_class store_class =
    GR_CLASS(.name = "SqliteStore", .state_size = sizeof(struct table), .reentrant = true,
             .stopped = table_stopped, GR_METHODS(store_methods));

gr_ref gr_sqlite_store(gr_scope *in, const char *path, const gr_sqlite_opts *opts)
{
    return gr_spawn(
        in, &store_class,
        GR_SPAWN(.name = "sqlite store", .args = gri_sqlite_args(path, opts, "greenroom_store")));
}
