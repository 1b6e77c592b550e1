/* SPDX-License-Identifier: Apache-2.0 */
/* stream_stress_test.c - readers and producers at their own pace, over fibers, threads and
 * promises. */
#include <stdlib.h>

#include "tests/support/engine.h"

static gr_code count_up(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_code rc = GR_OK;

    (void)self, (void)in;
    for (int64_t i = 0; i < gr_as_int(args, 0) && rc == GR_OK; i++)
        rc = gr_emit(c, gr_int(i));
    return rc;
}

static gr_code relay(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_outcome o;
    gr_code rc = GR_OK;

    (void)self, (void)args;
    while (rc == GR_OK && (o = gr_next(in, -1)).code == GR_OK)
        rc = gr_emit(c, gr_value_ref(o.value));
    return rc;
}

static const gr_method methods[] = { { "stream", GR_ASYNC, NULL, count_up },
                                     { "block", GR_BLOCKING, NULL, count_up },
                                     { "transform", GR_ASYNC, NULL, relay } };
static const gr_class cls = GR_CLASS(.name = "count", GR_METHODS(methods));

static void read_all(gr_stream *s, int64_t n)
{
    gr_outcome o;

    for (int64_t i = 0; i < n; i++) {
        o = gr_next(s, -1);
        cr_assert_eq(o.code, GR_OK);
        cr_assert_eq(gr_as_int(o.value, -1), i);
    }
    cr_assert_eq(gr_next(s, -1).code, GR_EOS);
    gr_stream_free(s);
}

Test(stream_stress, through_a_chain_of_relays)
{
    gr_ref a = gr_spawn(root, &cls, NULL);
    gr_stream *s = gr_astream(rt, a, gr_int(3000), GR_CALL(.window_chunks = 3));

    for (int i = 0; i < 6; i++)
        s = gr_atransform(rt, a, s, GR_CALL(.window_chunks = 1 + (unsigned)i % 3));
    read_all(s, 3000);
}

Test(stream_stress, from_blocking_producers)
{
    gr_ref a = gr_spawn(root, &cls, NULL);
    gr_stream *ss[4];

    for (int i = 0; i < 4; i++)
        ss[i] = gr_astream_call(rt, a, "block", gr_int(1500), NULL, GR_CALL(.window_chunks = 2));
    for (int i = 0; i < 4; i++)
        read_all(ss[i], 1500);
}

Test(stream_stress, left_at_any_point)
{
    gr_ref a = gr_spawn(root, &cls, NULL);

    for (int i = 0; i < 400; i++) {
        gr_stream *s = gr_astream_call(rt, a, i % 2 == 0 ? "stream" : "block", gr_int(i % 50), NULL,
                                       GR_CALL(.window_chunks = 1 + (unsigned)i % 7));

        s = i % 3 == 0 ? gr_atransform(rt, a, s, NULL) : s;
        for (int k = 0; k < i % 11; k++)
            gr_next(s, k % 4 == 3 ? 0 : -1);
        gr_stream_free(s);
    }
}

/* ---- a promise that emits from a thread, told of room by its hook ---------------------------- */

struct feeder {
    gr_promise *promise;
    int64_t next, end;
    _Atomic int told;
};

static void feed(struct feeder *f)
{
    while (f->next < f->end) {
        gr_code rc = gr_promise_emit(f->promise, gr_int(f->next));

        if (rc == GR_EFULL)
            return; /* room() goes on */
        if (rc != GR_OK)
            break;
        f->next++;
    }
    gr_resolve(f->promise, gr_nil());
    free(f);
}

static void feed_room(void *arg)
{
    feed(arg);
}

static gr_value *fed(gr_ctx *c, void *self, const gr_value *args)
{
    struct feeder *f = calloc(1, sizeof(*f));

    (void)self;
    f->promise = gr_defer(c);
    f->end = gr_as_int(args, 0);
    gr_on_cancel(f->promise, NULL, feed_room, f);
    feed(f);
    return NULL;
}

static const gr_method fed_methods[] = { { "stream", GR_ASYNC, fed, NULL } };
static const gr_class fed_class = GR_CLASS(.name = "fed", GR_METHODS(fed_methods));

Test(stream_stress, from_a_promise_by_its_room_hook)
{
    gr_ref a = gr_spawn(root, &fed_class, NULL);
    gr_stream *ss[4];

    for (int i = 0; i < 4; i++)
        ss[i] = gr_astream(rt, a, gr_int(2000), GR_CALL(.window_chunks = 1 + (unsigned)i));
    for (int i = 0; i < 4; i++)
        read_all(ss[i], 2000);
    for (int i = 0; i < 200; i++) {
        gr_stream *s = gr_astream(rt, a, gr_int(100), GR_CALL(.window_chunks = 1));

        for (int k = 0; k < i % 7; k++)
            gr_next(s, -1);
        gr_stream_free(s);
    }
}

TestSuite(stream_stress, .init = engine_up, .fini = engine_down);
