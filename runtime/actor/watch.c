/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c - monitors, and futures of an actor's end. See tie.h. */
#include "runtime/actor/ctx.h"
#include "runtime/actor/elsewhere.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/actor/tie.h"
#include "runtime/async/future.h"
#include "runtime/base/alloc.h"

/*
 * A reference for the watcher's table, one for the target's list, which becomes the queued signal's
 * when the target ends.
 */
struct gri_monitor {
    struct gri_signal signal; /* in the watcher's queue */
    struct gri_watch watch;   /* in the target's list */
    _Atomic uint32_t refs;
    bool set;                           /* in the watcher's table; guarded by its tie_lock */
    struct gri_actor *watcher, *target; /* slots */
    uint64_t target_id;
    uint64_t number;
    gr_ref who;       /* as the watcher knows it; the target may be its stand-in */
    gr_value *reason; /* counted; the signal's */
};

static void monitor_unref(struct gri_monitor *m, uint32_t count)
{
    if (count == 0 || atomic_fetch_sub(&m->refs, count) != count)
        return;
    gr_value_unref(m->reason);
    gri_free(m);
}

/* unset_locked takes it out of its watcher's table; the reference is the caller's to drop. */
static void unset_locked(struct gri_monitor *m)
{
    struct gri_rare *r = gri_actor_rare(m->watcher);

    gri_map_del(&r->monitors, m->number);
    m->set = false;
    r->tie_count--;
}

/* unlist_locked takes it out of its target's list, if it is there: how many references to drop. */
static uint32_t unlist_locked(struct gri_monitor *m)
{
    if (!m->watch.listed)
        return 0;
    gri_list_remove(&m->watch.node);
    m->watch.listed = false;
    gri_actor_rare(m->target)->tie_count--;
    return 1;
}

/* ---- telling --------------------------------------------------------------------------------- */

static void signal_run(struct gri_actor *a, struct gri_signal *s, bool live)
{
    struct gri_monitor *m = gri_container_of(s, struct gri_monitor, signal);
    bool wanted = false;

    if (live) { /* else the table is gone, with its reference */
        gri_lock(&a->tie_lock);
        wanted = m->set; /* not ended by gr_demonitor meanwhile */
        if (wanted)
            unset_locked(m);
        gri_unlock(&a->tie_lock);
    }
    if (wanted)
        gri_handle_down(a, m->number, m->who, m->reason);
    monitor_unref(m, wanted ? 2 : 1);
}

static void push_locked(struct gri_monitor *m, const gr_value *reason, struct gri_told *t)
{
    m->reason = gr_value_ref(reason);
    gri_signal_push_locked(m->watcher, &m->signal, t);
}

static void monitor_fire(struct gri_watch *w, gr_ref who, const gr_value *reason)
{
    struct gri_monitor *m = gri_container_of(w, struct gri_monitor, watch);
    struct gri_actor *a = m->watcher;
    struct gri_told told = { .actor = NULL };
    uint32_t drop = 1;

    (void)who;
    gri_lock(&a->tie_lock);
    if (m->set && (atomic_load(&a->flags) & GRI_DEAD) == 0) {
        if (reason != NULL) {
            push_locked(m, reason, &told);
            drop = 0;
        } else {
            unset_locked(m);
            drop = 2;
        }
    }
    gri_unlock(&a->tie_lock);
    gri_told_done(&told);
    monitor_unref(m, drop);
}

void gri_watchers_fire(struct gri_actor *a, struct gri_list *watchers, gr_ref who,
                       const gr_value *reason)
{
    struct gri_list *n;

    do {
        struct gri_watch *w = NULL;

        gri_point(GRI_AT_DOWN);
        gri_lock(&a->tie_lock);
        n = gri_list_pop(watchers);
        if (n != NULL) {
            w = gri_container_of(n, struct gri_watch, node);
            w->listed = false;
        }
        gri_unlock(&a->tie_lock);
        if (w != NULL)
            w->fire(w, who, reason);
    } while (n != NULL);
}

void gri_monitors_forget(struct gri_actor *a, struct gri_map *monitors)
{
    const struct gri_map_slot *slot;
    size_t at = 0;

    while ((slot = gri_map_next(monitors, &at)) != NULL) {
        struct gri_monitor *m = slot->value;
        uint32_t drop = 1;

        gri_lock_pair(a, m->target);
        m->set = false;
        drop += unlist_locked(m);
        gri_unlock_pair(a, m->target);
        gri_tie_left(a->rt, m->target, m->target_id);
        monitor_unref(m, drop);
    }
}

/* ---- monitors -------------------------------------------------------------------------------- */

static void list_locked(struct gri_actor *target, struct gri_watch *w)
{
    struct gri_rare *r = gri_actor_rare(target);

    gri_list_push(&r->watchers, &w->node);
    w->listed = true;
    r->tie_count++;
}

/* set_locked enters m into its watcher's table. */
static gr_code set_locked(struct gri_monitor *m)
{
    struct gri_rare *r = gri_actor_rare(m->watcher);

    if (!gri_tie_room(m->watcher))
        return GR_EFULL;
    if (!gri_map_put(&r->monitors, m->number, m))
        return GR_ENOMEM;
    r->tie_count++;
    m->set = true;
    return GR_OK;
}

/* monitor sets one on the target `id`, which is live or, born, not yet known to anybody. */
static gr_code monitor(struct gri_actor *a, struct gri_actor *target, uint64_t id, gr_ref who,
                       bool born, uint64_t *ret_monitor)
{
    struct gri_told told = { .actor = NULL };
    struct gri_monitor *m;
    bool live;
    gr_code rc;

    if (!gri_ties_ready(a, gri_actor_ref(a).id) || !gri_ties_ready(target, born ? 0 : id) ||
        (m = gri_new0(struct gri_monitor)) == NULL)
        return GR_ENOMEM;
    *m = (struct gri_monitor){ .signal.run = signal_run,
                               .watch.fire = monitor_fire,
                               .watcher = a,
                               .target = target,
                               .target_id = id,
                               .number = atomic_fetch_add(&a->rt->monitor_count, 1) + 1,
                               .who = who };
    gri_list_init(&m->watch.node);
    atomic_init(&m->refs, 2);
    gri_lock_pair(a, target);
    live = born || gri_is_live(target, id);
    rc = live && !gri_tie_room(target) ? GR_EFULL : set_locked(m);
    if (rc == GR_OK) {
        *ret_monitor = m->number;
        if (live)
            list_locked(target, &m->watch);
        else
            push_locked(m, gri_past_reason_locked(a->rt, target, id), &told);
    }
    gri_unlock_pair(a, target);
    gri_told_done(&told);
    if (rc != GR_OK)
        monitor_unref(m, 2);
    return rc;
}

/* monitor_far monitors what a proxy stands for. */
static gr_code monitor_far(gr_ctx *c, gr_ref who, uint64_t *ret_monitor)
{
    gr_ref s = gri_far.make(c->rt, who, (gr_ref){ 0, 0 });
    gr_code rc;

    if (s.node == 0)
        return (gr_code)s.id;
    rc =
        monitor(c->actor, gri_registry_find(&c->rt->registry, s.id), s.id, who, false, ret_monitor);
    if (rc == GR_OK)
        gri_far.begin(c->rt, s);
    else
        gri_far.leave(c->rt, s);
    return rc;
}

gr_code gr_monitor(gr_ctx *c, gr_ref who, uint64_t *ret_monitor)
{
    struct gri_actor *target = NULL;
    gr_code rc = gri_tie_target(c->rt, who, &target);

    if (rc != GR_OK)
        return rc;
    if (gri_tie_is_far(target, who.id) && (rc = monitor_far(c, who, ret_monitor)) != GR_EDEAD)
        return rc;
    /* no such slot: there is but one lock to take, and no live actor of that id */
    return monitor(c->actor, target != NULL ? target : c->actor, who.id, who, false, ret_monitor);
}

gr_code gri_watch_born(struct gri_actor *parent, struct gri_actor *child, uint64_t child_id,
                       uint64_t *ret_monitor)
{
    return monitor(parent, child, child_id, (gr_ref){ .node = parent->rt->node, .id = child_id },
                   true, ret_monitor);
}

bool gr_demonitor(gr_ctx *c, uint64_t number)
{
    struct gri_actor *a = c->actor;
    struct gri_rare *r = gri_actor_rare(a);
    struct gri_monitor *m;
    uint32_t drop = 1;
    bool was_set;

    gri_lock(&a->tie_lock);
    m = r != NULL ? gri_map_get(&r->monitors, number) : NULL;
    if (m != NULL)
        atomic_fetch_add(&m->refs, 1);
    gri_unlock(&a->tie_lock);
    if (m == NULL)
        return false;
    gri_point(GRI_AT_DEMONITOR);
    gri_lock_pair(a, m->target);
    was_set = m->set;
    if (was_set) {
        unset_locked(m);
        drop += 1 + unlist_locked(m);
    }
    gri_unlock_pair(a, m->target);
    if (was_set)
        gri_tie_left(a->rt, m->target, m->target_id);
    monitor_unref(m, drop);
    return was_set;
}

/* ---- the future of an end -------------------------------------------------------------------- */

/* Two references: the owner's, and the list's. */
struct ended {
    struct gr_future future; /* first */
    struct gri_watch watch;
    struct gri_actor *target; /* a slot */
    uint64_t target_id;
};

static struct ended *ended_of(struct gr_future *f)
{
    return gri_container_of(f, struct ended, future);
}

static void ended_fire(struct gri_watch *w, gr_ref who, const gr_value *reason)
{
    struct ended *e = gri_container_of(w, struct ended, watch);

    (void)who;
    gri_future_complete(&e->future, gr_value_ref(reason));
    gri_future_unref(&e->future);
}

static void ended_cancel(struct gr_future *f, gr_code why)
{
    struct ended *e = ended_of(f);
    bool listed;

    gri_lock(&e->target->tie_lock);
    listed = e->watch.listed;
    if (listed) {
        gri_list_remove(&e->watch.node);
        e->watch.listed = false;
        gri_actor_rare(e->target)->tie_count--;
    }
    gri_unlock(&e->target->tie_lock);
    if (!listed)
        return; /* the end is being told right now */
    gri_tie_left(e->target->rt, e->target, e->target_id);
    gri_future_complete(f, gr_error(why, "the actor was not waited for any more"));
    gri_future_unref(f);
}

static void ended_destroy(struct gr_future *f)
{
    gri_free(ended_of(f));
}

static const struct gri_future_ops ended_ops = { .cancel = ended_cancel, .destroy = ended_destroy };

/* watch_end lists e with the actor `id` in its target's slot, or gives the reason, yours, why it can't. */
static gr_value *watch_end(gr_runtime *rt, struct ended *e, uint64_t id)
{
    struct gri_actor *a = e->target;
    gr_value *reason = NULL;
    bool full = false;

    e->target_id = id;
    if (!gri_ties_ready(a, id))
        return gr_error(GR_ENOMEM, "out of memory");
    gri_lock(&a->tie_lock);
    if (!gri_is_live(a, id))
        reason = gr_value_ref(gri_past_reason_locked(rt, a, id));
    else if ((full = !gri_tie_room(a)) == false)
        list_locked(a, &e->watch);
    gri_unlock(&a->tie_lock);
    return full ? gr_error(GR_EFULL, "too many watch this actor (ties_max)") : reason;
}

/* watch_far does so with what a proxy stands for. The future may be complete, and e is its owner's alone then,
 * as soon as the stand-in has begun. */
static gr_value *watch_far(gr_runtime *rt, struct ended *e, gr_ref who)
{
    gr_ref s = gri_far.make(rt, who, (gr_ref){ 0, 0 });
    gr_value *reason;

    if (s.node == 0)
        return s.id == GR_EDEAD ? gr_value_ref(rt->reasons.noproc)
                                : gr_error((gr_code)s.id, "the actor can't be watched");
    e->target = gri_registry_find(&rt->registry, s.id);
    reason = watch_end(rt, e, s.id);
    if (reason == NULL)
        gri_far.begin(rt, s);
    else
        gri_far.leave(rt, s);
    return reason;
}

gr_future *gr_ended(gr_runtime *rt, gr_ref who)
{
    struct ended *e = gri_new0(struct ended);
    gr_value *reason;

    if (e == NULL)
        return NULL;
    gri_future_init(&e->future, &rt->sched, &ended_ops, 2);
    e->watch.fire = ended_fire;
    gri_list_init(&e->watch.node);
    gri_tie_target(rt, who, &e->target);
    if (gri_tie_is_far(e->target, who.id))
        reason = watch_far(rt, e, who);
    else if (e->target != NULL)
        reason = watch_end(rt, e, who.id);
    else
        reason = who.node == rt->node ? gr_value_ref(rt->reasons.noproc) : gri_ref_error(rt, who);
    if (reason != NULL) {
        gri_future_complete(&e->future, reason);
        gri_future_unref(&e->future);
    }
    return &e->future;
}
