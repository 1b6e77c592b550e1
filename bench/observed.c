/* SPDX-License-Identifier: Apache-2.0 */
/*
 * observed.c - what it costs to watch: a prompt, a model that answers from a script and a parser,
 * with a config and a handler that counts; and the events of the same chain as a stream.
 */
#include "bench/bench.h"

#define LAP 16
#define WORDS 100 /* of the answer that is streamed */

struct observed {
    gr_ref chain;
    gr_value *config, *input;
    _Atomic long events;
};

static void count_event(void *arg, const gr_event *event)
{
    struct observed *o = arg;

    (void)event;
    atomic_fetch_add_explicit(&o->events, 1, memory_order_relaxed);
}

static gr_value *answer_of(int words)
{
    gr_value *text = gr_str("word");

    for (int i = 1; i < words; i++)
        text = gr_add(text, gr_str(" word"));
    return text;
}

static gr_ref chain_of(gr_scope *s, int words)
{
    return gr_seq(
        s, gr_chat_prompt(s, GR_ROLE("system", "Be brief."), GR_ROLE("human", "{question}")),
        gr_script_model(s, GR_SCRIPT(.answers = gr_list(answer_of(words)))), gr_str_parser(s));
}

static void chains(struct bench_run *b, struct observed *o, const gr_value *config)
{
    bench_begin(b);
    for (long i = 0; i < b->n; i++) {
        const gr_call_opts *opts = GR_CALL(.config = gr_value_ref(config));

        if (!bench_take(b, gr_ainvoke(b->rt, o->chain, gr_value_ref(o->input), opts)))
            break;
        if ((i + 1) % LAP == 0)
            bench_lap(b, LAP);
    }
    bench_end(b);
}

/* observed_and_not runs the same chain with a handler and without. */
static void observed_and_not(struct bench_run *b, gr_ctx *c, void *arg)
{
    struct observed *o = arg;
    struct bench_run plain = *b;
    gr_value *config = gr_without(gr_value_ref(o->config), "callbacks");

    (void)c;
    plain.samples = NULL;
    chains(&plain, o, config);
    chains(b, o, o->config);
    if (plain.failed)
        b->failed = true;
    if (atomic_load(&o->events) != 8 * b->n)
        bench_fail(b, "a chain of three has four starts and four ends", NULL);
    bench_note(b, "unobserved_ns", bench_seconds(&plain) * 1e9 / (double)b->n);
    gr_value_unref(config);
}

static void run_observed(struct bench_run *b, int words,
                         void (*fn)(struct bench_run *b, gr_ctx *c, void *arg))
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    struct observed o = { .chain = chain_of(s, words) };

    o.input = gr_map(GR_KV("question", gr_str("How long does it take?")));
    o.config =
        gr_map(GR_KV("tags", gr_list(gr_str("bench"))),
               GR_KV("metadata", gr_map(GR_KV("user", gr_str("u1")))),
               GR_KV("callbacks",
                     gr_list(gr_handler_value(
                         GR_HANDLER(.name = "counter", .on_event = count_event, .arg = &o)))));
    bench_in_handler(b, fn, &o);
    gr_value_unref(o.config);
    gr_value_unref(o.input);
    gr_scope_free(s);
}

static void chain_observed(struct bench_run *b)
{
    run_observed(b, 1, observed_and_not);
}

/* read_events reads the events of one run: how many there were; 0: it failed. */
static long read_events(struct bench_run *b, const struct observed *o)
{
    gr_stream *s = gr_astream_events(b->rt, o->chain, gr_value_ref(o->input), NULL, NULL);
    gr_outcome next;
    long count = 0;

    while ((next = gr_next(s, -1)).code == GR_OK)
        count++;
    if (next.code != GR_EOS || count < 2 * WORDS) {
        bench_fail(b, "astream_events", gr_value_ref(next.error));
        count = 0;
    }
    gr_stream_free(s);
    return count;
}

static void stream_events(struct bench_run *b, gr_ctx *c, void *arg)
{
    const struct observed *o = arg;
    long done = 0, count;

    (void)c;
    bench_begin(b);
    while (done < b->n && (count = read_events(b, o)) > 0) {
        done += count;
        bench_lap(b, count);
    }
    bench_end(b);
    b->n = done;
}

static void events(struct bench_run *b)
{
    run_observed(b, WORDS, stream_events);
}

const struct bench bench_observed[] = {
    { .name = "chain_observed",
      .what = "a prompt, a model and a parser, with a config and a handler",
      .n = 20000,
      .run = chain_observed },
    { .name = "events",
      .what = "an event of astream_events, of a model that streams 100 words",
      .n = 100000,
      .run = events },
    { .name = NULL },
};
