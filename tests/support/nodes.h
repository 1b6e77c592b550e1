/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nodes.h - three simulated nodes and a client that calls them: for scenarios in which one thing goes wrong at a time.
 * Each node's threads are a process of their own, of its place and 1 (gri_sim_freeze).
 */
#ifndef GR_TESTS_SUPPORT_NODES_H
#define GR_TESTS_SUPPORT_NODES_H

#include "runtime/net/link_sim.h"
#include "runtime/net/peer.h"
#include "runtime/sched/sim.h"
#include "tests/support/simulate.h"
#include "tests/support/test.h"

#include <greenroom/cluster.h>
#include <greenroom/node.h>
#include <greenroom/pool.h>

#define NODES 3
#define STARTS 16
#define CALLS 40

struct hop {
    int64_t left_ns, lasted_ns;
    int open;
};

struct world {
    struct sim *run;
    gr_runtime *starts[STARTS], *client;
    int started;
    int at[NODES];
    int executed[CALLS];
    struct hop hops[NODES];
};

static struct world *world;
static uint64_t cut, whole, refused, reached; /* over all seeds */

static const char *url_of(int place)
{
    static const char *const urls[NODES] = { "tcp://127.0.0.1:7001", "ipc:///sim/b",
                                             "tcp://127.0.0.1:7003" };

    return urls[place];
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static inline gr_value *serve_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    int64_t id = gr_as_int(gr_get(args, "id"), -1), ms = gr_as_int(gr_get(args, "ms"), 0);

    (void)self;
    if (id >= 0)
        world->executed[id]++;
    if (ms > 0 && gr_sleep(gr_runtime_of(c), ms) != GR_OK)
        return gr_error(GR_ECANCELED, "woken up");
    return gr_int(id);
}

static inline gr_code serve_stream(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    int64_t n = gr_as_int(gr_get(args, "n"), 0), ms = gr_as_int(gr_get(args, "ms"), 0);
    gr_code rc = GR_OK;

    (void)self, (void)in;
    for (int64_t i = 0; i < n && rc == GR_OK; i++) {
        if (ms > 0)
            gr_sleep(gr_runtime_of(c), ms);
        rc = gr_emit(c, gr_int(i));
    }
    return rc;
}

/* serve_relay passes the call on to the next node; the last one waits until it is told to stop. */
static inline gr_value *serve_relay(gr_ctx *c, void *self, const gr_value *args)
{
    gr_runtime *rt = gr_runtime_of(c);
    int place = (int)gr_as_int(args, 0);
    struct hop *hop = &world->hops[place];
    uint64_t begun = gr_now_ns(rt);
    gr_value *v = NULL, *err = NULL;

    (void)self;
    hop->open++;
    hop->left_ns = (int64_t)(gr_deadline_ns(c) - begun);
    if (place + 1 < NODES)
        v = gr_do(rt, gr_remote(gr_root(rt), url_of(place + 1), "served"), "relay",
                  gr_int(place + 1), NULL, &err);
    while (place + 1 == NODES && gr_sleep(rt, 60000) == GR_OK && !gr_cancelled(c))
        continue;
    hop->lasted_ns = (int64_t)(gr_now_ns(rt) - begun);
    hop->open--;
    if (v == NULL) /* a later hop's deadline may be the first that passes */
        v = err != NULL ? err : gr_error(GR_ECANCELED, "it is over");
    return v;
}

static const gr_method serve_methods[] = { { "invoke", GR_ASYNC, serve_invoke, NULL },
                                           { "stream", GR_ASYNC, NULL, serve_stream },
                                           { "relay", GR_ASYNC, serve_relay, NULL } };
static const gr_class serve_class = GR_CLASS(.name = "served", GR_METHODS(serve_methods));

static inline gr_runtime *make(struct world *k)
{
    gr_runtime *rt = NULL;
    gr_code rc = gr_runtime_new(GR_RUNTIME(.sim_seed = k->run->seed, .sim_faults = k->run->faults,
                                           .workers = 1 + (unsigned)sim_roll(k->run, 2)),
                                &rt);

    cr_assert_eq(rc, GR_OK);
    cr_assert_eq(gr_node_configure(rt, GR_NODE(.secret = "of this simulation"), NULL), GR_OK);
    return rt;
}

static inline void start_node(struct world *k, int place)
{
    gr_runtime *rt;

    gri_sim_process((unsigned)place + 1);
    rt = k->starts[k->started] = make(k);
    k->at[place] = k->started++;
    cr_assert_eq(gr_publish(rt, "served", gr_spawn(gr_root(rt), &serve_class, NULL)), GR_OK);
    cr_assert_eq(gr_serve(rt, url_of(place), NULL), GR_OK);
    gri_sim_process(0);
}

static inline gr_runtime *at(struct world *k, int place)
{
    return k->starts[k->at[place]];
}

static inline void open_world(struct world *k, struct sim *r)
{
    *k = (struct world){ .run = r };
    world = k;
    k->client = make(k);
    for (int i = 0; i < NODES; i++)
        start_node(k, i);
}

static inline void close_world(struct world *k)
{
    gr_sim_heal();
    sim_note(k->run);
    gr_runtime_free(k->client);
    for (int i = k->started; i-- > 0;)
        gr_runtime_free(k->starts[i]); /* NULL: it has ended already */
    world = NULL;
}

static inline gr_ref served(struct world *k, int place)
{
    return gr_remote(gr_root(k->client), url_of(place), "served");
}

/* answers calls a node, which must answer. */
static inline void answers(struct world *k, int place, const char *when)
{
    gr_value *err = NULL,
             *v = gr_invoke(k->client, served(k, place), gr_map_n(NULL, 0), NULL, &err);

    sim_check(k->run, v != NULL, "%s, node %d: %s", when, place, gr_error_text(err));
    gr_value_unref(v);
    gr_value_unref(err);
}

/* links counts the links that one node has with another. */
static inline int links(gr_runtime *rt, gr_runtime *with)
{
    struct gri_node *node = gri_node_get(rt), *other = gri_node_get(with);
    int n = 0;

    gri_lock(&node->lock);
    for (struct gri_list *l = node->at_node.next; l != &node->at_node; l = l->next) {
        const struct gri_peer *p = gri_container_of(l, struct gri_peer, at_node);

        n += p->place == GRI_PLACE_CURRENT && p->hello.node == other->id;
    }
    gri_unlock(&node->lock);
    return n;
}

/* ---- calls ----------------------------------------------------------------------------------- */

struct job {
    gr_future *f;
    gr_stream *s;
    int64_t n;
};

static inline struct job start_job(struct world *k, gr_ref to, int id, int64_t ms_most)
{
    struct job j = { .n = (int64_t)sim_roll(k->run, 60) };
    gr_value *args = gr_map(GR_KV("id", gr_int(id)), GR_KV("n", gr_int(j.n)),
                            GR_KV("ms", gr_int((int64_t)sim_roll(k->run, (uint64_t)ms_most))));

    if (sim_roll(k->run, 2) == 0)
        j.f = gr_ainvoke(k->client, to, args, NULL);
    else
        j.s = gr_astream(k->client, to, args, NULL);
    return j;
}

/* finish_job waits for the end: it is good and whole, or, if that may be, a prefix and GR_EUNREACH. */
static inline void finish_job(struct world *k, struct job *j, int id, bool may_be_lost)
{
    gr_outcome o = { .code = GR_OK };
    int64_t i = 0;

    if (j->f != NULL)
        o = gr_await(j->f, -1);
    if (j->f != NULL && o.code == GR_OK)
        sim_check(k->run, gr_as_int(o.value, -1) == id, "another call's answer");
    while (j->s != NULL && (o = gr_next(j->s, -1)).code == GR_OK) {
        sim_check(k->run, gr_as_int(o.value, -1) == i, "a hole before chunk %d", (int)i);
        i++;
    }
    sim_check(k->run, o.code != GR_EOS || i == j->n, "a good end after %d of %d chunks", (int)i,
              (int)j->n);
    if (o.code == GR_OK || o.code == GR_EOS)
        whole++;
    else
        cut++;
    sim_check(k->run, o.code == GR_OK || o.code == GR_EOS || (may_be_lost && o.code == GR_EUNREACH),
              "call %d ended with %s: %s", id, gr_code_name(o.code), gr_error_text(o.error));
    sim_check(k->run, k->executed[id] <= 1, "call %d ran %d times", id, k->executed[id]);
    gr_future_free(j->f);
    gr_stream_free(j->s);
}

static inline int64_t since_ms(struct world *k, uint64_t ns)
{
    return (int64_t)((gr_now_ns(k->client) - ns) / 1000000);
}

#endif
