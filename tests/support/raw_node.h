/* SPDX-License-Identifier: Apache-2.0 */
/* raw_node.h - a node that a test plays over a raw socket, for one that dials it. */
#ifndef GR_TESTS_SUPPORT_RAW_NODE_H
#define GR_TESTS_SUPPORT_RAW_NODE_H

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/net/node.h"
#include "tests/support/greeting.h"
#include "tests/support/peer.h"
#include "tests/support/test.h"

/* Where the test itself is dialled. */
struct raw {
    char url[128];
    int door, fd; /* fd: the connection; -1: none yet */
    struct gri_frame heard;
};

static inline void open_raw(struct raw *r)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };

    test_peer_url(r->url, "ipc");
    memcpy(a.sun_path, r->url + 6, strlen(r->url + 6) + 1);
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
    static uint8_t body[GRI_FRAME_HELLO_MAX];
    gr_value *err = NULL;

    do {
        size_t size;

        cr_assert_eq(recv(r->fd, head, sizeof(head), MSG_WAITALL), sizeof(head));
        size = (size_t)head[2] << 8 | head[3];
        cr_assert(head[0] == 0 && head[1] == 0 && size <= sizeof(body));
        cr_assert_eq(recv(r->fd, body, size, MSG_WAITALL), size);
        cr_assert_eq(gri_frame_parse(body, size, &r->heard, &err), GR_OK, "%s", gr_error_text(err));
    } while (r->heard.type != type);
}

static inline void say(struct raw *r, struct gri_strbuf *out)
{
    cr_assert_eq(send(r->fd, out->data, out->len, MSG_NOSIGNAL), out->len);
    gri_strbuf_fini(out);
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
