/* SPDX-License-Identifier: Apache-2.0 */
/* actors.c - what a message between two actors costs. */
#include "bench/bench.h"

/* ---- ping-pong: one message in flight, there and back ---------------------------------------- */

struct ponger {
    gr_ref other;
    gr_promise *done; /* owned; the one that was started has it */
};

/* start: {"other", "n"}; answered when n messages have come. */
static gr_value *ponger_start(gr_ctx *c, void *self, const gr_value *args)
{
    struct ponger *p = self;

    p->other = gr_as_ref(gr_get(args, "other"));
    p->done = gr_defer(c);
    gr_tell(gr_runtime_of(c), p->other,
            gr_list(gr_ref_value(gr_self(c)), gr_value_ref(gr_get(args, "n"))));
    return NULL;
}

/* [who to answer, messages left] */
static void ponger_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct ponger *p = self;
    int64_t left = gr_as_int(gr_at(msg, 1), 0) - 1;

    if (left > 0) {
        gr_tell(gr_runtime_of(c), gr_as_ref(gr_at(msg, 0)),
                gr_list(gr_ref_value(gr_self(c)), gr_int(left)));
    } else if (p->done != NULL) {
        gr_resolve(p->done, gr_nil());
        p->done = NULL;
    } else { /* the last one must reach the one that was started */
        gr_tell(gr_runtime_of(c), gr_as_ref(gr_at(msg, 0)),
                gr_list(gr_ref_value(gr_self(c)), gr_int(0)));
    }
}

static const gr_method ponger_methods[] = { { "start", GR_ASYNC, ponger_start, NULL } };
static const gr_class ponger_class =
    GR_CLASS(.name = "ponger", .state_size = sizeof(struct ponger), GR_METHODS(ponger_methods),
             .receive = ponger_receive);

static void pingpong(struct bench_run *b)
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    gr_ref ping = gr_spawn(s, &ponger_class, NULL), pong = gr_spawn(s, &ponger_class, NULL);
    gr_value *args = gr_map(GR_KV("other", gr_ref_value(pong)), GR_KV("n", gr_int(b->n)));

    bench_begin(b);
    bench_take(b, gr_acall(b->rt, ping, "start", args, NULL));
    bench_lap(b, b->n);
    bench_end(b);
    gr_scope_free(s);
}

/* ---- counting: one sender, one receiver, as fast as the mailbox lets it ---------------------- */

struct counter {
    int64_t count;
};

static void counter_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)c;
    ((struct counter *)self)->count += gr_as_int(msg, 0);
}

static gr_value *counter_total(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    (void)args;
    return gr_int(((struct counter *)self)->count);
}

static gr_value *counter_add(gr_ctx *c, void *self, const gr_value *args)
{
    struct counter *counter = self;

    (void)c;
    counter->count += gr_as_int(args, 0);
    return gr_int(counter->count);
}

static const gr_method counter_methods[] = { { "total", GR_ASYNC, counter_total, NULL },
                                             { "add", GR_ASYNC, counter_add, NULL } };
static const gr_class counter_class =
    GR_CLASS(.name = "counter", .state_size = sizeof(struct counter), GR_METHODS(counter_methods),
             .receive = counter_receive);

static void send_all(struct bench_run *b, gr_ctx *c, void *arg)
{
    gr_ref to = *(gr_ref *)arg;
    gr_value *err = NULL, *total;

    (void)c;
    bench_begin(b);
    for (long i = 0; i < b->n; i++) {
        if (gr_tell_wait(b->rt, to, gr_int(1)) != GR_OK) {
            bench_fail(b, "tell", NULL);
            break;
        }
        if ((i + 1) % 1000 == 0)
            bench_lap(b, 1000);
    }
    total = gr_do(b->rt, to, "total", gr_nil(), NULL, &err);
    bench_end(b);
    if (gr_as_int(total, 0) != b->n)
        bench_fail(b, "count_1to1 lost messages", err);
    gr_value_unref(total);
}

static void count_1to1(struct bench_run *b)
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    gr_ref counter = gr_spawn(s, &counter_class, NULL);

    bench_in_handler(b, send_all, &counter);
    gr_scope_free(s);
}

/* ---- asking: one call at a time to an actor with state --------------------------------------- */

static void ask_all(struct bench_run *b, gr_ctx *c, void *arg)
{
    (void)c;
    bench_begin(b);
    for (long i = 0; i < b->n; i++) {
        if (!bench_take(b, gr_acall(b->rt, *(gr_ref *)arg, "add", gr_int(1), NULL)))
            break;
        if ((i + 1) % 16 == 0)
            bench_lap(b, 16);
    }
    bench_end(b);
}

static void ask_seq(struct bench_run *b)
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    gr_ref counter = gr_spawn(s, &counter_class, NULL);

    bench_in_handler(b, ask_all, &counter);
    gr_scope_free(s);
}

const struct bench bench_actors[] = {
    { "pingpong", "a message between two actors, one in flight", 500000, pingpong },
    { "count_1to1", "a message from one actor to another, mailbox of 1,024", 1000000, count_1to1 },
    { "ask_seq", "a handler calls an actor with state and awaits it", 100000, ask_seq },
    { NULL, NULL, 0, NULL },
};
