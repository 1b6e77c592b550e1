/* SPDX-License-Identifier: Apache-2.0 */
/* cancel_stress_test.c - cancellations that race with answers, streams, hand-overs and hooks. */
#include "tests/support/engine.h"

#define ROUNDS 3000

/* A call that was cancelled keeps its place in the mailbox until its actor comes to it, which on a busy
 * machine may be all of them. */
static void roomy_up(void)
{
    engine_blocks = test_memory_live();
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2, .mailbox_max = (size_t)2 * ROUNDS), &rt),
                 GR_OK);
    root = gr_root(rt);
}

TestSuite(cancel_stress, .init = roomy_up, .fini = engine_down);

struct job {
    gr_future *future;
    gr_stream *stream;
    gr_scope *scope;
    pthread_barrier_t start;
    _Atomic bool over;
};

/* The other thread cancels what the test made for this round, as close to it as a barrier brings
 * them. */
static void *canceller(void *arg)
{
    struct job *j = arg;

    for (;;) {
        pthread_barrier_wait(&j->start);
        if (atomic_load(&j->over))
            return NULL;
        if (j->scope != NULL)
            gr_scope_cancel(j->scope);
        else
            gr_future_cancel(j->future);
        pthread_barrier_wait(&j->start);
    }
}

static void job_begin(struct job *j, pthread_t *thread)
{
    pthread_barrier_init(&j->start, NULL, 2);
    pthread_create(thread, NULL, canceller, j);
}

static void job_end(struct job *j, pthread_t thread)
{
    atomic_store(&j->over, true);
    pthread_barrier_wait(&j->start);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&j->start);
}

static gr_ref target;

static gr_value *pass_on(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return gr_delegate(c, target, "invoke", gr_value_ref(args));
}

static const gr_method pass_methods[] = { { "invoke", GR_ASYNC, pass_on, NULL } };
static const gr_class pass_class = GR_CLASS(.name = "pass", GR_METHODS(pass_methods));

static void race_calls(gr_ref to)
{
    struct job j = { .future = NULL };
    pthread_t thread;

    job_begin(&j, &thread);
    for (int i = 0; i < ROUNDS; i++) {
        gr_outcome o;

        j.future = gr_ainvoke(rt, to, gr_int(i), NULL);
        pthread_barrier_wait(&j.start);
        o = gr_await(j.future, -1);
        cr_assert(o.code == GR_OK || o.code == GR_ECANCELED, "%s", gr_error_text(o.error));
        pthread_barrier_wait(&j.start);
        gr_future_free(j.future);
    }
    job_end(&j, thread);
}

Test(cancel_stress, of_cheap_calls)
{
    race_calls(echo());
}

Test(cancel_stress, of_parked_calls)
{
    race_calls(nap());
}

Test(cancel_stress, of_calls_that_are_passed_on)
{
    target = echo();
    race_calls(gr_spawn(root, &pass_class, NULL));
}

/* The reader must see either the chunk and the end, or the cancellation; never an end with
 * nothing. */
Test(cancel_stress, of_streams_of_one_chunk)
{
    struct job j = { .future = NULL };
    pthread_t thread;
    gr_ref to = echo();

    job_begin(&j, &thread);
    for (int i = 0; i < ROUNDS; i++) {
        gr_outcome o;
        int n = 0;

        j.scope = gr_scope_new(root);
        j.stream = gr_astream(rt, to, gr_int(i), GR_CALL(.scope = j.scope));
        pthread_barrier_wait(&j.start);
        while ((o = gr_next(j.stream, -1)).code == GR_OK)
            n++;
        cr_assert((o.code == GR_EOS && n == 1) || o.code == GR_ECANCELED, "%s after %d",
                  gr_code_name(o.code), n);
        gr_stream_free(j.stream);
        pthread_barrier_wait(&j.start);
        gr_scope_free(j.scope);
    }
    job_end(&j, thread);
}

static gr_code endless(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_code rc;

    (void)self, (void)in, (void)args;
    while ((rc = gr_emit(c, gr_int(1))) == GR_OK)
        ;
    return rc;
}

static const gr_method endless_methods[] = { { "stream", GR_ASYNC, NULL, endless } };
static const gr_class endless_class = GR_CLASS(.name = "endless", GR_METHODS(endless_methods));

/* The sum over a stream is gathered by a native frame with a hook of its own. */
Test(cancel_stress, of_gathered_streams)
{
    race_calls(echo());
    struct job j = { .future = NULL };
    pthread_t thread;
    gr_ref to = gr_spawn(root, &endless_class, NULL);

    job_begin(&j, &thread);
    for (int i = 0; i < ROUNDS / 4; i++) {
        j.future = gr_ainvoke(rt, to, gr_nil(), NULL);
        pthread_barrier_wait(&j.start);
        cr_assert_eq(gr_await(j.future, -1).code, GR_ECANCELED);
        pthread_barrier_wait(&j.start);
        gr_future_free(j.future);
    }
    job_end(&j, thread);
}

static _Atomic int hooks;

static void hook(void *arg)
{
    (void)arg;
    atomic_fetch_add(&hooks, 1);
}

static gr_value *hooked(gr_ctx *c, void *self, const gr_value *args)
{
    gr_promise *p = gr_defer(c);

    (void)self;
    gr_on_cancel(p, hook, hook, NULL);
    gr_resolve(p, gr_value_ref(args));
    return NULL;
}

static const gr_method hooked_methods[] = { { "invoke", GR_ASYNC, hooked, NULL } };
static const gr_class hooked_class = GR_CLASS(.name = "hooked", GR_METHODS(hooked_methods));

Test(cancel_stress, of_calls_with_hooks)
{
    race_calls(gr_spawn(root, &hooked_class, NULL));
    cr_assert_leq(atomic_load(&hooks), ROUNDS);
}

/* Deadlines race with answers by themselves. */
Test(cancel_stress, by_deadlines)
{
    gr_ref to = nap();
    int late = 0;

    for (int i = 0; i < 50; i++) {
        gr_future *fs[20];

        for (int k = 0; k < 20; k++)
            fs[k] = gr_ainvoke(rt, to, gr_int(2), GR_CALL(.timeout_ms = 3));
        for (int k = 0; k < 20; k++) {
            gr_code rc = code_of(fs[k]);

            cr_assert(rc == GR_OK || rc == GR_ETIMEDOUT, "%s", gr_code_name(rc));
            late += rc == GR_ETIMEDOUT;
        }
    }
    cr_assert_geq(late, 0);
}
