/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stash.c - messages that a handler sets aside for later.
 *
 * All of it is the turn's, or the handler's while it has the turn. A stashed message keeps its pin
 * and its bytes but no place in the mailbox: stash_max bounds what is kept, here and put back
 * together, instead. A stashed call is QUEUED again, so a cancellation ends it at once and leaves a
 * shell.
 */
#include "runtime/actor/held.h"
#include "runtime/actor/mailbox.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/actor/send.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

struct gri_stash {
    struct gri_envelope_queue kept, back; /* set aside; put back, to be taken first */
    uint32_t count;                       /* in both, and asked for by handlers that still run */
};

static struct gri_stash *stash_of(const struct gri_actor *a)
{
    const struct gri_rare *r = gri_actor_rare(a);

    return r != NULL ? r->stash : NULL;
}

/* reserved_in is the stash of an actor in which one of stash_max is taken, so that there is one. */
static struct gri_stash *reserved_in(const struct gri_actor *a)
{
    struct gri_stash *s = stash_of(a);

    gri_assert(s != NULL);
    return s;
}

/* reserve takes one of stash_max. */
static gr_code reserve(struct gri_actor *a)
{
    struct gri_rare *r = gri_rare_make(a);

    if (r == NULL || (r->stash == NULL && (r->stash = gri_new0(struct gri_stash)) == NULL))
        return GR_ENOMEM;
    if (r->stash->count >= r->stash_max) {
        gri_count(a->rt->sched.ledger, GRI_COUNT_REFUSED_STASH, 1);
        return GR_EFULL;
    }
    r->stash->count++;
    return GR_OK;
}

static gr_code stash_message(gr_ctx *c)
{
    struct gri_envelope *e = NULL;
    bool pinned = gri_actor_pin_more(c->actor);

    if (pinned && (e = gri_tell_new_alone(gr_value_ref(c->msg))) == NULL) {
        gr_value_unref((gr_value *)(uintptr_t)c->msg);
        gri_actor_unpin(c->actor); /* never the last: the turn is not over */
    }
    if (e == NULL) {
        reserved_in(c->actor)->count--;
        return pinned ? GR_ENOMEM : GR_EFULL;
    }
    e->bytes = gri_message_bytes(c->msg);
    gri_charge(c->rt, e->bytes);
    gri_envelope_push(&reserved_in(c->actor)->kept, e);
    c->msg = NULL;
    return GR_OK;
}

gr_code gr_stash(gr_ctx *c)
{
    bool call = c->call != NULL && !c->deferred;
    gr_code rc = GR_EINVAL;

    if (!c->actor->klass->stateless && (call || c->msg != NULL))
        rc = reserve(c->actor);
    if (rc != GR_OK)
        return rc;
    if (!call)
        return stash_message(c);
    gri_ctx_defer(c);
    c->stashed = true;
    return GR_OK;
}

/* The call's handler has returned. */
void gri_stash_call(struct gri_actor *a, struct gri_call *call)
{
    uint32_t queued = GRI_QUEUED;

    if (call->counted)
        gri_actor_release_permit(a);
    call->counted = false;
    /* seq_cst: as in gri_call_post */
    atomic_store(&call->state, GRI_QUEUED);
    if (!gri_call_cancelled(call)) {
        gri_envelope_push(&reserved_in(a)->kept, &call->envelope);
        return;
    }
    reserved_in(a)->count--;
    if (atomic_compare_exchange_strong(&call->state, &queued, GRI_RUNNING))
        gri_call_end(call, NULL);
    else
        gri_call_drop_shell(a, call);
}

void gr_unstash_all(gr_ctx *c)
{
    struct gri_stash *s = c->actor->klass->stateless ? NULL : stash_of(c->actor);

    if (s == NULL || s->kept.first == NULL)
        return;
    /* before what was put back earlier and has not been handled: it came before that, too */
    s->kept.last->next = s->back.first;
    if (s->back.first == NULL)
        s->back.last = s->kept.last;
    s->back.first = s->kept.first;
    s->kept.first = NULL;
}

bool gri_stash_holds(const struct gri_actor *a)
{
    const struct gri_stash *s = stash_of(a);

    return s != NULL && (s->kept.first != NULL || s->back.first != NULL);
}

struct gri_envelope *gri_stash_next(struct gri_actor *a, bool all)
{
    struct gri_stash *s = stash_of(a);
    struct gri_envelope *e;

    if (s == NULL)
        return NULL;
    e = gri_envelope_pop(s->back.first == NULL && all ? &s->kept : &s->back);
    if (e != NULL)
        s->count--;
    return e;
}
