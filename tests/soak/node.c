/* SPDX-License-Identifier: Apache-2.0 */
/* node.c - the node that scenarios start as a process: the actor, the process, its start and its end. */
#include "tests/soak/node.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/soak/soak.h"

#define READY "ready"

extern char **environ;

/* ---- the actor ------------------------------------------------------------------------------- */

static _Atomic int64_t done, twice, open_now, left_ns, lasted_ns;
static _Atomic uint8_t seen[SOAK_IDS / 8];
static gr_ref next_work; /* {0, 0}: there is none */

/* note counts a call by its id, and whether it has been here. */
static void note(const gr_value *args)
{
    int64_t id = gr_as_int(gr_get(args, "id"), -1);
    uint8_t bit = (uint8_t)(1u << (id & 7));

    if (id >= 0 && id < SOAK_IDS && (atomic_fetch_or(&seen[id / 8], bit) & bit) != 0)
        atomic_fetch_add(&twice, 1);
    atomic_fetch_add(&done, 1);
}

static gr_value *invoke(gr_ctx *c, void *self, const gr_value *args)
{
    int64_t ms = gr_as_int(gr_get(args, "ms"), 0);

    (void)self;
    note(args);
    if (ms > 0 && gr_sleep(gr_runtime_of(c), ms) != GR_OK)
        return gr_error(GR_ECANCELED, "woken up");
    return gr_value_ref(gr_get(args, "id"));
}

static gr_code stream(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    int64_t n = gr_as_int(gr_get(args, "n"), 0);
    gr_code rc = GR_OK;

    (void)self, (void)in;
    note(args);
    atomic_fetch_add(&open_now, 1);
    for (int64_t i = 0; i < n && rc == GR_OK; i++)
        rc = gr_emit(c, gr_int(i));
    atomic_fetch_sub(&open_now, 1);
    return rc;
}

static gr_value *back(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *err = NULL, *v;

    (void)self;
    v = gr_invoke(gr_runtime_of(c), next_work, gr_value_ref(args), NULL, &err);
    return v != NULL ? v : err;
}

/* wait_long returns once the call is over. */
static void wait_long(gr_ctx *c)
{
    while (gr_sleep(gr_runtime_of(c), 60000) == GR_OK && !gr_cancelled(c))
        continue;
}

static gr_value *relay(gr_ctx *c, void *self, const gr_value *args)
{
    gr_runtime *rt = gr_runtime_of(c);
    uint64_t begun = gr_now_ns(rt);
    gr_value *err = NULL, *v = NULL;

    (void)self;
    atomic_fetch_add(&open_now, 1);
    atomic_store(&left_ns, (int64_t)(gr_deadline_ns(c) - begun));
    if (next_work.id != 0)
        v = gr_do(rt, next_work, "relay", gr_value_ref(args), NULL, &err);
    else
        wait_long(c);
    atomic_store(&lasted_ns, (int64_t)(gr_now_ns(rt) - begun));
    atomic_fetch_sub(&open_now, 1);
    if (v == NULL) /* a later hop's deadline may be the first that passes */
        v = err != NULL ? err : gr_error(GR_ECANCELED, "it is over");
    return v;
}

static gr_value *ping(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    return gr_value_ref(args);
}

static gr_value *counts(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self, (void)args;
    return gr_map(GR_KV("done", gr_int(done)), GR_KV("twice", gr_int(twice)),
                  GR_KV("open", gr_int(open_now)), GR_KV("left_ns", gr_int(left_ns)),
                  GR_KV("lasted_ns", gr_int(lasted_ns)));
}

static const gr_method methods[] = {
    { "invoke", GR_ASYNC, invoke, NULL }, { "stream", GR_ASYNC, NULL, stream },
    { "back", GR_ASYNC, back, NULL },     { "relay", GR_ASYNC, relay, NULL },
    { "ping", GR_CHEAP, ping, NULL },     { "counts", GR_CHEAP, counts, NULL },
};
static const gr_class work_class = GR_CLASS(.name = "work", GR_METHODS(methods));

void soak_publish(gr_runtime *rt, const char *next)
{
    if (next != NULL)
        next_work = gr_remote(gr_root(rt), next, "work");
    soak_check(gr_publish(rt, "work",
                          gr_spawn(gr_root(rt), &work_class, GR_SPAWN(.mailbox_max = 65536))) ==
                   GR_OK,
               "nothing is published");
}

int64_t soak_twice(void)
{
    return atomic_load(&twice);
}

/* ---- the process ----------------------------------------------------------------------------- */

static int number(const char *setting)
{
    const char *text = getenv(setting);

    return text != NULL ? atoi(text) : 0;
}

/* join registers the node in etcd, if there is one. */
static void join(gr_runtime *rt, const char *url)
{
    const char *etcd = getenv("SOAK_ETCD");
    gr_value *err = NULL;

    if (etcd == NULL)
        return;
    soak_check(gr_cluster_join(
                   rt, GR_CLUSTER(.etcd = etcd, .advertise = url, .ttl_ms = number("SOAK_TTL_MS")),
                   &err) == GR_OK,
               "%s", gr_error_text(err));
    if (number("SOAK_LAZY") == 0)
        gr_value_unref(gr_take(gr_cluster_ready(rt), NULL));
}

/* drain ends the node when every call that it has is answered. */
static int drain(gr_runtime *rt)
{
    uint64_t end = soak_now_ms() + SOAK_WAIT_MS;
    size_t left = 1;

    while (gr_node_drain(rt, &left) == GR_OK && left > 0) {
        if (soak_now_ms() > end) {
            fprintf(stderr, "a node still has %zu calls or links\n", left);
            return 2;
        }
        soak_nap(2);
    }
    gr_runtime_free(rt);
    return 0;
}

int soak_node_main(void)
{
    const char *url = getenv("SOAK_URL");
    struct rlimit files;
    gr_runtime *rt = NULL;
    gr_value *err = NULL;
    sigset_t term;
    int signal = 0;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, NULL);
    rt = soak_node_runtime(&(struct soak_how){ .beat_ms = number("SOAK_BEAT_MS"),
                                               .insecure = number("SOAK_INSECURE") != 0,
                                               .secret = getenv("SOAK_SECRET") });
    soak_publish(rt, getenv("SOAK_NEXT"));
    soak_check(gr_serve(rt, url, &err) == GR_OK, "%s", gr_error_text(err));
    join(rt, url);
    if (write(STDOUT_FILENO, READY, strlen(READY)) != (ssize_t)strlen(READY))
        return 4;
    while (sigwait(&term, &signal) != 0)
        continue;
    return drain(rt);
}

/* ---- its start and end ----------------------------------------------------------------------- */

static void set(const char *key, const char *text)
{
    if (text != NULL)
        setenv(key, text, 1);
    else
        unsetenv(key);
}

static void set_number(const char *key, int n)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", n);
    setenv(key, text, 1);
}

static void set_all(const char *url, const struct soak_how *how)
{
    set("SOAK_URL", url);
    set("SOAK_NEXT", how->next);
    set("SOAK_SECRET", how->secret);
    set("SOAK_ETCD", how->etcd);
    set_number("SOAK_BEAT_MS", how->beat_ms);
    set_number("SOAK_INSECURE", how->insecure);
    set_number("SOAK_TTL_MS", how->ttl_ms);
    set_number("SOAK_LAZY", how->lazy);
}

/* says waits until a line begins with a word, which is said once the program serves. */
static bool says(int fd, const char *word)
{
    size_t at = 0; /* of the line, and of the word as long as they are the same */
    bool same = true;
    char c;

    while (read(fd, &c, 1) == 1) {
        same = same && c == word[at];
        if (same && word[++at] == '\0')
            return true;
        if (c == '\n') {
            at = 0;
            same = true;
        }
    }
    return false;
}

struct soak_node soak_spawn(const char *program, char *const argv[], const char *word)
{
    struct soak_node n = { .pid = -1 };
    posix_spawn_file_actions_t files;
    int out[2];

    soak_check(pipe2(out, O_CLOEXEC) == 0, "no pipe");
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, out[1], STDOUT_FILENO);
    soak_check(posix_spawn(&n.pid, program, &files, NULL, argv, environ) == 0, "no process");
    posix_spawn_file_actions_destroy(&files);
    close(out[1]);
    soak_check(says(out[0], word), "%s does not start", argv[0]);
    close(out[0]);
    return n;
}

struct soak_node soak_start(const char *url, const struct soak_how *how)
{
    static const struct soak_how plain;
    char program[] = "node", flag[] = "--node";
    struct soak_node n;

    set_all(url, how != NULL ? how : &plain);
    n = soak_spawn("/proc/self/exe", (char *[]){ program, flag, NULL }, READY);
    snprintf(n.url, sizeof(n.url), "%s", url);
    return n;
}

void soak_kill(struct soak_node *n)
{
    kill(n->pid, SIGKILL);
    waitpid(n->pid, NULL, 0);
    n->pid = -1;
}

void soak_stop(struct soak_node *n)
{
    int status = 0;

    kill(n->pid, SIGTERM);
    soak_check(waitpid(n->pid, &status, 0) == n->pid && WIFEXITED(status) &&
                   WEXITSTATUS(status) == 0,
               "a node ended badly: status %d", status);
    n->pid = -1;
}
