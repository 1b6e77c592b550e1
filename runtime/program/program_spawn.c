/* SPDX-License-Identifier: Apache-2.0 */
/* program_spawn.c - the start of a program, its signals, and how it ended. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/program/program_impl.h"
#include "runtime/base/spawn_attr.h"

static void set_up_files(posix_spawn_file_actions_t *files, const int fds[3], const char *folder)
{
    (void)posix_spawn_file_actions_init(files);
    for (int i = 0; i < 3; i++)
        (void)posix_spawn_file_actions_adddup2(files, fds[i], i);
#if defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 34)
    /* ours are closed by exec; this is for what the host has open without that */
    (void)posix_spawn_file_actions_addclosefrom_np(files, 3);
#endif
#endif
    if (folder != NULL)
        (void)posix_spawn_file_actions_addchdir_np(files, folder);
}

static int run(struct gri_program *p, const int fds[3])
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    int rv;

    set_up_files(&files, fds, p->folder);
    gri_spawn_attr_init(&attr, true);
    rv = posix_spawnp(&p->pid, p->argv[0], &files, &attr, p->argv, p->env);
    (void)posix_spawn_file_actions_destroy(&files);
    (void)posix_spawnattr_destroy(&attr);
    if (rv != 0)
        p->pid = 0;
    return rv;
}

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
}

/* open_pipes makes three pipes, each with both ends above the standard three, so that the child's dup2 in
 * turn overwrites none that is still needed. */
static int open_pipes(int fds[6])
{
    for (int i = 0; i < 6; i++)
        fds[i] = -1;
    for (int i = 0; i < 6; i += 2) {
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) != 0)
            return errno;
        for (int j = 0; j < 2; j++) {
            fds[i + j] = ends[j] > 2 ? ends[j] : fcntl(ends[j], F_DUPFD_CLOEXEC, 3);
            if (ends[j] <= 2)
                (void)close(ends[j]);
        }
        if (fds[i] < 0 || fds[i + 1] < 0)
            return EMFILE;
    }
    return 0;
}

int gri_program_spawn(struct gri_program *p)
{
    int fds[6]; /* stdin's ends to read and to write, stdout's, stderr's */
    int rv = open_pipes(fds);

    if (rv == 0)
        rv = run(p, (const int[3]){ fds[0], fds[3], fds[5] });
    if (rv != 0) {
        close_all(fds, 6);
        return rv;
    }
    p->in_fd = fds[1];
    p->out_fd = fds[2];
    p->err_fd = fds[4];
    close_all((int[3]){ fds[0], fds[3], fds[5] }, 3);
    (void)fcntl(p->in_fd, F_SETFL, O_NONBLOCK);
    (void)fcntl(p->out_fd, F_SETFL, O_NONBLOCK);
    (void)fcntl(p->err_fd, F_SETFL, O_NONBLOCK);
#if defined(SYS_pidfd_open)
    p->pid_fd = (int)syscall(SYS_pidfd_open, p->pid,
                             0); /* -1 before Linux 5.3: then we look now and then */
#endif
    return 0;
}

void gri_program_kill(struct gri_program *p, int signal)
{
    if (p->pid > 0)
        (void)kill(-p->pid, signal);
}

/* reason says what waitpid has said. */
static gr_value *reason(const struct gri_program *p, bool known, int status)
{
    gr_value *detail = gr_map(GR_KV("pid", gr_int(p->pid)));
    gr_value *err;

    if (!known) {
        err = gr_error(GR_EBROKEN, "%s ended: somebody else has taken its status", p->argv[0]);
    } else if (WIFSIGNALED(status)) {
        detail = gr_set(detail, "signal", gr_int(WTERMSIG(status)));
        err = gr_error(GR_EBROKEN, "%s ended: signal %d", p->argv[0], WTERMSIG(status));
    } else {
        detail = gr_set(detail, "status", gr_int(WEXITSTATUS(status)));
        err = gr_error(GR_EBROKEN, "%s ended: exit status %d", p->argv[0], WEXITSTATUS(status));
    }
    err = gr_error_with(err, "kind", gr_str("ProgramExit"));
    return gr_error_with(err, "detail", detail);
}

gr_value *gri_program_reap(struct gri_program *p, bool block)
{
    siginfo_t info = { .si_pid = 0 };
    int status = 0, rv;
    pid_t got;

    do
        rv = waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOWAIT | (block ? 0 : WNOHANG));
    while (rv != 0 && errno == EINTR);
    if (rv == 0 && info.si_pid == 0)
        return NULL;
    gri_program_kill(p, SIGKILL); /* its group's name is its own until the next line */
    got = waitpid(p->pid, &status, WNOHANG);
    return reason(p, got == p->pid, status);
}
