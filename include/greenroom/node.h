/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node.h - actors across processes and hosts.
 *
 * A runtime that serves is a node. It publishes actors under names; another runtime makes a proxy
 * for such a name, and calls it like any other actor: every verb, streams with credit,
 * cancellation, errors and deadlines cross the wire (docs/wire.md). One link, over nng_stream,
 * carries all calls between two nodes. URLs: ipc:///path, tcp://host:port.
 */
#ifndef GREENROOM_NODE_H
#define GREENROOM_NODE_H

#include <greenroom/actor.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * gr_serve listens on url until the runtime ends. Several URLs may be served. A tcp host must be a
 * loopback address until links can be encrypted, unless GR_INSECURE is set in the environment.
 * Errors: GR_EINVAL the URL; GR_EUNREACH the address is taken or not ours; GR_ENOMEM.
 */
GR_NODISCARD GR_API gr_code gr_serve(gr_runtime *rt, const char *listen_url, gr_value **reterr);

/* gr_publish lets peers call ref by name; an empty ref withdraws it. Unpublished actors can't be
 * reached from outside. GR_EINVAL: an empty name, or one taken by another live actor. [any] */
GR_API gr_code gr_publish(gr_runtime *rt, const char *name, gr_ref ref);

/*
 * gr_remote makes a local proxy for the actor that the node at url publishes as name. It dials on
 * first use, again after a loss, and re-resolves the name then. While the node can't be reached,
 * calls fail at once with GR_EUNREACH (after connecting was tried for up to 5 s); a call in flight
 * when the link is lost fails at once with GR_EUNREACH, which gr_error_retryable says may be
 * retried.
 */
GR_API gr_ref gr_remote(gr_scope *in, const char *url, const char *name);

#ifdef __cplusplus
}
#endif
#endif
