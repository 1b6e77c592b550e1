/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool_test.c - a client that calls three nodes through pools, over a simulated network that breaks, parts
 * and delays, while the nodes crash and come back, withdraw their name and publish it again.
 */
#include "tests/support/simulate.h"
#include "tests/support/test.h"

#include <greenroom/cluster.h>
#include <greenroom/node.h>
#include <greenroom/pool.h>

#define FAULTS (GR_SIM_SCHED | GR_SIM_TIME | GR_SIM_FULL | GR_SIM_NET)
#define NODES 3
#define STARTS 10
#define CALLS 24

/* One start of a node. */
struct start {
    gr_runtime *rt;
    gr_ref actor;
    bool published;
};

struct world {
    struct sim *run;
    struct start starts[STARTS];
    int started;
    int at[NODES]; /* who is there now; -1: nobody */
    gr_runtime *client;
    int executed[CALLS];
    bool reached[NODES];
};

/* Over all seeds: that there was something to check. */
static uint64_t answers, failures, twice, crashes;

static struct world *world;

static const char *url_of(int place)
{
    static const char *const urls[NODES] = { "tcp://127.0.0.1:7001", "ipc:///sim/b",
                                             "tcp://127.0.0.1:7003" };

    return urls[place];
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static void count(const gr_value *args)
{
    int64_t id = gr_as_int(gr_get(args, "id"), -1);

    if (id >= 0 && id < CALLS)
        world->executed[id]++;
}

static gr_value *serve_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    int64_t ms = gr_as_int(gr_get(args, "ms"), 0);

    (void)self;
    count(args);
    world->reached[gr_as_int(gr_args(c), 0)] = true;
    if (ms > 0 && gr_sleep(gr_runtime_of(c), ms) != GR_OK)
        return gr_error(GR_ECANCELED, "woken up");
    return gr_value_ref(gr_get(args, "id"));
}

static gr_code serve_stream(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    int64_t n = gr_as_int(gr_get(args, "n"), 0);
    gr_code rc = GR_OK;

    (void)self, (void)in;
    count(args);
    for (int64_t i = 0; i < n && rc == GR_OK; i++)
        rc = gr_emit(c, gr_int(i));
    return rc;
}

static const gr_method serve_methods[] = { { "invoke", GR_ASYNC, serve_invoke, NULL },
                                           { "stream", GR_ASYNC, NULL, serve_stream } };
static const gr_class serve_class = GR_CLASS(.name = "served", GR_METHODS(serve_methods));

static gr_runtime *make(struct world *k)
{
    gr_runtime *rt = NULL;
    gr_code rc = gr_runtime_new(GR_RUNTIME(.sim_seed = k->run->seed, .sim_faults = k->run->faults,
                                           .workers = 1 + (unsigned)sim_roll(k->run, 2)),
                                &rt);

    sim_check(k->run, rc == GR_OK, "no runtime: %s", gr_code_name(rc));
    return rc == GR_OK ? rt : NULL;
}

static void start_node(struct world *k, int place)
{
    struct start *s = &k->starts[k->started];
    gr_value *broken = NULL, *err = NULL;

    k->at[place] = -1;
    s->rt = make(k);
    if (s->rt == NULL)
        return;
    k->at[place] = k->started++;
    do { /* bounds are reached early here */
        gr_value_unref(broken);
        s->actor = gr_spawn(gr_root(s->rt), &serve_class, GR_SPAWN(.args = gr_int(place)));
    } while ((broken = gr_check(s->rt, s->actor)) != NULL);
    s->published = gr_publish(s->rt, "served", s->actor) == GR_OK;
    sim_check(k->run, gr_serve(s->rt, url_of(place), &err) == GR_OK, "serving: %s",
              gr_error_text(err));
    gr_value_unref(err);
}

static struct start *at(struct world *k, int place)
{
    return k->at[place] >= 0 ? &k->starts[k->at[place]] : NULL;
}

static void disturb(struct world *k)
{
    int place = (int)sim_roll(k->run, NODES);
    struct start *s = at(k, place);

    if (s == NULL)
        return;
    switch (sim_roll(k->run, 20)) {
    case 0:
        if (k->started == STARTS)
            return;
        gr_sim_crash(s->rt);
        crashes++;
        start_node(k, place);
        break;
    case 1: gr_sim_partition(k->client, s->rt, true); break;
    case 2:
    case 3: gr_sim_partition(k->client, s->rt, false); break;
    case 4: /* it drains, and is back */
        s->published = !s->published;
        gr_publish(s->rt, "served", s->published ? s->actor : (gr_ref){ 0, 0 });
        break;
    case 5:
    case 6:
    case 7: gr_sim_advance(k->client, (int64_t)sim_roll(k->run, 3000)); break;
    default: break;
    }
}

/* ---- calls ----------------------------------------------------------------------------------- */

struct job {
    gr_future *f;
    gr_stream *s;
    int64_t n;
    bool idempotent, timed;
};

static void start_job(struct world *k, struct job *j, int id, gr_ref pool)
{
    struct sim *r = k->run;
    gr_call_opts opts = { .size = sizeof(opts) };
    gr_value *args;

    *j = (struct job){ .n = (int64_t)sim_roll(r, 60),
                       .idempotent = sim_roll(r, 2) == 0,
                       .timed = sim_roll(r, 3) == 0 };
    opts.timeout_ms = j->timed ? 4000 : 0;
    opts.config = gr_map(GR_KV("idempotent", gr_bool(j->idempotent)));
    args = gr_map(GR_KV("id", gr_int(id)), GR_KV("n", gr_int(j->n)),
                  GR_KV("ms", gr_int((int64_t)sim_roll(r, 400))));
    if (sim_roll(r, 3) == 0)
        j->s = gr_astream(k->client, pool, args, &opts);
    else
        j->f = gr_ainvoke(k->client, pool, args, &opts);
}

static void check_failure(struct sim *r, const struct job *j, const gr_outcome *o)
{
    bool documented = o->code == GR_EUNREACH || o->code == GR_EFULL || o->code == GR_ECANCELED ||
                      o->code == GR_EDEAD || (o->code == GR_ETIMEDOUT && j->timed);

    sim_check(r, documented, "a call ended with %s: %s", gr_code_name(o->code),
              gr_error_text(o->error));
    failures++;
}

static void finish(struct world *k, struct job *j, int id)
{
    gr_outcome o = { .code = GR_OK };
    int64_t i = 0;

    if (j->f != NULL) {
        o = gr_await(j->f, -1);
        if (o.code == GR_OK)
            sim_check(k->run, gr_as_int(o.value, -1) == id, "another call's answer");
    }
    while (j->s != NULL && (o = gr_next(j->s, -1)).code == GR_OK) {
        sim_check(k->run, gr_as_int(o.value, -1) == i, "chunk %d where %d is due",
                  (int)gr_as_int(o.value, -1), (int)i);
        i++;
    }
    if (j->s != NULL && o.code == GR_EOS)
        sim_check(k->run, i == j->n, "a good end after %d chunks of %d", (int)i, (int)j->n);
    if (o.code == GR_OK || o.code == GR_EOS)
        answers++;
    else
        check_failure(k->run, j, &o);
    gr_future_free(j->f);
    gr_stream_free(j->s);
    sim_check(k->run, j->idempotent || k->executed[id] <= 1, "call %d ran %d times", id,
              k->executed[id]);
    twice += k->executed[id] > 1;
}

/* ---- one seed -------------------------------------------------------------------------------- */

/* all_back waits, in simulated time, until nobody is out and nothing is under way. */
static void all_back(struct world *k, gr_ref pool)
{
    int64_t out = -1, busy = 0;

    for (int i = 0; i < 60 && (out != 0 || busy != 0); i++) {
        gr_value *list;

        gr_sim_advance(k->client, 1000);
        list = gr_pool_providers(k->client, pool);
        if (gr_error_code(list) == GR_OK)
            out = busy = 0;
        for (size_t n = 0; n < gr_len(list); n++) {
            out += gr_as_bool(gr_get(gr_at(list, n), "out"), false);
            busy += gr_as_int(gr_get(gr_at(list, n), "outstanding"), 0);
        }
        gr_value_unref(list);
    }
    sim_check(k->run, out == 0 && busy == 0, "%d are out, %d calls under way, after healing",
              (int)out, (int)busy);
}

/* all_reached calls until each node has had one: none has been lost from the pool. Not with
 * GR_LOCAL_FIRST alone, but here nothing is local. */
static void all_reached(struct world *k, gr_ref pool)
{
    memset(k->reached, 0, sizeof(k->reached));
    for (int i = 0; i < 60; i++) {
        gr_value_unref(gr_invoke(k->client, pool, gr_nil(), NULL, NULL));
        gr_sim_advance(k->client, 200); /* a link may turn out to be lost only now */
    }
    for (int i = 0; i < NODES; i++)
        sim_check(k->run, k->reached[i] || at(k, i) == NULL, "node %d is never called", i);
}

static void pool_scenario(struct sim *r)
{
    struct world k = { .run = r };
    struct job jobs[CALLS];
    gr_provider list[NODES];
    gr_value *broken = NULL;
    gr_ref pool;

    world = &k;
    for (int i = 0; i < NODES; i++) {
        start_node(&k, i);
        list[i] = (gr_provider){ .name = "served", .url = url_of(i) };
    }
    k.client = make(&k);
    sim_check(r,
              gr_cluster_join(k.client, GR_CLUSTER(.providers = list, .provider_count = NODES),
                              NULL) == GR_OK,
              "joining");
    do {
        gr_value_unref(broken);
        pool = gr_pool(gr_root(k.client), "served", GR_POOL(.routing = (gr_routing)sim_roll(r, 3)));
    } while ((broken = gr_check(k.client, pool)) != NULL);
    for (int i = 0; i < CALLS; i++) {
        start_job(&k, &jobs[i], i, pool);
        disturb(&k);
    }
    for (int i = 0; i < CALLS; i++)
        finish(&k, &jobs[i], i);
    gr_sim_heal();
    for (int i = 0; i < NODES; i++)
        if (at(&k, i) != NULL) {
            gr_sim_partition(k.client, at(&k, i)->rt, false);
            gr_publish(at(&k, i)->rt, "served", at(&k, i)->actor);
        }
    all_back(&k, pool);
    all_reached(&k, pool);
    sim_note(r);
    gr_runtime_free(k.client);
    for (int i = k.started; i-- > 0;)
        gr_runtime_free(k.starts[i].rt);
    world = NULL;
}

/* The first seed found that a proxy which could not be made stayed on the table. */
Test(pool, calls_through_pools_of_nodes_that_come_and_go)
{
    struct sim_sum all = { .seeds = 0 };

    sim_worlds(&all, 1, 400, FAULTS, pool_scenario);
    sim_all_well(&all, 0);
    printf("%llu calls answered, %llu failed, %llu ran twice, %llu nodes crashed\n",
           (unsigned long long)answers, (unsigned long long)failures, (unsigned long long)twice,
           (unsigned long long)crashes);
    cr_assert(!sim_enough(&all) ||
              (answers > 2000 && failures > 100 && twice > 20 && crashes > 50));
}
