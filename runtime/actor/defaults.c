/* SPDX-License-Identifier: Apache-2.0 */
/*
 * defaults.c - langchain-core's defaults for the Runnable verbs that a class lacks, as native
 * frames: a gatherer, which sums a stream up, then goes on; and batch.c.
 */
#include "runtime/actor/actor.h"
#include "runtime/actor/batch.h"
#include "runtime/actor/frames.h"
#include "runtime/actor/observed.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/base/alloc.h"

/* ---- sums ------------------------------------------------------------------------------------ */

struct gather {
    struct gri_call *call;  /* the duty */
    struct gr_stream *from; /* counted; what is summed up */
    gr_value *sum;          /* counted; NULL: no chunk yet */
    /* the sum is the input of the call's own stream, unless there is none; else it is the answer */
    bool forward;
    struct gri_waiter waiter;
    struct gri_task task;
};

static void gather_end(struct gather *g, gr_code rc)
{
    struct gri_call *call = g->call;
    bool forward = g->forward && rc == GR_EOS && g->sum != NULL; /* of no chunks comes none */
    gr_value *v = NULL;

    if (rc == GR_EOS) {
        v = g->sum != NULL ? g->sum : gr_nil();
        g->sum = NULL;
    } else {
        v = gri_stream_error(g->from);
        if (v == NULL)
            v = gr_error(rc, "the input could not be read");
    }
    gr_value_unref(g->sum);
    gri_stream_close(g->from);
    if (forward && !gri_observe_whole(call->actor))
        gri_observe_same(call);
    if (forward)
        gri_call_forward(call, gri_actor_ref(call->actor), GRI_STREAM, v, NULL);
    else
        gri_call_end(call, v);
    gri_stream_unref(g->from); /* only now: until the end the cancel hook may come */
    gri_free(g);
}

static void gather_run(struct gri_task *t)
{
    struct gather *g = gri_container_of(t, struct gather, task);
    gr_value *chunk = NULL;
    gr_code rc;

    for (;;) {
        rc = gri_stream_get(g->from, &chunk);
        if (rc == GR_OK)
            g->sum = gr_add(g->sum, chunk);
        else if (rc != GR_EPENDING)
            break;
        else if (gri_stream_watch(g->from, &g->waiter))
            return;
    }
    gather_end(g, rc);
}

static void gather_fire(struct gri_waiter *w)
{
    struct gather *g = gri_container_of(w, struct gather, waiter);

    gri_ready(&g->call->rt->sched, &g->task);
}

/* The cancelled call's input must end too, or the gatherer would wait for it. */
static void gather_cancel(void *arg)
{
    struct gather *g = arg;

    gri_stream_end(g->from, gr_error(GR_ECANCELED, "cancelled"));
}

static void gather_start(struct gri_call *call, struct gr_stream *from, bool forward)
{
    struct gather *g = from != NULL ? gri_new0(struct gather) : NULL;

    if (g == NULL) {
        if (from != NULL)
            gri_stream_close(from);
        gri_stream_unref(from);
        gri_call_end(call, gr_error(GR_ENOMEM, "out of memory"));
        return;
    }
    *g = (struct gather){ .call = call,
                          .from = from,
                          .forward = forward,
                          .waiter.fire = gather_fire,
                          .task = { .run = gather_run, .name = "gather" } };
    gri_call_on_cancel(call, gather_cancel, g);
    gather_run(&g->task);
}

/* one_chunk makes a stream of the call's input; NULL when out of memory. */
static struct gr_stream *one_chunk(struct gri_call *call)
{
    gr_value *item = gr_value_ref(call->args);

    return gr_stream_of(call->rt, gr_list_n(&item, 1));
}

/* ---- the way in ------------------------------------------------------------------------------ */

/* by_transform gives the one input to transform, which streams the answer. */
static void by_transform(struct gri_call *call)
{
    struct gr_stream *in = one_chunk(call);

    if (in == NULL) {
        gri_call_end(call, gr_error(GR_ENOMEM, "out of memory"));
    } else if (call->verb == GRI_STREAM) {
        gri_observe_same(call);
        gri_call_forward(call, gri_actor_ref(call->actor), GRI_TRANSFORM, gr_nil(), in);
    } else {
        gri_observe_lend(call);
        gather_start(call,
                     gri_call_sub_stream(call, gri_actor_ref(call->actor), GRI_TRANSFORM, gr_nil(),
                                         in, NULL),
                     false);
    }
}

static void run_default(struct gri_call *call, enum gri_how how)
{
    switch (how) {
    case GRI_BY_GATHER:
        if (call->in != NULL)
            gather_start(call, gri_call_take_in(call), true);
        else
            gri_call_end(call,
                         gr_error(GR_EINVAL, "'%s' needs an input stream", gri_call_verb(call)));
        break;
    case GRI_BY_STREAM:
        gri_observe_lend(call);
        gather_start(call,
                     gri_call_sub_stream(call, gri_actor_ref(call->actor), GRI_STREAM,
                                         gr_value_ref(call->args), NULL, NULL),
                     false);
        break;
    case GRI_BY_TRANSFORM: by_transform(call); break;
    case GRI_BY_FRAME:
        (call->verb == GRI_ASTREAM_EVENTS ? gri_frames.astream_events : gri_frames.astream_log)(
            call, gri_actor_ref(call->actor));
        break;
    default: gri_batch_start(call); break;
    }
}

/* The sender's thread may be any: the work is done on a worker. */
static void default_task(struct gri_task *t)
{
    struct gri_call *call = gri_container_of(t, struct gri_call, task);
    const gr_method *m = NULL;

    if (gri_actor_listened(call->actor))
        gri_actor_listen(call->actor, call);
    if (gri_call_observed(call))
        gri_observe_arrival(call, call->actor);
    run_default(call, gri_observe_how(call->actor->klass, call,
                                      gri_klass_resolve(call->actor->klass, call->verb, &m)));
}

void gri_default_run(struct gri_call *call, enum gri_how how)
{
    (void)how;
    call->task.run = default_task;
    gri_ready(&call->rt->sched, &call->task);
}
