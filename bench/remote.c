/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote.c - what a call to an actor in another process costs: over ipc and tcp, one at a time and
 * with 1,000 outstanding.
 *
 * The other process is this program again, run with --serve URL: it writes a line once it serves
 * and ends when its input does, so that it can't be left behind.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"

#define OUTSTANDING 1000

static gr_value *same(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c;
    (void)arg;
    return gr_value_ref(input);
}

int bench_serve(const char *url)
{
    gr_runtime *rt = NULL;
    gr_value *err = NULL;
    char byte;

    if (gr_runtime_new(NULL, &rt) != GR_OK)
        return 1;
    if (gr_serve(rt, url, &err) != GR_OK ||
        gr_publish(rt, "same", gr_lambda(gr_root(rt), GR_CHEAP, same, NULL, NULL)) != GR_OK) {
        fprintf(stderr, "bench: serving %s: %s\n", url,
                err != NULL ? gr_error_text(err) : "failed");
        gr_value_unref(err);
        gr_runtime_free(rt);
        return 1;
    }
    if (write(STDOUT_FILENO, "\n", 1) == 1)
        while (read(STDIN_FILENO, &byte, 1) > 0)
            ;
    gr_runtime_free(rt);
    return 0;
}

struct child {
    pid_t pid;
    int in, out; /* our ends of its input and output */
};

/* child_run never returns. Only what is safe after fork is called. */
static void child_run(const char *url, int in, int out)
{
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    execl("/proc/self/exe", "greenroom_bench", "--serve", url, (char *)NULL);
    _exit(127);
}

static bool child_start(struct child *ch, const char *url)
{
    int in[2], out[2];
    char byte;

    if (pipe(in) != 0)
        return false;
    if (pipe(out) != 0) {
        close(in[0]);
        close(in[1]);
        return false;
    }
    ch->pid = fork();
    if (ch->pid == 0) {
        close(in[1]); /* else its input would never end */
        close(out[0]);
        child_run(url, in[0], out[1]);
    }
    close(in[0]);
    close(out[1]);
    ch->in = in[1];
    ch->out = out[0];
    return ch->pid > 0 && read(ch->out, &byte, 1) == 1;
}

static void child_stop(struct child *ch)
{
    close(ch->in);
    close(ch->out);
    if (ch->pid > 0)
        waitpid(ch->pid, NULL, 0);
}

/* ---- the calls ------------------------------------------------------------------------------- */

static void one_at_a_time(struct bench_run *b, gr_ref r)
{
    bench_begin(b);
    for (long i = 0; i < b->n && bench_take(b, gr_ainvoke(b->rt, r, gr_int(i), NULL)); i++)
        bench_lap(b, 1);
    bench_end(b);
}

/* each answer is followed by the next call, so that OUTSTANDING are always under way */
static void outstanding(struct bench_run *b, gr_ref r)
{
    static gr_future *fs[OUTSTANDING];
    long started = 0;

    bench_begin(b);
    for (; started < b->n && started < OUTSTANDING; started++)
        fs[started] = gr_ainvoke(b->rt, r, gr_int(started), NULL);
    for (long i = 0; i < b->n; i++) {
        gr_future **f = &fs[i % OUTSTANDING];

        bench_take(b, *f);
        *f = NULL;
        if (started < b->n) {
            *f = gr_ainvoke(b->rt, r, gr_int(started), NULL);
            started++;
        }
        if ((i + 1) % 100 == 0)
            bench_lap(b, 100);
    }
    bench_end(b);
}

static void remote(struct bench_run *b, const char *url, void (*calls)(struct bench_run *, gr_ref))
{
    struct child ch = { .pid = -1, .in = -1, .out = -1 };
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    gr_ref r = gr_remote(s, url, "same");

    if (!child_start(&ch, url))
        bench_fail(b, "the other process", NULL);
    else if (bench_take(b, gr_ainvoke(b->rt, r, gr_int(0), NULL))) /* the link is there */
        calls(b, r);
    gr_scope_free(s);
    child_stop(&ch);
}

static void ipc(struct bench_run *b, void (*calls)(struct bench_run *, gr_ref))
{
    char url[64];

    snprintf(url, sizeof(url), "ipc:///tmp/greenroom-bench-%ld", (long)getpid());
    remote(b, url, calls);
    unlink(url + strlen("ipc://"));
}

/* free_port asks the system for one that is free now; 0: none. */
static unsigned free_port(void)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    unsigned port = 0;

    if (fd < 0)
        return 0;
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 &&
        getsockname(fd, (struct sockaddr *)&addr, &len) == 0)
        port = ntohs(addr.sin_port);
    close(fd);
    return port;
}

static void tcp(struct bench_run *b, void (*calls)(struct bench_run *, gr_ref))
{
    char url[64];

    snprintf(url, sizeof(url), "tcp://127.0.0.1:%u", free_port());
    remote(b, url, calls);
}

static void remote_ainvoke_ipc(struct bench_run *b)
{
    ipc(b, one_at_a_time);
}
static void remote_ainvoke_tcp(struct bench_run *b)
{
    tcp(b, one_at_a_time);
}
static void remote_1000_ipc(struct bench_run *b)
{
    ipc(b, outstanding);
}
static void remote_1000_tcp(struct bench_run *b)
{
    tcp(b, outstanding);
}

const struct bench bench_remote[] = {
    { .name = "remote_ainvoke_ipc",
      .what = "a call to another process, ipc, one at a time",
      .n = 5000,
      .run = remote_ainvoke_ipc },
    { .name = "remote_ainvoke_tcp",
      .what = "a call to another process, tcp, one at a time",
      .n = 5000,
      .run = remote_ainvoke_tcp },
    { .name = "remote_ainvoke_ipc_1000",
      .what = "a call to another process, ipc, 1,000 outstanding",
      .n = 50000,
      .run = remote_1000_ipc },
    { .name = "remote_ainvoke_tcp_1000",
      .what = "a call to another process, tcp, 1,000 outstanding",
      .n = 50000,
      .run = remote_1000_tcp },
    { .name = NULL },
};
