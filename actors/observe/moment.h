/* SPDX-License-Identifier: Apache-2.0 */
/* moment.h - a run's moments as text: what they are in traces and logs, always UTC. */
#ifndef GR_ACTORS_OBSERVE_MOMENT_H
#define GR_ACTORS_OBSERVE_MOMENT_H

#include <stdint.h>

#define GRI_MOMENT_CAP 40

enum gri_moment_form {
    GRI_MOMENT_MS, /* 2026-11-29T15:12:27.123+00:00, as Python's isoformat(timespec="milliseconds") */
    GRI_MOMENT_US,    /* the same with microseconds */
    GRI_MOMENT_DOTTED /* 20261129T151227123456Z, of a dotted_order */
};

/* gri_moment writes a time in microseconds since 1970 into text, and returns text. */
const char *gri_moment(char text[GRI_MOMENT_CAP], int64_t at_us, enum gri_moment_form form);

#endif
