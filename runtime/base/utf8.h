/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.h - checking and cutting UTF-8 (RFC 3629: no surrogates, no overlong forms, up to
 * U+10FFFF). */
#ifndef GR_RUNTIME_BASE_UTF8_H
#define GR_RUNTIME_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* gri_utf8_valid_len returns how many bytes from the start are whole, valid characters. */
size_t gri_utf8_valid_len(const char *s, size_t len);
static inline bool gri_utf8_valid(const char *s, size_t len)
{
    return gri_utf8_valid_len(s, len) == len;
}
/* gri_utf8_next decodes the character at s (valid, len > 0) and returns its bytes. */
size_t gri_utf8_next(const char *s, size_t len, uint32_t *ret_char);
/* gri_utf8_put writes c's bytes to out[4] and returns how many; 0 for what is no character. */
size_t gri_utf8_put(uint32_t c, char out[4]);

#endif
