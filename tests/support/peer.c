/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELD_MAX 4096
#define REACH_MS 20000

extern char **environ;

static _Atomic int64_t waiting, cancelled, emitted, received, told;
static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;
static gr_promise *held[HELD_MAX];
static gr_value *held_inputs[HELD_MAX];
static int64_t held_count;

/* ---- the actor ------------------------------------------------------------------------------- */

static gr_value *invoke(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    return gr_value_ref(args);
}

static gr_value *fail(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *err = gr_error(GR_ERATE, "slow down");

    (void)c, (void)self, (void)args;
    err = gr_error_with(err, "kind", gr_str("RateLimit"));
    err = gr_error_with(err, "where", gr_str("model.c:7"));
    err = gr_error_with(err, "status", gr_int(429));
    err = gr_error_with(err, "retry_after_ms", gr_int(1500));
    err = gr_error_with(err, "detail", gr_map(GR_KV("quota", gr_int(3))));
    return gr_error_with(err, "cause", gr_error(GR_EDEADLK, "a local cause"));
}

static gr_value *hold(gr_ctx *c, void *self, const gr_value *args)
{
    gr_promise *p = gr_defer(c);

    (void)self;
    pthread_mutex_lock(&held_lock);
    held_inputs[held_count] = gr_value_ref(args);
    held[held_count++] = p;
    pthread_mutex_unlock(&held_lock);
    return NULL;
}

static gr_value *let_go(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self, (void)args;
    pthread_mutex_lock(&held_lock);
    while (held_count > 0) {
        held_count--;
        gr_resolve(held[held_count], held_inputs[held_count]);
    }
    pthread_mutex_unlock(&held_lock);
    return gr_bool(true);
}

/* wait_long returns once the call is cancelled, or the deadline has passed. */
static void wait_long(gr_ctx *c)
{
    atomic_fetch_add(&waiting, 1);
    while (gr_sleep(gr_runtime_of(c), 60000) == GR_OK && !gr_cancelled(c))
        continue;
    atomic_fetch_add(&cancelled, 1);
}

static gr_value *wait_verb(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    wait_long(c);
    return gr_error(GR_ECANCELED, "woken up");
}

static gr_value *left_ms(gr_ctx *c, void *self, const gr_value *args)
{
    uint64_t until = gr_deadline_ns(c), now = gr_now_ns(gr_runtime_of(c));

    (void)self, (void)args;
    return gr_int(until == 0 ? -1 : until <= now ? 0 : (int64_t)((until - now) / 1000000));
}

static gr_value *config_verb(gr_ctx *c, void *self, const gr_value *args)
{
    const gr_value *config = gr_config(c);

    (void)self, (void)args;
    return config != NULL ? gr_value_ref(config) : gr_nil();
}

static gr_code stream(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    int64_t n = gr_as_int(gr_get(args, "n"), 0);
    size_t size = (size_t)gr_as_int(gr_get(args, "size"), 1);
    char *text = calloc(1, size + 1);
    gr_code rc = GR_OK;

    (void)self, (void)in;
    memset(text, 'x', size);
    for (int64_t i = 0; i < n && rc == GR_OK; i++) {
        rc = gr_emit(c, gr_strn(text, size));
        if (rc == GR_OK)
            atomic_fetch_add(&emitted, 1);
    }
    free(text);
    if (rc != GR_OK)
        atomic_fetch_add(&cancelled, 1);
    if (gr_as_bool(gr_get(args, "fail"), false))
        return gr_fail(c, gr_error(GR_EREMOTE, "out of words"));
    return rc;
}

static gr_code transform(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_outcome o;

    (void)self, (void)args;
    while ((o = gr_next(in, -1)).code == GR_OK) {
        atomic_fetch_add(&received, 1);
        if (gr_emit(c, gr_value_ref(o.value)) != GR_OK)
            return GR_ECANCELED;
    }
    if (o.error != NULL)
        return gr_fail(c, gr_value_ref(o.error));
    return o.code == GR_EOS ? GR_OK : o.code;
}

static gr_code swallow(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    (void)self, (void)args;
    if (gr_next(in, -1).code == GR_OK)
        atomic_fetch_add(&received, 1);
    wait_long(c);
    return GR_ECANCELED;
}

static gr_value *die(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self, (void)args;
    raise(SIGKILL);
    return gr_nil();
}

static gr_value *counts(gr_ctx *c, void *self, const gr_value *args)
{
    int64_t now_held;

    (void)c, (void)self, (void)args;
    pthread_mutex_lock(&held_lock);
    now_held = held_count;
    pthread_mutex_unlock(&held_lock);
    return gr_map(GR_KV("held", gr_int(now_held)), GR_KV("waiting", gr_int(waiting)),
                  GR_KV("cancelled", gr_int(cancelled)), GR_KV("emitted", gr_int(emitted)),
                  GR_KV("read", gr_int(received)), GR_KV("told", gr_int(told)));
}

static void receive(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)c, (void)self;
    atomic_fetch_add(&told, gr_as_int(msg, 0));
}

static const gr_method methods[] = {
    { .verb = "invoke", .kind = GR_CHEAP, .fn = invoke },
    { .verb = "fail", .kind = GR_CHEAP, .fn = fail },
    { .verb = "hold", .kind = GR_ASYNC, .fn = hold },
    { .verb = "let_go", .kind = GR_CHEAP, .fn = let_go },
    { .verb = "wait", .kind = GR_ASYNC, .fn = wait_verb },
    { .verb = "left_ms", .kind = GR_CHEAP, .fn = left_ms },
    { .verb = "config", .kind = GR_CHEAP, .fn = config_verb },
    { .verb = "stream", .kind = GR_ASYNC, .stream_fn = stream },
    { .verb = "transform", .kind = GR_ASYNC, .stream_fn = transform },
    { .verb = "swallow", .kind = GR_ASYNC, .stream_fn = swallow },
    { .verb = "die", .kind = GR_BLOCKING, .fn = die },
    { .verb = "counts", .kind = GR_CHEAP, .fn = counts },
};

static const gr_class all_class = GR_CLASS(.name = "all", .receive = receive, GR_METHODS(methods));

gr_ref test_peer_publish(gr_runtime *rt)
{
    gr_ref r = gr_spawn(gr_root(rt), &all_class, GR_SPAWN(.name = "all", .mailbox_max = 4096));

    if (gr_publish(rt, "all", r) != GR_OK)
        abort();
    return r;
}

static const gr_method keep_methods[] = {
    { .verb = "invoke", .kind = GR_ASYNC, .fn = hold },
};
static const gr_class keep_class = GR_CLASS(.name = "keep", GR_METHODS(keep_methods));

static void publish_keep(gr_runtime *rt)
{
    if (gr_publish(rt, "keep", gr_spawn(gr_root(rt), &keep_class, NULL)) != GR_OK)
        abort();
}

/* ---- the process ----------------------------------------------------------------------------- */

/* join has the peer register in etcd, if the environment says where that is, before it counts as started. */
static bool join(gr_runtime *rt, const char *url)
{
    const char *etcd = getenv(TEST_PEER_ETCD);
    gr_value *err = NULL;

    if (etcd == NULL)
        return true;
    if (gr_cluster_join(rt, GR_CLUSTER(.etcd = etcd, .advertise = url, .ttl_ms = 2000), &err) !=
        GR_OK) {
        fprintf(stderr, "peer: %s\n", gr_error_text(err));
        return false;
    }
    gr_value_unref(gr_take(gr_cluster_ready(rt), NULL));
    return true;
}

/* configure sets what the environment says of the node. */
static bool configure(gr_runtime *rt)
{
    const char *beat = getenv("GR_TEST_PEER_BEAT_MS");

    return beat == NULL ||
           gr_node_configure(rt, GR_NODE(.heartbeat_ms = strtol(beat, NULL, 10)), NULL) == GR_OK;
}

static gr_value *nap_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg, (void)input;
    gr_sleep(gr_runtime_of(c), 600000);
    return gr_error(GR_ECANCELED, "woken up");
}

static bool publish_deep(gr_runtime *rt)
{
    gr_scope *in = gr_root(rt);

    return getenv(TEST_PEER_DEEP) == NULL ||
           gr_publish(rt, "deep",
                      gr_seq(in, gr_passthrough(in),
                             gr_lambda(in, GR_ASYNC, nap_fn, NULL, NULL))) == GR_OK;
}

/* serve is the other process's main: it serves until its standard input ends. */
static int serve(const char *url)
{
    gr_runtime *rt = NULL;
    gr_value *err = NULL;
    char byte = 'r';

    if (gr_runtime_new(GR_RUNTIME(.workers = 2), &rt) != GR_OK || !configure(rt))
        return 2;
    test_peer_publish(rt);
    publish_keep(rt);
    if (!publish_deep(rt))
        return 6;
    if (gr_serve(rt, url, &err) != GR_OK) {
        fprintf(stderr, "peer: %s\n", gr_error_text(err));
        return 3;
    }
    if (!join(rt, url))
        return 5;
    if (write(STDOUT_FILENO, &byte, 1) != 1)
        return 4;
    while (read(STDIN_FILENO, &byte, 1) < 0 && errno == EINTR)
        continue;
    gr_runtime_free(rt);
    return 0;
}

#if defined(GR_COVERAGE)
void __gcov_dump(void); /* what _exit leaves out */
#endif

__attribute__((constructor)) static void be_the_peer(void)
{
    const char *url = getenv("GR_TEST_PEER_URL");
    int status;

    if (url == NULL)
        return;
    status = serve(url);
#if defined(GR_COVERAGE)
    __gcov_dump();
#endif
    _exit(status);
}

static char **environment(char *setting)
{
    size_t n = 0, out = 0;
    char **env;

    while (environ[n] != NULL)
        n++;
    env = calloc(n + 2, sizeof(*env));
    for (size_t i = 0; i < n; i++)
        if (strncmp(environ[i], "BXF", 3) != 0 && strncmp(environ[i], "CRITERION", 9) != 0)
            env[out++] = environ[i];
    env[out] = setting;
    return env;
}

struct test_peer test_peer_start(const char *url)
{
    struct test_peer p = { .pid = -1 };
    char setting[256], *argv[] = { "peer", NULL }, **env, byte = 0;
    posix_spawn_file_actions_t files;
    int in[2], out[2];

    snprintf(setting, sizeof(setting), "GR_TEST_PEER_URL=%s", url);
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        abort();
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, out[1], STDOUT_FILENO);
    env = environment(setting);
    if (posix_spawn(&p.pid, "/proc/self/exe", &files, NULL, argv, env) != 0)
        abort();
    free(env);
    posix_spawn_file_actions_destroy(&files);
    close(in[0]);
    close(out[1]);
    if (read(out[0], &byte, 1) != 1 || byte != 'r')
        abort(); /* it said why on standard error */
    close(out[0]);
    p.hold_fd = in[1];
    return p;
}

void test_peer_stop(struct test_peer *p)
{
    int status = 0;

    close(p->hold_fd);
    if (waitpid(p->pid, &status, 0) != p->pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        abort();
}

void test_peer_kill(struct test_peer *p)
{
    kill(p->pid, SIGKILL);
    waitpid(p->pid, NULL, 0);
    close(p->hold_fd);
}

/* ---- for the test ---------------------------------------------------------------------------- */

static unsigned free_port(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) != 0)
        abort();
    close(fd);
    return ntohs(a.sin_port);
}

void test_peer_url(char url[128], const char *scheme)
{
    static _Atomic unsigned count;

    if (strcmp(scheme, "tcp") == 0)
        snprintf(url, 128, "tcp://127.0.0.1:%u", free_port());
    else
        snprintf(url, 128, "ipc:///tmp/gr-test-%ld-%u.sock", (long)getpid(),
                 atomic_fetch_add(&count, 1));
}

int64_t test_peer_count(gr_runtime *rt, gr_ref r, const char *what)
{
    gr_value *v = gr_do(rt, r, "counts", gr_nil(), NULL, NULL);
    int64_t n = gr_as_int(gr_get(v, what), -1);

    gr_value_unref(v);
    return n;
}

bool test_peer_reaches(gr_runtime *rt, gr_ref r, const char *what, int64_t n)
{
    uint64_t until = gr_now_ns(rt) + UINT64_C(1000000) * REACH_MS;

    while (test_peer_count(rt, r, what) < n) {
        if (gr_now_ns(rt) > until)
            return false;
        gr_sleep(rt, 1);
    }
    return true;
}
