/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - the runtime of one command, its signals, and the loop that waits. */
#include "cli/session.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "cli/console.h"
#include "runtime/base/assert.h"

#define SESSION_FDS 32

static void the_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGTERM);
}

void gri_signal_twins(int signal)
{
    const struct timespec moment = { .tv_nsec = 50 * 1000000 };
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, signal);
    while (sigtimedwait(&set, NULL, &moment) > 0)
        continue;
}

bool gri_session_open(struct gri_session *s, unsigned workers)
{
    sigset_t set;
    gr_code code;

    *s = (struct gri_session){ .signals = -1 };
    the_signals(&set);
    (void)signal(SIGPIPE, SIG_IGN); /* a closed pipe is a failed write, and said */
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->signals < 0) {
        gri_say("signals: %s", strerror(errno));
        return false;
    }
    code = gr_runtime_new(GR_RUNTIME(.workers = workers, .report_overflow = true,
                                     .backtrace_signal = GR_BACKTRACE_SIGNAL),
                          &s->rt);
    if (code == GR_OK) {
        s->scope = gr_scope_new(gr_root(s->rt));
        s->cq = gr_cq_new(s->rt);
        if (s->scope == NULL || s->cq == NULL)
            code = GR_ENOMEM;
    }
    if (code != GR_OK) {
        gri_say("the runtime can't start: %s", gr_code_name(code));
        gri_session_close(s);
    }
    return code == GR_OK;
}

/* let_signals_kill gives SIGINT and SIGTERM their default action back. */
static void let_signals_kill(struct gri_session *s)
{
    sigset_t set;

    the_signals(&set);
    if (s->signals >= 0)
        (void)close(s->signals);
    s->signals = -1;
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void gri_session_close(struct gri_session *s)
{
    let_signals_kill(s); /* ending must not hang on what does not end */
    gr_cq_free(s->cq);
    gr_scope_free(s->scope);
    gr_runtime_free(s->rt);
    *s = (struct gri_session){ .signals = -1, .caught = s->caught };
}

/* read_signal notes a signal, if one came, and cancels everything. */
static void read_signal(struct gri_session *s)
{
    struct signalfd_siginfo info;

    if (s->signals < 0 || read(s->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    s->caught = (int)info.ssi_signo;
    gr_scope_cancel(s->scope);
    gri_signal_twins(s->caught);
    let_signals_kill(s);
}

gr_value *gri_session_wait(struct gri_session *s, gr_future *f, gr_value **reterr)
{
    gr_future *done = NULL;
    gr_code code;

    if (s->cq == NULL) /* simulated: there is nothing to poll */
        return gr_take(f, reterr);
    code = gr_cq_watch(s->cq, f, NULL);
    if (code != GR_OK) {
        *reterr = gr_error(code, "the call could not be made");
        return NULL;
    }
    read_signal(s); /* also when all answers are there at once */
    for (;;) {
        struct pollfd fds[2] = { { .fd = gr_cq_fd(s->cq), .events = POLLIN },
                                 { .fd = s->signals, .events = POLLIN } };
        void *tag;

        done = gr_cq_next(s->cq, &tag);
        if (done != NULL)
            break;
        (void)poll(fds, 2, -1); /* a negative descriptor is ignored */
        if (fds[1].revents != 0)
            read_signal(s);
    }
    return gr_take(done, reterr);
}

void gri_session_poll(struct gri_session *s, struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct pollfd all[SESSION_FDS + 1] = { { .fd = s->signals, .events = POLLIN } };

    gri_assert(count <= SESSION_FDS);
    for (nfds_t i = 0; i < count; i++)
        all[i + 1] = fds[i];
    (void)poll(all, count + 1, timeout_ms); /* a negative descriptor is ignored */
    if (all[0].revents != 0)
        read_signal(s);
    for (nfds_t i = 0; i < count; i++)
        fds[i].revents = all[i + 1].revents;
}

void gri_session_sleep(struct gri_session *s)
{
    while (s->caught == 0 && s->signals >= 0) {
        struct pollfd fd = { .fd = s->signals, .events = POLLIN };

        (void)poll(&fd, 1, -1);
        read_signal(s);
    }
}

int gri_session_fail(const struct gri_session *s, gr_value *err)
{
    if (s->caught != 0)
        gri_say("cancelled");
    else
        gri_say_error(err);
    gr_value_unref(err);
    return s->caught != 0 ? 128 + s->caught : GRI_EXIT_FAILED;
}
