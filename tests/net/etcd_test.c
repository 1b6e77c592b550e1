/* SPDX-License-Identifier: Apache-2.0 */
/* etcd_test.c - clusters with a real etcd, which dies and comes back. Skipped where it is not installed. */
#include "tests/support/test.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <greenroom/greenroom.h>

#include "tests/support/etcd.h"
#include "tests/support/peer.h"

#define TTL_MS 2000
#define RESTARTS 10

#define NEEDS_ETCD()                                                                               \
    do {                                                                                           \
        if (!test_etcd_there()) {                                                                  \
            cr_skip_test("no etcd");                                                               \
            return;                                                                                \
        }                                                                                          \
    } while (0)

/* ---- nodes of this process ------------------------------------------------------------------- */

struct node {
    gr_runtime *rt;
    char url[128];
    gr_ref actor; /* published as "all" */
};

static void join(struct node *n, const struct test_etcd *e, const char *advertise)
{
    gr_value *err = NULL;

    cr_assert_eq(
        gr_cluster_join(n->rt, GR_CLUSTER(.etcd = e->url, .advertise = advertise, .ttl_ms = TTL_MS),
                        &err),
        GR_OK, "%s", gr_error_text(err));
}

static void ready(gr_runtime *rt)
{
    gr_future *f = gr_cluster_ready(rt);

    cr_assert_eq(gr_await(f, TEST_WAIT_MS).code, GR_OK);
    gr_future_free(f);
}

static void start(struct node *n, const struct test_etcd *e)
{
    gr_value *err = NULL;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &n->rt), GR_OK);
    test_peer_url(n->url, "ipc");
    n->actor = test_peer_publish(n->rt);
    cr_assert_eq(gr_serve(n->rt, n->url, &err), GR_OK, "%s", gr_error_text(err));
    join(n, e, n->url);
}

static void start_client(struct node *n, const struct test_etcd *e)
{
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &n->rt), GR_OK);
    join(n, e, NULL);
}

/* ---- looking --------------------------------------------------------------------------------- */

static size_t providers(gr_runtime *rt, const char *name)
{
    gr_value *list = gr_cluster_providers(rt, name);
    size_t count = gr_len(list);

    gr_value_unref(list);
    return count;
}

static int64_t info(gr_runtime *rt, const char *key)
{
    gr_value *v = gr_cluster_info(rt);
    const gr_value *at = gr_get(v, key);
    int64_t n = gr_value_type(at) == GR_BOOL ? gr_as_bool(at, false) : gr_as_int(at, -1);

    gr_value_unref(v);
    return n;
}

/* comes waits until an expression holds. */
#define comes(rt, expression)                                                                      \
    do {                                                                                           \
        uint64_t until_ = gr_now_ns(rt) + TEST_WAIT_MS * UINT64_C(1000000);                        \
        while (!(expression) && gr_now_ns(rt) < until_)                                            \
            gr_sleep(rt, 5);                                                                       \
        cr_assert(expression, #expression);                                                        \
    } while (0)

/* keys counts the keys of etcd that begin with "/greenroom/". */
static int64_t keys(const struct test_etcd *e)
{
    char *body = test_etcd_post(e, "/v3/kv/range",
                                "{\"key\":\"L2dyZWVucm9vbS8=\",\"range_end\":\"L2dyZWVucm9vbTA=\","
                                "\"count_only\":true}");
    gr_value *v = body != NULL ? gr_json_parse(body, strlen(body), NULL) : NULL;
    int64_t count = v != NULL ? strtoll(gr_cstr(gr_get(v, "count"), "0"), NULL, 10) : -1;

    gr_value_unref(v);
    free(body);
    return count;
}

static bool calls(gr_runtime *rt, gr_ref pool)
{
    gr_value *err = NULL, *v = gr_invoke(rt, pool, gr_int(7), GR_CALL(.timeout_ms = 10000), &err);
    bool well = gr_as_int(v, 0) == 7;

    if (!well)
        fprintf(stderr, "a call failed: %s\n", gr_error_text(err));
    gr_value_unref(v);
    gr_value_unref(err);
    return well;
}

/* ---- names ----------------------------------------------------------------------------------- */

Test(etcd, what_is_published_is_registered_and_withdrawn)
{
    struct test_etcd e;
    struct node a = { .url = "" }, client = { .url = "" };

    NEEDS_ETCD();
    test_etcd_open(&e);
    start(&a, &e);
    start_client(&client, &e);
    ready(a.rt);
    ready(client.rt);
    comes(client.rt, providers(client.rt, "all") == 1);
    cr_assert_eq(providers(a.rt, "all"), 0, "itself");
    cr_assert_eq(info(a.rt, "registered"), 1);
    cr_assert_eq(info(client.rt, "stale"), 0);
    cr_assert(calls(client.rt, gr_pool(gr_root(client.rt), "all", NULL)));
    test_peer_publish(client.rt); /* it has no URL: nobody is told */
    cr_assert_eq(gr_publish(a.rt, "more/of it", a.actor), GR_OK);
    comes(client.rt, providers(client.rt, "more/of it") == 1);
    gr_publish(a.rt, "all", (gr_ref){ 0, 0 });
    comes(client.rt, providers(client.rt, "all") == 0);
    cr_assert_eq(gr_cluster_leave(a.rt), GR_OK);
    comes(client.rt, providers(client.rt, "more/of it") == 0);
    cr_assert_eq(keys(&e), 0);
    join(&a, &e, a.url); /* and back */
    comes(client.rt, providers(client.rt, "more/of it") == 1);
    gr_runtime_free(a.rt);
    cr_assert_eq(keys(&e), 0, "a runtime that ends gives its lease up");
    comes(client.rt, providers(client.rt, "more/of it") == 0);
    gr_runtime_free(client.rt);
    test_etcd_close(&e);
}

/* A client that calls without a pause, from a thread of its own. */
struct load {
    gr_runtime *rt;
    gr_ref pool;
    atomic_bool over;
    atomic_int done, failed;
};

static void *keep_calling(void *arg)
{
    struct load *l = arg;

    while (!l->over) {
        if (calls(l->rt, l->pool))
            l->done++;
        else
            l->failed++;
        gr_sleep(l->rt, 1);
    }
    return NULL;
}

Test(etcd, ten_deaths_of_etcd_lose_no_call_and_no_registration, .timeout = 170)
{
    struct test_etcd e;
    struct node a = { .url = "" }, b = { .url = "" }, client = { .url = "" };
    struct load load = { .over = false };
    pthread_t thread;

    NEEDS_ETCD();
    test_etcd_open(&e);
    start(&a, &e);
    start(&b, &e);
    start_client(&client, &e);
    comes(client.rt, providers(client.rt, "all") == 2);
    load.rt = client.rt;
    load.pool = gr_pool(gr_root(client.rt), "all", NULL);
    cr_assert_eq(pthread_create(&thread, NULL, keep_calling, &load), 0);
    for (int i = 0; i < RESTARTS; i++) {
        int before;

        test_etcd_kill(&e);
        comes(client.rt, info(client.rt, "stale") == 1);
        before = load.done;
        comes(client.rt, load.done > before + 20);
        if (i == 5)
            gr_sleep(client.rt, TTL_MS + 500); /* the leases run out meanwhile */
        if (i == 7)
            test_etcd_wipe(&e);
        cr_assert_eq(providers(client.rt, "all"), 2);
        test_etcd_start(&e);
        comes(client.rt, info(client.rt, "stale") == 0);
        comes(client.rt, keys(&e) == 2);
        comes(client.rt, info(a.rt, "registered") == 1 && info(b.rt, "registered") == 1);
        comes(client.rt, providers(client.rt, "all") == 2);
    }
    load.over = true;
    pthread_join(thread, NULL);
    printf("%d calls, %d failed\n", load.done, load.failed);
    cr_assert_eq(load.failed, 0);
    gr_runtime_free(client.rt);
    gr_runtime_free(a.rt);
    gr_runtime_free(b.rt);
    test_etcd_close(&e);
}

Test(etcd, who_does_not_come_back_to_an_etcd_without_its_data_is_forgotten)
{
    struct test_etcd e;
    struct test_peer peer;
    struct node a = { .url = "" }, client = { .url = "" };
    char url[128];

    NEEDS_ETCD();
    test_etcd_open(&e);
    setenv(TEST_PEER_ETCD, e.url, 1);
    test_peer_url(url, "ipc");
    peer = test_peer_start(url);
    unsetenv(TEST_PEER_ETCD);
    start(&a, &e);
    start_client(&client, &e);
    comes(client.rt, providers(client.rt, "all") == 2);
    test_etcd_kill(&e);
    test_etcd_wipe(&e);
    test_peer_kill(&peer);
    comes(client.rt, info(client.rt, "stale") == 1);
    cr_assert_eq(providers(client.rt, "all"), 2);
    test_etcd_start(&e);
    comes(client.rt, info(client.rt, "stale") == 0);
    comes(client.rt, providers(client.rt, "all") == 1);
    comes(client.rt, info(a.rt, "registered") == 1);
    gr_runtime_free(client.rt);
    gr_runtime_free(a.rt);
    test_etcd_close(&e);
}

/* compact has etcd forget its past. */
static void compact(const struct test_etcd *e, int64_t revision)
{
    char json[128], *body;

    snprintf(json, sizeof(json), "{\"revision\":\"%lld\",\"physical\":true}", (long long)revision);
    body = test_etcd_post(e, "/v3/kv/compaction", json);
    cr_assert_not_null(body);
    free(body);
}

static int64_t revision(const struct test_etcd *e)
{
    char *body = test_etcd_post(e, "/v3/kv/range", "{\"key\":\"YQ==\"}");
    gr_value *v = body != NULL ? gr_json_parse(body, strlen(body), NULL) : NULL;
    int64_t n = strtoll(gr_cstr(gr_get(gr_get(v, "header"), "revision"), "0"), NULL, 10);

    gr_value_unref(v);
    free(body);
    return n;
}

/* A proxy between a node and etcd could cut the watch; here the node's process is stopped meanwhile. */
Test(etcd, what_was_compacted_away_is_read_anew)
{
    struct test_etcd e;
    struct test_peer peer;
    struct node a = { .url = "" };
    char url[128], name[16];
    gr_ref far;

    NEEDS_ETCD();
    test_etcd_open(&e);
    setenv(TEST_PEER_ETCD, e.url, 1);
    test_peer_url(url, "ipc");
    peer = test_peer_start(url);
    unsetenv(TEST_PEER_ETCD);
    start(&a, &e);
    ready(a.rt);
    comes(a.rt, providers(a.rt, "all") == 1);
    far = gr_remote(gr_root(a.rt), url, "all");
    cr_assert(calls(a.rt, far));
    kill(peer.pid, SIGSTOP);
    test_etcd_kill(&e); /* which ends its watch */
    test_etcd_start(&e);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "name%d", i);
        gr_publish(a.rt, name, a.actor);
    }
    comes(a.rt, info(a.rt, "registered") == 21);
    compact(&e, revision(&e));
    kill(peer.pid, SIGCONT);
    comes(a.rt, providers(a.rt, "all") == 1);
    test_peer_stop(&peer);
    gr_runtime_free(a.rt);
    test_etcd_close(&e);
}

Test(etcd, a_node_that_is_stopped_leaves_when_its_lease_runs_out_and_comes_back)
{
    struct test_etcd e;
    struct test_peer peer;
    struct node client = { .url = "" };
    char url[128];

    NEEDS_ETCD();
    test_etcd_open(&e);
    setenv(TEST_PEER_ETCD, e.url, 1);
    test_peer_url(url, "ipc");
    peer = test_peer_start(url);
    unsetenv(TEST_PEER_ETCD);
    start_client(&client, &e);
    comes(client.rt, providers(client.rt, "all") == 1);
    kill(peer.pid, SIGSTOP);
    comes(client.rt, providers(client.rt, "all") == 0);
    kill(peer.pid, SIGCONT);
    comes(client.rt, providers(client.rt, "all") == 1);
    test_peer_stop(&peer); /* it ends in order, and gives its lease up */
    comes(client.rt, providers(client.rt, "all") == 0);
    gr_runtime_free(client.rt);
    test_etcd_close(&e);
}

/* ---- getting in ------------------------------------------------------------------------------ */

static void tell_etcd(const struct test_etcd *e, const char *path, const char *json)
{
    char *body = test_etcd_post(e, path, json);

    cr_assert(body != NULL && strstr(body, "error") == NULL, "%s: %s", path, body);
    free(body);
}

Test(etcd, users_and_tls_hold_over_a_restart)
{
    struct test_etcd e;
    struct node a = { .url = "" }, stranger = { .url = "" };
    char ca[80];
    gr_value *err = NULL;

    NEEDS_ETCD();
    if (!test_etcd_open_tls(&e)) {
        cr_skip_test("no openssl");
        return;
    }
    snprintf(ca, sizeof(ca), "%s.pem", e.folder);
    tell_etcd(&e, "/v3/auth/user/add", "{\"name\":\"root\",\"password\":\"open\"}");
    tell_etcd(&e, "/v3/auth/role/add", "{\"name\":\"root\"}");
    tell_etcd(&e, "/v3/auth/user/grant", "{\"user\":\"root\",\"role\":\"root\"}");
    tell_etcd(&e, "/v3/auth/enable", "{}");
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &a.rt), GR_OK);
    test_peer_publish(a.rt);
    cr_assert_eq(gr_cluster_join(a.rt,
                                 GR_CLUSTER(.etcd = e.tls_url, .ca_file = ca, .user = "root",
                                            .password = "open", .advertise = "ipc:///tmp/none",
                                            .ttl_ms = TTL_MS),
                                 &err),
                 GR_OK, "%s", gr_error_text(err));
    ready(a.rt);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &stranger.rt), GR_OK);
    cr_assert_eq(gr_cluster_join(stranger.rt, GR_CLUSTER(.etcd = e.tls_url, .token = "no"), &err),
                 GR_OK); /* it does not trust the certificate, nor would it be let in */
    test_etcd_kill(&e);  /* which forgets the tokens */
    comes(a.rt, info(a.rt, "stale") == 1);
    test_etcd_start(&e);
    comes(a.rt, info(a.rt, "stale") == 0 && info(a.rt, "registered") == 1);
    cr_assert_eq(info(stranger.rt, "stale"), 1);
    cr_assert_eq(providers(stranger.rt, "all"), 0);
    gr_runtime_free(a.rt);
    gr_runtime_free(stranger.rt);
    test_etcd_close(&e);
}

/* ---- claims ---------------------------------------------------------------------------------- */

/* A holder that writes down why it was told to go. */
struct holder {
    atomic_int exits;
    gr_code code;
    char kind[32];
};

static void holder_exited(gr_ctx *c, void *self, gr_ref from, const gr_value *reason)
{
    struct holder *h = *(struct holder **)self;

    (void)c, (void)from;
    h->code = gr_error_code(reason);
    snprintf(h->kind, sizeof(h->kind), "%s", gr_cstr(gr_get(reason, "kind"), ""));
    h->exits++;
}

static gr_code holder_init(gr_ctx *c, void *self, const gr_value *args)
{
    *(struct holder **)self = gr_as_opaque(args);
    gr_trap_exit(c, true);
    return GR_OK;
}

static const gr_class holder_class =
    GR_CLASS(.name = "holder", .state_size = sizeof(struct holder *), .init = holder_init,
             .exited = holder_exited);

static gr_ref hold(gr_runtime *rt, struct holder *h)
{
    return gr_spawn(gr_root(rt), &holder_class, GR_SPAWN(.args = gr_opaque(h, NULL)));
}

static int64_t token_of(gr_future *f)
{
    gr_outcome o = gr_await(f, TEST_WAIT_MS);
    int64_t token = gr_as_int(o.value, 0);

    cr_assert_eq(o.code, GR_OK, "%s", gr_error_text(o.error));
    gr_future_free(f);
    return token;
}

Test(etcd, a_claim_has_one_holder_at_a_time_and_a_token_that_grows)
{
    struct test_etcd e;
    struct node a = { .url = "" }, b = { .url = "" };
    struct holder of_a = { 0 }, of_b = { 0 };
    gr_future *wait;
    gr_ref first;
    int64_t one, two;

    NEEDS_ETCD();
    test_etcd_open(&e);
    start(&a, &e);
    start(&b, &e);
    first = hold(a.rt, &of_a);
    one = token_of(gr_claim(a.rt, "leader", first));
    cr_assert_gt(one, 0);
    cr_assert_eq((int64_t)gr_claim_token(a.rt, "leader"), one);
    cr_assert_eq(gr_claim_token(b.rt, "leader"), 0);
    wait = gr_claim(b.rt, "leader", hold(b.rt, &of_b));
    cr_assert_eq(gr_await(wait, 300).code, GR_EPENDING);
    gr_stop(a.rt, first); /* its end is its claim's */
    two = token_of(wait);
    cr_assert_gt(two, one);
    cr_assert_eq((int64_t)gr_claim_token(b.rt, "leader"), two);
    cr_assert_eq(gr_claim_token(a.rt, "leader"), 0);
    wait = gr_claim(a.rt, "leader", hold(a.rt, &of_a));
    cr_assert(gr_claim_release(b.rt, "leader"));
    cr_assert_gt(token_of(wait), two);
    cr_assert_eq(of_a.exits + of_b.exits, 0);
    gr_runtime_free(a.rt);
    gr_runtime_free(b.rt);
    test_etcd_close(&e);
}

Test(etcd, a_claim_that_is_given_up_while_it_waits_is_not_held)
{
    struct test_etcd e;
    struct node a = { .url = "" }, b = { .url = "" };
    struct holder of_a = { 0 }, of_b = { 0 };
    gr_future *f;

    NEEDS_ETCD();
    test_etcd_open(&e);
    start(&a, &e);
    start(&b, &e);
    token_of(gr_claim(a.rt, "leader", hold(a.rt, &of_a)));
    f = gr_claim(b.rt, "leader", hold(b.rt, &of_b));
    cr_assert_eq(gr_await(f, 300).code, GR_EPENDING);
    gr_future_free(f);
    cr_assert(gr_claim_release(a.rt, "leader"));
    token_of(gr_claim(a.rt, "leader", hold(a.rt, &of_a)));
    token_of(gr_claim(b.rt, "other", hold(b.rt, &of_b))); /* b's keeper has gone past it */
    cr_assert_eq(gr_claim_token(b.rt, "leader"), 0);
    gr_runtime_free(a.rt);
    gr_runtime_free(b.rt);
    test_etcd_close(&e);
}

Test(etcd, a_holder_without_etcd_is_told_in_time_and_the_next_has_a_greater_token)
{
    struct test_etcd e;
    struct node a = { .url = "" }, b = { .url = "" };
    struct holder of_a = { 0 }, of_b = { 0 };
    uint64_t since;
    int64_t one;

    NEEDS_ETCD();
    test_etcd_open(&e);
    start(&a, &e);
    start(&b, &e);
    one = token_of(gr_claim(a.rt, "leader", hold(a.rt, &of_a)));
    since = gr_now_ns(a.rt);
    test_etcd_kill(&e);
    comes(a.rt, of_a.exits == 1);
    cr_assert_eq(of_a.code, GR_ECANCELED);
    cr_assert_str_eq(of_a.kind, "ClaimLost");
    cr_assert_eq(gr_claim_token(a.rt, "leader"), 0);
    cr_assert_geq(gr_now_ns(a.rt) - since, UINT64_C(1000000000), "before its time");
    test_etcd_start(&e);
    cr_assert_gt(token_of(gr_claim(b.rt, "leader", hold(b.rt, &of_b))), one);
    gr_runtime_free(a.rt);
    gr_runtime_free(b.rt);
    test_etcd_close(&e);
}
