/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mcp_http.c - a server over streamable HTTP: each message is a POST of its own, whose answer is JSON or a
 * stream of events.
 *
 * In the era with handshakes a stream that breaks before the answer is gone on with by a GET, if its events
 * have ids; a session that the server knows no more is told by an error of kind "McpSessionLost", which
 * mcp_call.c mends. Both eras' rules: "Streamable HTTP" of 2025-11-25 and 2026-07-28.
 *
 * A post lives from its start to the exchange's last event. It and its request know each other by number
 * and, under the session's lock, by the request's `post`. x is NULL once end or error has begun.
 */
#include <string.h>
#include <strings.h>

#include <greenroom/codec.h>
#include <greenroom/timer.h>

#include "actors/mcp/mcp_http_head.h"
#include "actors/mcp/mcp_session.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/http/backoff.h"
#include "runtime/http/sse.h"
#include "runtime/sched/world.h"

#define ERROR_BODY_MAX ((size_t)64 * 1024)
#define RESUME_MS 500 /* before a broken stream is gone on with, doubled each time in a row */
#define RESUME_MIN_MS 50
#define RESUME_MAX_MS 30000
#define SILENCE_MS INT32_MAX /* of a stream that only listens */
#define IDLE_MORE_MS 2000    /* that a transfer may be silent for longer than its request waits */
#define CLOSE_MS 2000

struct gri_mcp_post {
    struct gri_mcp *s; /* a reference */
    int64_t id;        /* whose answer it brings; 0: nobody's */
    bool handshake, notification, is_get, had_session;
    bool listens; /* the GET that hears what no request asked for */
    /* guarded by s->lock */
    struct gri_list at_session;
    struct gri_http_exchange *x; /* borrowed while under way */
    int refs;                    /* the starter's and the exchange's */
    bool aborted, ended;
    /* of the HTTP thread alone */
    struct gri_strbuf body;
    struct gri_strbuf last_id;
    struct gri_sse sse;
    gr_value *failure; /* owned: why we cancelled the exchange ourselves */
    int64_t retry_ms, retry_after_ms;
    int status;
    bool is_sse, answered;
};

static void post_unref(struct gri_mcp_post *p)
{
    int left;

    gri_lock(&p->s->lock);
    left = --p->refs;
    if (left == 0) {
        gri_list_remove(&p->at_session);
        p->s->says -= p->id == 0;
    }
    gri_unlock(&p->s->lock);
    if (left != 0)
        return;
    gri_strbuf_fini(&p->body);
    gri_strbuf_fini(&p->last_id);
    gri_sse_fini(&p->sse);
    gr_value_unref(p->failure);
    gri_mcp_unref(p->s);
    gri_free(p);
}

void gri_mcp_http_abort_locked(struct gri_mcp_post *p)
{
    p->aborted = true;
    if (p->x != NULL)
        gri_http_cancel(p->x);
}

struct gri_mcp_post *gri_mcp_post_at(struct gri_list *node)
{
    return gri_container_of(node, struct gri_mcp_post, at_session);
}

static void give_up(struct gri_mcp_post *p, gr_value *why)
{
    if (p->failure == NULL)
        p->failure = why;
    else
        gr_value_unref(why);
    gri_lock(&p->s->lock);
    if (p->x != NULL)
        gri_http_cancel(p->x);
    gri_unlock(&p->s->lock);
}

/* ---- the exchange's events ------------------------------------------------------------------- */

/* note_session remembers the session's name. */
static void note_session(struct gri_mcp_post *p, const char *id)
{
    size_t len = strlen(id), plain = 0;

    while (plain < len && (unsigned char)id[plain] >= 0x21 && (unsigned char)id[plain] <= 0x7e)
        plain++;
    if (plain < len || len >= sizeof(p->s->session_id)) {
        give_up(p, gr_error(GR_EPROTO, "the name of the session is no short plain text"));
        return;
    }
    gri_lock(&p->s->lock);
    memcpy(p->s->session_id, id, len + 1);
    gri_unlock(&p->s->lock);
}

static void on_status(void *arg, int status, struct gri_http_exchange *x)
{
    struct gri_mcp_post *p = arg;
    const char *type = gri_http_header_of(x, "content-type"),
               *session = gri_http_header_of(x, "mcp-session-id");

    p->status = status;
    p->is_sse = type != NULL && strncasecmp(type, "text/event-stream", 17) == 0 && status == 200;
    p->retry_after_ms = gri_backoff_hint_ms(gri_http_header_of(x, "retry-after-ms"),
                                            gri_http_header_of(x, "retry-after"), 0);
    gri_lock(&p->s->lock);
    p->x = x;
    if (p->aborted)
        gri_http_cancel(x);
    gri_unlock(&p->s->lock);
    if (p->handshake && session != NULL && status == 200)
        note_session(p, session);
    if (p->listens)
        gri_mcp_hear(p->s, p->is_sse);
    if (p->listens)
        gri_mcp_opened(p->s);
}

/* is_pending: nobody has answered the post's request yet. */
static bool is_pending(struct gri_mcp_post *p)
{
    bool pending;

    gri_lock(&p->s->lock);
    pending = gri_map_get(&p->s->pending, (uint64_t)p->id) != NULL;
    gri_unlock(&p->s->lock);
    return pending;
}

static bool on_event(void *arg, const struct gri_sse_event *event)
{
    struct gri_mcp_post *p = arg;

    if (event->retry_ms >= 0)
        p->retry_ms = event->retry_ms;
    if (strcmp(event->id, p->last_id.data != NULL ? p->last_id.data : "") != 0) {
        gri_strbuf_clear(&p->last_id);
        gri_strbuf_adds(&p->last_id, event->id);
    }
    if (event->has_data && event->data_len > 0)
        gri_mcp_take(p->s, event->data, event->data_len, p->is_get ? 0 : p->id);
    p->answered = p->id != 0 && !is_pending(p);
    return true;
}

static bool on_bytes(void *arg, const char *data, size_t len)
{
    struct gri_mcp_post *p = arg;
    size_t max = p->status == 200 ? p->s->set.message_bytes_max : ERROR_BODY_MAX;
    gr_value *err = NULL;

    if (p->failure != NULL)
        return true;
    if (p->answered) { /* it was to end the stream, and goes on: it would hold the connection for as long as it likes */
        give_up(p, gr_error(GR_EPROTO, "the stream goes on after the answer"));
        return true;
    }
    if (p->is_sse) {
        if (gri_sse_feed(&p->sse, data, len, NULL, &err) != GR_OK)
            give_up(p, err);
    } else if (len > max - p->body.len) {
        if (p->status == 200)
            give_up(p, gr_error(GR_EPROTO, "a message is above %zu bytes", max));
    } else {
        gri_strbuf_add(&p->body, data, len);
        if (p->body.failed)
            give_up(p, gri_mcp_no_memory());
    }
    return true;
}

/* ---- going on with a stream -------------------------------------------------------------------- */

/* resume_later has the rest of a cut stream asked for; false: it can't be gone on with. */
static bool resume_later(struct gri_mcp_post *p, bool failed)
{
    struct gri_mcp *s = p->s;
    struct gri_mcp_request *r;
    int64_t wait_ms = p->retry_ms >= 0 ? p->retry_ms : RESUME_MS;
    bool may;

    if (p->last_id.len == 0 || p->last_id.failed)
        return false;
    gri_lock(&s->lock);
    r = gri_map_get(&s->pending, (uint64_t)p->id);
    may = r != NULL && !s->modern && !p->aborted && s->ended == NULL &&
          (!failed || r->resumes < s->set.resumes_max);
    if (may && failed)
        wait_ms <<= r->resumes++ < 6 ? r->resumes - 1 : 6;
    gri_unlock(&s->lock);
    if (wait_ms < RESUME_MIN_MS)
        wait_ms = RESUME_MIN_MS;
    return may && gr_send_after(s->rt, s->wire, wait_ms < RESUME_MAX_MS ? wait_ms : RESUME_MAX_MS,
                                gr_map(GR_KV("resume", gr_int(p->id)),
                                       GR_KV("last", gr_strn(p->last_id.data, p->last_id.len))),
                                NULL) == GR_OK;
}

/* ---- its end ----------------------------------------------------------------------------------- */

/* refused makes an error of an HTTP status that is none of success. */
static gr_value *refused(struct gri_mcp_post *p)
{
    const char *body = p->body.len > 0 ? p->body.data : "";
    gr_value *json, *err, *none;
    struct gri_mcp_message m;

    if (p->body.len > 0)
        (void)gri_hidden_mask(&p->s->set.hidden, p->body.data, p->body.len);
    json = gr_json_parse(body, p->body.len, NULL);
    none = gri_mcp_read(json, &m);
    if (none == NULL && m.kind == GRI_MCP_ERROR)
        err = gri_mcp_error(m.body, p->status);
    else
        err = gr_error_with(gr_error(p->status == 429 ? GR_ERATE : GR_EREMOTE,
                                     "HTTP status %d%s%.200s", p->status,
                                     p->body.len > 0 ? ": " : "", body),
                            "status", gr_int(p->status));
    if (p->retry_after_ms > 0)
        err = gr_error_with(err, "retry_after_ms", gr_int(p->retry_after_ms));
    if (p->status == 404 && p->had_session)
        err = gr_error_with(err, "kind", gr_str("McpSessionLost"));
    if (p->is_get && p->status == 405)
        err = gr_error_with(err, "kind", gr_str("McpNoStream"));
    gr_value_unref(none);
    gr_value_unref(json);
    return err;
}

/* detach: from here on nobody cancels the exchange. */
static void detach(struct gri_mcp_post *p)
{
    struct gri_mcp_request *r;

    gri_lock(&p->s->lock);
    p->x = NULL;
    p->ended = true;
    r = p->id != 0 ? gri_map_get(&p->s->pending, (uint64_t)p->id) : NULL;
    if (r != NULL && r->post == p)
        r->post = NULL;
    gri_unlock(&p->s->lock);
}

static void on_end(void *arg)
{
    struct gri_mcp_post *p = arg;
    bool success = p->status >= 200 && p->status < 300;

    detach(p);
    if (p->is_sse && p->failure == NULL)
        (void)gri_sse_end(&p->sse, NULL);
    if (p->failure != NULL) {
        gri_mcp_complete(p->s, p->id, gr_value_ref(p->failure));
    } else if (!success) {
        gri_mcp_complete(p->s, p->id, refused(p));
    } else if (p->is_sse) {
        if (!resume_later(p, false))
            gri_mcp_complete(p->s, p->id,
                             gr_error(GR_EPROTO, "the server ended the stream without an answer"));
    } else if (p->notification) {
        gri_mcp_complete(p->s, p->id, gr_map_n(NULL, 0));
    } else {
        if (p->body.len > 0)
            gri_mcp_take(p->s, p->body.data, p->body.len, p->id);
        gri_mcp_complete(p->s, p->id, gr_error(GR_EPROTO, "the server gave no answer"));
    }
    post_unref(p);
}

static void on_error(void *arg, gr_value *err)
{
    struct gri_mcp_post *p = arg;

    detach(p);
    if (p->failure != NULL)
        gri_mcp_complete(p->s, p->id, gr_value_ref(p->failure));
    else if (!resume_later(p, true))
        gri_mcp_complete(p->s, p->id, gr_value_ref(err));
    gr_value_unref(err);
    post_unref(p);
}

static const struct gri_http_events post_events = {
    .status = on_status, .bytes = on_bytes, .end = on_end, .error = on_error
};

/* ---- starting ---------------------------------------------------------------------------------- */

static struct gri_mcp_post *post_new(struct gri_mcp *s, int64_t id)
{
    struct gri_mcp_post *p = gri_new0(struct gri_mcp_post);
    struct gri_mcp_request *r;

    if (p == NULL)
        return NULL;
    p->s = gri_mcp_ref(s);
    p->id = id;
    p->refs = 2;
    p->retry_ms = p->retry_after_ms = -1;
    p->last_id.max = 1024;
    gri_sse_init(&p->sse, s->set.message_bytes_max, s->set.message_bytes_max, on_event, p);
    gri_lock(&s->lock);
    gri_list_push(&s->posts, &p->at_session);
    s->says += id == 0;
    r = id != 0 ? gri_map_get(&s->pending, (uint64_t)id) : NULL;
    if (r != NULL)
        r->post = p;
    else
        p->aborted = id != 0; /* it is over already */
    p->had_session = s->session_id[0] != '\0';
    gri_unlock(&s->lock);
    return p;
}

/* start sends a post; whatever happens reaches its request. The starter's reference goes. */
static gr_code start(struct gri_mcp_post *p, const char *method, const gr_value *message,
                     const gr_value *headers, int64_t idle_ms)
{
    struct gri_mcp *s = p->s;
    struct gri_mcp_head head;
    struct gri_http_exchange *x = NULL;
    gr_value *err = NULL;
    size_t size = 0;
    char *body = message != NULL ? gr_json_print(message, 0, &size) : NULL;
    struct gri_http_request req = { .method = method,
                                    .url = s->set.url,
                                    .secret_header = s->set.secret,
                                    .guard = s->set.guard,
                                    .body = body,
                                    .body_size = size,
                                    .idle_timeout_ms = (uint64_t)idle_ms };
    gr_code rc = message != NULL && body == NULL ? GR_ENOMEM : GR_OK;

    gri_mcp_head_init(&head, s, message, headers, p->handshake);
    if (rc == GR_OK && p->is_get)
        gri_mcp_head_add(&head, "Last-Event-ID", p->last_id.len > 0 ? p->last_id.data : NULL);
    req.headers = head.headers;
    req.header_count = head.count;
    if (rc == GR_OK && head.failed)
        rc = GR_ENOMEM;
    if (rc == GR_OK)
        rc = gri_http_start(s->rt, &req, &post_events, p, &x, &err);
    gri_mcp_head_fini(&head);
    gr_free(body);
    if (rc != GR_OK) {
        on_error(p, err != NULL ? err : gri_mcp_no_memory());
    } else {
        gri_lock(&s->lock);
        if (!p->ended) {
            p->x = x;
            if (p->aborted)
                gri_http_cancel(x);
        }
        gri_unlock(&s->lock);
    }
    post_unref(p);
    return rc;
}

gr_value *gri_mcp_http_send(gr_ctx *c, struct gri_mcp *s, const gr_value *args)
{
    const char *method = gr_cstr(gr_get(args, "method"), "");
    bool listens = gr_as_bool(gr_get(args, "get"), false);
    int64_t timeout_ms = gr_as_int(gr_get(args, "timeout_ms"), s->set.timeout_ms);
    gr_value *err = NULL, *message = NULL;
    int64_t id = gri_mcp_request_begin(c, s, gr_as_bool(gr_get(args, "quiet"), false), &err);
    struct gri_mcp_post *p = id != 0 ? post_new(s, id) : NULL;

    if (id == 0)
        return err;
    if (p == NULL) {
        gri_mcp_complete(s, id, gri_mcp_no_memory());
        return NULL;
    }
    gri_mcp_note_subscription(s, id, method);
    p->handshake = strcmp(method, "initialize") == 0;
    p->notification = gr_as_bool(gr_get(args, "notification"), false);
    p->is_get = p->listens = listens;
    if (p->notification)
        message = gri_mcp_notification_of(method, gr_value_ref(gr_get(args, "params")));
    else if (!listens)
        message = gri_mcp_request_of(id, method,
                                     gri_mcp_with_token(gr_value_ref(gr_get(args, "params")), id));
    (void)start(p, listens ? "GET" : "POST", message, gr_get(args, "headers"),
                timeout_ms > 0 && timeout_ms < SILENCE_MS - IDLE_MORE_MS ? timeout_ms + IDLE_MORE_MS
                                                                         : SILENCE_MS);
    gr_value_unref(message);
    return NULL;
}

gr_code gri_mcp_http_post(struct gri_mcp *s, const gr_value *message)
{
    struct gri_mcp_post *p;
    bool room;

    gri_lock(&s->lock);
    room = s->says < GRI_MCP_SAYS_MAX;
    gri_unlock(&s->lock);
    p = room ? post_new(s, 0) : NULL;
    if (p == NULL)
        return room ? GR_ENOMEM : GR_EFULL;
    p->notification = true;
    return start(p, "POST", message, NULL, GRI_HTTP_IDLE_MS);
}

void gri_mcp_http_resume(struct gri_mcp *s, int64_t id, const char *last_event_id)
{
    struct gri_mcp_post *p = post_new(s, id);

    if (p == NULL) {
        gri_mcp_complete(s, id, gri_mcp_no_memory());
        return;
    }
    p->is_get = true;
    gri_strbuf_adds(&p->last_id, last_event_id);
    (void)start(p, "GET", NULL, NULL, SILENCE_MS);
}

gr_value *gri_mcp_http_close(gr_ctx *c, struct gri_mcp *s)
{
    gr_value *err = NULL;
    struct gri_mcp_post *p;
    bool session;
    int64_t id;

    gri_lock(&s->lock);
    session = s->session_id[0] != '\0' && s->ended == NULL;
    gri_unlock(&s->lock);
    if (!session)
        return gr_nil();
    id = gri_mcp_request_begin(c, s, true, &err);
    if (id == 0)
        return err;
    p = post_new(s, id);
    if (p == NULL) {
        gri_mcp_complete(s, id, gri_mcp_no_memory());
        return NULL;
    }
    p->notification = true;
    (void)start(p, "DELETE", NULL, NULL, CLOSE_MS);
    return NULL;
}
