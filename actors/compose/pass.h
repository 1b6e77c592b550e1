/* SPDX-License-Identifier: Apache-2.0 */
/* pass.h - calling what one wraps, in a handler that waits. */
#ifndef GR_ACTORS_COMPOSE_PASS_H
#define GR_ACTORS_COMPOSE_PASS_H

#include <greenroom/actor.h>

/* gri_pass_opts gives the options of a call that gets the handler's own kwargs, too. */
gr_call_opts gri_pass_opts(gr_ctx *c);

/*
 * gri_pass_stream sends s's chunks on and frees s. *ret_sum is their sum, NULL for none, also of those
 * that came before a failure; ret_sum NULL: it is not made. On failure *ret_err is s's error, yours, or
 * NULL when it is the reader who has left. [waits]
 */
gr_code gri_pass_stream(gr_ctx *c, gr_stream *s, gr_value **ret_sum, gr_value **ret_err);

#endif
