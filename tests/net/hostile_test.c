/* SPDX-License-Identifier: Apache-2.0 */
/* hostile_test.c - peers that send what they must not, over a raw socket. */
#include "tests/support/test.h"

#include <poll.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/net/frame.h"
#include "tests/support/peer.h"

struct server {
    gr_runtime *rt, *friend_rt;
    gr_ref friend_far; /* another peer, which must not notice anything */
    char url[128];
};

static struct server open_server(void)
{
    struct server s;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &s.rt), GR_OK);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &s.friend_rt), GR_OK);
    test_peer_url(s.url, "ipc");
    test_peer_publish(s.rt);
    cr_assert_eq(gr_serve(s.rt, s.url, NULL), GR_OK);
    s.friend_far = gr_remote(gr_root(s.friend_rt), s.url, "all");
    return s;
}

static void close_server(struct server *s)
{
    gr_runtime_free(s->friend_rt);
    gr_runtime_free(s->rt);
}

static int connect_raw(const char *url)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(a.sun_path, url + 6, strlen(url + 6) + 1); /* a short one: see test_peer_url */
    cr_assert_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

static void put(int fd, const void *data, size_t size)
{
    size_t at = 0;

    while (at < size) {
        ssize_t n = send(fd, (const char *)data + at, size - at, MSG_NOSIGNAL);

        if (n <= 0)
            return; /* the server has had enough */
        at += (size_t)n;
    }
}

/* is_closed reads until the server closes; false when it doesn't within 20 s. */
static bool is_closed(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char buf[4096];

    while (poll(&p, 1, TEST_WAIT_MS) == 1)
        if (recv(fd, buf, sizeof(buf), 0) <= 0)
            return true;
    return false;
}

static void put_hello_of(int fd, uint32_t version, uint64_t target, uint64_t attempt)
{
    struct gri_strbuf out = GRI_STRBUF_INIT;
    struct gri_hello h = { version, version, 1, 2, GRI_FRAME_MAX, 65536, target, attempt };

    cr_assert_eq(gri_frame_hello(&out, &h), GR_OK);
    put(fd, out.data, out.len);
    gri_strbuf_fini(&out);
}

static void put_hello(int fd, uint32_t version)
{
    put_hello_of(fd, version, 0, 0);
}

static void expect_friend_well(struct server *s)
{
    gr_value *err = NULL, *v = gr_invoke(s->friend_rt, s->friend_far, gr_int(8), NULL, &err);

    cr_assert_eq(gr_as_int(v, 0), 8, "%s", gr_error_text(err));
    gr_value_unref(v);
}

/* refused: after the hello, if any, these bytes cost the sender its link, and nobody else. */
static void refused(bool hello, const void *bytes, size_t size)
{
    struct server s = open_server();
    gr_future *f;
    gr_value *v;
    int fd;

    expect_friend_well(&s);
    f = gr_acall(s.friend_rt, s.friend_far, "hold", gr_int(9), NULL);
    fd = connect_raw(s.url);
    if (hello)
        put_hello(fd, GRI_WIRE_VERSION);
    put(fd, bytes, size);
    cr_assert(is_closed(fd));
    close(fd);
    expect_friend_well(&s);
    cr_assert(test_peer_reaches(s.friend_rt, s.friend_far, "held", 1));
    gr_value_unref(gr_do(s.friend_rt, s.friend_far, "let_go", gr_nil(), NULL, NULL));
    v = gr_take(f, NULL);
    cr_assert_eq(gr_as_int(v, 0), 9);
    gr_value_unref(v);
    close_server(&s);
}

#define REFUSED(hello, bytes) refused(hello, bytes, sizeof(bytes) - 1)

Test(hostile, garbage_for_a_hello)
{
    REFUSED(false, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
}

Test(hostile, a_hello_that_is_too_long)
{
    REFUSED(false, "\x00\x00\x10\x01 and so on");
}

Test(hostile, a_frame_of_no_bytes)
{
    REFUSED(true, "\x00\x00\x00\x00");
}

Test(hostile, a_frame_longer_than_the_limit)
{
    REFUSED(true, "\x01\x00\x00\x01xxxx");
}

Test(hostile, a_call_before_the_hello)
{
    REFUSED(false, "\x00\x00\x00\x04\x93\x05\x01\x01");
}

Test(hostile, a_second_hello)
{
    REFUSED(true, "\x00\x00\x00\x14\x98\x01\xa9greenroom\x01\x01\x01\x01\xcd\x10\x00\x01");
}

Test(hostile, an_unknown_type)
{
    REFUSED(true, "\x00\x00\x00\x04\x93\x20\x01\x01");
}

Test(hostile, a_frame_that_ends_in_a_field)
{
    REFUSED(true, "\x00\x00\x00\x04\x93\x05\x01\xcd");
}

Test(hostile, an_array_of_four_billion)
{
    REFUSED(true, "\x00\x00\x00\x08\x93\x03\x01\xdd\xff\xff\xff\xff");
}

Test(hostile, a_call_with_an_id_of_ours)
{
    /* who dials numbers odd; 2 is for the server to give */
    REFUSED(true, "\x00\x00\x00\x14\x9a\x02\x02\x00\xa3"
                  "all\xa6"
                  "invoke\x00\x00\x00\xc0\xc0");
}

Test(hostile, arguments_that_are_no_value)
{
    REFUSED(true, "\x00\x00\x00\x17\x9a\x02\x03\x00\xa3"
                  "all\xa6"
                  "invoke\x00\x00\x00"
                  "\x81\x01\xc0\xc0\x00");
}

Test(hostile, deep_arguments)
{
    char frame[4 + 17 + 200 + 2];
    struct server s = open_server();
    int fd = connect_raw(s.url);

    memcpy(frame,
           "\x00\x00\x00\xdb\x9a\x02\x03\x00\xa3"
           "all\xa6"
           "invoke\x00\x00\x00",
           21 + 1);
    memset(frame + 22, 0x91, 199);
    memcpy(frame + 221, "\xc0\xc0", 2);
    put_hello(fd, GRI_WIRE_VERSION);
    put(fd, frame, sizeof(frame));
    expect_friend_well(&s); /* refused or cut off: it is the server that must live */
    close(fd);
    close_server(&s);
}

Test(hostile, an_optional_frame_of_a_later_version_is_ignored)
{
    static const char later[] = "\x00\x00\x00\x04\x92\xcc\x90\x01";
    static const char ping[] = "\x00\x00\x00\x05\x94\x0d\x07\x01\xc0"; /* and a field too many */
    struct server s = open_server();
    int fd = connect_raw(s.url);
    char buf[256];
    size_t got = 0;

    put_hello(fd, GRI_WIRE_VERSION);
    put(fd, later, sizeof(later) - 1);
    put(fd, ping, sizeof(ping) - 1);
    for (;;) { /* the server's hello, then the answer to the ping */
        ssize_t n = recv(fd, buf + got, sizeof(buf) - got, 0);

        cr_assert_gt(n, 0);
        got += (size_t)n;
        if (got >= 8 && memcmp(buf + got - 8, "\x00\x00\x00\x04\x93\x0d\x07\x00", 8) == 0)
            break;
    }
    close(fd);
    close_server(&s);
}

Test(hostile, another_version_is_refused)
{
    struct server s = open_server();
    int fd = connect_raw(s.url);

    put_hello(fd, GRI_WIRE_VERSION + 1);
    cr_assert(is_closed(fd));
    close(fd);
    expect_friend_well(&s);
    close_server(&s);
}

Test(hostile, a_silent_peer_is_cut_off)
{
    struct server s = open_server();
    int fd = connect_raw(s.url);

    put(fd, "\x00\x00", 2);
    cr_assert(is_closed(fd));
    close(fd);
    expect_friend_well(&s);
    close_server(&s);
}

/* A server of another version, for our own dialling. */
Test(hostile, a_server_of_another_version_is_a_protocol_error)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    gr_runtime *rt = NULL;
    gr_value *err = NULL;
    gr_future *f;
    char url[128];
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

    test_peer_url(url, "ipc");
    memcpy(a.sun_path, url + 6, strlen(url + 6) + 1); /* a short one: see test_peer_url */
    cr_assert_eq(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
    cr_assert_eq(listen(listener, 1), 0);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
    f = gr_ainvoke(rt, gr_remote(gr_root(rt), url, "all"), gr_nil(), NULL);
    fd = accept(listener, NULL, NULL);
    put_hello(fd, 7);
    cr_assert_null(gr_take(f, &err));
    cr_assert_eq(gr_error_code(err), GR_EPROTO, "%s", gr_error_text(err));
    cr_assert_not_null(strstr(gr_error_text(err), "versions 7 to 7"));
    gr_value_unref(err);
    close(fd);
    close(listener);
    unlink(url + 6);
    gr_runtime_free(rt);
}

/* answers_ping reads until the answer to a ping has come; false when the link ends before. */
static bool answers_ping(int fd)
{
    static const char ping[] = "\0\0\0\4\x93\x0d\x01\x01", pong[] = "\0\0\0\4\x93\x0d\x01";
    char buf[4096];
    size_t len = 0;
    ssize_t n;

    put(fd, ping, sizeof(ping) - 1);
    while (len < sizeof(buf) && (n = recv(fd, buf + len, sizeof(buf) - len, 0)) > 0) {
        len += (size_t)n;
        if (memmem(buf, len, pong, sizeof(pong)) != NULL) /* with its last byte, which is 0 */
            return true;
    }
    return false;
}

Test(hostile, a_later_link_takes_the_place_of_an_earlier_one)
{
    struct server s = open_server();
    int first = connect_raw(s.url), second = connect_raw(s.url), other = connect_raw(s.url);
    int late = connect_raw(s.url);

    put_hello_of(first, GRI_WIRE_VERSION, 5, 1);
    cr_assert(answers_ping(first));
    put_hello_of(other, GRI_WIRE_VERSION, 6, 1);
    cr_assert(answers_ping(other));
    put_hello_of(second, GRI_WIRE_VERSION, 5, 3);
    cr_assert(answers_ping(second));
    cr_assert(is_closed(first));
    put_hello_of(late, GRI_WIRE_VERSION, 5, 2);
    cr_assert(is_closed(late));
    cr_assert(answers_ping(second));
    cr_assert(answers_ping(other));
    close(first);
    close(second);
    close(other);
    close(late);
    expect_friend_well(&s);
    close_server(&s);
}
