/* SPDX-License-Identifier: Apache-2.0 */
/* proof_test.c - a proof fits one connection, one direction and one secret, and nothing else. */
#include "tests/support/test.h"

#include <string.h>

#include "runtime/net/proof.h"

#define SECRET "correct horse battery"

static struct gri_strbuf text(const char *s)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;

    gri_strbuf_adds(&b, s);
    return b;
}

/* The bytes that docs/wire.md gives, so that others can check theirs. */
Test(proof, is_what_the_document_says)
{
    static const uint8_t due[GRI_MAC_SIZE] = { 0x68, 0x13, 0x1d, 0x65, 0xb7, 0x9d, 0x5a, 0x85,
                                               0x22, 0xae, 0xf9, 0xd1, 0x85, 0xeb, 0x1d, 0x9f,
                                               0x09, 0xfd, 0xe8, 0x5b, 0xaa, 0xaf, 0xc7, 0x7a,
                                               0x82, 0x16, 0xb3, 0x25, 0xed, 0x16, 0x2e, 0x30 };
    struct gri_strbuf d = text("dialled"), a = text("accepted");
    struct gri_proof_of of = { .dialler = true, .dialled = &d, .accepted = &a };
    struct gri_proof p = { .stamp = 5, .holds = { 9 }, .hold_count = 1 };

    cr_assert(gri_proof_make(&of, SECRET, strlen(SECRET), &p));
    cr_assert_eq(p.mac_size, GRI_MAC_SIZE);
    cr_assert_eq(memcmp(p.mac, due, GRI_MAC_SIZE), 0);
    gri_strbuf_fini(&d);
    gri_strbuf_fini(&a);
}

static bool fits(const struct gri_proof_of *of, const char *secret, const struct gri_proof *p)
{
    return gri_proof_holds(of, secret, strlen(secret), p);
}

Test(proof, fits_nothing_but_what_it_was_made_for)
{
    struct gri_strbuf d = text("one"), a = text("two"), other = text("six");
    struct gri_proof_of of = { .dialler = true, .dialled = &d, .accepted = &a };
    struct gri_proof p = { .stamp = 1 }, changed;

    cr_assert(gri_proof_make(&of, SECRET, strlen(SECRET), &p));
    cr_assert(fits(&of, SECRET, &p));
    cr_assert_not(fits(&of, SECRET "!", &p));
    cr_assert_not(fits(&(struct gri_proof_of){ false, &d, &a }, SECRET, &p), "sent back");
    cr_assert_not(fits(&(struct gri_proof_of){ true, &a, &d }, SECRET, &p), "turned around");
    cr_assert_not(fits(&(struct gri_proof_of){ true, &d, &other }, SECRET, &p), "replayed");
    cr_assert_not(fits(&(struct gri_proof_of){ true, &other, &a }, SECRET, &p));
    changed = p;
    changed.stamp = 2;
    cr_assert_not(fits(&of, SECRET, &changed));
    changed = p;
    changed.hold_count = 1;
    cr_assert_not(fits(&of, SECRET, &changed));
    for (unsigned i = 0; i < GRI_MAC_SIZE * 8; i++) {
        changed = p;
        changed.mac[i / 8] = (uint8_t)(changed.mac[i / 8] ^ 1u << i % 8);
        cr_assert_not(fits(&of, SECRET, &changed));
    }
    changed = p;
    changed.mac_size = 0;
    cr_assert_not(fits(&of, SECRET, &changed));
    gri_strbuf_fini(&d);
    gri_strbuf_fini(&a);
    gri_strbuf_fini(&other);
}

Test(proof, nonces_differ)
{
    uint8_t a[GRI_NONCE_SIZE], b[GRI_NONCE_SIZE];

    gri_nonce(a);
    gri_nonce(b);
    cr_assert_neq(memcmp(a, b, sizeof(a)), 0);
}
