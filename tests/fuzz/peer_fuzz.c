/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer_fuzz.c - what a peer may do over a link: any sequence of frames and events, to a real node
 * over a link that this file plays. Whatever comes, what our side sends is frames, each call is
 * answered at most once and none that was not made, and when the link is down everything goes.
 *
 * The first byte chooses who dialled, and whether the peer says hello. Then operations, a byte each:
 * the low bits say what, what follows are its operands. A frame may also be given byte by byte.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include <greenroom/greenroom.h>

#include "runtime/net/frame.h"
#include "runtime/net/node.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/served.h"

#define OPS_MAX 64
#define IDS 64        /* calls that are watched: those with small ids */
#define CALLS_MAX 8   /* of ours */
#define RUNS_EACH 256 /* inputs of one runtime; then nothing of it may be left */
#define URL "ipc:///fuzz"
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
static long blocks; /* before rt was made */
static gr_ref far;  /* our proxy for what the peer publishes */
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
    /* an end of ours may also be an input's, to a call of ours: those ids were not invoked */
    if (fake.invoked[f.id] != 0)
        must(++fake.answered[f.id] <= fake.invoked[f.id]);
    else
        must(f.type == GRI_FRAME_END);
}

static gr_code fake_send(struct gri_link *link, const void *frames, size_t size, bool must_go)
{
    const uint8_t *p = frames;
    gr_code rc = GR_OK;

    (void)link;
    pthread_mutex_lock(&fake.lock);
    if (fake.closing)
        rc = GR_EUNREACH;
    else if (fake.full && !must_go)
        rc = GR_EFULL;
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

static gr_code fake_dial(gr_runtime *of, const char *url, const struct gri_link_events *events,
                         void *arg, struct gri_link **ret_link, gr_value **reterr)
{
    (void)of, (void)url;
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

static gr_code fake_listen(gr_runtime *of, const char *url, gri_accept_fn *accept, void *arg,
                           struct gri_listener **ret_listener, gr_value **reterr)
{
    (void)of, (void)url, (void)reterr;
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
                                              .limit = fake_limit,
                                              .close = fake_close,
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
    return gr_int(what);
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
    if (gri_frame_parse(body, size, &f, &err) == GR_OK && f.type == GRI_FRAME_INVOKE && f.id < IDS)
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

static void give_hello(void)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    struct gri_hello h = { .version_min = 1,
                           .version_max = 1,
                           .node = 3,
                           .incarnation = 4,
                           .frame_max = GRI_FRAME_MAX,
                           .calls_max = 65536 };

    must(gri_frame_hello(&b, &h) == GR_OK);
    give_buf(&b);
}

static void give_invoke(struct input *in)
{
    static const char *const names[] = { "x", "gone" };
    static const char *const verbs[] = { "invoke", "nap", "stream", "transform", "batch", "none" };
    struct gri_strbuf b = GRI_STRBUF_INIT;
    uint8_t id = take(in), what = take(in);
    struct gri_frame f = { .id = id, .flags = what & 3, .window = 4096, .least = 16 };
    gr_value *args = take_value(in);

    snprintf(f.name, sizeof(f.name), "%s", names[(what >> 2 & 7) == 7]);
    snprintf(f.verb, sizeof(f.verb), "%s", verbs[(what >> 5) % 6]);
    f.deadline_ms = what == 255 ? 1 : 0;
    must(gri_frame_invoke(&b, &f, args, NULL) == GR_OK);
    gr_value_unref(args);
    give_buf(&b);
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

static void give_raw(struct input *in)
{
    size_t left = (size_t)(in->end - in->p), size = take(in);

    left -= left > 0;
    size = size < left ? size : left;
    give(in->p, size);
    in->p += size;
}

/* ---- what our side does ----------------------------------------------------------------------- */

static void call_far(struct input *in)
{
    gr_value *args = take_value(in);

    if (in->far.id == 0 || in->future_count == CALLS_MAX)
        gr_value_unref(args);
    else
        in->futures[in->future_count++] = gr_ainvoke(rt, in->far, args, NULL);
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
    switch (take(in) % 16) {
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
    default: give_hello(); break;
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

static void set_up(void)
{
    blocks = meter_blocks();
    must(gr_runtime_new(GR_RUNTIME(.workers = 1), &rt) == GR_OK);
    gri_node_get(rt)->driver = &driver;
    must(gr_publish(rt, "x", served_spawn(gr_root(rt), 8)) == GR_OK);
    must(gr_serve(rt, URL, NULL) == GR_OK);
    far = gr_remote(gr_root(rt), URL, "x");
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
    fake = (struct fake){ .base = { &driver }, .lock = PTHREAD_MUTEX_INITIALIZER };
    connect_up(&in, how % 2 == 1);
    fake.events->up(fake.arg);
    if (how % 4 < 2)
        give_hello();
    for (int i = 0; i < OPS_MAX && in.p < in.end; i++)
        one_op(&in);
    go_down();
    end_ours(&in);
    forget_failure();
    must(fake.released);
    return 0;
}
