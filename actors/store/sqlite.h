/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite.h - an SQLite database: the only place that knows SQLite's own calls.
 *
 * Everything here may block, so it is for GR_BLOCKING handlers, one at a time. Without SQLite (the
 * CMake option GR_SQLITE) gri_sqlite_open says so, and the rest is never reached.
 */
#ifndef GR_ACTORS_STORE_SQLITE_H
#define GR_ACTORS_STORE_SQLITE_H

#include <greenroom/byte_store.h>

struct gri_sqlite;

#define GRI_SQLITE_BUSY_MS 5000 /* defaults of gr_sqlite_opts */
#define GRI_SQLITE_VALUE_MAX ((size_t)64 << 20)

/* gri_sqlite_args makes the settings of an actor with a database, a map, out of its options; table is
 * the default. An error for options that can't be. gri_sqlite_table gives the table's name. */
gr_value *gri_sqlite_args(const char *path, const gr_sqlite_opts *opts, const char *table);
const char *gri_sqlite_table(const gr_value *args);

/* gri_sqlite_check_size: a text or bytes are at most value_max. NULL, or what is wrong. */
gr_value *gri_sqlite_check_size(const gr_value *args, const gr_value *v);

/*
 * gri_sqlite_open opens the database that args tell of, and runs schema, in which %s is the table.
 * Does nothing if *db is one already, whose file is still there. NULL, or what is wrong; the text begins with the path. Other writers are
 * waited for, up to busy_ms, as long as the handler's call is not cancelled.
 */
gr_value *gri_sqlite_open(struct gri_sqlite **db, gr_runtime *rt, const gr_value *args,
                          const char *schema);
void gri_sqlite_close(struct gri_sqlite *db); /* NULL is fine */

/*
 * gri_sqlite_run runs one statement, in which %s is the table, with params for its ?s: nil, integers,
 * texts, bytes, reals. row is called with each row, a list of its columns, taken; false leaves early.
 * sql is kept, compiled, by its address: a constant. NULL, or what is wrong. A failure inside of a
 * transaction leaves it open: see gri_sqlite_end.
 */
typedef bool gri_sqlite_row_fn(void *arg, gr_value *row GR_TAKES);
gr_value *gri_sqlite_run(struct gri_sqlite *db, const char *sql, gr_value *params GR_TAKES,
                         gri_sqlite_row_fn *row, void *arg);

/* A transaction that writes. gri_sqlite_end commits if err is NULL, else it takes all back; gives err,
 * or why the commit failed. */
gr_value *gri_sqlite_begin(struct gri_sqlite *db);
gr_value *gri_sqlite_end(struct gri_sqlite *db, gr_value *err GR_TAKES);

#endif
