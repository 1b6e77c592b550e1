/* SPDX-License-Identifier: Apache-2.0 */
/* up_begin.c - what `greenroom up` has before it starts a process: the nodes, in order, and what it listens to. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/chain_build.h"
#include "cli/up.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

#define BIT(i) ((uint64_t)1 << (i))

/* put_in_order has each node need those that it calls and that come before it, so that no circle is left. */
static void put_in_order(struct gri_up *u)
{
    uint64_t calls[GRI_DEPLOY_NODES_MAX], placed = 0;

    gri_deploy_calls(u->file, calls);
    for (size_t n = 0; n < u->count; n++) {
        size_t next = u->count;

        for (size_t i = 0; i < u->count && next == u->count; i++)
            next = (placed & BIT(i)) == 0 && (calls[i] & ~placed) == 0 ? i : next;
        for (size_t i = 0; i < u->count && next == u->count; i++)
            next = (placed & BIT(i)) == 0 ? i : next;
        gri_assert(next < u->count);
        u->nodes[next].needs = calls[next] & placed;
        placed |= BIT(next);
    }
}

static void read_keys(struct gri_up *u)
{
    const struct gri_chain_node *keys = u->file->deploy.up;

    u->intensity = (size_t)gri_arg_int(keys, "intensity", 5);
    u->period_ms = gri_arg_int(keys, "period_ms", 60000);
    u->backoff_ms = gri_arg_int(keys, "backoff_ms", 100);
    u->backoff_max_ms = gri_arg_int(keys, "backoff_max_ms", 10000);
    u->start_ms = gri_arg_int(keys, "start_ms", 600000);
}

/* make_nodes makes the table of them, and no process yet. false: out of memory. */
static bool make_nodes(struct gri_up *u)
{
    u->ends = gri_alloc_array(u->intensity + 1, sizeof(u->ends[0]));
    u->nodes = gri_alloc_array(u->file->deploy.node_count, sizeof(u->nodes[0]));
    for (size_t i = 0; u->nodes != NULL && i < u->file->deploy.node_count; i++) {
        u->nodes[i] = (struct gri_up_process){ .name = u->file->deploy.nodes[i].name, .out = -1 };
        u->nodes[i].line = gri_alloc(GRI_UP_LINE_MAX);
        u->count = i + 1;
        if (u->nodes[i].line == NULL)
            return false;
    }
    return u->nodes != NULL && u->ends != NULL;
}

static bool open_signals(struct gri_up *u)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGCHLD);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    u->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (u->signals < 0)
        gri_say("signals: %s", strerror(errno));
    return u->signals >= 0;
}

void gri_up_fini(struct gri_up *u)
{
    for (size_t i = 0; i < u->count; i++)
        gri_free(u->nodes[i].line);
    gri_free(u->nodes);
    gri_free(u->ends);
    if (u->signals >= 0)
        (void)close(u->signals);
    if (u->ready >= 0)
        (void)close(u->ready);
}

bool gri_up_init(struct gri_up *u)
{
    read_keys(u);
    if (!make_nodes(u)) {
        gri_say("out of memory");
        return false;
    }
    if (!open_signals(u) || !gri_up_open_ready(u))
        return false;
    put_in_order(u);
    return true;
}
