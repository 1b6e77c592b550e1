/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bounds_test.c - actors with every kind of limit, in any order that many seeds come up with:
 * overflow policies, stashes, timers, budgets, calls under way; stopped, killed and condemned in between.
 *
 * At the end each call has ended, once; nothing counts as in flight any more; and an actor that
 * lives may start as many calls as its limit says.
 */
#include <greenroom/link.h>

#include "tests/support/simulate.h"

#include "tests/support/test.h"

enum { KEEPERS = 4, ROUNDS = 50, CALLS_MAX = 2 * ROUNDS + 2 * KEEPERS, ASKS = 2 };

struct keeper {
    bool open;
};

static struct {
    struct sim *s;
    gr_ref keeper[KEEPERS];
    gr_future *call[CALLS_MAX];
    int calls;
} play;

static void keeper_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct keeper *k = self;

    if (gr_value_type(msg) == GR_BOOL) {
        k->open = gr_as_bool(msg, false);
        if (k->open)
            gr_unstash_all(c);
    } else if (!k->open && gr_stash(c) == GR_OK) {
        return;
    } else if (gr_as_int(msg, 1) == 0) {
        gr_sleep(gr_runtime_of(c), 1);
    }
}

static gr_value *keeper_enter(gr_ctx *c, void *self, const gr_value *args)
{
    struct keeper *k = self;

    if (!k->open && gr_stash(c) == GR_OK)
        return NULL;
    if (gr_as_int(args, 1) == 0)
        gr_sleep(gr_runtime_of(c), 1);
    return gr_nil();
}

/* ask_others returns how many of ASKS calls its limit has refused. */
static int64_t ask_others(gr_ctx *c, gr_ref to)
{
    gr_future *f[ASKS];
    int64_t refused = 0;

    for (int i = 0; i < ASKS; i++)
        f[i] = gr_acall(gr_runtime_of(c), to, "pass", gr_nil(), GR_CALL(.timeout_ms = 3));
    for (int i = 0; i < ASKS; i++) {
        gr_outcome o = gr_await(f[i], -1);

        refused += o.code == GR_EFULL && gr_get(o.error, "kind") != NULL &&
                   strcmp(gr_cstr(gr_get(o.error, "kind"), ""), "asks") == 0;
        gr_future_free(f[i]);
    }
    return refused;
}

static gr_value *keeper_ask(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return gr_int(ask_others(c, gr_as_ref(args)));
}

static gr_value *keeper_pass(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self, (void)args;
    return gr_nil();
}

/* What terminate calls ends after the actor's last turn, and still makes room for the next. A call may
 * end a little after its deadline, since its handler may be under way. */
static void keeper_terminate(gr_ctx *c, void *self, const gr_value *reason)
{
    int64_t refused = ask_others(c, play.keeper[0]);
    int tries = 0;
    gr_code rc = GR_OK;

    (void)self, (void)reason;
    do {
        refused = ask_others(c, play.keeper[0]);
        if (refused != 0)
            rc = gr_sleep(gr_runtime_of(c), 1);
    } while (refused != 0 && rc == GR_OK && ++tries < 100);
    sim_check(play.s, refused == 0 || rc != GR_OK, "calls that have ended count when it ends");
}

static const gr_method keeper_methods[] = { { "enter", GR_ASYNC, keeper_enter, NULL },
                                            { "ask", GR_ASYNC, keeper_ask, NULL },
                                            { "pass", GR_ASYNC, keeper_pass, NULL } };
static const gr_class exclusive =
    GR_CLASS(.name = "keeper", .state_size = sizeof(struct keeper), GR_METHODS(keeper_methods),
             .receive = keeper_receive, .terminate = keeper_terminate);
static const gr_class reentrant =
    GR_CLASS(.name = "juggler", .state_size = sizeof(struct keeper), .reentrant = true,
             GR_METHODS(keeper_methods), .receive = keeper_receive);

static void give_life(int which)
{
    struct sim *s = play.s;
    gr_overflow policy = (gr_overflow)sim_roll(s, 4);
    bool oldest = policy == GR_OVERFLOW_DROP_OLDEST;
    bool juggles = sim_roll(s, 3) == 0;

    play.keeper[which] =
        gr_spawn(s->root, juggles ? &reentrant : &exclusive,
                 GR_SPAWN(.overflow = policy, .mailbox_max = 2 + sim_roll(s, 4),
                          .mailbox_bytes_max = sim_roll(s, 2) * 3000, .terminate_ms = 2000,
                          .queue_ms = oldest ? 0 : (int64_t)sim_roll(s, 3),
                          .max_concurrency = oldest ? 0 : (unsigned)sim_roll(s, 3),
                          /* a juggler's handlers share them, so they would refuse each other */
                          .asks_max = juggles ? 0 : ASKS, .stash_max = 1 + sim_roll(s, 4)));
}

static gr_value *something(void)
{
    static char space[2000];

    return sim_roll(play.s, 3) == 0 ? gr_bin(space, sizeof(space))
                                    : gr_int((int64_t)sim_roll(play.s, 3));
}

static void call(gr_ref to, bool asks)
{
    struct sim *s = play.s;

    play.call[play.calls++] =
        gr_acall(s->rt, to, asks ? "ask" : "enter",
                 asks ? gr_ref_value(play.keeper[sim_roll(s, KEEPERS)]) : something(),
                 GR_CALL(.timeout_ms = sim_roll(s, 3) == 0 ? 2 : 0, .calls_max = sim_roll(s, 4)));
}

/* pass awaits an answer while nothing else is sent that would have it found. */
static void pass(void)
{
    struct sim *s = play.s;

    for (int i = 0; i < 3 * KEEPERS; i++) {
        gr_future *f = gr_acall(s->rt, play.keeper[i % KEEPERS], "pass", gr_nil(), NULL);
        gr_outcome o = gr_await(f, 10000);

        sim_check(s, o.code != GR_EPENDING, "a call is left in a mailbox");
        gr_future_free(f);
    }
}

static void end_one(int which)
{
    struct sim *s = play.s;

    if (sim_roll(s, 2) == 0)
        gr_stop(s->rt, play.keeper[which]);
    else
        gr_exit_to(s->rt, play.keeper[which], gr_str(sim_roll(s, 2) == 0 ? "kill" : "enough"));
    give_life(which);
}

static void command(void)
{
    struct sim *s = play.s;
    int which = (int)sim_roll(s, KEEPERS);
    gr_ref to = play.keeper[which];
    gr_timer timer = { 0, 0 };

    switch (sim_roll(s, 10)) {
    case 0: gr_tell(s->rt, to, gr_bool(sim_roll(s, 2) == 0)); break;
    case 1:
    case 2: gr_tell(s->rt, to, something()); break;
    case 3:
    case 4: call(to, false); break;
    case 5: call(to, true); break;
    case 6:
        gr_send_after(s->rt, to, (int64_t)sim_roll(s, 3), something(), &timer);
        if (sim_roll(s, 2) == 0)
            gr_cancel_timer(s->rt, timer);
        break;
    case 7:
        if (play.calls > 0)
            gr_future_cancel(play.call[sim_roll(s, (uint64_t)play.calls)]);
        break;
    case 8: pass(); break;
    default: end_one(which); break;
    }
}

/* settle has all that lives answer, then end. */
static void settle(void)
{
    struct sim *s = play.s;

    for (int i = 0; i < KEEPERS; i++)
        gr_tell(s->rt, play.keeper[i], gr_bool(true));
    gr_sim_advance(s->rt, 5000);
    for (int i = 0; i < KEEPERS; i++) {
        gr_value *v = gr_do(s->rt, play.keeper[i], "ask", gr_ref_value(play.keeper[0]), NULL, NULL);

        /* it may have been condemned, but not be left without an answer */
        sim_check(s, v == NULL || gr_as_int(v, -1) == 0, "calls that have ended count still");
        gr_value_unref(v);
        gr_stop(s->rt, play.keeper[i]);
    }
    gr_sim_advance(s->rt, 5000);
}

#if defined(__SANITIZE_ADDRESS__)
#define SEEDS 4000 /* the others only say again what these do */
#else
#define SEEDS 12000
#endif

static void bounds_play(struct sim *s)
{
    gr_stats st = GR_STATS_INIT;

    memset(&play, 0, sizeof(play));
    play.s = s;
    for (int i = 0; i < KEEPERS; i++)
        give_life(i);
    for (int i = 0; i < ROUNDS && s->complaint[0] == '\0'; i++) {
        command();
        if (sim_roll(s, 4) == 0)
            gr_sim_advance(s->rt, (int64_t)sim_roll(s, 3));
    }
    gr_sim_heal();
    settle();
    for (int i = 0; i < play.calls; i++) {
        sim_check(s, gr_done(play.call[i]), "call %d has not ended", i);
        gr_future_free(play.call[i]);
    }
    gr_stats_read(s->rt, &st);
    sim_check(s, st.calls_now == 0 && st.bytes_now == 0 && st.timers_now == 0,
              "%llu calls, %llu bytes, %llu timers count still", (unsigned long long)st.calls_now,
              (unsigned long long)st.bytes_now, (unsigned long long)st.timers_now);
}

Test(bounds, everything_is_given_back)
{
    struct sim_sum sum = { 0 };

    sim_many(&sum, 90001, SEEDS, GR_RUNTIME(.workers = 0), bounds_play);
    sim_all_well(&sum, 500);
}
