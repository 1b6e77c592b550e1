/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile_flood_test.c - a peer that sends good sessions with damage in them, $GR_TEST_FRAMES damaged
 * frames (20,000; 4,000 under a sanitizer) from $GR_TEST_SEED (1) on, over a real socket; and one
 * that never reads. Without $GR_TEST_FRAMES a machine that is busy ends with fewer.
 *
 * After each damaged frame it asks whether it is still connected, so each one has been looked at.
 * Nobody but the sender may notice: another peer has a call under way all the time.
 */
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <greenroom/greenroom.h>

#include "runtime/net/frame.h"
#include "runtime/net/link.h"
#include "tests/support/document.h"
#include "tests/support/greeting.h"
#include "tests/support/meter.h"
#include "tests/support/peer.h"
#include "tests/support/served.h"
#include "tests/support/test.h"

#if defined(GR_TEST_PLAIN)
#define FRAMES 4000 /* the sanitizers take their time */
#else
#define FRAMES 20000
#endif
#define ENOUGH_MS 100000
#define HELD_MOST ((size_t)16 << 20) /* bytes, for all of it */

struct server {
    gr_runtime *rt, *friend_rt;
    gr_ref friend_far;
    gr_future *under_way;
    char url[128];
};

#define NEVER_MS 3600000

static atomic_int lines; /* of the log */

static void count_line(void *arg, int level, const char *text)
{
    (void)arg, (void)level, (void)text;
    atomic_fetch_add(&lines, 1);
}

/* ---- who is called --------------------------------------------------------------------------- */

static struct server open_server(void)
{
    struct server s;

    /* the watchdog's lines, on a machine that is busy, are not the peers' doing */
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2, .report_ms = NEVER_MS), &s.rt), GR_OK);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1, .report_ms = NEVER_MS), &s.friend_rt),
                 GR_OK);
    test_peer_url(s.url, "ipc");
    cr_assert_eq(gr_publish(s.rt, "all", served_spawn(gr_root(s.rt), 0)), GR_OK);
    cr_assert_eq(gr_serve(s.rt, s.url, NULL), GR_OK);
    s.friend_far = gr_remote(gr_root(s.friend_rt), s.url, "all");
    s.under_way = gr_acall(s.friend_rt, s.friend_far, "nap", gr_nil(), NULL);
    return s;
}

static void expect_friend_well(struct server *s)
{
    gr_value *err = NULL, *v = gr_invoke(s->friend_rt, s->friend_far, gr_int(8), NULL, &err);

    cr_assert_eq(gr_as_int(v, 0), 8, "%s", gr_error_text(err));
    cr_assert_eq(gr_await(s->under_way, 0).code, GR_EPENDING);
}

static void close_server(struct server *s)
{
    expect_friend_well(s);
    gr_future_free(s->under_way);
    gr_runtime_free(s->friend_rt);
    gr_runtime_free(s->rt);
}

/* ---- the hostile peer ------------------------------------------------------------------------ */

struct raw {
    int fd;
    uint64_t pings, links;
    struct gri_strbuf out, in;
    size_t sent, received; /* bytes */
};

static void connect_raw(struct raw *r, const char *url)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };

    memcpy(a.sun_path, url + 6, strlen(url + 6) + 1); /* a short one: see test_peer_url */
    r->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(r->fd, (struct sockaddr *)&a, sizeof(a)), 0);
    gri_strbuf_clear(&r->in);
    gri_strbuf_clear(&r->out);
}

/* flush sends what is written, or what of it the server still takes. */
static void flush(struct raw *r)
{
    size_t at = 0;

    while (at < r->out.len) {
        ssize_t n = send(r->fd, r->out.data + at, r->out.len - at, MSG_NOSIGNAL);

        if (n <= 0)
            break;
        at += (size_t)n;
    }
    r->sent += at;
    gri_strbuf_clear(&r->out);
}

/* next_frame reads one frame of the server's, which must be one; false when it has closed. */
static bool next_frame(struct raw *r, struct gri_frame *f)
{
    struct pollfd p = { .fd = r->fd, .events = POLLIN };

    for (;;) {
        const uint8_t *head = (const uint8_t *)r->in.data;
        size_t size = r->in.len < GRI_FRAME_HEAD ? 0
                                                 : (size_t)head[0] << 24 | (size_t)head[1] << 16 |
                                                       (size_t)head[2] << 8 | head[3];
        char buf[16384];
        ssize_t n;

        if (size > 0 && r->in.len - GRI_FRAME_HEAD >= size) {
            cr_assert_eq(gri_frame_parse(r->in.data + GRI_FRAME_HEAD, size, f, NULL), GR_OK);
            f->value = f->config = NULL; /* they go with the bytes */
            gri_strbuf_consume(&r->in, GRI_FRAME_HEAD + size);
            return true;
        }
        cr_assert_eq(poll(&p, 1, TEST_WAIT_MS), 1, "the server neither answers nor closes");
        n = recv(r->fd, buf, sizeof(buf), 0);
        if (n <= 0)
            return false;
        r->received += (size_t)n;
        gri_strbuf_add(&r->in, buf, (size_t)n);
    }
}

/* is_alive asks; what was sent before has been looked at then. */
static bool is_alive(struct raw *r)
{
    struct gri_frame f;
    uint64_t id = UINT64_C(1) << 40 | ++r->pings;

    cr_assert_eq(gri_frame_number(&r->out, GRI_FRAME_PING, id, 1), GR_OK);
    flush(r);
    while (next_frame(r, &f))
        if (f.type == GRI_FRAME_PING && f.id == id)
            return true;
    return false;
}

static void say_hello(struct raw *r)
{
    struct gri_hello h = test_hello(77, ++r->links);

    cr_assert_eq(test_greeting(&r->out, &h, r->links), GR_OK);
}

/* ---- sessions -------------------------------------------------------------------------------- */

static gr_value *some_value(struct test_dice *d)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *v;

    do {
        gri_strbuf_clear(&b);
        test_make_json(&b, test_throw(d));
        v = gr_json_parse(b.data != NULL ? b.data : "", b.len, NULL);
        if (gr_error_code(v) == GR_OK)
            break;
        gr_value_unref(v);
        v = NULL;
    } while (v == NULL);
    gri_strbuf_fini(&b);
    return v;
}

static void good_invoke(struct gri_strbuf *out, struct test_dice *d, uint64_t id)
{
    static const char *const verbs[] = { "invoke", "nap", "stream", "transform", "batch" };
    size_t which = test_below(d, 5);
    struct gri_frame f = { .id = id, .window = 4096, .least = 64 };
    gr_value *args = some_value(d);

    f.flags = which == 2   ? GRI_INVOKE_STREAM
              : which == 3 ? GRI_INVOKE_STREAM | GRI_INVOKE_INPUT
                           : 0;
    f.deadline_ms = test_one_in(d, 2) ? 10000 : 0;
    strcpy(f.name, test_one_in(d, 8) ? "nobody" : "all");
    strcpy(f.verb, verbs[which]);
    cr_assert_eq(gri_frame_invoke(out, &f, args, NULL), GR_OK);
    gr_value_unref(args);
}

/* good_frame writes the next frame of a session whose last call has the number id. */
static void good_frame(struct gri_strbuf *out, struct test_dice *d, uint64_t *id)
{
    static const enum gri_frame_type types[] = { GRI_FRAME_CHUNK, GRI_FRAME_REPLY, GRI_FRAME_END };
    gr_value *v;

    switch (test_below(d, 8)) {
    case 0: cr_assert_eq(gri_frame_number(out, GRI_FRAME_CREDIT, *id, 4096), GR_OK); break;
    case 1: cr_assert_eq(gri_frame_number(out, GRI_FRAME_CANCEL, *id, GR_ECANCELED), GR_OK); break;
    case 2:
    case 3:
        v = some_value(d);
        if (test_one_in(d, 3))
            cr_assert_eq(gri_frame_tell(out, test_one_in(d, 2) ? "all" : "nobody", v), GR_OK);
        else
            cr_assert_eq(gri_frame_value(out, types[test_below(d, 3)], *id, v, NULL), GR_OK);
        gr_value_unref(v);
        break;
    default: *id += 2; good_invoke(out, d, *id);
    }
}

/* damage_frame leaves the length right, so that the frame is what is looked at. */
static void damage_frame(struct gri_strbuf *out, size_t from, struct test_dice *d)
{
    size_t size;

    test_damage(out, from + GRI_FRAME_HEAD, d);
    size = out->len - from - GRI_FRAME_HEAD;
    for (unsigned i = 0; i < GRI_FRAME_HEAD; i++)
        out->data[from + i] = (char)(uint8_t)(size >> (8 * (GRI_FRAME_HEAD - 1 - i)));
}

/* end_badly sends a length that is wrong, and no more; the server closes, too. */
static void end_badly(struct raw *r, struct test_dice *d)
{
    struct gri_frame f;

    r->out.data[test_below(d, GRI_FRAME_HEAD)] = (char)test_throw(d);
    flush(r);
    shutdown(r->fd, SHUT_WR);
    while (next_frame(r, &f))
        continue;
}

/* one_session returns how many damaged frames the server has looked at. */
static size_t one_session(struct raw *r, const char *url, uint64_t seed)
{
    struct test_dice d = test_dice_of(seed);
    uint64_t id = 1;
    size_t damaged = 0;
    bool alive = true;

    connect_raw(r, url);
    say_hello(r);
    if (test_one_in(&d, 20)) {
        damage_frame(&r->out, 0, &d);
        damaged++;
        alive = is_alive(r);
    }
    while (alive && damaged < 8) {
        size_t from;

        for (size_t n = test_below(&d, 3); n > 0; n--)
            good_frame(&r->out, &d, &id);
        from = r->out.len;
        good_frame(&r->out, &d, &id);
        damaged++;
        if (from == 0 && test_one_in(&d, 10)) {
            end_badly(r, &d);
            break;
        }
        damage_frame(&r->out, from, &d);
        alive = is_alive(r);
    }
    close(r->fd);
    return damaged;
}

static size_t frames_due(void)
{
    const char *text = getenv("GR_TEST_FRAMES");

    return text != NULL ? (size_t)strtoull(text, NULL, 10) : FRAMES;
}

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

Test(hostile_flood, damaged_sessions_harm_nobody_else, .timeout = 280)
{
    long blocks = meter_blocks();
    struct server s = open_server();
    struct raw r = { .fd = -1 };
    uint64_t seed = test_seed() << 32, begun = now_ms(), took;
    size_t damaged = 0, sessions = 0, due = frames_due();

    atomic_store(&lines, 0);
    gr_set_log(count_line, NULL, 3);
    expect_friend_well(&s);
    meter_mark();
    while (damaged < due && (getenv("GR_TEST_FRAMES") != NULL || now_ms() - begun < ENOUGH_MS)) {
        damaged += one_session(&r, s.url, seed + sessions++);
        if (sessions % 256 == 0)
            expect_friend_well(&s);
    }
    took = now_ms() - begun;
    fprintf(stderr,
            "%zu damaged frames in %zu sessions, %llu ms: %zu bytes sent, %zu received, "
            "%zu held at most, %d lines of log\n",
            damaged, sessions, (unsigned long long)took, r.sent, r.received, meter_peak(),
            atomic_load(&lines));
    cr_assert_leq(meter_peak(), HELD_MOST);
    cr_assert_leq((uint64_t)atomic_load(&lines), took / 1000 + 2);
    cr_assert_leq(r.received, 4 * r.sent);
    gri_strbuf_fini(&r.in);
    gri_strbuf_fini(&r.out);
    close_server(&s);
    gr_set_log(NULL, NULL, 0);
    cr_assert_eq(meter_blocks(), blocks);
}

#if !defined(GR_TEST_PLAIN) /* a quarter of a GiB takes a sanitizer half a minute */

/* A peer that asks and never reads is given up before its answers fill the memory. */
Test(hostile_flood, who_never_reads_is_cut_off, .timeout = 100)
{
    static char text[60000];
    struct server s = open_server();
    struct raw r = { .fd = -1 };
    struct gri_frame f = { .name = "all", .verb = "invoke", .id = 1 };
    gr_value *args;
    int sent = 0;

    memset(text, 'x', sizeof(text));
    args = gr_strn(text, sizeof(text));
    connect_raw(&r, s.url);
    say_hello(&r);
    meter_mark();
    for (; sent < 10000; sent++, f.id += 2) {
        size_t due;

        cr_assert_eq(gri_frame_invoke(&r.out, &f, args, NULL), GR_OK);
        due = r.sent + r.out.len;
        flush(&r);
        if (r.sent < due)
            break; /* the server has closed */
    }
    gr_value_unref(args);
    cr_assert_lt(sent, 10000);
    cr_assert_leq(meter_peak(), (size_t)GRI_LINK_UNREAD_MAX * 3);
    close(r.fd);
    gri_strbuf_fini(&r.in);
    gri_strbuf_fini(&r.out);
    close_server(&s);
}

#endif
