/* SPDX-License-Identifier: Apache-2.0 */
/* health_test.c - cli/health.h: what is told while all workers are held up, while a node drains, and over a socket that
 * this thread serves. tests/cli/health.sh has the rude guests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/health.h"

#include "tests/support/engine.h"

/* One worker, and no other comes in its place. */
static void start(void)
{
    engine_blocks = test_memory_live();
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1, .stuck_ms = 3600000), &rt), GR_OK);
    root = gr_root(rt);
}

TestSuite(health, .init = start, .fini = engine_down);

static struct signal_count entered = SIGNAL_COUNT, go = SIGNAL_COUNT;

static gr_value *hold(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self, (void)args;
    post(&entered);
    cr_assert(take(&go));
    return gr_nil();
}

static const gr_method methods[] = { { "invoke", GR_ASYNC, hold, NULL } };
static const gr_class cls = GR_CLASS(.name = "held", .state_size = 1, GR_METHODS(methods));

static void path_of(char path[100])
{
    const char *folder = getenv("TMPDIR");

    (void)snprintf(path, 100, "%s/gr-health-%ld", folder != NULL ? folder : "/tmp", (long)getpid());
}

static bool status_is(struct gri_health *h, const char *status)
{
    gr_value *v = gri_health_value(h);
    bool is = strcmp(gr_cstr(gr_get(v, "status"), ""), status) == 0;

    gr_value_unref(v);
    return is;
}

/* serve_once does what the command's main thread does between other things. */
static void serve_once(struct gri_health *h)
{
    struct pollfd fds[GRI_HEALTH_FDS];
    int timeout_ms = -1;
    nfds_t count = gri_health_fds(h, fds, &timeout_ms);

    cr_assert_eq(count, (nfds_t)GRI_HEALTH_FDS);
    cr_assert_geq(timeout_ms, 1, "it never waits for ever, and never spins");
    (void)poll(fds, count, 1);
    gri_health_serve(h, fds);
}

/* told connects, sends a text, and gives what comes back until the end. */
static const char *told(struct gri_health *h, const char *path, const char *text)
{
    static char got[8192];
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t len = 0;
    ssize_t n = -1;

    strncpy(at.sun_path, path, sizeof(at.sun_path) - 1);
    cr_assert_eq(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
    if (text[0] == '\0')
        shutdown(fd, SHUT_WR);
    until((serve_once(h), n = recv(fd, got + len, sizeof(got) - 1 - len, MSG_DONTWAIT),
           len += n > 0 ? (size_t)n : 0, n == 0));
    close(fd);
    got[len] = '\0';
    return got;
}

Test(health, stuck_while_work_waits_and_nothing_is_done)
{
    struct gri_health h;
    char path[100];
    gr_ref a = gr_spawn(root, &cls, NULL), b = gr_spawn(root, &cls, NULL);
    gr_future *first, *second;

    path_of(path);
    gri_health_init(&h);
    cr_assert(gri_health_open(&h, rt, path, 100));
    cr_assert(status_is(&h, "ok"));
    first = gr_ainvoke(rt, a, gr_nil(), NULL);
    cr_assert(take(&entered)); /* the one worker is held up, */
    second = gr_ainvoke(rt, b, gr_nil(), NULL);
    until(status_is(&h, "stuck")); /* and this waits */
    cr_assert_not_null(strstr(told(&h, path, "GET / HTTP/1.1\r\n\r\n"), "HTTP/1.1 503"));
    cr_assert_not_null(strstr(told(&h, path, ""), "\"stuck\""));
    post(&go);
    cr_assert(take(&entered));
    until(status_is(&h, "ok"));
    cr_assert_not_null(strstr(told(&h, path, "GET / HTTP/1.1\r\n\r\n"), "HTTP/1.1 200"));
    post(&go);
    cr_assert_eq(code_of(first), GR_OK);
    cr_assert_eq(code_of(second), GR_OK);
    gri_health_close(&h);
}

/* One handler that takes long while nothing waits is no trouble. */
Test(health, busy_is_not_stuck)
{
    struct gri_health h;
    char path[100];
    gr_future *f = gr_ainvoke(rt, gr_spawn(root, &cls, NULL), gr_nil(), NULL);
    uint64_t until_ns;

    path_of(path);
    gri_health_init(&h);
    cr_assert(gri_health_open(&h, rt, path, 1));
    cr_assert(take(&entered));
    until_ns = test_now_ns() + 50 * UINT64_C(1000000);
    while (test_now_ns() < until_ns)
        cr_assert(status_is(&h, "ok"));
    post(&go);
    cr_assert_eq(code_of(f), GR_OK);
    gri_health_close(&h);
}

Test(health, a_node_that_drains_says_so)
{
    struct gri_health h;
    char path[100];
    struct stat about;

    path_of(path);
    gri_health_init(&h);
    cr_assert(gri_health_open(&h, rt, path, 0));
    cr_assert_eq(stat(path, &about), 0);
    cr_assert_eq(about.st_mode & 0777, 0600u);
    cr_assert_eq(gr_node_drain(rt, NULL), GR_OK);
    cr_assert(status_is(&h, "draining"));
    cr_assert_not_null(strstr(told(&h, path, "GET /x HTTP/1.0\n\n"), "HTTP/1.1 503"));
    gri_health_close(&h);
    cr_assert_neq(stat(path, &about), 0, "its file is gone");
    gri_health_close(&h);
}

Test(health, without_a_socket_there_is_nothing_to_do)
{
    struct gri_health h;
    struct pollfd fds[GRI_HEALTH_FDS];
    int timeout_ms = -1;

    gri_health_init(&h);
    cr_assert_eq(gri_health_fds(&h, fds, &timeout_ms), (nfds_t)0);
    cr_assert_eq(timeout_ms, -1);
    gri_health_serve(&h, fds);
    cr_assert_not(gri_health_open(&h, rt, "", 0));
    gri_health_close(&h);
    cr_assert_not(gri_health_open(&h, rt, "/nobody/has/this/folder", 0));
    gri_health_close(&h);
}
