/* SPDX-License-Identifier: Apache-2.0 */
/* address.h - which addresses of the Internet are public. */
#ifndef GR_RUNTIME_HTTP_ADDRESS_H
#define GR_RUNTIME_HTTP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The address's bytes as they are on the wire. */
bool gri_address_is_public4(const uint8_t at[4]);
bool gri_address_is_public6(const uint8_t at[16]);

/* gri_address_is_public_text: text is an address, IPv6 without brackets; false too of what is none. */
bool gri_address_is_public_text(const char *text);

/* A struct sockaddr of `size` bytes; false too of families that are neither IPv4 nor IPv6. */
bool gri_address_is_public(const void *sockaddr, size_t size);

#endif
