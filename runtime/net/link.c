/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link.c - frames over an nng_stream. See link_nng.h for who may do what.
 *
 * Reading is in link_read.c, writing in link_write.c. Ending: the task
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

struct gri_nng_link *gri_nng_link_of(struct gri_link *base)
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

void gri_nng_link_close(struct gri_link *base, gr_value *why)
{
    struct gri_nng_link *l = gri_nng_link_of(base);

    gri_lock(&l->lock);
    if (!l->closing) {
        l->closing = true;
        if (l->why == NULL) { /* one that is finishing has its reason */
            l->why = why;
            why = NULL;
        }
    }
    gri_unlock(&l->lock);
    gr_value_unref(why);
    gri_nng_link_ask(l, ASK_CLOSE);
}

static void link_finish(struct gri_link *base, gr_value *why)
{
    struct gri_nng_link *l = gri_nng_link_of(base);
    bool idle;

    gri_lock(&l->lock);
    if (!l->closing && !l->finishing) {
        l->finishing = true;
        l->why = why;
        why = NULL;
    }
    idle = !l->writing && l->pending.len == 0;
    gri_unlock(&l->lock);
    gr_value_unref(why);
    if (idle)
        gri_nng_link_close(base, NULL); /* else the end of the last write does */
}

/* fail: the URL was right when the link was made, so what is wrong now is the way to the peer. */
void gri_nng_link_fail(struct gri_nng_link *l, const char *doing, int rv)
{
    gr_code rc = gri_from_nng(rv);

    gri_nng_link_close(
        &l->base, gr_error(rc == GR_EINVAL ? GR_EUNREACH : rc, "%s: %s", doing, nng_strerror(rv)));
}

static void link_vitals(struct gri_link *base, struct gri_vitals *ret)
{
    struct gri_nng_link *l = gri_nng_link_of(base);

    ret->heard_ns = atomic_load_explicit(&l->heard_ns, memory_order_relaxed);
    ret->waiting_ns = atomic_load_explicit(&l->waiting_ns, memory_order_relaxed);
    ret->bytes_out = atomic_load_explicit(&l->bytes_out, memory_order_relaxed);
    ret->bytes_in = atomic_load_explicit(&l->bytes_in, memory_order_relaxed);
}

static void link_limit(struct gri_link *base, size_t frame_max)
{
    gri_nng_link_of(base)->frame_max = frame_max;
}

/* ---- the task -------------------------------------------------------------------------------- */

/* stop ends what nng does for us and waits for its callbacks. */
static void stop(struct gri_nng_link *l)
{
    uint32_t urging;

    gri_lock(&l->lock);
    l->stopping = true;
    gri_unlock(&l->lock);
    /* acquire: what who urges or cancels did is over, and nobody does so again */
    while ((urging = atomic_load_explicit(&l->urging, memory_order_acquire)) != 0)
        gri_futex_wait(&l->urging, urging, GRI_NEVER);
    if (l->dialer != NULL)
        nng_stream_dialer_close(l->dialer);
    if (l->dial_aio != NULL)
        nng_aio_stop(l->dial_aio); /* before looking at what it may just have set */
    if (l->stream != NULL)
        nng_stream_close(l->stream);
    nng_aio_stop(l->read_aio);
    nng_aio_stop(l->write_aio);
    nng_aio_stop(l->perch_aio);
    nng_aio_stop(l->try_aio);
    nng_aio_stop(l->try_read_aio);
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

/* asked takes what the task is asked to do, besides what it has put off. 0: nothing, for now; *ret_again: it is to run
 * again, else it may run elsewhere from here on, and the link be gone. */
static unsigned asked(struct gri_nng_link *l, unsigned later, bool *ret_again)
{
    unsigned asks;

    gri_lock(&l->lock);
    asks = l->asks | later;
    l->asks = 0;
    if (asks == 0)
        *ret_again = l->queued = l->later != 0;
    gri_unlock(&l->lock);
    return asks;
}

static void run(struct gri_task *t)
{
    struct gri_nng_link *l = gri_container_of(t, struct gri_nng_link, task);
    unsigned later = l->later, asks;
    bool again = false;

    l->later = 0;
    while ((asks = asked(l, later, &again)) != 0) {
        if ((asks & ASK_CLOSE) != 0) {
            go_down(l);
            return;
        }
        if ((asks & ASK_UP) != 0) {
            l->events->up(l->arg);
            gri_nng_post_read(l);
        }
        if ((asks & ASK_SEND) != 0)
            gri_nng_write_out(l, (later & ASK_SEND) != 0);
        if ((asks & (ASK_DATA | ASK_LOOK)) != 0)
            gri_nng_read_in(l, (asks & ASK_DATA) != 0);
        later = 0;
    }
    if (again)
        gri_ready_later(l->sched, &l->task);
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
    nng_aio_free(l->perch_aio);
    nng_aio_free(l->try_aio);
    nng_aio_free(l->try_read_aio);
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
    gri_nng_link_unref(gri_nng_link_of(base));
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
    if (nng_aio_alloc(&l->read_aio, gri_nng_on_read, l) != 0 ||
        nng_aio_alloc(&l->write_aio, gri_nng_on_written, l) != 0 ||
        nng_aio_alloc(&l->perch_aio, NULL, NULL) != 0 ||
        nng_aio_alloc(&l->try_aio, NULL, NULL) != 0 ||
        nng_aio_alloc(&l->try_read_aio, NULL, NULL) != 0) {
        link_free(l);
        return NULL;
    }
    nng_aio_set_timeout(l->read_aio, NNG_DURATION_INFINITE);
    nng_aio_set_timeout(l->write_aio, NNG_DURATION_INFINITE);
    nng_aio_set_timeout(l->perch_aio, NNG_DURATION_INFINITE);
    nng_aio_set_timeout(l->try_aio, NNG_DURATION_INFINITE);
    nng_aio_set_timeout(l->try_read_aio, NNG_DURATION_INFINITE);
    gri_nng_perch_init(l);
    return l;
}

static void on_dialled(void *arg)
{
    struct gri_nng_link *l = arg;
    int rv = nng_aio_result(l->dial_aio);

    if (rv != 0) {
        gri_nng_link_fail(l, "connecting", rv);
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

static gr_code link_dial(gr_runtime *rt, const char *url, const struct gri_tls *tls,
                         const struct gri_link_events *events, void *arg,
                         struct gri_link **ret_link, gr_value **reterr)
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
    if (strncmp(url, "ipc:", 4) != 0)
        nng_stream_dialer_set_bool(l->dialer, NNG_OPT_TCP_NODELAY, true);
    l->tls = gri_nng_is_tls(url);
    if (l->tls) {
        gr_code rc = gri_nng_tls_dialer(l->dialer, tls, url, reterr);

        if (rc != GR_OK) {
            link_free(l);
            return rc;
        }
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
    .send = gri_nng_link_send,
    .flush = gri_nng_link_flush,
    .urge = gri_nng_link_urge,
    .vitals = link_vitals,
    .limit = link_limit,
    .close = gri_nng_link_close,
    .finish = link_finish,
    .release = link_release,
};
