/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/actor/held.h"

#include "runtime/actor/runtime_impl.h"
#include "runtime/actor/send.h"

/* ---- handlers that wait ---------------------------------------------------------------------- */

/* own_call is the call that a handler has to answer itself; NULL: none, or a promise does. */
static struct gri_call *own_call(const struct gr_ctx *c)
{
    return c->deferred ? NULL : c->call;
}

static void fail(struct gri_actor *a, struct gri_call *call)
{
    gri_call_abort(call, gri_actor_error(a, gri_actor_name(a)), GR_ECANCELED);
}

/*
 * An exclusive actor has one handler at most that waits: it is noted in one word, by an exchange each
 * before and after the wait. All others hang in a ring, under the lock. An exit takes either under
 * the lock; who finds itself taken out of the word takes the lock once, since the exit may look at it
 * until it has let go of that.
 */
static void note(struct gri_actor *a, struct gr_ctx *c)
{
    if (gri_actor_exclusive(a)) {
        atomic_store(&a->waiter,
                     c); /* seq_cst: of this and "set EXITING, take the waiter" the later
                                        sees the other */
        return;
    }
    gri_lock(&a->tie_lock);
    gri_ring_push(&a->waits, &c->wait);
    gri_unlock(&a->tie_lock);
}

static struct gr_ctx *take_waiting_locked(struct gri_actor *a)
{
    struct gri_list *n;

    if (gri_actor_exclusive(a))
        return atomic_exchange(&a->waiter, NULL);
    n = gri_ring_pop(&a->waits);
    return n != NULL ? gri_container_of(n, struct gr_ctx, wait) : NULL;
}

bool gri_wait_begin(struct gr_ctx *c, struct gri_park *p, uint64_t *deadline_ns)
{
    struct gri_actor *a = c->actor;

    c->park = p;
    note(a, c);
    if ((atomic_load(&a->flags) & (c->last ? GRI_KILLED : GRI_EXITING)) != 0) {
        gri_wait_end(c);
        if (own_call(c) != NULL)
            fail(a, own_call(c));
        return false;
    }
    if (c->last && c->limit_ns < *deadline_ns)
        *deadline_ns = c->limit_ns;
    return true;
}

void gri_wait_end(struct gr_ctx *c)
{
    struct gri_actor *a = c->actor;
    bool listed = !gri_actor_exclusive(a);

    if (!listed && atomic_exchange(&a->waiter, NULL) != NULL)
        return;
    gri_lock(&a->tie_lock);
    if (listed)
        gri_ring_remove(&a->waits, &c->wait); /* harmless if an exit has done so */
    gri_unlock(&a->tie_lock);
}

void gri_held_interrupt(struct gri_actor *a)
{
    struct gr_ctx *c;

    do {
        struct gri_call *call = NULL;

        gri_lock(&a->tie_lock);
        c = take_waiting_locked(a);
        if (c != NULL && (call = own_call(c)) != NULL)
            gri_future_ref(&call->future);
        else if (c != NULL) /* under the lock: the waiter takes it before it leaves its frame */
            gri_park_wake(c->park, GRI_INTERRUPTED);
        gri_unlock(&a->tie_lock);
        if (call != NULL) {
            fail(a, call); /* which ends its wait, too, after its caller has been told */
            gri_future_unref(&call->future);
        }
    } while (c != NULL);
}

/* ---- deferred calls -------------------------------------------------------------------------- */

void gri_defer_begin(struct gri_call *call)
{
    struct gri_actor *a = call->actor;
    bool loose;

    call->promised = true;
    gri_lock(&a->tie_lock);
    call->listed = true;
    call->loose = loose = (atomic_load(&a->flags) & GRI_LOOSE) != 0;
    gri_ring_push(&a->deferred, &call->deferred);
    gri_unlock(&a->tie_lock);
    if (loose)              /* from here on an exit may make it so, and takes the pin itself */
        gri_actor_unpin(a); /* the handler's frame has another one */
}

void gri_defer_end(struct gri_call *call)
{
    struct gri_actor *a = call->actor;
    bool listed;

    if (a == NULL || !call->promised)
        return;
    gri_lock(&a->tie_lock);
    listed = call->listed;
    if (listed) {
        gri_ring_remove(&a->deferred, &call->deferred);
        call->listed = false;
        if (call->loose)
            gri_actor_pin_again(a); /* it can't be given back while we hold the lock */
    }
    gri_unlock(&a->tie_lock);
    if (!listed)
        call->actor = NULL;
}

/* loosen_calls returns how many pins it took from deferred calls. */
static uint32_t loosen_calls_locked(struct gri_actor *a)
{
    struct gri_list *n = a->deferred;
    uint32_t taken = 0;

    if (n == NULL)
        return 0;
    do {
        struct gri_call *call = gri_container_of(n, struct gri_call, deferred);

        taken += !call->loose;
        call->loose = true;
        n = n->next;
    } while (n != a->deferred);
    return taken;
}

void gri_held_loosen(struct gri_actor *a)
{
    struct gri_rare *r;
    struct gri_list *n;
    uint32_t taken;

    gri_lock(&a->tie_lock);
    atomic_fetch_or(&a->flags, GRI_LOOSE);
    taken = loosen_calls_locked(a);
    gri_unlock(&a->tie_lock);
    for (; taken > 0; taken--)
        gri_actor_unpin(a); /* never the last: the turn has one */
    r = gri_actor_rare(a);  /* who comes from here on finds LOOSE */
    if (r == NULL)
        return;
    do {
        gri_lock(&a->tie_lock);
        n = gri_list_pop(&r->thens);
        gri_unlock(&a->tie_lock);
        if (n != NULL)
            gri_then_cut(a, n);
    } while (n != NULL);
}

void gri_held_fail(struct gri_actor *a)
{
    struct gri_list *n;

    if ((atomic_load(&a->flags) & GRI_LOOSE) == 0)
        return; /* what is deferred has pins, and there are none */
    do {
        struct gri_call *call = NULL;

        gri_lock(&a->tie_lock);
        n = gri_ring_pop(&a->deferred);
        if (n != NULL) {
            call = gri_container_of(n, struct gri_call, deferred);
            call->listed = false;
            gri_future_ref(&call->future); /* listed, so its promise had a reference */
        }
        gri_unlock(&a->tie_lock);
        if (call != NULL) {
            fail(a, call);
            gri_future_unref(&call->future);
        }
    } while (n != NULL);
}

/* ---- continuations --------------------------------------------------------------------------- */

gr_code gri_then_begin(struct gri_actor *a, struct gri_list *node, gr_future *f,
                       struct gri_waiter *w)
{
    gr_code rc = GR_EDEAD;

    gri_lock(&a->tie_lock); /* watched and listed, or neither: for gri_held_loosen */
    if ((atomic_load(&a->flags) & GRI_LOOSE) == 0)
        rc = gri_future_watch(f, w);
    if (rc == GR_OK)
        gri_list_push(&gri_actor_rare(a)->thens, node);
    gri_unlock(&a->tie_lock);
    return rc;
}

void gri_then_end(struct gri_actor *a, struct gri_list *node)
{
    gri_lock(&a->tie_lock);
    gri_list_remove(node);
    gri_unlock(&a->tie_lock);
}
