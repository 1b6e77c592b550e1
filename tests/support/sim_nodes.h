/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_nodes.h - the nodes of a simulated network: they start, crash and come back at their places.
 *
 * What a node publishes is the test's business. Which number is drawn when makes a seed's history, so the order of
 * sim_roll here is not to be changed without need.
 */
#ifndef GR_TESTS_SUPPORT_SIM_NODES_H
#define GR_TESTS_SUPPORT_SIM_NODES_H

#include "tests/support/simulate.h"
#include "tests/support/test.h"

#define SIM_PLACES 4
#define SIM_STARTS 10 /* of nodes, in one seed */
#define SIM_NODE_FAULTS (GR_SIM_SCHED | GR_SIM_TIME | GR_SIM_FULL | GR_SIM_NET)

/* One start of a node. */
struct sim_node {
    gr_runtime *rt;
    int place; /* which node it is a start of */
};

struct sim_nodes {
    struct sim *run;
    int count;   /* of places */
    bool secret; /* they share one, so that those over tcp are no strangers */
    void (*publish)(struct sim_node *node); /* before it serves */
    struct sim_node starts[SIM_STARTS];
    int started;
    int at[SIM_PLACES]; /* who is there now; -1: nobody */
};

static uint64_t sim_crashes; /* over all seeds */

static inline const char *sim_url(int place)
{
    static const char *const urls[SIM_PLACES] = { "tcp://127.0.0.1:7001", "ipc:///sim/b",
                                                  "tcp://127.0.0.1:7003", "ipc:///sim/d" };

    return urls[place];
}

static inline struct sim_node *sim_node_at(struct sim_nodes *k, int place)
{
    return k->at[place] >= 0 ? &k->starts[k->at[place]] : NULL;
}

/* sim_tolerates: memory may be short in this run. */
static inline bool sim_tolerates(const struct sim *r, gr_code rc)
{
    return rc == GR_ENOMEM && (r->faults & GR_SIM_MEMORY) != 0;
}

/* sim_spawn spawns, with the node for args, until it succeeds: bounds are reached early here. */
static inline gr_ref sim_spawn(struct sim_node *n, const gr_class *cls)
{
    gr_value *broken = NULL;
    gr_ref ref;

    do {
        gr_value_unref(broken);
        ref = gr_spawn(gr_root(n->rt), cls, GR_SPAWN(.args = gr_opaque(n, NULL)));
    } while ((broken = gr_check(n->rt, ref)) != NULL);
    return ref;
}

static inline void sim_publish(struct sim *r, struct sim_node *n, const char *name,
                               const gr_class *cls)
{
    gr_code rc = gr_publish(n->rt, name, sim_spawn(n, cls));

    sim_check(r, rc == GR_OK || sim_tolerates(r, rc), "publishing: %s", gr_code_name(rc));
}

/* sim_node_start makes a node at a place: its first one, or the successor of one that has crashed. */
static inline void sim_node_start(struct sim_nodes *k, int place)
{
    struct sim_node *n = &k->starts[k->started];
    gr_value *err = NULL;
    gr_code rc;

    *n = (struct sim_node){ .place = place };
    k->at[place] = -1;
    rc = gr_runtime_new(GR_RUNTIME(.sim_seed = k->run->seed, .sim_faults = k->run->faults,
                                   .workers = 1 + (unsigned)sim_roll(k->run, 2)),
                        &n->rt);
    if (rc != GR_OK) {
        sim_check(k->run, sim_tolerates(k->run, rc), "no runtime: %s", gr_code_name(rc));
        return;
    }
    k->at[place] = k->started++;
    while (k->secret &&
           gr_node_configure(n->rt, GR_NODE(.secret = "of this simulation"), NULL) == GR_ENOMEM)
        continue;
    k->publish(n);
    rc = gr_serve(n->rt, sim_url(place), &err);
    sim_check(k->run, rc == GR_OK || sim_tolerates(k->run, rc), "serving: %s", gr_error_text(err));
    gr_value_unref(err);
}

static inline void sim_nodes_start(struct sim_nodes *k)
{
    for (int i = 0; i < SIM_PLACES; i++)
        k->at[i] = -1;
    for (int i = 0; i < k->count; i++)
        sim_node_start(k, i);
}

/* sim_node_crash cuts a node off and starts its successor; the old one is freed at the end. */
static inline void sim_node_crash(struct sim_nodes *k, int place)
{
    struct sim_node *old = sim_node_at(k, place);

    if (old == NULL || k->started == SIM_STARTS)
        return;
    gr_sim_crash(old->rt);
    sim_crashes++;
    sim_node_start(k, place);
}

static inline void sim_pass_time(struct sim_nodes *k, int64_t ms)
{
    for (int i = 0; i < k->count; i++)
        if (sim_node_at(k, i) != NULL) {
            gr_sim_advance(sim_node_at(k, i)->rt, ms);
            return;
        }
}

static inline void sim_nodes_free(struct sim_nodes *k)
{
    for (int i = k->started; i-- > 0;)
        gr_runtime_free(k->starts[i].rt);
}

/* sim_ends_with waits for a call, which must end with that. */
static inline void sim_ends_with(gr_future *f, gr_code code)
{
    gr_outcome o = gr_await(f, -1);

    cr_assert_eq(o.code, code, "%s: %s", gr_code_name(o.code), gr_error_text(o.error));
    gr_future_free(f);
}

#endif
