/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_gate.h - holds a tree of runs back while who is told of it, and can't be waited for, is behind.
 *
 * While the gate is shut no new call of the tree begins, no chunk is put into a stream of its, and nothing is taken of
 * what other processes tell of it. So the tree comes to rest, and nothing is lost. Who waits at the gate comes
 * through one after the other once it opens; `lock` is taken with no other lock held but a stream's.
 */
#ifndef GR_RUNTIME_OBSERVE_RUN_GATE_H
#define GR_RUNTIME_OBSERVE_RUN_GATE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "runtime/base/list.h"
#include "runtime/base/lock.h"

/* Who waits. fire is called once, with the gate's lock held, and only takes note; if it returns true, go is called
 * after it, without the lock: fire has seen to it that w is there until then. Zeroed, and node initialised, is ready. */
struct gri_gate_wait {
    struct gri_list node; /* guarded by the gate's lock; alone: not waiting */
    bool (*fire)(struct gri_gate_wait *w);
    void (*go)(struct gri_gate_wait *w);
};

struct gri_run_gate {
    struct gri_lock lock;
    _Atomic bool shut; /* changed under the lock; looked at without, it is a hint */
    struct gri_list waiting;
};

void gri_gate_init(struct gri_run_gate *g);
void gri_gate_shut(struct gri_run_gate *g);
void gri_gate_open(struct gri_run_gate *g);
static inline bool gri_gate_is_shut(struct gri_run_gate *g)
{
    return atomic_load_explicit(&g->shut, memory_order_relaxed);
}
/* gri_gate_watch: true, it is shut and w will fire; false: it is open. */
bool gri_gate_watch(struct gri_run_gate *g, struct gri_gate_wait *w);
/* gri_gate_unwatch: w, if it has not fired, won't; it may be going. */
void gri_gate_unwatch(struct gri_run_gate *g, struct gri_gate_wait *w);

#endif
