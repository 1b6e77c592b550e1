/* SPDX-License-Identifier: Apache-2.0 */
#include "actors/compose/pump.h"

#include "actors/compose/steps.h"
#include "runtime/base/alloc.h"

struct pump {
    struct gri_machine machine;
    struct gri_call *call; /* the duty */
    gr_stream *in;         /* owned */
    gr_value *held;        /* counted; the chunk in hand */
    struct gri_wake chunk, room;
    struct gri_pump_opts opts;
    bool begun; /* a chunk has come */
};

static enum gri_next pump_end(struct pump *p, gr_value *v)
{
    gri_leave_stream(p->in, &p->chunk);
    gri_stream_unwatch_room(p->call->out, &p->room.waiter);
    gr_value_unref(p->held);
    if (p->opts.drop != NULL)
        p->opts.drop(p->opts.arg);
    gri_call_end(p->call, v);
    gri_free(p); /* after the end: until then the cancel hook may come */
    return GRI_OVER;
}

/* in_ended deals with an input that gives no more; true: p->in is another one. */
static bool in_ended(struct pump *p, gr_value *err, gr_value **ret_v)
{
    gr_stream *in = NULL;

    if (err != NULL && p->opts.failed != NULL)
        p->opts.failed(p->call, p->opts.arg, err);
    if (p->begun || p->opts.next == NULL || gri_call_cancelled(p->call)) {
        *ret_v = err != NULL ? err : gr_nil();
        return false;
    }
    in = p->opts.next(p->call, p->opts.arg, err, ret_v);
    if (in == NULL)
        return false;
    gri_leave_stream(p->in, &p->chunk);
    p->in = in;
    return true;
}

/* pump_read takes a chunk in hand. GR_OK, GR_EPENDING, or GR_EOS with what to end the call with. */
static gr_code pump_read(struct pump *p, gr_value **ret_v)
{
    gr_value *chunk = NULL, *err = NULL;
    gr_code rc;

    while ((rc = gri_pull(p->in, &p->chunk, &chunk)) != GR_OK) {
        if (rc == GR_EPENDING)
            return rc;
        err = rc == GR_EOS ? NULL : gri_stream_why(p->in, rc);
        if (!in_ended(p, err, ret_v))
            return GR_EOS;
    }
    p->begun = true;
    p->held = p->opts.map != NULL ? p->opts.map(p->call, chunk) : chunk;
    if (p->held != NULL && gr_error_code(p->held) != GR_OK) {
        *ret_v = p->held;
        p->held = NULL;
        return GR_EOS;
    }
    return GR_OK;
}

static enum gri_next pump_step(struct gri_machine *m)
{
    struct pump *p = gri_container_of(m, struct pump, machine);
    gr_value *v = NULL;
    gr_code rc;

    if (gri_call_cancelled(p->call))
        return pump_end(p, gri_was_cancelled());
    for (int i = 0; i < GRI_STEP_BUDGET; i++) {
        if (p->held != NULL) {
            rc = gri_push(p->call->out, &p->room, &p->held);
            if (rc == GR_EFULL)
                return GRI_SLEEP;
            if (rc != GR_OK)
                return pump_end(p, gr_error(rc, "the chunk could not be passed on"));
        }
        rc = pump_read(p, &v);
        if (rc == GR_EPENDING)
            return GRI_SLEEP;
        if (rc == GR_EOS)
            return pump_end(p, v);
    }
    return GRI_AGAIN;
}

void gri_pump_start(struct gri_call *call, gr_stream *in, const struct gri_pump_opts *opts)
{
    struct pump *p = in != NULL ? gri_new0(struct pump) : NULL;

    if (p == NULL) {
        if (in != NULL) {
            gri_stream_close(in);
            gri_stream_unref(in);
        }
        if (opts->drop != NULL)
            opts->drop(opts->arg);
        gr_value_unref(opts->first);
        gri_call_end(call, gri_no_memory());
        return;
    }
    p->call = call;
    p->in = in;
    p->opts = *opts;
    p->held = opts->first;
    p->begun = opts->first != NULL;
    gri_machine_init(&p->machine, gri_call_sched(call), "pump", pump_step);
    gri_wake_init(&p->chunk, &p->machine);
    gri_wake_init(&p->room, &p->machine);
    if (gri_call_on_cancel(call, gri_machine_cancelled, &p->machine) != GR_OK)
        pump_end(p, gri_was_cancelled());
    else
        gri_machine_start(&p->machine);
}
