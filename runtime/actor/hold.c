/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/actor/hold.h"

#include "runtime/actor/send.h"
#include "runtime/base/alloc.h"
#include "runtime/observe/run.h"

struct gri_hold {
    struct gri_gate_wait begin, write;
    struct gri_call *call; /* borrowed: the hold is a part of it */
    gr_ref to;
    struct gr_stream *stream; /* borrowed; it takes itself out before it goes */
};

static struct gri_run_gate *gate_of(struct gri_call *call)
{
    return &gri_observed_of(call)->tree->gate;
}

bool gri_hold_shut(struct gri_call *call)
{
    return gri_gate_is_shut(gate_of(call));
}

/* ---- calls ----------------------------------------------------------------------------------- */

static bool begin_fire(struct gri_gate_wait *w)
{
    (void)w; /* the duty keeps the call */
    return true;
}

static void begin_go(struct gri_gate_wait *w)
{
    struct gri_hold *h = gri_container_of(w, struct gri_hold, begin);

    if (atomic_load(&h->call->state) == GRI_DROPPED)
        gri_future_unref(&h->call->future); /* a shell that nobody has seen */
    else
        gri_call_post(h->call, h->to);
}

/* ---- streams --------------------------------------------------------------------------------- */

static bool write_fire(struct gri_gate_wait *w)
{
    return gri_stream_try_ref(gri_container_of(w, struct gri_hold, write)->stream);
}

static void write_go(struct gri_gate_wait *w)
{
    struct gr_stream *s = gri_container_of(w, struct gri_hold, write)->stream;

    gri_stream_fire_writer(s);
    gri_stream_unref(s);
}

/* ---- both ------------------------------------------------------------------------------------ */

static struct gri_hold *there(struct gri_call *call)
{
    /* acquire: pairs with hold_of */
    return atomic_load_explicit(&gri_observed_of(call)->hold, memory_order_acquire);
}

/* hold_of returns the call's, and makes it the first time. Whoever has the duty, or writes, is alone with it. NULL: out
 * of memory, so nobody is held. */
static struct gri_hold *hold_of(struct gri_call *call)
{
    struct gri_observed *o = gri_observed_of(call);
    struct gri_hold *h = there(call);

    if (h != NULL || (h = gri_new0(struct gri_hold)) == NULL)
        return h;
    h->call = call;
    h->begin.fire = begin_fire;
    h->begin.go = begin_go;
    h->write.fire = write_fire;
    h->write.go = write_go;
    gri_list_init(&h->begin.node);
    gri_list_init(&h->write.node);
    atomic_store_explicit(&o->hold, h, memory_order_release);
    return h;
}

bool gri_hold_call(struct gri_call *call, gr_ref to)
{
    struct gri_hold *h = hold_of(call);

    if (h == NULL)
        return false;
    h->to = to;
    return gri_gate_watch(gate_of(call), &h->begin);
}

bool gri_hold_stream(struct gri_call *call, struct gr_stream *s)
{
    struct gri_hold *h = gri_hold_shut(call) ? hold_of(call) : NULL;

    if (h == NULL)
        return false;
    if (h->stream == NULL) /* it never changes, and who opens the gate may be reading it */
        h->stream = s;
    return gri_gate_watch(gate_of(call), &h->write);
}

void gri_hold_left(struct gri_call *call)
{
    struct gri_hold *h = there(call);

    if (h != NULL)
        gri_gate_unwatch(gate_of(call), &h->write);
}

void gri_hold_free(struct gri_hold *hold)
{
    gri_free(hold);
}
