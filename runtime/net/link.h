/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link.h - a full-duplex connection that carries frames. The seam that a simulated net replaces.
 *
 * A link's events come on a worker, one at a time: up once, if it gets that far; then frames; and
 * down exactly once, last, also for a link that was never up. Handlers must not wait. While a
 * handler runs, nothing more is read from the peer: who is slow to handle frames slows the peer
 * down. Only room may come from another thread, beside the others, though never after down.
 *
 * What is sent while a write is under way gathers, and goes out in one write when that is done: no
 * timer, no added delay. Frames keep their order.
 */
#ifndef GR_RUNTIME_NET_LINK_H
#define GR_RUNTIME_NET_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include <greenroom/value.h>

#define GRI_LINK_BUSY                                                                              \
    (32u * 1024) /* bytes that wait for the write under way; then a link is busy */
#define GRI_LINK_QUEUE_MAX (8u * 1024 * 1024) /* bytes that wait in a peer; see is_full in peer.c */
#define GRI_LINK_UNREAD_MAX                                                                        \
    (256u * 1024 * 1024)     /* bytes that wait though they had to go: then the peer doesn't read */
#define GRI_LINKS_MAX 16384u /* accepted by one listener and not closed yet */

#define GRI_SLICES 5u /* that are sent at once, at most */

struct gri_net_driver;

struct gri_slice {
    const void *data;
    size_t size;
};

/* What each driver's own link and listener begin with. */
struct gri_link {
    const struct gri_net_driver *driver;
};
struct gri_listener {
    const struct gri_net_driver *driver;
};

struct gri_link_events {
    void (*up)(void *arg);
    /* frame gives one frame without its length. The bytes are borrowed for the call. */
    void (*frame)(void *arg, const void *body, size_t size);
    /* room: a send has said that the link is busy, and now it is not */
    void (*room)(void *arg);
    void (*down)(void *arg, gr_value *why GR_TAKES);
};

/* gri_accept_fn gets a link with a reference of its own, or refuses it by returning NULL. What
 * it returns is the arg of the link's events. On a worker. */
typedef void *gri_accept_fn(void *arg, struct gri_link *link,
                            const struct gri_link_events **ret_ev);

#define GRI_TLS_SCHEME "tls+tcp://"

/* What TLS needs to know; NULL where nothing is set. Files in PEM. */
struct gri_tls {
    char *ca;   /* whom to trust, and whose certificates are revoked */
    char *cert; /* our certificate and its key */
    char *name; /* that the server's certificate must be for; default: the URL's host */
};

/* How a link does. */
struct gri_vitals {
    uint64_t heard_ns;            /* when bytes came last; 0: none yet */
    uint64_t waiting_ns;          /* since when some wait to be handled here; 0: none do */
    uint64_t bytes_out, bytes_in; /* that the system has taken, and given; 0 in a simulation */
};

struct gri_net_driver {
    /* dial returns at once: up or down follow. tls is borrowed for the call. GR_EINVAL the URL, or
     * what TLS needs; GR_ENOMEM. [any] */
    gr_code (*dial)(gr_runtime *rt, const char *url, const struct gri_tls *tls,
                    const struct gri_link_events *events, void *arg, struct gri_link **ret_link,
                    gr_value **reterr);
    /* listen: GR_EINVAL the URL; GR_EUNREACH the address is taken or not ours; GR_ENOMEM. [any] */
    gr_code (*listen)(gr_runtime *rt, const char *url, const struct gri_tls *tls,
                      gri_accept_fn *accept, void *arg, struct gri_listener **ret_listener,
                      gr_value **reterr);
    /* unlisten: accept is not running and won't be called again. Frees it. [waits] */
    void (*unlisten)(struct gri_listener *listener);
    /* send copies slices, whole frames together, behind what waits. *ret_busy: much does now, and room
     * follows once it is less; until then nothing more should be sent. GR_ENOMEM; GR_EUNREACH: the
     * link is going down. [any] */
    gr_code (*send)(struct gri_link *link, const struct gri_slice *slices, unsigned count,
                    bool *ret_busy);
    /* flush writes now, if much has gathered and nothing is being written: who sends one frame after the other would
     * else leave the link nothing to do meanwhile. Without any lock that the events take. NULL: never. [any] */
    void (*flush)(struct gri_link *link);
    /* urge sends a short frame without the help of a worker, which may all be stuck. No promise. Not
     * from a worker. [any] */
    void (*urge)(struct gri_link *link, const void *frame, size_t size);
    void (*vitals)(struct gri_link *link, struct gri_vitals *ret); /* [any] */
    /* limit sets the longest frame that is taken. It begins with GRI_FRAME_HELLO_MAX. In an
     * event only. */
    void (*limit)(struct gri_link *link, size_t frame_max);
    /* close has down follow, with `why` unless another reason was first. [any] */
    void (*close)(struct gri_link *link, gr_value *why GR_TAKES);
    /* finish closes once what was sent has been written, which may be never. [any] */
    void (*finish)(struct gri_link *link, gr_value *why GR_TAKES);
    void (*release)(struct gri_link *link); /* gives the reference back. [any] */
    /* stop: the runtime goes, and all its links and listeners have gone. NULL: of no interest.
     * [waits] */
    void (*stop)(gr_runtime *rt);
};

/* The driver over nng's streams: ipc, tcp and tls+tcp. */
extern const struct gri_net_driver gri_net_nng;

/* gri_from_nng maps a result of nng's. */
gr_code gri_from_nng(int rv);

#endif
