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

gr_value *gri_ref_name(gr_runtime *rt, gr_ref ref)
{
    gr_value *err = NULL, *name;
    struct gri_actor *a = gri_actor_pin(rt, ref, &err);

    gr_value_unref(err);
    if (a == NULL)
        return gr_str("remote");
    name = gr_str(gri_actor_name(a));
    gri_actor_unpin(a);
    return name;
}

gr_value *gri_ref_args(gr_runtime *rt, gr_ref ref, const gr_class *cls)
{
    gr_value *err = NULL, *args = NULL;
    struct gri_actor *a = gri_actor_pin(rt, ref, &err);

    gr_value_unref(err);
    if (a == NULL)
        return NULL;
    if (a->klass->cls == cls)
        args = gr_value_ref(a->args);
    gri_actor_unpin(a);
    return args;
}

gr_ref gri_actor_ref(const struct gri_actor *a)
{
    return (gr_ref){ .node = a->rt->node,
                     .id = atomic_load_explicit(&a->id, memory_order_relaxed) };
}

void gri_actor_ready_turn(struct gri_actor *a)
{
    if (a->pin != 0)
        gri_ready_on(&a->rt->sched, &a->turn, a->pin - 1);
    else
        gri_ready(&a->rt->sched, &a->turn);
}

/* ---- pins and places ------------------------------------------------------------------------- */

/* look_finished has the actor finished if it may end; `load` is what was left of it. */
static void look_finished(struct gri_actor *a, uint64_t load)
{
    union gri_two old, to;

    if (!GRI_LOAD_OVER(load))
        return;
    gri_point(GRI_AT_UNPIN);
    old = gri_twin_read(&a->inbox);
    do {
        /* Pinned again, or a turn is on its way, whose end looks itself; or it is the slot's next actor
         * already. Whatever it is: who makes an idle actor CLOSED may finish it. */
        if (!GRI_LOAD_OVER(old.load) || gri_inbox_top(old.head) != GRI_IDLE)
            return;
        to.head = gri_inbox_head(old.head, GRI_CLOSED);
        to.load = old.load;
    } while (!gri_twin_swap(&a->inbox, &old, to));
    a->turn.run = gri_actor_finish_run; /* no turn is queued or running */
    gri_actor_ready_turn(a);
}

void gri_actor_unpin(struct gri_actor *a)
{
    look_finished(a, gri_twin_add(&a->inbox, -GRI_PIN) - GRI_PIN);
}

/* Waking senders for each place would cost a switch a message. The load was changed in seq_cst order:
 * pairs with a waiting sender, which sets room_wanted and then looks at it. */
void gri_actor_look_for_room(struct gri_actor *a, uint64_t load)
{
    if (atomic_load(&a->room_wanted) && gri_load_places(load) <= atomic_load(&a->admit) / 2)
        gri_actor_wake_senders(a);
}

void gri_actor_unqueue(struct gri_actor *a)
{
    gri_actor_look_for_room(a, gri_twin_add(&a->inbox, -GRI_PLACE) - GRI_PLACE);
}

void gri_actor_leave(struct gri_actor *a)
{
    uint64_t load = gri_twin_add(&a->inbox, -(GRI_PLACE + GRI_PIN)) - (GRI_PLACE + GRI_PIN);

    gri_actor_look_for_room(a, load); /* at once, while who waits there has a pin */
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
    uint64_t debt = gri_actor_debt(a);

    if (debt == 0)
        return;
    gri_actor_handled(a, a->owed);
    a->owed = a->owed_pins = 0;
    /* it does not end by that: the turn is not over */
    gri_actor_look_for_room(a, gri_twin_add(&a->inbox, -debt) - debt);
}

void gri_actor_offer_room(struct gri_actor *a)
{
    if (atomic_load(&a->room_wanted) && gri_load_places(gri_actor_load(a)) < atomic_load(&a->admit))
        gri_actor_wake_senders(a);
}

/* is_full tells whether there is no room for so many bytes more. */
static bool is_full(struct gri_actor *a, uint32_t bytes)
{
    const struct gri_bounds *b = gri_actor_bounds(a);
    int64_t held = b != NULL && b->bytes_max != 0 ? atomic_load(&b->bytes) : 0;

    return gri_load_places(gri_actor_load(a)) >= atomic_load(&a->admit) ||
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
static bool is_gone(struct gri_actor *a)
{
    uint32_t flags = atomic_load_explicit(&a->flags, memory_order_relaxed);

    return (flags & (GRI_STOPPING | GRI_FAILED)) != 0 && (flags & GRI_SAID) == 0;
}

static bool takes_calls(struct gri_actor *a)
{
    return (atomic_load(&a->flags) & (GRI_STOPPING | GRI_FAILED)) == 0;
}

static struct gri_actor *find(gr_runtime *rt, gr_ref ref)
{
    return ref.node == rt->node ? gri_registry_find(&rt->registry, ref.id) : NULL;
}

/* pin_slot pins whatever stage of its life the actor `id` is in; false: it has given its slot back, or
 * there are too many pins. */
static bool pin_slot(struct gri_actor *a, uint64_t id, bool live)
{
    union gri_two old = gri_twin_read(&a->inbox), to;

    gri_point(GRI_AT_PIN);
    do {
        if ((!gri_inbox_is(old, id) && !GRI_PLANTED(STALE_REF)) ||
            (live && (old.load & GRI_LOAD_DRAINED) != 0) || gri_load_pins(old.load) >= GRI_PINS_MAX)
            return false;
        to = old;
        to.load += GRI_PIN;
    } while (!gri_twin_swap(&a->inbox, &old, to));
    gri_point(GRI_AT_PINNED);
    /* only now is it sure that the slot is not given back under our hands: see give_back in exit.c */
    if (atomic_load(&a->id) == id || GRI_PLANTED(STALE_REF))
        return true;
    gri_actor_unpin(a);
    return false;
}

struct gri_actor *gri_actor_pin_id(gr_runtime *rt, uint64_t id, bool live)
{
    struct gri_actor *a = gri_registry_find(&rt->registry, id);

    return a != NULL && pin_slot(a, id, live) ? a : NULL;
}

struct gri_actor *gri_actor_pin(gr_runtime *rt, gr_ref ref, gr_value **ret_err)
{
    struct gri_actor *a = find(rt, ref);

    if (a == NULL || is_gone(a) || !pin_slot(a, ref.id, false)) {
        *ret_err = a != NULL && atomic_load(&a->id) == ref.id && takes_calls(a)
                       ? gr_error(GR_EFULL, "too many calls hold the actor")
                       : gri_ref_error(rt, ref);
        return NULL;
    }
    if (takes_calls(a))
        return a;
    if ((atomic_load(&a->flags) & GRI_SAID) != 0)
        *ret_err = gri_actor_error(a, a->klass->cls->name);
    else
        *ret_err = gri_ref_error(rt, ref);
    gri_actor_unpin(a);
    return NULL;
}

/* no_place says why there is none for another message, and does what the policy asks for. */
static __attribute__((noinline, cold)) gr_value *no_place(gr_runtime *rt, gr_ref to)
{
    gr_value *err = NULL;
    struct gri_actor *a = gri_actor_pin(rt, to, &err);
    const struct gri_bounds *b;
    bool late;

    if (a == NULL)
        return err;
    b = gri_actor_bounds(a);
    late = b != NULL && b->queue_ns != 0 && gri_load_places(gri_actor_load(a)) < b->mailbox_max;
    err = gri_bounds_full(a, late ? GRI_COUNT_REFUSED_QUEUE_MS : GRI_COUNT_REFUSED_MAILBOX);
    gri_actor_unpin(a);
    return err;
}

void gri_note_depth(gr_runtime *rt, uint64_t depth)
{
    gri_raise(&rt->mailbox_high, (int64_t)depth);
}

/* enter_bounded is gri_actor_enter for an actor that has bounds, which only a pin lets us look at. */
static struct gri_actor *enter_bounded(gr_runtime *rt, gr_ref to, struct gri_envelope *e,
                                       gr_value **ret_err)
{
    struct gri_actor *a = gri_actor_pin(rt, to, ret_err);
    union gri_two old;
    enum gri_entry how;

    if (a == NULL)
        return NULL;
    how = gri_inbox_come(a, to.id, GRI_PLACE, NULL, &old);
    if (how == GRI_NO_ROOM && gri_bounds_would_start(a, gri_load_places(gri_actor_load(a))) &&
        !gri_fault(GRI_AT_MAILBOX_FULL)) {
        old.load = gri_twin_add(&a->inbox, GRI_PLACE);
        how = GRI_ENTERED;
    }
    if (how != GRI_ENTERED) {
        gri_actor_unpin(a);
        *ret_err = no_place(rt, to);
        return NULL;
    }
    gri_note_depth(rt, gri_load_places(old.load) + 1);
    e->placed = true;
    if (gri_bounds_enter(a, e))
        return a;
    gri_envelope_leave(a, e);
    *ret_err = gri_bounds_full(a, GRI_COUNT_REFUSED_MAILBOX_BYTES);
    gri_actor_unpin(a);
    return NULL;
}

struct gri_actor *gri_actor_enter(gr_runtime *rt, gr_ref to, struct gri_envelope *e,
                                  gr_value **ret_err)
{
    struct gri_actor *a = find(rt, to);
    union gri_two old;

    if (a == NULL || is_gone(a)) {
        *ret_err = gri_ref_error(rt, to);
        return NULL;
    }
    if ((atomic_load_explicit(&a->flags, memory_order_relaxed) & GRI_BOUNDED) != 0)
        return enter_bounded(rt, to, e, ret_err);
    if (gri_inbox_come(a, to.id, GRI_PLACE + GRI_PIN, NULL, &old) != GRI_ENTERED) {
        *ret_err = no_place(rt, to);
        return NULL;
    }
    gri_point(GRI_AT_PINNED);
    e->placed = true;
    if (takes_calls(a)) {
        gri_note_depth(rt, gri_load_places(old.load) + 1);
        return a;
    }
    e->placed = false;
    gri_actor_leave(a);
    *ret_err = no_place(rt, to);
    return NULL;
}
