/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mcp_request.c - one request from its number to its answer.
 *
 * Four parties touch a request: who begins it, who brings its answer or a word of progress, who cancels its
 * call, and who reads the call's stream (room). The first to take it out of `pending` decides what it ends
 * with. Only one at a time has `giving`: he alone uses the promise, and when the request is done he resolves
 * it and frees the request. If there is no room for the result, since words of progress fill the stream,
 * `giving` goes back, and the hook that tells of room takes it. Hooks never run once the promise is resolved,
 * so none meets a request that is gone. The promise is never used under the lock, which its hooks take.
 */
#include <string.h>

#include <greenroom/link.h>

#include "actors/mcp/mcp_session.h"
#include "runtime/base/alloc.h"

gr_value *gri_mcp_no_memory(void)
{
    return gr_error(GR_ENOMEM, "out of memory for an MCP client");
}

static void request_free(struct gri_mcp_request *r)
{
    gr_promise_free(r->promise);
    gr_value_unref(r->result);
    gri_mcp_unref(r->s);
    gri_free(r);
}

/* give ends the call; r is gone then, unless there is no room. The caller has `giving`. */
static void give(struct gri_mcp_request *r)
{
    for (;;) {
        gr_code rc = GR_OK;
        gr_promise *promise = r->promise;
        bool again;

        if (gr_error_code(r->result) == GR_OK)
            rc = gr_promise_emit(promise, gr_value_ref(r->result));
        if (rc != GR_EFULL) {
            gr_value *last = gr_error_code(r->result) != GR_OK ? gr_value_ref(r->result)
                             : rc == GR_OK || rc == GR_ECANCELED
                                 ? gr_nil()
                                 : gr_error(rc, "the answer could not be passed on");

            r->promise = NULL;
            gr_resolve(promise, last);
            request_free(r);
            return;
        }
        gri_lock(&r->s->lock);
        again = r->again;
        r->again = false;
        r->giving = again;
        gri_unlock(&r->s->lock);
        if (!again)
            return;
    }
}

/* claim_locked: there is a result, and nobody is about to give it. */
static bool claim_locked(struct gri_mcp_request *r)
{
    if (!r->done)
        return false;
    if (r->giving) {
        r->again = true;
        return false;
    }
    r->giving = true;
    return true;
}

/* finish_locked ends a request; NULL: somebody has done so before. result is taken if it is not. aborts: the
 * transfer that was to bring an answer is of no use. */
static struct gri_mcp_request *finish_locked(struct gri_mcp *s, int64_t id, gr_value *result,
                                             bool aborts)
{
    struct gri_mcp_request *r = gri_map_del(&s->pending, (uint64_t)id);

    if (r == NULL)
        return NULL;
    r->done = true;
    r->result = result;
    if (r->post != NULL && aborts)
        gri_mcp_http_abort_locked(r->post);
    return r;
}

static void on_room(void *arg)
{
    struct gri_mcp_request *r = arg;
    bool mine;

    gri_lock(&r->s->lock);
    mine = claim_locked(r);
    gri_unlock(&r->s->lock);
    if (mine)
        give(r);
}

/* tell_cancelled lets the server know, but for where closing the stream does so. */
static void tell_cancelled(struct gri_mcp *s, int64_t id)
{
    bool modern;

    gri_lock(&s->lock);
    modern = s->modern;
    gri_unlock(&s->lock);
    if (s->set.argv == NULL && modern)
        return;
    (void)gri_mcp_post(
        s, gri_mcp_notification_of("notifications/cancelled",
                                   gr_map(GR_KV("requestId", gr_int(id)),
                                          GR_KV("reason", gr_str("the caller has cancelled it")))));
}

static void on_cancel(void *arg)
{
    struct gri_mcp_request *r = arg;
    struct gri_mcp *s = gri_mcp_ref(r->s);
    gr_value *result = gr_error(GR_ECANCELED, "cancelled");
    int64_t id = r->id;
    bool quiet = r->quiet, finished, mine;

    gri_lock(&s->lock);
    finished = finish_locked(s, id, result, true) != NULL;
    mine = claim_locked(r);
    gri_unlock(&s->lock);
    if (!finished)
        gr_value_unref(result);
    else if (!quiet)
        tell_cancelled(s, id);
    if (mine)
        give(r);
    gri_mcp_unref(s);
}

static void complete(struct gri_mcp *s, int64_t id, gr_value *v, bool aborts)
{
    gr_value *result = gr_error_code(v) == GR_OK ? gr_map(GR_KV("result", v)) : v;
    struct gri_mcp_request *r;
    bool mine;

    gri_lock(&s->lock);
    r = finish_locked(s, id, result, aborts);
    mine = r != NULL && claim_locked(r);
    gri_unlock(&s->lock);
    if (mine)
        give(r);
    else if (r == NULL)
        gr_value_unref(result);
}

void gri_mcp_complete(struct gri_mcp *s, int64_t id, gr_value *v)
{
    complete(s, id, v, false);
}

/* release gives `giving` back; what has been done meanwhile is given now, and r gone. */
static void release(struct gri_mcp_request *r)
{
    struct gri_mcp *s = r->s;
    bool done;

    gri_lock(&s->lock);
    done = r->done;
    r->giving = done;
    gri_unlock(&s->lock);
    if (done)
        give(r);
}

void gri_mcp_progress(struct gri_mcp *s, int64_t id, const gr_value *params)
{
    struct gri_mcp_request *r;

    gri_lock(&s->lock);
    r = gri_map_get(&s->pending, (uint64_t)id);
    if (r != NULL)
        r->resumes = 0;
    if (r != NULL && r->giving)
        r = NULL; /* two words at once: one will do */
    else if (r != NULL)
        r->giving = true;
    gri_unlock(&s->lock);
    if (r == NULL)
        return;
    (void)gr_promise_emit(r->promise, gr_map(GR_KV("progress", gr_value_ref(params))));
    release(r);
}

/* ---- beginning ------------------------------------------------------------------------------- */

/* enter gives the request a number, and a place; NULL, or why there is none. */
static gr_value *enter(struct gri_mcp *s, struct gri_mcp_request *r)
{
    gr_value *err = NULL;

    gri_lock(&s->lock);
    r->id = ++s->last_id;
    if (s->ended != NULL)
        err = gr_value_ref(s->ended);
    else if (s->pending.count >= s->set.pending_max)
        err = gr_error(GR_EFULL, "%zu requests to %s are under way", s->pending.count, s->set.name);
    else if (!gri_map_put(&s->pending, (uint64_t)r->id, r))
        err = gri_mcp_no_memory();
    gri_unlock(&s->lock);
    return err;
}

int64_t gri_mcp_request_begin(gr_ctx *c, struct gri_mcp *s, bool quiet, gr_value **reterr)
{
    struct gri_mcp_request *r = gri_new0(struct gri_mcp_request);
    gr_value *err = NULL;
    int64_t id;

    *reterr = NULL;
    if (r == NULL) {
        *reterr = gri_mcp_no_memory();
        return 0;
    }
    r->s = gri_mcp_ref(s);
    r->quiet = quiet;
    r->giving = true; /* ours, until the promise has its hooks */
    r->promise = gr_defer(c);
    if (r->promise == NULL) {
        request_free(r);
        *reterr = gr_error(GR_EINVAL, "this call can't be answered later");
        return 0;
    }
    err = enter(s, r);
    if (err != NULL) {
        r->result = err;
        give(r);
        return 0;
    }
    id = r->id;
    (void)gr_on_cancel(r->promise, on_cancel, on_room, r);
    release(r);
    return id;
}

/* ---- the end of all -------------------------------------------------------------------------- */

/* lost is what a request fails with whose server has ended: as if the actor had, so that it may be made
 * again. */
static gr_value *lost(const struct gri_mcp *s, const gr_value *why)
{
    gr_value *err =
        gr_error(GR_EBROKEN, "the MCP server %s ended: %s", s->set.name, gr_error_text(why));

    err = gr_error_with(err, "kind", gr_str("ActorExit"));
    return gr_error_with(err, "cause", gr_value_ref(why));
}

/* any_pending gives the number of a request that is pending; 0: there is none. */
static int64_t any_pending(struct gri_mcp *s)
{
    const struct gri_map_slot *slot;
    size_t at = 0;
    int64_t id = 0;

    gri_lock(&s->lock);
    slot = gri_map_next(&s->pending, &at);
    if (slot != NULL)
        id = ((struct gri_mcp_request *)slot->value)->id;
    gri_unlock(&s->lock);
    return id;
}

void gri_mcp_end(struct gri_mcp *s, gr_value *why, bool exits)
{
    gr_value *err = lost(s, why);
    int64_t id;
    gr_ref wire;
    bool first;

    gri_lock(&s->lock);
    first = s->ended == NULL;
    wire = s->wire;
    if (first)
        s->ended = gr_value_ref(err);
    gri_unlock(&s->lock);
    if (first && exits)
        (void)gr_exit_to(s->rt, wire, gr_value_ref(why));
    while (first && (id = any_pending(s)) != 0)
        complete(s, id, gr_value_ref(err), true);
    gri_mcp_unask(s, NULL);
    gr_value_unref(err);
    gr_value_unref(why);
}

void gri_mcp_note_subscription(struct gri_mcp *s, int64_t id, const char *method)
{
    if (strcmp(method, "subscriptions/listen") != 0)
        return;
    gri_lock(&s->lock);
    s->subscription = id;
    gri_unlock(&s->lock);
}

gr_value *gri_mcp_with_token(gr_value *params, int64_t id)
{
    gr_value *meta =
        gr_get(params, "_meta") != NULL ? gr_value_ref(gr_get(params, "_meta")) : gr_map_n(NULL, 0);

    return gr_set(params, "_meta", gr_set(meta, "progressToken", gr_int(id)));
}
