/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generator.c - gr_generator: a function from a stream to a stream as a runnable.
 *
 * Like a lambda, but for the verb: transform alone. The engine's defaults make the others of it:
 * stream gives it one chunk, invoke adds up what comes.
 */
#include "actors/compose/steps.h"
#include "runtime/base/alloc.h"

struct generator {
    gr_generator_fn *fn;
    void (*drop)(void *arg);
    void *arg; /* the user's; dropped by drop */
};

static void generator_drop(void *p)
{
    struct generator *g = p;

    if (g->drop != NULL)
        g->drop(g->arg);
    gri_free(g);
}

static gr_code generator_transform(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    const struct generator *g = gr_as_opaque(gr_args(c));

    (void)self;
    (void)args;
    return g->fn(c, g->arg, in);
}

static const gr_method async_methods[] = { { "transform", GR_ASYNC, NULL, generator_transform } };
static const gr_method blocking_methods[] = {
    { "transform", GR_BLOCKING, NULL, generator_transform },
};
static const gr_class async_class =
    GR_CLASS(.name = "RunnableGenerator", GR_METHODS(async_methods));
static const gr_class blocking_class =
    GR_CLASS(.name = "RunnableGenerator", GR_METHODS(blocking_methods));

gr_ref gr_generator(gr_scope *in, gr_kind kind, gr_generator_fn *fn, void (*drop)(void *arg),
                    void *arg)
{
    struct generator *g = NULL;
    gr_value *args = NULL;

    if (fn == NULL)
        args = gr_error(GR_EINVAL, "generator: no function");
    else if (kind != GR_ASYNC && kind != GR_BLOCKING)
        args = gr_error(GR_EINVAL, "generator: it waits for its input, so it can't be cheap");
    else if ((g = gri_new0(struct generator)) == NULL)
        args = gri_no_memory();
    if (g != NULL) {
        *g = (struct generator){ .fn = fn, .drop = drop, .arg = arg };
        args = gr_opaque(g, generator_drop);
    } else if (drop != NULL) {
        drop(arg);
    }
    return gri_compose_spawn(in, kind == GR_BLOCKING ? &blocking_class : &async_class,
                             "RunnableGenerator", args);
}
