/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile_ties_test.c - a peer that ties what it must not, or too much of it, over a raw socket: it is answered
 * or closed, what it may hold is bounded, and nobody else notices. And one that only looks: what leaves in which
 * order.
 */
#include "tests/support/test.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <greenroom/admin.h>
#include <greenroom/greenroom.h>

#include "runtime/net/frame.h"
#include "runtime/net/ties.h"
#include "tests/support/greeting.h"
#include "tests/support/memory.h"
#include "tests/support/party.h"
#include "tests/support/peer.h"

#define PEER_NODE 1
#if defined(GR_TEST_PLAIN) /* the sanitizers take their time */
#define REFS 1000
#define TIES 1000 /* of one actor */
#else
#define REFS 65536
#define TIES 65536
#endif

static gr_runtime *rt, *friend_rt;
static gr_ref party, secret, friend_far; /* published as "party"; not published */
static int fd;
static struct gri_strbuf in, out;
static long blocks;

/* ---- the socket ------------------------------------------------------------------------------ */

static void flush(void)
{
    size_t at = 0;

    while (at < out.len) {
        ssize_t n = send(fd, out.data + at, out.len - at, MSG_NOSIGNAL);

        if (n <= 0)
            break; /* the server has had enough */
        at += (size_t)n;
    }
    gri_strbuf_clear(&out);
}

/* more reads what there is; false: the server has closed. */
static bool more(void)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char buf[65536];
    ssize_t n;

    cr_assert_eq(poll(&p, 1, TEST_WAIT_MS), 1, "the server says nothing");
    n = recv(fd, buf, sizeof(buf), 0);
    if (n <= 0)
        return false;
    gri_strbuf_add(&in, buf, (size_t)n);
    return true;
}

/* next reads one frame that is no beat; false: the server has closed. Values go with the next one. */
static bool next(struct gri_frame *f)
{
    static size_t last;
    gr_value *err = NULL;

    gri_strbuf_consume(&in, last);
    for (last = 0;;) {
        const uint8_t *head = (const uint8_t *)in.data;
        size_t size = 0;

        if (in.len >= GRI_FRAME_HEAD)
            size = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
        if (size == 0 || in.len < GRI_FRAME_HEAD + size) {
            if (!more())
                return false;
            continue;
        }
        cr_assert_eq(gri_frame_parse(in.data + GRI_FRAME_HEAD, size, f, &err), GR_OK);
        if (f->type != GRI_FRAME_BEAT) {
            last = GRI_FRAME_HEAD + size;
            return true;
        }
        gri_strbuf_consume(&in, GRI_FRAME_HEAD + size);
    }
}

static void due(enum gri_frame_type type, struct gri_frame *f)
{
    cr_assert(next(f), "closed, where a frame of type %d is due", (int)type);
    cr_assert_eq(f->type, type, "a frame of type %d, where %d is due", (int)f->type, (int)type);
}

static void expect_closed(void)
{
    struct gri_frame f;

    while (next(&f))
        continue;
}

/* ---- set up ---------------------------------------------------------------------------------- */

static void connect_raw(const char *url)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    struct gri_hello h = test_hello(PEER_NODE, 101);
    struct gri_frame f;

    memcpy(a.sun_path, url + 6, strlen(url + 6) + 1); /* a short one: see test_peer_url */
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    cr_assert_eq(test_greeting(&out, &h, 1), GR_OK);
    flush();
    due(GRI_FRAME_HELLO, &f);
    due(GRI_FRAME_PROOF, &f);
}

static void up(void)
{
    char url[128];

    blocks = test_memory_live();
    /* one worker: what a handler sends waits until it has returned */
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &rt), GR_OK);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &friend_rt), GR_OK);
    cr_assert_eq(gr_node_configure(rt, GR_NODE(.refs_max = REFS), NULL), GR_OK);
    party = party_spawn_with(rt, true, TIES);
    secret = party_spawn(rt, true);
    cr_assert_eq(gr_publish(rt, "party", party), GR_OK);
    test_peer_url(url, "ipc");
    cr_assert_eq(gr_serve(rt, url, NULL), GR_OK);
    friend_far = gr_remote(gr_root(friend_rt), url, "party");
    connect_raw(url);
}

static void expect_friend_well(void)
{
    gr_value *err = NULL, *v = gr_invoke(friend_rt, friend_far, gr_int(8), NULL, &err);

    cr_assert_eq(gr_as_int(v, 0), 8, "%s", gr_error_text(err));
    gr_value_unref(v);
}

static void down(void)
{
    expect_friend_well();
    close(fd);
    gri_strbuf_fini(&in);
    gri_strbuf_fini(&out);
    gr_runtime_free(friend_rt);
    gr_runtime_free(rt);
    cr_assert_eq(test_memory_live(), blocks, "%ld blocks are left", test_memory_live() - blocks);
}

TestSuite(hostile_ties, .init = up, .fini = down);

/* ---- saying ---------------------------------------------------------------------------------- */

static void say(enum gri_frame_type type, uint64_t id, const char *name, gr_ref to, uint64_t from)
{
    struct gri_frame f = { .type = type, .id = id, .to = to, .from = { PEER_NODE, from } };
    gr_value *reason = gr_str("bang");

    strcpy(f.name, name);
    cr_assert_eq(gri_frame_signal(&out, &f, reason), GR_OK);
    gr_value_unref(reason);
}

static void say_number(enum gri_frame_type type, uint64_t id, uint64_t number)
{
    cr_assert_eq(gri_frame_number(&out, type, id, number), GR_OK);
}

static const gr_ref none = { 0, 0 };

/* reason_of gives what a down says. */
static gr_value *reason_of(const struct gri_frame *f)
{
    return gr_msgpack_decode(f->value, f->value_size, NULL);
}

/* counts answers until that to a ping that follows: how many of them are downs for want of room. */
static size_t full_until_pong(void)
{
    size_t full = 0;
    struct gri_frame f;

    say_number(GRI_FRAME_PING, 1, 1);
    flush();
    while (next(&f) && f.type != GRI_FRAME_PING) {
        gr_value *reason = f.type == GRI_FRAME_DOWN ? reason_of(&f) : NULL;

        full += gr_error_code(reason) == GR_EFULL;
        gr_value_unref(reason);
    }
    cr_assert_eq(f.type, GRI_FRAME_PING);
    return full;
}

/* ---- order ----------------------------------------------------------------------------------- */

Test(hostile_ties, exit_signals_leave_behind_what_was_told)
{
    gr_value *v = gr_ref_value((gr_ref){ PEER_NODE, 5 }), *reason;
    struct gri_frame f = { .id = 9, .name = "party", .verb = "link" };

    cr_assert_eq(gri_frame_invoke(&out, &f, v, NULL), GR_OK); /* party links itself with ours */
    strcpy(f.verb, "farewell");
    f.id = 10;
    cr_assert_eq(gri_frame_invoke(&out, &f, v, NULL), GR_OK);
    gr_value_unref(v);
    flush();
    for (int64_t told = 0; told < 100;) {
        cr_assert(next(&f));
        cr_assert_neq(f.type, GRI_FRAME_EXIT, "after %d messages", (int)told);
        cr_assert_neq(f.type, GRI_FRAME_DOWN, "after %d messages", (int)told);
        if (f.type != GRI_FRAME_TELL)
            continue;
        reason = reason_of(&f);
        cr_assert_eq(gr_as_int(reason, -1), told++);
    }
    do
        cr_assert(next(&f));
    while (f.type == GRI_FRAME_REPLY);
    cr_assert_eq(f.type, GRI_FRAME_EXIT);
    do
        cr_assert(next(&f));
    while (f.type == GRI_FRAME_REPLY);
    cr_assert_eq(f.type, GRI_FRAME_DOWN);
    cr_assert_eq(f.number, GRI_TIE_SENDERS);
    reason = reason_of(&f);
    cr_assert_str_eq(gr_cstr(reason, ""), "gone");
    gr_value_unref(reason);
    party = party_spawn(rt, true);
    cr_assert_eq(gr_publish(rt, "party", party), GR_OK);
}

/* ---- floods ---------------------------------------------------------------------------------- */

#define MORE (TIES + 4000)

Test(hostile_ties, more_monitors_than_there_is_room_for)
{
    struct gri_frame f;
    size_t full;

    for (uint64_t i = 1; i <= MORE; i++)
        say(GRI_FRAME_MONITOR, i, "party", none, 0);
    full = full_until_pong();
    cr_assert_geq(full, MORE - TIES, "%zu were refused", full);
    cr_assert_lt(full, MORE);
    for (uint64_t i = 1; i <= MORE; i++)
        say_number(GRI_FRAME_UNTIE, i, GRI_TIE_SENDERS);
    cr_assert_eq(full_until_pong(), 0);
    say(GRI_FRAME_MONITOR, MORE + 1, "party", none, 0); /* there is room again */
    flush();
    gr_value_unref(gr_do(rt, party, "exit", gr_str("over"), NULL, NULL));
    due(GRI_FRAME_DOWN, &f);
    cr_assert_eq(f.id, MORE + 1);
    cr_assert_eq(f.number, GRI_TIE_RECEIVERS);
    party = party_spawn(rt, true);
    cr_assert_eq(gr_publish(rt, "party", party), GR_OK);
}

Test(hostile_ties, more_links_than_there_is_room_for)
{
    uint64_t most = REFS < GRI_LINKS_CARRIED_MAX ? REFS : GRI_LINKS_CARRIED_MAX; /* a ref each */

    for (uint64_t i = 1; i <= most + 100; i++)
        say(GRI_FRAME_LINK, i, "party", none, i);
    cr_assert_eq(full_until_pong(), 100);
}

Test(hostile_ties, a_link_a_thousand_times_is_one)
{
    struct gri_frame f;

    for (uint64_t i = 1; i <= 1000; i++) /* and not the actor's ties_max */
        say(GRI_FRAME_LINK, i, "party", none, 5);
    cr_assert_eq(full_until_pong(), 0);
    gr_value_unref(gr_do(rt, party, "exit", gr_str("over"), NULL, NULL));
    for (uint64_t seen = 0; seen < 1000; seen += f.type == GRI_FRAME_DOWN) /* each number is told */
        cr_assert(next(&f));
    party = party_spawn(rt, true);
    cr_assert_eq(gr_publish(rt, "party", party), GR_OK);
}

/* linked_twice has party link our actor, which links party, too, as number `as`; gives party's number. */
static uint64_t linked_twice(uint64_t ours, uint64_t as)
{
    gr_value *v = gr_ref_value((gr_ref){ PEER_NODE, ours });
    struct gri_frame f = { .id = as + 100, .name = "party", .verb = "link" };
    uint64_t id;

    cr_assert_eq(gri_frame_invoke(&out, &f, v, NULL), GR_OK);
    gr_value_unref(v);
    flush();
    due(GRI_FRAME_MONITOR, &f);
    due(GRI_FRAME_LINK, &f);
    cr_assert(f.to.node == PEER_NODE && f.to.id == ours);
    id = f.id;
    due(GRI_FRAME_REPLY, &f);
    say(GRI_FRAME_LINK, as, "party", none, ours);
    cr_assert_eq(full_until_pong(), 0);
    return id;
}

static void party_again(void)
{
    gr_value_unref(gr_do(rt, party, "exit", gr_str("over"), NULL, NULL));
    party = party_spawn(rt, true);
    cr_assert_eq(gr_publish(rt, "party", party), GR_OK);
}

Test(hostile_ties, links_that_cross_are_one_until_both_numbers_are_taken_away)
{
    uint64_t id = linked_twice(5, 77);
    struct gri_frame f;

    say_number(GRI_FRAME_UNTIE, id, GRI_TIE_RECEIVERS); /* ours is on its way, or so it believes */
    cr_assert_eq(full_until_pong(), 0);
    party_again();
    due(GRI_FRAME_DOWN, &f);
    cr_assert(f.id == 77 && f.number == GRI_TIE_RECEIVERS);
    id = linked_twice(6, 78);
    say_number(GRI_FRAME_UNTIE, 78, GRI_TIE_SENDERS);
    say_number(GRI_FRAME_UNTIE, id, GRI_TIE_RECEIVERS);
    cr_assert_eq(full_until_pong(), 0);
    party_again();
    say_number(GRI_FRAME_PING, 2, 1);
    flush();
    due(GRI_FRAME_PING, &f); /* nobody was told */
}

Test(hostile_ties, more_refs_than_there_is_room_for)
{
    gr_value *list = gr_list_n(NULL, 0);
    size_t monitors = 0;
    struct gri_frame f;

    for (uint64_t i = 1; i <= 1000; i++)
        list = gr_append(list, gr_ref_value((gr_ref){ PEER_NODE, i }));
    for (uint64_t round = 0; round < REFS / 1000 + 2;
         round++) { /* the same ones, then ever others */
        gr_value *v = gr_list_n(NULL, 0);

        for (uint64_t i = 1; i <= 1000; i++)
            v = gr_append(v, gr_ref_value((gr_ref){ PEER_NODE, round * 1000 + i }));
        cr_assert_eq(gri_frame_tell(&out, "party", v), GR_OK);
        cr_assert_eq(gri_frame_tell(&out, "party", list), GR_OK);
        gr_value_unref(v);
    }
    gr_value_unref(list);
    say_number(GRI_FRAME_PING, 1, 1);
    flush();
    while (next(&f) && f.type != GRI_FRAME_PING)
        monitors += f.type == GRI_FRAME_MONITOR;
    cr_assert_eq(monitors, REFS);
}

/* ---- what is not theirs ---------------------------------------------------------------------- */

Test(hostile_ties, what_was_never_lent_can_not_be_reached)
{
    struct gri_frame f = { .id = 9, .to = secret, .verb = "invoke" };
    gr_value *v = gr_int(1), *reply, *heard;

    cr_assert_eq(gri_frame_invoke(&out, &f, v, NULL), GR_OK);
    f = (struct gri_frame){ .to = secret };
    cr_assert_eq(gri_frame_tell_to(&out, &f, v), GR_OK);
    gr_value_unref(v);
    say(GRI_FRAME_EXIT, 0, "", secret, 5);
    say(GRI_FRAME_MONITOR, 1, "", secret, 0);
    say(GRI_FRAME_LINK, 2, "", secret, 6);
    say(GRI_FRAME_MONITOR, 3, "", (gr_ref){ 77, 1 }, 0);
    say_number(GRI_FRAME_PING, 1, 1);
    flush();
    due(GRI_FRAME_REPLY, &f);
    reply = reason_of(&f);
    cr_assert_eq(gr_error_code(reply), GR_EDEAD);
    gr_value_unref(reply);
    for (int downs = 0; downs < 3;) {
        cr_assert(next(&f) && f.type != GRI_FRAME_PING);
        if (f.type != GRI_FRAME_DOWN)
            continue; /* it watches the refs that it was given */
        reply = reason_of(&f);
        cr_assert_str_eq(gr_cstr(reply, ""), "noproc");
        gr_value_unref(reply);
        downs++;
    }
    heard = gr_do(rt, secret, "heard", gr_nil(), NULL, NULL);
    cr_assert_eq(gr_len(heard), 0);
    cr_assert_eq(gr_value_type(heard), GR_LIST);
    gr_value_unref(heard);
}

Test(hostile_ties, a_ref_of_ours_that_was_never_lent_leads_nowhere)
{
    gr_value *v = gr_map(GR_KV("to", gr_ref_value(secret)), GR_KV("what", gr_str("hello")));
    struct gri_frame f = { .id = 9, .name = "party", .verb = "tell" };
    gr_value *reply;

    cr_assert_eq(gri_frame_invoke(&out, &f, v, NULL), GR_OK);
    gr_value_unref(v);
    flush();
    due(GRI_FRAME_REPLY, &f);
    reply = reason_of(&f);
    cr_assert_eq(gr_as_int(reply, 0), GR_EDEAD);
    gr_value_unref(reply);
    reply = gr_do(rt, secret, "heard", gr_nil(), NULL, NULL);
    cr_assert_eq(gr_len(reply), 0);
    gr_value_unref(reply);
}

Test(hostile_ties, a_broken_ref_with_a_code_that_is_none_fails_calls_all_the_same)
{
    gr_value *v = gr_map(GR_KV("to", gr_ref_value((gr_ref){ 0, UINT64_C(1) << 32 })),
                         GR_KV("what", gr_str("hello")));
    struct gri_frame f = { .id = 9, .name = "party", .verb = "call" };
    gr_value *reply;

    cr_assert_eq(gri_frame_invoke(&out, &f, v, NULL), GR_OK);
    gr_value_unref(v);
    flush();
    due(GRI_FRAME_REPLY, &f);
    reply = reason_of(&f);
    cr_assert_eq(gr_value_type(reply), GR_ERROR);
    cr_assert_eq(gr_error_code(reply), GR_EREMOTE, "%s", gr_error_text(reply));
    gr_value_unref(reply);
}

/* What is not known may have been taken away a moment ago. */
Test(hostile_ties, numbers_that_nobody_has_are_ignored)
{
    struct gri_frame f = { .type = GRI_FRAME_DOWN };
    gr_value *v = gr_str("boo");

    for (uint64_t id = 1; id < 100; id++)
        for (uint64_t whose = 0; whose < 2; whose++) {
            f.id = id;
            f.number = whose;
            cr_assert_eq(gri_frame_signal(&out, &f, v), GR_OK);
            say_number(GRI_FRAME_UNTIE, id, whose);
        }
    gr_value_unref(v);
    cr_assert_eq(full_until_pong(), 0);
}

Test(hostile_ties, a_number_that_is_in_use_ends_the_link)
{
    say(GRI_FRAME_MONITOR, 7, "party", none, 0);
    say(GRI_FRAME_LINK, 7, "party", none, 5);
    flush();
    expect_closed();
}

Test(hostile_ties, who_takes_away_our_monitor_loses_the_link)
{
    gr_value *v = gr_ref_value((gr_ref){ PEER_NODE, 5 });
    struct gri_frame f;

    cr_assert_eq(gri_frame_tell(&out, "party", v), GR_OK);
    gr_value_unref(v);
    flush();
    due(GRI_FRAME_MONITOR, &f);
    cr_assert_eq(f.to.id, 5);
    say_number(GRI_FRAME_UNTIE, f.id, GRI_TIE_RECEIVERS);
    flush();
    expect_closed();
}

Test(hostile_ties, a_reason_that_is_no_value_ends_the_link)
{
    static const char bad[] = "\0\0\0\x07\x94\x0c\x07\x01\x81\x01\xc0"; /* a key that is no text */

    gri_strbuf_add(&out, bad, sizeof(bad) - 1);
    flush();
    expect_closed();
}

/* ---- what meets ------------------------------------------------------------------------------ */

/* lend_party has the peer be lent party's ref, which is of the runtime. */
static gr_ref lend_party(void)
{
    struct gri_frame f = { .id = 90, .name = "party", .verb = "self" };
    gr_value *v = gr_nil();

    cr_assert_eq(gri_frame_invoke(&out, &f, v, NULL), GR_OK);
    gr_value_unref(v);
    flush();
    due(GRI_FRAME_REPLY, &f);
    return party;
}

/* `from` may be an actor of ours: the peer's actor, which it is, may be a proxy for it. But then it is an actor like
 * any other, and gets no message that only proxies know. */
Test(hostile_ties, a_link_from_an_actor_of_ours_tells_it_nothing)
{
    gr_ref other = party_spawn(rt, true);
    struct gri_frame f = { .type = GRI_FRAME_LINK, .id = 7, .name = "other" };
    gr_value *heard;

    cr_assert_eq(gr_publish(rt, "other", other), GR_OK);
    f.from = lend_party();
    cr_assert_eq(gri_frame_signal(&out, &f, NULL), GR_OK);
    cr_assert_eq(full_until_pong(), 0);
    gr_value_unref(gr_do(rt, other, "exit", gr_str("over"), NULL, NULL));
    gr_value_unref(gr_take(gr_ended(rt, other), NULL));
    heard = gr_do(rt, party, "invoke", gr_int(1), NULL, NULL); /* the one worker has come by */
    gr_value_unref(heard);
    heard = gr_do(rt, party, "heard", gr_nil(), NULL, NULL);
    cr_assert_eq(gr_len(heard), 0);
    gr_value_unref(heard);
    due(GRI_FRAME_DOWN, &f);
    cr_assert(f.id == 7 && f.number == GRI_TIE_RECEIVERS);
}

/* Errors are values: this is one that was told, not one in what the peer sends. */
Test(hostile_ties, an_error_of_the_protocols_code_can_be_told)
{
    gr_value *v = gr_error(GR_EPROTO, "a file that is none"), *heard;

    cr_assert_eq(gri_frame_tell(&out, "party", v), GR_OK);
    gr_value_unref(v);
    cr_assert_eq(full_until_pong(), 0);
    heard = gr_do(rt, party, "heard", gr_nil(), NULL, NULL);
    cr_assert_eq(gr_len(heard), 1);
    cr_assert_eq(gr_error_code(gr_at(gr_at(heard, 0), 1)), GR_EPROTO);
    gr_value_unref(heard);
}

Test(hostile_ties, an_error_that_is_none_ends_the_link)
{
    static const char bad[] = "\0\0\0\x0b\x93\x09\xa5party\xd4\x03\x07"; /* its fields are no map */

    gri_strbuf_add(&out, bad, sizeof(bad) - 1);
    flush();
    expect_closed();
}

/* what_of calls the node's own actor. */
static gr_code what_of_the_node(const char *verb)
{
    struct gri_frame f = { .id = 91, .name = GR_ADMIN_NAME };
    gr_value *v = gr_nil();
    gr_code rc;

    strcpy(f.verb, verb);
    cr_assert_eq(gri_frame_invoke(&out, &f, v, NULL), GR_OK);
    gr_value_unref(v);
    flush();
    due(GRI_FRAME_REPLY, &f);
    v = reason_of(&f);
    rc = gr_error_code(v);
    gr_value_unref(v);
    return rc;
}

/* What a node may be asked to do is said by its options, and ending it is by drain alone. */
Test(hostile_ties, a_nodes_own_actor_is_ended_by_no_signal)
{
    gr_value *kill = gr_str("kill");
    struct gri_frame f = { .type = GRI_FRAME_EXIT, .name = GR_ADMIN_NAME };

    cr_assert_eq(gr_node_admin(rt, GR_ADMIN(.read_only = true)), GR_OK);
    cr_assert_eq(gri_frame_signal(&out, &f, kill), GR_OK);
    cr_assert_eq(full_until_pong(), 0);
    cr_assert_eq(what_of_the_node("health"), GR_OK);
    say(GRI_FRAME_LINK, 8, GR_ADMIN_NAME, none, 5);
    flush();
    do
        cr_assert(next(&f));
    while (f.type == GRI_FRAME_MONITOR);
    cr_assert(f.type == GRI_FRAME_DOWN && f.id == 8, "a frame of type %d", (int)f.type);
    f = (struct gri_frame){ .type = GRI_FRAME_DOWN, .id = 8, .number = GRI_TIE_SENDERS };
    cr_assert_eq(gri_frame_signal(&out, &f, kill), GR_OK);
    gr_value_unref(kill);
    cr_assert_eq(full_until_pong(), 0);
    cr_assert_eq(what_of_the_node("health"), GR_OK);
}
