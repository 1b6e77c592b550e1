/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link.c - frames over an nng_stream. See link_nng.h for who may do what.
 *
 * Reading: a read is posted only when the task has handled all that came before, so `got` needs no
 * lock, and a peer that sends faster than we handle is held up by its socket. Writing: the task, or
 * who has sent much, starts a write when none is under way; what the socket takes at once needs no
 * callback, else the callback of a write starts the next. Ending: the task
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

#define BULK 2048u              /* who has read so much at once may find more already */
#define SEVERAL 512u            /* who has read so much has most likely read several frames */
#define LONG 32768u             /* and who so much, is being sent something long */
#define SPIN_NS UINT64_C(20000) /* for which more of that is waited for */
#define BULKS 8                 /* and reads on so often before others get their turn */
#define READ_LEAST 4096u        /* room for a read, at least */
#define READ_MOST (256u * 1024) /* and at most, so that others get their turn */

/* Between two writes that are closer than that, frames gather while nng tells that the first is done. */
#define GATHER_NS UINT64_C(20000)
#define GATHERED 8192u /* bytes after which there is no use in gathering more */
#define DIRECT 16384u  /* bytes that are worth a write of their own, without a copy */
#define AT_ONCE                                                                                    \
    16 /* writes that one goes on with: what others bring meanwhile is not his to wait for */

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
    struct gri_nng_link *l = link_of(base);
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
        link_close(base, NULL); /* else the end of the last write does */
}

/* fail: the URL was right when the link was made, so what is wrong now is the way to the peer. */
static void fail(struct gri_nng_link *l, const char *doing, int rv)
{
    gr_code rc = gri_from_nng(rv);

    link_close(&l->base,
               gr_error(rc == GR_EINVAL ? GR_EUNREACH : rc, "%s: %s", doing, nng_strerror(rv)));
}

static void link_vitals(struct gri_link *base, struct gri_vitals *ret)
{
    struct gri_nng_link *l = link_of(base);

    ret->heard_ns = atomic_load_explicit(&l->heard_ns, memory_order_relaxed);
    ret->waiting_ns = atomic_load_explicit(&l->waiting_ns, memory_order_relaxed);
    ret->bytes_out = atomic_load_explicit(&l->bytes_out, memory_order_relaxed);
    ret->bytes_in = atomic_load_explicit(&l->bytes_in, memory_order_relaxed);
}

/* add counts for link_vitals; nobody else writes *to. */
static void add(_Atomic uint64_t *to, size_t more)
{
    atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

static void link_limit(struct gri_link *base, size_t frame_max)
{
    link_of(base)->frame_max = frame_max;
}

/* ---- writing --------------------------------------------------------------------------------- */

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
    add(&l->bytes_out, n);
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
        link_close(&l->base, NULL);
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

/* begins_direct_locked: so much may go from where it is, since nothing is before it. Then the write is the caller's. */
static bool begins_direct_locked(struct gri_nng_link *l, const struct gri_slice *slices,
                                 unsigned count)
{
    size_t size = 0;

    for (unsigned i = 0; i < count; i++)
        size += slices[i].size;
    if (size < DIRECT || count > GRI_SLICES || l->tls || l->writing || l->pending.len > 0)
        return false;
    l->writing = true;
    atomic_fetch_add_explicit(&l->urging, 1, memory_order_relaxed); /* as in urge_locked */
    return true;
}

/* ends_direct: all of it has been written. What beats have brought meanwhile is the task's. */
static void ends_direct(struct gri_nng_link *l)
{
    bool more, over;

    gri_lock(&l->lock);
    l->writing = false;
    more = l->pending.len > 0;
    over = !more && l->finishing;
    gri_unlock(&l->lock);
    if (over)
        link_close(&l->base, NULL);
    else if (more)
        gri_nng_link_ask(l, ASK_SEND);
}

/* write_direct writes slices without a copy, as far as the socket has room for them; the rest is copied, and goes as
 * ever. Nobody is told of room here: since the last write nobody was refused. */
static void write_direct(struct gri_nng_link *l, const struct gri_slice *slices, unsigned count)
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
        return;
    }
    gri_strbuf_clear(&l->sending);
    l->sent = 0;
    for (; at < count; at++)
        gri_strbuf_add(&l->sending, iovs[at].iov_buf, iovs[at].iov_len);
    if (!l->sending.failed)
        post_write(l);
    else /* a part of it may have gone */
        link_close(&l->base, gr_error(GR_ENOMEM, "out of memory while sending"));
}

static gr_code link_send(struct gri_link *base, const struct gri_slice *slices, unsigned count,
                         bool *ret_busy)
{
    struct gri_nng_link *l = link_of(base);
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
        write_direct(l, slices, count);
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

static void link_urge(struct gri_link *base, const void *frame, size_t size)
{
    struct gri_nng_link *l = link_of(base);

    gri_lock(&l->lock);
    if (!l->closing && !l->finishing)
        gri_strbuf_add(&l->pending, frame, size);
    l->pending.failed = false;
    urge_locked(l);
}

static void link_flush(struct gri_link *base)
{
    struct gri_nng_link *l = link_of(base);

    if (!atomic_load_explicit(&l->gathered, memory_order_relaxed))
        return;
    atomic_store_explicit(&l->gathered, false, memory_order_relaxed);
    gri_lock(&l->lock);
    urge_locked(l);
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
    add(&l->bytes_out, nng_aio_count(l->write_aio));
    if (l->sent < l->sending.len)
        post_write(l);
    else if (!left_to_task(l))
        next_write(l, false);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* next_room: who fills what he is given gets twice as much the next time, and half of it who needs little: so a link
 * that is seldom used has little memory, and one that is busy is read seldom. */
static size_t next_room(const struct gri_nng_link *l)
{
    if (l->came >= l->room)
        return l->room >= READ_MOST / 2 ? READ_MOST
               : l->room < READ_LEAST   ? READ_LEAST
                                        : l->room * 2;
    return l->came > 0 && l->came < l->room / 16 && l->room > READ_LEAST ? l->room / 2 : l->room;
}

/* read_room makes room behind what has been got. */
static bool read_room(struct gri_nng_link *l, nng_iov *ret_iov)
{
    l->room = next_room(l);
    l->came = 0;
    if (l->got.len == 0 && l->got.cap > 4 * (l->room > READ_LEAST ? READ_MOST : READ_LEAST))
        gri_strbuf_fini(&l->got); /* what a burst took isn't kept once it is over */
    if (!gri_strbuf_reserve(&l->got, l->room)) {
        link_close(&l->base, gr_error(GR_ENOMEM, "out of memory while receiving"));
        return false;
    }
    *ret_iov = (nng_iov){ .iov_buf = l->got.data + l->got.len, .iov_len = l->room };
    return true;
}

void gri_nng_post_read(struct gri_nng_link *l)
{
    nng_iov iov;

    if (!read_room(l, &iov))
        return;
    nng_aio_set_iov(l->read_aio, 1, &iov);
    nng_stream_recv(l->stream, l->read_aio);
}

static void note_read(struct gri_nng_link *l, size_t count)
{
    uint64_t now_ns = gri_clock_ns();

    l->got.len += count;
    l->came = count;
    add(&l->bytes_in, count);
    atomic_store_explicit(&l->heard_ns, now_ns, memory_order_relaxed);
    atomic_store_explicit(&l->waiting_ns, now_ns, memory_order_relaxed);
}

void gri_nng_link_read(struct gri_nng_link *l, nng_aio *aio)
{
    int rv = nng_aio_result(aio);

    if (rv != 0) {
        fail(l, "receiving", rv);
        return;
    }
    note_read(l, nng_aio_count(aio));
    gri_nng_link_ask(l, ASK_DATA);
}

static void on_read(void *arg)
{
    struct gri_nng_link *l = arg;

    gri_nng_link_read(l, l->read_aio);
}

/* read_on reads on. A worker that has nothing else to do waits for the next frame: that may well be all that it has to
 * wait for. */
static void read_on(struct gri_nng_link *l, bool beat)
{
    const struct gri_worker *w = gri_exec()->worker;
    nng_iov iov;

    atomic_store_explicit(&l->waiting_ns, 0, memory_order_relaxed);
    if (beat || l->tls || w == NULL || gri_worker_has_more(w) || !read_room(l, &iov) ||
        !gri_nng_perch(l, &iov))
        gri_nng_post_read(l);
}

/* is_beat: its type is a byte behind the array's head. */
static bool is_beat(const uint8_t *body, size_t size)
{
    return size > 1 && body[1] == GRI_FRAME_BEAT;
}

/* try_read reads what is there already, without a word to another thread. 0: nothing. */
static size_t try_read(struct gri_nng_link *l)
{
    nng_iov iov;

    if (!read_room(l, &iov))
        return 0;
    nng_aio_set_iov(l->try_read_aio, 1, &iov);
    nng_stream_recv(l->stream, l->try_read_aio);
    nng_aio_cancel(l->try_read_aio);
    nng_aio_wait(l->try_read_aio);
    if (nng_aio_result(l->try_read_aio) != 0)
        return 0; /* what is wrong will be told by the read that follows */
    note_read(l, nng_aio_count(l->try_read_aio));
    return nng_aio_count(l->try_read_aio);
}

static bool is_closing(struct gri_nng_link *l)
{
    bool closing;

    gri_lock(&l->lock);
    closing = l->closing;
    gri_unlock(&l->lock);
    return closing;
}

/* frames_in reports the whole frames that have come. false: nothing more is to be read. */
static bool frames_in(struct gri_nng_link *l, bool *ret_beat)
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
            return false;
        }
        if (l->got.len - at - GRI_FRAME_HEAD < size)
            break;
        *ret_beat = is_beat(p + GRI_FRAME_HEAD, size);
        l->events->frame(l->arg, p + GRI_FRAME_HEAD, size);
        at += GRI_FRAME_HEAD + size;
    }
    if (is_closing(l))
        return false;
    gri_strbuf_consume(&l->got, at);
    return true;
}

/* read_more reads what is there after a read that has brought much. A long value is on its way for some time, for which
 * it is quicker to look again than to be told. */
static bool read_more(struct gri_nng_link *l)
{
    bool is_long = l->came >= LONG;
    uint64_t until;

    if (try_read(l) > 0)
        return true;
    if (!is_long)
        return false;
    until = gri_clock_ns() + SPIN_NS;
    do {
        for (int i = 0; i < 100; i++)
            gri_cpu_relax();
        if (try_read(l) > 0)
            return true;
    } while (gri_clock_ns() < until);
    return false;
}

/* lingers: what has come is what the worker runs next, and as that is done, more may be there: so the link looks once
 * more before it has anybody wait for input. */
static bool lingers(const struct gri_nng_link *l)
{
    const struct gri_worker *w = gri_exec()->worker;

    return l->came >= SEVERAL && !l->tls && w != NULL && gri_lifo_peek(&w->lifo) != NULL &&
           !gri_worker_has_more(w);
}

/* read_in reports what has been read, and as much again of what is there, if it comes in bulk, and asks for more. */
static void read_in(struct gri_nng_link *l, bool come)
{
    bool beat = false, more = come || try_read(l) > 0 ? frames_in(l, &beat) : !is_closing(l);

    for (int i = 0; i < BULKS && more && l->came >= BULK && !l->tls && read_more(l); i++)
        more = frames_in(l, &beat);
    if (more && !beat && lingers(l))
        l->later |= ASK_LOOK;
    else if (more)
        read_on(l, beat);
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

/* asked takes what the task is asked to do, besides what it has put off. 0: nothing, for now. */
static unsigned asked(struct gri_nng_link *l, unsigned later)
{
    unsigned asks;

    gri_lock(&l->lock);
    asks = l->asks | later;
    l->asks = 0;
    if (asks == 0)
        l->queued = l->later != 0;
    gri_unlock(&l->lock);
    return asks;
}

/* write_out writes what is pending, or does so later: once. */
static void write_out(struct gri_nng_link *l, bool now)
{
    if (!now && holds_back(l))
        l->later |= ASK_SEND;
    else
        next_write(l, true);
}

static void run(struct gri_task *t)
{
    struct gri_nng_link *l = gri_container_of(t, struct gri_nng_link, task);
    unsigned later = l->later, asks;

    l->later = 0;
    while ((asks = asked(l, later)) != 0) {
        if ((asks & ASK_CLOSE) != 0) {
            go_down(l);
            return;
        }
        if ((asks & ASK_UP) != 0) {
            l->events->up(l->arg);
            gri_nng_post_read(l);
        }
        if ((asks & ASK_SEND) != 0)
            write_out(l, (later & ASK_SEND) != 0);
        if ((asks & (ASK_DATA | ASK_LOOK)) != 0)
            read_in(l, (asks & ASK_DATA) != 0);
        later = 0;
    }
    if (l->later != 0)
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
        nng_aio_alloc(&l->write_aio, on_written, l) != 0 ||
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
    .send = link_send,
    .flush = link_flush,
    .urge = link_urge,
    .vitals = link_vitals,
    .limit = link_limit,
    .close = link_close,
    .finish = link_finish,
    .release = link_release,
};
