/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_write.c - what a link sends: gathered, and written by who has the write.
 *
 * The task, or who has sent much, starts a write when none is under way; what the socket takes at once needs no
 * callback, else the callback of a write starts the next. What is long goes from where it is, as far as there is room.
 */
#include <string.h>

#include "runtime/net/link_nng.h"

/* Between two writes that are closer than that, frames gather while nng tells that the first is done. */
#define GATHER_NS UINT64_C(20000)
#define GATHERED 8192u /* bytes after which there is no use in gathering more */
#define DIRECT 16384u  /* bytes that are worth a write of their own, without a copy */
#define AT_ONCE                                                                                    \
    16 /* writes that one goes on with: what others bring meanwhile is not his to wait for */

static nng_iov rest_of(const struct gri_nng_link *l)
{
    return (nng_iov){ .iov_buf = l->sending.data + l->sent, .iov_len = l->sending.len - l->sent };
}

/* try_write writes what the socket has room for, without a word to another thread, and returns how much that was: what is
 * not taken at once is taken back. 0: no room, or the link is lost, as the next write will tell. */
static size_t try_write(struct gri_nng_link *l, const nng_iov *iovs, unsigned count)
{
    size_t n;

    nng_aio_set_iov(l->try_aio, count, iovs);
    nng_stream_send(l->stream, l->try_aio);
    nng_aio_cancel(l->try_aio);
    nng_aio_wait(l->try_aio);
    if (nng_aio_result(l->try_aio) != 0)
        return 0;
    n = nng_aio_count(l->try_aio);
    gri_nng_count(&l->bytes_out, n);
    return n;
}

/* try_rest does so with what is being sent. True: that was all. */
static bool try_rest(struct gri_nng_link *l)
{
    size_t n = 1;

    while (n > 0 && l->sent < l->sending.len) {
        nng_iov iov = rest_of(l);

        n = try_write(l, &iov, 1);
        l->sent += n;
    }
    return l->sent == l->sending.len;
}

static void post_write(struct gri_nng_link *l)
{
    nng_iov iov = rest_of(l);

    nng_aio_set_iov(l->write_aio, 1, &iov);
    nng_stream_send(l->stream, l->write_aio);
}

/* write_now is for who may wait for it, which is not long. False: the callback follows. */
static bool write_now(struct gri_nng_link *l, bool may)
{
    atomic_store_explicit(&l->wrote_ns, gri_clock_ns(), memory_order_relaxed);
    if (may && !l->tls && try_rest(l))
        return true;
    post_write(l);
    return false;
}

/* one_write takes what has gathered and writes it, at once or by nng's threads. True: that is done, and there may be more. */
static bool one_write(struct gri_nng_link *l, bool at_once)
{
    struct gri_strbuf done;
    bool go, room, over, more;

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
    room = l->refused; /* what waited is being written, so there is time to bring the next */
    l->refused = false;
    over = !go && l->finishing;
    gri_unlock(&l->lock);
    if (over)
        gri_nng_link_close(&l->base, NULL);
    more = go && write_now(l, at_once);
    if (room)
        l->events->room(l->arg);
    return more;
}

/* next_write takes what has gathered and writes it, until there is nothing or a callback will go on. By whoever has
 * ended the last write, or the task. */
static void next_write(struct gri_nng_link *l, bool task)
{
    bool go = true;

    if (task) {
        gri_lock(&l->lock);
        go = !l->writing && !l->closing && l->pending.len > 0;
        l->writing = l->writing || go;
        gri_unlock(&l->lock);
    }
    for (int writes = 0; go; writes++)
        go = one_write(l, writes < AT_ONCE);
}

/* ---- sending --------------------------------------------------------------------------------- */

/* gather_locked copies slices behind what is pending. */
static gr_code gather_locked(struct gri_nng_link *l, const struct gri_slice *slices, unsigned count)
{
    size_t before = l->pending.len;

    for (unsigned i = 0; i < count; i++)
        gri_strbuf_add(&l->pending, slices[i].data, slices[i].size);
    if (!l->pending.failed)
        return GR_OK;
    l->pending.failed = false;
    l->pending.len = before;
    return GR_ENOMEM;
}

/* begins_direct_locked: so much may go from where it is, since nothing is before it. Then the write is the caller's, and
 * the link is busy until all of it is written. */
static bool begins_direct_locked(struct gri_nng_link *l, const struct gri_slice *slices,
                                 unsigned count)
{
    size_t size = 0;

    for (unsigned i = 0; i < count; i++)
        size += slices[i].size;
    if (size < DIRECT || count > GRI_SLICES || l->tls || l->writing || l->pending.len > 0)
        return false;
    l->writing = l->refused = true;
    atomic_fetch_add_explicit(&l->urging, 1, memory_order_relaxed); /* as in urge_locked */
    return true;
}

/* ends_direct: all of it has been written. What beats have brought meanwhile is the task's. */
static void ends_direct(struct gri_nng_link *l)
{
    bool more, over;

    gri_lock(&l->lock);
    l->writing = l->refused = false; /* who else would have been refused waits for us */
    more = l->pending.len > 0;
    over = !more && l->finishing;
    gri_unlock(&l->lock);
    if (over)
        gri_nng_link_close(&l->base, NULL);
    else if (more)
        gri_nng_link_ask(l, ASK_SEND);
}

/* write_direct writes slices without a copy, as far as the socket has room for them; the rest is copied, and goes as
 * ever, and room follows. True: that was all, and nobody is told of room: since the last write nobody was refused. */
static bool write_direct(struct gri_nng_link *l, const struct gri_slice *slices, unsigned count)
{
    nng_iov iovs[GRI_SLICES];
    unsigned at = 0;
    size_t n = 1;

    for (unsigned i = 0; i < count; i++)
        iovs[i] =
            (nng_iov){ .iov_buf = (void *)(uintptr_t)slices[i].data, .iov_len = slices[i].size };
    while (at < count && n > 0) {
        n = try_write(l, iovs + at, count - at);
        for (size_t left = n; left > 0;) {
            size_t part = left < iovs[at].iov_len ? left : iovs[at].iov_len;

            iovs[at].iov_buf = (char *)iovs[at].iov_buf + part;
            iovs[at].iov_len -= part;
            left -= part;
            at += iovs[at].iov_len == 0;
        }
    }
    if (at == count) {
        ends_direct(l);
        return true;
    }
    gri_strbuf_clear(&l->sending);
    l->sent = 0;
    for (; at < count; at++)
        gri_strbuf_add(&l->sending, iovs[at].iov_buf, iovs[at].iov_len);
    if (!l->sending.failed)
        post_write(l);
    else /* a part of it may have gone */
        gri_nng_link_close(&l->base, gr_error(GR_ENOMEM, "out of memory while sending"));
    return false;
}

gr_code gri_nng_link_send(struct gri_link *base, const struct gri_slice *slices, unsigned count,
                          bool *ret_busy)
{
    struct gri_nng_link *l = gri_nng_link_of(base);
    gr_code rc = GR_OK;
    bool start, direct = false;

    gri_lock(&l->lock);
    if (l->closing || l->finishing)
        rc = GR_EUNREACH;
    else if (!(direct = begins_direct_locked(l, slices, count)))
        rc = gather_locked(l, slices, count);
    start = rc == GR_OK && !l->writing && (l->asks & ASK_SEND) == 0;
    *ret_busy = l->pending.len >= GRI_LINK_BUSY;
    if (l->pending.len >= GATHERED && !l->writing)
        atomic_store_explicit(&l->gathered, true, memory_order_relaxed);
    l->refused = l->refused || *ret_busy;
    gri_unlock(&l->lock);
    if (direct) {
        *ret_busy = !write_direct(l, slices, count);
        gri_nng_link_urged(l);
    } else if (start) {
        gri_nng_link_ask(l, ASK_SEND);
    }
    return rc;
}

/* ---- the end of a write ---------------------------------------------------------------------- */

/* holds_back: the last write was just now, and the worker has other tasks to run, which may send something, too. */
static bool holds_back(const struct gri_nng_link *l)
{
    const struct gri_worker *w = gri_exec()->worker;

    return w != NULL && gri_worker_has_more(w) &&
           atomic_load_explicit(&w->spill_count, memory_order_relaxed) == 0 &&
           gri_clock_ns() - atomic_load_explicit(&l->wrote_ns, memory_order_relaxed) < GATHER_NS;
}

/* left_to_task: what is little is the task's to write, which is about to run, or runs and brings more. */
static bool left_to_task(struct gri_nng_link *l)
{
    bool left, room;

    gri_lock(&l->lock);
    left = l->queued && !l->closing && l->pending.len > 0 && l->pending.len < GATHERED;
    room = left && l->refused;
    if (left) {
        l->asks |= ASK_SEND;
        l->writing = l->refused = false;
    }
    gri_unlock(&l->lock);
    if (room)
        l->events->room(l->arg);
    return left;
}

void gri_nng_link_urged(struct gri_nng_link *l)
{
    /* release: pairs with the acquire in stop; the word's address is used, not its memory */
    atomic_fetch_sub_explicit(&l->urging, 1, memory_order_release);
    gri_futex_wake(&l->urging, 1);
}

/* urge writes what is pending, for who is not the task, and unlocks; nothing, if a write is under way: its end takes
 * along what is there. */
static void urge_locked(struct gri_nng_link *l)
{
    bool start = !l->closing && !l->writing && l->pending.len > 0;

    l->writing = l->writing || start;
    if (start) /* the task does not stop the stream meanwhile */
        atomic_fetch_add_explicit(&l->urging, 1, memory_order_relaxed);
    gri_unlock(&l->lock);
    if (!start)
        return;
    next_write(l, false);
    gri_nng_link_urged(l);
}

void gri_nng_link_urge(struct gri_link *base, const void *frame, size_t size)
{
    struct gri_nng_link *l = gri_nng_link_of(base);

    gri_lock(&l->lock);
    if (!l->closing && !l->finishing)
        gri_strbuf_add(&l->pending, frame, size);
    l->pending.failed = false;
    urge_locked(l);
}

void gri_nng_link_flush(struct gri_link *base)
{
    struct gri_nng_link *l = gri_nng_link_of(base);

    if (!atomic_load_explicit(&l->gathered, memory_order_relaxed))
        return;
    atomic_store_explicit(&l->gathered, false, memory_order_relaxed);
    gri_lock(&l->lock);
    urge_locked(l);
}

void gri_nng_on_written(void *arg)
{
    struct gri_nng_link *l = arg;
    int rv = nng_aio_result(l->write_aio);

    if (rv != 0) {
        gri_nng_link_fail(l, "sending", rv);
        return;
    }
    l->sent += nng_aio_count(l->write_aio);
    gri_nng_count(&l->bytes_out, nng_aio_count(l->write_aio));
    if (l->sent < l->sending.len)
        post_write(l);
    else if (!left_to_task(l))
        next_write(l, false);
}

/* write_out writes what is pending, or does so later: once. */
void gri_nng_write_out(struct gri_nng_link *l, bool now)
{
    if (!now && holds_back(l))
        l->later |= ASK_SEND;
    else
        next_write(l, true);
}
