/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/async/scope.h"

#include "runtime/async/future.h"
#include "runtime/async/spread.h"
#include "runtime/base/alloc.h"
#include "runtime/sched/sched.h"

#define LOOK_EVERY 7 /* who adds a member is looked at once in so many: see is_crowded_locked */
#define SPREAD_AT 96 /* how crowded a scope gets before it is spread */

void gri_scope_init(struct gr_scope *s, gr_runtime *rt, void (*emptied)(struct gr_scope *),
                    void (*destroy)(struct gr_scope *))
{
    *s = (struct gr_scope){ .rt = rt, .emptied = emptied, .destroy = destroy };
    gri_list_init(&s->member.node);
    gri_list_init(&s->members[0]);
    gri_list_init(&s->members[1]);
    atomic_init(&s->refs, 1);
    atomic_init(&s->spread, NULL);
}

void gri_scope_fini(struct gr_scope *s)
{
    gri_spread_free(atomic_load_explicit(&s->spread, memory_order_relaxed));
}

struct gr_scope *gri_scope_ref(struct gr_scope *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void gri_scope_unref(struct gr_scope *s)
{
    if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    gri_scope_fini(s);
    s->destroy(s);
}

/* ---- where a member lies --------------------------------------------------------------------- */

/* gather_locked has all members in the scope's own lists. */
static void gather_locked(struct gr_scope *s)
{
    if (s->spread_open)
        gri_spread_gather(atomic_load_explicit(&s->spread, memory_order_relaxed), s);
    s->spread_open = false;
}

/* lock_part takes the lock of the part that m is in; NULL: the scope's own, since they were gathered. */
static struct gri_part *lock_part(struct gr_scope *s, const struct gri_member *m)
{
    for (;;) {
        uint32_t n = gri_member_part(m);
        /* acquire: pairs with spread_out */
        struct gri_spread *p = atomic_load_explicit(&s->spread, memory_order_acquire);
        struct gri_part *part = n != 0 ? &p->part[n - 1] : NULL;

        gri_lock(part != NULL ? &part->lock : &s->lock);
        if (gri_member_part(m) == n)
            return part;
        gri_unlock(&part->lock);
    }
}

/* lock_place takes the lock of the list that m lies in; NULL: of the scope's own, which a member does not
 * leave for a part. */
static inline struct gri_part *lock_place(struct gr_scope *s, const struct gri_member *m)
{
    if (gri_member_part(m) != 0)
        return lock_part(s, m);
    gri_lock(&s->lock);
    return NULL;
}

static void unlock_place(struct gr_scope *s, struct gri_part *part)
{
    gri_unlock(part != NULL ? &part->lock : &s->lock);
}

/* spread_out has workers add to a list each from here on. Without memory it stays as it is, and with one
 * worker. */
static __attribute__((noinline)) void spread_out(struct gr_scope *s)
{
    struct gri_spread *made = NULL, *p = atomic_load_explicit(&s->spread, memory_order_acquire);

    if (p == NULL) {
        uint32_t workers = gri_sched_of(s->rt)->worker_count;

        p = made = workers > 1 ? gri_spread_new(workers) : NULL;
        if (p == NULL)
            return;
    }
    gri_lock(&s->lock);
    if (made != NULL && atomic_load_explicit(&s->spread, memory_order_relaxed) == NULL) {
        /* release: who finds it without the lock finds it made */
        atomic_store_explicit(&s->spread, made, memory_order_release);
        made = NULL;
    }
    if (made == NULL && !s->spread_open && !s->cancelled && !s->closed) {
        gri_spread_open(p);
        s->spread_open = true;
    }
    gri_unlock(&s->lock);
    gri_spread_free(made); /* somebody else has made one */
}

/* is_crowded_locked tells whether the scope is to be spread, since workers take turns at adding members.
 * It looks at who adds one now and then, at odd intervals lest it see one only of two in turn. What counts is that more
 * than one look in four finds another worker: a handler that wanders from worker to worker is no crowd. */
static __attribute__((noinline)) bool is_crowded_locked(struct gr_scope *s)
{
    uint32_t worker = gri_worker_of(gri_sched_of(s->rt));

    s->until_look = LOOK_EVERY - 1;
    if (gri_fault(GRI_AT_SCOPE_SPREAD))
        return true;
    if (s->adder == worker) {
        if (s->crowd != 0)
            s->crowd--;
        return false;
    }
    s->adder = worker;
    s->crowd = (uint16_t)(s->crowd + 3);
    if (s->crowd < SPREAD_AT)
        return false;
    s->crowd = 0;
    return true;
}

/* admit_locked says what keeps a member from being added to the scope's own lists; GR_EPENDING: that the
 * scope is spread. Where numbers are used up it is gathered. */
static __attribute__((noinline)) gr_code admit_locked(struct gr_scope *s)
{
    if (s->cancelled)
        return GR_ECANCELED;
    if (s->closed)
        return GR_EDEAD;
    if (!s->spread_open)
        return GR_OK;
    if (!gri_spread_used_up(atomic_load_explicit(&s->spread, memory_order_relaxed)))
        return GR_EPENDING;
    gather_locked(s);
    return GR_OK;
}

/* add_own adds m to the scope's own lists; *ret_crowded: the scope should be spread. */
static gr_code add_own(struct gr_scope *s, struct gri_member *m, bool *ret_crowded)
{
    gr_code rc;

    gri_lock(&s->lock);
    rc = (s->cancelled | s->closed | s->spread_open) ? admit_locked(s) : GR_OK;
    if (rc == GR_OK) {
        m->scope = s;
        m->told = 0;
        atomic_store_explicit(&m->at, 0, memory_order_relaxed);
        gri_list_push(&s->members[m->ops->actor], &m->node);
        if (m->ops->actor)
            s->actors++;
        else
            s->calls++;
        *ret_crowded = s->until_look-- == 0 && is_crowded_locked(s);
    }
    gri_unlock(&s->lock);
    return rc;
}

gr_code gri_scope_add(struct gr_scope *s, struct gri_member *m, const struct gri_member_ops *ops)
{
    bool crowded = false;
    gr_code rc;

    gri_point(GRI_AT_SCOPE_ADD);
    if (m->ops != ops) /* a pass over the scope that it moves from may look at it right now */
        m->ops = ops;
    do {
        /* acquire: pairs with spread_out */
        struct gri_spread *p = atomic_load_explicit(&s->spread, memory_order_acquire);

        if (p != NULL && gri_spread_add(p, s, m))
            return GR_OK;
        rc = add_own(s, m, &crowded);
    } while (rc == GR_EPENDING);
    if (crowded)
        spread_out(s);
    if (rc != GR_OK) {
        m->scope = NULL;
        gri_list_init(&m->node);
    }
    return rc;
}

/* emptied_locked returns `emptied` when that is due, which is at most once. */
static void (*emptied_locked(struct gr_scope *s))(struct gr_scope *)
{
    if (!s->closed || s->calls != 0 || s->actors != 0 || s->told_empty)
        return NULL;
    s->told_empty = true;
    return s->emptied;
}

/* Nobody waits for members of a spread scope to leave, since it is not closed. */
static void leave_part_locked(struct gri_part *part, const struct gri_member *m)
{
    if (m->ops->actor)
        part->actors--;
    else
        part->calls--;
}

/* take_out removes m from s and tells those who wait for it. Unless it calls `emptied`, s may be gone
 * as soon as the lock is free. */
static void take_out(struct gr_scope *s, struct gri_member *m)
{
    void (*emptied)(struct gr_scope *);
    struct gri_waiter *idle;
    struct gri_part *part;

    gri_point(GRI_AT_SCOPE_LEAVE);
    part = lock_place(s, m);
    gri_list_remove(&m->node);
    if (part != NULL) {
        leave_part_locked(part, m);
        gri_unlock(&part->lock);
        return;
    }
    if (m->ops->actor)
        s->actors--;
    else
        s->calls--;
    idle = s->idle;
    s->idle = NULL;
    emptied = emptied_locked(s);
    if (idle != NULL)
        idle->fire(idle); /* under the lock: it wakes, no more */
    gri_unlock(&s->lock);
    if (emptied != NULL)
        emptied(s);
}

void gri_scope_leave(struct gri_member *m)
{
    struct gr_scope *s = m->scope;

    if (s == NULL)
        return;
    m->scope = NULL;
    take_out(s, m);
}

static const struct gri_member_ops stand_in; /* no call, no actor: passes skip it */

static void take_place_locked(struct gri_member *m, struct gri_member *from)
{
    atomic_store_explicit(&m->at, atomic_load_explicit(&from->at, memory_order_relaxed),
                          memory_order_relaxed);
    gri_list_push(&from->node, &m->node);
    gri_list_remove(&from->node);
}

gr_code gri_scope_move(struct gri_member *m, struct gr_scope *to)
{
    struct gr_scope *from = m->scope;
    struct gri_member keep = { .ops = &stand_in };
    struct gri_part *part;
    gr_code rc;

    if (from == NULL || from == to)
        return GR_OK;
    /* a stand-in keeps `from` from becoming empty while m is in neither */
    gri_list_init(&keep.node);
    part = lock_place(from, m);
    take_place_locked(&keep, m);
    unlock_place(from, part);
    rc = gri_scope_add(to, m, m->ops);
    if (rc == GR_OK) {
        take_out(from, &keep);
        return GR_OK;
    }
    part = lock_place(from, &keep);
    take_place_locked(m, &keep);
    m->scope = from;
    unlock_place(from, part);
    return rc;
}

/*
 * Passes may meet: a scope is cancelled by one thread and closed by another. The younger pass then
 * goes over all members, and the older one leaves off where it finds that. For that to be enough,
 * every pass that runs in a closed scope stops what can be stopped: see tell_calls.
 *
 * next_untold finds the youngest member that this pass has not told, keeps it and moves it to the
 * front, so that the untold ones stay together at the end and a pass over n members takes n steps.
 * *ret_ended: it has ended without leaving, and the caller takes it out.
 */
static struct gri_member *next_untold(struct gr_scope *s, uint32_t pass, bool actors,
                                      bool *ret_ended)
{
    struct gri_list *list = &s->members[actors];
    struct gri_member *found = NULL;

    gri_point(GRI_AT_SCOPE_PASS);
    gri_lock(&s->lock);
    for (struct gri_list *n = list->prev, *before; n != list && found == NULL; n = before) {
        struct gri_member *m = gri_container_of(n, struct gri_member, node);

        before = n->prev;
        if (m->ops->ref == NULL)
            continue; /* a stand-in of gri_scope_move */
        if (m->told >= pass)
            break;
        m->told = pass;
        *ret_ended = s->closed && m->ops->seal != NULL && m->ops->seal(m);
        if (*ret_ended || m->ops->ref(m))
            found = m;
        gri_list_remove(n);
        gri_list_push(list->next, n);
    }
    gri_unlock(&s->lock);
    return found;
}

static uint32_t new_pass(struct gr_scope *s)
{
    uint32_t pass;

    gri_lock(&s->lock);
    pass = ++s->pass;
    gri_unlock(&s->lock);
    return pass;
}

/* is_closed tells whether somebody wants the end of all that is in the scope, not only of its
 * calls. */
static bool is_closed(struct gr_scope *s)
{
    bool closed;

    gri_lock(&s->lock);
    closed = s->closed;
    gri_unlock(&s->lock);
    return closed;
}

static void tell_calls(struct gr_scope *s, gr_code why)
{
    uint32_t pass = new_pass(s);
    struct gri_member *m;
    bool ended;

    while ((m = next_untold(s, pass, false, &ended)) != NULL) {
        if (ended)
            gri_scope_leave(m);
        else if (m->ops->stop != NULL && is_closed(s))
            m->ops->stop(m);
        else
            m->ops->cancel(m, why);
        m->ops->unref(m);
    }
}

static void stop_actors(struct gr_scope *s)
{
    uint32_t pass = new_pass(s);
    struct gri_member *m;
    bool ended;

    while ((m = next_untold(s, pass, true, &ended)) != NULL) {
        m->ops->stop(m);
        m->ops->unref(m);
    }
}

void gri_scope_cancel(struct gr_scope *s, gr_code why)
{
    gri_lock(&s->lock);
    gather_locked(s);
    s->cancelled = true;
    gri_unlock(&s->lock);
    tell_calls(s, why);
}

/* refuse takes no members from here on. The pass that follows takes those out that have ended, and has the
 * others leave at their end. */
static void refuse(struct gr_scope *s)
{
    gri_lock(&s->lock);
    gather_locked(s);
    s->closed = true;
    gri_unlock(&s->lock);
}

/* check_empty calls `emptied` if nothing is left. */
static void check_empty(struct gr_scope *s)
{
    void (*emptied)(struct gr_scope *);

    gri_lock(&s->lock);
    emptied = emptied_locked(s);
    gri_unlock(&s->lock);
    if (emptied != NULL)
        emptied(s);
}

void gri_scope_close(struct gr_scope *s, gr_code why)
{
    refuse(s);
    tell_calls(s, why);
    stop_actors(s);
    check_empty(s);
}

/* ---- draining -------------------------------------------------------------------------------- */

struct drain {
    struct gri_waiter waiter;
    struct gri_park park;
};

static void drain_fire(struct gri_waiter *w)
{
    gri_park_wake(&gri_container_of(w, struct drain, waiter)->park, GRI_WOKEN);
}

/* What is waited for: that a member has left, or, with NULL, that nothing or at least no call is left. */
struct until {
    const struct gri_member *gone;
    uint32_t pass; /* that told it */
    bool actors;
};

/* The member is named by its address, so it may be gone for good: a closed scope gets no new ones. The pass
 * that told it has put it in front, where only those are that were told and have not left either. */
static bool left_locked(struct gr_scope *s, const struct gri_member *m, uint32_t pass)
{
    struct gri_list *list = &s->members[1];

    for (struct gri_list *n = list->next; n != list; n = n->next) {
        if (n == &m->node)
            return false;
        if (gri_container_of(n, struct gri_member, node)->told < pass)
            break;
    }
    return true;
}

static bool there_locked(struct gr_scope *s, const struct until *u)
{
    if (u->gone != NULL)
        return left_locked(s, u->gone, u->pass);
    return s->calls == 0 && (!u->actors || s->actors == 0);
}

/* wait_until returns false at the deadline. */
static bool wait_until(struct gr_scope *s, struct until u, uint64_t deadline_ns)
{
    for (;;) {
        struct drain d = { .waiter.fire = drain_fire };
        uint32_t why = 0;
        bool there;
        gr_code rc;

        gri_park_init(&d.park);
        gri_lock(&s->lock);
        there = there_locked(s, &u);
        if (!there)
            s->idle = &d.waiter;
        gri_unlock(&s->lock);
        if (there)
            return true;
        rc = gri_park_wait(&d.park, deadline_ns, false, &why);
        gri_lock(&s->lock);
        if (s->idle == &d.waiter)
            s->idle = NULL;
        gri_unlock(&s->lock);
        if (rc != GR_OK || (why & GRI_WOKEN) == 0)
            return false;
    }
}

bool gri_scope_drain(struct gr_scope *s, uint64_t deadline_ns)
{
    uint32_t pass;
    struct gri_member *m;
    bool all, ended;

    refuse(s);
    tell_calls(s, GR_ECANCELED);
    all = wait_until(s, (struct until){ .actors = false }, deadline_ns);
    pass = new_pass(s);
    while ((m = next_untold(s, pass, true, &ended)) !=
           NULL) { /* one after the other, the youngest first */
        m->ops->stop(m);
        m->ops->unref(m);
        all = wait_until(s, (struct until){ .gone = m, .pass = pass }, deadline_ns) && all;
    }
    all = wait_until(s, (struct until){ .actors = true }, deadline_ns) && all;
    check_empty(s);
    return all;
}

/* ---- scopes that users make ------------------------------------------------------------------ */

static struct gr_scope *scope_of(struct gri_member *m)
{
    return gri_container_of(m, struct gr_scope, member);
}

static void scope_member_cancel(struct gri_member *m, gr_code why)
{
    gri_scope_cancel(scope_of(m), why);
}

static void scope_member_stop(struct gri_member *m)
{
    gri_scope_close(scope_of(m), GR_ECANCELED);
}

static bool scope_member_ref(struct gri_member *m)
{
    gri_scope_ref(scope_of(m));
    return true;
}

static void scope_member_unref(struct gri_member *m)
{
    gri_scope_unref(scope_of(m));
}

static const struct gri_member_ops scope_ops = { .cancel = scope_member_cancel,
                                                 .stop = scope_member_stop,
                                                 .ref = scope_member_ref,
                                                 .unref = scope_member_unref };

static void user_emptied(struct gr_scope *s)
{
    gri_scope_leave(&s->member);
    gri_scope_unref(s); /* what its place in the parent held */
}

static void user_destroy(struct gr_scope *s)
{
    gri_free(s);
}

gr_scope *gr_scope_new(gr_scope *parent)
{
    gr_scope *s = gri_new0(gr_scope);

    if (s == NULL)
        return NULL;
    gri_scope_init(s, parent->rt, user_emptied, user_destroy);
    gri_scope_ref(s); /* for its place in the parent, until it is closed and empty */
    if (gri_scope_add(parent, &s->member, &scope_ops) != GR_OK) {
        gri_free(s);
        return NULL;
    }
    return s;
}

void gr_scope_cancel(gr_scope *scope)
{
    gri_scope_cancel(scope, GR_ECANCELED);
}

gr_runtime *gr_scope_runtime(const gr_scope *scope)
{
    return scope->rt;
}

void gr_scope_free(gr_scope *scope)
{
    if (scope == NULL)
        return;
    gri_scope_drain(scope, GRI_NEVER);
    gri_scope_unref(scope);
}
