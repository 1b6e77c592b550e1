/* SPDX-License-Identifier: Apache-2.0 */
/* signal.c - what an actor is told ahead of its mailbox, and exit signals that somebody sends. See
 * tie.h. */
#include "runtime/actor/ctx.h"
#include "runtime/actor/elsewhere.h"
#include "runtime/actor/held.h"
#include "runtime/actor/mailbox.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/actor/tie.h"
#include "runtime/base/alloc.h"
#include "runtime/base/log.h"
#include "runtime/value/value_bytes.h"

#define GRI_REASONS_BYTES_MAX ((size_t)1024 * 1024) /* of exit signals that one actor has waiting */

/* ---- the queue ------------------------------------------------------------------------------- */

/* The pin keeps the actor from being finished, unless that has begun: then it has no turn to be
 * kicked. */
void gri_pin_locked(struct gri_actor *a, struct gri_told *t)
{
    union gri_two old = gri_twin_read(&a->inbox), to;

    do {
        to = old;
        to.load += GRI_PIN;
    } while (!gri_twin_swap(&a->inbox, &old, to));
    t->actor = a;
    t->last = gri_inbox_top(old.head) == GRI_CLOSED;
}

void gri_signal_push_locked(struct gri_actor *a, struct gri_signal *s, struct gri_told *t)
{
    struct gri_rare *r = gri_actor_rare(a); /* it has ties, or has been made ready for signals */

    s->next = NULL;
    if (r->tail == NULL)
        r->tail = &r->signals;
    *r->tail = s;
    r->tail = &s->next;
    /* seq_cst: before kick looks whether the turn is idle; see rest() in turn.c */
    atomic_fetch_or(&a->flags, GRI_SIGNALS);
    gri_pin_locked(a, t);
}

struct gri_signal *gri_signal_take(struct gri_actor *a)
{
    struct gri_rare *r = gri_actor_rare(a);
    struct gri_signal *s;

    if (r == NULL)
        return NULL;
    gri_lock(&a->tie_lock);
    s = r->signals;
    if (s != NULL)
        r->signals = s->next;
    if (r->signals == NULL) {
        r->tail = NULL;
        atomic_fetch_and(&a->flags, ~(uint32_t)GRI_SIGNALS);
    }
    gri_unlock(&a->tie_lock);
    return s;
}

void gri_told_done(struct gri_told *t)
{
    struct gri_actor *a = t->actor;

    if (a != NULL) {
        gri_point(GRI_AT_SIGNAL);
        if (t->exits)
            gri_held_interrupt(a);
        if (!t->last)
            gri_mailbox_kick(a);
        if (t->exits)
            gri_actor_wake_senders(a);
        gri_actor_unpin(a);
    }
    gr_value_unref(t->drop);
}

/* ---- exit signals ---------------------------------------------------------------------------- */

/* An exit signal for an actor that traps exits. */
struct notice {
    struct gri_signal signal;
    gr_ref from;
    gr_value *reason; /* counted */
    size_t bytes;     /* of it */
};

static void notice_run(struct gri_actor *a, struct gri_signal *s, bool live)
{
    struct notice *n = gri_container_of(s, struct notice, signal);

    if (live) {
        gri_lock(&a->tie_lock);
        gri_actor_rare(a)->tie_count--;
        gri_actor_rare(a)->reason_bytes -= n->bytes;
        gri_unlock(&a->tie_lock);
        gri_handle_exited(a, n->from, n->reason);
    }
    gr_value_unref(n->reason);
    gri_free(n);
}

static struct notice *notice_new(gr_ref from, const gr_value *reason)
{
    struct notice *n = gri_new0(struct notice);

    if (n == NULL)
        return NULL;
    n->signal.run = notice_run;
    n->reason = gr_value_ref(reason);
    n->bytes = gri_value_bytes(reason);
    n->from = from;
    return n;
}

/* has_room_locked: reasons may be as large as messages are. One of any size may wait. */
static bool has_room_locked(struct gri_actor *a, const struct notice *n)
{
    size_t waiting = gri_actor_rare(a)->reason_bytes;

    return gri_tie_room(a) && (waiting == 0 || waiting + n->bytes <= GRI_REASONS_BYTES_MAX);
}

/* exit_live_locked does what the signal does to a live actor. GR_EPENDING: it traps exits, and there
 * is no notice yet; *n is NULL once it is sent. */
static gr_code exit_live_locked(struct gri_actor *a, const gr_value *reason, bool to_itself,
                                struct notice **n, struct gri_told *t)
{
    if (gr_reason_is(reason, "kill")) {
        gri_exit_locked(a, a->rt->reasons.killed, true, t);
        return GR_OK;
    }
    if ((atomic_load(&a->flags) & GRI_TRAPS) == 0) {
        if (to_itself || !gr_reason_is(reason, "normal"))
            gri_exit_locked(a, reason, false, t);
        return GR_OK;
    }
    if (*n == NULL)
        return GR_EPENDING;
    if (!has_room_locked(a, *n))
        return GR_EFULL;
    gri_actor_rare(a)->tie_count++;
    gri_actor_rare(a)->reason_bytes += (*n)->bytes;
    gri_signal_push_locked(a, &(*n)->signal, t);
    *n = NULL;
    return GR_OK;
}

/* The slot of a may be another actor's by now, until its lock is held. */
static gr_code exit_actor(struct gri_actor *a, gr_ref to, gr_ref from, const gr_value *reason)
{
    bool to_itself = from.node == to.node && from.id == to.id;
    struct notice *n = NULL;
    struct gri_told told = { .actor = NULL };
    gr_code rc;

    do {
        gri_lock(&a->tie_lock);
        rc = gri_is_live(a, to.id) ? exit_live_locked(a, reason, to_itself, &n, &told) : GR_EDEAD;
        gri_unlock(&a->tie_lock);
        if (rc == GR_EPENDING &&
            (!gri_ties_ready(a, to.id) || (n = notice_new(from, reason)) == NULL))
            rc = GR_ENOMEM;
    } while (rc == GR_EPENDING);
    if (n != NULL)
        gr_value_unref(n->reason);
    gri_free(n);
    gri_told_done(&told);
    return rc;
}

gr_code gri_exit_from(gr_runtime *rt, gr_ref to, gr_ref from, const gr_value *reason)
{
    struct gri_actor *a = NULL;
    gr_code rc = gri_tie_target(rt, to, &a);

    if (rc != GR_OK || a == NULL)
        return rc == GR_OK ? GR_EDEAD : rc;
    return gri_tie_is_far(a, to.id) ? gri_far.exit(rt, to, from, reason)
                                    : exit_actor(a, to, from, reason);
}

gr_code gr_exit_to(gr_runtime *rt, gr_ref to, gr_value *reason)
{
    struct gr_ctx *c = gri_ctx_current(rt);
    gr_ref from = c != NULL ? gri_actor_ref(c->actor) : (gr_ref){ 0, 0 };
    gr_code rc = reason != NULL ? gri_exit_from(rt, to, from, reason) : GR_EINVAL;

    gr_value_unref(reason);
    return rc;
}

void gri_exit_ref(gr_runtime *rt, gr_ref who, const gr_value *reason)
{
    struct gri_actor *a = gri_registry_find(&rt->registry, who.id);
    struct gri_told told = { .actor = NULL };

    if (a == NULL)
        return;
    gri_lock(&a->tie_lock);
    if (gri_is_live(a, who.id))
        gri_exit_locked(a, reason, false, &told);
    gri_unlock(&a->tie_lock);
    gri_told_done(&told);
}

void gri_trap_ref(gr_runtime *rt, gr_ref who)
{
    struct gri_actor *a = gri_registry_find(&rt->registry, who.id);

    if (a == NULL)
        return;
    gri_lock(&a->tie_lock);
    if (gri_is_live(a, who.id))
        atomic_fetch_or(&a->flags, GRI_TRAPS);
    gri_unlock(&a->tie_lock);
}

void gr_trap_exit(gr_ctx *c, bool on)
{
    struct gri_actor *a = c->actor;

    gri_lock(&a->tie_lock); /* so that a signal finds it either on or off */
    if (on)
        atomic_fetch_or(&a->flags, GRI_TRAPS);
    else
        atomic_fetch_and(&a->flags, ~(uint32_t)GRI_TRAPS);
    gri_unlock(&a->tie_lock);
}

/* ---- what nobody heeds ----------------------------------------------------------------------- */

void gri_dead_letter(gr_runtime *rt, const char *what)
{
    gri_count(rt->sched.ledger, GRI_COUNT_DEAD_LETTERS, 1);
    gri_log(GRI_LOG_DEBUG, "dead letter: %s", what);
}

uint64_t gr_dead_letters(gr_runtime *rt)
{
    return gri_count_total(rt->sched.ledger, GRI_COUNT_DEAD_LETTERS);
}
