/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reactor_exchange.c - one exchange: a request made ready on the caller's thread, and what curl
 * calls while it runs on the HTTP thread.
 *
 * Nothing here may add or remove an easy handle: curl refuses that inside its callbacks. A callback
 * that wants the transfer to end returns an error; reactor.c then finds it among the finished ones.
 */
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/http/reactor.h"

#define BIG_BODY ((size_t)64 * 1024) /* such bodies take time: sending counts as life */

static gr_code fail(gr_value **reterr, gr_code code, gr_value *err)
{
    *reterr = err;
    return code;
}

/* ---- what curl calls ------------------------------------------------------------------------ */

static bool is_canceled(struct exchange *x)
{
    /* relaxed: it only saves work. The cancel itself comes through the locked queue. */
    return atomic_load_explicit(&x->canceled, memory_order_relaxed);
}

/* The connection stands and the request goes out: from now on the server's silence counts. */
static int on_connected(void *arg, char *remote, char *local, int remote_port, int local_port)
{
    struct exchange *x = arg;

    (void)local, (void)remote_port, (void)local_port;
    if (!gri_guard_lets_send(x, remote))
        return CURL_PREREQFUNC_ABORT;
    x->connected = true;
    x->heard_ns = gri_clock_ns();
    gri_due_update(x->reactor, x);
    return CURL_PREREQFUNC_OK;
}

static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    struct exchange *x = arg;

    (void)down_total, (void)down, (void)up_total;
    if (up != x->sent) {
        x->sent = up;
        x->heard_ns = gri_clock_ns();
    }
    return is_canceled(x) ? 1 : 0;
}

/* A child process of the host must not inherit connections: it would keep them open. */
static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *addr)
{
    (void)purpose;
    if (!gri_guard_lets_connect(arg, addr))
        return CURL_SOCKET_BAD;
    return socket(addr->family, addr->socktype | SOCK_CLOEXEC, addr->protocol);
}

/* report tells of the answer's status once its headers are complete, unless it is an interim
 * one. */
static void report(struct exchange *x)
{
    long status = 0, version = 0;

    if (curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK || status < 200)
        return;
    x->answered = true;
    x->http2 = curl_easy_getinfo(x->easy, CURLINFO_HTTP_VERSION, &version) == CURLE_OK &&
               version == CURL_HTTP_VERSION_2_0;
    if (!is_canceled(x))
        x->events.status(x->arg, (int)status, &x->base);
    gri_strbuf_fini(&x->head);
}

/* keep_header stores "name: value" as two strings. What has no colon or no name is left out. */
static bool keep_header(struct exchange *x, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    size_t name_len = colon != NULL ? (size_t)(colon - line) : 0;
    const char *value = line + name_len + 1, *end = line + len;

    if (name_len == 0 || *line == ' ' || *line == '\t')
        return true;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if (memchr(line, '\0', len) != NULL)
        return true;
    if (x->head.len + name_len + (size_t)(end - value) + 2 > GRI_HTTP_HEAD_MAX) {
        x->failed = GR_EPROTO;
        return false;
    }
    gri_strbuf_add(&x->head, line, name_len);
    gri_strbuf_addc(&x->head, '\0');
    gri_strbuf_add(&x->head, value, (size_t)(end - value));
    gri_strbuf_addc(&x->head, '\0');
    if (x->head.failed)
        x->failed = GR_ENOMEM;
    return !x->head.failed;
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
    struct exchange *x = arg;
    size_t all = size * count, len = all;

    x->heard_ns = gri_clock_ns();
    while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
        len--;
    if (x->answered) /* trailers */
        return all;
    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
        gri_strbuf_clear(&x->head);
    else if (len == 0)
        report(x);
    else if (!keep_header(x, line, len))
        return 0;
    return all;
}

static size_t on_bytes(char *data, size_t size, size_t count, void *arg)
{
    struct exchange *x = arg;
    size_t len = size * count;

    x->heard_ns = gri_clock_ns();
    if (len == 0 || is_canceled(x))
        return 0;
    if (!x->answered) /* curl takes a line like "\r." for the end of the headers; we don't */
        return 0;
    if (x->http2)
        return gri_held_bytes(x, data, len) ? len : 0;
    if (x->events.bytes(x->arg, data, len))
        return len;
    x->paused = true;
    return CURL_WRITEFUNC_PAUSE;
}

const char *gri_exchange_header(struct exchange *x, const char *name)
{
    const char *at = x->head.data, *end = NULL, *value = NULL;

    if (at == NULL)
        return NULL;
    for (end = at + x->head.len; at < end; at = value + strlen(value) + 1) {
        value = at + strlen(at) + 1;
        if (strcasecmp(at, name) == 0)
            return value;
    }
    return NULL;
}

/* ---- making --------------------------------------------------------------------------------- */

/* name_peer sets x->peer, "host:port", which also shows that curl understands the URL. */
static gr_code name_peer(struct exchange *x, const char *url, gr_value **reterr)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    char *host = NULL, *port = NULL;
    CURLU *parts = curl_url();
    CURLUcode uc =
        parts == NULL ? CURLUE_OUT_OF_MEMORY : curl_url_set(parts, CURLUPART_URL, url, 0);
    gr_code rc = GR_OK;

    if (uc == CURLUE_OK)
        uc = curl_url_get(parts, CURLUPART_HOST, &host, 0);
    if (uc == CURLUE_OK)
        uc = curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    if (uc == CURLUE_OK) {
        gri_strbuf_addf(&b, "%s:%s", host, port);
        x->peer = gri_strbuf_take(&b);
    }
    if (uc == CURLUE_OUT_OF_MEMORY || (uc == CURLUE_OK && x->peer == NULL))
        rc = fail(reterr, GR_ENOMEM, gr_error(GR_ENOMEM, "HTTP request: no memory"));
    else if (uc != CURLUE_OK)
        rc = fail(reterr, GR_EINVAL,
                  gr_error(GR_EINVAL, "HTTP request: bad URL: %s", curl_url_strerror(uc)));
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parts);
    return rc;
}

static bool add_line(struct exchange *x, const char *line)
{
    struct curl_slist *list = curl_slist_append(x->headers, line);

    if (list != NULL)
        x->headers = list;
    return list != NULL;
}

static bool add_header(struct exchange *x, const struct gri_http_header *h)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    bool done = false;

    /* reserved at once, so that growing leaves no copy behind that isn't wiped; curl's spelling of
     * a header without value is "name;" */
    if (gri_strbuf_reserve(&b, strlen(h->name) + strlen(h->value) + 2)) {
        gri_strbuf_adds(&b, h->name);
        gri_strbuf_adds(&b, h->value[0] != '\0' ? ": " : ";");
        gri_strbuf_adds(&b, h->value);
        done = !b.failed && add_line(x, b.data);
        explicit_bzero(b.data, b.cap);
    }
    gri_strbuf_fini(&b);
    return done;
}

static bool has_header(const struct gri_http_request *req, const char *name)
{
    for (size_t i = 0; i < req->header_count; i++)
        if (strcasecmp(req->headers[i].name, name) == 0)
            return true;
    return false;
}

/* Headers curl would add unasked are suppressed: "Expect" costs a second with
 * servers that ignore it. */
static bool add_headers(struct exchange *x, const struct gri_http_request *req)
{
    bool done = true;

    for (size_t i = 0; done && i < req->header_count; i++)
        done = add_header(x, &req->headers[i]);
    if (done && req->secret_header != NULL)
        done = add_line(x, req->secret_header);
    if (done && !has_header(req, "Expect"))
        done = add_line(x, "Expect:");
    if (done && !has_header(req, "Content-Type"))
        done = add_line(x, "Content-Type:");
    return done;
}

/* SET sets an option unless one failed before. */
#define SET(rc, easy, option, value)                                                               \
    do {                                                                                           \
        if ((rc) == CURLE_OK)                                                                      \
            (rc) = curl_easy_setopt((easy), (option), (value));                                    \
    } while (0)

static CURLcode set_connection(struct exchange *x, bool http2)
{
    CURLcode rc = CURLE_OK;

    SET(rc, x->easy, CURLOPT_NOSIGNAL, 1L);
    SET(rc, x->easy, CURLOPT_QUICK_EXIT, 1L); /* else a cancel waits for a name look-up */
    SET(rc, x->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(rc, x->easy, CURLOPT_FOLLOWLOCATION, 0L); /* it would hand the secret to another host */
    if (http2) {
        SET(rc, x->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
        SET(rc, x->easy, CURLOPT_PIPEWAIT, 1L); /* for a connection that can be shared */
    } else {
        SET(rc, x->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    }
    SET(rc, x->easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE); /* ours aren't for proxies */
    SET(rc, x->easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(rc, x->easy, CURLOPT_TCP_KEEPALIVE, 1L);
    SET(rc, x->easy, CURLOPT_TCP_KEEPIDLE, 60L);
    SET(rc, x->easy, CURLOPT_TCP_KEEPINTVL, 30L);
    SET(rc, x->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)x->connect_ms);
    if (x->guarded) /* a proxy looks names up itself, and connects to wherever it likes */
        SET(rc, x->easy, CURLOPT_PROXY, "");
    return rc;
}

static CURLcode set_callbacks(struct exchange *x, bool big_body)
{
    CURLcode rc = CURLE_OK;

    SET(rc, x->easy, CURLOPT_PRIVATE, x);
    SET(rc, x->easy, CURLOPT_ERRORBUFFER, x->curl_text);
    SET(rc, x->easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    SET(rc, x->easy, CURLOPT_OPENSOCKETDATA, x);
    SET(rc, x->easy, CURLOPT_PREREQFUNCTION, on_connected);
    SET(rc, x->easy, CURLOPT_PREREQDATA, x);
    SET(rc, x->easy, CURLOPT_HEADERFUNCTION, on_header);
    SET(rc, x->easy, CURLOPT_HEADERDATA, x);
    SET(rc, x->easy, CURLOPT_WRITEFUNCTION, on_bytes);
    SET(rc, x->easy, CURLOPT_WRITEDATA, x);
    if (big_body) {
        SET(rc, x->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
        SET(rc, x->easy, CURLOPT_XFERINFODATA, x);
        SET(rc, x->easy, CURLOPT_NOPROGRESS, 0L);
    }
    return rc;
}

static CURLcode set_request(struct exchange *x, const struct gri_http_request *req)
{
    bool is_get = strcmp(req->method, "GET") == 0, is_head = strcmp(req->method, "HEAD") == 0;
    bool is_post = strcmp(req->method, "POST") == 0;
    CURLcode rc = CURLE_OK;

    SET(rc, x->easy, CURLOPT_URL, req->url);
    SET(rc, x->easy, CURLOPT_USERAGENT, "greenroom/" GR_VERSION);
    if (is_post || req->body_size > 0) {
        SET(rc, x->easy, CURLOPT_POST, 1L);
        SET(rc, x->easy, CURLOPT_POSTFIELDS, x->body != NULL ? x->body : "");
        SET(rc, x->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body_size);
    } else {
        SET(rc, x->easy, CURLOPT_HTTPGET, 1L);
    }
    if (is_head)
        SET(rc, x->easy, CURLOPT_NOBODY, 1L);
    else if (!is_post && !(is_get && req->body_size == 0))
        SET(rc, x->easy, CURLOPT_CUSTOMREQUEST, req->method);
    SET(rc, x->easy, CURLOPT_HTTPHEADER, x->headers);
    if (req->ca_file != NULL)
        SET(rc, x->easy, CURLOPT_CAINFO, req->ca_file);
    return rc;
}

static uint64_t limit_ms(uint64_t ms, uint64_t otherwise)
{
    return ms == 0 ? otherwise : ms < INT32_MAX ? ms : INT32_MAX;
}

static struct exchange *new_bare(struct reactor *r, const struct gri_http_request *req,
                                 const struct gri_http_events *events, void *arg)
{
    struct exchange *x = gri_new0(struct exchange);

    if (x == NULL)
        return NULL;
    x->base.driver = &gri_http_curl;
    x->reactor = r;
    x->events = *events;
    x->arg = arg;
    x->connect_ms = limit_ms(req->connect_timeout_ms, GRI_HTTP_CONNECT_MS);
    x->idle_ms = limit_ms(req->idle_timeout_ms, GRI_HTTP_IDLE_MS);
    x->guarded = req->guard;
    x->deadline_ns = GRI_NEVER;
    x->heap_index = GRI_DUE_NOWHERE;
    gri_list_init(&x->asked);
    gri_list_init(&x->live);
    return x;
}

static bool make_ready(struct exchange *x, const struct gri_http_request *req)
{
    if (req->body_size > 0) {
        x->body = gri_alloc(req->body_size);
        if (x->body == NULL)
            return false;
        memcpy(x->body, req->body, req->body_size);
    }
    x->easy = curl_easy_init();
    return x->easy != NULL && add_headers(x, req) &&
           set_connection(x, req->http2 || x->reactor->limits.http2) == CURLE_OK &&
           set_callbacks(x, req->body_size > BIG_BODY) == CURLE_OK &&
           set_request(x, req) == CURLE_OK;
}

gr_code gri_exchange_new(struct reactor *r, const struct gri_http_request *req,
                         const struct gri_http_events *events, void *arg, struct exchange **ret_x,
                         gr_value **reterr)
{
    struct exchange *x = new_bare(r, req, events, arg);
    gr_code rc = GR_OK;

    if (x == NULL)
        return fail(reterr, GR_ENOMEM, gr_error(GR_ENOMEM, "HTTP request: no memory"));
    rc = name_peer(x, req->url, reterr);
    if (rc == GR_OK && !make_ready(x, req))
        rc = fail(reterr, GR_ENOMEM, gr_error(GR_ENOMEM, "HTTP request: no memory"));
    if (rc == GR_OK)
        *ret_x = x;
    else
        gri_exchange_free(x);
    return rc;
}

void gri_exchange_free(struct exchange *x)
{
    if (x == NULL)
        return;
    gri_assert(gri_list_empty(&x->asked) && gri_list_empty(&x->live));
    curl_easy_cleanup(x->easy);
    for (struct curl_slist *h = x->headers; h != NULL; h = h->next)
        explicit_bzero(h->data, strlen(h->data));
    curl_slist_free_all(x->headers);
    gri_strbuf_fini(&x->head);
    gri_strbuf_fini(&x->held);
    gri_free(x->body);
    gri_free(x->peer);
    gri_free(x);
}
