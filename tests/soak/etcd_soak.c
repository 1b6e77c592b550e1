/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_soak.c - etcd is killed and started again 10 times, while a client calls two nodes (processes, registered there)
 * through a pool. Once it is away for longer than the leases last, once it comes back without its data, and once
 * a node is drained and started again meanwhile.
 *
 * No call fails, what is known stays known and is marked stale, and after each return all is registered anew.
 * Skipped without etcd.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/soak/load.h"
#include "tests/support/etcd.h"
#include "tests/support/peer.h"

#define ROUNDS 10
#define TTL_MS 2000
#define NODES 2

static bool is_stale(gr_runtime *rt)
{
    gr_value *info = gr_cluster_info(rt);
    bool stale = gr_as_bool(gr_get(info, "stale"), false);

    gr_value_unref(info);
    return stale;
}

static size_t providers(gr_runtime *rt)
{
    gr_value *list = gr_cluster_providers(rt, "work");
    size_t count = gr_len(list);

    gr_value_unref(list);
    return count;
}

/* registered counts the keys that etcd itself has. */
static int registered(const struct test_etcd *e)
{
    char *body = test_etcd_post(e, "/v3/kv/range",
                                "{\"key\":\"L2dyZWVucm9vbS8=\",\"range_end\":\"L2dyZWVucm9vbTA=\","
                                "\"count_only\":true}");
    gr_value *v = body != NULL ? gr_json_parse(body, strlen(body), NULL) : NULL;
    int count = v != NULL ? atoi(gr_cstr(gr_get(v, "count"), "0")) : -1;

    gr_value_unref(v);
    free(body);
    return count;
}

/* while_away does what a round does besides calling. */
static void while_away(int round, struct test_etcd *e, struct soak_node *n,
                       const struct soak_how *how)
{
    if (round % ROUNDS == 3)
        soak_nap(TTL_MS + 1500);
    if (round % ROUNDS == 5)
        test_etcd_wipe(e);
    if (round % ROUNDS == 7) {
        soak_stop(n);
        *n = soak_start(n->url, how);
    }
    soak_nap((int64_t)soak_below(1000));
}

void soak_run(void)
{
    gr_runtime *rt = soak_client(0);
    struct load load = { .rt = rt, .verbs = { "invoke", "stream" }, .ms_most = 10 };
    struct soak_node nodes[NODES];
    struct soak_how how = { .ttl_ms = TTL_MS };
    struct test_etcd e;
    int rounds = soak_rounds(ROUNDS);

    if (!test_etcd_there())
        soak_skip("there is no etcd");
    test_etcd_open(&e);
    how.etcd = e.url;
    for (int i = 0; i < NODES; i++) {
        char url[128];

        test_peer_url(url, i == 0 ? "ipc" : "tcp");
        nodes[i] = soak_start(url, &how);
    }
    soak_check(gr_cluster_join(rt, GR_CLUSTER(.etcd = e.url, .ttl_ms = TTL_MS), NULL) == GR_OK,
               "no cluster");
    how.lazy = true; /* a node that starts while etcd is away serves all the same */
    soak_until(providers(rt) == NODES, "%zu providers", providers(rt));
    load.to = gr_pool(gr_root(rt), "work", NULL);
    load_start(&load);
    load_flows(&load, 100);
    for (int round = 0; round < rounds; round++) {
        test_etcd_kill(&e);
        soak_until(is_stale(rt), "nobody notices that etcd is away");
        load_flows(&load, 100);
        while_away(round, &e, &nodes[round % NODES], &how);
        /* one that has ended meanwhile is in there besides its successor until its lease is over */
        soak_check(providers(rt) >= NODES, "%zu providers while etcd is away", providers(rt));
        test_etcd_start(&e);
        soak_until(!is_stale(rt), "nobody notices that etcd is back");
        soak_until(registered(&e) == NODES, "%d keys in etcd", registered(&e));
        soak_until(providers(rt) == NODES, "%zu providers", providers(rt));
        load_flows(&load, 100);
    }
    load_stop(&load);
    for (int i = 0; i < NODES; i++)
        soak_stop(&nodes[i]);
    soak_until(registered(&e) == 0, "%d keys are left", registered(&e));
    gr_runtime_free(rt);
    test_etcd_close(&e);
    soak_pass(
        "etcd was away %d times: %d calls answered, %d failed, the slowest took %d ms; all registered after each",
        rounds, load.answered, load.failed, load.slowest_ms);
}
