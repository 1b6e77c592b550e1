/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curl_multi.c - what bench/model_streams.c compares a model client with: libcurl's multi interface as
 * its manual recommends for many transfers, socket by socket, on an epoll of its own. It looks at what
 * comes for the ends of events, and no closer.
 *
 * It is part of greenroom_bench and no program of its own, so that both sides read the same server's
 * streams in the same round.
 */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench/streams.h"

#define READY_MAX 64

struct side {
    int epoll_fd;
    CURLM *multi;
    long timeout_ms; /* -1: none */
};

struct stream {
    CURL *easy;
    long events;
    char last; /* the byte before the ones that come */
};

static size_t on_bytes(char *data, size_t size, size_t count, void *arg)
{
    struct stream *s = arg;
    size_t len = size * count;

    for (const char *at = data, *end = data + len; at < end; at++) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (at == NULL)
            break;
        s->events += (at > data ? at[-1] : s->last) == '\n';
    }
    s->last = data[len - 1];
    return len;
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
    (void)multi;
    ((struct side *)arg)->timeout_ms = timeout_ms;
    return 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct side *m = arg;
    struct epoll_event event = { .data.fd = fd };

    (void)easy, (void)socket_arg;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(m->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    event.events = ((what & CURL_POLL_IN) != 0 ? (unsigned)EPOLLIN : 0u) |
                   ((what & CURL_POLL_OUT) != 0 ? (unsigned)EPOLLOUT : 0u);
    if (epoll_ctl(m->epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0)
        epoll_ctl(m->epoll_fd, EPOLL_CTL_ADD, fd, &event);
    return 0;
}

static bool start(struct side *m, struct stream *s, const char *url, const char *body,
                  struct curl_slist *headers)
{
    s->easy = curl_easy_init();
    if (s->easy == NULL)
        return false;
    curl_easy_setopt(s->easy, CURLOPT_URL, url);
    curl_easy_setopt(s->easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(s->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(s->easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(s->easy, CURLOPT_WRITEDATA, s);
    return curl_multi_add_handle(m->multi, s->easy) == CURLM_OK;
}

/* drive runs the transfers until all are over; false: one of them failed. */
static bool drive(struct side *m)
{
    struct epoll_event ready[READY_MAX];
    CURLMsg *msg = NULL;
    int running = 1, left = 0;
    bool good = true;

    curl_multi_socket_action(m->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    while (running > 0) {
        int count = epoll_wait(m->epoll_fd, ready, READY_MAX, (int)m->timeout_ms);

        if (count == 0)
            curl_multi_socket_action(m->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        for (int i = 0; i < count; i++)
            curl_multi_socket_action(
                m->multi, ready[i].data.fd,
                (ready[i].events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : CURL_CSELECT_IN, &running);
        while ((msg = curl_multi_info_read(m->multi, &left)) != NULL)
            good &= msg->data.result == CURLE_OK;
    }
    return good;
}

bool bench_curl_streams(const char *url, const char *body, long count, long *ret_events)
{
    struct side m = { .epoll_fd = epoll_create1(EPOLL_CLOEXEC), .multi = curl_multi_init() };
    struct stream *streams = calloc((size_t)count, sizeof(*streams));
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    bool good = true;

    curl_multi_setopt(m.multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(m.multi, CURLMOPT_SOCKETDATA, &m);
    curl_multi_setopt(m.multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(m.multi, CURLMOPT_TIMERDATA, &m);
    for (long i = 0; i < count; i++)
        good &= start(&m, &streams[i], url, body, headers);
    good = good && drive(&m);
    *ret_events = 0;
    for (long i = 0; i < count; i++) {
        *ret_events += streams[i].events;
        curl_multi_remove_handle(m.multi, streams[i].easy);
        curl_easy_cleanup(streams[i].easy);
    }
    curl_multi_cleanup(m.multi);
    curl_slist_free_all(headers);
    free(streams);
    close(m.epoll_fd);
    return good;
}
