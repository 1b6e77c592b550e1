/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rolling_soak.c - three nodes, each a process, are drained by SIGTERM and started again, one after the other,
 * several times over, while a client calls them through a pool: nodes of our own, then, if $GREENROOM names the
 * command, `greenroom serve`. Its calls are not marked idempotent, and none is lost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/soak/load.h"
#include "tests/support/peer.h"

#define ROUNDS 10
#define NODES 3

/* is_out tells whether the pool leaves anybody out. */
static bool is_out(gr_runtime *rt, gr_ref pool)
{
    gr_value *list = gr_pool_providers(rt, pool);
    bool out = gr_len(list) != NODES;

    for (size_t i = 0; i < gr_len(list); i++)
        out = out || gr_as_bool(gr_get(gr_at(list, i), "out"), true);
    gr_value_unref(list);
    return out;
}

/* ---- who is restarted ------------------------------------------------------------------------ */

static struct soak_node start_own(const char *url)
{
    return soak_start(url, NULL);
}

/* start_command has `greenroom serve` publish an actor that gives its input back as "work". */
static struct soak_node start_command(const char *url)
{
    static const char chain[] =
        "listen: \"%s\"\npublish: [work]\nactors:\n  work: {passthrough: {}}\n";
    char folder[] = "/tmp/gr-soak-XXXXXX", file[64], text[512];
    struct soak_node n = { .pid = -1 };
    FILE *f;

    soak_check(mkdtemp(folder) != NULL, "no folder");
    snprintf(file, sizeof(file), "%s/chain.yaml", folder);
    f = fopen(file, "w");
    snprintf(text, sizeof(text), chain, url);
    soak_check(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0, "%s can't be written", file);
    n = soak_spawn(getenv("GREENROOM"), (char *[]){ "greenroom", "serve", file, NULL }, "pid ");
    snprintf(n.url, sizeof(n.url), "%s", url);
    remove(file);
    rmdir(folder);
    return n;
}

/* ---- the restarts ---------------------------------------------------------------------------- */

static void roll(struct load *load, struct soak_node (*start)(const char *url), int rounds)
{
    static const char *const schemes[NODES] = { "ipc", "tcp", "ipc" };
    struct soak_node nodes[NODES];
    const char *urls[NODES];

    for (int i = 0; i < NODES; i++) {
        char url[128];

        test_peer_url(url, schemes[i]);
        nodes[i] = start(url);
        urls[i] = nodes[i].url;
    }
    load->to = gr_pool(gr_root(load->rt), "work", GR_POOL(.urls = urls, .url_count = NODES));
    load_start(load);
    load_flows(load, 100);
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < NODES; i++) {
            soak_stop(&nodes[i]); /* fails unless it ends with every call answered */
            load_flows(load, 50);
            nodes[i] = start(urls[i]);
            soak_until(!is_out(load->rt, load->to), "node %d does not come back into the pool", i);
            load_flows(load, 50);
        }
    load_stop(load);
    for (int i = 0; i < NODES; i++)
        soak_stop(&nodes[i]);
    soak_check(load->failed == 0, "%d calls were lost", load->failed);
}

void soak_run(void)
{
    gr_runtime *rt = soak_client(0);
    struct load own = { .rt = rt, .verbs = { "invoke", "stream" }, .ms_most = 20 };
    struct load command = { .rt = rt, .verbs = { "invoke" } };
    int rounds = soak_rounds(ROUNDS);

    roll(&own, start_own, rounds);
    if (getenv("GREENROOM") != NULL)
        roll(&command, start_command, rounds);
    gr_runtime_free(rt);
    soak_pass(
        "%d restarts of %d nodes: %d calls answered, none lost, the slowest took %d ms; as many of "
        "`greenroom serve`: %d, %d ms",
        rounds * NODES, NODES, own.answered, own.slowest_ms, command.answered, command.slowest_ms);
}
