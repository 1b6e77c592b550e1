/* SPDX-License-Identifier: Apache-2.0 */
/*
 * defaults.c - langchain-core's defaults for the Runnable verbs that a class lacks, as native
 * frames: a gatherer (sums a stream up, then goes on) and a batch (a sliding window over invoke).
 */
#include "runtime/actor/actor.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/base/alloc.h"

/* ---- sums ------------------------------------------------------------------------------------ */

struct gather {
    struct gri_call *call;  /* the duty */
    struct gr_stream *from; /* counted; what is summed up */
    gr_value *sum;          /* counted; NULL: no chunk yet */
    /* the sum is the input of the call's own stream; else it is the answer */
    bool forward;
    struct gri_waiter waiter;
    struct gri_task task;
};

static void gather_end(struct gather *g, gr_code rc)
{
    struct gri_call *call = g->call;
    gr_value *v = NULL;

    if (rc == GR_EOS) {
        v = g->sum != NULL ? g->sum : gr_nil();
        g->sum = NULL;
    } else {
        v = gri_stream_error(g->from);
        if (v == NULL)
            v = gr_error(rc, "the input could not be read");
    }
    gr_value_unref(g->sum);
    gri_stream_close(g->from);
    if (g->forward && rc == GR_EOS)
        gri_call_forward(call, gri_actor_ref(call->actor), GRI_STREAM, v, NULL);
    else
        gri_call_end(call, v);
    gri_stream_unref(g->from); /* only now: until the end the cancel hook may come */
    gri_free(g);
}

static void gather_run(struct gri_task *t)
{
    struct gather *g = gri_container_of(t, struct gather, task);
    gr_value *chunk = NULL;
    gr_code rc;

    for (;;) {
        rc = gri_stream_get(g->from, &chunk);
        if (rc == GR_OK)
            g->sum = gr_add(g->sum, chunk);
        else if (rc != GR_EPENDING)
            break;
        else if (gri_stream_watch(g->from, &g->waiter))
            return;
    }
    gather_end(g, rc);
}

static void gather_fire(struct gri_waiter *w)
{
    struct gather *g = gri_container_of(w, struct gather, waiter);

    gri_ready(&g->call->rt->sched, &g->task);
}

/* The cancelled call's input must end too, or the gatherer would wait for it. */
static void gather_cancel(void *arg)
{
    struct gather *g = arg;

    gri_stream_end(g->from, gr_error(GR_ECANCELED, "cancelled"));
}

static void gather_start(struct gri_call *call, struct gr_stream *from, bool forward)
{
    struct gather *g = from != NULL ? gri_new0(struct gather) : NULL;

    if (g == NULL) {
        if (from != NULL)
            gri_stream_close(from);
        gri_stream_unref(from);
        gri_call_end(call, gr_error(GR_ENOMEM, "out of memory"));
        return;
    }
    *g = (struct gather){ .call = call,
                          .from = from,
                          .forward = forward,
                          .waiter.fire = gather_fire,
                          .task = { .run = gather_run, .name = "gather" } };
    gri_call_on_cancel(call, gather_cancel, g);
    gather_run(&g->task);
}

/* one_chunk makes a stream of the call's input; NULL when out of memory. */
static struct gr_stream *one_chunk(struct gri_call *call)
{
    gr_value *item = gr_value_ref(call->args);

    return gr_stream_of(call->rt, gr_list_n(&item, 1));
}

/* ---- batch ----------------------------------------------------------------------------------- */

struct batch;

struct batch_item {
    struct gri_waiter waiter;
    struct batch *batch; /* borrowed: it stays until all its items have come back */
    gr_future *future;   /* owned */
    size_t index;
    struct batch_item *next; /* in batch->done, or among the free ones */
};

struct batch {
    struct gri_call *call;  /* the duty; NULL once ended */
    gr_runtime *rt;         /* borrowed */
    const gr_value *inputs; /* borrowed from the call's args, which live as long as `kept` */
    gr_value *kept;         /* counted */
    gr_ref to;
    size_t count, started;
    unsigned window, under_way;
    bool return_exceptions;
    gr_value **results;              /* owned array of counted values */
    struct batch_item *_Atomic done; /* came back since the last look */
    struct batch_item *spare;        /* items to use again */
    _Atomic uint32_t kicks;          /* > 0: the task is queued or running */
    struct gri_task task;
};

static void batch_fire(struct gri_waiter *w)
{
    struct batch_item *item = gri_container_of(w, struct batch_item, waiter);
    struct batch *b = item->batch;
    struct gri_sched *s = &b->rt->sched;

    item->next = atomic_load_explicit(&b->done, memory_order_relaxed);
    /* release: the item's fields are seen by the task, which takes the list with acquire */
    while (!atomic_compare_exchange_weak_explicit(&b->done, &item->next, item, memory_order_acq_rel,
                                                  memory_order_relaxed))
        ;
    if (atomic_fetch_add(&b->kicks, 1) == 0)
        gri_ready(s, &b->task);
}

static void batch_end(struct batch *b, gr_value *v)
{
    struct gri_call *call = b->call;

    b->call = NULL;
    if (call != NULL)
        gri_call_end(call, v);
    else
        gr_value_unref(v);
}

/* batch_result keeps an item's answer; a failure ends the batch unless it may be an answer
 * itself. */
static void batch_result(struct batch *b, size_t index, gr_value *v)
{
    if (gr_value_type(v) == GR_ERROR &&
        (!b->return_exceptions || (b->call != NULL && gri_call_cancelled(b->call))))
        batch_end(b, gr_value_ref(v));
    b->results[index] = v;
}

/* batch_start_item starts one item; its answer may be there at once. false when out of memory. */
static bool batch_start_item(struct batch *b, size_t index)
{
    gr_value *input = gr_value_ref(gr_at(b->inputs, index));
    struct batch_item *item;
    gr_value *v = NULL;

    if (gri_call_direct(b->call, b->to, input, &v)) {
        batch_result(b, index, v);
        return true;
    }
    item = b->spare;
    if (item != NULL)
        b->spare = item->next;
    else
        item = gri_new0(struct batch_item);
    if (item == NULL) {
        gr_value_unref(input);
        return false;
    }
    *item = (struct batch_item){ .waiter.fire = batch_fire, .batch = b, .index = index };
    item->future = gri_call_sub(b->call, b->to, GRI_INVOKE, input, NULL);
    if (item->future == NULL) {
        gri_free(item);
        return false;
    }
    b->under_way++;
    if (gri_future_watch(item->future, &item->waiter) == GR_EOS)
        batch_fire(&item->waiter);
    return true;
}

static void batch_take_done(struct batch *b)
{
    struct batch_item *item = atomic_exchange_explicit(&b->done, NULL, memory_order_acquire);

    while (item != NULL) {
        struct batch_item *next = item->next;

        b->under_way--;
        batch_result(b, item->index, gr_value_ref(item->future->result));
        gr_future_free(item->future);
        item->next = b->spare;
        b->spare = item;
        item = next;
    }
}

static void batch_free(struct batch *b)
{
    while (b->spare != NULL) {
        struct batch_item *next = b->spare->next;

        gri_free(b->spare);
        b->spare = next;
    }
    for (size_t i = 0; i < b->count; i++)
        gr_value_unref(b->results[i]);
    gri_free(b->results);
    gr_value_unref(b->kept);
    gri_free(b);
}

/* batch_step does what can be done now; true when nothing is under way any more. */
static bool batch_step(struct batch *b)
{
    batch_take_done(b);
    while (b->call != NULL && b->started < b->count && b->under_way < b->window) {
        if (gri_call_cancelled(b->call))
            batch_end(b, gr_error(GR_ECANCELED, "cancelled"));
        else if (!batch_start_item(b, b->started++))
            batch_end(b, gr_error(GR_ENOMEM, "out of memory"));
    }
    if (b->under_way > 0)
        return false;
    if (b->call != NULL) {
        gr_value *list = gr_list_n(b->results, b->count);

        for (size_t i = 0; i < b->count; i++)
            b->results[i] = NULL;
        batch_end(b, list);
    }
    return true;
}

static void batch_run(struct gri_task *t)
{
    struct batch *b = gri_container_of(t, struct batch, task);
    uint32_t seen;

    do {
        seen = atomic_load(&b->kicks);
        if (batch_step(b)) {
            batch_free(b);
            return;
        }
    } while (atomic_fetch_sub(&b->kicks, seen) != seen);
}

/* batch_window: the run's max_concurrency, or half the mailbox bound. */
static unsigned batch_window(struct gri_call *call)
{
    int64_t limit = gr_as_int(gr_get(call->config, "max_concurrency"), 0);
    unsigned half = gri_actor_mailbox_max(call->actor) / 2;

    if (limit > 0 && limit < UINT32_MAX)
        return (unsigned)limit;
    return half != 0 ? half : 1;
}

static void batch_start(struct gri_call *call)
{
    const gr_value *inputs =
        gr_value_type(call->args) == GR_LIST ? call->args : gr_get(call->args, "inputs");
    struct batch *b;

    if (gr_value_type(inputs) != GR_LIST) {
        gri_call_end(call, gr_error(GR_ETYPE, "batch needs a list of inputs"));
        return;
    }
    b = gri_new0(struct batch);
    if (b != NULL)
        b->results = gri_alloc_array(gr_len(inputs) + 1, sizeof(*b->results));
    if (b == NULL || b->results == NULL) {
        gri_free(b);
        gri_call_end(call, gr_error(GR_ENOMEM, "out of memory"));
        return;
    }
    b->call = call;
    b->rt = call->rt;
    b->inputs = inputs;
    b->kept = gr_value_ref(call->args);
    b->to = gri_actor_ref(call->actor);
    b->count = gr_len(inputs);
    b->window = batch_window(call);
    b->return_exceptions = gr_as_bool(gr_get(call->args, "return_exceptions"), false);
    b->task = (struct gri_task){ .run = batch_run, .name = "batch" };
    atomic_init(&b->kicks, 1);
    batch_run(&b->task);
}

/* ---- the way in ------------------------------------------------------------------------------ */

/* by_transform gives the one input to transform, which streams the answer. */
static void by_transform(struct gri_call *call)
{
    struct gr_stream *in = one_chunk(call);

    if (in == NULL)
        gri_call_end(call, gr_error(GR_ENOMEM, "out of memory"));
    else if (call->verb == GRI_STREAM)
        gri_call_forward(call, gri_actor_ref(call->actor), GRI_TRANSFORM, gr_nil(), in);
    else
        gather_start(call,
                     gri_call_sub_stream(call, gri_actor_ref(call->actor), GRI_TRANSFORM, gr_nil(),
                                         in, NULL),
                     false);
}

static void run_default(struct gri_call *call, enum gri_how how)
{
    switch (how) {
    case GRI_BY_GATHER:
        if (call->in != NULL)
            gather_start(call, gri_call_take_in(call), true);
        else
            gri_call_end(call,
                         gr_error(GR_EINVAL, "'%s' needs an input stream", gri_call_verb(call)));
        break;
    case GRI_BY_STREAM:
        gather_start(call,
                     gri_call_sub_stream(call, gri_actor_ref(call->actor), GRI_STREAM,
                                         gr_value_ref(call->args), NULL, NULL),
                     false);
        break;
    case GRI_BY_TRANSFORM: by_transform(call); break;
    default: batch_start(call); break;
    }
}

/* The sender's thread may be any: the work is done on a worker. */
static void default_task(struct gri_task *t)
{
    struct gri_call *call = gri_container_of(t, struct gri_call, task);
    const gr_method *m = NULL;

    run_default(call, gri_klass_resolve(call->actor->klass, call->verb, &m));
}

void gri_default_run(struct gri_call *call, enum gri_how how)
{
    (void)how;
    call->task.run = default_task;
    gri_ready(&call->rt->sched, &call->task);
}
