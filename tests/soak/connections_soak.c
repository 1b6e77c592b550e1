/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connections_soak.c - 10,000 links to one node, each from a node of its own (raw_peer.h), from this process to
 * another one. Each is greeted, called, and then left alone; all are called once more at the end. The server stays
 * under 250 MiB, and no thread or anything else comes with a connection.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/soak/soak.h"
#include "tests/support/peer.h"
#include "tests/support/raw_peer.h"

#define CONNECTIONS 10000
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RSS_MAX_KIB (1000L << 10) /* a sanitizer's own */
#else
#define RSS_MAX_KIB (250L << 10)
#endif
#define OTHERS 100 /* descriptors besides */

static int fds[CONNECTIONS];

/* raise_limit returns how many descriptors may be open here, and in the server. */
static long raise_limit(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) != 0)
        return 0;
    if (r.rlim_max < CONNECTIONS + OTHERS) {
        struct rlimit more = { CONNECTIONS + OTHERS, CONNECTIONS + OTHERS };

        if (setrlimit(RLIMIT_NOFILE, &more) == 0)
            return CONNECTIONS + OTHERS;
    }
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
    return (long)r.rlim_max;
}

static uint64_t call_all(int count, const gr_value *args)
{
    uint64_t since = soak_now_ms();

    for (int i = 0; i < count; i++)
        soak_check(raw_call(fds[i], "work", args), "connection %d is not answered", i);
    return soak_now_ms() - since;
}

static void storm(const char *scheme)
{
    struct soak_node n;
    gr_value *args = gr_map_n(NULL, 0);
    gr_runtime *rt = soak_client(0);
    uint64_t since, connected_ms, called_ms;
    int threads, descriptors;
    long before, rss;
    char url[128];
    gr_ref work;

    test_peer_url(url, scheme);
    n = soak_start(url, NULL);
    work = gr_remote(gr_root(rt), url, "work");
    soak_returns(rt, work);
    threads = soak_threads(n.pid);
    descriptors = soak_fds(n.pid);
    before = soak_rss_kib(n.pid);
    since = soak_now_ms();
    for (int i = 0; i < CONNECTIONS; i++) {
        fds[i] = raw_connect(url);
        soak_check(fds[i] >= 0, "no connection %d", i);
        soak_check(raw_greet(fds[i], UINT64_MAX - (uint64_t)i, 0, NULL) && raw_ping(fds[i]),
                   "connection %d is not greeted", i);
    }
    connected_ms = soak_now_ms() - since;
    called_ms = call_all(CONNECTIONS, args);
    soak_nap(3000); /* beats go to all of them meanwhile */
    rss = soak_rss_kib(n.pid);
    soak_check(rss < RSS_MAX_KIB, "the server holds %ld KiB", rss);
    soak_check(soak_fds(n.pid) >= CONNECTIONS, "the server has %d descriptors only",
               soak_fds(n.pid));
    soak_check(soak_threads(n.pid) <= threads + 4, "%d threads, and %d before", soak_threads(n.pid),
               threads);
    call_all(CONNECTIONS, args);
    soak_check(soak_ask(rt, work, "done") == 2 * CONNECTIONS, "calls were lost");
    for (int i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
    soak_until(soak_fds(n.pid) <= descriptors, "the server keeps %d descriptors of %d",
               soak_fds(n.pid), descriptors);
    soak_returns(rt, work);
    soak_stop(&n);
    gr_value_unref(args);
    gr_runtime_free(rt);
    printf(
        "   %s: %d connections in %llu ms, all called in %llu ms; the server had %ld KiB (%ld before), %d threads\n",
        scheme, CONNECTIONS, (unsigned long long)connected_ms, (unsigned long long)called_ms, rss,
        before, threads);
}

void soak_run(void)
{
    long most = raise_limit();

    if (most < CONNECTIONS + OTHERS)
        soak_skip("%d descriptors are needed, %ld are allowed", CONNECTIONS + OTHERS, most);
    storm("ipc");
    storm("tcp");
    soak_pass("%d links to one node, over ipc and over tcp, under %ld KiB", CONNECTIONS,
              RSS_MAX_KIB);
}
