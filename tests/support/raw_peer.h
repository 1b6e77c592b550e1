/* SPDX-License-Identifier: Apache-2.0 */
/*
 * raw_peer.h - a node that is no more than a socket: it dials, greets, and calls, as docs/wire.md has it. So a test can
 * be thousands of them. All return false when the other side has closed, or takes longer than a test waits.
 */
#ifndef GR_TESTS_SUPPORT_RAW_PEER_H
#define GR_TESTS_SUPPORT_RAW_PEER_H

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/greeting.h"

#define RAW_WAIT_MS 60000

/* raw_connect returns a socket connected to ipc:///path or tcp://127.0.0.1:port; -1: nobody is there. */
static inline int raw_connect(const char *url)
{
    bool ipc = strncmp(url, "ipc://", 6) == 0;
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(ipc ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

    if (fd < 0)
        return -1;
    if (ipc) {
        snprintf(un.sun_path, sizeof(un.sun_path), "%s", url + 6);
        rc = connect(fd, (struct sockaddr *)&un, sizeof(un));
    } else {
        in.sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1));
        rc = connect(fd, (struct sockaddr *)&in, sizeof(in));
    }
    if (rc == 0)
        return fd;
    close(fd);
    return -1;
}

static inline bool raw_send(int fd, struct gri_strbuf *out)
{
    size_t at = 0;

    while (at < out->len) {
        ssize_t n = send(fd, out->data + at, out->len - at, MSG_NOSIGNAL);

        if (n <= 0)
            break;
        at += (size_t)n;
    }
    gri_strbuf_clear(out);
    return at > 0;
}

static inline bool raw_read(int fd, void *to, size_t size)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    size_t at = 0;

    while (at < size) {
        ssize_t n = poll(&p, 1, RAW_WAIT_MS) == 1 ? recv(fd, (char *)to + at, size - at, 0) : 0;

        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

/* raw_until reads frames until one of a type has come; what it holds of values is gone. */
static inline bool raw_until(int fd, enum gri_frame_type type, struct gri_frame *f)
{
    uint8_t head[GRI_FRAME_HEAD];
    static _Thread_local char body[GRI_WHOLE_MAX];

    do {
        size_t size = 0;

        if (!raw_read(fd, head, sizeof(head)))
            return false;
        for (unsigned i = 0; i < sizeof(head); i++)
            size = size << 8 | head[i];
        if (size > sizeof(body) || !raw_read(fd, body, size) ||
            gri_frame_parse(body, size, f, NULL) != GR_OK)
            return false;
        f->value = f->config = NULL;
    } while (f->type != type);
    return true;
}

/* raw_greet says and hears all that comes before calls, as the node of that number, which must be greater than
 * the other side's; name may be NULL. */
static inline bool raw_greet(int fd, uint64_t node, uint64_t features, const char *name)
{
    struct gri_hello h = test_hello(node, node | UINT64_C(1) << 32);
    struct gri_strbuf out = GRI_STRBUF_INIT;
    struct gri_frame f;
    bool well;

    h.features = features;
    if (name != NULL)
        snprintf(h.name, sizeof(h.name), "%s", name);
    well = test_greeting(&out, &h, 1) == GR_OK && raw_send(fd, &out) &&
           raw_until(fd, GRI_FRAME_PROOF, &f);
    gri_strbuf_fini(&out);
    return well;
}

/* raw_ping asks, and waits for the answer: all that was sent before has been looked at then. */
static inline bool raw_ping(int fd)
{
    struct gri_strbuf out = GRI_STRBUF_INIT;
    struct gri_frame f;
    bool well = gri_frame_number(&out, GRI_FRAME_PING, 1, GRI_PING_ASK) == GR_OK &&
                raw_send(fd, &out) && raw_until(fd, GRI_FRAME_PING, &f);

    gri_strbuf_fini(&out);
    return well;
}

/* raw_call calls invoke of what is published as name, and waits for a reply that is no error. */
static inline bool raw_call(int fd, const char *name, const gr_value *args)
{
    struct gri_strbuf out = GRI_STRBUF_INIT;
    struct gri_frame f = { .id = 1 };
    bool well;

    snprintf(f.name, sizeof(f.name), "%s", name);
    snprintf(f.verb, sizeof(f.verb), "invoke");
    well = gri_frame_invoke(&out, &f, args, NULL) == GR_OK && raw_send(fd, &out) &&
           raw_until(fd, GRI_FRAME_REPLY, &f);
    gri_strbuf_fini(&out);
    return well;
}

#endif
