/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listeners.c - gr_with_listeners: functions that hear of a runnable's own runs.
 *
 * Like a binding it has no run and hands every call on; the listeners, one handler, go along as
 * those of the call's next run alone. A batch's items each get them, and so do an each's.
 */
#include <greenroom/callbacks.h>

#include <string.h>

#include "actors/compose/describe.h"
#include "actors/compose/each.h"
#include "actors/compose/steps.h"
#include "runtime/actor/observed.h"
#include "runtime/base/alloc.h"

/* The handler's argument. */
struct ears {
    gr_listeners given;
};

/* The spawn argument. */
struct listened {
    gr_ref runnable;
    gr_value *handlers; /* counted; a list of one */
};

static void ears_event(void *arg, const gr_event *event)
{
    const gr_listeners *l = &((const struct ears *)arg)->given;
    gr_event_fn *fn = event->kind == GR_RUN_START ? l->on_start
                      : event->kind == GR_RUN_END ? l->on_end
                                                  : l->on_error;

    if (fn != NULL)
        fn(l->arg, event);
}

static void ears_drop(void *arg)
{
    struct ears *e = arg;

    if (e->given.drop != NULL)
        e->given.drop(e->given.arg);
    gri_free(e);
}

static void listened_free(void *p)
{
    struct listened *l = p;

    gr_value_unref(l->handlers);
    gri_free(l);
}

static void listened_any(struct gri_call *call)
{
    const struct listened *l = gr_as_opaque(gri_call_spawn_args(call));

    if (gri_observe_local(call, l->handlers))
        gri_call_forward(call, l->runnable, call->verb, NULL, NULL);
    else
        gri_call_end(call, gri_no_memory());
}

static gr_value *listened_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    (void)args;
    return gri_describe_ref(c, ((const struct listened *)gr_as_opaque(gr_args(c)))->runnable);
}

static const gr_method listened_methods[] = {
    { "describe", GR_ASYNC, listened_describe, NULL },
    { "*", GRI_NATIVE, GRI_NATIVE_FN(listened_any), NULL },
};
static const gr_class listened_class =
    GR_CLASS(.name = "RunnableBinding", .run_type = GR_TYPE_NONE, GR_METHODS(listened_methods));

/* handler_of makes the handler of the listeners, whose drop it takes over. */
static gr_value *handler_of(const gr_listeners *listeners)
{
    struct ears *e = gri_new0(struct ears);
    gr_listeners given = { .size = sizeof(given) };

    if (listeners != NULL)
        memcpy(&given, listeners,
               listeners->size < sizeof(given) ? listeners->size : sizeof(given));
    if (e == NULL) {
        if (given.drop != NULL)
            given.drop(given.arg);
        return gri_no_memory();
    }
    e->given = given;
    return gr_handler_value(GR_HANDLER(.name = "listeners", .on_event = ears_event,
                                       .drop = ears_drop, .arg = e,
                                       .kinds = GR_RUN_START | GR_RUN_END | GR_RUN_ERROR));
}

gr_ref gr_with_listeners(gr_scope *in, gr_ref runnable, const gr_listeners *listeners)
{
    gr_value *handler;
    struct listened *l;
    gr_ref inner;

    if (gri_each_of(in, runnable, &inner))
        return gri_each_again(in, runnable, gr_with_listeners(in, inner, listeners));
    handler = handler_of(listeners);
    if (gri_ref_broken(in, runnable)) {
        gr_value_unref(handler);
        return runnable;
    }
    l = gr_error_code(handler) == GR_OK ? gri_new0(struct listened) : NULL;
    if (l == NULL) {
        if (gr_error_code(handler) == GR_OK) {
            gr_value_unref(handler);
            handler = gri_no_memory();
        }
        return gri_compose_spawn(in, &listened_class, "RunnableBinding", handler);
    }
    *l = (struct listened){ .runnable = runnable, .handlers = gr_list(handler) };
    return gri_named_spawn(in, &listened_class,
                           in != NULL ? gri_ref_name(in->rt, runnable) : gr_nil(),
                           gr_opaque(l, listened_free));
}
