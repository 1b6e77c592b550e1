/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_sim.c - HTTP in a simulation: one simulated thread that plays network and server.
 *
 * An exchange goes through connecting, asked (the request is out) and answering. Each knows when it
 * goes on; the thread sleeps until the soonest does, or a limit of one passes, or somebody asks for
 * something. Other threads only set flags of an exchange and wake the thread, which alone ends and
 * frees them. See http_sim.h for why there are no locks.
 */
#include "runtime/http/http_sim.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/sched/sched.h"

#define NS_PER_MS UINT64_C(1000000)
#define CONNECT_NS (5 * NS_PER_MS)      /* the longest a connection takes when nothing is wrong */
#define ANSWER_NS (100 * NS_PER_MS)     /* likewise until the answer's first byte */
#define PIECE_NS (2 * NS_PER_MS)        /* and between two pieces */
#define SILENCE_NS (300000 * NS_PER_MS) /* the longest that the seed has a server be silent */
#define PIECE_MOST ((size_t)16 * 1024)
#define SPLIT_MOST 16u

struct sim_server {
    gr_runtime *rt;      /* borrowed */
    struct gri_sim *sim; /* borrowed */
    gr_sim_http_fn *fn;
    void *arg;            /* borrowed */
    struct gri_list live; /* the exchanges, oldest first */
    size_t in_flight;
    _Atomic uint32_t wake; /* a futex, counts up */
    struct gri_thread thread;
    bool stopping;
};

enum phase { CONNECTING, ASKED, ANSWERING };

struct sim_exchange {
    struct gri_http_exchange base; /* first */
    struct gri_list node;
    struct sim_server *server; /* borrowed; outlives every exchange */
    struct gri_http_events events;
    void *arg;

    /* the request; owned */
    char *method, *url, *body, *peer;
    size_t body_size;
    struct gri_strbuf head; /* "name\0value\0" for each header; wiped, since one may be secret */
    size_t header_count;
    uint64_t deadline_ns, connect_ns, idle_ns; /* the first a time, the others so long */

    enum phase phase;
    uint64_t due_ns;   /* when it goes on */
    uint64_t heard_ns; /* when the server was last heard, or connecting began */
    struct gr_sim_reply reply;
    size_t at, stop; /* bytes that came, and stops that were passed */
    bool canceled, paused, resumed;
};

static struct sim_exchange *exchange_of(struct gri_list *n)
{
    return gri_container_of(n, struct sim_exchange, node);
}

static bool happens(const struct sim_exchange *x, enum gri_point p)
{
    return gri_sim_fault(&x->server->sim->chance, p);
}

static uint64_t draw(const struct sim_exchange *x, uint64_t below)
{
    return gri_sim_draw(&x->server->sim->chance, below == 0 ? 1 : below);
}

/* ---- from any thread ------------------------------------------------------------------------- */

static void wake(struct sim_server *s)
{
    atomic_fetch_add(&s->wake, 1);
    gri_futex_wake(&s->wake, 1);
}

static void sim_resume(struct gri_http_exchange *base)
{
    struct sim_exchange *x = gri_container_of(base, struct sim_exchange, base);

    x->resumed = true;
    wake(x->server);
}

static void sim_cancel(struct gri_http_exchange *base)
{
    struct sim_exchange *x = gri_container_of(base, struct sim_exchange, base);

    x->canceled = true;
    wake(x->server);
}

static const char *sim_header_of(struct gri_http_exchange *base, const char *name)
{
    return gri_sim_reply_header_of(&gri_container_of(base, struct sim_exchange, base)->reply, name);
}

/* ---- the end of an exchange ------------------------------------------------------------------ */

static void exchange_free(struct sim_exchange *x)
{
    if (x == NULL)
        return;
    if (x->head.data != NULL)
        explicit_bzero(x->head.data, x->head.cap);
    gri_strbuf_fini(&x->head);
    gri_sim_reply_fini(&x->reply);
    gri_free(x->method);
    gri_free(x->url);
    gri_free(x->body);
    gri_free(x->peer);
    gri_free(x);
}

/* finish ends x: err NULL is a good end. Whoever holds x may still name it until the event has
 * returned. */
static void finish(struct sim_exchange *x, gr_value *err)
{
    gri_list_remove(&x->node);
    x->server->in_flight--;
    if (err != NULL)
        x->events.error(x->arg, err);
    else
        x->events.end(x->arg);
    exchange_free(x);
}

/* ---- time-outs ------------------------------------------------------------------------------- */

static uint64_t after(uint64_t ns, uint64_t more)
{
    return ns > GRI_NEVER - more ? GRI_NEVER : ns + more;
}

/* limit_of is when x ends for want of time. Our own pauses don't count as silence. */
static uint64_t limit_of(const struct sim_exchange *x)
{
    uint64_t silent = after(x->heard_ns, x->phase == CONNECTING ? x->connect_ns : x->idle_ns);

    if (x->paused && x->phase == ANSWERING)
        silent = GRI_NEVER;
    return silent < x->deadline_ns ? silent : x->deadline_ns;
}

static gr_value *time_out(const struct sim_exchange *x, uint64_t now_ns)
{
    bool late = now_ns >= x->deadline_ns;

    if (x->phase == CONNECTING && late)
        return gr_error(GR_ETIMEDOUT, "connecting to %s: the deadline passed", x->peer);
    if (x->phase == CONNECTING)
        return gr_error(GR_ETIMEDOUT, "connecting to %s: no connection within %llu ms", x->peer,
                        (unsigned long long)(x->connect_ns / NS_PER_MS));
    if (!late)
        return gr_error(GR_ETIMEDOUT, "%s: no bytes for %llu ms", x->peer,
                        (unsigned long long)(x->idle_ns / NS_PER_MS));
    if (x->phase == ASKED)
        return gr_error(GR_ETIMEDOUT, "%s: no answer before the deadline", x->peer);
    return gr_error(GR_ETIMEDOUT, "%s: the answer was not over before the deadline", x->peer);
}

/* next_of is when the thread must look at x. */
static uint64_t next_of(const struct sim_exchange *x)
{
    uint64_t limit = limit_of(x);

    if (x->canceled || (x->paused && x->resumed))
        return 0;
    return x->paused || x->due_ns > limit ? limit : x->due_ns;
}

/* ---- an answer ------------------------------------------------------------------------------- */

/* ask hands the request to the server, as soon as the connection stands. */
static void ask(struct sim_exchange *x)
{
    struct sim_server *s = x->server;
    gr_sim_header *headers = gri_alloc_array(x->header_count + 1, sizeof(*headers));
    gr_sim_request request = { .method = x->method,
                               .url = x->url,
                               .headers = headers,
                               .header_count = x->header_count,
                               .body = x->body,
                               .body_size = x->body_size };
    const char *at = x->head.data;

    x->reply.status = 200;
    x->reply.body.max = GRI_SIM_REPLY_MAX;
    x->reply.failed = headers == NULL;
    for (size_t i = 0; headers != NULL && i < x->header_count; i++) {
        headers[i].name = at;
        headers[i].value = at + strlen(at) + 1;
        at = headers[i].value + strlen(headers[i].value) + 1;
    }
    if (headers != NULL)
        s->fn(s->arg, &request, &x->reply);
    gri_free(headers);
    if (happens(x, GRI_AT_HTTP_STATUS))
        gri_sim_reply_refuse(&x->reply, &s->sim->chance);
    if (happens(x, GRI_AT_HTTP_GARBLED))
        gri_sim_reply_spoil(&x->reply, &s->sim->chance);
}

/* silence draws how long the server lets us wait for what comes next. */
static uint64_t silence(struct sim_exchange *x, uint64_t usual_ns)
{
    uint64_t most = x->idle_ns < SILENCE_NS / 2 ? x->idle_ns * 2 : SILENCE_NS;

    return draw(x, happens(x, GRI_AT_HTTP_STALL) ? most : usual_ns);
}

static void connected(struct sim_exchange *x, uint64_t now_ns)
{
    if (happens(x, GRI_AT_HTTP_REFUSED)) {
        finish(x, gr_error(GR_EUNREACH, "connecting to %s: connection refused", x->peer));
        return;
    }
    ask(x);
    if (x->reply.failed) {
        finish(x, gr_error(GR_ENOMEM, "%s: no memory for the request", x->peer));
        return;
    }
    x->phase = ASKED;
    x->heard_ns = now_ns;
    x->due_ns = now_ns + silence(x, ANSWER_NS);
}

static bool hung_up(struct sim_exchange *x)
{
    const struct gri_sim_stop *stop =
        x->stop < x->reply.stop_count ? &x->reply.stops[x->stop] : NULL;

    return (stop != NULL && stop->at <= x->at && stop->hang_up) || happens(x, GRI_AT_HTTP_RESET);
}

static void lose(struct sim_exchange *x)
{
    finish(x,
           gr_error(GR_EUNREACH, "%s: the connection was lost: connection reset by peer", x->peer));
}

/* pass_stops makes the server wait where it should; false: it does. */
static bool pass_stops(struct sim_exchange *x, uint64_t now_ns)
{
    if (x->stop >= x->reply.stop_count || x->reply.stops[x->stop].at > x->at)
        return true;
    x->due_ns = now_ns + x->reply.stops[x->stop++].wait_ns;
    return false;
}

static void answered(struct sim_exchange *x, uint64_t now_ns)
{
    if (x->reply.not_http) {
        finish(x, gr_error(GR_EPROTO, "%s: the answer is not HTTP", x->peer));
    } else if (x->reply.head.len > GRI_HTTP_HEAD_MAX) {
        finish(x, gr_error(GR_EPROTO, "%s: the answer's headers are over %d bytes", x->peer,
                           GRI_HTTP_HEAD_MAX));
    } else {
        x->phase = ANSWERING;
        x->heard_ns = now_ns;
        x->due_ns = now_ns;
        x->events.status(x->arg, x->reply.status, &x->base);
    }
}

/* piece_len is how much of the body comes next. */
static size_t piece_len(struct sim_exchange *x)
{
    size_t end = x->stop < x->reply.stop_count ? x->reply.stops[x->stop].at : x->reply.body.len;
    size_t len = end - x->at, most = PIECE_MOST;

    if (happens(x, GRI_AT_HTTP_SPLIT))
        most = 1 + (size_t)draw(x, SPLIT_MOST);
    return len < most ? len : most;
}

static void deliver(struct sim_exchange *x)
{
    size_t len = piece_len(x);

    x->resumed = false;
    if (x->events.bytes(x->arg, x->reply.body.data + x->at, len)) {
        x->at += len;
        x->due_ns = gri_clock_ns() + silence(x, PIECE_NS);
    } else {
        x->paused = true;
    }
    x->heard_ns = gri_clock_ns();
}

static void go_on(struct sim_exchange *x, uint64_t now_ns)
{
    if (x->phase == CONNECTING)
        connected(x, now_ns);
    else if (hung_up(x))
        lose(x);
    else if (x->phase == ASKED && pass_stops(x, now_ns))
        answered(x, now_ns);
    else if (x->phase == ASKED || !pass_stops(x, now_ns))
        return;
    else if (x->at < x->reply.body.len)
        deliver(x);
    else
        finish(x, NULL);
}

/* ---- the thread ------------------------------------------------------------------------------ */

static struct sim_exchange *soonest(struct sim_server *s)
{
    struct sim_exchange *first = NULL;

    for (struct gri_list *n = s->live.next; n != &s->live; n = n->next)
        if (first == NULL || next_of(exchange_of(n)) < next_of(first))
            first = exchange_of(n);
    return first;
}

static void turn(struct sim_exchange *x, uint64_t now_ns)
{
    gri_check(x != NULL); /* soonest was asked after its due time was */
    if (x->canceled) {
        finish(x, gr_error(GR_ECANCELED, "the request to %s was cancelled", x->peer));
    } else if (x->paused && x->resumed) {
        x->paused = false;
        x->heard_ns = x->due_ns = now_ns;
    } else if (!x->paused && x->due_ns <= now_ns && x->due_ns <= limit_of(x)) {
        go_on(x, now_ns);
    } else if (limit_of(x) <= now_ns) {
        finish(x, time_out(x, now_ns));
    }
}

static void *run(void *arg)
{
    struct sim_server *s = arg;

    while (!s->stopping) {
        uint32_t seen = atomic_load(&s->wake);
        struct sim_exchange *x = soonest(s);
        uint64_t now_ns = gri_clock_ns(), next = x != NULL ? next_of(x) : GRI_NEVER;

        if (next <= now_ns)
            turn(x, now_ns);
        else
            gri_futex_wait(&s->wake, seen, next);
    }
    while (!gri_list_empty(&s->live)) {
        struct sim_exchange *x = exchange_of(s->live.next);

        finish(x,
               gr_error(GR_ECANCELED, "the request to %s was cancelled: shutting down", x->peer));
    }
    return NULL;
}

static void stop_server(void *object)
{
    struct sim_server *s = object;

    s->stopping = true;
    wake(s);
    gri_thread_join(&s->thread);
    gri_check(s->in_flight == 0);
    gri_free(s);
}

static gr_code make_server(gr_runtime *rt, struct gri_service *ret_service)
{
    struct sim_server *s = gri_new0(struct sim_server);
    gr_code rc;

    if (s == NULL)
        return GR_ENOMEM;
    s->rt = rt;
    s->sim = gri_sched_of(rt)->sim;
    s->fn = gri_sim_openai;
    gri_list_init(&s->live);
    rc = gri_thread_start(&s->thread, "gr-http", run, s);
    if (rc != GR_OK) {
        gri_free(s);
        return rc;
    }
    *ret_service = (struct gri_service){ .object = s, .stop = stop_server };
    return GR_OK;
}

gr_code gr_sim_http(gr_runtime *rt, gr_sim_http_fn *fn, void *arg)
{
    struct sim_server *s;

    if (rt == NULL || gri_sched_of(rt)->sim == NULL || gri_sched_of(rt)->sim != gri_sim_here())
        return GR_EINVAL;
    s = gri_service_get(rt, GRI_SERVICE_HTTP, make_server);
    if (s == NULL)
        return GR_ENOMEM;
    s->fn = fn != NULL ? fn : gri_sim_openai;
    s->arg = fn != NULL ? arg : NULL;
    return GR_OK;
}

size_t gri_sim_http_live(gr_runtime *rt)
{
    struct sim_server *s = gri_service_get(rt, GRI_SERVICE_HTTP, make_server);

    return s != NULL ? s->in_flight : 0;
}

/* ---- starting -------------------------------------------------------------------------------- */

/* peer_name gives "host:port" of a URL that http.c has found good; never what stands before an @. */
static char *peer_name(const char *url)
{
    const char *host = strchr(url, ':') + 3, *end = host + strcspn(host, "/?#");
    const char *at = memchr(host, '@', (size_t)(end - host)), *port;
    struct gri_strbuf b = GRI_STRBUF_INIT;

    if (at != NULL)
        host = at + 1;
    port = memrchr(host, ':', (size_t)(end - host));
    gri_strbuf_add(&b, host, (size_t)(end - host));
    if (port == NULL || end[-1] == ']')
        gri_strbuf_adds(&b, strncasecmp(url, "https", 5) == 0 ? ":443" : ":80");
    return gri_strbuf_take(&b);
}

static void add_header(struct sim_exchange *x, const char *name, size_t name_len, const char *value)
{
    gri_strbuf_add(&x->head, name, name_len);
    gri_strbuf_addc(&x->head, '\0');
    gri_strbuf_add(&x->head, value, strlen(value) + 1);
    x->header_count++;
}

static bool copy_request(struct sim_exchange *x, const struct gri_http_request *req)
{
    const char *secret = req->secret_header;

    x->method = gri_strdup(req->method);
    x->url = gri_strdup(req->url);
    x->peer = peer_name(req->url);
    x->body = gri_alloc(req->body_size + 1);
    if (x->body != NULL) {
        if (req->body_size > 0)
            memcpy(x->body, req->body, req->body_size);
        x->body[req->body_size] = '\0';
    }
    x->body_size = req->body_size;
    for (size_t i = 0; i < req->header_count; i++)
        add_header(x, req->headers[i].name, strlen(req->headers[i].name), req->headers[i].value);
    if (secret != NULL) {
        const char *colon = strchr(secret, ':');

        add_header(x, secret, (size_t)(colon - secret), colon + 1 + strspn(colon + 1, " \t"));
    }
    return x->method != NULL && x->url != NULL && x->peer != NULL && x->body != NULL &&
           !x->head.failed;
}

static uint64_t limit_ns(uint64_t ms, uint64_t otherwise)
{
    return (ms == 0 ? otherwise : ms < INT32_MAX ? ms : INT32_MAX) * NS_PER_MS;
}

static struct sim_exchange *exchange_new(struct sim_server *s, const struct gri_http_request *req,
                                         const struct gri_http_events *events, void *arg)
{
    struct sim_exchange *x = gri_new0(struct sim_exchange);

    if (x == NULL)
        return NULL;
    x->base.driver = &gri_http_sim;
    gri_list_init(&x->node);
    x->server = s;
    x->events = *events;
    x->arg = arg;
    x->deadline_ns = req->deadline_ns == 0 ? GRI_NEVER : req->deadline_ns;
    x->connect_ns = limit_ns(req->connect_timeout_ms, GRI_HTTP_CONNECT_MS);
    x->idle_ns = limit_ns(req->idle_timeout_ms, GRI_HTTP_IDLE_MS);
    if (!copy_request(x, req)) {
        exchange_free(x);
        return NULL;
    }
    return x;
}

static gr_code refuse(gr_value **reterr, gr_code code, const char *why)
{
    if (reterr != NULL)
        *reterr = gr_error(code, "HTTP request: %s", why);
    return code;
}

static gr_code sim_start(gr_runtime *rt, const struct gri_http_request *req,
                         const struct gri_http_events *events, void *arg,
                         struct gri_http_exchange **ret_x, gr_value **reterr)
{
    struct sim_server *s = gri_service_get(rt, GRI_SERVICE_HTTP, make_server);
    struct sim_exchange *x;

    if (s == NULL)
        return refuse(reterr, GR_ENOMEM, "no thread for HTTP, or the runtime is shutting down");
    x = exchange_new(s, req, events, arg);
    if (x == NULL)
        return refuse(reterr, GR_ENOMEM, "no memory");
    if (s->stopping || s->in_flight >= gri_world_of(rt)->http_limits.requests_max) {
        exchange_free(x);
        return s->stopping ? refuse(reterr, GR_ECANCELED, "the runtime is shutting down")
                           : refuse(reterr, GR_EFULL, "too many are under way");
    }
    x->heard_ns = gri_clock_ns();
    x->due_ns =
        x->heard_ns + draw(x, happens(x, GRI_AT_HTTP_LATE) ? x->connect_ns * 2 : CONNECT_NS);
    s->in_flight++;
    gri_list_push(&s->live, &x->node);
    *ret_x = &x->base;
    wake(s); /* x may be over and gone from here on */
    return GR_OK;
}

const struct gri_http_driver gri_http_sim = {
    .start = sim_start,
    .header_of = sim_header_of,
    .resume = sim_resume,
    .cancel = sim_cancel,
    .stop = NULL,
};
