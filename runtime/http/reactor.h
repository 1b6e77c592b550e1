/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reactor.h - private to reactor*.c: the thread that runs libcurl, and one exchange on it.
 *
 * This is the only header that includes curl's; nothing outside runtime/http/reactor*.c includes
 * it.
 */
#ifndef GR_RUNTIME_HTTP_REACTOR_H
#define GR_RUNTIME_HTTP_REACTOR_H

#include <stdatomic.h>

#include <curl/curl.h>

#include "runtime/base/list.h"
#include "runtime/base/lock.h"
#include "runtime/base/strbuf.h"
#include "runtime/base/thread.h"
#include "runtime/http/http.h"
#include "runtime/sched/world.h"

/* What other threads ask of the HTTP thread about one exchange. */
enum ask { ASK_START = 1, ASK_RESUME = 2, ASK_CANCEL = 4 };

#define GRI_DUE_NOWHERE SIZE_MAX

struct gri_sched;

struct reactor {
    struct gri_thread thread;
    struct gri_sched *sched; /* borrowed: whose workers its events wake */
    struct gri_http_limits limits;
    int epoll_fd, event_fd; /* owned */

    struct gri_lock lock;
    struct gri_list asked; /* guarded by lock: exchanges with asks, first come first served */
    size_t in_flight;      /* guarded by lock: exchanges accepted and not ended */
    bool asleep;           /* guarded by lock: an ask must write to event_fd */
    bool stopping;         /* guarded by lock */

    /* of the HTTP thread: */
    CURLM *multi;           /* owned */
    uint64_t curl_due_ns;   /* when curl wants to be called; GRI_NEVER */
    bool some_failed;       /* an exchange has `failed` outside of its own callbacks */
    bool all_failed;        /* curl ran out of memory, and doesn't say for which transfer */
    struct gri_list live;   /* exchanges that were started */
    struct exchange **heap; /* owned array; the exchanges by due_ns, soonest first */
    size_t heap_count, heap_cap;
};

struct exchange {
    struct gri_http_exchange base; /* first */
    struct reactor *reactor;       /* borrowed; outlives every exchange */
    struct gri_http_events events;
    void *arg;

    struct gri_list asked; /* guarded by reactor->lock: in reactor->asked while asks != 0 */
    unsigned asks;         /* guarded by reactor->lock */
    atomic_bool canceled;  /* set with ASK_CANCEL, so that callbacks of curl see it too */

    CURL *easy;                   /* owned */
    struct curl_slist *headers;   /* owned; wiped before they are freed, since one is secret */
    char *body;                   /* owned */
    char *peer;                   /* owned: "host:port", for errors */
    uint64_t connect_ms, idle_ms; /* at most INT32_MAX */

    /* of the HTTP thread: */
    struct gri_list live;
    uint64_t deadline_ns;   /* on the machine's clock; GRI_NEVER */
    uint64_t heard_ns;      /* when the server was last heard, or the request went out */
    uint64_t due_ns;        /* when to look at the timeouts; never later than they are */
    size_t heap_index;      /* in reactor->heap, or GRI_DUE_NOWHERE */
    curl_off_t sent;        /* bytes of the body that have left */
    struct gri_strbuf head; /* "name\0value\0" for each header of the answer */
    struct gri_strbuf held; /* http2: came while the reader had stopped */
    int status;
    bool added, connected, paused, answered; /* answered: status was reported */
    bool http2;                              /* the answer comes over it */
    bool over;                               /* it is complete, and some of it is held */
    bool guarded, guard_refused;             /* refused: an address that was tried is not public */
    gr_code failed; /* the transfer has to stop for this reason; GR_OK: it hasn't */
    char curl_text[CURL_ERROR_SIZE];
};

/* reactor_memory.c: gri_curl_init is curl_global_init, with memory that is wiped when it is freed. */
CURLcode gri_curl_init(void);

/* reactor_exchange.c: one easy handle. When _new fails it leaves *reterr behind,
 * which must not be NULL. */
gr_code gri_exchange_new(struct reactor *r, const struct gri_http_request *req,
                         const struct gri_http_events *events, void *arg, struct exchange **ret_x,
                         gr_value **reterr);
void gri_exchange_free(struct exchange *x);
const char *gri_exchange_header(struct exchange *x, const char *name);

/* reactor_held.c: over HTTP/2. gri_held_bytes passes bytes on, or keeps them; false: the transfer has
 * failed. gri_held_give ends a pause; false: the reader has stopped again. */
bool gri_held_bytes(struct exchange *x, const char *data, size_t len);
bool gri_held_give(struct exchange *x);

/* reactor_error.c: curl's codes end here. */
gr_value *gri_exchange_error(struct exchange *x, CURLcode code);
gr_value *gri_exchange_timeout(struct exchange *x, uint64_t now_ns);

/* reactor_guard.c: true of all addresses when x isn't guarded. remote: an address as text. */
bool gri_guard_lets_connect(struct exchange *x, const struct curl_sockaddr *addr);
bool gri_guard_lets_send(struct exchange *x, const char *remote);
gr_value *gri_guard_error(struct exchange *x);

/* reactor_due.c: the timeouts, on the HTTP thread only. */
/* gri_due_of returns when x's next timeout is. */
uint64_t gri_due_of(const struct exchange *x);
bool gri_due_add(struct reactor *r, struct exchange *x); /* false: no memory */
void gri_due_remove(struct reactor *r, struct exchange *x);
/* gri_due_update must follow whatever brings a timeout nearer; later ones are noticed when due. */
void gri_due_update(struct reactor *r, struct exchange *x);

#endif
