/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.h - nodes that a sequence goes over, and a caller: what each step has done, and how often a value has gone from one
 * node to another. Each node is a runtime of this process.
 */
#ifndef GR_TESTS_SUPPORT_RING_H
#define GR_TESTS_SUPPORT_RING_H

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/support/peer.h"
#include "tests/support/test.h"

#define NODES 10

/* What a node's "step" does, and has done. */
struct node {
    gr_runtime *rt;
    char url[128];
    gr_ref far; /* its step, as the caller sees it */
    int place;
    _Atomic int runs, waits, woken;
};

struct ring {
    gr_runtime *rt; /* the caller */
    struct node at[NODES];
    int count;
};

/* own_invoke is what an actor answers whose ref goes along with a value. */
static inline gr_value *own_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    (void)args;
    return gr_value_ref(gr_args(c));
}

static const gr_method own_methods[] = { { "invoke", GR_ASYNC, own_invoke, NULL } };
static const gr_class own_class = GR_CLASS(.name = "own", GR_METHODS(own_methods));

/* step_invoke puts its place at the end of "path". Where the input says so it fails, waits, notes something
 * else, adds a ref of its own ("lends"), or asks whom the input names ("asks"). */
static inline gr_value *step_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    struct node *n = gr_as_opaque(gr_args(c));
    gr_value *path = gr_value_ref(gr_get(args, "path"));
    const char *note = gr_cstr(gr_get(args, "note"), "place");
    gr_value *entry;

    (void)self;
    atomic_fetch_add(&n->runs, 1);
    if (gr_as_int(gr_get(args, "fail"), -1) == n->place) {
        gr_value_unref(path);
        return gr_error_with(
            gr_error_with(gr_error(GR_ERATE, "slow down"), "where", gr_str("step.c:7")), "cause",
            gr_error(GR_EREMOTE, "too much"));
    }
    if (gr_as_int(gr_get(args, "wait"), -1) == n->place) {
        atomic_fetch_add(&n->waits, 1);
        while (gr_sleep(gr_runtime_of(c), 60000) == GR_OK && !gr_cancelled(c))
            continue;
        atomic_fetch_add(&n->woken, 1);
    }
    if (gr_as_int(gr_get(args, "lends"), -1) == n->place) {
        gr_ref own = gr_spawn(gr_root(gr_runtime_of(c)), &own_class,
                              GR_SPAWN(.args = gr_int(100 + n->place)));

        return gr_set(gr_set(gr_value_ref(args), "path", gr_append(path, gr_int(n->place))), "whom",
                      gr_ref_value(own));
    }
    if (gr_as_int(gr_get(args, "asks"), -1) == n->place)
        return gr_set(
            gr_set(gr_value_ref(args), "path", gr_append(path, gr_int(n->place))), "said",
            gr_invoke(gr_runtime_of(c), gr_as_ref(gr_get(args, "whom")), gr_nil(), NULL, NULL));
    if (strcmp(note, "left") == 0)
        entry = gr_int((int64_t)((gr_deadline_ns(c) - gr_now_ns(gr_runtime_of(c))) / 1000000));
    else if (strcmp(note, "config") == 0)
        entry = gr_config(c) != NULL ? gr_value_ref(gr_config(c)) : gr_nil();
    else
        entry = gr_int(n->place);
    return gr_set(gr_value_ref(args), "path", gr_append(path, entry));
}

static const gr_method step_methods[] = { { "invoke", GR_ASYNC, step_invoke, NULL } };
static const gr_class step_class = GR_CLASS(.name = "step", GR_METHODS(step_methods));

static inline gr_value *input(const char *key, gr_value *v)
{
    return gr_map(GR_KV("path", gr_list_n(NULL, 0)), GR_KV(key, v));
}

static inline gr_ref spawn_step(gr_runtime *rt, struct node *n)
{
    return gr_spawn(gr_root(rt), &step_class, GR_SPAWN(.args = gr_opaque(n, NULL)));
}

static inline void open_node(struct node *n, int place, const char *scheme)
{
    n->place = place;
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &n->rt), GR_OK);
    test_peer_url(n->url, scheme);
    cr_assert_eq(gr_publish(n->rt, "step", spawn_step(n->rt, n)), GR_OK);
    cr_assert_eq(gr_serve(n->rt, n->url, NULL), GR_OK);
}

/* meet has the caller call each node, so that both ends of their links are up. */
static inline void meet(struct ring *r)
{
    for (int i = 0; i < r->count; i++) {
        gr_value *err = NULL, *v = gr_invoke(r->rt, r->at[i].far, input("x", gr_nil()), NULL, &err);

        cr_assert_not_null(v, "%s", gr_error_text(err));
        gr_value_unref(v);
        atomic_store(&r->at[i].runs, 0);
    }
}

static inline void open_ring(struct ring *r, int count, const char *const *schemes)
{
    memset(r, 0, sizeof(*r));
    r->count = count;
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &r->rt), GR_OK);
    for (int i = 0; i < count; i++) {
        open_node(&r->at[i], i, schemes != NULL ? schemes[i] : "ipc");
        r->at[i].far = gr_remote(gr_root(r->rt), r->at[i].url, "step");
    }
    meet(r);
}

static inline void close_ring(struct ring *r)
{
    gr_runtime_free(r->rt);
    for (int i = 0; i < r->count; i++)
        if (r->at[i].rt != NULL)
            gr_runtime_free(r->at[i].rt);
}

/* sequence makes one of the steps at these places; -1 is a step of the caller's own, the last node's place. */
static inline gr_ref sequence(struct ring *r, const int *places, size_t count)
{
    static struct node own = { .place = 99 };
    gr_ref refs[512];

    for (size_t i = 0; i < count; i++)
        refs[i] = places[i] < 0 ? spawn_step(r->rt, &own) : r->at[places[i]].far;
    return gr_seq_n(gr_root(r->rt), refs, count);
}

#define SEQUENCE(r, ...)                                                                           \
    sequence(r, (int[]){ __VA_ARGS__ }, sizeof((int[]){ __VA_ARGS__ }) / sizeof(int))

/* ways counts how often a value has gone from one node to another. */
static inline uint64_t ways(const struct ring *r)
{
    gr_stats s = GR_STATS_INIT;
    uint64_t sum;

    gr_stats_read(r->rt, &s);
    sum = s.values_sent;
    for (int i = 0; i < r->count; i++)
        if (r->at[i].rt != NULL) {
            gr_stats_read(r->at[i].rt, &s);
            sum += s.values_sent;
        }
    return sum;
}

static inline void expect_path(const gr_value *v, const int *places, size_t count)
{
    const gr_value *path = gr_get(v, "path");

    cr_assert_eq(gr_len(path), count, "%zu steps", gr_len(path));
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(gr_as_int(gr_at(path, i), -1), places[i], "step %zu", i);
}

/* goes invokes a sequence, which must give its places, and returns how many ways that took. */
static inline uint64_t goes(struct ring *r, gr_ref seq, const int *places, size_t count)
{
    uint64_t before = ways(r);
    gr_value *err = NULL, *v = gr_invoke(r->rt, seq, input("x", gr_nil()), NULL, &err);

    cr_assert_not_null(v, "%s", gr_error_text(err));
    expect_path(v, places, count);
    gr_value_unref(v);
    return ways(r) - before;
}

#define GOES(r, seq, ...)                                                                          \
    goes(r, seq, (int[]){ __VA_ARGS__ }, sizeof((int[]){ __VA_ARGS__ }) / sizeof(int))

static inline bool reaches(_Atomic int *count, int n)
{
    for (int ms = 0; ms < TEST_WAIT_MS && atomic_load(count) < n; ms += 2)
        nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
    return atomic_load(count) >= n;
}

#endif
