/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simulate.h - `greenroom sim`: a chain under many seeds.
 *
 *   simulate.c         the command: the answer without faults, the seeds, the report
 *   simulate_seed.c    one seed: what is done with the chain there, and what must hold
 *   simulate_pool.c    seeds on processes of their own, so that a crash or an endless loop is a
 *                      finding too, and has a seed
 *   simulate_memory.c  counts what is allocated
 */
#ifndef GR_CLI_SIMULATE_H
#define GR_CLI_SIMULATE_H

#include <greenroom/greenroom.h>
#include <greenroom/sim.h>

#include "cli/chain_file.h"
#include "cli/options.h"

#define GRI_SIM_RUNS_MAX 1000
#define GRI_SIM_JOBS_MAX 64
#define GRI_SIM_CODES 64   /* above every gr_code */
#define GRI_SIM_POINTS 256 /* above how many there are */
#define GRI_SIM_HASHED 50  /* every so many seeds, one is run twice and must be the same */
#define GRI_SIM_FOREVER_MS                                                                         \
    (INT64_C(24) * 3600 * 1000) /* virtual; what has no end by then has none */

/* What all seeds share. */
struct gri_simulation {
    const struct gri_options *options;
    struct gri_chain_file *file;   /* owned */
    struct gri_chain_actor *actor; /* the one to call; in file */
    unsigned faults;
    gr_value *answer;  /* owned; without faults */
    gr_value *batched; /* owned; of a batch of the input, several times */
    gr_value *sum;     /* owned; of the chunks of a stream */
};

/* What seeds came to. Plain data: it lies in memory that processes share. */
struct gri_sim_tally {
    uint64_t seeds, events, events_most, virtual_ns;
    uint64_t unbuilt; /* seeds whose faults kept the chain from being made */
    uint64_t runs[GRI_SIM_CODES];
    uint64_t fired[GRI_SIM_POINTS];
};

/* What was violated, and under which seed; seed 0: nothing. */
struct gri_sim_failure {
    uint64_t seed;
    char what[2048]; /* lines */
};

/* simulate_seed.c: gri_simulate_seed runs one seed; false, with *f, when something was violated. */
bool gri_simulate_seed(struct gri_simulation *sim, uint64_t seed, struct gri_sim_tally *t,
                       struct gri_sim_failure *f);
/* gri_simulate_reference fills in the answers without faults; false, told in *f, if there is none. */
bool gri_simulate_reference(struct gri_simulation *sim, struct gri_sim_failure *f);

/*
 * simulate_pool.c: gri_simulate_pool runs the seeds that the options ask for. Returns false, with
 * *f, at the first failure. *ret_signal is the signal that ended it early, or 0.
 */
bool gri_simulate_pool(struct gri_simulation *sim, struct gri_sim_tally *t,
                       struct gri_sim_failure *f, int *ret_signal);

/* simulate_memory.c: gri_simulate_count_memory must run before anything is allocated. */
void gri_simulate_count_memory(void);
long gri_simulate_blocks(void); /* that are allocated now */

#endif
