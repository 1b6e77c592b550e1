/* SPDX-License-Identifier: Apache-2.0 */
/* event_stream_stress_test.c - many streams of events at once, whose readers leave when they like. */
#include "actors/observe/run_collector.h"
#include "tests/support/events.h"

TestSuite(event_stream_stress, .init = set_up, .fini = tear_down, .timeout = 280);

#define READERS 4
#ifdef __SANITIZE_THREAD__
#define ROUNDS 100
#else
#define ROUNDS 500
#endif

struct crowd {
    gr_ref chain, broken;
    gr_value *collector;
    _Atomic long whole, cut;
};

/* read_some reads at most `most` events; true: to the end. */
static bool read_some(gr_stream *s, unsigned most)
{
    gr_outcome o = { .code = GR_OK };

    for (unsigned i = 0; i < most && o.code == GR_OK; i++)
        o = gr_next(s, TEST_WAIT_MS);
    cr_assert_neq(o.code, GR_EPENDING, "a stream stands still");
    gr_stream_free(s);
    return o.code != GR_OK;
}

static void *reader(void *arg)
{
    struct crowd *crowd = arg;
    unsigned seed = (unsigned)(uintptr_t)&seed;

    for (int i = 0; i < ROUNDS; i++) {
        gr_ref r = i % 5 == 4 ? crowd->broken : crowd->chain;
        unsigned most = (unsigned)rand_r(&seed) % 40;
        gr_value *config = gr_map(GR_KV("callbacks", gr_list(gr_value_ref(crowd->collector))));
        const gr_call_opts *opts = GR_CALL(.config = config, .window_chunks = 1 + most % 8);
        gr_stream *s = i % 2 == 0 ? gr_astream_events(rt, r, gr_int(i), opts, NULL)
                                  : gr_astream_log(rt, r, gr_int(i), opts, NULL);

        atomic_fetch_add(read_some(s, most) ? &crowd->whole : &crowd->cut, 1);
        gr_value_unref(gr_run_collector_take(crowd->collector));
    }
    return NULL;
}

Test(event_stream_stress, readers_that_leave_when_they_like_leave_nothing_behind)
{
    gr_ref both =
        gr_parallel(root, GR_STEP("a", letters("abcdef")), GR_STEP("b", inc(GR_BLOCKING)));
    struct crowd crowd = { .chain = gr_seq(root, inc(GR_ASYNC), both, gr_pick(root, "a")),
                           .broken = gr_seq(root, inc(GR_CHEAP), boom(GR_ASYNC, "boom")),
                           .collector = gr_run_collector(8) };
    pthread_t threads[READERS];

    for (int i = 0; i < READERS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, reader, &crowd), 0);
    for (int i = 0; i < READERS; i++)
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    cr_assert_eq(atomic_load(&crowd.whole) + atomic_load(&crowd.cut), READERS * ROUNDS);
    cr_assert_gt(atomic_load(&crowd.cut), 0);
    cr_assert_eq(gri_run_collector_live(crowd.collector), 0);
    gr_value_unref(crowd.collector);
}
