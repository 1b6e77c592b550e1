/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blocking_test.c - calls that block their threads, under many seeds: cancelled on their way into
 * the pool and out of it, with queues that fill and threads that can't be started or are leaving.
 *
 * Each call ends, those that call others from their thread too; then none is left in the pool's
 * queue, and its threads leave.
 */
#include "tests/support/simulate.h"

#include "tests/support/test.h"

enum { ROUNDS = 120, IDLE_MS = 3 };

static struct {
    gr_future *call[ROUNDS];
    int calls;
} play;

/* block sleeps for as many ms as the tens of its argument say; the units say how deep it calls. */
static gr_value *block(gr_ctx *c, void *self, const gr_value *args)
{
    int64_t n = gr_as_int(gr_at(args, 0), 0);
    gr_value *v = NULL, *err = NULL;

    (void)self;
    if (gr_sleep(gr_runtime_of(c), n / 10) != GR_OK || n % 10 == 0)
        return gr_nil();
    v = gr_invoke(gr_runtime_of(c), gr_as_ref(gr_at(args, 1)),
                  gr_list(gr_int(n - 1), gr_value_ref(gr_at(args, 1))), NULL, &err);
    return v != NULL ? v : err;
}

static const gr_method methods[] = { { "invoke", GR_BLOCKING, .fn = block } };
static const gr_class plain_class = GR_CLASS(.name = "plain", GR_METHODS(methods));
static const gr_class held_class = GR_CLASS(.name = "held", .state_size = 8, GR_METHODS(methods));

static bool may_end_so(gr_code rc)
{
    return rc == GR_OK || rc == GR_ECANCELED || rc == GR_ETIMEDOUT || rc == GR_EFULL ||
           rc == GR_ENOMEM || rc == GR_EINTR;
}

static void command(struct sim *s, gr_ref plain, gr_ref held)
{
    int which = play.calls > 0 ? (int)sim_roll(s, (uint64_t)play.calls) : 0;

    switch (sim_roll(s, 5)) {
    case 0:
        if (play.calls > 0)
            gr_future_cancel(play.call[which]);
        break;
    case 1: gr_sim_advance(s->rt, (int64_t)sim_roll(s, 2 * IDLE_MS)); break;
    default:
        play.call[play.calls++] = gr_ainvoke(
            s->rt, sim_roll(s, 3) == 0 ? held : plain,
            gr_list(gr_int((int64_t)(10 * sim_roll(s, 4) + sim_roll(s, 3))), gr_ref_value(plain)),
            GR_CALL(.timeout_ms = sim_roll(s, 4) == 0 ? 2 : 0));
    }
}

static void end_all(struct sim *s)
{
    for (int i = 0; i < play.calls; i++) {
        gr_outcome o = gr_await(play.call[i], 60000);

        sim_check(s, may_end_so(o.code), "call %d: %s", i, gr_code_name(o.code));
        gr_future_free(play.call[i]);
    }
}

static void blocking_play(struct sim *s)
{
    gr_ref plain = gr_spawn(s->root, &plain_class, NULL);
    gr_ref held = gr_spawn(s->root, &held_class, NULL);
    gr_stats st = GR_STATS_INIT;

    memset(&play, 0, sizeof(play));
    for (int i = 0; i < ROUNDS && s->complaint[0] == '\0'; i++)
        command(s, plain, held);
    end_all(s);
    gr_sim_heal();
    gr_sim_advance(s->rt, 1000);
    gr_stats_read(s->rt, &st);
    sim_check(s, st.calls_now == 0 && st.blocking_queue_now == 0, "%llu calls, %llu in the queue",
              (unsigned long long)st.calls_now, (unsigned long long)st.blocking_queue_now);
    sim_check(s, st.blocking_threads_now == 0, "%llu threads stay without work",
              (unsigned long long)st.blocking_threads_now);
}

/* So many threads may come that calls within calls never wait for each other. */
Test(blocking, every_call_ends)
{
    struct sim_sum sum = { 0 };

    sim_many(&sum, 70001, 3000,
             GR_RUNTIME(.blocking_max = 1024, .blocking_idle_ms = IDLE_MS,
                        .sim_faults = GR_SIM_SCHED | GR_SIM_TIME | GR_SIM_FULL | GR_SIM_THREADS),
             blocking_play);
    sim_all_well(&sum, 1000);
}
