/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reactor.c - the HTTP thread: one curl multi handle on an epoll of our own.
 *
 * Other threads never touch the multi handle. They leave an ask (start, resume, cancel) with an
 * exchange, put it into the queue `asked`, and wake the thread if it sleeps. The thread alone ends
 * exchanges: it takes the handle out of curl, reports end or error, and frees. What orders it all:
 *
 *   - An ask needs no memory: the list node is in the exchange, asks that pile up are bits of it.
 *   - `asleep` is set under the lock only while `asked` is empty, and the thread sleeps at once;
 *     so an ask is either seen before sleeping, or finds `asleep` and writes to event_fd.
 *   - No event is reported, and curl is not called, with the lock held.
 *   - The queue is served between calls of curl, never inside its callbacks: so a resume that
 *     arrives while `bytes` is still deciding to pause isn't lost.
 */
#include "runtime/http/reactor.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/sched/sched.h"
#include "runtime/sched/service.h"
#include "runtime/sched/world.h"

#define READY_MAX 128         /* sockets looked at in one turn */
#define ASKS_MAX 1024         /* asks served in one turn, so that sockets get theirs */
#define IDLE_CONNECTIONS 256L /* connections kept open for the next request */
#define NS_PER_MS UINT64_C(1000000)
/* Workers are woken for what has come at the end of a turn, in a long one after this time: each wake costs
 * more than a token, and a worker that is woken for one often finds the next one not there yet. */
#define WAKE_NS UINT64_C(500000)

/* ---- from any thread ------------------------------------------------------------------------ */

/* wake_locked makes the thread look at its queue. The write can't fail: the counter never fills. */
static void wake_locked(struct reactor *r)
{
    uint64_t one = 1;
    ssize_t n = 0;

    if (!r->asleep)
        return;
    r->asleep = false;
    n = write(r->event_fd, &one, sizeof(one));
    gri_check(n == (ssize_t)sizeof(one));
}

static void ask(struct exchange *x, unsigned what)
{
    struct reactor *r = x->reactor;

    gri_lock(&r->lock);
    if (x->asks == 0)
        gri_list_push(&r->asked, &x->asked);
    x->asks |= what;
    wake_locked(r);
    gri_unlock(&r->lock);
}

/* accept hands x to the thread. It may be over and gone before this returns. */
static gr_code accept_exchange(struct reactor *r, struct exchange *x)
{
    gr_code rc = GR_OK;

    gri_lock(&r->lock);
    if (r->stopping)
        rc = GR_ECANCELED;
    else if (r->in_flight >= r->limits.requests_max)
        rc = GR_EFULL;
    if (rc == GR_OK) {
        r->in_flight++;
        x->asks = ASK_START;
        gri_list_push(&r->asked, &x->asked);
        wake_locked(r);
    }
    gri_unlock(&r->lock);
    return rc;
}

static gr_value *refusal(const struct reactor *r, gr_code code)
{
    if (code == GR_EFULL)
        return gr_error(GR_EFULL, "HTTP request: %zu are under way", r->limits.requests_max);
    if (code == GR_ECANCELED)
        return gr_error(GR_ECANCELED, "HTTP request: the runtime is shutting down");
    return gr_error(GR_ENOMEM, "HTTP request: no thread for HTTP, or the runtime is shutting down");
}

static gr_code make_reactor(gr_runtime *rt, struct gri_service *ret_service);

static gr_code curl_start(gr_runtime *rt, const struct gri_http_request *req,
                          const struct gri_http_events *events, void *arg,
                          struct gri_http_exchange **ret_x, gr_value **reterr)
{
    struct reactor *r = gri_service_get(rt, GRI_SERVICE_HTTP, make_reactor);
    struct exchange *x = NULL;
    uint64_t now_ns = 0;
    gr_code rc = GR_ENOMEM;
    gr_value *err = NULL;

    if (r == NULL) {
        err = refusal(r, rc);
        goto out;
    }
    rc = gri_exchange_new(r, req, events, arg, &x, &err);
    if (rc != GR_OK)
        goto out;
    if (req->deadline_ns != 0) {
        now_ns = gri_now(rt);
        x->deadline_ns = gri_clock_ns();
        if (req->deadline_ns > now_ns)
            x->deadline_ns += req->deadline_ns - now_ns;
        if (req->deadline_ns > now_ns && x->deadline_ns < req->deadline_ns - now_ns)
            x->deadline_ns = GRI_NEVER;
    }
    *ret_x = &x->base;
    rc = accept_exchange(r, x);
    if (rc != GR_OK) {
        err = refusal(r, rc);
        gri_exchange_free(x);
        *ret_x = NULL;
    }
out:
    if (rc != GR_OK && reterr != NULL)
        *reterr = err;
    else
        gr_value_unref(err);
    return rc;
}

static const char *curl_header_of(struct gri_http_exchange *x, const char *name)
{
    return gri_exchange_header(gri_container_of(x, struct exchange, base), name);
}

static void curl_resume(struct gri_http_exchange *x)
{
    ask(gri_container_of(x, struct exchange, base), ASK_RESUME);
}

static void curl_cancel(struct gri_http_exchange *base)
{
    struct exchange *x = gri_container_of(base, struct exchange, base);

    atomic_store_explicit(&x->canceled, true, memory_order_relaxed);
    ask(x, ASK_CANCEL);
}

const struct gri_http_driver gri_http_curl = {
    .start = curl_start,
    .header_of = curl_header_of,
    .resume = curl_resume,
    .cancel = curl_cancel,
    .stop = NULL,
};

/* ---- on the HTTP thread --------------------------------------------------------------------- */

/* finish ends x: err NULL is a good end. Whoever holds x may still ask until the
 * event has returned. */
static void finish(struct reactor *r, struct exchange *x, gr_value *err)
{
    if (x->added)
        curl_multi_remove_handle(r->multi, x->easy);
    x->added = false;
    gri_due_remove(r, x);
    gri_list_remove(&x->live);
    if (err != NULL)
        x->events.error(x->arg, err);
    else
        x->events.end(x->arg);
    gri_lock(&r->lock);
    gri_list_remove(&x->asked);
    x->asks = 0;
    r->in_flight--;
    gri_unlock(&r->lock);
    gri_exchange_free(x);
}

static void begin(struct reactor *r, struct exchange *x)
{
    CURLMcode mc = CURLM_OUT_OF_MEMORY;

    gri_list_push(&r->live, &x->live);
    if (gri_due_add(r, x))
        mc = curl_multi_add_handle(r->multi, x->easy);
    x->added = mc == CURLM_OK;
    if (mc != CURLM_OK)
        finish(r, x, gri_exchange_error(x, CURLE_OUT_OF_MEMORY));
}

/* resume lets curl deliver what it holds, at once, inside curl_easy_pause. */
static void resume(struct reactor *r, struct exchange *x)
{
    CURLcode code = CURLE_OK;

    if (!x->paused)
        return;
    x->paused = false;
    x->heard_ns = gri_clock_ns();
    gri_due_update(r, x);
    if (x->http2) {
        if (gri_held_give(x) && x->over)
            finish(r, x, NULL);
        return;
    }
    code = curl_easy_pause(x->easy, CURLPAUSE_CONT);
    if (code != CURLE_OK)
        finish(r, x, gri_exchange_error(x, code));
}

/* next_ask takes the first exchange out of the queue, its asks in *ret_asks; NULL
 * when it is empty. */
static struct exchange *next_ask(struct reactor *r, unsigned *ret_asks)
{
    struct gri_list *node = NULL;
    struct exchange *x = NULL;

    gri_lock(&r->lock);
    node = gri_list_pop(&r->asked);
    if (node != NULL) {
        x = gri_container_of(node, struct exchange, asked);
        *ret_asks = x->asks;
        x->asks = 0;
    }
    gri_unlock(&r->lock);
    return x;
}

static void serve_asks(struct reactor *r)
{
    struct exchange *x = NULL;
    unsigned asks = 0;

    for (int i = 0; i < ASKS_MAX && (x = next_ask(r, &asks)) != NULL; i++) {
        if ((asks & ASK_CANCEL) != 0)
            finish(r, x, gri_exchange_error(x, CURLE_ABORTED_BY_CALLBACK));
        else if ((asks & ASK_START) != 0)
            begin(r, x);
        else
            resume(r, x);
    }
}

/* complete ends a transfer that went well, unless its reader is still to take some of it. */
static void complete(struct reactor *r, struct exchange *x)
{
    if (x->held.len == 0) {
        finish(r, x, NULL);
        return;
    }
    curl_multi_remove_handle(r->multi, x->easy);
    x->added = false;
    x->over = true;
}

/* reap ends the transfers that curl is done with. */
static void reap(struct reactor *r)
{
    CURLMsg *msg = NULL;
    struct exchange *x = NULL;
    CURLcode code = CURLE_OK;
    int left = 0;

    while ((msg = curl_multi_info_read(r->multi, &left)) != NULL) {
        if (msg->msg != CURLMSG_DONE)
            continue;
        code = msg->data.result;
        gri_check(curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &x) == CURLE_OK);
        if (code == CURLE_OK && x->answered)
            complete(r, x);
        else
            finish(r, x, gri_exchange_error(x, code));
    }
}

/* expire ends what is past its time. A due_ns that turns out to be old is brought up to date. */
static void expire(struct reactor *r)
{
    uint64_t now_ns = gri_clock_ns();

    while (r->heap_count > 0 && r->heap[0]->due_ns <= now_ns) {
        struct exchange *x = r->heap[0];

        if (gri_due_of(x) > now_ns)
            gri_due_update(r, x);
        else
            finish(r, x, gri_exchange_timeout(x, now_ns));
    }
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct reactor *r = arg;

    (void)multi;
    r->curl_due_ns = timeout_ms < 0 ? GRI_NEVER : gri_clock_ns() + (uint64_t)timeout_ms * NS_PER_MS;
    return 0;
}

/* unwatched marks the transfer whose socket can't be watched: nothing would move it on any more.
 * fail_stuck ends it; here we are inside curl. */
static void unwatched(struct reactor *r, CURL *easy, int error)
{
    struct exchange *x = NULL;

    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &x) != CURLE_OK || x == NULL)
        return; /* a handle of curl's own, that closes an idle connection */
    x->failed = error == ENOMEM || error == ENOSPC ? GR_ENOMEM : GR_EUNREACH;
    r->some_failed = true;
}

/* stop_watching: the socket may be closed already, which has taken it out; curl says so only afterwards
 * of one that had not connected yet. Then its number may be somebody else's, which epoll does not
 * know. */
static void stop_watching(struct reactor *r, curl_socket_t fd)
{
    epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* on_interest keeps epoll in step with the sockets curl wants watched. */
static int on_interest(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct reactor *r = arg;
    struct epoll_event event = { .events = 0, .data.fd = fd };

    (void)socket_arg;
    if (what == CURL_POLL_REMOVE) {
        stop_watching(r, fd);
        return 0;
    }
    if ((what & CURL_POLL_IN) != 0)
        event.events |= EPOLLIN;
    if ((what & CURL_POLL_OUT) != 0)
        event.events |= EPOLLOUT;
    if (epoll_ctl(r->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0 ||
        (errno == ENOENT && epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0))
        return 0;
    unwatched(r, easy, errno);
    return 0;
}

static void drive_curl(struct reactor *r, curl_socket_t fd, int what)
{
    int running = 0;
    CURLMcode mc = curl_multi_socket_action(r->multi, fd, what, &running);

    if (mc != CURLM_OK && mc != CURLM_BAD_SOCKET)
        r->all_failed = true;
}

/* fail_stuck ends the transfers that nothing would move on any more. */
static void fail_stuck(struct reactor *r)
{
    bool all = r->all_failed;
    struct gri_list *node = NULL, *next = NULL;

    if (!all && !r->some_failed)
        return;
    r->all_failed = r->some_failed = false;
    for (node = r->live.next; node != &r->live; node = next) {
        struct exchange *x = gri_container_of(node, struct exchange, live);

        next = node->next;
        if (all || x->failed != GR_OK)
            finish(r, x, gri_exchange_error(x, CURLE_OUT_OF_MEMORY));
    }
}

/* sleep_ms returns how long epoll may wait, and marks the thread asleep if that is
 * any time at all. */
static int sleep_ms(struct reactor *r)
{
    uint64_t now_ns = gri_clock_ns(), due_ns = r->curl_due_ns, ms = 0;

    if (r->heap_count > 0 && r->heap[0]->due_ns < due_ns)
        due_ns = r->heap[0]->due_ns;
    if (due_ns == GRI_NEVER)
        ms = INT_MAX;
    else if (due_ns > now_ns)
        ms = (due_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
    gri_lock(&r->lock);
    if (!gri_list_empty(&r->asked) || r->stopping)
        ms = 0;
    r->asleep = ms > 0;
    gri_unlock(&r->lock);
    return ms > 0 && due_ns == GRI_NEVER ? -1 : ms < INT_MAX ? (int)ms : INT_MAX;
}

static bool is_stopping(struct reactor *r)
{
    bool stopping = false;

    gri_lock(&r->lock);
    r->asleep = false;
    stopping = r->stopping;
    gri_unlock(&r->lock);
    return stopping;
}

static void turn(struct reactor *r, struct epoll_event ready[READY_MAX])
{
    int count = epoll_wait(r->epoll_fd, ready, READY_MAX, sleep_ms(r));
    uint64_t drained = 0, held_ns = gri_clock_ns(), now_ns = 0;

    gri_wakes_hold(r->sched);
    for (int i = 0; i < count; i++) {
        uint32_t events = ready[i].events;

        now_ns = gri_clock_ns();
        if (now_ns - held_ns >= WAKE_NS) {
            gri_wakes_release();
            gri_wakes_hold(r->sched);
            held_ns = now_ns;
        }
        if (ready[i].data.fd == r->event_fd) {
            if (read(r->event_fd, &drained, sizeof(drained)) < 0)
                gri_check(errno == EAGAIN || errno == EINTR);
            continue;
        }
        drive_curl(r, ready[i].data.fd,
                   ((events & (EPOLLIN | EPOLLHUP)) != 0 ? CURL_CSELECT_IN : 0) |
                       ((events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                       ((events & EPOLLERR) != 0 ? CURL_CSELECT_ERR : 0));
    }
    if (r->curl_due_ns <= gri_clock_ns()) {
        r->curl_due_ns = GRI_NEVER;
        drive_curl(r, CURL_SOCKET_TIMEOUT, 0);
    }
    reap(r);
    fail_stuck(r);
    expire(r);
    gri_wakes_release();
}

/* end_all ends what is left at shutdown. Nothing new can come: `stopping` refuses it. */
static void end_all(struct reactor *r)
{
    struct exchange *x = NULL;
    unsigned asks = 0;

    while ((x = next_ask(r, &asks)) != NULL) {
        if ((asks & ASK_START) != 0)
            gri_list_push(&r->live, &x->live);
    }
    while (!gri_list_empty(&r->live)) {
        x = gri_container_of(r->live.next, struct exchange, live);
        finish(r, x,
               gr_error(GR_ECANCELED, "the request to %s was cancelled: shutting down", x->peer));
    }
}

static void *run(void *arg)
{
    struct reactor *r = arg;
    struct epoll_event ready[READY_MAX];

    while (!is_stopping(r)) {
        serve_asks(r);
        turn(r, ready);
    }
    end_all(r);
    return NULL;
}

/* ---- making and stopping -------------------------------------------------------------------- */

static void free_reactor(struct reactor *r)
{
    if (r == NULL)
        return;
    gri_check(r->in_flight == 0);
    if (r->multi != NULL)
        curl_multi_cleanup(r->multi);
    if (r->event_fd >= 0)
        close(r->event_fd);
    if (r->epoll_fd >= 0)
        close(r->epoll_fd);
    gri_free(r->heap);
    gri_free(r);
}

static void stop_reactor(void *object)
{
    struct reactor *r = object;

    gri_lock(&r->lock);
    r->stopping = true;
    wake_locked(r);
    gri_unlock(&r->lock);
    gri_thread_join(&r->thread);
    free_reactor(r);
}

static CURLMcode set_multi(struct reactor *r)
{
    CURLMcode mc = curl_multi_setopt(r->multi, CURLMOPT_SOCKETFUNCTION, on_interest);

    if (mc == CURLM_OK)
        mc = curl_multi_setopt(r->multi, CURLMOPT_SOCKETDATA, r);
    if (mc == CURLM_OK)
        mc = curl_multi_setopt(r->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    if (mc == CURLM_OK)
        mc = curl_multi_setopt(r->multi, CURLMOPT_TIMERDATA, r);
    if (mc == CURLM_OK)
        mc = curl_multi_setopt(r->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS);
    if (mc == CURLM_OK)
        mc = curl_multi_setopt(r->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                               (long)r->limits.host_connections_max);
    if (mc == CURLM_OK)
        mc = curl_multi_setopt(r->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                               (long)r->limits.connections_max);
    return mc;
}

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready = CURLE_FAILED_INIT;

/* Process state that DESIGN permits: never torn down, since the host may use curl too. */
static void init_curl(void)
{
    curl_ready = gri_curl_init();
}

static gr_code make_reactor(gr_runtime *rt, struct gri_service *ret_service)
{
    struct epoll_event event = { .events = EPOLLIN };
    struct reactor *r = gri_new0(struct reactor);
    gr_code rc = GR_ENOMEM;

    pthread_once(&curl_once, init_curl);
    if (r == NULL)
        return GR_ENOMEM;
    r->sched = gri_sched_of(rt);
    r->limits = gri_world_of(rt)->http_limits;
    gri_list_init(&r->asked);
    gri_list_init(&r->live);
    r->curl_due_ns = GRI_NEVER;
    r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    r->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    event.data.fd = r->event_fd;
    if (curl_ready != CURLE_OK || r->epoll_fd < 0 || r->event_fd < 0 ||
        epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, r->event_fd, &event) != 0)
        goto out;
    r->multi = curl_multi_init();
    if (r->multi == NULL || set_multi(r) != CURLM_OK)
        goto out;
    rc = gri_thread_start(&r->thread, "gr-http", run, r);
    if (rc != GR_OK)
        goto out;
    ret_service->object = r;
    ret_service->stop = stop_reactor;
    r = NULL; /* handed over */
out:
    free_reactor(r);
    return rc;
}
