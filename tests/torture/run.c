/* SPDX-License-Identifier: Apache-2.0 */
/* run.c - one run of a scene with one fault: doing it, and checking what came of it. */
#include "tests/support/memory.h"
#include "tests/torture/torture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/fault_server.h"

#define ANSWER_MS 8000
#define SETTLE_MS 2000  /* threads and descriptors may take so long to go */
#define SERVER_RUNS 100 /* the server keeps a thread's stack for each connection it had */

gr_runtime *rt;
gr_scope *root;

static const struct scene *scene;
static void (*on_failed)(const char *text);
static _Atomic unsigned long long also; /* bits of codes */
static char last_log[256];
static struct fault_server *server;
static int server_runs;
static int fds_before, threads_before; /* 0: not known yet */

void torture_fail(const char *fmt, ...)
{
    struct fault_hit hit = faults_hit();
    char what[512], text[1024];
    va_list ap;

    faults_disarm();
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    snprintf(text, sizeof(text), "%s (%s %s%s%s%s)", what,
             hit.injected ? "after a fault of" : "nothing had failed",
             hit.name != NULL ? hit.name : "",
             !hit.injected    ? ""
             : hit.error == 0 ? ": less than asked for"
                              : ": ",
             hit.error != 0 ? strerrorname_np(hit.error) : "", last_log);
    on_failed(text);
    abort();
}

static void note_log(void *arg, int level, const char *text)
{
    (void)arg, (void)level;
    snprintf(last_log, sizeof(last_log), "; logged: %s", text);
}

/* ---- what may come --------------------------------------------------------------------------- */

static bool is_resource(int error)
{
    switch (error) {
    case ENOMEM:
    case EAGAIN: /* a thread */
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOSPC: return true;
    default: return false;
    }
}

/* permitted tells whether rc is the right error for what has failed. */
static bool permitted(gr_code rc)
{
    struct fault_hit hit = faults_hit();
    unsigned talks = scene->flags & (SCENE_HTTP | SCENE_LINK);

    if (rc == GR_OK || rc == GR_EOS)
        return true;
    if (!hit.injected || hit.soft)
        return false;
    if ((atomic_load(&also) >> rc & 1) != 0)
        return true;
    if (is_resource(hit.error) && (rc == GR_ENOMEM || rc == GR_EFULL))
        return true;
    if (rc == GR_EINVAL)
        return (scene->flags & SCENE_FILES) != 0 && !is_resource(hit.error);
    /* An allocation that fails here may end the link, which the other side sees as a loss. */
    if (rc == GR_EUNREACH)
        return hit.name != NULL && talks != 0 &&
               (talks == SCENE_LINK || strcmp(hit.name, "the allocator") != 0);
    return false;
}

bool said(gr_code rc)
{
    if (!permitted(rc))
        torture_fail("it ended with %s", gr_code_name(rc));
    return rc == GR_OK || rc == GR_EOS;
}

static bool said_error(gr_code rc, const gr_value *err)
{
    if (!permitted(rc))
        torture_fail("it ended with %s: %s", gr_code_name(rc), gr_error_text(err));
    return rc == GR_OK || rc == GR_EOS;
}

bool said_why(gr_value *err)
{
    bool ok = err == NULL || said_error(gr_error_code(err), err);

    gr_value_unref(err);
    return ok;
}

void may_also(gr_code rc)
{
    atomic_fetch_or(&also, 1ull << rc);
}

gr_value *answer(gr_future *f)
{
    gr_outcome o = gr_await(f, ANSWER_MS);
    gr_value *v = NULL;

    if (o.code == GR_EPENDING)
        torture_fail("no answer came");
    if (said_error(o.code, o.error))
        v = gr_value_ref(o.value);
    gr_future_free(f);
    return v;
}

void is(gr_value *v, const char *json)
{
    gr_value *wanted;
    char *text, *wanted_text;

    if (v == NULL || !said_error(gr_error_code(v), v)) {
        gr_value_unref(v);
        return;
    }
    faults_exempt(true);
    wanted = gr_json_parse(json, strlen(json), NULL); /* printed again: the same spaces */
    text = gr_json_print(v, 0, NULL);
    wanted_text = gr_json_print(wanted, 0, NULL);
    if (text == NULL || wanted_text == NULL || strcmp(text, wanted_text) != 0)
        torture_fail("%s came instead of %s", text != NULL ? text : "nothing", json);
    gr_free(text);
    gr_free(wanted_text);
    gr_value_unref(wanted);
    faults_exempt(false);
    gr_value_unref(v);
}

void gives(gr_future *f, const char *json)
{
    is(answer(f), json);
}

void sums(gr_stream *s, const char *json)
{
    gr_value *sum = NULL;
    gr_outcome o;

    while ((o = gr_next(s, ANSWER_MS)).code == GR_OK) {
        faults_exempt(true);
        sum = gr_add(sum, gr_value_ref(o.value));
        faults_exempt(false);
    }
    if (o.code == GR_EPENDING)
        torture_fail("the stream does not end");
    if (said_error(o.code, o.error))
        is(sum != NULL ? sum : gr_nil(), json);
    else
        gr_value_unref(sum);
    gr_stream_free(s);
}

/* ---- actors ---------------------------------------------------------------------------------- */

static gr_value *echo_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    return gr_value_ref(args);
}

gr_ref echo_in(gr_runtime *in)
{
    static const gr_method methods[] = { { "invoke", GR_CHEAP, echo_invoke, NULL } };
    static const gr_class cls = GR_CLASS(.name = "echo", GR_METHODS(methods));

    return gr_spawn(gr_root(in), &cls, NULL);
}

gr_ref echo(void)
{
    return echo_in(rt);
}

static gr_value *nap_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    gr_code rc = gr_sleep(gr_runtime_of(c), gr_as_int(args, 0));

    (void)self;
    return rc == GR_OK ? gr_value_ref(args) : gr_error(rc, "woken up");
}

gr_ref nap(void)
{
    static const gr_method methods[] = { { "invoke", GR_ASYNC, nap_invoke, NULL } };
    static const gr_class cls = GR_CLASS(.name = "nap", GR_METHODS(methods));

    return gr_spawn(root, &cls, NULL);
}

/* ---- what must be back ----------------------------------------------------------------------- */

static int entries(const char *path)
{
    DIR *d = opendir(path);
    int count = 0;

    if (d == NULL)
        return 0;
    while (readdir(d) != NULL)
        count++;
    closedir(d);
    return count;
}

/* settled waits until path has no more entries than it had. */
static int settled(const char *path, int before)
{
    const struct timespec pause = { .tv_nsec = 200000 };
    struct timespec start, t;
    int now = entries(path);
    long ms = 0;

    clock_gettime(CLOCK_MONOTONIC, &start);
    while (now > before && ms < SETTLE_MS) {
        nanosleep(&pause, NULL);
        now = entries(path);
        clock_gettime(CLOCK_MONOTONIC, &t);
        ms = (t.tv_sec - start.tv_sec) * 1000 + (t.tv_nsec - start.tv_nsec) / 1000000;
    }
    return now;
}

static void check_nothing_left(long live_before)
{
    long live = test_memory_live();
    int fds, threads;

    if (live != live_before)
        torture_fail("%ld blocks are left", live - live_before);
    if (fds_before == 0)
        return;
    threads = settled("/proc/self/task", threads_before);
    if (threads > threads_before)
        torture_fail("%d threads are left", threads - threads_before);
    fds = settled("/proc/self/fd", fds_before);
    if (fds > fds_before)
        torture_fail("%d descriptors are left", fds - fds_before);
}

/* check_works makes one call that must succeed. */
static void check_works(gr_runtime *in)
{
    gr_future *f = gr_ainvoke(in, echo_in(in), gr_str("still there"), NULL);
    gr_outcome o = gr_await(f, ANSWER_MS);

    if (o.code != GR_OK || strcmp(gr_cstr(o.value, ""), "still there") != 0)
        torture_fail("afterwards the runtime does not work: %s", gr_code_name(o.code));
    gr_future_free(f);
}

/* ---- the HTTP server ------------------------------------------------------------------------- */

struct fault_server *http_server(void)
{
    return server;
}

static void renew_server(const struct scene *s)
{
    if ((s->flags & SCENE_HTTP) == 0 || (server != NULL && ++server_runs < SERVER_RUNS))
        return;
    fault_server_stop(server);
    server = fault_server_start();
    server_runs = 0;
    http_scripts(server);
    mcp_scripts(server);
}

/* ---- running --------------------------------------------------------------------------------- */

static void run_in_runtime(const struct scene *s, unsigned workers)
{
    gr_code rc = gr_runtime_new(GR_RUNTIME(.workers = workers), &rt);

    if (!said(rc))
        return;
    root = gr_root(rt);
    s->run();
    faults_pause();
    check_works(rt);
    faults_go_on();
    gr_runtime_free(rt);
    rt = NULL;
}

static void run_alone(const struct scene *s)
{
    gr_runtime *after = NULL;

    s->run();
    faults_pause();
    if (gr_runtime_new(GR_RUNTIME(.workers = 1), &after) != GR_OK)
        torture_fail("afterwards no runtime can be made");
    check_works(after);
    gr_runtime_free(after);
    faults_go_on();
}

void torture_run(const struct scene *s, enum fault_class c, long at, int variant, unsigned workers)
{
    long live = test_memory_live();

    renew_server(s);
    scene = s;
    last_log[0] = '\0';
    atomic_store(&also, 0);
    faults_exempt(false); /* torture_begin exempted this thread */
    faults_arm(c, at, variant);
    if ((s->flags & SCENE_OWN) != 0)
        run_alone(s);
    else
        run_in_runtime(s, workers);
    faults_disarm();
    faults_exempt(true);
    check_nothing_left(live);
}

void torture_begin(const struct scene *s, void (*failed)(const char *text))
{
    on_failed = failed;
    faults_exempt(true);
    setenv("no_proxy", "*", 1);
    gr_set_log(note_log, NULL, 1);
    if ((s->flags & SCENE_SILENT) != 0) {
        int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);

        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
        close(nowhere);
    }
    /* The first run starts what lives as long as the process, the second tells what is normal. */
    torture_run(s, FAULT_NOTHING, 0, 0, 1);
    torture_run(s, FAULT_NOTHING, 0, 0, 2);
    threads_before = entries("/proc/self/task");
    fds_before = entries("/proc/self/fd");
    torture_run(s, FAULT_NOTHING, 0, 0, 2);
}

void torture_end(const struct scene *s)
{
    (void)s;
    fault_server_stop(server);
    server = NULL;
}
