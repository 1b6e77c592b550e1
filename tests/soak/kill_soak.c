/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill_soak.c - a node is killed by kill -9 in the middle of its streams, over ipc and tcp in turn, 50 times.
 *
 * Every stream that was open ends with GR_EUNREACH after a prefix of what was sent, every call that was under way
 * fails so, at once; the node that takes its place is reached; another node notices nothing. What a client
 * holds (descriptors, threads, blocks of memory) is the same after the last round as after the first few.
 */
#include "tests/soak/soak.h"

#include <pthread.h>
#include <string.h>

#include "tests/support/meter.h"
#include "tests/support/peer.h"

#define ROUNDS 50
#define WARM 10 /* rounds after which nothing more should come to stay: pools are full */
#define STREAMS 6
#define CALLS 8

struct reader {
    pthread_t thread;
    gr_stream *s;
    int64_t chunks;
    gr_code end;
    bool hole;
};

static void *read_on(void *arg)
{
    struct reader *r = arg;
    gr_outcome o;

    while ((o = gr_next(r->s, SOAK_WAIT_MS)).code == GR_OK) {
        r->hole = r->hole || gr_as_int(o.value, -1) != r->chunks;
        r->chunks++;
    }
    r->end = o.code;
    gr_stream_free(r->s);
    return NULL;
}

static void open_all(gr_runtime *rt, gr_ref work, struct reader readers[STREAMS],
                     gr_future *calls[CALLS])
{
    for (int i = 0; i < STREAMS; i++) {
        readers[i] = (struct reader){ .s = gr_astream(
                                          rt, work, gr_map(GR_KV("n", gr_int(INT64_MAX))), NULL) };
        pthread_create(&readers[i].thread, NULL, read_on, &readers[i]);
    }
    for (int i = 0; i < CALLS; i++)
        calls[i] = gr_ainvoke(rt, work, gr_map(GR_KV("ms", gr_int(3600000))), NULL);
}

/* all_end waits for what was open, and returns how many chunks were read. */
static int64_t all_end(struct reader readers[STREAMS], gr_future *calls[CALLS])
{
    int64_t chunks = 0;

    for (int i = 0; i < CALLS; i++) {
        gr_code rc = gr_await(calls[i], SOAK_WAIT_MS).code;

        soak_check(rc == GR_EUNREACH, "a call ended with %s", gr_code_name(rc));
        gr_future_free(calls[i]);
    }
    for (int i = 0; i < STREAMS; i++) {
        pthread_join(readers[i].thread, NULL);
        soak_check(readers[i].end == GR_EUNREACH && !readers[i].hole,
                   "a stream ended with %s after %lld chunks%s", gr_code_name(readers[i].end),
                   (long long)readers[i].chunks, readers[i].hole ? ", and had a hole" : "");
        chunks += readers[i].chunks;
    }
    return chunks;
}

/* quiet waits until what calls of ours and the links held has gone its way. */
static void quiet(long blocks)
{
    for (int i = 0; i < 200 && meter_blocks() > blocks; i++)
        soak_nap(10);
}

void soak_run(void)
{
    static const char *const schemes[] = { "ipc", "tcp" };
    gr_runtime *rt = soak_client(0);
    struct soak_node nodes[2], other;
    gr_ref works[2], bystander;
    int rounds = soak_rounds(ROUNDS), fds = 0, threads = 0;
    int64_t chunks = 0;
    uint64_t slowest = 0;
    long blocks = 0;
    char url[128];

    for (int i = 0; i < 2; i++) {
        test_peer_url(url, schemes[i]);
        nodes[i] = soak_start(url, NULL);
        works[i] = gr_remote(gr_root(rt), url, "work");
    }
    test_peer_url(url, "ipc");
    other = soak_start(url, NULL);
    bystander = gr_remote(gr_root(rt), url, "work");
    for (int round = 0; round < rounds; round++) {
        struct soak_node *n = &nodes[round % 2];
        gr_ref work = works[round % 2];
        struct reader readers[STREAMS];
        gr_future *calls[CALLS], *kept;
        uint64_t since;

        soak_returns(rt, work);
        kept = gr_ainvoke(rt, bystander,
                          gr_map(GR_KV("id", gr_int(round)), GR_KV("ms", gr_int(50))), NULL);
        open_all(rt, work, readers, calls);
        soak_nap((int64_t)soak_below(40));
        soak_kill(n);
        since = soak_now_ms();
        chunks += all_end(readers, calls);
        if (soak_now_ms() - since > slowest)
            slowest = soak_now_ms() - since;
        soak_check(gr_await(kept, SOAK_WAIT_MS).code == GR_OK, "a call to another node was lost");
        gr_future_free(kept);
        *n = soak_start(n->url, NULL);
        soak_returns(rt, work);
        if (round == WARM - 1 || round == rounds - 1) {
            quiet(blocks);
            if (round == rounds - 1 && rounds > WARM) {
                soak_check(soak_fds(0) <= fds, "%d descriptors after %d before", soak_fds(0), fds);
                soak_check(soak_threads(0) <= threads + 2, "%d threads after %d before",
                           soak_threads(0), threads);
                soak_check(meter_blocks() <= blocks + 64, "%ld blocks after %ld before",
                           meter_blocks(), blocks);
            }
            fds = soak_fds(0);
            threads = soak_threads(0);
            if (round < rounds - 1)
                blocks = meter_blocks();
        }
    }
    soak_check(soak_ask(rt, bystander, "done") == rounds, "the other node lost a call");
    blocks = meter_blocks() - blocks;
    for (int i = 0; i < 2; i++)
        soak_stop(&nodes[i]);
    soak_stop(&other);
    gr_runtime_free(rt);
    soak_pass(
        "%d kills mid-stream: %d streams and %d calls ended with GR_EUNREACH, the last %llu ms after the kill "
        "at most; %lld chunks, no hole; %d descriptors, %d threads, %+ld blocks since round %d",
        rounds, rounds * STREAMS, rounds * CALLS, (unsigned long long)slowest, (long long)chunks,
        fds, threads, blocks, WARM);
}
