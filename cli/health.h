/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health.h - how this process does, told on a local socket to who asks: service managers, load
 * balancers, kubelets.
 *
 * Who connects gets one line of JSON; who sends an HTTP request gets it as an answer, 200 while all is
 * well and 503 while the node drains or is stuck. The main thread serves the socket, between looks at its
 * signals: so it answers though handlers hold all workers up, and there is no thread more. "Stuck" is
 * found by that thread too: work waits, and nothing has been done for a while.
 */
#ifndef GR_CLI_HEALTH_H
#define GR_CLI_HEALTH_H

#include <poll.h>
#include <sys/types.h>

#include <greenroom/greenroom.h>

#define GRI_HEALTH_GUESTS 16    /* connections at once; one more takes the place of the oldest */
#define GRI_HEALTH_REQUEST 4096 /* bytes of a request */
#define GRI_HEALTH_FDS (GRI_HEALTH_GUESTS + 1)

/* A connection. */
struct gri_health_guest {
    int fd;
    uint64_t came_ns;
    size_t len;
    char request[GRI_HEALTH_REQUEST + 1];
};

struct gri_health {
    gr_runtime *rt; /* borrowed */
    int listener;   /* -1: there is no socket */
    char *path;     /* owned */
    dev_t device;   /* of the socket's file, and its number: it may be another's by the end */
    ino_t inode;
    uint64_t stuck_ns;
    uint64_t done, done_ns;          /* what had been done when it was last seen to change */
    struct gri_health_guest *guests; /* owned; GRI_HEALTH_GUESTS of them; fd -1: a free place */
};

/* gri_health_init makes it closed. */
void gri_health_init(struct gri_health *h);
/* gri_health_open listens at a path, with mode 0600. A socket there that nobody listens at any more is replaced.
 * false: it said why not. gri_health_close in any case. */
bool gri_health_open(struct gri_health *h, gr_runtime *rt, const char *path, int64_t stuck_ms);
void gri_health_close(struct gri_health *h);

/* gri_health_fds fills in what is to be polled, and returns how many; for at most *timeout_ms, which it may
 * shorten (-1: for ever). gri_health_serve does what is due then. */
nfds_t gri_health_fds(const struct gri_health *h, struct pollfd fds[GRI_HEALTH_FDS],
                      int *timeout_ms);
void gri_health_serve(struct gri_health *h, const struct pollfd fds[GRI_HEALTH_FDS]);

/* gri_health_value is what is told. */
gr_value *gri_health_value(struct gri_health *h);

#endif
