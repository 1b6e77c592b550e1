/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program_impl.h - private to program*.c: one program, and the thread that has them all.
 *
 * What is marked "the thread's" is touched by that thread alone. Lock order: the table's, then a
 * program's.
 */
#ifndef GR_RUNTIME_PROGRAM_PROGRAM_IMPL_H
#define GR_RUNTIME_PROGRAM_PROGRAM_IMPL_H

#include <stdatomic.h>
#include <sys/types.h>

#include "runtime/base/list.h"
#include "runtime/base/lock.h"
#include "runtime/base/strbuf.h"
#include "runtime/base/thread.h"
#include "runtime/program/program.h"

enum gri_program_state {
    GRI_PROGRAM_NEW, /* to be started */
    GRI_PROGRAM_RUNNING,
    GRI_PROGRAM_CLOSING, /* its standard input is being closed, or is closed */
    GRI_PROGRAM_TERM,    /* SIGTERM was sent */
    GRI_PROGRAM_KILL     /* SIGKILL was sent */
};

struct gri_programs;

struct gri_program {
    _Atomic uint32_t refs;
    struct gri_programs *table; /* borrowed; gone once the program has ended */
    struct gri_program_events events;
    void *arg;
    char **argv, **env; /* owned, items owned */
    char *folder;       /* owned, or NULL */
    uint64_t end_ns, term_ns;

    struct gri_lock lock;
    struct gri_strbuf to_write; /* guarded by lock */
    bool stopping;              /* guarded by lock: gri_program_stop was called */
    bool deaf;                  /* guarded by lock: it takes no more bytes */
    bool over;                  /* guarded by lock: `end` is about to be told; table may be gone */

    struct gri_list at_table; /* guarded by the table's lock */
    /* the thread's */
    enum gri_program_state state;
    pid_t pid;                 /* 0: none */
    int in_fd, out_fd, err_fd; /* owned; our ends; -1: closed */
    int pid_fd;                /* owned; -1: none */
    uint64_t due_ns;           /* when the next step of its end is due; GRI_NEVER */
    size_t polled;             /* index of its first entry in the array for poll */
};

struct gri_programs {
    struct gri_thread thread;
    int wake_fd; /* owned */
    struct gri_lock lock;
    struct gri_list all; /* guarded by lock: gri_program, each with a reference */
    size_t count;        /* guarded by lock */
    bool quitting;       /* guarded by lock */
    struct pollfd *fds;  /* the thread's; owned array */
    size_t fds_cap;
    char bytes[32 * 1024]; /* the thread's: what was read last */
};

/* program_spawn.c. gri_program_spawn runs it: 0, or an errno. */
int gri_program_spawn(struct gri_program *p);
/* gri_program_kill signals its whole group. The process must not have been waited for. */
void gri_program_kill(struct gri_program *p, int signal);
/* gri_program_reap waits for it, after what is left of its group was killed: why it ended; NULL: it runs
 * on. `block`: wait until it has. */
gr_value *gri_program_reap(struct gri_program *p, bool block);

#endif
