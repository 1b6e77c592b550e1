/* SPDX-License-Identifier: Apache-2.0 */
/* tell_test.c - messages without an answer: room, refusal, order. */
#include "tests/support/engine.h"

static struct signal_count entered = SIGNAL_COUNT, go = SIGNAL_COUNT;
static _Atomic int received, drops;

static void await_and_free(gr_future *f)
{
    gr_await(f, -1);
    gr_future_free(f);
}

/* The first message holds the actor until the test says go, on its worker: the test's own doing. */
static void hold_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)c, (void)self;
    if (gr_as_bool(msg, false)) {
        post(&entered);
        take(&go);
    } else if (gr_value_type(msg) == GR_REFV) {
        await_and_free(gr_ainvoke(gr_runtime_of(c), gr_as_ref(msg), gr_nil(), NULL));
    }
    atomic_fetch_add(&received, 1);
}

static gr_value *tell_self(gr_ctx *c, void *self, const gr_value *args)
{
    gr_code rc = GR_OK;

    (void)self;
    for (int i = 0; i < 100 && rc == GR_OK; i++)
        rc = gr_tell_wait(gr_runtime_of(c), gr_self(c), gr_nil());
    (void)args;
    return gr_int(rc);
}

static gr_value *tell_other(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return gr_int(gr_tell_wait(gr_runtime_of(c), gr_as_ref(args), gr_nil()));
}

static const gr_method methods[] = { { "self", GR_ASYNC, tell_self, NULL },
                                     { "other", GR_ASYNC, tell_other, NULL },
                                     { "cheap", GR_CHEAP, tell_other, NULL } };
static const gr_class hold_class =
    GR_CLASS(.name = "hold", .state_size = 1, GR_METHODS(methods), .receive = hold_receive);
static const gr_class helper_class = GR_CLASS(.name = "helper", GR_METHODS(methods));
static const gr_class deaf_class = GR_CLASS(.name = "deaf", .state_size = 1, GR_METHODS(methods));

static gr_ref full_in(gr_scope *scope, size_t mailbox_max)
{
    gr_ref a = gr_spawn(scope, &hold_class, GR_SPAWN(.mailbox_max = mailbox_max));

    cr_assert_eq(gr_tell(rt, a, gr_bool(true)), GR_OK);
    cr_assert(take(&entered));
    for (size_t i = 0; i < mailbox_max; i++)
        cr_assert_eq(gr_tell(rt, a, gr_nil()), GR_OK);
    return a;
}

static gr_ref full(size_t mailbox_max)
{
    return full_in(root, mailbox_max);
}

Test(tell, a_full_mailbox_refuses)
{
    gr_ref a = full(5);

    cr_assert_eq(gr_tell(rt, a, gr_str("consumed")), GR_EFULL);
    cr_assert_eq(code_of(gr_acall(rt, a, "self", gr_nil(), NULL)), GR_EFULL);
    post(&go);
    until(atomic_load(&received) == 6);
    cr_assert_eq(gr_tell(rt, a, gr_nil()), GR_OK);
}

static void *wait_for_room(void *arg)
{
    post(&entered);
    return (void *)(uintptr_t)gr_tell_wait(rt, *(gr_ref *)arg, gr_nil());
}

Test(tell, tell_wait_waits_for_room_from_a_thread_and_a_handler)
{
    gr_ref a = full(3);
    gr_ref h = gr_spawn(root, &helper_class, NULL);
    gr_future *f = gr_acall(rt, h, "other", gr_ref_value(a), NULL);
    pthread_t thread;
    void *rc = NULL;

    pthread_create(&thread, NULL, wait_for_room, &a);
    cr_assert(take(&entered));
    cr_assert_eq(gr_await(f, 2).code, GR_EPENDING);
    post(&go);
    pthread_join(thread, &rc);
    cr_assert_eq((gr_code)(uintptr_t)rc, GR_OK);
    cr_assert_eq(int_of(f), GR_OK);
    until(atomic_load(&received) == 6);
}

Test(tell, cheap_code_cannot_wait_for_room)
{
    gr_ref a = full(2);

    cr_assert_eq(
        int_of(gr_acall(rt, gr_spawn(root, &helper_class, NULL), "cheap", gr_ref_value(a), NULL)),
        GR_EDEADLK);
    post(&go);
}

Test(tell, a_cancelled_sender_stops_waiting)
{
    gr_ref a = full(2);
    gr_scope *scope = gr_scope_new(root);
    gr_future *f = gr_acall(rt, gr_spawn(root, &helper_class, NULL), "other", gr_ref_value(a),
                            GR_CALL(.scope = scope));

    cr_assert_eq(gr_await(f, 2).code, GR_EPENDING);
    gr_scope_free(scope); /* joins the handler, so it has stopped waiting */
    cr_assert_eq(code_of(f), GR_ECANCELED);
    post(&go);
    until(atomic_load(&received) == 3);
}

Test(tell, an_actor_that_stops_wakes_its_senders)
{
    gr_scope *scope = gr_scope_new(root);
    gr_ref a = full_in(scope, 2);
    pthread_t thread;
    void *rc = NULL;

    pthread_create(&thread, NULL, wait_for_room, &a);
    cr_assert(take(&entered));
    gr_stop(rt, a);
    post(&go);
    pthread_join(thread, &rc);
    cr_assert_eq((gr_code)(uintptr_t)rc, GR_EDEAD);
    gr_scope_free(scope); /* the handler under way has ended */
    cr_assert_eq(atomic_load(&received), 1, "what was queued is dropped");
}

/* What the receiver waits for may depend on the sender, so a sender is not left waiting while there
 * is room, be it one place. */
Test(tell, one_place_is_room_when_the_receiver_waits)
{
    struct desk d = DESK;
    gr_ref a = gr_spawn(root, &hold_class, GR_SPAWN(.mailbox_max = 10));
    gr_ref waited_for = desk_in(root, &d);
    gr_future *f;

    cr_assert_eq(gr_tell(rt, a, gr_bool(true)), GR_OK);
    cr_assert(take(&entered));
    for (int i = 0; i < 10; i++)
        cr_assert_eq(gr_tell(rt, a, i == 0 ? gr_ref_value(waited_for) : gr_nil()), GR_OK);
    f = gr_acall(rt, gr_spawn(root, &helper_class, NULL), "other", gr_ref_value(a), NULL);
    cr_assert_eq(gr_await(f, 2).code, GR_EPENDING);
    post(&go);
    until(atomic_load(&d.came) == 1); /* the second message is handled, and waits */
    cr_assert_eq(int_of(f), GR_OK);
    desk_answer(&d, 0, gr_nil());
    until(atomic_load(&received) == 12);
}

/* Nobody but itself could make room. */
Test(tell, an_exclusive_actor_that_waits_for_its_own_room_is_told)
{
    gr_ref a = gr_spawn(root, &hold_class, GR_SPAWN(.mailbox_max = 10));

    cr_assert_eq(int_of(gr_acall(rt, a, "self", gr_nil(), NULL)), GR_EDEADLK);
    until(atomic_load(&received) == 10);
}

static void count_drop(void *p)
{
    (void)p;
    atomic_fetch_add(&drops, 1);
}

Test(tell, messages_are_consumed_always)
{
    gr_ref dead = gr_spawn(root, &hold_class, NULL), deaf = gr_spawn(root, &deaf_class, NULL);
    gr_ref a;

    gr_stop(rt, dead);
    cr_assert_eq(gr_tell(rt, dead, gr_opaque(NULL, count_drop)), GR_EDEAD);
    cr_assert_eq(gr_tell_wait(rt, dead, gr_opaque(NULL, count_drop)), GR_EDEAD);
    cr_assert_eq(gr_tell(rt, deaf, gr_opaque(NULL, count_drop)), GR_ETYPE, "it has no receive");
    until(atomic_load(&drops) == 3);
    a = full(1);
    cr_assert_eq(gr_tell(rt, a, gr_opaque(NULL, count_drop)), GR_EFULL);
    cr_assert_eq(atomic_load(&drops), 4);
    post(&go);
    cr_assert_eq(gr_tell(rt, deaf, NULL), GR_EINVAL);
    cr_assert_eq(gr_tell(rt, deaf, gr_str("\xff")), GR_EINVAL);
}

/* In the plain mode all tests run in one process. */
static void start_afresh(void)
{
    engine_up();
    atomic_store(&received, 0);
    atomic_store(&drops, 0);
    entered.count = 0;
    go.count = 0;
}

TestSuite(tell, .init = start_afresh, .fini = engine_down);
