/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_nng.h - the link over an nng_stream, for link.c and link_listen.c, the only users of nng.
 *
 * nng's callbacks store what happened, set a bit in `asks` and ready the link's task; they do
 * nothing else, except that the one after a write starts the next. All the rest, closing too,
 * happens in the task, which runs once at a time: so nng is never called by two threads for one
 * direction, and what waits for nng's callbacks to end is never one of them.
 */
#ifndef GR_RUNTIME_NET_LINK_NNG_H
#define GR_RUNTIME_NET_LINK_NNG_H

#include <nng/nng.h>

#include "runtime/base/log.h"
#include "runtime/base/strbuf.h"
#include "runtime/net/link.h"
#include "runtime/sched/sched.h"

enum { ASK_UP = 1, ASK_DATA = 2, ASK_SEND = 4, ASK_ROOM = 8, ASK_CLOSE = 16 };

struct gri_nng_link {
    struct gri_link base;
    _Atomic uint32_t refs;   /* the driver's until down, and the user's */
    struct gri_sched *sched; /* borrowed */
    const struct gri_link_events *events;
    void *arg; /* borrowed; valid until down has returned */
    struct gri_task task;

    struct gri_lock lock; /* guards the block below */
    unsigned asks;
    bool queued;  /* the task is queued or running */
    bool writing; /* a write is under way */
    bool refused; /* a send was: tell when there is room */
    bool closing;
    gr_value *why;             /* counted; why it closes */
    struct gri_strbuf pending; /* gathers while a write is under way */

    struct gri_strbuf sending;                /* of the write under way, or nobody's */
    size_t sent;                              /* of sending */
    _Atomic size_t left;                      /* sending.len - sent, for who looks from outside */
    struct gri_strbuf got;                    /* the task's and the read's, which take turns */
    size_t frame_max;                         /* the task's */
    nng_stream_dialer *dialer;                /* owned; NULL when accepted */
    nng_stream *stream;                       /* owned; set before ASK_UP */
    nng_aio *dial_aio, *read_aio, *write_aio; /* owned */
    struct gri_nng_listener *listener;        /* counted; who accepted it, or NULL */
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
void gri_nng_link_ask(struct gri_nng_link *l, unsigned what);
void gri_nng_link_unref(struct gri_nng_link *l);

void gri_nng_listener_unref(struct gri_nng_listener *n);
/* gri_nng_start has nng start its threads, with all signals blocked as for ours; once a process. It comes
 * before any other call of nng's. */
void gri_nng_start(void);
gr_code gri_nng_listen(gr_runtime *rt, const char *url, gri_accept_fn *accept, void *arg,
                       struct gri_listener **ret_listener, gr_value **reterr);
void gri_nng_unlisten(struct gri_listener *listener);

#endif
