/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile_events_test.c - events that can't be, from a node that is called and played over a raw socket; and callers who
 * want to be told what they may not. Each test has a runtime of its own (gr_runtime_new).
 */
#include <greenroom/codec.h>

#include "tests/support/observer.h"
#include "tests/support/raw_node.h"
#include "tests/support/raw_peer.h"

static struct observer seen;
static struct raw node;

static void up(void)
{
    set_up();
    observer_init(&seen);
    open_raw(&node);
}

static void down(void)
{
    tear_down();
    observer_fini(&seen);
    close_raw(&node);
}

TestSuite(hostile_events, .init = up, .fini = down, .timeout = 120);

/* call has the runtime call the played node, and gives the call's number there. */
static gr_future *call(bool watched, uint64_t *ret_id)
{
    struct gri_strbuf out = GRI_STRBUF_INIT;
    struct gri_proof proof = { .stamp = 1 };
    gr_value *config = watched ? observed(&seen, NULL) : NULL;
    gr_future *f =
        gr_ainvoke(rt, gr_remote(root, node.url, "all"), gr_int(1), GR_CALL(.config = config));

    be_dialled(&node, 1, 2);
    cr_assert_eq(gri_frame_proof(&out, &proof), GR_OK);
    say(&node, &out);
    hear(&node, GRI_FRAME_INVOKE);
    cr_assert_eq(node.heard.watch != NULL, watched);
    *ret_id = node.heard.id;
    return f;
}

static void say_event(uint64_t id, gr_value *event)
{
    struct gri_strbuf out = GRI_STRBUF_INIT;

    cr_assert_eq(gri_frame_value(&out, GRI_FRAME_EVENT, id, event, NULL), GR_OK);
    say(&node, &out);
    gr_value_unref(event);
}

static gr_value *start(int run, int in)
{
    gr_value *v = json("{\"name\":\"r\",\"type\":1,\"tags\":[],\"metadata\":{}}");

    v = gr_set(gr_set(v, "id", gr_strf("run %d", run)), "in", gr_int(in));
    return gr_list(gr_int(1), gr_int(run), v);
}

static void end_well(gr_future *f, uint64_t id)
{
    struct gri_strbuf out = GRI_STRBUF_INIT;
    gr_value *v = gr_int(5);

    cr_assert_eq(gri_frame_value(&out, GRI_FRAME_REPLY, id, v, NULL), GR_OK);
    say(&node, &out);
    gr_value_unref(v);
    is(answer(f), "5");
}

Test(hostile_events, a_node_that_tells_what_it_should_is_believed)
{
    uint64_t id = 0;
    gr_future *f = call(true, &id);

    say_event(id, start(1, 0));
    say_event(id, start(2, 1));
    say_event(id, json("[2,2,\"chunk\"]"));
    say_event(id, json("[16,2,{\"name\":\"mine\",\"data\":7}]"));
    say_event(id, json("[4,2,{\"output\":3}]"));
    end_well(f, id); /* though the first has no end yet */
    lines_are(
        &seen, "knrpde",
        "[[\"start\",\"r\",\"r1\",null,null],[\"start\",\"r\",\"r2\",\"r1\",null],"
        "[\"stream\",\"r\",\"r2\",\"r1\",\"chunk\"],[\"custom\",\"mine\",\"r2\",\"r1\",7],"
        "[\"end\",\"r\",\"r2\",\"r1\",3],[\"error\",\"r\",\"r1\",null,null,\"GR_ECANCELED\"]]");
}

Test(hostile_events, an_event_of_a_call_that_nobody_observes_costs_the_link)
{
    uint64_t id = 0;
    gr_future *f = call(false, &id);

    say_event(id, start(1, 0));
    fails_with(answer(f), GR_EPROTO, "a frame of type 8");
}

Test(hostile_events, an_event_of_no_call_is_ignored)
{
    uint64_t id = 0;
    gr_future *f = call(true, &id);

    say_event(id + 1, start(1, 0));
    end_well(f, id);
}

/* wrong: after a beginning that is well, this costs the link, and the run ends. */
static void wrong(gr_value *event)
{
    uint64_t id = 0;
    gr_future *f = call(true, &id);

    say_event(id, start(1, 0));
    say_event(id, event);
    fails_with(answer(f), GR_EPROTO, "an event that can't be");
    cr_assert_eq(seen.run_count, 1u);
    cr_assert_eq(seen.runs[0].code, GR_EPROTO);
}

#define WRONG(name, text)                                                                          \
    Test(hostile_events, name)                                                                     \
    {                                                                                              \
        wrong(json(text));                                                                         \
    }

WRONG(no_list, "{}")
WRONG(an_empty_list, "[]")
WRONG(a_kind_that_is_none, "[3,1,{}]")
WRONG(a_run_that_has_not_begun, "[2,9,1]")
WRONG(a_run_below_one, "[2,-3,1]")
WRONG(an_end_without_an_output, "[4,1,{}]")
WRONG(an_end_that_is_no_map, "[4,1,7]")
WRONG(an_error_that_is_none, "[8,1,{\"error\":7}]")
WRONG(a_retry_without_an_error, "[32,1,7]")
WRONG(a_custom_event_without_a_name, "[16,1,{\"data\":7}]")
WRONG(a_number_twice, "[1,1,{\"id\":\"x\",\"name\":\"r\",\"type\":1,\"tags\":[],\"metadata\":{}}]")
WRONG(a_number_left_out,
      "[1,3,{\"id\":\"x\",\"name\":\"r\",\"type\":1,\"tags\":[],\"metadata\":{}}]")
WRONG(a_parent_that_is_none,
      "[1,2,{\"id\":\"x\",\"name\":\"r\",\"type\":1,\"in\":7,\"tags\":[],\"metadata\":{}}]")
WRONG(a_type_that_is_none,
      "[1,2,{\"id\":\"x\",\"name\":\"r\",\"type\":3,\"tags\":[],\"metadata\":{}}]")
WRONG(tags_that_are_none,
      "[1,2,{\"id\":\"x\",\"name\":\"r\",\"type\":1,\"tags\":[1],\"metadata\":{}}]")
WRONG(no_metadata, "[1,2,{\"id\":\"x\",\"name\":\"r\",\"type\":1,\"tags\":[]}]")
WRONG(no_id, "[1,2,{\"name\":\"r\",\"type\":1,\"tags\":[],\"metadata\":{}}]")

Test(hostile_events, an_end_that_comes_twice_costs_the_link)
{
    uint64_t id = 0;
    gr_future *f = call(true, &id);

    say_event(id, start(1, 0));
    say_event(id, json("[4,1,{\"output\":3}]"));
    say_event(id, json("[4,1,{\"output\":3}]"));
    fails_with(answer(f), GR_EPROTO, "an event that can't be");
    cr_assert_eq(seen.runs[0].ends, 1);
}

/* heavy_handler is slow, until it is let go, so no credit is given back. */
static pthread_mutex_t slow_lock = PTHREAD_MUTEX_INITIALIZER;

static void heavy(void *arg, const gr_event *e)
{
    (void)arg, (void)e;
    pthread_mutex_lock(&slow_lock);
    pthread_mutex_unlock(&slow_lock);
}

Test(hostile_events, events_beyond_the_credit_cost_the_link)
{
    gr_value *config =
        gr_map(GR_KV("callbacks", gr_list(gr_handler_value(GR_HANDLER(.on_event = heavy)))));
    struct gri_strbuf out = GRI_STRBUF_INIT;
    struct gri_proof proof = { .stamp = 1 };
    gr_value *v;
    gr_future *f;

    pthread_mutex_lock(&slow_lock);
    f = gr_ainvoke(rt, gr_remote(root, node.url, "all"), gr_int(1), GR_CALL(.config = config));
    be_dialled(&node, 1, 2);
    cr_assert_eq(gri_frame_proof(&out, &proof), GR_OK);
    say(&node, &out);
    hear(&node, GRI_FRAME_INVOKE);
    say_event(node.heard.id, start(1, 0));
    v = json("[2,1,\"chunk\"]");
    for (uint32_t i = 0; i <= node.heard.window / GRI_FRAME_EVENT_LEAST; i++)
        cr_assert_eq(gri_frame_value(&out, GRI_FRAME_EVENT, node.heard.id, v, NULL), GR_OK);
    gr_value_unref(v);
    (void)send(node.fd, out.data, out.len, MSG_NOSIGNAL); /* it may be cut off at some point */
    gri_strbuf_fini(&out);
    while (recv(node.fd, &(char[64]){ 0 }, 64, 0) > 0) /* beats, then the end */
        ;
    pthread_mutex_unlock(&slow_lock);
    fails_with(answer(f), GR_EPROTO, "beyond its credit");
}

/* ---- callers --------------------------------------------------------------------------------- */

static int dial(const char *url)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    struct gri_strbuf out = GRI_STRBUF_INIT;
    struct gri_hello h = test_hello(1, 101);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(a.sun_path, url + 6, strlen(url + 6) + 1);
    cr_assert_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    cr_assert_eq(test_greeting(&out, &h, 1), GR_OK);
    cr_assert_eq(send(fd, out.data, out.len, MSG_NOSIGNAL), out.len);
    gri_strbuf_fini(&out);
    return fd;
}

static void invoke(int fd, struct gri_frame *f, gr_value *watch, gr_value *config)
{
    struct gri_strbuf out = GRI_STRBUF_INIT;
    gr_value *args = gr_int(1);
    void *data = NULL;

    if (watch != NULL)
        cr_assert_eq(gr_msgpack_encode(watch, &data, &f->watch_size), GR_OK);
    f->watch = data;
    cr_assert_eq(gri_frame_invoke(&out, f, args, config), GR_OK);
    cr_assert_eq(send(fd, out.data, out.len, MSG_NOSIGNAL), out.len);
    gr_free(data);
    gr_value_unref(args);
    gr_value_unref(watch);
    gr_value_unref(config);
    gri_strbuf_fini(&out);
}

/* refused: such a watch costs its sender the link, and nobody else. */
static void refused(const char *watch)
{
    struct gri_frame f = { .id = 1, .window = 4096, .name = "all", .verb = "invoke" };
    gr_runtime *good = NULL;
    char url[128];
    gr_value *v;
    gr_ref far;
    int fd;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &good), GR_OK);
    test_peer_url(url, "ipc");
    test_peer_publish(rt);
    cr_assert_eq(gr_serve(rt, url, NULL), GR_OK);
    far = gr_remote(gr_root(good), url, "all");
    v = gr_invoke(good, far, gr_int(1), NULL, NULL);
    cr_assert_eq(gr_as_int(v, 0), 1);
    gr_value_unref(v);
    fd = dial(url);
    invoke(fd, &f, json(watch), NULL);
    while (recv(fd, &(char[64]){ 0 }, 64, 0) > 0) /* the greeting, then the end */
        ;
    close(fd);
    v = gr_invoke(good, far, gr_int(2), NULL, NULL);
    cr_assert_eq(gr_as_int(v, 0), 2);
    gr_value_unref(v);
    gr_runtime_free(good);
}

#define REFUSED(name, watch)                                                                       \
    Test(hostile_events, name)                                                                     \
    {                                                                                              \
        refused(watch);                                                                            \
    }

REFUSED(a_watch_that_is_no_map, "[1]")
REFUSED(a_watch_without_kinds, "{\"chunks\":1}")
REFUSED(a_watch_with_a_flag_that_is_none, "{\"kinds\":1,\"chunks\":1,\"tokens\":1}")
REFUSED(a_watch_in_runs_that_have_no_names, "{\"kinds\":1,\"chunks\":1,\"ids\":[]}")
REFUSED(a_watch_in_runs_without_tags, "{\"kinds\":1,\"chunks\":1,\"ids\":[\"a\"]}")

static void hear_msg(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)self, (void)msg;
    atomic_fetch_add((_Atomic int *)gr_as_opaque(gr_args(c)), 1);
}

/* Who is told of runs here is not for a peer to say: an actor that nobody has published can't be reached. */
Test(hostile_events, callbacks_that_a_peer_puts_into_a_config_are_nobodys)
{
    static const gr_class ear = GR_CLASS(.name = "ear", .receive = hear_msg);
    static _Atomic int heard;
    struct gri_frame f = { .id = 1, .name = "all", .verb = "invoke" };
    gr_ref secret = gr_spawn(root, &ear, GR_SPAWN(.args = gr_opaque((void *)&heard, NULL)));
    char url[128];

    test_peer_url(url, "ipc");
    test_peer_publish(rt);
    cr_assert_eq(gr_serve(rt, url, NULL), GR_OK);
    node.fd = dial(url);
    invoke(node.fd, &f, NULL, gr_map(GR_KV("callbacks", gr_list(gr_ref_value(secret)))));
    hear(&node, GRI_FRAME_REPLY);
    gr_value_unref(gr_take(gr_started(rt, secret), NULL)); /* after whatever was told before */
    cr_assert_eq(heard, 0);
}

/* ---- what a call may hold -------------------------------------------------------------------- */

static gr_code code_heard(void)
{
    gr_value *v = gr_msgpack_decode(node.heard.value, node.heard.value_size, NULL);
    gr_code rc = gr_error_code(v);

    gr_value_unref(v);
    return rc;
}

/* What a watch says stays for as long as the call does, as arguments do. */
Test(hostile_events, what_a_watch_holds_counts_as_arguments_do)
{
    char url[128], *text = calloc(1, 30001);

    memset(text, 'x', 30000);
    test_peer_url(url, "ipc");
    test_peer_publish(rt);
    cr_assert_eq(gr_node_configure(rt, GR_NODE(.args_bytes = 65536), NULL), GR_OK);
    cr_assert_eq(gr_serve(rt, url, NULL), GR_OK);
    node.fd = dial(url);
    for (uint64_t id = 1; id <= 3; id++) {
        struct gri_frame f = { .id = id, .window = 4096, .name = "all", .verb = "wait" };
        gr_value *watch = json("{\"kinds\":1,\"chunks\":1,\"ids\":[\"a\"],\"tags\":[]}");

        invoke(node.fd, &f, gr_set(watch, "metadata", gr_map(GR_KV("k", gr_str(text)))), NULL);
    }
    free(text);
    hear(&node, GRI_FRAME_REPLY);
    cr_assert_eq(node.heard.id, 3);
    cr_assert_eq(code_heard(), GR_EFULL);
}

Test(hostile_events, a_config_that_is_none_in_a_call_that_is_watched)
{
    struct gri_frame f = { .id = 1, .window = 4096, .name = "all", .verb = "invoke" };
    char url[128];

    test_peer_url(url, "ipc");
    test_peer_publish(rt);
    cr_assert_eq(gr_serve(rt, url, NULL), GR_OK);
    node.fd = dial(url);
    invoke(node.fd, &f, json("{\"kinds\":1,\"chunks\":1}"), gr_int(5));
    hear(&node, GRI_FRAME_REPLY);
    f.id = 2;
    invoke(node.fd, &f, json("{\"kinds\":1,\"chunks\":1}"), json("[]"));
    hear(&node, GRI_FRAME_REPLY);
}

static gr_value *three_refs(void)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (uint64_t id = 1; id <= 3; id++)
        list = gr_append(list, gr_ref_value((gr_ref){ 1, id }));
    return list;
}

static void say_value(enum gri_frame_type type, uint64_t id, gr_value *v)
{
    struct gri_strbuf out = GRI_STRBUF_INIT;

    cr_assert_eq(gri_frame_value(&out, type, id, v, NULL), GR_OK);
    say(&node, &out);
    gr_value_unref(v);
}

/* fails_alone: the call is given up, and others are not. */
static void fails_alone(gr_future *f, uint64_t id, enum gri_frame_type end)
{
    hear(&node, GRI_FRAME_CANCEL);
    cr_assert_eq(node.heard.id, id);
    say_value(end, id, NULL);
    fails_with(answer(f), GR_EFULL, "");
    f = gr_ainvoke(rt, gr_remote(root, node.url, "all"), gr_int(1), NULL);
    hear(&node, GRI_FRAME_INVOKE);
    say_value(GRI_FRAME_REPLY, node.heard.id, gr_int(6));
    is(answer(f), "6");
}

Test(hostile_events, an_event_with_more_refs_than_there_is_room_for_costs_its_call)
{
    uint64_t id = 0;
    gr_future *f;

    cr_assert_eq(gr_node_configure(rt, GR_NODE(.refs_max = 2), NULL), GR_OK);
    f = call(true, &id);
    say_event(id, start(1, 0));
    say_event(id, gr_list(gr_int(2), gr_int(1), three_refs()));
    say_event(id, start(2, 1)); /* what follows is of no use */
    fails_alone(f, id, GRI_FRAME_REPLY);
    cr_assert_eq(seen.run_count, 1u);
    cr_assert_eq(seen.runs[0].code, GR_EFULL);
}

Test(hostile_events, a_chunk_with_more_refs_than_there_is_room_for_costs_its_call)
{
    uint64_t id = 0;
    gr_future *all;
    gr_outcome o;
    gr_stream *s;

    cr_assert_eq(gr_node_configure(rt, GR_NODE(.refs_max = 2), NULL), GR_OK);
    all = call(false, &id);
    s = gr_astream(rt, gr_remote(root, node.url, "all"), gr_int(1), NULL);
    hear(&node, GRI_FRAME_INVOKE);
    say_value(GRI_FRAME_CHUNK, node.heard.id, gr_int(1));
    say_value(GRI_FRAME_CHUNK, node.heard.id, three_refs());
    say_value(GRI_FRAME_CHUNK, node.heard.id, gr_int(2));
    say_value(GRI_FRAME_END, node.heard.id, NULL);
    o = gr_next(s, TEST_WAIT_MS);
    cr_assert_eq(o.code, GR_OK, "%s", gr_error_text(o.error));
    cr_assert_eq(gr_as_int(o.value, 0), 1);
    o = gr_next(s, TEST_WAIT_MS);
    cr_assert_eq(o.code, GR_EFULL, "%s: %s", gr_code_name(o.code), gr_error_text(o.error));
    gr_stream_free(s);
    end_well(all, id);
}

/* ---- what takes long ------------------------------------------------------------------------- */

#define MANY_TAGS 200000

static gr_value *many_tags(char kind)
{
    gr_value **all = calloc(MANY_TAGS, sizeof(*all)), *list;

    for (int i = 0; i < MANY_TAGS; i++)
        all[i] = gr_strf("%c%06d", kind, i);
    list = gr_list_n(all, MANY_TAGS);
    free(all);
    return list;
}

/* say_cut sends a long frame in parts. */
static void say_cut(int fd, const struct gri_strbuf *frame)
{
    size_t at = GRI_FRAME_HEAD;

    while (at < frame->len) {
        size_t left = frame->len - at, size = left < 60000 ? left : 60000;
        char head[GRI_PART_HEAD_MAX];
        struct gri_strbuf out = GRI_STRBUF_INIT;

        gri_strbuf_add(&out, head, gri_frame_part(head, 0, left - size, size));
        gri_strbuf_add(&out, frame->data + at, size);
        cr_assert(raw_send(fd, &out));
        gri_strbuf_fini(&out);
        at += size;
    }
}

/* Each of the run's own tags is looked for among those that it inherits: a peer must not make that hours. */
Test(hostile_events, tags_without_number_on_both_sides_are_no_work_for_hours)
{
    struct gri_frame f = { .id = 1, .name = "all", .verb = "invoke" }, answer;
    struct gri_strbuf out = GRI_STRBUF_INIT;
    gr_value *watch = json("{\"kinds\":1,\"chunks\":1,\"ids\":[\"a\"],\"metadata\":{}}");
    gr_value *config = gr_map(GR_KV("tags", many_tags('c'))), *args = gr_int(1);
    void *data = NULL;
    char url[128];

    test_peer_url(url, "ipc");
    test_peer_publish(rt);
    cr_assert_eq(gr_serve(rt, url, NULL), GR_OK);
    node.fd = dial(url);
    watch = gr_set(watch, "tags", many_tags('w'));
    cr_assert_eq(gr_msgpack_encode(watch, &data, &f.watch_size), GR_OK);
    f.watch = data;
    f.window = GRI_FRAME_WINDOW_MAX; /* so much is told of it */
    cr_assert_eq(gri_frame_invoke(&out, &f, args, config), GR_OK);
    say_cut(node.fd, &out);
    cr_assert(raw_until(node.fd, GRI_FRAME_REPLY, &answer));
    gri_strbuf_fini(&out);
    gr_free(data);
    gr_value_unref(watch);
    gr_value_unref(config);
    gr_value_unref(args);
}

/* What open runs hold, and what the chunks of one come to, is bounded by bytes, not by their number alone. */
static void holds_too_much(gr_value *(*event)(int number))
{
    uint64_t id = 0;
    gr_future *f = call(true, &id);

    say_event(id, start(1, 0));
    for (int i = 2; i <= 70; i++) {
        struct gri_strbuf out = GRI_STRBUF_INIT;
        gr_value *v = event(i);

        cr_assert_eq(gri_frame_value(&out, GRI_FRAME_EVENT, id, v, NULL), GR_OK);
        say_cut(node.fd, &out);
        gri_strbuf_fini(&out);
        gr_value_unref(v);
        hear(&node, GRI_FRAME_CREDIT);
    }
    say_value(GRI_FRAME_REPLY, id, NULL);
    fails_with(answer(f), GR_EFULL, "");
}

static gr_value *megabyte(void)
{
    char *text = malloc(1024 * 1024);
    gr_value *v;

    memset(text, 'x', 1024 * 1024);
    v = gr_strn(text, 1024 * 1024);
    free(text);
    return v;
}

static gr_value *heavy_start(int number)
{
    gr_value *v = json("{\"name\":\"r\",\"type\":1,\"tags\":[],\"metadata\":{}}");

    v = gr_set(gr_set(v, "id", gr_strf("run %d", number)), "input", megabyte());
    return gr_list(gr_int(1), gr_int(number), v);
}

static gr_value *heavy_chunk(int number)
{
    (void)number;
    return gr_list(gr_int(2), gr_int(1), megabyte());
}

Test(hostile_events, open_runs_that_hold_too_much_cost_their_call)
{
    holds_too_much(heavy_start);
}

Test(hostile_events, chunks_without_end_of_an_open_run_cost_their_call)
{
    holds_too_much(heavy_chunk);
}
