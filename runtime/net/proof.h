/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proof.h - showing that one knows the cluster's secret without saying it: HMAC-SHA-256 over both
 * hellos, which hold a fresh nonce each, and over who it is that shows it. So a proof fits one
 * connection, one direction, and what both sides said there.
 */
#ifndef GR_RUNTIME_NET_PROOF_H
#define GR_RUNTIME_NET_PROOF_H

#include "runtime/net/frame.h"

/* What a proof is about. All borrowed; the hellos are frames without their length. */
struct gri_proof_of {
    bool dialler;                                /* who shows it has dialled */
    const struct gri_strbuf *dialled, *accepted; /* the hello of who dialled, of who accepted */
};

/* gri_nonce fills in bytes that the kernel drew (in a simulation: its seed). */
void gri_nonce(uint8_t nonce[GRI_NONCE_SIZE]);
/* gri_proof_make fills in p's mac, for the p's other fields. false: it could not be computed. */
bool gri_proof_make(const struct gri_proof_of *of, const void *secret, size_t secret_size,
                    struct gri_proof *p);
/* gri_proof_holds tells whether p's mac is right. It takes as long whatever the mac is. */
bool gri_proof_holds(const struct gri_proof_of *of, const void *secret, size_t secret_size,
                     const struct gri_proof *p);
/* gri_wipe clears memory that held a secret, even if nobody reads it again. */
void gri_wipe(void *data, size_t size);

#endif
