/* SPDX-License-Identifier: Apache-2.0 */
/* stores_test.c - stores by key: langchain-core's case, and what is ours, in memory and in SQLite. */
#include <stdlib.h>
#include <unistd.h>

#include "tests/conformance/cases.h"
#include "tests/support/database.h"

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

TestSuite(stores, .init = start, .fini = stop, .timeout = 120);

static gr_ref memory(void)
{
    return gr_memory_byte_store(root, NULL);
}

/* sqlite falls back on memory where Greenroom was built without SQLite. */
static gr_ref sqlite(void)
{
    return lacks_sqlite() ? memory() : gr_sqlite_store(root, database, NULL);
}

static gr_value *keys(gr_ref store, const char *prefix)
{
    gr_value *err = NULL, *list = chunks(gr_ayield_keys(rt, store, prefix, NULL), &err);

    cr_assert_null(err, "%s", gr_error_text(err));
    return list;
}

static void sto_01(gr_ref store)
{
    is(answer(gr_amset(rt, store, json("[[\"a1\",1],[\"b\",7],[\"c\",2]]"), NULL)), "null");
    is(answer(gr_amget(rt, store, json("[\"a1\",\"missing\",\"c\"]"), NULL)), "[1,null,2]");
    is(answer(gr_amdelete(rt, store, json("[\"b\",\"no such\"]"), NULL)), "null");
    is(keys(store, "a"), "[\"a1\"]");
    is(keys(store, NULL), "[\"a1\",\"c\"]");
}

Test(stores, sto_01_in_memory)
{
    sto_01(memory());
}

Test(stores, sto_01_in_sqlite)
{
    sto_01(sqlite());
}

/* what goes in comes out, whatever it is */
static void round_trip(gr_ref store)
{
    const float x[] = { 1.5f, -2 };
    gr_value *values =
        gr_list(gr_bin("a\0b", 3), gr_bin("", 0), gr_str("text \xc3\xa9"), gr_str(""), gr_real(0.1),
                gr_bool(false), gr_floats(x, 2), gr_int(INT64_MIN));
    gr_value *pairs = gr_list_n(NULL, 0), *names = gr_list_n(NULL, 0), *got;

    values = gr_append(values, json("{\"b\":[1,{\"a\":null}],\"a\":\"x\"}"));
    for (size_t i = 0; i < gr_len(values); i++) {
        names = gr_append(names, gr_strf("k%zu", i));
        pairs = gr_append(pairs, gr_list(gr_strf("k%zu", i), gr_value_ref(gr_at(values, i))));
    }
    is(answer(gr_amset(rt, store, pairs, NULL)), "null");
    got = answer(gr_amget(rt, store, names, NULL));
    cr_assert(gr_equal(got, values), "%s", gr_json_print(got, 0, NULL));
    gr_value_unref(got);
    gr_value_unref(values);
    /* the last of two of a key counts */
    is(answer(gr_amset(rt, store, json("[[\"k0\",1],[\"k0\",2]]"), NULL)), "null");
    is(answer(gr_amget(rt, store, json("[\"k0\",\"k0\"]"), NULL)), "[2,2]");
}

static void refusals(gr_ref store)
{
    gr_value *long_key = gr_str("");

    for (int i = 0; i < 1025; i++)
        long_key = gr_add(long_key, gr_strf("%064d", i));
    fails_with(answer(gr_amset(rt, store, json("[[\"a\",1],[\"b\",null]]"), NULL)), GR_EINVAL,
               "nil");
    fails_with(answer(gr_amset(rt, store, json("[[\"a\",1],[\"\",1]]"), NULL)), GR_EINVAL, "key 2");
    fails_with(answer(gr_amset(rt, store, json("[[\"a\",1],[\"b\"]]"), NULL)), GR_ETYPE, "pair 2");
    fails_with(answer(gr_amset(rt, store, json("{}"), NULL)), GR_ETYPE, "pairs");
    fails_with(answer(gr_amget(rt, store, json("[1]"), NULL)), GR_ETYPE, "key 1");
    fails_with(answer(gr_amget(rt, store, gr_list(gr_strn("a\0b", 3)), NULL)), GR_EINVAL, "NUL");
    fails_with(answer(gr_amdelete(rt, store, gr_list(long_key), NULL)), GR_EINVAL, "above");
    fails_with(
        answer(gr_amset(rt, store, gr_list(gr_list(gr_str("a"), gr_opaque(NULL, NULL))), NULL)),
        GR_ETYPE, "opaque");
    is(keys(store, NULL), "[]"); /* all or nothing */
}

Test(stores, what_goes_in_comes_out)
{
    round_trip(memory());
    round_trip(sqlite());
}

Test(stores, what_is_refused)
{
    refusals(memory());
    refusals(sqlite());
}

Test(stores, many_keys_come_in_pages)
{
    gr_ref store = sqlite();
    gr_value *pairs = gr_list_n(NULL, 0), *list;

    if (lacks_sqlite())
        return;
    for (int i = 0; i < 1300; i++)
        pairs = gr_append(pairs, gr_list(gr_strf("%c%04d", i % 2 == 0 ? 'a' : 'b', i), gr_int(i)));
    is(answer(gr_amset(rt, store, pairs, NULL)), "null");
    list = keys(store, NULL);
    cr_assert_eq(gr_len(list), 1300);
    gr_value_unref(list);
    list = keys(store, "b");
    cr_assert_eq(gr_len(list), 650);
    cr_assert_str_eq(gr_cstr(gr_at(list, 0), ""), "b0001");
    gr_value_unref(list);
    list = gr_yield_keys(rt, store, "b00", NULL, NULL);
    cr_assert_eq(gr_len(list), 50);
    gr_value_unref(list);
    is(keys(store, "%"), "[]");
    is(keys(store, "A"), "[]");
}

Test(stores, a_memory_store_has_its_limits)
{
    gr_ref s = gr_memory_byte_store(root, GR_MEMORY_BYTE_STORE(.keys_max = 2));
    gr_ref e =
        gr_memory_byte_store(root, GR_MEMORY_BYTE_STORE(.keys_max = 2, .evicts_oldest = true));
    gr_ref small = gr_memory_byte_store(root, GR_MEMORY_BYTE_STORE(.bytes_max = 10000));
    gr_value *big;

    is(answer(gr_amset(rt, s, json("[[\"a\",1],[\"b\",1]]"), NULL)), "null");
    fails_with(answer(gr_amset(rt, s, json("[[\"a\",2],[\"c\",1]]"), NULL)), GR_EFULL, "2 keys");
    is(answer(gr_amget(rt, s, json("[\"a\",\"c\"]"), NULL)), "[1,null]");
    is(answer(gr_amset(rt, s, json("[[\"a\",3]]"), NULL)), "null");
    is(answer(gr_amset(rt, e, json("[[\"a\",1],[\"b\",1]]"), NULL)), "null");
    is(answer(gr_amset(rt, e, json("[[\"c\",1]]"), NULL)), "null");
    is(keys(e, NULL), "[\"b\",\"c\"]");
    fails_with(answer(gr_amset(rt, e, json("[[\"x\",1],[\"y\",1],[\"z\",1]]"), NULL)), GR_EFULL,
               "");
    big = gr_str("");
    for (int i = 0; i < 200; i++)
        big = gr_add(big, gr_strf("%0100d", i));
    fails_with(answer(gr_amset(rt, small, gr_list(gr_list(gr_str("k"), big)), NULL)), GR_EFULL,
               "bytes");
    is(answer(gr_amset(rt, small, json("[[\"k\",\"v\"]]"), NULL)), "null");
}

Test(stores, a_file_is_kept_and_shared)
{
    gr_ref one = sqlite(), two = gr_sqlite_store(root, database, NULL), other;
    static const int rounds = 50;
    gr_future *f[100];

    if (lacks_sqlite())
        return;
    for (int i = 0; i < rounds; i++) {
        gr_value *pairs = gr_list(gr_list(gr_strf("one%d", i), gr_int(i)));

        f[2 * i] = gr_amset(rt, one, pairs, NULL);
        f[2 * i + 1] = gr_amset(rt, two, gr_list(gr_list(gr_strf("two%d", i), gr_int(i))), NULL);
    }
    for (int i = 0; i < 2 * rounds; i++)
        is(answer(f[i]), "null");
    gr_stop(rt, one);
    other = gr_sqlite_store(root, database, GR_SQLITE(.is_durable = true));
    is(answer(gr_amget(rt, other, json("[\"one7\",\"two9\"]"), NULL)), "[7,9]");
    other = gr_sqlite_store(root, database, GR_SQLITE(.table = "another"));
    is(keys(other, NULL), "[]");
}

/* twenty that make one file at once: none is told that it is busy */
Test(stores, many_may_be_the_first)
{
    gr_future *f[20];

    if (lacks_sqlite())
        return;
    for (int round = 0; round < 5; round++) {
        char name[80];

        snprintf(name, sizeof(name), "%s/%d.db", folder, round);
        for (int i = 0; i < 20; i++)
            f[i] = gr_amset(rt, gr_sqlite_store(root, name, NULL),
                            gr_list(gr_list(gr_strf("k%d", i), gr_int(i))), NULL);
        for (int i = 0; i < 20; i++)
            is(answer(f[i]), "null");
    }
}

Test(stores, a_value_has_its_limit)
{
    gr_ref s = gr_sqlite_store(root, database, GR_SQLITE(.value_max = 10));
    gr_value *err;

    if (lacks_sqlite())
        return;
    is(answer(gr_amset(
           rt, s, json("[[\"a key that is longer than a value may be\",\"0123456789\"]]"), NULL)),
       "null");
    err = answer(gr_amset(rt, s, json("[[\"b\",1],[\"a\",\"0123456789a\"]]"), NULL));
    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), ""), "too big");
    fails_with(err, GR_EFULL, "11 bytes");
    is(answer(gr_amget(rt, s, json("[\"b\"]"), NULL)), "[null]"); /* all or nothing */
}

Test(stores, a_damaged_file_is_told)
{
    FILE *f = fopen(database, "w");
    gr_ref store;
    gr_value *err;

    if (lacks_sqlite())
        return;
    cr_assert_not_null(f);
    for (int i = 0; i < 500; i++)
        fputs("this is no database. ", f);
    fclose(f);
    store = sqlite();
    err = answer(gr_amget(rt, store, json("[\"a\"]"), NULL));
    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), ""), "damaged");
    cr_assert_not_null(strstr(gr_error_text(err), "a.db"));
    fails_with(err, GR_EINVAL, "not a database");
    fails_with(answer(gr_amget(rt, gr_sqlite_store(root, "/no/such/folder/x.db", NULL),
                               json("[\"a\"]"), NULL)),
               GR_EINVAL, "/no/such/folder/x.db");
    fails_with(gr_check(rt, gr_sqlite_store(root, database, GR_SQLITE(.table = "a; drop"))),
               GR_EINVAL, "name of a table");
    fails_with(gr_check(rt, gr_sqlite_store(root, NULL, NULL)), GR_EINVAL, "path");
}
