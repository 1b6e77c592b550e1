/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger.h - a scenario that keeps books: many actors, calls, tells and streams at once, of which every
 * message, answer and callback is accounted for. To be run under many seeds; see simulate.h.
 *
 * Everything happens on one thread of the operating system, so the books are plain numbers. What must
 * hold:
 *   - what one sender was told is accepted arrives at one receiver once, in order, unless that stopped
 *   - no more than its bound waits for a receiver
 *   - every future completes once, with the right value or an error that the scenario allows
 *   - a stream is a prefix of what was sent, then its end or an error
 *   - callbacks and their drops run once each
 *   - after healing all of it comes to rest, and a fresh call is answered
 */
#ifndef GR_TESTS_SUPPORT_LEDGER_H
#define GR_TESTS_SUPPORT_LEDGER_H

#include "tests/support/simulate.h"

enum { RECEIVERS = 3, SENDERS = 3, WORKERS = 5, PROMISES = 64, CALLBACKS = 64, ROUNDS = 30 };

struct ledger {
    struct sim *s;
    unsigned faults;
    gr_ref receiver[RECEIVERS], sender[SENDERS], worker[WORKERS], chain;
    int64_t bound[RECEIVERS];
    bool stopped[RECEIVERS];
    int64_t accepted[SENDERS][RECEIVERS], seen[SENDERS][RECEIVERS];
    gr_ref victim;                 /* who is called while it ends */
    gr_promise *promise[PROMISES]; /* owned; deferred and not answered yet */
    unsigned promises;
    unsigned done[CALLBACKS], dropped[CALLBACKS], callbacks;
    unsigned answered, failed;
};

static struct ledger *ledger; /* handlers have no other way to it */

/* ---- receivers and senders ------------------------------------------------------------------- */

struct receiver_state {
    int64_t index;
};

static gr_code receiver_init(gr_ctx *c, void *self, const gr_value *args)
{
    struct receiver_state *r = self;

    (void)c;
    r->index = gr_as_int(args, -1);
    return GR_OK;
}

static void receiver_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    const struct receiver_state *r = self;
    int64_t sender = gr_as_int(gr_at(msg, 0), -1), number = gr_as_int(gr_at(msg, 1), -1);
    int64_t *seen = &ledger->seen[sender][r->index];

    sim_check(ledger->s, number == *seen + 1,
              "receiver %d got number %d of sender %d after number %d", (int)r->index, (int)number,
              (int)sender, (int)*seen);
    *seen = number;
    if (sim_roll(ledger->s, 8) == 0)
        gr_sleep(gr_runtime_of(c), (int64_t)sim_roll(ledger->s, 3));
}

static const gr_class receiver_class =
    GR_CLASS(.name = "receiver", .state_size = sizeof(struct receiver_state), .init = receiver_init,
             .receive = receiver_receive);

/* waiting is how many messages lie in a receiver's mailbox at least: what was accepted counts late. */
static int64_t waiting(int64_t r)
{
    int64_t n = 0;

    for (int i = 0; i < SENDERS; i++)
        n += ledger->accepted[i][r] > ledger->seen[i][r]
                 ? ledger->accepted[i][r] - ledger->seen[i][r]
                 : 0;
    return n;
}

static void send_one(gr_ctx *c, int64_t sender)
{
    struct sim *s = ledger->s;
    int64_t r = (int64_t)sim_roll(s, RECEIVERS);
    int64_t number = ledger->accepted[sender][r] + 1;
    bool wait = sim_roll(s, 2) == 0;
    gr_value *msg = gr_list(gr_int(sender), gr_int(number));
    gr_code rc = wait ? gr_tell_wait(gr_runtime_of(c), ledger->receiver[r], msg)
                      : gr_tell(gr_runtime_of(c), ledger->receiver[r], msg);

    if (rc == GR_OK) {
        ledger->accepted[sender][r] = number;
        sim_check(s, waiting(r) <= ledger->bound[r] + 1, "%d messages wait for a mailbox of %d",
                  (int)waiting(r), (int)ledger->bound[r]);
        return;
    }
    sim_check(s,
              (rc == GR_EFULL && (!wait || (ledger->faults & GR_SIM_FULL) != 0)) ||
                  (rc == GR_EDEAD && ledger->stopped[r]) || (rc == GR_EINTR && gr_cancelled(c)) ||
                  (rc == GR_ENOMEM && (ledger->faults & GR_SIM_MEMORY) != 0),
              "a tell gave %s", gr_code_name(rc));
}

static gr_value *sender_run(gr_ctx *c, void *self, const gr_value *args)
{
    int64_t n = gr_as_int(gr_at(args, 1), 0);

    (void)self;
    while (n-- > 0) {
        send_one(c, gr_as_int(gr_at(args, 0), 0));
        if (sim_roll(ledger->s, 6) == 0)
            gr_sleep(gr_runtime_of(c), (int64_t)sim_roll(ledger->s, 4));
    }
    return gr_nil();
}

static const gr_method sender_methods[] = { { "run", GR_ASYNC, sender_run, NULL } };
static const gr_class sender_class =
    GR_CLASS(.name = "sender", .state_size = 1, GR_METHODS(sender_methods));

/* ---- workers: a call in every form, each of which answers its number plus one ----------------- */

static gr_value *plus_one(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    return gr_int(gr_as_int(args, INT64_MIN) + 1);
}

static gr_value *nap_one(gr_ctx *c, void *self, const gr_value *args)
{
    gr_sleep(gr_runtime_of(c), (int64_t)sim_roll(ledger->s, 20));
    return plus_one(c, self, args);
}

/* asks another worker, and that its cheap method. */
static gr_value *ask_one(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *err = NULL;
    gr_value *v;

    (void)self;
    v = gr_invoke(gr_runtime_of(c), ledger->worker[2 * sim_roll(ledger->s, 2)], gr_value_ref(args),
                  NULL, &err);
    return v != NULL ? v : err;
}

static gr_value *later_one(gr_ctx *c, void *self, const gr_value *args)
{
    gr_promise *p = gr_defer(c); /* another thread may have its turn meanwhile */

    (void)self;
    if (ledger->promises < PROMISES)
        ledger->promise[ledger->promises++] = p;
    else
        gr_resolve(p, gr_int(gr_as_int(args, 0) + 1));
    return NULL;
}

static gr_code count_up(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_code rc = GR_OK;

    (void)self, (void)in;
    for (int64_t i = 0; i < gr_as_int(args, 0) && rc == GR_OK; i++) {
        rc = gr_emit(c, gr_int(i));
        if (sim_roll(ledger->s, 5) == 0)
            gr_sleep(gr_runtime_of(c), 1);
    }
    return rc;
}

static const gr_method worker_methods[] = {
    { "invoke", GR_CHEAP, plus_one, NULL },  { "nap", GR_ASYNC, nap_one, NULL },
    { "block", GR_BLOCKING, nap_one, NULL }, { "ask", GR_ASYNC, ask_one, NULL },
    { "later", GR_ASYNC, later_one, NULL },  { "count", GR_ASYNC, NULL, count_up },
};
static const gr_class worker_classes[WORKERS] = {
    GR_CLASS(.name = "stateless", GR_METHODS(worker_methods)),
    GR_CLASS(.name = "exclusive", .state_size = 8, GR_METHODS(worker_methods)),
    GR_CLASS(.name = "reentrant", .state_size = 8, .reentrant = true, GR_METHODS(worker_methods)),
    GR_CLASS(.name = "limited", GR_METHODS(worker_methods)),
    GR_CLASS(.name = "pinned", .state_size = 8, GR_METHODS(worker_methods)),
};

static gr_value *lambda_one(gr_ctx *c, void *arg, const gr_value *input)
{
    return plus_one(c, arg, input);
}

/* make_chain adds three: a cheap step, one that waits, one that is tried again when it fails. */
static gr_ref make_chain(gr_scope *in)
{
    gr_ref cheap = gr_lambda(in, GR_CHEAP, lambda_one, NULL, NULL);
    gr_ref blocking = gr_lambda(in, GR_BLOCKING, lambda_one, NULL, NULL);

    return gr_seq(in, cheap, blocking,
                  gr_with_retry(in, cheap, GR_RETRY(.attempts = 3, .backoff_ms = 1)));
}

/* answer_promises answers some that are due, in any order; all of them at the end. */
static void answer_promises(bool all)
{
    struct sim *s = ledger->s;

    while (ledger->promises > 0 && (all || sim_roll(s, 3) != 0)) {
        unsigned i = (unsigned)sim_roll(s, ledger->promises);
        gr_promise *p = ledger->promise[i];

        ledger->promise[i] = ledger->promise[--ledger->promises];
        if (sim_roll(s, 8) == 0)
            gr_promise_free(p);
        else
            gr_resolve(p, gr_int(-1));
    }
}

/* outcome_of waits for f and answers promises meanwhile, since a promise may hold what the call
 * needs; GR_EPENDING after 10 s is a hang. */
static gr_outcome outcome_of(gr_future *f)
{
    gr_outcome o = gr_await(f, 5);

    for (int i = 0; o.code == GR_EPENDING && i < 2000; i++) {
        answer_promises(false);
        o = gr_await(f, 5);
    }
    return o;
}

/* ---- what is asked of them ------------------------------------------------------------------- */

/* What may become of one call. */
struct expected {
    int64_t value;
    bool may_be_cancelled, may_time_out;
};

static bool allowed(const struct expected *e, gr_code code)
{
    switch (code) {
    case GR_ECANCELED: return e->may_be_cancelled;
    case GR_ETIMEDOUT: return e->may_time_out;
    case GR_EBROKEN: return true; /* a promise was dropped */
    case GR_EFULL: return true;   /* small mailboxes, or a fault */
    case GR_ENOMEM: return (ledger->faults & (GR_SIM_MEMORY | GR_SIM_THREADS)) != 0;
    default: return false;
    }
}

static void check_outcome(const struct expected *e, const gr_outcome *o)
{
    if (o->code == GR_OK) {
        int64_t v = gr_as_int(o->value, INT64_MIN);

        sim_check(ledger->s, v == e->value || v == -1, "the answer is %d, not %d", (int)v,
                  (int)e->value);
        ledger->answered++;
    } else {
        sim_check(ledger->s, allowed(e, o->code), "a call failed: %s, %s", gr_code_name(o->code),
                  gr_error_text(o->error));
        ledger->failed++;
    }
}

struct callback {
    struct expected expected;
    unsigned index;
};

static void on_done(void *arg, gr_future *f)
{
    struct callback *cb = arg;
    gr_outcome o = gr_await(f, 0);

    sim_check(ledger->s, o.code != GR_EPENDING, "a callback ran for a pending future");
    check_outcome(&cb->expected, &o);
    ledger->done[cb->index]++;
    gr_future_free(f);
}

static void on_drop(void *arg)
{
    struct callback *cb = arg;

    ledger->dropped[cb->index]++;
    free(cb);
}

/* settle does one of the things that may be done to a future. */
static void settle(gr_future *f, const struct expected *expected)
{
    struct sim *s = ledger->s;
    struct expected e = *expected;
    gr_outcome o;

    if (f == NULL) {
        sim_check(s, (ledger->faults & GR_SIM_MEMORY) != 0, "no future");
        return;
    }
    switch (sim_roll(s, 5)) {
    case 0:
        if (ledger->callbacks < CALLBACKS) {
            struct callback *cb = malloc(sizeof(*cb));

            *cb = (struct callback){ e, ledger->callbacks++ };
            if (gr_on_done(f, on_done, on_drop, cb) != GR_OK)
                ledger->done[ledger->callbacks - 1] = 1; /* only drop was called */
            return;
        }
        gr_detach(f);
        return;
    case 1:
        e.may_be_cancelled = true;
        gr_sim_advance(s->rt, (int64_t)sim_roll(s, 5));
        gr_future_cancel(f);
        o = outcome_of(f);
        check_outcome(&e, &o);
        break;
    case 2: gr_detach(f); return;
    case 3: break; /* freed while it is pending */
    default:
        o = outcome_of(f);
        check_outcome(&e, &o);
        break;
    }
    gr_future_free(f);
}

static void make_call(void)
{
    static const char *const verbs[] = { "invoke", "nap", "block", "ask", "later" };
    struct sim *s = ledger->s;
    int64_t n = (int64_t)sim_roll(s, 1000);
    bool timed = sim_roll(s, 4) == 0;
    int64_t timeout_ms = timed ? 1 + (int64_t)sim_roll(s, 30) : 0;
    struct expected e = { n + 1, false, timed };

    if (sim_roll(s, 4) == 0) {
        e.value = n + 3;
        settle(gr_ainvoke(s->rt, ledger->chain, gr_int(n), GR_CALL(.timeout_ms = timeout_ms)), &e);
        return;
    }
    settle(gr_acall(s->rt, ledger->worker[sim_roll(s, WORKERS)], verbs[sim_roll(s, 5)], gr_int(n),
                    GR_CALL(.timeout_ms = timeout_ms)),
           &e);
}

static void read_stream(void)
{
    struct sim *s = ledger->s;
    int64_t n = (int64_t)sim_roll(s, 40), got = 0, stop = (int64_t)sim_roll(s, 60);
    gr_stream *st = gr_astream_call(s->rt, ledger->worker[sim_roll(s, WORKERS)], "count", gr_int(n),
                                    NULL, GR_CALL(.window_chunks = 1 + (unsigned)sim_roll(s, 4)));
    gr_outcome o = { .code = GR_OK };
    int patience = 2000;

    if (st == NULL) {
        sim_check(s, (ledger->faults & GR_SIM_MEMORY) != 0, "no stream");
        return;
    }
    while (got < stop && patience-- > 0) {
        o = gr_next(st, 5);
        answer_promises(false);
        if (o.code == GR_EPENDING)
            continue;
        if (o.code != GR_OK)
            break;
        sim_check(s, gr_as_int(o.value, -1) == got, "chunk %d where %d is due",
                  (int)gr_as_int(o.value, -1), (int)got);
        got++;
    }
    sim_check(s, o.code != GR_EOS || got == n, "a stream of %d ended after %d", (int)n, (int)got);
    sim_check(s, o.code != GR_EDEADLK && patience > 0, "a stream hangs");
    gr_stream_free(st);
}

static void gather(void)
{
    struct sim *s = ledger->s;
    gr_future *f[4], *all;
    int64_t first = (int64_t)sim_roll(s, 100);
    gr_outcome o;

    for (int i = 0; i < 4; i++)
        f[i] = gr_acall(s->rt, ledger->worker[sim_roll(s, WORKERS)],
                        sim_roll(s, 2) ? "nap" : "invoke", gr_int(first + i), NULL);
    all = gr_all(s->rt, f, 4);
    o = outcome_of(all);
    if (o.code == GR_OK)
        for (int i = 0; i < 4; i++)
            sim_check(s, gr_as_int(gr_at(o.value, (size_t)i), -1) == first + i + 1,
                      "gr_all mixed its answers up");
    else
        sim_check(s, o.code == GR_EFULL || (ledger->faults & (GR_SIM_MEMORY | GR_SIM_THREADS)) != 0,
                  "gr_all gave %s", gr_code_name(o.code));
    gr_future_free(all);
}

/* A short life: spawned, called, told to stop, called again; what came before the stop may be answered,
 * what comes later may not, also when the slot is somebody else's by then. */
static void short_life(void)
{
    struct sim *s = ledger->s;
    gr_ref a = gr_spawn(s->root, &worker_classes[1], NULL);
    gr_future *before = gr_acall(s->rt, a, "nap", gr_int(1), NULL), *after;
    gr_outcome o;

    gr_sim_advance(s->rt, (int64_t)sim_roll(s, 3));
    gr_stop(s->rt, a);
    after = gr_ainvoke(s->rt, a, gr_int(1), NULL);
    o = outcome_of(after);
    sim_check(s, o.code == GR_EDEAD || (ledger->faults & (GR_SIM_MEMORY | GR_SIM_FULL)) != 0,
              "a call to a stopped actor gave %s", gr_code_name(o.code));
    gr_future_free(after);
    o = outcome_of(before);
    sim_check(s, o.code == GR_OK || o.code == GR_EDEAD || ledger->faults > 3, "before the stop: %s",
              gr_code_name(o.code));
    gr_future_free(before);
}

static void stop_a_receiver(void)
{
    unsigned r = (unsigned)sim_roll(ledger->s, RECEIVERS);

    ledger->stopped[r] = true;
    gr_stop(ledger->s->rt, ledger->receiver[r]);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void spawn_all(void)
{
    struct sim *s = ledger->s;

    for (int i = 0; i < RECEIVERS; i++) {
        ledger->bound[i] = 1 + (int64_t)sim_roll(s, 8);
        ledger->receiver[i] =
            gr_spawn(s->root, &receiver_class,
                     GR_SPAWN(.args = gr_int(i), .mailbox_max = (size_t)ledger->bound[i]));
    }
    for (int i = 0; i < SENDERS; i++)
        ledger->sender[i] = gr_spawn(s->root, &sender_class, NULL);
    for (int i = 0; i < WORKERS; i++)
        ledger->worker[i] =
            gr_spawn(s->root, &worker_classes[i],
                     GR_SPAWN(.max_concurrency = i == 3 ? 2 : 0, .worker = i == 4 ? 1 : 0));
    ledger->chain = make_chain(s->root);
}

/* spawned tells whether all actors could be made; under some faults that is too much to ask. */
static bool spawned(void)
{
    const gr_ref *all[] = { ledger->receiver, ledger->sender, ledger->worker, &ledger->chain };
    const int counts[] = { RECEIVERS, SENDERS, WORKERS, 1 };

    for (int k = 0; k < 4; k++)
        for (int i = 0; i < counts[k]; i++)
            if (all[k][i].node == 0)
                return false;
    return true;
}

static void play(gr_future **sending)
{
    struct sim *s = ledger->s;

    for (int i = 0; i < SENDERS; i++)
        sending[i] = gr_acall(s->rt, ledger->sender[i], "run",
                              gr_list(gr_int(i), gr_int(10 + (int64_t)sim_roll(s, 40))), NULL);
    for (int i = 0; i < ROUNDS && s->complaint[0] == '\0'; i++) {
        switch (sim_roll(s, 12)) {
        case 0: read_stream(); break;
        case 1: gather(); break;
        case 2: short_life(); break;
        case 3:
            if (sim_roll(s, 10) == 0)
                stop_a_receiver();
            break;
        case 4: gr_sim_advance(s->rt, (int64_t)sim_roll(s, 30)); break;
        default: make_call(); break;
        }
        answer_promises(false);
    }
}

static void balance(void)
{
    struct sim *s = ledger->s;

    for (int i = 0; i < SENDERS; i++)
        for (int r = 0; r < RECEIVERS; r++)
            sim_check(s,
                      ledger->stopped[r] ? ledger->seen[i][r] <= ledger->accepted[i][r]
                                         : ledger->seen[i][r] == ledger->accepted[i][r],
                      "receiver %d saw %d of %d messages of sender %d", r, (int)ledger->seen[i][r],
                      (int)ledger->accepted[i][r], i);
    for (unsigned i = 0; i < ledger->callbacks; i++)
        sim_check(s, ledger->done[i] == 1 && ledger->dropped[i] == 1,
                  "callback %u ran %u times, its drop %u times", i, ledger->done[i],
                  ledger->dropped[i]);
}

static void ledger_play(struct sim *s, unsigned faults)
{
    struct ledger books = { .s = s, .faults = faults };
    gr_future *sending[SENDERS] = { NULL };
    gr_value *v, *err = NULL;

    ledger = &books;
    spawn_all();
    if (!spawned()) {
        sim_check(s, (faults & (GR_SIM_MEMORY | GR_SIM_FULL)) != 0, "an actor could not be made");
        return;
    }
    play(sending);
    gr_sim_heal();
    for (int i = 0; i < SENDERS; i++) {
        gr_outcome o = gr_await(sending[i], 600000);

        answer_promises(true);
        sim_check(s, o.code == GR_OK || faults > 3, "a sender: %s", gr_code_name(o.code));
        gr_future_free(sending[i]);
    }
    gr_sim_advance(s->rt, 60000);
    answer_promises(true);
    gr_sim_advance(s->rt, 1000);
    balance();
    v = gr_invoke(s->rt, ledger->worker[0], gr_int(41), NULL, &err);
    sim_check(s, gr_as_int(v, 0) == 42, "after healing: %s", gr_error_text(err));
    gr_value_unref(v);
    gr_value_unref(err);
}

#endif
