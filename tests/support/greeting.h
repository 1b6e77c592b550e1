/* SPDX-License-Identifier: Apache-2.0 */
/*
 * greeting.h - what a peer that a test plays says before calls: a hello, a proof without a secret,
 * and the welcome that who dialled says when each direction has a link of its own.
 */
#ifndef GR_TESTS_SUPPORT_GREETING_H
#define GR_TESTS_SUPPORT_GREETING_H

#include <string.h>

#include "runtime/net/frame.h"

/* test_hello is a good hello of who dials; its nonce and link are made of `node` and `link`. */
static inline struct gri_hello test_hello(uint64_t node, uint64_t link)
{
    struct gri_hello h = { .version_min = GRI_WIRE_VERSION,
                           .version_max = GRI_WIRE_VERSION,
                           .node = node,
                           .incarnation = 2,
                           .frame_max = GRI_FRAME_MAX,
                           .calls_max = 65536,
                           .beat_ms = GRI_BEAT_MS_MAX,
                           .link = link };

    memcpy(h.nonce, &node, sizeof(node));
    memcpy(h.nonce + 8, &link, sizeof(link));
    return h;
}

/* test_greeting writes all that who dials has to say; number is the welcome's, and the proof's stamp. */
static inline gr_code test_greeting(struct gri_strbuf *out, const struct gri_hello *h,
                                    uint64_t number)
{
    struct gri_proof proof = { .stamp = number };
    gr_code rc = gri_frame_hello(out, h);

    if (rc == GR_OK)
        rc = gri_frame_proof(out, &proof);
    if (rc == GR_OK)
        rc = gri_frame_welcome(out, number);
    return rc;
}

#endif
