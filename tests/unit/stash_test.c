/* SPDX-License-Identifier: Apache-2.0 */
/* stash_test.c - messages set aside and taken up again, in order and within a bound. */
#include <greenroom/stats.h>
#include <greenroom/timer.h>

#include "tests/support/engine.h"

/* A door: closed, it stashes all but "open" and "close". It keeps the order of what it let in. */
struct door {
    bool open;
    int64_t seen[32];
    int count;
    gr_code last; /* what gr_stash said */
};

static struct door *door; /* of the one actor in each test; looked at between messages */
static _Atomic int handled;

static void let_in(struct door *d, const gr_value *v)
{
    d->seen[d->count++] = gr_as_int(v, -1);
    atomic_fetch_add(&handled, 1);
}

static void door_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct door *d = door = self;

    if (gr_value_type(msg) == GR_BOOL) {
        d->open = gr_as_bool(msg, false);
        if (d->open)
            gr_unstash_all(c);
        return;
    }
    if (d->open || (d->last = gr_stash(c)) != GR_OK)
        let_in(d, msg);
    else
        cr_assert_eq(gr_stash(c), GR_EINVAL, "once is enough");
}

static gr_value *door_enter(gr_ctx *c, void *self, const gr_value *args)
{
    struct door *d = self;

    if (!d->open && (d->last = gr_stash(c)) == GR_OK)
        return NULL;
    let_in(d, args);
    return gr_int(gr_as_int(args, 0) + 1000);
}

static gr_value *door_count(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)args;
    return gr_int(((struct door *)self)->count);
}

static const gr_method methods[] = { { "enter", GR_ASYNC, door_enter, NULL },
                                     { "block", GR_BLOCKING, door_enter, NULL },
                                     { "count", GR_ASYNC, door_count, NULL } };
static const gr_class door_class = GR_CLASS(.name = "door", .state_size = sizeof(struct door),
                                            GR_METHODS(methods), .receive = door_receive);
static const gr_class swing_class =
    GR_CLASS(.name = "swing", .state_size = sizeof(struct door), .reentrant = true,
             GR_METHODS(methods), .receive = door_receive);

static int64_t count_of(gr_ref a)
{
    return int_of(gr_acall(rt, a, "count", gr_nil(), NULL));
}

static void in_order(const gr_class *cls)
{
    gr_ref a = gr_spawn(root, cls, NULL);
    gr_future *f, *b;

    atomic_store(&handled, 0);
    cr_assert_eq(gr_tell(rt, a, gr_int(1)), GR_OK);
    f = gr_acall(rt, a, "enter", gr_int(2), NULL);
    cr_assert_eq(gr_tell(rt, a, gr_int(3)), GR_OK);
    b = gr_acall(rt, a, "block", gr_int(4), NULL);
    cr_assert_eq(count_of(a), 0);
    cr_assert(!gr_done(f) && !gr_done(b));
    cr_assert_eq(gr_tell(rt, a, gr_bool(true)), GR_OK);
    cr_assert_eq(gr_tell(rt, a, gr_int(5)), GR_OK);
    cr_assert_eq(int_of(f), 1002);
    cr_assert_eq(int_of(b), 1004);
    cr_assert_eq(count_of(a), 5);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(door->seen[i], i + 1);
}

Test(stash, what_is_put_back_comes_first_and_in_order)
{
    in_order(&door_class);
}

Test(stash, of_a_reentrant_class)
{
    in_order(&swing_class);
}

Test(stash, has_a_bound)
{
    gr_ref a = gr_spawn(root, &door_class, GR_SPAWN(.stash_max = 2));
    gr_future *f[3];
    gr_stats s = GR_STATS_INIT;

    for (int i = 0; i < 3; i++)
        f[i] = gr_acall(rt, a, "enter", gr_int(i), NULL);
    cr_assert_eq(int_of(f[2]), 1002, "for the third there is no room, so it is handled");
    gr_stats_read(rt, &s);
    cr_assert_eq(s.refused_stash, 1);
    cr_assert_eq(gr_tell(rt, a, gr_bool(true)), GR_OK);
    cr_assert_eq(int_of(f[0]), 1000);
    cr_assert_eq(int_of(f[1]), 1001);
    cr_assert_eq(gr_tell(rt, a, gr_bool(false)), GR_OK);
    f[0] = gr_acall(rt, a, "enter", gr_int(7), NULL);
    cr_assert_eq(count_of(a), 3, "there is room again");
    gr_future_free(f[0]);
}

Test(stash, fails_with_its_actor)
{
    gr_ref a = gr_spawn(root, &door_class, NULL);
    gr_future *f = gr_acall(rt, a, "enter", gr_int(1), NULL);
    gr_stats s = GR_STATS_INIT;

    cr_assert_eq(gr_tell(rt, a, gr_int(2)), GR_OK);
    cr_assert_eq(count_of(a), 0);
    gr_stop(rt, a);
    cr_assert_eq(code_of(f), GR_EDEAD);
    until((gr_stats_read(rt, &s), s.dead_letters) == 1);
}

Test(stash, a_stashed_call_can_be_cancelled)
{
    gr_ref a = gr_spawn(root, &door_class, NULL);
    gr_future *f = gr_acall(rt, a, "enter", gr_int(1), NULL);
    gr_future *timed = gr_acall(rt, a, "enter", gr_int(2), GR_CALL(.timeout_ms = 20));
    gr_stats s = GR_STATS_INIT;

    cr_assert_eq(count_of(a), 0);
    gr_future_cancel(f);
    cr_assert_eq(code_of(f), GR_ECANCELED);
    cr_assert_eq(code_of(timed), GR_ETIMEDOUT);
    until((gr_stats_read(rt, &s), s.calls_now) == 0); /* so that it's a shell by now */
    cr_assert_eq(gr_tell(rt, a, gr_bool(true)), GR_OK);
    cr_assert_eq(count_of(a), 0, "its handler has not run again");
}

Test(stash, again_after_it_was_put_back)
{
    gr_ref a = gr_spawn(root, &door_class, NULL);

    atomic_store(&handled, 0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++)
            cr_assert_eq(gr_tell(rt, a, gr_int(round * 3 + i)), GR_OK);
        cr_assert_eq(gr_tell(rt, a, gr_bool(true)), GR_OK);
        cr_assert_eq(gr_tell(rt, a, gr_bool(false)), GR_OK);
    }
    cr_assert_eq(count_of(a), 6);
    for (int i = 0; i < 6; i++)
        cr_assert_eq(door->seen[i], i);
}

Test(stash, a_timers_message)
{
    gr_ref a = gr_spawn(root, &door_class, NULL);
    gr_stats s = GR_STATS_INIT;

    cr_assert_eq(gr_send_after(rt, a, 1, gr_int(5), NULL), GR_OK);
    until((gr_stats_read(rt, &s), s.timers_now) == 0);
    cr_assert_eq(gr_tell(rt, a, gr_bool(true)), GR_OK);
    until(count_of(a) == 1);
}

static gr_value *no_stash(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    gr_unstash_all(c);
    return gr_int(gr_stash(c));
}

static gr_value *deferred(gr_ctx *c, void *self, const gr_value *args)
{
    gr_promise *p = gr_defer(c);

    (void)self, (void)args;
    gr_resolve(p, gr_int(gr_stash(c)));
    return NULL;
}

Test(stash, where_there_is_nothing_to_keep)
{
    static const gr_method m[] = { { "invoke", GR_ASYNC, no_stash, NULL },
                                   { "defer", GR_ASYNC, deferred, NULL } };
    static const gr_class stateless = GR_CLASS(.name = "none", GR_METHODS(m));
    static const gr_class with_state = GR_CLASS(.name = "some", .state_size = 1, GR_METHODS(m));

    cr_assert_eq(int_of(gr_ainvoke(rt, gr_spawn(root, &stateless, NULL), gr_nil(), NULL)),
                 GR_EINVAL);
    cr_assert_eq(int_of(gr_acall(rt, gr_spawn(root, &with_state, NULL), "defer", gr_nil(), NULL)),
                 GR_EINVAL);
}

TestSuite(stash, .init = engine_up, .fini = engine_down);
