/* SPDX-License-Identifier: Apache-2.0 */
/* blocking_stress_test.c - many submit to the blocking pool and withdraw again, while its threads
 * come and go: each job is run once, or withdrawn. */
#include "runtime/sched/blocking.h"
#include "runtime/base/assert.h"
#include "runtime/base/thread.h"

#include "tests/support/engine.h"

#define SENDERS 4
#define ROUNDS 1500
#define BATCH 8

struct entry {
    struct gri_job job;
    _Atomic uint32_t runs, refusals;
    bool withdrawn, turned_away;
};

static struct gri_blocking pool;

static void run_job(struct gri_job *job, gr_code rc)
{
    struct entry *e = gri_container_of(job, struct entry, job);

    atomic_fetch_add(rc == GR_OK ? &e->runs : &e->refusals, 1);
}

static bool settled(struct entry *e)
{
    return e->withdrawn || e->turned_away || atomic_load(&e->runs) + atomic_load(&e->refusals) > 0;
}

/* Submits a batch, withdraws every third, and waits for the rest. */
static void one_batch(struct entry *batch, unsigned round)
{
    for (unsigned i = 0; i < BATCH; i++) {
        memset(&batch[i], 0, sizeof(batch[i]));
        gri_job_offer(&batch[i].job);
        batch[i].turned_away = gri_blocking_submit(&pool, &batch[i].job) != GR_OK;
    }
    for (unsigned i = round % 3; i < BATCH; i += 3)
        if (!batch[i].turned_away)
            batch[i].withdrawn = gri_blocking_withdraw(&pool, &batch[i].job);
    for (unsigned i = 0; i < BATCH; i++) {
        until(settled(&batch[i]));
        cr_assert_eq(batch[i].withdrawn + batch[i].turned_away + atomic_load(&batch[i].runs) +
                         atomic_load(&batch[i].refusals),
                     1);
    }
}

static void *send(void *arg)
{
    static struct entry batches[SENDERS][BATCH];
    struct entry *batch = batches[*(int *)arg];

    for (unsigned round = 0; round < ROUNDS; round++)
        one_batch(batch, round);
    return NULL;
}

static void all_settle(unsigned threads_max, size_t queue_max, uint64_t idle_ns)
{
    const struct gri_blocking_opts opts = { .threads_max = threads_max,
                                            .queue_max = queue_max,
                                            .stack_size = (size_t)256 * 1024,
                                            .idle_ns = idle_ns,
                                            .run = run_job };
    pthread_t threads[SENDERS];
    int numbers[SENDERS];

    gri_blocking_init(&pool, &opts);
    for (int i = 0; i < SENDERS; i++) {
        numbers[i] = i;
        cr_assert_eq(pthread_create(&threads[i], NULL, send, &numbers[i]), 0);
    }
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(pool.queued, 0);
    cr_assert(gri_blocking_stop(&pool, gri_clock_ns() + TEST_WAIT_MS * UINT64_C(1000000)));
    cr_assert_eq(pool.threads, 0);
    cr_assert_eq(pool.idle, 0);
}

/* So short a rest that threads leave while they are being called. */
Test(blocking_stress, threads_that_hardly_rest)
{
    all_settle(8, 1000, 20000);
}

Test(blocking_stress, few_threads_and_a_short_queue)
{
    all_settle(2, 6, 1000000);
}

Test(blocking_stress, more_threads_than_jobs)
{
    all_settle(64, 64, UINT64_C(1000000000));
}

/* ---- calls ----------------------------------------------------------------------------------- */

static gr_value *same(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    (void)self;
    return gr_value_ref(args);
}

static const gr_method methods[] = { { "invoke", GR_BLOCKING, .fn = same } };
static const gr_class plain_class = GR_CLASS(.name = "plain", GR_METHODS(methods));
static const gr_class held_class = GR_CLASS(.name = "held", .state_size = 8, GR_METHODS(methods));

/* Calls are cancelled while they are on their way into the pool, and out of it. */
Test(blocking_stress, cancelled_calls)
{
    gr_future *f[BATCH];
    gr_ref plain, held;

    engine_blocks = test_memory_live();
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2, .blocking_max = 2), &rt), GR_OK);
    plain = gr_spawn(gr_root(rt), &plain_class, NULL);
    held = gr_spawn(gr_root(rt), &held_class, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < BATCH; i++)
            f[i] = gr_ainvoke(rt, i % 2 == 0 ? plain : held, gr_int(i), NULL);
        for (int i = round % 3; i < BATCH; i += 3)
            gr_future_cancel(f[i]);
        for (int i = 0; i < BATCH; i++) {
            gr_code rc = code_of(f[i]);

            cr_assert(rc == GR_OK || (rc == GR_ECANCELED && i % 3 == round % 3), "%s",
                      gr_code_name(rc));
        }
    }
    cr_assert_eq(int_of(gr_ainvoke(rt, held, gr_int(5), NULL)), 5, "nothing holds it");
    engine_down();
}
