/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simulate_seed.c - one seed: a simulated runtime, the chain in it, several runs, and what must
 * hold.
 *
 *   - the runs start together; how each is called, which are cancelled or get a deadline, and when,
 *     is drawn from the seed too, by a generator of our own
 *   - every run ends; with the answer that it has without faults, or with an error that the faults,
 *     its cancellation or its deadline explain
 *   - when faults have ended, one more run succeeds, in a chain made anew if faults broke this one
 *   - the runtime ends without a warning, and no block of memory is left
 *   - every GRI_SIM_HASHED-th seed, run again, takes the same course
 *
 * Everything between gr_runtime_new and gr_runtime_free may fail when memory is among the faults,
 * our own allocations too; so what is needed to report a violation is either there before, or made
 * after gr_sim_heal.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/chain_build.h"
#include "cli/chain_load.h"
#include "cli/simulate.h"
#include "runtime/base/alloc.h"

#define SIM_BATCH 3 /* items of a batch */
#define DEADLINE_MAX_MS 20
#define SHOWN_MAX 300 /* bytes of a value in a report */

enum way { INVOKE, STREAM, BATCH, WAYS };

struct run {
    enum way way;
    bool cancel;
    int64_t deadline_ms; /* drawn; 0: none */
    gr_future *future;   /* owned; of INVOKE and BATCH */
    gr_stream *stream;   /* owned; of STREAM; NULL once its reader has left */
};

/* How a run ended. */
struct ending {
    gr_code code;
    gr_value *value, *error; /* owned; one of them, or none */
};

struct seed {
    struct gri_simulation *sim;
    struct gri_sim_failure *failure;
    unsigned faults;
    uint64_t chance;  /* splitmix64's state */
    struct run *runs; /* owned */
    struct gri_session session;
    struct gri_chain_report report;
    struct gri_chain_builder builder;
    bool making; /* report and builder are to be freed */
    bool hung;   /* so the runtime can't be freed */
    bool warned;
    uint64_t start_ns;
    gr_sim_info info; /* at the end */
};

static uint64_t draw(struct seed *s, uint64_t below)
{
    uint64_t x = s->chance += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (x ^ (x >> 31)) % below;
}

/* ---- violations ------------------------------------------------------------------------------ */

/* violate notes what was violated, the first time; faults end, so that the report may allocate. */
static void violate(struct seed *s, const char *fmt, ...) GR_PRINTF(2, 3);
static void violate(struct seed *s, const char *fmt, ...)
{
    va_list ap;

    gr_sim_heal();
    if (s->failure->what[0] != '\0')
        return;
    va_start(ap, fmt);
    (void)vsnprintf(s->failure->what, sizeof(s->failure->what), fmt, ap);
    va_end(ap);
}

static bool fine(const struct seed *s)
{
    return s->failure->what[0] == '\0';
}

/* show writes a value as JSON, cut to a line of `size` bytes. */
static const char *show(const gr_value *v, char *line, size_t size)
{
    char *json = v != NULL ? gr_json_print(v, 0, NULL) : NULL;

    (void)snprintf(line, size, "%s", json != NULL ? json : "nothing");
    if (json != NULL && strlen(json) >= size)
        memcpy(line + size - sizeof("..."), "...", sizeof("..."));
    gr_free(json);
    return line;
}

static void violate_by_answer(struct seed *s, const char *what, const gr_value *expected,
                              const gr_value *got)
{
    char expected_line[SHOWN_MAX], got_line[SHOWN_MAX];

    gr_sim_heal();
    violate(s, "%s\nexpected: %s\ngot:      %s", what,
            show(expected, expected_line, sizeof(expected_line)),
            show(got, got_line, sizeof(got_line)));
}

static void violate_by_error(struct seed *s, const char *what, gr_code code, const gr_value *error)
{
    const char *where = gr_cstr(gr_get(error, "where"), "");

    violate(s, "%s: %s%s%s%s%s", what, gr_code_name(code), where[0] != '\0' ? " in " : "", where,
            error != NULL ? ": " : "", error != NULL ? gr_error_text(error) : "");
}

/* A warning of the library is one: nothing here is left behind on purpose. */
static void on_warning(void *arg, int level, const char *text)
{
    struct seed *s = arg;

    (void)level;
    if (s->warned)
        return;
    s->warned = true;
    violate(s, "the runtime warns: %s", text);
}

/* ---- what may be ----------------------------------------------------------------------------- */

/* may_be tells whether the faults of this seed explain the error. */
static bool may_be(const struct seed *s, gr_code code)
{
    static const struct {
        gr_code code;
        unsigned faults;
    } explained[] = {
        { GR_ENOMEM, GR_SIM_MEMORY | GR_SIM_THREADS },
        { GR_EFULL, GR_SIM_FULL },
        { GR_EINVAL, GR_SIM_FILES },
        { GR_ETIMEDOUT, GR_SIM_HTTP | GR_SIM_NET },
        { GR_EUNREACH, GR_SIM_HTTP | GR_SIM_NET },
        { GR_EPROTO, GR_SIM_HTTP | GR_SIM_NET },
        { GR_EREMOTE, GR_SIM_HTTP | GR_SIM_NET | GR_SIM_FILES },
        { GR_ERATE, GR_SIM_HTTP },
    };

    for (size_t i = 0; i < sizeof(explained) / sizeof(explained[0]); i++) {
        if (explained[i].code == code)
            return (s->faults & explained[i].faults) != 0;
    }
    return false;
}

/* is_message: a message or a chunk of one, whose sum is of another type than the whole. */
static bool is_message(const gr_value *v)
{
    return gr_value_type(v) == GR_MAP && gr_get(v, "type") != NULL && gr_get(v, "content") != NULL;
}

/* same_answer compares by content, but for the type of messages; as deep as a value may be. */
static bool same_answer(const gr_value *a, const gr_value *b)
{
    bool same = gr_value_type(a) == gr_value_type(b) && gr_len(a) == gr_len(b);

    if (is_message(a) && is_message(b))
        return gr_equal(gr_get(a, "content"), gr_get(b, "content"));
    if (!same || (gr_value_type(a) != GR_MAP && gr_value_type(a) != GR_LIST))
        return gr_equal(a, b);
    for (size_t i = 0; i < gr_len(a) && same; i++) {
        const char *key = NULL;
        const gr_value *item = gr_pair_at(a, i, &key);

        same = gr_value_type(a) == GR_LIST ? same_answer(gr_at(a, i), gr_at(b, i))
                                           : same_answer(item, gr_get(b, key));
    }
    return same;
}

static const gr_value *expected_of(const struct seed *s, enum way way)
{
    return way == INVOKE ? s->sim->answer : way == BATCH ? s->sim->batched : s->sim->sum;
}

/* judge looks at how a run ended. `name` says which one it was. */
static void judge(struct seed *s, const struct run *run, const char *name, const struct ending *e)
{
    char what[200];

    if (e->code == GR_EDEADLK || e->code == GR_EPENDING) {
        (void)snprintf(what, sizeof(what), "%s never ends", name);
        violate_by_error(s, what, e->code, e->error);
        s->hung = true;
    } else if (e->code == GR_OK) {
        (void)snprintf(what, sizeof(what),
                       "%s has another answer than without faults (see --any-answer)", name);
        if (!s->sim->options->sim.any_answer && !gr_equal(e->value, expected_of(s, run->way)))
            violate_by_answer(s, what, expected_of(s, run->way), e->value);
    } else if (!(e->code == GR_ECANCELED && run->cancel) &&
               !(e->code == GR_ETIMEDOUT && run->deadline_ms != 0) && !may_be(s, e->code)) {
        (void)snprintf(what, sizeof(what), "%s fails, and no fault explains that", name);
        violate_by_error(s, what, e->code, e->error);
    }
}

/* ---- the chain ------------------------------------------------------------------------------- */

static void unmake(struct seed *s)
{
    if (!s->making)
        return;
    gri_chain_builder_fini(&s->builder);
    gri_chain_report_fini(&s->report);
    s->making = false;
}

/* make builds the chain and loads its files. `must`: there are no faults that explain a failure. */
static bool make(struct seed *s, bool must)
{
    struct gri_chain_file *file = s->sim->file;
    gr_value *error;

    gri_chain_report_init(&s->report, s->sim->options->args[0]);
    file->one_process = true;
    gri_chain_builder_init(&s->builder, file, s->session.rt, &s->report);
    s->making = true;
    for (size_t i = 0; i < file->actor_count; i++)
        file->actors[i].built = false; /* these were another seed's */
    if (!gri_chain_build(&s->builder, s->sim->actor) || !gri_chain_settle(&s->builder)) {
        if (must)
            violate(s, "the chain can't be made: %s", gri_chain_report_text(&s->report));
        return false;
    }
    error = gri_chain_load(&s->session, &s->builder, true);
    if (error != NULL && (must || !may_be(s, gr_error_code(error))))
        violate_by_error(s, "the chain's files can't be loaded", gr_error_code(error), error);
    gr_value_unref(error);
    return error == NULL;
}

/* may_break: faults of this seed may keep the chain from being made. */
static bool may_break(const struct seed *s)
{
    return (s->faults & (GR_SIM_ALL & ~(unsigned)(GR_SIM_SCHED | GR_SIM_TIME))) != 0;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static gr_value *input_of(const struct seed *s, enum way way)
{
    gr_value *input = s->sim->options->input;
    gr_value *list;

    if (way != BATCH)
        return gr_value_ref(input);
    list = gr_list_n(NULL, 0);
    for (int i = 0; i < SIM_BATCH; i++)
        list = gr_append(list, gr_value_ref(input));
    return list;
}

static void start(struct seed *s, struct run *run)
{
    const struct gri_options *o = s->sim->options;
    gr_ref who = s->sim->actor->ref;
    gr_call_opts opts = { .size = sizeof(opts),
                          .timeout_ms = run->deadline_ms != 0 ? run->deadline_ms : o->timeout_ms,
                          .config = gr_value_ref(o->config) };
    gr_value *input = input_of(s, run->way);

    switch (run->way) {
    case STREAM: run->stream = gr_astream(s->session.rt, who, input, &opts); break;
    case BATCH: run->future = gr_abatch(s->session.rt, who, input, &opts); break;
    default: run->future = gr_ainvoke(s->session.rt, who, input, &opts); break;
    }
}

static struct ending end_of_future(gr_future *f)
{
    gr_outcome o = gr_await(f, GRI_SIM_FOREVER_MS);
    struct ending e = { .code = o.code,
                        .value = gr_value_ref(o.value),
                        .error = gr_value_ref(o.error) };

    if (o.code == GR_OK && gr_error_code(o.value) != GR_OK)
        e.code = gr_error_code(o.value);
    if (o.code != GR_EDEADLK && o.code != GR_EPENDING) /* else freeing would hang as well */
        gr_future_free(f);
    return e;
}

static struct ending end_of_stream(gr_stream *stream)
{
    struct ending e = { .code = GR_OK };
    gr_outcome o;

    while ((o = gr_next(stream, GRI_SIM_FOREVER_MS)).code == GR_OK)
        e.value = gr_add(e.value, gr_value_ref(o.value));
    if (o.code != GR_EOS) {
        e.code = o.code;
        e.error = gr_value_ref(o.error);
    } else if (e.value == NULL) {
        e.value = gr_nil();
    } else {
        e.code = gr_error_code(e.value);
    }
    if (o.code != GR_EDEADLK && o.code != GR_EPENDING)
        gr_stream_free(stream);
    return e;
}

static struct ending end_of(struct run *run)
{
    struct ending e = run->way == STREAM ? end_of_stream(run->stream) : end_of_future(run->future);

    run->stream = NULL;
    run->future = NULL;
    return e;
}

static void ending_fini(struct ending *e)
{
    gr_value_unref(e->value);
    gr_value_unref(e->error);
}

/* let_pass gives the others some turns, or some milliseconds. */
static void let_pass(struct seed *s)
{
    uint64_t turns = draw(s, 4) != 0 ? draw(s, 40) : 0;

    if (draw(s, 4) == 0)
        (void)gr_sim_advance(s->session.rt, (int64_t)draw(s, 10));
    for (uint64_t i = 0; i < turns; i++)
        (void)gr_sim_advance(s->session.rt, 0);
}

/* cancel_one cancels a run; a stream by leaving it, after some chunks. */
static void cancel_one(struct seed *s, struct run *run)
{
    uint64_t chunks = draw(s, 3);

    gr_future_cancel(run->future);
    if (run->way != STREAM)
        return;
    while (chunks-- > 0 && gr_next(run->stream, GRI_SIM_FOREVER_MS).code == GR_OK)
        continue;
    gr_stream_free(run->stream);
    run->stream = NULL;
}

static void draw_run(struct seed *s, struct run *run)
{
    *run = (struct run){ .way = (enum way)draw(s, WAYS) };
    run->cancel = draw(s, 4) == 0;
    if (draw(s, 4) == 0)
        run->deadline_ms = 1 + (int64_t)draw(s, DEADLINE_MAX_MS);
}

static void name_run(const struct run *run, unsigned index, char *name, size_t size)
{
    static const char *const ways[WAYS] = { "invoke", "stream", "batch" };
    char deadline[40] = "";

    if (run->deadline_ms != 0)
        (void)snprintf(deadline, sizeof(deadline), ", deadline %lld ms",
                       (long long)run->deadline_ms);
    (void)snprintf(name, size, "run %u (%s%s%s)", index + 1, ways[run->way],
                   run->cancel ? ", cancelled" : "", deadline);
}

/* run_all starts the runs, cancels some, and looks at how each ended. */
static void run_all(struct seed *s, struct gri_sim_tally *t)
{
    unsigned count = s->sim->options->sim.runs;

    for (unsigned i = 0; i < count; i++) {
        draw_run(s, &s->runs[i]);
        start(s, &s->runs[i]);
        if (draw(s, 4) == 0)
            let_pass(s);
    }
    for (unsigned i = 0; i < count; i++) {
        if (!s->runs[i].cancel)
            continue;
        let_pass(s);
        cancel_one(s, &s->runs[i]);
    }
    for (unsigned i = 0; i < count && !s->hung; i++) {
        struct run *run = &s->runs[i];
        struct ending e = { .code = GR_ECANCELED };
        char name[100];

        if (run->way != STREAM || !run->cancel)
            e = end_of(run);
        name_run(run, i, name, sizeof(name));
        judge(s, run, name, &e);
        t->runs[e.code < GRI_SIM_CODES ? e.code : 0]++;
        ending_fini(&e);
    }
}

/* run_healed makes sure that all is well once faults have ended. */
static void run_healed(struct seed *s, bool made, struct gri_sim_tally *t)
{
    struct run run = { .way = INVOKE };
    struct ending e;

    gr_sim_heal();
    if (made && may_break(s))
        made = gri_chain_settle(&s->builder); /* what failed late is known by now */
    if (!made) {
        unmake(s);
        made = make(s, true);
    }
    if (!made)
        return;
    s->faults = 0;
    start(s, &run);
    e = end_of(&run);
    judge(s, &run, "the run after all faults have ended", &e);
    t->runs[e.code < GRI_SIM_CODES ? e.code : 0]++;
    ending_fini(&e);
}

/* ---- the seed -------------------------------------------------------------------------------- */

/* enter makes the seed's runtime. GR_OK, or why there is none. */
static gr_code enter(struct seed *s, struct gri_simulation *sim, uint64_t seed, unsigned faults,
                     struct gri_sim_failure *f)
{
    gr_code code;

    *s = (struct seed){
        .sim = sim, .failure = f, .faults = faults, .chance = seed, .session = { .signals = -1 }
    };
    s->runs = gri_alloc_array(sim->options->sim.runs, sizeof(struct run));
    if (s->runs == NULL)
        return GR_ENOMEM;
    gr_set_log(on_warning, s, 1);
    f->seed = seed;
    f->what[0] = '\0';
    code = gr_runtime_new(
        GR_RUNTIME(.workers = sim->options->workers, .sim_seed = seed, .sim_faults = faults),
        &s->session.rt);
    if (code == GR_OK && gr_sim_report(&s->info) == GR_OK)
        s->start_ns = s->info.now_ns;
    return code;
}

static void leave(struct seed *s, bool entered, struct gri_sim_tally *t)
{
    uint64_t fired = 0;

    if (entered) {
        s->session.scope = NULL;
        unmake(s);
        (void)gr_sim_report(&s->info);
        t->events += s->info.events;
        t->events_most = s->info.events > t->events_most ? s->info.events : t->events_most;
        t->virtual_ns += s->info.now_ns - s->start_ns;
        for (unsigned i = 0; i < GRI_SIM_POINTS && gr_sim_point(i, NULL, &fired) != NULL; i++)
            t->fired[i] += fired;
    }
    if (!s->hung)
        gr_runtime_free(s->session.rt);
    gri_free(s->runs);
    gr_set_log(NULL, NULL, 0);
}

/* run_once is one course of a seed; false when something was violated. */
static bool run_once(struct gri_simulation *sim, uint64_t seed, struct gri_sim_tally *t,
                     struct gri_sim_failure *f, gr_sim_info *ret_info)
{
    long before = gri_simulate_blocks();
    struct seed s;
    gr_code code = enter(&s, sim, seed, sim->faults, f);
    bool made = false;

    if (code != GR_OK && !may_be(&s, code))
        violate(&s, "the runtime can't start: %s", gr_code_name(code));
    if (code == GR_OK) {
        s.session.scope = gr_root(s.session.rt);
        made = make(&s, !may_break(&s));
        if (made && fine(&s))
            run_all(&s, t);
        if (fine(&s))
            run_healed(&s, made, t);
    }
    t->unbuilt += !made;
    t->seeds++;
    leave(&s, code == GR_OK, t);
    if (fine(&s) && gri_simulate_blocks() != before)
        violate(&s, "memory leaks: %ld blocks are left", gri_simulate_blocks() - before);
    *ret_info = s.info;
    return fine(&s);
}

bool gri_simulate_seed(struct gri_simulation *sim, uint64_t seed, struct gri_sim_tally *t,
                       struct gri_sim_failure *f)
{
    struct gri_sim_tally scratch = { 0 };
    gr_sim_info first = { 0 }, second = { 0 };

    if (!run_once(sim, seed, t, f, &first))
        return false;
    if (seed % GRI_SIM_HASHED != 0 || sim->options->trace)
        return true;
    if (!run_once(sim, seed, &scratch, f, &second))
        return false;
    if (first.trace_hash == second.trace_hash && first.events == second.events)
        return true;
    (void)snprintf(f->what, sizeof(f->what),
                   "the same seed took another course: %llu events, then %llu; something asks for "
                   "time or chance behind the simulation's back",
                   (unsigned long long)first.events, (unsigned long long)second.events);
    return false;
}

/* ---- without faults -------------------------------------------------------------------------- */

/* answer_of runs the chain in one way; NULL, told, when it fails. */
static gr_value *answer_of(struct seed *s, enum way way)
{
    struct run run = { .way = way };
    struct ending e;

    start(s, &run);
    e = end_of(&run);
    if (e.code != GR_OK)
        violate_by_error(s, "the chain fails without any fault", e.code, e.error);
    gr_value_unref(e.error);
    return e.code == GR_OK ? e.value : NULL;
}

/* check_ways: the three ways to call must give one answer. */
static void check_ways(struct seed *s)
{
    const struct gri_simulation *sim = s->sim;

    if (!same_answer(sim->sum, sim->answer))
        violate_by_answer(s, "without any fault, a stream adds up to another answer than invoke's",
                          sim->answer, sim->sum);
    for (size_t i = 0; i < SIM_BATCH; i++) {
        if (!gr_equal(gr_at(sim->batched, i), sim->answer))
            violate_by_answer(s, "without any fault, a batch has another answer than invoke's",
                              sim->answer, gr_at(sim->batched, i));
    }
}

bool gri_simulate_reference(struct gri_simulation *sim, struct gri_sim_failure *f)
{
    struct gri_sim_tally scratch = { 0 };
    struct seed s;
    gr_code code = enter(&s, sim, 1, GR_SIM_NONE, f);

    if (code != GR_OK) {
        violate(&s, "the runtime can't start: %s", gr_code_name(code));
    } else {
        s.session.scope = gr_root(s.session.rt);
        if (make(&s, true)) {
            sim->answer = answer_of(&s, INVOKE);
            sim->sum = fine(&s) ? answer_of(&s, STREAM) : NULL;
            sim->batched = fine(&s) ? answer_of(&s, BATCH) : NULL;
        }
        if (fine(&s) && !sim->options->sim.any_answer)
            check_ways(&s);
    }
    leave(&s, code == GR_OK, &scratch);
    return fine(&s);
}
