/* SPDX-License-Identifier: Apache-2.0 */
/* then.c - continuations: an answer comes back to the actor as a message, in memory set aside for
 * it. */
#include "runtime/actor/held.h"
#include "runtime/actor/mailbox.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/base/alloc.h"

struct then {
    struct gri_envelope envelope;
    struct gri_waiter waiter;
    struct gri_list node;    /* in the actor's thens, until it is handled or cut */
    struct gri_actor *actor; /* pinned */
    struct gri_call *call;   /* counted; in whose handler gr_then was called, NULL: in receive */
    gr_future *future;       /* owned */
    gr_then_fn *fn;
    void (*drop)(void *arg);
    void *arg;
};

static void then_free(struct then *t)
{
    if (t->drop != NULL)
        t->drop(t->arg);
    gr_future_free(t->future);
    if (t->call != NULL)
        gri_future_unref(&t->call->future);
    gri_free(t);
}

void gri_then_run(struct gri_actor *a, struct gri_envelope *e, bool live)
{
    struct then *t = gri_container_of(e, struct then, envelope);
    struct gr_ctx c;

    gri_then_end(a, &t->node);
    if (live) {
        gr_outcome o = gri_future_outcome(t->future);

        gri_ctx_enter(&c, a, t->call, false);
        c.deferred = true; /* there is nothing to answer here but through a promise */
        t->fn(&c, a->self, &o, t->arg);
        gri_ctx_leave(&c);
        gr_value_unref(c.failure);
        if (c.exit != NULL)
            gri_actor_exit(a, c.exit);
    }
    then_free(t);
    gri_actor_unpin(a);
}

void gri_then_cut(struct gri_actor *a, struct gri_list *node)
{
    struct then *t = gri_container_of(node, struct then, node);

    if (!gri_future_unwatch(t->future, &t->waiter))
        return; /* it comes by the mailbox, to be refused there */
    then_free(t);
    gri_actor_unpin(a);
}

static void then_fire(struct gri_waiter *w)
{
    struct then *t = gri_container_of(w, struct then, waiter);

    gri_actor_post(t->actor, &t->envelope);
}

gr_code gr_then(gr_ctx *c, gr_future *f, gr_then_fn *fn, void (*drop)(void *arg), void *arg)
{
    struct then *t =
        f != NULL && !c->last && gri_rare_make(c->actor) != NULL ? gri_new0(struct then) : NULL;
    gr_code rc = c->last ? GR_EDEAD : GR_ENOMEM;

    if (t == NULL) {
        gr_future_free(f);
        if (drop != NULL)
            drop(arg);
        return rc;
    }
    *t = (struct then){ .envelope.kind = GRI_THEN,
                        .waiter.fire = then_fire,
                        .actor = c->actor,
                        .call = c->call,
                        .future = f,
                        .fn = fn,
                        .drop = drop,
                        .arg = arg };
    if (c->call != NULL)
        gri_future_ref(&c->call->future);
    gri_list_init(&t->node);
    rc = gri_actor_pin_more(c->actor) ? GR_OK : GR_EFULL;
    if (rc == GR_OK && (rc = gri_then_begin(c->actor, &t->node, f, &t->waiter)) != GR_OK &&
        rc != GR_EOS)
        gri_actor_unpin(c->actor);
    if (rc == GR_OK)
        return GR_OK;
    if (rc == GR_EOS) {
        gri_actor_post(c->actor, &t->envelope);
        return GR_OK;
    }
    then_free(t);
    return rc;
}
