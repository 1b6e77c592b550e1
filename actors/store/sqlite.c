/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite.c - the only user of SQLite. */
#include "actors/store/sqlite.h"

#include <greenroom/runtime.h>

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "actors/compose/steps.h"
#include "runtime/base/alloc.h"
#include "runtime/base/strbuf.h"

#define BUSY_MAX_MS 3600000
#define TABLE_MAX 64

/* ---- options --------------------------------------------------------------------------------- */

static bool is_table(const char *name)
{
    if (name[0] == '\0' || strlen(name) > TABLE_MAX || isdigit((unsigned char)name[0]))
        return false;
    for (; *name != '\0'; name++)
        if (!isalnum((unsigned char)*name) && *name != '_')
            return false;
    return true;
}

gr_value *gri_sqlite_args(const char *path, const gr_sqlite_opts *opts, const char *table)
{
    static const gr_sqlite_opts none = { .size = sizeof(none) };
    const gr_sqlite_opts *o = opts != NULL ? opts : &none;
    const char *name = o->table != NULL ? o->table : table;
    size_t most = o->value_max != 0 ? o->value_max : GRI_SQLITE_VALUE_MAX;

    if (path == NULL || path[0] == '\0')
        return gr_error(GR_EINVAL, "an SQLite database needs a path");
    if (!is_table(name) || strncmp(name, "sqlite_", 7) == 0)
        return gr_error(GR_EINVAL,
                        "\"%.64s\" is no name of a table: letters, digits and _, at most %d", name,
                        TABLE_MAX);
    if (o->busy_ms > BUSY_MAX_MS || most > INT_MAX)
        return gr_error(GR_EINVAL, "%s: busy_ms is at most %d, value_max at most %d", path,
                        BUSY_MAX_MS, INT_MAX);
#if !defined(GR_SQLITE3)
    return gr_error(GR_EINVAL, "%s: Greenroom was built without SQLite", path);
#endif
    return gr_map(GR_KV("path", gr_str(path)), GR_KV("table", gr_str(name)),
                  GR_KV("busy_ms", gr_int(o->busy_ms == 0  ? GRI_SQLITE_BUSY_MS
                                          : o->busy_ms > 0 ? o->busy_ms
                                                           : 0)),
                  GR_KV("is_durable", gr_bool(o->is_durable)),
                  GR_KV("value_max", gr_int((int64_t)most)));
}

gr_value *gri_sqlite_check_size(const gr_value *args, const gr_value *v)
{
    int64_t most = gr_as_int(gr_get(args, "value_max"), (int64_t)GRI_SQLITE_VALUE_MAX);

    if (gr_len(v) <= (uint64_t)most)
        return NULL;
    return gr_error_with(gr_error(GR_EFULL, "%s: a value of %zu bytes, of at most %lld",
                                  gr_cstr(gr_get(args, "path"), "?"), gr_len(v), (long long)most),
                         "kind", gr_str("too big"));
}

const char *gri_sqlite_table(const gr_value *args)
{
    return gr_cstr(gr_get(args, "table"), "greenroom");
}

#if defined(GR_SQLITE3)

#include <sqlite3.h>

#define STATEMENTS_MAX 16
#define ROWS_MAX ((size_t)4 << 20)
#define ROW_MORE (2 * GR_STORE_KEY_MAX) /* bytes of a row beside its value */
#define BUSY_LOOKS 20                   /* ms between two, once it has taken as long */
#define NS_PER_MS UINT64_C(1000000)

struct statement {
    const char *sql;    /* borrowed: a constant */
    sqlite3_stmt *stmt; /* owned */
};

struct gri_sqlite {
    sqlite3 *db; /* owned */
    gr_runtime *rt;
    uint64_t busy_since_ns;
    struct statement statements[STATEMENTS_MAX];
    size_t statement_count;
    gr_value *args; /* counted */
};

/* ---- errors ---------------------------------------------------------------------------------- */

static const struct {
    int code;
    gr_code ours;
    const char *kind;
} codes[] = {
    { SQLITE_BUSY, GR_EFULL, "busy" },        { SQLITE_LOCKED, GR_EFULL, "busy" },
    { SQLITE_FULL, GR_EFULL, "full" },        { SQLITE_NOMEM, GR_ENOMEM, NULL },
    { SQLITE_CORRUPT, GR_EINVAL, "damaged" }, { SQLITE_NOTADB, GR_EINVAL, "damaged" },
    { SQLITE_CANTOPEN, GR_EINVAL, NULL },     { SQLITE_READONLY, GR_EINVAL, NULL },
    { SQLITE_PERM, GR_EINVAL, NULL },         { SQLITE_AUTH, GR_EINVAL, NULL },
    { SQLITE_TOOBIG, GR_EFULL, "too big" },
};

static gr_value *error_of(const char *path, int rc, const char *text)
{
    gr_value *err;

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (codes[i].code != (rc & 0xff))
            continue;
        err = gr_error(codes[i].ours, "%s: %s", path, text);
        return codes[i].kind != NULL ? gr_error_with(err, "kind", gr_str(codes[i].kind)) : err;
    }
    return gr_error(GR_EINVAL, "%s: %s", path, text);
}

/* of_resources: what lacks memory or descriptors, SQLite calls a file that can't be opened or read. */
static int of_resources(const struct gri_sqlite *db, int rc)
{
    int e = db->db != NULL && ((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_IOERR)
                ? sqlite3_system_errno(db->db)
                : 0;

    if (e == EMFILE || e == ENFILE || e == ENOSPC)
        return SQLITE_FULL;
    return e == ENOMEM || rc == SQLITE_IOERR_NOMEM ? SQLITE_NOMEM : rc;
}

static gr_value *why(const struct gri_sqlite *db, int rc)
{
    rc = of_resources(db, rc);
    return error_of(gr_cstr(gr_get(db->args, "path"), "?"), rc,
                    db->db != NULL ? sqlite3_errmsg(db->db) : sqlite3_errstr(rc));
}

/* ---- statements ------------------------------------------------------------------------------ */

/* with_table writes the table's name for each %s of sql; NULL: out of memory. */
static char *with_table(const char *sql, const char *table)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    const char *at;

    while ((at = strstr(sql, "%s")) != NULL) {
        gri_strbuf_add(&b, sql, (size_t)(at - sql));
        gri_strbuf_adds(&b, table);
        sql = at + 2;
    }
    gri_strbuf_adds(&b, sql);
    return gri_strbuf_take(&b);
}

/* prepared finds or makes a statement; *ret_err says why not. */
static sqlite3_stmt *prepared(struct gri_sqlite *db, const char *sql, gr_value **ret_err)
{
    struct statement *s;
    char *whole;
    int rc;

    for (size_t i = 0; i < db->statement_count; i++)
        if (db->statements[i].sql == sql)
            return db->statements[i].stmt;
    if (db->statement_count == STATEMENTS_MAX)
        sqlite3_finalize(db->statements[--db->statement_count].stmt);
    s = &db->statements[db->statement_count];
    *s = (struct statement){ .sql = sql };
    whole = with_table(sql, gri_sqlite_table(db->args));
    if (whole == NULL) {
        *ret_err = gri_no_memory();
        return NULL;
    }
    rc = sqlite3_prepare_v3(db->db, whole, -1, SQLITE_PREPARE_PERSISTENT, &s->stmt, NULL);
    gri_free(whole);
    if (rc != SQLITE_OK) {
        *ret_err = why(db, rc);
        return NULL;
    }
    db->statement_count++;
    return s->stmt;
}

static int bind(sqlite3_stmt *stmt, int at, const gr_value *v)
{
    const void *data;
    size_t size = 0;

    switch (gr_value_type(v)) {
    case GR_NIL: return sqlite3_bind_null(stmt, at);
    case GR_BOOL: return sqlite3_bind_int(stmt, at, gr_as_bool(v, false));
    case GR_INT: return sqlite3_bind_int64(stmt, at, gr_as_int(v, 0));
    case GR_REAL: return sqlite3_bind_double(stmt, at, gr_as_real(v, 0));
    case GR_STR:
        return sqlite3_bind_text64(stmt, at, gr_cstr(v, ""), gr_len(v), SQLITE_STATIC, SQLITE_UTF8);
    case GR_BIN:
        data = gr_as_bin(v, &size);
        return sqlite3_bind_blob64(stmt, at, size == 0 ? "" : data, size, SQLITE_STATIC);
    default: return SQLITE_MISMATCH;
    }
}

static gr_value *column(sqlite3_stmt *stmt, int at)
{
    switch (sqlite3_column_type(stmt, at)) {
    case SQLITE_INTEGER: return gr_int(sqlite3_column_int64(stmt, at));
    case SQLITE_FLOAT: return gr_real(sqlite3_column_double(stmt, at));
    case SQLITE_TEXT: {
        const char *text = (const char *)sqlite3_column_text(stmt, at);

        return text == NULL ? gri_no_memory()
                            : gr_strn(text, (size_t)sqlite3_column_bytes(stmt, at));
    }
    case SQLITE_BLOB: {
        const void *data = sqlite3_column_blob(stmt, at);

        return gr_bin(data, data == NULL ? 0 : (size_t)sqlite3_column_bytes(stmt, at));
    }
    default: return gr_nil();
    }
}

static gr_value *row_of(sqlite3_stmt *stmt)
{
    gr_value *row = gr_list_n(NULL, 0);

    for (int i = 0; i < sqlite3_column_count(stmt); i++) {
        gr_value *v = column(stmt, i);

        if (gr_error_code(v) != GR_OK) { /* a list may hold an error as it holds any value */
            gr_value_unref(row);
            return v;
        }
        row = gr_append(row, v);
    }
    return row;
}

/* give_row: false, no more is wanted, or *ret_err says why there is none. */
static bool give_row(const struct gri_sqlite *db, sqlite3_stmt *stmt, gri_sqlite_row_fn *row,
                     void *arg, gr_value **ret_err)
{
    gr_value *v = row_of(stmt);

    if (gr_error_code(v) != GR_OK) { /* no memory, or a text that is none */
        *ret_err = gr_error(gr_error_code(v), "%s: a row can't be read: %s",
                            gr_cstr(gr_get(db->args, "path"), "?"), gr_error_text(v));
        gr_value_unref(v);
        return false;
    }
    if (row != NULL)
        return row(arg, v);
    gr_value_unref(v);
    return false;
}

gr_value *gri_sqlite_run(struct gri_sqlite *db, const char *sql, gr_value *params,
                         gri_sqlite_row_fn *row, void *arg)
{
    gr_value *err = NULL;
    sqlite3_stmt *stmt = gr_error_code(params) == GR_OK ? prepared(db, sql, &err) : NULL;
    int rc = SQLITE_OK;
    size_t rows = 0;

    if (gr_error_code(params) != GR_OK || stmt == NULL) {
        if (err != NULL)
            gr_value_unref(params);
        return err != NULL ? err : params;
    }
    for (size_t i = 0; i < gr_len(params) && rc == SQLITE_OK && err == NULL; i++) {
        if (gr_error_code(gr_at(params, i)) != GR_OK)
            err = gr_value_ref(gr_at(params, i));
        else
            rc = bind(stmt, (int)i + 1, gr_at(params, i));
    }
    if (rc == SQLITE_OK && err == NULL) {
        while ((rc = sqlite3_step(stmt)) == SQLITE_ROW && err == NULL) {
            if (rows++ == ROWS_MAX)
                err = gr_error(GR_EFULL, "%s: more than %zu rows",
                               gr_cstr(gr_get(db->args, "path"), "?"), ROWS_MAX);
            else if (!give_row(db, stmt, row, arg, &err))
                break;
        }
    }
    if (err == NULL && rc != SQLITE_DONE && rc != SQLITE_ROW)
        err = why(db, rc);
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    gr_value_unref(params);
    return err;
}

/* ---- the database ---------------------------------------------------------------------------- */

static gr_value *run_script(struct gri_sqlite *db, const char *script)
{
    char *whole = with_table(script, gri_sqlite_table(db->args));
    gr_value *err = NULL;
    int rc;

    if (whole == NULL)
        return gri_no_memory();
    rc = sqlite3_exec(db->db, whole, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        err = why(db, rc);
    gri_free(whole);
    return err;
}

/* set_up makes the database what we want of it. */
static gr_value *set_up(struct gri_sqlite *db, const char *schema)
{
    gr_value *err = run_script(db, gr_as_bool(gr_get(db->args, "is_durable"), false)
                                       ? "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;"
                                       : "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;");

    return err != NULL ? err : run_script(db, schema);
}

/* wait_a_little, as long as somebody waits for us: false when the call was cancelled. */
static bool wait_a_little(const struct gri_sqlite *db, int times)
{
    return gr_sleep(db->rt, times < BUSY_LOOKS ? times + 1 : BUSY_LOOKS) == GR_OK;
}

static uint64_t busy_ns(const struct gri_sqlite *db)
{
    return (uint64_t)gr_as_int(gr_get(db->args, "busy_ms"), GRI_SQLITE_BUSY_MS) * NS_PER_MS;
}

/* on_busy is asked by SQLite whether to try once more. Its own way of waiting can't be cancelled. */
static int on_busy(void *arg, int times)
{
    struct gri_sqlite *db = arg;

    if (times == 0)
        db->busy_since_ns = gr_now_ns(db->rt);
    return gr_now_ns(db->rt) - db->busy_since_ns < busy_ns(db) && wait_a_little(db, times);
}

/* set_up_in_time tries again while others set the same file up: where a lock that is held would have to become a
 * greater one, as for the change to WAL, SQLite does not wait, but is busy at once. */
static gr_value *set_up_in_time(struct gri_sqlite *db, const char *schema)
{
    uint64_t until = gr_now_ns(db->rt) + busy_ns(db);

    for (int times = 0;; times++) {
        gr_value *err = set_up(db, schema);

        if (err == NULL || (sqlite3_errcode(db->db) & 0xff) != SQLITE_BUSY ||
            gr_now_ns(db->rt) >= until || !wait_a_little(db, times))
            return err;
        gr_value_unref(err);
    }
}

static void set_limits(struct gri_sqlite *db)
{
    int64_t most =
        gr_as_int(gr_get(db->args, "value_max"), (int64_t)GRI_SQLITE_VALUE_MAX) + ROW_MORE;

    (void)sqlite3_busy_handler(db->db, on_busy, db);
    (void)sqlite3_limit(db->db, SQLITE_LIMIT_LENGTH, most < INT_MAX ? (int)most : INT_MAX);
    (void)sqlite3_db_config(db->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(db->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
}

/* is_gone: the file is not at its path any more. SQLite would go on in what nobody finds again. */
static bool is_gone(const struct gri_sqlite *db)
{
    int moved = 0;

    return sqlite3_file_control(db->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
           moved != 0;
}

gr_value *gri_sqlite_open(struct gri_sqlite **ret_db, gr_runtime *rt, const gr_value *args,
                          const char *schema)
{
    struct gri_sqlite *db;
    gr_value *err = NULL;
    int rc;

    if (*ret_db != NULL && !is_gone(*ret_db))
        return NULL;
    gri_sqlite_close(*ret_db);
    *ret_db = NULL;
    db = gri_new0(struct gri_sqlite);
    if (db == NULL)
        return gri_no_memory();
    db->args = gr_value_ref(args);
    db->rt = rt;
    rc = sqlite3_open_v2(gr_cstr(gr_get(args, "path"), ""), &db->db,
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                             SQLITE_OPEN_EXRESCODE,
                         NULL);
    if (rc != SQLITE_OK) {
        err = why(db, rc);
    } else {
        set_limits(db);
        err = set_up_in_time(db, schema);
    }
    if (err != NULL)
        gri_sqlite_close(db);
    else
        *ret_db = db;
    return err;
}

void gri_sqlite_close(struct gri_sqlite *db)
{
    if (db == NULL)
        return;
    for (size_t i = 0; i < db->statement_count; i++)
        sqlite3_finalize(db->statements[i].stmt);
    (void)sqlite3_close(db->db);
    gr_value_unref(db->args);
    gri_free(db);
}

/* take_back ends a transaction without a trace, if there is one. */
static void take_back(struct gri_sqlite *db)
{
    if (!sqlite3_get_autocommit(db->db))
        gr_value_unref(gri_sqlite_run(db, "ROLLBACK", gr_nil(), NULL, NULL));
}

gr_value *gri_sqlite_begin(struct gri_sqlite *db)
{
    take_back(
        db); /* one that could not be taken back, for want of memory, would be in the way for ever */
    return gri_sqlite_run(db, "BEGIN IMMEDIATE", gr_nil(), NULL, NULL);
}

gr_value *gri_sqlite_end(struct gri_sqlite *db, gr_value *err)
{
    if (err == NULL)
        err = gri_sqlite_run(db, "COMMIT", gr_nil(), NULL, NULL);
    if (err != NULL)
        take_back(db);
    return err;
}

#else

gr_value *gri_sqlite_open(struct gri_sqlite **db, gr_runtime *rt, const gr_value *args,
                          const char *schema)
{
    (void)db, (void)rt, (void)schema;
    return gr_error(GR_EINVAL, "%s: Greenroom was built without SQLite",
                    gr_cstr(gr_get(args, "path"), "?"));
}

void gri_sqlite_close(struct gri_sqlite *db)
{
    (void)db;
}

gr_value *gri_sqlite_run(struct gri_sqlite *db, const char *sql, gr_value *params,
                         gri_sqlite_row_fn *row, void *arg)
{
    (void)db, (void)sql, (void)row, (void)arg;
    gr_value_unref(params);
    return gr_error(GR_EINVAL, "Greenroom was built without SQLite");
}

gr_value *gri_sqlite_begin(struct gri_sqlite *db)
{
    return gri_sqlite_run(db, "", gr_nil(), NULL, NULL);
}

gr_value *gri_sqlite_end(struct gri_sqlite *db, gr_value *err)
{
    (void)db;
    return err;
}

#endif
