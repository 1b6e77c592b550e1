/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_test.c - gr_runtime_opts.http2, and that of one request, against nghttpd (Debian's nghttp2-server), which speaks nothing
 * else, over TLS. Without it, or without openssl's command, all is skipped.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/http_call.h"
#include "tests/support/peer.h"

#define SMALL ((size_t)1000)
#define LARGE ((size_t)600 * 1024)
#define HUGE_FILE ((size_t)4 << 20)

extern char **environ;

static char folder[32], base[64], ca[64];
static pid_t child;
static int port;
static atomic_int connects;

/* libcurl finds this one before the C library's. */
int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
    int (*real)(int, const struct sockaddr *, socklen_t) = NULL;
    void *symbol = dlsym(RTLD_NEXT, "connect");
    struct sockaddr_in at = { .sin_family = AF_UNSPEC };

    memcpy(&real, &symbol, sizeof(real));
    if (len >= sizeof(at))
        memcpy(&at, address.__sockaddr__, sizeof(at));
    if (at.sin_family == AF_INET && ntohs(at.sin_port) == port)
        atomic_fetch_add(&connects, 1);
    return real(fd, address.__sockaddr__, len);
}

static const char *program(void)
{
    static const char *const places[] = { "/usr/sbin/nghttpd", "/usr/bin/nghttpd",
                                          "/usr/local/bin/nghttpd" };

    for (size_t i = 0; i < COUNT(places); i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return NULL;
}

static char letter(size_t at)
{
    return (char)('a' + at % 23);
}

static void write_file(const char *name, size_t size)
{
    char path[64];
    FILE *f = NULL;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "wb");
    cr_assert_not_null(f);
    for (size_t i = 0; i < size; i++)
        putc(letter(i), f);
    cr_assert_eq(fclose(f), 0);
}

static bool make_files(void)
{
    char command[512];

    snprintf(folder, sizeof(folder), "/tmp/gr-h2-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(ca, sizeof(ca), "%s/cert.pem", folder);
    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
             "-subj /CN=test -addext subjectAltName=IP:127.0.0.1 -keyout %s/key.pem -out %s "
             ">/dev/null 2>&1",
             folder, ca);
    write_file("small", SMALL);
    write_file("large", LARGE);
    write_file("huge", HUGE_FILE);
    return system(command) == 0;
}

static bool answers(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool there = false;

    at.sin_port = htons((uint16_t)port);
    there = connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
    close(fd);
    return there;
}

/* It goes when the test does, however that ends: setpriv, which becomes nghttpd, sees to it. */
static void start_server(void)
{
    char number[16], key[64], url[128];
    char *argv[] = { "setpriv", "--pdeathsig", "KILL", (char *)(uintptr_t)program(),
                     "-a",      "127.0.0.1",   "-d",   folder,
                     number,    key,           ca,     NULL };

    test_peer_url(url, "tcp");
    port = atoi(strrchr(url, ':') + 1);
    snprintf(number, sizeof(number), "%d", port);
    snprintf(key, sizeof(key), "%s/key.pem", folder);
    snprintf(base, sizeof(base), "https://127.0.0.1:%d", port);
    cr_assert_eq(posix_spawnp(&child, "setpriv", NULL, NULL, argv, environ), 0);
    for (int tries = 0; !answers(); tries++) {
        cr_assert_lt(tries, TEST_WAIT_MS / 10, "nghttpd doesn't answer");
        usleep(10000);
    }
}

/* ready_with makes all that a test needs; false: it can't be made here. all: every request may use HTTP/2. */
static bool ready_with(bool all)
{
    setenv("no_proxy", "*", 1);
    child = 0;
    rt = NULL;
    folder[0] = '\0';
    if (program() == NULL || !make_files()) {
        fprintf(stderr, "SKIPPED: there is no nghttpd, or no openssl\n");
        return false;
    }
    start_server();
    atomic_store(&connects, 0);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2, .http2 = all), &rt), GR_OK);
    return true;
}

static bool ready(void)
{
    return ready_with(true);
}

static void done(void)
{
    char command[64];

    gr_runtime_free(rt);
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    if (folder[0] != '\0') {
        snprintf(command, sizeof(command), "rm -rf %s", folder);
        cr_assert_eq(system(command), 0);
    }
}

TestSuite(http2, .fini = done, .timeout = 60);

static void ask_for(struct call *c, const char *path)
{
    char url[128];
    struct gri_http_request req = { .method = "GET", .url = url, .ca_file = ca };

    snprintf(url, sizeof(url), "%s%s", base, path);
    cr_assert_eq(start(c, &req, NULL), GR_OK);
}

static void is_whole(struct call *c, size_t size)
{
    finish(c);
    cr_assert_eq(c->errors, 0, "%s", c->text);
    cr_assert_eq(c->status, 200);
    cr_assert_eq(c->body_len, size);
    for (size_t i = 0; i < size; i++)
        cr_assert(c->body[i] == letter(i), "byte %zu", i);
}

Test(http2, many_requests_share_one_connection)
{
    enum { MANY = 100 };
    struct call *calls = calloc(MANY, sizeof(*calls));

    if (!ready())
        return;
    for (size_t i = 0; i < MANY; i++) {
        init(&calls[i]);
        ask_for(&calls[i], i % 2 == 0 ? "/small" : "/large");
    }
    for (size_t i = 0; i < MANY; i++) {
        is_whole(&calls[i], i % 2 == 0 ? SMALL : LARGE);
        fini(&calls[i]);
    }
    cr_assert_eq(atomic_load(&connects), 1);
    free(calls);
}

/* The server speaks nothing else, so one without it gets no answer. */
Test(http2, a_request_may_ask_for_it_alone)
{
    struct call with, without;
    char url[128];

    if (!ready_with(false))
        return;
    init(&with);
    init(&without);
    snprintf(url, sizeof(url), "%s/small", base);
    cr_assert_eq(start(&with,
                       &(struct gri_http_request){
                           .method = "GET", .url = url, .ca_file = ca, .http2 = true },
                       NULL),
                 GR_OK);
    is_whole(&with, SMALL);
    ask_for(&without, "/small");
    finish(&without);
    cr_assert_eq(without.errors, 1);
    fini(&with);
    fini(&without);
}

Test(http2, a_reader_that_stops_holds_up_nobody_else)
{
    struct call slow, other;

    if (!ready())
        return;
    init(&slow);
    slow.pause_all = true;
    ask_for(&slow, "/large");
    until(&slow, slow.pauses == 1);
    for (int i = 0; i < 3; i++) {
        init(&other);
        ask_for(&other, "/large");
        is_whole(&other, LARGE);
        fini(&other);
    }
    cr_assert_eq(atomic_load(&connects), 1);
    pthread_mutex_lock(&slow.lock);
    cr_assert_eq(slow.ends + slow.errors, 0); /* whole, and here, but not taken */
    slow.pause_all = false;
    pthread_mutex_unlock(&slow.lock);
    resume(&slow);
    is_whole(&slow, LARGE);
    cr_assert_eq(slow.late, 0);
    fini(&slow);
}

Test(http2, pausing_now_and_then_loses_no_byte)
{
    struct call c;
    size_t seen = 0;

    if (!ready())
        return;
    init(&c);
    c.pause_each = 3;
    ask_for(&c, "/large");
    while (seen < LARGE) {
        until(&c, c.pauses > seen || c.ends + c.errors > 0);
        if (c.ends + c.errors > 0)
            break;
        seen = c.pauses;
        resume(&c);
    }
    is_whole(&c, LARGE);
    cr_assert_geq(c.pauses, 1u);
    fini(&c);
}

Test(http2, what_is_kept_for_a_reader_has_a_bound)
{
    struct call c;

    if (!ready())
        return;
    init(&c);
    c.pause_all = true;
    ask_for(&c, "/huge");
    finish(&c);
    cr_assert_eq(c.code, GR_EFULL);
    cr_assert_not_null(strstr(c.text, ": the reader is more than 1048576 bytes behind"), "%s",
                       c.text);
    cr_assert_eq(c.offers, 1u);
    fini(&c);
}

Test(http2, cancels_while_something_is_kept)
{
    struct call c[3];

    if (!ready())
        return;
    for (int i = 0; i < 3; i++) {
        init(&c[i]);
        c[i].pause_all = true;
        ask_for(&c[i], "/large");
        until(&c[i], c[i].pauses == 1);
    }
    cancel(&c[0]);
    finish(&c[0]);
    cr_assert_eq(c[0].code, GR_ECANCELED);
    gr_runtime_free(rt); /* ends the others */
    rt = NULL;
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(c[i].errors, 1);
        cr_assert_eq(c[i].code, GR_ECANCELED);
        fini(&c[i]);
    }
}
