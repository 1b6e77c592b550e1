/* SPDX-License-Identifier: Apache-2.0 */
/* fetch.c - gr_fetch: a guarded GET, and the text that it gives. */
#include <greenroom/fetch.h>

#include <string.h>

#include <greenroom/actor.h>
#include <greenroom/graph.h>

#include "actors/compose/describe.h"
#include "actors/model/outbox.h"
#include "runtime/base/alloc.h"
#include "runtime/base/strbuf.h"
#include "runtime/http/http.h"
#include "runtime/sched/world.h"

#define BYTES_MAX ((size_t)1 << 20)
#define TIMEOUT_MS 30000
#define MS_NS UINT64_C(1000000)

struct fetch {
    struct gri_outbox out; /* first */
    size_t bytes_max;

    /* of the HTTP thread alone */
    int status;
    char *location; /* owned: where a redirect leads; NULL */
    struct gri_strbuf body;
    gr_value *failure; /* owned: why we gave up */
};

static void fetch_free(struct gri_outbox *o)
{
    struct fetch *f = (struct fetch *)o;

    gri_outbox_fini(&f->out);
    gr_value_unref(f->failure);
    gri_strbuf_fini(&f->body);
    gri_free(f->location);
    gri_free(f);
}

/* ---- what the server does -------------------------------------------------------------------- */

static void on_status(void *arg, int status, struct gri_http_exchange *x)
{
    struct fetch *f = arg;
    const char *location = gri_http_header_of(x, "location");

    f->status = status;
    if (location != NULL)
        f->location = gri_strdup(location);
    gri_outbox_started(&f->out, x);
}

static bool on_bytes(void *arg, const char *data, size_t len)
{
    struct fetch *f = arg;

    if (f->failure != NULL)
        return true;
    if (len > f->bytes_max - f->body.len)
        f->failure = gr_error(GR_ENOMEM, "the answer is above %zu bytes", f->bytes_max);
    else
        gri_strbuf_add(&f->body, data, len);
    if (f->body.failed)
        f->failure = gr_error(GR_ENOMEM, "out of memory for the answer");
    if (f->failure != NULL)
        gri_outbox_close(&f->out);
    return true;
}

static gr_value *status_error(const struct fetch *f)
{
    gr_value *err = NULL;

    if (f->status < 400 && f->location != NULL)
        err = gr_error(GR_EREMOTE, "status %d: it is at %.1000s now", f->status, f->location);
    else
        err = gr_error(GR_EREMOTE, "status %d", f->status);
    return gr_error_with(err, "status", gr_int(f->status));
}

/* take_failure returns why we gave up, NULL if we didn't. The end may have been on its way by then. */
static gr_value *take_failure(struct fetch *f)
{
    gr_value *failure = f->failure;

    f->failure = NULL;
    return failure;
}

static void on_end(void *arg)
{
    struct fetch *f = arg;
    gr_value *text = take_failure(f);

    if (text != NULL) {
        gri_outbox_end(&f->out, text);
        return;
    }
    if (f->status < 200 || f->status > 299) {
        gri_outbox_end(&f->out, status_error(f));
        return;
    }
    text = gr_strn(f->body.len > 0 ? f->body.data : "", f->body.len);
    if (gr_error_code(text) == GR_EINVAL) {
        gr_value_unref(text);
        text = gr_error(GR_EPROTO, "the answer is no UTF-8 text");
    }
    gri_outbox_end(&f->out, text);
}

static void on_error(void *arg, gr_value *err)
{
    struct fetch *f = arg;
    gr_value *failure = take_failure(f);

    if (failure != NULL) {
        gr_value_unref(err);
        err = failure;
    }
    gri_outbox_end(&f->out, err);
}

/* ---- the runnable ----------------------------------------------------------------------------- */

static const char *url_of(const gr_value *input)
{
    return gr_cstr(gr_value_type(input) == GR_MAP ? gr_get(input, "url") : input, NULL);
}

static void send_request(gr_ctx *c, struct fetch *f, const char *url)
{
    static const struct gri_http_events events = {
        .status = on_status, .bytes = on_bytes, .end = on_end, .error = on_error
    };
    static const struct gri_http_header headers[] = { { "Accept", "text/*, application/json" },
                                                      { "User-Agent", "greenroom" } };
    const gr_value *args = gr_args(c);
    uint64_t callers = gr_deadline_ns(c),
             own = gri_now(gr_runtime_of(c)) +
                   (uint64_t)gr_as_int(gr_get(args, "timeout_ms"), TIMEOUT_MS) * MS_NS;
    struct gri_http_request req = {
        .method = "GET",
        .url = url,
        .headers = headers,
        .header_count = 2,
        .deadline_ns = callers != 0 && callers < own ? callers : own,
        .guard = !gr_as_bool(gr_get(args, "inner_too"), false),
    };
    struct gri_http_exchange *x = NULL;
    gr_value *err = NULL;

    if (gri_http_start(gr_runtime_of(c), &req, &events, f, &x, &err) == GR_OK)
        gri_outbox_started(&f->out, x);
    else
        gri_outbox_end(&f->out, err);
}

static gr_value *fetch_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    const char *url = url_of(input);
    struct fetch *f = NULL;
    gr_promise *promise = NULL;

    (void)self;
    if (url == NULL)
        return gr_error(GR_EINVAL, "fetch takes a URL, or a map with a \"url\"");
    f = gri_new0(struct fetch);
    if (f == NULL)
        return gr_error(GR_ENOMEM, "out of memory for a request");
    f->bytes_max = (size_t)gr_as_int(gr_get(gr_args(c), "bytes_max"), (int64_t)BYTES_MAX);
    promise = gr_defer(c);
    if (promise == NULL) {
        gri_free(f);
        return gr_error(GR_EINVAL, "this call can't be answered later");
    }
    gri_outbox_init(&f->out, promise, fetch_free);
    if (gr_on_cancel(promise, gri_outbox_on_cancel, gri_outbox_on_room, &f->out) != GR_OK)
        gri_outbox_end(&f->out, gr_error(GR_ECANCELED, "cancelled"));
    else
        send_request(c, f, url);
    gri_outbox_unref(&f->out);
    return NULL;
}

static gr_value *fetch_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self, (void)args;
    return gri_describe_leaf(
        "fetch",
        gr_map(GR_KV("title", gr_str("fetchInput")), GR_KV("type", gr_str("object")),
               GR_KV("properties", gr_map(GR_KV("url", gri_schema_of_type("string")))),
               GR_KV("required", gr_list(gr_str("url")))),
        gri_schema_of_type("string"));
}

static const gr_method fetch_methods[] = {
    { "invoke", GR_ASYNC, fetch_invoke, NULL },
    { "describe", GR_CHEAP, fetch_describe, NULL },
};
static const gr_class fetch_class = GR_CLASS(.name = "fetch", GR_METHODS(fetch_methods));

gr_ref gr_fetch(gr_scope *in, const gr_fetch_opts *opts)
{
    gr_fetch_opts o = { .size = sizeof(o) };

    if (opts != NULL)
        o = *opts;
    if (o.bytes_max == 0)
        o.bytes_max = BYTES_MAX;
    if (o.timeout_ms <= 0)
        o.timeout_ms = TIMEOUT_MS;
    return gr_spawn(in, &fetch_class,
                    GR_SPAWN(.args = gr_map(GR_KV("bytes_max", gr_int((int64_t)o.bytes_max)),
                                            GR_KV("timeout_ms", gr_int(o.timeout_ms)),
                                            GR_KV("inner_too", gr_bool(o.inner_too)))));
}
