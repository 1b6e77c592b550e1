/* SPDX-License-Identifier: Apache-2.0 */
/* scope_stress_test.c - scopes that end while calls are made, detached, spawned into them. */
#include "runtime/async/scope.h"

#include "tests/support/engine.h"

static _Atomic int alive;

static gr_code born(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self, (void)args;
    atomic_fetch_add(&alive, 1);
    return GR_OK;
}

static void died(void *self, const gr_value *args)
{
    (void)self, (void)args;
    atomic_fetch_sub(&alive, 1);
}

static const gr_class mortal =
    GR_CLASS(.name = "mortal", .state_size = 8, .init = born, .stopped = died);

static gr_ref naps;

/* tree starts children, some detached, some awaited, some spawned into its run. */
static gr_value *tree(gr_ctx *c, void *self, const gr_value *args)
{
    gr_runtime *r = gr_runtime_of(c);
    int64_t depth = gr_as_int(args, 0);
    gr_value *err = NULL, *v;

    (void)self;
    gr_spawn(gr_run_scope(c), &mortal, NULL);
    gr_detach(gr_ainvoke(r, naps, gr_int(depth % 2), NULL));
    if (depth == 0)
        return gr_sleep(r, 1) == GR_OK ? gr_int(0) : gr_error(GR_ECANCELED, "interrupted");
    gr_future_free(gr_ainvoke(r, gr_self(c), gr_int(depth - 1), NULL));
    v = gr_invoke(r, gr_self(c), gr_int(depth - 1), NULL, &err);
    return v != NULL ? v : err;
}

static const gr_method tree_methods[] = { { "invoke", GR_ASYNC, tree, NULL } };
static const gr_class tree_class = GR_CLASS(.name = "tree", GR_METHODS(tree_methods));

static void *cancel_it(void *arg)
{
    gr_scope_cancel(arg);
    return NULL;
}

Test(scope_stress, trees_of_calls_are_cancelled_and_joined)
{
    gr_ref a = gr_spawn(root, &tree_class, NULL);

    naps = nap();
    for (int i = 0; i < 120; i++) {
        gr_scope *s = gr_scope_new(root), *inner = gr_scope_new(s);
        gr_future *fs[4];
        pthread_t thread;

        for (int k = 0; k < 4; k++)
            fs[k] =
                gr_ainvoke(rt, a, gr_int(k),
                           GR_CALL(.scope = k % 2 == 0 ? s : inner, .timeout_ms = k == 3 ? 2 : 0));
        pthread_create(&thread, NULL, cancel_it, i % 2 == 0 ? s : inner);
        if (i % 3 == 0)
            gr_await(fs[0], -1);
        pthread_join(thread, NULL);
        gr_scope_free(i % 2 == 0 ? s : inner);
        gr_scope_free(i % 2 == 0 ? inner : s);
        for (int k = 0; k < 4; k++) {
            cr_assert(gr_done(fs[k]), "joined, so it is over");
            gr_future_free(fs[k]);
        }
        cr_assert_eq(atomic_load(&alive), 0, "what the runs spawned has stopped");
    }
}

struct adder {
    gr_scope *scope;
    gr_ref to;
    pthread_t thread;
};

static void *add_until_refused(void *arg)
{
    struct adder *a = arg;
    gr_value *err = NULL;

    while (err == NULL) {
        gr_ref m = gr_spawn(a->scope, &mortal, NULL);

        gr_future_free(gr_ainvoke(rt, a->to, gr_int(1), GR_CALL(.scope = a->scope)));
        err = gr_check(rt, m);
    }
    gr_value_unref(err);
    return NULL;
}

Test(scope_stress, scopes_that_end_while_others_add_to_them)
{
    for (int i = 0; i < 60; i++) {
        struct adder adders[2];
        gr_scope *s = gr_scope_new(root);

        for (int k = 0; k < 2; k++) {
            adders[k] = (struct adder){ .scope = s, .to = naps };
            pthread_create(&adders[k].thread, NULL, add_until_refused, &adders[k]);
        }
        gr_sleep(rt, 1);
        gr_scope_cancel(s);
        for (int k = 0; k < 2; k++)
            pthread_join(adders[k].thread, NULL);
        gr_scope_free(s);
        cr_assert_eq(atomic_load(&alive), 0);
    }
}

/* ---- calls that have ended, freed while their scope ends ---------------------------------------- */

#define CALLS 64

static gr_value *count_up(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)args;
    return gr_int(++*(int64_t *)self);
}

static const gr_method counter_methods[] = { { "invoke", GR_ASYNC, count_up, NULL } };
static const gr_class counter =
    GR_CLASS(.name = "counter", .state_size = sizeof(int64_t), GR_METHODS(counter_methods));

struct freer {
    gr_future *fs[CALLS];
    bool awaits;
};

static void *free_all(void *arg)
{
    struct freer *f = arg;

    for (int k = 0; k < CALLS; k++) {
        if (f->awaits)
            gr_await(f->fs[k], -1);
        gr_future_free(f->fs[k]);
    }
    return NULL;
}

Test(scope_stress, calls_that_are_freed_while_their_scope_ends)
{
    gr_ref a = gr_spawn(root, &counter, NULL);

    for (int i = 0; i < 400; i++) {
        struct freer f = { .awaits = i % 2 == 0 };
        gr_scope *s = gr_scope_new(root);
        pthread_t thread;

        for (int k = 0; k < CALLS; k++)
            f.fs[k] = gr_ainvoke(rt, a, gr_nil(), GR_CALL(.scope = s));
        if (i % 4 < 2)
            gr_await(f.fs[CALLS / 2], -1);
        pthread_create(&thread, NULL, free_all, &f);
        if (i % 3 == 0)
            gr_scope_cancel(s);
        gr_scope_free(s);
        pthread_join(thread, NULL);
    }
}

/* ---- a scope that two workers add to, and that ends meanwhile -------------------------------- */

static gr_scope *_Atomic crowded;
static _Atomic int added, refused;

static void add_more(gr_ctx *c, void *self, const gr_value *msg)
{
    gr_runtime *r = gr_runtime_of(c);
    gr_value *err = NULL;

    (void)self;
    for (int i = 0; i < 16 && err == NULL; i++) {
        gr_ref m = gr_spawn(crowded, &mortal, NULL);

        err = gr_check(r, m);
        if (err == NULL && i != 0)
            gr_stop(r, m);
        atomic_fetch_add(&added, 1);
    }
    if (err == NULL)
        gr_tell(r, gr_self(c), gr_value_ref(msg));
    else
        atomic_fetch_add(&refused, 1);
    gr_value_unref(err);
}

static const gr_class adder_class = GR_CLASS(.name = "adder", .receive = add_more);

Test(scope_stress, a_crowded_scope_ends_while_workers_add_to_it)
{
    gr_ref adders[2];

    for (int k = 0; k < 2; k++)
        adders[k] = gr_spawn(root, &adder_class, GR_SPAWN(.worker = k + 1));
    for (int i = 0; i < 20; i++) {
        atomic_store(&added, 0);
        atomic_store(&refused, 0);
        atomic_store(&crowded, gr_scope_new(root));
        for (int k = 0; k < 2; k++)
            cr_assert_eq(gr_tell(rt, adders[k], gr_nil()), GR_OK);
        until(atomic_load(&added) > 3000);
        if (i % 2 == 0)
            gr_scope_cancel(crowded);
        else
            gri_scope_close(crowded, GR_ECANCELED); /* no drain: it is still to be used */
        until(atomic_load(&refused) == 2);
        gr_scope_free(crowded);
        cr_assert_eq(atomic_load(&alive), 0);
    }
}

Test(scope_stress, runtimes_that_end_in_the_middle)
{
    for (int i = 0; i < 30; i++) {
        gr_ref a = gr_spawn(root, &tree_class, NULL);
        gr_future *fs[6];

        naps = nap();
        for (int k = 0; k < 6; k++)
            fs[k] = gr_ainvoke(rt, a, gr_int(k % 4), NULL);
        gr_await(fs[0], i % 3);
        gr_runtime_free(rt);
        for (int k = 0; k < 6; k++) {
            cr_assert(gr_done(fs[k]));
            gr_future_free(fs[k]);
        }
        cr_assert_eq(atomic_load(&alive), 0);
        engine_up();
    }
}

static void start(void)
{
    engine_up();
    naps = nap();
    atomic_store(&alive, 0);
}

TestSuite(scope_stress, .init = start, .fini = engine_down);
