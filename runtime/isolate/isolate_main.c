/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isolate_main.c - the child's main: a runtime that serves at the parent's URL until the parent is done with
 * it, or gone.
 *
 * The main thread has the leash (process.h). That ends when the parent does, however that happens; where
 * the kernel can, it is asked for a SIGKILL as well, which also reaches a process that is stopped. That only
 * once the socket's file is gone, since nobody would remove it then.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/prctl.h>
#endif

#include <greenroom/link.h>
#include <greenroom/node.h>
#include <greenroom/runtime.h>

#include "runtime/isolate/kinds.h"
#include "runtime/isolate/process.h"
#include "runtime/net/proof.h"

#define EXIT_USAGE 64  /* not started by a parent */
#define EXIT_ORPHAN 69 /* the parent is gone */
#define EXIT_START 70  /* it could not serve; standard error has why */
#define FDS_MAX 65536

static gr_ref the_actor;                    /* the one that is isolated; set once, by start */
static _Atomic(gr_future *) the_actors_end; /* owned until `over` takes it */

/* ---- what the parent asks for ---------------------------------------------------------------- */

static gr_spawn_opts options(const gr_value *name, const gr_value *s)
{
    return (gr_spawn_opts){
        .size = sizeof(gr_spawn_opts),
        .name = gr_cstr(name, NULL),
        .mailbox_max = (size_t)gr_as_int(gr_get(s, "mailbox_max"), 0),
        .max_concurrency = (unsigned)gr_as_int(gr_get(s, "max_concurrency"), 0),
        .overflow = (gr_overflow)gr_as_int(gr_get(s, "overflow"), 0),
        .mailbox_bytes_max = (size_t)gr_as_int(gr_get(s, "mailbox_bytes_max"), 0),
        .queue_ms = gr_as_int(gr_get(s, "queue_ms"), 0),
        .handler_ms = gr_as_int(gr_get(s, "handler_ms"), 0),
        .handler_kill = gr_as_bool(gr_get(s, "handler_kill"), false),
        .asks_max = (unsigned)gr_as_int(gr_get(s, "asks_max"), 0),
        .stash_max = (size_t)gr_as_int(gr_get(s, "stash_max"), 0),
        .terminate_ms = gr_as_int(gr_get(s, "terminate_ms"), 0),
    };
}

/* start makes the actor and publishes it: [], or [why not]. */
static gr_value *start(gr_ctx *c, void *self, const gr_value *args)
{
    gr_runtime *rt = gr_runtime_of(c);
    const char *name = gr_cstr(gr_get(args, "name"), "");
    const gr_isolated_kind *kind = gri_kind_named(gr_cstr(gr_get(args, "kind"), ""));
    gr_spawn_opts o = options(gr_get(args, "name"), gr_get(args, "settings"));
    gr_value *err = NULL;

    (void)self;
    if (kind == NULL)
        return gr_list(gr_error(GR_EINVAL,
                                "isolated process: its program does not know the kind '%s'",
                                gr_cstr(gr_get(args, "kind"), "")));
    if (the_actor.node != 0)
        return gr_list(gr_error(GR_EINVAL, "isolated process: it has its actor already"));
    the_actor = gri_kind_make(kind, gr_root(rt), &o, gr_value_ref(gr_get(args, "args")));
    gr_value_unref(gr_take(gr_started(rt, the_actor), &err));
    /* before anybody calls it, so that its reason is heard */
    atomic_store(&the_actors_end, gr_ended(rt, the_actor));
    if (err == NULL && gr_publish(rt, name, the_actor) != GR_OK)
        err = gr_error(GR_EINVAL, "isolated process: it can't publish its actor as '%s'", name);
    return err != NULL ? gr_list(err) : gr_list_n(NULL, 0);
}

/* over answers with [reason] when the actor has ended. */
static gr_value *over(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *err = NULL;
    gr_value *reason = gr_take(atomic_exchange(&the_actors_end, NULL), &err);

    (void)c, (void)self, (void)args;
    return gr_list(reason != NULL ? reason : err);
}

/* sign tells that the link is there. */
static gr_value *sign(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self, (void)args;
    return gr_nil();
}

static const gr_method methods[] = { { .verb = "start", .kind = GR_ASYNC, .fn = start },
                                     { .verb = "over", .kind = GR_ASYNC, .fn = over },
                                     { .verb = "sign", .kind = GR_CHEAP, .fn = sign } };
static const gr_class control_class = GR_CLASS(.name = GRI_CONTROL_NAME, GR_METHODS(methods));

/* ---- the process ----------------------------------------------------------------------------- */

/* What the parent's host has open without close-on-exec is none of ours. */
static void close_others(void)
{
    long most = sysconf(_SC_OPEN_MAX);

    (void)fcntl(GRI_LEASH_FD, F_SETFD, FD_CLOEXEC);
#if defined(SYS_close_range)
    if (syscall(SYS_close_range, GRI_LEASH_FD + 1, ~0U, 0) == 0)
        return;
#endif
    for (int fd = GRI_LEASH_FD + 1; fd < (most > 0 && most < FDS_MAX ? most : FDS_MAX); fd++)
        (void)close(fd);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1 /* terabytes of shadow, which would count */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static void limit_memory(const char *bytes)
{
#if defined(RLIMIT_DATA) && !defined(SANITIZED)
    unsigned long long most = strtoull(bytes, NULL, 10);
    struct rlimit limit = { .rlim_cur = 0 };

    if (most >= SIZE_MAX || getrlimit(RLIMIT_DATA, &limit) != 0)
        return;
    if (limit.rlim_max == RLIM_INFINITY || most < limit.rlim_max)
        limit.rlim_cur = limit.rlim_max = (rlim_t)most;
    (void)setrlimit(RLIMIT_DATA, &limit);
#else
    (void)bytes;
#endif
}

static void die_with_parent(void)
{
#if defined(__linux__)
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
}

/* remove_file removes the socket's file, and its folder if that was the last. */
static void remove_file(const char *url)
{
    char path[128];
    char *slash;

    (void)snprintf(path, sizeof(path), "%s", url + strlen("ipc://"));
    (void)unlink(path);
    slash = strrchr(path, '/');
    if (slash != NULL)
        *slash = '\0';
    (void)rmdir(path);
}

static void say(enum gri_leash byte)
{
    char c = (char)byte;

    (void)send(GRI_LEASH_FD, &c, 1, MSG_NOSIGNAL); /* if it fails the parent is gone: see obey */
}

/* obey does what the parent wants until the end, and returns the exit status. */
static int obey(gr_runtime *rt, const char *url)
{
    bool linked = false;

    for (;;) {
        char c = 0;
        ssize_t n = recv(GRI_LEASH_FD, &c, 1, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        if (c == GRI_LEASH_SIGN)
            say(GRI_LEASH_SIGN);
        if (c == GRI_LEASH_LINKED) {
            linked = true;
            die_with_parent();
        }
        if (c == GRI_LEASH_END) {
            gr_runtime_free(rt);
            gr_future_free(atomic_exchange(&the_actors_end, NULL));
            return EXIT_SUCCESS;
        }
    }
    if (!linked)
        remove_file(url);
    (void)fflush(NULL);
    _exit(EXIT_ORPHAN); /* nobody waits for what is under way */
}

/* configure makes the node one that the parent's lets in. */
static gr_code configure(gr_runtime *rt, gr_value **reterr)
{
    struct gri_leash_node told;
    gr_code rc = GR_OK;

    if (recv(GRI_LEASH_FD, &told, sizeof(told), MSG_WAITALL) != (ssize_t)sizeof(told))
        return GR_EUNREACH;
    told.cluster[sizeof(told.cluster) - 1] = told.secret[sizeof(told.secret) - 1] = '\0';
    if (told.cluster[0] != '\0' || told.secret[0] != '\0')
        rc = gr_node_configure(
            rt,
            GR_NODE(.cluster = told.cluster, .secret = told.secret[0] != '\0' ? told.secret : NULL),
            reterr);
    gri_wipe(&told, sizeof(told));
    return rc;
}

static int serve(char **argv)
{
    long long end_ms = strtoll(argv[5], NULL, 10);
    unsigned workers = (unsigned)strtoul(argv[3], NULL, 10);
    const char *url = argv[2];
    gr_runtime *rt = NULL;
    gr_value *err = NULL;
    gr_code rc =
        gr_runtime_new(GR_RUNTIME(.workers = workers, .shutdown_ms = end_ms > 0 ? end_ms : 1), &rt);

    if (rc == GR_OK)
        rc = configure(rt, &err);
    if (rc == GR_OK)
        rc = gr_publish(rt, GRI_CONTROL_NAME, gr_spawn(gr_root(rt), &control_class, NULL));
    if (rc == GR_OK)
        rc = gr_serve(rt, url, &err);
    if (rc != GR_OK) {
        (void)fprintf(stderr, "%s: an isolated process can't serve: %s\n", argv[0],
                      err != NULL ? gr_error_text(err) : gr_code_name(rc));
        gr_value_unref(err);
        remove_file(url);
        return EXIT_START;
    }
    say(GRI_LEASH_READY);
    return obey(rt, url);
}

/* is_child tells whether there is a parent at the other end of the leash. */
static bool is_child(int argc, char **argv)
{
    int type = 0;
    socklen_t size = sizeof(type);

    return argc == GRI_ISOLATED_ARGS && strncmp(argv[2], "ipc:///", 7) == 0 &&
           getsockopt(GRI_LEASH_FD, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

static void name_process(const char *program)
{
#if defined(__linux__)
    const char *slash = strrchr(program, '/');

    (void)prctl(PR_SET_NAME, slash != NULL ? slash + 1 : program);
#else
    (void)program;
#endif
}

void gr_isolate_main(int argc, char **argv, const gr_isolated_kind *kinds, size_t count)
{
    gri_kinds_set(argc > 0 && argv != NULL ? argv[0] : NULL, kinds, count);
    if (argc < 2 || argv == NULL || strcmp(argv[1], GRI_ISOLATED_ARG) != 0)
        return;
    if (!is_child(argc, argv)) {
        (void)fprintf(stderr, "%s: %s is for Greenroom itself\n", argv[0], GRI_ISOLATED_ARG);
        exit(EXIT_USAGE);
    }
    close_others();
    (void)signal(SIGPIPE, SIG_IGN);
    name_process(argv[0]);
    limit_memory(argv[4]);
    exit(serve(argv));
}
