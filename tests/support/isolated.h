/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isolated.h - an actor that dies in every way that it is asked to, in a process of its own, which is
 * another copy of the test's program: a constructor calls gr_isolate_main, since main is the runner's.
 *
 * What looks at the process (isolated_fds, _children) counts on each test being one of its own, or
 * leaving nothing behind. All is in a header, since the runner of the plain mode is one too.
 */
#ifndef GR_TESTS_SUPPORT_ISOLATED_H
#define GR_TESTS_SUPPORT_ISOLATED_H

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <greenroom/greenroom.h>

#include "tests/support/test.h"

enum { ISOLATED_NULL = -1000 };

extern char **environ;

/* ---- the actor ------------------------------------------------------------------------------- */

struct isolated_state {
    int64_t sum, waiting;
    char mark[64];
};

static gr_code isolated_init(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    if (strcmp(gr_cstr(args, ""), "refuse") == 0)
        return gr_fail(c, gr_error(GR_EREMOTE, "refused as asked"));
    if (strcmp(gr_cstr(args, ""), "die") == 0)
        _exit(5);
    return GR_OK;
}

static void isolated_terminate(gr_ctx *c, void *self, const gr_value *reason)
{
    struct isolated_state *s = self;
    int fd = s->mark[0] != '\0' ? open(s->mark, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) : -1;

    (void)c, (void)reason;
    if (fd >= 0)
        close(fd);
}

/* isolated_null is where the crash is. The address is not known to the compiler. */
static void isolated_null(void)
{
    static int *volatile nothing;

    *nothing = 1;
}

static gr_value *isolated_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    if (gr_value_type(args) == GR_OPAQUE)
        return gr_error(GR_EINVAL, "how did that get here?");
    return gr_int(gr_as_int(args, 0) * 2);
}

static gr_code isolated_stream(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_code rc = GR_OK;

    (void)self, (void)in;
    for (int64_t i = 0, n = gr_as_int(args, 0); rc == GR_OK && (n < 0 || i < n); i++)
        rc = gr_emit(c, gr_int(i));
    return rc;
}

static gr_code isolated_transform(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_outcome o;

    (void)self, (void)args;
    while ((o = gr_next(in, -1)).code == GR_OK)
        if (gr_emit(c, gr_int(gr_as_int(o.value, 0) + 1)) != GR_OK)
            return GR_ECANCELED;
    return o.code == GR_EOS ? GR_OK : o.code;
}

static gr_value *isolated_wait(gr_ctx *c, void *self, const gr_value *args)
{
    struct isolated_state *s = self;

    (void)args;
    s->waiting++;
    gr_sleep(gr_runtime_of(c), 600000);
    s->waiting--;
    return gr_nil();
}

/* isolated_inherited says what it has that it should not have; "": nothing. */
static gr_value *isolated_inherited(gr_ctx *c, void *self, const gr_value *args)
{
    struct sigaction action;
    char out[256] = "";
    char line[256];
    FILE *status = fopen("/proc/self/task/self/status", "r");

    (void)c, (void)self, (void)args;
    if (status == NULL)
        status = fopen("/proc/self/status", "r"); /* the main thread's */
    if (fcntl(700, F_GETFD) >= 0)
        strcat(out, "descriptor 700 ");
    if ((fcntl(3, F_GETFD) & FD_CLOEXEC) == 0)
        strcat(out, "the leash is kept in exec ");
    while (status != NULL && fgets(line, sizeof(line), status) != NULL)
        if (strncmp(line, "SigBlk:", 7) == 0 && strtoull(line + 7, NULL, 16) != 0)
            strncat(out, line, sizeof(out) - strlen(out) - 1);
    if (status != NULL)
        fclose(status);
    sigaction(SIGUSR1, NULL, &action);
    if (action.sa_handler != SIG_DFL)
        strcat(out, "SIGUSR1 ");
    if (getpgrp() != getpid())
        strcat(out, "the process group ");
    return gr_str(out);
}

/* Who leaves by exit() in the middle of a handler leaves threads behind that may hold something in their
 * hands just then: no matter for LeakSanitizer, which asks this at the end. */
static volatile bool isolated_leaves;
#ifdef __SANITIZE_ADDRESS__
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return isolated_leaves;
}
#endif

static gr_value *isolated_other(gr_ctx *c, void *self, const gr_value *args)
{
    struct isolated_state *s = self;
    const char *verb = gr_verb(c);
    void *p;

    if (strcmp(verb, "null") == 0)
        isolated_null();
    if (strcmp(verb, "abort") == 0)
        abort();
    isolated_leaves = strcmp(verb, "exit") == 0;
    if (isolated_leaves)
        exit(3);
    if (strcmp(verb, "pid") == 0)
        return gr_int(getpid());
    if (strcmp(verb, "sum") == 0)
        return gr_int(s->sum);
    if (strcmp(verb, "waiting") == 0)
        return gr_int(s->waiting);
    if (strcmp(verb, "args") == 0)
        return gr_value_ref(gr_args(c));
    if (strcmp(verb, "ask") == 0) /* calls the ref in its arguments */
        return gr_invoke(gr_runtime_of(c), gr_as_ref(gr_args(c)), gr_value_ref(args), NULL, NULL);
    if (strcmp(verb, "fail") == 0)
        return gr_error((gr_code)gr_as_int(args, GR_EINVAL), "as asked");
    if (strcmp(verb, "leave") == 0)
        return gr_exit(c, gr_value_ref(args));
    if (strcmp(verb, "opaque") == 0)
        return gr_opaque(s, NULL);
    if (strcmp(verb, "mark_end") == 0)
        snprintf(s->mark, sizeof(s->mark), "%s", gr_cstr(args, ""));
    if (strcmp(verb, "allocate") == 0) {
        p = malloc((size_t)gr_as_int(args, 0));
        if (p != NULL)
            *(volatile char *)p = 1;
        free(p);
        return gr_bool(p != NULL);
    }
    return gr_nil();
}

static void isolated_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct isolated_state *s = self;

    (void)c;
    s->sum += gr_as_int(msg, 0);
}

static const gr_method isolated_methods[] = {
    { "invoke", GR_CHEAP, isolated_invoke, NULL },
    { "stream", GR_ASYNC, NULL, isolated_stream },
    { "transform", GR_ASYNC, NULL, isolated_transform },
    { "wait", GR_ASYNC, isolated_wait, NULL },
    { "inherited", GR_ASYNC, isolated_inherited, NULL },
    { "null", GR_ASYNC, isolated_other, NULL },
    { "abort", GR_ASYNC, isolated_other, NULL },
    { "exit", GR_ASYNC, isolated_other, NULL },
    { "pid", GR_ASYNC, isolated_other, NULL },
    { "sum", GR_ASYNC, isolated_other, NULL },
    { "waiting", GR_ASYNC, isolated_other, NULL },
    { "args", GR_ASYNC, isolated_other, NULL },
    { "ask", GR_ASYNC, isolated_other, NULL },
    { "fail", GR_ASYNC, isolated_other, NULL },
    { "leave", GR_ASYNC, isolated_other, NULL },
    { "opaque", GR_ASYNC, isolated_other, NULL },
    { "mark_end", GR_ASYNC, isolated_other, NULL },
    { "allocate", GR_ASYNC, isolated_other, NULL },
};
static const gr_class isolated_class =
    GR_CLASS(.name = "mortal", .state_size = sizeof(struct isolated_state), .reentrant = true,
             .init = isolated_init, .receive = isolated_receive, .terminate = isolated_terminate,
             GR_METHODS(isolated_methods));

static gr_value *isolated_lambda(gr_ctx *c, void *arg, const gr_value *in)
{
    (void)c;
    if (gr_as_int(in, 0) == ISOLATED_NULL)
        isolated_null();
    if (gr_value_type(in) == GR_STR)
        return gr_int(getpid());
    return gr_int(gr_as_int(in, 0) + (int64_t)(intptr_t)arg);
}

static gr_ref isolated_start_lambda(gr_scope *in, void *arg, const gr_value *args)
{
    (void)arg;
    return gr_lambda(in, GR_ASYNC, isolated_lambda, NULL, (void *)(intptr_t)gr_as_int(args, 0));
}

static gr_code isolated_never(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    gr_sleep(gr_runtime_of(c), 600000);
    return GR_OK;
}
static const gr_class isolated_hang_class = GR_CLASS(.name = "hang", .init = isolated_never);

/* Not in the table; it crashes an isolated actor that it is linked to. */
static gr_value *isolated_crash_linked(gr_ctx *c, void *self, const gr_value *args)
{
    gr_ref r =
        gr_spawn(gr_run_scope(c), &isolated_class, GR_SPAWN(.isolate = GR_ISOLATE(), .link = true));

    (void)self, (void)args;
    return gr_take(gr_acall(gr_runtime_of(c), r, "abort", gr_nil(), NULL), NULL);
}
static const gr_method isolated_keeper_methods[] = { { "crash_a_linked_one", GR_ASYNC,
                                                       isolated_crash_linked, NULL } };
static const gr_class isolated_keeper_class =
    GR_CLASS(.name = "keeper", GR_METHODS(isolated_keeper_methods));

static const gr_isolated_kind isolated_kinds[] = {
    { .name = "mortal", .cls = &isolated_class },
    { .name = "lambda", .start = isolated_start_lambda },
    { .name = "hang", .cls = &isolated_hang_class },
};

/* be_a_parent has one isolated actor, says its pid, and waits to be killed. */
static void isolated_be_a_parent(void)
{
    gr_runtime *own = NULL;
    gr_value *pid;

    if (gr_runtime_new(GR_RUNTIME(.workers = 1), &own) != GR_OK)
        _exit(2);
    pid = gr_do(own, gr_spawn(gr_root(own), &isolated_class, GR_SPAWN(.isolate = GR_ISOLATE())),
                "pid", gr_nil(), NULL, NULL);
    printf("%lld\n", (long long)gr_as_int(pid, 0));
    fflush(stdout);
    for (;;)
        pause();
}

__attribute__((constructor)) static void isolated_main(int argc, char **argv)
{
    gr_isolate_main(argc, argv, isolated_kinds, sizeof(isolated_kinds) / sizeof(isolated_kinds[0]));
    if (getenv("GR_TEST_ISOLATED_PARENT") != NULL)
        isolated_be_a_parent();
}

/* ---- for the tests --------------------------------------------------------------------------- */

static inline bool isolated_sanitized(void)
{
    const char *with = getenv("GR_SANITIZED");

    return with != NULL && with[0] != '\0';
}

static inline gr_ref isolated_spawn(gr_scope *in, gr_value *args)
{
    return gr_spawn(in, &isolated_class, GR_SPAWN(.args = args, .isolate = GR_ISOLATE()));
}

static inline void isolated_expect_alive(gr_runtime *in, gr_ref r)
{
    gr_value *err = NULL, *v = gr_invoke(in, r, gr_int(4), NULL, &err);

    cr_assert_eq(gr_as_int(v, 0), 8, "%s", gr_error_text(err));
    gr_value_unref(v);
}

/* isolated_pid: "pid" of the class, or what the lambda says to a text. */
static inline pid_t isolated_pid(gr_runtime *in, gr_ref r)
{
    gr_value *err = NULL, *v = gr_do(in, r, "pid", gr_nil(), NULL, &err);

    if (gr_error_code(err) == GR_ETYPE)
        v = gr_invoke(in, r, gr_str("pid"), NULL, NULL);
    cr_assert_gt(gr_as_int(v, 0), 0, "%s", gr_error_text(err));
    gr_value_unref(err);
    pid_t pid = (pid_t)gr_as_int(v, 0);
    gr_value_unref(v);
    return pid;
}

/* isolated_expect_exit: err is a call's that an exit has failed. */
static inline void isolated_expect_exit(const gr_value *err, const char *says)
{
    const gr_value *cause = gr_get(err, "cause");

    cr_assert_eq(gr_error_code(err), GR_EBROKEN, "%s", gr_error_text(err));
    cr_assert(gr_error_retryable(err));
    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), ""), "ActorExit");
    cr_assert_not_null(strstr(gr_error_text(cause), "isolated process ended: "), "%s",
                       gr_error_text(err));
    cr_assert_not_null(strstr(gr_error_text(cause), says), "%s", gr_error_text(cause));
}

static inline void isolated_wait_for(gr_runtime *in, gr_ref r, const char *what, int64_t n)
{
    for (int i = 0;; i++) {
        gr_value *v = gr_do(in, r, what, gr_nil(), NULL, NULL);
        int64_t now = gr_as_int(v, -1);

        gr_value_unref(v);
        if (now == n)
            return;
        cr_assert_lt(i, 2000, "%s is %lld", what, (long long)now);
        gr_sleep(in, 10);
    }
}

static inline int isolated_count(const char *folder, const char *prefix)
{
    DIR *d = opendir(folder);
    int n = 0;

    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.' && strncmp(e->d_name, prefix, strlen(prefix)) == 0;
    if (d != NULL)
        closedir(d);
    return n;
}

static inline int isolated_fds(void)
{
    return isolated_count("/proc/self/fd", "");
}

/* isolated_own_folder has the sockets' files of this process be in a folder of their own, and
 * isolated_files counts what is left in it, and removes it if that is nothing. */
static inline void isolated_own_folder(void)
{
    char path[] = "/tmp/gr-isolate-XXXXXX";

    cr_assert_not_null(mkdtemp(path));
    setenv("XDG_RUNTIME_DIR", path, 1);
}

static inline int isolated_files(void)
{
    int n = isolated_count(getenv("XDG_RUNTIME_DIR"), "");

    rmdir(getenv("XDG_RUNTIME_DIR"));
    unsetenv("XDG_RUNTIME_DIR");
    return n;
}

/* isolated_children counts this process's children, zombies too. */
static inline int isolated_children(void)
{
    char path[300], line[512];
    int n = 0;
    DIR *d = opendir("/proc");

    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        const char *after;
        long parent = 0;
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
        f = e->d_name[0] >= '1' && e->d_name[0] <= '9' ? fopen(path, "r") : NULL;
        if (f == NULL)
            continue;
        after = fgets(line, sizeof(line), f) != NULL ? strrchr(line, ')') : NULL;
        if (after != NULL && (parent = strtol(after + 3, NULL, 10)) == (long)getpid())
            n++;
        fclose(f);
    }
    if (d != NULL)
        closedir(d);
    return n;
}

static inline void isolated_wait_no_children(void)
{
    for (int i = 0; isolated_children() != 0; i++) {
        cr_assert_lt(i, 2000, "%d children are left", isolated_children());
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    }
}

/* isolated_state is the letter that the kernel has for what a process does; 0: there is none. */
static inline char isolated_state(pid_t pid)
{
    char path[64], line[256] = "";
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    f = fopen(path, "r");
    if (f == NULL)
        return 0;
    if (fgets(line, sizeof(line), f) == NULL)
        line[0] = '\0';
    fclose(f);
    return strrchr(line, ')') != NULL ? strrchr(line, ')')[2] : 0;
}

/* isolated_is_there: it exists, and is no zombie that somebody else will wait for. */
static inline bool isolated_is_there(pid_t pid)
{
    char state = isolated_state(pid);

    return state != 0 && state != 'Z';
}

/* isolated_halt stops a process, and has seen it stop. */
static inline void isolated_halt(pid_t pid)
{
    cr_assert_eq(kill(pid, SIGSTOP), 0);
    while (isolated_state(pid) != 'T')
        cr_assert_eq(usleep(1000), 0);
}

/* isolated_parent starts a process with an isolated actor; *ret_child is that one's. */
static inline pid_t isolated_parent(pid_t *ret_child)
{
    char *argv[] = { "parent", NULL }, text[32] = "";
    posix_spawn_file_actions_t files;
    int out[2];
    pid_t pid = 0;
    ssize_t n;

    cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, out[1], STDOUT_FILENO);
    setenv("GR_TEST_ISOLATED_PARENT", "1", 1);
    cr_assert_eq(posix_spawn(&pid, "/proc/self/exe", &files, NULL, argv, environ), 0);
    unsetenv("GR_TEST_ISOLATED_PARENT");
    posix_spawn_file_actions_destroy(&files);
    close(out[1]);
    n = read(out[0], text, sizeof(text) - 1);
    cr_assert_gt(n, 0);
    close(out[0]);
    *ret_child = (pid_t)strtol(text, NULL, 10);
    cr_assert_gt(*ret_child, 0);
    return pid;
}

#endif
