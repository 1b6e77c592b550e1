/* SPDX-License-Identifier: Apache-2.0 */
/* process.c - one child process: its making, its signals, its end. */
#include "runtime/isolate/process.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <greenroom/link.h>

#include "runtime/base/alloc.h"
#include "runtime/base/strbuf.h"

#define START_MS 10000
#define SILENCE_MS 4000
#define MEMORY_MAX ((size_t)2 << 30)
#define TERMINATE_MS 5000

/* ---- making ---------------------------------------------------------------------------------- */

gr_isolate_opts gri_isolate_defaults(const gr_isolate_opts *from)
{
    gr_isolate_opts o = from != NULL ? *from : (gr_isolate_opts){ .size = sizeof(o) };

    if (o.start_ms == 0)
        o.start_ms = START_MS;
    if (o.silence_ms == 0)
        o.silence_ms = SILENCE_MS;
    if (o.memory_max == 0)
        o.memory_max = MEMORY_MAX;
    if (o.workers == 0)
        o.workers = 1;
    return o;
}

struct gri_process *gri_process_new(gr_runtime *rt, const char *kind, const gr_spawn_opts *opts,
                                    gr_value *args, gr_value *settings)
{
    struct gri_process *p = gri_new0(struct gri_process);
    const char *program = opts->isolate != NULL ? opts->isolate->program : NULL;

    if (p == NULL) {
        gr_value_unref(args);
        gr_value_unref(settings);
        return NULL;
    }
    atomic_init(&p->refs, 1);
    p->rt = rt;
    p->args = args;
    p->settings = settings;
    p->opts = gri_isolate_defaults(opts->isolate);
    p->terminate_ms = opts->terminate_ms != 0 ? opts->terminate_ms : TERMINATE_MS;
    p->leash_fd = p->pid_fd = -1;
    gri_list_init(&p->at_keeper);
    p->kind = gri_strdup(kind);
    p->name = gri_strdup(opts->name != NULL ? opts->name : kind);
    p->program = program != NULL ? gri_strdup(program) : NULL;
    if (p->kind == NULL || p->name == NULL || (program != NULL && p->program == NULL)) {
        gri_process_unref(p);
        return NULL;
    }
    return p;
}

struct gri_process *gri_process_ref(struct gri_process *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void gri_process_unref(void *arg)
{
    struct gri_process *p = arg;

    if (p == NULL || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (p->leash_fd >= 0)
        (void)close(p->leash_fd);
    if (p->pid_fd >= 0)
        (void)close(p->pid_fd);
    gri_free(p->kind);
    gri_free(p->name);
    gri_free(p->program);
    gr_value_unref(p->args);
    gr_value_unref(p->settings);
    gr_value_unref(p->why);
    gri_free(p);
}

/* ---- for handlers ---------------------------------------------------------------------------- */

/* wake_locked: under the lock, which the waiter takes before it leaves its frame. */
static void wake_locked(struct gri_process *p)
{
    if (p->waiter != NULL)
        gri_park_wake(p->waiter, GRI_WOKEN);
}

gr_value *gri_process_wait(struct gri_process *p, enum gri_process_state wanted,
                           uint64_t deadline_ns)
{
    for (;;) {
        struct gri_park park;
        uint32_t why = 0;
        gr_value *err = NULL;
        bool over;
        gr_code rc;

        gri_park_init(&park);
        gri_lock(&p->lock);
        over = p->state >= wanted;
        if (over && p->state == GRI_PROCESS_ENDED && wanted != GRI_PROCESS_ENDED)
            err = gr_value_ref(p->why);
        if (!over)
            p->waiter = &park;
        gri_unlock(&p->lock);
        if (over)
            return err;
        rc = gri_park_wait(&park, deadline_ns, true, &why);
        gri_lock(&p->lock);
        p->waiter = NULL;
        gri_unlock(&p->lock);
        if (rc != GR_OK)
            return gr_error(rc, "waiting for the isolated process: %s", gr_code_name(rc));
        if ((why & GRI_WOKEN) == 0)
            return gr_error((why & GRI_INTERRUPTED) != 0 ? GR_EINTR : GR_ETIMEDOUT,
                            "the isolated process was not ready in time");
    }
}

gr_value *gri_process_run(struct gri_process *p)
{
    gr_value *why = NULL;

    gri_lock(&p->lock);
    p->running = true;
    if (p->state == GRI_PROCESS_ENDED)
        why = gr_value_ref(p->why);
    gri_unlock(&p->lock);
    return why;
}

void gri_process_send(struct gri_process *p, enum gri_leash byte)
{
    char c = (char)byte;

    gri_lock(&p->lock);
    if (p->leash_fd >= 0)
        (void)send(p->leash_fd, &c, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    gri_unlock(&p->lock);
}

void gri_process_ask(struct gri_process *p)
{
    gri_lock(&p->lock);
    p->ending = true;
    gri_unlock(&p->lock);
    gri_process_send(p, GRI_LEASH_END);
}

void gri_process_kill(struct gri_process *p, const char *hint)
{
    gri_lock(&p->lock);
    if (hint == NULL)
        p->ending = true;
    else if (p->hint == NULL)
        p->hint = hint;
    if (p->pid != 0 && !p->reaped)
        (void)kill(p->pid, SIGKILL);
    gri_unlock(&p->lock);
}

void gri_process_doubt(struct gri_process *p, const char *why)
{
    gri_lock(&p->lock);
    if (p->doubt == NULL)
        p->doubt = why;
    gri_unlock(&p->lock);
}

/* ---- the end --------------------------------------------------------------------------------- */

void gri_process_enter(struct gri_process *p, enum gri_process_state state)
{
    gri_lock(&p->lock);
    if (p->state < state)
        p->state = state;
    wake_locked(p);
    gri_unlock(&p->lock);
}

void gri_process_fail(struct gri_process *p, gr_value *why)
{
    bool told;

    gri_lock(&p->lock);
    p->state = GRI_PROCESS_ENDED;
    p->why = why;
    told = p->running && !p->ending;
    wake_locked(p);
    gri_unlock(&p->lock);
    if (told)
        (void)gr_exit_to(p->rt, p->self, gr_value_ref(why));
}

static const char *signal_name(int n)
{
    static const struct {
        int number;
        const char *name;
    } names[] = { { SIGSEGV, "SIGSEGV" }, { SIGABRT, "SIGABRT" }, { SIGBUS, "SIGBUS" },
                  { SIGFPE, "SIGFPE" },   { SIGILL, "SIGILL" },   { SIGKILL, "SIGKILL" },
                  { SIGTERM, "SIGTERM" }, { SIGINT, "SIGINT" },   { SIGTRAP, "SIGTRAP" },
                  { SIGSYS, "SIGSYS" },   { SIGXCPU, "SIGXCPU" }, { SIGPIPE, "SIGPIPE" },
                  { SIGHUP, "SIGHUP" },   { SIGQUIT, "SIGQUIT" } };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].number == n)
            return names[i].name;
    return "a signal";
}

/* reason says what waitpid has said; hint is why we have killed it. known: there is a status. */
static gr_value *reason(pid_t pid, bool known, int status, const char *hint)
{
    gr_value *detail = gr_map(GR_KV("pid", gr_int(pid)));
    gr_value *err;

    if (!known) {
        err = gr_error(GR_EBROKEN, "isolated process ended: somebody else has taken its status");
    } else if (WIFSIGNALED(status)) {
        int n = WTERMSIG(status);

        detail = gr_set(detail, "signal", gr_int(n));
        if (n == SIGKILL && hint != NULL)
            err = gr_error(GR_EBROKEN, "isolated process ended: %s", hint);
        else
            err = gr_error(GR_EBROKEN, "isolated process ended: signal %d (%s)", n, signal_name(n));
    } else {
        detail = gr_set(detail, "status", gr_int(WEXITSTATUS(status)));
        err = gr_error(GR_EBROKEN, "isolated process ended: exit status %d", WEXITSTATUS(status));
    }
    err = gr_error_with(err, "kind", gr_str("IsolatedExit"));
    return gr_error_with(err, "detail", detail);
}

bool gri_process_reap(struct gri_process *p, bool block)
{
    int status = 0;
    const char *hint;
    pid_t got;

    if (block) /* not under the lock, and so that the pid stays the process's own until it is */
        while (waitid(P_PID, (id_t)p->pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT) != 0 &&
               errno == EINTR)
            continue;
    gri_lock(&p->lock);
    got = waitpid(p->pid, &status, WNOHANG);
    if (got == 0) {
        gri_unlock(&p->lock);
        return false;
    }
    p->reaped = true;
    hint = p->hint;
    gri_unlock(&p->lock);
    gri_process_fail(p, reason(p->pid, got == p->pid, status, hint));
    return true;
}
