/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fallbacks.c - gr_with_fallbacks: the first of several that does not fail.
 *
 * invoke tries them in order with the same input: cheap ones at once on this stack, others as
 * sub-calls that a small heap frame waits for. stream is a pump that goes on with the next one's
 * stream as long as no chunk has come; a stream that ends without any counts as failed, as in
 * LangChain. A transform is the engine's: it adds up the input and streams that. If all fail the
 * first error is given: what followed was only tried because of it.
 */
#include "actors/compose/describe.h"
#include "actors/compose/error_names.h"
#include "actors/compose/pump.h"
#include "actors/compose/steps.h"
#include "actors/compose/subcall.h"
#include "runtime/base/alloc.h"

/* The spawn argument. */
struct fallbacks {
    struct gri_steps *steps; /* owned */
    gr_value *errors;        /* counted; names of those that are handled; nil: all */
    char *exception_key;     /* owned; where in the input the last error goes; NULL: nowhere */
};

/* How far a call has come; the first error stands for all. */
struct tries {
    const struct fallbacks *of; /* borrowed from the actor */
    size_t next;                /* index of the one to try next */
    gr_value *first, *last;     /* counted; errors; last is kept for exception_key alone */
};

static void tries_fini(struct tries *t)
{
    gr_value_unref(t->first);
    gr_value_unref(t->last);
}

static const struct fallbacks *fallbacks_of(const struct gri_call *call)
{
    return gr_as_opaque(gri_call_spawn_args(call));
}

static bool handled(const struct fallbacks *f, const gr_value *err)
{
    return gr_is_nil(f->errors) || gri_error_named(f->errors, err);
}

/* goes_on keeps err and tells whether another one is to be tried; else *ret_v is what to give.
 * Takes err. */
static bool goes_on(struct gri_call *call, struct tries *t, gr_value *err, gr_value **ret_v)
{
    /* cancellation is not a failure, whoever was cancelled */
    if (gr_error_code(err) == GR_ECANCELED || gri_call_cancelled(call) || !handled(t->of, err)) {
        *ret_v = err;
        return false;
    }
    if (t->first == NULL)
        t->first = gr_value_ref(err);
    gr_value_unref(t->last);
    t->last = err;
    if (t->next < t->of->steps->count)
        return true;
    *ret_v = gr_value_ref(t->first);
    return false;
}

/* input_of gives what the next one gets. */
static gr_value *input_of(const struct gri_call *call, const struct tries *t)
{
    gr_value *input = gr_value_ref(call->args);

    if (t->last == NULL || t->of->exception_key == NULL)
        return input;
    return gr_set(input, t->of->exception_key, gr_value_ref(t->last));
}

/* check_input ends a call whose input can't take the errors. */
static bool check_input(struct gri_call *call)
{
    if (fallbacks_of(call)->exception_key == NULL || gr_value_type(call->args) == GR_MAP)
        return true;
    gri_call_end(call, gr_error(GR_ETYPE,
                                "If 'exception_key' is specified then input must be a dict, not %s",
                                gr_type_name(gr_value_type(call->args))));
    return false;
}

/* ---- invoke ---------------------------------------------------------------------------------- */

/* What waits for the one that runs. */
struct wait {
    struct gri_subcall sub;
    struct tries tries;
};

static void try_on(struct gri_call *call, struct tries t, struct wait *w);

/* try_end gives v and lets go. Takes all. */
static void try_end(struct gri_call *call, struct tries *t, struct wait *w, gr_value *v)
{
    tries_fini(t);
    gri_free(w);
    gri_call_end(call, v);
}

static void wait_then(struct gri_subcall *s, gr_value *v)
{
    struct wait *w = gri_container_of(s, struct wait, sub);
    struct gri_call *call = s->call;
    struct tries t = w->tries;

    if (gr_error_code(v) != GR_OK && goes_on(call, &t, v, &v))
        try_on(call, t, w);
    else
        try_end(call, &t, w, v);
}

/* try_start tries the one before t->next as a sub-call: true, w waits for it; false, *ret_v is
 * its answer. */
static bool try_start(struct wait *w, const struct tries *t, gr_value *input, gr_value **ret_v)
{
    gr_call_opts opts = { 0 };

    w->tries = *t;
    return gri_subcall_start(&w->sub, t->of->steps->at[t->next - 1].ref, GRI_INVOKE, input,
                             gri_subcall_kwargs(w->sub.call, &opts), ret_v);
}

/* try_on tries the rest. Takes t and w, which may be NULL. */
static void try_on(struct gri_call *call, struct tries t, struct wait *w)
{
    gr_value *v = NULL;

    do {
        gr_value *input = input_of(call, &t);

        if (gri_call_direct(call, t.of->steps->at[t.next++].ref, input, &v))
            continue;
        if (w == NULL && (w = gri_new0(struct wait)) != NULL)
            gri_subcall_init(&w->sub, call, "fallbacks", wait_then);
        if (w == NULL) {
            gr_value_unref(input);
            v = gri_no_memory();
            break;
        }
        if (try_start(w, &t, input, &v))
            return;
    } while (gr_error_code(v) != GR_OK && goes_on(call, &t, v, &v));
    try_end(call, &t, w, v);
}

static void fallbacks_invoke(struct gri_call *call)
{
    if (check_input(call))
        try_on(call, (struct tries){ .of = fallbacks_of(call) }, NULL);
}

/* ---- stream ---------------------------------------------------------------------------------- */

static void tries_free(void *p)
{
    tries_fini(p);
    gri_free(p);
}

static gr_stream *open_next(struct gri_call *call, struct tries *t)
{
    gr_call_opts opts = { 0 };

    return gri_call_sub_stream(call, t->of->steps->at[t->next++].ref, GRI_STREAM, input_of(call, t),
                               NULL, gri_subcall_kwargs(call, &opts));
}

static gr_stream *next_stream(struct gri_call *call, void *arg, gr_value *err, gr_value **reterr)
{
    struct tries *t = arg;
    gr_stream *s;

    if (err == NULL)
        err = gr_error(GR_EBROKEN, "the stream ended without a chunk");
    if (!goes_on(call, t, err, reterr))
        return NULL;
    s = open_next(call, t);
    if (s == NULL)
        *reterr = gri_no_memory();
    return s;
}

static void fallbacks_stream(struct gri_call *call)
{
    struct tries *t;

    if (!gri_compose_streams(call, false) || !check_input(call))
        return;
    t = gri_new0(struct tries);
    if (t == NULL) {
        gri_call_end(call, gri_no_memory());
        return;
    }
    t->of = fallbacks_of(call);
    gri_pump_start(call, open_next(call, t),
                   &(struct gri_pump_opts){ .next = next_stream, .drop = tries_free, .arg = t });
}

static gr_value *fallbacks_describe(gr_ctx *c, void *self, const gr_value *args)
{
    const struct fallbacks *f = gr_as_opaque(gr_args(c));

    (void)self;
    (void)args;
    return gri_describe_kept(c, "RunnableWithFallbacks", f->steps);
}

static const gr_method fallbacks_methods[] = {
    { "invoke", GRI_NATIVE, GRI_NATIVE_FN(fallbacks_invoke), NULL },
    { "stream", GRI_NATIVE, GRI_NATIVE_FN(fallbacks_stream), NULL },
    { "describe", GR_ASYNC, fallbacks_describe, NULL },
};
static const gr_class fallbacks_class =
    GR_CLASS(.name = "RunnableWithFallbacks", GR_METHODS(fallbacks_methods));

static void fallbacks_free(void *p)
{
    struct fallbacks *f = p;

    gri_steps_free(f->steps);
    gr_value_unref(f->errors);
    gri_free(f->exception_key);
    gri_free(f);
}

/* make returns the spawn argument, or an error. */
static gr_value *make(const gr_fallbacks_opts *o, const gr_ref *runnables, size_t count)
{
    struct fallbacks *f = gri_new0(struct fallbacks);
    gr_value *err = NULL;

    if (f == NULL)
        return gri_no_memory();
    f->errors = gri_error_names(o->errors, o->error_count);
    f->steps = gri_steps_copy("RunnableWithFallbacks", runnables, NULL, count, &err);
    if (o->exception_key != NULL)
        f->exception_key = gri_strdup(o->exception_key);
    if (err == NULL && gr_error_code(f->errors) != GR_OK)
        err = gr_value_ref(f->errors);
    else if (err == NULL && o->exception_key != NULL && f->exception_key == NULL)
        err = gri_no_memory();
    if (err == NULL)
        return gr_opaque(f, fallbacks_free);
    fallbacks_free(f);
    return err;
}

gr_ref gr_with_fallbacks_for_n(gr_scope *in, const gr_fallbacks_opts *opts, const gr_ref *runnables,
                               size_t count)
{
    static const gr_fallbacks_opts none = { .size = sizeof(none) };

    for (size_t i = 0; runnables != NULL && i < count; i++)
        if (gri_ref_broken(in, runnables[i]))
            return runnables[i];
    return gri_compose_spawn(in, &fallbacks_class, "RunnableWithFallbacks",
                             make(opts != NULL ? opts : &none, runnables, count));
}

gr_ref gr_with_fallbacks_n(gr_scope *in, const gr_ref *runnables, size_t count)
{
    return gr_with_fallbacks_for_n(in, NULL, runnables, count);
}
