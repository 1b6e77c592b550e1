/* SPDX-License-Identifier: Apache-2.0 */
/* inspect_test.c - what greenroom/inspect.h tells of actors: state, mailbox, counts, names, where they come from. */
#include <stdlib.h>

#include <greenroom/inspect.h>
#include <greenroom/link.h>
#include <greenroom/supervisor.h>

#include "tests/support/engine.h"

TestSuite(inspect, .init = engine_up, .fini = engine_down);

static gr_actor_info info_of(gr_ref who)
{
    gr_actor_info info = GR_ACTOR_INFO_INIT;

    cr_assert_eq(gr_inspect_actor(rt, who, &info), GR_OK);
    return info;
}

/* ---- an actor that can be held --------------------------------------------------------------- */

static struct signal_count entered = SIGNAL_COUNT, go = SIGNAL_COUNT;

/* hold keeps its worker until it is let go. */
static gr_value *hold(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self, (void)args;
    post(&entered);
    cr_assert(take(&go));
    return gr_nil();
}

static gr_value *rest_long(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    (void)gr_sleep(gr_runtime_of(c), 3600000);
    return gr_nil();
}

static gr_promise *kept;

static gr_value *defer(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    kept = gr_defer(c);
    post(&entered);
    return NULL;
}

static gr_value *give_back(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    return gr_value_ref(args);
}

static void hear(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)c, (void)self, (void)msg;
}

static const gr_method methods[] = { { "hold", GR_ASYNC, hold, NULL },
                                     { "nap", GR_ASYNC, rest_long, NULL },
                                     { "defer", GR_ASYNC, defer, NULL },
                                     { "invoke", GR_ASYNC, give_back, NULL } };
static const gr_class held_class =
    GR_CLASS(.name = "held", .state_size = 100, .receive = hear, GR_METHODS(methods));

static void let_go(gr_future *f)
{
    post(&go);
    cr_assert_eq(code_of(f), GR_OK);
}

Test(inspect, an_actor_at_rest)
{
    gr_ref a = gr_spawn(root, &held_class, GR_SPAWN(.name = "Ada", .mailbox_max = 7));
    gr_actor_info info = info_of(a);

    cr_assert_eq(info.ref.id, a.id);
    cr_assert_eq(info.state, GR_ACTOR_IDLE);
    cr_assert_str_eq(info.class_name, "held");
    cr_assert_str_eq(info.name, "Ada");
    cr_assert_eq(info.mailbox, 0u);
    cr_assert_eq(info.mailbox_max, 7u);
    cr_assert_eq(info.handled, 0u);
    cr_assert(info.counts);
    cr_assert_eq(info.state_bytes, (size_t)100);
    cr_assert_eq(info.supervisor.id, 0u);
    cr_assert_eq(info.age_ms, -1);
}

Test(inspect, a_handler_that_runs_and_what_waits_behind_it)
{
    gr_ref a = gr_spawn(root, &held_class, NULL);
    gr_future *f = gr_acall(rt, a, "hold", gr_nil(), NULL);
    gr_actor_info info;

    cr_assert(take(&entered));
    for (int i = 0; i < 3; i++)
        cr_assert_eq(gr_tell(rt, a, gr_int(i)), GR_OK);
    info = info_of(a);
    cr_assert_eq(info.state, GR_ACTOR_RUNNING);
    cr_assert_geq(info.mailbox, 3u);
    cr_assert_leq(info.mailbox, 4u, "the one that runs may still have its place");
    let_go(f);
    /* the last one's place is given back after it was counted */
    until((info = info_of(a), info.state) == GR_ACTOR_IDLE && info.handled == 4 &&
          info.mailbox == 0);
    cr_assert_eq(info.calls, 0u);
}

Test(inspect, handlers_that_wait)
{
    gr_ref a = gr_spawn(root, &held_class, NULL);
    gr_future *f = gr_acall(rt, a, "nap", gr_nil(), NULL);

    until(info_of(a).state == GR_ACTOR_WAITING);
    cr_assert_geq(info_of(a).calls, 1u);
    gr_future_free(f); /* cancels */
    until(info_of(a).state == GR_ACTOR_IDLE);
    f = gr_acall(rt, a, "defer", gr_nil(), NULL);
    cr_assert(take(&entered));
    until(info_of(a).state == GR_ACTOR_WAITING);
    gr_resolve(kept, gr_nil());
    cr_assert_eq(code_of(f), GR_OK);
    until(info_of(a).state == GR_ACTOR_IDLE);
}

/* Many messages in one turn, and one in each of many turns, are all counted. */
Test(inspect, messages_are_counted)
{
    gr_ref a = gr_spawn(root, &held_class, NULL);
    gr_future *f = gr_acall(rt, a, "hold", gr_nil(), NULL);

    cr_assert(take(&entered));
    for (int i = 0; i < 500; i++)
        cr_assert_eq(gr_tell(rt, a, gr_int(i)), GR_OK);
    let_go(f);
    until(info_of(a).handled == 501);
    for (int i = 0; i < 500; i++)
        cr_assert_eq(code_of(gr_ainvoke(rt, a, gr_int(i), NULL)), GR_OK);
    until(info_of(a).handled == 1001);
}

Test(inspect, messages_of_bounded_actors_are_counted)
{
    gr_ref a = gr_spawn(root, &held_class,
                        GR_SPAWN(.mailbox_max = 200, .overflow = GR_OVERFLOW_DROP_OLDEST));

    for (int i = 0; i < 100; i++)
        cr_assert_eq(gr_tell(rt, a, gr_int(i)), GR_OK);
    until(info_of(a).handled == 100);
}

static const gr_class plain_class = GR_CLASS(.name = "plain", GR_METHODS(methods));

Test(inspect, a_class_without_state_does_not_count)
{
    gr_ref a = gr_spawn(root, &plain_class, NULL);
    gr_future *f = gr_acall(rt, a, "hold", gr_nil(), NULL);

    cr_assert(take(&entered));
    cr_assert_not(info_of(a).counts);
    cr_assert_eq(info_of(a).state, GR_ACTOR_RUNNING, "%s", gr_actor_state_name(info_of(a).state));
    cr_assert_geq(info_of(a).calls, 1u);
    let_go(f);
    until(info_of(a).state == GR_ACTOR_IDLE);
}

/* ---- names and ends -------------------------------------------------------------------------- */

Test(inspect, the_latest_name_is_told)
{
    gr_ref a = gr_spawn(root, &held_class, GR_SPAWN(.name = "spawned"));

    cr_assert_eq(gr_register(rt, "first", a), GR_OK);
    cr_assert_eq(gr_register(rt, "second", a), GR_OK);
    cr_assert_str_eq(info_of(a).name, "second");
    cr_assert_eq(info_of(a).ties, (size_t)2);
    cr_assert(gr_unregister(rt, "second"));
    cr_assert_str_eq(info_of(a).name, "first");
    cr_assert(gr_unregister(rt, "first"));
    cr_assert_str_eq(info_of(a).name, "spawned");
}

/* A name is cut between characters. */
Test(inspect, a_long_name_is_cut)
{
    char name[400];
    gr_actor_info info;
    gr_ref a;

    for (size_t i = 0; i + 2 < sizeof(name); i += 2)
        memcpy(name + i, "\xc3\xa9", 2);
    name[398] = '\0';
    a = gr_spawn(root, &held_class, GR_SPAWN(.name = name));
    info = info_of(a);
    cr_assert_eq(strlen(info.name), (size_t)254);
    cr_assert_eq(strncmp(info.name, name, 254), 0);
}

static gr_code no_init(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    return gr_fail(c, gr_error(GR_EINVAL, "no"));
}
static const gr_class failing_class = GR_CLASS(.name = "failing", .state_size = 1, .init = no_init);

static gr_code slow_init(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self, (void)args;
    post(&entered);
    return take(&go) ? GR_OK : GR_EBROKEN;
}
static const gr_class slow_class = GR_CLASS(.name = "slow", .state_size = 1, .init = slow_init);

Test(inspect, births_and_ends)
{
    gr_ref failed = gr_spawn(root, &failing_class, NULL), slow, gone;
    gr_actor_info info = GR_ACTOR_INFO_INIT;

    until(info_of(failed).state == GR_ACTOR_FAILED);
    slow = gr_spawn(root, &slow_class, NULL);
    cr_assert(take(&entered));
    cr_assert_eq(info_of(slow).state, GR_ACTOR_STARTING);
    gr_stop(rt, slow);
    cr_assert_eq(info_of(slow).state, GR_ACTOR_STOPPING);
    post(&go);
    gone = gr_spawn(root, &held_class, NULL);
    gr_stop(rt, gone);
    until(gr_inspect_actor(rt, gone, &info) == GR_EDEAD);
    until(gr_inspect_actor(rt, slow, &info) == GR_EDEAD);
}

Test(inspect, bad_arguments)
{
    gr_actor_info info = GR_ACTOR_INFO_INIT;
    struct {
        size_t size;
        gr_ref ref;
        int after;
    } old = { .size = offsetof(gr_actor_info, state), .after = 42 };
    gr_ref a = gr_spawn(root, &held_class, NULL);
    uint64_t cursor = UINT64_MAX;

    cr_assert_eq(gr_inspect_actor(NULL, a, &info), GR_EINVAL);
    cr_assert_eq(gr_inspect_actor(rt, a, NULL), GR_EINVAL);
    cr_assert_eq(gr_inspect_actor(rt, (gr_ref){ a.node + 1, a.id }, &info), GR_EUNREACH);
    cr_assert_eq(gr_inspect_actor(rt, (gr_ref){ 0, 0 }, &info), GR_EDEAD);
    cr_assert_eq(gr_inspect_actor(rt, (gr_ref){ a.node, UINT64_MAX }, &info), GR_EDEAD);
    info.size = 0;
    cr_assert_eq(gr_inspect_actor(rt, a, &info), GR_EINVAL);
    cr_assert_eq(gr_inspect_actor(rt, a, (gr_actor_info *)(void *)&old), GR_OK);
    cr_assert_eq(old.ref.id, a.id);
    cr_assert_eq(old.after, 42, "a caller who knows less is given no more");
    cr_assert_eq(gr_inspect_actors(rt, &cursor, 1, NULL, NULL), (size_t)0);
    cr_assert_str_eq(gr_actor_state_name((gr_actor_state)17), "?");
}

/* ---- all of them ----------------------------------------------------------------------------- */

#define CROWD 1000

struct seen {
    size_t count;
    uint64_t last_slot;
    size_t stop_after; /* 0: never */
};

static bool see(void *arg, const gr_actor_info *info)
{
    struct seen *s = arg;
    uint64_t slot = info->ref.id & 0xffffff;

    cr_assert(s->count == 0 || slot > s->last_slot, "in order, each once");
    s->last_slot = slot;
    s->count++;
    return s->count != s->stop_after;
}

Test(inspect, all_are_seen_page_by_page)
{
    struct seen s = { .count = 0 };
    uint64_t cursor = 0;
    size_t before, pages = 0, more;

    while (gr_inspect_actors(rt, &cursor, 1000, see, &s), cursor != 0)
        ;
    before = s.count;
    for (int i = 0; i < CROWD; i++)
        gr_spawn(root, &held_class, NULL);
    s = (struct seen){ .count = 0 };
    do {
        size_t had = s.count;

        more = gr_inspect_actors(rt, &cursor, 64, see, &s);
        cr_assert_eq(more, s.count - had);
        cr_assert_leq(more, (size_t)64);
        pages++;
    } while (cursor != 0);
    cr_assert_eq(s.count, before + CROWD);
    cr_assert_geq(pages, (size_t)CROWD / 64);
    s = (struct seen){ .stop_after = 5 };
    cr_assert_eq(gr_inspect_actors(rt, &cursor, 64, see, &s), (size_t)5);
    cr_assert_neq(cursor, 0u);
    s.stop_after = 0;
    do
        gr_inspect_actors(rt, &cursor, SIZE_MAX, see, &s);
    while (cursor != 0);
    cr_assert_eq(s.count, before + CROWD, "it goes on where it was stopped");
    cursor = UINT64_MAX - 1;
    cr_assert_eq(gr_inspect_actors(rt, &cursor, 64, see, &s), (size_t)0);
    cr_assert_eq(cursor, 0u);
}

/* ---- supervised ------------------------------------------------------------------------------ */

static void crash(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)self;
    gr_value_unref(gr_exit(c, gr_error(GR_EREMOTE, "%s", gr_cstr(msg, "?"))));
}
static const gr_class crash_class = GR_CLASS(.name = "crash", .state_size = 1, .receive = crash);

Test(inspect, what_a_supervisor_starts_again)
{
    const gr_child_spec child = GR_CHILD(.id = "child", .cls = &crash_class, .name = "worker");
    gr_ref sup =
        gr_supervisor(root, GR_SUPERVISOR(.children = &child, .child_count = 1, .intensity = 5));
    gr_actor_info info;
    gr_ref ref;

    until((ref = gr_whereis(rt, "worker")).id != 0);
    info = info_of(ref);
    cr_assert_eq(info.supervisor.id, sup.id);
    cr_assert_eq(info.restarts, 0u);
    cr_assert_geq(info.age_ms, 0);
    cr_assert_str_eq(info.last_exit, "");
    cr_assert_str_eq(info.name, "worker");
    cr_assert_eq(info.links, (size_t)1);
    cr_assert_eq(gr_tell(rt, ref, gr_str("line one\nline two")), GR_OK);
    until(gr_whereis(rt, "worker").id != ref.id && gr_whereis(rt, "worker").id != 0);
    info = info_of(gr_whereis(rt, "worker"));
    cr_assert_eq(info.restarts, 1u);
    cr_assert_str_eq(info.last_exit, "GR_EREMOTE: line one?line two");
    cr_assert_eq(info_of(sup).supervisor.id, 0u);
}
