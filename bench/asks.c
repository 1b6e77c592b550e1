/* SPDX-License-Identifier: Apache-2.0 */
/* asks.c - what a call to an actor with state costs, one at a time and with 1,000 outstanding. */
#include "bench/bench.h"

#define OUTSTANDING 1000
#define LAP 16

struct server {
    int64_t served;
};

static gr_value *server_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    ((struct server *)self)->served++;
    return gr_int(gr_as_int(args, 0) + 1);
}

static const gr_method server_methods[] = { { "invoke", GR_ASYNC, server_invoke, NULL } };
static const gr_class server_class =
    GR_CLASS(.name = "server", .state_size = sizeof(struct server), GR_METHODS(server_methods));

static gr_future *ask(struct bench_run *b, gr_ref server)
{
    return gr_ainvoke(b->rt, server, gr_int(1), NULL);
}

static void one_at_a_time(struct bench_run *b, gr_ctx *c, void *arg)
{
    (void)c;
    bench_begin(b);
    for (long i = 0; i < b->n && bench_take(b, ask(b, *(gr_ref *)arg)); i++)
        if ((i + 1) % LAP == 0)
            bench_lap(b, LAP);
    bench_end(b);
}

/* Each answer is followed by the next call, so that OUTSTANDING are always under way. */
static void outstanding(struct bench_run *b, gr_ctx *c, void *arg)
{
    static gr_future *fs[OUTSTANDING];
    gr_ref server = *(gr_ref *)arg;
    long started = 0;

    (void)c;
    bench_begin(b);
    for (; started < b->n && started < OUTSTANDING; started++)
        fs[started] = ask(b, server);
    for (long i = 0; i < b->n; i++) {
        gr_future **f = &fs[i % OUTSTANDING];

        bench_take(b, *f);
        if (started < b->n) {
            *f = ask(b, server);
            started++;
        }
    }
    bench_end(b);
}

static void with_server(struct bench_run *b, void (*fn)(struct bench_run *, gr_ctx *, void *))
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    gr_ref server = gr_spawn(s, &server_class, NULL);

    bench_in_handler(b, fn, &server);
    gr_scope_free(s);
}

static void ask_seq(struct bench_run *b)
{
    with_server(b, one_at_a_time);
}

static void ask_1000(struct bench_run *b)
{
    with_server(b, outstanding);
}

const struct bench bench_asks[] = {
    { .name = "ask_seq",
      .what = "a handler calls an actor with state and awaits it",
      .n = 200000,
      .run = ask_seq },
    { .name = "ask_1000",
      .what = "the same with 1,000 calls outstanding",
      .n = 200000,
      .run = ask_1000 },
    { .name = NULL },
};
