/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/async/scope.h"

#include "runtime/async/future.h"
#include "runtime/base/alloc.h"

void gri_scope_init(struct gr_scope *s, gr_runtime *rt, void (*emptied)(struct gr_scope *),
                    void (*destroy)(struct gr_scope *))
{
    *s = (struct gr_scope){ .rt = rt, .emptied = emptied, .destroy = destroy };
    gri_list_init(&s->member.node);
    gri_list_init(&s->members[0]);
    gri_list_init(&s->members[1]);
    atomic_init(&s->refs, 1);
}

struct gr_scope *gri_scope_ref(struct gr_scope *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void gri_scope_unref(struct gr_scope *s)
{
    if (s != NULL && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
        s->destroy(s);
}

gr_code gri_scope_add(struct gr_scope *s, struct gri_member *m, const struct gri_member_ops *ops)
{
    gr_code rc = GR_OK;

    gri_point(GRI_AT_SCOPE_ADD);
    if (m->ops != ops) /* a pass over the scope that it moves from may look at it right now */
        m->ops = ops;
    gri_lock(&s->lock);
    if (s->cancelled)
        rc = GR_ECANCELED;
    else if (s->closed)
        rc = GR_EDEAD;
    if (rc == GR_OK) {
        m->scope = s;
        m->told = 0;
        gri_list_push(&s->members[ops->actor], &m->node);
        if (ops->actor)
            s->actors++;
        else
            s->calls++;
    } else {
        m->scope = NULL;
        gri_list_init(&m->node);
    }
    gri_unlock(&s->lock);
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

/* take_out removes m from s and tells those who wait for it. Unless it calls `emptied`, s may be gone
 * as soon as the lock is free. */
static void take_out(struct gr_scope *s, struct gri_member *m)
{
    void (*emptied)(struct gr_scope *);
    struct gri_waiter *idle;

    gri_point(GRI_AT_SCOPE_LEAVE);
    gri_lock(&s->lock);
    gri_list_remove(&m->node);
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

gr_code gri_scope_move(struct gri_member *m, struct gr_scope *to)
{
    struct gr_scope *from = m->scope;
    struct gri_member keep = { .ops = &stand_in };
    gr_code rc;

    if (from == NULL || from == to)
        return GR_OK;
    /* a stand-in keeps `from` from becoming empty while m is in neither */
    gri_list_init(&keep.node);
    gri_lock(&from->lock);
    gri_list_push(&m->node, &keep.node);
    gri_list_remove(&m->node);
    gri_unlock(&from->lock);
    rc = gri_scope_add(to, m, m->ops);
    if (rc == GR_OK) {
        take_out(from, &keep);
        return GR_OK;
    }
    gri_lock(&from->lock);
    gri_list_push(&keep.node, &m->node);
    gri_list_remove(&keep.node);
    m->scope = from;
    gri_unlock(&from->lock);
    return rc;
}

/*
 * Passes may meet: a scope is cancelled by one thread and closed by another. The younger pass then
 * goes over all members, and the older one leaves off where it finds that. For that to be enough,
 * every pass that runs in a closed scope stops what can be stopped: see tell_calls.
 *
 * next_untold finds the youngest member that this pass has not told, keeps it and moves it to the
 * front, so that the untold ones stay together at the end and a pass over n members takes n steps.
 */
static struct gri_member *next_untold(struct gr_scope *s, uint32_t pass, bool actors)
{
    struct gri_list *list = &s->members[actors];
    struct gri_member *found = NULL;

    gri_point(GRI_AT_SCOPE_PASS);
    gri_lock(&s->lock);
    for (struct gri_list *n = list->prev; n != list; n = n->prev) {
        struct gri_member *m = gri_container_of(n, struct gri_member, node);

        if (m->ops->ref == NULL)
            continue; /* a stand-in of gri_scope_move */
        if (m->told < pass) {
            m->told = pass;
            m->ops->ref(m);
            found = m;
            gri_list_remove(n);
            gri_list_push(list->next, n);
        }
        break;
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

    while ((m = next_untold(s, pass, false)) != NULL) {
        if (m->ops->stop != NULL && is_closed(s))
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

    while ((m = next_untold(s, pass, true)) != NULL) {
        m->ops->stop(m);
        m->ops->unref(m);
    }
}

void gri_scope_cancel(struct gr_scope *s, gr_code why)
{
    gri_lock(&s->lock);
    s->cancelled = true;
    gri_unlock(&s->lock);
    tell_calls(s, why);
}

static void refuse(struct gr_scope *s)
{
    gri_lock(&s->lock);
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
    bool all;

    refuse(s);
    tell_calls(s, GR_ECANCELED);
    all = wait_until(s, (struct until){ .actors = false }, deadline_ns);
    pass = new_pass(s);
    while ((m = next_untold(s, pass, true)) != NULL) { /* one after the other, the youngest first */
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

static void scope_member_ref(struct gri_member *m)
{
    gri_scope_ref(scope_of(m));
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

void gr_scope_free(gr_scope *scope)
{
    if (scope == NULL)
        return;
    gri_scope_drain(scope, GRI_NEVER);
    gri_scope_unref(scope);
}
