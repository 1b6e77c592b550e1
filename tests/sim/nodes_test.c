/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nodes_test.c - what tests/soak/ does with processes, here with simulated nodes and many seeds: one is killed in the
 * middle of its streams, parted from the others (in both directions or one), frozen, drained and started again; and
 * a deadline that passes through three of them.
 *
 * The only faults are the scenario's own, so what must not be lost can be told exactly.
 */
#include "tests/support/nodes.h"

#define FAULTS (GR_SIM_SCHED | GR_SIM_TIME)
#define SEEDS 200
#define DETECT_MS 5100 /* three beats, one until it is looked for, and the time that faults take */
#define SLACK_MS 5000  /* of late timers and slow handlers */
#define LONGEST_MS 12000 /* that a stream takes: 60 chunks of 200 ms */

/* ---- scenarios ------------------------------------------------------------------------------- */

static void kill_scenario(struct sim *r)
{
    struct world k;
    struct job jobs[CALLS];
    int place[CALLS], victim = (int)sim_roll(r, NODES);
    uint64_t killed;

    open_world(&k, r);
    for (int i = 0; i < CALLS; i++) {
        place[i] = (int)sim_roll(r, NODES);
        jobs[i] = start_job(&k, served(&k, place[i]), i, 200);
    }
    gr_sim_advance(k.client, (int64_t)sim_roll(r, 1500));
    gr_sim_crash(at(&k, victim));
    killed = gr_now_ns(k.client);
    start_node(&k, victim);
    for (int i = 0; i < CALLS; i++)
        if (place[i] == victim)
            finish_job(&k, &jobs[i], i, true);
    /* what was sent late is the successor's, who may take its time */
    sim_check(r, since_ms(&k, killed) < DETECT_MS + SLACK_MS + LONGEST_MS,
              "%d ms until all was known", (int)since_ms(&k, killed));
    for (int i = 0; i < CALLS; i++)
        if (place[i] != victim)
            finish_job(&k, &jobs[i], i, false);
    gr_sim_advance(k.client, 2000);
    for (int i = 0; i < NODES; i++)
        answers(&k, i, "after the kill");
    close_world(&k);
}

static void part(struct world *k, int place, int way, bool on)
{
    if (way == 0)
        gr_sim_partition(k->client, at(k, place), on);
    else if (way == 1)
        gri_sim_one_way(k->client, at(k, place), on);
    else
        gri_sim_one_way(at(k, place), k->client, on);
}

/* part_scenario parts the client from one node, for longer than silence may last, while it calls all. */
static void part_scenario(struct sim *r)
{
    struct world k;
    struct job jobs[CALLS];
    int place[CALLS], victim = (int)sim_roll(r, NODES), way = (int)sim_roll(r, 3);
    gr_future *long_one;
    uint64_t parted;

    open_world(&k, r);
    long_one = gr_ainvoke(k.client, served(&k, victim), gr_map(GR_KV("ms", gr_int(3600000))), NULL);
    gr_sim_advance(k.client, 500);
    for (int i = 0; i < CALLS; i++) {
        if (i == CALLS / 2)
            part(&k, victim, way, true);
        place[i] = (int)sim_roll(r, NODES);
        jobs[i] = start_job(&k, served(&k, place[i]), i, 200);
    }
    parted = gr_now_ns(k.client);
    sim_check(r, gr_await(long_one, -1).code == GR_EUNREACH, "the long call ends otherwise");
    gr_future_free(long_one);
    sim_check(r, since_ms(&k, parted) < DETECT_MS + SLACK_MS, "%d ms until it is seen (way %d)",
              (int)since_ms(&k, parted), way);
    for (int i = 0; i < CALLS; i++)
        finish_job(&k, &jobs[i], i, place[i] == victim);
    part(&k, victim, way, false);
    gr_sim_advance(k.client, 2 * DETECT_MS); /* what each side still had has been given up */
    for (int i = 0; i < NODES; i++)
        answers(&k, i, "after healing");
    sim_check(r, links(k.client, at(&k, victim)) == 1 && links(at(&k, victim), k.client) == 1,
              "%d links here, %d there", links(k.client, at(&k, victim)),
              links(at(&k, victim), k.client));
    close_world(&k);
}

/* freeze_scenario stops all threads of a node for a while, shorter or longer than silence may last. */
static void freeze_scenario(struct sim *r)
{
    struct world k;
    struct job jobs[CALLS];
    int place[CALLS], victim = (int)sim_roll(r, NODES);
    bool brief = sim_roll(r, 2) == 0; /* nobody may notice */
    int64_t ms = brief ? (int64_t)sim_roll(r, 1000) : DETECT_MS + (int64_t)sim_roll(r, 5000);
    uint64_t frozen;

    open_world(&k, r);
    for (int i = 0; i < NODES; i++)
        answers(&k, i, "at first");
    for (int i = 0; i < CALLS; i++) {
        place[i] = (int)sim_roll(r, NODES);
        jobs[i] = start_job(&k, served(&k, place[i]), i, 100);
    }
    gr_sim_advance(k.client, (int64_t)sim_roll(r, 500));
    gri_sim_freeze((unsigned)victim + 1, (uint64_t)ms * 1000000);
    frozen = gr_now_ns(k.client);
    for (int i = 0; i < CALLS; i++)
        if (place[i] == victim)
            finish_job(&k, &jobs[i], i, !brief);
    sim_check(r, brief || since_ms(&k, frozen) < DETECT_MS + SLACK_MS, "%d ms until it is seen",
              (int)since_ms(&k, frozen));
    for (int i = 0; i < CALLS; i++)
        if (place[i] != victim)
            finish_job(&k, &jobs[i], i, false);
    gr_sim_advance(k.client, ms + 2 * DETECT_MS);
    for (int i = 0; i < NODES; i++)
        answers(&k, i, "thawed");
    sim_check(r, links(k.client, at(&k, victim)) == 1, "%d links", links(k.client, at(&k, victim)));
    close_world(&k);
}

/* drain_node ends a node in order, while calls go on, and starts its successor. */
static void drain_node(struct world *k, int place, gr_ref pool, struct job *jobs, int *count)
{
    gr_runtime *rt = at(k, place);
    size_t left = 1;

    for (int i = 0; left > 0; i++) {
        sim_check(k->run, i < 2000, "the drain does not end: %d left", (int)left);
        if (i == 2000)
            break;
        cr_assert_eq(gr_node_drain(rt, &left), GR_OK);
        if (*count < CALLS && sim_roll(k->run, 3) == 0) {
            jobs[*count] = start_job(k, pool, *count, 100);
            *count += 1;
            refused++;
        }
        gr_sim_advance(k->client, (int64_t)sim_roll(k->run, 20));
    }
    gr_runtime_free(rt);
    k->starts[k->at[place]] = NULL;
    start_node(k, place);
}

static void rolling_scenario(struct sim *r)
{
    struct world k;
    struct job jobs[CALLS];
    const char *urls[NODES];
    gr_ref pool;
    int count = 0;

    open_world(&k, r);
    for (int i = 0; i < NODES; i++)
        urls[i] = url_of(i);
    pool =
        gr_pool(gr_root(k.client), "served",
                GR_POOL(.routing = (gr_routing)sim_roll(r, 2), .urls = urls, .url_count = NODES));
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < NODES; i++) {
            for (int n = 0; n < 4 && count < CALLS; n++, count++)
                jobs[count] = start_job(&k, pool, count, 100);
            gr_sim_advance(k.client, (int64_t)sim_roll(r, 50));
            drain_node(&k, i, pool, jobs, &count);
            gr_sim_advance(k.client, 6000); /* the pool has seen that it is back */
        }
    for (int i = 0; i < count; i++)
        finish_job(&k, &jobs[i], i, false);
    close_world(&k);
}

static void hops_scenario(struct sim *r)
{
    struct world k;
    int64_t timeout_ms = 50 + (int64_t)sim_roll(r, 500), before_ns = timeout_ms * 1000000;
    gr_future *f;

    open_world(&k, r);
    answers(&k, 0, "at first");
    /* the links are up, so that nothing but the way takes time */
    f = gr_acall(k.client, served(&k, 0), "relay", gr_int(0), GR_CALL(.timeout_ms = 60000));
    gr_sim_advance(k.client, 1000);
    sim_check(r, k.hops[NODES - 1].open == 1, "the last hop is not reached");
    gr_future_free(f);
    gr_sim_advance(k.client, SLACK_MS);
    memset(k.hops, 0, sizeof(k.hops));
    f = gr_acall(k.client, served(&k, 0), "relay", gr_int(0), GR_CALL(.timeout_ms = timeout_ms));
    sim_check(r, gr_await(f, -1).code == GR_ETIMEDOUT, "it ends otherwise");
    gr_future_free(f);
    gr_sim_advance(k.client, SLACK_MS);
    for (int i = 0; i < NODES; i++) {
        const struct hop *h = &k.hops[i];

        sim_check(r, h->open == 0, "hop %d works on", i);
        if (h->left_ns == 0)
            break; /* it was over on the way */
        reached++;
        sim_check(r, h->left_ns < before_ns, "hop %d has %lld ns left, the one before %lld", i,
                  (long long)h->left_ns, (long long)before_ns);
        sim_check(r, h->lasted_ns <= h->left_ns + SLACK_MS * INT64_C(1000000),
                  "hop %d worked for %lld ns", i, (long long)h->lasted_ns);
        before_ns = h->left_ns;
    }
    close_world(&k);
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* run returns whether there were seeds enough to have shown all. */
static bool run(const char *what, sim_scenario *scenario)
{
    struct sim_sum all = { .seeds = 0 };

    cut = whole = refused = reached = 0;
    sim_worlds(&all, 1, SEEDS, FAULTS, scenario);
    printf(
        "%s: %llu seeds, %llu events; %llu calls whole, %llu cut off, %llu while a node drained\n",
        what, (unsigned long long)all.seeds, (unsigned long long)all.events_all,
        (unsigned long long)whole, (unsigned long long)cut, (unsigned long long)refused);
    sim_all_well(&all, 0);
    return all.seeds > 1;
}

Test(nodes, one_is_killed_in_the_middle_of_its_streams)
{
    cr_assert(!run("kill", kill_scenario) || (whole > 0 && cut > 0));
}

Test(nodes, one_is_parted_from_its_caller_in_both_directions_or_one)
{
    cr_assert(!run("partition", part_scenario) || (whole > 0 && cut > 0));
}

Test(nodes, one_is_frozen_and_comes_back)
{
    cr_assert(!run("freeze", freeze_scenario) || (whole > 0 && cut > 0));
}

Test(nodes, all_are_drained_and_started_again_and_no_call_is_lost)
{
    cr_assert(!run("rolling restart", rolling_scenario) || (whole > 0 && cut == 0 && refused > 0));
}

Test(nodes, a_deadline_shrinks_over_three_hops_and_all_of_them_stop)
{
    cr_assert(!run("deadline", hops_scenario) || (reached > 0));
}
