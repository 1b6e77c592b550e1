/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue.c - the completion queue: watched futures come out by completion, announced by an eventfd.
 *
 * The eventfd holds 1 exactly while `ready` is not empty: the push that finds it empty writes, the
 * pop that empties it reads, both under the lock.
 */
#include <greenroom/cq.h>

#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/async/future.h"
#include "runtime/base/alloc.h"

struct watch {
    struct gri_waiter waiter;
    struct gri_list node; /* in pending, then in ready */
    gr_cq *cq;            /* borrowed; the cq outlives it */
    gr_future *future;    /* owned */
    void *tag;
};

struct gr_cq {
    struct gri_lock lock; /* guards the lists */
    struct gri_list pending, ready;
    int fd; /* owned */
};

gr_cq *gr_cq_new(gr_runtime *rt)
{
    gr_cq *cq = gri_new0(gr_cq);

    (void)rt;
    if (cq == NULL)
        return NULL;
    gri_list_init(&cq->pending);
    gri_list_init(&cq->ready);
    cq->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (cq->fd < 0) {
        gri_free(cq);
        return NULL;
    }
    return cq;
}

int gr_cq_fd(const gr_cq *cq)
{
    return cq->fd;
}

static void announce(gr_cq *cq, bool ready)
{
    uint64_t one = 1;
    ssize_t n = ready ? write(cq->fd, &one, sizeof(one)) : read(cq->fd, &one, sizeof(one));

    (void)n; /* a counter of 1 can't overflow, and is there to be read */
}

static void to_ready(struct watch *w)
{
    gr_cq *cq = w->cq;

    gri_lock(&cq->lock);
    gri_list_remove(&w->node);
    if (gri_list_empty(&cq->ready))
        announce(cq, true);
    gri_list_push(&cq->ready, &w->node);
    gri_unlock(&cq->lock);
}

static void watch_fire(struct gri_waiter *waiter)
{
    to_ready(gri_container_of(waiter, struct watch, waiter));
}

gr_code gr_cq_watch(gr_cq *cq, gr_future *f, void *tag)
{
    struct watch *w = NULL;
    gr_code rc = GR_EINVAL;

    if (f == NULL)
        return rc;
    w = gri_new0(struct watch);
    rc = GR_ENOMEM;
    if (w == NULL)
        goto out;
    *w = (struct watch){ .waiter.fire = watch_fire, .cq = cq, .future = f, .tag = tag };
    gri_lock(&cq->lock);
    gri_list_push(&cq->pending, &w->node);
    gri_unlock(&cq->lock);
    rc = gri_future_watch(f, &w->waiter);
    if (rc == GR_OK)
        return GR_OK;
    if (rc == GR_EOS) {
        to_ready(w);
        return GR_OK;
    }
    gri_lock(&cq->lock);
    gri_list_remove(&w->node);
    gri_unlock(&cq->lock);
out:
    gri_free(w);
    gr_future_free(f);
    return rc;
}

gr_future *gr_cq_next(gr_cq *cq, void **ret_tag)
{
    struct gri_list *n;
    struct watch *w;
    gr_future *f;

    gri_lock(&cq->lock);
    n = gri_list_pop(&cq->ready);
    if (n != NULL && gri_list_empty(&cq->ready))
        announce(cq, false);
    gri_unlock(&cq->lock);
    if (n == NULL)
        return NULL;
    w = gri_container_of(n, struct watch, node);
    f = w->future;
    if (ret_tag != NULL)
        *ret_tag = w->tag;
    gri_free(w);
    return f;
}

/* cancel_pending cancels one watched future, which makes it ready; false when none is left. */
static bool cancel_pending(gr_cq *cq)
{
    struct watch *w = NULL;
    gr_future *f = NULL;

    gri_lock(&cq->lock);
    if (!gri_list_empty(&cq->pending)) {
        w = gri_container_of(cq->pending.next, struct watch, node);
        f = gri_future_ref(w->future);
    }
    gri_unlock(&cq->lock);
    if (f == NULL)
        return false;
    if (!gri_future_done(f))
        f->ops->cancel(f, GR_ECANCELED);
    gri_future_unref(f);
    gri_cpu_relax(); /* its completion may be under way on another thread */
    return true;
}

void gr_cq_free(gr_cq *cq)
{
    gr_future *f;

    if (cq == NULL)
        return;
    while (cancel_pending(cq))
        ;
    while ((f = gr_cq_next(cq, NULL)) != NULL)
        gr_future_free(f);
    close(cq->fd);
    gri_free(cq);
}
