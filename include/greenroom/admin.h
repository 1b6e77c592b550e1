/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin.h - operating a node from outside: who is there, how it does, ending an actor, draining.
 *
 * A program that serves (node.h) may publish one actor more, under the reserved name GR_ADMIN_NAME:
 * `greenroom ps`, `top`, `info`, `kill` and `drain` are calls of it, and so may be any other
 * client's. Its verbs, their arguments, and what they answer (maps; keys may be added):
 *
 *   ps       {"after", "max"}     {"actors": [...], "next"}: after 0 or the last answer's "next", which
 *                                 is nil at the end; at most 256 a call. See inspect.h for what is told
 *   info     nil, {"actor"}       of the node; of one actor, by name or id
 *   stats    nil                  what gr_stats_read gives, by the names of its fields
 *   health   nil                  gr_node_health's
 *   kill     {"actor", "reason"}  sends an exit signal: "normal", "shutdown" or "kill" (link.h);
 *                                 {"id", "name", "reason"}
 *   drain    {"wait_ms"}          gr_node_drain, and has the program end; {"left"}, at once unless it is to
 *                                 wait for as long as that, or -1, for ever, until nothing is left
 *
 * An actor's id is a text, "slot.generation". Who reaches the node may call the first four. kill and
 * drain are refused, with GR_EINVAL, from links over which nobody has shown who he is: they are for
 * nodes with a secret, for ipc (whose socket only its owner may open) and for mutual TLS. Calls of
 * this actor are taken while the node drains; they don't count, but for a drain that waits: so its answer
 * arrives before the node ends.
 */
#ifndef GREENROOM_ADMIN_H
#define GREENROOM_ADMIN_H

#include <greenroom/node.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GR_ADMIN_NAME "$node"

typedef struct gr_admin_opts {
    size_t size;
    bool read_only; /* kill and drain are refused, whoever asks */
    /* called once, by a worker, when a drain was asked for and calls are refused already: to have the
     * program wait until gr_node_drain says 0, and end. It must not wait. NULL: drain is refused */
    void (*drain)(void *arg);
    void *arg; /* must live as long as the runtime */
} gr_admin_opts;
#define GR_ADMIN(...) GR_OPT(gr_admin_opts, __VA_ARGS__)

/*
 * gr_node_admin publishes that actor, once.
 * Errors: GR_EINVAL no runtime, or it is there already; GR_ENOMEM.    [any]
 */
GR_API gr_code gr_node_admin(gr_runtime *rt, const gr_admin_opts *opts);

/*
 * gr_node_health tells in a few words how the node does, for load balancers and the like: "status"
 * ("ok", "draining"), "node", "cluster", "uptime_ms", "workers", "workers_idle", "queue" (tasks that wait
 * for a worker), "calls" (in flight), "calls_in" (of other nodes), "links" (up). Takes no worker, so it is
 * answered though all of them are held up. An error when out of memory.    [any]
 */
GR_API gr_value *gr_node_health(gr_runtime *rt);

/*
 * gr_node_info tells what the node is: what gr_node_health does, and "id", "version", "pid", "incarnation",
 * "admin", "listens", "published", "limits", "stats", and "links": for the first 256, "url" (an accepted one
 * has none), "name", "id", "incarnation", "up_ms", "calls_out", "calls_in" (under way), "bytes_out",
 * "bytes_in", "frames_out", "frames_in" (as in gr_stats), "silent_ms", "proved". An error when out of memory.    [any]
 */
GR_API gr_value *gr_node_info(gr_runtime *rt);

#ifdef __cplusplus
}
#endif
#endif
