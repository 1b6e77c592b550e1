/* SPDX-License-Identifier: Apache-2.0 */
/* births.c - what an actor costs: to make and to end it, in memory, and by the million. */
#include "bench/bench.h"

/* What the actors of one benchmark share. */
static struct {
    struct bench_run *b;
    gr_scope *scope; /* owned by the round */
    _Atomic long open;
    int64_t sum;
} births;

static void begin_births(struct bench_run *b)
{
    births.b = b;
    births.scope = gr_scope_new(gr_root(b->rt));
    births.open = b->n;
}

/* ---- created, told once, ended ---------------------------------------------------------------- */

static void mayfly_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)self;
    (void)msg;
    if (atomic_fetch_sub(&births.open, 1) == 1)
        bench_done(births.b);
    gr_stop(births.b->rt, gr_self(c));
}

static const gr_class mayfly_class =
    GR_CLASS(.name = "mayfly", .state_size = sizeof(long), .receive = mayfly_receive);

static void breed(struct bench_run *b, gr_ctx *c, void *arg)
{
    (void)c;
    (void)arg;
    bench_begin(b);
    for (long i = 0; i < b->n && !b->failed; i++)
        bench_post(b, gr_spawn(births.scope, &mayfly_class, NULL), gr_int(i));
}

static void create_msg_die(struct bench_run *b)
{
    begin_births(b);
    bench_in_handler(b, breed, NULL);
    bench_wait(b);
    gr_scope_free(births.scope);
}

/* ---- idle ------------------------------------------------------------------------------------- */

static gr_value *idler_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    ++*(long *)self;
    return gr_value_ref(args);
}

static const gr_method idler_methods[] = { { "invoke", GR_CHEAP, idler_invoke, NULL } };
static const gr_class idler_class =
    GR_CLASS(.name = "idler", .state_size = sizeof(long), GR_METHODS(idler_methods));

/* One actor at a time: so what messages need is there once, not for each. */
static void spawn_idlers(struct bench_run *b, gr_ctx *c, void *arg)
{
    bool *call = arg;

    (void)c;
    for (long i = 0; i < b->n && !b->failed; i++) {
        gr_ref r = gr_spawn(births.scope, &idler_class, NULL);

        if (*call)
            bench_take(b, gr_ainvoke(b->rt, r, gr_int(i), NULL));
    }
}

static double idler_bytes(struct bench_run *b, bool call)
{
    double before = bench_rss_bytes(), after;

    bench_in_handler(b, spawn_idlers, &call);
    after = bench_rss_bytes();
    return (after - before) / (double)b->n;
}

/* Those that were called come second, beside the first: so both find fresh memory. */
static void idle_actor_bytes(struct bench_run *b)
{
    begin_births(b);
    bench_begin(b);
    b->value = idler_bytes(b, false);
    bench_end(b);
    bench_note(b, "once_called", idler_bytes(b, true));
    gr_scope_free(births.scope);
}

/* ---- skynet: a tree of ten children each, whose leaves' numbers are added up ------------------- */

struct sky {
    gr_ref parent; /* {0, 0}: the root */
    int64_t sum;
    int answers;
};

static const gr_class sky_class;

static void sky_answer(gr_ctx *c, const struct sky *sky)
{
    if (sky->parent.id != 0) {
        bench_post(births.b, sky->parent, gr_int(sky->sum));
    } else {
        births.sum = sky->sum;
        bench_done(births.b);
    }
    gr_stop(births.b->rt, gr_self(c));
}

/* [parent, number of the first leaf, leaves] */
static gr_code sky_init(gr_ctx *c, void *self, const gr_value *args)
{
    struct sky *sky = self;
    int64_t first = gr_as_int(gr_at(args, 1), 0), part = gr_as_int(gr_at(args, 2), 1) / 10;

    sky->parent = gr_as_ref(gr_at(args, 0));
    if (part == 0) {
        sky->sum = first;
        sky_answer(c, sky);
        return GR_OK;
    }
    for (int i = 0; i < 10; i++)
        gr_spawn(births.scope, &sky_class,
                 GR_SPAWN(.args = gr_list(gr_ref_value(gr_self(c)), gr_int(first + i * part),
                                          gr_int(part))));
    return GR_OK;
}

static void sky_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct sky *sky = self;

    sky->sum += gr_as_int(msg, 0);
    if (++sky->answers == 10)
        sky_answer(c, sky);
}

static const gr_class sky_class = GR_CLASS(.name = "sky", .state_size = sizeof(struct sky),
                                           .init = sky_init, .receive = sky_receive);

static void skynet(struct bench_run *b)
{
    long leaves = 10;

    while (leaves * 10 <= b->n)
        leaves *= 10;
    b->n = leaves;
    begin_births(b);
    bench_begin(b);
    gr_spawn(births.scope, &sky_class,
             GR_SPAWN(.args = gr_list(gr_nil(), gr_int(0), gr_int(leaves))));
    bench_wait(b);
    b->value = bench_seconds(b) * 1e3;
    if (births.sum != leaves * (leaves - 1) / 2)
        bench_fail(b, "the sum is wrong", NULL);
    gr_scope_free(births.scope);
}

const struct bench bench_births[] = {
    { .name = "create_msg_die",
      .what = "an actor that is made, told once and ends",
      .n = 200000,
      .run = create_msg_die,
      .fresh = true },
    { .name = "idle_actor_bytes",
      .what = "memory of an actor that waits for its first message",
      .n = 500000,
      .run = idle_actor_bytes,
      .unit = "bytes",
      .fresh = true },
    { .name = "skynet",
      .what = "n leaves at the end of a tree of ten children each, added up",
      .n = 1000000,
      .run = skynet,
      .unit = "ms",
      .fresh = true,
      .rounds_max = 3 },
    { .name = NULL },
};
