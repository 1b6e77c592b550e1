/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actors.c - what a message between two actors costs. The messages are small integers, and whom an
 * actor tells is in its state, as in the peers' programs.
 */
#include "bench/bench.h"

/* What the actors of one benchmark share. */
static struct {
    struct bench_run *b;
    _Atomic long open; /* actors that have not had all of their messages */
    gr_ref at[120];
} game;

/* one_less is called by an actor that has had all of its messages. */
static void one_less(void)
{
    if (atomic_fetch_sub(&game.open, 1) == 1)
        bench_done(game.b);
}

static gr_scope *new_game(struct bench_run *b, long open)
{
    game.b = b;
    game.open = open;
    return gr_scope_new(gr_root(b->rt));
}

static void set(struct bench_run *b, gr_ref who, gr_value *to)
{
    bench_take(b, gr_acall(b->rt, who, "set", to, NULL));
}

/* ---- one message in flight: ping-pong, and a ring --------------------------------------------- */

struct node {
    gr_ref next;
};

static gr_value *node_set(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    ((struct node *)self)->next = gr_as_ref(args);
    return gr_nil();
}

static void node_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    int64_t left = gr_as_int(msg, 0);

    (void)c;
    if (left > 1)
        bench_post(game.b, ((struct node *)self)->next, gr_int(left - 1));
    else
        bench_done(game.b);
}

static const gr_method node_methods[] = { { "set", GR_ASYNC, node_set, NULL } };
static const gr_class node_class = GR_CLASS(.name = "node", .state_size = sizeof(struct node),
                                            GR_METHODS(node_methods), .receive = node_receive);

static void ring(struct bench_run *b, size_t count)
{
    gr_scope *s = new_game(b, 1);
    gr_ref first = gr_spawn(s, &node_class, NULL), next = first;

    for (size_t i = 1; i < count; i++) {
        gr_ref node = gr_spawn(s, &node_class, NULL);

        set(b, node, gr_ref_value(next));
        next = node;
    }
    set(b, first, gr_ref_value(next));
    bench_begin(b);
    bench_post(b, first, gr_int(b->n));
    bench_wait(b);
    gr_scope_free(s);
}

static void pingpong(struct bench_run *b)
{
    ring(b, 2);
}

static void ring_503(struct bench_run *b)
{
    ring(b, 503);
}

/* ---- floods: as fast as the bounded mailbox lets them ------------------------------------------ */

struct counter {
    long count, due;
};

static gr_value *counter_set(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    ((struct counter *)self)->due = (long)gr_as_int(args, 0);
    return gr_nil();
}

static void counter_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct counter *counter = self;

    (void)c;
    (void)msg;
    if (++counter->count == counter->due)
        one_less();
}

static const gr_method counter_methods[] = { { "set", GR_ASYNC, counter_set, NULL } };
static const gr_class counter_class =
    GR_CLASS(.name = "counter", .state_size = sizeof(struct counter), GR_METHODS(counter_methods),
             .receive = counter_receive);

struct producer {
    gr_ref to;
};

static gr_value *producer_set(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    ((struct producer *)self)->to = gr_as_ref(args);
    return gr_nil();
}

static void producer_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct producer *p = self;

    (void)c;
    for (int64_t i = gr_as_int(msg, 0); i > 0 && !game.b->failed; i--)
        bench_tell(game.b, p->to, gr_int(i));
}

static const gr_method producer_methods[] = { { "set", GR_ASYNC, producer_set, NULL } };
static const gr_class producer_class =
    GR_CLASS(.name = "producer", .state_size = sizeof(struct producer),
             GR_METHODS(producer_methods), .receive = producer_receive);

static void count(struct bench_run *b, long producers)
{
    gr_scope *s = new_game(b, 1);
    gr_ref counter = gr_spawn(s, &counter_class, NULL), from[8];

    b->n = (b->n + producers - 1) / producers * producers;
    set(b, counter, gr_int(b->n));
    for (long i = 0; i < producers; i++) {
        from[i] = gr_spawn(s, &producer_class, NULL);
        set(b, from[i], gr_ref_value(counter));
    }
    bench_begin(b);
    for (long i = 0; i < producers; i++)
        bench_tell(b, from[i], gr_int(b->n / producers));
    bench_wait(b);
    gr_scope_free(s);
}

static void count_1to1(struct bench_run *b)
{
    count(b, 1);
}

static void count_8to1(struct bench_run *b)
{
    count(b, 8);
}

#define FORK_JOIN 60

static void forker_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)c;
    (void)self;
    for (int64_t left = gr_as_int(msg, 0); left > 0 && !game.b->failed; left--)
        for (int i = 0; i < FORK_JOIN; i++)
            bench_tell(game.b, game.at[i], gr_int(left));
}

static const gr_class forker_class =
    GR_CLASS(.name = "forker", .state_size = sizeof(long), .receive = forker_receive);

static void fj_throughput_60(struct bench_run *b)
{
    gr_scope *s = new_game(b, FORK_JOIN);
    long each = (b->n + FORK_JOIN - 1) / FORK_JOIN;
    gr_ref forker = gr_spawn(s, &forker_class, NULL);

    b->n = each * FORK_JOIN;
    for (int i = 0; i < FORK_JOIN; i++) {
        game.at[i] = gr_spawn(s, &counter_class, NULL);
        set(b, game.at[i], gr_int(each));
    }
    bench_begin(b);
    bench_tell(b, forker, gr_int(each));
    bench_wait(b);
    gr_scope_free(s);
}

/* ---- big: each of many pings one at random, and waits for its pong ----------------------------- */

#define BIG 120
enum { BIG_GO = BIG, BIG_PONG }; /* what is less is a ping, from the actor of that number */

struct big {
    long left;
    uint32_t chance;
    int number;
};

/* [its number, pings to send] */
static gr_value *big_set(gr_ctx *c, void *self, const gr_value *args)
{
    struct big *big = self;

    (void)c;
    big->number = (int)gr_as_int(gr_at(args, 0), 0);
    big->left = (long)gr_as_int(gr_at(args, 1), 0);
    big->chance = (uint32_t)big->number * UINT32_C(2654435761) + 1;
    return gr_nil();
}

static void big_ping(struct big *big)
{
    big->chance = big->chance * UINT32_C(1103515245) + 12345;
    bench_post(game.b, game.at[(big->chance >> 16) % BIG], gr_int(big->number));
}

static void big_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct big *big = self;
    int64_t what = gr_as_int(msg, BIG_GO);

    (void)c;
    if (what < BIG)
        bench_post(game.b, game.at[what], gr_int(BIG_PONG));
    else if (what == BIG_PONG && --big->left == 0)
        one_less();
    else
        big_ping(big);
}

static const gr_method big_methods[] = { { "set", GR_ASYNC, big_set, NULL } };
static const gr_class big_class = GR_CLASS(.name = "big", .state_size = sizeof(struct big),
                                           GR_METHODS(big_methods), .receive = big_receive);

static void big_120(struct bench_run *b)
{
    const long pair = 2 * BIG; /* one ping of each, and its pong */
    gr_scope *s = new_game(b, BIG);
    long each = (b->n + pair - 1) / pair;

    b->n = each * pair;
    for (int i = 0; i < BIG; i++) {
        game.at[i] = gr_spawn(s, &big_class, NULL);
        set(b, game.at[i], gr_list(gr_int(i), gr_int(each)));
    }
    bench_begin(b);
    for (int i = 0; i < BIG; i++)
        bench_post(b, game.at[i], gr_int(BIG_GO));
    bench_wait(b);
    gr_scope_free(s);
}

const struct bench bench_actors[] = {
    { .name = "pingpong",
      .what = "a message between two actors, one in flight",
      .n = 1000000,
      .run = pingpong },
    { .name = "count_1to1",
      .what = "a message from one actor to another, mailbox of 1,024",
      .n = 1000000,
      .run = count_1to1 },
    { .name = "count_8to1",
      .what = "a message from one of eight actors to another, mailbox of 1,024",
      .n = 1000000,
      .run = count_8to1 },
    { .name = "ring_503",
      .what = "a message to the next of 503 actors, one in flight",
      .n = 1000000,
      .run = ring_503 },
    { .name = "fj_throughput_60",
      .what = "a message from one actor to each of 60 in turn, mailboxes of 1,024",
      .n = 1200000,
      .run = fj_throughput_60 },
    { .name = "big_120",
      .what = "a message among 120 actors that each ping one at random and await its pong",
      .n = 1200000,
      .run = big_120 },
    { .name = NULL },
};
