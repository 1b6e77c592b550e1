/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_nng.h - the link over an nng_stream, for the files link*.c, the only users of nng.
 *
 * nng's callbacks store what happened, set a bit in `asks` and ready the link's task; they do
 * nothing else, except that the one after a write tells of room and starts the next. Who sends may
 * start a write, too, and a worker may wait for a read (link_perch.c): each direction is one
 * thread's at a time, by `writing` and by who has the read. All the rest, closing too, happens in
 * the task, which runs once at a time and waits for all of them (`urging`) before the stream goes.
 */
#ifndef GR_RUNTIME_NET_LINK_NNG_H
#define GR_RUNTIME_NET_LINK_NNG_H

#include <nng/nng.h>

#include "runtime/base/log.h"
#include "runtime/base/strbuf.h"
#include "runtime/net/link.h"
#include "runtime/sched/perch.h"

enum { ASK_UP = 1, ASK_DATA = 2, ASK_SEND = 4, ASK_CLOSE = 8, ASK_LOOK = 16 };

struct gri_nng_link {
    struct gri_link base;
    _Atomic uint32_t refs;   /* the driver's until down, and the user's */
    struct gri_sched *sched; /* borrowed */
    const struct gri_link_events *events;
    void *arg; /* borrowed; valid until down has returned */
    struct gri_task task;

    struct gri_lock lock; /* guards the block below */
    unsigned asks;
    bool queued;               /* the task is queued or running */
    bool writing;              /* a write is under way */
    bool refused;              /* a send was told that the link is busy: tell when it is not */
    bool closing, stopping;    /* it is to end; its end is under way: see stop */
    bool finishing;            /* it closes once nothing waits to be written */
    gr_value *why;             /* counted; why it closes */
    struct gri_strbuf pending; /* gathers while a write is under way */

    _Atomic bool gathered;   /* a hint: so much is pending that it should be flushed */
    _Atomic uint32_t urging; /* a futex: how many start a write, or cancel, who are not the task */
    _Atomic uint64_t heard_ns;   /* when bytes came last */
    _Atomic uint64_t waiting_ns; /* since when some wait for the task; 0: none do */
    _Atomic uint64_t wrote_ns;   /* when the last write was started */
    _Atomic uint64_t bytes_out;  /* written; by the write's callback alone */
    _Atomic uint64_t bytes_in;   /* read; by the read's callback alone */
    struct gri_strbuf sending;   /* of the write under way, or nobody's */
    size_t sent;                 /* of sending */
    struct gri_strbuf got;       /* the task's and the read's, which take turns, as are */
    size_t room, came;           /* of the last read: what there was room for, and its bytes */
    size_t frame_max;            /* the task's */
    unsigned later;              /* likewise: what it has put off until it runs again */
    bool tls;                    /* set before ASK_UP, as is stream */
    nng_stream_dialer *dialer;   /* owned; NULL when accepted */
    nng_stream *stream;          /* owned; set before ASK_UP */
    nng_aio *dial_aio, *read_aio, *write_aio; /* owned */
    /* owned; the same without a callback, so that nobody has to be woken up to hear of them: `perch_aio` is
     * waited for by a worker, and `try_aio` is taken back if it is not done at once */
    nng_aio *perch_aio, *try_aio, *try_read_aio;
    struct gri_perch perch; /* where a worker waits for the next read; then it has a reference */
    struct gri_nng_listener *listener; /* counted; who accepted it, or NULL */
};

struct gri_nng_listener {
    struct gri_listener base;
    _Atomic uint32_t refs;   /* the user's, the task's while queued, and each link's */
    _Atomic uint32_t links;  /* accepted and not down yet */
    struct gri_sched *sched; /* borrowed */
    gri_accept_fn *accept;
    void *arg; /* borrowed; valid until unlisten has returned */
    struct gri_task task;
    struct gri_log_gate gate; /* for links that are refused */
    struct gri_lock lock;     /* guards the block below */
    bool tls;
    bool closing;
    bool busy;                     /* the task is queued or running */
    _Atomic uint32_t idle;         /* a futex: 1 once closing and not busy */
    nng_stream *accepted;          /* owned; the callback's to set, the task's to take */
    bool pausing;                  /* the aio sleeps after a failure instead of accepting */
    nng_stream_listener *listener; /* owned */
    nng_aio *aio;                  /* owned */
};

/* gri_nng_link_new makes a link that is neither dialled nor up; NULL when out of memory. */
struct gri_nng_link *gri_nng_link_new(struct gri_sched *sched);
struct gri_nng_link *gri_nng_link_of(struct gri_link *base);
void gri_nng_link_ask(struct gri_nng_link *l, unsigned what);
void gri_nng_link_unref(struct gri_nng_link *l);
/* gri_nng_link_read takes what a read has brought, or why there won't be any more, to the task. */
void gri_nng_link_read(struct gri_nng_link *l, nng_aio *aio);
void gri_nng_link_close(struct gri_link *base, gr_value *why GR_TAKES);
/* gri_nng_link_fail closes it since nng says so. The URL was right when it was made, so what is wrong now is the way. */
void gri_nng_link_fail(struct gri_nng_link *l, const char *doing, int rv);
/* gri_nng_count counts for vitals; nobody else writes *to. */
static inline void gri_nng_count(_Atomic uint64_t *to, size_t more)
{
    atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

/* the driver's, and nng's callbacks: link_write.c, link_read.c */
gr_code gri_nng_link_send(struct gri_link *base, const struct gri_slice *slices, unsigned count,
                          bool *ret_busy);
void gri_nng_link_urge(struct gri_link *base, const void *frame, size_t size);
void gri_nng_link_flush(struct gri_link *base);
void gri_nng_on_written(void *arg);
void gri_nng_on_read(void *arg);
/* gri_nng_write_out writes what is pending, or does so later: once. gri_nng_read_in reports what has been read, or is
 * there if nothing has come yet. The task's. */
void gri_nng_write_out(struct gri_nng_link *l, bool now);
void gri_nng_read_in(struct gri_nng_link *l, bool come);
/* gri_nng_post_read reads behind what has been got: the callback follows. */
void gri_nng_post_read(struct gri_nng_link *l);
/* gri_nng_link_urged: who has been counted in `urging` has done it. */
void gri_nng_link_urged(struct gri_nng_link *l);
/* gri_nng_perch has the calling worker wait for the next read. false: it is to be posted as ever. */
bool gri_nng_perch(struct gri_nng_link *l, const nng_iov *iov);
void gri_nng_perch_init(struct gri_nng_link *l);

void gri_nng_listener_unref(struct gri_nng_listener *n);
/* gri_nng_start has nng start its threads, with all signals blocked as for ours; once a process. It comes
 * before any other call of nng's. */
void gri_nng_start(void);
gr_code gri_nng_listen(gr_runtime *rt, const char *url, const struct gri_tls *tls,
                       gri_accept_fn *accept, void *arg, struct gri_listener **ret_listener,
                       gr_value **reterr);
/* gri_nng_is_tls tells whether a URL is one for TLS; then its dialer or listener is set up by these.
 * GR_EINVAL: something is not set, or a file is not what it should be, with *reterr; GR_ENOMEM. */
bool gri_nng_is_tls(const char *url);
gr_code gri_nng_tls_dialer(nng_stream_dialer *d, const struct gri_tls *tls, const char *url,
                           gr_value **reterr);
gr_code gri_nng_tls_listener(nng_stream_listener *l, const struct gri_tls *tls, const char *url,
                             gr_value **reterr);
void gri_nng_unlisten(struct gri_listener *listener);

#endif
