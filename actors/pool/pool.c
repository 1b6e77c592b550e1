/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.c - gr_pool: a stateless actor whose native method takes every verb and gives the call to one
 * provider, and to the next if that one did not get to begin it, or the call is idempotent.
 *
 * A call waits for its provider in a small heap frame, which is how the pool learns what became of
 * it. A stream is a pump that goes on with the next provider's as long as no chunk has come.
 */
#include <string.h>

#include <greenroom/callbacks.h>
#include <greenroom/pool.h>

#include "actors/compose/pump.h"
#include "actors/compose/steps.h"
#include "actors/compose/subcall.h"
#include "actors/pool/providers.h"
#include "runtime/actor/batch.h"
#include "runtime/base/alloc.h"
#include "runtime/cluster/cluster.h"

/* How far a call has come. It borrows the pool from the actor, which it pins. */
struct tries {
    struct gri_subcall sub;                         /* first; not of a stream */
    struct gri_pool *pool;                          /* borrowed */
    struct gri_pool_provider *with;                 /* who has it now; given back by let_go */
    struct gri_pool_provider *tried[GRI_TRIES_MAX]; /* only compared */
    size_t count;
    enum gri_verdict verdict; /* of the last one that failed */
    bool judged;              /* `with` has been */
};

static struct gri_pool *pool_of(const struct gri_call *call)
{
    return gr_as_opaque(gri_call_spawn_args(call));
}

static bool is_idempotent(const struct gri_call *call)
{
    return gr_as_bool(gr_get(gr_get(call->config, "configurable"), "idempotent"),
                      pool_of(call)->idempotent);
}

/* let_go gives the provider back. */
static void let_go(struct tries *t)
{
    if (t->with != NULL)
        gri_pool_done(t->pool, t->with);
    t->with = NULL;
}

/* next_provider chooses who gets the call now; *ret_v says why nobody does. */
static bool next_provider(struct tries *t, gr_ref *ret_to, gr_value **ret_v)
{
    bool known = false;

    let_go(t);
    t->with = gri_pool_choose(t->pool, t->tried, t->count, ret_to, &known);
    if (t->with == NULL) {
        *ret_v = gr_error(GR_EUNREACH,
                          known ? "no other provider of '%s' is left to try"
                                : "nobody is known to provide '%s'",
                          t->pool->name);
        return false;
    }
    t->tried[t->count++] = t->with;
    t->judged = false;
    return true;
}

/* judge notes what v says of the provider, once. */
static void judge(struct gri_call *call, struct tries *t, const gr_value *v)
{
    if (t->judged || t->with == NULL)
        return;
    t->judged = true;
    t->verdict = gri_pool_verdict(t->pool, t->with, v, gri_call_cancelled(call));
    gri_pool_judge(t->pool, t->with, t->verdict);
}

static bool goes_on(const struct gri_call *call, const struct tries *t)
{
    if (t->count >= GRI_TRIES_MAX)
        return false;
    return t->verdict == GRI_NOT_BEGUN || t->verdict == GRI_BUSY ||
           (t->verdict == GRI_LOST && is_idempotent(call));
}

/* final_error is what the caller is told of the last failure. Takes err. */
static gr_value *final_error(const struct gri_call *call, const struct tries *t, gr_value *err)
{
    gr_value *out;

    if (t->verdict != GRI_LOST)
        return err;
    out = gr_error(GR_EUNREACH, "a provider of '%s' was lost%s: %s", t->pool->name,
                   is_idempotent(call) ? ""
                                       : ", and the call, which may have begun there, is not "
                                         "marked idempotent",
                   gr_error_text(err));
    return gr_error_with(out, "cause", err);
}

/* opts_of has the calls of a call get what is meant for the runnable itself; its run's number only
 * once, since there is one of each. */
static const gr_call_opts *opts_of(const struct gri_call *call, const struct tries *t,
                                   gr_call_opts *opts)
{
    static const char *const keys[] = { "kwargs", "run_name", "run_id" };

    if (!call->keyed && !call->named)
        return NULL;
    *opts = (gr_call_opts){ .size = sizeof(*opts), .config = gr_map_n(NULL, 0) };
    for (size_t i = 0; i < (t->count > 1 ? 2 : 3); i++) {
        const gr_value *v = gr_get(call->config, keys[i]);

        if (v != NULL)
            opts->config = gr_set(opts->config, keys[i], gr_value_ref(v));
    }
    return opts;
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void call_end(struct gri_call *call, struct tries *t, gr_value *v)
{
    let_go(t);
    gri_free(t);
    gri_call_end(call, v);
}

static void try_on(struct gri_call *call, struct tries *t, gr_value *last);

static void call_then(struct gri_subcall *s, gr_value *v)
{
    struct tries *t = gri_container_of(s, struct tries, sub);
    struct gri_call *call = s->call;

    judge(call, t, v);
    if (gr_error_code(v) != GR_OK && goes_on(call, t))
        try_on(call, t, v);
    else if (gr_error_code(v) != GR_OK)
        call_end(call, t, final_error(call, t, v));
    else
        call_end(call, t, v);
}

/* try_on gives the call to the next provider. last is why the one before failed; NULL: there was
 * none. Takes it. */
static void try_on(struct gri_call *call, struct tries *t, gr_value *last)
{
    gr_call_opts opts;
    gr_value *v = NULL;
    gr_ref to = { 0, 0 };

    for (;;) {
        if (!next_provider(t, &to, &v)) {
            if (last != NULL)
                gr_value_unref(v);
            call_end(call, t, last != NULL ? final_error(call, t, last) : v);
            return;
        }
        gr_value_unref(last);
        last = NULL;
        if (gri_subcall_start(&t->sub, to, atomic_load_explicit(&call->verb, memory_order_relaxed),
                              gr_value_ref(call->args), opts_of(call, t, &opts), &v))
            return;
        judge(call, t, v);
        if (gr_error_code(v) == GR_OK || !goes_on(call, t)) {
            call_end(call, t, gr_error_code(v) == GR_OK ? v : final_error(call, t, v));
            return;
        }
        last = v;
    }
}

/* ---- streams --------------------------------------------------------------------------------- */

static gr_stream *open_stream(struct gri_call *call, struct tries *t, gr_ref to)
{
    gr_call_opts opts;
    const gr_call_opts *o = opts_of(call, t, &opts);

    return gri_call_sub_stream(call, to, atomic_load_explicit(&call->verb, memory_order_relaxed),
                               gr_value_ref(call->args), gri_call_take_in(call), o);
}

static void stream_failed(struct gri_call *call, void *arg, const gr_value *err)
{
    judge(call, arg, err);
}

static gr_stream *stream_next(struct gri_call *call, void *arg, gr_value *err, gr_value **reterr)
{
    struct tries *t = arg;
    gr_value *none = NULL;
    gr_ref to = { 0, 0 };
    gr_stream *s;

    *reterr = err;
    if (err == NULL)
        *reterr = gr_nil();
    if (err == NULL || !goes_on(call, t) || !next_provider(t, &to, &none)) {
        gr_value_unref(none);
        if (err != NULL)
            *reterr = final_error(call, t, err);
        return NULL;
    }
    gr_value_unref(err);
    s = open_stream(call, t, to);
    *reterr = s == NULL ? gri_no_memory() : NULL;
    return s;
}

static void stream_drop(void *arg)
{
    struct tries *t = arg;

    if (!t->judged && t->with != NULL)
        gri_pool_judge(t->pool, t->with, GRI_OURS);
    let_go(t);
    gri_free(t);
}

/* A transform has its input once, so it is never moved. */
static void stream_call(struct gri_call *call, struct tries *t)
{
    bool moves = atomic_load_explicit(&call->in, memory_order_relaxed) == NULL;
    gr_value *none = NULL;
    gr_ref to = { 0, 0 };

    if (!next_provider(t, &to, &none)) {
        call_end(call, t, none);
        return;
    }
    gri_pump_start(call, open_stream(call, t, to),
                   &(struct gri_pump_opts){ .next = moves ? stream_next : NULL,
                                            .failed = stream_failed,
                                            .drop = stream_drop,
                                            .arg = t });
}

static void pool_call(struct gri_call *call)
{
    struct tries *t = gri_new0(struct tries);

    if (t == NULL) {
        gri_call_end(call, gri_no_memory());
        return;
    }
    t->pool = pool_of(call);
    gri_subcall_init(&t->sub, call, "pool", call_then);
    if (call->out != NULL)
        stream_call(call, t);
    else
        try_on(call, t, NULL);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static gr_value *pool_providers(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    return gri_pool_list(gr_as_opaque(gr_args(c)));
}

static void pool_tell(gr_ctx *c, void *self, const gr_value *msg)
{
    struct gri_pool *pool = gr_as_opaque(gr_args(c));
    struct gri_pool_provider *p;
    gr_ref to = { 0, 0 };
    bool known;

    (void)self;
    p = gri_pool_choose(pool, NULL, 0, &to, &known);
    if (p == NULL) {
        gri_dead_letter(pool->rt, "told to a pool without a provider");
        return;
    }
    if (gr_tell_wait(pool->rt, to, gr_value_ref(msg)) != GR_OK)
        gri_dead_letter(pool->rt, "told to a provider of a pool that takes none");
    gri_pool_done(pool, p);
}

static const gr_method pool_methods[] = {
    { "*", GRI_NATIVE, GRI_NATIVE_FN(pool_call), NULL },
    { "batch", GRI_NATIVE, GRI_NATIVE_FN(gri_batch_start), NULL },
    { "batch_as_completed", GRI_NATIVE, GRI_NATIVE_FN(gri_batch_start), NULL },
    { "pool_providers", GR_CHEAP, pool_providers, NULL },
};
static const gr_class pool_class = GR_CLASS(.name = "pool", .run_type = GR_TYPE_NONE,
                                            .receive = pool_tell, GR_METHODS(pool_methods));

gr_ref gr_pool(gr_scope *in, const char *name, const gr_pool_opts *opts)
{
    static const gr_pool_opts defaults = { .size = sizeof(defaults) };
    gr_value *err = gri_provider_wrong(name, "ipc:///");
    struct gri_pool *pool = NULL;

    if (in == NULL || err != NULL)
        return gr_spawn(in, &pool_class, GR_SPAWN(.args = err, .name = "pool"));
    pool = gri_pool_new(in, name, opts != NULL ? opts : &defaults, &err);
    if (pool == NULL)
        return gr_spawn(in, &pool_class,
                        GR_SPAWN(.args = err != NULL ? err : gri_no_memory(), .name = name));
    pool->prober = gri_prober_spawn(in, pool);
    return gr_spawn(in, &pool_class,
                    GR_SPAWN(.args = gr_opaque(pool, gri_pool_unref), .name = name));
}

gr_value *gr_pool_providers(gr_runtime *rt, gr_ref pool)
{
    gr_value *err = NULL, *list = gr_do(rt, pool, "pool_providers", gr_nil(), NULL, &err);

    return list != NULL ? list : err;
}
