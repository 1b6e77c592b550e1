/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_test.c - membership against an etcd that answers by script, and misbehaves. */
#include "tests/support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <greenroom/greenroom.h>

#include "tests/support/fault_server.h"

/* In base64: "/greenroom/default/names/a/n1" and the like; their values are JSON. */
#define KEY_A1 "L2dyZWVucm9vbS9kZWZhdWx0L25hbWVzL2EvbjE="
#define KEY_A2 "L2dyZWVucm9vbS9kZWZhdWx0L25hbWVzL2EvbjI="
#define KEY_SLASH "L2dyZWVucm9vbS9kZWZhdWx0L25hbWVzL2EvYi9jL24x" /* names/a/b/c/n1 */
#define VALUE_1                                                                                    \
    "eyJ1cmwiOiJpcGM6Ly8vdG1wL29uZSIsIndlaWdodCI6Mn0=" /* url ipc:///tmp/one, weight 2 */
#define VALUE_2 "eyJ1cmwiOiJpcGM6Ly8vdG1wL3R3byJ9"     /* url ipc:///tmp/two */
#define VALUE_BAD "eyJ1cmwiOiJodHRwOi8vYSJ9"           /* url http://a */
#define EMPTY "{\"header\":{\"revision\":\"5\"}}"
#define CREATED "{\"result\":{\"header\":{\"revision\":\"5\"},\"created\":true}}\n"
#define STREAM                                                                                     \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
#define PUT(key, value, revision)                                                                  \
    "{\"result\":{\"header\":{\"revision\":\"" revision "\"},\"events\":[{\"kv\":{\"key\":\"" key  \
    "\",\"mod_revision\":\"" revision "\",\"version\":\"1\",\"value\":\"" value "\"}}]}}\n"
#define DELETED(key, revision)                                                                     \
    "{\"result\":{\"header\":{\"revision\":\"" revision "\"},\"events\":[{\"type\":\"DELETE\","    \
    "\"kv\":{\"key\":\"" key "\",\"mod_revision\":\"" revision "\"}}]}}\n"

static gr_runtime *rt;
static struct fault_server *server;

/* Whatever was logged, of all tests' lines. */
static char logged[65536];
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

static void keep_log(void *arg, int level, const char *text)
{
    size_t used;

    (void)arg, (void)level;
    pthread_mutex_lock(&log_lock);
    used = strlen(logged);
    snprintf(logged + used, sizeof(logged) - used, "%s\n", text);
    pthread_mutex_unlock(&log_lock);
}

static void set_up(void)
{
    setenv("no_proxy", "*", 1);
    gr_set_log(keep_log, NULL, 3);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
    server = fault_server_start();
    fault_server_reply(server, "/v3/lease/grant", 200, "", "{\"ID\":\"77\",\"TTL\":\"2\"}");
    fault_server_reply(server, "/v3/lease/revoke", 200, "", EMPTY);
    fault_server_reply(server, "/v3/kv/put", 200, "", EMPTY);
    fault_server_reply(server, "/v3/kv/deleterange", 200, "", EMPTY);
}

static void tear_down(void)
{
    gr_runtime_free(rt);
    fault_server_stop(server);
    gr_set_log(NULL, NULL, 0);
}

TestSuite(cluster, .init = set_up, .fini = tear_down);

static const struct fault_step quiet[] = { FAULT_TEXT(STREAM), FAULT_CHUNK(CREATED), FAULT_HANG };
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* plain has etcd list nothing, and a watch in which nothing happens. */
static void plain(void)
{
    fault_server_reply(server, "/v3/kv/range", 200, "", EMPTY);
    fault_server_script(server, "/v3/watch", quiet, COUNT(quiet));
}

static void keeps_alive(void)
{
    fault_server_reply(server, "/v3/lease/keepalive", 200, "",
                       "{\"result\":{\"ID\":\"77\",\"TTL\":\"2\"}}");
}

static void join(const gr_cluster_opts *opts)
{
    gr_cluster_opts o = *opts;
    gr_value *err = NULL;

    if (o.etcd == NULL)
        o.etcd = fault_server_url(server);
    cr_assert_eq(gr_cluster_join(rt, &o, &err), GR_OK, "%s", gr_error_text(err));
}

static int64_t info(const char *key)
{
    gr_value *v = gr_cluster_info(rt);
    const gr_value *at = gr_get(v, key);
    int64_t n = gr_value_type(at) == GR_BOOL ? gr_as_bool(at, false) : gr_as_int(at, -1);

    gr_value_unref(v);
    return n;
}

/* provides tells whether the providers of a name have these URLs, in this order, with a ';' behind each. */
static bool provides(const char *name, const char *urls)
{
    gr_value *list = gr_cluster_providers(rt, name);
    char text[1024] = "";

    for (size_t i = 0; i < gr_len(list); i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s;",
                 gr_cstr(gr_get(gr_at(list, i), "url"), "?"));
    gr_value_unref(list);
    return strcmp(text, urls) == 0;
}

#define comes(expression)                                                                          \
    do {                                                                                           \
        uint64_t until_ = gr_now_ns(rt) + TEST_WAIT_MS * UINT64_C(1000000);                        \
        while (!(expression) && gr_now_ns(rt) < until_)                                            \
            gr_sleep(rt, 5);                                                                       \
        cr_assert(expression, #expression);                                                        \
    } while (0)

/* asked counts the requests to a path that hold a text. */
static int asked(const char *path, const char *text)
{
    int count = 0;
    char *request;

    for (size_t i = 0; (request = fault_server_request(server, i)) != NULL; i++) {
        if (strncmp(request, "POST ", 5) == 0 && strncmp(request + 5, path, strlen(path)) == 0 &&
            strstr(request, text) != NULL)
            count++;
        free(request);
    }
    return count;
}

/* ---- what etcd says -------------------------------------------------------------------------- */

Test(cluster, a_list_is_read_and_what_is_unfit_in_it_left_out)
{
    fault_server_reply(server, "/v3/kv/range", 200, "",
                       "{\"header\":{\"revision\":\"9\"},\"count\":\"6\",\"kvs\":["
                       "{\"key\":\"" KEY_A1 "\",\"value\":\"" VALUE_1 "\"},"
                       "{\"key\":\"" KEY_A2 "\",\"value\":\"" VALUE_BAD "\"},"
                       "{\"key\":\"!\",\"value\":\"" VALUE_1 "\"},{\"key\":7},{\"value\":\"" VALUE_1
                       "\"},"
                       "{\"key\":\"" KEY_SLASH "\",\"value\":\"" VALUE_2 "\"}]}");
    fault_server_script(server, "/v3/watch", quiet, COUNT(quiet));
    join(GR_CLUSTER(.weight = 1));
    comes(provides("a", "ipc:///tmp/one;"));
    comes(provides("a/b/c", "ipc:///tmp/two;"));
    cr_assert_eq(info("revision"), 9);
    cr_assert_eq(info("providers"), 2);
}

Test(cluster, changes_are_told_wherever_the_pieces_are_cut)
{
    static const struct fault_step changes[] = {
        FAULT_TEXT(STREAM),
        FAULT_CHUNK("{\"result\":{\"header\":{\"revision\":\"5\"},\"cre"),
        FAULT_CHUNK("ated\":true}}\n" PUT(KEY_A1, VALUE_1, "6") "{\"result\""),
        FAULT_CHUNK(":{}}\n" PUT(KEY_A2, VALUE_2, "7")),
        FAULT_GATE(0),
        FAULT_CHUNK(DELETED(KEY_A1, "8")),
        FAULT_HANG
    };

    fault_server_reply(server, "/v3/kv/range", 200, "", EMPTY);
    fault_server_script(server, "/v3/watch", changes, COUNT(changes));
    join(GR_CLUSTER(.weight = 1));
    comes(provides("a", "ipc:///tmp/one;ipc:///tmp/two;"));
    cr_assert_eq(info("revision"), 7);
    fault_server_open(server, 0);
    comes(provides("a", "ipc:///tmp/two;"));
    cr_assert_eq(info("revision"), 8);
}

Test(cluster, a_watch_goes_on_behind_what_was_seen)
{
    static const struct fault_step cut[] = { FAULT_TEXT(STREAM), FAULT_CHUNK(CREATED),
                                             FAULT_CHUNK(PUT(KEY_A1, VALUE_1, "6")), FAULT_RST };
    static const struct fault_step more[] = { FAULT_TEXT(STREAM),
                                              FAULT_CHUNK(
                                                  "{\"result\":{\"header\":{\"revision\":\"8\"},"
                                                  "\"created\":true}}\n" PUT(KEY_A2, VALUE_2, "8")),
                                              FAULT_HANG };

    fault_server_reply(server, "/v3/kv/range", 200, "", EMPTY);
    fault_server_script(server, "/v3/watch", cut, COUNT(cut));
    fault_server_script(server, "/v3/watch", more, COUNT(more));
    join(GR_CLUSTER(.weight = 1));
    comes(provides("a", "ipc:///tmp/one;ipc:///tmp/two;"));
    cr_assert_eq(asked("/v3/watch", "\"start_revision\": \"6\""), 1);
    cr_assert_eq(asked("/v3/watch", "\"start_revision\": \"7\""), 1);
    cr_assert_eq(asked("/v3/kv/range", ""), 1, "nothing was to be read anew");
}

Test(cluster, what_was_compacted_is_read_anew_and_forgotten_if_it_is_gone)
{
    static const struct fault_step later[] = {
        FAULT_TEXT(STREAM),
        FAULT_CHUNK("{\"result\":{\"header\":{\"revision\":\"9\"},\"created\":true}}\n"), FAULT_HANG
    };
    static const struct fault_step compacted[] = {
        FAULT_TEXT(STREAM), FAULT_CHUNK(CREATED),
        FAULT_CHUNK("{\"result\":{\"header\":{\"revision\":\"9\"},\"canceled\":true,"
                    "\"compact_revision\":\"8\"}}\n"),
        FAULT_HANG
    };

    fault_server_reply(
        server, "/v3/kv/range", 200, "",
        "{\"header\":{\"revision\":\"5\"},\"count\":\"1\",\"kvs\":[{\"key\":\"" KEY_A1
        "\",\"value\":\"" VALUE_1 "\"}]}");
    fault_server_reply(
        server, "/v3/kv/range", 200, "",
        "{\"header\":{\"revision\":\"9\"},\"count\":\"1\",\"kvs\":[{\"key\":\"" KEY_A2
        "\",\"value\":\"" VALUE_2 "\"}]}");
    fault_server_script(server, "/v3/watch", compacted, COUNT(compacted));
    fault_server_script(server, "/v3/watch", later, COUNT(later));
    join(GR_CLUSTER(.weight = 1));
    comes(provides("a", "ipc:///tmp/two;"));
    comes(asked("/v3/watch", "\"start_revision\": \"10\"") == 1);
}

Test(cluster, an_etcd_that_is_always_behind_is_not_asked_without_a_pause)
{
    fault_server_reply(server, "/v3/kv/range", 200, "", "{\"header\":{\"revision\":\"9\"}}");
    fault_server_script(server, "/v3/watch", quiet, COUNT(quiet)); /* at revision 5 */
    join(GR_CLUSTER(.weight = 1));
    comes(asked("/v3/watch", "") >= 3);
    gr_sleep(rt, 1000);
    cr_assert_lt(asked("/v3/watch", ""), 20);
}

/* misbehaves has the first watch be one of these; then all is well. */
static void misbehaves(const struct fault_step *steps, size_t count)
{
    static const struct fault_step well[] = { FAULT_TEXT(STREAM),
                                              FAULT_CHUNK(CREATED PUT(KEY_A1, VALUE_1, "6")),
                                              FAULT_HANG };

    fault_server_reply(server, "/v3/kv/range", 200, "", EMPTY);
    fault_server_script(server, "/v3/watch", steps, count);
    fault_server_script(server, "/v3/watch", well, COUNT(well));
    join(GR_CLUSTER(.weight = 1));
    comes(provides("a", "ipc:///tmp/one;"));
    comes(info("stale") == 0);
}

Test(cluster, a_watch_that_is_no_json_begins_again)
{
    static const struct fault_step garbage[] = { FAULT_TEXT(STREAM), FAULT_CHUNK(CREATED),
                                                 FAULT_CHUNK("{\"result\":nonsense}\n"),
                                                 FAULT_HANG };

    misbehaves(garbage, COUNT(garbage));
}

Test(cluster, a_watch_that_ends_with_an_error_begins_again)
{
    static const struct fault_step error[] = {
        FAULT_TEXT(STREAM), FAULT_CHUNK(CREATED),
        FAULT_CHUNK("{\"error\":{\"grpc_code\":14,\"message\":\"leader changed\"}}\n"), FAULT_HANG
    };

    misbehaves(error, COUNT(error));
}

Test(cluster, a_watch_that_is_refused_begins_again)
{
    static const struct fault_step refused[] = { FAULT_TEXT(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nno\n") };

    misbehaves(refused, COUNT(refused));
}

Test(cluster, a_list_that_is_refused_or_garbage_is_asked_for_again)
{
    fault_server_reply(server, "/v3/kv/range", 500, "", "oops");
    fault_server_reply(server, "/v3/kv/range", 200, "", "<html>");
    fault_server_reply(
        server, "/v3/kv/range", 200, "",
        "{\"header\":{\"revision\":\"5\"},\"count\":\"1\",\"kvs\":[{\"key\":\"" KEY_A1
        "\",\"value\":\"" VALUE_1 "\"}]}");
    fault_server_script(server, "/v3/watch", quiet, COUNT(quiet));
    join(GR_CLUSTER(.weight = 1));
    cr_assert_eq(info("stale"), 1);
    comes(provides("a", "ipc:///tmp/one;"));
    comes(info("stale") == 0);
}

Test(cluster, a_silent_watch_that_has_missed_something_is_noticed)
{
    fault_server_reply(server, "/v3/kv/range", 200, "", EMPTY);
    fault_server_reply(
        server, "/v3/kv/range", 200, "",
        "{\"header\":{\"revision\":\"6\"},\"count\":\"1\",\"kvs\":[{\"key\":\"" KEY_A1
        "\",\"value\":\"" VALUE_1 "\"}]}");
    fault_server_script(server, "/v3/watch", quiet, COUNT(quiet));
    join(GR_CLUSTER(.ttl_ms = 2000));
    comes(provides("a", "ipc:///tmp/one;"));
    cr_assert_eq(asked("/v3/kv/range", "count_only"), 1);
}

/* What an actor was told. */
struct heard {
    atomic_int count;
    char text[512];
};

static void hear(gr_ctx *c, void *self, const gr_value *msg)
{
    struct heard *h = gr_as_opaque(gr_args(c));
    size_t used = strlen(h->text);

    (void)self;
    snprintf(h->text + used, sizeof(h->text) - used, "%s %s;", gr_cstr(gr_get(msg, "event"), "?"),
             gr_cstr(gr_get(msg, "url"), ""));
    h->count++;
}

Test(cluster, who_subscribed_is_told_of_changes)
{
    static const struct fault_step changes[] = { FAULT_TEXT(STREAM), FAULT_GATE(0),
                                                 FAULT_CHUNK(CREATED PUT(KEY_A1, VALUE_1, "6") PUT(
                                                     KEY_A1, VALUE_2, "7") DELETED(KEY_A1, "8")),
                                                 FAULT_HANG };
    static const gr_class ears = GR_CLASS(.name = "ears", .receive = hear);
    static struct heard all, other;
    gr_ref gone = gr_spawn(gr_root(rt), &ears, GR_SPAWN(.args = gr_opaque(&other, NULL)));

    fault_server_reply(server, "/v3/kv/range", 200, "", EMPTY);
    fault_server_script(server, "/v3/watch", changes, COUNT(changes));
    join(GR_CLUSTER(.weight = 1));
    cr_assert_eq(gr_cluster_watch(rt, "other", gone), GR_OK);
    cr_assert_eq(gr_cluster_watch(rt, NULL,
                                  gr_spawn(gr_root(rt), &ears,
                                           GR_SPAWN(.args = gr_opaque(&all, NULL), .worker = 1))),
                 GR_OK);
    fault_server_open(server, 0);
    comes(all.count == 4);
    cr_assert_str_eq(all.text,
                     "fresh ;joined ipc:///tmp/one;changed ipc:///tmp/two;left ipc:///tmp/two;");
    cr_assert_str_eq(other.text, "fresh ;");
    gr_stop(rt, gone);
    comes(gr_cluster_watch(rt, NULL, gone) == GR_EDEAD);
}

/* ---- getting in ------------------------------------------------------------------------------ */

Test(cluster, a_user_signs_in_and_does_so_again_when_the_token_is_old)
{
    fault_server_reply(server, "/v3/auth/authenticate", 200, "", "{\"token\":\"first.1\"}");
    fault_server_reply(server, "/v3/auth/authenticate", 200, "", "{\"token\":\"second.2\"}");
    fault_server_reply(server, "/v3/kv/range", 200, "", EMPTY);
    fault_server_script(server, "/v3/watch", quiet, COUNT(quiet));
    fault_server_reply(server, "/v3/lease/keepalive", 401, "",
                       "{\"error\":\"etcdserver: invalid auth token\",\"code\":16}");
    keeps_alive();
    gr_publish(rt, "mine", gr_passthrough(gr_root(rt)));
    join(GR_CLUSTER(.user = "root", .password = "PASSWORD-1", .advertise = "ipc:///tmp/here",
                    .ttl_ms = 2000));
    comes(asked("/v3/lease/keepalive", "Authorization: second.2") > 0);
    cr_assert_geq(asked("/v3/auth/authenticate", "\"password\": \"PASSWORD-1\""), 2);
    cr_assert_eq(asked("/v3/auth/authenticate", "Authorization"), 0);
    cr_assert_null(strstr(logged, "PASSWORD"), "%s", logged);
    cr_assert_null(strstr(logged, "first.1"));
}

Test(cluster, who_is_not_let_in_keeps_trying_and_says_no_secret)
{
    fault_server_reply(server, "/v3/auth/authenticate", 400, "",
                       "{\"error\":\"etcdserver: authentication failed\",\"code\":3}");
    fault_server_reply(server, "/v3/auth/authenticate", 200, "", "{\"token\":\"good.1\"}");
    plain();
    join(GR_CLUSTER(.user = "root", .password = "PASSWORD-2"));
    comes(info("stale") == 0);
    cr_assert_not_null(strstr(logged, "authentication failed"), "%s", logged);
    cr_assert_null(strstr(logged, "PASSWORD"), "%s", logged);
}

Test(cluster, a_token_goes_along_as_it_is)
{
    plain();
    join(GR_CLUSTER(.token = "Bearer TOKEN-3"));
    comes(info("stale") == 0);
    cr_assert_gt(asked("/v3/watch", "Authorization: Bearer TOKEN-3"), 0);
    cr_assert_null(strstr(logged, "TOKEN-3"));
}

Test(cluster, the_next_url_is_tried_when_one_is_dead)
{
    char urls[256];

    snprintf(urls, sizeof(urls), "http://127.0.0.1:1/ , %s/", fault_server_url(server));
    plain();
    join(GR_CLUSTER(.etcd = urls));
    comes(info("stale") == 0);
}

/* ---- the lease ------------------------------------------------------------------------------- */

static void publish_and_join(void)
{
    cr_assert_eq(gr_publish(rt, "mine", gr_passthrough(gr_root(rt))), GR_OK);
    join(GR_CLUSTER(.advertise = "ipc:///tmp/here", .ttl_ms = 2000));
}

Test(cluster, a_lease_that_is_gone_is_replaced_and_all_registered_again)
{
    plain();
    fault_server_reply(server, "/v3/lease/keepalive", 200, "", "{\"result\":{\"ID\":\"77\"}}");
    keeps_alive();
    publish_and_join();
    comes(asked("/v3/lease/grant", "") == 2 && asked("/v3/kv/put", "") == 2);
    comes(info("registered") == 1);
}

/* More than a few, published, withdrawn and published again: each is put and deleted once for each time. */
Test(cluster, many_names_are_registered_and_withdrawn)
{
    gr_ref actor = gr_passthrough(gr_root(rt));
    char name[16];

    plain();
    keeps_alive();
    join(GR_CLUSTER(.advertise = "ipc:///tmp/here", .ttl_ms = 2000));
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "name%d", i);
        cr_assert_eq(gr_publish(rt, name, actor), GR_OK);
    }
    comes(info("registered") == 40);
    for (int i = 0; i < 40; i += 2) {
        snprintf(name, sizeof(name), "name%d", i);
        cr_assert_eq(gr_publish(rt, name, (gr_ref){ 0, 0 }), GR_OK);
    }
    comes(info("registered") == 20);
    cr_assert_eq(gr_publish(rt, "name0", actor), GR_OK);
    comes(info("registered") == 21);
    cr_assert_eq(asked("/v3/kv/put", ""), 41);
    cr_assert_eq(asked("/v3/kv/deleterange", ""), 20);
}

Test(cluster, a_put_under_a_dead_lease_gets_a_new_one)
{
    plain();
    keeps_alive();
    fault_server_stop(server);
    server = fault_server_start();
    plain();
    keeps_alive();
    fault_server_reply(server, "/v3/lease/grant", 200, "", "{\"ID\":\"77\",\"TTL\":\"2\"}");
    fault_server_reply(server, "/v3/lease/revoke", 200, "", EMPTY);
    fault_server_reply(server, "/v3/kv/put", 404, "",
                       "{\"error\":\"etcdserver: requested lease not found\",\"code\":5}");
    fault_server_reply(server, "/v3/kv/put", 200, "", EMPTY);
    publish_and_join();
    comes(info("registered") == 1);
    cr_assert_eq(asked("/v3/lease/grant", ""), 2);
}

Test(cluster, what_somebody_deleted_of_ours_is_put_again)
{
    static struct fault_step steps[] = { FAULT_TEXT(STREAM), FAULT_CHUNK(CREATED), FAULT_GATE(0),
                                         FAULT_CHUNK(""), FAULT_HANG };
    static char deleted[512];
    gr_value *name;
    char key[256], *text;

    cr_assert_eq(gr_publish(rt, "mine", gr_passthrough(gr_root(rt))), GR_OK);
    snprintf(key, sizeof(key), "/greenroom/default/names/mine/%016llx",
             (unsigned long long)gr_passthrough(gr_root(rt)).node);
    name = gr_bin(key, strlen(key));
    text = gr_json_print(name, 0, NULL); /* as base64, in quotes */
    text[strlen(text) - 1] = '\0';
    snprintf(deleted, sizeof(deleted),
             "{\"result\":{\"events\":[{\"type\":\"DELETE\",\"kv\":{\"key\":\"%s\","
             "\"mod_revision\":\"6\"}}]}}\n",
             text + 1);
    steps[3].data = deleted;
    fault_server_reply(server, "/v3/kv/range", 200, "", EMPTY);
    fault_server_script(server, "/v3/watch", steps, COUNT(steps));
    keeps_alive();
    join(GR_CLUSTER(.advertise = "ipc:///tmp/here", .ttl_ms = 2000));
    comes(info("registered") == 1);
    fault_server_open(server, 0);
    comes(asked("/v3/kv/put", "") == 2);
    gr_value_unref(name);
    gr_free(text);
}

/* ---- claims ---------------------------------------------------------------------------------- */

/* txn_answers makes the answer of the transaction of a claim: the key is under a lease. */
#define TXN(lease)                                                                                 \
    "{\"header\":{\"revision\":\"6\"},\"responses\":[{\"response_range\":{\"kvs\":[{\"key\":"      \
    "\"YQ==\",\"create_revision\":\"42\",\"lease\":\"" lease "\"}]}}]}"

Test(cluster, a_claim_that_is_ours_though_the_answer_was_lost_is_held)
{
    gr_future *f;

    plain();
    keeps_alive();
    fault_server_reply(server, "/v3/kv/txn", 500, "", "{\"error\":\"timed out\",\"code\":14}");
    fault_server_reply(server, "/v3/kv/txn", 200, "", TXN("77"));
    publish_and_join();
    f = gr_claim(rt, "leader", gr_passthrough(gr_root(rt)));
    cr_assert_eq(gr_as_int(gr_await(f, TEST_WAIT_MS).value, 0), 42);
    cr_assert_eq(gr_claim_token(rt, "leader"), 42);
    gr_future_free(f);
}

Test(cluster, a_claim_of_another_is_waited_for)
{
    gr_future *f, *again;

    plain();
    keeps_alive();
    fault_server_reply(server, "/v3/kv/txn", 200, "", TXN("78"));
    fault_server_reply(server, "/v3/kv/txn", 200, "", TXN("78"));
    fault_server_reply(server, "/v3/kv/txn", 200, "", TXN("77"));
    publish_and_join();
    f = gr_claim(rt, "leader", gr_passthrough(gr_root(rt)));
    again = gr_claim(rt, "leader", gr_passthrough(gr_root(rt)));
    cr_assert_eq(gr_await(again, TEST_WAIT_MS).code, GR_EINVAL, "it is claimed here already");
    cr_assert_eq(gr_as_int(gr_await(f, TEST_WAIT_MS).value, 0), 42);
    gr_future_free(f);
    gr_future_free(again);
}

Test(cluster, leaving_answers_who_still_waits_and_does_not_wait_for_them)
{
    gr_future *ready, *claim, *dropped;

    join(GR_CLUSTER(.etcd = "http://127.0.0.1:1", .ttl_ms = 2000));
    ready = gr_cluster_ready(rt);
    dropped = gr_cluster_ready(rt);
    claim = gr_claim(rt, "leader", gr_passthrough(gr_root(rt)));
    cr_assert_eq(gr_await(ready, 200).code, GR_EPENDING);
    gr_future_free(dropped);
    cr_assert_eq(gr_cluster_leave(rt), GR_OK);
    cr_assert_eq(gr_await(ready, 0).code, GR_ECANCELED);
    cr_assert_eq(gr_await(claim, 0).code, GR_ECANCELED);
    gr_future_free(ready);
    gr_future_free(claim);
}

/* ---- options --------------------------------------------------------------------------------- */

static void refused(const gr_cluster_opts *opts, const char *text)
{
    gr_value *err = NULL;

    cr_assert_eq(gr_cluster_join(rt, opts, &err), GR_EINVAL);
    cr_assert_not_null(strstr(gr_error_text(err), text), "%s", gr_error_text(err));
    gr_value_unref(err);
    cr_assert_eq(info("joined"), 0);
}

Test(cluster, options_that_are_wrong_are_said)
{
    const gr_provider bad[] = { { "a", "ipc:///tmp/one", 0 }, { "a", "ftp://x", 0 } };

    refused(GR_CLUSTER(.etcd = ""), "1 to 16 URLs");
    refused(GR_CLUSTER(.etcd = "localhost:2379"), "http://host:port");
    refused(GR_CLUSTER(.etcd = "http://root:SECRET@host:1"), "use the options");
    refused(GR_CLUSTER(.etcd = "http://a:1", .cluster = "a/b"), "no '/'");
    refused(GR_CLUSTER(.etcd = "http://a:1", .ttl_ms = 1999), "2000 ms");
    refused(GR_CLUSTER(.etcd = "http://a:1", .user = "u"), "go together");
    refused(GR_CLUSTER(.etcd = "http://a:1", .user = "u", .password = "p", .token = "t"), "both");
    refused(GR_CLUSTER(.etcd = "http://a:1", .token = "a\r\nb"), "line break");
    refused(GR_CLUSTER(.advertise = "nowhere"), "nowhere");
    refused(GR_CLUSTER(.providers = bad, .provider_count = 2), "ftp://x");
    cr_assert_eq(gr_cluster_leave(rt), GR_EINVAL);
}

Test(cluster, without_etcd_there_are_no_claims_and_it_is_ready_at_once)
{
    gr_future *f;

    join(GR_CLUSTER(.etcd = "http://127.0.0.1:1"));
    cr_assert_eq(gr_cluster_join(rt, GR_CLUSTER(.weight = 1), NULL), GR_EINVAL, "twice");
    cr_assert_eq(gr_cluster_leave(rt), GR_OK);
    cr_assert_eq(gr_cluster_join(rt, GR_CLUSTER(.weight = 1), NULL), GR_OK);
    f = gr_cluster_ready(rt);
    cr_assert_eq(gr_await(f, TEST_WAIT_MS).code, GR_OK);
    gr_future_free(f);
    f = gr_claim(rt, "leader", gr_passthrough(gr_root(rt)));
    cr_assert_eq(gr_await(f, TEST_WAIT_MS).code, GR_EINVAL);
    gr_future_free(f);
    cr_assert_eq(gr_claim_token(rt, "leader"), 0);
    cr_assert_not(gr_claim_release(rt, "leader"));
}
