/* SPDX-License-Identifier: Apache-2.0 */
/* tell.c - messages without an answer. */
#include <string.h>

#include "runtime/actor/bounds.h"
#include "runtime/actor/ctx.h"
#include "runtime/actor/mailbox.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/sched/cache.h"
#include "runtime/value/value.h"

#define BYTES_WAIT_MAX_MS 16
#define SENT_IN_A_ROW 256

struct tell {
    struct gri_envelope envelope;
    gr_value *msg; /* counted */
};

static struct tell *tell_of(struct gri_envelope *e)
{
    return gri_container_of(e, struct tell, envelope);
}

static struct gri_envelope *tell_new(struct gri_worker *w, gr_value *msg)
{
    struct tell *t = gri_cache_alloc(w, GRI_BLOCK_TELL);

    _Static_assert(sizeof(*t) <= GRI_BLOCK_TELL_BYTES, "a tell fits its block");
    if (t == NULL)
        return NULL;
    *t = (struct tell){ .envelope.kind = GRI_TELL, .msg = msg };
    return &t->envelope;
}

struct gri_envelope *gri_tell_new_alone(gr_value *msg)
{
    return tell_new(NULL, msg);
}

void gri_tell_free(struct gri_envelope *e)
{
    if (e == NULL)
        return;
    gr_value_unref(tell_of(e)->msg);
    gri_cache_free(gri_exec()->worker, GRI_BLOCK_TELL, tell_of(e));
}

gr_value *gri_tell_open(gr_runtime *rt, struct gri_envelope *e)
{
    gri_charge(rt, -(int64_t)e->bytes);
    return tell_of(e)->msg;
}

void gri_tell_discard(struct gri_envelope *e)
{
    gri_cache_free(gri_exec()->worker, GRI_BLOCK_TELL, tell_of(e));
}

/* What became of a tell that was not sent. DROPPED: it must not be tried again, and nobody is told. */
struct refusal {
    gr_code code;
    bool dropped;
};

static struct refusal refusal_of(gr_value *err GR_TAKES)
{
    struct refusal r = { .code = gr_error_code(err) };

    r.dropped = r.code == GR_EFULL && strcmp(gr_cstr(gr_get(err, "kind"), ""), "dropped") == 0;
    gr_value_unref(err);
    return r;
}

/* tell_carefully is for an actor that has bounds, or takes no tells, or none any more. */
static __attribute__((noinline, cold)) struct refusal tell_carefully(gr_runtime *rt, gr_ref to,
                                                                     struct gri_envelope *e)
{
    gr_value *err = NULL;
    struct gri_actor *a = gri_actor_enter(rt, to, e, &err);

    if (a == NULL)
        return refusal_of(err);
    if (a->klass->cls->receive == NULL) {
        gri_envelope_leave(a, e);
        gri_actor_unpin(a);
        return (struct refusal){ .code = GR_ETYPE };
    }
    gri_mailbox_put(a, e);
    gri_actor_unpin(a); /* its place keeps it while e is there */
    return (struct refusal){ .code = GR_OK };
}

/* tell_once sends e; on failure it is still the caller's. */
static struct refusal tell_once(gr_runtime *rt, gr_ref to, struct gri_envelope *e)
{
    struct gri_actor *a = to.node == rt->node ? gri_registry_find(&rt->registry, to.id) : NULL;
    enum gri_entry how;
    uint64_t depth;

    /* What the flags say is of the actor that is meant, or the slot's generation is another by now. */
    if (a == NULL || (atomic_load_explicit(&a->flags, memory_order_acquire) &
                      (GRI_STOPPING | GRI_FAILED | GRI_DEAF | GRI_BOUNDED)) != 0)
        return tell_carefully(rt, to, e);
    e->placed = true;
    how = gri_mailbox_enter(a, to.id, e, 0, &depth);
    if (how == GRI_ENTERED) {
        gri_note_depth(rt, depth);
        return (struct refusal){ .code = GR_OK };
    }
    e->placed = false;
    if (how == GRI_GONE)
        return tell_carefully(rt, to, e); /* which says why */
    gri_count(rt->sched.ledger, GRI_COUNT_REFUSED_MAILBOX, 1);
    return (struct refusal){ .code = GR_EFULL };
}

/* wait_bytes looks again and again, ever more slowly, whether the runtime takes so many bytes. */
static __attribute__((noinline)) gr_code wait_bytes(gr_runtime *rt, uint32_t bytes, bool wait)
{
    gr_code rc = GR_OK;

    for (int64_t ms = 1; wait && rc == GR_OK && !gri_bytes_fit(rt, bytes);
         ms = ms < BYTES_WAIT_MAX_MS ? ms * 2 : ms)
        rc = gr_sleep(rt, ms);
    return rc == GR_OK ? gri_check_bytes(rt, bytes) : rc;
}

static gr_code wait_room(gr_runtime *rt, gr_ref to, const struct gri_envelope *e)
{
    gr_value *err = NULL;
    struct gri_actor *a = gri_actor_pin(rt, to, &err);
    gr_code rc = gr_error_code(err);

    gr_value_unref(err);
    if (a == NULL) /* gone, or too many pin it, whose end tells nobody */
        return rc == GR_EFULL ? gr_sleep(rt, 1) : GR_EDEAD;
    /* nobody makes room in an actor that waits for us */
    rc = gri_ctx_holds(rt, to.id) ? GR_EDEADLK : gri_actor_wait_room(a, e->bytes);
    gri_actor_unpin(a);
    return rc;
}

/* take_turns lets others run after so many messages: those who get them do so while these are in the
 * processor's cache, and not only when a mailbox is full. */
static void take_turns(struct gri_exec *e)
{
    if (e->ctx != NULL && ++e->sent >= SENT_IN_A_ROW)
        gri_let_others_run(e);
}

/* not_sent ends a tell that was not sent at once: it waits for room, if it may, or gives up. */
static __attribute__((noinline, cold)) gr_code not_sent(gr_runtime *rt, gr_ref to,
                                                        struct gri_envelope *e, struct refusal r,
                                                        bool wait)
{
    while (r.code == GR_EFULL && wait && !r.dropped) {
        r.code = wait_room(rt, to, e);
        if (r.code == GR_OK)
            r = tell_once(rt, to, e);
    }
    if (r.code == GR_OK) {
        take_turns(gri_exec());
        return GR_OK;
    }
    gri_charge(rt, -(int64_t)e->bytes);
    gri_tell_free(e);
    return r.dropped ? GR_OK : r.code;
}

static gr_code send_or_wait(gr_runtime *rt, gr_ref to, struct gri_envelope *e, bool wait,
                            struct gri_exec *here)
{
    gr_code rc = e->bytes != 0 ? wait_bytes(rt, e->bytes, wait) : GR_OK;
    struct refusal r;

    if (rc != GR_OK) {
        gri_tell_free(e);
        return rc;
    }
    gri_charge(rt, e->bytes);
    r = tell_once(rt, to, e);
    if (r.code != GR_OK)
        return not_sent(rt, to, e, r, wait);
    if (wait)
        take_turns(here);
    return GR_OK;
}

static gr_code refuse(gr_value *msg GR_TAKES, gr_code why)
{
    gr_value_unref(msg);
    return why;
}

static gr_code tell(gr_runtime *rt, gr_ref to, gr_value *msg, bool wait)
{
    struct gri_exec *here = gri_exec();
    struct gri_envelope *e;

    if (msg == NULL || gri_is_broken(msg))
        return refuse(msg, msg == NULL ? GR_EINVAL : gr_error_code(msg));
    if (gri_sched_foreign(&rt->sched))
        return refuse(msg, GR_EINVAL);
    e = tell_new(here->worker, msg);
    if (e == NULL)
        return refuse(msg, GR_ENOMEM);
    e->bytes = gri_message_bytes(msg);
    return send_or_wait(rt, to, e, wait, here);
}

gr_code gr_tell(gr_runtime *rt, gr_ref to, gr_value *msg)
{
    return tell(rt, to, msg, false);
}

gr_code gr_tell_wait(gr_runtime *rt, gr_ref to, gr_value *msg)
{
    return tell(rt, to, msg, true);
}
