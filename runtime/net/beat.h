/* SPDX-License-Identifier: Apache-2.0 */
/*
 * beat.h - the node's heartbeats: what tells a peer that is gone, or stands still, from one that has
 * nothing to say.
 *
 * A thread of its own sends a beat over every link, each heartbeat_ms, and looks when each peer was
 * heard last: a handler that holds up all workers does not make a node look dead. A beat says for how
 * long what the peer sent has been waiting to be handled, so a process that lives, but whose workers
 * get nowhere, is told from one that is silent. Who is behind itself blames nobody: neither while
 * input waits here, nor after this process has stood still.
 */
#ifndef GR_RUNTIME_NET_BEAT_H
#define GR_RUNTIME_NET_BEAT_H

#include "runtime/net/node.h"

/* gri_beat_start has the thread run, once a link is up. GR_ENOMEM: there is no thread. [any] */
gr_code gri_beat_start(struct gri_node *node);
/* gri_beat_stop ends it, if it runs. [waits] */
void gri_beat_stop(struct gri_node *node);

#endif
