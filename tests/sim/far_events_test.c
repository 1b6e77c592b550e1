/* SPDX-License-Identifier: Apache-2.0 */
/*
 * far_events_test.c - chains over three nodes whose runs are observed, over a simulated network that breaks, parts and
 * delays, while nodes crash and calls are cancelled: what begins for who observes ends once, before the caller knows.
 */
#include "runtime/actor/runtime_impl.h"
#include "runtime/observe/run.h"
#include "tests/support/simulate.h"
#include "tests/support/test.h"

#include <greenroom/callbacks.h>
#include <greenroom/node.h>

#define FAULTS (GR_SIM_SCHED | GR_SIM_TIME | GR_SIM_FULL | GR_SIM_NET)
#define NODES 3
#define STARTS 6
#define JOBS 8
#define RUNS 4096 /* of one job */
#define MANY 700  /* calls that one handler makes: more events than a tree may be behind with */

struct start {
    gr_runtime *rt;
    int place;
    gr_ref next, leaf; /* what its chains call: on the next node, and here */
};

/* What is heard of one call. */
struct job {
    struct sim *run;
    gr_future *f;
    gr_stream *s;
    bool cancelled, over;
    bool batch; /* its items are roots: if one fails, the others are cancelled after its answer */
    int open, count;
    uint64_t number; /* of the last event */
    struct {
        char id[40];
        bool ended;
    } runs[RUNS];
};

struct world {
    struct sim *run;
    struct start starts[STARTS];
    int started;
    int at[NODES];
    struct job jobs[JOBS];
};

static uint64_t answers, failures, crashes, runs, held; /* over all seeds */

static const char *url_of(int place)
{
    static const char *const urls[NODES] = { "tcp://127.0.0.1:7001", "ipc:///sim/b",
                                             "tcp://127.0.0.1:7003" };

    return urls[place];
}

/* ---- what is heard --------------------------------------------------------------------------- */

static int place_of(const struct job *j, const char *id)
{
    int i = j->count;

    while (i-- > 0 && strcmp(j->runs[i].id, id) != 0)
        ;
    return i;
}

static void hear_start(struct job *j, const gr_event *e)
{
    bool root = e->run->parent_id == NULL;
    int in = root ? -1 : place_of(j, e->run->parent_id);

    sim_check(j->run, place_of(j, e->run->id) < 0, "'%s' begins twice", e->run->name);
    sim_check(j->run, root || (in >= 0 && !j->runs[in].ended),
              "'%s' begins in a run that is not open", e->run->name);
    if (j->count == RUNS)
        return;
    snprintf(j->runs[j->count++].id, sizeof(j->runs[0].id), "%s", e->run->id);
    j->open++;
    runs++;
}

static void hear(void *arg, const gr_event *e)
{
    struct job *j = arg;
    int at = place_of(j, e->run->id);

    sim_check(j->run, !j->over, "'%s' of '%s' after the call's end", gr_event_name(e),
              e->run->name);
    sim_check(j->run, e->number == j->number + 1, "an event is missing");
    j->number = e->number;
    if (e->kind == GR_RUN_START) {
        hear_start(j, e);
        return;
    }
    sim_check(j->run, at >= 0 && !j->runs[at].ended, "'%s' of a run that is not open",
              gr_event_name(e));
    if (at < 0 || (e->kind != GR_RUN_END && e->kind != GR_RUN_ERROR))
        return;
    j->runs[at].ended = true;
    j->open--;
}

/* ---- what nodes serve ------------------------------------------------------------------------ */

static gr_value *nap_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg;
    if (gr_sleep(gr_runtime_of(c), gr_as_int(input, 0) % 50) != GR_OK)
        return gr_error(GR_ECANCELED, "woken up");
    return gr_value_ref(input);
}

static gr_value *many_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    struct start *s = arg;

    for (int i = 0; i < MANY; i++) {
        gr_value *err = NULL,
                 *v = gr_invoke(gr_runtime_of(c), s->leaf, gr_value_ref(input), NULL, &err);

        gr_value_unref(v);
        if (v == NULL)
            return err;
    }
    return gr_value_ref(input);
}

static gr_value *same_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_value_ref(input);
}

static gr_code count_stream(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_code rc = GR_OK;

    (void)self, (void)in;
    for (int64_t i = 0; i < gr_as_int(args, 0) && rc == GR_OK; i++)
        rc = gr_emit(c, gr_int(1));
    return rc;
}

static const gr_method count_methods[] = { { "stream", GR_ASYNC, NULL, count_stream } };
static const gr_class count_class = GR_CLASS(.name = "count", GR_METHODS(count_methods));

static bool tolerates(const struct sim *r, gr_code rc)
{
    return rc == GR_OK || (rc == GR_ENOMEM && (r->faults & GR_SIM_MEMORY) != 0);
}

static void publish(struct world *w, struct start *s, const char *name, gr_ref r)
{
    gr_code rc = gr_publish(s->rt, name, r);

    sim_check(w->run, tolerates(w->run, rc) || (w->run->faults & GR_SIM_MEMORY) != 0,
              "publishing %s: %s", name, gr_code_name(rc));
}

/* start_node makes a node that publishes leaf, fan (of its own and the next node's) and far, which is a fan there. */
static void start_node(struct world *w, int place)
{
    struct start *s = &w->starts[w->started];
    gr_ref fan, far;
    gr_scope *in;
    gr_code rc;

    *s = (struct start){ .place = place };
    w->at[place] = -1;
    rc = gr_runtime_new(GR_RUNTIME(.sim_seed = w->run->seed, .sim_faults = w->run->faults,
                                   .workers = 1 + (unsigned)sim_roll(w->run, 2)),
                        &s->rt);
    sim_check(w->run, tolerates(w->run, rc), "no runtime: %s", gr_code_name(rc));
    if (rc != GR_OK)
        return;
    w->at[place] = w->started++;
    in = gr_root(s->rt);
    s->leaf = gr_lambda(in, GR_CHEAP, same_fn, NULL, NULL);
    s->next = gr_remote(in, url_of((place + 1) % NODES), "leaf");
    fan = gr_seq(in, gr_lambda(in, GR_ASYNC, nap_fn, NULL, NULL),
                 gr_parallel(in, GR_STEP("a", s->next), GR_STEP("b", s->leaf)));
    far = gr_seq(in, gr_remote(in, url_of((place + 1) % NODES), "fan"), gr_passthrough(in));
    publish(w, s, "leaf", gr_seq(in, s->leaf, gr_lambda(in, GR_ASYNC, nap_fn, NULL, NULL)));
    publish(w, s, "fan", fan);
    publish(w, s, "far", far);
    publish(w, s, "many", gr_lambda(in, GR_ASYNC, many_fn, NULL, s));
    publish(w, s, "count", gr_seq(in, gr_spawn(in, &count_class, NULL), gr_passthrough(in)));
    rc = gr_serve(s->rt, url_of(place), NULL);
    sim_check(w->run, tolerates(w->run, rc), "serving: %s", gr_code_name(rc));
}

static struct start *at(struct world *w, int place)
{
    return w->at[place] >= 0 ? &w->starts[w->at[place]] : NULL;
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void start_job(struct world *w, struct job *j)
{
    static const char *const names[] = { "leaf", "fan", "far", "count", "many" };
    struct sim *r = w->run;
    struct start *from = at(w, (int)sim_roll(r, NODES));
    const char *name = names[sim_roll(r, 9) % 5];
    int64_t input = (int64_t)sim_roll(r, 60);
    gr_call_opts opts = { .size = sizeof(opts) };
    gr_ref to;

    *j = (struct job){ .run = r, .cancelled = sim_roll(r, 4) == 0 };
    if (from == NULL)
        return;
    to = gr_remote(gr_root(from->rt), url_of((from->place + 1) % NODES), name);
    to = gr_seq(gr_root(from->rt), from->leaf, to);
    opts.timeout_ms = sim_roll(r, 4) == 0 ? 100 : 60000;
    opts.config = gr_map(
        GR_KV("callbacks", gr_list(gr_handler_value(GR_HANDLER(.on_event = hear, .arg = j)))));
    switch (sim_roll(r, 3)) {
    case 0: j->s = gr_astream(from->rt, to, gr_int(input), &opts); break;
    case 1:
        j->batch = true;
        j->f = gr_abatch(from->rt, to, gr_list(gr_int(input), gr_int(input + 1)), &opts);
        break;
    default: j->f = gr_ainvoke(from->rt, to, gr_int(input), &opts);
    }
}

static void finish_job(struct job *j)
{
    gr_outcome o = { .code = GR_EPENDING };
    int64_t most = j->cancelled ? (int64_t)sim_roll(j->run, 10) : INT64_MAX;

    if (j->f != NULL && j->cancelled) {
        o = gr_await(j->f, (int64_t)sim_roll(j->run, 50));
        gr_future_cancel(j->f);
    }
    if (j->f != NULL && o.code == GR_EPENDING)
        o = gr_await(j->f, -1);
    if (j->s != NULL)
        while (most-- > 0 && (o = gr_next(j->s, -1)).code == GR_OK)
            ;
    (o.code == GR_OK || o.code == GR_EOS ? answers++ : failures++);
    if (j->s != NULL)
        gr_stream_free(j->s);
    sim_check(j->run, j->open == 0 || (j->batch && o.code != GR_OK),
              "%d runs are open after the call's end (%s: %s)", j->open, gr_code_name(o.code),
              gr_error_text(o.error));
    j->over = !j->batch;
    gr_future_free(j->f);
}

/* ---- one seed -------------------------------------------------------------------------------- */

static void look_for_gates(struct world *w)
{
    for (int i = 0; i < w->started; i++) {
        struct gri_run_trees *all = &w->starts[i].rt->run_trees;

        for (struct gri_list *n = all->list.next; n != &all->list; n = n->next)
            held += gri_gate_is_shut(&gri_container_of(n, struct gri_run_tree, place)->gate);
    }
}

static void disturb(struct world *w)
{
    int a = (int)sim_roll(w->run, NODES);

    switch (sim_roll(w->run, 16)) {
    case 0:
        if (at(w, a) == NULL || w->started == STARTS)
            break;
        gr_sim_crash(at(w, a)->rt);
        crashes++;
        start_node(w, a);
        break;
    case 1:
    case 2:
        if (at(w, a) != NULL && at(w, (a + 1) % NODES) != NULL)
            gr_sim_partition(at(w, a)->rt, at(w, (a + 1) % NODES)->rt, sim_roll(w->run, 3) == 0);
        break;
    default:
        if (at(w, a) != NULL)
            gr_sim_advance(at(w, a)->rt, (int64_t)sim_roll(w->run, 40));
    }
    look_for_gates(w);
}

static void scenario(struct sim *r)
{
    static struct world w; /* large */

    w = (struct world){ .run = r, .at = { -1, -1, -1 } };
    if (r->seed % 5 == 0)
        r->faults |= GR_SIM_MEMORY;
    for (int i = 0; i < NODES; i++)
        start_node(&w, i);
    for (int i = 0; i < JOBS; i++) {
        start_job(&w, &w.jobs[i]);
        disturb(&w);
    }
    for (int i = 0; i < 10; i++)
        disturb(&w);
    gr_sim_heal();
    for (int i = 0; i < JOBS; i++)
        if (w.jobs[i].f != NULL || w.jobs[i].s != NULL)
            finish_job(&w.jobs[i]);
    sim_note(r);
    for (int i = w.started; i-- > 0;)
        gr_runtime_free(w.starts[i].rt);
    for (int i = 0; i < JOBS; i++)
        sim_check(r, w.jobs[i].open == 0, "%d runs are open for good", w.jobs[i].open);
}

/* Seeds that found something: a call that was over before its flow had been told of the answer to the end. */
static const uint64_t regressions[] = { 294 };

Test(far_events, what_begins_elsewhere_ends_once_whatever_happens_on_the_way)
{
    struct sim_sum all = { .seeds = 0 };

    sim_worlds(&all, 1, 200, FAULTS, scenario);
    for (size_t i = 0; i < sizeof(regressions) / sizeof(regressions[0]); i++)
        sim_worlds(&all, regressions[i], 1, FAULTS, scenario);
    sim_all_well(&all, 0);
    printf(
        "%llu calls answered, %llu failed, %llu runs, %llu nodes crashed, %llu times held back\n",
        (unsigned long long)answers, (unsigned long long)failures, (unsigned long long)runs,
        (unsigned long long)crashes, (unsigned long long)held);
    cr_assert(!sim_enough(&all) || (answers > 300 && failures > 100 && crashes > 50 && held > 0));
}
