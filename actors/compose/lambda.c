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

static const gr_class cheap_class = GR_CLASS(.name = "RunnableLambda", GR_METHODS(cheap_methods));
static const gr_class async_class = GR_CLASS(.name = "RunnableLambda", GR_METHODS(async_methods));
static const gr_class blocking_class =
    GR_CLASS(.name = "RunnableLambda", GR_METHODS(blocking_methods));

static const gr_class *class_of(gr_kind kind)
{
    switch (kind) {
    case GR_CHEAP: return &cheap_class;
    case GR_ASYNC: return &async_class;
    case GR_BLOCKING: return &blocking_class;
    default: return NULL;
    }
}

gr_ref gr_lambda(gr_scope *in, gr_kind kind, gr_lambda_fn *fn, void (*drop)(void *arg), void *arg)
{
    const gr_class *cls = class_of(kind);
    struct lambda *l = NULL;
    gr_value *args = NULL;

    if (cls == NULL || fn == NULL)
        args = gr_error(GR_EINVAL, fn == NULL ? "lambda: no function" : "lambda: no such kind");
    else if ((l = gri_new0(struct lambda)) == NULL)
        args = gri_no_memory();
    if (l == NULL) {
        if (drop != NULL)
            drop(arg);
        return gri_compose_spawn(in, &cheap_class, "RunnableLambda", args);
    }
    *l = (struct lambda){ .fn = fn, .drop = drop, .arg = arg };
    return gri_compose_spawn(in, cls, "RunnableLambda", gr_opaque(l, lambda_drop));
}
