/* SPDX-License-Identifier: Apache-2.0 */
/* delay.h - how long the next restart of a child is put off. */
#ifndef GR_RUNTIME_SUPERVISE_DELAY_H
#define GR_RUNTIME_SUPERVISE_DELAY_H

#include <greenroom/supervisor.h>

/* Zeroed is ready. */
struct gri_delay {
    unsigned doubled; /* how often min_ms has been doubled, for the next one */
};

/*
 * gri_delay_next returns the delay in ms before a restart; ran_ms is how long the child had run, 0
 * if it could not be started. dice: 64 random bits.
 */
int64_t gri_delay_next(struct gri_delay *d, const gr_backoff *b, int64_t ran_ms, uint64_t dice);

#endif
