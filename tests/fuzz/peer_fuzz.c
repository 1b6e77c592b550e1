/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer_fuzz.c - what a peer may do over a link: any sequence of frames and events, to a real node
 * over a link that this file plays. Whatever comes, what our side sends is frames, each call is
 * answered at most once and none that was not made, and when the link is down everything goes.
 *
 * The first byte chooses who dialled, whether the peer greets, and whether it shares links. Then operations, a byte each:
 * the low bits say what, what follows are its operands. A frame may also be given byte by byte.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include <greenroom/greenroom.h>
#include <greenroom/codec.h>

#include "runtime/net/frame.h"
#include "runtime/net/node.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/greeting.h"
#include "tests/support/served.h"

#define OPS_MAX 64
#define IDS 64        /* calls that are watched: those with small ids */
#define CALLS_MAX 8   /* of ours */
#define RUNS_EACH 256 /* inputs of one runtime; then nothing of it may be left */
#define URL "ipc:///fuzz"
#define PEER_NODE 3
#define SETTLE_NS (UINT64_C(10) * 1000000000)

struct fake {
    struct gri_link base;
    const struct gri_link_events *events;
    void *arg;
    size_t frame_max;
    atomic_bool played;   /* it was dialled */
    pthread_mutex_t lock; /* guards all below */
    bool closing, down, full, released;
    gr_value *why;
    uint8_t invoked[IDS], answered[IDS]; /* the peer's calls, and our answers, by id */
};

static gr_runtime *rt;
static long blocks;      /* before rt was made */
static gr_ref published; /* what we serve */
static gr_ref far;       /* our proxy for what the peer publishes */
static gr_ref twice;     /* a sequence of it and itself: a call with a route */
static struct fake fake;
static gri_accept_fn *accept_fn;
static void *accept_arg;
static struct gri_listener listener;

/* ---- the driver ------------------------------------------------------------------------------ */

/* note_frame checks one frame of ours. */
static void note_frame(const uint8_t *body, size_t size)
{
    struct gri_frame f;
    gr_value *err = NULL;

    must(gri_frame_parse(body, size, &f, &err) == GR_OK);
    if (f.value != NULL)
        gr_value_unref(gr_msgpack_decode(f.value, f.value_size, NULL));
    if ((f.type != GRI_FRAME_REPLY && f.type != GRI_FRAME_END) || f.id >= IDS)
        return;
    must(++fake.answered[f.id] <= fake.invoked[f.id]);
}

static gr_code note_frames(const uint8_t *p, size_t size)
{
    gr_code rc = GR_OK;

    pthread_mutex_lock(&fake.lock);
    if (fake.closing)
        rc = GR_EUNREACH;
    while (rc == GR_OK && size > 0) {
        size_t n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];

        must(size >= GRI_FRAME_HEAD && n > 0 && n <= size - GRI_FRAME_HEAD);
        note_frame(p + GRI_FRAME_HEAD, n);
        p += GRI_FRAME_HEAD + n;
        size -= GRI_FRAME_HEAD + n;
    }
    pthread_mutex_unlock(&fake.lock);
    return rc;
}

static gr_code fake_send(struct gri_link *link, const struct gri_slice *slices, unsigned count,
                         bool *ret_busy)
{
    struct gri_strbuf all = GRI_STRBUF_INIT;
    gr_code rc;

    (void)link;
    for (unsigned i = 0; i < count; i++)
        gri_strbuf_add(&all, slices[i].data, slices[i].size);
    rc = note_frames((const uint8_t *)all.data, all.len);
    gri_strbuf_fini(&all);
    pthread_mutex_lock(&fake.lock);
    *ret_busy = fake.full;
    pthread_mutex_unlock(&fake.lock);
    return rc;
}

static void fake_urge(struct gri_link *link, const void *frame, size_t size)
{
    gr_code rc = note_frames(frame, size);

    (void)link, (void)rc;
}

static void fake_vitals(struct gri_link *link, struct gri_vitals *ret)
{
    (void)link;
    *ret = (struct gri_vitals){ .heard_ns = UINT64_MAX };
}

static void fake_limit(struct gri_link *link, size_t frame_max)
{
    (void)link;
    fake.frame_max = frame_max;
}

static void fake_close(struct gri_link *link, gr_value *why)
{
    (void)link;
    pthread_mutex_lock(&fake.lock);
    if (!fake.closing) {
        fake.closing = true;
        fake.why = why;
        why = NULL;
    }
    pthread_mutex_unlock(&fake.lock);
    gr_value_unref(why);
}

static void fake_release(struct gri_link *link)
{
    (void)link;
    pthread_mutex_lock(&fake.lock);
    must(fake.down && !fake.released);
    fake.released = true;
    pthread_mutex_unlock(&fake.lock);
}

static gr_code fake_dial(gr_runtime *of, const char *url, const struct gri_tls *tls,
                         const struct gri_link_events *events, void *arg,
                         struct gri_link **ret_link, gr_value **reterr)
{
    (void)of, (void)url, (void)tls;
    if (atomic_load(&fake.played) ||
        fake.events != NULL) { /* one link is played; another can't be had */
        *reterr = gr_error(GR_EUNREACH, "no more links");
        return GR_EUNREACH;
    }
    fake.events = events;
    fake.arg = arg;
    *ret_link = &fake.base;
    atomic_store(&fake.played, true);
    return GR_OK;
}

static gr_code fake_listen(gr_runtime *of, const char *url, const struct gri_tls *tls,
                           gri_accept_fn *accept, void *arg, struct gri_listener **ret_listener,
                           gr_value **reterr)
{
    (void)of, (void)url, (void)tls, (void)reterr;
    accept_fn = accept;
    accept_arg = arg;
    *ret_listener = &listener;
    return GR_OK;
}

static void fake_unlisten(struct gri_listener *l)
{
    must(l == &listener);
}

static const struct gri_net_driver driver = { .dial = fake_dial,
                                              .listen = fake_listen,
                                              .unlisten = fake_unlisten,
                                              .send = fake_send,
                                              .urge = fake_urge,
                                              .vitals = fake_vitals,
                                              .limit = fake_limit,
                                              .close = fake_close,
                                              .finish = fake_close,
                                              .release = fake_release };

/* ---- what the peer does ----------------------------------------------------------------------- */

struct input {
    const uint8_t *p, *end;
    gr_ref far; /* the proxy; {0, 0} when the peer has dialled us */
    gr_future *futures[CALLS_MAX];
    gr_stream *streams[CALLS_MAX];
    size_t future_count, stream_count;
};

static uint8_t take(struct input *in)
{
    return in->p < in->end ? *in->p++ : 0;
}

/* take_value gives a small value, or one that is decoded from the input. */
static gr_value *take_value(struct input *in)
{
    uint8_t what = take(in);
    size_t left = (size_t)(in->end - in->p), size = what % 32 < left ? what % 32u : left;
    gr_value *v = gr_msgpack_decode(in->p, size, NULL);

    in->p += size;
    if (gr_error_code(v) == GR_OK)
        return v;
    gr_value_unref(v);
    return what >= 240 ? gr_ref_value((gr_ref){ PEER_NODE, what % 8 }) : gr_int(what);
}

/* give passes one frame in, as a link would. */
static void give(const void *body, size_t size)
{
    struct gri_frame f;
    gr_value *err = NULL;
    bool closing;

    if (size == 0 || size > fake.frame_max)
        return;
    pthread_mutex_lock(&fake.lock);
    closing = fake.closing;
    if (gri_frame_parse(body, size, &f, &err) == GR_OK && f.id < IDS &&
        (f.type == GRI_FRAME_INVOKE || f.type == GRI_FRAME_ROUTE))
        fake.invoked[f.id]++;
    pthread_mutex_unlock(&fake.lock);
    gr_value_unref(err);
    if (!closing)
        fake.events->frame(fake.arg, body, size);
}

static void give_buf(struct gri_strbuf *b)
{
    if (b->len > GRI_FRAME_HEAD)
        give(b->data + GRI_FRAME_HEAD, b->len - GRI_FRAME_HEAD);
    gri_strbuf_fini(b);
}

/* give_hello says hello as who accepted, or as who dialled, and is willing to share a link or not. */
static void give_hello(bool accepted, bool share)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    struct gri_hello h = test_hello(PEER_NODE, accepted ? 0 : 9);

    h.features = share ? GRI_FEATURE_SHARE | GRI_FEATURE_ROUTE : 0;
    must(gri_frame_hello(&b, &h) == GR_OK);
    give_buf(&b);
}

static void give_proof(struct input *in)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    uint8_t what = take(in);
    struct gri_proof p = { .stamp = what, .hold_count = what % 3 };

    p.mac_size = what >= 192 ? GRI_MAC_SIZE : 0;
    must(gri_frame_proof(&b, &p) == GR_OK);
    give_buf(&b);
}

/* give_part gives a part of some frame, or of none. */
static void give_part(struct input *in)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    char head[GRI_PART_HEAD_MAX];
    uint8_t slot = take(in) % GRI_PARTS_MAX, more = take(in);
    size_t left = (size_t)(in->end - in->p), size = take(in);

    left -= left > 0;
    size = size < left ? size : left;
    gri_strbuf_add(&b, head, gri_frame_part(head, slot, (size_t)more << more % 24, size));
    gri_strbuf_add(&b, in->p, size);
    in->p += size;
    give_buf(&b);
}

/* give_verdict gives the word of who decides. */
static void give_verdict(struct input *in)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    uint8_t what = take(in);

    if (what < 192)
        must(gri_frame_welcome(&b, 1 + what % 4) == GR_OK);
    else
        must(gri_frame_refuse(&b, what % 2 == 0 ? GR_OK : GR_EPROTO, what % 8, "no\n") == GR_OK);
    give_buf(&b);
}

/* watch_of gives the watch of an invoke: none, a good one, or what there is in the input; for gr_free. */
static void *watch_of(struct input *in, uint8_t id, size_t *ret_size)
{
    gr_value *v;
    void *data = NULL;

    if (id < 128)
        return NULL;
    if (id < 192)
        v = gr_map(GR_KV("kinds", gr_int(id)), GR_KV("chunks", gr_int(255)),
                   GR_KV("tokens", gr_bool(id % 2 == 0)), GR_KV("first", gr_bool(id % 3 == 0)),
                   GR_KV("ids", gr_list(gr_str("a"), gr_str("b"))),
                   GR_KV("tags", gr_list_n(NULL, 0)), GR_KV("metadata", gr_map_n(NULL, 0)));
    else
        v = take_value(in);
    must(gr_msgpack_encode(v, &data, ret_size) == GR_OK);
    gr_value_unref(v);
    return data;
}

static void give_invoke(struct input *in)
{
    static const char *const names[] = { "x", "gone" };
    static const char *const verbs[] = { "invoke", "nap", "stream", "transform", "batch", "none" };
    struct gri_strbuf b = GRI_STRBUF_INIT;
    uint8_t id = take(in), what = take(in);
    struct gri_frame f = { .id = id, .flags = what & 3, .window = 4096, .least = 16 };
    gr_value *args = take_value(in);
    void *watch = watch_of(in, id, &f.watch_size);

    f.watch = watch;
    snprintf(f.name, sizeof(f.name), "%s", names[(what >> 2 & 7) == 7]);
    snprintf(f.verb, sizeof(f.verb), "%s", verbs[(what >> 5) % 6]);
    f.deadline_ms = what == 255 ? 1 : 0;
    must(gri_frame_invoke(&b, &f, args, NULL) == GR_OK);
    gr_value_unref(args);
    gr_free(watch);
    give_buf(&b);
}

/* give_route gives a route of the peer's or somebody else's, to us and on to some node; or one that comes back. */
static void give_route(struct input *in)
{
    const struct gri_node *node = gri_node_get(rt);
    struct gri_strbuf b = GRI_STRBUF_INIT, steps = GRI_STRBUF_INIT;
    uint8_t id = take(in), what = take(in), more = take(in);
    struct gri_frame f = { .id = 1u + id,
                           .call = 1u + id + (what % 16 == 15),
                           .number = what / 16 };
    struct gri_route_step s = {
        .url = URL, .node = node->id, .incarnation = node->incarnation, .name = "x"
    };
    gr_value *args = take_value(in);

    f.origin = what % 4 == 3 ? node->id : what % 4 == 2 ? 99 : PEER_NODE;
    f.incarnation = what % 4 == 3 ? node->incarnation : 2;
    for (f.step_count = 0; f.step_count < more % 6u; f.step_count++) {
        gri_route_step_write(&steps, &s);
        s.node = more >= 128 ? PEER_NODE : s.node;
        s.incarnation = more >= 192 ? 2 : s.incarnation;
    }
    f.steps = (const uint8_t *)steps.data;
    f.steps_size = steps.len;
    must(gri_frame_route(&b, &f, args, NULL) == GR_OK);
    gr_value_unref(args);
    gri_strbuf_fini(&steps);
    give_buf(&b);
}

/* give_event gives an event of a run, most of whose kinds and parts are what they should be. */
static void give_event(struct input *in)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    uint8_t id = take(in), kind = take(in), run = take(in);
    gr_value *what = take_value(in), *v;

    if (kind < 128 && kind % 7 == 0)
        what = gr_map(GR_KV("id", gr_strf("run%d", run)), GR_KV("name", gr_str("r")),
                      GR_KV("type", gr_int(1 << (run % 8))), GR_KV("in", gr_int(run % 3)),
                      GR_KV("tags", gr_list_n(NULL, 0)), GR_KV("metadata", gr_map_n(NULL, 0)),
                      GR_KV("loose", gr_bool(run % 5 == 0)), GR_KV("input", what));
    else if (kind < 128 && kind % 7 < 3)
        what = gr_map(GR_KV("output", what), GR_KV("error", gr_error(GR_EREMOTE, "no")),
                      GR_KV("name", gr_str("e")), GR_KV("data", gr_int(1)));
    v = gr_list(gr_int(kind < 128 ? 1 << (kind % 7) : kind), gr_int(run % 16), what);
    if (gri_frame_value(&b, GRI_FRAME_EVENT, id % 128u, v, NULL) == GR_OK)
        give_buf(&b);
    gr_value_unref(v);
}

static void give_value(struct input *in, enum gri_frame_type type)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    uint8_t id = take(in);
    gr_value *v = type == GRI_FRAME_END && id >= 128 ? NULL : take_value(in);

    must(gri_frame_value(&b, type, id % 128u, v, NULL) == GR_OK);
    gr_value_unref(v);
    give_buf(&b);
}

static void give_number(struct input *in, enum gri_frame_type type)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    uint8_t id = take(in);

    must(gri_frame_number(&b, type, id, (uint64_t)take(in) << (id % 24)) == GR_OK);
    give_buf(&b);
}

static void give_tell(struct input *in)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *v = take_value(in);

    must(gri_frame_tell(&b, take(in) % 2 == 0 ? "x" : "gone", v) == GR_OK);
    gr_value_unref(v);
    give_buf(&b);
}

/* give_signal gives a link, monitor, down, untie or exit: of a name, of a ref that is ours, or is not. */
static void give_signal(struct input *in)
{
    static const enum gri_frame_type types[] = { GRI_FRAME_LINK, GRI_FRAME_MONITOR, GRI_FRAME_DOWN,
                                                 GRI_FRAME_UNTIE, GRI_FRAME_EXIT };
    struct gri_strbuf b = GRI_STRBUF_INIT;
    uint8_t what = take(in), id = take(in);
    struct gri_frame f = { .type = types[what % 5], .id = id, .number = what / 5 % 2 };
    gr_value *reason = take_value(in);

    f.from = (gr_ref){ PEER_NODE, id % 4u };
    if (what / 10 % 4 < 2)
        snprintf(f.name, sizeof(f.name), "%s", what / 10 % 4 == 0 ? "x" : "gone");
    else
        f.to = what / 10 % 4 == 2 ? published : (gr_ref){ published.node, 1 + id % 16u };
    if (f.type == GRI_FRAME_UNTIE)
        must(gri_frame_number(&b, f.type, f.id, f.number) == GR_OK);
    else
        must(gri_frame_signal(&b, &f, reason) == GR_OK);
    gr_value_unref(reason);
    give_buf(&b);
}

static void give_raw(struct input *in)
{
    size_t left = (size_t)(in->end - in->p), size = take(in);

    left -= left > 0;
    size = size < left ? size : left;
    give(in->p, size);
    in->p += size;
}

/* ---- what our side does ----------------------------------------------------------------------- */

/* open_runs counts runs that have begun and not ended, as a handler hears it. */
static _Atomic int open_runs;

static void on_event(void *arg, const gr_event *e)
{
    (void)arg;
    if (e->kind == GR_RUN_START)
        atomic_fetch_add(&open_runs, 1);
    else if (e->kind == GR_RUN_END || e->kind == GR_RUN_ERROR)
        must(atomic_fetch_sub(&open_runs, 1) > 0);
}

static gr_value *observed_config(void)
{
    return gr_map(GR_KV("callbacks", gr_list(gr_handler_value(GR_HANDLER(.on_event = on_event)))));
}

static void call_far(struct input *in)
{
    gr_value *args = take_value(in);

    if (in->far.id == 0 || in->future_count == CALLS_MAX)
        gr_value_unref(args);
    else {
        gr_ref to = in->future_count % 2 == 0 ? in->far : twice;

        in->futures[in->future_count++] = gr_ainvoke(rt, to, args, NULL);
    }
}

/* observe_far makes a call whose runs there are told of. */
static void observe_far(struct input *in)
{
    gr_value *args = take_value(in);
    bool stream = take(in) % 2 == 1;

    if (in->far.id == 0 || (stream ? in->stream_count : in->future_count) == CALLS_MAX)
        gr_value_unref(args);
    else if (stream)
        in->streams[in->stream_count++] =
            gr_astream(rt, in->far, args, GR_CALL(.config = observed_config()));
    else
        in->futures[in->future_count++] =
            gr_ainvoke(rt, in->far, args, GR_CALL(.config = observed_config()));
}

/* watch_far watches what the proxy stands for, or has the peer know of one of ours. */
static void watch_far(struct input *in)
{
    uint8_t what = take(in);

    if (in->far.id == 0 || in->future_count == CALLS_MAX)
        return;
    in->futures[in->future_count++] = what % 2 == 0
                                          ? gr_ended(rt, in->far)
                                          : gr_ainvoke(rt, in->far, gr_ref_value(published), NULL);
}

static void stream_far(struct input *in)
{
    gr_value *args = take_value(in);

    if (in->far.id == 0 || in->stream_count == CALLS_MAX)
        gr_value_unref(args);
    else
        in->streams[in->stream_count++] = gr_astream(rt, in->far, args, NULL);
}

/* drop_one cancels a call. A stream is left only when the link is down: to leave it waits until the
 * peer says that it has let go. */
static void drop_one(struct input *in)
{
    if (in->future_count > 0)
        gr_future_free(in->futures[--in->future_count]);
}

static void set_full(bool full)
{
    pthread_mutex_lock(&fake.lock);
    fake.full = full;
    pthread_mutex_unlock(&fake.lock);
    if (!full)
        fake.events->room(fake.arg);
}

static void one_op(struct input *in)
{
    switch (take(in) % 30) {
    case 0: give_raw(in); break;
    case 1: give_invoke(in); break;
    case 2: give_value(in, GRI_FRAME_REPLY); break;
    case 3: give_value(in, GRI_FRAME_CHUNK); break;
    case 4: give_value(in, GRI_FRAME_END); break;
    case 5: give_number(in, GRI_FRAME_CREDIT); break;
    case 6: give_number(in, GRI_FRAME_CANCEL); break;
    case 7: give_number(in, GRI_FRAME_PING); break;
    case 8: give_tell(in); break;
    case 9: call_far(in); break;
    case 10: stream_far(in); break;
    case 11: drop_one(in); break;
    case 12: set_full(true); break;
    case 13: set_full(false); break;
    case 14: sched_yield(); break;
    case 15: give_hello(take(in) % 2 == 1, in->far.id == 0); break;
    case 16: give_proof(in); break;
    case 17: give_verdict(in); break;
    case 18: give_value(in, GRI_FRAME_INPUT_CHUNK); break;
    case 19: give_value(in, GRI_FRAME_INPUT_END); break;
    case 20: give_number(in, GRI_FRAME_INPUT_CREDIT); break;
    case 21: give_part(in); break;
    case 22: observe_far(in); break;
    case 23: give_event(in); break;
    case 24: give_signal(in); break;
    case 25: watch_far(in); break;
    case 26: give_route(in); break;
    case 27: give_number(in, GRI_FRAME_HELD); break;
    default: give_raw(in); break;
    }
}

/* ---- one life of a link ----------------------------------------------------------------------- */

static uint64_t wall_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * FUZZ_NS + (uint64_t)t.tv_nsec;
}

/* connect_up gets the link, by dialling or by accepting. */
static void connect_up(struct input *in, bool dials)
{
    fake.frame_max = GRI_FRAME_HELLO_MAX;
    if (dials) {
        in->far = far;
        in->futures[in->future_count++] = gr_ainvoke(rt, far, gr_int(1), NULL);
    } else {
        fake.arg = accept_fn(accept_arg, &fake.base, &fake.events);
        must(fake.arg != NULL);
    }
    for (uint64_t end = wall_ns() + SETTLE_NS; dials && !atomic_load(&fake.played);) {
        must(wall_ns() < end); /* the proxy dials on a worker */
        sched_yield();
    }
}

/* greet says what comes before calls; who decides depends on the numbers of the nodes, so both words are
 * said when the link is shared. */
static void greet(bool dialled, bool share)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    struct gri_proof p = { .stamp = 1 };

    give_hello(dialled, share);
    must(gri_frame_proof(&b, &p) == GR_OK);
    give_buf(&b);
    if (!dialled || share) {
        must(gri_frame_welcome(&b, 1) == GR_OK);
        give_buf(&b);
    }
}

static void go_down(void)
{
    struct gri_node *node = gri_node_get(rt);
    gr_value *why;

    fake_close(&fake.base, gr_error(GR_EUNREACH, "the fuzzer hangs up"));
    pthread_mutex_lock(&fake.lock);
    fake.down = true;
    why = fake.why;
    fake.why = NULL;
    pthread_mutex_unlock(&fake.lock);
    fake.events->down(fake.arg, why);
    for (uint64_t end = wall_ns() + SETTLE_NS; atomic_load(&node->peers) > 0;) {
        must(wall_ns() < end); /* the calls end, and the peer goes */
        sched_yield();
    }
}

static void end_ours(struct input *in)
{
    for (size_t i = 0; i < in->future_count; i++) {
        must(gr_await(in->futures[i], 10000).code != GR_EPENDING);
        gr_future_free(in->futures[i]);
    }
    for (size_t i = 0; i < in->stream_count; i++)
        gr_stream_free(in->streams[i]);
}

/* forget_failure has the next call dial at once, though this link may never have been up. */
static void forget_failure(void)
{
    struct gri_node *node = gri_node_get(rt);
    struct gri_target *t;
    gr_value *failure = NULL;

    gri_lock(&node->lock);
    t = gri_map_gets(&node->targets, URL);
    if (t != NULL) {
        failure = t->failure;
        t->failure = NULL;
    }
    gri_unlock(&node->lock);
    gr_value_unref(failure);
}

/* publish makes what we serve, again if the peer has ended it. */
static void publish(void)
{
    gr_value *ended = published.id != 0 ? gr_check(rt, published) : gr_error(GR_EDEAD, "new");

    if (ended != NULL) {
        published = served_spawn(gr_root(rt), 8);
        must(gr_publish(rt, "x", (gr_ref){ 0, 0 }) == GR_OK);
        must(gr_publish(rt, "x", published) == GR_OK);
    }
    gr_value_unref(ended);
}

static void set_up(void)
{
    blocks = meter_blocks();
    published = (gr_ref){ 0, 0 };
    must(gr_runtime_new(GR_RUNTIME(.workers = 1), &rt) == GR_OK);
    gri_node_get(rt)->driver = &driver;
    publish();
    must(gr_serve(rt, URL, NULL) == GR_OK);
    far = gr_remote(gr_root(rt), URL, "x");
    twice = gr_seq(gr_root(rt), far, far);
}

static void tear_down(void)
{
    if (rt != NULL)
        gr_runtime_free(rt);
    rt = NULL;
    must(meter_blocks() == blocks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned runs;
    struct input in = { .p = data, .end = data + size };
    uint8_t how = take(&in);

    if (runs++ == 0)
        atexit(tear_down);
    if (runs % RUNS_EACH == 1)
        tear_down();
    if (rt == NULL)
        set_up();
    publish();
    fake = (struct fake){ .base = { &driver }, .lock = PTHREAD_MUTEX_INITIALIZER };
    connect_up(&in, how % 2 == 1);
    fake.events->up(fake.arg);
    if (how % 4 < 2)
        greet(how % 2 == 1, how / 4 % 2 == 1);
    for (int i = 0; i < OPS_MAX && in.p < in.end; i++)
        one_op(&in);
    go_down();
    end_ours(&in);
    must(atomic_load(&open_runs) == 0);
    forget_failure();
    must(fake.released);
    return 0;
}
