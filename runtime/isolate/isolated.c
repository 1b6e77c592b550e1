/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isolated.c - the stand-in: a stateless actor whose one method takes every verb, passes the call on to
 * the child over its link, and waits for the answer.
 *
 * That the handler waits is what makes the child's end fail its call: an exit interrupts all waits in
 * the actor, and answers for them. The link's end, which may be noticed before the process's, is
 * therefore no answer: the handler waits on, for the exit that is about to come.
 */
#include <greenroom/callbacks.h>
#include <greenroom/link.h>
#include <greenroom/node.h>

#include "runtime/actor/ctx.h"
#include "runtime/actor/elsewhere.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/isolate/keeper.h"
#include "runtime/isolate/kinds.h"

#define NS_PER_MS UINT64_C(1000000)
#define AGAIN_MS 5         /* before a link that is not there yet is tried again */
#define PLACE_MS 200       /* how long a place is waited for */
#define EXIT_COMES_MS 5000 /* how long a handler waits for the exit that must come */

static struct gri_process *process_of(const gr_value *args)
{
    return gr_as_opaque(args);
}

/* ---- starting -------------------------------------------------------------------------------- */

static int64_t left_ms(gr_runtime *rt, uint64_t deadline_ns)
{
    uint64_t now = gr_now_ns(rt);

    return now < deadline_ns ? (int64_t)((deadline_ns - now) / NS_PER_MS) + 1 : -1;
}

static gr_value *too_late(const struct gri_process *p)
{
    return gr_error(GR_ETIMEDOUT, "isolated process: %s was not up in %lld ms", p->name,
                    (long long)p->opts.start_ms);
}

/* meet makes the link. The child listens, but the link that is there may be one to an earlier process of the
 * same URL, just about to break: then again. NULL, or why there is none. */
static gr_value *meet(gr_ctx *c, struct gri_process *p, uint64_t deadline_ns)
{
    for (;;) {
        int64_t ms = left_ms(c->rt, deadline_ns);
        gr_value *err = NULL;
        gr_value *v = gr_do(c->rt, p->control, "sign", gr_nil(), GR_CALL(.timeout_ms = ms), &err);
        gr_code rc = gr_error_code(err);

        if (v != NULL) {
            gr_value_unref(v);
            return NULL;
        }
        if (rc != GR_EUNREACH && rc != GR_ETIMEDOUT)
            return err;
        gr_value_unref(err);
        if (rc == GR_ETIMEDOUT || ms < 0)
            return too_late(p);
        err = gri_process_wait(p, GRI_PROCESS_ENDED, gr_now_ns(c->rt) + AGAIN_MS * NS_PER_MS);
        if (gr_error_code(err) != GR_ETIMEDOUT)
            return err != NULL ? err : gri_process_run(p); /* which says why it ended */
        gr_value_unref(err);
    }
}

/* order has the child make the actor. NULL, or why it could not: the child answers with a list, which has
 * the actor's own error, if there is one. Without an answer it has died of it. */
static gr_value *order(gr_ctx *c, struct gri_process *p, uint64_t deadline_ns)
{
    gr_value *what = gr_map(GR_KV("kind", gr_str(p->kind)), GR_KV("name", gr_str(p->name)),
                            GR_KV("settings", gr_value_ref(p->settings)));
    gr_value *err = NULL, *done, *lives;

    if (p->args != NULL)
        what = gr_set(what, "args", gr_value_ref(p->args));
    done = gr_do(c->rt, p->control, "start", what,
                 GR_CALL(.timeout_ms = left_ms(c->rt, deadline_ns)), &err);
    if (done != NULL) {
        err = gr_value_ref(gr_at(done, 0)); /* NULL if it is empty */
        gr_value_unref(done);
        return err;
    }
    if (gr_error_code(err) != GR_EUNREACH && gr_error_code(err) != GR_ETIMEDOUT)
        return err;
    if (gr_error_code(err) == GR_ETIMEDOUT) {
        gr_value_unref(err);
        return too_late(p);
    }
    lives = gri_process_wait(p, GRI_PROCESS_ENDED, gr_now_ns(c->rt) + EXIT_COMES_MS * NS_PER_MS);
    if (lives != NULL) {
        gr_value_unref(lives);
        return err;
    }
    gr_value_unref(err);
    return gri_process_run(p); /* which says why it ended */
}

/* take_place has the process started. An actor's end is told just before its place is free, so whoever
 * starts another one for it may have to wait a moment. */
static gr_code take_place(gr_ctx *c, struct gri_process *p, struct gri_keeper *k)
{
    uint64_t until_ns = gri_deadline_after(gri_sched_of(c->rt), PLACE_MS);
    gr_code rc = gri_keeper_add(k, p);

    while (rc == GR_EFULL && gr_now_ns(c->rt) < until_ns) {
        gr_code slept = gr_sleep(c->rt, AGAIN_MS);

        if (slept != GR_OK)
            return slept;
        rc = gri_keeper_add(k, p);
    }
    return rc;
}

/* bring_up starts the process and the actor in it. NULL, or why not. */
static gr_value *bring_up(gr_ctx *c, struct gri_process *p, struct gri_keeper *k)
{
    uint64_t deadline_ns = gri_deadline_after(gri_sched_of(c->rt), p->opts.start_ms);
    gr_code rc = k != NULL ? take_place(c, p, k) : GR_ENOMEM;
    gr_value *err = NULL;

    if (rc == GR_EFULL)
        return gr_error(rc, "isolated process: there are %u already", c->rt->isolated_max);
    if (rc != GR_OK)
        return gr_error(rc, "isolated process: %s", gr_code_name(rc));
    err = gri_process_wait(p, GRI_PROCESS_READY, deadline_ns);
    if (gr_error_code(err) == GR_ETIMEDOUT) {
        gr_value_unref(err);
        err = too_late(p);
    }
    if (err != NULL)
        return err;
    p->control = gr_remote(gr_run_scope(c), p->url, GRI_CONTROL_NAME);
    p->actor = gr_remote(gr_run_scope(c), p->url, p->name);
    err = meet(c, p, deadline_ns);
    if (err != NULL)
        return err;
    gri_keeper_linked(k, p);
    return order(c, p, deadline_ns);
}

/* on_over hears that the actor in the child has ended, or that the link has. */
static void on_over(void *arg, gr_future *f)
{
    struct gri_process *p = arg;
    gr_outcome o = gr_await(f, 0);

    if (o.code == GR_OK) {
        gr_value *reason = gr_value_ref(gr_at(o.value, 0));

        if (gr_reason_is(reason, "normal"))
            gr_stop(p->rt, p->self);
        else
            (void)gr_exit_to(p->rt, p->self, gr_value_ref(reason));
        gr_value_unref(reason);
    } else if (o.code != GR_ECANCELED && o.code != GR_ETIMEDOUT) {
        gri_process_doubt(p, "its link was lost");
    }
    gr_future_free(f);
}

/* follow has the actor's end in the child, or the process's, told. NULL, or that it has ended. */
static gr_value *follow(gr_ctx *c, struct gri_process *p)
{
    gr_future *f = gr_acall(c->rt, p->control, "over", gr_nil(), NULL);

    if (f == NULL || gr_on_done(f, on_over, gri_process_unref, gri_process_ref(p)) != GR_OK)
        return gr_error(GR_ENOMEM, "out of memory");
    return gri_process_run(p);
}

static void give_up(gr_runtime *rt, struct gri_process *p)
{
    struct gri_keeper *k = gri_keeper_get(rt);

    gri_process_kill(p, NULL);
    if (k != NULL)
        gri_keeper_leave(k, p);
}

static gr_code isolated_init(gr_ctx *c, void *self, const gr_value *args)
{
    struct gri_process *p = process_of(args);
    struct gri_keeper *k = gri_keeper_get(c->rt);
    gr_value *err;

    (void)self;
    p->self = gr_self(c);
    err = bring_up(c, p, k);
    if (err == NULL)
        err = follow(c, p);
    if (err == NULL)
        return GR_OK;
    give_up(c->rt, p);
    return gr_fail(c, err);
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* sub_opts passes on what a sub-call would not inherit. */
static const gr_call_opts *sub_opts(gr_ctx *c, gr_call_opts *o)
{
    const gr_value *kwargs = gr_kwargs(c);

    *o = (gr_call_opts){ .size = sizeof(*o) };
    if (kwargs != NULL)
        o->config = gr_map(GR_KV("kwargs", gr_value_ref(kwargs)));
    return o;
}

static gr_value *pass(gr_ctx *c, struct gri_process *p, const gr_value *args)
{
    gr_call_opts o;
    gr_future *f =
        gri_call_sub(c->call, p->actor, c->call->verb, gr_value_ref(args), sub_opts(c, &o));
    gr_outcome got = gr_await(f, -1);
    gr_value *v = gr_value_ref(got.code == GR_OK ? got.value : got.error);

    gr_future_free(f);
    return v != NULL ? v : gr_error(got.code, "the isolated actor can't be called");
}

static gr_value *pass_stream(gr_ctx *c, struct gri_process *p, const gr_value *args, gr_stream *in)
{
    gr_call_opts o;
    gr_stream *s;
    gr_outcome got;
    gr_value *v;

    (void)sub_opts(c, &o);
    o.window_chunks = (unsigned)c->call->out->window_chunks;
    o.window_bytes = c->call->out->window_bytes;
    s = gri_call_sub_stream(c->call, p->actor, c->call->verb, gr_value_ref(args), in, &o);
    while ((got = gr_next(s, -1)).code == GR_OK) {
        gr_code rc = gr_emit(c, gr_value_ref(got.value));

        if (rc != GR_OK) {
            got = (gr_outcome){ .code = rc };
            break;
        }
    }
    v = got.code == GR_EOS  ? gr_nil()
        : got.error != NULL ? gr_value_ref(got.error)
                            : gr_error(got.code, "the isolated actor can't be streamed");
    gr_stream_free(s);
    return v;
}

/* link_lost tells whether an error may come of the link's end, and the link has ended: for good, since the
 * socket's file is gone. */
static bool link_lost(gr_ctx *c, struct gri_process *p, const gr_value *err)
{
    gr_code rc = gr_error_code(err);
    gr_value *why = NULL;

    if (rc != GR_EUNREACH && rc != GR_EPROTO && rc != GR_ENOMEM)
        return false;
    gr_value_unref(gr_do(c->rt, p->control, "sign", gr_nil(), NULL, &why));
    rc = gr_error_code(why);
    gr_value_unref(why);
    return rc == GR_EUNREACH || rc == GR_EPROTO;
}

static gr_value *isolated_call(gr_ctx *c, void *self, const gr_value *args)
{
    struct gri_process *p = process_of(gr_args(c));
    gr_stream *in = gri_call_take_in(c->call);
    gr_value *v;

    (void)self;
    if (c->call->out != NULL) {
        v = pass_stream(c, p, args, in);
    } else {
        gr_stream_free(in);
        v = pass(c, p, args);
    }
    if (gr_error_code(v) != GR_OK && link_lost(c, p, v)) {
        gri_process_doubt(p, "its link was lost");
        (void)gr_sleep(c->rt, EXIT_COMES_MS); /* the exit answers the call, and wakes us */
    }
    return v;
}

static void isolated_tell(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)self;
    if (gr_tell_wait(c->rt, process_of(gr_args(c))->actor, gr_value_ref(msg)) != GR_OK)
        gri_dead_letter(c->rt, "told to an isolated actor");
}

/* ---- the end --------------------------------------------------------------------------------- */

static void isolated_terminate(gr_ctx *c, void *self, const gr_value *reason)
{
    struct gri_process *p = process_of(gr_args(c));

    (void)self, (void)reason;
    gri_process_ask(p);
    gr_value_unref(gri_process_wait(p, GRI_PROCESS_ENDED, GRI_NEVER)); /* terminate_ms ends it */
}

static void isolated_stopped(void *self, const gr_value *args)
{
    struct gri_process *p = process_of(args);

    (void)self;
    if (p == NULL)
        return;
    give_up(p->rt, p);
    gr_stop(p->rt, p->actor);
    gr_stop(p->rt, p->control);
}

/* ---- making ---------------------------------------------------------------------------------- */

static const gr_method methods[] = { { .verb = "*", .kind = GR_ASYNC, .fn = isolated_call } };

static const gr_class isolated_class =
    GR_CLASS(.name = "isolated", .run_type = GR_TYPE_NONE, .init = isolated_init,
             .receive = isolated_tell, .terminate = isolated_terminate, .stopped = isolated_stopped,
             GR_METHODS(methods));

/* settings_of gathers the numbers of the options that count for the actor in the child. */
static gr_value *settings_of(const gr_spawn_opts *o)
{
    return gr_map(
        GR_KV("mailbox_max", gr_int((int64_t)o->mailbox_max)),
        GR_KV("max_concurrency", gr_int(o->max_concurrency)),
        GR_KV("overflow", gr_int(o->overflow)),
        GR_KV("mailbox_bytes_max", gr_int((int64_t)o->mailbox_bytes_max)),
        GR_KV("queue_ms", gr_int(o->queue_ms)), GR_KV("handler_ms", gr_int(o->handler_ms)),
        GR_KV("handler_kill", gr_bool(o->handler_kill)), GR_KV("asks_max", gr_int(o->asks_max)),
        GR_KV("stash_max", gr_int((int64_t)o->stash_max)),
        GR_KV("terminate_ms", gr_int(o->terminate_ms)));
}

/* stand_in makes it, or one that says what is wrong. args is taken. */
static gr_ref stand_in(gr_scope *in, const char *kind, const gr_spawn_opts *o, gr_value *args,
                       gr_value *wrong)
{
    gr_spawn_opts own = { .size = sizeof(own),
                          .name = o->name != NULL ? o->name : kind,
                          .terminate_ms = o->terminate_ms,
                          .ties_max = o->ties_max,
                          .link = o->link,
                          .ret_monitor = o->ret_monitor,
                          .callbacks = o->callbacks };
    struct gri_process *p = NULL;

    if (wrong == NULL && args != NULL && gr_error_code(args) != GR_OK)
        wrong = gr_value_ref(args);
    if (wrong == NULL) {
        p = gri_process_new(in->rt, kind, o, gr_value_ref(args), settings_of(o));
        if (p == NULL)
            wrong = gr_error(GR_ENOMEM, "out of memory");
    }
    gr_value_unref(args);
    own.args = wrong != NULL ? wrong : gr_opaque(p, gri_process_unref);
    return gr_spawn(in, &isolated_class, &own);
}

static gr_value *unknown(const char *what, const char *name)
{
    return gr_error(GR_EINVAL,
                    gri_kinds_known()
                        ? "isolated process: the %s '%s' is not among those that "
                          "gr_isolate_main was given"
                        : "isolated process: gr_isolate_main was not called, so there is "
                          "no %s '%s'",
                    what, name);
}

/* make makes it of a kind: in a simulation here, elsewhere in a process. */
static gr_ref make(gr_scope *in, const gr_isolated_kind *kind, const gr_spawn_opts *o)
{
    if (gri_sched_of(in->rt)->sim != NULL)
        return gri_kind_make(kind, in, o, o->args);
    return stand_in(in, kind->name, o, o->args, NULL);
}

static gr_ref spawn_isolated(gr_scope *in, const gr_class *cls, const gr_spawn_opts *o)
{
    const gr_isolated_kind *kind = gri_kind_of(cls);
    const char *name = cls != NULL && cls->name != NULL ? cls->name : "";

    if (kind == NULL)
        return stand_in(in, name, o, o->args, unknown("class", name));
    return make(in, kind, o);
}

const struct gri_elsewhere gri_elsewhere = { .spawn = spawn_isolated };

gr_ref gr_isolated(gr_scope *in, const char *kind, const gr_spawn_opts *opts)
{
    static const gr_spawn_opts defaults = { .size = sizeof(defaults) };
    const gr_spawn_opts *o = opts != NULL ? opts : &defaults;
    const gr_isolated_kind *known = kind != NULL ? gri_kind_named(kind) : NULL;

    if (in == NULL) {
        gr_value_unref(o->args);
        gr_value_unref(o->callbacks);
        return (gr_ref){ .node = 0, .id = GR_EINVAL };
    }
    if (known == NULL)
        return stand_in(in, kind != NULL ? kind : "", o, o->args,
                        unknown("kind", kind != NULL ? kind : ""));
    return make(in, known, o);
}
