/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_client.c - one request to etcd for each call: POST a JSON body, answer with the JSON that
 * comes, or, for a watch, stream what comes.
 *
 * Parties and rules are those of any deferred HTTP answer: the starter and the exchange have a
 * reference each; x is NULL once end or error has begun, and used under the lock; hooks of the
 * promise only cancel and resume. A watch gives all that one read brought as one chunk, a list: so
 * bytes are taken only when there is room for one, and nothing has to wait here.
 */
#include <string.h>
#include <strings.h>

#include <greenroom/codec.h>

#include "runtime/base/alloc.h"
#include "runtime/cluster/etcd.h"
#include "runtime/http/http.h"
#include "runtime/http/ndjson.h"
#include "runtime/sched/park.h"
#include "runtime/sched/world.h"

#define CONNECT_MS 3000
#define FAREWELL_NS UINT64_C(1000000000)
#define SILENCE_MS INT32_MAX /* of a watch: nothing may happen for days; see etcd_watcher.c */

struct request {
    struct gri_lock lock;
    int refs;                    /* by lock */
    struct gri_http_exchange *x; /* by lock; borrowed while under way */
    bool cancelled, ended;       /* by lock */
    gr_promise *promise;         /* owned until resolved */
    bool watch;
    /* of the HTTP thread alone */
    struct gri_strbuf body;
    struct gri_ndjson lines;
    gr_value *chunk;   /* owned: what the read at hand has brought */
    gr_value *failure; /* owned: why we cancelled the exchange ourselves */
    int status;
};

static void request_unref(struct request *r)
{
    int left;

    gri_lock(&r->lock);
    left = --r->refs;
    gri_unlock(&r->lock);
    if (left != 0)
        return;
    gr_promise_free(r->promise);
    gr_value_unref(r->chunk);
    gr_value_unref(r->failure);
    gri_strbuf_fini(&r->body);
    gri_ndjson_fini(&r->lines);
    gri_free(r);
}

/* ---- what the caller does -------------------------------------------------------------------- */

static void on_cancel(void *arg)
{
    struct request *r = arg;

    gri_lock(&r->lock);
    r->cancelled = true;
    if (r->x != NULL)
        gri_http_cancel(r->x);
    gri_unlock(&r->lock);
}

static void on_room(void *arg)
{
    struct request *r = arg;

    gri_lock(&r->lock);
    if (r->x != NULL)
        gri_http_resume(r->x);
    gri_unlock(&r->lock);
}

/* ---- what etcd does -------------------------------------------------------------------------- */

/* over answers, once; the exchange's reference goes. */
static void over(struct request *r, gr_value *v)
{
    gr_promise *promise;

    gri_lock(&r->lock);
    r->x = NULL;
    r->ended = true;
    promise = r->promise;
    r->promise = NULL;
    gri_unlock(&r->lock);
    if (r->failure != NULL) {
        gr_value_unref(v);
        v = r->failure;
        r->failure = NULL;
    }
    gr_resolve(promise, v);
    request_unref(r);
}

static void give_up(struct request *r, gr_value *why)
{
    if (r->failure == NULL)
        r->failure = why;
    else
        gr_value_unref(why);
    gri_lock(&r->lock);
    if (r->x != NULL)
        gri_http_cancel(r->x);
    gri_unlock(&r->lock);
}

static void on_status(void *arg, int status, struct gri_http_exchange *x)
{
    struct request *r = arg;

    r->status = status;
    gri_lock(&r->lock);
    r->x = x;
    if (r->cancelled)
        gri_http_cancel(x);
    gri_unlock(&r->lock);
}

static bool on_line(void *arg, const char *line, size_t len)
{
    struct request *r = arg;
    gr_value *v = gr_json_parse(line, len, NULL);

    if (gr_error_code(v) == GR_OK)
        r->chunk = gr_append(r->chunk, v);
    else
        give_up(r, v);
    return r->failure == NULL;
}

/* on_watched takes a read of a watch. false: later, the reader has to catch up first. */
static bool on_watched(struct request *r, const char *data, size_t len)
{
    gr_value *err = NULL;
    gr_code rc;

    if (!gr_promise_room(r->promise))
        return false;
    r->chunk = gr_list_n(NULL, 0);
    if (gri_ndjson_feed(&r->lines, data, len, NULL, &err) != GR_OK)
        give_up(r, err);
    if (r->failure == NULL && gr_len(r->chunk) > 0) {
        rc = gr_promise_emit(r->promise, r->chunk);
        r->chunk = NULL;
        if (rc != GR_OK) /* with a hole it is of no use: it begins again */
            give_up(r, gr_error(rc, "a change could not be passed on"));
    }
    gr_value_unref(r->chunk);
    r->chunk = NULL;
    return true;
}

static bool on_bytes(void *arg, const char *data, size_t len)
{
    struct request *r = arg;

    if (r->failure != NULL)
        return true;
    if (r->watch && r->status == 200)
        return on_watched(r, data, len);
    gri_strbuf_add(&r->body, data, len);
    if (r->body.failed)
        give_up(r,
                gr_error(GR_ENOMEM, "etcd's answer has more than %zu bytes", GRI_ETCD_ANSWER_MAX));
    return true;
}

/* refused makes an error of what etcd says: {"error", "message", "code"}. */
static gr_value *refused(const struct request *r, const gr_value *json)
{
    const char *text =
        gr_cstr(gr_get(json, "message"), gr_cstr(gr_get(json, "error"), "no reason"));
    bool away = r->status >= 500 || r->status == 429 || r->status == 408;
    gr_value *err =
        gr_error(away ? GR_EUNREACH : GR_EREMOTE, "etcd says %d: %.200s", r->status, text);

    err = gr_error_with(err, "status", gr_int(r->status));
    return gr_get(json, "code") != NULL
               ? gr_error_with(err, "detail", gr_value_ref(gr_get(json, "code")))
               : err;
}

static gr_value *answer_of(const struct request *r)
{
    gr_value *json = gr_json_parse(r->body.len > 0 ? r->body.data : "", r->body.len, NULL), *out;
    bool is_json = gr_error_code(json) == GR_OK;

    if (r->status != 200)
        out = refused(r, is_json ? json : NULL);
    else if (r->watch)
        out = gr_error(GR_EUNREACH, "etcd has ended the watch");
    else if (!is_json)
        out = gr_error(GR_EPROTO, "etcd's answer is no JSON: %s", gr_error_text(json));
    else
        return json;
    gr_value_unref(json);
    return out;
}

static void on_end(void *arg)
{
    struct request *r = arg;

    over(r, answer_of(r));
}

static void on_error(void *arg, gr_value *err)
{
    over(arg, err);
}

static const struct gri_http_events request_events = {
    .status = on_status, .bytes = on_bytes, .end = on_end, .error = on_error
};

/* ---- starting -------------------------------------------------------------------------------- */

/* What a request is made of; freed, and wiped, by parts_fini. */
struct parts {
    char *url, *secret, *body; /* owned; secret NULL: none */
    size_t body_size;
};

static void wipe(char *text, size_t size)
{
    if (text != NULL)
        explicit_bzero(text, size);
}

static void parts_fini(struct parts *p)
{
    wipe(p->secret, p->secret != NULL ? strlen(p->secret) : 0);
    wipe(p->body, p->body_size); /* it may hold a password */
    gri_free(p->url);
    gri_free(p->secret);
    gr_free(p->body);
}

static bool parts_init(struct parts *p, struct gri_etcd *e, const gr_value *args)
{
    unsigned at = atomic_load_explicit(&e->at, memory_order_relaxed);
    struct gri_strbuf url = GRI_STRBUF_INIT;
    bool signs = false;

    gri_strbuf_adds(&url, e->urls[at % e->url_count]);
    gri_strbuf_adds(&url, gr_cstr(gr_get(args, "path"), ""));
    *p = (struct parts){ .url = gri_strbuf_take(&url) };
    p->body = gr_json_print(gr_get(args, "body"), 0, &p->body_size);
    gri_lock(&e->lock);
    signs = e->secret != NULL && strcmp(gr_cstr(gr_get(args, "path"), ""), GRI_ETCD_SIGN_IN) != 0;
    if (signs)
        p->secret = gri_strdup(e->secret);
    gri_unlock(&e->lock);
    return p->url != NULL && p->body != NULL && (!signs || p->secret != NULL);
}

static struct gri_http_request request_of(const struct gri_etcd *e, const struct parts *p)
{
    static const struct gri_http_header headers[] = { { "Content-Type", "application/json" } };

    return (struct gri_http_request){ .method = "POST",
                                      .url = p->url,
                                      .headers = headers,
                                      .header_count = 1,
                                      .secret_header = p->secret,
                                      .ca_file = e->ca_file,
                                      .body = p->body,
                                      .body_size = p->body_size,
                                      .connect_timeout_ms = CONNECT_MS };
}

static gr_code send_it(gr_ctx *c, struct request *r, const struct gri_etcd *e,
                       const struct parts *p, gr_value **reterr)
{
    struct gri_http_request req = request_of(e, p);
    struct gri_http_exchange *x = NULL;
    gr_code rc;

    req.deadline_ns = gr_deadline_ns(c);
    if (r->watch)
        req.idle_timeout_ms = SILENCE_MS;
    rc = gri_http_start(gr_runtime_of(c), &req, &request_events, r, &x, reterr);
    if (rc != GR_OK)
        return rc;
    gri_lock(&r->lock);
    if (!r->ended) {
        r->x = x;
        if (r->cancelled)
            gri_http_cancel(x);
    }
    gri_unlock(&r->lock);
    return rc;
}

static struct request *request_new(gr_ctx *c, bool watch)
{
    struct request *r = gri_new0(struct request);

    if (r == NULL)
        return NULL;
    r->refs = 2; /* the starter's and the exchange's */
    r->watch = watch;
    r->body.max = GRI_ETCD_ANSWER_MAX;
    gri_ndjson_init(&r->lines, GRI_ETCD_ANSWER_MAX, on_line, r);
    r->promise = gr_defer(c);
    if (r->promise != NULL)
        return r;
    request_unref(r);
    request_unref(r);
    return NULL;
}

/* start takes the duty to answer; an error value: it could not. */
static gr_value *start(gr_ctx *c, const gr_value *args, bool watch)
{
    struct gri_etcd *e = gr_as_opaque(gr_args(c));
    struct request *r = request_new(c, watch);
    struct parts parts = { .url = NULL };
    gr_value *err = NULL;

    if (r == NULL)
        return gr_error(GR_ENOMEM, "out of memory for a request to etcd");
    if (gr_on_cancel(r->promise, on_cancel, watch ? on_room : NULL, r) != GR_OK)
        err = gr_error(GR_ECANCELED, "cancelled");
    else if (!parts_init(&parts, e, args))
        err = gr_error(GR_ENOMEM, "out of memory for a request to etcd");
    else
        send_it(c, r, e, &parts, &err);
    parts_fini(&parts);
    if (err != NULL)
        over(r, err);
    request_unref(r);
    return NULL;
}

static gr_value *client_post(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return start(c, args, false);
}

static gr_code client_watch(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_value *err = start(c, args, true);

    (void)self, (void)in;
    return err != NULL ? gr_fail(c, err) : GR_OK;
}

/* ---- the last word --------------------------------------------------------------------------- */

/* A request after which nothing is sent any more: no call can be made when a runtime ends. */
struct farewell {
    struct gri_lock lock;
    int refs; /* by lock: the waiter's and the exchange's */
    struct gri_park park;
};

static void farewell_unref(struct farewell *f, bool wakes)
{
    int left;

    gri_lock(&f->lock);
    if (wakes)
        gri_park_wake(&f->park, GRI_WOKEN);
    left = --f->refs;
    gri_unlock(&f->lock);
    if (left == 0)
        gri_free(f);
}

static void farewell_status(void *arg, int status, struct gri_http_exchange *x)
{
    (void)arg, (void)status, (void)x;
}

static bool farewell_bytes(void *arg, const char *data, size_t len)
{
    (void)arg, (void)data, (void)len;
    return true;
}

static void farewell_end(void *arg)
{
    farewell_unref(arg, true);
}

static void farewell_error(void *arg, gr_value *err)
{
    gr_value_unref(err);
    farewell_unref(arg, true);
}

static const struct gri_http_events farewell_events = {
    .status = farewell_status, .bytes = farewell_bytes, .end = farewell_end, .error = farewell_error
};

void gri_etcd_farewell(gr_runtime *rt, struct gri_etcd *e, const char *path, gr_value *body)
{
    gr_value *args = gr_map(GR_KV("path", gr_str(path)), GR_KV("body", body));
    struct farewell *f = gri_new0(struct farewell);
    uint64_t until_ns = gri_now(rt) + FAREWELL_NS;
    struct gri_http_exchange *x = NULL;
    struct gri_http_request req;
    struct parts parts;
    uint32_t why = 0;

    if (parts_init(&parts, e, args) && f != NULL) {
        f->refs = 2;
        gri_park_init(&f->park);
        req = request_of(e, &parts);
        req.deadline_ns = until_ns;
        if (gri_http_start(rt, &req, &farewell_events, f, &x, NULL) == GR_OK)
            gri_park_wait(&f->park, until_ns, false, &why);
        else
            farewell_unref(f, false);
        farewell_unref(f, false);
        f = NULL;
    }
    gri_free(f);
    parts_fini(&parts);
    gr_value_unref(args);
}

static const gr_method client_methods[] = {
    { "post", GR_ASYNC, client_post, NULL },
    { "watch", GR_ASYNC, NULL, client_watch },
};
const gr_class gri_etcd_client_class = GR_CLASS(.name = "etcd", GR_METHODS(client_methods));
