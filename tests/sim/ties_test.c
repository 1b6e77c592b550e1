/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ties_test.c - links and monitors between three nodes over a simulated network that breaks, parts and
 * delays, while nodes crash, actors end, and ties are taken away again. In the end everybody has ended: each
 * monitor must have been told exactly once, each link too, and what was taken away never.
 */
#include "tests/support/simulate.h"
#include "tests/support/test.h"

#define FAULTS (GR_SIM_SCHED | GR_SIM_TIME | GR_SIM_FULL | GR_SIM_NET)
#define NODES 3
#define STARTS 6
#define TARGETS 48
#define TIES 120
#define SEEN 64
#define STEPS 60
#define REFS 6 /* that a watcher has been given, at a time */

/* One start of a node: it has a watcher, which traps exits, and targets, one of them published. */
struct start {
    gr_runtime *rt;
    int place;
    gr_ref watcher, names[NODES]; /* proxies for what each place publishes */
    gr_ref refs[REFS];            /* of other nodes' targets, as they came */
    gr_ref seen[SEEN];            /* refs whose exit the watcher was told of */
    unsigned ref_count, seen_count;
};

struct tie {
    struct start *of;
    gr_ref who;
    uint64_t number; /* of a monitor; 0: a link */
    int told;
    bool dropped;
};

struct world {
    struct sim *run;
    struct start starts[STARTS];
    int started, at[NODES];
    struct {
        struct start *of;
        gr_ref ref;
    } targets[TARGETS];
    struct tie ties[TIES];
    unsigned target_count, tie_count;
    bool over; /* a node could not be made */
    bool calm; /* no link is lost */
};

static struct world *world;
static uint64_t told_noconnection, told_noproc, told_reason, told_error, linked, dropped;

static const char *url_of(int place)
{
    static const char *const urls[NODES] = { "tcp://127.0.0.1:7001", "ipc:///sim/b",
                                             "tcp://127.0.0.1:7003" };

    return urls[place];
}

/* ---- targets --------------------------------------------------------------------------------- */

static gr_value *target_echo(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    return gr_value_ref(args);
}

static gr_value *target_link(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return gr_int(gr_link(c, gr_as_ref(args)));
}

static gr_value *target_unlink(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    gr_unlink(c, gr_as_ref(args));
    return gr_nil();
}

static gr_ref spawn_target(struct start *s);

/* target_give makes another target of the same node. */
static gr_value *target_give(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    for (int i = 0; i < world->started; i++)
        if (world->starts[i].rt == gr_runtime_of(c))
            return gr_ref_value(spawn_target(&world->starts[i]));
    return gr_error(GR_EDEAD, "not of this world");
}

static const gr_method target_methods[] = { { "invoke", GR_CHEAP, target_echo, NULL },
                                            { "link", GR_CHEAP, target_link, NULL },
                                            { "unlink", GR_CHEAP, target_unlink, NULL },
                                            { "give", GR_CHEAP, target_give, NULL } };
static const gr_class target_class =
    GR_CLASS(.name = "target", .state_size = 8, GR_METHODS(target_methods));

static gr_ref spawn_target(struct start *s)
{
    gr_ref r = { 0, GR_EFULL };

    if (world->target_count == TARGETS)
        return r;
    r = gr_spawn(gr_root(s->rt), &target_class, NULL);
    if (r.node == 0)
        return r;
    world->targets[world->target_count].of = s;
    world->targets[world->target_count++].ref = r;
    return r;
}

/* ---- the watcher ----------------------------------------------------------------------------- */

static struct start *start_of(gr_ctx *c)
{
    return gr_as_opaque(gr_args(c));
}

static bool same(gr_ref a, gr_ref b)
{
    return a.node == b.node && a.id == b.id;
}

static gr_code watcher_init(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    gr_trap_exit(c, true);
    return GR_OK;
}

static void note_reason(const gr_value *reason)
{
    if (gr_reason_is(reason, "noconnection"))
        told_noconnection++;
    else if (gr_reason_is(reason, "noproc"))
        told_noproc++;
    else if (gr_value_type(reason) == GR_ERROR)
        told_error++;
    else
        told_reason++;
    sim_check(world->run, !world->calm || !gr_reason_is(reason, "noconnection"),
              "a link was lost that was not");
    sim_check(world->run,
              gr_reason_is(reason, "noconnection") || gr_reason_is(reason, "noproc") ||
                  gr_reason_is(reason, "tired") || gr_reason_is(reason, "shutdown") ||
                  gr_error_code(reason) == GR_EFULL || gr_error_code(reason) == GR_ENOMEM ||
                  gr_error_code(reason) == GR_ECANCELED ||
                  /* over tcp without a secret nobody may link */
                  (world->run->seed % 2 != 0 && gr_error_code(reason) == GR_EINVAL),
              "the reason '%s', error %s", gr_cstr(reason, "?"), gr_error_text(reason));
}

static void watcher_down(gr_ctx *c, void *self, uint64_t monitor, gr_ref who,
                         const gr_value *reason)
{
    (void)self;
    note_reason(reason);
    for (unsigned i = 0; i < world->tie_count; i++) {
        struct tie *t = &world->ties[i];

        if (t->of != start_of(c) || t->number != monitor)
            continue;
        sim_check(world->run, t->told++ == 0 && !t->dropped, "monitor %llu is told %s",
                  (unsigned long long)monitor, t->dropped ? "though it was taken away" : "twice");
        sim_check(world->run, same(t->who, who), "it is told of another");
        return;
    }
    sim_complain(world->run, "a monitor %llu that nobody has set", (unsigned long long)monitor);
}

/* A link may be the other's making: then it is told of the ref that we know the other by, once, since it
 * ends once. */
static void watcher_exited(gr_ctx *c, void *self, gr_ref from, const gr_value *reason)
{
    struct start *s = start_of(c);

    (void)self;
    note_reason(reason);
    for (unsigned i = 0; i < world->tie_count; i++) {
        struct tie *t = &world->ties[i];

        if (t->of == s && t->number == 0 && same(t->who, from) && t->told == 0 && !t->dropped) {
            t->told++;
            return;
        }
    }
    for (unsigned i = 0; i < s->seen_count; i++)
        sim_check(world->run, !same(s->seen[i], from), "an exit is told twice");
    if (s->seen_count < SEEN)
        s->seen[s->seen_count++] = from;
}

static bool is_linked(struct start *s, gr_ref who)
{
    for (unsigned i = 0; i < world->tie_count; i++)
        if (world->ties[i].of == s && world->ties[i].number == 0 && same(world->ties[i].who, who) &&
            world->ties[i].told == 0 && !world->ties[i].dropped)
            return true;
    return false;
}

static gr_value *watcher_tie(gr_ctx *c, void *self, const gr_value *args)
{
    gr_ref who = gr_as_ref(gr_get(args, "who"));
    bool link = gr_as_bool(gr_get(args, "link"), false);
    struct tie *t = &world->ties[world->tie_count];
    gr_code rc;

    (void)self;
    if (world->tie_count == TIES || (link && is_linked(start_of(c), who)))
        return gr_nil();
    *t = (struct tie){ .of = start_of(c), .who = who };
    world->tie_count++; /* a link may be told of before gr_link returns */
    rc = link ? gr_link(c, who) : gr_monitor(c, who, &t->number);
    if (rc != GR_OK) {
        t->dropped = true; /* nothing came of it */
        sim_check(world->run, rc == GR_EFULL || rc == GR_ENOMEM || rc == GR_EUNREACH,
                  "a tie was refused: %s", gr_code_name(rc));
    }
    linked += link;
    return gr_nil();
}

static gr_value *watcher_drop(gr_ctx *c, void *self, const gr_value *args)
{
    struct tie *t = &world->ties[gr_as_int(args, 0)];

    (void)self;
    if (t->of != start_of(c) || t->dropped || t->told > 0)
        return gr_nil();
    if (t->number == 0)
        gr_unlink(c, t->who);
    else
        sim_check(world->run, gr_demonitor(c, t->number), "a monitor that was not told is gone");
    t->dropped = true;
    dropped++;
    return gr_nil();
}

static gr_value *watcher_self(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    return gr_ref_value(gr_self(c));
}

static const gr_method watcher_methods[] = { { "tie", GR_CHEAP, watcher_tie, NULL },
                                             { "drop", GR_CHEAP, watcher_drop, NULL },
                                             { "self", GR_CHEAP, watcher_self, NULL } };
static const gr_class watcher_class =
    GR_CLASS(.name = "watcher", .state_size = 8, .init = watcher_init, .down = watcher_down,
             .exited = watcher_exited, GR_METHODS(watcher_methods));

/* ---- coming and going ------------------------------------------------------------------------ */

/* spawn_watcher: bounds are reached early here. One whose args could not be had is no good. */
static gr_ref spawn_watcher(struct start *s)
{
    gr_value *broken = NULL;
    gr_ref r;

    do {
        gr_value_unref(broken);
        r = gr_spawn(gr_root(s->rt), &watcher_class, GR_SPAWN(.args = gr_opaque(s, NULL)));
    } while ((broken = gr_check(s->rt, r)) != NULL);
    return r;
}

static bool tolerates(struct world *w, gr_code rc)
{
    return rc == GR_OK || (rc == GR_ENOMEM && (w->run->faults & GR_SIM_MEMORY) != 0);
}

/* runtime_of makes a start's runtime; false: there is no memory, and this world is over. */
static bool runtime_of(struct world *w, struct start *s)
{
    gr_code rc = gr_runtime_new(GR_RUNTIME(.sim_seed = w->run->seed, .sim_faults = w->run->faults,
                                           .workers = 1 + (unsigned)sim_roll(w->run, 2)),
                                &s->rt);

    sim_check(w->run, tolerates(w, rc), "no runtime: %s", gr_code_name(rc));
    if (rc != GR_OK)
        return false;
    while (w->run->seed % 2 == 0 && /* then the tcp nodes share their links, too */
           gr_node_configure(s->rt, GR_NODE(.secret = "of this simulation"), NULL) == GR_ENOMEM)
        continue;
    return true;
}

static void start_node(struct world *w, int place)
{
    struct start *s = &w->starts[w->started];
    gr_ref published;
    gr_code rc;

    *s = (struct start){ .place = place };
    if (w->over || !runtime_of(w, s)) {
        w->over = true;
        return;
    }
    w->at[place] = w->started++;
    s->watcher = spawn_watcher(s);
    do
        published = gr_spawn(gr_root(s->rt), &target_class, NULL);
    while (published.node == 0);
    if (w->target_count < TARGETS) {
        w->targets[w->target_count].of = s;
        w->targets[w->target_count++].ref = published;
    }
    gr_publish(s->rt, "target", published);
    for (int i = 0; i < NODES; i++)
        do
            s->names[i] = gr_remote(gr_root(s->rt), url_of(i), "target");
        while (s->names[i].node == 0);
    rc = gr_serve(s->rt, url_of(place), NULL);
    sim_check(w->run, tolerates(w, rc), "serving: %s", gr_code_name(rc));
}

static struct start *any_start(struct world *w)
{
    return &w->starts[w->at[sim_roll(w->run, NODES)]];
}

static void pass_time(struct world *w, int64_t ms)
{
    gr_sim_advance(w->starts[w->at[0]].rt, ms);
}

static void do_sync(struct start *s, gr_ref who, const char *verb, gr_value *args)
{
    gr_value_unref(gr_do(s->rt, who, verb, args, GR_CALL(.timeout_ms = 20000), NULL));
}

/* any_ref is one of another node's: a name, or what was given. */
static gr_ref any_ref(struct world *w, struct start *s)
{
    int place = (s->place + 1 + (int)sim_roll(w->run, NODES - 1)) % NODES;

    if (s->ref_count == 0 || sim_roll(w->run, 2) == 0)
        return s->names[place];
    return s->refs[sim_roll(w->run, s->ref_count)];
}

/* get_ref_of has the node at a place make a target, and keeps its ref. */
static void get_ref_of(struct world *w, struct start *s, int place)
{
    gr_value *v =
        gr_do(s->rt, s->names[place], "give", gr_nil(), GR_CALL(.timeout_ms = 20000), NULL);
    gr_ref r = gr_as_ref(v);

    gr_value_unref(v);
    if (r.node == 0)
        return;
    if (s->ref_count < REFS)
        s->refs[s->ref_count++] = r;
    else
        s->refs[sim_roll(w->run, REFS)] = r;
}

static void get_ref(struct world *w, struct start *s)
{
    get_ref_of(w, s, (s->place + 1 + (int)sim_roll(w->run, NODES - 1)) % NODES);
}

static void tie_some(struct world *w, struct start *s)
{
    do_sync(s, s->watcher, "tie",
            gr_map(GR_KV("who", gr_ref_value(any_ref(w, s))),
                   GR_KV("link", gr_bool(sim_roll(w->run, 3) == 0))));
}

/* end_some ends a target, from near or from far. */
static void end_some(struct world *w, struct start *s)
{
    unsigned i = (unsigned)sim_roll(w->run, w->target_count);
    gr_code rc;

    if (sim_roll(w->run, 2) == 0)
        rc = gr_exit_to(w->targets[i].of->rt, w->targets[i].ref, gr_str("tired"));
    else
        rc = gr_exit_to(s->rt, any_ref(w, s), gr_str("tired"));
    (void)rc;
}

static void step(struct world *w)
{
    struct start *s = any_start(w);
    int a = (int)sim_roll(w->run, NODES), b = (a + 1) % NODES;

    switch (sim_roll(w->run, 20)) {
    case 0:
        if (w->started < STARTS) {
            gr_sim_crash(w->starts[w->at[a]].rt);
            start_node(w, a);
        }
        break;
    case 1: gr_sim_partition(w->starts[w->at[a]].rt, w->starts[w->at[b]].rt, true); break;
    case 2:
    case 3: gr_sim_partition(w->starts[w->at[a]].rt, w->starts[w->at[b]].rt, false); break;
    case 4:
    case 5: pass_time(w, (int64_t)sim_roll(w->run, 4000)); break;
    case 6: end_some(w, s); break;
    case 7:
    case 8:
    case 9:
        if (w->tie_count > 0)
            do_sync(s, s->watcher, "drop", gr_int((int64_t)sim_roll(w->run, w->tie_count)));
        break;
    case 10:
    case 11: get_ref(w, s); break;
    case 12: do_sync(s, any_ref(w, s), "link", gr_ref_value(s->watcher)); break;
    case 13: /* then nobody is told of those links, so those seeds don't ask for it */
        if (w->run->seed % 4 == 0)
            do_sync(s, any_ref(w, s), "unlink", gr_ref_value(s->watcher));
        break;
    default: tie_some(w, s); break;
    }
}

/* all_told: nobody is left to wait for. */
static bool is_due(const struct world *w, const struct tie *t)
{
    return !t->dropped && t->told == 0 && (t->number != 0 || w->run->seed % 4 != 0);
}

static bool all_told(const struct world *w)
{
    for (unsigned i = 0; i < w->tie_count; i++)
        if (is_due(w, &w->ties[i]))
            return false;
    return true;
}

static void end_all(struct world *w)
{
    for (int a = 0; a < NODES; a++)
        gr_sim_partition(w->starts[w->at[a]].rt, w->starts[w->at[(a + 1) % NODES]].rt, false);
    pass_time(w, 2000);
    for (unsigned i = 0; i < w->target_count; i++) {
        gr_code rc = gr_exit_to(w->targets[i].of->rt, w->targets[i].ref, gr_str("tired"));

        (void)rc;
    }
    for (int i = 0; i < 200 && !all_told(w); i++)
        pass_time(w, 500);
    for (unsigned i = 0; i < w->tie_count; i++)
        sim_check(w->run, !is_due(w, &w->ties[i]), "%s %u of start %d was never told",
                  w->ties[i].number != 0 ? "monitor" : "link", i, (int)(w->ties[i].of - w->starts));
}

static void ties_scenario(struct sim *r)
{
    struct world w = { .run = r };

    world = &w;
    if (r->seed % 5 == 0)
        r->faults |= GR_SIM_MEMORY;
    for (int i = 0; i < NODES; i++)
        start_node(&w, i);
    for (int i = 0; i < STEPS && !w.over; i++)
        step(&w);
    gr_sim_heal();
    if (!w.over)
        end_all(&w);
    sim_note(r);
    for (int i = w.started; i-- > 0;)
        gr_runtime_free(w.starts[i].rt);
    world = NULL;
}

Test(ties, each_monitor_and_each_link_is_told_once)
{
    struct sim_sum all = { .seeds = 0 };

    sim_worlds(&all, 1, 300, FAULTS, ties_scenario);
    sim_all_well(&all, 0);
    printf(
        "%llu noconnection, %llu noproc, %llu reasons, %llu errors; %llu links; %llu taken away\n",
        (unsigned long long)told_noconnection, (unsigned long long)told_noproc,
        (unsigned long long)told_reason, (unsigned long long)told_error, (unsigned long long)linked,
        (unsigned long long)dropped);
    cr_assert(!sim_enough(&all) || (told_noconnection > 500 && told_noproc > 50 &&
                                    told_reason > 500 && linked > 500 && dropped > 200));
}

/* ---- ends at the same moment ------------------------------------------------------------------ */

/* An actor ends while it is being linked or watched: the reason is its own, or that it was gone. */
static void race_scenario(struct sim *r)
{
    struct world w = { .run = r, .calm = true };
    struct start *s = &w.starts[0];

    world = &w;
    start_node(&w, 0);
    start_node(&w, 1);
    for (int i = 0; i < 12; i++) {
        gr_future *f;
        gr_code rc;

        s->ref_count = 0;
        get_ref_of(&w, s, 1);
        if (s->ref_count == 0)
            continue;
        f = gr_acall(
            s->rt, s->watcher, "tie",
            gr_map(GR_KV("who", gr_ref_value(s->refs[0])), GR_KV("link", gr_bool(i % 2 == 0))),
            NULL);
        gr_await(f, sim_roll(r, 2) == 0 ? -1 : 0);
        rc = gr_exit_to(w.starts[1].rt, w.targets[w.target_count - 1].ref, gr_str("tired"));
        sim_check(r, rc == GR_OK, "no exit: %s", gr_code_name(rc));
        gr_future_free(f);
    }
    for (int i = 0; i < 20 && !all_told(&w); i++)
        pass_time(&w, 100);
    sim_check(r, all_told(&w), "not all were told");
    w.calm = false; /* now they are lost */
    sim_note(r);
    for (int i = w.started; i-- > 0;)
        gr_runtime_free(w.starts[i].rt);
    world = NULL;
}

Test(ties, who_ends_while_it_is_tied_has_its_own_reason)
{
    struct sim_sum all = { .seeds = 0 };

    sim_worlds(&all, 50001, 300, GR_SIM_SCHED, race_scenario);
    sim_worlds(&all, 51081, 1, GR_SIM_SCHED,
               race_scenario); /* linked, and over before it had its number */
    sim_all_well(&all, 0);
}

/* ---- one thing at a time --------------------------------------------------------------------- */

static void is_lost(gr_future *f)
{
    gr_outcome o = gr_await(f, -1);

    cr_assert_eq(o.code, GR_OK, "%s", gr_error_text(o.error));
    cr_assert_str_eq(gr_cstr(o.value, "?"), "noconnection");
    gr_future_free(f);
}

/* Both sides see it, in the time that it may take: three beats, and one until it is looked for. */
Test(ties, a_partition_ends_them_on_both_sides)
{
    struct sim calm = { .seed = 7, .dice = 7, .faults = GR_SIM_NONE };
    struct world w = { .run = &calm };
    gr_future *here, *there;
    gr_runtime *a, *b;
    uint64_t before;

    world = &w;
    start_node(&w, 0);
    start_node(&w, 1);
    a = w.starts[0].rt;
    b = w.starts[1].rt;
    here = gr_ended(a, w.starts[0].names[1]);
    there = gr_ended(b, w.starts[1].names[0]);
    gr_sim_advance(a, 60000);
    cr_assert_eq(gr_await(here, 0).code, GR_EPENDING);
    cr_assert_eq(gr_await(there, 0).code, GR_EPENDING);
    cr_assert_eq(gr_sim_partition(a, b, true), GR_OK);
    before = gr_now_ns(a);
    is_lost(here);
    is_lost(there);
    cr_assert_lt(gr_now_ns(a) - before, UINT64_C(5100) * 1000000);
    cr_assert_eq(gr_sim_partition(a, b, false), GR_OK);
    gr_sim_advance(a, 2000);
    here = gr_ended(a, w.starts[0].names[1]); /* a new one is of the new link */
    gr_sim_advance(a, 2000);
    cr_assert_eq(gr_await(here, 0).code, GR_EPENDING);
    gr_future_free(here);
    gr_runtime_free(b);
    gr_runtime_free(a);
    world = NULL;
    cr_assert(calm.complaint[0] == '\0', "%s", calm.complaint);
}
