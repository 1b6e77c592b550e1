/* SPDX-License-Identifier: Apache-2.0 */
/* slow_reader_test.c - readers that stop reading hold their window and a chunk, and hold up nobody
 * else. */
#include <greenroom/stats.h>

#include "tests/support/engine.h"

#define READERS 200
#define CHUNK ((size_t)16 * 1024)
#define WINDOW ((size_t)64 * 1024)

static _Atomic long emitted;

/* pour emits chunks until its reader leaves. */
static gr_code pour(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    static char space[CHUNK];
    gr_code rc = GR_OK;

    (void)self, (void)in, (void)args;
    while (rc == GR_OK) {
        rc = gr_emit(c, gr_bin(space, sizeof(space)));
        atomic_fetch_add(&emitted, rc == GR_OK);
    }
    return rc;
}

static const gr_method methods[] = { { "stream", GR_ASYNC, NULL, pour } };
static const gr_class pour_class = GR_CLASS(.name = "pour", GR_METHODS(methods));

static uint64_t bytes_now(void)
{
    gr_stats s = GR_STATS_INIT;

    gr_stats_read(rt, &s);
    return s.bytes_now;
}

/* settled waits until nobody emits any more. */
static void settled(void)
{
    long before;

    do {
        before = atomic_load(&emitted);
        gr_sleep(rt, 50);
    } while (atomic_load(&emitted) != before);
}

static gr_stream *open_one(gr_ref source)
{
    gr_stream *s = gr_astream(rt, source, gr_nil(), GR_CALL(.window_bytes = WINDOW));

    cr_assert_eq(gr_next(s, TEST_WAIT_MS).code, GR_OK);
    return s;
}

Test(slow_reader, holds_its_window_and_a_chunk)
{
    gr_ref source = gr_spawn(root, &pour_class, NULL);
    gr_stream *s[READERS], *quick;
    uint64_t each;

    atomic_store(&emitted, 0);
    for (int i = 0; i < READERS; i++)
        s[i] = open_one(source);
    settled();
    each = bytes_now() / READERS;
    cr_assert_geq(each, WINDOW / 2);
    cr_assert_leq(each, WINDOW + CHUNK + 64, "%llu bytes for each", (unsigned long long)each);
    cr_assert_leq(atomic_load(&emitted), (long)((WINDOW / CHUNK + 2) * READERS));

    /* one that reads gets on */
    quick = open_one(source);
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(gr_next(quick, TEST_WAIT_MS).code, GR_OK);
    gr_stream_free(quick);
    for (int i = 0; i < READERS; i++)
        gr_stream_free(s[i]);
    cr_assert_eq(bytes_now(), 0);
}

/* Beyond the runtime's bytes each window shrinks to a chunk; nobody fails, and all get on. */
static void shrinks(void)
{
    gr_ref source = gr_spawn(root, &pour_class, NULL);
    gr_stream *s[READERS];
    gr_stats stats = GR_STATS_INIT;

    atomic_store(&emitted, 0);
    for (int i = 0; i < READERS; i++)
        s[i] = gr_astream(rt, source, gr_nil(), NULL);
    settled();
    gr_stats_read(rt, &stats);
    cr_assert_leq(stats.bytes_now, (1 << 20) + (1 << 16) + READERS * (CHUNK + 64));
    cr_assert_geq(atomic_load(&emitted), READERS, "each has a chunk");
    for (int round = 0; round < 20; round++)
        for (int i = 0; i < READERS; i++)
            cr_assert_eq(gr_next(s[i], TEST_WAIT_MS).code, GR_OK);
    for (int i = 0; i < READERS; i++)
        gr_stream_free(s[i]);
    cr_assert_eq(bytes_now(), 0);
}

Test(slow_reader_bounded, windows_shrink_at_the_runtimes_limit)
{
    engine_blocks = test_memory_live();
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2, .bytes_max = 1 << 20), &rt), GR_OK);
    root = gr_root(rt);
    shrinks();
    engine_down();
}

TestSuite(slow_reader, .init = engine_up, .fini = engine_down);
