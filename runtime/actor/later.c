/* SPDX-License-Identifier: Apache-2.0 */
/*
 * later.c - gr_send_after: a message, its timer and its place in the mailbox in one piece of memory.
 *
 * The runtime's table has what is still to come. Whoever takes an entry out of it decides: the
 * actor's turn, which then handles the message, or gr_cancel_timer, after which nobody will. The
 * entry itself goes from the timer wheel to a worker to the mailbox, and whoever has it there, and
 * finds it no longer in the table, frees it; a cancellation that stops the timer does so itself.
 *
 * It is not pinned to its actor before it is due: a timer must not keep a stopped actor.
 */
#include "runtime/actor/bounds.h"
#include "runtime/actor/mailbox.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/value/value.h"

#include <greenroom/timer.h>

struct later {
    struct gri_envelope envelope;
    struct gri_task task; /* takes it from the timer to the mailbox */
    struct gri_timer timer;
    gr_runtime *rt; /* borrowed */
    gr_ref to;
    gr_value *msg; /* counted */
    uint64_t id;
};

static void later_free(struct later *l)
{
    gri_charge(l->rt, -(int64_t)l->envelope.bytes);
    gr_value_unref(l->msg);
    gri_free(l);
}

/* claim takes l out of the table; false: somebody has done so before. */
static bool claim(struct later *l)
{
    struct gri_laters *table = &l->rt->laters;
    bool ours;

    gri_lock(&table->lock);
    ours = gri_map_get(&table->by_id, l->id) == l;
    if (ours)
        gri_map_del(&table->by_id, l->id);
    gri_unlock(&table->lock);
    return ours;
}

void gri_later_run(struct gri_actor *a, struct gri_envelope *e, bool live)
{
    struct later *l = gri_container_of(e, struct later, envelope);
    bool ours = claim(l);

    if (ours && live)
        gri_handle_tell(a, gr_value_ref(l->msg));
    else if (ours)
        gri_dead_letter(a->rt, "a timer's, for an actor that ended");
    later_free(l);
    gri_actor_unpin(a);
}

/* On a worker: it is due. */
static void due_run(struct gri_task *t)
{
    struct later *l = gri_container_of(t, struct later, task);
    gr_value *err = NULL;
    struct gri_actor *a = gri_actor_pin(l->rt, l->to, &err);

    if (a != NULL) {
        gri_actor_post(a, &l->envelope);
        return;
    }
    gr_value_unref(err);
    if (claim(l))
        gri_dead_letter(l->rt, "a timer's, for an actor that is gone");
    later_free(l);
}

static void later_fire(struct gri_timer *t)
{
    struct later *l = gri_container_of(t, struct later, timer);

    gri_ready(&l->rt->sched, &l->task);
}

/* check_target tells what gr_tell would say of the actor, but for its mailbox. */
static gr_code check_target(gr_runtime *rt, gr_ref to)
{
    gr_value *err = NULL;
    struct gri_actor *a = gri_actor_pin(rt, to, &err);
    gr_code rc = a == NULL ? gr_error_code(err) : a->klass->cls->receive == NULL ? GR_ETYPE : GR_OK;

    if (a != NULL)
        gri_actor_unpin(a);
    gr_value_unref(err);
    return rc;
}

/* enter puts l into the table, with a number. */
static gr_code enter(struct later *l)
{
    struct gri_laters *table = &l->rt->laters;
    gr_code rc = GR_OK;

    gri_lock(&table->lock);
    l->id = table->last_id + 1;
    if (table->closed)
        rc = GR_EDEAD;
    else if (table->by_id.count >= table->max)
        rc = GR_EFULL;
    else if (!gri_map_put(&table->by_id, l->id, l))
        rc = GR_ENOMEM;
    else
        table->last_id++;
    gri_unlock(&table->lock);
    if (rc == GR_EFULL)
        gri_count(l->rt->sched.ledger, GRI_COUNT_REFUSED_TIMERS, 1);
    return rc;
}

gr_code gr_send_after(gr_runtime *rt, gr_ref to, int64_t ms, gr_value *msg, gr_timer *ret_timer)
{
    gr_code rc = msg == NULL ? GR_EINVAL : gri_is_broken(msg) ? gr_error_code(msg) : GR_OK;
    uint64_t id;
    struct later *l = NULL;

    if (gri_sched_foreign(&rt->sched))
        rc = GR_EINVAL;
    if (rc == GR_OK)
        rc = check_target(rt, to);
    if (rc == GR_OK)
        rc = gri_check_bytes(rt, gri_message_bytes(msg));
    if (rc == GR_OK && (l = gri_new0(struct later)) == NULL)
        rc = GR_ENOMEM;
    if (l == NULL) {
        gr_value_unref(msg);
        return rc;
    }
    *l = (struct later){ .rt = rt, .to = to, .msg = msg };
    l->envelope.kind = GRI_LATER;
    l->task = (struct gri_task){ .run = due_run, .name = "later" };
    l->envelope.bytes = gri_message_bytes(msg);
    gri_charge(rt, l->envelope.bytes);
    gri_timer_init(&l->timer, later_fire);
    rc = enter(l);
    if (rc != GR_OK) {
        later_free(l);
        return rc;
    }
    id = l->id;
    gri_timer_start(&rt->sched, &l->timer, gri_deadline_after(&rt->sched, ms > 0 ? ms : 0));
    if (ret_timer != NULL)
        *ret_timer = (gr_timer){ .node = rt->node, .id = id };
    return GR_OK;
}

bool gr_cancel_timer(gr_runtime *rt, gr_timer timer)
{
    struct gri_laters *table = &rt->laters;
    struct later *l = NULL;
    bool stopped = false;

    gri_lock(&table->lock);
    if (timer.node == rt->node && !gri_sched_foreign(&rt->sched))
        l = gri_map_del(&table->by_id, timer.id);
    /* under the lock: who has l on the way must take the lock before it frees l */
    if (l != NULL)
        stopped = gri_timer_cancel(&rt->sched, &l->timer);
    gri_unlock(&table->lock);
    if (stopped)
        later_free(l);
    return l != NULL;
}

void gri_laters_init(struct gri_laters *table, uint64_t seed, size_t max)
{
    gri_map_init(&table->by_id, seed);
    table->max = max;
}

void gri_laters_stop(struct gri_laters *table)
{
    const struct gri_map_slot *slot;
    struct later *stopped = NULL, *l;
    size_t at = 0;

    gri_lock(&table->lock);
    table->closed = true;
    while ((slot = gri_map_next(&table->by_id, &at)) != NULL) {
        l = slot->value;
        if (!gri_timer_cancel(&l->rt->sched, &l->timer))
            continue; /* on its way to a worker, which will find no actor */
        l->envelope.next = stopped != NULL ? &stopped->envelope : NULL;
        stopped = l;
    }
    while ((l = stopped) != NULL) {
        struct gri_envelope *next = l->envelope.next;

        gri_map_del(&table->by_id, l->id);
        stopped = next != NULL ? gri_container_of(next, struct later, envelope) : NULL;
        later_free(l);
    }
    gri_unlock(&table->lock);
}

void gri_laters_fini(struct gri_laters *table)
{
    gri_map_fini(&table->by_id);
}
