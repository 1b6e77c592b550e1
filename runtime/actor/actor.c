/* SPDX-License-Identifier: Apache-2.0 */
/* actor.c - an actor's pins, and the room in its mailbox. See actor.h. */
#include "runtime/actor/actor.h"

#include "runtime/actor/bounds.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/base/alloc.h"

const char *gri_actor_name(const struct gri_actor *a)
{
    const struct gri_rare *r = gri_actor_rare(a);

    return r != NULL && r->name != NULL ? r->name : a->klass->cls->name;
}

gr_ref gri_actor_ref(const struct gri_actor *a)
{
    return (gr_ref){ .node = a->rt->node,
                     .id = atomic_load_explicit(&a->id, memory_order_relaxed) };
}

void gri_actor_ready_task(struct gri_actor *a)
{
    if (a->pin != 0)
        gri_ready_on(&a->rt->sched, &a->turn, a->pin - 1);
    else
        gri_ready(&a->rt->sched, &a->turn);
}

void gri_actor_ready_turn(struct gri_actor *a)
{
    atomic_fetch_add(&a->load, GRI_PIN);
    a->lent = false;
    gri_actor_ready_task(a);
}

/* ---- pins ------------------------------------------------------------------------------------ */

/* look_finished has the actor finished if nobody pins it: `load` is what was left of it. */
static void look_finished(struct gri_actor *a, uint64_t load)
{
    uint64_t over = GRI_LOAD_DRAINED;

    if ((uint32_t)load != (uint32_t)GRI_LOAD_DRAINED)
        return;
    gri_point(GRI_AT_UNPIN);
    /* The mark is in the same word as the pins, and taking it off claims the finish: so it is
     * claimed once, and only while there is no pin, however late we come to it. If the exchange
     * fails somebody has a pin again, and comes here when that goes. */
    if (!atomic_compare_exchange_strong(&a->load, &over, 0))
        return;
    a->turn.run = gri_actor_finish_run; /* no turn is queued or running: it would hold a pin */
    gri_actor_ready_task(a);
}

void gri_actor_unpin(struct gri_actor *a)
{
    look_finished(a, atomic_fetch_sub(&a->load, GRI_PIN) - GRI_PIN);
}

/* look_for_room wakes who waits for room, if a mailbox with this load is half empty: waking senders
 * for each place would cost a switch a message. The load was changed in seq_cst order: pairs with a
 * waiting sender, which sets room_wanted and then looks at it. */
static void look_for_room(struct gri_actor *a, uint64_t load)
{
    if (atomic_load(&a->room_wanted) && load >> 32 <= atomic_load(&a->admit) / 2)
        gri_actor_wake_senders(a);
}

void gri_actor_unqueue(struct gri_actor *a)
{
    look_for_room(a, atomic_fetch_sub(&a->load, GRI_ONE_QUEUED) - GRI_ONE_QUEUED);
}

void gri_actor_give_back(struct gri_actor *a, uint64_t debt)
{
    uint64_t load = atomic_fetch_sub(&a->load, debt) - debt;

    look_for_room(a, load); /* at once, while who waits there has a pin */
    look_finished(a, load);
}

gr_value *gri_ref_error(gr_runtime *rt, gr_ref ref)
{
    if (ref.node == 0 && ref.id != 0)
        return gr_error((gr_code)ref.id, "the ref is broken: its actor could not be made");
    if (ref.node == 0)
        return gr_error(GR_EINVAL, "no actor: the ref is empty");
    if (ref.node != rt->node)
        return gr_error(GR_EUNREACH, "the ref belongs to another node, which is not linked");
    return gr_error(GR_EDEAD, "the actor has stopped");
}

void gri_actor_wake_senders(struct gri_actor *a)
{
    struct gri_rare *r;
    struct gri_list *n;

    /* seq_cst: a sender sets it, then looks at load and flags, which the caller has changed */
    if (!atomic_load(&a->room_wanted))
        return;
    gri_lock(&a->tie_lock); /* the caller may have no pin any more, so `rare` may go meanwhile */
    r = gri_actor_rare(a);
    while (r != NULL && (n = gri_list_pop(&r->room)) != NULL) {
        struct gri_room *room = gri_container_of(n, struct gri_room, node);

        /* under the lock: the sender takes it to leave its frame */
        gri_park_wake(&room->park, GRI_WOKEN);
    }
    atomic_store_explicit(&a->room_wanted, false, memory_order_relaxed);
    gri_unlock(&a->tie_lock);
}

void gri_actor_settle(struct gri_actor *a)
{
    uint64_t back = gri_actor_debt(a) - GRI_PIN;

    a->owed = 0;
    a->lent = false;
    if (back != 0) /* without a message taken, but a pin lent, it is one pin less than nothing */
        gri_actor_give_back(a, back);
}

void gri_actor_offer_room(struct gri_actor *a)
{
    if (atomic_load(&a->room_wanted) && atomic_load(&a->load) >> 32 < atomic_load(&a->admit))
        gri_actor_wake_senders(a);
}

/* is_full tells whether there is no room for so many bytes more. */
static bool is_full(struct gri_actor *a, uint32_t bytes)
{
    const struct gri_bounds *b = a->bounds;
    int64_t held = b != NULL && b->bytes_max != 0 ? atomic_load(&b->bytes) : 0;

    return atomic_load(&a->load) >> 32 >= atomic_load(&a->admit) ||
           (held != 0 && held + bytes > b->bytes_max);
}

gr_code gri_actor_wait_room(struct gri_actor *a, uint32_t bytes)
{
    struct gri_rare *r = gri_rare_make(a);
    struct gri_room room;
    uint32_t why = 0;
    gr_code rc = GR_OK;

    if (r == NULL)
        return GR_ENOMEM;
    gri_park_init(&room.park);
    gri_list_init(&room.node);
    gri_lock(&a->tie_lock);
    gri_list_push(&r->room, &room.node);
    atomic_store(&a->room_wanted, true); /* seq_cst: before it looks at load and flags */
    gri_unlock(&a->tie_lock);
    gri_point(GRI_AT_ROOM_WAIT);
    if (is_full(a, bytes) && (atomic_load(&a->flags) & GRI_STOPPING) == 0)
        rc = gri_park_wait(&room.park, GRI_NEVER, true, &why);
    gri_lock(&a->tie_lock);
    gri_list_remove(&room.node);
    if (gri_list_empty(&r->room))
        atomic_store_explicit(&a->room_wanted, false, memory_order_relaxed);
    gri_unlock(&a->tie_lock);
    if (rc == GR_OK && why == GRI_INTERRUPTED)
        rc = GR_EINTR;
    return rc;
}

/* is_gone looks before anything is pinned, so that who keeps calling a stopped actor does not hold
 * up its end. One that has an error to tell is pinned first. */
static bool is_gone(struct gri_actor *a, gr_ref ref)
{
    uint32_t flags = atomic_load(&a->flags);

    return atomic_load(&a->id) != ref.id ||
           ((flags & (GRI_STOPPING | GRI_FAILED)) != 0 && (flags & GRI_SAID) == 0);
}

/* has_no_place tells whether a mailbox that holds depth messages takes no more. */
static bool has_no_place(const struct gri_actor *a, uint64_t depth)
{
    uint32_t admit = atomic_load_explicit(&a->admit, memory_order_relaxed);

    return (depth >= admit && !gri_bounds_would_start(a, depth)) ||
           (admit != UINT32_MAX && gri_fault(GRI_AT_MAILBOX_FULL));
}

/* not_pinned takes a pin, and a place, back that is not to be had: old is the load before. */
static __attribute__((noinline, cold)) struct gri_actor *not_pinned(gr_runtime *rt,
                                                                    struct gri_actor *a, gr_ref ref,
                                                                    bool queue, uint64_t old,
                                                                    gr_value **ret_err)
{
    /* only while it is still the same actor may its reason be read: our pin keeps it so, see
     * give_back in exit.c */
    bool same = atomic_load(&a->id) == ref.id;
    uint32_t flags = atomic_load(&a->flags);

    if (same && (flags & (GRI_STOPPING | GRI_FAILED)) == 0)
        *ret_err = gri_bounds_full(a, a->bounds != NULL && a->bounds->queue_ns != 0 &&
                                              old >> 32 < a->bounds->mailbox_max
                                          ? GRI_COUNT_REFUSED_QUEUE_MS
                                          : GRI_COUNT_REFUSED_MAILBOX);
    else if (same && (flags & GRI_SAID) != 0)
        *ret_err = gri_actor_error(a, a->klass->cls->name);
    else
        *ret_err = gri_ref_error(rt, ref);
    if (queue)
        gri_actor_unqueue(a);
    gri_actor_unpin(a);
    return NULL;
}

static inline struct gri_actor *pin(gr_runtime *rt, gr_ref ref, bool queue, gr_value **ret_err)
{
    struct gri_actor *a = ref.node == rt->node ? gri_registry_find(&rt->registry, ref.id) : NULL;
    uint64_t old;

    if (a == NULL || is_gone(a, ref)) {
        *ret_err = gri_ref_error(rt, ref);
        return NULL;
    }
    gri_point(GRI_AT_PIN);
    old = atomic_fetch_add(&a->load, queue ? GRI_PIN + GRI_ONE_QUEUED : GRI_PIN);
    gri_point(GRI_AT_PINNED);
    if ((atomic_load(&a->id) != ref.id && !GRI_PLANTED(STALE_REF)) ||
        (atomic_load(&a->flags) & (GRI_STOPPING | GRI_FAILED)) != 0 ||
        (queue && has_no_place(a, old >> 32)))
        return not_pinned(rt, a, ref, queue, old, ret_err);
    if (queue)
        gri_raise(&rt->mailbox_high, (int64_t)(old >> 32) + 1);
    return a;
}

struct gri_actor *gri_actor_pin(gr_runtime *rt, gr_ref ref, gr_value **ret_err)
{
    return pin(rt, ref, false, ret_err);
}

struct gri_actor *gri_actor_enter(gr_runtime *rt, gr_ref to, struct gri_envelope *e,
                                  gr_value **ret_err)
{
    struct gri_actor *a = pin(rt, to, true, ret_err);

    if (a == NULL)
        return NULL;
    e->placed = true;
    if (a->bounds == NULL || gri_bounds_enter(a, e))
        return a;
    gri_envelope_leave(a, e);
    *ret_err = gri_bounds_full(a, GRI_COUNT_REFUSED_MAILBOX_BYTES);
    gri_actor_unpin(a);
    return NULL;
}
