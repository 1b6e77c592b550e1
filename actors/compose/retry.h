/* SPDX-License-Identifier: Apache-2.0 */
/* retry.h - with_retry as a part of something else. */
#ifndef GR_ACTORS_COMPOSE_RETRY_H
#define GR_ACTORS_COMPOSE_RETRY_H

#include <greenroom/runnable.h>

/* gri_retry_model is gr_with_retry for a model's own attempts: they are one run, of a chat model,
 * and inner has none. callbacks are the run's, NULL: none; see gr_spawn_opts. */
gr_ref gri_retry_model(gr_scope *in, gr_ref inner, const gr_retry_opts *opts,
                       gr_value *callbacks GR_TAKES);

#endif
