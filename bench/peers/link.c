/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link.c - what nng's streams, its request and reply, and bare sockets take for the same trips between two
 * processes.
 *
 *   link SIDE ROW [N]     SIDE nng or raw; ROW remote_ainvoke_ipc, _tcp: 64 bytes there and back, one at a time;
 *                         remote_1mib_ipc, _tcp: a MiB there and back
 *
 * The other process is a fork, made before nng is used. A trip of nng's is a stream's with nng_aio_wait, and of
 * a MiB that of REQ/REP, as a program would be written with it.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>

#define SMALL 64
#define LARGE (1024 * 1024)

/* One end: do `n` trips of `size` bytes, as the one who begins or the one who answers. */
typedef void trips_fn(bool server, const char *where, bool tcp, long n, size_t size);

static int ready[2]; /* the server writes a byte once it listens */
static double begin_ns, end_ns;

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void check(bool fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "link: %s failed\n", what);
    exit(1);
}

static void say_ready(void)
{
    check(write(ready[1], "", 1) == 1, "telling that it is ready");
}

static void await_ready(void)
{
    char byte;

    check(read(ready[0], &byte, 1) == 1, "waiting for the other process");
}

/* warm_up is how many trips are not counted. */
static long warm_up(long n)
{
    return n / 10 + 1;
}

/* ---- bare sockets ---------------------------------------------------------------------------- */

static int bare_socket(const char *where, bool tcp, struct sockaddr_storage *addr, socklen_t *len)
{
    struct sockaddr_un *un = (struct sockaddr_un *)addr;
    struct sockaddr_in *in = (struct sockaddr_in *)addr;

    memset(addr, 0, sizeof(*addr));
    if (tcp) {
        in->sin_family = AF_INET;
        in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        in->sin_port = htons((uint16_t)strtol(where, NULL, 10));
        *len = sizeof(*in);
    } else {
        un->sun_family = AF_UNIX;
        strncpy(un->sun_path, where, sizeof(un->sun_path) - 1);
        *len = sizeof(*un);
    }
    return socket(addr->ss_family, SOCK_STREAM, 0);
}

static void move(int fd, char *bytes, size_t size, bool out)
{
    for (size_t at = 0; at < size;) {
        ssize_t n = out ? write(fd, bytes + at, size - at) : read(fd, bytes + at, size - at);

        check(n > 0, "a socket");
        at += (size_t)n;
    }
}

static void raw_trips(bool server, const char *where, bool tcp, long n, size_t size)
{
    struct sockaddr_storage addr;
    socklen_t len;
    int on = 1, fd = bare_socket(where, tcp, &addr, &len);
    char *bytes = calloc(1, size);

    check(fd >= 0 && bytes != NULL, "a socket");
    if (server) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        check(bind(fd, (struct sockaddr *)&addr, len) == 0 && listen(fd, 1) == 0, "listening");
        say_ready();
        fd = accept(fd, NULL, NULL);
        check(fd >= 0, "accepting");
    } else {
        await_ready();
        check(connect(fd, (struct sockaddr *)&addr, len) == 0, "connecting");
    }
    if (tcp)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    for (long i = -warm_up(n); i < n; i++) {
        if (i == 0)
            begin_ns = now_ns();
        move(fd, bytes, size, !server);
        move(fd, bytes, size, server);
    }
    end_ns = now_ns();
}

/* ---- nng ------------------------------------------------------------------------------------- */

static void url_of(char *url, size_t size, const char *where, bool tcp)
{
    snprintf(url, size, tcp ? "tcp://127.0.0.1:%s" : "ipc://%s", where);
}

static void pass(nng_stream *s, nng_aio *aio, char *bytes, size_t size, bool out)
{
    for (size_t at = 0; at < size;) {
        nng_iov iov = { .iov_buf = bytes + at, .iov_len = size - at };

        nng_aio_set_iov(aio, 1, &iov);
        if (out)
            nng_stream_send(s, aio);
        else
            nng_stream_recv(s, aio);
        nng_aio_wait(aio);
        check(nng_aio_result(aio) == 0, "a stream");
        at += nng_aio_count(aio);
    }
}

static nng_stream *connected(bool server, const char *url, nng_aio *aio)
{
    nng_stream_listener *l = NULL;
    nng_stream_dialer *d = NULL;

    if (server) {
        check(nng_stream_listener_alloc(&l, url) == 0 && nng_stream_listener_listen(l) == 0,
              "listening");
        say_ready();
        nng_stream_listener_accept(l, aio);
    } else {
        await_ready();
        check(nng_stream_dialer_alloc(&d, url) == 0, "a dialer");
        nng_stream_dialer_dial(d, aio);
    }
    nng_aio_wait(aio);
    check(nng_aio_result(aio) == 0, "connecting");
    return nng_aio_get_output(aio, 0);
}

static void stream_trips(bool server, const char *where, bool tcp, long n, size_t size)
{
    char url[128], *bytes = calloc(1, size);
    nng_stream *s;
    nng_aio *aio;

    url_of(url, sizeof(url), where, tcp);
    check(bytes != NULL && nng_aio_alloc(&aio, NULL, NULL) == 0, "memory");
    s = connected(server, url, aio);
    for (long i = -warm_up(n); i < n; i++) {
        if (i == 0)
            begin_ns = now_ns();
        pass(s, aio, bytes, size, !server);
        pass(s, aio, bytes, size, server);
    }
    end_ns = now_ns();
}

static void request_trips(bool server, const char *where, bool tcp, long n, size_t size)
{
    char url[128];
    nng_socket s;
    nng_msg *m;

    url_of(url, sizeof(url), where, tcp);
    check((server ? nng_rep0_open(&s) : nng_req0_open(&s)) == 0, "a socket");
    nng_socket_set_size(s, NNG_OPT_RECVMAXSZ, 0);
    if (server) {
        check(nng_listen(s, url, NULL, 0) == 0, "listening");
        say_ready();
        while (nng_recvmsg(s, &m, 0) == 0 && nng_sendmsg(s, m, 0) == 0)
            ;
        return;
    }
    await_ready();
    check(nng_dial(s, url, NULL, 0) == 0 && nng_msg_alloc(&m, size) == 0, "dialling");
    for (long i = -warm_up(n); i < n; i++) {
        if (i == 0)
            begin_ns = now_ns();
        check(nng_sendmsg(s, m, 0) == 0 && nng_recvmsg(s, &m, 0) == 0, "a request");
    }
    end_ns = now_ns();
}

/* free_port is one that nobody has just now. */
static int free_port(void)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(in);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    check(fd >= 0 && bind(fd, (struct sockaddr *)&in, len) == 0 &&
              getsockname(fd, (struct sockaddr *)&in, &len) == 0,
          "a port");
    close(fd);
    return ntohs(in.sin_port);
}

/* ---- the rows -------------------------------------------------------------------------------- */

static void run(const char *side, const char *row, trips_fn *trips, long n, size_t size, bool tcp)
{
    char where[64];
    pid_t pid;

    if (tcp)
        snprintf(where, sizeof(where), "%d", free_port());
    else
        snprintf(where, sizeof(where), "/tmp/greenroom-bench-link-%ld", (long)getpid());
    check(pipe(ready) == 0, "a pipe");
    pid = fork();
    if (pid == 0) {
        trips(true, where, tcp, n, size);
        _exit(0);
    }
    close(ready[1]); /* so that its end is seen, too */
    trips(false, where, tcp, n, size);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    if (!tcp)
        unlink(where);
    for (int workers = 1; workers <= 2;
         workers++) /* it has none, so this is for either number of ours */
        printf(
            "{\"side\":\"%s\",\"bench\":\"%s\",\"workers\":%d,\"n\":%ld,\"value\":%.1f,\"unit\":\"ns/op\"}\n",
            side, row, workers, n, (end_ns - begin_ns) / (double)n);
    fflush(stdout);
    _exit(0); /* nng's own end can take its time */
}

int main(int argc, char **argv)
{
    const char *side = argc > 2 ? argv[1] : "", *row = argc > 2 ? argv[2] : "";
    size_t length = strlen(row);
    bool raw = strcmp(side, "raw") == 0, tcp = length > 4 && strcmp(row + length - 4, "_tcp") == 0;
    long n = argc > 3 ? strtol(argv[3], NULL, 10) : 0;

    if ((raw || strcmp(side, "nng") == 0) && strncmp(row, "remote_1mib_", 12) == 0)
        run(side, row, raw ? raw_trips : request_trips, n > 0 ? n : 500, LARGE, tcp);
    if ((raw || strcmp(side, "nng") == 0) &&
        (strcmp(row, "remote_ainvoke_ipc") == 0 || strcmp(row, "remote_ainvoke_tcp") == 0))
        run(side, row, raw ? raw_trips : stream_trips, n > 0 ? n : 5000, SMALL, tcp);
    fprintf(stderr, "link: nng or raw, and a row\n");
    return 2;
}
