/* SPDX-License-Identifier: Apache-2.0 */
/* outbox.c - giving chunks to a reader who may be slow, or gone. outbox.h has the rules. */
#include "actors/model/outbox.h"

#include "runtime/base/alloc.h"

void gri_outbox_init(struct gri_outbox *o, gr_promise *promise, void (*free)(struct gri_outbox *o))
{
    o->refs = 2;
    o->promise = promise;
    o->free = free;
}

void gri_outbox_fini(struct gri_outbox *o)
{
    for (size_t i = o->pending_at; i < o->pending_count; i++)
        gr_value_unref(o->pending[i]);
    gri_free(o->pending);
    gr_value_unref(o->answer);
    gr_promise_free(o->promise);
}

void gri_outbox_unref(struct gri_outbox *o)
{
    int left;

    gri_lock(&o->lock);
    left = --o->refs;
    gri_unlock(&o->lock);
    if (left == 0)
        o->free(o);
}

void gri_outbox_started(struct gri_outbox *o, struct gri_http_exchange *x)
{
    gri_lock(&o->lock);
    if (!o->ended) {
        o->x = x;
        if (o->cancelled)
            gri_http_cancel(x);
    }
    gri_unlock(&o->lock);
}

void gri_outbox_close(struct gri_outbox *o)
{
    gri_lock(&o->lock);
    if (o->x != NULL)
        gri_http_cancel(o->x);
    gri_unlock(&o->lock);
}

/* ---- giving ---------------------------------------------------------------------------------- */

/* take_pending gives the next chunk, or NULL; the lock is held. */
static gr_value *take_pending_locked(struct gri_outbox *o)
{
    if (o->pending_at == o->pending_count) {
        o->pending_at = o->pending_count = 0;
        return NULL;
    }
    return o->pending[o->pending_at++];
}

/* give hands one chunk over. False: there is no room, and the chunk is back in its place. */
static bool give(struct gri_outbox *o, gr_value *chunk)
{
    gr_code rc =
        gr_promise_room(o->promise) ? gr_promise_emit(o->promise, gr_value_ref(chunk)) : GR_EFULL;

    if (rc == GR_OK || rc == GR_ECANCELED) { /* taken, or nobody reads any more, nor the rest */
        gr_value_unref(chunk);
        return true;
    }
    gri_lock(&o->lock);
    if (rc == GR_EFULL) {
        o->pending[--o->pending_at] = chunk;
        chunk = NULL;
    } else { /* no memory: nothing may come behind what is missing */
        o->lost = rc;
        if (o->x != NULL)
            gri_http_cancel(o->x);
    }
    gri_unlock(&o->lock);
    gr_value_unref(chunk);
    return rc != GR_EFULL;
}

/* give_last_locked answers the call, and o may be gone. Flushing stays set: nobody else comes here
 * again. The lock is held, and given back. */
static void give_last_locked(struct gri_outbox *o)
{
    gr_promise *promise = o->promise;
    gr_value *answer = o->answer;
    gr_code lost = o->lost;

    o->promise = NULL;
    o->answer = NULL;
    gri_unlock(&o->lock);
    if (lost != GR_OK) {
        gr_value_unref(answer);
        answer = gr_error(lost, "out of memory for a chunk");
    }
    gr_resolve(promise, answer);
    gri_outbox_unref(o);
}

/* stop_flushing_locked: false when somebody asked for another round meanwhile. */
static bool stop_flushing_locked(struct gri_outbox *o)
{
    if (o->again) {
        o->again = false;
        return false;
    }
    o->flushing = false;
    return true;
}

/* resume_locked lets the server go on, now that nothing is pending. */
static void resume_locked(struct gri_outbox *o)
{
    if (o->paused && o->x != NULL)
        gri_http_resume(o->x);
    o->paused = false;
}

void gri_outbox_flush(struct gri_outbox *o)
{
    gri_lock(&o->lock);
    if (o->flushing) {
        o->again = true;
        gri_unlock(&o->lock);
        return;
    }
    o->flushing = true;
    for (;;) {
        gr_value *chunk = take_pending_locked(o);
        bool given;

        if (chunk == NULL && o->ended && o->promise != NULL) {
            give_last_locked(o);
            return;
        }
        if (chunk == NULL) {
            resume_locked(o);
            if (stop_flushing_locked(o))
                break;
            continue;
        }
        given = o->lost != GR_OK;
        gri_unlock(&o->lock);
        if (given)
            gr_value_unref(chunk);
        else
            given = give(o, chunk);
        gri_lock(&o->lock);
        if (!given && stop_flushing_locked(o))
            break;
    }
    gri_unlock(&o->lock);
}

/* ---- filling --------------------------------------------------------------------------------- */

/* room_locked makes room for one more. */
static bool room_locked(struct gri_outbox *o)
{
    size_t cap = o->pending_cap == 0 ? 16 : o->pending_cap * 2;
    gr_value **pending;

    if (o->pending_count < o->pending_cap)
        return true;
    pending = gri_resize(o->pending, cap * sizeof(gr_value *));
    if (pending == NULL)
        return false;
    o->pending = pending;
    o->pending_cap = cap;
    return true;
}

gr_code gri_outbox_push(struct gri_outbox *o, gr_value *chunk)
{
    gr_code rc = GR_OK;

    gri_lock(&o->lock);
    if (o->lost == GR_OK && room_locked(o)) {
        o->pending[o->pending_count++] = chunk;
        chunk = NULL;
    } else if (o->lost == GR_OK) {
        rc = GR_ENOMEM;
    }
    gri_unlock(&o->lock);
    gr_value_unref(chunk);
    return rc;
}

bool gri_outbox_must_pause(struct gri_outbox *o)
{
    bool some;

    gri_lock(&o->lock);
    some = o->pending_at < o->pending_count;
    o->paused = some;
    gri_unlock(&o->lock);
    return some;
}

/* From the moment that `ended` is set a hook may answer and drop the exchange's reference, so this
 * needs one of its own. */
void gri_outbox_end(struct gri_outbox *o, gr_value *answer)
{
    gri_lock(&o->lock);
    o->x = NULL;
    o->ended = true;
    o->answer = answer;
    o->refs++;
    gri_unlock(&o->lock);
    gri_outbox_flush(o);
    gri_outbox_unref(o);
}

void gri_outbox_on_cancel(void *arg)
{
    struct gri_outbox *o = arg;

    gri_lock(&o->lock);
    o->cancelled = true;
    if (o->x != NULL)
        gri_http_cancel(o->x);
    gri_unlock(&o->lock);
    gri_outbox_flush(o);
}

void gri_outbox_on_room(void *arg)
{
    gri_outbox_flush(arg);
}
