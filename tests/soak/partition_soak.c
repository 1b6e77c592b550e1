/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition_soak.c - two nodes on two hosts (network namespaces, a veth pair between them) that lose each other:
 * nft drops what goes one way, the other, or both, 20 times, while each calls the other.
 *
 * Both sides give up what was under way within the detection time and a slack, no call hangs or runs twice, and
 * after healing they have one link again, over which calls go both ways. Skipped without root, ip or nft.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/soak/load.h"

#define ROUNDS 20
#define BEAT_MS 100
#define DETECT_MS (3 * BEAT_MS)
#define SLACK_MS 5000 /* of a machine that does much else */
#define HERE "tcp://10.213.77.1:7101"
#define THERE "tcp://10.213.77.2:7102"

/* ---- two hosts ------------------------------------------------------------------------------- */

static char spaces[2][32];

/* sh runs a command and says whether it went well. */
__attribute__((format(printf, 1, 2))) static bool sh(const char *format, ...)
{
    char command[512];
    va_list ap;

    va_start(ap, format);
    vsnprintf(command, sizeof(command) - 16, format, ap);
    va_end(ap);
    strcat(command, " >/dev/null 2>&1");
    return system(command) == 0;
}

static void remove_hosts(void)
{
    for (int i = 0; i < 2; i++)
        sh("ip netns del %s", spaces[i]);
}

/* enter has this thread, and the processes that it starts, live on a host. */
static void enter(const char *space)
{
    char path[64];
    int fd;

    snprintf(path, sizeof(path), "/run/netns/%s", space);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    soak_check(fd >= 0 && setns(fd, CLONE_NEWNET) == 0, "no way into %s", path);
    close(fd);
}

static bool host(int i)
{
    const char *s = spaces[i];

    return sh("ip netns add %s", s) && sh("ip -n %s link set lo up", s) &&
           (i == 0 || sh("ip -n %s link add veth0 type veth peer name veth0 netns %s", spaces[0],
                         spaces[1])) &&
           (i == 0 || (sh("ip -n %s addr add 10.213.77.1/24 dev veth0", spaces[0]) &&
                       sh("ip -n %s link set veth0 up", spaces[0]) &&
                       sh("ip -n %s addr add 10.213.77.2/24 dev veth0", s) &&
                       sh("ip -n %s link set veth0 up", s)));
}

/* make_hosts has the first one filter what comes in and what goes out. */
static void make_hosts(void)
{
    if (geteuid() != 0)
        soak_skip("partitions need root");
    if (!sh("command -v ip") || !sh("command -v nft"))
        soak_skip("partitions need ip (iproute2) and nft (nftables)");
    for (int i = 0; i < 2; i++)
        snprintf(spaces[i], sizeof(spaces[i]), "gr-soak-%ld-%d", (long)getpid(), i);
    atexit(remove_hosts);
    if (!host(0) || !host(1))
        soak_skip("no network namespaces, or no veth");
    enter(spaces[0]);
    if (!sh("nft 'add table inet soak; add chain inet soak in { type filter hook input priority 0; };"
            "add chain inet soak out { type filter hook output priority 0; }'"))
        soak_skip("nft can't filter here");
}

enum way { IN = 1, OUT = 2, BOTH = 3 };

static void part(enum way way)
{
    soak_check((way & IN) == 0 || sh("nft add rule inet soak in ip saddr 10.213.77.2 drop"), "nft");
    soak_check((way & OUT) == 0 || sh("nft add rule inet soak out ip daddr 10.213.77.2 drop"),
               "nft");
}

static void heal(void)
{
    soak_check(sh("nft 'flush chain inet soak in; flush chain inet soak out'"), "nft");
}

/* ---- a round --------------------------------------------------------------------------------- */

static int64_t given_up(gr_future *f, uint64_t since, const char *which)
{
    gr_code rc = gr_await(f, SOAK_WAIT_MS).code;
    int64_t ms = (int64_t)(soak_now_ms() - since);

    soak_check(rc == GR_EUNREACH || rc == GR_ECANCELED, "%s ended with %s", which,
               gr_code_name(rc));
    soak_check(ms < DETECT_MS + BEAT_MS + SLACK_MS, "%s was given up after %lld ms", which,
               (long long)ms);
    gr_future_free(f);
    return ms;
}

/* one_link waits until each of the two has one connection with the other, of those that are established. */
static void one_link(pid_t there)
{
    soak_until(soak_links(0, 7101) + soak_links(0, 7102) == 1 &&
                   soak_links(there, 7101) + soak_links(there, 7102) == 1,
               "%d and %d links here, %d and %d there", soak_links(0, 7101), soak_links(0, 7102),
               soak_links(there, 7101), soak_links(there, 7102));
}

void soak_run(void)
{
    static const enum way ways[] = { BOTH, IN, BOTH, OUT };
    struct load load = { .verbs = { "invoke", "stream", "back" }, .ms_most = 5, .may_fail = true };
    struct soak_how how = {
        .next = HERE, .beat_ms = BEAT_MS, .insecure = true, .secret = "of the two hosts"
    };
    int rounds = soak_rounds(ROUNDS);
    int64_t latest_ms = 0;
    struct soak_node n;
    gr_runtime *rt;

    make_hosts();
    enter(spaces[1]);
    n = soak_start(THERE, &how);
    enter(spaces[0]);
    rt = load.rt = soak_node_runtime(&how);
    soak_publish(rt, NULL);
    soak_check(gr_serve(rt, HERE, NULL) == GR_OK, "nobody listens here");
    load.to = gr_remote(gr_root(rt), THERE, "work");
    soak_returns(rt, load.to);
    load_start(&load);
    for (int round = 0; round < rounds; round++) {
        gr_future *ours = gr_ainvoke(rt, load.to, gr_map(GR_KV("ms", gr_int(3600000))), NULL);
        gr_future *theirs =
            gr_acall(rt, load.to, "back", gr_map(GR_KV("ms", gr_int(3600000))), NULL);
        uint64_t since;
        int64_t ms;

        load_flows(&load, 100);
        part(ways[round % 4]);
        since = soak_now_ms();
        ms = given_up(ours, since, "a call");
        latest_ms = ms > latest_ms ? ms : latest_ms;
        ms = given_up(theirs, since, "a call that came back to us");
        latest_ms = ms > latest_ms ? ms : latest_ms;
        soak_nap((int64_t)soak_below(2000));
        heal();
        load_flows(&load, 100);
        one_link(n.pid);
    }
    load_stop(&load);
    soak_check(soak_ask(rt, load.to, "twice") == 0 && soak_twice() == 0, "a call ran twice");
    soak_stop(&n);
    gr_runtime_free(rt);
    soak_pass(
        "%d partitions, %d of them in one direction: seen after %lld ms at most (detect_ms %d), %d calls answered, "
        "%d failed, none ran twice, the slowest took %d ms; one link after each",
        rounds, rounds / 2, (long long)latest_ms, DETECT_MS, load.answered, load.failed,
        load.slowest_ms);
}
