/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h - the subcommands of `greenroom`, their options, and the help that is made of both.
 */
#ifndef GR_CLI_OPTIONS_H
#define GR_CLI_OPTIONS_H

#include <stdio.h>

#include "cli/console.h"

#define GRI_ARGS_MAX 3

/* What `greenroom sim` alone has. */
struct gri_sim_options {
    int64_t seeds, from; /* how many, from which on; seeds -1: until interrupted */
    int64_t seed;        /* the only one, to replay it; 0: not given */
    int64_t patience_s;  /* real time that a seed may take */
    unsigned faults;     /* of gr_sim_fault; 0: the runtime's default */
    unsigned runs, jobs;
    bool any_answer, trace, verbose;
};

struct gri_options {
    int argc;    /* of the whole command line */
    char **argv; /* borrowed */
    const struct gri_command *command;
    const char *args[GRI_ARGS_MAX]; /* what is not an option; NULL where not given */
    gr_value *input;                /* owned; nil when none was given */
    gr_value *config;               /* owned; NULL when none was given */
    int64_t timeout_ms;
    enum gri_form form;
    unsigned workers;
    bool stream, quiet, return_exceptions, markdown;
    struct gri_sim_options sim;
};

struct gri_command {
    const char *name;
    const char *args; /* for the usage line */
    int args_min, args_max;
    const char *accepts; /* the letters of its options */
    const char *help;    /* one line */
    const char *more;    /* what --help adds */
    int (*run)(struct gri_options *o);
    void (*prepare)(void); /* runs before the options are read; may be NULL */
};

int gri_cmd_run(struct gri_options *o);
int gri_cmd_stream(struct gri_options *o);
int gri_cmd_batch(struct gri_options *o);
int gri_cmd_call(struct gri_options *o);
int gri_cmd_serve(struct gri_options *o);
int gri_cmd_sim(struct gri_options *o);
int gri_cmd_check(struct gri_options *o);
int gri_cmd_kinds(struct gri_options *o);

extern const struct gri_command gri_commands[];
extern const size_t gri_command_count;

/* gri_options_faults reads "sched,time,…", "all" or "none"; 0: it is none of these. */
unsigned gri_options_faults(const char *text);

/*
 * gri_options_read reads a whole command line. It returns -1 when there is a command to run,
 * else an exit code: it has printed the help, the version, or what is wrong.
 * gri_options_fini in any case.
 */
int gri_options_read(int argc, char **argv, struct gri_options *ret_options);
void gri_options_fini(struct gri_options *o);

#endif
