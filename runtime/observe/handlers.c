/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/observe/handlers.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/observe/handler_of.h"
#include "runtime/value/value.h"

static void handler_drop(void *p)
{
    struct gri_handler *h = p;

    if (h->given.drop != NULL)
        h->given.drop(h->given.arg);
    gri_free(h);
}

gr_value *gr_handler_value(const gr_handler *handler)
{
    gr_handler given = { .size = sizeof(given) };
    struct gri_handler *h;

    if (handler != NULL)
        memcpy(&given, handler, handler->size < sizeof(given) ? handler->size : sizeof(given));
    h = given.on_event != NULL ? gri_new0(struct gri_handler) : NULL;
    if (h == NULL) {
        if (given.drop != NULL)
            given.drop(given.arg);
        return given.on_event == NULL ? gr_error(GR_EINVAL, "a handler needs a function")
                                      : gr_error(GR_ENOMEM, "out of memory");
    }
    if (given.kinds == 0)
        given.kinds = GR_RUN_ALL;
    if (given.types == 0)
        given.types = GR_TYPE_ALL;
    h->given = given;
    return gr_opaque(h, handler_drop);
}

/* read_one: false, v is no handler. */
static bool read_one(const gr_value *v, struct gri_hearer *ret)
{
    *ret = (struct gri_hearer){ .handler = NULL };
    if (gr_value_type(v) == GR_REFV) {
        ret->actor = gr_as_ref(v);
        return true;
    }
    if (gr_value_type(v) != GR_OPAQUE ||
        ((const struct gri_opaque *)(const void *)v)->drop != handler_drop)
        return false; /* somebody else's pointer */
    ret->handler = gr_as_opaque(v);
    return true;
}

static bool same(const struct gri_hearer *a, const struct gri_hearer *b)
{
    return a->handler == b->handler && a->actor.node == b->actor.node && a->actor.id == b->actor.id;
}

bool gri_handlers_have(const struct gri_handlers *h, const struct gri_hearer *one)
{
    for (size_t i = 0; h != NULL && i < h->count; i++)
        if (same(&h->at[i], one))
            return true;
    return false;
}

struct gri_handlers *gri_handlers_of(const gr_value *list)
{
    size_t count = gr_len(list);
    struct gri_handlers *h = gri_alloc0(sizeof(*h) + count * sizeof(h->at[0]));

    if (h == NULL)
        return NULL;
    atomic_init(&h->refs, 1);
    h->list = gr_value_ref(list);
    for (size_t i = 0; i < count; i++) {
        struct gri_hearer one;

        if (read_one(gr_at(list, i), &one) && !gri_handlers_have(h, &one))
            h->at[h->count++] = one;
    }
    return h;
}

struct gri_handlers *gri_handlers_ref(struct gri_handlers *h)
{
    if (h != NULL)
        atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
    return h;
}

void gri_handlers_unref(struct gri_handlers *h)
{
    if (h == NULL || atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) != 1)
        return;
    gr_value_unref(h->list);
    gri_free(h);
}

const gr_handler *gri_handler_of(const gr_value *v)
{
    struct gri_hearer one;

    return read_one(v, &one) && one.handler != NULL ? &one.handler->given : NULL;
}

void gri_handler_streams(gr_value *handler)
{
    if (gri_handler_of(handler) != NULL)
        ((struct gri_handler *)gr_as_opaque(handler))->streams = true;
}

bool gri_wants_streams(const gr_value *callbacks)
{
    struct gri_hearer one;

    for (size_t i = 0; i < gr_len(callbacks); i++)
        if (read_one(gr_at(callbacks, i), &one) && one.handler != NULL && one.handler->streams)
            return true;
    return false;
}

void gri_handler_from(gr_value *handler, const struct gri_origin *origin)
{
    if (gri_handler_of(handler) != NULL)
        ((struct gri_handler *)gr_as_opaque(handler))->origin = origin;
}

const struct gri_origin *gri_origin_of(const gr_value *callbacks)
{
    struct gri_hearer one;

    for (size_t i = 0; i < gr_len(callbacks); i++)
        if (read_one(gr_at(callbacks, i), &one) && one.handler != NULL &&
            one.handler->origin != NULL)
            return one.handler->origin;
    return NULL;
}
