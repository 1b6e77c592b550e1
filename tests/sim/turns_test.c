/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turns_test.c - who waits its turn, in any order that many seeds come up with, while some give up: at a rate
 * limiter, and in a session of a conversation.
 */
#include "tests/support/simulate.h"

#include "tests/support/test.h"

#define FAULTS (GR_SIM_SCHED | GR_SIM_TIME)
#define CALLS 24
#define RATE 10.0 /* a second */
#define BURST 3.0
#define LONG_MS 600000

/* ---- a rate limiter -------------------------------------------------------------------------- */

/* granted tells whether an acquire was; it frees f. */
static bool granted(struct sim *s, gr_future *f, int i)
{
    gr_outcome o = gr_await(f, LONG_MS);
    bool yes = o.code == GR_OK && gr_as_bool(o.value, false);

    sim_check(s, yes, "acquire %d ended with %s", i, gr_code_name(o.code));
    gr_future_free(f);
    return yes;
}

static void limiter_play(struct sim *s)
{
    gr_ref l = gr_rate_limiter(
        s->root, GR_RATE_LIMITER(.requests_per_second = RATE, .requests_burst = BURST));
    uint64_t start = gr_now_ns(s->rt);
    gr_future *f[CALLS];
    gr_value *stats;
    int done = 0;
    double seconds;

    for (int i = 0; i < CALLS; i++) {
        f[i] = gr_aacquire(s->rt, l, NULL, NULL);
        if (sim_roll(s, 3) == 0)
            gr_sim_advance(s->rt, (int64_t)sim_roll(s, 150));
    }
    for (int i = 0; i < CALLS; i++) {
        if (sim_roll(s, 3) == 0) { /* it gives up, granted or not */
            done += gr_done(f[i]);
            gr_future_free(f[i]);
        } else {
            done += granted(s, f[i], i);
            seconds = (double)(gr_now_ns(s->rt) - start) / 1e9;
            sim_check(s, (double)done <= RATE * seconds + 1e-6, "%d granted in %g s", done,
                      seconds);
        }
    }
    stats = gr_do(s->rt, l, "stats", gr_nil(), NULL, NULL);
    sim_check(s, gr_as_int(gr_get(stats, "waiting"), -1) == 0, "somebody waits still");
    /* what was given up before it was handled is neither */
    sim_check(s,
              gr_as_int(gr_get(stats, "granted"), -1) + gr_as_int(gr_get(stats, "cancelled"), -1) <=
                  CALLS,
              "%lld granted and %lld cancelled of %d",
              (long long)gr_as_int(gr_get(stats, "granted"), -1),
              (long long)gr_as_int(gr_get(stats, "cancelled"), -1), CALLS);
    gr_value_unref(stats);
}

/* ---- sessions -------------------------------------------------------------------------------- */

struct talk {
    struct sim *run;
    int begun[2]; /* turns of each session */
    bool given_up[CALLS];
};

/* speak: a prompt's last message is the session, 0 or 1, and the number of the call: "1 17". Nobody else comes
 * in meanwhile. What was given up is left out: the next one may come before its handler has heard of it. */
static gr_value *speak(gr_ctx *c, void *arg, const gr_value *messages)
{
    struct talk *t = arg;
    const gr_value *last = gr_at(messages, gr_len(messages) - 1);
    const char *text = gr_cstr(gr_get(last, "content"), "0 0");
    int session = text[0] == '1', call = atoi(text + 2);
    int mine;

    if (t->given_up[call])
        return gr_error(GR_ECANCELED, "given up");
    mine = ++t->begun[session];
    (void)gr_sleep(gr_runtime_of(c), (int64_t)sim_roll(t->run, 30));
    sim_check(t->run, t->given_up[call] || t->begun[session] == mine,
              "two turns of a session at once");
    return gr_int((int64_t)gr_len(messages));
}

/* answer_of turns what speak gives into a message. */
static gr_value *answer_of(gr_ctx *c, void *arg, const gr_value *count)
{
    (void)c, (void)arg;
    return gr_strf("%lld", (long long)gr_as_int(count, 0));
}

static size_t kept(struct sim *s, gr_ref history, const char *session)
{
    gr_value *list = gr_do(s->rt, history, "get_messages",
                           gr_map(GR_KV("session_id", gr_str(session))), NULL, NULL);
    size_t count = gr_len(list);

    gr_value_unref(list);
    return count;
}

static void talk_play(struct sim *s)
{
    static const char *const names[] = { "0", "1" };
    struct talk t = { .run = s };
    gr_ref history = gr_memory_history(s->root, NULL);
    gr_ref chain = gr_seq(s->root, gr_lambda(s->root, GR_ASYNC, speak, NULL, &t),
                          gr_lambda(s->root, GR_CHEAP, answer_of, NULL, NULL));
    gr_ref chat = gr_with_message_history(s->root, chain, GR_HISTORY(.history = history));
    bool seen[2][2 * CALLS] = { { false } };
    gr_future *f[CALLS];
    int of[CALLS], given_up = 0;

    for (int i = 0; i < CALLS; i++) {
        of[i] = (int)sim_roll(s, 2);
        f[i] = gr_ainvoke(s->rt, chat, gr_strf("%s %d", names[of[i]], i),
                          GR_CALL(.config = gr_map(GR_KV("session_id", gr_str(names[of[i]])))));
        if (sim_roll(s, 4) == 0)
            gr_sim_advance(s->rt, (int64_t)sim_roll(s, 40));
    }
    for (int i = 0; i < CALLS; i++) {
        gr_outcome o;
        int count;

        if (sim_roll(s, 4) == 0) {
            given_up++;
            t.given_up[i] = true;
            gr_future_free(f[i]);
            continue;
        }
        o = gr_await(f[i], LONG_MS);
        count = o.code == GR_OK ? atoi(gr_cstr(o.value, "0")) : 0;
        sim_check(s, count % 2 == 1 && count < 2 * CALLS, "turn %d: %s, %d messages", i,
                  gr_code_name(o.code), count);
        if (count > 0 && count < 2 * CALLS) {
            sim_check(s, !seen[of[i]][count], "two turns of a session saw %d messages", count);
            seen[of[i]][count] = true;
        }
        gr_future_free(f[i]);
    }
    gr_sim_advance(s->rt, 1000); /* what was given up ends */
    sim_check(s, kept(s, history, "0") + kept(s, history, "1") >= (size_t)(2 * (CALLS - given_up)),
              "a message was lost");
    sim_check(s, (kept(s, history, "0") + kept(s, history, "1")) % 2 == 0, "half a turn was kept");
}

Test(turns, at_a_limiter)
{
    struct sim_sum sum = { 0 };

    sim_many(&sum, 91001, 500, GR_RUNTIME(.workers = 0, .sim_faults = FAULTS), limiter_play);
    sim_all_well(&sum, 200);
}

Test(turns, in_a_session)
{
    struct sim_sum sum = { 0 };

    sim_many(&sum, 92001, 500, GR_RUNTIME(.workers = 0, .sim_faults = FAULTS), talk_play);
    sim_all_well(&sum, 200);
}
