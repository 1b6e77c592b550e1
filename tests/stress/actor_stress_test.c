/* SPDX-License-Identifier: Apache-2.0 */
/* actor_stress_test.c - no lost wake-up, never two handlers at once, actors that come and go. */
#include <greenroom/link.h>

#include "tests/support/engine.h"

/* ---- ping-pong between many: a lost wake-up ends a rally ------------------------------------- */

#define PAIRS 20
#define HITS 1500

struct player {
    gr_ref other;
    int64_t hits;
};

static _Atomic int rallies;

static void player_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct player *p = self;

    if (gr_value_type(msg) == GR_REFV) {
        p->other = gr_as_ref(msg);
        return;
    }
    if (++p->hits == HITS)
        atomic_fetch_add(&rallies, 1);
    if (p->hits <= HITS)
        gr_tell(gr_runtime_of(c), p->other, gr_nil());
}

static const gr_class player_class =
    GR_CLASS(.name = "player", .state_size = sizeof(struct player), .receive = player_receive);

static void rally(int pin_every)
{
    atomic_store(&rallies, 0);
    for (int i = 0; i < PAIRS; i++) {
        int pin = pin_every != 0 && i % pin_every == 0 ? 1 + i % 3 : 0;
        gr_ref a = gr_spawn(root, &player_class, GR_SPAWN(.worker = pin));
        gr_ref b = gr_spawn(root, &player_class, NULL);

        gr_tell(rt, a, gr_ref_value(b));
        gr_tell(rt, b, gr_ref_value(a));
        gr_tell(rt, a, gr_nil());
    }
    until(atomic_load(&rallies) == 2 * PAIRS);
}

Test(actor_stress, no_wake_up_is_lost)
{
    rally(0);
}

Test(actor_stress, no_wake_up_is_lost_between_pinned_ones)
{
    rally(2);
}

/* ---- one at a time --------------------------------------------------------------------------- */

struct plain {
    int64_t count; /* not atomic: ThreadSanitizer sees two at once */
    int inside;
    int bad;
};

static gr_value *add(gr_ctx *c, void *self, const gr_value *args)
{
    struct plain *p = self;

    p->bad += ++p->inside != 1;
    p->count++;
    p->inside--;
    if (gr_as_int(args, 0) % 4 == 0)
        gr_sleep(gr_runtime_of(c), gr_as_int(args, 0) % 2);
    p->bad += ++p->inside != 1;
    p->count++;
    p->inside--;
    return gr_int(p->bad);
}

static gr_value *total(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)args;
    return gr_int(((struct plain *)self)->count);
}

static const gr_method plain_methods[] = { { "invoke", GR_ASYNC, add, NULL },
                                           { "block", GR_BLOCKING, add, NULL },
                                           { "total", GR_CHEAP, total, NULL } };
static const gr_class exclusive =
    GR_CLASS(.name = "exclusive", .state_size = sizeof(struct plain), GR_METHODS(plain_methods));
static const gr_class reentrant = GR_CLASS(.name = "reentrant", .state_size = sizeof(struct plain),
                                           .reentrant = true, GR_METHODS(plain_methods));

struct caller {
    pthread_t thread;
    gr_ref to;
    const char *verb;
    int bad;
};

static void *call_many(void *arg)
{
    struct caller *c = arg;

    for (int i = 0; i < 30; i++) {
        gr_future *fs[20];

        for (int k = 0; k < 20; k++)
            fs[k] = gr_acall(rt, c->to, k % 5 == 4 ? c->verb : "invoke", gr_int(i + k), NULL);
        for (int k = 0; k < 20; k++) {
            gr_outcome o = gr_await(fs[k], -1);

            c->bad += o.code != GR_OK || gr_as_int(o.value, 1) != 0;
            gr_future_free(fs[k]);
        }
    }
    return NULL;
}

static void one_at_a_time(const gr_class *cls, const char *verb, unsigned max_concurrency)
{
    struct caller callers[3];
    gr_ref a = gr_spawn(root, cls, GR_SPAWN(.max_concurrency = max_concurrency));

    for (int i = 0; i < 3; i++) {
        callers[i] = (struct caller){ .to = a, .verb = verb };
        pthread_create(&callers[i].thread, NULL, call_many, &callers[i]);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(callers[i].thread, NULL);
        cr_assert_eq(callers[i].bad, 0);
    }
    cr_assert_eq(int_of(gr_acall(rt, a, "total", gr_nil(), NULL)), 3 * 30 * 20 * 2);
}

Test(actor_stress, exclusive_handlers_are_alone)
{
    one_at_a_time(&exclusive, "block", 0);
}

Test(actor_stress, reentrant_handlers_are_never_inside_at_once)
{
    one_at_a_time(&reentrant, "block", 0);
}

Test(actor_stress, reentrant_handlers_with_few_permits)
{
    one_at_a_time(&reentrant, "block", 2);
    one_at_a_time(&reentrant, "invoke", 1);
}

/* ---- actors that come and go, with senders who don't know ------------------------------------ */

/* What is sent names its receiver. */
static _Atomic uint64_t current_id;
static _Atomic bool over;
static _Atomic int odd, mistaken;

static bool is_meant(gr_ctx *c, const gr_value *to)
{
    bool meant = gr_value_type(to) != GR_REFV || gr_as_ref(to).id == gr_self(c).id;

    if (!meant)
        atomic_fetch_add(&mistaken, 1);
    return meant;
}

static gr_code sometimes(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return gr_as_int(args, 0) % 3 == 0 ? gr_fail(c, gr_error(GR_ERATE, "not today")) : GR_OK;
}

static gr_value *leave(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    is_meant(c, gr_at(args, 0));
    return gr_as_int(gr_at(args, 1), 0) % 7 == 0 ? gr_exit(c, gr_error(GR_EPROTO, "enough"))
                                                 : gr_value_ref(args);
}

static void ignore(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)self;
    is_meant(c, gr_at(msg, 0));
}

static const gr_method short_methods[] = { { "invoke", GR_ASYNC, leave, NULL } };
static const gr_class short_class = GR_CLASS(.name = "short", .state_size = 8, .init = sometimes,
                                             GR_METHODS(short_methods), .receive = ignore);
static const gr_class plain_class =
    GR_CLASS(.name = "plain", .state_size = 8, GR_METHODS(short_methods), .receive = ignore);
static const gr_class stateless_class = GR_CLASS(.name = "stateless", GR_METHODS(short_methods));

static gr_code check_on(gr_ref to)
{
    gr_value *err = gr_check(rt, to);
    gr_code rc = err != NULL ? gr_error_code(err) : GR_OK;

    gr_value_unref(err);
    return rc;
}

/* bother_once does one of what may be done with a ref; c NULL: by no actor. */
static gr_code bother_once(gr_ctx *c, gr_ref to, int i)
{
    gr_value *msg = gr_list(gr_ref_value(to), gr_int(i));
    uint64_t monitor;

    switch (i % 8) {
    case 0:
    case 1: return gr_tell(rt, to, msg);
    case 2: return gr_tell_wait(rt, to, msg);
    case 3:
    case 4: return code_of(gr_ainvoke(rt, to, msg, NULL));
    default: gr_value_unref(msg);
    }
    if (i % 8 == 5)
        return i % 5 == 0 ? gr_exit_to(rt, to, gr_str(i % 3 == 0 ? "kill" : "go")) : check_on(to);
    if (c == NULL)
        return check_on(to);
    return i % 8 == 6 ? gr_monitor(c, to, &monitor) : gr_link(c, to);
}

static void bother(gr_ctx *c, uint64_t node, int i)
{
    gr_code rc = bother_once(c, (gr_ref){ node, atomic_load(&current_id) }, i);

    if (rc != GR_OK && rc != GR_EDEAD && rc != GR_ERATE && rc != GR_EPROTO && rc != GR_EBROKEN &&
        rc != GR_EFULL && rc != GR_ETYPE)
        atomic_store(&odd, (int)rc);
}

static void *bother_outside(void *arg)
{
    for (int i = 0; !atomic_load(&over); i++)
        bother(NULL, *(uint64_t *)arg, i);
    return NULL;
}

static gr_code trap(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    gr_trap_exit(c, true);
    return GR_OK;
}

static gr_value *bother_inside(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    for (int i = 0; i < 40; i++)
        bother(c, gr_self(c).node, i);
    return gr_value_ref(args);
}

static void hear_exit(gr_ctx *c, void *self, gr_ref from, const gr_value *reason)
{
    (void)c, (void)self, (void)from, (void)reason;
}

static void hear_down(gr_ctx *c, void *self, uint64_t monitor, gr_ref who, const gr_value *reason)
{
    (void)c, (void)self, (void)monitor, (void)who, (void)reason;
}

static const gr_method bother_methods[] = { { "invoke", GR_ASYNC, bother_inside, NULL } };
static const gr_class bother_class =
    GR_CLASS(.name = "bother", .state_size = 8, .init = trap, .exited = hear_exit,
             .down = hear_down, GR_METHODS(bother_methods));

static void *bother_by_actor(void *arg)
{
    gr_ref by = gr_spawn(root, &bother_class, NULL);

    (void)arg;
    while (!atomic_load(&over))
        cr_assert_eq(code_of(gr_ainvoke(rt, by, gr_nil(), NULL)), GR_OK);
    gr_stop(rt, by);
    return NULL;
}

/* The n-th of those that come and go: some fail to start, some have bounds, or no state. */
static gr_ref spawn_one(gr_scope *s, int n)
{
    switch (n % 6) {
    case 0: return gr_spawn(s, &plain_class, GR_SPAWN(.mailbox_max = 2));
    case 1:
        return gr_spawn(s, &plain_class,
                        GR_SPAWN(.mailbox_max = 4, .overflow = GR_OVERFLOW_DROP_OLDEST));
    case 2:
        return gr_spawn(s, &plain_class,
                        GR_SPAWN(.mailbox_bytes_max = 200, .queue_ms = 1, .worker = 1 + n % 3));
    case 3: return gr_spawn(s, &stateless_class, GR_SPAWN(.max_concurrency = (unsigned)n % 4));
    default: return gr_spawn(s, &short_class, GR_SPAWN(.args = gr_int(n), .name = "short-lived"));
    }
}

Test(actor_stress, stale_refs_never_reach_another_actor)
{
    pthread_t threads[3];
    gr_ref a = gr_spawn(root, &short_class, GR_SPAWN(.args = gr_int(1)));
    uint64_t node = a.node;

    atomic_store(&current_id, a.id);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, i < 2 ? bother_outside : bother_by_actor, &node);
    for (int i = 0; i < 1500; i++) {
        gr_scope *s = gr_scope_new(root);

        a = spawn_one(s, i);
        atomic_store(&current_id, a.id);
        if (i % 5 == 0)
            sched_yield();
        if (i % 2 == 0)
            gr_stop(rt, a);
        gr_scope_free(s);
    }
    atomic_store(&over, true);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(atomic_load(&odd), 0, "%s", gr_code_name((gr_code)atomic_load(&odd)));
    cr_assert_eq(atomic_load(&mistaken), 0);
}

static void start(void)
{
    engine_start(3);
}

TestSuite(actor_stress, .init = start, .fini = engine_down);
