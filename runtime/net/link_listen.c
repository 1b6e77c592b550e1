/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_listen.c - accepting links. One accept is outstanding; its callback leaves the stream for
 * the task, which makes the link and asks for the next. After a failure (no file descriptors left,
 * say) it pauses instead of spinning.
 */
#include "runtime/net/link_nng.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/log.h"

#define PAUSE_MS 100

static bool begin_busy(struct gri_nng_listener *n)
{
    bool go;

    gri_lock(&n->lock);
    go = !n->closing;
    n->busy = n->busy || go;
    gri_unlock(&n->lock);
    return go;
}

static void end_busy(struct gri_nng_listener *n)
{
    bool closing;

    gri_lock(&n->lock);
    n->busy = false;
    closing = n->closing;
    gri_unlock(&n->lock);
    if (closing) {
        /* release: pairs with the acquire in gri_nng_unlisten */
        atomic_store_explicit(&n->idle, 1, memory_order_release);
        gri_futex_wake(&n->idle, 1);
    }
}

/* on_event runs when a link was accepted, when that failed, and after a pause. */
static void on_event(void *arg)
{
    struct gri_nng_listener *n = arg;
    int rv = nng_aio_result(n->aio);

    if (rv == NNG_ECLOSED || rv == NNG_ECANCELED)
        return;
    if (rv == 0 && !n->pausing)
        n->accepted = nng_aio_get_output(n->aio, 0);
    n->pausing = rv != 0;
    if (!begin_busy(n))
        return; /* unlisten frees what was accepted */
    atomic_fetch_add_explicit(&n->refs, 1, memory_order_relaxed);
    gri_ready(n->sched, &n->task);
}

static void take_in(struct gri_nng_listener *n, nng_stream *stream)
{
    struct gri_nng_link *l = NULL;

    if (atomic_load_explicit(&n->links, memory_order_relaxed) < GRI_LINKS_MAX)
        l = gri_nng_link_new(n->sched);
    if (l == NULL) {
        gri_log_gated(&n->gate, gri_clock_ns(), GRI_LOG_WARN,
                      "a link was refused: too many, or out of memory");
        nng_stream_free(stream);
        return;
    }
    l->stream = stream;
    l->tls = n->tls;
    l->arg = n->accept(n->arg, &l->base, &l->events);
    if (l->arg == NULL) {
        gri_nng_link_unref(l); /* the user's */
        gri_nng_link_unref(l);
        return;
    }
    atomic_fetch_add_explicit(&n->refs, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&n->links, 1, memory_order_relaxed);
    l->listener = n;
    gri_nng_link_ask(l, ASK_UP);
}

static void run(struct gri_task *t)
{
    struct gri_nng_listener *n = gri_container_of(t, struct gri_nng_listener, task);
    nng_stream *stream = n->accepted;

    n->accepted = NULL;
    if (stream != NULL)
        take_in(n, stream);
    if (n->pausing)
        nng_sleep_aio(PAUSE_MS, n->aio);
    else
        nng_stream_listener_accept(n->listener, n->aio);
    end_busy(n);
    gri_nng_listener_unref(n);
}

static void listener_free(struct gri_nng_listener *n)
{
    if (n->accepted != NULL)
        nng_stream_free(n->accepted);
    if (n->listener != NULL)
        nng_stream_listener_free(n->listener);
    nng_aio_free(n->aio);
    gri_free(n);
}

void gri_nng_listener_unref(struct gri_nng_listener *n)
{
    if (n != NULL && atomic_fetch_sub_explicit(&n->refs, 1, memory_order_acq_rel) == 1)
        listener_free(n);
}

/* start opens the address. *reterr is set if there is more to say than the result. */
static int start(struct gri_nng_listener *n, const char *url, const struct gri_tls *tls,
                 gr_value **reterr)
{
    int rv = nng_aio_alloc(&n->aio, on_event, n);

    if (rv == 0)
        rv = nng_stream_listener_alloc(&n->listener, url);
    if (rv == 0 && strncmp(url, "ipc:", 4) == 0)
        rv = nng_stream_listener_set_int(n->listener, NNG_OPT_IPC_PERMISSIONS, 0600);
    if (rv == 0 &&
        strncmp(url, "ipc:", 4) != 0) /* or the kernel holds back what follows a short write */
        nng_stream_listener_set_bool(n->listener, NNG_OPT_TCP_NODELAY, true);
    n->tls = gri_nng_is_tls(url);
    if (rv == 0 && n->tls && gri_nng_tls_listener(n->listener, tls, url, reterr) != GR_OK)
        return gr_error_code(*reterr) == GR_ENOMEM ? NNG_ENOMEM : NNG_EINVAL;
    if (rv == 0)
        rv = nng_stream_listener_listen(n->listener);
    return rv;
}

gr_code gri_nng_listen(gr_runtime *rt, const char *url, const struct gri_tls *tls,
                       gri_accept_fn *accept, void *arg, struct gri_listener **ret_listener,
                       gr_value **reterr)
{
    struct gri_nng_listener *n = gri_new0(struct gri_nng_listener);
    gr_value *err = NULL;
    int rv = NNG_ENOMEM;

    gri_nng_start();
    if (n != NULL) {
        n->base.driver = &gri_net_nng;
        atomic_init(&n->refs, 1);
        n->sched = gri_sched_of(rt);
        n->accept = accept;
        n->arg = arg;
        n->task = (struct gri_task){ .run = run, .name = "listener" };
        rv = start(n, url, tls, &err);
    }
    if (rv != 0) {
        gr_code rc = gri_from_nng(rv);

        *reterr = err != NULL
                      ? err
                      : gr_error(rc, "listening at %s: %s", url,
                                 rv == NNG_EADDRINUSE ? "address in use" : nng_strerror(rv));
        if (n != NULL)
            listener_free(n);
        return rc;
    }
    nng_aio_set_timeout(n->aio, NNG_DURATION_INFINITE);
    nng_stream_listener_accept(n->listener, n->aio);
    *ret_listener = &n->base;
    return GR_OK;
}

void gri_nng_unlisten(struct gri_listener *base)
{
    struct gri_nng_listener *n = gri_container_of(base, struct gri_nng_listener, base);
    bool busy;

    gri_lock(&n->lock);
    n->closing = true;
    busy = n->busy;
    gri_unlock(&n->lock);
    nng_stream_listener_close(n->listener);
    /* acquire: what the task did is over */
    while (busy && atomic_load_explicit(&n->idle, memory_order_acquire) == 0)
        gri_futex_wait(&n->idle, 0, GRI_NEVER);
    nng_aio_stop(n->aio);
    gri_nng_listener_unref(n);
}
