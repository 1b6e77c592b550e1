/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote.c - what a call to an actor in another process costs: over ipc and tcp, one at a time and
 * with 1,000 outstanding; a stream; a large value; and a sequence of ten steps at ten others, along them or by way
 * of its caller.
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
#include <unistd.h>

#include "bench/bench.h"
#include "bench/child.h"

#define OUTSTANDING 1000
#define LINE 10             /* processes that a sequence has its steps at */
#define SMALL 64            /* bytes of a call's argument, and of its answer */
#define LARGE (1024 * 1024) /* the same where it is a MiB */

static gr_value *same(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c;
    (void)arg;
    return gr_value_ref(input);
}

/* count streams numbers below the one it is given. */
static gr_value *count(gr_ctx *c, void *self, const gr_value *args)
{
    int64_t n = gr_as_int(args, 0);

    (void)self;
    for (int64_t i = 0; i < n; i++)
        if (gr_emit(c, gr_int(i)) != GR_OK)
            return gr_error(GR_ECANCELED, "nobody reads any more");
    return gr_nil();
}

static const gr_method count_methods[] = { { "stream", GR_ASYNC, count, NULL } };
static const gr_class count_class = GR_CLASS(.name = "count", GR_METHODS(count_methods));

int bench_serve(const char *url)
{
    gr_runtime *rt = NULL;
    gr_value *err = NULL;
    char byte;

    if (gr_runtime_new(NULL, &rt) != GR_OK)
        return 1;
    if (gr_serve(rt, url, &err) != GR_OK ||
        gr_publish(rt, "same", gr_lambda(gr_root(rt), GR_CHEAP, same, NULL, NULL)) != GR_OK ||
        gr_publish(rt, "count", gr_spawn(gr_root(rt), &count_class, NULL)) != GR_OK ||
        bench_keep_publish(rt) != GR_OK) {
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

static gr_ref start_same(gr_scope *in, void *arg, const gr_value *args)
{
    (void)arg, (void)args;
    return gr_lambda(in, GR_CHEAP, same, NULL, NULL);
}

void bench_isolate(int argc, char **argv)
{
    static const gr_isolated_kind kinds[] = { { .name = "same", .start = start_same } };

    gr_isolate_main(argc, argv, kinds, 1);
}

/* ---- the calls ------------------------------------------------------------------------------- */

/* Who calls: a handler, unless the row says that a thread does. */
struct caller {
    gr_ref to;
    gr_value *input; /* counted */
};

static gr_future *ask(struct bench_run *b, const struct caller *who)
{
    return gr_ainvoke(b->rt, who->to, gr_value_ref(who->input), NULL);
}

static void one_at_a_time(struct bench_run *b, gr_ctx *c, void *arg)
{
    (void)c;
    bench_begin(b);
    for (long i = 0; i < b->n && bench_take(b, ask(b, arg)); i++)
        bench_lap(b, 1);
    bench_end(b);
}

/* each answer is followed by the next call, so that OUTSTANDING are always under way */
static void outstanding(struct bench_run *b, gr_ctx *c, void *arg)
{
    static gr_future *fs[OUTSTANDING];
    long started = 0;

    (void)c;
    bench_begin(b);
    for (; started < b->n && started < OUTSTANDING; started++)
        fs[started] = ask(b, arg);
    for (long i = 0; i < b->n; i++) {
        gr_future **f = &fs[i % OUTSTANDING];

        bench_take(b, *f);
        *f = NULL;
        if (started < b->n) {
            *f = ask(b, arg);
            started++;
        }
        if ((i + 1) % 100 == 0)
            bench_lap(b, 100);
    }
    bench_end(b);
}

/* chunks reads one stream of n chunks to its end. */
static void chunks(struct bench_run *b, gr_ctx *c, void *arg)
{
    gr_stream *s = gr_astream(b->rt, ((struct caller *)arg)->to, gr_int(b->n), NULL);
    gr_outcome o;
    long got = 0;

    (void)c;
    bench_begin(b);
    while ((o = gr_next(s, -1)).code == GR_OK)
        got++;
    bench_end(b);
    if (o.code != GR_EOS || got != b->n)
        bench_fail(b, "a stream", o.error != NULL ? gr_value_ref(o.error) : NULL);
    gr_stream_free(s);
}

typedef void calls_fn(struct bench_run *b, gr_ctx *c, void *arg);

/* in_thread: the calls come from a thread that is no worker. */
static void make_calls(struct bench_run *b, calls_fn *calls, bool in_thread, gr_ref to,
                       size_t bytes)
{
    char *text = malloc(bytes + 1);
    struct caller who = { .to = to };

    if (text == NULL) {
        bench_fail(b, "memory", NULL);
        return;
    }
    memset(text, 'x', bytes);
    text[bytes] = '\0';
    who.input = gr_str(text);
    free(text);
    if (in_thread)
        calls(b, NULL, &who);
    else
        bench_in_handler(b, calls, &who);
    gr_value_unref(who.input);
}

struct trip {
    const char *name; /* published there */
    calls_fn *calls;
    size_t bytes;
    bool in_thread;
};

static void remote(struct bench_run *b, const char *url, const struct trip *t)
{
    struct bench_child ch = BENCH_CHILD;
    gr_scope *s = gr_scope_new(gr_root(b->rt));

    if (!bench_child_start(&ch, "--serve", url))
        bench_fail(b, "the other process", NULL);
    else if (bench_take(b, gr_ainvoke(b->rt, gr_remote(s, url, "same"), gr_int(0),
                                      NULL))) /* the link is there */
        make_calls(b, t->calls, t->in_thread, gr_remote(s, url, t->name), t->bytes);
    gr_scope_free(s);
    bench_child_stop(&ch);
}

static void ipc(struct bench_run *b, const struct trip *t)
{
    char url[64];

    snprintf(url, sizeof(url), "ipc:///tmp/greenroom-bench-%ld", (long)getpid());
    remote(b, url, t);
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

static void tcp(struct bench_run *b, const struct trip *t)
{
    char url[64];

    snprintf(url, sizeof(url), "tcp://127.0.0.1:%u", free_port());
    remote(b, url, t);
}

/* The same lambda, isolated: the link is an ipc one, too; what is added is the stand-in's handler. */
static void isolated(struct bench_run *b, calls_fn *calls)
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    gr_ref r = gr_isolated(s, "same", NULL);

    if (bench_take(b, gr_ainvoke(b->rt, r, gr_int(0), NULL)))
        make_calls(b, calls, false, r, SMALL);
    gr_scope_free(s);
}

/* ---- ten steps at ten nodes ------------------------------------------------------------------ */

static gr_value *pass(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_value_ref(input);
}

/* line_of makes the sequence. A step of the caller's own between each two has every value come back to it. */
static gr_ref line_of(gr_scope *s, char urls[LINE][64], bool along)
{
    gr_ref refs[2 * LINE];
    size_t count = 0;

    for (int i = 0; i < LINE; i++) {
        if (i > 0 && !along)
            refs[count++] = gr_lambda(s, GR_CHEAP, pass, NULL, NULL);
        refs[count++] = gr_remote(s, urls[i], "same");
    }
    return gr_seq_n(s, refs, count);
}

static void line(struct bench_run *b, bool along)
{
    struct bench_child ch[LINE];
    char urls[LINE][64];
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    bool well = true;
    int count = 0;
    gr_ref seq;

    for (; count < LINE && well; count++) {
        ch[count] = (struct bench_child)BENCH_CHILD;
        snprintf(urls[count], sizeof(urls[count]), "ipc:///tmp/greenroom-bench-%ld-%d",
                 (long)getpid(), count);
        well = bench_child_start(&ch[count], "--serve", urls[count]);
    }
    if (!well)
        bench_fail(b, "the other processes", NULL);
    seq = well ? line_of(s, urls, along) : (gr_ref){ 0, 0 };
    for (int i = 0; i < 3 && well; i++) /* the links are there */
        well = bench_take(b, gr_ainvoke(b->rt, seq, gr_int(0), NULL));
    bench_begin(b);
    for (long i = 0; i < b->n && well; i++) {
        well = bench_take(b, gr_ainvoke(b->rt, seq, gr_int(i), NULL));
        bench_lap(b, 1);
    }
    bench_end(b);
    gr_scope_free(s);
    while (count-- > 0) {
        bench_child_stop(&ch[count]);
        unlink(urls[count] + strlen("ipc://"));
    }
}

static void sequence_along(struct bench_run *b)
{
    line(b, true);
}
static void sequence_by_caller(struct bench_run *b)
{
    line(b, false);
}

static const struct trip lone = { "same", one_at_a_time, SMALL, false };
static const struct trip from_thread = { "same", one_at_a_time, SMALL, true };
static const struct trip many = { "same", outstanding, SMALL, false };
static const struct trip large = { "same", one_at_a_time, LARGE, false };
static const struct trip streaming = { "count", chunks, SMALL, false };

#define ROW(name, way, trip)                                                                       \
    static void name(struct bench_run *b)                                                          \
    {                                                                                              \
        way(b, trip);                                                                              \
    }

ROW(isolated_ainvoke, isolated, one_at_a_time)
ROW(isolated_1000, isolated, outstanding)
ROW(remote_ainvoke_ipc, ipc, &lone)
ROW(remote_ainvoke_tcp, tcp, &lone)
ROW(remote_thread_ipc, ipc, &from_thread)
ROW(remote_thread_tcp, tcp, &from_thread)
ROW(remote_1000_ipc, ipc, &many)
ROW(remote_1000_tcp, tcp, &many)
ROW(remote_1mib_ipc, ipc, &large)
ROW(remote_1mib_tcp, tcp, &large)
ROW(remote_stream_ipc, ipc, &streaming)
ROW(remote_stream_tcp, tcp, &streaming)

const struct bench bench_remote[] = {
    { .name = "remote_ainvoke_ipc",
      .what = "a call to another process, ipc, one at a time",
      .n = 5000,
      .run = remote_ainvoke_ipc },
    { .name = "remote_thread_ipc",
      .what = "the same, from a thread that is no worker",
      .n = 5000,
      .run = remote_thread_ipc },
    { .name = "remote_thread_tcp",
      .what = "the same over tcp",
      .n = 5000,
      .run = remote_thread_tcp },
    { .name = "remote_stream_ipc",
      .what = "a chunk of a stream from another process, ipc",
      .n = 200000,
      .run = remote_stream_ipc },
    { .name = "remote_stream_tcp",
      .what = "a chunk of a stream from another process, tcp",
      .n = 200000,
      .run = remote_stream_tcp },
    { .name = "remote_1mib_ipc",
      .what = "a MiB there and back, ipc",
      .n = 300,
      .run = remote_1mib_ipc },
    { .name = "remote_1mib_tcp",
      .what = "a MiB there and back, tcp",
      .n = 300,
      .run = remote_1mib_tcp },
    { .name = "isolated_ainvoke",
      .what = "a call to an isolated actor, one at a time",
      .n = 5000,
      .run = isolated_ainvoke },
    { .name = "remote_ainvoke_tcp",
      .what = "a call to another process, tcp, one at a time",
      .n = 5000,
      .run = remote_ainvoke_tcp },
    { .name = "remote_ainvoke_ipc_1000",
      .what = "a call to another process, ipc, 1,000 outstanding",
      .n = 50000,
      .run = remote_1000_ipc },
    { .name = "isolated_ainvoke_1000",
      .what = "a call to an isolated actor, 1,000 outstanding",
      .n = 50000,
      .run = isolated_1000 },
    { .name = "remote_ainvoke_tcp_1000",
      .what = "a call to another process, tcp, 1,000 outstanding",
      .n = 50000,
      .run = remote_1000_tcp },
    { .name = "sequence_along_ten",
      .what = "ten steps in ten processes, ipc, the value goes along",
      .n = 500,
      .run = sequence_along },
    { .name = "sequence_by_caller_ten",
      .what = "the same, each value by way of the caller",
      .n = 500,
      .run = sequence_by_caller },
    { .name = NULL },
};
