/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lambda.c - gr_lambda: a function as a runnable.
 *
 * One static class for each kind, without state: any worker may run any number of calls at once.
 * The function and its argument are the spawn argument, an opaque value, whose destructor calls the
 * user's drop when the last one who may still call the function has let go.
 *
 * A runnable that it answers with takes the call over, so that it streams if the call does, and
 * nothing of the lambda is left. Cheap code may be run on a composition's own stack, which can't
 * hand anything over: there a ref is an answer like any other.
 */
#include <greenroom/callbacks.h>

#include "actors/compose/steps.h"
#include "runtime/base/alloc.h"

struct lambda {
    gr_lambda_fn *fn;
    void (*drop)(void *arg);
    void *arg; /* the user's; dropped by drop */
};

static void lambda_drop(void *p)
{
    struct lambda *l = p;

    if (l->drop != NULL)
        l->drop(l->arg);
    gri_free(l);
}

static gr_value *lambda_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    const struct lambda *l = gr_as_opaque(gr_args(c));

    (void)self;
    return l->fn(c, l->arg, input);
}

static gr_value *lambda_follow(gr_ctx *c, void *self, const gr_value *input)
{
    gr_value *v = lambda_invoke(c, self, input);
    gr_ref to = gr_as_ref(v);

    if (gr_value_type(v) != GR_REFV)
        return v;
    gr_value_unref(v);
    return gri_delegate_runnable(c, to);
}

static const gr_method cheap_methods[] = { { "invoke", GR_CHEAP, lambda_invoke, NULL } };
static const gr_method async_methods[] = { { "invoke", GR_ASYNC, lambda_follow, NULL } };
static const gr_method blocking_methods[] = { { "invoke", GR_BLOCKING, lambda_follow, NULL } };

#define CLASS(methods, type)                                                                       \
    GR_CLASS(.name = "RunnableLambda", .run_type = (type), GR_METHODS(methods))

/* The second of each is no run of its own. */
static const gr_class classes[][2] = {
    [GR_CHEAP] = { CLASS(cheap_methods, 0), CLASS(cheap_methods, GR_TYPE_NONE) },
    [GR_ASYNC] = { CLASS(async_methods, 0), CLASS(async_methods, GR_TYPE_NONE) },
    [GR_BLOCKING] = { CLASS(blocking_methods, 0), CLASS(blocking_methods, GR_TYPE_NONE) },
};

static gr_ref make(gr_scope *in, gr_kind kind, gr_lambda_fn *fn, void (*drop)(void *arg), void *arg,
                   const gr_spawn_opts *unseen)
{
    bool known = kind == GR_CHEAP || kind == GR_ASYNC || kind == GR_BLOCKING;
    struct lambda *l = NULL;
    gr_value *args = NULL;

    if (!known || fn == NULL)
        args = gr_error(GR_EINVAL, fn == NULL ? "lambda: no function" : "lambda: no such kind");
    else if ((l = gri_new0(struct lambda)) == NULL)
        args = gri_no_memory();
    if (l == NULL) {
        if (drop != NULL)
            drop(arg);
        return gri_compose_spawn(in, &classes[GR_CHEAP][0], "RunnableLambda", args);
    }
    *l = (struct lambda){ .fn = fn, .drop = drop, .arg = arg };
    return gr_spawn(in, &classes[kind][unseen != NULL],
                    GR_SPAWN(.name = "RunnableLambda", .args = gr_opaque(l, lambda_drop),
                             .max_concurrency = unseen != NULL ? unseen->max_concurrency : 0));
}

gr_ref gr_lambda(gr_scope *in, gr_kind kind, gr_lambda_fn *fn, void (*drop)(void *arg), void *arg)
{
    return make(in, kind, fn, drop, arg, NULL);
}

gr_ref gri_lambda_unseen(gr_scope *in, gr_kind kind, gr_lambda_fn *fn, void (*drop)(void *arg),
                         void *arg, unsigned max_concurrency)
{
    return make(in, kind, fn, drop, arg, GR_SPAWN(.max_concurrency = max_concurrency));
}
