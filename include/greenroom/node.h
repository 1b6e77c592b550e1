/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node.h - actors across processes and hosts.
 *
 * A runtime that serves is a node. It publishes actors under names; another runtime makes a proxy
 * for such a name, and calls it like any other actor: every verb, streams with credit,
 * cancellation, errors and deadlines cross the wire (docs/wire.md). One link, over nng_stream,
 * carries all calls between two nodes. URLs: ipc:///path, tcp://host:port, tls+tcp://host:port.
 *
 * Refs in messages, arguments, answers, chunks, configs and reasons cross, too. An actor whose ref is
 * sent to a peer is *lent* to it: the peer can call, tell, link, watch and end it, as long as that link
 * lives. What arrives is the ref of a proxy, which works as that of a local actor: one for each actor of
 * the peer. It ends when that actor does, and "noconnection" when the link is lost, for good. A ref that
 * comes back to its own node is the actor's own again. A ref of a third node is passed on as that of our
 * proxy: calls to it go through us. Refs are plain values, so nobody knows when the last one is
 * forgotten: what is lent over a link, and had of it, is given back when the actors end, or the link;
 * refs_max bounds it. Links and monitors: link.h.
 */
#ifndef GREENROOM_NODE_H
#define GREENROOM_NODE_H

#include <greenroom/actor.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What a node is told before it listens or calls another one. All nodes of a cluster have the same
 * cluster name and the same secret.
 */
typedef struct gr_node_opts {
    size_t size;
    const char *cluster; /* nodes of other clusters are refused; default "" */
    /* of this node, unique in the cluster: a later start of the same name takes its links over;
     * default "": none */
    const char *name;
    /* 16 to 1024 bytes that both ends of a link must know. It is never sent: each side shows that it
     * knows it. Default: none, who can connect is let in */
    const char *secret;
    /* For tls+tcp URLs, files in PEM, read anew for each connection that is dialled. tls_ca: whom to
     * trust, and lists of revoked certificates; needed to dial, and if it is set, callers must show a
     * certificate, too. tls_cert: our certificate, those between it and the CA, and its key; needed to
     * listen. tls_name: what the certificates of those we dial must be for, default the URL's host */
    const char *tls_ca, *tls_cert, *tls_name;
    int64_t connect_ms; /* for connecting and the greeting together; default 5000 */
    /* Each side of a link says that it is there every heartbeat_ms, default 1000. Who is silent for
     * detect_ms, default three beats, is given up: calls to it fail with GR_EUNREACH. So is who says
     * that it has handled nothing of what was sent to it for stuck_ms, default 30,000 */
    int64_t heartbeat_ms, detect_ms, stuck_ms;
    /* After an attempt to connect has failed, calls fail without another one for 100 ms, then twice as
     * long each time, up to redial_ms, default 1000; each less up to a half, by chance */
    int64_t redial_ms;
    /* what the streams that are read from one link share as windows: with many streams each has a
     * smaller one, at least 8 KiB, and beyond twice this they fail with GR_EFULL. A stream that nobody
     * reads holds twice its window at most, and one chunk. Default 64 MiB */
    int64_t link_bytes;
    /* what the arguments and configs of all calls under way that one link has brought may have, in bytes on
     * the wire, from their arrival to their answer; a call beyond that is refused with GR_EFULL before it
     * begins. Default 64 MiB */
    int64_t args_bytes;
    bool insecure; /* listen at other than loopback addresses without TLS, or though anybody may come */
    /* actors that a peer may be lent over one link, and as many that it may lend: see gr_remote. Beyond, what
     * holds a ref fails with GR_EFULL. Default 65,536 */
    int64_t refs_max;
} gr_node_opts;
#define GR_NODE(...) GR_OPT(gr_node_opts, __VA_ARGS__)

/*
 * gr_node_configure sets all of it, once: before gr_serve and before the first call to another node.
 * Errors: GR_EINVAL an option out of range, named in *reterr, or it comes too late; GR_ENOMEM. [any]
 */
GR_API gr_code gr_node_configure(gr_runtime *rt, const gr_node_opts *opts, gr_value **reterr);

/*
 * gr_serve listens on url until the runtime ends. Several URLs may be served. A tcp host must be a
 * loopback address; other hosts are for tls+tcp, with a secret or tls_ca. The option insecure, or
 * GR_INSECURE=1 in the environment, lifts both rules.
 * Errors: GR_EINVAL the URL, or a file for TLS; GR_EUNREACH the address is taken or not ours; GR_ENOMEM.
 */
GR_NODISCARD GR_API gr_code gr_serve(gr_runtime *rt, const char *listen_url, gr_value **reterr);

/* gr_publish lets peers call ref by name and watch it; those that have shown who they are may link and end
 * it, too, as in Erlang: see link.h. An empty ref withdraws it. Actors that are neither published nor
 * lent can't be reached from outside. GR_EINVAL: an empty name, one that begins with $ (these are for
 * Greenroom itself, see admin.h), or one taken by another live actor. [any] */
GR_API gr_code gr_publish(gr_runtime *rt, const char *name, gr_ref ref);

/*
 * gr_node_drain prepares the end of a node: from now on calls of other nodes are refused, with GR_EUNREACH,
 * which gr_error_retryable says may be retried, and those that are here go on. *ret_left, which may be
 * NULL, is how many these are or, when none is left, how many links have not yet shown that every answer
 * has arrived; at 0 the runtime can be freed without a loss: who could call has been told not to, and no new
 * link is taken. Nothing is announced: call it again, every few milliseconds, for as long as you want to wait. Messages (gr_tell) are still taken, and calls to other
 * nodes still made. A call that is here and leads back to this node, through another one, is refused.
 * Errors: GR_EINVAL no runtime; GR_ENOMEM. [any]
 */
GR_API gr_code gr_node_drain(gr_runtime *rt, size_t *ret_left);

/*
 * gr_remote makes a local proxy for the actor that the node at url publishes as name. It dials on
 * first use, again after a loss, and re-resolves the name then. While the node can't be reached,
 * calls fail at once with GR_EUNREACH (after connecting was tried for up to 5 s); a call in flight
 * when the link is lost fails at once with GR_EUNREACH, which gr_error_retryable says may be
 * retried. Who observes a call hears of its runs there as of those here (callbacks.h).
 * retried. gr_check and gr_stop are about the proxy; gr_monitor, gr_ended, gr_link and gr_exit_to about
 * the actor: see link.h.
 */
GR_API gr_ref gr_remote(gr_scope *in, const char *url, const char *name);

#ifdef __cplusplus
}
#endif
#endif
