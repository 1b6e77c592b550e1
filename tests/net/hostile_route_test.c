/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile_route_test.c - routes over a raw socket: from a peer that sends what it must not, and by way of one that says
 * each thing when the test wants it to.
 */
#include <stdatomic.h>
#include <stdio.h>

#include <greenroom/admin.h>

#include "tests/support/raw_node.h"

#define RAW_NODE 1 /* less than any runtime's, so they decide which connection is the link */
#define RAW_START 2

/* greet says what comes before calls, up to the welcome. link is 0 for who was dialled. */
static void greet(struct raw *r, uint64_t link, uint64_t features)
{
    struct gri_strbuf out = GRI_STRBUF_INIT;
    struct gri_hello h = test_hello(RAW_NODE, link);
    struct gri_proof proof = { .stamp = 1 };

    h.features = features;
    h.nonce[15] = (uint8_t)r->fd; /* of this connection */
    cr_assert_eq(gri_frame_hello(&out, &h), GR_OK);
    cr_assert_eq(gri_frame_proof(&out, &proof), GR_OK);
    if ((features & GRI_FEATURE_SHARE) == 0 && link != 0)
        cr_assert_eq(gri_frame_welcome(&out, 1), GR_OK);
    say(r, &out);
    if ((features & GRI_FEATURE_SHARE) != 0 || link == 0)
        hear(r, GRI_FRAME_WELCOME);
}

/* ---- a peer that sends what it must not ------------------------------------------------------- */

struct server {
    gr_runtime *rt, *friend_rt;
    gr_ref friend_far; /* another peer, which must not notice anything */
    char url[128];
    uint64_t node, incarnation;
    struct raw raw;
};

static void open_server_with(struct server *s, uint64_t features, int64_t args_bytes)
{
    struct sockaddr_un a;

    memset(s, 0, sizeof(*s));
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &s->rt), GR_OK);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &s->friend_rt), GR_OK);
    cr_assert_eq(gr_node_configure(s->rt, GR_NODE(.args_bytes = args_bytes), NULL), GR_OK);
    cr_assert_eq(gr_node_admin(s->rt, NULL), GR_OK);
    test_peer_url(s->url, "ipc");
    test_peer_publish(s->rt);
    cr_assert_eq(gr_serve(s->rt, s->url, NULL), GR_OK);
    s->friend_far = gr_remote(gr_root(s->friend_rt), s->url, "all");
    s->node = gri_node_get(s->rt)->id;
    s->incarnation = gri_node_get(s->rt)->incarnation;
    a = raw_address(s->url);
    s->raw.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(s->raw.fd, (struct sockaddr *)&a, sizeof(a)), 0);
    greet(&s->raw, 7, features);
}

static void open_server(struct server *s, uint64_t features)
{
    open_server_with(s, features, 0);
}

static void close_server(struct server *s)
{
    gr_value *err = NULL, *v = gr_invoke(s->friend_rt, s->friend_far, gr_int(8), NULL, &err);

    cr_assert_eq(gr_as_int(v, 0), 8, "%s", gr_error_text(err));
    gr_value_unref(v);
    close(s->raw.fd);
    gr_runtime_free(s->friend_rt);
    gr_runtime_free(s->rt);
}

#define BOTH (GRI_FEATURE_SHARE | GRI_FEATURE_ROUTE)

/* A route of the raw peer's own, with the server's echo as its first step. */
struct sent {
    struct gri_frame f;
    struct gri_strbuf steps;
    gr_value *args, *config; /* owned; NULL: 5, and none */
};

static void add_step(struct sent *t, const char *url, uint64_t node, uint64_t incarnation,
                     const char *name)
{
    struct gri_route_step s = { .node = node, .incarnation = incarnation };

    memcpy(s.url, url, strlen(url) + 1);
    memcpy(s.name, name, strlen(name) + 1);
    gri_route_step_write(&t->steps, &s);
    t->f.step_count++;
}

static struct sent good_route(const struct server *s, uint64_t id)
{
    struct sent t = { .f = { .id = id, .origin = RAW_NODE, .incarnation = RAW_START, .call = id },
                      .steps = GRI_STRBUF_INIT };

    add_step(&t, s->url, s->node, s->incarnation, "all");
    return t;
}

/* say_in_parts is for a frame that is too long to go whole. */
static void say_in_parts(struct raw *r, const struct gri_strbuf *frame)
{
    size_t at = GRI_FRAME_HEAD, part = 60000;

    while (at < frame->len) {
        size_t size = frame->len - at < part ? frame->len - at : part;
        char head[GRI_PART_HEAD_MAX];
        struct gri_strbuf out = GRI_STRBUF_INIT;

        gri_strbuf_add(&out, head, gri_frame_part(head, 0, frame->len - at - size, size));
        gri_strbuf_add(&out, frame->data + at, size);
        say(r, &out);
        at += size;
    }
}

static void send_route(struct server *s, struct sent *t)
{
    struct gri_strbuf out = GRI_STRBUF_INIT;
    gr_value *v = t->args != NULL ? t->args : gr_int(5);

    t->f.steps = (const uint8_t *)t->steps.data;
    t->f.steps_size = t->steps.len;
    cr_assert_eq(gri_frame_route(&out, &t->f, v, t->config), GR_OK);
    if (out.len > GRI_WHOLE_MAX)
        say_in_parts(&s->raw, &out);
    else
        say(&s->raw, &out);
    gri_strbuf_fini(&out);
    gri_strbuf_fini(&t->steps);
    gr_value_unref(v);
    gr_value_unref(t->config);
}

static void costs_the_link(struct server *s, struct sent *t)
{
    send_route(s, t);
    cr_assert(is_closed(&s->raw));
    close_server(s);
}

/* is_refused: the call was not taken, and the link is as it was. */
static void is_refused(struct server *s, struct sent *t, gr_code code)
{
    struct sent good = good_route(s, 9);
    gr_value *v;

    send_route(s, t);
    hear(&s->raw, GRI_FRAME_REPLY);
    v = heard_value(&s->raw);
    cr_assert_eq(s->raw.heard.id, t->f.id);
    cr_assert_eq(gr_error_code(v), code, "%s", gr_error_text(v));
    cr_assert_str_eq(gr_cstr(gr_get(v, "kind"), ""), "NotServed");
    gr_value_unref(v);
    send_route(s, &good);
    hear(&s->raw, GRI_FRAME_REPLY);
    v = heard_value(&s->raw);
    cr_assert_eq(gr_as_int(v, 0), 5);
    gr_value_unref(v);
    close_server(s);
}

Test(hostile_route, a_route_of_one_step_is_answered)
{
    struct server s;
    struct sent t;
    gr_value *v;

    open_server(&s, BOTH);
    t = good_route(&s, 3);
    send_route(&s, &t);
    hear(&s.raw, GRI_FRAME_REPLY);
    v = heard_value(&s.raw);
    cr_assert_eq(s.raw.heard.id, 3);
    cr_assert_eq(gr_as_int(v, 0), 5);
    gr_value_unref(v);
    close_server(&s);
}

Test(hostile_route, a_route_over_a_link_that_takes_none)
{
    struct server s;
    struct sent t;

    open_server(&s, 0);
    t = good_route(&s, 3);
    costs_the_link(&s, &t);
}

Test(hostile_route, a_route_from_an_older_peer)
{
    struct server s;
    struct sent t;

    open_server(&s, GRI_FEATURE_SHARE);
    t = good_route(&s, 3);
    costs_the_link(&s, &t);
}

Test(hostile_route, a_route_without_a_step)
{
    struct server s;
    struct sent t = { .f = { .id = 3, .origin = RAW_NODE, .incarnation = RAW_START, .call = 3 } };

    open_server(&s, BOTH);
    costs_the_link(&s, &t);
}

Test(hostile_route, a_route_of_ones_own_under_two_numbers)
{
    struct server s;
    struct sent t;

    open_server(&s, BOTH);
    t = good_route(&s, 3);
    t.f.call = 4;
    costs_the_link(&s, &t);
}

Test(hostile_route, more_steps_than_there_may_be)
{
    struct server s;
    struct sent t;

    open_server(&s, BOTH);
    t = good_route(&s, 3);
    for (int i = 0; i < 256; i++)
        add_step(&t, "ipc:///x", 5, 5, "all");
    costs_the_link(&s, &t);
}

Test(hostile_route, longer_steps_than_there_may_be)
{
    struct server s;
    struct sent t;
    char url[250];

    open_server(&s, BOTH);
    t = good_route(&s, 3);
    memset(url, 'x', sizeof(url));
    memcpy(url, "ipc:///", 7);
    url[sizeof(url) - 1] = '\0';
    for (int i = 0; i < 250; i++)
        add_step(&t, url, 5, 5, "this name is longer than the one that is meant");
    costs_the_link(&s, &t);
}

Test(hostile_route, a_step_that_is_cut_off)
{
    struct server s;
    struct sent t;

    open_server(&s, BOTH);
    t = good_route(&s, 3);
    t.f.step_count = 2;
    costs_the_link(&s, &t);
}

Test(hostile_route, a_route_that_was_never_ours_comes_back)
{
    struct server s;
    struct sent t, good;

    open_server(&s, BOTH);
    t = good_route(&s, 3);
    t.f.origin = s.node;
    t.f.incarnation = s.incarnation;
    send_route(&s, &t); /* about a call that is over, for all that the server knows */
    good = good_route(&s, 9);
    send_route(&s, &good);
    hear(&s.raw, GRI_FRAME_REPLY);
    cr_assert_eq(s.raw.heard.id, 9);
    close_server(&s);
}

Test(hostile_route, a_caller_that_nobody_knows)
{
    struct server s;
    struct sent t;

    open_server(&s, BOTH);
    t = good_route(&s, 3);
    t.f.origin = 77;
    is_refused(&s, &t, GR_EUNREACH);
}

Test(hostile_route, a_step_for_another_start_of_the_node)
{
    struct server s;
    struct sent t = { .f = { .id = 3, .origin = RAW_NODE, .incarnation = RAW_START, .call = 3 } };

    open_server(&s, BOTH);
    add_step(&t, s.url, s.node, s.incarnation + 1, "all");
    is_refused(&s, &t, GR_EUNREACH);
}

Test(hostile_route, a_name_that_is_not_published)
{
    struct server s;
    struct sent t = { .f = { .id = 3, .origin = RAW_NODE, .incarnation = RAW_START, .call = 3 } };

    open_server(&s, BOTH);
    add_step(&t, s.url, s.node, s.incarnation, "nobody");
    is_refused(&s, &t, GR_EDEAD);
}

/* The actor by which a node is operated knows its callers by their links, so no route leads to it. */
Test(hostile_route, a_name_of_the_nodes_own)
{
    struct server s;
    struct sent t = { .f = { .id = 3, .origin = RAW_NODE, .incarnation = RAW_START, .call = 3 } };

    open_server(&s, BOTH);
    add_step(&t, s.url, s.node, s.incarnation, "$node");
    is_refused(&s, &t, GR_EDEAD);
}

Test(hostile_route, a_name_of_the_nodes_own_as_a_later_step)
{
    struct server s;
    struct sent t;

    open_server(&s, BOTH);
    t = good_route(&s, 3);
    add_step(&t, s.url, s.node, s.incarnation, "$node");
    is_refused(&s, &t, GR_EDEAD);
}

/* Who hears of the runs is not for a config to say that another process has written. */
Test(hostile_route, callbacks_in_a_config)
{
    struct server s;
    struct sent t;
    gr_value *v;

    open_server(&s, BOTH);
    t = good_route(&s, 3);
    t.config = gr_map(GR_KV("callbacks", gr_int(7)));
    send_route(&s, &t);
    hear(&s.raw, GRI_FRAME_REPLY);
    v = heard_value(&s.raw);
    cr_assert_eq(gr_as_int(v, 0), 5, "%s", gr_error_text(v));
    gr_value_unref(v);
    close_server(&s);
}

Test(hostile_route, more_bytes_of_arguments_than_a_link_may_bring)
{
    static char text[20000];
    struct server s;
    struct sent t;

    memset(text, 'x', sizeof(text));
    open_server_with(&s, BOTH, 8192);
    t = good_route(&s, 3);
    t.args = gr_strn(text, sizeof(text));
    is_refused(&s, &t, GR_EFULL);
}

/* URLs that a peer names are dialled, but only so many are kept in mind; what can't be passed on comes back. */
Test(hostile_route, urls_without_end)
{
    enum { ROUTES = 1200 };
    struct server s;

    open_server(&s, BOTH);
    for (uint64_t i = 0; i < ROUTES; i++) {
        struct sent t = good_route(&s, 100 + i);
        char url[64];
        gr_value *v;

        snprintf(url, sizeof(url), i % 3 == 0 ? "http://127.0.0.1/%d" : "ipc:///nobody/%d", (int)i);
        add_step(&t, url, 5, 5, "all");
        send_route(&s, &t);
        hear(&s.raw, GRI_FRAME_ROUTE);
        v = heard_value(&s.raw);
        cr_assert_eq(s.raw.heard.call, 100 + i);
        cr_assert_eq(s.raw.heard.number, 1);
        cr_assert_eq(s.raw.heard.step_count, 0);
        cr_assert_eq(gr_as_int(v, 0), 5);
        gr_value_unref(v);
    }
    cr_assert_leq(gri_node_get(s.rt)->targets.count, GRI_TARGETS_ASKED);
    close_server(&s);
}

/* A URL may mean somebody else where it is dialled. That one gets nothing. */
Test(hostile_route, a_url_that_leads_to_another_node_than_is_meant)
{
    gr_stats stats = GR_STATS_INIT;
    struct server s;
    struct sent t;
    char url[128];

    open_server(&s, BOTH);
    test_peer_url(url, "ipc");
    cr_assert_eq(gr_serve(s.friend_rt, url, NULL), GR_OK);
    cr_assert_eq(gr_publish(s.friend_rt, "echo", test_peer_publish(s.friend_rt)), GR_OK);
    t = good_route(&s, 3);
    add_step(&t, url, 5, 5, "echo");
    send_route(&s, &t);
    hear(&s.raw, GRI_FRAME_ROUTE);
    cr_assert_eq(s.raw.heard.number, 1);
    gr_stats_read(s.friend_rt, &stats);
    cr_assert_eq(stats.values_received, 0);
    close_server(&s);
}

/* ---- a peer that a route leads to ------------------------------------------------------------- */

/* The caller has N, the raw node and N in turn as steps. */
struct line {
    gr_runtime *rt, *n;
    char url[128];
    struct raw from_caller, from_n; /* dialled at the same door */
    gr_future *f;
    uint64_t call; /* the route's number */
};

static _Atomic int n_runs;

static gr_value *n_step(gr_ctx *c, void *arg, const gr_value *v)
{
    (void)c, (void)arg;
    atomic_fetch_add(&n_runs, 1);
    return gr_int(gr_as_int(v, 0) + 1);
}

static void accept_at(struct line *l, struct raw *r)
{
    r->fd = accept(l->from_caller.door, NULL, NULL);
    cr_assert_geq(r->fd, 0);
    greet(r, 0, BOTH);
}

/* open_line leaves the call with the raw node, which has not said so yet. */
static void open_line(struct line *l)
{
    gr_ref refs[3];

    memset(l, 0, sizeof(*l));
    atomic_store(&n_runs, 0);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &l->rt), GR_OK);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &l->n), GR_OK);
    test_peer_url(l->url, "ipc");
    cr_assert_eq(gr_publish(l->n, "n", gr_lambda(gr_root(l->n), GR_CHEAP, n_step, NULL, NULL)),
                 GR_OK);
    cr_assert_eq(gr_serve(l->n, l->url, NULL), GR_OK);
    open_raw(&l->from_caller);
    refs[0] = refs[2] = gr_remote(gr_root(l->rt), l->url, "n");
    refs[1] = gr_remote(gr_root(l->rt), l->from_caller.url, "raw");
    gr_value_unref(
        gr_invoke(l->rt, refs[0], gr_int(0), NULL, NULL)); /* both ends know their link */
    l->f = gr_ainvoke(l->rt, gr_seq_n(gr_root(l->rt), refs, 3), gr_int(1), NULL);
    accept_at(l, &l->from_caller);
    accept_at(l, &l->from_n);
    hear(&l->from_n, GRI_FRAME_ROUTE);
    l->call = l->from_n.heard.call;
    cr_assert_eq(l->from_n.heard.number, 1);
    cr_assert_eq(l->from_n.heard.step_count, 2);
    cr_assert_eq(atomic_load(&n_runs), 2);
}

static void close_line(struct line *l)
{
    gr_future_free(l->f);
    close(l->from_n.fd);
    close_raw(&l->from_caller);
    gr_runtime_free(l->rt);
    gr_runtime_free(l->n);
}

static void say_held(struct raw *r, uint64_t id, uint64_t number)
{
    struct gri_strbuf out = GRI_STRBUF_INIT;

    cr_assert_eq(gri_frame_number(&out, GRI_FRAME_HELD, id, number), GR_OK);
    say(r, &out);
}

static void say_reply(struct raw *r, uint64_t id, gr_value *v)
{
    struct gri_strbuf out = GRI_STRBUF_INIT;

    cr_assert_eq(gri_frame_value(&out, GRI_FRAME_REPLY, id, v, NULL), GR_OK);
    gr_value_unref(v);
    say(r, &out);
}

/* knows_held has the caller read what was said before, since it answers this. */
static void knows_held(struct line *l)
{
    struct gri_strbuf out = GRI_STRBUF_INIT;

    say_held(&l->from_n, l->from_n.heard.id, 1);
    say_held(&l->from_caller, l->call, 1);
    cr_assert_eq(gri_frame_number(&out, GRI_FRAME_PING, 1, 1), GR_OK);
    say(&l->from_caller, &out);
    hear(&l->from_caller, GRI_FRAME_PING);
}

static void ends_with(struct line *l, gr_code code)
{
    gr_outcome o = gr_await(l->f, -1);

    cr_assert_eq(o.code, code, "%s: %s", gr_code_name(o.code), gr_error_text(o.error));
    cr_assert_str_neq(gr_cstr(gr_get(o.error, "kind"), ""), "NotSent");
}

Test(hostile_route, an_answer_in_the_middle_of_a_route_ends_it)
{
    struct line l;

    open_line(&l);
    knows_held(&l);
    say_reply(&l.from_caller, l.call, gr_int(50));
    ends_with(&l, GR_OK);
    cr_assert_eq(gr_as_int(gr_await(l.f, 0).value, 0), 50);
    close_line(&l);
}

Test(hostile_route, a_link_that_is_lost_with_the_call_on_it_fails_the_call)
{
    struct line l;

    open_line(&l);
    shutdown(l.from_n.fd, SHUT_RDWR);
    ends_with(&l, GR_EUNREACH);
    cr_assert_not_null(strstr(gr_error_text(gr_await(l.f, 0).error), "was lost"));
    cr_assert_eq(atomic_load(&n_runs), 2, "no step runs again");
    close_line(&l);
}

/* Once the caller knows who has it, it does not matter what becomes of the way there. */
Test(hostile_route, a_link_that_is_lost_after_the_call_was_taken_does_not_matter)
{
    struct line l;

    open_line(&l);
    say_held(&l.from_caller, l.call, 1);
    knows_held(&l);
    shutdown(l.from_n.fd, SHUT_RDWR);
    cr_assert_eq(gr_await(l.f, 50).code, GR_EPENDING);
    say_reply(&l.from_caller, l.call, gr_int(50));
    ends_with(&l, GR_OK);
    close_line(&l);
}

/* The same before N has heard that the call was taken: its word that it may be lost comes too late. */
Test(hostile_route, a_late_report_of_a_loss_is_no_loss)
{
    struct line l;
    struct gri_strbuf out = GRI_STRBUF_INIT;

    open_line(&l);
    say_held(&l.from_caller, l.call, 2);
    cr_assert_eq(gri_frame_number(&out, GRI_FRAME_PING, 1, 1), GR_OK);
    say(&l.from_caller, &out);
    hear(&l.from_caller, GRI_FRAME_PING);
    say_reply(&l.from_caller, l.call, gr_error(GR_EUNREACH, "lost, I fear"));
    cr_assert_eq(gr_await(l.f, 50).code, GR_EPENDING,
                 "the third step is known to have been reached");
    close_line(&l);
}

Test(hostile_route, the_holders_link_with_the_caller_is_lost)
{
    struct line l;

    open_line(&l);
    knows_held(&l);
    shutdown(l.from_caller.fd, SHUT_RDWR);
    ends_with(&l, GR_EUNREACH);
    close_line(&l);
}

/* Who refuses has the call come back with its value; the caller goes on by a call of its own, and then the rest. */
Test(hostile_route, a_refused_call_goes_on_through_the_caller)
{
    struct line l;
    gr_value *v;

    open_line(&l);
    say_reply(&l.from_n, l.from_n.heard.id, gr_error(GR_EFULL, "no room"));
    hear(&l.from_caller, GRI_FRAME_INVOKE);
    v = heard_value(&l.from_caller);
    cr_assert_eq(gr_as_int(v, 0), 2);
    gr_value_unref(v);
    say_reply(&l.from_caller, l.from_caller.heard.id, gr_int(10));
    ends_with(&l, GR_OK);
    cr_assert_eq(gr_as_int(gr_await(l.f, 0).value, 0), 11);
    cr_assert_eq(atomic_load(&n_runs), 3);
    close_line(&l);
}

Test(hostile_route, cancelling_reaches_who_has_said_that_it_holds_the_call)
{
    struct line l;

    open_line(&l);
    knows_held(&l);
    gr_future_cancel(l.f);
    hear(&l.from_caller, GRI_FRAME_CANCEL);
    cr_assert_eq(l.from_caller.heard.id, l.call);
    close_line(&l);
}

/* The caller gave up before it learned who has the call now: whoever says so is told. */
Test(hostile_route, who_takes_a_call_that_is_cancelled_is_told_so)
{
    struct line l;

    open_line(&l);
    gr_future_cancel(l.f);
    cr_assert_eq(gr_await(l.f, -1).code, GR_ECANCELED);
    say_held(&l.from_n, l.from_n.heard.id, 1);
    say_held(&l.from_caller, l.call, 1);
    hear(&l.from_caller, GRI_FRAME_CANCEL);
    cr_assert_eq(l.from_caller.heard.id, l.call);
    close_line(&l);
}

Test(hostile_route, who_takes_a_call_that_nobody_makes_is_told_so)
{
    struct line l;

    open_line(&l);
    say_held(&l.from_caller, 123456, 1);
    hear(&l.from_caller, GRI_FRAME_CANCEL);
    cr_assert_eq(l.from_caller.heard.id, 123456);
    close_line(&l);
}

Test(hostile_route, a_step_that_the_route_has_not)
{
    struct line l;

    open_line(&l);
    say_held(&l.from_caller, l.call, 3);
    cr_assert(is_closed(&l.from_caller));
    ends_with(&l, GR_EPROTO);
    close_line(&l);
}

Test(hostile_route, a_chunk_for_a_call_with_a_route)
{
    struct line l;
    struct gri_strbuf out = GRI_STRBUF_INIT;
    gr_value *v = gr_int(1);

    open_line(&l);
    cr_assert_eq(gri_frame_value(&out, GRI_FRAME_CHUNK, l.call, v, NULL), GR_OK);
    say(&l.from_caller, &out);
    gr_value_unref(v);
    cr_assert(is_closed(&l.from_caller));
    ends_with(&l, GR_EPROTO);
    close_line(&l);
}
