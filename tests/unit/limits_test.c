/* SPDX-License-Identifier: Apache-2.0 */
/* limits_test.c - docs/limits.md says what the code does: each option is there with its default, and
 * each counter exists. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <greenroom/budget.h>
#include <greenroom/call.h>
#include <greenroom/embeddings.h>
#include <greenroom/history.h>
#include <greenroom/few_shot.h>
#include <greenroom/parser.h>
#include <greenroom/stats.h>

#include "actors/budget/bucket.h"
#include "actors/embed/embedder.h"
#include "actors/message/history_file.h"
#include "actors/message/tokens.h"
#include "actors/mcp/mcp_session.h"
#include "actors/observe/run_collector.h"
#include "actors/parse/parsing.h"
#include "actors/prompt/examples.h"
#include "actors/observe/tap.h"
#include "actors/observe/trim.h"
#include "actors/store/byte_store.h"
#include "actors/store/sqlite.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/actor/tie.h"
#include "runtime/isolate/process.h"
#include "runtime/net/node.h"

#include "tests/support/test.h"

struct limit {
    const char *table, *option;
    long long value; /* -1: it is not a number of its own */
    bool seen;
};

#define ROOM 256
static struct limit limits[ROOM];
static size_t limit_count;

static void expect(const char *table, const char *option, long long value)
{
    cr_assert_lt(limit_count, ROOM);
    limits[limit_count++] = (struct limit){ .table = table, .option = option, .value = value };
}

static void expect_prompts(void)
{
#define PROMPTS(type, field, value)                                                                \
    expect("Prompts and parsers", #field,                                                          \
           (long long)(value) + 0 * (long long)sizeof(((type *)NULL)->field))
    PROMPTS(gr_length_selector_opts, examples_max, GRI_EXAMPLES_MAX);
    PROMPTS(gr_fix_opts, max_retries, GRI_FIX_RETRIES);
}

static void expect_node(void)
{
    const uint64_t ms = 1000000;
    struct gri_node_settings n;

    gri_node_settings_init(&n);
#define NODE(option, value)                                                                        \
    expect("A node", #option,                                                                      \
           (long long)(value) + 0 * (long long)sizeof(((gr_node_opts *)NULL)->option))
    NODE(connect_ms, n.connect_ns / ms), NODE(heartbeat_ms, n.heartbeat_ns / ms);
    NODE(detect_ms, n.detect_ns / ms), NODE(stuck_ms, n.stuck_ns / ms);
    NODE(redial_ms, n.redial_ns / ms), NODE(link_bytes, n.link_bytes);
    NODE(refs_max, n.refs_max);
    NODE(args_bytes, n.args_bytes);
}

static void expect_isolated(void)
{
    gr_isolate_opts o = gri_isolate_defaults(NULL);

#define ISOLATED(field) expect("A process of an isolated actor", #field, (long long)o.field)
    ISOLATED(start_ms), ISOLATED(memory_max), ISOLATED(silence_ms);
}

static void expect_kept(void)
{
#define KEPT(table, type, field, value)                                                            \
    expect(table, #field, (long long)(value) + 0 * (long long)sizeof(((type *)NULL)->field))
#define TALKS(type, field, value) KEPT("Conversations", type, field, value)
#define BUDGET(type, field, value) KEPT("Stores by key and budget", type, field, value)
    KEPT("Conversations in memory", gr_memory_history_opts, sessions_max, 65536);
    KEPT("Conversations in memory", gr_memory_history_opts, messages_max, 65536);
    KEPT("Conversations in memory", gr_memory_history_opts, bytes_max, 268435456);
    TALKS(gr_shared_opts, turn_max_ms, 600000);
    TALKS(gr_file_history_opts, bytes_max, GRI_HISTORY_BYTES_MAX);
    TALKS(gr_file_history_opts, lock_ms, GRI_HISTORY_LOCK_MS);
    TALKS(gr_sqlite_opts, busy_ms, GRI_SQLITE_BUSY_MS);
    TALKS(gr_summary_opts, tokens, GRI_SUMMARY_TOKENS);
    BUDGET(gr_memory_byte_store_opts, keys_max, GRI_STORE_KEYS_MAX);
    BUDGET(gr_memory_byte_store_opts, bytes_max, GRI_STORE_BYTES_MAX);
    BUDGET(gr_sqlite_opts, value_max, GRI_SQLITE_VALUE_MAX);
    BUDGET(gr_rate_limiter_opts, waiters_max, GRI_LIMITER_WAITERS_MAX);
    BUDGET(gr_rate_limiter_opts, requests_burst, 1);
    BUDGET(gr_rate_limiter_opts, hold_max_ms, 600000);
    BUDGET(gr_rate_limiter_opts, tokens_burst, -1);
    BUDGET(gr_embeddings_opts, batch_bytes, GRI_EMBEDDER_BATCH_BYTES);
    BUDGET(gr_embeddings_opts, max_concurrency, GRI_EMBEDDER_CONCURRENCY);
}

static void expect_mcp(void)
{
    gr_mcp_opts o = { .size = sizeof(o), .command = "x" };
    struct gri_mcp_settings set;

    cr_assert_null(gri_mcp_settings_init(&set, &o));
#define MCP(field)                                                                                 \
    expect("An MCP client", #field, (long long)set.field + 0 * (long long)sizeof(o.field))
    MCP(message_bytes_max), MCP(pending_max), MCP(list_max), MCP(list_bytes_max), MCP(pages_max),
        MCP(rounds_max);
    MCP(resumes_max), MCP(connect_ms), MCP(probe_ms), MCP(timeout_ms), MCP(total_ms);
    MCP(end_ms), MCP(term_ms);
    gri_mcp_settings_fini(&set);
}

/* In the names of the fields, so that a field that goes is missed here. */
static void expect_all(void)
{
    gr_runtime_opts r = { .size = sizeof(r) };
    gr_spawn_opts s = { .size = sizeof(s) };
    gr_call_opts c = { .size = sizeof(c) };

    r.workers = 2;
    cr_assert_eq(gri_runtime_defaults(&r), GR_OK);
    limit_count = 0;
    expect_prompts();
#define RUNTIME(field) expect("A runtime", #field, (long long)r.field)
    RUNTIME(mailbox_max), RUNTIME(bytes_max), RUNTIME(calls_max), RUNTIME(actors_max);
    RUNTIME(fibers_max), RUNTIME(stack_size), RUNTIME(blocking_max), RUNTIME(blocking_queue_max);
    RUNTIME(timers_max), RUNTIME(peer_verbs_max), RUNTIME(report_ms), RUNTIME(stuck_ms);
    RUNTIME(spares_max), RUNTIME(spare_ms), RUNTIME(shutdown_ms);
    RUNTIME(blocking_stack_size), RUNTIME(blocking_idle_ms), RUNTIME(isolated_max);
    RUNTIME(http_requests_max), RUNTIME(http_connections_max), RUNTIME(http_host_connections_max);
#define ACTOR(field) expect("An actor", #field, s.field != 0 ? 0 : -1)
    ACTOR(mailbox_max), ACTOR(mailbox_bytes_max), ACTOR(queue_ms), ACTOR(handler_ms);
    ACTOR(max_concurrency), ACTOR(asks_max), ACTOR(stash_max);
    expect("An actor", "ties_max", s.ties_max != 0 ? 0 : GRI_TIES_MAX);
#define RUN(field, value) expect("A run", #field, c.field != 0 ? 0 : (value))
    RUN(calls_max, -1), RUN(depth_max, -1), RUN(bytes_max, -1), RUN(timeout_ms, -1);
    expect("Watchers", "events_max", GRI_EVENTS_MAX);
    expect("Watchers", "value_max", GRI_TRIM_MAX);
    expect("Watchers", "trees_max", GRI_TREES_MAX);
    expect_node();
    expect_isolated();
    expect_kept();
    expect_mcp();
    RUN(window_chunks, GRI_WINDOW_CHUNKS), RUN(window_bytes, GRI_WINDOW_BYTES);
}

static bool is_counter(const char *name)
{
#define COUNTER(field) (strcmp(name, #field) == 0 && sizeof(((gr_stats *)NULL)->field) != 0)
    return COUNTER(refused_mailbox) || COUNTER(refused_bytes) || COUNTER(refused_calls) ||
           COUNTER(refused_actors) || COUNTER(refused_fibers) || COUNTER(blocking_threads_now) ||
           COUNTER(blocking_threads_high) || COUNTER(blocking_queue_high) ||
           COUNTER(refused_blocking) || COUNTER(refused_timers) || COUNTER(refused_verbs) ||
           COUNTER(slow_handlers) || COUNTER(stuck_workers) || COUNTER(spares_now) ||
           COUNTER(dropped_newest) || COUNTER(dropped_oldest) || COUNTER(killed_overflow) ||
           COUNTER(refused_mailbox_bytes) || COUNTER(refused_queue_ms) ||
           COUNTER(killed_overtime) || COUNTER(refused_asks) || COUNTER(refused_stash) ||
           COUNTER(refused_budget);
}

/* cells splits a row of a table, "| a | b |", in place; how many there are. */
static int cells(char *line, char *cell[8])
{
    int count = 0;

    for (char *at = strtok_r(line, "|\n", &line); at != NULL && count < 8;
         at = strtok_r(NULL, "|\n", &line)) {
        while (*at == ' ')
            at++;
        for (size_t len = strlen(at); len > 0 && at[len - 1] == ' '; len--)
            at[len - 1] = '\0';
        cell[count++] = at;
    }
    return count;
}

/* quoted takes the next `name` out of text, which it moves on; NULL: there is none. */
static char *quoted(char **text)
{
    char *start = strchr(*text, '`'), *end = start != NULL ? strchr(start + 1, '`') : NULL;

    if (end == NULL)
        return NULL;
    *end = '\0';
    *text = end + 1;
    return start + 1;
}

static void check_row(const char *table, char *cell[8])
{
    char *option = quoted(&cell[1]), *counter;
    size_t i = 0;

    cr_assert_not_null(option, "%s: a row without an option", table);
    while (i < limit_count &&
           (strcmp(limits[i].table, table) != 0 || strcmp(limits[i].option, option) != 0))
        i++;
    cr_assert_lt(i, limit_count, "%s: the code has no `%s`", table, option);
    cr_assert(!limits[i].seen, "`%s` is there twice", option);
    limits[i].seen = true;
    if (limits[i].value >= 0)
        cr_assert_eq(strtoll(cell[2], NULL, 10), limits[i].value, "`%s` is %lld, not %s", option,
                     limits[i].value, cell[2]);
    else
        cr_assert(!isdigit((unsigned char)cell[2][0]), "`%s` has no number of its own", option);
    cr_assert_gt(strlen(cell[3]), 0, "`%s`: what happens beyond it?", option);
    while ((counter = quoted(&cell[4])) != NULL)
        cr_assert(is_counter(counter), "there is no counter `%s`", counter);
}

Test(limits, are_what_the_document_says)
{
    static char line[1024], table[64];
    FILE *f = fopen("docs/limits.md", "r");
    char *cell[8];

    cr_assert_not_null(f, "run in the source folder");
    expect_all();
    while (fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, "## ", 3) == 0)
            snprintf(table, sizeof(table), "%.*s", (int)strcspn(line + 3, "\n"), line + 3);
        if (line[0] != '|' || strncmp(line, "| ---", 5) == 0 || strstr(line, "| option |") != NULL)
            continue;
        cell[4] = line + strlen(line);
        cr_assert_geq(cells(line, cell), 4);
        check_row(table, cell);
    }
    fclose(f);
    for (size_t i = 0; i < limit_count; i++)
        cr_assert(limits[i].seen, "%s: `%s` is missing", limits[i].table, limits[i].option);
}

Test(limits, beyond_their_range_are_refused)
{
    const gr_runtime_opts bad[] = {
        { .size = sizeof(gr_runtime_opts), .workers = 65 },
        { .size = sizeof(gr_runtime_opts), .stack_size = 1024 },
        { .size = sizeof(gr_runtime_opts), .mailbox_max = (size_t)1 << 31 },
        { .size = sizeof(gr_runtime_opts), .peer_verbs_max = 513 },
        { .size = sizeof(gr_runtime_opts), .spares_max = 17 },
        { .size = sizeof(gr_runtime_opts), .report_ms = -1 },
        { .size = sizeof(gr_runtime_opts), .stuck_ms = -1 },
        { .size = sizeof(gr_runtime_opts), .blocking_stack_size = 1024 },
        { .size = sizeof(gr_runtime_opts), .blocking_idle_ms = -1 },
        { .size = sizeof(gr_runtime_opts), .spare_ms = -1 },
        { .size = sizeof(gr_runtime_opts), .http_connections_max = UINT32_MAX },
    };
    gr_runtime *rt = NULL;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_eq(gr_runtime_new(&bad[i], &rt), GR_EINVAL, "%zu", i);
}
