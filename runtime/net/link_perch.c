/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_perch.c - a link's next read as a worker's perch (sched/perch.h): who calls over a link one call at a time
 * waits for its next frame and for nothing else.
 *
 * The read has no callback, so what nng's poller brings is there for the worker at once, with no third thread between.
 * perch_aio is one worker's at a time: the perch's, from gri_nng_perch until leave; only rouse, which cancels, comes
 * from elsewhere. Cancelling an aio that has no callback calls nothing of ours.
 */
#include "runtime/net/link_nng.h"

static struct gri_nng_link *link_of(struct gri_perch *p)
{
    return gri_container_of(p, struct gri_nng_link, perch);
}

/* stirs reads what nng sets when it ends a read, a moment before nng_aio_wait returns: a guess. */
static bool stirs(struct gri_perch *p)
{
    struct gri_nng_link *l = link_of(p);

    return nng_aio_count(l->perch_aio) != 0 || nng_aio_result(l->perch_aio) != 0;
}

static void wait_there(struct gri_perch *p)
{
    nng_aio_wait(link_of(p)->perch_aio);
}

/* begin lets the caller ask nng for something: not while the link's end frees the stream. It says so by
 * gri_nng_link_urged when it is done. */
static bool begin(struct gri_nng_link *l)
{
    bool may;

    gri_lock(&l->lock);
    may = !l->stopping;
    if (may)
        atomic_fetch_add_explicit(&l->urging, 1, memory_order_relaxed);
    gri_unlock(&l->lock);
    return may;
}

/* cancel ends the read, unless the link's end does so. */
static void cancel(struct gri_nng_link *l)
{
    if (!begin(l))
        return;
    nng_aio_cancel(l->perch_aio);
    gri_nng_link_urged(l);
}

/* read_as_ever has the read's callback tell of what comes: at once, since all workers may be held up, and what nobody
 * reads would look like the peer's silence. */
static void read_as_ever(struct gri_nng_link *l)
{
    if (!begin(l))
        return;
    gri_nng_post_read(l);
    gri_nng_link_urged(l);
}

static void rouse(struct gri_perch *p)
{
    cancel(link_of(p));
}

static void leave(struct gri_perch *p)
{
    struct gri_nng_link *l = link_of(p);

    cancel(l);
    nng_aio_wait(l->perch_aio);
    if (nng_aio_result(l->perch_aio) == NNG_ECANCELED)
        read_as_ever(l); /* nothing, if it was the link's end that has cancelled */
    else
        gri_nng_link_read(l, l->perch_aio);
    gri_nng_link_unref(l);
}

void gri_nng_perch_init(struct gri_nng_link *l)
{
    l->perch =
        (struct gri_perch){ .stirs = stirs, .wait = wait_there, .rouse = rouse, .leave = leave };
}

bool gri_nng_perch(struct gri_nng_link *l, const nng_iov *iov)
{
    struct gri_worker *w = gri_exec()->worker;

    if (w == NULL || w->sched != l->sched)
        return false;
    atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
    nng_aio_set_iov(l->perch_aio, 1, iov);
    nng_stream_recv(l->stream, l->perch_aio);
    gri_perch_take(w, &l->perch);
    return true;
}
