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

void gri_stream_narrow(struct gr_stream *s, size_t window_bytes)
{
    gri_lock(&s->lock);
    if (s->window_bytes > window_bytes)
        s->window_bytes = window_bytes;
    gri_unlock(&s->lock);
}

struct gr_stream *gri_stream_ref(struct gr_stream *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

bool gri_stream_try_ref(struct gr_stream *s)
{
    uint32_t refs = atomic_load_explicit(&s->refs, memory_order_relaxed);

    while (refs > 0)
        if (atomic_compare_exchange_weak_explicit(&s->refs, &refs, refs + 1, memory_order_relaxed,
                                                  memory_order_relaxed))
            return true;
    return false;
}

static void drop_eaters(struct gr_stream *s)
{
    while (s->eaters != NULL) {
        struct gri_stream_eater *e = s->eaters;

        s->eaters = e->next;
        e->drop(e);
    }
}

void gri_stream_watch_put(struct gr_stream *s, const struct gri_stream_tap *tap)
{
    gri_lock(&s->lock);
    s->tap = tap;
    gri_unlock(&s->lock);
}

void gri_stream_watch_got(struct gr_stream *s, struct gri_stream_eater *e)
{
    struct gri_stream_eater **at = &s->eaters;

    e->next = NULL;
    gri_lock(&s->lock);
    while (*at != NULL)
        at = &(*at)->next;
    *at = e;
    gri_unlock(&s->lock);
}

void gri_stream_unref(struct gr_stream *s)
{
    if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < s->count; i++)
        gr_value_unref(s->chunks[(s->head + i) & (s->cap - 1)].value);
    if (s->bytes != 0)
        gri_meter_add(s->ledger, GRI_METER_BYTES, -(int64_t)s->bytes);
    gri_ledger_unref(s->ledger);
    gri_free(s->chunks);
    gr_value_unref(s->error);
    gr_value_unref(s->current);
    drop_eaters(s);
    if (s->tap != NULL)
        s->tap->left(s->producer);
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

/* is_shut_locked: who watches has nothing put in for now; asked to, the writer is fired later. */
static bool is_shut_locked(struct gr_stream *s, bool fire)
{
    return s->tap != NULL && s->tap->shut(s->producer, fire ? s : NULL);
}

void gri_stream_fire_writer(struct gr_stream *s)
{
    gri_lock(&s->lock);
    fire_locked(&s->writer);
    gri_unlock(&s->lock);
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
    struct gri_chunk *chunks;

    if (s->count < s->cap)
        return true;
    chunks = gri_alloc_array(cap, sizeof(*chunks));
    if (chunks == NULL)
        return false;
    for (size_t i = 0; i < s->count; i++)
        chunks[i] = s->chunks[(s->head + i) & (s->cap - 1)];
    gri_free(s->chunks);
    s->chunks = chunks;
    s->cap = cap;
    s->head = 0;
    return true;
}

/* ready_locked: GR_OK, a chunk may be put in. */
static gr_code ready_locked(struct gr_stream *s)
{
    if (s->closed || s->ended)
        return GR_ECANCELED;
    if (!room_locked(s))
        return GR_EFULL;
    return grow_locked(s) ? GR_OK : GR_ENOMEM;
}

/* show_locked lets who watches see a chunk that is about to be put in. Meanwhile there can't be less room, since
 * only the writer puts in, but the reader may leave. */
static gr_code show_locked(struct gr_stream *s, const gr_value *chunk)
{
    const struct gri_stream_tap *tap = s->tap;

    if (is_shut_locked(s, false))
        return GR_EFULL;
    gri_unlock(&s->lock);
    tap->put(s->producer, chunk);
    gri_lock(&s->lock);
    return s->closed || s->ended ? GR_ECANCELED : GR_OK;
}

gr_code gri_stream_put(struct gr_stream *s, gr_value *chunk)
{
    size_t bytes = gri_value_bytes(chunk);
    gr_code rc = gr_error_code(chunk);

    if (chunk != NULL && rc == GR_OK) {
        gri_lock(&s->lock);
        rc = ready_locked(s);
        if (rc == GR_OK && s->tap != NULL)
            rc = show_locked(s, chunk);
        if (rc == GR_OK) {
            s->chunks[(s->head + s->count) & (s->cap - 1)] = (struct gri_chunk){ chunk, bytes };
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

size_t gri_stream_waiting(struct gr_stream *s, size_t *ret_bytes)
{
    size_t count;

    gri_lock(&s->lock);
    count = s->count;
    *ret_bytes = s->bytes;
    gri_unlock(&s->lock);
    return count;
}

bool gri_stream_has_room(struct gr_stream *s)
{
    bool room;

    gri_lock(&s->lock);
    room = s->closed || s->ended || (room_locked(s) && !is_shut_locked(s, false));
    gri_unlock(&s->lock);
    return room;
}

bool gri_stream_watch_room(struct gr_stream *s, struct gri_waiter *w)
{
    bool wait;

    gri_lock(&s->lock);
    wait = !s->closed && !s->ended && (!room_locked(s) || is_shut_locked(s, true));
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
    *ret_chunk = s->chunks[s->head].value;
    account_locked(s, s->chunks[s->head].bytes, false);
    s->head = (s->head + 1) & (s->cap - 1);
    s->count--;
    if (room_locked(s))
        fire_locked(&s->writer);
    return GR_OK;
}

/* tell_watchers lets those see what was read who watch; the producer's comes to its end before who reads
 * it learns of that. */
static void tell_watchers(struct gr_stream *s, const struct gri_stream_tap *tap,
                          struct gri_stream_eater *eaters, const gr_value *chunk, gr_code rc)
{
    if (tap != NULL && rc != GR_OK)
        tap->left(s->producer);
    for (struct gri_stream_eater *e = eaters; e != NULL; e = e->next)
        e->got(e, chunk, rc);
}

gr_code gri_stream_get(struct gr_stream *s, gr_value **ret_chunk)
{
    const struct gri_stream_tap *tap;
    struct gri_stream_eater *eaters;
    gr_code rc;

    gri_lock(&s->lock);
    rc = get_locked(s, ret_chunk);
    tap = s->tap;
    eaters = s->eaters;
    gri_unlock(&s->lock);
    if ((tap != NULL || eaters != NULL) && rc != GR_EPENDING)
        tell_watchers(s, tap, eaters, rc == GR_OK ? *ret_chunk : NULL, rc);
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
    const struct gri_stream_tap *tap;
    gr_value *dropped[16];
    bool live;

    gri_lock(&s->lock);
    tap = s->tap;
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
    if (tap != NULL)
        tap->left(s->producer);
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
