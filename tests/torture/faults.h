/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults.h - the n-th thing that can fail, failing: allocations, thread starts, system calls.
 *
 * The torture executable defines the functions of the C library that may fail (interpose_*.c), so
 * that they are its own for the library under test and for nng, curl, msgpack-c and libyaml alike.
 * Each counts its calls, and fails the one that is armed in one of the ways in which it may.
 * Nothing fails before faults_arm, nor on a thread that is exempt.
 */
#ifndef GR_TESTS_TORTURE_FAULTS_H
#define GR_TESTS_TORTURE_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

enum fault_class {
    FAULT_NOTHING,
    FAULT_MEMORY,    /* an allocation of Greenroom's */
    FAULT_MEMORY_ON, /* … and every one after it */
    FAULT_FOREIGN,   /* an allocation of nng, curl, msgpack-c, libyaml or the C library */
    FAULT_FOREIGN_ON,
    FAULT_THREAD, /* a thread start, whoever wants it */
    FAULT_THREAD_ON,
    FAULT_CALL,  /* a system call; the variant says in which of its ways */
    FAULT_FD_ON, /* from the n-th call that makes a descriptor on, none can be made: EMFILE */
    FAULT_CLASSES
};

#define FAULT_VARIANTS 5 /* more ways than any call can fail in */

/* What happened to the call that was armed. */
struct fault_hit {
    bool injected;
    const char *name; /* the function; NULL: none yet */
    int error;        /* an errno; 0: it did less than asked for */
    bool soft;        /* nobody above may notice: EINTR, EAGAIN, a short read, a spurious wake-up */
};

const char *fault_class_name(enum fault_class c); /* "memory", "memory-on", … */

/* faults_arm fails the at-th of a class, 1 being the next, and starts counting anew; with
 * FAULT_NOTHING it only counts. faults_disarm ends both. */
void faults_arm(enum fault_class c, long at, int variant);
void faults_disarm(void);
long faults_counted(enum fault_class c);
struct fault_hit faults_hit(void);
/* faults_note has a line about each hit written to `text`, which other processes may share. */
void faults_note(char *text, size_t size);
void faults_trace(bool on); /* each hit prints who called, for addr2line */

/* faults_pause lets everything succeed, uncounted, until faults_go_on; for all threads. */
void faults_pause(void);
void faults_go_on(void);

/* faults_exempt(true) takes the calling thread, and the threads that it starts, out until as many
 * calls with false. */
void faults_exempt(bool exempt);

/* ---- for the interposers --------------------------------------------------------------------- */

struct fault_way {
    int error; /* 0: short */
    bool soft;
};

/* fault_now counts a call of a class without variants; true: it fails. */
bool fault_now(enum fault_class c, const char *name, int error);
/* fault_call counts a system call that may fail in so many ways; NULL: it doesn't now. */
const struct fault_way *fault_call(const char *name, const struct fault_way *ways, size_t count);
bool fault_thread_exempt(void);
/* fault_library returns the part of its name by which a library is known whose code holds the
 * address: "libnng.so", "libcurl.so", "libmsgpack", "libyaml-", "libc.so"; NULL for other code. */
const char *fault_library(const void *address);

/* fault_real finds the function that an interposer stands before. *ret_fn is where it is stored. */
void fault_real(void *ret_fn, size_t size, const char *name);
#define FAULT_REAL(fn)                                                                             \
    do {                                                                                           \
        if (real_##fn == NULL)                                                                     \
            fault_real(&real_##fn, sizeof(real_##fn), #fn);                                        \
    } while (0)

#endif
