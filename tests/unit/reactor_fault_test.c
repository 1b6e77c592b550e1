/* SPDX-License-Identifier: Apache-2.0 */
/* reactor_fault_test.c - runtime/http/http.h over libcurl, against servers that fail. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/sched/world.h"
#include "tests/support/http_call.h"

/* set_up makes a runtime (gr_runtime_new) and starts the server. */
TestSuite(reactor_fault, .init = set_up, .fini = tear_down, .timeout = 60);

/* fails runs GET path against a script and checks the error: its code and how its text ends. */
static void fails(const struct fault_step *steps, size_t count, gr_code code, const char *text)
{
    struct call c;

    init(&c);
    fault_server_script(server, "/fails", steps, count);
    get(&c, "/fails");
    finish(&c);
    cr_assert_eq(c.errors, 1);
    cr_assert_eq(c.ends, 0);
    cr_assert_eq(c.code, code, "%s", c.text);
    cr_assert_geq(strlen(c.text), strlen(text));
    cr_assert_str_eq(c.text + strlen(c.text) - strlen(text), text);
    cr_assert_not_null(strstr(c.text, fault_server_url(server) + strlen("http://")), "%s", c.text);
    fini(&c);
}

/* ---- connections ---------------------------------------------------------------------------- */

/* refusing_port returns a port of 127.0.0.1 where nobody listens. */
static int refusing_port(void)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    cr_assert_eq(bind(fd, (struct sockaddr *)&addr, len), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    close(fd);
    return ntohs(addr.sin_port);
}

Test(reactor_fault, says_where_a_connection_was_refused_but_no_secret)
{
    char url[128], want[128];
    int port = refusing_port();
    struct gri_http_request req = { .method = "GET",
                                    .url = url,
                                    .secret_header = "Authorization: Bearer sesame" };
    struct call c;

    snprintf(url, sizeof(url), "http://user:sesame@127.0.0.1:%d/path/sesame?key=sesame", port);
    snprintf(want, sizeof(want), "connecting to 127.0.0.1:%d: connection refused", port);
    init(&c);
    cr_assert_eq(start(&c, &req, NULL), GR_OK);
    finish(&c);
    cr_assert_eq(c.code, GR_EUNREACH);
    cr_assert_str_eq(c.text, want);
    fini(&c);
}

Test(reactor_fault, a_connection_that_never_comes_ends_in_a_timeout)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(addr);
    int listener = socket(AF_INET, SOCK_STREAM, 0), fillers[4];
    char url[64];
    struct gri_http_request req = { .method = "GET", .url = url, .connect_timeout_ms = 50 };
    struct call c;

    /* a listener that accepts nobody, its queue filled: the kernel leaves further SYNs
     * unanswered */
    cr_assert_eq(bind(listener, (struct sockaddr *)&addr, len), 0);
    cr_assert_eq(listen(listener, 0), 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    for (size_t i = 0; i < COUNT(fillers); i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fillers[i], (struct sockaddr *)&addr, len);
    }
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(addr.sin_port));
    init(&c);
    cr_assert_eq(start(&c, &req, NULL), GR_OK);
    finish(&c);
    cr_assert_eq(c.code, GR_ETIMEDOUT);
    cr_assert_not_null(strstr(c.text, ": no connection within 50 ms"), "%s", c.text);
    for (size_t i = 0; i < COUNT(fillers); i++)
        close(fillers[i]);
    close(listener);
    fini(&c);
}

Test(reactor_fault, an_unknown_host_is_an_error)
{
    struct gri_http_request req = { .method = "GET", .url = "http://no-such-host.invalid/" };
    struct call c;

    init(&c);
    cr_assert_eq(start(&c, &req, NULL), GR_OK);
    finish(&c);
    cr_assert_eq(c.errors, 1);
    cr_assert(c.code == GR_EUNREACH || c.code == GR_ETIMEDOUT);
    cr_assert_not_null(strstr(c.text, "no-such-host.invalid:80"), "%s", c.text);
    fini(&c);
}

Test(reactor_fault, a_server_that_does_not_speak_tls_is_an_error)
{
    static const struct fault_step plain[] = { FAULT_TEXT("HTTP/1.1 400 No TLS\r\n\r\n"),
                                               FAULT_END };
    char url[128], want[128];
    struct gri_http_request req = { .method = "GET", .url = url };
    struct call c;

    snprintf(url, sizeof(url), "https%s/", fault_server_url(server) + strlen("http"));
    snprintf(want, sizeof(want), "TLS with %s: ", fault_server_url(server) + strlen("http://"));
    fault_server_script(server, "tls", plain, COUNT(plain));
    init(&c);
    cr_assert_eq(start(&c, &req, NULL), GR_OK);
    finish(&c);
    cr_assert_eq(c.code, GR_EUNREACH);
    cr_assert_eq(strncmp(c.text, want, strlen(want)), 0, "%s", c.text);
    fini(&c);
}

/* ---- answers -------------------------------------------------------------------------------- */

Test(reactor_fault, an_answer_cut_short_is_an_error)
{
    static const struct fault_step by_length[] = {
        FAULT_TEXT("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), FAULT_END
    };
    static const struct fault_step by_chunk[] = { FAULT_STREAM_HEAD, FAULT_CHUNK("data: 1\n\n"),
                                                  FAULT_END };

    fails(by_length, COUNT(by_length), GR_EUNREACH, ": the answer was cut short");
    fails(by_chunk, COUNT(by_chunk), GR_EUNREACH, ": the answer was cut short");
}

Test(reactor_fault, a_connection_lost_before_or_within_an_answer_is_an_error)
{
    static const struct fault_step nothing[] = { FAULT_END };
    static const struct fault_step reset[] = { FAULT_STREAM_HEAD, FAULT_CHUNK("data: 1\n\n"),
                                               FAULT_RST };

    fails(nothing, COUNT(nothing), GR_EUNREACH,
          ": the server closed the connection without an answer");
    fails(reset, COUNT(reset), GR_EUNREACH, ": the connection was lost: connection reset by peer");
}

Test(reactor_fault, what_is_not_http_is_an_error)
{
    static const struct fault_step mail[] = { FAULT_TEXT("220 mail.example ESMTP\r\n\r\n"),
                                              FAULT_END };
    static const struct fault_step size[] = {
        FAULT_TEXT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nbad"), FAULT_HANG
    };

    fails(mail, COUNT(mail), GR_EPROTO, ": the answer is not HTTP");
    fails(size, COUNT(size), GR_EUNREACH, ": the connection was lost"); /* curl knows no better */
}

/* curl takes any line that begins with a carriage return for the end of the headers. */
Test(reactor_fault, an_end_of_headers_that_is_none_is_an_error)
{
    static const struct fault_step steps[] = {
        FAULT_TEXT("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r.\nhello"), FAULT_END
    };

    fails(steps, COUNT(steps), GR_EPROTO, ": an answer without a status");
}

Test(reactor_fault, headers_without_end_are_an_error)
{
    static const struct fault_step steps[] = { FAULT_TEXT("HTTP/1.1 200 OK\r\n"),
                                               FAULT_FLOOD("X-Long: 0123456789\r\n", 1000000) };

    fails(steps, COUNT(steps), GR_EPROTO, ": the answer's headers are over 65536 bytes");
    cr_assert(fault_server_wait(server, FAULT_DROPPED, 1));
}

/* ---- time ----------------------------------------------------------------------------------- */

Test(reactor_fault, silence_ends_in_a_timeout_and_closes_the_connection)
{
    static const struct fault_step steps[] = { FAULT_STREAM_HEAD, FAULT_CHUNK("data: 1\n\n"),
                                               FAULT_HANG };
    struct gri_http_request req = { .method = "GET", .url = url_of("/"), .idle_timeout_ms = 100 };
    struct call c;

    init(&c);
    fault_server_script(server, "/", steps, COUNT(steps));
    cr_assert_eq(start(&c, &req, NULL), GR_OK);
    finish(&c);
    cr_assert_eq(c.code, GR_ETIMEDOUT);
    cr_assert_not_null(strstr(c.text, ": no bytes for 100 ms"));
    cr_assert(fault_server_wait(server, FAULT_DROPPED, 1));
    fini(&c);
}

/* ends_late runs GET path with a deadline that the server doesn't keep. */
static void ends_late(const char *path, uint64_t deadline_ns, const char *text)
{
    struct gri_http_request req = { .method = "GET",
                                    .url = url_of(path),
                                    .deadline_ns = deadline_ns };
    struct call c;

    init(&c);
    cr_assert_eq(start(&c, &req, NULL), GR_OK);
    finish(&c);
    cr_assert_eq(c.code, GR_ETIMEDOUT);
    cr_assert(gri_now(rt) >= deadline_ns);
    cr_assert_not_null(strstr(c.text, text), "%s", c.text);
    fini(&c);
}

Test(reactor_fault, a_deadline_ends_what_is_not_over)
{
    static const struct fault_step mute[] = { FAULT_HANG };
    static const struct fault_step endless[] = {
        FAULT_TEXT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        FAULT_FLOOD("1\r\na\r\n", SIZE_MAX),
    };

    fault_server_script(server, "/mute", mute, COUNT(mute));
    fault_server_script(server, "/endless", endless, COUNT(endless));
    ends_late("/mute", gri_now(rt) + UINT64_C(300000000), ": no answer before the deadline");
    ends_late("/endless", gri_now(rt) + UINT64_C(300000000),
              ": the answer was not over before the deadline");
    ends_late("/mute", 1, ": the deadline passed"); /* before it began */
}

Test(reactor_fault, many_deadlines_end_in_their_order)
{
    enum { MANY = 40 };
    static const struct fault_step mute[] = { FAULT_HANG };
    struct gri_http_request req = { .method = "GET", .url = url_of("/") };
    uint64_t first_ns = gri_now(rt) + UINT64_C(1000000000);
    struct call calls[MANY];

    fault_server_script(server, "/", mute, COUNT(mute));
    for (int i = 0; i < MANY; i++) {
        init(&calls[i]);
        req.deadline_ns = first_ns + (uint64_t)(i * 7 % MANY) * UINT64_C(4000000);
        cr_assert_eq(start(&calls[i], &req, NULL), GR_OK);
    }
    for (int i = 0; i < MANY; i++) {
        finish(&calls[i]);
        cr_assert_eq(calls[i].code, GR_ETIMEDOUT);
        cr_assert_eq(calls[i].order, i * 7 % MANY);
        fini(&calls[i]);
    }
    cr_assert(fault_server_wait(server, FAULT_DROPPED, MANY));
}

/* ---- a name that is looked up for ever ------------------------------------------------------ */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int begun, over;
    bool go_on;
} look_up = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static int hang(void)
{
    pthread_mutex_lock(&look_up.lock);
    look_up.begun++;
    pthread_cond_broadcast(&look_up.changed);
    while (!look_up.go_on)
        pthread_cond_wait(&look_up.changed, &look_up.lock);
    look_up.over++;
    pthread_cond_broadcast(&look_up.changed);
    pthread_mutex_unlock(&look_up.lock);
    return EAI_AGAIN;
}

/* libcurl finds this one before the C library's. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = NULL;
    void *symbol = NULL;

    if (node != NULL && strcmp(node, "hangs.invalid") == 0)
        return hang();
    symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&real, &symbol, sizeof(real));
    return real(node, service, hints, ret);
}

static void wait_for_look_ups(const int *count, int want)
{
    pthread_mutex_lock(&look_up.lock);
    while (*count < want)
        pthread_cond_wait(&look_up.changed, &look_up.lock);
    pthread_mutex_unlock(&look_up.lock);
}

Test(reactor_fault, a_look_up_that_hangs_delays_neither_others_nor_cancel_nor_shutdown)
{
    struct gri_http_request req = { .method = "GET", .url = "http://hangs.invalid/" };
    struct call hung[2], other;

    look_up.begun = look_up.over = 0;
    look_up.go_on = false;
    for (int i = 0; i < 2; i++) {
        init(&hung[i]);
        cr_assert_eq(start(&hung[i], &req, NULL), GR_OK);
    }
    wait_for_look_ups(&look_up.begun, 2);
    init(&other);
    fault_server_reply(server, "/", 200, "", "quick");
    get(&other, "/");
    ends_well(&other, 200, "quick");
    cancel(&hung[0]);
    finish(&hung[0]);
    cr_assert_eq(hung[0].code, GR_ECANCELED);
    gr_runtime_free(rt);
    rt = NULL;
    finish(&hung[1]);
    cr_assert_eq(hung[1].code, GR_ECANCELED);
    pthread_mutex_lock(&look_up.lock);
    cr_assert_eq(look_up.over, 0);
    look_up.go_on = true;
    pthread_cond_broadcast(&look_up.changed);
    pthread_mutex_unlock(&look_up.lock);
    wait_for_look_ups(&look_up.over, 2);
    for (int i = 0; i < 2; i++)
        fini(&hung[i]);
    fini(&other);
}

Test(reactor_fault, a_cancelled_look_up_holds_up_no_stream)
{
    static const struct fault_step steps[] = {
        FAULT_STREAM_HEAD, FAULT_CHUNK("data: 1\n\n"),
        FAULT_GATE(0),     FAULT_CHUNK("data: 2\n\n"),
        FAULT_GATE(1),     FAULT_CHUNK(""),
    };
    struct gri_http_request req = { .method = "GET", .url = "http://hangs.invalid/" };
    struct call hung[20], stream;

    look_up.begun = look_up.over = 0;
    look_up.go_on = false;
    fault_server_script(server, "/", steps, COUNT(steps));
    init(&stream);
    get(&stream, "/");
    until(&stream, stream.body_len == 9);
    for (size_t i = 0; i < COUNT(hung); i++) {
        init(&hung[i]);
        cr_assert_eq(start(&hung[i], &req, NULL), GR_OK);
    }
    wait_for_look_ups(&look_up.begun, COUNT(hung));
    for (size_t i = 0; i < COUNT(hung); i++)
        cancel(&hung[i]);
    fault_server_open(server, 0);
    until(&stream, stream.body_len == 18); /* the look-ups are all still hanging */
    for (size_t i = 0; i < COUNT(hung); i++) {
        finish(&hung[i]);
        cr_assert_eq(hung[i].code, GR_ECANCELED);
        fini(&hung[i]);
    }
    fault_server_open(server, 1);
    ends_well(&stream, 200, "data: 1\n\ndata: 2\n\n");
    fini(&stream);
    pthread_mutex_lock(&look_up.lock);
    cr_assert_eq(look_up.over, 0);
    look_up.go_on = true;
    pthread_cond_broadcast(&look_up.changed);
    pthread_mutex_unlock(&look_up.lock);
    wait_for_look_ups(&look_up.over, COUNT(hung));
}

/* ---- the system has no room for another socket ------------------------------------------------ */

static atomic_int refuse_watches;

/* epoll_ctl stands before the C library's, to refuse what is new while the test says so. */
int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
    int (*real)(int, int, int, struct epoll_event *) = NULL;
    void *symbol = dlsym(RTLD_NEXT, "epoll_ctl");

    memcpy(&real, &symbol, sizeof(real));
    if (op == EPOLL_CTL_ADD && atomic_load(&refuse_watches) != 0) {
        errno = ENOSPC;
        return -1;
    }
    return real(epoll, op, fd, event);
}

Test(reactor_fault, a_socket_that_cant_be_watched_ends_its_transfer_at_once)
{
    struct call c;

    fault_server_reply(server, "/ok", 200, "", "hello");
    init(&c);
    get(&c, "/ok"); /* the service is made now */
    ends_well(&c, 200, "hello");
    fini(&c);
    fault_server_reply(server, "/new", 200, "Connection: close\r\n", "hello");
    init(&c);
    get(&c, "/new");
    ends_well(&c, 200, "hello"); /* takes the idle connection, and closes it */
    fini(&c);
    atomic_store(&refuse_watches, 1);
    init(&c);
    get(&c, "/ok");
    finish(&c);
    atomic_store(&refuse_watches, 0);
    cr_assert_eq(c.errors, 1);
    cr_assert_eq(c.code, GR_ENOMEM, "%s", c.text);
    fini(&c);
    init(&c);
    get(&c, "/ok");
    ends_well(&c, 200, "hello");
    fini(&c);
}
