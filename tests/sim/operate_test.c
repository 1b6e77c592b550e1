/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operate_test.c - a node that is looked at, told to end actors, and drained by another one, over a simulated
 * network that breaks and delays, while its actors come and go: what is answered is right, and all is answered.
 */
#include "tests/support/simulate.h"
#include "tests/support/test.h"

#include <greenroom/admin.h>
#include <greenroom/link.h>

#define FAULTS (GR_SIM_SCHED | GR_SIM_TIME | GR_SIM_FULL | GR_SIM_NET)
#define CALLS 8
#define CROWD 20
#define URL "ipc:///sim/operated"

struct world {
    struct sim *run;
    gr_runtime *node, *client;
    gr_ref served, far, admin;
    int wishes;
};

/* Over all seeds: that there was something to check. */
static uint64_t pages, drained, lost;

/* ---- what is operated ------------------------------------------------------------------------ */

static gr_value *nap(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    if (gr_sleep(gr_runtime_of(c), gr_as_int(args, 0)) != GR_OK)
        return gr_error(GR_ECANCELED, "woken up");
    return gr_value_ref(args);
}

static const gr_method methods[] = { { "invoke", GR_ASYNC, nap, NULL } };
static const gr_class served_class = GR_CLASS(.name = "served", GR_METHODS(methods));
static const gr_class churned_class =
    GR_CLASS(.name = "churned", .state_size = 8, GR_METHODS(methods));

static void wish(void *arg)
{
    ((struct world *)arg)->wishes++;
}

static gr_runtime *make(struct sim *r)
{
    gr_runtime *rt = NULL;
    gr_code rc = gr_runtime_new(GR_RUNTIME(.sim_seed = r->seed, .sim_faults = r->faults,
                                           .workers = 1 + (unsigned)sim_roll(r, 2)),
                                &rt);

    sim_check(r, rc == GR_OK, "no runtime: %s", gr_code_name(rc));
    return rt;
}

static gr_ref spawn(gr_runtime *rt, const gr_class *cls) /* bounds are reached early here */
{
    gr_value *broken = NULL;
    gr_ref ref;

    do {
        gr_value_unref(broken);
        ref = gr_spawn(gr_root(rt), cls, NULL);
    } while ((broken = gr_check(rt, ref)) != NULL);
    return ref;
}

static gr_ref proxy(struct world *w, const char *name)
{
    gr_value *broken = NULL;
    gr_ref ref;

    do {
        gr_value_unref(broken);
        ref = gr_remote(gr_root(w->client), URL, name);
    } while ((broken = gr_check(w->client, ref)) != NULL);
    return ref;
}

static void set_up(struct world *w)
{
    w->node = make(w->run);
    w->served = spawn(w->node, &served_class);
    gr_publish(w->node, "served", w->served);
    while (gr_node_admin(w->node, GR_ADMIN(.drain = wish, .arg = w)) != GR_OK)
        continue;
    sim_check(w->run, gr_serve(w->node, URL, NULL) == GR_OK, "it does not serve");
    w->client = make(w->run);
    w->far = proxy(w, "served");
    w->admin = proxy(w, GR_ADMIN_NAME);
}

/* ---- operating ------------------------------------------------------------------------------- */

/* may_fail: the network breaks, and limits are reached early. */
static bool may_fail(gr_code code)
{
    return code == GR_EUNREACH || code == GR_EFULL || code == GR_ENOMEM || code == GR_ETIMEDOUT ||
           code == GR_EPROTO;
}

static gr_value *ask(struct world *w, const char *verb, gr_value *args)
{
    gr_value *err = NULL, *v = gr_do(w->client, w->admin, verb, args, NULL, &err);

    sim_check(w->run, v != NULL || may_fail(gr_error_code(err)), "%s: %s", verb,
              gr_error_text(err));
    gr_value_unref(err);
    return v;
}

/* look walks over all actors: none is told twice, but one that has ended and whose place has another. */
static void look(struct world *w)
{
    gr_value *after = gr_int(0);
    int64_t at = 0;

    while (!gr_is_nil(after)) {
        gr_value *page = ask(
            w, "ps",
            gr_map(GR_KV("after", after), GR_KV("max", gr_int(1 + (int64_t)sim_roll(w->run, 9)))));

        after = gr_value_ref(gr_get(page, "next"));
        sim_check(w->run, gr_is_nil(after) || gr_as_int(after, 0) > at, "it does not get on");
        at = gr_as_int(after, 0);
        pages += page != NULL;
        gr_value_unref(page);
    }
    gr_value_unref(after);
}

static void churn(struct world *w)
{
    gr_ref all[CROWD];

    for (int i = 0; i < CROWD; i++)
        all[i] = spawn(w->node, &churned_class);
    for (int i = 0; i < CROWD; i += 2)
        gr_stop(w->node, all[i]);
    look(w);
    for (int i = 1; i < CROWD; i += 2)
        gr_stop(w->node, all[i]);
}

static void end_one(struct world *w)
{
    gr_ref victim = spawn(w->node, &churned_class);
    gr_value *told;

    if (gr_register(w->node, "victim", victim) != GR_OK)
        return;
    told =
        ask(w, "kill", gr_map(GR_KV("actor", gr_str("victim")), GR_KV("reason", gr_str("kill"))));
    if (told != NULL)
        gr_value_unref(gr_take(gr_ended(w->node, victim), NULL)); /* else this never ends */
    gr_value_unref(told);
    gr_stop(w->node, victim);
}

/* drain_it: whose drain is answered has no call left that would still be answered. */
static void drain_it(struct world *w, gr_future *const calls[CALLS])
{
    gr_value *v = ask(w, "drain", gr_map(GR_KV("wait_ms", gr_int(-1))));
    size_t left = 1;

    if (v == NULL) {
        lost++;
        return;
    }
    drained++;
    sim_check(w->run, w->wishes == 1, "%d wishes", w->wishes);
    sim_check(w->run, gr_as_int(gr_get(v, "left"), -1) == 0, "something is left");
    gr_value_unref(v);
    gr_sim_heal();
    while (left > 0 && gr_node_drain(w->node, &left) == GR_OK)
        gr_sleep(w->node, 1);
    for (int i = 0; i < CALLS; i++)
        sim_check(w->run, calls[i] == NULL || gr_done(calls[i]), "a call has no answer");
}

static void operated(struct sim *r)
{
    struct world w = { .run = r };
    gr_future *calls[CALLS];

    set_up(&w);
    for (int i = 0; i < CALLS; i++)
        calls[i] = gr_ainvoke(w.client, w.far, gr_int((int64_t)sim_roll(r, 50)), NULL);
    churn(&w);
    end_one(&w);
    gr_value_unref(ask(&w, "info", gr_nil()));
    gr_value_unref(ask(&w, "health", gr_nil()));
    drain_it(&w, calls);
    for (int i = 0; i < CALLS; i++)
        gr_future_free(calls[i]);
    gr_sim_heal();
    sim_note(r);
    gr_runtime_free(w.client);
    gr_runtime_free(w.node);
}

Test(operate, a_node_is_operated_over_a_network_that_breaks)
{
    struct sim_sum all = { .seeds = 0 };

    sim_worlds(&all, 1, 300, FAULTS, operated);
    sim_all_well(&all, 0);
    printf("%llu pages, %llu nodes drained, %llu not\n", (unsigned long long)pages,
           (unsigned long long)drained, (unsigned long long)lost);
    cr_assert(!sim_enough(&all) || (pages > 500 && drained > 50));
}
