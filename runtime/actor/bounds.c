/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/actor/bounds.h"

#include "runtime/actor/runtime_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

#define NS_PER_MS UINT64_C(1000000)
#define WINDOWS 10
#define STAMP_SHIFT 10 /* stamps are in units of about a microsecond */

/* ---- making ---------------------------------------------------------------------------------- */

static bool asks_for_bounds(const gr_spawn_opts *o)
{
    return o->overflow != GR_OVERFLOW_REFUSE || o->mailbox_bytes_max != 0 || o->queue_ms > 0 ||
           o->handler_ms > 0 || o->handler_kill || o->asks_max != 0;
}

gr_code gri_bounds_set_up(struct gri_actor *a, const gr_spawn_opts *o)
{
    uint32_t max = (uint32_t)(o->mailbox_max != 0 ? o->mailbox_max : a->rt->mailbox_max);
    struct gri_bounds *b;
    struct gri_rare *r;

    atomic_store_explicit(&a->admit, max, memory_order_relaxed);
    if (!asks_for_bounds(o))
        return GR_OK;
    if ((unsigned)o->overflow > GR_OVERFLOW_KILL ||
        (o->overflow == GR_OVERFLOW_DROP_OLDEST &&
         (a->klass->stateless || o->max_concurrency != 0 || o->queue_ms > 0)))
        return GR_EINVAL;
    r = gri_rare_make(a);
    b = r != NULL ? gri_new0(struct gri_bounds) : NULL;
    if (b == NULL)
        return GR_ENOMEM;
    r->bounds = b;
    atomic_fetch_or_explicit(&a->flags, GRI_BOUNDED, memory_order_relaxed);
    b->actor = a;
    b->mailbox_max = max;
    b->overflow = o->overflow;
    b->kill_overtime = o->handler_kill;
    b->asks_max = o->asks_max;
    b->handler_ns = o->handler_ms > 0 ? (uint64_t)o->handler_ms * NS_PER_MS : 0;
    b->bytes_max =
        o->mailbox_bytes_max > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)o->mailbox_bytes_max;
    b->queue_ns = o->queue_ms > 0 ? (uint64_t)o->queue_ms * NS_PER_MS : 0;
    if (o->overflow == GR_OVERFLOW_DROP_OLDEST) /* who comes always finds room */
        atomic_store_explicit(&a->admit, GRI_ADMIT_ALL, memory_order_relaxed);
    return GR_OK;
}

/* bounds_of is for an actor that is known to have some. */
static struct gri_bounds *bounds_of(const struct gri_actor *a)
{
    struct gri_bounds *b = gri_actor_bounds(a);

    gri_assert(b != NULL);
    return b;
}

uint32_t gri_actor_mailbox_max(const struct gri_actor *a)
{
    const struct gri_bounds *b = gri_actor_bounds(a);

    return b != NULL ? b->mailbox_max : atomic_load_explicit(&a->admit, memory_order_relaxed);
}

/* ---- entering and leaving a mailbox ---------------------------------------------------------- */

static gr_value *full_error(const struct gri_actor *a, enum gri_count why)
{
    const struct gri_bounds *b = gri_actor_bounds(a);

    if (why == GRI_COUNT_REFUSED_MAILBOX_BYTES && b != NULL)
        return gr_error(GR_EFULL, "the mailbox is full (%lld bytes)", (long long)b->bytes_max);
    if (why == GRI_COUNT_REFUSED_QUEUE_MS && b != NULL)
        return gr_error(GR_EFULL, "what comes now would wait for more than %llu ms",
                        (unsigned long long)(b->queue_ns / NS_PER_MS));
    return gr_error(GR_EFULL, "the mailbox is full (%u messages)",
                    (unsigned)gri_actor_mailbox_max(a));
}

gr_value *gri_bounds_full(struct gri_actor *a, enum gri_count why)
{
    const struct gri_bounds *b = gri_actor_bounds(a);
    gr_overflow policy = b != NULL ? b->overflow : GR_OVERFLOW_REFUSE;
    gr_value *err = gr_error_with(full_error(a, why), "where", gr_str(gri_actor_name(a)));

    gri_count(a->rt->sched.ledger, why, 1);
    if (policy == GR_OVERFLOW_DROP_NEWEST) {
        gri_count(a->rt->sched.ledger, GRI_COUNT_DROPPED_NEWEST, 1);
        err = gr_error_with(err, "kind", gr_str("dropped"));
    } else if (policy == GR_OVERFLOW_KILL) {
        gri_actor_condemn(a, GRI_OVERFLOWED);
    }
    return err;
}

bool gri_bounds_enter(struct gri_actor *a, struct gri_envelope *e)
{
    struct gri_bounds *b = bounds_of(a);

    if (b->queue_ns != 0)
        e->stamp = (uint32_t)(gri_sched_now(&a->rt->sched) >> STAMP_SHIFT);
    if (b->bytes_max != 0) {
        int64_t before = atomic_fetch_add_explicit(&b->bytes, e->bytes, memory_order_relaxed);

        return before == 0 || before + e->bytes <= b->bytes_max ||
               b->overflow == GR_OVERFLOW_DROP_OLDEST;
    }
    return true;
}

void gri_envelope_leave(struct gri_actor *a, struct gri_envelope *e)
{
    struct gri_bounds *b = gri_actor_bounds(a);

    if (!e->placed)
        return;
    e->placed = false;
    if (b != NULL && b->bytes_max != 0)
        atomic_fetch_sub_explicit(&b->bytes, e->bytes, memory_order_relaxed);
    gri_actor_unqueue(a);
}

/* ---- dropping the oldest --------------------------------------------------------------------- */

static struct gri_envelope *pop_locked(struct gri_bounds *b)
{
    struct gri_envelope *e = gri_envelope_pop(&b->queue);

    if (e != NULL)
        atomic_fetch_sub(&b->queued, 1);
    return e;
}

static bool over_locked(const struct gri_bounds *b)
{
    uint32_t queued = atomic_load_explicit(&b->queued, memory_order_relaxed);

    return queued >= b->mailbox_max ||
           (queued > 0 && b->bytes_max != 0 &&
            atomic_load_explicit(&b->bytes, memory_order_relaxed) > b->bytes_max);
}

/* push_newest makes room by dropping from the front, one by one outside the lock, since that may
 * run code of the caller's. */
static void push_newest(struct gri_actor *a, struct gri_envelope *e)
{
    struct gri_bounds *b = bounds_of(a);
    struct gri_envelope *oldest;

    do {
        gri_lock(&b->lock);
        oldest = over_locked(b) ? pop_locked(b) : NULL;
        if (oldest == NULL) {
            gri_envelope_push(&b->queue, e);
            atomic_fetch_add(&b->queued, 1); /* seq_cst: before the kick looks at the inbox */
        }
        gri_unlock(&b->lock);
        if (oldest != NULL) {
            gri_count(a->rt->sched.ledger, GRI_COUNT_DROPPED_OLDEST, 1);
            gri_envelope_drop(
                a, oldest,
                gr_error_with(gr_error_with(gr_error(GR_EFULL, "the mailbox is full, "
                                                               "and a newer message "
                                                               "took this one's place"),
                                            "kind", gr_str("dropped")),
                              "where", gr_str(gri_actor_name(a))));
        }
    } while (oldest != NULL);
}

void gri_bounds_put(struct gri_actor *a, struct gri_envelope *e)
{
    if (bounds_of(a)->overflow != GR_OVERFLOW_DROP_OLDEST ||
        e->kind == GRI_PROBE) { /* which is never dropped: it asks about the start, however busy */
        gri_actor_post(a, e);
        return;
    }
    /* e may be handled, and its pin gone, once it lies there */
    gri_actor_pin_again(a);
    push_newest(a, e);
    gri_mailbox_kick(a);
    gri_actor_unpin(a);
}

struct gri_envelope *gri_bounds_pop(struct gri_actor *a)
{
    struct gri_bounds *b = gri_actor_bounds(a);
    struct gri_envelope *e;

    if (b == NULL || atomic_load_explicit(&b->queued, memory_order_relaxed) == 0)
        return NULL;
    gri_lock(&b->lock);
    e = pop_locked(b);
    gri_unlock(&b->lock);
    return e;
}

/* ---- how long messages wait ------------------------------------------------------------------ */

bool gri_bounds_would_start(const struct gri_actor *a, uint64_t depth)
{
    const struct gri_bounds *b = gri_actor_bounds(a);
    const struct gri_rare *r = gri_actor_rare(a);
    uint32_t running;

    if (b == NULL || b->queue_ns == 0 || depth >= b->mailbox_max || r == NULL)
        return false;
    running = atomic_load_explicit(&r->running, memory_order_relaxed);
    return running < r->max_concurrency &&
           depth < (uint64_t)atomic_load_explicit(&a->admit, memory_order_relaxed) +
                       r->max_concurrency - running;
}

static void admit(struct gri_actor *a, uint64_t messages)
{
    uint32_t max = bounds_of(a)->mailbox_max;

    if (messages > max)
        messages = max;
    atomic_store_explicit(&a->admit, messages > 1 ? (uint32_t)messages : 1, memory_order_relaxed);
}

/* measure adds the time since the last message was taken, and draws the conclusion at a window's
 * end. */
static void measure(struct gri_actor *a, uint64_t now)
{
    struct gri_bounds *b = bounds_of(a);

    if (b->more) {
        b->busy_ns += now - b->last_ns;
        b->taken++;
    }
    b->last_ns = now;
    if (now < b->window_end_ns)
        return;
    if (b->taken != 0)
        admit(a, b->busy_ns != 0 ? b->queue_ns * b->taken / b->busy_ns : b->mailbox_max);
    b->busy_ns /= 2;
    b->taken /= 2;
    b->window_end_ns = now + WINDOWS * b->queue_ns;
}

bool gri_bounds_measure(struct gri_actor *a, const struct gri_envelope *e)
{
    struct gri_bounds *b = bounds_of(a);
    uint64_t depth, now, waited;

    if (b->queue_ns == 0 || !e->placed)
        return true;
    now = gri_sched_now(&a->rt->sched);
    waited = (uint64_t)((uint32_t)(now >> STAMP_SHIFT) - e->stamp) << STAMP_SHIFT;
    depth = gri_load_places(gri_actor_load(a)); /* e counts still */
    measure(a, now);
    b->more = depth > 1;
    if (waited <= 2 * b->queue_ns)
        return true;
    depth = depth * b->queue_ns / waited;
    if (depth < atomic_load_explicit(&a->admit, memory_order_relaxed))
        admit(a, depth);
    return false;
}

/* ---- verdicts -------------------------------------------------------------------------------- */

/* On a worker, since what the exit interrupts may run code of the user's: not for a sender, nor for
 * the monitor. It does not wait for a handler that is under way, which may be what keeps the actor from
 * its next turn. */
static void sentence_run(struct gri_task *t)
{
    struct gri_actor *a = gri_container_of(t, struct gri_bounds, sentence)->actor;

    gri_bounds_sentence(a);
    gri_actor_unpin(a);
}

void gri_actor_condemn(struct gri_actor *a, enum gri_verdict why)
{
    struct gri_bounds *b = bounds_of(a);
    uint32_t none = GRI_NO_VERDICT;

    if (!atomic_compare_exchange_strong(&b->verdict, &none, (uint32_t)why))
        return;
    gri_count(a->rt->sched.ledger,
              why == GRI_OVERTIME ? GRI_COUNT_KILLED_OVERTIME : GRI_COUNT_KILLED_OVERFLOW, 1);
    gri_actor_stop(a, a->rt->reasons.shutdown); /* the sentence has the reason */
    gri_actor_pin_again(a);
    b->sentence = (struct gri_task){ .run = sentence_run, .name = "sentence" };
    gri_ready(&a->rt->sched, &b->sentence);
}

void gri_bounds_sentence(struct gri_actor *a)
{
    const struct gri_bounds *b = gri_actor_bounds(a);
    gr_value *why;

    if (b == NULL || (atomic_load(&a->flags) & GRI_EXITING) != 0)
        return;
    switch ((enum gri_verdict)atomic_load(&b->verdict)) {
    case GRI_OVERFLOWED:
        why = gr_error_with(gr_error(GR_EDEAD, "it was stopped since its mailbox overflowed"),
                            "kind", gr_str("overflow"));
        break;
    case GRI_OVERTIME:
        why = gr_error_with(gr_error(GR_EDEAD, "it was stopped since a handler ran for too long"),
                            "kind", gr_str("overtime"));
        break;
    default: return;
    }
    gri_actor_exit(a, gri_actor_with_where(a, why));
}

/* ---- calls that it has started --------------------------------------------------------------- */

bool gri_asks_begin(struct gri_actor *asker)
{
    struct gri_bounds *b = gri_actor_bounds(asker);

    if (b == NULL || atomic_fetch_add(&b->asks, 1) < b->asks_max)
        return true;
    atomic_fetch_sub(&b->asks, 1);
    gri_count(asker->rt->sched.ledger, GRI_COUNT_REFUSED_ASKS, 1);
    return false;
}

void gri_asks_end(gr_runtime *rt, uint64_t asker)
{
    /* the pin keeps its bounds, at its very end too, when terminate may ask: see give_back in exit.c */
    struct gri_actor *a = gri_actor_pin_id(rt, asker, false);
    struct gri_bounds *b;

    if (a == NULL)
        return;
    b = gri_actor_bounds(a);
    if (b != NULL)
        atomic_fetch_sub(&b->asks, 1);
    gri_actor_unpin(a);
}
