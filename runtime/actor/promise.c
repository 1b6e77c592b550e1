/* SPDX-License-Identifier: Apache-2.0 */
/* promise.c - answering later: a gr_promise is the call itself, seen from the side that owes the
 * answer. */
#include "runtime/actor/held.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/actor/send.h"

static struct gri_call *call_of(gr_promise *p)
{
    return (struct gri_call *)(void *)p;
}

gr_promise *gr_defer(gr_ctx *c)
{
    if (c->call == NULL || c->deferred)
        return NULL;
    gri_ctx_defer(c);
    gri_defer_begin(c->call);
    return (gr_promise *)(void *)c->call;
}

void gr_resolve(gr_promise *p, gr_value *v)
{
    struct gri_call *call = call_of(p);

    gri_point(GRI_AT_PROMISE);
    if (p == NULL) {
        gr_value_unref(v);
        return;
    }
    gri_defer_end(call);
    /* the name of an actor that exits may be gone already */
    if (call->actor != NULL && !call->loose)
        v = gri_actor_with_where(call->actor, v);
    gri_call_end(call, v);
}

void gr_promise_free(gr_promise *p)
{
    struct gri_call *call = call_of(p);
    gr_value *err = NULL;

    if (p == NULL)
        return;
    gri_defer_end(call);
    if (call->actor != NULL && (atomic_load(&call->actor->flags) & GRI_EXITING) != 0)
        err = gri_actor_error(call->actor, NULL); /* most likely that is why it was dropped */
    else
        err = gr_error(GR_EBROKEN, "the promise was dropped without an answer");
    gri_call_end(call, err);
}

/* ---- chunks ---------------------------------------------------------------------------------- */

/* On a worker, since room() is the user's code. */
static void room_run(struct gri_task *t)
{
    struct gri_call *call = gri_container_of(t, struct gri_call, room_task);
    void (*room)(void *arg) = NULL;
    void *arg = NULL;

    gri_lock(&call->cancel.lock);
    if (call->hook_busy != NULL && call->room != NULL) {
        /* A hook runs elsewhere, perhaps room() itself, which has looked already: come again
         * later. */
        gri_unlock(&call->cancel.lock);
        gri_ready(&call->rt->sched, t);
        return;
    }
    call->room_armed = false;
    if (call->room != NULL) {
        room = call->room;
        arg = call->hook_arg;
        call->hook_busy = gri_exec();
    }
    gri_unlock(&call->cancel.lock);
    if (room != NULL) {
        room(arg);
        gri_call_hook_done(call);
    }
    gri_future_unref(&call->future);
}

static void room_fire(struct gri_waiter *w)
{
    struct gri_call *call = gri_container_of(w, struct gri_call, room_waiter);

    gri_ready(&call->rt->sched, &call->room_task);
}

/* ask_for_room arms room(), once; it holds a reference until it has run. */
static void ask_for_room(struct gri_call *call)
{
    bool arm;

    gri_lock(&call->cancel.lock);
    arm = !call->room_armed && call->room != NULL;
    /* without a hook nothing is armed: one may come later */
    call->room_armed = call->room_armed || arm;
    gri_unlock(&call->cancel.lock);
    if (!arm)
        return;
    call->room_task = (struct gri_task){ .run = room_run, .name = "room" };
    call->room_waiter.fire = room_fire;
    gri_future_ref(&call->future);
    if (!gri_stream_watch_room(call->out, &call->room_waiter))
        gri_ready(&call->rt->sched, &call->room_task); /* there is room by now */
}

gr_code gr_promise_emit(gr_promise *p, gr_value *chunk)
{
    struct gri_call *call = call_of(p);
    gr_code rc;

    if (!call->streams || chunk == NULL) {
        gr_value_unref(chunk);
        return GR_EINVAL;
    }
    if (gri_call_cancelled(call)) {
        gr_value_unref(chunk);
        return GR_ECANCELED;
    }
    rc = gri_stream_put(call->out, chunk);
    if (rc == GR_EFULL) {
        gr_value_unref(chunk);
        ask_for_room(call);
    }
    return rc;
}

bool gr_promise_room(gr_promise *p)
{
    struct gri_call *call = call_of(p);

    if (!call->streams || gri_stream_has_room(call->out))
        return true;
    ask_for_room(call);
    return false;
}

gr_code gr_on_cancel(gr_promise *p, void (*cancel)(void *arg), void (*room)(void *arg), void *arg)
{
    struct gri_call *call = call_of(p);

    gri_lock(&call->cancel.lock);
    call->room = room;
    gri_unlock(&call->cancel.lock);
    return gri_call_on_cancel(call, cancel, arg);
}
