/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frozen_soak.c - a node's process is stopped (SIGSTOP) while it is called, over ipc and tcp in turn, and goes on
 * later, after its peers have given it up or before.
 *
 * It is seen within the detection time and a slack, no call hangs or runs twice, and it is back by itself.
 */
#include <signal.h>

#include "tests/soak/load.h"
#include "tests/support/peer.h"

#define ROUNDS 20
#define BEAT_MS 100
#define DETECT_MS (3 * BEAT_MS)
#define SLACK_MS 5000 /* of a machine that does much else */

/* freeze stops the node until a call that it has is given up, and returns for how long that took. */
static int64_t freeze(gr_runtime *rt, struct soak_node *n, gr_ref work, struct load *load)
{
    gr_future *f = gr_ainvoke(rt, work, gr_map(GR_KV("ms", gr_int(3600000))), NULL);
    uint64_t since;
    gr_code rc;

    load_flows(load, 20);
    kill(n->pid, SIGSTOP);
    since = soak_now_ms();
    rc = gr_await(f, SOAK_WAIT_MS).code;
    soak_check(rc == GR_EUNREACH, "the call ended with %s", gr_code_name(rc));
    gr_future_free(f);
    return (int64_t)(soak_now_ms() - since);
}

void soak_run(void)
{
    static const char *const schemes[] = { "ipc", "tcp" };
    gr_runtime *rt = soak_client(BEAT_MS);
    struct soak_node nodes[2];
    struct load loads[2] = { { .verbs = { "invoke", "stream" }, .ms_most = 5, .may_fail = true },
                             { .verbs = { "invoke", "stream" }, .ms_most = 5, .may_fail = true } };
    int rounds = soak_rounds(ROUNDS);
    int64_t latest_ms = 0;

    for (int i = 0; i < 2; i++) {
        char url[128];

        test_peer_url(url, schemes[i]);
        nodes[i] = soak_start(url, &(struct soak_how){ .beat_ms = BEAT_MS });
        loads[i].rt = rt;
        loads[i].to = gr_remote(gr_root(rt), url, "work");
        soak_returns(rt, loads[i].to);
        load_start(&loads[i]);
    }
    for (int round = 0; round < rounds; round++) {
        struct soak_node *n = &nodes[round % 2];
        struct load *load = &loads[round % 2];
        int64_t ms = freeze(rt, n, load->to, load);

        soak_check(ms < DETECT_MS + BEAT_MS + SLACK_MS, "it took %lld ms until it was seen",
                   (long long)ms);
        latest_ms = ms > latest_ms ? ms : latest_ms;
        soak_nap((int64_t)soak_below(1000));
        kill(n->pid, SIGCONT);
        load_flows(load, 50);
        kill(n->pid, SIGSTOP); /* for a moment only: nobody need notice */
        soak_nap((int64_t)soak_below(DETECT_MS / 3));
        kill(n->pid, SIGCONT);
        load_flows(load, 20);
    }
    for (int i = 0; i < 2; i++) {
        load_stop(&loads[i]);
        soak_check(soak_ask(rt, loads[i].to, "twice") == 0, "a call ran twice");
        soak_stop(&nodes[i]);
    }
    gr_runtime_free(rt);
    soak_pass(
        "%d times stopped: seen after %lld ms at most (detect_ms %d), %d calls answered, %d failed, none ran twice",
        rounds, (long long)latest_ms, DETECT_MS, loads[0].answered + loads[1].answered,
        loads[0].failed + loads[1].failed);
}
