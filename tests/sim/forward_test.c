/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forward_test.c - sequences over nodes that crash and come back, and a network that breaks, parts and delays: each call
 * ends, no step runs twice, and an answer has been through all of them.
 */
#include "tests/support/sim_nodes.h"

#define NODES 4
#define CALLS 16
#define STEPS 6
#define LONG_SIZE 100000 /* of a text that goes in parts */

struct cluster {
    struct sim_nodes nodes;
    int executed[CALLS][STEPS]; /* how often each step of each call ran */
};

/* Over all seeds: that there was something to check. */
static uint64_t answers, failures, ways_gone, ways_through_caller;

static struct cluster *cluster; /* the one under test */

/* ---- nodes ----------------------------------------------------------------------------------- */

/* step_invoke: which step it is tells the length of the path. */
static gr_value *step_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    const struct sim_node *n = gr_as_opaque(gr_args(c));
    int64_t id = gr_as_int(gr_get(args, "id"), -1), ms = gr_as_int(gr_get(args, "ms"), 0);
    size_t step = gr_len(gr_get(args, "path"));

    (void)self;
    if (id >= 0 && id < CALLS && step < STEPS)
        cluster->executed[id][step]++;
    if (ms > 0 && gr_sleep(gr_runtime_of(c), ms) != GR_OK)
        return gr_error(GR_ECANCELED, "woken up");
    return gr_set(gr_value_ref(args), "path",
                  gr_append(gr_value_ref(gr_get(args, "path")), gr_int(n->place)));
}

static const gr_method step_methods[] = { { "invoke", GR_ASYNC, step_invoke, NULL } };
static const gr_class step_class = GR_CLASS(.name = "step", GR_METHODS(step_methods));

static void publish(struct sim_node *n)
{
    sim_publish(cluster->nodes.run, n, "step", &step_class);
}

static struct sim_node *at(struct cluster *k, int place)
{
    return sim_node_at(&k->nodes, place);
}

static uint64_t ways(const struct cluster *k)
{
    gr_stats s = GR_STATS_INIT;
    uint64_t sum = 0;

    for (int i = 0; i < k->nodes.started; i++) {
        gr_stats_read(k->nodes.starts[i].rt, &s);
        sum += s.values_sent;
    }
    return sum;
}

/* ---- calls ----------------------------------------------------------------------------------- */

struct job {
    gr_future *f;
    int places[STEPS]; /* a node's; its own: the step is the caller's own */
    size_t count;
    bool cancelled, timed, large;
};

static gr_ref sequence(struct sim_node *from, const struct job *j)
{
    gr_ref refs[STEPS];

    for (size_t i = 0; i < j->count; i++)
        refs[i] = j->places[i] == from->place
                      ? sim_spawn(from, &step_class)
                      : gr_remote(gr_root(from->rt), sim_url(j->places[i]), "step");
    return gr_seq_n(gr_root(from->rt), refs, j->count);
}

static gr_value *text(bool large)
{
    static char x[LONG_SIZE];

    memset(x, 'x', sizeof(x));
    return large ? gr_strn(x, sizeof(x)) : gr_nil();
}

static void start_job(struct cluster *k, struct job *j, int id)
{
    struct sim *r = k->nodes.run;
    struct sim_node *from = at(k, (int)sim_roll(r, NODES));

    *j = (struct job){ .count = 2 + (size_t)sim_roll(r, STEPS - 1) };
    if (from == NULL)
        return;
    for (size_t i = 0; i < j->count; i++)
        j->places[i] = (int)sim_roll(r, NODES);
    j->cancelled = sim_roll(r, 5) == 0;
    j->timed = sim_roll(r, 4) == 0;
    j->large = sim_roll(r, 8) == 0;
    j->f = gr_ainvoke(
        from->rt, sequence(from, j),
        gr_map(GR_KV("path", gr_list_n(NULL, 0)), GR_KV("id", gr_int(id)),
               GR_KV("text", text(j->large)),
               GR_KV("ms", gr_int(sim_roll(r, 3) == 0 ? (int64_t)sim_roll(r, 1500) : 0))),
        GR_CALL(.timeout_ms = j->timed ? 3000 : 0));
}

static bool is_documented(const struct job *j, gr_code code)
{
    switch (code) {
    case GR_EUNREACH:
    case GR_ECANCELED: /* the served side's runtime ends, or we cancelled */
    case GR_EFULL:
    case GR_EDEAD: return true; /* a successor serves before it publishes */
    case GR_ETIMEDOUT: return j->timed;
    case GR_ENOMEM: return sim_tolerates(cluster->nodes.run, code);
    default: return false;
    }
}

static void check_answer(struct sim *r, const struct job *j, const int *executed, const gr_value *v)
{
    const gr_value *path = gr_get(v, "path");

    sim_check(r, gr_len(path) == j->count && (!j->large || gr_len(gr_get(v, "text")) == LONG_SIZE),
              "an answer after %d steps of %d", (int)gr_len(path), (int)j->count);
    for (size_t i = 0; i < j->count; i++)
        sim_check(r, executed[i] == 1 && gr_as_int(gr_at(path, i), -1) == j->places[i],
                  "step %d ran %d times, at node %d", (int)i, executed[i],
                  (int)gr_as_int(gr_at(path, i), -1));
}

static void finish_job(struct sim *r, struct job *j, const int *executed)
{
    gr_outcome o = { .code = GR_EPENDING };

    if (j->f == NULL)
        return;
    if (j->cancelled) {
        o = gr_await(j->f, (int64_t)sim_roll(r, 100));
        gr_future_cancel(j->f);
    }
    if (o.code == GR_EPENDING)
        o = gr_await(j->f, -1);
    if (o.code == GR_OK)
        check_answer(r, j, executed, o.value);
    else
        sim_check(r, is_documented(j, o.code), "a call ended with %s: %s", gr_code_name(o.code),
                  gr_error_text(o.error));
    *(o.code == GR_OK ? &answers : &failures) += 1;
    if (o.code == GR_OK)
        ways_through_caller += 2 * j->count;
    gr_future_free(j->f);
}

/* ---- one seed -------------------------------------------------------------------------------- */

static void part_some(struct cluster *k, bool on)
{
    int a = (int)sim_roll(k->nodes.run, NODES),
        b = (a + 1 + (int)sim_roll(k->nodes.run, NODES - 1)) % NODES;

    if (at(k, a) != NULL && at(k, b) != NULL)
        gr_sim_partition(at(k, a)->rt, at(k, b)->rt, on);
}

static void disturb(struct cluster *k)
{
    switch (sim_roll(k->nodes.run, 20)) {
    case 0: sim_node_crash(&k->nodes, (int)sim_roll(k->nodes.run, NODES)); break;
    case 1:
    case 2: part_some(k, true); break;
    case 3:
    case 4: part_some(k, false); break;
    case 5:
    case 6:
    case 7: sim_pass_time(&k->nodes, (int64_t)sim_roll(k->nodes.run, 3000)); break;
    default: sim_pass_time(&k->nodes, (int64_t)sim_roll(k->nodes.run, 50)); break;
    }
}

static void forward_scenario(struct sim *r)
{
    struct cluster k = { .nodes = { .run = r,
                                    .count = NODES,
                                    .secret =
                                        r->seed % 7 != 0, /* else the tcp nodes take no routes */
                                    .publish = publish } };
    struct job jobs[CALLS];

    cluster = &k;
    if (r->seed % 5 == 0)
        r->faults |= GR_SIM_MEMORY;
    sim_nodes_start(&k.nodes);
    for (int i = 0; i < CALLS; i++) {
        start_job(&k, &jobs[i], i);
        disturb(&k);
    }
    for (int i = 0; i < CALLS; i++)
        finish_job(r, &jobs[i], k.executed[i]);
    gr_sim_heal();
    sim_pass_time(&k.nodes, 10000); /* what still runs somewhere ends */
    for (int i = 0; i < CALLS; i++)
        for (int s = 0; s < STEPS; s++)
            sim_check(r, k.executed[i][s] <= 1, "step %d of call %d ran %d times", s, i,
                      k.executed[i][s]);
    ways_gone += ways(&k);
    sim_note(r);
    sim_nodes_free(&k.nodes);
    cluster = NULL;
}

Test(forward, calls_on_a_route_that_breaks)
{
    struct sim_sum all = { .seeds = 0 };

    sim_worlds(&all, 1, 300, SIM_NODE_FAULTS, forward_scenario);
    sim_all_well(&all, 0);
    printf(
        "%llu calls answered, %llu failed, %llu nodes crashed; %llu ways, where the answered ones alone "
        "would have taken %llu through their callers\n",
        (unsigned long long)answers, (unsigned long long)failures, (unsigned long long)sim_crashes,
        (unsigned long long)ways_gone, (unsigned long long)ways_through_caller);
    cr_assert(!sim_enough(&all) || (answers > 1000 && failures > 500 && sim_crashes > 50));
}

/* ---- one thing at a time --------------------------------------------------------------------- */

static struct sim calm; /* a run without faults */

static void set_up(struct cluster *k)
{
    calm = (struct sim){ .seed = 8, .dice = 8, .faults = GR_SIM_NONE };
    *k = (struct cluster){ .nodes = {
                               .run = &calm, .count = NODES, .secret = true, .publish = publish } };
    cluster = k;
    sim_nodes_start(&k->nodes);
}

static void tear_down(struct cluster *k)
{
    cr_assert_str_eq(calm.complaint, "");
    sim_nodes_free(&k->nodes);
    cluster = NULL;
}

/* go has node 0 call 1, 2, 3 and 1 in turn. */
static gr_future *go(struct cluster *k, int id, int64_t ms)
{
    struct job j = { .places = { 1, 2, 3, 1 }, .count = 4 };

    return gr_ainvoke(
        at(k, 0)->rt, sequence(at(k, 0), &j),
        gr_map(GR_KV("path", gr_list_n(NULL, 0)), GR_KV("id", gr_int(id)), GR_KV("ms", gr_int(ms))),
        NULL);
}

Test(forward, four_steps_take_five_ways)
{
    struct cluster k;
    uint64_t before;

    set_up(&k);
    sim_ends_with(go(&k, 0, 0), GR_OK); /* the first one may be too early for a link's other end */
    before = ways(&k);
    sim_ends_with(go(&k, 1, 0), GR_OK);
    cr_assert_eq(ways(&k) - before, 5);
    tear_down(&k);
}

/* Node 2 can't reach node 3, and gives the call back with what it has; the caller goes on, and no step runs twice. */
Test(forward, who_cant_reach_the_next_node_gives_the_call_back)
{
    struct cluster k;
    uint64_t before;

    set_up(&k);
    for (int i = 1; i < NODES; i++) { /* the caller has its links */
        gr_ref far = gr_remote(gr_root(at(&k, 0)->rt), sim_url(i), "step");

        sim_ends_with(
            gr_ainvoke(at(&k, 0)->rt, far, gr_map(GR_KV("path", gr_list_n(NULL, 0))), NULL), GR_OK);
    }
    gr_sim_partition(at(&k, 2)->rt, at(&k, 3)->rt, true);
    before = ways(&k);
    sim_ends_with(go(&k, 0, 0), GR_OK);
    cr_assert_eq(ways(&k) - before, 3 + 2 + 2, "to 1, to 2, back; to 3 and back; to 1 and back");
    for (int s = 0; s < 4; s++)
        cr_assert_eq(k.executed[0][s], 1);
    tear_down(&k);
}

/* The link between two nodes is lost with the call on its way between them, or just not. */
Test(forward, a_partition_of_two_nodes_ends_the_call_in_time)
{
    struct cluster k;
    uint64_t before;
    gr_future *f;
    int ended = 0, answered = 0;

    set_up(&k);
    sim_ends_with(go(&k, 0, 0), GR_OK);
    for (int ms = 0; ms < 12; ms++) {
        f = go(&k, 1 + ms, 3);
        gr_sim_advance(at(&k, 0)->rt, ms);
        gr_sim_partition(at(&k, 2)->rt, at(&k, 3)->rt, true);
        before = gr_now_ns(at(&k, 0)->rt);
        answered += gr_await(f, -1).code == GR_OK;
        cr_assert_lt(gr_now_ns(at(&k, 0)->rt) - before, UINT64_C(11000) * 1000000);
        gr_future_free(f);
        gr_sim_partition(at(&k, 2)->rt, at(&k, 3)->rt, false);
        gr_sim_advance(at(&k, 0)->rt, 20000);
        sim_ends_with(go(&k, 13 + ms % 3, 0), GR_OK);
        memset(k.executed, 0, sizeof(k.executed));
        ended++;
    }
    printf("%d of %d calls were answered all the same\n", answered, ended);
    tear_down(&k);
}

/* Wherever the call is: with its holder, with who has passed it on, or with who is still to come. */
Test(forward, the_crash_of_any_node_ends_the_call_in_time)
{
    for (int place = 1; place < NODES; place++)
        for (int64_t ms = 100; ms < 4000; ms += 1000) {
            struct cluster k;
            uint64_t before;
            gr_outcome o;
            gr_future *f;

            set_up(&k);
            sim_ends_with(go(&k, 0, 0), GR_OK);
            f = go(&k, 1, 1000);
            gr_sim_advance(at(&k, 0)->rt, ms);
            gr_sim_crash(at(&k, place)->rt);
            before = gr_now_ns(at(&k, 0)->rt);
            o = gr_await(f, -1);
            cr_assert(o.code == GR_OK || o.code == GR_EUNREACH, "%s", gr_code_name(o.code));
            cr_assert_lt(gr_now_ns(at(&k, 0)->rt) - before, UINT64_C(8000) * 1000000);
            gr_future_free(f);
            for (int s = 0; s < 4; s++)
                cr_assert_leq(k.executed[1][s], 1);
            tear_down(&k);
        }
}

/* A call that is cancelled while it is on a way that is cut ends at once for who made it, and everywhere in the end. */
Test(forward, a_cancelled_call_leaves_nothing_behind_a_partition)
{
    struct cluster k;
    gr_future *f;

    set_up(&k);
    sim_ends_with(go(&k, 0, 0), GR_OK);
    f = go(&k, 1, 1000);
    gr_sim_advance(at(&k, 0)->rt, 1500); /* node 2 has it */
    gr_sim_partition(at(&k, 0)->rt, at(&k, 2)->rt, true);
    gr_future_cancel(f);
    sim_ends_with(f, GR_ECANCELED);
    gr_sim_advance(at(&k, 0)->rt, 20000);
    for (int i = 0; i < k.nodes.started; i++) {
        gr_stats s = GR_STATS_INIT;

        gr_stats_read(k.nodes.starts[i].rt, &s);
        cr_assert_eq(s.calls_now, 0, "node %d", i);
    }
    tear_down(&k);
}
