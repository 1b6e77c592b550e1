/* SPDX-License-Identifier: Apache-2.0 */
/* later.h - the messages of gr_send_after that are still to come. */
#ifndef GR_RUNTIME_ACTOR_LATER_H
#define GR_RUNTIME_ACTOR_LATER_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/lock.h"
#include "runtime/base/map.h"

struct gri_laters {
    struct gri_lock lock; /* guards all below but max */
    struct gri_map by_id; /* number -> what is to be sent */
    uint64_t last_id;
    size_t max;
    bool closed;
};

void gri_laters_init(struct gri_laters *table, uint64_t seed, size_t max);
/* gri_laters_stop drops what is to come, and refuses more: when no actor is left. */
void gri_laters_stop(struct gri_laters *table);
void gri_laters_fini(struct gri_laters *table);

#endif
