/* SPDX-License-Identifier: Apache-2.0 */
/* raw_node.h - a node that a test plays over a raw socket. */
#ifndef GR_TESTS_SUPPORT_RAW_NODE_H
#define GR_TESTS_SUPPORT_RAW_NODE_H

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <greenroom/codec.h>

#include "runtime/net/node.h"
#include "tests/support/greeting.h"
#include "tests/support/peer.h"
#include "tests/support/test.h"

/* A connection that the test has one end of, and where it is dialled if it is. */
struct raw {
    char url[128];
    int door, fd; /* fd: the connection; -1: none yet */
    struct gri_frame heard;
    uint8_t body[65536]; /* of what was heard */
};

static inline struct sockaddr_un raw_address(const char *url)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };

    memcpy(a.sun_path, url + 6, strlen(url + 6) + 1); /* a short one: see test_peer_url */
    return a;
}

static inline void open_raw(struct raw *r)
{
    struct sockaddr_un a;

    test_peer_url(r->url, "ipc");
    a = raw_address(r->url);
    r->door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    r->fd = -1;
    unlink(a.sun_path); /* of a process that had this one's number, and failed */
    cr_assert_eq(bind(r->door, (struct sockaddr *)&a, sizeof(a)), 0);
    cr_assert_eq(listen(r->door, 4), 0);
}

static inline void close_raw(struct raw *r)
{
    close(r->fd);
    close(r->door);
    unlink(r->url + 6);
}

/* hear reads frames up to the first of a type, which is in r->heard. */
static inline void hear(struct raw *r, enum gri_frame_type type)
{
    uint8_t head[GRI_FRAME_HEAD];
    gr_value *err = NULL;

    do {
        size_t size;

        cr_assert_eq(recv(r->fd, head, sizeof(head), MSG_WAITALL), sizeof(head),
                     "no frame of type %d", type);
        size = (size_t)head[2] << 8 | head[3];
        cr_assert(head[0] == 0 && head[1] == 0 && size <= sizeof(r->body));
        cr_assert_eq(recv(r->fd, r->body, size, MSG_WAITALL), size);
        cr_assert_eq(gri_frame_parse(r->body, size, &r->heard, &err), GR_OK, "%s",
                     gr_error_text(err));
    } while (r->heard.type != type);
}

/* heard_value is that of the last frame. */
static inline gr_value *heard_value(const struct raw *r)
{
    return gr_msgpack_decode(r->heard.value, r->heard.value_size, NULL);
}

/* say sends frames; the other side may have closed by then. */
static inline void say(struct raw *r, struct gri_strbuf *out)
{
    (void)!send(r->fd, out->data, out->len, MSG_NOSIGNAL);
    gri_strbuf_fini(out);
}

/* is_closed reads on until the other side closes. */
static inline bool is_closed(struct raw *r)
{
    struct timeval wait = { .tv_sec = TEST_WAIT_MS / 1000 };
    char buf[4096];
    ssize_t n;

    setsockopt(r->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    while ((n = recv(r->fd, buf, sizeof(buf), 0)) > 0)
        continue;
    return n == 0 || (n < 0 && errno == ECONNRESET);
}

/* be_dialled says hello as a node; returns what who dialled calls the connection. */
static inline uint64_t be_dialled(struct raw *r, uint64_t node, uint64_t incarnation)
{
    struct gri_strbuf out = GRI_STRBUF_INIT;
    struct gri_hello h = test_hello(node, 0);
    uint64_t link;

    r->fd = accept(r->door, NULL, NULL);
    cr_assert_geq(r->fd, 0);
    hear(r, GRI_FRAME_HELLO);
    link = r->heard.hello.link;
    h.incarnation = incarnation;
    h.features = GRI_FEATURE_SHARE;
    cr_assert_eq(gri_frame_hello(&out, &h), GR_OK);
    say(r, &out);
    hear(r, GRI_FRAME_PROOF);
    return link;
}

#endif
