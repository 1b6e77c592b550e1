/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_stress_test.c - links, monitors, names and exits from several threads at once, with exact
 * accounts: each monitor that was not taken back fires once, each link that a trapping actor has when
 * the other ends is told once or taken back, nothing is left behind.
 */
#include <greenroom/link.h>
#include <greenroom/name.h>

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/engine.h"

#define WATCHERS 4
#define VICTIMS 8
#define ROUNDS 150

/* ---- accounts -------------------------------------------------------------------------------- */

static _Atomic long monitors, downs, taken_back, double_downs;
static _Atomic long links, exits, unlinked, late_exits;

static void reset_accounts(void)
{
    engine_up();
    atomic_store(&monitors, 0);
    atomic_store(&downs, 0);
    atomic_store(&taken_back, 0);
    atomic_store(&double_downs, 0);
    atomic_store(&links, 0);
    atomic_store(&exits, 0);
    atomic_store(&unlinked, 0);
    atomic_store(&late_exits, 0);
}

/* ---- watchers -------------------------------------------------------------------------------- */

#define KEPT_MAX 4096

struct watcher {
    uint64_t kept[KEPT_MAX]; /* monitors that have not fired; 0: free */
    gr_ref linked[KEPT_MAX]; /* whom it is linked to */
    unsigned at;
};

static void watcher_down(gr_ctx *c, void *self, uint64_t monitor, gr_ref who,
                         const gr_value *reason)
{
    struct watcher *w = self;
    bool found = false;

    (void)c, (void)who, (void)reason;
    for (unsigned i = 0; i < KEPT_MAX && !found; i++) {
        found = w->kept[i] == monitor;
        if (found)
            w->kept[i] = 0;
    }
    atomic_fetch_add(&downs, 1);
    if (!found)
        atomic_fetch_add(&double_downs, 1); /* it fired before, or was taken back */
}

static void watcher_exited(gr_ctx *c, void *self, gr_ref from, const gr_value *reason)
{
    struct watcher *w = self;
    bool found = false;

    (void)c, (void)reason;
    for (unsigned i = 0; i < KEPT_MAX && !found; i++) {
        found = w->linked[i].id == from.id;
        if (found)
            w->linked[i] = (gr_ref){ 0, 0 };
    }
    if (found)
        atomic_fetch_add(&exits, 1);
    else
        atomic_fetch_add(&late_exits, 1); /* after gr_unlink, or a second time */
}

static gr_code watcher_init(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    gr_trap_exit(c, true);
    return GR_OK;
}

static void note_link(gr_ctx *c, struct watcher *w, gr_ref who, bool take_back)
{
    if (gr_link(c, who) != GR_OK)
        return;
    atomic_fetch_add(&links, 1);
    w->linked[w->at % KEPT_MAX] = who;
    if (!take_back)
        return;
    gr_unlink(c, who);
    w->linked[w->at % KEPT_MAX] = (gr_ref){ 0, 0 };
    atomic_fetch_add(&unlinked, 1);
}

/* Each message is a victim: monitor it twice, link to it; take some of that back at once. */
static void watcher_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct watcher *w = self;
    gr_ref who = gr_as_ref(msg);
    uint64_t first = 0, second = 0;

    w->at++;
    if (gr_monitor(c, who, &first) == GR_OK && gr_monitor(c, who, &second) == GR_OK)
        atomic_fetch_add(&monitors, 2);
    w->kept[w->at % KEPT_MAX] = first;
    note_link(c, w, who, w->at % 3 == 0);
    if (gr_demonitor(c, second))
        atomic_fetch_add(&taken_back, 1);
}

static gr_value *watcher_open(gr_ctx *c, void *self, const gr_value *args)
{
    struct watcher *w = self;
    int64_t open = 0;

    (void)c, (void)args;
    for (unsigned i = 0; i < KEPT_MAX; i++)
        open += (w->kept[i] != 0) + (w->linked[i].id != 0);
    return gr_int(open);
}

static const gr_method watcher_methods[] = { { "open", GR_ASYNC, watcher_open, NULL } };
static const gr_class watcher_class =
    GR_CLASS(.name = "watcher", .state_size = sizeof(struct watcher), .init = watcher_init,
             GR_METHODS(watcher_methods), .receive = watcher_receive, .exited = watcher_exited,
             .down = watcher_down);

/* ---- victims --------------------------------------------------------------------------------- */

static void victim_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)self;
    gr_value_unref(gr_exit(c, gr_value_ref(msg)));
}

static gr_value *victim_wait(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    gr_sleep(gr_runtime_of(c), 600000);
    return gr_nil();
}

static const gr_method victim_methods[] = { { "invoke", GR_ASYNC, victim_wait, NULL } };
static const gr_class victim_class =
    GR_CLASS(.name = "victim", .state_size = 8, GR_METHODS(victim_methods),
             .receive = victim_receive);

/* ---- many threads ---------------------------------------------------------------------------- */

static gr_ref watchers[WATCHERS];

/* end_somehow ends a victim in one of the ways there are, and another one after it. */
static void end_somehow(gr_ref r, int how)
{
    switch (how % 4) {
    case 0: gr_stop(rt, r); break;
    case 1: gr_exit_to(rt, r, gr_str("kill")); break;
    case 2: gr_tell(rt, r, gr_str("x")); break;
    default: gr_exit_to(rt, r, gr_str("shutdown")); break;
    }
    if (how % 4 == 2)
        gr_exit_to(rt, r, gr_str("y"));
}

/* Each thread makes victims, tells the watchers of them and ends them meanwhile. */
static void *make_and_end(void *arg)
{
    int seed = (int)(intptr_t)arg;
    char name[16];

    for (int round = 0; round < ROUNDS; round++) {
        gr_ref v[VICTIMS];
        gr_future *f;

        for (int i = 0; i < VICTIMS; i++)
            v[i] = gr_spawn(root, &victim_class, NULL);
        f = gr_ainvoke(rt, v[0], gr_nil(), NULL);
        snprintf(name, sizeof(name), "victim %d", round % 7);
        gr_register(rt, name, v[1]);
        for (int i = 0; i < VICTIMS; i++)
            for (int k = 0; k < WATCHERS; k++)
                if ((i + k + seed) % 2 == 0)
                    gr_tell_wait(rt, watchers[k], gr_ref_value(v[i]));
        for (int i = 0; i < VICTIMS; i++)
            end_somehow(v[i], i + seed + round);
        gr_exit_to(rt, v[0], gr_str("over"));
        gr_await(f, -1);
        gr_future_free(f);
        for (int i = 0; i < VICTIMS; i++) {
            gr_value *v_end = gr_take(gr_ended(rt, v[i]), NULL);

            gr_value_unref(v_end);
        }
    }
    return NULL;
}

static void all_accounts_balance(void)
{
    for (int k = 0; k < WATCHERS; k++)
        until(int_of(gr_acall(rt, watchers[k], "open", gr_nil(), NULL)) == 0);
    cr_assert_eq(atomic_load(&double_downs), 0);
    cr_assert_eq(atomic_load(&late_exits), 0);
    cr_assert_eq(atomic_load(&downs) + atomic_load(&taken_back), atomic_load(&monitors));
    cr_assert_eq(atomic_load(&exits) + atomic_load(&unlinked), atomic_load(&links));
    cr_assert_gt(atomic_load(&downs), 1000);
    cr_assert_gt(atomic_load(&exits), 500);
}

Test(link_stress, each_monitor_and_link_is_told_once)
{
    pthread_t threads[2];

    for (int k = 0; k < WATCHERS; k++)
        watchers[k] = gr_spawn(root, &watcher_class, NULL);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, make_and_end, (void *)(intptr_t)i);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    all_accounts_balance();
}

/* ---- everybody links to everybody, and all end ----------------------------------------------- */

static gr_value *link_to(gr_ctx *c, void *self, const gr_value *args)
{
    uint64_t m = 0;

    (void)self;
    for (size_t i = 0; i < gr_len(args); i++) {
        gr_link(c, gr_as_ref(gr_at(args, i)));
        gr_monitor(c, gr_as_ref(gr_at(args, i)), &m);
        if (i % 4 == 0)
            gr_unlink(c, gr_as_ref(gr_at(args, i)));
        if (i % 5 == 0)
            gr_demonitor(c, m);
    }
    return gr_nil();
}

static const gr_method mesh_methods[] = { { "invoke", GR_ASYNC, link_to, NULL } };
static const gr_class mesh_class =
    GR_CLASS(.name = "mesh", .state_size = 8, GR_METHODS(mesh_methods), .receive = victim_receive);

/* While they link, one of them exits, and the others with it, each at another point of its work. */
Test(link_stress, a_mesh_comes_down)
{
    for (int round = 0; round < 60; round++) {
        gr_ref r[12];
        gr_future *fs[12];
        gr_value *list = gr_list_n(NULL, 0);

        for (int i = 0; i < 12; i++) {
            r[i] = gr_spawn(root, &mesh_class, NULL);
            list = gr_append(list, gr_ref_value(r[i]));
        }
        for (int i = 0; i < 12; i++)
            fs[i] = gr_ainvoke(rt, r[i], gr_value_ref(list), NULL);
        gr_tell(rt, r[round % 12], gr_str("x"));
        gr_exit_to(rt, r[(round + 5) % 12], gr_str(round % 2 == 0 ? "kill" : "y"));
        for (int i = 0; i < 12; i++) {
            gr_await(fs[i], -1);
            gr_future_free(fs[i]);
            gr_exit_to(rt, r[i], gr_str("kill"));
        }
        for (int i = 0; i < 12; i++)
            gr_value_unref(gr_take(gr_ended(rt, r[i]), NULL));
        gr_value_unref(list);
    }
}

/* ---- promises and continuations against exits ------------------------------------------------ */

static _Atomic long kept, dropped;

static void later(gr_ctx *c, void *self, const gr_outcome *o, void *arg)
{
    (void)c, (void)self, (void)o;
    atomic_fetch_add(&kept, 1);
    gr_resolve(arg, gr_int(1));
}

/* The promise goes with its continuation, whichever way that goes. */
struct promised {
    gr_promise *promise;
};

static void drop_promise(void *arg)
{
    struct promised *p = arg;

    if (p->promise != NULL) {
        atomic_fetch_add(&dropped, 1);
        gr_promise_free(p->promise);
    }
    free(p);
}

static void later_promised(gr_ctx *c, void *self, const gr_outcome *o, void *arg)
{
    struct promised *p = arg;

    later(c, self, o, p->promise);
    p->promise = NULL;
}

static gr_value *defer_it(gr_ctx *c, void *self, const gr_value *args)
{
    struct promised *p = malloc(sizeof(*p));
    gr_ref helper = gr_as_ref(gr_args(c));

    (void)self, (void)args;
    p->promise = gr_defer(c);
    gr_then(c, gr_ainvoke(gr_runtime_of(c), helper, gr_int(1), GR_CALL(.scope = root)),
            later_promised, drop_promise, p);
    return NULL;
}

static const gr_method defer_methods[] = { { "invoke", GR_ASYNC, defer_it, NULL } };
static const gr_class deferring = GR_CLASS(.name = "deferring", GR_METHODS(defer_methods));
static const gr_class deferring_alone =
    GR_CLASS(.name = "deferring_alone", .state_size = 8, GR_METHODS(defer_methods));

static void promises_and_exits(const gr_class *cls)
{
    long answered = 0, failed = 0;
    gr_ref helper = nap();

    for (int round = 0; round < 200; round++) {
        gr_ref a = gr_spawn(root, cls, GR_SPAWN(.args = gr_ref_value(helper)));
        gr_future *fs[16];

        for (int i = 0; i < 16; i++)
            fs[i] = gr_ainvoke(rt, a, gr_nil(), NULL);
        if (round % 2 == 0)
            gr_sleep(rt, 1);
        gr_exit_to(rt, a, gr_str(round % 3 == 0 ? "kill" : "x"));
        for (int i = 0; i < 16; i++) {
            gr_outcome o = gr_await(fs[i], TEST_WAIT_MS);

            cr_assert(o.code == GR_OK || o.code == GR_EBROKEN || o.code == GR_EDEAD, "%s",
                      gr_code_name(o.code));
            answered += o.code == GR_OK;
            failed += o.code != GR_OK;
            gr_future_free(fs[i]);
        }
        gr_value_unref(gr_take(gr_ended(rt, a), NULL));
    }
    cr_assert_eq(answered + failed, 200 * 16);
}

Test(link_stress, promises_and_exits_of_a_stateless_actor)
{
    promises_and_exits(&deferring);
}

Test(link_stress, promises_and_exits_of_an_actor_with_state)
{
    promises_and_exits(&deferring_alone);
}

TestSuite(link_stress, .init = reset_accounts, .fini = engine_down);
