/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drain.c - a node that is to end takes no more calls, and waits for those it has.
 *
 * An answer that was given to a link may still be in a buffer here, in the system, or on its way. So once
 * no call is left, each peer is asked (ping), behind all that was sent to it; its answer shows that it
 * has the rest, too, and that it sends no more calls: those that crossed the question have been refused, and then it
 * is asked again. Once all have answered no new link is made, since a call could come on it.
 */
#include "runtime/net/in_call.h"

#define ASKED_AT_ONCE 64 /* peers that one look asks; the next ones ask more */

/* may_ask takes a reference to p if it is to be asked. node->lock is held. */
static bool may_ask(struct gri_peer *p)
{
    return atomic_load_explicit(&p->settling, memory_order_relaxed) == GRI_SETTLING_NONE &&
           gri_peer_ref_living(p);
}

/* look_around returns how many links have not shown that they have all, and asks some of those. One of
 * which we know the proof is about to be a link. */
static size_t look_around(struct gri_node *node)
{
    struct gri_peer *ask[ASKED_AT_ONCE];
    size_t asks = 0, left = 0;

    gri_lock(&node->lock);
    for (struct gri_list *n = node->at_node.next; n != &node->at_node; n = n->next) {
        struct gri_peer *p = gri_container_of(n, struct gri_peer, at_node);

        if ((p->place != GRI_PLACE_CURRENT && p->place != GRI_PLACE_PROVED) ||
            atomic_load_explicit(&p->settling, memory_order_relaxed) == GRI_SETTLING_DONE)
            continue;
        left++;
        if (p->place == GRI_PLACE_CURRENT && asks < ASKED_AT_ONCE && may_ask(p))
            ask[asks++] = p;
    }
    node->drained = node->drained || left == 0;
    gri_unlock(&node->lock);
    for (size_t i = 0; i < asks; i++) {
        gri_peer_ask(ask[i]);
        gri_peer_unref(ask[i]);
    }
    return left;
}

gr_code gr_node_drain(gr_runtime *rt, size_t *ret_left)
{
    struct gri_node *node = rt != NULL ? gri_node_get(rt) : NULL;
    size_t left;

    if (node == NULL)
        return rt != NULL ? GR_ENOMEM : GR_EINVAL;
    /* sequentially consistent, as in gri_in_call_start's admit: a call that is coming in sees that we drain, or we
     * see the call */
    atomic_store(&node->draining, true);
    left = atomic_load(&node->in_calls);
    if (left == 0)
        left = look_around(node);
    if (ret_left != NULL)
        *ret_left = left;
    return GR_OK;
}
