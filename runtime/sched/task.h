/* SPDX-License-Identifier: Apache-2.0 */
/* task.h - what a worker runs: a function with a place in one queue. */
#ifndef GR_RUNTIME_SCHED_TASK_H
#define GR_RUNTIME_SCHED_TASK_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <greenroom/base.h>

#include "runtime/base/assert.h"

struct gri_task {
    struct gri_task *next;           /* the queue's, while queued */
    void (*run)(struct gri_task *t); /* on a worker; t may be freed or queued again inside */
    union {
        const char *name; /* for people; static */
        /* an actor's turn: messages that it has handled; see gri_actor_handled. Its class has the name */
        _Atomic uint64_t handled;
    };
};

/* A first-in first-out list of tasks; zeroed is empty. The owner says what guards it. */
struct gri_task_queue {
    struct gri_task *first, *last;
};

static inline void gri_task_push(struct gri_task_queue *q, struct gri_task *t)
{
    t->next = NULL;
    if (q->first != NULL)
        q->last->next = t;
    else
        q->first = t;
    q->last = t;
}

/* gri_task_pop returns NULL when the queue is empty. */
static inline struct gri_task *gri_task_pop(struct gri_task_queue *q)
{
    struct gri_task *t = q->first;

    if (t != NULL)
        q->first = t->next;
    return t;
}

#endif
