/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpu_time.h - what a thread has had of the processors, as another thread sees it.
 *
 * The time that it ran is POSIX's CPU-time clock of a thread. That it wants to run, and for how long
 * it has waited for a processor, only Linux tells: /proc/self/task/ID/stat and schedstat.
 */
#ifndef GR_RUNTIME_BASE_CPU_TIME_H
#define GR_RUNTIME_BASE_CPU_TIME_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* What a thread is asked for by. */
struct gri_cpu_id {
    int thread; /* the kernel's number; 0: it can't be asked */
    clockid_t clock;
};

struct gri_cpu_time {
    uint64_t ran_ns;
    /* for a processor, while it could have run. A wait counts once it is over */
    uint64_t waited_ns;
    bool waits_known; /* waited_ns is; some kernels don't count it */
    bool runnable;    /* it runs, or waits for a processor; false: it sleeps or blocks */
};

/* gri_cpu_id_here is that of the calling thread. One that is simulated can't be asked. */
void gri_cpu_id_here(struct gri_cpu_id *ret);

/* gri_cpu_time_read asks for the times of a thread of this process, which may have ended. False: they
 * can't be had. Some 10 us. */
bool gri_cpu_time_read(const struct gri_cpu_id *id, struct gri_cpu_time *ret);

#endif
