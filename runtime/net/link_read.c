/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_read.c - what a link reads: a read is posted only when the task has handled all that came before, so `got` needs
 * no lock, and a peer that sends faster than we handle is held up by its socket.
 */
#include "runtime/net/frame.h"
#include "runtime/net/link_nng.h"

#define BULK 2048u              /* who has read so much at once may find more already */
#define SEVERAL 512u            /* who has read so much has most likely read several frames */
#define BULKS 8                 /* and reads on so often before others get their turn */
#define FRAMES_A_TURN 1024u     /* are handled, likewise: each may run cheap code */
#define READ_LEAST 4096u        /* room for a read, at least */
#define READ_MOST (256u * 1024) /* and at most, so that others get their turn */

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
        gri_nng_link_close(&l->base, gr_error(GR_ENOMEM, "out of memory while receiving"));
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
    gri_nng_count(&l->bytes_in, count);
    atomic_store_explicit(&l->heard_ns, now_ns, memory_order_relaxed);
    atomic_store_explicit(&l->waiting_ns, now_ns, memory_order_relaxed);
}

void gri_nng_link_read(struct gri_nng_link *l, nng_aio *aio)
{
    int rv = nng_aio_result(aio);

    if (rv != 0) {
        gri_nng_link_fail(l, "receiving", rv);
        return;
    }
    note_read(l, nng_aio_count(aio));
    gri_nng_link_ask(l, ASK_DATA);
}

void gri_nng_on_read(void *arg)
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

/* frames_in reports the whole frames that have come, up to so many. false: nothing more is to be read, or not yet. */
static bool frames_in(struct gri_nng_link *l, bool *ret_beat, unsigned *left)
{
    size_t at = 0, size = 0;

    for (; l->got.len - at >= GRI_FRAME_HEAD && *left > 0 && !is_closing(l); (*left)--) {
        const uint8_t *p = (const uint8_t *)l->got.data + at;

        size = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (size == 0 || size > l->frame_max) {
            gri_nng_link_close(&l->base, gr_error(GR_EPROTO,
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
    if (*left == 0)
        l->later |= ASK_DATA; /* others get their turn */
    return *left > 0;
}

/* lingers: what has come is what the worker runs next, and as that is done, more may be there: so the link looks once
 * more before it has anybody wait for input. */
static bool lingers(const struct gri_nng_link *l)
{
    const struct gri_worker *w = gri_exec()->worker;

    return !l->tls && w != NULL && gri_lifo_peek(&w->lifo) != NULL && !gri_worker_has_more(w);
}

/* read_in reports what has been read, and as much again of what is there, if it comes in bulk, and asks for more. */
void gri_nng_read_in(struct gri_nng_link *l, bool come)
{
    unsigned left = FRAMES_A_TURN;
    bool beat = false, more = come || try_read(l) > 0 ? frames_in(l, &beat, &left) : !is_closing(l);
    bool several = l->came >= SEVERAL;

    for (int i = 0; i < BULKS && more && l->came >= BULK && !l->tls && try_read(l) > 0; i++)
        more = frames_in(l, &beat, &left);
    if (more && !beat && several && lingers(l))
        l->later |= ASK_LOOK;
    else if (more)
        read_on(l, beat);
}
