/* SPDX-License-Identifier: Apache-2.0 */
/*
 * up_process.c - starting the nodes' processes: posix_spawn of this very program. A node gets no input, a
 * pipe for what it says, a process group of its own, since Ctrl-C is ours to hear, and two variables: where to
 * say that it is ready, and who its parent is.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/parent.h"
#include "cli/up.h"
#include "runtime/base/alloc.h"
#include "runtime/base/spawn_attr.h"
#include "runtime/base/thread.h"

extern char **environ;

#define THIS_PROGRAM "/proc/self/exe" /* also when its file was replaced since */
#define ARGS_MAX 64
#define READY_MAX 256 /* datagrams heard in a row */

/* ---- who is ready ---------------------------------------------------------------------------- */

bool gri_up_open_ready(struct gri_up *u)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    socklen_t len = offsetof(struct sockaddr_un, sun_path);
    const int on = 1;

    u->ready = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* an address without a path has the kernel make up a name, which is no file */
    if (u->ready < 0 || bind(u->ready, (struct sockaddr *)&name, sizeof(name.sun_family)) != 0 ||
        setsockopt(u->ready, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0)
        goto failed;
    len = sizeof(name);
    if (getsockname(u->ready, (struct sockaddr *)&name, &len) != 0)
        goto failed;
    len -= (socklen_t)offsetof(struct sockaddr_un, sun_path) + 1;
    if (len == 0 || len >= sizeof(u->ready_name) - 1)
        goto failed;
    (void)snprintf(u->ready_name, sizeof(u->ready_name), "@%.*s", (int)len, name.sun_path + 1);
    return true;
failed:
    gri_say("the socket where nodes say that they are ready: %s", strerror(errno));
    return false;
}

/* hear_one returns the pid of who says READY=1; 0: somebody says something else; -1: nobody says anything. */
static pid_t hear_one(int from)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    char text[256];
    struct iovec part = { .iov_base = text, .iov_len = sizeof(text) - 1 };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = sizeof(control) };
    ssize_t n = recvmsg(from, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(&message) : NULL;
    struct ucred who;

    if (n < 0)
        return errno == EINTR ? 0 : -1;
    text[n] = '\0';
    if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS ||
        strncmp(text, "READY=1", 7) != 0)
        return 0;
    memcpy(&who, CMSG_DATA(c), sizeof(who));
    return who.pid;
}

void gri_up_hear_ready(struct gri_up *u)
{
    for (int n = 0; n < READY_MAX; n++) {
        pid_t pid = hear_one(u->ready);

        if (pid < 0)
            return;
        for (size_t i = 0; i < u->count; i++) {
            struct gri_up_process *p = &u->nodes[i];

            if (p->state == GRI_UP_STARTED && p->pid == pid) {
                p->state = GRI_UP_READY;
                p->up_ns = gri_clock_ns();
            }
        }
    }
}

/* ---- starting -------------------------------------------------------------------------------- */

/* environment returns the process's own with two variables more, as an array that borrows; NULL: no memory. */
static char **environment(char *ready, char *parent)
{
    size_t count = 0, kept = 0;
    char **all;

    while (environ[count] != NULL)
        count++;
    all = gri_alloc_array(count + 3, sizeof(*all));
    if (all == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], "NOTIFY_SOCKET=", 14) != 0 &&
            strncmp(environ[i], GRI_PARENT_VARIABLE "=", strlen(GRI_PARENT_VARIABLE) + 1) != 0)
            all[kept++] = environ[i];
    }
    if (ready != NULL)
        all[kept++] = ready;
    all[kept++] = parent;
    return all;
}

/* node_words and command_words fill in what the process is started with. */
static void node_words(const struct gri_up *u, const struct gri_up_process *p, char *drain,
                       size_t size, char *words[ARGS_MAX])
{
    const char *all[] = { u->argv[0], "serve",   u->path,   "--node",
                          p->name,    "--quiet", "--drain", drain };

    (void)snprintf(drain, size, "%lld.%03lld", (long long)u->drain_ms / 1000,
                   (long long)u->drain_ms % 1000);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        words[i] = (char *)(uintptr_t)all[i];
}

static bool command_words(const struct gri_up *u, char *words[ARGS_MAX])
{
    size_t count = 0;

    words[count++] = u->argv[0];
    words[count++] = u->rest[0];
    words[count++] = (char *)(uintptr_t)u->path;
    for (size_t i = 1; u->rest[i] != NULL; i++) {
        if (count == ARGS_MAX - 1)
            return false;
        words[count++] = u->rest[i];
    }
    return true;
}

static void set_up_files(posix_spawn_file_actions_t *files, int out)
{
    (void)posix_spawn_file_actions_init(files);
    if (out < 0)
        return;
    (void)posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_adddup2(files, out, STDOUT_FILENO);
    (void)posix_spawn_file_actions_adddup2(files, out, STDERR_FILENO);
}

/* spawn runs words; out is the writing end of what the process says, -1: it says it itself. 0, or an errno. */
static int spawn(const struct gri_up *u, struct gri_up_process *p, char **words, int out)
{
    char ready[64], parent[64];
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    char **env;
    int rv = ENOMEM;

    (void)snprintf(ready, sizeof(ready), "NOTIFY_SOCKET=%s", u->ready_name);
    (void)snprintf(parent, sizeof(parent), "%s=%ld", GRI_PARENT_VARIABLE, (long)getpid());
    env = environment(out >= 0 ? ready : NULL, parent);
    if (env == NULL)
        return rv;
    set_up_files(&files, out);
    gri_spawn_attr_init(&attr, out >= 0);
    rv = posix_spawn(&p->pid, THIS_PROGRAM, &files, &attr, words, env);
    (void)posix_spawn_file_actions_destroy(&files);
    (void)posix_spawnattr_destroy(&attr);
    gri_free(env);
    return rv;
}

static int start_node(struct gri_up *u, struct gri_up_process *p)
{
    char drain[32], *words[ARGS_MAX] = { NULL };
    int ends[2], rv;

    node_words(u, p, drain, sizeof(drain), words);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    rv = spawn(u, p, words, ends[1]);
    (void)close(ends[1]);
    if (rv != 0)
        (void)close(ends[0]);
    else
        p->out = ends[0];
    return rv;
}

bool gri_up_start(struct gri_up *u, struct gri_up_process *p)
{
    char *words[ARGS_MAX] = { NULL };
    int rv;

    if (p != &u->command)
        rv = start_node(u, p);
    else
        rv = command_words(u, words) ? spawn(u, p, words, -1) : E2BIG;
    if (rv != 0) {
        gri_say("%s can't be started: %s", p->name, strerror(rv));
        return false;
    }
    p->state = GRI_UP_STARTED;
    p->told = false;
    p->due_ns = gri_clock_ns() + (uint64_t)u->start_ms * 1000000;
    return true;
}

/* ---- the end --------------------------------------------------------------------------------- */

bool gri_up_reap(struct gri_up_process *p, int *ret_status)
{
    if (p->state == GRI_UP_DOWN || waitpid(p->pid, ret_status, WNOHANG) != p->pid)
        return false;
    p->state = GRI_UP_DOWN;
    p->pid = 0;
    return true;
}

void gri_up_tell_end(char *to, size_t size, int status)
{
    if (WIFSIGNALED(status))
        (void)snprintf(to, size, "was killed by signal %d (%s)", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
    else
        (void)snprintf(to, size, "ended with exit code %d", WEXITSTATUS(status));
}

/* is_deserted tells whether a path is a socket at which nobody listens. */
static bool is_deserted(const char *path)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    struct stat about;
    bool deserted;
    int fd;

    if (strlen(path) >= sizeof(to.sun_path) || lstat(path, &about) != 0 || !S_ISSOCK(about.st_mode))
        return false;
    memcpy(to.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    deserted =
        fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno == ECONNREFUSED;
    if (fd >= 0)
        (void)close(fd);
    return deserted;
}

void gri_up_sweep(const struct gri_up *u, size_t node)
{
    const struct gri_deploy_node *n = &u->file->deploy.nodes[node];

    for (size_t i = 0; i < n->url_count; i++) {
        const char *url = gri_deploy_url(n, i);

        if (strncmp(url, "ipc:///", 7) == 0 && is_deserted(url + 6))
            (void)unlink(url + 6);
    }
}
