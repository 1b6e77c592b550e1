/* SPDX-License-Identifier: Apache-2.0 */
/* histories_test.c - conversations in files and in SQLite, windows and summaries of them. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
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

TestSuite(histories, .init = start, .fini = stop, .timeout = 120);

static gr_value *add(gr_ref h, const char *ids, const char *messages)
{
    return answer(gr_acall(rt, h, "add_messages",
                           gr_map(GR_KV("ids", json(ids)), GR_KV("messages", json(messages))),
                           NULL));
}

static gr_value *messages(gr_ref h, const char *ids)
{
    return answer(gr_acall(rt, h, "get_messages", json(ids), NULL));
}

/* said gives the contents of a session. */
static gr_value *said(gr_ref h, const char *ids)
{
    gr_value *list = messages(h, ids), *out = gr_list_n(NULL, 0);

    if (gr_error_code(list) != GR_OK) {
        gr_value_unref(out);
        return list;
    }
    for (size_t i = 0; i < gr_len(list); i++)
        out = gr_append(out, gr_value_ref(gr_get(gr_at(list, i), "content")));
    gr_value_unref(list);
    return out;
}

#define A "{\"session_id\":\"a\"}"
#define B "{\"session_id\":\"b\"}"

/* what every history does */
static void keeps(gr_ref h, gr_ref same)
{
    static const char tools[] =
        "[{\"type\":\"ai\",\"content\":\"\",\"tool_calls\":[{\"name\":\"t\",\"args\":{\"x\":1},\"id\":\"1\","
        "\"type\":\"tool_call\"}],\"usage_metadata\":{\"input_tokens\":1,\"output_tokens\":2,"
        "\"total_tokens\":3}},{\"type\":\"tool\",\"content\":\"r\",\"tool_call_id\":\"1\",\"status\":"
        "\"success\"},{\"type\":\"human\",\"content\":[{\"type\":\"text\",\"text\":\"\\u00e9\\n\"}]}]";
    gr_value *got, *wanted;

    is(messages(h, A), "[]");
    is(add(h, A, "[\"one\",[\"ai\",\"two\"]]"), "null");
    is(add(h, B, "\"other\""), "null");
    is(add(same, A, "\"three\""), "null");
    is(said(h, A), "[\"one\",\"two\",\"three\"]");
    is(said(same, B), "[\"other\"]");
    is(said(h, "{\"session_id\":\"A\"}"), "[]");
    is(answer(gr_acall(rt, h, "clear", json(A), NULL)), "null");
    is(said(same, A), "[]");
    is(said(h, B), "[\"other\"]");
    is(add(h, A, "[]"), "null");
    is(add(h, A, tools), "null");
    got = messages(same, A);
    wanted = json(tools);
    cr_assert(gr_equal(got, wanted), "%s", gr_json_print(got, 0, NULL));
    gr_value_unref(got);
    gr_value_unref(wanted);
    /* names that look like others, or like paths */
    is(add(h, "{\"user\":\"a\"}", "\"map\""), "null");
    is(add(h, "{\"session_id\":\"{\\\"user\\\": \\\"a\\\"}\"}", "\"text\""), "null");
    is(add(h, "{\"session_id\":\"../../x/%2F\"}", "\"path\""), "null");
    is(said(h, "{\"user\":\"a\"}"), "[\"map\"]");
    is(said(h, "{\"session_id\":\"{\\\"user\\\": \\\"a\\\"}\"}"), "[\"text\"]");
    is(said(h, "{\"session_id\":\"../../x/%2F\"}"), "[\"path\"]");
    fails_with(add(h, "{}", "\"x\""), GR_EINVAL, "map of ids");
    fails_with(answer(gr_acall(rt, h, "add_messages", json("{\"messages\":\"x\"}"), NULL)),
               GR_EINVAL, "map of ids");
    fails_with(add(h, A, "7"), GR_EINVAL, "");
}

Test(histories, in_files)
{
    keeps(gr_file_history(root, folder, NULL),
          gr_file_history(root, folder, GR_FILE_HISTORY(.no_sync = true)));
}

Test(histories, in_sqlite)
{
    if (lacks_sqlite())
        return;
    keeps(gr_sqlite_history(root, database, NULL), gr_sqlite_history(root, database, NULL));
}

Test(histories, in_memory)
{
    gr_ref h = gr_memory_history(root, NULL);

    keeps(h, h);
}

Test(histories, long_names_have_files_of_their_own)
{
    gr_ref h = gr_file_history(root, folder, NULL);
    char one[1200], two[1200];

    snprintf(one, sizeof(one), "{\"session_id\":\"%01000d1\"}", 0);
    snprintf(two, sizeof(two), "{\"session_id\":\"%01000d2\"}", 0);
    is(add(h, one, "\"1\""), "null");
    is(add(h, two, "\"2\""), "null");
    is(said(h, one), "[\"1\"]");
    is(said(h, two), "[\"2\"]");
}

/* ---- files: what goes wrong ------------------------------------------------------------------ */

static const char *file_of_a(void)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/a.jsonl", folder);
    return path;
}

static void put(const char *text, const char *mode)
{
    FILE *f = fopen(file_of_a(), mode);

    cr_assert_not_null(f);
    fputs(text, f);
    fclose(f);
}

static off_t size_of_a(void)
{
    struct stat st;

    cr_assert_eq(stat(file_of_a(), &st), 0);
    return st.st_size;
}

/* every length that a crash may leave: what was whole is there, what was torn is not */
Test(histories, a_torn_line_is_dropped_and_mended)
{
    gr_ref h = gr_file_history(root, folder, NULL);
    off_t first, both;

    is(add(h, A, "\"one\""), "null");
    first = size_of_a();
    is(add(h, A, "[\"two\",\"three\"]"), "null");
    both = size_of_a();
    for (off_t size = both - 1; size >= first; size--) {
        cr_assert_eq(truncate(file_of_a(), size), 0);
        is(said(h, A), "[\"one\"]");
    }
    put("[{\"type\":\"hum", "a");
    is(add(h, A, "\"four\""), "null");
    is(said(h, A), "[\"one\",\"four\"]");
    for (off_t size = first - 1; size >= 0; size--) {
        cr_assert_eq(truncate(file_of_a(), size), 0);
        is(said(h, A), "[]");
    }
    is(add(h, A, "\"five\""), "null");
    is(said(h, A), "[\"five\"]");
}

Test(histories, damage_in_the_middle_is_told)
{
    gr_ref h = gr_file_history(root, folder, NULL);

    is(add(h, A, "\"one\""), "null");
    put("nonsense\n", "a");
    is(add(h, A, "\"two\""), "null");
    fails_with(said(h, A), GR_EPROTO, "a.jsonl: line 3: ");
    put("{\"greenroom\":\"history\",\"version\":1}\n[\"a\",{\"type\":\"?\",\"content\":\"b\"}]\n",
        "w");
    fails_with(said(h, A), GR_EPROTO, "a.jsonl: line 2: unknown role");
    put("{\"x\":1}\n", "w");
    fails_with(said(h, A), GR_EPROTO, "no history");
    put("{\"greenroom\":\"history\",\"version\":2}\n", "w");
    fails_with(said(h, A), GR_EPROTO, "version 1");
}

Test(histories, who_holds_a_file_is_waited_for)
{
    gr_ref h = gr_file_history(root, folder, GR_FILE_HISTORY(.lock_ms = 50));
    gr_ref patient = gr_file_history(root, folder, NULL);
    gr_future *f;
    int fd;

    is(add(h, A, "\"one\""), "null");
    fd = open(file_of_a(), O_RDWR);
    cr_assert_eq(flock(fd, LOCK_EX), 0);
    fails_with(add(h, A, "\"two\""), GR_EFULL, "others have held it");
    fails_with(said(h, A), GR_EFULL, "50 ms");
    f = gr_acall(rt, patient, "add_messages",
                 gr_map(GR_KV("ids", json(A)), GR_KV("messages", gr_str("three"))), NULL);
    cr_assert_eq(gr_await(f, 20).code, GR_EPENDING);
    cr_assert_eq(flock(fd, LOCK_UN), 0);
    is(answer(f), "null");
    close(fd);
    is(said(h, A), "[\"one\",\"three\"]");
}

Test(histories, many_write_at_once)
{
    gr_ref one = gr_file_history(root, folder, GR_FILE_HISTORY(.no_sync = true));
    gr_ref two = gr_file_history(root, folder, GR_FILE_HISTORY(.no_sync = true));
    gr_future *f[60];
    gr_value *list;

    for (int i = 0; i < 60; i++)
        f[i] =
            gr_acall(rt, i % 2 == 0 ? one : two, "add_messages",
                     gr_map(GR_KV("ids", json(A)), GR_KV("messages", json("[\"x\",\"y\"]"))), NULL);
    for (int i = 0; i < 60; i++)
        is(answer(f[i]), "null");
    list = said(one, A);
    cr_assert_eq(gr_len(list), 120, "%s", gr_error_text(list));
    for (size_t i = 0; i < 120; i++)
        cr_assert_str_eq(gr_cstr(gr_at(list, i), ""), i % 2 == 0 ? "x" : "y");
    gr_value_unref(list);
}

Test(histories, files_have_their_limits)
{
    gr_ref h = gr_file_history(root, folder, GR_FILE_HISTORY(.bytes_max = 200));
    char link[128];

    is(add(h, A, "\"one\""), "null");
    for (int i = 0; i < 3; i++)
        gr_value_unref(add(h, A, "\"more and more\""));
    fails_with(add(h, A, "\"too much of it\""), GR_EFULL, "200 bytes");
    gr_value_unref(said(h, A)); /* what is there can be read */
    fails_with(
        answer(gr_acall(rt, gr_file_history(root, "/proc/no/such", NULL), "add_messages",
                        gr_map(GR_KV("ids", json(A)), GR_KV("messages", gr_str("x"))), NULL)),
        GR_EINVAL, "/proc/no/such");
    is(said(gr_file_history(root, "/proc/no/such", NULL), A), "[]");
    snprintf(link, sizeof(link), "%s/b.jsonl", folder);
    cr_assert_eq(symlink("/etc/hostname", link), 0);
    fails_with(add(h, B, "\"x\""), GR_EINVAL, "b.jsonl");
    fails_with(gr_check(rt, gr_file_history(root, "", NULL)), GR_EINVAL, "folder");
}

static bool keep_text(void *arg, gr_value *row)
{
    *(gr_value **)arg = gr_value_ref(gr_at(row, 0));
    gr_value_unref(row);
    return false;
}

/* the table, and a row as langchain-core's message_to_dict has it */
Test(histories, rows_of_langchain_are_read)
{
    static const char table[] =
        "CREATE TABLE \"%s\" (id INTEGER NOT NULL, session_id TEXT, message TEXT, "
        "PRIMARY KEY (id));";
    static const char theirs[] =
        "{\"type\":\"ai\",\"data\":{\"content\":\"theirs\",\"additional_kwargs\":{},"
        "\"response_metadata\":{},\"type\":\"ai\",\"name\":null,\"id\":null,\"example\":false,"
        "\"tool_calls\":[],\"invalid_tool_calls\":[],\"usage_metadata\":null}}";
    gr_value *args = gri_sqlite_args(database, NULL, "message_store"), *text = NULL, *dict;
    struct gri_sqlite *db = NULL;
    gr_ref h;

    if (lacks_sqlite())
        return;
    cr_assert_null(gri_sqlite_open(&db, rt, args, table));
    cr_assert_null(gri_sqlite_run(db, "INSERT INTO \"%s\" (session_id, message) VALUES ('a', ?)",
                                  gr_list(gr_str(theirs)), NULL, NULL));
    h = gr_sqlite_history(root, database, NULL);
    is(messages(h, A), "[{\"type\":\"ai\",\"content\":\"theirs\",\"example\":false}]");
    is(add(h, A, "\"ours\""), "null");
    is(said(h, A), "[\"theirs\",\"ours\"]");
    cr_assert_null(gri_sqlite_run(db,
                                  "SELECT message FROM \"%s\" WHERE session_id = 'a' AND id = 2",
                                  gr_nil(), keep_text, &text));
    dict = json(gr_cstr(text, "{}"));
    is(dict, "{\"type\":\"human\",\"data\":{\"type\":\"human\",\"content\":\"ours\"}}");
    cr_assert_null(gri_sqlite_run(db, "INSERT INTO \"%s\" (session_id, message) VALUES ('a', 'x')",
                                  gr_nil(), NULL, NULL));
    fails_with(said(h, A), GR_EPROTO, "row 3");
    gri_sqlite_close(db);
    gr_value_unref(text);
    gr_value_unref(args);
}

/* ---- windows --------------------------------------------------------------------------------- */

#define TALK                                                                                                   \
    "[[\"human\",\"1\"],[\"ai\",\"2\"],[\"human\",\"3\"],{\"type\":\"ai\",\"content\":\"4\",\"tool_calls\":[{" \
    "\"name\":\"t\",\"args\":{},\"id\":\"i\",\"type\":\"tool_call\"}]},{\"type\":\"tool\",\"content\":\"5\","  \
    "\"tool_call_id\":\"i\"},[\"ai\",\"6\"],[\"human\",\"7\"],[\"ai\",\"8\"]]"

Test(histories, windows)
{
    gr_ref h = gr_memory_history(root, NULL);
    gr_ref turns = gr_window_history(root, h, GR_WINDOW(.turns = 2));
    gr_ref five = gr_window_history(root, h, NULL);
    gr_ref last = gr_window_history(root, h, GR_WINDOW(.messages = 3));
    gr_ref cut =
        gr_window_history(root, h, GR_WINDOW(.messages = 4)); /* would begin with a tool's */
    gr_ref tokens = gr_window_history(root, h, GR_WINDOW(.tokens = 11));
    gr_ref both = gr_window_history(root, h, GR_WINDOW(.turns = 1, .messages = 100));

    is(said(turns, A), "[]");
    is(add(turns, A, TALK), "null");
    is(said(turns, A), "[\"3\",\"4\",\"5\",\"6\",\"7\",\"8\"]");
    is(said(five, A), "[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\"]");
    is(said(last, A), "[\"6\",\"7\",\"8\"]");
    is(said(cut, A), "[\"6\",\"7\",\"8\"]");
    is(said(tokens, A), "[\"7\",\"8\"]"); /* 2 + 3 and 1 + 3: the next would be 1 + 3 more */
    is(said(both, A), "[\"7\",\"8\"]");
    is(answer(gr_acall(rt, turns, "clear", json(A), NULL)), "null");
    is(said(h, A), "[]");
}

/* ---- summaries ------------------------------------------------------------------------------- */

/* Answers "S" and how many lines it was told were said, and fails while it is told to. */
struct teller {
    _Atomic int calls;
    _Atomic bool fails;
};

static gr_value *tell_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    struct teller *t = arg;
    gr_value *text = gr_message_text(gr_at(input, 1));
    const char *said_since = strstr(gr_cstr(text, ""), "Said since then:\n");
    bool begins = strstr(gr_cstr(text, ""), "(none)") != NULL;
    int lines = 0;
    gr_value *v;

    (void)c;
    atomic_fetch_add(&t->calls, 1);
    if (atomic_load(&t->fails)) {
        gr_value_unref(text);
        return gr_error(GR_EREMOTE, "no summary today");
    }
    for (const char *p = said_since; p != NULL && *p != '\0'; p++)
        lines += strncmp(p, "Human: ", 7) == 0 || strncmp(p, "AI: ", 4) == 0;
    v = gr_message("ai", gr_strf("%s%d", begins ? "new" : "more", lines));
    gr_value_unref(text);
    return v;
}

static void summaries(gr_ref h, gr_ref store)
{
    struct teller t = { .calls = 0 };
    gr_ref model = gr_lambda(root, GR_ASYNC, tell_fn, NULL, &t);
    gr_ref s = gr_summary_history(root, h, model, GR_SUMMARY(.tokens = 25, .store = store)), other;

    /* each message is 3 and (1 + "human" or "ai") / 4: 5 for a human's, 4 for an ai's */
    is(add(s, A, "[[\"human\",\"1\"],[\"ai\",\"2\"],[\"human\",\"3\"],[\"ai\",\"4\"]]"), "null");
    is(said(s, A), "[\"1\",\"2\",\"3\",\"4\"]");
    cr_assert_eq(atomic_load(&t.calls), 0);
    is(add(s, A, "[[\"human\",\"5\"],[\"ai\",\"6\"],[\"human\",\"7\"]]"), "null");
    is(said(s, A), "[\"new2\",\"3\",\"4\",\"5\",\"6\",\"7\"]");
    is(said(h, A), "[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\"]"); /* all of it is kept */
    atomic_store(&t.fails, true);
    is(add(s, A, "[[\"ai\",\"8\"]]"), "null");
    is(said(s, A), "[\"new2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\"]"); /* nothing is lost */
    atomic_store(&t.fails, false);
    is(add(s, A, "[[\"human\",\"9\"]]"), "null");
    is(said(s, A), "[\"more2\",\"5\",\"6\",\"7\",\"8\",\"9\"]");
    is(said(s, B), "[]");
    if (store.id != 0) {
        other = gr_summary_history(root, h, model, GR_SUMMARY(.tokens = 25, .store = store));
        is(said(other, A), "[\"more2\",\"5\",\"6\",\"7\",\"8\",\"9\"]");
    }
    /* cleared behind its back, the summary counts no more */
    is(answer(gr_acall(rt, h, "clear", json(A), NULL)), "null");
    is(add(h, A, "\"anew\""), "null");
    is(said(s, A), "[\"anew\"]");
    is(add(h, A, "[\"b\",\"c\",\"d\",\"e\",\"f\"]"), "null"); /* nor when that has grown as long */
    is(said(s, A), "[\"anew\",\"b\",\"c\",\"d\",\"e\",\"f\"]");
    is(answer(gr_acall(rt, s, "clear", json(A), NULL)), "null");
    is(said(s, A), "[]");
    if (store.id != 0)
        is(gr_yield_keys(rt, store, NULL, NULL, NULL), "[]");
}

Test(histories, summaries_in_memory)
{
    summaries(gr_memory_history(root, NULL), (gr_ref){ 0, 0 });
}

Test(histories, summaries_in_a_store)
{
    if (lacks_sqlite())
        return;
    summaries(gr_sqlite_history(root, database, NULL), gr_sqlite_store(root, database, NULL));
}

/* Summarises while its conversation is cleared. */
static gr_value *clearing_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_value *err = NULL, *done;

    (void)input;
    done = gr_do(gr_runtime_of(c), *(gr_ref *)arg, "clear", json(A), NULL, &err);
    gr_value_unref(done);
    return done != NULL ? gr_message("ai", gr_str("of what is gone")) : err;
}

static void cleared_meanwhile(gr_ref h, gr_ref store)
{
    gr_ref s = { 0, 0 };
    gr_ref model = gr_lambda(root, GR_ASYNC, clearing_fn, NULL, &s);

    s = gr_summary_history(root, h, model, GR_SUMMARY(.tokens = 10, .store = store));
    is(add(s, A, "[[\"human\",\"1\"],[\"ai\",\"2\"],[\"human\",\"3\"],[\"ai\",\"4\"]]"), "null");
    is(said(s, A), "[]");
    is(add(h, A, "[[\"human\",\"5\"],[\"ai\",\"6\"],[\"human\",\"7\"]]"), "null");
    is(said(s, A), "[\"5\",\"6\",\"7\"]");
}

Test(histories, what_was_cleared_meanwhile_leaves_no_summary)
{
    cleared_meanwhile(gr_memory_history(root, NULL), (gr_ref){ 0, 0 });
    cleared_meanwhile(gr_memory_history(root, NULL), gr_memory_byte_store(root, NULL));
}

static gr_value *last_of_system_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_strf("%s, %zu", gr_cstr(gr_get(gr_at(input, 0), "type"), "?"), gr_len(input));
}

Test(histories, with_message_history_sees_the_summary)
{
    struct teller t = { .calls = 0 };
    gr_ref model = gr_lambda(root, GR_ASYNC, tell_fn, NULL, &t);
    gr_ref s =
        gr_summary_history(root, gr_memory_history(root, NULL), model, GR_SUMMARY(.tokens = 12));
    gr_ref r = gr_with_message_history(root, lambda(GR_CHEAP, last_of_system_fn),
                                       GR_HISTORY(.history = s));

    for (int i = 0; i < 4; i++) {
        gr_call_opts o = { .size = sizeof(o), .config = gr_map(GR_KV("configurable", json(A))) };
        gr_value *v = answer(gr_ainvoke(rt, r, gr_str("hi"), &o));

        if (i == 0)
            cr_assert_str_eq(gr_cstr(v, gr_error_text(v)), "human, 1");
        if (i == 3)
            cr_assert_str_eq(gr_cstr(v, gr_error_text(v)), "system, 4");
        gr_value_unref(v);
    }
    cr_assert_eq(atomic_load(&t.calls), 3);
}
