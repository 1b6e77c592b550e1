/* SPDX-License-Identifier: Apache-2.0 */
/* digest.h - SHA-256: keys for values of any length that nobody can make collide. */
#ifndef GR_ACTORS_STORE_DIGEST_H
#define GR_ACTORS_STORE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include <greenroom/value.h>

#define GRI_DIGEST_LEN 64 /* hexadecimal digits */

/* gri_digest writes the digest of data as lower-case hexadecimal digits; false: out of memory. */
bool gri_digest(const void *data, size_t size, char ret_hex[GRI_DIGEST_LEN + 1]);

/* gri_digest_value is that of v as JSON, whose maps are sorted by their keys; false: out of memory, or
 * v is an error. */
bool gri_digest_value(const gr_value *v, char ret_hex[GRI_DIGEST_LEN + 1]);

#endif
