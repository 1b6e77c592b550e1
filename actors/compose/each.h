/* SPDX-License-Identifier: Apache-2.0 */
/* each.h - what is laid round an each, and goes to what it calls. */
#ifndef GR_ACTORS_COMPOSE_EACH_H
#define GR_ACTORS_COMPOSE_EACH_H

#include <greenroom/runnable.h>

/* gri_each_of tells whether runnable is an each; *ret_inner is what that calls then. */
bool gri_each_of(gr_scope *in, gr_ref runnable, gr_ref *ret_inner);

/* gri_each_again is an each like that one, by the same name, of another runnable. */
gr_ref gri_each_again(gr_scope *in, gr_ref each, gr_ref inner);

#endif
