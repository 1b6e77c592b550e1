/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer.c - from HTTP events to chunks and an answer.
 *
 * Three parties touch a transfer: the handler that starts it, the HTTP thread with its events, and
 * whoever cancels the call or reads its stream (cancel and room, any thread). The rules:
 *
 *   - refs counts the starter and the exchange; the last one frees.
 *   - x is written under lock, and NULL once end or error has begun; cancel and resume are called
 *     under lock, so that they never meet an exchange that is gone. They never call back.
 *   - chunks wait in pending until the promise takes them. Only one party at a time gives them
 *     (flushing); another that comes meanwhile leaves `again` behind. So order holds, and
 *     gr_promise_* is called without the lock.
 *   - while something is pending no more bytes are taken: what a slow reader makes us keep is at
 *     most what one read held.
 *   - the promise is resolved once, after the exchange has ended and pending is empty.
 */
#include "actors/model/transfer.h"

#include <string.h>
#include <strings.h>

#include <greenroom/codec.h>

#include "actors/model/openai_wire.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/lock.h"
#include "runtime/base/strbuf.h"
#include "runtime/http/backoff.h"
#include "runtime/http/sse.h"
#include "runtime/sched/world.h"

struct transfer {
    struct gri_lock lock;
    int refs;                    /* by lock */
    struct gri_http_exchange *x; /* by lock; borrowed while under way */
    bool cancelled, ended;       /* by lock */
    bool paused;                 /* by lock: bytes were refused, and x waits for a resume */
    bool flushing, again;        /* by lock */
    gr_code lost;                /* by lock: a chunk could not be given for this reason */
    gr_value **pending;          /* by lock: owned, items owned */
    size_t pending_at, pending_count, pending_cap;
    gr_value *answer; /* owned: what to resolve with, once ended */

    gr_promise *promise; /* owned until resolved */
    gr_value *(*make)(const gr_value *json, size_t count);
    size_t count, bytes_max;
    bool stream;

    /* of the HTTP thread alone */
    struct gri_strbuf body;
    struct gri_sse sse;
    gr_value *failure; /* owned: why we cancelled the exchange ourselves */
    int status;
    int64_t retry_after_ms;
    bool is_sse, finished, done_seen;
    size_t bytes, event_count;
};

static void transfer_free(struct transfer *t)
{
    for (size_t i = t->pending_at; i < t->pending_count; i++)
        gr_value_unref(t->pending[i]);
    gri_free(t->pending);
    gr_value_unref(t->answer);
    gr_value_unref(t->failure);
    gr_promise_free(t->promise);
    gri_strbuf_fini(&t->body);
    gri_sse_fini(&t->sse);
    gri_free(t);
}

static void transfer_unref(struct transfer *t)
{
    int left;

    gri_lock(&t->lock);
    left = --t->refs;
    gri_unlock(&t->lock);
    if (left == 0)
        transfer_free(t);
}

/* ---- giving chunks to the reader ------------------------------------------------------------- */

/* take_pending gives the next chunk, or NULL; the lock is held. */
static gr_value *take_pending_locked(struct transfer *t)
{
    if (t->pending_at == t->pending_count) {
        t->pending_at = t->pending_count = 0;
        return NULL;
    }
    return t->pending[t->pending_at++];
}

/* give hands one chunk over. False: there is no room, and the chunk is back in its place. */
static bool give(struct transfer *t, gr_value *chunk)
{
    gr_code rc =
        gr_promise_room(t->promise) ? gr_promise_emit(t->promise, gr_value_ref(chunk)) : GR_EFULL;

    if (rc == GR_OK || rc == GR_ECANCELED) { /* taken, or nobody reads any more, nor the rest */
        gr_value_unref(chunk);
        return true;
    }
    gri_lock(&t->lock);
    if (rc == GR_EFULL) {
        t->pending[--t->pending_at] = chunk;
        chunk = NULL;
    } else { /* no memory: nothing may come behind what is missing */
        t->lost = rc;
        if (t->x != NULL)
            gri_http_cancel(t->x);
    }
    gri_unlock(&t->lock);
    gr_value_unref(chunk);
    return rc != GR_EFULL;
}

/* give_last_locked answers the call, and t may be gone. Flushing stays set: nobody else comes here again.
 * The lock is held, and given back. */
static void give_last_locked(struct transfer *t)
{
    gr_promise *promise = t->promise;
    gr_value *answer = t->answer;
    gr_code lost = t->lost;

    t->promise = NULL;
    t->answer = NULL;
    gri_unlock(&t->lock);
    if (lost != GR_OK) {
        gr_value_unref(answer);
        answer = gr_error(lost, "out of memory for a chunk");
    }
    gr_resolve(promise, answer);
    transfer_unref(t);
}

/* stop_flushing_locked: false when somebody asked for another round meanwhile. */
static bool stop_flushing_locked(struct transfer *t)
{
    if (t->again) {
        t->again = false;
        return false;
    }
    t->flushing = false;
    return true;
}

/* resume_locked lets the server go on, now that nothing is pending. */
static void resume_locked(struct transfer *t)
{
    if (t->paused && t->x != NULL)
        gri_http_resume(t->x);
    t->paused = false;
}

/* flush gives what is pending; after the last chunk of an ended transfer it answers the call, and
 * t may be gone. Must be the last thing that its caller does with t, unless the caller has a
 * reference. */
static void flush(struct transfer *t)
{
    gri_lock(&t->lock);
    if (t->flushing) {
        t->again = true;
        gri_unlock(&t->lock);
        return;
    }
    t->flushing = true;
    for (;;) {
        gr_value *chunk = take_pending_locked(t);
        bool given;

        if (chunk == NULL && t->ended && t->promise != NULL) {
            give_last_locked(t);
            return;
        }
        if (chunk == NULL) {
            resume_locked(t);
            if (stop_flushing_locked(t))
                break;
            continue;
        }
        given = t->lost != GR_OK;
        gri_unlock(&t->lock);
        if (given)
            gr_value_unref(chunk);
        else
            given = give(t, chunk);
        gri_lock(&t->lock);
        if (!given && stop_flushing_locked(t))
            break;
    }
    gri_unlock(&t->lock);
}

static void push(struct transfer *t, gr_value *chunk)
{
    gri_lock(&t->lock);
    if (t->lost != GR_OK) {
        gri_unlock(&t->lock);
        gr_value_unref(chunk);
        return;
    }
    if (t->pending_count == t->pending_cap) {
        size_t cap = t->pending_cap == 0 ? 16 : t->pending_cap * 2;
        gr_value **pending = gri_resize(t->pending, cap * sizeof(gr_value *));

        if (pending == NULL) {
            gri_unlock(&t->lock);
            gr_value_unref(chunk);
            if (t->failure == NULL)
                t->failure = gr_error(GR_ENOMEM, "out of memory for a chunk");
            return;
        }
        t->pending = pending;
        t->pending_cap = cap;
    }
    t->pending[t->pending_count++] = chunk;
    gri_unlock(&t->lock);
}

/* must_pause: whoever takes the last of what is pending then resumes, which the lock makes sure
 * of. */
static bool must_pause(struct transfer *t)
{
    bool some;

    gri_lock(&t->lock);
    some = t->pending_at < t->pending_count;
    t->paused = some;
    gri_unlock(&t->lock);
    return some;
}

/* ---- what the caller does -------------------------------------------------------------------- */

static void on_cancel(void *arg)
{
    struct transfer *t = arg;

    gri_lock(&t->lock);
    t->cancelled = true;
    if (t->x != NULL)
        gri_http_cancel(t->x);
    gri_unlock(&t->lock);
    flush(t);
}

static void on_room(void *arg)
{
    flush(arg);
}

/* ---- what the server does -------------------------------------------------------------------- */

/* end_with: the exchange is over; answer goes out behind the chunks that still wait. From the
 * moment that `ended` is set a hook may answer and drop the exchange's reference, so this needs one
 * of its own. */
static void end_with(struct transfer *t, gr_value *answer)
{
    gri_lock(&t->lock);
    t->x = NULL;
    t->ended = true;
    t->answer = answer;
    t->refs++;
    gri_unlock(&t->lock);
    flush(t);
    transfer_unref(t);
}

/* give_up remembers why, and closes the transfer; the answer follows with the exchange's last
 * event. */
static void give_up(struct transfer *t, gr_value *why)
{
    if (t->failure == NULL)
        t->failure = why;
    else
        gr_value_unref(why);
    gri_lock(&t->lock);
    if (t->x != NULL)
        gri_http_cancel(t->x);
    gri_unlock(&t->lock);
}

static void on_status(void *arg, int status, struct gri_http_exchange *x)
{
    struct transfer *t = arg;
    const char *type = gri_http_header_of(x, "content-type");

    t->status = status;
    /* Only an answer that says it is JSON is read in one piece: proxies get the other types
     * wrong. */
    t->is_sse = type == NULL || strncasecmp(type, "application/json", 16) != 0;
    /* No wall clock here: a Retry-After that is a date counts as none. */
    t->retry_after_ms = gri_backoff_hint_ms(gri_http_header_of(x, "retry-after-ms"),
                                            gri_http_header_of(x, "retry-after"), 0);
    gri_lock(&t->lock);
    t->x = x;
    if (t->cancelled)
        gri_http_cancel(x);
    gri_unlock(&t->lock);
}

static bool is_success(const struct transfer *t)
{
    return t->status >= 200 && t->status < 300;
}

static bool on_event(void *arg, const struct gri_sse_event *event)
{
    struct transfer *t = arg;
    gr_value *json, *chunk;

    if (t->done_seen || t->failure != NULL || !event->has_data)
        return true;
    if (strncmp(event->data, "[DONE]", 6) == 0) {
        t->done_seen = true;
        return true;
    }
    t->event_count++;
    json = gr_json_parse(event->data, event->data_len, NULL);
    if (gr_error_code(json) != GR_OK)
        chunk =
            gr_error(gr_error_code(json) == GR_ENOMEM ? GR_ENOMEM : GR_EPROTO,
                     "event %zu of the stream is no JSON: %s", t->event_count, gr_error_text(json));
    else if (strcmp(event->name, "error") == 0 && gr_is_nil(gr_get(json, "error")))
        chunk = gri_openai_error_of(200, json, -1);
    else
        chunk = gri_openai_chunk(json, &t->finished);
    gr_value_unref(json);
    if (gr_error_code(chunk) != GR_OK)
        give_up(t, chunk);
    else if (gr_is_nil(chunk))
        gr_value_unref(chunk);
    else
        push(t, chunk);
    return true;
}

static bool on_bytes(void *arg, const char *data, size_t len)
{
    struct transfer *t = arg;
    gr_value *err = NULL;

    if (t->failure != NULL)
        return true;
    if (must_pause(t))
        return false;
    if (len > t->bytes_max - t->bytes) {
        give_up(t, gr_error(GR_ENOMEM, "the answer is above %zu bytes", t->bytes_max));
        return true;
    }
    t->bytes += len;
    if (!t->stream || !t->is_sse || !is_success(t)) {
        gri_strbuf_add(&t->body, data, len);
        if (t->body.failed)
            give_up(t, gr_error(GR_ENOMEM, "out of memory for the answer"));
        return true;
    }
    if (gri_sse_feed(&t->sse, data, len, NULL, &err) != GR_OK)
        give_up(t, err);
    flush(t);
    return true;
}

/* whole_answer makes the answer of a body that is all there. */
static gr_value *whole_answer(struct transfer *t)
{
    const char *body = t->body.len == 0 ? "" : t->body.data;
    gr_value *json, *answer;

    if (!is_success(t))
        return gri_openai_error(t->status, body, t->body.len, t->retry_after_ms);
    json = gr_json_parse(body, t->body.len, GR_DECODE(.bytes_max = t->bytes_max));
    if (gr_error_code(json) != GR_OK)
        answer = gr_error(gr_error_code(json) == GR_ENOMEM ? GR_ENOMEM : GR_EPROTO,
                          "the answer is no JSON: %s", gr_error_text(json));
    else
        answer = t->make(json, t->count);
    gr_value_unref(json);
    return answer;
}

static void on_end(void *arg)
{
    struct transfer *t = arg;
    gr_value *err = NULL, *answer = NULL;

    if (t->stream && t->is_sse && is_success(t)) {
        if (t->failure == NULL && gri_sse_end(&t->sse, &err) != GR_OK)
            give_up(t, err);
        if (t->failure == NULL && !t->done_seen && !t->finished)
            t->failure = gr_error(GR_EPROTO,
                                  "stream ended early: after %zu events, without "
                                  "finish_reason or [DONE]",
                                  t->event_count);
        answer = gr_nil();
    } else if (t->failure == NULL) {
        answer = whole_answer(t);
    }
    if (t->failure != NULL) {
        gr_value_unref(answer);
        answer = t->failure;
        t->failure = NULL;
    } else if (t->stream && !t->is_sse && gr_error_code(answer) == GR_OK) {
        /* A server that can't stream answers in one piece. */
        push(t, gr_set(answer, "type", gr_str("AIMessageChunk")));
        answer = gr_nil();
    }
    end_with(t, answer);
}

static void on_error(void *arg, gr_value *err)
{
    struct transfer *t = arg;

    if (t->failure != NULL) {
        gr_value_unref(err);
        err = t->failure;
        t->failure = NULL;
    }
    end_with(t, err);
}

static const struct gri_http_events transfer_events = {
    .status = on_status, .bytes = on_bytes, .end = on_end, .error = on_error
};

/* ---- starting -------------------------------------------------------------------------------- */

static uint64_t deadline_of(gr_ctx *c, const struct gri_openai *client)
{
    uint64_t callers = gr_deadline_ns(c), own;

    if (client->timeout_ms == 0)
        return callers;
    own = gri_now(gr_runtime_of(c)) + client->timeout_ms * UINT64_C(1000000);
    return callers != 0 && callers < own ? callers : own;
}

/* send starts the exchange; the caller's reference keeps t alive meanwhile. */
static void send_request(gr_ctx *c, struct transfer *t, const struct gri_transfer_spec *spec,
                         const char *body, size_t size)
{
    const struct gri_openai *client = spec->client;
    struct gri_http_header headers[66] = { { "Content-Type", "application/json" },
                                           { "Accept", t->stream ? "text/event-stream"
                                                                 : "application/json" } };
    struct gri_http_request req = {
        .method = "POST",
        .url = client->url,
        .headers = headers,
        .header_count = 2,
        .secret_header = client->secret,
        .body = body,
        .body_size = size,
        .deadline_ns = deadline_of(c, client),
        .idle_timeout_ms = client->idle_ms,
    };
    struct gri_http_exchange *x = NULL;
    gr_value *err = NULL;

    for (size_t i = 0; i < client->header_count && req.header_count < 66; i++)
        headers[req.header_count++] = client->headers[i];
    if (gri_http_start(gr_runtime_of(c), &req, &transfer_events, t, &x, &err) != GR_OK) {
        end_with(t, err);
        return;
    }
    gri_lock(&t->lock);
    if (!t->ended) {
        t->x = x;
        if (t->cancelled)
            gri_http_cancel(x);
    }
    gri_unlock(&t->lock);
}

gr_value *gri_transfer_start(gr_ctx *c, const struct gri_transfer_spec *spec)
{
    struct transfer *t = gri_new0(struct transfer);
    size_t size = 0;
    char *body = gr_error_code(spec->body) == GR_OK ? gr_json_print(spec->body, 0, &size) : NULL;

    if (t == NULL || body == NULL) {
        gri_free(t);
        gr_free(body);
        return gr_error_code(spec->body) != GR_OK
                   ? gr_value_ref(spec->body)
                   : gr_error(GR_ENOMEM, "out of memory for a request");
    }
    t->refs = 2;
    t->stream = spec->stream;
    t->make = spec->answer;
    t->count = spec->count;
    t->bytes_max = spec->client->answer_bytes_max;
    t->retry_after_ms = -1;
    gri_sse_init(&t->sse, 0, 0, on_event, t);
    t->promise = gr_defer(c);
    if (t->promise == NULL) {
        transfer_free(t);
        gr_free(body);
        return gr_error(GR_EINVAL, "this call can't be answered later");
    }
    if (gr_on_cancel(t->promise, on_cancel, on_room, t) != GR_OK)
        end_with(t, gr_error(GR_ECANCELED, "cancelled"));
    else
        send_request(c, t, spec, body, size);
    gr_free(body);
    transfer_unref(t);
    return NULL;
}
