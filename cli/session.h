/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.h - a runtime for one command, and waiting in it so that Ctrl-C is heard.
 *
 * The main thread polls two descriptors: the completion queue's and one for signals. The first
 * SIGINT or SIGTERM cancels the session's scope, and with it every call made in it, here and in
 * other processes; from then on signals have their default action, so a second one kills.
 */
#ifndef GR_CLI_SESSION_H
#define GR_CLI_SESSION_H

#include <poll.h>

#include <greenroom/greenroom.h>

struct gri_session {
    gr_runtime *rt;  /* owned */
    gr_scope *scope; /* owned; of all calls; cancelled by a signal */
    gr_cq *cq;       /* owned; NULL in a simulation, where waiting is what lets things happen */
    int signals;     /* a signalfd; -1: closed */
    int caught;      /* the signal that came, 0: none */
};

/* gri_signal_twins throws away what comes of the same signal, which is blocked, within a moment of it:
 * timeout(1), for one, signals a process and its group, and that is one wish to end, not two. */
void gri_signal_twins(int signal);

/* gri_session_open starts a runtime; workers 0: the default. false: it said why. */
bool gri_session_open(struct gri_session *s, unsigned workers);
/* gri_session_close joins what runs, and ends the runtime. */
void gri_session_close(struct gri_session *s);

/* gri_session_wait waits for f: its value, yours; NULL on failure with *reterr, yours. */
gr_value *gri_session_wait(struct gri_session *s, gr_future *f GR_TAKES, gr_value **reterr);
/* gri_session_poll waits for descriptors, 32 at most, a signal, or that long; -1: for ever. */
void gri_session_poll(struct gri_session *s, struct pollfd *fds, nfds_t count, int timeout_ms);
/* gri_session_sleep waits for a signal alone. */
void gri_session_sleep(struct gri_session *s);
/* gri_session_fail says err, unless a signal is the reason, and returns the command's exit code. */
int gri_session_fail(const struct gri_session *s, gr_value *err GR_TAKES);

#endif
