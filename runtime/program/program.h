/* SPDX-License-Identifier: Apache-2.0 */
/* gri: for actors/ */
/*
 * program.h - other people's programs as child processes: bytes to their standard input, bytes from
 * their standard output and standard error.
 *
 * One thread of the runtime starts them, moves the bytes and waits for their end, by posix_spawn, poll
 * and pidfd. A program gets the arguments and the environment that it is given and nothing else: no
 * shell, no other descriptor, no signal mask, and a process group of its own, so that what it has
 * started ends with it.
 *
 * Events come one at a time, from that thread; they must not wait. A program that was accepted gets
 * exactly one `end`, last, also when it could not be run or the runtime shuts down.
 */
#ifndef GR_RUNTIME_PROGRAM_PROGRAM_H
#define GR_RUNTIME_PROGRAM_PROGRAM_H

#include <stdbool.h>

#include <greenroom/value.h>

#define GRI_PROGRAMS_MAX 256                     /* of one runtime at once; beyond: GR_EFULL */
#define GRI_PROGRAM_WRITE_MAX ((size_t)64 << 20) /* bytes that it has not read yet; likewise */

struct gri_program_spec {
    const char *const *argv; /* NULL-ended; argv[0] is a path, or looked up in $PATH */
    const char *const *env;  /* NULL-ended, "NAME=value": the whole environment */
    const char *folder;      /* where it runs; NULL: here */
    uint64_t end_ms;         /* how long it has once its standard input is closed, before SIGTERM */
    uint64_t term_ms;        /* and after that, before SIGKILL */
};

struct gri_program_events {
    void (*out)(void *arg, const char *data, size_t len);
    void (*err)(void *arg, const char *data, size_t len);
    /*
     * end says how it ended: GR_EBROKEN, "detail" {"pid", "status" or "signal"}; GR_EINVAL, it could
     * not be run; GR_ECANCELED, the runtime is shutting down. `asked`: gri_program_stop was called before.
     */
    void (*end)(void *arg, gr_value *why GR_TAKES, bool asked);
};

struct gri_program;

/*
 * gri_program_start accepts a program; all is copied. *ret_program is a reference of the caller's, and
 * is written before any event comes.
 * Errors: GR_EFULL GRI_PROGRAMS_MAX; GR_ECANCELED the runtime is ending; GR_EINVAL it is simulated; GR_ENOMEM;
 * then no event comes.
 * [any], events included, as all below.
 */
gr_code gri_program_start(gr_runtime *rt, const struct gri_program_spec *spec,
                          const struct gri_program_events *events, void *arg,
                          struct gri_program **ret_program);
void gri_program_unref(struct gri_program *p); /* NULL is fine */

/* gri_program_write has bytes written, all of them or none. GR_EFULL: too much waits to be read;
 * GR_EBROKEN: it reads no more; GR_ENOMEM. */
gr_code gri_program_write(struct gri_program *p, const char *data, size_t len);

/* gri_program_stop closes its standard input once what waits is written, sends SIGTERM to its group after
 * end_ms, SIGKILL after term_ms more. It returns at once; `end` follows. */
void gri_program_stop(struct gri_program *p);

#endif
