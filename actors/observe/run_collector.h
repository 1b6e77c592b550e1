/* SPDX-License-Identifier: Apache-2.0 */
/* run_collector.h - what tests look at in a run collector. */
#ifndef GR_ACTORS_OBSERVE_RUN_COLLECTOR_H
#define GR_ACTORS_OBSERVE_RUN_COLLECTOR_H

#include <greenroom/callbacks.h>

#define GRI_TREES_MAX 100 /* by default */

/* gri_run_collector_live counts the runs that it has a record of: none, once all have ended. [any] */
size_t gri_run_collector_live(const gr_value *collector);

#endif
