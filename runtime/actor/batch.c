/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch.c - invoke for each of a list of inputs, in a sliding window.
 *
 * An item begins when another one has ended, whichever; so no item waits for the slowest of a
 * group. The answers are kept by index for "batch", and sent on as they come, as [index, answer],
 * for "batch_as_completed": there one that finds no room is held, and no further item begins before
 * it is gone.
 *
 * One task does all the work. It is readied by items that come back, by room in the stream, and by
 * a cancellation. The low half of `word` counts these wakes, and whoever raises it from 0 readies
 * the task; the high half counts the items that have come back, in the same step, after which
 * nobody touches the batch on that item's behalf any more. So it may go once all are counted; it
 * outlives its call for that long.
 */
#include "runtime/actor/batch.h"

#include "runtime/actor/actor.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/base/alloc.h"

#define WAKES UINT64_C(0xffffffff)
#define ONE_BACK (UINT64_C(1) << 32)

struct batch;

struct batch_item {
    struct gri_waiter waiter;
    struct batch *batch; /* borrowed: it stays until all its items have come back */
    gr_future *future;   /* owned; NULL: it is spare */
    size_t index;
    struct batch_item *next; /* in batch->done, or in batch->spare */
    struct batch_item *also; /* in batch->all */
};

struct batch {
    struct gri_call *call;   /* the duty; NULL once ended */
    gr_runtime *rt;          /* borrowed */
    const gr_value *inputs;  /* borrowed from the call's args, which live as long as `kept` */
    const gr_value *configs; /* likewise; one for each item, NULL: one for all */
    gr_value *kept;          /* counted */
    gr_value *passed; /* counted; what of the call's config its items get too; NULL: nothing */
    gr_ref to;
    size_t count, started;
    uint64_t issued; /* items that are, or were, under way */
    unsigned window, under_way;
    uint16_t verb; /* the items' */
    bool return_exceptions, as_completed;
    gr_value **results;     /* owned array of counted values; as_completed: of one at most */
    gr_value *held;         /* counted; the chunk that has to be sent next */
    struct gri_waiter room; /* in call->out while something is held */
    struct batch_item *_Atomic done; /* came back since the last look */
    struct batch_item *late;         /* came back while something was held; oldest first */
    struct batch_item **late_end;
    struct batch_item *spare, *all; /* items to use again; every item */
    _Atomic uint64_t word;          /* see above */
    struct gri_task task;
};

static void wake(struct batch *b, uint64_t what)
{
    struct gri_sched *s = &b->rt->sched;

    /* acq_rel: what was done before is seen by the task. Unless it was asleep, b may be gone after */
    if ((atomic_fetch_add_explicit(&b->word, what, memory_order_acq_rel) & WAKES) == 0)
        gri_ready(s, &b->task);
}

static void item_fire(struct gri_waiter *w)
{
    struct batch_item *item = gri_container_of(w, struct batch_item, waiter);
    struct batch *b = item->batch;

    item->next = atomic_load_explicit(&b->done, memory_order_relaxed);
    /* release: the item's fields are seen by the task, which takes the list with acquire */
    while (!atomic_compare_exchange_weak_explicit(&b->done, &item->next, item, memory_order_acq_rel,
                                                  memory_order_relaxed))
        ;
    gri_point(GRI_AT_BATCH_BACK);
    wake(b, ONE_BACK + 1);
}

static void room_fire(struct gri_waiter *w)
{
    wake(gri_container_of(w, struct batch, room), 1);
}

static void batch_cancelled(void *arg)
{
    wake(arg, 1);
}

/* leave_siblings has what is under way go on without the batch. */
static void leave_siblings(struct batch *b)
{
    if (!gr_as_bool(gr_get(b->call->config, "leave_siblings"), false) ||
        gri_call_cancelled(b->call))
        return;
    for (struct batch_item *i = b->all; i != NULL; i = i->also)
        if (i->future != NULL && i->future->ops->detach != NULL)
            i->future->ops->detach(i->future);
}

static void batch_end(struct batch *b, gr_value *v)
{
    struct gri_call *call = b->call;

    if (call == NULL) {
        gr_value_unref(v);
        return;
    }
    if (gr_error_code(v) != GR_OK)
        leave_siblings(b);
    if (b->as_completed)
        gri_stream_unwatch_room(call->out, &b->room);
    b->call = NULL;
    gri_call_end(call, v);
}

/* may_keep: an error may be an answer itself, but a cancellation is no error of the item's. */
static bool may_keep(const struct batch *b, const gr_value *error)
{
    return b->return_exceptions && gr_error_code(error) != GR_ECANCELED &&
           (b->call == NULL || !gri_call_cancelled(b->call));
}

/* batch_result keeps an item's answer; a failure ends the batch unless it may be kept. */
static void batch_result(struct batch *b, size_t index, gr_value *v)
{
    if (gr_value_type(v) == GR_ERROR && !may_keep(b, v))
        batch_end(b, gr_value_ref(v));
    if (!b->as_completed)
        b->results[index] = v;
    else if (b->call == NULL)
        gr_value_unref(v);
    else
        b->held = gr_list(gr_int((int64_t)index), v);
}

/* ---- starting -------------------------------------------------------------------------------- */

/* item_config gives what an item's own config adds to the call's; NULL: nothing. */
static gr_value *item_config(const struct batch *b, size_t index)
{
    gr_value *config = gr_value_ref(b->passed);
    const gr_value *own = gr_at(b->configs, index);

    if (config != NULL && index > 0 && gr_get(config, "run_id") != NULL)
        config = gr_without(config, "run_id"); /* no two runs have one id */
    if (gr_is_nil(own))
        return config;
    if (gr_value_type(own) == GR_MAP)
        return gr_merge(config != NULL ? config : gr_nil(), gr_value_ref(own));
    gr_value_unref(config);
    return gr_value_ref(own); /* the call says what is wrong with it */
}

static struct batch_item *item_new(struct batch *b)
{
    struct batch_item *item = b->spare;

    if (item != NULL) {
        b->spare = item->next;
        return item;
    }
    item = gri_new0(struct batch_item);
    if (item == NULL)
        return NULL;
    *item = (struct batch_item){ .waiter.fire = item_fire, .batch = b, .also = b->all };
    b->all = item;
    return item;
}

static void item_free(struct batch *b, struct batch_item *item)
{
    gr_future_free(item->future);
    item->future = NULL;
    item->next = b->spare;
    b->spare = item;
}

/* start_item starts one item; its answer may be there at once. false when out of memory. */
static bool start_item(struct batch *b, size_t index)
{
    gr_value *input = gr_value_ref(gr_at(b->inputs, index));
    bool plain = b->passed == NULL && b->configs == NULL;
    gr_call_opts opts = { .size = sizeof(opts) };
    struct batch_item *item;
    gr_value *v = NULL;

    if (plain && b->verb == GRI_INVOKE && gri_call_direct(b->call, b->to, input, &v)) {
        batch_result(b, index, v);
        return true;
    }
    item = item_new(b);
    if (item == NULL) {
        gr_value_unref(input);
        return false;
    }
    if (!plain)
        opts.config = item_config(b, index);
    item->index = index;
    item->waiter = (struct gri_waiter){ .fire = item_fire };
    item->future = gri_call_sub(b->call, b->to, b->verb, input, &opts);
    if (item->future == NULL) {
        item_free(b, item);
        return false;
    }
    b->under_way++;
    b->issued++;
    if (gri_future_watch(item->future, &item->waiter) == GR_EOS)
        item_fire(&item->waiter);
    return true;
}

/* ---- the task -------------------------------------------------------------------------------- */

/* take_late takes the answers of what has come back, until one has to be held. */
static void take_late(struct batch *b)
{
    while (b->late != NULL && b->held == NULL) {
        struct batch_item *item = b->late;

        b->late = item->next;
        if (b->late == NULL)
            b->late_end = &b->late;
        batch_result(b, item->index, gr_value_ref(item->future->result));
        item_free(b, item);
    }
}

/* take_done puts what has come back, the newest first, behind `late`, in order. */
static void take_done(struct batch *b)
{
    struct batch_item *item = atomic_exchange_explicit(&b->done, NULL, memory_order_acquire);
    struct batch_item *in_order = NULL, *next;

    for (; item != NULL; item = next) {
        next = item->next;
        item->next = in_order;
        in_order = item;
    }
    *b->late_end = in_order;
    for (; in_order != NULL; in_order = in_order->next) {
        b->under_way--;
        b->late_end = &in_order->next;
    }
}

/* send_held sends the chunk in hand; false: there is no room for it, a waiter is left. */
static bool send_held(struct batch *b)
{
    gr_code rc;

    if (b->call == NULL) {
        gr_value_unref(b->held);
        b->held = NULL;
        return true;
    }
    do
        rc = gri_stream_put(b->call->out, b->held);
    while (rc == GR_EFULL && !gri_stream_watch_room(b->call->out, &b->room));
    if (rc == GR_EFULL)
        return false;
    b->held = NULL;
    if (rc != GR_OK)
        batch_end(b, gr_error(rc, "the answer could not be passed on"));
    return true;
}

static void batch_free(struct batch *b)
{
    while (b->all != NULL) {
        struct batch_item *also = b->all->also;

        gri_free(b->all);
        b->all = also;
    }
    for (size_t i = 0; b->results != NULL && i < b->count; i++)
        gr_value_unref(b->results[i]);
    gri_free(b->results);
    gr_value_unref(b->held);
    gr_value_unref(b->passed);
    gr_value_unref(b->kept);
    gri_free(b);
}

/* batch_go starts what may be under way and sends what has come; false: the stream is full. */
static bool batch_go(struct batch *b)
{
    for (;;) {
        if (b->call != NULL && gri_call_cancelled(b->call))
            batch_end(b, gr_error(GR_ECANCELED, "cancelled"));
        if (b->late != NULL)
            take_late(b);
        if (b->held != NULL && !send_held(b))
            return false;
        if (b->late != NULL)
            continue;
        if (b->call == NULL || b->started == b->count || b->under_way >= b->window)
            return true;
        if (!start_item(b, b->started++))
            batch_end(b, gr_error(GR_ENOMEM, "out of memory"));
    }
}

static gr_value *whole_answer(struct batch *b)
{
    gr_value *list;

    if (b->as_completed)
        return gr_nil();
    list = gr_list_n(b->results, b->count);
    for (size_t i = 0; i < b->count; i++)
        b->results[i] = NULL;
    return list;
}

/* batch_step does what can be done now; true when b may go. */
static bool batch_step(struct batch *b)
{
    take_done(b);
    if (!batch_go(b) || b->under_way > 0)
        return false;
    if (b->call != NULL)
        batch_end(b, whole_answer(b));
    return atomic_load_explicit(&b->word, memory_order_acquire) >> 32 == b->issued;
}

static void batch_run(struct gri_task *t)
{
    struct batch *b = gri_container_of(t, struct batch, task);
    uint64_t seen, now;

    for (;;) {
        seen = atomic_load_explicit(&b->word, memory_order_acquire);
        if (batch_step(b)) {
            batch_free(b);
            return;
        }
        now = seen;
        /* release: the next runner sees what this one did */
        while ((now & WAKES) == (seen & WAKES))
            if (atomic_compare_exchange_weak_explicit(&b->word, &now, now & ~WAKES,
                                                      memory_order_acq_rel, memory_order_acquire))
                return;
    }
}

/* ---- the beginning --------------------------------------------------------------------------- */

const gr_value *gri_batch_inputs(const struct gri_call *call)
{
    const gr_value *inputs =
        gr_value_type(call->args) == GR_LIST ? call->args : gr_get(call->args, "inputs");

    return gr_value_type(inputs) == GR_LIST ? inputs : NULL;
}

/* window_of: the run's max_concurrency, the first config's if there are several, or half the mailbox
 * bound. */
static unsigned window_of(const struct batch *b)
{
    const gr_value *own = gr_get(gr_at(b->configs, 0), "max_concurrency");
    int64_t limit = gr_as_int(own != NULL ? own : gr_get(b->call->config, "max_concurrency"), 0);
    unsigned half = gri_actor_mailbox_max(b->call->actor) / 2;

    if (limit > 0 && limit < UINT32_MAX)
        return (unsigned)limit;
    return half != 0 ? half : 1;
}

/* passed_of: a batch has no run of its own, so what names its run names its items', and its kwargs
 * are theirs. */
static gr_value *passed_of(const gr_value *config)
{
    static const char *const keys[] = { "run_name", "run_id", "kwargs" };
    gr_value *passed = NULL;

    for (size_t i = 0; config != NULL && i < sizeof(keys) / sizeof(keys[0]); i++) {
        const gr_value *v = gr_get(config, keys[i]);

        if (v != NULL)
            passed = gr_set(passed != NULL ? passed : gr_map_n(NULL, 0), keys[i], gr_value_ref(v));
    }
    return passed;
}

/* wrong says what is wrong with the arguments; NULL: nothing. */
static gr_value *wrong(const struct gri_call *call)
{
    const gr_value *inputs = gri_batch_inputs(call), *configs = gr_get(call->args, "configs");

    if (inputs == NULL)
        return gr_error(GR_ETYPE, "batch needs a list of inputs");
    if (gr_value_type(call->args) == GR_MAP && !gr_is_nil(configs) &&
        (gr_value_type(configs) != GR_LIST || gr_len(configs) != gr_len(inputs)) &&
        gr_len(inputs) > 0) /* as langchain-core: without inputs nobody looks at the configs */
        return gr_error(GR_EINVAL, "config must be a list of the same length as inputs, %zu",
                        gr_len(inputs));
    if (call->verb == GRI_BATCH_AS_COMPLETED && call->out == NULL)
        return gr_error(GR_EINVAL, "'batch_as_completed' streams: call it as a stream");
    return NULL;
}

static struct batch *batch_new(struct gri_call *call)
{
    const gr_value *inputs = gri_batch_inputs(call);
    struct batch *b = gri_new0(struct batch);

    if (b == NULL)
        return NULL;
    b->as_completed = call->verb == GRI_BATCH_AS_COMPLETED;
    if (!b->as_completed)
        b->results = gri_alloc_array(gr_len(inputs) + 1, sizeof(*b->results));
    if (b->results == NULL && !b->as_completed) {
        gri_free(b);
        return NULL;
    }
    b->call = call;
    b->rt = call->rt;
    b->inputs = inputs;
    if (gr_value_type(call->args) == GR_MAP && !gr_is_nil(gr_get(call->args, "configs")))
        b->configs = gr_get(call->args, "configs");
    b->kept = gr_value_ref(call->args);
    b->passed = passed_of(call->config);
    b->to = gri_actor_ref(call->actor);
    b->count = gr_len(inputs);
    b->window = window_of(b);
    b->return_exceptions = gr_as_bool(gr_get(call->args, "return_exceptions"), false);
    b->room.fire = room_fire;
    b->late_end = &b->late;
    b->task = (struct gri_task){ .run = batch_run, .name = "batch" };
    atomic_init(&b->word, 1);
    return b;
}

static void batch_start(struct gri_call *call, uint16_t verb)
{
    gr_value *err = wrong(call);
    struct batch *b = err == NULL && verb != GRI_VERB_NONE ? batch_new(call) : NULL;

    if (b == NULL) {
        gri_call_end(call, err != NULL ? err : gr_error(GR_ENOMEM, "out of memory"));
        return;
    }
    b->verb = verb;
    if (b->as_completed && gri_call_on_cancel(call, batch_cancelled, b) != GR_OK)
        batch_end(b, gr_error(GR_ECANCELED, "cancelled"));
    batch_run(&b->task);
}

void gri_batch_start(struct gri_call *call)
{
    batch_start(call, GRI_INVOKE);
}

void gri_batch_start_by(struct gri_call *call, const char *verb)
{
    batch_start(call, gri_verb_id(&call->rt->verbs, verb));
}
