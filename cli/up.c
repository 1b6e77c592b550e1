/* SPDX-License-Identifier: Apache-2.0 */
/*
 * up.c - `greenroom up`: all nodes of a chain file as processes of this host.
 *
 * A node starts once those that it calls are ready, and ends once those that call it have: so a store can
 * be filled by another node's embedder, and calls under way still find whom they need. Where nodes call
 * each other in a circle the file's order breaks it. What ends without being told to is started again, as OTP's
 * supervisors do it; but a node that ends before all were ready has a mistake that another start would
 * not mend, so then all are stopped.
 */
#include "cli/up.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/notify.h"
#include "cli/session.h"
#include "runtime/base/thread.h"

#define BIT(i) ((uint64_t)1 << (i))
#define MS ((uint64_t)1000000)
#define GRACE_MS 5000  /* beyond the time to drain: then they are killed */
#define MOMENT_MS 1000 /* for a command to hear of Ctrl-C by itself */
#define READS_MAX 64   /* of what a process has left to say when it has ended */

/* ---- stopping -------------------------------------------------------------------------------- */

static void begin_stop(struct gri_up *u, int exit_code)
{
    if (u->stopping)
        return;
    u->stopping = true;
    u->stop_ns = gri_clock_ns();
    u->exit_code = exit_code;
    gri_notify("STOPPING=1");
}

/* is_needed tells whether a process runs that calls a node. */
static bool is_needed(const struct gri_up *u, size_t node)
{
    if (u->command.state != GRI_UP_DOWN)
        return true;
    for (size_t i = 0; i < u->count; i++) {
        if (u->nodes[i].state != GRI_UP_DOWN && (u->nodes[i].needs & BIT(node)) != 0)
            return true;
    }
    return false;
}

static void tell(struct gri_up_process *p, int signal)
{
    if (p->state == GRI_UP_DOWN || (p->told && signal != SIGKILL))
        return;
    p->told = true;
    (void)kill(p->pid, signal); /* it was not waited for yet, so the pid is its own */
}

/* stop_step tells those to end whose time has come. */
static void stop_step(struct gri_up *u)
{
    uint64_t passed_ms = (gri_clock_ns() - u->stop_ns) / MS;
    bool late = passed_ms >= (uint64_t)u->drain_ms;
    bool over = u->hard || passed_ms >= (uint64_t)u->drain_ms + GRACE_MS;

    if (late || u->exit_code != GRI_EXIT_INTERRUPTED || passed_ms >= MOMENT_MS)
        tell(&u->command, SIGTERM);
    for (size_t i = 0; i < u->count; i++) {
        if (late || !is_needed(u, i))
            tell(&u->nodes[i], SIGTERM);
    }
    for (size_t i = 0; over && i < u->count; i++)
        tell(&u->nodes[i], SIGKILL);
    if (over)
        tell(&u->command, SIGKILL);
}

static bool all_down(const struct gri_up *u)
{
    bool down = u->command.state == GRI_UP_DOWN;

    for (size_t i = 0; i < u->count; i++)
        down = down && u->nodes[i].state == GRI_UP_DOWN;
    return down;
}

/* ---- starting -------------------------------------------------------------------------------- */

static uint64_t ready_set(const struct gri_up *u)
{
    uint64_t ready = 0;

    for (size_t i = 0; i < u->count; i++)
        ready |= u->nodes[i].state == GRI_UP_READY ? BIT(i) : 0;
    return ready;
}

static void start_due(struct gri_up *u)
{
    uint64_t ready = ready_set(u), now_ns = gri_clock_ns();

    for (size_t i = 0; i < u->count && !u->stopping; i++) {
        struct gri_up_process *p = &u->nodes[i];

        if (p->state == GRI_UP_DOWN && (p->needs & ~ready) == 0 && p->due_ns <= now_ns &&
            !gri_up_start(u, p))
            begin_stop(u, GRI_EXIT_FAILED);
        if (p->state == GRI_UP_STARTED && p->due_ns <= now_ns) {
            gri_say("node %s is not ready after %g s", p->name, (double)u->start_ms / 1000);
            tell(p, SIGKILL);
            p->due_ns = UINT64_MAX; /* until it is seen to have ended */
        }
    }
}

/* say_ready prints where all of it can be called, once. */
static void say_ready(struct gri_up *u)
{
    const struct gri_deploy *d = &u->file->deploy;

    if (u->was_ready || u->stopping ||
        ready_set(u) != (u->count < GRI_DEPLOY_NODES_MAX ? BIT(u->count) - 1 : UINT64_MAX))
        return;
    u->was_ready = true;
    if (u->rest[0] == NULL) {
        (void)printf("ready: ");
        for (size_t i = 0; i < u->count; i++)
            (void)printf("%s%s %s", i > 0 ? ", " : "", d->nodes[i].name, d->nodes[i].reached);
        (void)printf("\n");
        (void)fflush(stdout);
    } else if (!gri_up_start(u, &u->command)) {
        begin_stop(u, GRI_EXIT_FAILED);
    }
    gri_notify("READY=1");
}

/* ---- the end of a process -------------------------------------------------------------------- */

/* is_too_often notes that a node has ended, and tells whether that makes more than the file allows. */
static bool is_too_often(struct gri_up *u)
{
    uint64_t now_ns = gri_clock_ns();
    size_t size = u->intensity + 1;
    bool full;

    u->ends[u->end_count % size] = now_ns;
    u->end_count++;
    full = u->end_count >= size;
    return full && now_ns - u->ends[u->end_count % size] <= (uint64_t)u->period_ms * MS;
}

/* backoff returns for how long a node stays down. */
static int64_t backoff(const struct gri_up *u, struct gri_up_process *p)
{
    int64_t ms = u->backoff_ms;

    for (unsigned i = 0; i < p->tries && ms < u->backoff_max_ms; i++)
        ms *= 2;
    p->tries++;
    return ms < u->backoff_max_ms ? ms : u->backoff_max_ms;
}

/* node_crashed: it has ended, and nobody had told it to. */
static void node_crashed(struct gri_up *u, struct gri_up_process *p, bool ready, int status)
{
    uint64_t now_ns = gri_clock_ns();
    char how[100];
    int64_t ms;

    gri_up_tell_end(how, sizeof(how), status);
    if (!u->was_ready) {
        gri_say("node %s %s before all were ready; so all are stopped", p->name, how);
        begin_stop(u, WIFEXITED(status) && WEXITSTATUS(status) == GRI_EXIT_USAGE ? GRI_EXIT_USAGE
                                                                                 : GRI_EXIT_FAILED);
        return;
    }
    if (is_too_often(u)) {
        gri_say("node %s %s; nodes have ended more than %zu times in %g s, so all are stopped",
                p->name, how, u->intensity, (double)u->period_ms / 1000);
        begin_stop(u, GRI_EXIT_FAILED);
        return;
    }
    if (ready && now_ns - p->up_ns >= (uint64_t)u->period_ms * MS)
        p->tries = 0;
    ms = backoff(u, p);
    p->due_ns = now_ns + (uint64_t)ms * MS;
    gri_say("node %s %s; it is started again in %g s", p->name, how, (double)ms / 1000);
}

/* node_ended looks at how a node has ended, and what follows from that. */
static void node_ended(struct gri_up *u, size_t i, bool ready, int status)
{
    struct gri_up_process *p = &u->nodes[i];
    char how[100];

    for (int n = 0; p->out >= 0 && n < READS_MAX && !u->mute; n++) {
        size_t before = p->len;

        if (!gri_up_read(p) || p->len == before)
            break;
        gri_up_pass(u, p, false);
    }
    gri_up_pass(u, p, true);
    if (p->out >= 0)
        (void)close(p->out);
    p->out = -1;
    if (!u->stopping) {
        node_crashed(u, p, ready, status);
    } else if (ready && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        gri_up_tell_end(how, sizeof(how), status);
        gri_say("node %s %s", p->name, how);
        u->exit_code = u->exit_code == GRI_EXIT_OK ? GRI_EXIT_FAILED : u->exit_code;
    }
    if (u->stopping && WIFSIGNALED(status))
        gri_up_sweep(u, i);
}

static void reap(struct gri_up *u)
{
    int status = 0;

    for (size_t i = 0; i < u->count; i++) {
        bool ready = u->nodes[i].state == GRI_UP_READY;

        if (gri_up_reap(&u->nodes[i], &status))
            node_ended(u, i, ready, status);
    }
    if (gri_up_reap(&u->command, &status))
        begin_stop(u, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void hear_signals(struct gri_up *u)
{
    struct signalfd_siginfo info;

    while (read(u->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        int number = (int)info.ssi_signo;

        if (number == SIGCHLD)
            continue;
        if (u->stopping)
            u->hard = true;
        begin_stop(u, u->rest[0] != NULL ? 128 + number : GRI_EXIT_OK);
        gri_signal_twins(number);
    }
}

/* patience_ms returns for how long nothing needs to be looked at unless something happens. */
static int patience_ms(const struct gri_up *u)
{
    uint64_t now_ns = gri_clock_ns(), least_ns = now_ns + 1000 * MS;

    if (u->stopping)
        return 50;
    for (size_t i = 0; i < u->count; i++) {
        if (u->nodes[i].state != GRI_UP_READY && u->nodes[i].due_ns < least_ns)
            least_ns = u->nodes[i].due_ns;
    }
    /* what is due and can't start yet waits for who is ready, which is heard of */
    return least_ns <= now_ns ? 20 : (int)((least_ns - now_ns) / MS) + 1;
}

static void wait_for_more(struct gri_up *u)
{
    struct pollfd fds[GRI_DEPLOY_NODES_MAX + 3] = {
        { .fd = u->signals, .events = POLLIN },
        { .fd = u->ready, .events = POLLIN },
        { .fd = u->mute ? STDERR_FILENO : -1, .events = POLLOUT },
    };
    nfds_t count = 3;

    for (size_t i = 0; i < u->count; i++) {
        bool room = u->nodes[i].len < GRI_UP_LINE_MAX;

        fds[count++] = (struct pollfd){ .fd = room ? u->nodes[i].out : -1, .events = POLLIN };
    }
    (void)poll(fds, count, patience_ms(u));
    for (size_t i = 0; i < u->count; i++) {
        struct gri_up_process *p = &u->nodes[i];

        if (p->out >= 0 && fds[3 + i].revents != 0 && !gri_up_read(p)) {
            (void)close(p->out);
            p->out = -1;
        }
        gri_up_pass(u, p, p->out < 0);
    }
}

static void look_after(struct gri_up *u)
{
    while (!(u->stopping && all_down(u))) {
        gri_up_hear_ready(u);
        reap(u);
        say_ready(u);
        if (u->stopping)
            stop_step(u);
        else
            start_due(u);
        if (!(u->stopping && all_down(u)))
            wait_for_more(u);
        hear_signals(u);
    }
}

/* ---- the beginning --------------------------------------------------------------------------- */

static int run_all(const struct gri_chain_file *f, const struct gri_options *o)
{
    struct gri_up u = { .path = o->args[0],
                        .file = f,
                        .argv = o->argv,
                        .rest = o->rest,
                        .command = { .name = o->rest[0], .out = -1 },
                        .signals = -1,
                        .ready = -1,
                        .drain_ms = o->drain_ms,
                        .exit_code = GRI_EXIT_FAILED };

    if (gri_up_init(&u))
        look_after(&u);
    gri_up_fini(&u);
    return u.exit_code;
}

int gri_cmd_up(struct gri_options *o)
{
    const char *word = o->rest[0];
    struct gri_chain_report report;
    struct gri_chain_file *f;
    int exit_code = GRI_EXIT_USAGE;

    if (word != NULL && strcmp(word, "run") != 0 && strcmp(word, "stream") != 0 &&
        strcmp(word, "batch") != 0) {
        gri_say("up: run, stream or batch was expected after --, not %s", word);
        return exit_code;
    }
    gri_chain_report_init(&report, o->args[0]);
    f = gri_chain_file_open(o->args[0], &report);
    if (f != NULL)
        gri_deploy_check_doors(f, &report);
    if (f == NULL || report.count > 0)
        (void)fputs(gri_chain_report_text(&report), stderr);
    else if (f->deploy.node_count == 0)
        gri_say("%s has no nodes; greenroom serve is for files with one process", o->args[0]);
    else
        exit_code = run_all(f, o);
    gri_chain_file_free(f);
    gri_chain_report_fini(&report);
    return exit_code;
}
