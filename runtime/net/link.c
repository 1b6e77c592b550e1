/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link.c - frames over an nng_stream. See link_nng.h for who may do what.
 *
 * Reading: a read is posted only when the task has handled all that came before, so `got` needs no
 * lock, and a peer that sends faster than we handle is held up by its socket. Writing: the task
 * starts a write when none is under way, the callback of a write starts the next. Ending: the task
 * closes the stream, waits until the callbacks are over (nng_aio_stop; never from a callback),
 * reports down and lets go.
 */
#include "runtime/net/link_nng.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/net/frame.h"

#define READ_LEAST 4096u        /* room for a read, at least */
#define READ_MOST (256u * 1024) /* and at most, so that others get their turn */

gr_code gri_from_nng(int rv)
{
    switch (rv) {
    case 0: return GR_OK;
    case NNG_ENOMEM: return GR_ENOMEM;
    case NNG_EADDRINVAL:
    case NNG_EINVAL:
    case NNG_ENOTSUP: return GR_EINVAL;
    default: return GR_EUNREACH;
    }
}

static struct gri_nng_link *link_of(struct gri_link *base)
{
    return gri_container_of(base, struct gri_nng_link, base);
}

/* ---- from any thread ------------------------------------------------------------------------- */

void gri_nng_link_ask(struct gri_nng_link *l, unsigned what)
{
    bool ready;

    gri_lock(&l->lock);
    l->asks |= what;
    ready = !l->queued;
    l->queued = true;
    gri_unlock(&l->lock);
    if (ready)
        gri_ready(l->sched, &l->task);
}

static void link_close(struct gri_link *base, gr_value *why)
{
    struct gri_nng_link *l = link_of(base);

    gri_lock(&l->lock);
    if (!l->closing) {
        l->closing = true;
        l->why = why;
        why = NULL;
    }
    gri_unlock(&l->lock);
    gr_value_unref(why);
    gri_nng_link_ask(l, ASK_CLOSE);
}

/* fail: the URL was right when the link was made, so what is wrong now is the way to the peer. */
static void fail(struct gri_nng_link *l, const char *doing, int rv)
{
    gr_code rc = gri_from_nng(rv);

    link_close(&l->base,
               gr_error(rc == GR_EINVAL ? GR_EUNREACH : rc, "%s: %s", doing, nng_strerror(rv)));
}

static gr_code link_send(struct gri_link *base, const void *frames, size_t size, bool must)
{
    struct gri_nng_link *l = link_of(base);
    gr_code rc = GR_OK;
    size_t waiting;
    bool start = false, unread = false;

    gri_lock(&l->lock);
    waiting = l->pending.len + atomic_load_explicit(&l->left, memory_order_relaxed);
    if (l->closing) {
        rc = GR_EUNREACH;
    } else if (!must && waiting > 0 && waiting + size > GRI_LINK_QUEUE_MAX) {
        rc = GR_EFULL;
        l->refused = true;
    } else if (waiting > 0 && waiting + size > GRI_LINK_UNREAD_MAX) {
        rc = GR_EUNREACH;
        unread = true;
    } else {
        gri_strbuf_add(&l->pending, frames, size);
        rc = l->pending.failed ? GR_ENOMEM : GR_OK;
        l->pending.failed = false;
        start = rc == GR_OK && !l->writing && (l->asks & ASK_SEND) == 0;
    }
    gri_unlock(&l->lock);
    if (start)
        gri_nng_link_ask(l, ASK_SEND);
    if (unread)
        link_close(base, gr_error(GR_EUNREACH, "the peer does not read: %zu bytes wait", waiting));
    return rc;
}

static void link_limit(struct gri_link *base, size_t frame_max)
{
    link_of(base)->frame_max = frame_max;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void post_write(struct gri_nng_link *l)
{
    nng_iov iov = { .iov_buf = l->sending.data + l->sent, .iov_len = l->sending.len - l->sent };

    nng_aio_set_iov(l->write_aio, 1, &iov);
    nng_stream_send(l->stream, l->write_aio);
}

/* next_write takes what has gathered and writes it. By whoever has ended the last write, or the
 * task. */
static void next_write(struct gri_nng_link *l, bool task)
{
    struct gri_strbuf done;
    bool go, room;

    if (task) {
        gri_lock(&l->lock);
        go = !l->writing && !l->closing && l->pending.len > 0;
        l->writing = l->writing || go;
        gri_unlock(&l->lock);
        if (!go)
            return;
    }
    done = l->sending;       /* ours: a write is marked as under way, and none is */
    gri_strbuf_clear(&done); /* keeps its memory, which gathers next */
    gri_lock(&l->lock);
    go = l->pending.len > 0 && !l->closing;
    l->sent = 0;
    if (go) {
        l->sending = l->pending;
        l->pending = done;
    } else {
        l->sending = done;
        l->writing = false;
    }
    atomic_store_explicit(&l->left, l->sending.len, memory_order_relaxed);
    room = l->refused && l->sending.len <= GRI_LINK_QUEUE_MAX / 2;
    l->refused = l->refused && !room;
    gri_unlock(&l->lock);
    if (go)
        post_write(l);
    if (room)
        gri_nng_link_ask(l, ASK_ROOM);
}

static void on_written(void *arg)
{
    struct gri_nng_link *l = arg;
    int rv = nng_aio_result(l->write_aio);

    if (rv != 0) {
        fail(l, "sending", rv);
        return;
    }
    l->sent += nng_aio_count(l->write_aio);
    atomic_store_explicit(&l->left, l->sending.len - l->sent, memory_order_relaxed);
    if (l->sent < l->sending.len)
        post_write(l);
    else
        next_write(l, false);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void post_read(struct gri_nng_link *l)
{
    size_t room = l->got.len < READ_LEAST ? READ_LEAST : l->got.len;
    nng_iov iov;

    if (room > READ_MOST)
        room = READ_MOST;
    if (l->got.cap > l->got.len + room && l->got.cap - l->got.len - 1 <= READ_MOST)
        room = l->got.cap - l->got.len - 1; /* what is there anyway */
    if (!gri_strbuf_reserve(&l->got, room)) {
        link_close(&l->base, gr_error(GR_ENOMEM, "out of memory while receiving"));
        return;
    }
    iov = (nng_iov){ .iov_buf = l->got.data + l->got.len, .iov_len = room };
    nng_aio_set_iov(l->read_aio, 1, &iov);
    nng_stream_recv(l->stream, l->read_aio);
}

static void on_read(void *arg)
{
    struct gri_nng_link *l = arg;
    int rv = nng_aio_result(l->read_aio);

    if (rv != 0) {
        fail(l, "receiving", rv);
        return;
    }
    l->got.len += nng_aio_count(l->read_aio);
    gri_nng_link_ask(l, ASK_DATA);
}

static bool is_closing(struct gri_nng_link *l)
{
    bool closing;

    gri_lock(&l->lock);
    closing = l->closing;
    gri_unlock(&l->lock);
    return closing;
}

/* frames_in reports the whole frames that have come, and asks for more. */
static void frames_in(struct gri_nng_link *l)
{
    size_t at = 0, size = 0;

    while (l->got.len - at >= GRI_FRAME_HEAD && !is_closing(l)) {
        const uint8_t *p = (const uint8_t *)l->got.data + at;

        size = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (size == 0 || size > l->frame_max) {
            link_close(&l->base, gr_error(GR_EPROTO,
                                          "a frame of %zu bytes, at most %zu are "
                                          "taken",
                                          size, l->frame_max));
            return;
        }
        if (l->got.len - at - GRI_FRAME_HEAD < size)
            break;
        l->events->frame(l->arg, p + GRI_FRAME_HEAD, size);
        at += GRI_FRAME_HEAD + size;
    }
    if (is_closing(l))
        return;
    gri_strbuf_consume(&l->got, at);
    if (l->got.len == 0 && l->got.cap > 4 * READ_MOST)
        gri_strbuf_fini(&l->got); /* a large frame's memory isn't kept */
    post_read(l);
}

/* ---- the task -------------------------------------------------------------------------------- */

/* stop ends what nng does for us and waits for its callbacks. */
static void stop(struct gri_nng_link *l)
{
    if (l->dialer != NULL)
        nng_stream_dialer_close(l->dialer);
    if (l->dial_aio != NULL)
        nng_aio_stop(l->dial_aio); /* before looking at what it may just have set */
    if (l->stream != NULL)
        nng_stream_close(l->stream);
    nng_aio_stop(l->read_aio);
    nng_aio_stop(l->write_aio);
    if (l->stream != NULL)
        nng_stream_free(l->stream);
    l->stream = NULL;
}

static void go_down(struct gri_nng_link *l)
{
    gr_value *why;

    stop(l);
    gri_lock(&l->lock);
    why = l->why;
    l->why = NULL;
    gri_unlock(&l->lock);
    if (l->listener != NULL)
        atomic_fetch_sub_explicit(&l->listener->links, 1, memory_order_relaxed);
    l->events->down(l->arg, why);
    gri_nng_link_unref(l); /* the driver's. `queued` stays set: the task doesn't run again */
}

static void run(struct gri_task *t)
{
    struct gri_nng_link *l = gri_container_of(t, struct gri_nng_link, task);

    for (;;) {
        unsigned asks;

        gri_lock(&l->lock);
        asks = l->asks;
        l->asks = 0;
        if (asks == 0)
            l->queued = false;
        gri_unlock(&l->lock);
        if (asks == 0)
            return;
        if ((asks & ASK_CLOSE) != 0) {
            go_down(l);
            return;
        }
        if ((asks & ASK_UP) != 0) {
            l->events->up(l->arg);
            post_read(l);
        }
        if ((asks & ASK_DATA) != 0)
            frames_in(l);
        if ((asks & ASK_ROOM) != 0)
            l->events->room(l->arg);
        if ((asks & ASK_SEND) != 0)
            next_write(l, true);
    }
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static void link_free(struct gri_nng_link *l)
{
    if (l->dialer != NULL)
        nng_stream_dialer_free(l->dialer);
    if (l->stream != NULL)
        nng_stream_free(l->stream);
    nng_aio_free(l->dial_aio);
    nng_aio_free(l->read_aio);
    nng_aio_free(l->write_aio);
    gri_strbuf_fini(&l->pending);
    gri_strbuf_fini(&l->sending);
    gri_strbuf_fini(&l->got);
    gr_value_unref(l->why);
    gri_nng_listener_unref(l->listener);
    gri_free(l);
}

void gri_nng_link_unref(struct gri_nng_link *l)
{
    if (l != NULL && atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) == 1)
        link_free(l);
}

static void link_release(struct gri_link *base)
{
    gri_nng_link_unref(link_of(base));
}

struct gri_nng_link *gri_nng_link_new(struct gri_sched *sched)
{
    struct gri_nng_link *l = gri_new0(struct gri_nng_link);

    if (l == NULL)
        return NULL;
    l->base.driver = &gri_net_nng;
    atomic_init(&l->refs, 2);
    l->sched = sched;
    l->task = (struct gri_task){ .run = run, .name = "link" };
    l->frame_max = GRI_FRAME_HELLO_MAX;
    if (nng_aio_alloc(&l->read_aio, on_read, l) != 0 ||
        nng_aio_alloc(&l->write_aio, on_written, l) != 0) {
        link_free(l);
        return NULL;
    }
    nng_aio_set_timeout(l->read_aio, NNG_DURATION_INFINITE);
    nng_aio_set_timeout(l->write_aio, NNG_DURATION_INFINITE);
    return l;
}

static void on_dialled(void *arg)
{
    struct gri_nng_link *l = arg;
    int rv = nng_aio_result(l->dial_aio);

    if (rv != 0) {
        fail(l, "connecting", rv);
        return;
    }
    l->stream = nng_aio_get_output(l->dial_aio, 0);
    gri_nng_link_ask(l, ASK_UP);
}

static pthread_once_t nng_started = PTHREAD_ONCE_INIT;

static void start_nng(void)
{
    sigset_t all, old;
    nng_stream_dialer *d;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    /* making any dialer starts nng's threads; making an aio alone does not */
    if (nng_stream_dialer_alloc(&d, "tcp://127.0.0.1:1") == 0)
        nng_stream_dialer_free(d);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void gri_nng_start(void)
{
    pthread_once(&nng_started, start_nng);
}

static gr_code link_dial(gr_runtime *rt, const char *url, const struct gri_link_events *events,
                         void *arg, struct gri_link **ret_link, gr_value **reterr)
{
    struct gri_nng_link *l = gri_nng_link_new(gri_sched_of(rt));
    int rv = NNG_ENOMEM;

    gri_nng_start();
    if (l != NULL)
        rv = nng_aio_alloc(&l->dial_aio, on_dialled, l);
    if (rv == 0)
        rv = nng_stream_dialer_alloc(&l->dialer, url);
    if (rv != 0) {
        gr_code rc = gri_from_nng(rv);

        *reterr = gr_error(rc, "connecting to %s: %s", url, nng_strerror(rv));
        if (l != NULL)
            link_free(l);
        return rc;
    }
    l->events = events;
    l->arg = arg;
    nng_aio_set_timeout(l->dial_aio,
                        NNG_DURATION_INFINITE); /* the user of the link has its own limit */
    *ret_link = &l->base;
    nng_stream_dialer_dial(l->dialer, l->dial_aio);
    return GR_OK;
}

const struct gri_net_driver gri_net_nng = {
    .dial = link_dial,
    .listen = gri_nng_listen,
    .unlisten = gri_nng_unlisten,
    .send = link_send,
    .limit = link_limit,
    .close = link_close,
    .release = link_release,
};
