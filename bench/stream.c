/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c - what a chunk costs on its way through a chain. */
#include "bench/bench.h"

#define CHUNKS 1000
#define LAP 100

static gr_code source(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_code rc = GR_OK;

    (void)self;
    (void)in;
    (void)args;
    for (int i = 0; i < CHUNKS && rc == GR_OK; i++)
        rc = gr_emit(c, gr_int(i));
    return rc;
}

static gr_code repeat(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_outcome o;
    gr_code rc = GR_OK;

    (void)self;
    (void)args;
    while (rc == GR_OK && (o = gr_next(in, -1)).code == GR_OK)
        rc = gr_emit(c, gr_value_ref(o.value));
    return rc != GR_OK || o.code == GR_EOS ? rc : o.code;
}

static const gr_method source_methods[] = { { "stream", GR_ASYNC, NULL, source } };
static const gr_class source_class = GR_CLASS(.name = "source", GR_METHODS(source_methods));
static const gr_method repeat_methods[] = { { "transform", GR_ASYNC, NULL, repeat } };
static const gr_class repeat_class = GR_CLASS(.name = "repeat", GR_METHODS(repeat_methods));

/* read_all reads one stream of CHUNKS; false: it failed. */
static bool read_all(struct bench_run *b, gr_ref chain)
{
    gr_stream *s = gr_astream(b->rt, chain, gr_nil(), NULL);
    gr_outcome o;
    long count = 0;

    while ((o = gr_next(s, -1)).code == GR_OK)
        if (++count % LAP == 0)
            bench_lap(b, LAP);
    if (o.code != GR_EOS || count != CHUNKS)
        bench_fail(b, "stream", gr_value_ref(o.error));
    gr_stream_free(s);
    return !b->failed;
}

static void streams(struct bench_run *b, gr_ctx *c, void *arg)
{
    (void)c;
    bench_begin(b);
    for (long done = 0; done < b->n && read_all(b, *(gr_ref *)arg); done += CHUNKS)
        ;
    bench_end(b);
}

static void run_chain(struct bench_run *b, gr_ref middle, gr_ref last, gr_scope *s)
{
    gr_ref chain = gr_seq(s, gr_spawn(s, &source_class, NULL), middle, last);

    b->n = (b->n + CHUNKS - 1) / CHUNKS * CHUNKS;
    bench_in_handler(b, streams, &chain);
    gr_scope_free(s);
}

static void stream_3x1000(struct bench_run *b)
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));

    run_chain(b, gr_spawn(s, &repeat_class, NULL), gr_spawn(s, &repeat_class, NULL), s);
}

static void stream_native_3x1000(struct bench_run *b)
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));

    run_chain(b, gr_passthrough(s), gr_passthrough(s), s);
}

const struct bench bench_stream[] = {
    { .name = "stream_3x1000",
      .what = "a chunk from a source through two handlers' transforms",
      .n = 100000,
      .run = stream_3x1000 },
    { .name = "stream_native_3x1000",
      .what = "a chunk from a source through two passthroughs",
      .n = 100000,
      .run = stream_native_3x1000 },
    { .name = NULL },
};
