/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address.c - the addresses that are not public: IANA's registries of special-purpose IPv4 and IPv6
 * addresses (RFC 6890, as of 2026), multicast, and addresses of clouds' metadata services that lie
 * outside of them. Of IPv6 only what is handed out at all (2000::/3) is public, and of that no form
 * that carries an IPv4 address, since who translates it may stand anywhere; NAT64's well-known
 * prefix, which hosts without IPv4 need, is as public as the address in it.
 */
#include "runtime/http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

struct block {
    uint8_t at[16];
    unsigned bits;
};

static const struct block blocks4[] = {
    { { 0 }, 8 },        /* this network; Linux takes 0.0.0.0 for itself */
    { { 10 }, 8 },       /* private */
    { { 100, 64 }, 10 }, /* behind carriers' NAT, and 100.100.100.200, Alibaba's metadata */
    { { 127 }, 8 },      /* loopback */
    { { 168, 63, 129, 16 }, 32 }, /* Azure's host */
    { { 169, 254 }, 16 },         /* link-local, and most clouds' metadata */
    { { 172, 16 }, 12 },          /* private */
    { { 192, 0, 0 }, 24 },        /* protocol assignments, and 192.0.0.192, Oracle's metadata */
    { { 192, 0, 2 }, 24 },        /* documentation */
    { { 192, 88, 99 }, 24 },      /* 6to4 relays */
    { { 192, 168 }, 16 },         /* private */
    { { 198, 18 }, 15 },          /* benchmarks */
    { { 198, 51, 100 }, 24 },     /* documentation */
    { { 203, 0, 113 }, 24 },      /* documentation */
    { { 224 }, 4 },               /* multicast */
    { { 240 }, 4 },               /* reserved, broadcast */
};

/* Within 2000::/3. */
static const struct block blocks6[] = {
    { { 0x20, 0x01, 0, 0 }, 23 },       /* protocol assignments: Teredo, benchmarks, ORCHID … */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, /* documentation */
    { { 0x20, 0x02 }, 16 },             /* 6to4 */
    { { 0x3f, 0xff, 0 }, 20 },          /* documentation */
};

static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };

static bool is_in(const uint8_t *at, const struct block *block)
{
    unsigned whole = block->bits / 8, rest = block->bits % 8;

    if (memcmp(at, block->at, whole) != 0)
        return false;
    return rest == 0 || (at[whole] >> (8 - rest)) == (block->at[whole] >> (8 - rest));
}

static bool is_in_any(const uint8_t *at, const struct block *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_in(at, &blocks[i]))
            return true;
    return false;
}

bool gri_address_is_public4(const uint8_t at[4])
{
    return !is_in_any(at, blocks4, sizeof(blocks4) / sizeof(blocks4[0]));
}

/* ISATAP's interface identifiers hold an IPv4 address, whatever the prefix. */
static bool is_isatap(const uint8_t at[16])
{
    return (at[8] & 0xfd) == 0 && at[9] == 0 && at[10] == 0x5e && at[11] == 0xfe;
}

bool gri_address_is_public6(const uint8_t at[16])
{
    if (memcmp(at, nat64, sizeof(nat64)) == 0)
        return gri_address_is_public4(at + 12);
    return (at[0] & 0xe0) == 0x20 && !is_isatap(at) &&
           !is_in_any(at, blocks6, sizeof(blocks6) / sizeof(blocks6[0]));
}

bool gri_address_is_public_text(const char *text)
{
    uint8_t at[16];

    if (inet_pton(AF_INET, text, at) == 1)
        return gri_address_is_public4(at);
    return inet_pton(AF_INET6, text, at) == 1 && gri_address_is_public6(at);
}

bool gri_address_is_public(const void *sockaddr, size_t size)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    sa_family_t family = AF_UNSPEC;

    if (size >= offsetof(struct sockaddr, sa_family) + sizeof(family))
        memcpy(&family, (const char *)sockaddr + offsetof(struct sockaddr, sa_family),
               sizeof(family));
    if (family == AF_INET && size >= sizeof(v4)) {
        memcpy(&v4, sockaddr, sizeof(v4));
        return gri_address_is_public4((const uint8_t *)&v4.sin_addr);
    }
    if (family == AF_INET6 && size >= sizeof(v6)) {
        memcpy(&v6, sockaddr, sizeof(v6));
        return gri_address_is_public6(v6.sin6_addr.s6_addr);
    }
    return false;
}
