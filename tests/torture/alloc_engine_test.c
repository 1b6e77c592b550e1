/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alloc_engine_test.c - the engine with its n-th allocation failing, for every n: nothing
 * crashes, hangs or leaks, and what fails says that memory ran out.
 *
 * A scenario makes a runtime, uses it and frees it. Workers allocate too, so which allocation is
 * the n-th differs from run to run; each must be survived.
 */
#include <greenroom/link.h>
#include <greenroom/name.h>

#include "tests/support/endure.h"

/* said notes what a call ended with: well, or for want of memory (or of a fiber's stack, or an
 * actor's slot, which is the same: GR_EFULL). */
static void said(gr_code rc)
{
    cr_assert(rc == GR_OK || rc == GR_ENOMEM || rc == GR_EFULL || rc == GR_EOS, "%s",
              gr_code_name(rc));
}

static void said_by(gr_future *f)
{
    gr_outcome o = gr_await(f, TEST_WAIT_MS);

    cr_assert_neq(o.code, GR_EPENDING, "no answer came");
    said(o.code);
    gr_future_free(f);
}

static gr_code read_up(gr_stream *s)
{
    gr_outcome o;

    while ((o = gr_next(s, TEST_WAIT_MS)).code == GR_OK)
        ;
    cr_assert_neq(o.code, GR_EPENDING, "the stream does not end");
    gr_stream_free(s);
    return o.code;
}

/* ---- actors ---------------------------------------------------------------------------------- */

static gr_code init(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self, (void)args;
    return GR_OK;
}

static void receive(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)c, (void)self, (void)msg;
}

static gr_value *sub(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *err = NULL, *v;

    (void)self;
    v = gr_invoke(gr_runtime_of(c), gr_as_ref(gr_args(c)), gr_value_ref(args),
                  GR_CALL(.timeout_ms = 60000), &err);
    return v != NULL ? v : err;
}

static void answer(gr_ctx *c, void *self, const gr_outcome *o, void *arg)
{
    (void)c, (void)self;
    gr_resolve(arg, gr_value_ref(o->code == GR_OK ? o->value : o->error));
}

static gr_value *later(gr_ctx *c, void *self, const gr_value *args)
{
    gr_future *f = gr_ainvoke(gr_runtime_of(c), gr_as_ref(gr_args(c)), gr_value_ref(args), NULL);
    gr_promise *p = gr_defer(c);

    (void)self;
    if (gr_then(c, f, answer, NULL, p) != GR_OK)
        gr_resolve(p, gr_error(GR_ENOMEM, "no continuation"));
    return NULL;
}

static gr_value *delegate(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return gr_delegate(c, gr_as_ref(gr_args(c)), "invoke", gr_value_ref(args));
}

static gr_code ten(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_code rc = GR_OK;

    (void)self, (void)in, (void)args;
    for (int i = 0; i < 10 && rc == GR_OK; i++)
        rc = gr_emit(c, gr_strf("chunk %d", i));
    return rc;
}

static const gr_method methods[] = { { "invoke", GR_ASYNC, sub, NULL },
                                     { "later", GR_ASYNC, later, NULL },
                                     { "pass", GR_ASYNC, delegate, NULL },
                                     { "block", GR_BLOCKING, sub, NULL },
                                     { "stream", GR_ASYNC, NULL, ten } };
static const gr_class exclusive = GR_CLASS(.name = "exclusive", .state_size = 32, .init = init,
                                           GR_METHODS(methods), .receive = receive);
static const gr_class reentrant = GR_CLASS(.name = "reentrant", .state_size = 32, .reentrant = true,
                                           GR_METHODS(methods), .receive = receive);
static const gr_class stateless = GR_CLASS(.name = "stateless", GR_METHODS(methods));
static const gr_method stream_methods[] = { { "stream", GR_ASYNC, NULL, ten } };
static const gr_class streamer = GR_CLASS(.name = "streamer", GR_METHODS(stream_methods));

static gr_ref make(const gr_class *cls)
{
    return gr_spawn(root, cls, GR_SPAWN(.name = "named", .args = gr_ref_value(echo())));
}

/* ---- scenarios ------------------------------------------------------------------------------- */

static void nothing(void)
{
}

static void invoke(void)
{
    said_by(gr_ainvoke(rt, echo(), gr_str("x"), NULL));
}

static void timed_invoke(void)
{
    said_by(gr_ainvoke(rt, echo(), gr_str("x"),
                       GR_CALL(.timeout_ms = 60000, .config = gr_map(GR_KV("tags", gr_nil())))));
}

static void sub_call(void)
{
    said_by(gr_ainvoke(rt, make(&exclusive), gr_str("x"), NULL));
}

static void sub_call_reentrant(void)
{
    said_by(gr_ainvoke(rt, make(&reentrant), gr_str("x"), NULL));
}

static void sub_call_stateless(void)
{
    said_by(gr_ainvoke(rt, make(&stateless), gr_str("x"), NULL));
}

static void own_verb(void)
{
    said_by(gr_acall(rt, make(&stateless), "later", gr_str("x"), NULL));
}

static void passed_on(void)
{
    said_by(gr_acall(rt, make(&exclusive), "pass", gr_str("x"), NULL));
}

static void blocking(void)
{
    said_by(gr_acall(rt, make(&exclusive), "block", gr_str("x"), NULL));
}

static void told(void)
{
    said(gr_tell(rt, make(&exclusive), gr_str("x")));
    said(gr_tell_wait(rt, make(&reentrant), gr_str("x")));
}

static void streamed(void)
{
    said(read_up(gr_astream(rt, make(&exclusive), gr_str("x"), NULL)));
}

static void streamed_by_invoke(void)
{
    gr_stream *s = gr_astream(rt, echo(), gr_str("x"), NULL);
    gr_code rc = gr_next(s, TEST_WAIT_MS).code;

    cr_assert_neq(rc, GR_EOS, "the one chunk must not be lost in silence");
    said(rc);
    gr_stream_free(s);
}

static void left_early(void)
{
    gr_stream *s = gr_astream(rt, make(&stateless), gr_str("x"), GR_CALL(.window_chunks = 1));

    said(gr_next(s, TEST_WAIT_MS).code);
    gr_stream_free(s);
}

static void gathered(void)
{
    said_by(gr_ainvoke(rt, gr_spawn(root, &streamer, NULL), gr_str("x"), NULL));
}

static void transformed(void)
{
    gr_stream *in = gr_stream_of(rt, gr_list(gr_str("a"), gr_str("b")));

    said(read_up(gr_atransform(rt, echo(), in, NULL)));
}

static void piped(void)
{
    gr_stream *w = NULL, *in = gr_pipe(rt, 4, &w);
    gr_stream *s;

    if (in == NULL)
        return;
    s = gr_atransform(rt, echo(), in, NULL);
    for (int i = 0; i < 3; i++) {
        gr_code rc = gr_pipe_write(w, gr_str("x"));

        cr_assert(rc == GR_OK || rc == GR_ENOMEM || rc == GR_ECANCELED, "%s", gr_code_name(rc));
    }
    gr_pipe_close(w, NULL);
    said(read_up(s));
}

static void batched(void)
{
    gr_value *list = gr_list(gr_str("a"), gr_str("b"), gr_str("c"));

    said_by(gr_abatch(rt, make(&reentrant), gr_value_ref(list), NULL));
    said_by(gr_abatch(rt, echo(), list, GR_CALL(.return_exceptions = true)));
}

static void combined(void)
{
    gr_ref e = echo();
    gr_future *fs[3], *gs[2];

    for (int i = 0; i < 3; i++)
        fs[i] = gr_ainvoke(rt, e, gr_str("x"), NULL);
    for (int i = 0; i < 2; i++)
        gs[i] = gr_ainvoke(rt, e, gr_str("x"), NULL);
    said_by(gr_all(rt, fs, 3));
    said_by(gr_race(rt, gs, 2));
    said_by(gr_within(rt, gr_ainvoke(rt, e, gr_str("x"), NULL), 60000));
}

static void scoped(void)
{
    gr_scope *s = gr_scope_new(root);

    if (s == NULL)
        return;
    gr_spawn(s, &exclusive, GR_SPAWN(.name = "named"));
    gr_future_free(gr_ainvoke(rt, nap(), gr_int(600000), GR_CALL(.scope = s)));
    gr_detach(gr_ainvoke(rt, echo(), gr_int(1), GR_CALL(.scope = s)));
    gr_scope_free(s);
}

static void queued(void)
{
    gr_cq *cq = gr_cq_new(rt);
    gr_future *f;

    if (cq == NULL)
        return;
    for (int i = 0; i < 3; i++) {
        gr_future *g = gr_ainvoke(rt, echo(), gr_int(i), NULL);

        if (g != NULL)
            said(gr_cq_watch(cq, g, NULL));
    }
    while ((f = gr_cq_next(cq, NULL)) != NULL)
        said_by(f);
    gr_cq_free(cq);
}

static void free_it(void *arg, gr_future *f)
{
    (void)arg;
    gr_future_free(f);
}

static void called_back(void)
{
    said(gr_on_done(gr_ainvoke(rt, echo(), gr_int(1), NULL), free_it, NULL, NULL));
}

static void named(void)
{
    gr_future *f = gr_ainvoke(rt, nap(), gr_int(600000), NULL);
    gr_call name = gr_future_call(f);

    gr_cancel(rt, name);
    gr_future_free(f);
}

/* ---- ends and names -------------------------------------------------------------------------- */

static void trapped(gr_ctx *c, void *self, gr_ref from, const gr_value *reason)
{
    (void)c, (void)self, (void)from, (void)reason;
}

static void went_down(gr_ctx *c, void *self, uint64_t monitor, gr_ref who, const gr_value *reason)
{
    (void)c, (void)self, (void)monitor, (void)who, (void)reason;
}

/* tie ties the actor to another in all ways, then ends the other. */
static gr_value *tie(gr_ctx *c, void *self, const gr_value *args)
{
    gr_runtime *r = gr_runtime_of(c);
    uint64_t m = 0;
    gr_ref child;

    (void)self, (void)args;
    gr_trap_exit(c, true);
    child = gr_spawn(root, &exclusive, GR_SPAWN(.link = true, .ret_monitor = &m));
    for (int i = 0; i < 2 && child.node != 0; i++) {
        gr_code rc = gr_monitor(c, child, &m);

        said(rc);
        if (rc == GR_OK && i == 0)
            cr_assert(gr_demonitor(c, m));
        said(gr_link(c, child));
        gr_unlink(c, child);
    }
    if (child.node == 0)
        return gr_error((gr_code)child.id, "no child");
    said(gr_link(c, child));
    said(gr_exit_to(r, gr_self(c), gr_str("trapped")));
    said(gr_exit_to(r, child, gr_str("over")));
    gr_value_unref(gr_take(gr_ended(r, child), NULL));
    return gr_nil();
}

static const gr_method tie_methods[] = { { "invoke", GR_ASYNC, tie, NULL } };
static const gr_class tied_class =
    GR_CLASS(.name = "tied", .state_size = 8, GR_METHODS(tie_methods), .exited = trapped,
             .down = went_down);

static void tied(void)
{
    said_by(gr_ainvoke(rt, gr_spawn(root, &tied_class, NULL), gr_nil(), NULL));
}

static void watched(void)
{
    gr_ref r = make(&exclusive);
    gr_future *f = gr_ended(rt, r);

    gr_stop(rt, r);
    if (f == NULL)
        return;
    said_by(f);
}

static void exits_with_calls(void)
{
    gr_ref r = gr_spawn(root, &reentrant, GR_SPAWN(.args = gr_ref_value(nap())));
    gr_future *f = gr_ainvoke(rt, r, gr_int(600000), NULL);
    gr_future *g = gr_acall(rt, r, "block", gr_int(600000), NULL);
    gr_code rc = gr_exit_to(rt, r, gr_str("over"));

    /* without memory the reason itself may be broken, and the actor one that was refused */
    cr_assert(rc == GR_OK || rc == GR_EDEAD || r.node == 0, "%s", gr_code_name(rc));
    if (r.node == 0)
        gr_future_cancel(f);
    gr_await(f, -1);
    gr_await(g, -1);
    gr_future_free(f);
    gr_future_free(g);
}

static void registered(void)
{
    gr_ref r = echo(), n = gr_named(root, "it", GR_NAMED(.wait_ms = 600000));
    gr_future *f = gr_ainvoke(rt, n, gr_str("x"), NULL);
    gr_code rc = gr_register(rt, "it", r);

    said(rc);
    if (rc != GR_OK)
        gr_future_cancel(f);
    else
        said_by(gr_ainvoke(rt, n, gr_str("x"), NULL));
    gr_await(f, -1);
    gr_future_free(f);
}

/* ---- all of them ----------------------------------------------------------------------------- */

#define ENDURES(name)                                                                              \
    Test(alloc_engine, name)                                                                       \
    {                                                                                              \
        endure(name, false, 1);                                                                    \
        endure(name, true, 2);                                                                     \
    }

ENDURES(nothing)
ENDURES(invoke)
ENDURES(timed_invoke)
ENDURES(sub_call)
ENDURES(sub_call_reentrant)
ENDURES(sub_call_stateless)
ENDURES(own_verb)
ENDURES(passed_on)
ENDURES(blocking)
ENDURES(told)
ENDURES(streamed)
ENDURES(streamed_by_invoke)
ENDURES(left_early)
ENDURES(gathered)
ENDURES(transformed)
ENDURES(piped)
ENDURES(batched)
ENDURES(combined)
ENDURES(scoped)
ENDURES(queued)
ENDURES(called_back)
ENDURES(named)
ENDURES(tied)
ENDURES(watched)
ENDURES(exits_with_calls)
ENDURES(registered)
