/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_test.c - a database that others hold, and transactions that were not ended. */
#include "tests/support/database.h"
#include "tests/support/runnables.h"

static void start(void)
{
    set_up();
    folder_make();
}

static void stop(void)
{
    tear_down();
    folder_remove();
}

TestSuite(sqlite, .init = start, .fini = stop, .timeout = 120);

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS \"%s\" (id INTEGER NOT NULL PRIMARY KEY, word TEXT);";

static struct gri_sqlite *open_database(void)
{
    gr_value *args = gri_sqlite_args(database, NULL, "words"), *err;
    struct gri_sqlite *db = NULL;

    err = gri_sqlite_open(&db, rt, args, schema);
    cr_assert_null(err, "%s", gr_error_text(err));
    gr_value_unref(args);
    return db;
}

static gr_value *add(struct gri_sqlite *db, const char *word)
{
    return gri_sqlite_run(db, "INSERT INTO \"%s\" (word) VALUES (?)", gr_list(gr_str(word)), NULL,
                          NULL);
}

static bool append(void *arg, gr_value *row)
{
    gr_value **list = arg;

    *list = gr_append(*list, gr_value_ref(gr_at(row, 0)));
    gr_value_unref(row);
    return true;
}

static gr_value *words(struct gri_sqlite *db)
{
    gr_value *list = gr_list_n(NULL, 0);

    cr_assert_null(
        gri_sqlite_run(db, "SELECT word FROM \"%s\" ORDER BY id", gr_nil(), append, &list));
    return list;
}

/* One that could not be taken back would keep all others from writing, and itself. */
Test(sqlite, a_transaction_that_was_not_ended_is_taken_back)
{
    struct gri_sqlite *db;
    gr_value *err;

    if (lacks_sqlite())
        return;
    db = open_database();
    cr_assert_null(gri_sqlite_begin(db));
    cr_assert_null(add(db, "lost"));
    err = gri_sqlite_begin(db);
    cr_assert_null(err, "%s", gr_error_text(err));
    cr_assert_null(add(db, "kept"));
    cr_assert_null(gri_sqlite_end(db, NULL));
    is(words(db), "[\"kept\"]");
    gri_sqlite_close(db);
}

Test(sqlite, who_waits_for_another_writer_can_be_cancelled)
{
    struct gri_sqlite *db;
    gr_future *f;
    gr_ref store;

    if (lacks_sqlite())
        return;
    store = gr_sqlite_store(root, database, GR_SQLITE(.busy_ms = 3600000));
    is(answer(gr_amget(rt, store, json("[\"a\"]"), NULL)), "[null]");
    db = open_database();
    cr_assert_null(gri_sqlite_begin(db));
    f = gr_amset(rt, store, json("[[\"a\",1]]"), NULL);
    cr_assert_eq(gr_await(f, 20).code, GR_EPENDING);
    gr_future_free(f);
    is(answer(gr_amget(rt, store, json("[\"a\"]"), NULL)), "[null]"); /* not in an hour */
    f = gr_amset(rt, store, json("[[\"a\",2]]"), NULL);
    cr_assert_eq(gr_await(f, 20).code, GR_EPENDING);
    cr_assert_null(gri_sqlite_end(db, NULL));
    is(answer(f), "null");
    is(answer(gr_amget(rt, store, json("[\"a\"]"), NULL)), "[2]");
    gri_sqlite_close(db);
}

Test(sqlite, who_holds_it_for_too_long_is_told)
{
    struct gri_sqlite *db;
    gr_ref store;
    gr_value *err;

    if (lacks_sqlite())
        return;
    store = gr_sqlite_store(root, database, GR_SQLITE(.busy_ms = 5));
    is(answer(gr_amget(rt, store, json("[\"a\"]"), NULL)), "[null]");
    db = open_database();
    cr_assert_null(gri_sqlite_begin(db));
    err = answer(gr_amset(rt, store, json("[[\"a\",1]]"), NULL));
    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), ""), "busy");
    fails_with(err, GR_EFULL, "a.db");
    cr_assert_null(gri_sqlite_end(db, NULL));
    is(answer(gr_amset(rt, store, json("[[\"a\",1]]"), NULL)), "null");
    gri_sqlite_close(db);
}

/* What is kept in a file that was removed, or that another one has taken the place of, nobody would find again. */
Test(sqlite, a_file_that_was_removed_is_made_anew)
{
    static const char *const behind[] = { "", "-wal", "-shm" };
    gr_ref store, other;
    char name[80];

    if (lacks_sqlite())
        return;
    store = gr_sqlite_store(root, database, NULL);
    is(answer(gr_amset(rt, store, json("[[\"a\",1]]"), NULL)), "null");
    for (size_t i = 0; i < sizeof(behind) / sizeof(behind[0]); i++) {
        snprintf(name, sizeof(name), "%s%s", database, behind[i]);
        (void)unlink(name);
    }
    is(answer(gr_amget(rt, store, json("[\"a\"]"), NULL)), "[null]");
    is(answer(gr_amset(rt, store, json("[[\"b\",2]]"), NULL)), "null");
    other = gr_sqlite_store(root, database, NULL);
    is(answer(gr_amget(rt, other, json("[\"a\",\"b\"]"), NULL)), "[null,2]");
}
