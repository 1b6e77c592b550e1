/* SPDX-License-Identifier: Apache-2.0 */
/* scene_engine.c - runtimes, actors of every kind, messages, promises, continuations. */
#include "tests/torture/torture.h"

#include <sched.h>
#include <stdatomic.h>

/* ---- actors ---------------------------------------------------------------------------------- */

struct count {
    int64_t told;
};

static gr_code init(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)args;
    ((struct count *)self)->told = 0;
    return GR_OK;
}

static gr_code init_fails(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    return gr_fail(c, gr_error(GR_EREMOTE, "not today"));
}

static void receive(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)c;
    ((struct count *)self)->told += gr_as_int(msg, 0);
}

static gr_value *told(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)args;
    return gr_int(((struct count *)self)->told);
}

static gr_value *sub(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *err = NULL, *v;

    (void)self;
    v = gr_invoke(gr_runtime_of(c), gr_as_ref(gr_args(c)), gr_value_ref(args),
                  GR_CALL(.timeout_ms = 60000), &err);
    return v != NULL ? v : err;
}

static void pass_answer(gr_ctx *c, void *self, const gr_outcome *o, void *arg)
{
    (void)c, (void)self;
    gr_resolve(arg, gr_value_ref(o->code == GR_OK ? o->value : o->error));
}

static gr_value *later(gr_ctx *c, void *self, const gr_value *args)
{
    gr_future *f = gr_ainvoke(gr_runtime_of(c), gr_as_ref(gr_args(c)), gr_value_ref(args), NULL);
    gr_promise *p = gr_defer(c);

    (void)self;
    if (p == NULL) {
        gr_future_free(f);
        return gr_error(GR_ENOMEM, "no promise");
    }
    if (gr_then(c, f, pass_answer, NULL, p) != GR_OK)
        gr_resolve(p, gr_error(GR_ENOMEM, "no continuation"));
    return NULL;
}

static gr_value *pass_on(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return gr_delegate(c, gr_as_ref(gr_args(c)), "invoke", gr_value_ref(args));
}

static gr_value *leave(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    return gr_exit(c, gr_error(GR_EREMOTE, "enough"));
}

static gr_value *spawn_in_call(gr_ctx *c, void *self, const gr_value *args)
{
    static const gr_method own[] = { { "invoke", GR_ASYNC, sub, NULL } };
    static const gr_class cls = GR_CLASS(.name = "child", GR_METHODS(own));
    gr_ref child = gr_spawn(gr_run_scope(c), &cls, GR_SPAWN(.args = gr_value_ref(gr_args(c))));
    gr_value *err = NULL, *v;

    (void)self;
    v = gr_invoke(gr_runtime_of(c), child, gr_value_ref(args), NULL, &err);
    return v != NULL ? v : err;
}

static const gr_method methods[] = {
    { "invoke", GR_ASYNC, sub, NULL },         { "told", GR_ASYNC, told, NULL },
    { "later", GR_ASYNC, later, NULL },        { "pass", GR_ASYNC, pass_on, NULL },
    { "block", GR_BLOCKING, sub, NULL },       { "leave", GR_ASYNC, leave, NULL },
    { "child", GR_ASYNC, spawn_in_call, NULL }
};
static const gr_class exclusive = GR_CLASS(.name = "exclusive", .state_size = sizeof(struct count),
                                           .init = init, GR_METHODS(methods), .receive = receive);
static const gr_class reentrant =
    GR_CLASS(.name = "reentrant", .state_size = sizeof(struct count), .reentrant = true,
             GR_METHODS(methods), .receive = receive);
static const gr_class stateless = GR_CLASS(.name = "stateless", GR_METHODS(methods));
static const gr_class unborn = GR_CLASS(.name = "unborn", .state_size = sizeof(struct count),
                                        .init = init_fails, GR_METHODS(methods));

static gr_ref make(const gr_class *cls)
{
    return gr_spawn(root, cls, GR_SPAWN(.name = "named", .args = gr_ref_value(echo())));
}

/* ---- scenes ---------------------------------------------------------------------------------- */

static void new_and_free(void)
{
    gr_runtime *mine = NULL;

    if (!said(gr_runtime_new(GR_RUNTIME(.workers = 3), &mine)))
        return;
    gr_runtime_free(mine);
}

static void two_runtimes(void)
{
    gr_runtime *a = NULL, *b = NULL;

    if (!said(gr_runtime_new(GR_RUNTIME(.workers = 1), &a)))
        return;
    if (said(gr_runtime_new(GR_RUNTIME(.workers = 1), &b))) {
        gives(gr_ainvoke(a, echo_in(a), gr_str("a"), NULL), "\"a\"");
        gives(gr_ainvoke(b, echo_in(b), gr_str("b"), NULL), "\"b\"");
        gr_runtime_free(b);
    }
    gr_runtime_free(a);
}

static void invoke(void)
{
    gives(gr_ainvoke(rt, echo(), gr_str("x"), NULL), "\"x\"");
}

static void invoke_plain(void)
{
    gr_value *err = NULL, *v = gr_invoke(rt, echo(), gr_list(gr_int(1), gr_nil()), NULL, &err);

    if (v == NULL)
        said_why(err);
    else
        is(v, "[1,null]");
}

static void invoke_with_config(void)
{
    gr_value *config = gr_map(GR_KV("tags", gr_list(gr_str("t"))), GR_KV("run_name", gr_str("r")),
                              GR_KV("metadata", gr_map(GR_KV("user", gr_str("u")))));

    gives(gr_ainvoke(rt, make(&exclusive), gr_str("x"),
                     GR_CALL(.timeout_ms = 60000, .config = config)),
          "\"x\"");
}

static void of_exclusive(void)
{
    gives(gr_ainvoke(rt, make(&exclusive), gr_str("x"), NULL), "\"x\"");
}

static void of_reentrant(void)
{
    gr_ref r = make(&reentrant);
    gr_future *a = gr_ainvoke(rt, r, gr_str("a"), NULL), *b = gr_ainvoke(rt, r, gr_str("b"), NULL);

    gives(a, "\"a\"");
    gives(b, "\"b\"");
}

static void of_stateless(void)
{
    gives(gr_ainvoke(rt, make(&stateless), gr_str("x"), NULL), "\"x\"");
}

static void limited(void)
{
    gr_ref r =
        gr_spawn(root, &stateless, GR_SPAWN(.max_concurrency = 1, .args = gr_ref_value(echo())));
    gr_future *fs[4];

    for (int i = 0; i < 4; i++)
        fs[i] = gr_ainvoke(rt, r, gr_int(i), NULL);
    for (int i = 0; i < 4; i++)
        gives(fs[i], i == 0 ? "0" : i == 1 ? "1" : i == 2 ? "2" : "3");
}

static void blocking(void)
{
    gives(gr_acall(rt, make(&exclusive), "block", gr_str("x"), NULL), "\"x\"");
    gives(gr_acall(rt, make(&stateless), "block", gr_str("y"), NULL), "\"y\"");
}

static void continued(void)
{
    gives(gr_acall(rt, make(&exclusive), "later", gr_str("x"), NULL), "\"x\"");
}

static void delegated(void)
{
    gives(gr_acall(rt, make(&exclusive), "pass", gr_str("x"), NULL), "\"x\"");
}

static void child_of_call(void)
{
    gives(gr_acall(rt, make(&stateless), "child", gr_str("x"), NULL), "\"x\"");
}

static void failing_init(void)
{
    gr_ref r = gr_spawn(root, &unborn, NULL);
    gr_outcome o;
    gr_future *f = gr_ainvoke(rt, r, gr_str("x"), NULL);

    o = gr_await(f, 8000);
    claim(o.code == GR_EREMOTE || o.code == GR_ENOMEM || o.code == GR_EFULL || o.code == GR_EDEAD);
    gr_future_free(f);
}

static void leaving(void)
{
    gr_future *f = gr_acall(rt, make(&exclusive), "leave", gr_str("x"), NULL);
    gr_outcome o = gr_await(f, 8000);

    claim(o.code == GR_EREMOTE || o.code == GR_ENOMEM || o.code == GR_EFULL);
    gr_future_free(f);
}

static void stopped(void)
{
    gr_ref r = make(&exclusive);
    gr_outcome o;
    gr_future *f;

    gr_stop(rt, r);
    f = gr_ainvoke(rt, r, gr_str("x"), NULL);
    o = gr_await(f, 8000);
    claim(o.code == GR_EDEAD || o.code == GR_ENOMEM || o.code == GR_EFULL);
    gr_future_free(f);
}

/* What a tell says is what comes of it: told ones are received, refused ones are not. */
static void tell(void)
{
    gr_ref r = make(&exclusive);
    int64_t sent = 0;
    gr_value *v;

    for (int i = 0; i < 5; i++)
        sent += said(gr_tell(rt, r, gr_int(1)));
    v = answer(gr_acall(rt, r, "told", gr_nil(), NULL));
    claim(v == NULL || gr_as_int(v, -1) == sent);
    gr_value_unref(v);
}

static void tell_wait(void)
{
    gr_ref r = gr_spawn(root, &reentrant, GR_SPAWN(.mailbox_max = 1, .args = gr_ref_value(echo())));
    int64_t sent = 0;
    gr_outcome o;
    gr_future *f = NULL;

    for (int i = 0; i < 5; i++)
        sent += said(gr_tell_wait(rt, r, gr_int(1)));
    do { /* a call does not wait for room */
        gr_future_free(f);
        f = gr_acall(rt, r, "told", gr_nil(), NULL);
        o = gr_await(f, 8000);
    } while (o.code == GR_EFULL && sent == 5);
    claim(o.code != GR_EPENDING);
    if (said(o.code))
        claim(gr_as_int(o.value, -1) == sent);
    gr_future_free(f);
}

/* ---- a promise that another thread keeps ----------------------------------------------------- */

static gr_value *defer(gr_ctx *c, void *self, const gr_value *args)
{
    _Atomic(gr_promise *) *ret = gr_as_opaque(gr_args(c));

    (void)self, (void)args;
    atomic_store(ret, gr_defer(c));
    return NULL;
}

static void promised(void)
{
    static const gr_method own[] = { { "invoke", GR_ASYNC, defer, NULL } };
    static const gr_class cls = GR_CLASS(.name = "promising", GR_METHODS(own));
    _Atomic(gr_promise *) p = NULL;
    gr_ref r = gr_spawn(root, &cls, GR_SPAWN(.args = gr_opaque(&p, NULL)));
    gr_future *f = gr_ainvoke(rt, r, gr_nil(), NULL);

    while (atomic_load(&p) == NULL && f != NULL && !gr_done(f))
        sched_yield();
    if (atomic_load(&p) != NULL)
        gr_resolve(atomic_load(&p), gr_str("kept"));
    gives(f, "\"kept\"");
}

static void many_waiting(void)
{
    gr_ref r = make(&stateless);
    gr_future *fs[8];

    for (int i = 0; i < 8; i++)
        fs[i] = gr_acall(rt, r, "later", gr_str("x"), NULL);
    for (int i = 0; i < 8; i++)
        gives(fs[i], "\"x\"");
}

static const struct scene scenes[] = {
    { "runtime", new_and_free, SCENE_OWN },
    { "two_runtimes", two_runtimes, SCENE_OWN },
    { "invoke", invoke, 0 },
    { "invoke_plain", invoke_plain, 0 },
    { "invoke_with_config", invoke_with_config, 0 },
    { "of_exclusive", of_exclusive, 0 },
    { "of_reentrant", of_reentrant, 0 },
    { "of_stateless", of_stateless, 0 },
    { "limited", limited, 0 },
    { "blocking", blocking, 0 },
    { "then", continued, 0 },
    { "delegate", delegated, 0 },
    { "child_of_call", child_of_call, 0 },
    { "failing_init", failing_init, 0 },
    { "exit", leaving, 0 },
    { "stop", stopped, 0 },
    { "tell", tell, 0 },
    { "tell_wait", tell_wait, 0 },
    { "promise", promised, 0 },
    { "many_waiting", many_waiting, 0 },
};
const struct scenes engine_scenes = SCENES(scenes);
