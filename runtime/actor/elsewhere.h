/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elsewhere.h - actors that are not here: what this layer calls upward for them.
 *
 * An actor of another node is called through a proxy, which is an actor here and lives on when the other
 * one ends. So a link or monitor of a proxy is tied to a stand-in: an actor of its own for each tie, which
 * ends when the actor there does, for the same reason, or with the link, and is forgotten when the tie is
 * taken away here. Who is told sees the proxy's ref.
 */
#ifndef GR_RUNTIME_ACTOR_ELSEWHERE_H
#define GR_RUNTIME_ACTOR_ELSEWHERE_H

#include <greenroom/actor.h>

struct gri_elsewhere {
    /* As gr_spawn; opts->isolate is set. */
    gr_ref (*spawn)(gr_scope *in, const gr_class *cls, const gr_spawn_opts *opts);
};
extern const struct gri_elsewhere gri_elsewhere; /* runtime/isolate/isolated.c */

struct gri_far {
    const gr_class *named, *lent; /* the proxies: of a name, of a ref */
    const gr_class *stand_in;
    /* makes the stand-in for a tie with what the proxy `to` stands for: of a link with `from`, or a monitor
     * if that is {0, 0}. A broken ref if it can't; GR_EDEAD: the proxy has ended */
    gr_ref (*make)(gr_runtime *rt, gr_ref to, gr_ref from);
    /* begin asks the other node, once the stand-in is tied; leave: nobody is tied to it any more */
    void (*begin)(gr_runtime *rt, gr_ref stand_in);
    void (*leave)(gr_runtime *rt, gr_ref stand_in);
    /* sends an exit signal on, behind what the same sender has told the proxy. As gr_exit_to */
    gr_code (*exit)(gr_runtime *rt, gr_ref to, gr_ref from, const gr_value *reason);
};
extern const struct gri_far gri_far; /* runtime/net/stand_in.c */

#endif
