/* SPDX-License-Identifier: Apache-2.0 */
/*
 * named.c - the stand-in for whoever has a name: a stateless actor whose one native method takes
 * every verb and passes the call on, at once or when the name has an owner again.
 */
#include <greenroom/callbacks.h>
#include <string.h>

#include "runtime/actor/ctx.h"
#include "runtime/actor/name.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/actor/send.h"
#include "runtime/base/alloc.h"

#define WAIT_MAX 1024
/* how soon a tell that waits for a name finds that its stand-in is to stop: being told to stop
 * interrupts no handler */
#define LOOK_MS 50

static const char *name_of(const gr_value *args)
{
    return gr_cstr(gr_get(args, "name"), "");
}

static size_t wait_max(const gr_value *args)
{
    return (size_t)gr_as_int(gr_get(args, "wait_max"), 0);
}

static uint64_t wait_until(gr_runtime *rt, const gr_value *args)
{
    return gri_deadline_after(&rt->sched, gr_as_int(gr_get(args, "wait_ms"), 0));
}

/* lost says why nobody will have the name: whoever gives it could not be started, or is gone. NULL: somebody may. */
static gr_value *lost(gr_runtime *rt, const gr_value *args)
{
    gr_ref giver = gr_as_ref(gr_get(args, "giver"));

    return giver.node != 0 || giver.id != 0 ? gr_check(rt, giver) : NULL;
}

static gr_value *unreached(gr_runtime *rt, const gr_value *args)
{
    gr_value *why = lost(rt, args);

    if (why == NULL)
        return gr_error(GR_EUNREACH, "nobody has the name '%s'", name_of(args));
    return gr_error_with(
        gr_error(GR_EUNREACH, "nobody has the name '%s': %s", name_of(args), gr_error_text(why)),
        "cause", why);
}

static gr_value *nobody(gr_runtime *rt, const gr_value *args, gr_code rc)
{
    switch (rc) {
    case GR_EFULL: return gr_error(rc, "too many calls wait for the name '%s'", name_of(args));
    case GR_ENOMEM: return gr_error(rc, "out of memory");
    default: return unreached(rt, args);
    }
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* ASLEEP: the next event readies the task. AWAKE: the task is queued or runs. AGAIN: it does, and something
 * has come that it may not have seen. */
enum wait_state { ASLEEP, AWAKE, AGAIN };

/* A call that waits for the name: that comes, or the time is up, or the call is cancelled. */
struct name_wait {
    struct gri_name_waiter waiter;
    struct gri_timer timer;
    struct gri_task task;
    struct gri_call *call; /* the duty */
    uint64_t until_ns;
    _Atomic int state; /* wait_state */
};

static void wake(struct name_wait *w)
{
    int state = atomic_load(&w->state);

    while (state != AGAIN &&
           !atomic_compare_exchange_weak(&w->state, &state, state == ASLEEP ? AWAKE : AGAIN))
        ;
    if (state == ASLEEP)
        gri_ready(gri_call_sched(w->call), &w->task);
}

/* fall_asleep is the last that the task does with w: from then on any event may ready it elsewhere. false:
 * something has come meanwhile. */
static bool fall_asleep(struct name_wait *w)
{
    int awake = AWAKE;

    return atomic_compare_exchange_strong(&w->state, &awake, ASLEEP);
}

static void wait_named(struct gri_name_waiter *waiter)
{
    wake(gri_container_of(waiter, struct name_wait, waiter));
}

static void wait_late(struct gri_timer *t)
{
    wake(gri_container_of(t, struct name_wait, timer));
}

static void wait_cancelled(void *arg)
{
    wake(arg);
}

/* pass_on gives the call to the name's owner: true, it is no more ours. Else *ret_rc says what
 * gri_name_await said, with w listed on GR_EPENDING. */
static bool pass_on(struct gri_call *call, struct gri_name_waiter *w, gr_code *ret_rc)
{
    const gr_value *args = gri_call_spawn_args(call);
    gr_value *err = NULL;
    gr_ref to = { 0, 0 };

    do {
        gr_value_unref(err);
        *ret_rc = gri_name_await(call->rt, name_of(args), w, w != NULL ? wait_max(args) : 0, &to);
        if (*ret_rc != GR_OK)
            return false;
        err = gri_call_offer(call, to);
        if (err == NULL)
            return true;
    } while (gr_error_code(err) == GR_EDEAD); /* it ended just now: the name has moved on */
    gri_call_end(call, err);
    return true;
}

static void wait_run(struct gri_task *t)
{
    struct name_wait *w = gri_container_of(t, struct name_wait, task);
    struct gri_call *call = w->call;
    const gr_value *args = gri_call_spawn_args(call);
    gr_code rc = GR_ECANCELED;
    bool late;

    for (;;) {
        gri_name_leave(call->rt, name_of(args), &w->waiter);
        gri_timer_cancel(&call->rt->sched, &w->timer);
        atomic_store(&w->state, AWAKE); /* what came up to here is seen below */
        late = gri_sched_now(&call->rt->sched) >= w->until_ns;
        if (gri_call_cancelled(call)) {
            gri_call_end(call, gr_error(GR_ECANCELED, "cancelled"));
            break;
        }
        if (pass_on(call, late ? NULL : &w->waiter, &rc))
            break;
        if (rc != GR_EPENDING) {
            gri_call_end(call, nobody(call->rt, args, rc));
            break;
        }
        gri_timer_start(&call->rt->sched, &w->timer, w->until_ns);
        if (fall_asleep(w))
            return;
    }
    gri_free(w); /* the hook is over: ending or passing on the call has waited for it */
}

static void wait_start(struct gri_call *call)
{
    const gr_value *args = gri_call_spawn_args(call);
    struct name_wait *w = gri_new0(struct name_wait);

    if (w == NULL) {
        gri_call_end(call, nobody(call->rt, args, GR_ENOMEM));
        return;
    }
    *w = (struct name_wait){ .waiter.fire = wait_named,
                             .task = { .run = wait_run, .name = "named" },
                             .call = call,
                             .until_ns = wait_until(call->rt, args) };
    gri_list_init(&w->waiter.node);
    gri_timer_init(&w->timer, wait_late);
    atomic_init(&w->state, AWAKE);
    gri_call_on_cancel(call, wait_cancelled, w);
    wait_run(&w->task);
}

static void named_call(struct gri_call *call)
{
    const gr_value *args = gri_call_spawn_args(call);
    gr_code rc = GR_OK;
    gr_value *why;

    if (pass_on(call, NULL, &rc))
        return;
    why = lost(call->rt, args);
    if (wait_max(args) != 0 && why == NULL)
        wait_start(call);
    else
        gri_call_end(call, nobody(call->rt, args, rc));
    gr_value_unref(why);
}

/* ---- tells ----------------------------------------------------------------------------------- */

struct tell_wait {
    struct gri_name_waiter waiter;
    struct gri_park park;
};

static void tell_wake(struct gri_name_waiter *waiter)
{
    gri_park_wake(&gri_container_of(waiter, struct tell_wait, waiter)->park, GRI_WOKEN);
}

static bool is_stopping(const gr_ctx *c)
{
    return (atomic_load(&c->actor->flags) & GRI_STOPPING) != 0;
}

/* await_name waits for a while for the name; GR_OK with its owner, GR_EPENDING: try again. */
static gr_code await_name(gr_ctx *c, gr_ref *ret_ref)
{
    const gr_value *args = gr_args(c);
    struct tell_wait w = { .waiter.fire = tell_wake };
    uint32_t why = 0;
    gr_code rc;

    gri_list_init(&w.waiter.node);
    gri_park_init(&w.park);
    rc = gri_name_await(c->rt, name_of(args), &w.waiter, wait_max(args), ret_ref);
    if (rc != GR_EPENDING)
        return rc;
    rc = gri_park_wait(&w.park, gri_deadline_after(&c->rt->sched, LOOK_MS), true, &why);
    gri_name_leave(c->rt, name_of(args), &w.waiter); /* from here on nobody touches the frame */
    if (rc == GR_OK && why == GRI_INTERRUPTED)
        rc = GR_EINTR;
    return rc == GR_OK ? GR_EPENDING : rc;
}

/* A tell that waits holds up those after it, so they keep their order. */
static void named_tell(gr_ctx *c, void *self, const gr_value *msg)
{
    uint64_t until = wait_until(c->rt, gr_args(c));
    gr_ref to = { 0, 0 };
    gr_code rc;

    (void)self;
    do {
        rc = await_name(c, &to);
        if (rc == GR_OK)
            rc = gr_tell_wait(c->rt, to, gr_value_ref(msg));
    } while (rc == GR_EDEAD ||
             (rc == GR_EPENDING && !is_stopping(c) && gri_sched_now(&c->rt->sched) < until));
    if (rc != GR_OK)
        gri_dead_letter(c->rt, "told to a name");
}

/* ---- making ---------------------------------------------------------------------------------- */

static const gr_method methods[] = {
    { .verb = "*", .kind = GRI_NATIVE, .fn = GRI_NATIVE_FN(named_call) },
};

static const gr_class named_class =
    GR_CLASS(.name = "named", .run_type = GR_TYPE_NONE, .receive = named_tell, GR_METHODS(methods));

const char *gri_named_name(const struct gri_actor *a)
{
    return a->klass->cls == &named_class ? name_of(a->args) : NULL;
}

gr_ref gr_named(gr_scope *in, const char *name, const gr_named_opts *opts)
{
    return gri_named_by(in, name, opts, (gr_ref){ .node = 0, .id = 0 });
}

gr_ref gri_named_by(gr_scope *in, const char *name, const gr_named_opts *opts, gr_ref giver)
{
    static const gr_named_opts defaults = { .size = sizeof(defaults) };
    const gr_named_opts *o = opts != NULL ? opts : &defaults;
    bool waits = o->wait_ms > 0;
    size_t max = !waits ? 0 : o->wait_max != 0 ? o->wait_max : WAIT_MAX;
    gr_value *args;

    if (name == NULL || name[0] == '\0' || strlen(name) > GR_NAME_MAX)
        args = gr_error(GR_EINVAL, "a name has 1 to %d bytes", GR_NAME_MAX);
    else
        args = gr_map(GR_KV("name", gr_str(name)), GR_KV("wait_ms", gr_int(waits ? o->wait_ms : 0)),
                      GR_KV("wait_max", gr_int(max < INT32_MAX ? (int64_t)max : INT32_MAX)),
                      GR_KV("giver", gr_ref_value(giver)));
    return gr_spawn(in, &named_class, GR_SPAWN(.args = args, .name = name));
}
