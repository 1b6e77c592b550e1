/* SPDX-License-Identifier: Apache-2.0 */
/* simulate.c - `greenroom sim`: its defaults, the one seed or the many, and what is said at the
 * end. */
#include "cli/simulate.h"

#include <string.h>

#include "cli/chain.h"

static void set_defaults(struct gri_options *o)
{
    struct gri_sim_options *sim = &o->sim;

    sim->seeds = sim->seeds == 0 ? 1000 : sim->seeds;
    sim->from = sim->from == 0 ? 1 : sim->from;
    sim->runs = sim->runs == 0 ? 6 : sim->runs;
    sim->jobs = sim->jobs == 0 ? 1 : sim->jobs;
    sim->patience_s = sim->patience_s == 0 ? 60 : sim->patience_s;
    o->quiet = o->quiet || o->trace;
}

/* ---- what is said ---------------------------------------------------------------------------- */

static double average(uint64_t sum, uint64_t count)
{
    return count > 0 ? (double)sum / (double)count : 0;
}

static void print_points(const struct gri_sim_tally *t)
{
    const char *what = NULL, *name;

    (void)printf("\n%-14s %12s  %s\n", "point", "fired", "which is");
    for (unsigned i = 0; i < GRI_SIM_POINTS && (name = gr_sim_point(i, &what, NULL)) != NULL; i++)
        (void)printf("%-14s %12llu  %s\n", name, (unsigned long long)t->fired[i], what);
}

static void print_tally(const struct gri_sim_tally *t, bool verbose)
{
    unsigned points = 0, fired = 0;

    while (points < GRI_SIM_POINTS && gr_sim_point(points, NULL, NULL) != NULL)
        fired += t->fired[points++] > 0;
    (void)printf(
        "seeds    %llu, %.0f events and %.3f ms of virtual time each, at most %llu events\n",
        (unsigned long long)t->seeds, average(t->events, t->seeds),
        average(t->virtual_ns, t->seeds) / 1e6, (unsigned long long)t->events_most);
    (void)printf("points   %u of %u fired\n", fired, points);
    if (t->unbuilt > 0)
        (void)printf("chains   %llu could not be made at first, for faults\n",
                     (unsigned long long)t->unbuilt);
    (void)printf("runs     %llu gave the answer", (unsigned long long)t->runs[GR_OK]);
    for (int code = 1; code < GRI_SIM_CODES; code++) {
        if (t->runs[code] > 0)
            (void)printf(", %llu %s", (unsigned long long)t->runs[code],
                         gr_code_name((gr_code)code));
    }
    (void)printf("\n");
    if (verbose)
        print_points(t);
}

/* is_plain: a shell takes the word as it is. */
static bool is_plain(const char *word)
{
    return word[0] != '\0' &&
           strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                        "_-+=./,:@%") == strlen(word);
}

static void add_word(struct gri_strbuf *line, const char *word)
{
    gri_strbuf_addc(line, ' ');
    if (is_plain(word)) {
        gri_strbuf_adds(line, word);
        return;
    }
    gri_strbuf_addc(line, '\'');
    for (; *word != '\0'; word++) {
        if (*word == '\'')
            gri_strbuf_adds(line, "'\\'");
        gri_strbuf_addc(line, *word);
    }
    gri_strbuf_addc(line, '\'');
}

/* say_failure says what was violated, a line each, and how to see it again. */
static void say_failure(const struct gri_options *o, const struct gri_sim_failure *f)
{
    struct gri_strbuf line = GRI_STRBUF_INIT;
    const char *what = f->what;

    for (bool first = true; *what != '\0'; first = false) {
        size_t len = strcspn(what, "\n");

        if (first && f->seed != 0)
            gri_say("seed %llu: %.*s", (unsigned long long)f->seed, (int)len, what);
        else
            gri_say("%s%.*s", first ? "" : "  ", (int)len, what);
        what += len + (what[len] == '\n');
    }
    if (f->seed == 0 || o->sim.seed != 0)
        return;
    gri_strbuf_adds(&line, o->argv[0]);
    add_word(&line, o->command->name);
    gri_strbuf_addf(&line, " --seed %llu --trace", (unsigned long long)f->seed);
    for (int i = 2; i < o->argc; i++)
        add_word(&line, o->argv[i]);
    gri_say("replay: %s", line.data != NULL && !line.failed ? line.data : "(out of memory)");
    gri_strbuf_fini(&line);
}

static void print_step(void *arg, const gr_sim_step *step)
{
    (void)arg;
    (void)fprintf(stderr, "%14.6f ms  %2u %-12s %s\n", (double)step->now_ns / 1e6, step->thread_id,
                  step->thread, step->point != NULL ? step->point : "goes on");
}

/* ---- the command ----------------------------------------------------------------------------- */

/* run_seeds runs the one seed here, or all of them on processes. */
static int run_seeds(struct gri_simulation *sim)
{
    const struct gri_sim_options *o = &sim->options->sim;
    struct gri_sim_tally tally = { 0 };
    struct gri_sim_failure failure = { 0 };
    int signal = 0;
    bool fine;

    if (o->seed != 0) {
        if (sim->options->trace)
            gr_sim_trace(print_step, NULL);
        fine = gri_simulate_seed(sim, (uint64_t)o->seed, &tally, &failure);
        gr_sim_trace(NULL, NULL);
    } else {
        fine = gri_simulate_pool(sim, &tally, &failure, &signal);
    }
    print_tally(&tally, o->verbose);
    if (!fine) {
        say_failure(sim->options, &failure);
        return GRI_EXIT_FAILED;
    }
    return signal != 0 && o->seeds > 0 ? 128 + signal : GRI_EXIT_OK;
}

static int simulate(struct gri_simulation *sim)
{
    struct gri_sim_failure failure = { 0 };

    if (gri_simulate_reference(sim, &failure))
        return run_seeds(sim);
    failure.seed = 0;
    say_failure(sim->options, &failure);
    return GRI_EXIT_FAILED;
}

int gri_cmd_sim(struct gri_options *o)
{
    struct gri_simulation sim = { .options = o };
    struct gri_chain_report report;
    int exit_code = GRI_EXIT_USAGE;

    set_defaults(o);
    sim.faults = o->sim.faults != 0 ? o->sim.faults : GR_SIM_SCHED | GR_SIM_TIME;
    gri_chain_report_init(&report, o->args[0]);
    sim.file = gri_chain_file_open(o->args[0], &report);
    if (sim.file == NULL)
        (void)fputs(gri_chain_report_text(&report), stderr);
    else
        sim.actor = gri_chain_pick(sim.file, o->args[0], o->args[1]);
    if (sim.actor != NULL)
        exit_code = simulate(&sim);
    gr_value_unref(sim.answer);
    gr_value_unref(sim.batched);
    gr_value_unref(sim.sum);
    gri_chain_file_free(sim.file);
    gri_chain_report_fini(&report);
    return exit_code;
}
