/* SPDX-License-Identifier: Apache-2.0 */
/* invoke.c - what a call costs, alone and in compositions. */
#include "bench/bench.h"

#define LAP 16

static gr_value *same(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c;
    (void)arg;
    return gr_value_ref(input);
}

static gr_ref cheap(gr_scope *in)
{
    return gr_lambda(in, GR_CHEAP, same, NULL, NULL);
}

/* one_by_one invokes *r n times, each after the one before. */
static void one_by_one(struct bench_run *b, const gr_ref *r)
{
    bench_begin(b);
    for (long i = 0; i < b->n && bench_take(b, gr_ainvoke(b->rt, *r, gr_int(i), NULL)); i++)
        if ((i + 1) % LAP == 0)
            bench_lap(b, LAP);
    bench_end(b);
}

static void one_by_one_inside(struct bench_run *b, gr_ctx *c, void *arg)
{
    (void)c;
    one_by_one(b, arg);
}

static void ainvoke_cheap(struct bench_run *b)
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    gr_ref r = cheap(s);

    bench_in_handler(b, one_by_one_inside, &r);
    gr_scope_free(s);
}

/* The config has nobody to tell of the run. */
static void configured_inside(struct bench_run *b, gr_ctx *c, void *arg)
{
    const gr_ref *r = arg;
    gr_value *config = gr_map(GR_KV("tags", gr_list(gr_str("bench"))),
                              GR_KV("metadata", gr_map(GR_KV("user", gr_str("u1")))));
    bool ok = true;

    (void)c;
    bench_begin(b);
    for (long i = 0; i < b->n && ok; i++) {
        const gr_call_opts *opts = GR_CALL(.config = gr_value_ref(config));

        ok = bench_take(b, gr_ainvoke(b->rt, *r, gr_int(i), opts));
        if ((i + 1) % LAP == 0)
            bench_lap(b, LAP);
    }
    bench_end(b);
    gr_value_unref(config);
}

static void ainvoke_configured(struct bench_run *b)
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    gr_ref r = cheap(s);

    bench_in_handler(b, configured_inside, &r);
    gr_scope_free(s);
}

/* A call and its answer are two hand-overs between threads, as those of two plain threads are, which
 * are measured before and after: how long a thread takes to wake changes from moment to moment. */
static void ainvoke_thread(struct bench_run *b)
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    gr_ref r = cheap(s);
    long half = b->n / 2 + 1;
    double condvar_ns = bench_condvar_ns(half) / 2;

    one_by_one(b, &r);
    condvar_ns += bench_condvar_ns(half) / 2;
    bench_note(b, "condvar_ns", condvar_ns);
    bench_note(b, "ratio", bench_seconds(b) * 1e9 / (double)b->n / condvar_ns);
    gr_scope_free(s);
}

struct sequences {
    gr_ref ten, one; /* of ten steps, and of one */
};

/* What nine further steps cost is the difference between the two. */
static void ten_and_one(struct bench_run *b, gr_ctx *c, void *arg)
{
    const struct sequences *s = arg;
    struct bench_run one = *b;

    (void)c;
    one.samples = NULL;
    one_by_one(&one, &s->one);
    one_by_one(b, &s->ten);
    if (one.failed)
        b->failed = true;
    bench_note(b, "one_step_ns", bench_seconds(&one) * 1e9 / (double)b->n);
    bench_note(b, "step_ns", (bench_seconds(b) - bench_seconds(&one)) * 1e9 / (double)b->n / 9);
}

static void sequence_10(struct bench_run *b)
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    struct sequences seqs;
    gr_ref steps[10];

    for (size_t i = 0; i < 10; i++)
        steps[i] = cheap(s);
    seqs.ten = gr_seq_n(s, steps, 10);
    seqs.one = gr_seq_n(s, steps, 1);
    bench_in_handler(b, ten_and_one, &seqs);
    gr_scope_free(s);
}

static void parallel_10(struct bench_run *b)
{
    static const char *const keys[10] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j" };
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    gr_step steps[10];
    gr_ref r;

    for (size_t i = 0; i < 10; i++)
        steps[i] = (gr_step){ keys[i], cheap(s) };
    r = gr_parallel_n(s, steps, 10);
    bench_in_handler(b, one_by_one_inside, &r);
    gr_scope_free(s);
}

static gr_value *numbers(long count)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (long i = 0; i < count; i++)
        list = gr_append(list, gr_int(i));
    return list;
}

static void batches(struct bench_run *b, gr_ctx *c, void *arg)
{
    const gr_ref *r = arg;
    gr_value *inputs = numbers(1000);

    (void)c;
    bench_begin(b);
    for (long done = 0; done < b->n; done += 1000) {
        if (!bench_take(b, gr_abatch(b->rt, *r, gr_value_ref(inputs), NULL)))
            break;
        bench_lap(b, 1000);
    }
    bench_end(b);
    gr_value_unref(inputs);
}

static void batch_1000(struct bench_run *b)
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    gr_ref r = cheap(s);

    b->n = (b->n + 999) / 1000 * 1000;
    bench_in_handler(b, batches, &r);
    gr_scope_free(s);
}

const struct bench bench_invoke[] = {
    { .name = "ainvoke_cheap",
      .what = "a handler calls a cheap lambda and awaits it",
      .n = 200000,
      .run = ainvoke_cheap },
    { .name = "ainvoke_configured",
      .what = "the same with a config of tags and metadata",
      .n = 100000,
      .run = ainvoke_configured },
    { .name = "ainvoke_thread",
      .what = "a foreign thread does",
      .n = 20000,
      .run = ainvoke_thread },
    { .name = "sequence_10",
      .what = "a sequence of ten cheap lambdas, called from a handler",
      .n = 100000,
      .run = sequence_10 },
    { .name = "parallel_10",
      .what = "a parallel of ten cheap lambdas, called from a handler",
      .n = 50000,
      .run = parallel_10 },
    { .name = "batch_1000",
      .what = "one item of a batch of 1,000, on a cheap lambda",
      .n = 100000,
      .run = batch_1000 },
    { .name = NULL },
};
