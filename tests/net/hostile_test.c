/* SPDX-License-Identifier: Apache-2.0 */
/* hostile_test.c - peers that send what they must not, over a raw socket. */
#include "tests/support/test.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "runtime/net/frame.h"
#include "runtime/net/node.h"
#include "runtime/net/proof.h"
#include "tests/support/greeting.h"
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
    time_t until = time(NULL) + TEST_WAIT_MS / 1000; /* beats come, as long as it doesn't */
    char buf[4096];

    while (time(NULL) < until && poll(&p, 1, TEST_WAIT_MS) == 1)
        if (recv(fd, buf, sizeof(buf), 0) <= 0)
            return true;
    return false;
}

/* put_greeting says all that comes before calls, as node 1. */
static void put_greeting_of(int fd, uint64_t node, uint64_t number)
{
    struct gri_strbuf out = GRI_STRBUF_INIT;
    struct gri_hello h = test_hello(node, 100 + number);

    cr_assert_eq(test_greeting(&out, &h, number), GR_OK);
    put(fd, out.data, out.len);
    gri_strbuf_fini(&out);
}

static void put_greeting(int fd)
{
    put_greeting_of(fd, 1, 1);
}

static void put_hello(int fd, uint32_t version)
{
    struct gri_strbuf out = GRI_STRBUF_INIT;
    struct gri_hello h = test_hello(1, 0);

    h.version_min = h.version_max = version;
    cr_assert_eq(gri_frame_hello(&out, &h), GR_OK);
    put(fd, out.data, out.len);
    gri_strbuf_fini(&out);
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
        put_greeting(fd);
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
    REFUSED(
        true,
        "\x00\x00\x00\x28\x9e\x01\xa9greenroom\x02\x02\x01\x01\xcd\x10\x00\x01\xa0\xa0\x00\xc4\x10"
        "0123456789abcdef\x01\x01");
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

Test(hostile, a_call_whose_id_is_in_use)
{
    REFUSED(true, "\x00\x00\x00\x12\x9a\x02\x02\x00\xa3"
                  "all\xa4"
                  "wait\x00\x00\x00\xc0\xc0"
                  "\x00\x00\x00\x12\x9a\x02\x02\x00\xa3"
                  "all\xa4"
                  "wait\x00\x00\x00\xc0\xc0");
}

Test(hostile, a_call_before_the_proof)
{
    struct gri_strbuf out = GRI_STRBUF_INIT;
    struct gri_hello h = test_hello(1, 7);
    gr_value *args = gr_int(1);
    struct gri_frame f = { .id = 1, .name = "all", .verb = "invoke" };

    cr_assert_eq(gri_frame_hello(&out, &h), GR_OK);
    cr_assert_eq(gri_frame_invoke(&out, &f, args, NULL), GR_OK);
    refused(false, out.data, out.len);
    gri_strbuf_fini(&out);
    gr_value_unref(args);
}

Test(hostile, a_welcome_before_the_proof)
{
    struct gri_strbuf out = GRI_STRBUF_INIT;
    struct gri_hello h = test_hello(1, 7);

    cr_assert_eq(gri_frame_hello(&out, &h), GR_OK);
    cr_assert_eq(gri_frame_welcome(&out, 1), GR_OK);
    refused(false, out.data, out.len);
    gri_strbuf_fini(&out);
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
    put_greeting(fd);
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

    put_greeting(fd);
    put(fd, later, sizeof(later) - 1);
    put(fd, ping, sizeof(ping) - 1);
    for (;;) { /* the server's hello, then the answer to the ping */
        ssize_t n = recv(fd, buf + got, sizeof(buf) - got, 0);

        cr_assert_gt(n, 0);
        got += (size_t)n;
        if (memmem(buf, got, "\x00\x00\x00\x04\x93\x0d\x07\x00", 8) != NULL)
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

    put_greeting_of(first, 5, 1);
    cr_assert(answers_ping(first));
    put_greeting_of(other, 6, 1);
    cr_assert(answers_ping(other));
    put_greeting_of(second, 5, 3);
    cr_assert(answers_ping(second));
    cr_assert(is_closed(first));
    put_greeting_of(late, 5, 2);
    cr_assert(is_closed(late));
    cr_assert(answers_ping(second));
    cr_assert(answers_ping(other));
    close(first);
    close(second);
    close(late);
    late = connect_raw(s.url);
    for (int ms = 0; atomic_load(&gri_node_get(s.rt)->peers) > 2 && ms < TEST_WAIT_MS; ms++)
        gr_sleep(s.rt, 1); /* until the later link is forgotten: but not that it was there */
    put_greeting_of(late, 5, 2);
    cr_assert(is_closed(late));
    close(other);
    close(late);
    expect_friend_well(&s);
    close_server(&s);
}

/* ---- a node with a secret -------------------------------------------------------------------- */

#define SECRET "correct horse battery"

static struct server open_secret_server(void)
{
    struct server s;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &s.rt), GR_OK);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &s.friend_rt), GR_OK);
    cr_assert_eq(gr_node_configure(s.rt, GR_NODE(.secret = SECRET, .connect_ms = 2000), NULL),
                 GR_OK);
    cr_assert_eq(gr_node_configure(s.friend_rt, GR_NODE(.secret = SECRET), NULL), GR_OK);
    test_peer_url(s.url, "ipc");
    test_peer_publish(s.rt);
    cr_assert_eq(gr_serve(s.rt, s.url, NULL), GR_OK);
    s.friend_far = gr_remote(gr_root(s.friend_rt), s.url, "all");
    return s;
}

/* get_frame reads one frame, with its length; false when the server has closed. */
static bool get_frame(int fd, struct gri_strbuf *ret)
{
    uint8_t head[GRI_FRAME_HEAD];
    char body[GRI_FRAME_HELLO_MAX];
    size_t size;

    gri_strbuf_clear(ret);
    if (recv(fd, head, sizeof(head), MSG_WAITALL) != (ssize_t)sizeof(head))
        return false;
    size = (size_t)head[2] << 8 | head[3];
    cr_assert(head[0] == 0 && head[1] == 0 && size <= sizeof(body));
    if (recv(fd, body, size, MSG_WAITALL) != (ssize_t)size)
        return false;
    gri_strbuf_add(ret, head, sizeof(head));
    gri_strbuf_add(ret, body, size);
    return true;
}

/* is_let_in tells whether the server shows its own proof: then it has accepted ours. */
static bool is_let_in(int fd)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    struct gri_frame f = { .type = GRI_FRAME_NONE };
    gr_value *err = NULL;

    while (get_frame(fd, &b) && f.type != GRI_FRAME_PROOF)
        cr_assert_eq(gri_frame_parse(b.data + 4, b.len - 4, &f, &err), GR_OK);
    gri_strbuf_fini(&b);
    return f.type == GRI_FRAME_PROOF;
}

static void put_buf(int fd, struct gri_strbuf *b)
{
    put(fd, b->data, b->len);
    gri_strbuf_clear(b);
}

/* try_in says hello, then shows a proof that `make` makes; whether that lets it in. */
static bool try_in(struct server *s,
                   void (*make)(const struct gri_strbuf *mine, const struct gri_strbuf *theirs,
                                struct gri_proof *p))
{
    struct gri_strbuf mine = GRI_STRBUF_INIT, theirs = GRI_STRBUF_INIT, out = GRI_STRBUF_INIT;
    struct gri_hello h = test_hello(1, 7);
    struct gri_proof p = { .stamp = 1 };
    int fd = connect_raw(s->url);
    bool in;

    cr_assert_eq(gri_frame_hello(&mine, &h), GR_OK);
    put(fd, mine.data, mine.len);
    cr_assert(get_frame(fd, &theirs));
    gri_strbuf_consume(&mine, GRI_FRAME_HEAD);
    gri_strbuf_consume(&theirs, GRI_FRAME_HEAD);
    make(&mine, &theirs, &p);
    cr_assert_eq(gri_frame_proof(&out, &p), GR_OK);
    put_buf(fd, &out);
    in = is_let_in(fd);
    close(fd);
    gri_strbuf_fini(&mine);
    gri_strbuf_fini(&theirs);
    gri_strbuf_fini(&out);
    return in;
}

static void right_proof(const struct gri_strbuf *mine, const struct gri_strbuf *theirs,
                        struct gri_proof *p)
{
    struct gri_proof_of of = { .dialler = true, .dialled = mine, .accepted = theirs };

    cr_assert(gri_proof_make(&of, SECRET, strlen(SECRET), p));
}

static struct gri_proof overheard; /* a good proof of another connection */

static void overhear(const struct gri_strbuf *mine, const struct gri_strbuf *theirs,
                     struct gri_proof *p)
{
    right_proof(mine, theirs, p);
    overheard = *p;
}

static void replayed_proof(const struct gri_strbuf *mine, const struct gri_strbuf *theirs,
                           struct gri_proof *p)
{
    (void)mine, (void)theirs;
    *p = overheard;
}

static void wrong_proof(const struct gri_strbuf *mine, const struct gri_strbuf *theirs,
                        struct gri_proof *p)
{
    right_proof(mine, theirs, p);
    p->mac[31] ^= 1;
}

static void no_proof(const struct gri_strbuf *mine, const struct gri_strbuf *theirs,
                     struct gri_proof *p)
{
    (void)mine, (void)theirs, (void)p;
}

static void others_proof(const struct gri_strbuf *mine, const struct gri_strbuf *theirs,
                         struct gri_proof *p)
{
    struct gri_proof_of of = { .dialler = false, .dialled = mine, .accepted = theirs };

    cr_assert(gri_proof_make(&of, SECRET, strlen(SECRET), p));
}

Test(hostile, only_a_proof_for_this_connection_lets_in)
{
    struct server s = open_secret_server();

    cr_assert(try_in(&s, right_proof));
    cr_assert(try_in(&s, overhear));
    cr_assert_not(try_in(&s, replayed_proof), "the same hello, another nonce of the server");
    cr_assert_not(try_in(&s, wrong_proof));
    cr_assert_not(try_in(&s, no_proof));
    cr_assert_not(try_in(&s, others_proof), "the one that who accepted would show");
    expect_friend_well(&s);
    close_server(&s);
}

/* Who sends back what it hears must not get the server to prove things to itself. */
Test(hostile, an_echo_is_refused)
{
    struct server s = open_secret_server();
    struct gri_strbuf b = GRI_STRBUF_INIT;
    int fd = connect_raw(s.url);
    bool proved = false;

    while (get_frame(fd, &b)) {
        struct gri_frame f;
        gr_value *err = NULL;

        cr_assert_eq(gri_frame_parse(b.data + 4, b.len - 4, &f, &err), GR_OK);
        proved = proved || f.type == GRI_FRAME_PROOF;
        put(fd, b.data, b.len);
    }
    cr_assert_not(proved);
    close(fd);
    gri_strbuf_fini(&b);
    expect_friend_well(&s);
    close_server(&s);
}

/* Half a greeting does not keep a connection longer than connecting may take. */
Test(hostile, who_says_hello_and_nothing_more_is_cut_off)
{
    struct server s = open_secret_server();
    struct gri_strbuf out = GRI_STRBUF_INIT;
    struct gri_hello h = test_hello(1, 7);
    int fd = connect_raw(s.url);

    cr_assert_eq(gri_frame_hello(&out, &h), GR_OK);
    put_buf(fd, &out);
    cr_assert(is_closed(fd));
    close(fd);
    gri_strbuf_fini(&out);
    expect_friend_well(&s);
    close_server(&s);
}

Test(hostile, a_frame_in_parts_that_may_not_be_cut)
{
    /* a credit for call 1, in one part */
    REFUSED(true, "\x00\x00\x00\x0a\x94\x15\x00\x00\xc4\x04\x93\x05\x01\x01");
}

Test(hostile, a_part_beyond_its_frame)
{
    REFUSED(true, "\x00\x00\x00\x07\x94\x15\x00\x05\xc4\x01x"
                  "\x00\x00\x00\x07\x94\x15\x00\x05\xc4\x01x");
}

static atomic_int tells, lines;

static void count_lines(void *arg, int level, const char *text)
{
    (void)arg, (void)level;
    tells += strstr(text, "was dropped") != NULL;
    lines += strchr(text, '\n') != NULL;
}

/* Who reads a log must not be shown lines that a peer has made up. */
Test(hostile, a_name_of_several_lines_is_one_in_the_log)
{
    struct server s = open_server();
    int fd = connect_raw(s.url);

    gr_set_log(count_lines, NULL, 3);
    put_greeting(fd);
    put(fd,
        "\x00\x00\x00\x07\x93\x09\xa3"
        "a\nb\x01",
        11);
    for (int ms = 0; tells == 0 && ms < TEST_WAIT_MS; ms++)
        gr_sleep(s.rt, 1);
    cr_assert_eq(tells, 1);
    cr_assert_eq(lines, 0);
    close(fd);
    close_server(&s);
    gr_set_log(NULL, NULL, 0);
}

/* Strangers that connect and say nothing: a bound of their own, and who is known still comes through. */
Test(hostile, strangers_do_not_keep_out_who_is_known)
{
    enum { STRANGERS = 1100 };
    struct rlimit files = { 4096, 4096 };
    struct server s = open_server();
    int fds[STRANGERS], closed = 0;

    setrlimit(RLIMIT_NOFILE, &files);
    expect_friend_well(&s);
    for (int i = 0; i < STRANGERS; i++)
        fds[i] = connect_raw(s.url);
    expect_friend_well(&s);
    for (int i = 0; i < STRANGERS; i++) {
        cr_assert(is_closed(fds[i]));
        close(fds[i]);
        closed++;
    }
    cr_assert_eq(closed, STRANGERS);
    expect_friend_well(&s);
    close_server(&s);
}
