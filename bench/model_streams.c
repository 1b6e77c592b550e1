/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_streams.c - streams of a model's answer, one and 1,000 at a time: gr_chat_model's chunks,
 * decoded, against the bytes of bare libcurl.
 *
 * The server is a process of its own (stream_server.c). It writes each event by itself; as fast as they
 * are taken, or, in the rows with a pace, as a model would, each stream one every so often: there both
 * sides get the same chunks a second, and what differs is what they compute for it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/child.h"
#include "bench/streams.h"

#define BODY                                                                                       \
    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}],\"stream\":true,"   \
    "\"stream_options\":{\"include_usage\":true}}"

struct reading {
    struct bench_run *b;
    gr_ref model;
    _Atomic long events;
};

/* read_stream is what each of the readers does. */
static gr_value *read_stream(gr_ctx *c, void *arg, const gr_value *input)
{
    struct reading *r = arg;
    gr_stream *s = gr_astream(gr_runtime_of(c), r->model, gr_value_ref(input), NULL);
    gr_outcome o;
    long events = 0;

    while ((o = gr_next(s, -1)).code == GR_OK)
        events++;
    if (o.code != GR_EOS)
        bench_fail(r->b, "a stream", gr_value_ref(o.error));
    r->events += events;
    gr_stream_free(s);
    return gr_nil();
}

static void read_all(struct reading *r, gr_scope *scope, long count)
{
    struct bench_run *b = r->b;
    gr_ref reader = gr_lambda(scope, GR_ASYNC, read_stream, NULL, r);
    gr_future **calls = calloc((size_t)count, sizeof(gr_future *));

    for (long i = 0; i < count; i++)
        calls[i] = gr_ainvoke(b->rt, reader, gr_str("Hello"), NULL);
    for (long i = 0; i < count; i++)
        bench_take(b, calls[i]);
    free(calls);
}

static double cpu_s(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* by_curl has libcurl do the same; the notes are what it takes beside ours. */
static void by_curl(struct bench_run *b, const char *url, long streams, double ours_cpu_s)
{
    char path[160];
    long events = 0;
    uint64_t begin_ns = gri_clock_ns();
    double begin_cpu_s = cpu_s(), took_s = 0, took_cpu_s = 0;

    snprintf(path, sizeof(path), "%s/chat/completions", url);
    if (!bench_curl_streams(path, BODY, streams, &events) || events != b->n + streams)
        bench_fail(b, "libcurl's streams", NULL);
    took_s = (double)(gri_clock_ns() - begin_ns) / 1e9;
    took_cpu_s = cpu_s() - begin_cpu_s;
    bench_note(b, "by_curl", b->value * took_s / (double)b->n);
    bench_note(b, "cpu_ns", ours_cpu_s * 1e9 / (double)b->n);
    bench_note(b, "curl_cpu_ns", took_cpu_s * 1e9 / (double)b->n);
    bench_note(b, "cpu_by_curl", ours_cpu_s / took_cpu_s);
}

static void run(struct bench_run *b, long streams, long every_us)
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    struct reading r = { .b = b };
    struct bench_child server = BENCH_CHILD;
    char what[64], url[128];
    long chunks = (b->n + streams - 1) / streams;
    double begin_cpu_s = 0;

    b->n = chunks * streams;
    snprintf(what, sizeof(what), "%ld %ld", chunks, every_us);
    if (bench_child_start(&server, "--serve-streams", what)) {
        snprintf(url, sizeof(url), "http://127.0.0.1:%s/v1", server.line);
        setenv("no_proxy", "*", 1);
        r.model = gr_chat_model(s, GR_CHAT(.url = url, .model = "m", .max_retries = -1));
        begin_cpu_s = cpu_s();
        bench_begin(b);
        read_all(&r, s, streams);
        bench_end(b);
        b->value = (double)b->n / bench_seconds(b);
        if (r.events < b->n || r.events > b->n + streams) /* and one that says it is the last */
            bench_fail(b, "chunks were lost", NULL);
        by_curl(b, url, streams, cpu_s() - begin_cpu_s);
    } else {
        bench_fail(b, "the server", NULL);
    }
    bench_child_stop(&server);
    gr_scope_free(s);
}

static void model_stream_1(struct bench_run *b)
{
    run(b, 1, 0);
}

static void model_stream_1000(struct bench_run *b)
{
    run(b, 1000, 0);
}

static void model_paced_1(struct bench_run *b)
{
    run(b, 1, 1000);
}

static void model_paced_1000(struct bench_run *b)
{
    run(b, 1000, 50000);
}

/* ---- leaving --------------------------------------------------------------------------------- */

/* leave_one cancels a stream, and returns how many ms later the server has seen its connection closed. */
static double leave_one(struct bench_run *b, struct bench_child *server, gr_stream *stream)
{
    uint64_t begin_ns = gri_clock_ns();
    char byte;

    gr_stream_free(stream);
    if (read(server->out, &byte, 1) != 1)
        bench_fail(b, "the server", NULL);
    return (double)(gri_clock_ns() - begin_ns) / 1e6;
}

/* leave_all opens n streams, waits for a chunk of each, and leaves them one by one. */
static void leave_all(struct bench_run *b, struct bench_child *server, gr_ref model)
{
    gr_stream **streams = calloc((size_t)b->n, sizeof(gr_stream *));
    double *took_ms = calloc((size_t)b->n, sizeof(double));

    for (long i = 0; i < b->n; i++)
        streams[i] = gr_astream(b->rt, model, gr_str("Hello"), NULL);
    for (long i = 0; i < b->n; i++)
        if (gr_next(streams[i], -1).code != GR_OK)
            bench_fail(b, "a stream", NULL);
    bench_begin(b);
    for (long i = 0; i < b->n; i++)
        took_ms[i] = leave_one(b, server, streams[i]);
    bench_end(b);
    b->value = bench_quantile(took_ms, (size_t)b->n, 0.99);
    bench_note(b, "median_ms", bench_median(took_ms, (size_t)b->n));
    free(took_ms);
    free(streams);
}

static void model_cancel(struct bench_run *b)
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    struct bench_child server = BENCH_CHILD;
    char url[128];

    setenv("no_proxy", "*", 1);
    if (bench_child_start(&server, "--serve-streams", "2 600000000 1")) {
        snprintf(url, sizeof(url), "http://127.0.0.1:%s/v1", server.line);
        leave_all(b, &server,
                  gr_chat_model(s, GR_CHAT(.url = url, .model = "m", .max_retries = -1)));
    } else {
        bench_fail(b, "the server", NULL);
    }
    bench_child_stop(&server);
    gr_scope_free(s);
}

const struct bench bench_model_streams[] = {
    { .name = "model_stream_1",
      .what = "a chunk of one stream from a model server, as fast as they come",
      .n = 50000,
      .run = model_stream_1,
      .unit = "chunks/s" },
    { .name = "model_stream_1000",
      .what = "a chunk of 1,000 streams at once, as fast as they come",
      .n = 200000,
      .run = model_stream_1000,
      .unit = "chunks/s" },
    { .name = "model_paced_1",
      .what = "a chunk of one stream that gives 1,000 a second",
      .n = 2000,
      .run = model_paced_1,
      .unit = "chunks/s" },
    { .name = "model_paced_1000",
      .what = "a chunk of 1,000 streams that give 20 a second each",
      .n = 40000,
      .run = model_paced_1000,
      .unit = "chunks/s" },
    { .name = "model_cancel",
      .what = "until the server sees that one of 1,000 streams was left, p99",
      .n = 1000,
      .run = model_cancel,
      .unit = "ms" },
    { .name = NULL },
};
