/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.h - one child process as its parent sees it.
 *
 * The keeper's thread (keeper.h) starts it, hears of its end and waits for it; the stand-in's handlers
 * (isolated.c) wait for that and ask for its end. Both meet here, under `lock`. The pid may be
 * signalled as long as `reaped` is false, under the lock.
 *
 * On its descriptor 3 the child has a socket, the leash, on which single bytes go, and whose end means
 * that the other side is gone. Calls go over a link of runtime/net, at `url`.
 */
#ifndef GR_RUNTIME_ISOLATE_PROCESS_H
#define GR_RUNTIME_ISOLATE_PROCESS_H

#include <greenroom/isolate.h>

#include <sys/types.h>

#include "runtime/base/list.h"
#include "runtime/base/lock.h"
#include "runtime/sched/park.h"

/* How a child knows that it is one: its first argument. The others are the URL to serve at, workers,
 * bytes of memory, and milliseconds for ending. */
#define GRI_ISOLATED_ARG "--greenroom-isolated"
#define GRI_ISOLATED_ARGS 6
#define GRI_LEASH_FD 3
#define GRI_CONTROL_NAME "greenroom.isolate" /* what the child publishes to be told what to make */

/* What the parent's node is: first on the leash, so that it is in no argument and no environment. */
struct gri_leash_node {
    char cluster[64], secret[1025]; /* "": none */
};
/* The bytes on the leash after that. */
enum gri_leash {
    GRI_LEASH_READY = 'R',  /* from the child: it serves */
    GRI_LEASH_SIGN = 'P',   /* to the child, and back: it lives */
    GRI_LEASH_LINKED = 'L', /* to the child: the link is there, and the socket's file gone */
    GRI_LEASH_END = 'E'     /* to the child: end well */
};

enum gri_process_state {
    GRI_PROCESS_NEW,
    GRI_PROCESS_STARTED,
    GRI_PROCESS_READY,
    GRI_PROCESS_ENDED
};

struct gri_process {
    _Atomic uint32_t refs;
    gr_runtime *rt; /* borrowed; gone once the process has ended for good */
    /* what to run; set when it is made */
    char *kind, *name, *program; /* owned; program NULL: this one */
    gr_value *args, *settings;   /* counted; for the kind, and its numbers of gr_spawn_opts */
    gr_isolate_opts opts;        /* with defaults; its program is not used */
    int64_t terminate_ms;
    /* the stand-in's: set in its init, before it takes calls */
    gr_ref self, control, actor;
    /* the keeper's thread's alone */
    unsigned number;           /* of its URL */
    unsigned silent;           /* seconds without a sign of life */
    bool starting;             /* the socket's file may be there */
    bool asked;                /* for a sign of life */
    bool doubted;              /* `doubt` was there a second ago */
    struct gri_list at_keeper; /* guarded by the keeper's lock */
    bool placed;               /* counts among isolated_max; guarded by the keeper's lock */

    struct gri_lock lock; /* guards what follows */
    enum gri_process_state state;
    char url[128];           /* from READY on it changes no more */
    pid_t pid;               /* 0: none yet */
    bool reaped;             /* the pid may be somebody else's */
    bool running;            /* the stand-in is to be told of the end */
    bool linked;             /* the stand-in needs the socket's file no more */
    bool ending;             /* its end was asked for */
    int leash_fd, pid_fd;    /* owned; -1: none */
    gr_value *why;           /* counted; the error that tells of its end, once ENDED */
    const char *hint;        /* static; why it was killed, NULL: not by us */
    const char *doubt;       /* static; why it is of no use, and most likely about to end */
    struct gri_park *waiter; /* borrowed from the stack of the handler that waits */
};

/* gri_isolate_defaults fills in what is zero; NULL: everything. */
gr_isolate_opts gri_isolate_defaults(const gr_isolate_opts *from);

/* gri_process_new takes args and settings; NULL: out of memory. */
struct gri_process *gri_process_new(gr_runtime *rt, const char *kind, const gr_spawn_opts *opts,
                                    gr_value *args GR_TAKES, gr_value *settings GR_TAKES);
struct gri_process *gri_process_ref(struct gri_process *p);
void gri_process_unref(void *p); /* struct gri_process; NULL is fine */

/* gri_process_wait waits, in a handler, for a state or its end: NULL when it is in that state, else an error,
 * yours: GR_ETIMEDOUT, GR_EINTR, or why it ended. */
gr_value *gri_process_wait(struct gri_process *p, enum gri_process_state wanted,
                           uint64_t deadline_ns);
/* gri_process_run has the stand-in told of the end from now on. NULL, or why it has ended already. */
gr_value *gri_process_run(struct gri_process *p);
/* gri_process_ask has it end well; gri_process_kill ends it at once. hint: why, static; NULL: it was
 * asked for, so nobody is told. gri_process_doubt has it killed for that reason (static) if it has not
 * ended by itself in a second or two: what is noticed first of a crash may be the end of its link, and
 * a kill then would hide how it has ended. [any] */
void gri_process_ask(struct gri_process *p);
void gri_process_kill(struct gri_process *p, const char *hint);
void gri_process_doubt(struct gri_process *p, const char *why);
/* gri_process_send puts a byte on the leash; it is lost if the child is gone. [any] */
void gri_process_send(struct gri_process *p, enum gri_leash byte);

/* ---- for the keeper -------------------------------------------------------------------------- */

/* gri_process_start runs the program; on failure the process has ended, and says why. */
void gri_process_start(struct gri_process *p, const char *url);
/* gri_process_enter notes a state that was reached. */
void gri_process_enter(struct gri_process *p, enum gri_process_state state);
/* gri_process_reap waits for the process, and notes and tells its end; false: it runs on. `block`: it is
 * known to be at its end. */
bool gri_process_reap(struct gri_process *p, bool block);
/* gri_process_fail notes the end of a process that could not be made. */
void gri_process_fail(struct gri_process *p, gr_value *why GR_TAKES);

#endif
