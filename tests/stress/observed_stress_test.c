/* SPDX-License-Identifier: Apache-2.0 */
/*
 * observed_stress_test.c - many observed calls at once, on all workers, cancelled by several threads: each run
 * ends once, and the events of a tree come one at a time. Mostly for the thread sanitizer.
 */
#include <stdio.h>

#include <greenroom/callbacks.h>

#include "tests/support/runnables.h"

TestSuite(observed_stress, .init = set_up, .fini = tear_down, .timeout = 280);

#define CALLERS 4
#define ROUNDS 600

/* What is told of one tree; no lock, since nobody else is told at the same time. */
struct tally {
    int started, ended, told;
    uint64_t number;
};

static _Atomic int bad, trees;
static _Atomic int well, cancelled; /* runs: a test in which one of them is 0 shows nothing */

static void count_fn(void *arg, const gr_event *e)
{
    struct tally *t = arg;

    t->told++;
    t->started += e->kind == GR_RUN_START;
    t->ended += e->kind == GR_RUN_END || e->kind == GR_RUN_ERROR;
    if (e->kind == GR_RUN_END)
        atomic_fetch_add(&well, 1);
    else if (e->kind == GR_RUN_ERROR && gr_error_code(e->error) == GR_ECANCELED)
        atomic_fetch_add(&cancelled, 1);
    if (e->number != ++t->number)
        atomic_fetch_add(&bad, 1);
}

static void count_drop(void *arg)
{
    struct tally *t = arg;

    if (t->started != t->ended)
        atomic_fetch_add(&bad, 1);
    atomic_fetch_sub(&trees, 1);
    free(t);
}

static gr_value *counted(void)
{
    struct tally *t = calloc(1, sizeof(*t));

    atomic_fetch_add(&trees, 1);
    return gr_map(GR_KV(
        "callbacks",
        gr_list(gr_handler_value(GR_HANDLER(.on_event = count_fn, .drop = count_drop, .arg = t)))));
}

static void *caller(void *arg)
{
    gr_ref r = *(gr_ref *)arg;

    for (int i = 0; i < ROUNDS; i++) {
        gr_call_opts opts = { .size = sizeof(opts),
                              .config = counted(),
                              .timeout_ms = i % 5 == 0 ? 1 : 0 };

        if (i % 3 == 0) {
            gr_stream *s = gr_astream(rt, r, gr_str("x"), &opts);

            for (int k = 0; k < i % 4 && gr_next(s, TEST_WAIT_MS).code == GR_OK; k++)
                ;
            gr_stream_free(s);
        } else {
            gr_future *f = i % 3 == 1 ? gr_ainvoke(rt, r, gr_str("x"), &opts)
                                      : gr_abatch(rt, r, json("[\"x\",\"y\",\"z\"]"), &opts);

            for (volatile int spin = 0; spin < (i * 7919) % 20000; spin++)
                ;
            if (i % 4 == 0)
                (void)gr_await(f, TEST_WAIT_MS);
            gr_future_cancel(f);
            gr_future_free(f);
        }
    }
    return NULL;
}

Test(observed_stress, runs_end_once_whoever_ends_them)
{
    gr_ref up = each_upper();
    gr_ref fan = gr_parallel(root, GR_STEP("a", shout(GR_ASYNC)), GR_STEP("b", shout(GR_BLOCKING)),
                             GR_STEP("c", gr_with_fallbacks(root, boom(GR_ASYNC, "f"), up)));
    gr_ref r = gr_seq(root, shout(GR_CHEAP), up, fan, gr_passthrough(root));
    pthread_t threads[CALLERS];

    for (int i = 0; i < CALLERS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, caller, &r), 0);
    for (int i = 0; i < CALLERS; i++)
        pthread_join(threads[i], NULL);
    tear_down(); /* which waits for what is under way */
    cr_assert_eq(atomic_load(&trees), 0);
    cr_assert_eq(atomic_load(&bad), 0);
    cr_assert_gt(atomic_load(&well), ROUNDS);
    cr_assert_gt(atomic_load(&cancelled), ROUNDS / 10);
    fprintf(stderr, "%d well, %d cancelled\n", atomic_load(&well), atomic_load(&cancelled));
    set_up();
}
