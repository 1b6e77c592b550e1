/* SPDX-License-Identifier: Apache-2.0 */
/* task.h - what a worker runs: a function with a place in one queue. */
#ifndef GR_RUNTIME_SCHED_TASK_H
#define GR_RUNTIME_SCHED_TASK_H

#include <stddef.h>
#include <stdint.h>

#include <greenroom/base.h>

#include "runtime/base/assert.h"

struct gri_task {
    struct gri_task *next;           /* the queue's, while queued */
    void (*run)(struct gri_task *t); /* on a worker; t may be freed or queued again inside */
    const char *name;                /* for people; static */
};

#endif
