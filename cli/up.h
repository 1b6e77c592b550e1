/* SPDX-License-Identifier: Apache-2.0 */
/*
 * up.h - `greenroom up`: the processes of a chain file's nodes, as their parent sees them.
 *
 * The parent is one thread without a runtime, in a loop around poll(2): it starts what is due, hears of who is
 * ready, passes on what they say, counts how often they end, and stops them. Nodes are numbered as in
 * deploy.h. up.c has the loop; up_begin.c what comes before it; up_process.c starts processes and waits for them; up_output.c is what they say.
 */
#ifndef GR_CLI_UP_H
#define GR_CLI_UP_H

#include <sys/types.h>

#include "cli/chain_file.h"
#include "cli/options.h"

#define GRI_UP_LINE_MAX                                                                            \
    3500 /* bytes of a line; longer ones are cut up. With its name it is below PIPE_BUF */

enum gri_up_state {
    GRI_UP_DOWN,    /* has no process; is started once it is due */
    GRI_UP_STARTED, /* has one, which is not ready */
    GRI_UP_READY
};

struct gri_up_process {
    const char *name; /* borrowed; a node's, or "" for the command that is run on them */
    enum gri_up_state state;
    pid_t pid;
    int out;         /* owned; what it says; -1: none */
    uint64_t needs;  /* nodes that must be ready before it starts, and that end after it */
    uint64_t due_ns; /* DOWN: when to start it; STARTED: when its patience ends */
    uint64_t up_ns;  /* when it became ready */
    unsigned tries;  /* restarts since it last held out */
    bool told;       /* to end */
    char *line;      /* owned; GRI_UP_LINE_MAX bytes: what is not passed on yet */
    size_t len;
};

struct gri_up {
    const char *path;                  /* borrowed; the chain file's */
    const struct gri_chain_file *file; /* borrowed */
    char **argv;                       /* borrowed; our own */
    struct gri_up_process *nodes;      /* owned array */
    size_t count;
    struct gri_up_process
        command; /* what is run on the whole, with our own output; state DOWN: nothing */
    char **rest; /* borrowed; its words; NULL or empty: none */
    int signals,
        ready; /* owned descriptors: of signals, and of the socket where nodes say READY=1 */
    char ready_name[32]; /* of that socket, as $NOTIFY_SOCKET has it */
    int64_t drain_ms;
    /* of the file's key up */
    size_t intensity;
    int64_t period_ms, backoff_ms, backoff_max_ms, start_ms;
    uint64_t *ends; /* owned; intensity + 1: a ring of when nodes have ended, end_count so far */
    size_t end_count;
    bool was_ready; /* all were, once */
    bool quiet;     /* nobody reads what nodes say */
    bool mute;      /* standard error takes nothing just now */
    bool stopping;
    bool hard;        /* nobody is waited for any more */
    uint64_t stop_ns; /* when stopping began */
    int exit_code;
};

/* ---- up_begin.c ------------------------------------------------------------------------------ */

/* gri_up_init fills in the rest of a struct with path, file, argv, rest and descriptors of -1. false: said.
 * gri_up_fini in any case. */
bool gri_up_init(struct gri_up *u);
void gri_up_fini(struct gri_up *u);

/* ---- up_process.c ---------------------------------------------------------------------------- */

/* gri_up_open_ready opens the socket for READY=1. false: said. */
bool gri_up_open_ready(struct gri_up *u);
/* gri_up_hear_ready reads who is ready by now. */
void gri_up_hear_ready(struct gri_up *u);
/* gri_up_start starts a node's process, or the command. false: said. */
bool gri_up_start(struct gri_up *u, struct gri_up_process *p);
/* gri_up_reap tells whether a process has ended, and its status then. */
bool gri_up_reap(struct gri_up_process *p, int *ret_status);
/* gri_up_tell_end writes how a process ended, "exit code 1" or "signal 9 (KILL)". */
void gri_up_tell_end(char *to, size_t size, int status);
/* gri_up_sweep takes away what a killed node's sockets leave in the file system. */
void gri_up_sweep(const struct gri_up *u, size_t node);

/* ---- up_output.c ----------------------------------------------------------------------------- */

/* gri_up_read takes in what a process has said; false: it says no more. gri_up_pass passes whole lines on, as
 * many as standard error takes; end: what has no end of line, too. */
bool gri_up_read(struct gri_up_process *p);
void gri_up_pass(struct gri_up *u, struct gri_up_process *p, bool end);

#endif
