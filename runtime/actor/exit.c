/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exit.c - the end of an actor, in order: it is told to stop or to exit; its mailbox is refused and
 * its handlers end (turn.c); when nobody pins it any more, terminate; then all who want to know are
 * told; last its slot is given back.
 *
 * A call that a native composition has begun keeps its pin and runs to its end; the actor, which is
 * stateless, ends after it.
 */
#include "runtime/actor/elsewhere.h"
#include "runtime/actor/held.h"
#include "runtime/actor/mailbox.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/actor/tie.h"
#include "runtime/base/alloc.h"
#include "runtime/base/log.h"

#include <string.h>

/* ---- reasons --------------------------------------------------------------------------------- */

gr_code gri_reasons_init(struct gri_reasons *r)
{
    *r = (struct gri_reasons){ .normal = gr_str("normal"),
                               .shutdown = gr_str("shutdown"),
                               .killed = gr_str("killed"),
                               .noproc = gr_str("noproc"),
                               .noconnection = gr_str("noconnection") };
    if (gr_error_code(r->normal) == GR_OK && gr_error_code(r->shutdown) == GR_OK &&
        gr_error_code(r->killed) == GR_OK && gr_error_code(r->noproc) == GR_OK &&
        gr_error_code(r->noconnection) == GR_OK)
        return GR_OK;
    return GR_ENOMEM;
}

void gri_reasons_fini(struct gri_reasons *r)
{
    gr_value_unref(r->normal);
    gr_value_unref(r->shutdown);
    gr_value_unref(r->killed);
    gr_value_unref(r->noproc);
    gr_value_unref(r->noconnection);
}

static bool is_kept(const gr_runtime *rt, const gr_value *reason)
{
    return reason == rt->reasons.normal || reason == rt->reasons.shutdown;
}

gr_value *gri_reason_hold(const gr_runtime *rt, const gr_value *reason)
{
    return is_kept(rt, reason) ? (gr_value *)(uintptr_t)reason : gr_value_ref(reason);
}

void gri_reason_drop(const gr_runtime *rt, gr_value *reason)
{
    if (!is_kept(rt, reason))
        gr_value_unref(reason);
}

bool gr_reason_is(const gr_value *reason, const char *word)
{
    return gr_value_type(reason) == GR_STR && strcmp(gr_cstr(reason, ""), word) == 0;
}

bool gr_reason_clean(const gr_value *reason)
{
    if (gr_value_type(reason) == GR_MAP)
        return gr_len(reason) == 1 && gr_get(reason, "shutdown") != NULL;
    return gr_reason_is(reason, "normal") || gr_reason_is(reason, "shutdown");
}

/* exit_error is what calls get that an exit fails. */
static gr_value *exit_error(gr_value *reason GR_TAKES)
{
    bool crash = gr_value_type(reason) == GR_ERROR;
    gr_value *err = gr_error(GR_EBROKEN, "the actor exited: %s",
                             crash ? gr_error_text(reason) : gr_cstr(reason, "see detail"));

    err = gr_error_with(err, "kind", gr_str("ActorExit"));
    return gr_error_with(err, crash ? "cause" : "detail", reason);
}

gr_value *gri_actor_error(struct gri_actor *a, const char *where)
{
    gr_value *reason, *err;
    uint32_t flags;

    gri_lock(&a->tie_lock);
    reason = gr_value_ref(a->reason);
    flags = atomic_load(&a->flags);
    gri_unlock(&a->tie_lock);
    if ((flags & (GRI_FAILED | GRI_EXITING)) == GRI_FAILED)
        return reason;
    if ((flags & GRI_EXITING) == 0 || gr_reason_is(reason, "normal")) {
        gr_value_unref(reason);
        err = gr_error(GR_EDEAD, "the actor has stopped");
    } else {
        err = exit_error(reason);
    }
    return where != NULL ? gr_error_with(err, "where", gr_str(where)) : err;
}

/* ---- being told to end ----------------------------------------------------------------------- */

void gri_actor_stop(struct gri_actor *a, const gr_value *reason)
{
    bool first;

    gri_lock(&a->tie_lock);
    first = (atomic_load(&a->flags) & GRI_STOPPING) == 0;
    if (first && a->reason == NULL)
        a->reason = gri_reason_hold(a->rt, reason);
    if (first)
        atomic_fetch_or(&a->flags, GRI_STOPPING); /* seq_cst: before kick looks at the inbox */
    gri_unlock(&a->tie_lock);
    if (!first)
        return;
    gri_point(GRI_AT_STOP);
    gri_mailbox_kick(a);
    gri_actor_wake_senders(a);
}

void gri_exit_locked(struct gri_actor *a, const gr_value *reason, bool kill, struct gri_told *t)
{
    uint32_t flags = atomic_load(&a->flags);

    if ((flags & GRI_KILLED) != 0 || ((flags & GRI_EXITING) != 0 && !kill))
        return;
    gri_pin_locked(a, t);
    if (t->last && !kill)
        return; /* it is at its end, for the reason that it had */
    t->exits = true;
    t->drop = is_kept(a->rt, a->reason) ? NULL : a->reason;
    a->reason = gri_reason_hold(a->rt, reason);
    /* seq_cst: before kick looks at the inbox */
    atomic_fetch_or(&a->flags, GRI_STOPPING | GRI_EXITING | GRI_SAID | (kill ? GRI_KILLED : 0));
}

bool gri_exit_by_link_locked(struct gri_actor *a, const gr_value *reason, struct gri_told *t)
{
    if ((atomic_load(&a->flags) & GRI_TRAPS) != 0)
        return false;
    if (!gr_reason_is(reason, "normal"))
        gri_exit_locked(a, reason, false, t);
    return true;
}

void gri_actor_exit(struct gri_actor *a, gr_value *reason)
{
    struct gri_told told = { .actor = NULL };

    gri_lock(&a->tie_lock);
    if ((atomic_load(&a->flags) & GRI_DEAD) == 0)
        gri_exit_locked(a, reason, false, &told);
    gri_unlock(&a->tie_lock);
    gri_told_done(&told);
    gr_value_unref(reason);
}

/* ---- death ----------------------------------------------------------------------------------- */

/*
 * end tells all who are tied to a that it has ended, or, with reason NULL, that it never was. What is
 * in the tables when DEAD is set is told, and nothing is added later: see tie.h.
 */
static void end(struct gri_actor *a, struct gri_rare *r, gr_ref who, const gr_value *reason)
{
    struct gri_map links, monitors;
    struct gri_signal *s;

    if (r == NULL)
        return;
    gri_lock(&a->tie_lock);
    links = r->links;
    monitors = r->monitors;
    r->links = r->monitors = (struct gri_map){ .count = 0 };
    gri_unlock(&a->tie_lock);
    while ((s = gri_signal_take(a)) != NULL)
        s->run(a, s, false);
    gri_bonds_break(a, &links, who, reason);
    gri_monitors_forget(a, &monitors);
    gri_watchers_fire(a, &r->watchers, who, reason);
    gri_map_fini(&links);
    gri_map_fini(&monitors);
}

/* set_dead: false, it was dead already. */
static bool set_dead(struct gri_actor *a)
{
    uint32_t before;

    gri_lock(&a->tie_lock);
    before = atomic_fetch_or(&a->flags, GRI_DEAD);
    gri_unlock(&a->tie_lock);
    return (before & GRI_DEAD) == 0;
}

void gri_actor_die(struct gri_actor *a)
{
    gri_names_release(a);
    gri_point(GRI_AT_NAME_GONE);
    if (set_dead(a)) /* from here on its reason stays, and so do its tables */
        end(a, gri_actor_rare(a), gri_actor_ref(a), a->reason);
}

void gri_actor_forget(struct gri_actor *a)
{
    set_dead(a);
    end(a, gri_actor_rare(a), (gr_ref){ 0, 0 }, NULL);
}

/* ---- the last steps -------------------------------------------------------------------------- */

static struct gri_actor *actor_of(struct gri_task *t)
{
    return gri_container_of(t, struct gri_actor, turn);
}

/* drop_reason: who finds the actor without a pin may be about to tell its reason: see gri_past_reason_locked. */
static void drop_reason(struct gri_actor *a)
{
    gr_value *reason;

    if (a->reason == NULL)
        return;
    gri_lock(&a->tie_lock);
    reason = a->reason;
    a->reason = NULL;
    gri_unlock(&a->tie_lock);
    gri_reason_drop(a->rt, reason);
}

/*
 * give_back makes the slot free for another actor. Somebody who pinned it a moment ago, to find
 * that the actor has stopped, may still read its reason, count in its bounds that a call of its has
 * ended or, in a pass over the scope, tell it to stop. That takes a few instructions; who comes later finds another id.
 */
static void give_back(struct gri_task *t)
{
    struct gri_actor *a = actor_of(t);

    if (gri_load_pins(gri_actor_load(a)) != 0) {
        gri_ready_later(&a->rt->sched, t);
        return;
    }
    /* acquire: what the last to unpin it has read; `head` is the word that tells: see twin.h */
    (void)atomic_load_explicit(&a->inbox.head, memory_order_acquire);
    drop_reason(a);
    gri_rare_free(a);
    gri_registry_give(&a->rt->registry, gri_worker_of(&a->rt->sched), a, a->last_id);
}

/* stands_in tells an actor that ends because one of another node has. */
static bool stands_in(const struct gri_actor *a)
{
    return a->klass->cls == gri_far.stand_in || a->klass->cls == gri_far.lent;
}

/* say_farewell runs terminate, unless the actor was killed or never began. */
static void say_farewell(struct gri_actor *a)
{
    gr_value *reason;
    uint32_t flags;

    if (a->klass->cls->terminate == NULL && (atomic_load(&a->flags) & GRI_EXITING) == 0)
        return; /* there is nothing to run, and it did not crash */
    gri_lock(&a->tie_lock);
    flags = atomic_load(&a->flags);
    reason = gr_value_ref(a->reason);
    gri_unlock(&a->tie_lock);
    if (a->klass->cls->terminate != NULL && (flags & (GRI_KILLED | GRI_FAILED)) == 0)
        gri_handle_terminate(a, reason);
    if (gr_value_type(reason) == GR_ERROR && (flags & GRI_FAILED) == 0 && !stands_in(a))
        gri_log_actor(GRI_LOG_INFO, gri_actor_name(a), "%s crashed: %s", gri_actor_name(a),
                      gr_code_name(gr_error_code(reason)));
    gr_value_unref(reason);
}

/* Nobody else uses the actor's turn or state any more. */
void gri_actor_finish_run(struct gri_task *t)
{
    struct gri_actor *a = actor_of(t);
    uint64_t id = atomic_load_explicit(&a->id, memory_order_relaxed);

    say_farewell(a); /* may wait, and go on on another worker */
    gri_held_fail(a);
    gri_actor_die(a);
    if (a->klass->cls->stopped != NULL)
        a->klass->cls->stopped(a->self, a->args);
    gr_value_unref(a->args);
    a->last_id = id;
    /* From here on a sender finds no actor; the slot's memory stays. seq_cst: before give_back looks
     * for pins; pairs with a sender, which pins and then looks at the id. */
    atomic_store(&a->id, 0);
    gri_actor_free_state(a);
    gri_scope_leave(&a->member); /* the runtime stays until its workers, so this task, are done */
    a->turn.run = give_back;
    give_back(t);
}
