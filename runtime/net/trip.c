/* SPDX-License-Identifier: Apache-2.0 */
/* trip.c - the steps of a route that are served at one node, one after the other. */
#include <string.h>

#include <greenroom/runtime.h>

#include "runtime/base/alloc.h"
#include "runtime/net/hop.h"
#include "runtime/net/out_call.h"

#define NS_PER_MS UINT64_C(1000000)

static bool pop(struct gri_trip *t, struct gri_route_step *ret)
{
    if (t->left_count == 0 || !gri_route_step_read(&t->left, &t->left_size, ret))
        return false;
    t->left_count--;
    return true;
}

struct gri_trip *gri_trip_new(struct gri_node *node, const struct gri_frame *f, gr_value *config)
{
    struct gri_trip *t = gri_new0(struct gri_trip);
    uint8_t *steps = gri_alloc(f->steps_size);

    if (t == NULL || steps == NULL) {
        gri_free(t);
        gri_free(steps);
        gr_value_unref(config);
        return NULL;
    }
    memcpy(steps, f->steps, f->steps_size);
    *t = (struct gri_trip){ .origin = f->origin,
                            .incarnation = f->incarnation,
                            .at = f->number,
                            .config = config,
                            .steps = steps,
                            .left = steps,
                            .left_size = f->steps_size,
                            .left_count = f->step_count };
    if (f->deadline_ms > 0)
        t->deadline_ns = gri_now(node->rt) + f->deadline_ms * NS_PER_MS;
    (void)pop(t, &t->here);
    return t;
}

void gri_trip_free(struct gri_trip *t)
{
    if (t == NULL)
        return;
    gr_value_unref(t->config);
    gri_free(t->steps);
    gri_free(t);
}

gr_value *gri_trip_error(const struct gri_trip *t, gr_value *err)
{
    return gri_wire_error_in(err, t->here.url, t->here.name);
}

/* install makes f the call's future, which a cancellation then reaches. The one before it is done. */
static void install(struct gri_in_call *ic, gr_future *f)
{
    gr_future *before;
    bool cancelled;

    gri_lock(&ic->lock);
    before = ic->future;
    ic->future = f;
    cancelled = atomic_load_explicit(&ic->cancelled, memory_order_relaxed);
    gri_unlock(&ic->lock);
    gr_future_free(before);
    if (cancelled)
        gr_future_cancel(f);
}

void gri_trip_cancel(struct gri_in_call *ic)
{
    gr_future *f = NULL;
    struct gri_hop *hop;

    gri_lock(&ic->lock);
    atomic_store_explicit(&ic->cancelled, true, memory_order_relaxed);
    hop = ic->trip->hop;
    if (hop != NULL)
        gri_hop_ref(hop);
    else if (ic->future != NULL)
        f = gri_future_ref(ic->future);
    gri_unlock(&ic->lock);
    if (f != NULL) {
        gr_future_cancel(f);
        gri_future_unref(f);
    }
    if (hop != NULL) {
        gri_hop_cancel(hop);
        gri_hop_unref(hop);
    }
}

static void fail(struct gri_in_call *ic, gr_value *err)
{
    gri_in_call_finish(ic, err);
    gr_value_unref(err);
}

gr_ref gri_trip_find(struct gri_node *node, const char *name)
{
    return name[0] == GRI_RESERVED ? (gr_ref){ 0, 0 } : gri_node_find(node, name);
}

/* timeout_ms: -1 is already over. */
static int64_t timeout_ms(gr_runtime *rt, const struct gri_trip *t)
{
    if (t->deadline_ns != 0 && gri_now(rt) >= t->deadline_ns)
        return -1;
    return (int64_t)gri_remaining_ms(rt, t->deadline_ns);
}

void gri_trip_run(struct gri_in_call *ic, gr_value *args)
{
    gr_runtime *rt = ic->peer->node->rt;
    struct gri_trip *t = ic->trip;
    gr_ref to = gri_trip_find(ic->peer->node, t->here.name);
    gr_call_opts opts = { .size = sizeof(opts),
                          .timeout_ms = timeout_ms(rt, t),
                          .scope = gri_peer_scope(ic->peer) };
    gr_future *f = NULL;

    if (to.id == 0) { /* it was withdrawn meanwhile, or this is a later step */
        gr_value_unref(args);
        fail(ic, gr_error_with(gr_error(GR_EDEAD, "no actor is published as '%s'", t->here.name),
                               "kind", gr_str("NotServed")));
        return;
    }
    if (opts.scope != NULL) {
        opts.config = gr_value_ref(t->config);
        f = gr_acall(rt, to, "invoke", args, &opts);
    } else {
        gr_value_unref(args);
    }
    if (f == NULL) {
        fail(ic, gr_error(GR_ENOMEM, "out of memory for a call"));
        return;
    }
    install(ic, f);
    if (gri_future_watch(f, &ic->waiter) != GR_OK)
        gri_ready(gri_sched_of(rt), &ic->task); /* not at once: there may be many such steps */
}

bool gri_trip_goes_on(struct gri_in_call *ic, const gr_value *v)
{
    const struct gri_node *node = ic->peer->node;
    struct gri_trip *t = ic->trip;

    if (!pop(t, &t->next))
        return false;
    if (t->at == 0 && t->config != NULL && gr_get(t->config, "kwargs") != NULL)
        t->config = gr_without(t->config, "kwargs"); /* they are the first one's alone */
    if (t->next.node != node->id || t->next.incarnation != node->incarnation) {
        gri_hop_pass(ic);
        return true;
    }
    t->here = t->next;
    t->at++;
    gri_trip_run(ic, gr_value_ref(v));
    return true;
}
