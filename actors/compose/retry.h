/* SPDX-License-Identifier: Apache-2.0 */
/* retry.h - with_retry as a part of something else. */
#ifndef GR_ACTORS_COMPOSE_RETRY_H
#define GR_ACTORS_COMPOSE_RETRY_H

#include <greenroom/runnable.h>

/* The kwarg that tells an attempt how many went before it; the first attempt has none. */
#define GRI_RETRY_KWARG "$retries"

/* The kwarg that tells an attempt the id of the run that it is in, if somebody knows of one. */
#define GRI_RUN_KWARG "$run_id"

/* gri_retry_plain takes from a call's kwargs what only attempts are told. */
static inline gr_value *gri_retry_plain(gr_value *kwargs GR_TAKES)
{
    return gr_without(gr_without(kwargs, GRI_RETRY_KWARG), GRI_RUN_KWARG);
}

/*
 * gri_retry_model is gr_with_retry for a model's own attempts, as the official clients of OpenAI and Anthropic
 * make them (backoff.h): what gr_error_retryable says is tried again, after the wait that the server asked
 * for, if that is no more than a minute, else after half a second, doubled each time up to eight, less a quarter
 * at random. They are one run, of a chat model, and inner has none. callbacks are the run's, NULL: none; see
 * gr_spawn_opts.
 */
gr_ref gri_retry_model(gr_scope *in, gr_ref inner, unsigned attempts, gr_value *callbacks GR_TAKES);
/* gri_retry_request is the same for requests of those clients that are no model's: an embedder's. */
gr_ref gri_retry_request(gr_scope *in, gr_ref inner, unsigned attempts);

#endif
