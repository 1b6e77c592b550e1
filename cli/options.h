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
    bool any_answer, verbose;
};

/* What the command line may say of this node. Letters of options and keys of a chain file's node: see
 * node_settings.c. */
enum gri_node_setting {
    GRI_NODE_CLUSTER,
    GRI_NODE_NAME,
    GRI_NODE_SECRET_FILE,
    GRI_NODE_SECRET_ENV,
    GRI_NODE_TLS_CERT,
    GRI_NODE_TLS_CA,
    GRI_NODE_TLS_NAME,
    GRI_NODE_SETTINGS
};
struct gri_node_options {
    const char *given[GRI_NODE_SETTINGS]; /* borrowed; NULL: not given */
    bool insecure;
};

struct gri_options {
    int argc;    /* of the whole command line */
    char **argv; /* borrowed */
    const struct gri_command *command;
    const char *args[GRI_ARGS_MAX]; /* what is not an option; NULL where not given */
    gr_value *input;                /* owned; nil when none was given */
    gr_value *config;               /* owned; NULL when none was given */
    int64_t timeout_ms;
    const char *place; /* of `serve`: which of the file's nodes this is; borrowed; NULL: none */
    char **rest;       /* of `up`: a command to run, behind the file; borrowed; NULL-ended */
    int64_t drain_ms;  /* of `serve`: how long calls may go on once it is to end */
    enum gri_form form;
    unsigned workers;
    bool stream, quiet, return_exceptions, markdown, events;
    bool trace;             /* of each run; of a simulation, of each decision */
    const char *trace_file; /* borrowed; NULL: none */
    /* of ps, top, info, kill and drain */
    bool json, tree, once;
    int64_t count, interval_ms; /* 0: not given */
    int64_t wait_ms;            /* -1: for ever */
    const char *reason;         /* borrowed; NULL: not given */
    const char *health;         /* of `serve`; borrowed; NULL: not given */
    int64_t health_stuck_ms;    /* 0: not given */
    struct gri_sim_options sim;
    struct gri_node_options node;
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
int gri_cmd_ps(struct gri_options *o);
int gri_cmd_top(struct gri_options *o);
int gri_cmd_info(struct gri_options *o);
int gri_cmd_kill(struct gri_options *o);
int gri_cmd_drain(struct gri_options *o);
int gri_cmd_up(struct gri_options *o);
int gri_cmd_sim(struct gri_options *o);
int gri_cmd_check(struct gri_options *o);
int gri_cmd_graph(struct gri_options *o);
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
