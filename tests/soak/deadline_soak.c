/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deadline_soak.c - a call with a deadline goes through three nodes, each a process: client, A, B, C.
 *
 * Each has less time left than the one before. When it has passed, the caller has GR_ETIMEDOUT, C has been
 * cancelled within the deadline and a slack, and nobody works on.
 */
#include "tests/soak/soak.h"

#include "tests/support/peer.h"

#define ROUNDS 50
#define HOPS 3
#define SLACK_MS 5000 /* of a machine that does much else */

void soak_run(void)
{
    gr_runtime *rt = soak_client(0);
    struct soak_node nodes[HOPS];
    gr_ref works[HOPS];
    int rounds = soak_rounds(ROUNDS);
    int64_t latest_ms = 0;

    for (int i = HOPS; i-- > 0;) {
        char url[128];

        test_peer_url(url, i % 2 == 0 ? "tcp" : "ipc");
        nodes[i] =
            soak_start(url, &(struct soak_how){ .next = i + 1 < HOPS ? nodes[i + 1].url : NULL });
        works[i] = gr_remote(gr_root(rt), url, "work");
        soak_returns(rt, works[i]);
    }
    for (int round = 0; round < rounds; round++) {
        int64_t timeout_ms = 100 + (int64_t)soak_below(400), before_ns = timeout_ms * 1000000;
        gr_future *f = gr_acall(rt, works[0], "relay", gr_nil(), GR_CALL(.timeout_ms = timeout_ms));
        gr_code rc = gr_await(f, SOAK_WAIT_MS).code;

        gr_future_free(f);
        soak_check(rc == GR_ETIMEDOUT, "the call ended with %s", gr_code_name(rc));
        for (int i = 0; i < HOPS; i++) {
            int64_t left_ns, lasted_ns;

            soak_until(soak_ask(rt, works[i], "open") == 0, "hop %d works on", i);
            left_ns = soak_ask(rt, works[i], "left_ns");
            lasted_ns = soak_ask(rt, works[i], "lasted_ns");
            soak_check(left_ns < before_ns,
                       "round %d: hop %d has %lld ns left, the one before %lld", round, i,
                       (long long)left_ns, (long long)before_ns);
            soak_check(lasted_ns < left_ns + SLACK_MS * INT64_C(1000000),
                       "hop %d worked for %lld ns, and had %lld", i, (long long)lasted_ns,
                       (long long)left_ns);
            if ((lasted_ns - left_ns) / 1000000 > latest_ms)
                latest_ms = (lasted_ns - left_ns) / 1000000;
            before_ns = left_ns;
        }
    }
    for (int i = 0; i < HOPS; i++)
        soak_stop(&nodes[i]);
    gr_runtime_free(rt);
    soak_pass(
        "%d calls over %d hops: each hop had less left than the one before, and was over %lld ms after its "
        "deadline at most",
        rounds, HOPS, (long long)latest_ms);
}
