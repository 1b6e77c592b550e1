/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault_server.c - one thread accepts, one for each connection plays scripts. All that is shared is
 * under one lock; `changed` tells of each count. Waits for a client poll its socket, `quit_fd` and
 * perhaps a gate: event descriptors that are written once and never read.
 */
#include "tests/support/fault_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 20000
#define STALL_MS 100
#define REQUEST_MAX ((size_t)4 << 20)

struct script {
    char *path;                     /* owned */
    const struct fault_step *steps; /* borrowed, or &own */
    size_t count;
    struct fault_step own; /* of fault_server_reply; its data is owned */
    bool used;
    struct script *next;
};

struct conn {
    struct fault_server *server;
    int fd;
    pthread_t thread;
    char *in; /* owned: what was read and not used yet */
    size_t in_len, in_cap;
    struct conn *next;
};

struct fault_server {
    int listen_fd, quit_fd, gates[FAULT_GATES];
    char url[64];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock: */
    size_t counts[FAULT_COUNTS];
    struct script *scripts;
    struct conn *conns;
    char **requests;
    size_t request_count, request_cap;
};

static void need(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "fault_server: %s: %s\n", what, strerror(errno));
    abort();
}

static void *grow(void *p, size_t size)
{
    p = realloc(p, size);
    need(p != NULL, "realloc");
    return p;
}

static char *copy(const char *text, size_t len)
{
    char *s = grow(NULL, len + 1);

    memcpy(s, text, len);
    s[len] = '\0';
    return s;
}

static void ring(int fd)
{
    uint64_t one = 1;

    need(write(fd, &one, sizeof(one)) == (ssize_t)sizeof(one), "write");
}

static void count(struct fault_server *s, enum fault_count what, size_t more)
{
    pthread_mutex_lock(&s->lock);
    s->counts[what] += more;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

/* ---- playing -------------------------------------------------------------------------------- */

enum outcome { GO_ON, CLIENT_LEFT, QUIT, OVER };

/* await waits for `events` at the client, for extra_fd (-1: none), for the client
 * to go or for the end. */
static enum outcome await(struct conn *c, short events, int extra_fd, int timeout_ms,
                          bool *ret_stalled)
{
    struct pollfd fds[3] = {
        { .fd = c->fd, .events = (short)(events | POLLRDHUP) },
        { .fd = c->server->quit_fd, .events = POLLIN },
        { .fd = extra_fd, .events = POLLIN },
    };
    int n = 0;

    do
        n = poll(fds, 3, timeout_ms);
    while (n < 0 && errno == EINTR);
    need(n >= 0, "poll");
    *ret_stalled = n == 0;
    if (fds[1].revents != 0)
        return QUIT;
    if ((fds[0].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0)
        return CLIENT_LEFT;
    return GO_ON;
}

static enum outcome send_all(struct conn *c, const char *data, size_t len)
{
    enum outcome outcome = GO_ON;
    bool stalled = false;

    while (len > 0 && outcome == GO_ON) {
        ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n >= 0) {
            data += n;
            len -= (size_t)n;
            count(c->server, FAULT_SENT, (size_t)n);
        } else if (errno == EAGAIN) {
            outcome = await(c, POLLOUT, -1, STALL_MS, &stalled);
            if (stalled)
                count(c->server, FAULT_STALLED, 1);
        } else if (errno != EINTR) {
            return CLIENT_LEFT;
        }
    }
    return outcome;
}

static enum outcome drip(struct conn *c, const char *data, size_t len)
{
    enum outcome outcome = GO_ON;

    for (size_t i = 0; i < len && outcome == GO_ON; i++) {
        outcome = send_all(c, data + i, 1);
        sched_yield(); /* gives the client a chance to read it alone; nothing depends on that */
    }
    return outcome;
}

static enum outcome send_chunk(struct conn *c, const char *data, size_t len)
{
    char *text = grow(NULL, len + 32);
    int head = snprintf(text, 32, "%zx\r\n", len);
    enum outcome outcome = GO_ON;

    memcpy(text + head, data, len);
    memcpy(text + head + len, "\r\n", 2);
    outcome = send_all(c, text, (size_t)head + len + 2);
    free(text);
    return outcome;
}

static enum outcome end_with_reset(struct conn *c)
{
    struct linger hard = { .l_onoff = 1, .l_linger = 0 };

    need(setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)) == 0, "SO_LINGER");
    return OVER;
}

static enum outcome play_step(struct conn *c, const struct fault_step *step)
{
    size_t len = step->len != 0 ? step->len : strlen(step->data);
    enum outcome outcome = GO_ON;
    bool stalled = false;

    switch (step->op) {
    case FAULT_OP_SEND: return send_all(c, step->data, len);
    case FAULT_OP_DRIP: return drip(c, step->data, len);
    case FAULT_OP_CHUNK: return send_chunk(c, step->data, len);
    case FAULT_OP_FLOOD:
        for (size_t i = 0; i < step->number && outcome == GO_ON; i++)
            outcome = send_all(c, step->data, len);
        return outcome;
    case FAULT_OP_GATE: return await(c, 0, c->server->gates[step->number], -1, &stalled);
    case FAULT_OP_HANG: return await(c, 0, -1, -1, &stalled);
    case FAULT_OP_RST: return end_with_reset(c);
    case FAULT_OP_END: break;
    }
    return OVER;
}

static enum outcome play(struct conn *c, const struct script *script)
{
    static const struct fault_step lost =
        FAULT_TEXT("HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nno script");
    enum outcome outcome = GO_ON;

    if (script == NULL)
        return play_step(c, &lost);
    for (size_t i = 0; i < script->count && outcome == GO_ON; i++)
        outcome = play_step(c, &script->steps[i]);
    return outcome;
}

/* ---- requests ------------------------------------------------------------------------------- */

static bool is_tls(const struct conn *c)
{
    return c->in_len > 0 && c->in[0] == 0x16;
}

/* request_len returns the length of the whole request at c->in, 0 while it isn't all there. */
static size_t request_len(struct conn *c)
{
    const char *head_end = c->in_len > 0 ? strstr(c->in, "\r\n\r\n") : NULL;
    const char *field = head_end != NULL ? strcasestr(c->in, "\r\nContent-Length:") : NULL;
    size_t len = 0;

    if (is_tls(c))
        return c->in_len;
    if (head_end == NULL)
        return 0;
    len = (size_t)(head_end - c->in) + 4;
    if (field != NULL && field < head_end)
        len += strtoul(field + 17, NULL, 10);
    return len <= c->in_len ? len : 0;
}

/* read_request returns the next request's length, 0 when the client goes or the server stops. */
static size_t read_request(struct conn *c)
{
    size_t len = 0;

    while ((len = request_len(c)) == 0) {
        struct pollfd fds[2] = { { .fd = c->fd, .events = POLLIN },
                                 { .fd = c->server->quit_fd, .events = POLLIN } };
        ssize_t n = 0;

        if (c->in_len + 4097 > c->in_cap) {
            need(c->in_cap < REQUEST_MAX, "too large a request");
            c->in_cap = c->in_cap * 2 + 8192;
            c->in = grow(c->in, c->in_cap);
        }
        if (poll(fds, 2, -1) < 0 || fds[1].revents != 0)
            return 0;
        n = recv(c->fd, c->in + c->in_len, 4096, 0);
        if (n <= 0)
            return 0;
        c->in_len += (size_t)n;
        c->in[c->in_len] = '\0';
    }
    return len;
}

/* choose finds the script for the request at c->in: the first unused of its path, else the last. */
static struct script *choose_locked(struct fault_server *s, const char *path)
{
    struct script *last = NULL;

    for (struct script *k = s->scripts; k != NULL; k = k->next) {
        if (strcmp(k->path, path) != 0)
            continue;
        last = k;
        if (!k->used)
            break;
    }
    if (last != NULL)
        last->used = true;
    return last;
}

static struct script *take_request(struct conn *c, size_t len)
{
    struct fault_server *s = c->server;
    const char *start = strchr(c->in, ' ');
    char *path = is_tls(c)       ? copy("tls", 3)
                 : start != NULL ? copy(start + 1, strcspn(start + 1, " ?\r"))
                                 : copy("", 0);
    struct script *script = NULL;

    pthread_mutex_lock(&s->lock);
    script = choose_locked(s, path);
    if (script == NULL)
        script = choose_locked(s, "*");
    if (s->request_count == s->request_cap) {
        s->request_cap = s->request_cap * 2 + 64;
        s->requests = grow(s->requests, s->request_cap * sizeof(char *));
    }
    s->requests[s->request_count++] = copy(c->in, len);
    s->counts[FAULT_REQUESTS]++;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    free(path);
    memmove(c->in, c->in + len, c->in_len - len + 1);
    c->in_len -= len;
    return script;
}

static void *serve(void *arg)
{
    struct conn *c = arg;
    enum outcome outcome = GO_ON;
    size_t len = 0;

    while (outcome == GO_ON && (len = read_request(c)) > 0)
        outcome = play(c, take_request(c, len));
    close(c->fd);
    pthread_mutex_lock(&c->server->lock);
    c->server->counts[FAULT_OPEN]--;
    c->server->counts[FAULT_DROPPED] += outcome == CLIENT_LEFT;
    pthread_cond_broadcast(&c->server->changed);
    pthread_mutex_unlock(&c->server->lock);
    return NULL;
}

/* ---- the server ----------------------------------------------------------------------------- */

static void welcome(struct fault_server *s, int fd)
{
    struct conn *c = grow(NULL, sizeof(*c));
    int one = 1, buffer = 16 * 1024;

    need(fd >= 0, "accept");
    need(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0, "TCP_NODELAY");
    need(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)) == 0, "SO_SNDBUF");
    *c = (struct conn){ .server = s, .fd = fd };
    pthread_mutex_lock(&s->lock);
    c->next = s->conns;
    s->conns = c;
    s->counts[FAULT_ACCEPTED]++;
    s->counts[FAULT_OPEN]++;
    need(pthread_create(&c->thread, NULL, serve, c) == 0, "pthread_create");
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void *accept_all(void *arg)
{
    struct fault_server *s = arg;
    struct pollfd fds[2] = { { .fd = s->listen_fd, .events = POLLIN },
                             { .fd = s->quit_fd, .events = POLLIN } };

    while (poll(fds, 2, -1) >= 0 && fds[1].revents == 0)
        welcome(s, accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC));
    return NULL;
}

struct fault_server *fault_server_start(void)
{
    struct fault_server *s = grow(NULL, sizeof(*s));
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t addr_len = sizeof(addr);

    memset(s, 0, sizeof(*s));
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->quit_fd = eventfd(0, EFD_CLOEXEC);
    need(s->quit_fd >= 0, "eventfd");
    for (size_t i = 0; i < FAULT_GATES; i++) {
        s->gates[i] = eventfd(0, EFD_CLOEXEC);
        need(s->gates[i] >= 0, "eventfd");
    }
    s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(s->listen_fd >= 0, "socket");
    need(bind(s->listen_fd, (struct sockaddr *)&addr, sizeof(addr)) == 0, "bind");
    need(listen(s->listen_fd, 1024) == 0, "listen");
    need(getsockname(s->listen_fd, (struct sockaddr *)&addr, &addr_len) == 0, "getsockname");
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d", ntohs(addr.sin_port));
    need(pthread_create(&s->thread, NULL, accept_all, s) == 0, "pthread_create");
    return s;
}

static void free_scripts(struct script *k)
{
    while (k != NULL) {
        struct script *next = k->next;

        free((void *)(uintptr_t)k->own.data);
        free(k->path);
        free(k);
        k = next;
    }
}

void fault_server_stop(struct fault_server *s)
{
    if (s == NULL)
        return;
    ring(s->quit_fd);
    pthread_join(s->thread, NULL);
    while (s->conns != NULL) { /* nobody else adds any more */
        struct conn *c = s->conns;

        s->conns = c->next;
        pthread_join(c->thread, NULL);
        free(c->in);
        free(c);
    }
    close(s->listen_fd);
    close(s->quit_fd);
    for (size_t i = 0; i < FAULT_GATES; i++)
        close(s->gates[i]);
    free_scripts(s->scripts);
    for (size_t i = 0; i < s->request_count; i++)
        free(s->requests[i]);
    free(s->requests);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

const char *fault_server_url(const struct fault_server *s)
{
    return s->url;
}

static struct script *add_script(struct fault_server *s, const char *path, struct fault_step own,
                                 const struct fault_step *steps, size_t steps_count)
{
    struct script *k = grow(NULL, sizeof(*k)), **end = NULL;

    *k = (struct script){
        .path = copy(path, strlen(path)), .steps = steps, .count = steps_count, .own = own
    };
    if (steps == NULL)
        k->steps = &k->own;
    pthread_mutex_lock(&s->lock);
    for (end = &s->scripts; *end != NULL; end = &(*end)->next)
        ;
    *end = k;
    pthread_mutex_unlock(&s->lock);
    return k;
}

void fault_server_script(struct fault_server *s, const char *path, const struct fault_step *steps,
                         size_t steps_count)
{
    add_script(s, path, (struct fault_step){ .data = NULL }, steps, steps_count);
}

void fault_server_reply(struct fault_server *s, const char *path, int status, const char *headers,
                        const char *body)
{
    size_t size = strlen(headers) + strlen(body) + 128;
    char *text = grow(NULL, size);

    snprintf(text, size, "HTTP/1.1 %d Said\r\nContent-Length: %zu\r\n%s\r\n%s", status,
             strlen(body), headers, body);
    add_script(s, path, (struct fault_step)FAULT_TEXT(text), NULL, 1);
}

void fault_server_open(struct fault_server *s, size_t gate)
{
    need(gate < FAULT_GATES, "no such gate");
    ring(s->gates[gate]);
}

size_t fault_server_count(struct fault_server *s, enum fault_count what)
{
    size_t n = 0;

    pthread_mutex_lock(&s->lock);
    n = s->counts[what];
    pthread_mutex_unlock(&s->lock);
    return n;
}

static bool wait_between(struct fault_server *s, enum fault_count what, size_t least, size_t most)
{
    struct timespec until;
    bool reached = false;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_MS / 1000;
    pthread_mutex_lock(&s->lock);
    while (!(reached = s->counts[what] >= least && s->counts[what] <= most) && rc == 0)
        rc = pthread_cond_timedwait(&s->changed, &s->lock, &until);
    pthread_mutex_unlock(&s->lock);
    return reached;
}

bool fault_server_wait(struct fault_server *s, enum fault_count what, size_t at_least)
{
    return wait_between(s, what, at_least, SIZE_MAX);
}

bool fault_server_wait_open(struct fault_server *s, size_t open_count)
{
    return wait_between(s, FAULT_OPEN, open_count, open_count);
}

char *fault_server_request(struct fault_server *s, size_t index)
{
    char *text = NULL;

    pthread_mutex_lock(&s->lock);
    if (index < s->request_count)
        text = copy(s->requests[index], strlen(s->requests[index]));
    pthread_mutex_unlock(&s->lock);
    return text;
}
