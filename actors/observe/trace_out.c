/* SPDX-License-Identifier: Apache-2.0 */
#include "actors/observe/trace_out.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "actors/observe/trim.h"
#include "runtime/base/alloc.h"
#include "runtime/base/log.h"

static void out_drop(void *out)
{
    gri_free(out);
}

gr_value *gri_tracer_new(const char *name, gr_event_fn *fn, unsigned kinds, int fd,
                         const gr_tracer_opts *opts)
{
    struct gri_trace_out *out = gri_new0(struct gri_trace_out);

    if (out == NULL)
        return gr_error(GR_ENOMEM, "out of memory");
    out->fd = fd;
    out->value_max = opts != NULL && opts->value_max != 0 ? opts->value_max : GRI_TRIM_MAX;
    return gr_handler_value(
        GR_HANDLER(.name = name, .on_event = fn, .drop = out_drop, .arg = out, .kinds = kinds));
}

/* write_all: 0, or why the rest could not be written. */
static int write_all(struct gri_trace_out *out, const char *text, size_t len)
{
    struct pollfd ready = { .fd = out->fd, .events = POLLOUT };
    size_t done = 0;

    while (done < len) {
        ssize_t n = write(out->fd, text + done, len - done);

        if (n >= 0)
            done += (size_t)n;
        else if (errno == EAGAIN && poll(&ready, 1, GRI_TRACE_WAIT_MS) > 0)
            continue;
        else if (errno != EINTR)
            break;
    }
    out->torn = done > 0 && done < len;
    return done < len ? errno : 0;
}

/* A pipe without a reader would end the process: workers block SIGPIPE, but a handler may run on a
 * thread of the user's. */
static int write_quietly(struct gri_trace_out *out, const char *text, size_t len)
{
    const struct timespec at_once = { .tv_sec = 0 };
    sigset_t pipe_only, before, pending;
    int error;

    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    (void)sigpending(&pending);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    error = write_all(out, text, len);
    if (error == EPIPE && sigismember(&pending, SIGPIPE) == 0)
        (void)sigtimedwait(&pipe_only, NULL, &at_once);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

void gri_trace_line(struct gri_trace_out *out, struct gri_strbuf *line)
{
    bool tell = false;
    int error = ENOMEM;

    gri_strbuf_addc(line, '\n');
    gri_lock(&out->lock);
    if (!line->failed) {
        if (out->torn) /* end what is there */
            (void)write_quietly(out, "\n", 1);
        error = write_quietly(out, line->data, line->len);
    }
    if (error != 0) {
        tell = !out->told;
        out->told = true;
    }
    gri_unlock(&out->lock);
    gri_strbuf_fini(line);
    if (tell)
        gri_log(1, "a tracer can't write: error %d", error);
}
