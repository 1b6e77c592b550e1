/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch.c - starting the child: posix_spawn of this very program. What it gets of us is the leash, our
 * standard error and the environment.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/spawn_attr.h"
#include "runtime/isolate/kinds.h"
#include "runtime/isolate/process.h"
#include "runtime/net/node.h"
#include "runtime/net/proof.h"

extern char **environ;

/* This program, also when its file was replaced or deleted since it was started. */
#define THIS_PROGRAM "/proc/self/exe"
#define NUMBER_SIZE 24

static void set_up_files(posix_spawn_file_actions_t *files, int leash)
{
    bool shown = fcntl(STDERR_FILENO, F_GETFD) >= 0;

    (void)posix_spawn_file_actions_init(files);
    /* first: the descriptor may be one of those that are set below */
    (void)posix_spawn_file_actions_adddup2(files, leash, GRI_LEASH_FD);
    (void)posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!shown)
        (void)posix_spawn_file_actions_addopen(files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    (void)posix_spawn_file_actions_adddup2(files, STDERR_FILENO, STDOUT_FILENO);
}

static int run_program(struct gri_process *p, const char *program, int leash, pid_t *ret_pid)
{
    char workers[NUMBER_SIZE], memory[NUMBER_SIZE], end_ms[NUMBER_SIZE];
    const char *self = gri_kinds_program();
    char *argv[GRI_ISOLATED_ARGS + 1] = { (char *)(uintptr_t)(p->program != NULL ? program : self),
                                          (char *)(uintptr_t)GRI_ISOLATED_ARG,
                                          p->url,
                                          workers,
                                          memory,
                                          end_ms,
                                          NULL };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    int rv;

    (void)snprintf(workers, sizeof(workers), "%u", p->opts.workers);
    (void)snprintf(memory, sizeof(memory), "%zu", p->opts.memory_max);
    (void)snprintf(end_ms, sizeof(end_ms), "%lld", (long long)p->terminate_ms);
    set_up_files(&files, leash);
    gri_spawn_attr_init(&attr, true);
    rv = posix_spawn(ret_pid, program, &files, &attr, argv, environ);
    (void)posix_spawn_file_actions_destroy(&files);
    (void)posix_spawnattr_destroy(&attr);
    return rv;
}

static int pid_descriptor(pid_t pid)
{
#if defined(SYS_pidfd_open)
    return (int)syscall(SYS_pidfd_open, pid,
                        0); /* -1 on kernels before 5.3: then the leash tells */
#else
    (void)pid;
    return -1;
#endif
}

_Static_assert(sizeof(((struct gri_leash_node *)NULL)->cluster) > GRI_HELLO_NAME_MAX, "it fits");

/* tell_node says to the child what its end of the link must know: 0, or an errno. */
static int tell_node(struct gri_process *p, int leash)
{
    struct gri_leash_node told = { .cluster = "" };
    struct gri_node *node = gri_node_get(p->rt);
    int rv = 0;

    if (node == NULL)
        return ENOMEM;
    gri_lock(&node->lock);
    node->used = true; /* its settings stay as they are */
    memcpy(told.cluster, node->set.cluster, strlen(node->set.cluster) + 1);
    if (node->set.secret != NULL && node->set.secret_size < sizeof(told.secret))
        memcpy(told.secret, node->set.secret, node->set.secret_size);
    gri_unlock(&node->lock);
    if (send(leash, &told, sizeof(told), MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof(told))
        rv = EIO; /* it is the first, and there is room for it */
    gri_wipe(&told, sizeof(told));
    return rv;
}

void gri_process_start(struct gri_process *p, const char *url)
{
    const char *program = p->program != NULL ? p->program : THIS_PROGRAM;
    int leash[2] = { -1, -1 };
    pid_t pid = 0;
    int rv;

    gri_lock(&p->lock);
    (void)snprintf(p->url, sizeof(p->url), "%s", url);
    gri_unlock(&p->lock);
    rv = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, leash) == 0 ? 0 : errno;
    if (rv == 0)
        rv = tell_node(p, leash[0]);
    if (rv == 0)
        rv = run_program(p, program, leash[1], &pid);
    if (leash[1] >= 0)
        (void)close(leash[1]);
    if (rv != 0) {
        if (leash[0] >= 0)
            (void)close(leash[0]);
        gri_process_fail(p, gr_error(GR_EBROKEN, "isolated process: %s can't be run: %s", program,
                                     strerror(rv)));
        return;
    }
    gri_lock(&p->lock);
    p->pid = pid;
    p->leash_fd = leash[0];
    p->pid_fd = pid_descriptor(pid);
    if (p->ending)
        (void)kill(pid, SIGKILL); /* nobody wants it any more */
    gri_unlock(&p->lock);
    gri_process_enter(p, GRI_PROCESS_STARTED);
}
