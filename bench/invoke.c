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

static void ainvoke_thread(struct bench_run *b)
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    gr_ref r = cheap(s);

    one_by_one(b, &r);
    gr_scope_free(s);
}

static void sequence_10(struct bench_run *b)
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    gr_ref steps[10], r;

    for (size_t i = 0; i < 10; i++)
        steps[i] = cheap(s);
    r = gr_seq_n(s, steps, 10);
    bench_in_handler(b, one_by_one_inside, &r);
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
    { "ainvoke_cheap", "a handler calls a cheap lambda and awaits it", 200000, ainvoke_cheap },
    { "ainvoke_thread", "a foreign thread does", 20000, ainvoke_thread },
    { "sequence_10", "a sequence of ten cheap lambdas, called from a handler", 50000, sequence_10 },
    { "parallel_10", "a parallel of ten cheap lambdas, called from a handler", 50000, parallel_10 },
    { "batch_1000", "one item of a batch of 1,000, on a cheap lambda", 100000, batch_1000 },
    { NULL, NULL, 0, NULL },
};
