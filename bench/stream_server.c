/* SPDX-License-Identifier: Apache-2.0 */
/* stream_server.c - a model server that costs next to nothing: one thread, all of its answers ready. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/streams.h"

#define CLIENTS_MAX 4096
#define READY_MAX 256
#define TICK_NS INT64_C(1000000)

const char bench_chunk[] =
    "{\"id\":\"chatcmpl-BxyzA1b2C3d4E5f6G7h8I9j0\",\"object\":\"chat.completion.chunk\","
    "\"created\":1764480000,\"model\":\"gpt-4o-mini-2024-07-18\",\"service_tier\":\"default\","
    "\"system_fingerprint\":\"fp_560af6e559\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"
    "\" actor\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}";

static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n";
static const char tail[] = "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";

struct client {
    int fd;
    char request[4096];
    size_t request_len, at; /* at: bytes of the piece under way that have left */
    long left;              /* pieces to come: head, chunks, tail; 0: it waits for a request */
    uint64_t due_ns;
};

struct server {
    int epoll_fd, listener, timer;
    long chunks;
    uint64_t every_ns;
    bool tell; /* a byte to standard output for each client that goes amid its stream */
    char chunk[1024];
    size_t chunk_len;
    struct client *clients[CLIENTS_MAX];
    size_t count;
};

/* ---- one client ------------------------------------------------------------------------------- */

static const char *piece(const struct server *s, const struct client *c, size_t *ret_len)
{
    if (c->left == s->chunks + 2) {
        *ret_len = sizeof(head) - 1;
        return head;
    }
    *ret_len = c->left == 1 ? sizeof(tail) - 1 : s->chunk_len;
    return c->left == 1 ? tail : s->chunk;
}

/* send_piece sends what is next; false: the client takes no more for now, or is gone. */
static bool send_piece(const struct server *s, struct client *c)
{
    size_t len = 0;
    const char *data = piece(s, c, &len);
    ssize_t n = send(c->fd, data + c->at, len - c->at, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n < 0)
        return false;
    c->at += (size_t)n;
    if (c->at < len)
        return false;
    c->at = 0;
    c->left--;
    return true;
}

/* A request is complete with the last byte of its body; there is one at a time. */
static bool is_complete(const struct client *c)
{
    const char *end = memmem(c->request, c->request_len, "\r\n\r\n", 4);
    const char *length = end != NULL ? strcasestr(c->request, "\r\ncontent-length:") : NULL;

    return end != NULL &&
           c->request_len >=
               (size_t)(end + 4 - c->request) +
                   (length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0);
}

static void drop(struct server *s, size_t i)
{
    close(s->clients[i]->fd);
    free(s->clients[i]);
    s->clients[i] = s->clients[--s->count];
}

/* hear reads what a client sends; false: it has gone. */
static bool hear(struct server *s, struct client *c)
{
    ssize_t n = recv(c->fd, c->request + c->request_len, sizeof(c->request) - 1 - c->request_len,
                     MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN))
        return false;
    c->request_len += n > 0 ? (size_t)n : 0;
    c->request[c->request_len] = '\0';
    if (c->left == 0 && is_complete(c)) {
        c->request_len = 0;
        c->left = s->chunks + 2;
        c->due_ns = gri_clock_ns();
    }
    return true;
}

/* ---- all of them ------------------------------------------------------------------------------ */

static void welcome(struct server *s)
{
    struct epoll_event event = { .events = EPOLLIN };
    int on = 1, fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
    struct client *c = fd >= 0 && s->count < CLIENTS_MAX ? calloc(1, sizeof(*c)) : NULL;

    if (c == NULL) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    c->fd = fd;
    event.data.ptr = c;
    epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event);
    s->clients[s->count++] = c;
}

/* serve_due gives each stream one piece that is due; true: some took theirs, and more is due. */
static bool serve_due(struct server *s)
{
    uint64_t now_ns = gri_clock_ns();
    bool more = false;

    for (size_t i = 0; i < s->count; i++) {
        struct client *c = s->clients[i];

        if (c->left == 0 || c->due_ns > now_ns || !send_piece(s, c))
            continue;
        if (c->left <= s->chunks) /* the first chunk follows the head at once */
            c->due_ns += s->every_ns;
        more |= c->left > 0 && c->due_ns <= now_ns;
    }
    return more;
}

static void forget(struct server *s, const struct client *c)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->clients[i] == c) {
            drop(s, i);
            return;
        }
}

/* turn looks at the sockets, without waiting while there is something to send. False: our input ended. */
static bool turn(struct server *s, bool busy)
{
    struct epoll_event ready[READY_MAX];
    int count = epoll_wait(s->epoll_fd, ready, READY_MAX, busy ? 0 : -1);
    uint64_t ticks = 0;

    for (int i = 0; i < count; i++) {
        if (ready[i].data.ptr == NULL)
            return false;
        if (ready[i].data.ptr == &s->listener)
            welcome(s);
        else if (ready[i].data.ptr == &s->timer)
            (void)!read(s->timer, &ticks, sizeof(ticks));
        else if (!hear(s, ready[i].data.ptr)) {
            if (s->tell && ((struct client *)ready[i].data.ptr)->left > 0)
                (void)!write(STDOUT_FILENO, "x", 1);
            forget(s, ready[i].data.ptr);
        }
    }
    return true;
}

static bool watch(struct server *s, int fd, void *what)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = what };

    return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* open_all makes the sockets; its port, or 0. */
static int open_all(struct server *s)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct itimerspec tick = { .it_interval.tv_nsec = TICK_NS, .it_value.tv_nsec = TICK_NS };
    socklen_t len = sizeof(at);

    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(s->listener, (struct sockaddr *)&at, len) != 0 || listen(s->listener, 4096) != 0 ||
        getsockname(s->listener, (struct sockaddr *)&at, &len) != 0 ||
        timerfd_settime(s->timer, 0, &tick, NULL) != 0 || !watch(s, s->listener, &s->listener) ||
        !watch(s, s->timer, &s->timer) || !watch(s, STDIN_FILENO, NULL))
        return 0;
    return ntohs(at.sin_port);
}

int bench_serve_streams(const char *what)
{
    static struct server s;
    char *rest = NULL;
    bool busy = false;
    int port = 0;

    s.chunks = strtol(what, &rest, 10);
    s.every_ns = strtoul(rest, &rest, 10) * 1000;
    s.tell = strtol(rest, NULL, 10) != 0;
    s.chunk_len = (size_t)snprintf(s.chunk, sizeof(s.chunk), "%zx\r\ndata: %s\n\n\r\n",
                                   strlen(bench_chunk) + 8, bench_chunk);
    port = open_all(&s);
    if (port == 0)
        return 1;
    printf("%d\n", port);
    fflush(stdout);
    while (turn(&s, busy))
        busy = serve_due(&s);
    return 0;
}
