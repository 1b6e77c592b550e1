/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer.c - from HTTP events to chunks and an answer. Who may do what with the part that several
 * threads touch is in outbox.h; the rest is the HTTP thread's alone, once the exchange has begun.
 */
#include "actors/model/transfer.h"

#include <string.h>
#include <strings.h>

#include <greenroom/codec.h>

#include "actors/model/limit.h"
#include "actors/model/outbox.h"
#include "actors/model/refusal.h"
#include "runtime/base/alloc.h"
#include "runtime/base/strbuf.h"
#include "runtime/http/backoff.h"
#include "runtime/http/ndjson.h"
#include "runtime/http/sse.h"
#include "runtime/observe/uuid.h"
#include "runtime/sched/world.h"

struct transfer {
    struct gri_outbox out; /* first */
    const struct gri_reader *reader;
    const struct gri_endpoint *endpoint; /* within owner */
    gr_value *owner; /* owned: the spawn argument of the actor, which may end before the exchange */
    gr_runtime *rt;
    gr_ref limiter;
    size_t count, bytes_max;
    bool stream, whole, message;

    /* of the HTTP thread alone */
    struct gri_strbuf body;
    struct gri_sse sse;
    struct gri_ndjson ndjson;
    void *state;       /* owned: the reader's, of a stream */
    gr_value *failure; /* owned: why we cancelled the exchange ourselves */
    gr_value *id;      /* owned: of messages that have none; NULL: not needed so far */
    gr_value *told;    /* owned: a map of what the head tells of a refusal; NULL: nothing */
    int status;
    int64_t retry_after_ms;
    bool is_stream; /* what comes is a stream of events */
    bool complete, done_seen, last_seen;
    size_t bytes, event_count, chunk_count;
};

static void transfer_free(struct gri_outbox *o)
{
    struct transfer *t = (struct transfer *)o;

    gri_outbox_fini(&t->out);
    gr_value_unref(t->failure);
    gr_value_unref(t->id);
    gr_value_unref(t->told);
    gr_value_unref(t->owner);
    gri_strbuf_fini(&t->body);
    gri_sse_fini(&t->sse);
    gri_ndjson_fini(&t->ndjson);
    if (t->state != NULL && t->reader->drop != NULL)
        t->reader->drop(t->state);
    gri_free(t->state);
    gri_free(t);
}

/* give_up remembers why, and closes the transfer; the answer follows with the exchange's last
 * event. */
static void give_up(struct transfer *t, gr_value *why)
{
    if (t->failure == NULL)
        t->failure = why;
    else
        gr_value_unref(why);
    gri_outbox_close(&t->out);
}

/* ---- messages -------------------------------------------------------------------------------- */

/* id_of_run names the messages of a run as langchain-core does. */
static gr_value *id_of_run(const char *run, bool stream)
{
    return gr_strf("lc_run--%s%s", run, stream ? "" : "-0");
}

/* message_id gives the id of a message that has none. */
static gr_value *message_id(struct transfer *t)
{
    char uuid[GRI_UUID_BYTES];

    if (t->id == NULL) { /* nobody observes the call, so it has no run */
        gri_uuid7(uuid, gri_wall_us(t->rt) / 1000, gri_random(t->rt), gri_random(t->rt));
        t->id = id_of_run(uuid, t->stream && !t->whole);
    }
    return gr_value_ref(t->id);
}

/* finish_message completes an answer or a chunk. */
static gr_value *finish_message(struct transfer *t, gr_value *m)
{
    if (!t->message || gr_error_code(m) != GR_OK)
        return m;
    return gr_value_type(gr_get(m, "id")) == GR_STR ? m : gr_set(m, "id", message_id(t));
}

static void push(struct transfer *t, gr_value *chunk)
{
    chunk = finish_message(t, chunk);
    if (gr_error_code(chunk) != GR_OK) {
        give_up(t, chunk);
        return;
    }
    t->chunk_count++;
    t->last_seen = t->last_seen || gr_get(chunk, "chunk_position") != NULL;
    if (gri_outbox_push(&t->out, chunk) != GR_OK && t->failure == NULL)
        t->failure = gr_error(GR_ENOMEM, "out of memory for a chunk");
}

/* ---- the answer's head ----------------------------------------------------------------------- */

static bool is_success(int status)
{
    return status >= 200 && status < 300;
}

static void on_status(void *arg, int status, struct gri_http_exchange *x)
{
    struct transfer *t = arg;
    const char *type = gri_http_header_of(x, "content-type");

    t->status = status;
    /* Only an answer that says it is JSON is read in one piece: proxies get the other types
     * wrong. */
    t->is_stream = t->stream && !t->whole && is_success(status) &&
                   (type == NULL || strncasecmp(type, "application/json", 16) != 0);
    t->retry_after_ms =
        gri_backoff_hint_ms(gri_http_header_of(x, "retry-after-ms"),
                            gri_http_header_of(x, "retry-after"), gri_wall_us(t->rt) / 1000);
    if (!is_success(status))
        t->told = gri_refusal_told(x, &t->endpoint->hidden);
    gri_limit_saw(t->rt, t->limiter, x);
    gri_outbox_started(&t->out, x);
}

/* ---- a stream -------------------------------------------------------------------------------- */

/* read_event makes a chunk of an event's text, nil or an error. */
static gr_value *read_event(struct transfer *t, const char *name, const char *text, size_t len)
{
    gr_value *json = gr_json_parse(text, len, NULL), *chunk;

    if (gr_error_code(json) != GR_OK)
        chunk =
            gr_error(gr_error_code(json) == GR_ENOMEM ? GR_ENOMEM : GR_EPROTO,
                     "event %zu of the stream is no JSON: %s", t->event_count, gr_error_text(json));
    else
        chunk = t->reader->event(t->state, name, json, &t->complete);
    gr_value_unref(json);
    return chunk;
}

/* without_secrets reads an event that is an error again, without the key and the like that it may repeat. */
static gr_value *without_secrets(struct transfer *t, gr_value *err, const char *name,
                                 const char *text, size_t len)
{
    const struct gri_hidden *hidden = &t->endpoint->hidden;
    char *copy = hidden->count == 0 ? NULL : gri_strndup(text, len);

    if (hidden->count == 0)
        return err;
    if (copy == NULL || gri_hidden_mask(hidden, copy, len)) {
        gr_value_unref(err);
        err = copy == NULL ? gr_error(GR_ENOMEM, "out of memory for an error")
                           : read_event(t, name, copy, len);
    }
    gri_free(copy);
    return err;
}

static void on_text(struct transfer *t, const char *name, const char *text, size_t len)
{
    const char *done = t->reader->done;
    gr_value *chunk;

    if (t->done_seen || t->failure != NULL || len == 0) /* an event without data keeps it alive */
        return;
    if (done != NULL && len >= strlen(done) && memcmp(text, done, strlen(done)) == 0) {
        t->done_seen = true;
        return;
    }
    t->event_count++;
    chunk = read_event(t, name, text, len);
    if (gr_error_code(chunk) != GR_OK)
        chunk = without_secrets(t, chunk, name, text, len);
    if (gr_is_nil(chunk))
        gr_value_unref(chunk);
    else
        push(t, chunk);
}

static bool on_sse(void *arg, const struct gri_sse_event *event)
{
    if (event->has_data)
        on_text(arg, event->name, event->data, event->data_len);
    return true;
}

static bool on_line(void *arg, const char *line, size_t len)
{
    on_text(arg, "message", line, len);
    return true;
}

static gr_code feed(struct transfer *t, const char *data, size_t len, gr_value **reterr)
{
    if (t->reader->framing == GRI_NDJSON)
        return gri_ndjson_feed(&t->ndjson, data, len, NULL, reterr);
    return gri_sse_feed(&t->sse, data, len, NULL, reterr);
}

/* end_stream gives what the call is answered with. */
static gr_value *end_stream(struct transfer *t)
{
    gr_value *err = NULL, *last = NULL;
    gr_code rc = t->failure != NULL                 ? GR_OK
                 : t->reader->framing == GRI_NDJSON ? gri_ndjson_end(&t->ndjson, &err)
                                                    : gri_sse_end(&t->sse, &err);

    if (rc != GR_OK)
        give_up(t, err);
    if (t->failure == NULL && !t->done_seen && !t->complete)
        return gr_error(GR_EPROTO, "stream ended early: after %zu events, without its last one",
                        t->event_count);
    if (t->failure == NULL && t->message && t->chunk_count == 0)
        return gr_error(GR_EPROTO, "No generation chunks were returned");
    if (t->failure == NULL && t->reader->end != NULL)
        last = t->reader->end(t->state);
    if (last != NULL && !gr_is_nil(last))
        push(t, last);
    if (t->failure == NULL && t->message && !t->last_seen)
        push(t, gr_map(GR_KV("type", gr_str("AIMessageChunk")), GR_KV("content", gr_str("")),
                       GR_KV("chunk_position", gr_str("last"))));
    return gr_nil();
}

/* ---- bytes and the end ----------------------------------------------------------------------- */

static bool on_bytes(void *arg, const char *data, size_t len)
{
    struct transfer *t = arg;
    gr_value *err = NULL;

    if (t->failure != NULL)
        return true;
    if (gri_outbox_must_pause(&t->out))
        return false;
    if (len > t->bytes_max - t->bytes) {
        give_up(t, gr_error(GR_ENOMEM, "the answer is above %zu bytes", t->bytes_max));
        return true;
    }
    t->bytes += len;
    if (!t->is_stream) {
        gri_strbuf_add(&t->body, data, len);
        if (t->body.failed)
            give_up(t, gr_error(GR_ENOMEM, "out of memory for the answer"));
        return true;
    }
    if (feed(t, data, len, &err) != GR_OK)
        give_up(t, err);
    gri_outbox_flush(&t->out);
    return true;
}

/* refused makes the error of what came. */
static gr_value *refused(struct transfer *t)
{
    const struct gri_refusal refusal = { .status = t->status,
                                         .body = t->body.len == 0 ? "" : t->body.data,
                                         .len = t->body.len,
                                         .retry_after_ms = t->retry_after_ms };

    if (t->body.len > 0)
        (void)gri_hidden_mask(&t->endpoint->hidden, t->body.data, t->body.len);
    return gri_refusal_with(t->reader->refusal(&refusal), t->told);
}

/* read_answer makes the answer of the body, whose status is good. */
static gr_value *read_answer(struct transfer *t)
{
    const char *body = t->body.len == 0 ? "" : t->body.data;
    gr_value *json = gr_json_parse(body, t->body.len, GR_DECODE(.bytes_max = t->bytes_max)),
             *answer;

    if (gr_error_code(json) != GR_OK)
        answer = gr_error(gr_error_code(json) == GR_ENOMEM ? GR_ENOMEM : GR_EPROTO,
                          "the answer is no JSON: %s", gr_error_text(json));
    else
        answer = t->reader->answer(json, t->count);
    gr_value_unref(json);
    return answer;
}

/* whole_answer makes the answer of a body that is all there. */
static gr_value *whole_answer(struct transfer *t)
{
    gr_value *answer;

    if (!is_success(t->status))
        return refused(t);
    answer = read_answer(t);
    /* An error within an answer may repeat the key and the like, too. */
    if (gr_error_code(answer) != GR_OK && t->body.len > 0 &&
        gri_hidden_mask(&t->endpoint->hidden, t->body.data, t->body.len)) {
        gr_value_unref(answer);
        answer = read_answer(t);
    }
    if (gr_error_code(answer) != GR_OK || !t->stream)
        return finish_message(t, answer);
    /* A server that can't stream answers in one piece. */
    push(t, gr_set(gr_set(answer, "type", gr_str("AIMessageChunk")), "chunk_position",
                   gr_str("last")));
    return gr_nil();
}

/* failure_or gives what went wrong on our side, if something did, in the place of other. */
static gr_value *failure_or(struct transfer *t, gr_value *other)
{
    gr_value *failure = t->failure;

    if (failure == NULL)
        return other;
    t->failure = NULL;
    gr_value_unref(other);
    return failure;
}

static void on_end(void *arg)
{
    struct transfer *t = arg;
    gr_value *answer = NULL;

    if (t->is_stream)
        answer = end_stream(t);
    else if (t->failure == NULL)
        answer = whole_answer(t);
    gri_outbox_end(&t->out, failure_or(t, answer));
}

static void on_error(void *arg, gr_value *err)
{
    struct transfer *t = arg;

    gri_outbox_end(&t->out, failure_or(t, err));
}

static const struct gri_http_events transfer_events = {
    .status = on_status, .bytes = on_bytes, .end = on_end, .error = on_error
};

/* ---- starting -------------------------------------------------------------------------------- */

static uint64_t deadline_of(gr_ctx *c, const struct gri_endpoint *endpoint)
{
    uint64_t callers = gr_deadline_ns(c), own;

    if (endpoint->timeout_ms == 0)
        return callers;
    own = gri_now(gr_runtime_of(c)) + endpoint->timeout_ms * UINT64_C(1000000);
    return callers != 0 && callers < own ? callers : own;
}

static const char *accepted(const struct gri_transfer_spec *spec)
{
    if (!spec->stream || spec->whole)
        return "application/json";
    return spec->reader->framing == GRI_NDJSON ? "application/x-ndjson" : "text/event-stream";
}

/* send starts the exchange; the caller's reference keeps t alive meanwhile. */
static void send_request(gr_ctx *c, struct transfer *t, const struct gri_transfer_spec *spec,
                         const char *body, size_t size)
{
    struct gri_endpoint_headers headers;
    struct gri_http_request req = {
        .method = "POST",
        .url = spec->endpoint->url,
        .headers = headers.at,
        .header_count =
            gri_endpoint_headers(spec->endpoint, accepted(spec), spec->retries, &headers),
        .secret_header = spec->endpoint->secret,
        .body = body,
        .body_size = size,
        .deadline_ns = deadline_of(c, spec->endpoint),
        .idle_timeout_ms = spec->endpoint->idle_ms,
        .http2 = spec->endpoint->http2,
    };
    struct gri_http_exchange *x = NULL;
    gr_value *err = NULL;

    if (gri_http_start(gr_runtime_of(c), &req, &transfer_events, t, &x, &err) != GR_OK)
        gri_outbox_end(&t->out, err);
    else
        gri_outbox_started(&t->out, x);
}

static struct transfer *transfer_new(gr_ctx *c, const struct gri_transfer_spec *spec)
{
    struct transfer *t = gri_new0(struct transfer);
    size_t state_size = spec->stream && !spec->whole ? spec->reader->state_size : 0;

    if (t == NULL)
        return NULL;
    *t = (struct transfer){ .reader = spec->reader,
                            .endpoint = spec->endpoint,
                            .rt = gr_runtime_of(c),
                            .limiter = spec->limiter,
                            .count = spec->count,
                            .bytes_max = spec->endpoint->answer_bytes_max,
                            .stream = spec->stream,
                            .whole = spec->whole,
                            .message = spec->message,
                            .retry_after_ms = -1 };
    t->owner = gr_value_ref(gr_args(c));
    if (!gr_is_nil(spec->run_id))
        t->id = id_of_run(gr_cstr(spec->run_id, ""), spec->stream && !spec->whole);
    gri_sse_init(&t->sse, 0, 0, on_sse, t);
    gri_ndjson_init(&t->ndjson, 0, on_line, t);
    if (state_size > 0 && (t->state = gri_alloc0(state_size)) == NULL) {
        gr_value_unref(t->owner);
        gr_value_unref(t->id);
        gri_free(t);
        return NULL;
    }
    if (t->state != NULL && spec->reader->begin != NULL)
        spec->reader->begin(t->state, spec->body);
    return t;
}

gr_value *gri_transfer_start(gr_ctx *c, const struct gri_transfer_spec *spec)
{
    size_t size = 0;
    char *body = gr_error_code(spec->body) == GR_OK ? gr_json_print(spec->body, 0, &size) : NULL;
    struct transfer *t = body == NULL ? NULL : transfer_new(c, spec);
    gr_promise *promise;

    if (t == NULL) {
        gr_free(body);
        return gr_error_code(spec->body) != GR_OK
                   ? gr_value_ref(spec->body)
                   : gr_error(GR_ENOMEM, "out of memory for a request");
    }
    promise = gr_defer(c);
    gri_outbox_init(&t->out, promise, transfer_free);
    if (promise == NULL) {
        transfer_free(&t->out);
        gr_free(body);
        return gr_error(GR_EINVAL, "this call can't be answered later");
    }
    if (gr_on_cancel(promise, gri_outbox_on_cancel, gri_outbox_on_room, &t->out) != GR_OK)
        gri_outbox_end(&t->out, gr_error(GR_ECANCELED, "cancelled"));
    else
        send_request(c, t, spec, body, size);
    gr_free(body);
    gri_outbox_unref(&t->out);
    return NULL;
}
