/* SPDX-License-Identifier: Apache-2.0 */
/* proof.c - the only user of mbedtls, which nng brings along for TLS. */
#include "runtime/net/proof.h"

#include <string.h>

#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>

#include "runtime/base/thread.h"

void gri_nonce(uint8_t nonce[GRI_NONCE_SIZE])
{
    for (size_t at = 0; at < GRI_NONCE_SIZE; at += sizeof(uint64_t)) {
        uint64_t drawn = gri_random_seed();

        memcpy(nonce + at, &drawn, sizeof(drawn));
    }
}

void gri_wipe(void *data, size_t size)
{
    mbedtls_platform_zeroize(data, size);
}

static int add_number(mbedtls_md_context_t *md, uint64_t n)
{
    uint8_t raw[8];

    for (unsigned i = 0; i < 8; i++)
        raw[i] = (uint8_t)(n >> (56 - 8 * i));
    return mbedtls_md_hmac_update(md, raw, sizeof(raw));
}

static int add_bytes(mbedtls_md_context_t *md, const struct gri_strbuf *b)
{
    int rv = add_number(md, b->len);

    return rv != 0 ? rv : mbedtls_md_hmac_update(md, (const uint8_t *)b->data, b->len);
}

/* feed gives all that a proof is about; docs/wire.md has the order. */
static int feed(mbedtls_md_context_t *md, const struct gri_proof_of *of, const struct gri_proof *p)
{
    const char *who = of->dialler ? "greenroom dialled" : "greenroom accepted";
    int rv = mbedtls_md_hmac_update(md, (const uint8_t *)who, strlen(who) + 1);

    if (rv == 0)
        rv = add_bytes(md, of->dialled);
    if (rv == 0)
        rv = add_bytes(md, of->accepted);
    if (rv == 0)
        rv = add_number(md, p->stamp);
    for (unsigned i = 0; i < p->hold_count && rv == 0; i++)
        rv = add_number(md, p->holds[i]);
    return rv;
}

static bool compute(const struct gri_proof_of *of, const void *secret, size_t secret_size,
                    const struct gri_proof *p, uint8_t mac[GRI_MAC_SIZE])
{
    const mbedtls_md_info_t *sha = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
    mbedtls_md_context_t md;
    int rv = -1;

    mbedtls_md_init(&md);
    if (sha != NULL)
        rv = mbedtls_md_setup(&md, sha, 1);
    if (rv == 0)
        rv = mbedtls_md_hmac_starts(&md, secret, secret_size);
    if (rv == 0)
        rv = feed(&md, of, p);
    if (rv == 0)
        rv = mbedtls_md_hmac_finish(&md, mac);
    mbedtls_md_free(&md); /* wipes the key */
    return rv == 0;
}

bool gri_proof_make(const struct gri_proof_of *of, const void *secret, size_t secret_size,
                    struct gri_proof *p)
{
    bool made = compute(of, secret, secret_size, p, p->mac);

    p->mac_size = made ? GRI_MAC_SIZE : 0;
    return made;
}

bool gri_proof_holds(const struct gri_proof_of *of, const void *secret, size_t secret_size,
                     const struct gri_proof *p)
{
    uint8_t due[GRI_MAC_SIZE];
    volatile uint8_t differs = 0; /* volatile: no early end may be made of the loop */
    bool computed = compute(of, secret, secret_size, p, due);

    for (size_t i = 0; i < GRI_MAC_SIZE; i++)
        differs = (uint8_t)(differs | (due[i] ^ p->mac[i]));
    gri_wipe(due, sizeof(due));
    return computed && p->mac_size == GRI_MAC_SIZE && differs == 0;
}
