/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_test.c - three nodes that call each other over a simulated network that breaks, parts and
 * delays, while they crash and come back.
 */
#include "runtime/net/link_sim.h"
#include "runtime/net/node.h"
#include "tests/support/sim_nodes.h"

#define NODES 3
#define CALLS 24
#define TEXT "a call"
#define LONG_SIZE 200000 /* of a text that goes in parts */

/* long_text is one that is too long for a frame. */
static gr_value *long_text(void)
{
    static char text[LONG_SIZE];

    memset(text, 'x', sizeof(text));
    return gr_strn(text, sizeof(text));
}

/* ---- nodes ----------------------------------------------------------------------------------- */

/* The messages of one start of a node. */
struct post {
    gr_ref others[NODES];
    int64_t heard[SIM_STARTS]; /* the last message from each start */
    int64_t told[NODES];       /* the last that it sent to each place */
};

struct cluster {
    struct sim_nodes nodes;
    struct post posts[SIM_STARTS]; /* by start */
    int executed[CALLS];           /* how often each call ran */
};

/* Over all seeds: that there was something to check. */
static uint64_t answers, failures, heard;

static struct cluster *cluster; /* the one under test */

/* ---- what a node serves ---------------------------------------------------------------------- */

static void count(const gr_value *args)
{
    int64_t id = gr_as_int(gr_get(args, "id"), -1);

    if (id >= 0 && id < CALLS)
        cluster->executed[id]++;
}

static gr_value *serve_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    int64_t ms = gr_as_int(gr_get(args, "ms"), 0);

    (void)self;
    count(args);
    if (ms > 0 && gr_sleep(gr_runtime_of(c), ms) != GR_OK)
        return gr_error(GR_ECANCELED, "woken up");
    return gr_value_ref(gr_get(args, "text"));
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

/* serve_transform gives back what comes. */
static gr_code serve_transform(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_outcome o;

    (void)self, (void)args;
    while ((o = gr_next(in, -1)).code == GR_OK)
        if (gr_emit(c, gr_value_ref(o.value)) != GR_OK)
            return GR_ECANCELED;
    if (o.code == GR_EOS)
        return GR_OK;
    return gr_fail(c, o.error != NULL ? gr_value_ref(o.error) : gr_error(o.code, "no input"));
}

/* An actor with state, so that messages are handled in the order they came. */
static gr_code post_init(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    *(struct sim_node **)self = gr_as_opaque(args);
    return GR_OK;
}

/* post_receive checks that messages come in order and once. */
static void post_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct sim_node *node = *(struct sim_node **)self;
    struct post *me = &cluster->posts[node - cluster->nodes.starts];
    int64_t from = gr_as_int(gr_get(msg, "from"), 0), number = gr_as_int(gr_get(msg, "number"), 0);

    (void)c;
    sim_check(cluster->nodes.run, number > me->heard[from],
              "message %d from start %d to %d came after %d", (int)number, (int)from,
              (int)(me - cluster->posts), (int)me->heard[from]);
    me->heard[from] = number;
    heard++;
}

static const gr_method serve_methods[] = {
    { "invoke", GR_ASYNC, serve_invoke, NULL },
    { "stream", GR_ASYNC, NULL, serve_stream },
    { "transform", GR_ASYNC, NULL, serve_transform },
};
static const gr_class serve_class = GR_CLASS(.name = "served", GR_METHODS(serve_methods));
static const gr_class post_class = GR_CLASS(.name = "post", .state_size = sizeof(struct sim_node *),
                                            .init = post_init, .receive = post_receive);

static void publish(struct sim_node *n)
{
    cluster->posts[n - cluster->nodes.starts] = (struct post){ 0 };
    sim_publish(cluster->nodes.run, n, "served", &serve_class);
    sim_publish(cluster->nodes.run, n, "post", &post_class);
}

static struct sim_node *at(struct cluster *k, int place)
{
    return sim_node_at(&k->nodes, place);
}

static gr_ref proxy(struct sim_node *s, int place, const char *name)
{
    return gr_remote(gr_root(s->rt), sim_url(place), name);
}

/* ---- calls ----------------------------------------------------------------------------------- */

struct job {
    gr_future *f;
    gr_stream *s;
    int64_t n; /* chunks of the stream */
    bool cancelled, timed, large;
};

static bool is_documented(const struct job *j, gr_code code)
{
    switch (code) {
    case GR_EUNREACH: return true;
    case GR_ECANCELED: return true; /* the served side's runtime ends, or we cancelled */
    case GR_ETIMEDOUT: return j->timed;
    case GR_EFULL: return true;
    case GR_EDEAD: return true; /* a successor serves before it publishes */
    case GR_ENOMEM: return sim_tolerates(cluster->nodes.run, code);
    default: return false;
    }
}

static void finish_future(struct sim *r, struct job *j, const int *executed)
{
    gr_outcome o = { .code = GR_EPENDING };

    if (j->cancelled) {
        o = gr_await(j->f, (int64_t)sim_roll(r, 50));
        gr_future_cancel(j->f);
    }
    if (o.code == GR_EPENDING)
        o = gr_await(j->f, -1);
    if (o.code == GR_OK)
        sim_check(
            r,
            (j->large ? gr_len(o.value) == LONG_SIZE : strcmp(gr_cstr(o.value, ""), TEXT) == 0) &&
                *executed == 1,
            "an answer '%s' of a call that ran %d times", gr_cstr(o.value, "?"), *executed);
    else
        sim_check(r, is_documented(j, o.code), "a call ended with %s: %s", gr_code_name(o.code),
                  gr_error_text(o.error));
    *(o.code == GR_OK ? &answers : &failures) += 1;
    gr_future_free(j->f);
}

static void finish_stream(struct sim *r, struct job *j)
{
    int64_t most = j->cancelled ? (int64_t)sim_roll(r, 20) : INT64_MAX, i = 0;
    gr_outcome o = { .code = GR_OK };

    while (i < most && (o = gr_next(j->s, -1)).code == GR_OK) {
        sim_check(r, gr_as_int(o.value, -1) == i, "chunk %d where %d is due",
                  (int)gr_as_int(o.value, -1), (int)i);
        i++;
    }
    if (o.code == GR_EOS)
        sim_check(r, i == j->n, "a good end after %d chunks of %d", (int)i, (int)j->n);
    else if (o.code != GR_OK)
        sim_check(r, is_documented(j, o.code), "a stream ended with %s: %s", gr_code_name(o.code),
                  gr_error_text(o.error));
    *(o.code == GR_OK || o.code == GR_EOS ? &answers : &failures) += 1;
    gr_stream_free(j->s);
}

static gr_value *numbers(int64_t n)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (int64_t i = 0; i < n; i++)
        list = gr_append(list, gr_int(i));
    return list;
}

static void start_job(struct cluster *k, struct job *j, int id)
{
    struct sim *r = k->nodes.run;
    struct sim_node *from = at(k, (int)sim_roll(r, NODES));
    int place = (int)sim_roll(r, NODES), kind = (int)sim_roll(r, 4);
    gr_call_opts opts = { .size = sizeof(opts) };
    gr_ref to;

    *j = (struct job){ .n = (int64_t)sim_roll(r, 100) };
    if (from == NULL)
        return;
    to = proxy(from, place, "served");
    j->cancelled = sim_roll(r, 5) == 0;
    j->timed = sim_roll(r, 3) == 0;
    j->large = sim_roll(r, 6) == 0;
    opts.timeout_ms = j->timed ? 2000 : 0;
    if (kind == 0)
        j->s = gr_astream(from->rt, to, gr_map(GR_KV("n", gr_int(j->n)), GR_KV("id", gr_int(id))),
                          &opts);
    else if (kind == 1)
        j->s = gr_atransform(from->rt, to, gr_stream_of(from->rt, numbers(j->n)), &opts);
    else
        j->f = gr_ainvoke(from->rt, to,
                          gr_map(GR_KV("id", gr_int(id)),
                                 GR_KV("text", j->large ? long_text() : gr_str(TEXT)),
                                 GR_KV("ms", gr_int(kind == 2 ? (int64_t)sim_roll(r, 500) : 0))),
                          &opts);
}

static void tell_some(struct cluster *k)
{
    struct sim_node *from = at(k, (int)sim_roll(k->nodes.run, NODES));
    int place = (int)sim_roll(k->nodes.run, NODES);
    struct post *post;

    if (from == NULL)
        return;
    post = &k->posts[from - k->nodes.starts];
    if (post->others[place].id == 0)
        post->others[place] = proxy(from, place, "post");
    for (int i = 0; i < 5; i++)
        gr_tell(from->rt, post->others[place],
                gr_map(GR_KV("from", gr_int(post - k->posts)),
                       GR_KV("number", gr_int(++post->told[place])),
                       GR_KV("padding", sim_roll(k->nodes.run, 10) == 0 ? long_text() : gr_nil())));
}

/* ---- one seed -------------------------------------------------------------------------------- */

static void part_some(struct cluster *k, bool on)
{
    int a = (int)sim_roll(k->nodes.run, NODES), b = (a + 1) % NODES;

    if (at(k, a) != NULL && at(k, b) != NULL)
        gr_sim_partition(at(k, a)->rt, at(k, b)->rt, on);
}

static void disturb(struct cluster *k)
{
    switch (sim_roll(k->nodes.run, 30)) {
    case 0: sim_node_crash(&k->nodes, (int)sim_roll(k->nodes.run, NODES)); break;
    case 1: part_some(k, true); break;
    case 2:
    case 3: part_some(k, false); break;
    case 4:
    case 5:
    case 6:
    case 7:
    case 8: sim_pass_time(&k->nodes, (int64_t)sim_roll(k->nodes.run, 3000)); break;
    default: tell_some(k); break;
    }
}

/* after_healing: every node reaches every other. */
static void after_healing(struct cluster *k)
{
    for (int a = 0; a < NODES; a++)
        for (int b = 0; b < NODES; b++)
            if (a != b && at(k, a) != NULL && at(k, b) != NULL)
                gr_sim_partition(at(k, a)->rt, at(k, b)->rt, false);
    sim_pass_time(&k->nodes, 2000);
    for (int a = 0; a < NODES; a++)
        for (int b = 0; b < NODES; b++) {
            gr_value *err = NULL, *v;

            if (at(k, a) == NULL || at(k, b) == NULL || (k->nodes.run->faults & GR_SIM_MEMORY) != 0)
                continue;
            v = gr_invoke(at(k, a)->rt, proxy(at(k, a), b, "served"),
                          gr_map(GR_KV("text", gr_str(TEXT))), NULL, &err);
            sim_check(k->nodes.run, strcmp(gr_cstr(v, ""), TEXT) == 0,
                      "after healing, %d to %d: %s", a, b, gr_error_text(err));
            gr_value_unref(v);
            gr_value_unref(err);
        }
}

static void net_scenario(struct sim *r)
{
    struct cluster k = { .nodes = { .run = r,
                                    .count = NODES,
                                    .secret = r->seed % 2 == 0, /* the tcp nodes share links, too */
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
        if (jobs[i].s != NULL)
            finish_stream(r, &jobs[i]);
        else if (jobs[i].f != NULL)
            finish_future(r, &jobs[i], &k.executed[i]);
    for (int i = 0; i < CALLS; i++)
        sim_check(r, k.executed[i] <= 1, "call %d ran %d times", i, k.executed[i]);
    gr_sim_heal();
    after_healing(&k);
    sim_note(r);
    sim_nodes_free(&k.nodes);
    cluster = NULL;
}

/* Seeds that found something: a flow listed twice as waiting for room; a message whose decoding
 * failed; one link's frames after those of the next; a chunk that was lost before a good end; a hello
 * after the next link had come and gone. */
static const uint64_t regressions[] = { 8, 20, 29, 68, 895 };

Test(net, calls_and_messages_over_links_that_break)
{
    struct sim_sum all = { .seeds = 0 };
    const char *never;

    sim_worlds(&all, 1, 400, SIM_NODE_FAULTS, net_scenario);
    for (size_t i = 0; i < sizeof(regressions) / sizeof(regressions[0]); i++)
        sim_worlds(&all, regressions[i], 1, SIM_NODE_FAULTS, net_scenario);
    sim_all_well(&all, 0);
    never = sim_table(&all, "NET_");
    cr_assert(never == NULL, "%s never happened", never);
    printf("%llu calls answered, %llu failed, %llu messages heard, %llu nodes crashed\n",
           (unsigned long long)answers, (unsigned long long)failures, (unsigned long long)heard,
           (unsigned long long)sim_crashes);
    cr_assert(!sim_enough(&all) ||
              (answers > 2000 && failures > 500 && heard > 2000 && sim_crashes > 50));
}

/* ---- one thing at a time --------------------------------------------------------------------- */

static struct sim calm; /* a run without faults */

static void set_up(struct cluster *k, int nodes)
{
    calm = (struct sim){ .seed = 7, .dice = 7, .faults = GR_SIM_NONE };
    *k = (struct cluster){ .nodes = { .run = &calm, .count = nodes, .publish = publish } };
    cluster = k;
    sim_nodes_start(&k->nodes);
}

static void tear_down(struct cluster *k)
{
    sim_nodes_free(&k->nodes);
    cluster = NULL;
    cr_assert(calm.complaint[0] == '\0', "%s", calm.complaint);
}

static gr_future *call(struct cluster *k, int from, int to, int64_t ms)
{
    return gr_ainvoke(at(k, from)->rt, proxy(at(k, from), to, "served"),
                      gr_map(GR_KV("text", gr_str(TEXT)), GR_KV("ms", gr_int(ms))), NULL);
}

Test(net, a_partition_hangs_calls_then_ends_them_and_its_end_heals)
{
    struct cluster k;
    uint64_t before;
    gr_future *f;

    set_up(&k, 2);
    sim_ends_with(call(&k, 0, 1, 0), GR_OK);
    cr_assert_eq(gr_sim_partition(at(&k, 0)->rt, at(&k, 1)->rt, true), GR_OK);
    before = gr_now_ns(at(&k, 0)->rt);
    sim_ends_with(call(&k, 0, 1, 0),
                  GR_EUNREACH); /* over the link that there is, until it gives up */
    cr_assert_lt(gr_now_ns(at(&k, 0)->rt) - before, UINT64_C(31) * 1000000000);
    gr_sim_advance(at(&k, 0)->rt, 1000);
    before = gr_now_ns(at(&k, 0)->rt);
    sim_ends_with(call(&k, 0, 1, 0), GR_EUNREACH); /* connecting hangs for its limit */
    cr_assert_geq(gr_now_ns(at(&k, 0)->rt) - before, UINT64_C(5) * 1000000000);
    gr_sim_heal(); /* not this one */
    gr_sim_advance(at(&k, 0)->rt, 1000);
    f = call(&k, 0, 1, 0);
    cr_assert_eq(gr_await(f, 1000).code, GR_EPENDING);
    cr_assert_eq(gr_sim_partition(at(&k, 1)->rt, at(&k, 0)->rt, false), GR_OK);
    sim_ends_with(f, GR_OK);
    tear_down(&k);
}

Test(net, a_short_partition_only_delays)
{
    struct cluster k;
    gr_future *f;

    set_up(&k, 2);
    sim_ends_with(call(&k, 0, 1, 0), GR_OK);
    gr_sim_partition(at(&k, 0)->rt, at(&k, 1)->rt, true);
    f = call(&k, 0, 1, 0);
    cr_assert_eq(gr_await(f, 200).code, GR_EPENDING);
    gr_sim_partition(at(&k, 0)->rt, at(&k, 1)->rt, false);
    sim_ends_with(f, GR_OK);
    tear_down(&k);
}

Test(net, a_crashed_node_takes_its_calls_along_and_gives_its_url_free)
{
    struct cluster k;
    gr_future *f, *own;

    set_up(&k, 2);
    f = call(&k, 0, 1, 1000000);
    own = call(&k, 1, 0, 1000000);
    gr_sim_advance(at(&k, 0)->rt, 1000);
    cr_assert_eq(gr_await(f, 0).code, GR_EPENDING);
    sim_node_crash(&k.nodes, 1);
    sim_ends_with(f, GR_EUNREACH);
    sim_ends_with(own, GR_EUNREACH);
    sim_ends_with(call(&k, 0, 1, 0), GR_OK); /* its successor, at the same place */
    cr_assert_eq(k.nodes.starts[1].place == 1 && k.nodes.at[1] == 2, true);
    tear_down(&k);
}

/* Both sides see a partition in the time that it may take: three beats, and one until it is looked for. */
Test(net, a_silent_peer_is_given_up_in_time_and_comes_back)
{
    struct cluster k;
    uint64_t before;
    gr_future *here, *there;

    set_up(&k, 2);
    here = call(&k, 0, 1, 1000000);
    there = call(&k, 1, 0, 1000000);
    gr_sim_advance(at(&k, 0)->rt, 60000);
    cr_assert_eq(gr_await(here, 0).code, GR_EPENDING, "who has nothing to say is not silent");
    cr_assert_eq(gr_await(there, 0).code, GR_EPENDING);
    cr_assert_eq(gr_sim_partition(at(&k, 0)->rt, at(&k, 1)->rt, true), GR_OK);
    before = gr_now_ns(at(&k, 0)->rt);
    sim_ends_with(here, GR_EUNREACH);
    sim_ends_with(there, GR_EUNREACH);
    cr_assert_lt(gr_now_ns(at(&k, 0)->rt) - before, UINT64_C(5100) * 1000000);
    cr_assert_eq(gr_sim_partition(at(&k, 0)->rt, at(&k, 1)->rt, false), GR_OK);
    gr_sim_advance(at(&k, 0)->rt, 1000);
    sim_ends_with(call(&k, 0, 1, 0), GR_OK);
    sim_ends_with(call(&k, 1, 0, 0), GR_OK);
    tear_down(&k);
}

/* Attempts to connect become rarer, and never stop. */
Test(net, who_is_not_there_is_dialled_ever_more_seldom)
{
    struct cluster k;
    gr_ref far;
    uint64_t attempts[2];

    set_up(&k, 1);
    far = gr_remote(gr_root(at(&k, 0)->rt), "tcp://127.0.0.1:7999", "served");
    for (int minute = 0; minute < 2; minute++) {
        struct gri_node *node = gri_node_get(at(&k, 0)->rt);
        uint64_t first = atomic_load(&node->serials);

        for (int i = 0; i < 6000; i++) {
            sim_ends_with(gr_ainvoke(at(&k, 0)->rt, far, gr_nil(), NULL), GR_EUNREACH);
            gr_sim_advance(at(&k, 0)->rt, 10);
        }
        attempts[minute] = atomic_load(&node->serials) - first;
    }
    cr_assert(attempts[0] > 55 && attempts[0] < 130, "%llu", (unsigned long long)attempts[0]);
    cr_assert(attempts[1] > 55 && attempts[1] < 125, "%llu", (unsigned long long)attempts[1]);
    tear_down(&k);
}

Test(net, arguments_that_are_not_of_one_simulation)
{
    struct cluster k;

    set_up(&k, 1);
    cr_assert_eq(gr_sim_partition(at(&k, 0)->rt, NULL, true), GR_EINVAL);
    cr_assert_eq(gr_sim_partition(at(&k, 0)->rt, at(&k, 0)->rt, true), GR_EINVAL);
    cr_assert_eq(gr_sim_crash(NULL), GR_EINVAL);
    tear_down(&k);
}
