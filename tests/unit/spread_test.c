/* SPDX-License-Identifier: Apache-2.0 */
/* spread_test.c - scopes that several workers add to, and calls that end without leaving theirs. */
#include "runtime/async/spread.h"

#include "tests/support/engine.h"

/* ---- actors of two workers, in order --------------------------------------------------------- */

#define CHILDREN 2000

static gr_scope *nursery;
static _Atomic int stops, born;
static int until_child; /* where the breeders halt */
static int order[CHILDREN];
static gr_ref breeders[2];

static void note_stop(void *self, const gr_value *args)
{
    (void)self;
    order[atomic_fetch_add(&stops, 1)] = (int)gr_as_int(args, -1);
}

static const gr_class bystander = GR_CLASS(.name = "bystander", .state_size = 1);
static const gr_class child = GR_CLASS(.name = "child", .state_size = 1, .stopped = note_stop);

/* Two breeders on two workers take turns, in runs of 1, 2, 3, 1, … children. */
static void breed(gr_ctx *c, void *self, const gr_value *msg)
{
    int n = (int)gr_as_int(msg, 0), run = n % 3 + 1;

    (void)self;
    for (int i = 0; i < run && n < until_child; i++, n++)
        gr_spawn(nursery, &child, GR_SPAWN(.args = gr_int(n)));
    if (n < until_child)
        gr_tell(gr_runtime_of(c), breeders[gr_self(c).id == breeders[0].id], gr_int(n));
    else
        atomic_store(&born, n);
}

static const gr_class breeder = GR_CLASS(.name = "breeder", .receive = breed);

static void prepare(gr_runtime *r)
{
    nursery = gr_scope_new(gr_root(r));
    for (int i = 0; i < 2; i++)
        breeders[i] = gr_spawn(gr_root(r), &breeder, GR_SPAWN(.worker = i + 1));
}

static void breed_until(gr_runtime *r, int n)
{
    int from = atomic_load(&born);

    until_child = n;
    cr_assert_eq(gr_tell(r, breeders[0], gr_int(from)), GR_OK);
    until(atomic_load(&born) == n);
}

static void check_order(int count)
{
    cr_assert_eq(atomic_load(&stops), count);
    for (int i = 0; i < count; i++)
        cr_assert_eq(order[i], count - 1 - i, "the %dth to stop was %d", i, order[i]);
}

Test(spread, actors_of_two_workers_stop_in_reverse_order)
{
    prepare(rt);
    breed_until(rt, CHILDREN);
    cr_assert(nursery->spread_open, "two workers have taken turns at adding members");
    cr_assert_lt(nursery->actors, CHILDREN / 2, "most lie in the parts");
    gr_scope_free(nursery);
    check_order(CHILDREN);
}

/* When its numbers are used up all are gathered, and it begins anew. */
Test(spread, numbers_may_be_used_up)
{
    struct gri_spread *p;

    prepare(rt);
    breed_until(rt, 600);
    cr_assert(nursery->spread_open);
    p = atomic_load(&nursery->spread);
    atomic_fetch_or(&p->epoch, (GRI_EPOCHS - 8) << GRI_PART_BITS);
    breed_until(rt, 640);
    cr_assert_not(nursery->spread_open);
    cr_assert_geq(nursery->actors, 600, "gathered");
    breed_until(rt, CHILDREN);
    cr_assert(nursery->spread_open, "spread once more");
    gr_scope_free(nursery);
    check_order(CHILDREN);
}

/* In simulations scopes are spread early, at any time; some members end by themselves meanwhile. */
static gr_value *bear(gr_ctx *c, void *self, const gr_value *args)
{
    gr_runtime *r = gr_runtime_of(c);

    (void)self;
    gr_spawn(nursery, &child, GR_SPAWN(.args = gr_value_ref(args)));
    gr_stop(r, gr_spawn(nursery, &bystander, NULL));
    return gr_nil();
}

static const gr_method mother_methods[] = { { "invoke", GR_ASYNC, bear, NULL } };
static const gr_class mother =
    GR_CLASS(.name = "mother", .state_size = 1, GR_METHODS(mother_methods));

Test(spread, the_order_holds_whenever_a_scope_is_spread)
{
    int spread = 0;

    gr_runtime_free(rt);
    for (uint64_t seed = 1; seed <= 150; seed++) {
        gr_ref mothers[2];

        atomic_store(&stops, 0);
        cr_assert_eq(gr_runtime_new(GR_RUNTIME(.sim_seed = seed), &rt), GR_OK);
        nursery = gr_scope_new(gr_root(rt));
        for (int i = 0; i < 2; i++)
            mothers[i] = gr_spawn(gr_root(rt), &mother, GR_SPAWN(.worker = i + 1));
        for (int n = 0; n < 40; n++)
            code_of(gr_ainvoke(rt, mothers[n % 3 % 2], gr_int(n), NULL));
        spread += nursery->spread_open;
        gr_scope_free(nursery);
        check_order(40);
        gr_runtime_free(rt);
    }
    rt = NULL;
    cr_assert_gt(spread, 10, "%d of 150 were spread", spread);
    cr_assert_lt(spread, 150);
}

/* Those that were added before it was spread, those that leave meanwhile, and a cancellation. */
static void mayfly_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)self, (void)msg;
    gr_stop(gr_runtime_of(c), gr_self(c));
}

static const gr_class mayfly =
    GR_CLASS(.name = "mayfly", .state_size = 1, .receive = mayfly_receive, .stopped = note_stop);

static void breed_mayflies(gr_ctx *c, void *self, const gr_value *msg)
{
    int n = (int)gr_as_int(msg, 0);
    gr_runtime *r = gr_runtime_of(c);

    (void)self;
    gr_tell(r, gr_spawn(nursery, &mayfly, NULL), gr_nil());
    atomic_store(&born, n + 1);
    if (n + 1 < CHILDREN)
        gr_tell(r, breeders[gr_self(c).id == breeders[0].id], gr_int(n + 1));
}

static const gr_class mayfly_breeder = GR_CLASS(.name = "breeder", .receive = breed_mayflies);

Test(spread, members_leave_the_part_that_they_are_in)
{
    nursery = gr_scope_new(root);
    for (int i = 0; i < 2; i++)
        breeders[i] = gr_spawn(root, &mayfly_breeder, GR_SPAWN(.worker = i + 1));
    cr_assert_eq(gr_tell(rt, breeders[0], gr_int(0)), GR_OK);
    until(atomic_load(&stops) == CHILDREN);
    gr_scope_cancel(nursery);
    cr_assert_not(nursery->spread_open, "gathered");
    cr_assert_null(gr_scope_new(nursery));
    gr_scope_free(nursery);
}

/* ---- calls that leave in passing ------------------------------------------------------------- */

static gr_value *answer(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    return gr_value_ref(args);
}

static const gr_method answer_methods[] = { { "invoke", GR_ASYNC, answer, NULL } };
static const gr_class answerer =
    GR_CLASS(.name = "answerer", .state_size = 1, GR_METHODS(answer_methods));

#define CALLS 50

static void call_and_await(gr_scope *s, gr_future *fs[CALLS])
{
    gr_ref to = gr_spawn(root, &answerer, NULL);

    for (int i = 0; i < CALLS; i++)
        fs[i] = gr_ainvoke(rt, to, gr_int(i), GR_CALL(.scope = s));
    for (int i = 0; i < CALLS; i++)
        cr_assert_eq(gr_await(fs[i], -1).code, GR_OK);
}

static size_t calls_of(gr_scope *s)
{
    size_t n;

    gri_lock(&s->lock);
    n = s->calls;
    gri_unlock(&s->lock);
    return n;
}

Test(spread, a_call_that_has_ended_leaves_when_it_is_freed)
{
    gr_scope *s = gr_scope_new(root);
    gr_future *fs[CALLS];

    call_and_await(s, fs);
    for (int i = 0; i < CALLS; i++)
        gr_future_free(fs[i]);
    until(calls_of(s) == 0); /* the answering worker may be about to give its reference up */
    gr_scope_free(s);
}

Test(spread, a_call_that_has_ended_keeps_no_scope)
{
    gr_scope *s = gr_scope_new(root);
    gr_future *fs[CALLS];

    call_and_await(s, fs);
    gr_scope_cancel(s);
    gr_scope_free(s);
    for (int i = 0; i < CALLS; i++) {
        cr_assert_eq(gr_as_int(gr_await(fs[i], 0).value, -1), i);
        gr_future_free(fs[i]);
    }
}

/* The scope is a handler's run, which ends while what it has called is kept by somebody else. */
static gr_future *kept[CALLS];
static gr_ref answers;

static gr_value *call_and_keep(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    for (int i = 0; i < CALLS; i++)
        kept[i] = gr_ainvoke(gr_runtime_of(c), answers, gr_int(i), NULL);
    for (int i = 0; i < CALLS; i++)
        gr_await(kept[i], -1);
    return gr_value_ref(args);
}

static const gr_method keep_methods[] = { { "invoke", GR_ASYNC, call_and_keep, NULL } };
static const gr_class keep_class =
    GR_CLASS(.name = "keeper", .state_size = 1, GR_METHODS(keep_methods));

Test(spread, a_run_ends_though_the_calls_of_it_are_kept)
{
    gr_ref keeper = gr_spawn(root, &keep_class, GR_SPAWN(.worker = 1));
    gr_scope *s = gr_scope_new(root);

    answers = gr_spawn(root, &answerer, GR_SPAWN(.worker = 2));
    cr_assert_eq(code_of(gr_ainvoke(rt, keeper, gr_nil(), GR_CALL(.scope = s))), GR_OK);
    gr_scope_free(s);
    for (int i = 0; i < CALLS; i++)
        gr_future_free(kept[i]);
}

static void start(void)
{
    engine_up();
    atomic_store(&stops, 0);
    atomic_store(&born, 0);
}

TestSuite(spread, .init = start, .fini = engine_down);
