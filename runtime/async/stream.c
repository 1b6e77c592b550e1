/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/async/stream.h"

#include "runtime/base/alloc.h"
#include "runtime/value/value.h"
#include "runtime/value/value_bytes.h"

struct gr_stream *gri_stream_new(struct gri_sched *sched, size_t window_chunks, size_t window_bytes)
{
    struct gr_stream *s = gri_new0(struct gr_stream);

    if (s == NULL)
        return NULL;
    atomic_init(&s->refs, 2);
    s->sched = sched;
    s->ledger = gri_ledger_ref(sched->ledger);
    s->window_chunks = window_chunks != 0 ? window_chunks : GRI_WINDOW_CHUNKS;
    s->window_bytes = window_bytes != 0 ? window_bytes : GRI_WINDOW_BYTES;
    return s;
}

struct gr_stream *gri_stream_ref(struct gr_stream *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void gri_stream_unref(struct gr_stream *s)
{
    if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < s->count; i++)
        gr_value_unref(s->chunks[(s->head + i) % s->cap]);
    if (s->bytes != 0)
        gri_meter_add(s->ledger, GRI_METER_BYTES, -(int64_t)s->bytes);
    gri_ledger_unref(s->ledger);
    gri_free(s->chunks);
    gr_value_unref(s->error);
    gr_value_unref(s->current);
    gri_future_unref(s->producer);
    gri_free(s);
}

static void fire_locked(struct gri_waiter **slot)
{
    struct gri_waiter *w = *slot;

    *slot = NULL;
    if (w != NULL)
        w->fire(w);
}

/* room_locked: where all the runtime's streams together hold too much, each takes one chunk at a
 * time: so who reads it makes room for the next, and none stands still. */
static bool room_locked(const struct gr_stream *s)
{
    return s->count == 0 || (s->count < s->window_chunks && s->bytes < s->window_bytes &&
                             gri_meter_has_room(s->ledger, GRI_METER_BYTES, 1));
}

/* account_locked adds the bytes of a chunk that comes, or takes away those of one that goes. */
static void account_locked(struct gr_stream *s, size_t bytes, bool comes)
{
    if (bytes == 0)
        return;
    s->bytes = comes ? s->bytes + bytes : s->bytes - bytes;
    gri_meter_add(s->ledger, GRI_METER_BYTES, comes ? (int64_t)bytes : -(int64_t)bytes);
}

static bool grow_locked(struct gr_stream *s)
{
    size_t cap = s->cap != 0 ? s->cap * 2 : 4;
    gr_value **chunks;

    if (s->count < s->cap)
        return true;
    chunks = gri_alloc_array(cap, sizeof(*chunks));
    if (chunks == NULL)
        return false;
    for (size_t i = 0; i < s->count; i++)
        /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): what has a count has a cap */
        chunks[i] = s->chunks[(s->head + i) % s->cap];
    gri_free(s->chunks);
    s->chunks = chunks;
    s->cap = cap;
    s->head = 0;
    return true;
}

gr_code gri_stream_put(struct gr_stream *s, gr_value *chunk)
{
    size_t bytes = gri_value_bytes(chunk);
    gr_code rc = gr_error_code(chunk);

    if (chunk != NULL && rc == GR_OK) {
        gri_lock(&s->lock);
        if (s->closed || s->ended) {
            rc = GR_ECANCELED;
        } else if (!room_locked(s)) {
            rc = GR_EFULL;
        } else if (!grow_locked(s)) {
            rc = GR_ENOMEM;
        } else {
            s->chunks[(s->head + s->count) % s->cap] = chunk;
            s->count++;
            account_locked(s, bytes, true);
            fire_locked(&s->reader);
        }
        gri_unlock(&s->lock);
    }
    if (rc != GR_OK && rc != GR_EFULL)
        gr_value_unref(chunk);
    return rc;
}

void gri_stream_end(struct gr_stream *s, gr_value *err)
{
    gri_lock(&s->lock);
    if (!s->ended) {
        s->ended = true;
        s->error = err;
        err = NULL;
        fire_locked(&s->reader);
        fire_locked(&s->writer);
    }
    gri_unlock(&s->lock);
    gr_value_unref(err);
}

void gri_stream_release(struct gr_stream *s)
{
    gri_stream_end(s, NULL);
    gri_lock(&s->lock);
    s->released = true;
    fire_locked(&s->leaver);
    gri_unlock(&s->lock);
}

bool gri_stream_has_room(struct gr_stream *s)
{
    bool room;

    gri_lock(&s->lock);
    room = s->closed || s->ended || room_locked(s);
    gri_unlock(&s->lock);
    return room;
}

bool gri_stream_watch_room(struct gr_stream *s, struct gri_waiter *w)
{
    bool wait;

    gri_lock(&s->lock);
    wait = !s->closed && !s->ended && !room_locked(s);
    if (wait)
        s->writer = w;
    gri_unlock(&s->lock);
    return wait;
}

void gri_stream_unwatch_room(struct gr_stream *s, struct gri_waiter *w)
{
    gri_lock(&s->lock);
    if (s->writer == w)
        s->writer = NULL;
    gri_unlock(&s->lock);
}

static gr_code get_locked(struct gr_stream *s, gr_value **ret_chunk)
{
    if (s->count == 0) {
        if (!s->ended)
            return GR_EPENDING;
        return s->error != NULL ? gr_error_code(s->error) : GR_EOS;
    }
    *ret_chunk = s->chunks[s->head];
    s->head = (s->head + 1) % s->cap;
    s->count--;
    account_locked(s, gri_value_bytes(*ret_chunk), false);
    if (room_locked(s))
        fire_locked(&s->writer);
    return GR_OK;
}

gr_code gri_stream_get(struct gr_stream *s, gr_value **ret_chunk)
{
    gr_code rc;

    gri_lock(&s->lock);
    rc = get_locked(s, ret_chunk);
    gri_unlock(&s->lock);
    return rc;
}

bool gri_stream_watch(struct gr_stream *s, struct gri_waiter *w)
{
    bool wait;

    gri_lock(&s->lock);
    wait = s->count == 0 && !s->ended;
    if (wait)
        s->reader = w;
    gri_unlock(&s->lock);
    return wait;
}

void gri_stream_unwatch(struct gr_stream *s, struct gri_waiter *w)
{
    gri_lock(&s->lock);
    if (s->reader == w)
        s->reader = NULL;
    gri_unlock(&s->lock);
}

gr_value *gri_stream_error(struct gr_stream *s)
{
    gr_value *err;

    gri_lock(&s->lock);
    err = gr_value_ref(s->error);
    gri_unlock(&s->lock);
    return err;
}

/* ---- waiting --------------------------------------------------------------------------------- */

struct side_wait {
    struct gri_waiter waiter;
    struct gri_park park;
};

static void side_fire(struct gri_waiter *w)
{
    gri_park_wake(&gri_container_of(w, struct side_wait, waiter)->park, GRI_WOKEN);
}

/* wait_side parks until the side's waiter fires. GR_OK, GR_EPENDING at the deadline, GR_EINTR, … */
static gr_code wait_side(struct gr_stream *s, bool reader, uint64_t deadline_ns, bool interruptible)
{
    struct side_wait wait = { .waiter.fire = side_fire };
    uint32_t why = 0;
    gr_code rc;

    gri_park_init(&wait.park);
    if (!(reader ? gri_stream_watch(s, &wait.waiter) : gri_stream_watch_room(s, &wait.waiter)))
        return GR_OK;
    rc = gri_park_wait(&wait.park, deadline_ns, interruptible, &why);
    if (reader)
        gri_stream_unwatch(s, &wait.waiter);
    else
        gri_stream_unwatch_room(s, &wait.waiter);
    if (rc != GR_OK || (why & GRI_WOKEN) != 0)
        return rc;
    return (why & GRI_INTERRUPTED) != 0 ? GR_EINTR : GR_EPENDING;
}

gr_code gri_stream_put_wait(struct gr_stream *s, gr_value *chunk)
{
    gr_code rc;

    while ((rc = gri_stream_put(s, chunk)) == GR_EFULL) {
        rc = wait_side(s, false, GRI_NEVER, true);
        if (rc != GR_OK) {
            gr_value_unref(chunk);
            return rc == GR_EINTR ? GR_ECANCELED : rc;
        }
    }
    return rc;
}

gr_code gri_stream_next(struct gr_stream *s, uint64_t deadline_ns, gr_value **ret_chunk)
{
    gr_code rc;

    while ((rc = gri_stream_get(s, ret_chunk)) == GR_EPENDING) {
        if (deadline_ns == 0)
            return GR_EPENDING;
        if (s->producer != NULL && s->producer->ops->hurry != NULL &&
            (rc = s->producer->ops->hurry(s->producer)) != GR_OK)
            return rc;
        rc = wait_side(s, true, deadline_ns, true);
        if (rc != GR_OK)
            return rc;
    }
    return rc;
}

/* ended_with returns the error of that code that the stream ended with, borrowed: it stays as it
 * is. If it has not ended so, the code is the wait's own. */
static const gr_value *ended_with(struct gr_stream *s, gr_code code)
{
    const gr_value *err;

    gri_lock(&s->lock);
    err = s->ended ? s->error : NULL;
    gri_unlock(&s->lock);
    return err != NULL && gr_error_code(err) == code ? err : gri_wait_error(code);
}

gr_outcome gr_next(gr_stream *s, int64_t timeout_ms)
{
    gr_value *chunk = NULL;
    gr_outcome o = { .code = GR_ENOMEM, .error = gri_wait_error(GR_ENOMEM) };

    if (s == NULL)
        return o;
    o.code = gri_stream_next(s, timeout_ms == 0 ? 0 : gri_park_deadline(timeout_ms), &chunk);
    if (o.code == GR_OK) {
        gr_value_unref(s->current);
        s->current = chunk;
        o.value = chunk;
        o.error = NULL;
    } else {
        o.error = ended_with(s, o.code);
    }
    return o;
}

void gri_stream_close(struct gr_stream *s)
{
    gr_value *dropped[16];
    bool live;

    gri_lock(&s->lock);
    s->closed = true;
    live = !s->ended;
    fire_locked(&s->writer);
    while (s->count > 0) { /* values are freed outside the lock */
        size_t n = 0;
        gr_value *v = NULL;

        while (n < 16 && s->count > 0 && get_locked(s, &v) == GR_OK)
            dropped[n++] = v;
        gri_unlock(&s->lock);
        while (n > 0)
            gr_value_unref(dropped[--n]);
        gri_lock(&s->lock);
    }
    gri_unlock(&s->lock);
    if (live && s->producer != NULL)
        gr_future_cancel(s->producer);
}

bool gri_stream_watch_release(struct gr_stream *s, struct gri_waiter *w)
{
    bool wait;

    gri_lock(&s->lock);
    wait = !s->released;
    if (wait)
        s->leaver = w;
    gri_unlock(&s->lock);
    return wait;
}

void gri_stream_unwatch_release(struct gr_stream *s, struct gri_waiter *w)
{
    gri_lock(&s->lock);
    if (s->leaver == w)
        s->leaver = NULL;
    gri_unlock(&s->lock);
}

/* await_release waits until the producer has let go, or the waiter itself is cancelled. */
static void await_release(struct gr_stream *s)
{
    struct side_wait wait = { .waiter.fire = side_fire };
    uint32_t why = 0;

    gri_park_init(&wait.park);
    if (gri_stream_watch_release(s, &wait.waiter)) {
        gri_park_wait(&wait.park, GRI_NEVER, true, &why);
        gri_stream_unwatch_release(s, &wait.waiter);
    }
}

void gr_stream_free(gr_stream *s)
{
    struct gri_exec *e = gri_exec();

    if (s == NULL)
        return;
    gri_stream_close(s);
    if (s->producer != NULL && e->cheap == 0)
        await_release(s);
    gri_stream_unref(s);
}

gr_value *gr_stream_take(gr_stream *s, gr_value **reterr)
{
    gr_value *sum = NULL;
    gr_outcome o;

    while ((o = gr_next(s, -1)).code == GR_OK)
        sum = gr_add(sum, gr_value_ref(o.value));
    if (o.code == GR_EOS) {
        if (sum == NULL)
            sum = gr_nil();
    } else {
        gr_value_unref(sum);
        sum = NULL;
        if (reterr != NULL)
            *reterr = o.error != NULL ? gr_value_ref(o.error)
                                      : gr_error(o.code, "the stream could not be read");
    }
    gr_stream_free(s);
    return sum;
}

/* ---- streams that callers fill --------------------------------------------------------------- */

/* fill puts the list's items in; NULL, or the error that must end the stream where an item can't be
 * sent. */
static gr_value *fill(struct gr_stream *s, const gr_value *list)
{
    for (size_t i = 0; i < gr_len(list); i++) {
        const gr_value *item = gr_at(list, i);
        gr_code rc = gri_stream_put(s, gr_value_ref(item));

        if (rc != GR_OK)
            return gr_error_code(item) != GR_OK
                       ? gr_value_ref(item)
                       : gr_error(rc, "the stream's input could not be stored");
    }
    return NULL;
}

gr_stream *gr_stream_of(gr_runtime *rt, gr_value *list)
{
    size_t count = gr_len(list);
    gr_stream *s = NULL;

    if (gr_value_type(list) == GR_LIST)
        s = gri_stream_new(gri_sched_of(rt), count + 1, SIZE_MAX);
    if (s == NULL) {
        gr_value_unref(list);
        return NULL;
    }
    gri_stream_end(s, fill(s, list));
    gri_stream_unref(s); /* the writer's */
    gr_value_unref(list);
    return s;
}

gr_stream *gr_pipe(gr_runtime *rt, unsigned window_chunks, gr_stream **ret_writer)
{
    gr_stream *s = gri_stream_new(gri_sched_of(rt), window_chunks, 0);

    if (s != NULL)
        *ret_writer = s;
    return s;
}

gr_code gr_pipe_write(gr_stream *writer, gr_value *chunk)
{
    return gri_stream_put_wait(writer, gri_answer(chunk));
}

void gr_pipe_close(gr_stream *writer, gr_value *err)
{
    if (err != NULL && gr_error_code(err) == GR_OK) {
        gr_value_unref(err);
        err = NULL;
    }
    gri_stream_end(writer, err);
    gri_stream_unref(writer);
}
