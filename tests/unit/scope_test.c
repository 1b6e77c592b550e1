/* SPDX-License-Identifier: Apache-2.0 */
/* scope_test.c - what is started together is cancelled, joined and stopped together. */
#include "runtime/async/scope.h"

#include "tests/support/engine.h"

static _Atomic int stops, begun, ended;
static _Atomic int order[64];

static void note_stop(void *self, const gr_value *args)
{
    (void)self;
    order[atomic_fetch_add(&stops, 1)] = (int)gr_as_int(args, -1);
}

static const gr_class noted = GR_CLASS(.name = "noted", .state_size = 1, .stopped = note_stop);

Test(scope, free_stops_its_actors_in_reverse_order)
{
    gr_scope *s = gr_scope_new(root);

    for (int i = 0; i < 20; i++)
        gr_spawn(s, &noted, GR_SPAWN(.args = gr_int(i)));
    gr_scope_free(s);
    cr_assert_eq(atomic_load(&stops), 20);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(atomic_load(&order[i]), 19 - i);
    gr_scope_free(NULL);
}

static gr_value *linger(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *busy = gr_value_ref(args);

    (void)self;
    atomic_fetch_add(&begun, 1);
    gr_sleep(gr_runtime_of(c), 600000);
    for (int i = 0; i < 1000; i++)
        sched_yield(); /* a handler that takes its time to end */
    atomic_fetch_add(&ended, 1);
    return busy;
}

static const gr_method linger_methods[] = { { "invoke", GR_ASYNC, linger, NULL },
                                            { "block", GR_BLOCKING, linger, NULL } };
static const gr_class linger_class = GR_CLASS(.name = "linger", GR_METHODS(linger_methods));

Test(scope, free_joins_what_it_cancels)
{
    gr_scope *s = gr_scope_new(root);
    gr_ref a = gr_spawn(root, &linger_class, NULL);
    gr_future *f = gr_ainvoke(rt, a, gr_nil(), GR_CALL(.scope = s));
    gr_future *g = gr_acall(rt, a, "block", gr_nil(), GR_CALL(.scope = s));

    until(atomic_load(&begun) == 2);
    gr_scope_free(s);
    cr_assert_eq(atomic_load(&ended), 2, "both handlers have returned");
    cr_assert_eq(code_of(f), GR_ECANCELED);
    cr_assert_eq(code_of(g), GR_ECANCELED);
    cr_assert_null(gr_check(rt, a));
}

Test(scope, cancel_refuses_new_calls_and_keeps_its_actors)
{
    gr_scope *s = gr_scope_new(root);
    gr_ref a = gr_spawn(s, &linger_class, NULL);

    gr_scope_cancel(s);
    gr_scope_cancel(s);
    cr_assert_eq(code_of(gr_ainvoke(rt, a, gr_nil(), GR_CALL(.scope = s))), GR_ECANCELED);
    cr_assert_null(gr_scope_new(s));
    cr_assert_null(gr_check(rt, a));
    gr_scope_free(s);
    cr_assert_eq(code_of(gr_ainvoke(rt, a, gr_nil(), NULL)), GR_EDEAD);
}

Test(scope, cancelling_reaches_scopes_below)
{
    gr_scope *outer = gr_scope_new(root), *inner = gr_scope_new(outer);
    gr_ref a = gr_spawn(root, &linger_class, NULL);
    gr_future *f = gr_ainvoke(rt, a, gr_nil(), GR_CALL(.scope = inner));

    until(atomic_load(&begun) == 1);
    gr_scope_cancel(outer);
    cr_assert_eq(code_of(f), GR_ECANCELED);
    gr_scope_free(inner);
    cr_assert_eq(atomic_load(&ended), 1);
    gr_scope_free(outer);
}

Test(scope, an_outer_scope_may_end_before_an_inner_one_is_freed)
{
    gr_scope *outer = gr_scope_new(root), *inner = gr_scope_new(outer);

    gr_spawn(inner, &noted, GR_SPAWN(.args = gr_int(1)));
    gr_scope_free(outer);
    cr_assert_eq(atomic_load(&stops), 1);
    cr_assert_null(gr_scope_new(inner));
    gr_scope_free(inner);
}

static void free_it(void *arg, gr_future *f)
{
    (void)arg;
    gr_future_free(f);
}

static gr_value *starter(gr_ctx *c, void *self, const gr_value *args)
{
    gr_ref a = gr_spawn(gr_run_scope(c), &noted, GR_SPAWN(.args = gr_int(7)));

    (void)self;
    gr_on_done(gr_ainvoke(gr_runtime_of(c), gr_as_ref(args), gr_nil(), NULL), free_it, NULL, NULL);
    until(atomic_load(&begun) == 1);
    return gr_ref_value(a);
}

static const gr_method starter_methods[] = { { "invoke", GR_ASYNC, starter, NULL } };
static const gr_class starter_class = GR_CLASS(.name = "starter", GR_METHODS(starter_methods));

Test(scope, what_a_handler_starts_ends_with_its_call)
{
    gr_scope *s = gr_scope_new(root);
    gr_ref l = gr_spawn(root, &linger_class, NULL), st = gr_spawn(root, &starter_class, NULL);
    gr_value *v = gr_invoke(rt, st, gr_ref_value(l), GR_CALL(.scope = s), NULL);

    gr_scope_free(s); /* joins the run, though its answer came before */
    cr_assert_eq(atomic_load(&ended), 1);
    cr_assert_eq(atomic_load(&stops), 1);
    cr_assert_eq(code_of(gr_ainvoke(rt, gr_as_ref(v), gr_nil(), NULL)), GR_EDEAD);
    gr_value_unref(v);
}

/* ---- passes that meet ------------------------------------------------------------------------ */

/* Members that hold up whoever tells them until the other pass has told one too, or has ended. */
struct fake {
    struct gri_member member;
    int cancelled, stopped;
};

static pthread_mutex_t step_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t stepped = PTHREAD_COND_INITIALIZER;
static int turn_of; /* whose step it is: 0 the close, 1 the cancel */
static bool over[2];

static _Thread_local int me;

static void take_step(void)
{
    pthread_mutex_lock(&step_lock);
    turn_of = 1 - me;
    pthread_cond_broadcast(&stepped);
    while (turn_of != me && !over[1 - me])
        pthread_cond_wait(&stepped, &step_lock);
    pthread_mutex_unlock(&step_lock);
}

static void end_steps(void)
{
    pthread_mutex_lock(&step_lock);
    over[me] = true;
    pthread_cond_broadcast(&stepped);
    pthread_mutex_unlock(&step_lock);
}

static void fake_cancel(struct gri_member *m, gr_code why)
{
    (void)why;
    gri_container_of(m, struct fake, member)->cancelled++;
    take_step();
}

static void fake_stop(struct gri_member *m)
{
    gri_container_of(m, struct fake, member)->stopped++;
    take_step();
}

static bool fake_ref(struct gri_member *m)
{
    (void)m;
    return true;
}

static void fake_unref(struct gri_member *m)
{
    (void)m;
}

static const struct gri_member_ops fake_ops = {
    .cancel = fake_cancel, .stop = fake_stop, .ref = fake_ref, .unref = fake_unref
};

static void *close_scope(void *arg)
{
    me = 0;
    gri_scope_close(arg, GR_ECANCELED);
    end_steps();
    return NULL;
}

static void *cancel_scope(void *arg)
{
    me = 1;
    pthread_mutex_lock(&step_lock);
    while (turn_of != 1)
        pthread_cond_wait(&stepped, &step_lock);
    pthread_mutex_unlock(&step_lock);
    gri_scope_cancel(arg, GR_ECANCELED);
    end_steps();
    return NULL;
}

static void no_destroy(struct gr_scope *s)
{
    (void)s;
}

/* One thread closes while another cancels: each member must be told to stop, whoever tells it. */
Test(scope, a_close_and_a_cancel_that_meet_miss_nobody)
{
    struct gr_scope s;
    struct fake fakes[4] = { { .cancelled = 0 } };
    pthread_t closing, cancelling;

    gri_scope_init(&s, rt, NULL, no_destroy);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(gri_scope_add(&s, &fakes[i].member, &fake_ops), GR_OK);
    pthread_create(&cancelling, NULL, cancel_scope, &s);
    pthread_create(&closing, NULL, close_scope, &s);
    pthread_join(closing, NULL);
    pthread_join(cancelling, NULL);
    for (int i = 0; i < 4; i++) {
        cr_assert_geq(fakes[i].stopped, 1, "member %d was only cancelled", i);
        gri_scope_leave(&fakes[i].member);
    }
}

/* In the plain mode all tests run in one process. */
static void start_afresh(void)
{
    engine_up();
    turn_of = 0;
    over[0] = over[1] = false;
    atomic_store(&stops, 0);
    atomic_store(&begun, 0);
    atomic_store(&ended, 0);
}

static gr_value *stop_self(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    gr_stop(gr_runtime_of(c), gr_self(c));
    return gr_value_ref(args);
}

static const gr_method once_methods[] = { { "invoke", GR_ASYNC, stop_self, NULL } };
static const gr_class once =
    GR_CLASS(.name = "once", .state_size = 1, .stopped = note_stop, GR_METHODS(once_methods));

/* The younger of two actors ends by itself while their scope is drained: that must not be taken for
 * the end of the older one, which nobody would have told then. */
Test(scope, an_actor_may_end_while_its_scope_is_drained)
{
    gr_runtime_free(rt);
    for (uint64_t seed = 450; seed < 650; seed++) { /* 504 found it */
        gr_future *f;
        gr_scope *s;

        atomic_store(&stops, 0);
        cr_assert_eq(gr_runtime_new(GR_RUNTIME(.sim_seed = seed), &rt), GR_OK);
        s = gr_scope_new(gr_root(rt));
        gr_spawn(s, &noted, NULL);
        f = gr_ainvoke(rt, gr_spawn(s, &once, NULL), gr_nil(), GR_CALL(.scope = s));
        gr_await(f, -1);
        cr_assert(gri_scope_drain(s, GRI_NEVER), "seed %llu hangs", (unsigned long long)seed);
        gr_future_free(f);
        gr_scope_free(s);
        cr_assert_eq(atomic_load(&stops), 2, "seed %llu", (unsigned long long)seed);
        gr_runtime_free(rt);
    }
    rt = NULL;
}

TestSuite(scope, .init = start_afresh, .fini = engine_down);
