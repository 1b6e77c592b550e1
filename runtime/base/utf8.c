/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/utf8.h"

#include <string.h>

/* char_len returns the length of the valid character at s, 0 if there is none. */
static size_t char_len(const unsigned char *s, size_t len)
{
    unsigned char c = s[0];
    unsigned char low = 0x80, high = 0xbf;
    size_t need;

    if (c < 0x80)
        return 1;
    if (c >= 0xc2 && c <= 0xdf)
        need = 2;
    else if (c >= 0xe0 && c <= 0xef)
        need = 3;
    else if (c >= 0xf0 && c <= 0xf4)
        need = 4;
    else
        return 0;
    if (c == 0xe0)
        low = 0xa0; /* overlong */
    else if (c == 0xed)
        high = 0x9f; /* surrogates */
    else if (c == 0xf0)
        low = 0x90; /* overlong */
    else if (c == 0xf4)
        high = 0x8f; /* above U+10FFFF */
    if (len < need || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++)
        if (s[i] < 0x80 || s[i] > 0xbf)
            return 0;
    return need;
}

/* few_are_ascii looks at less than eight bytes, two loads at most that overlap. */
static bool few_are_ascii(const unsigned char *s, size_t len)
{
    uint32_t first = 0, last = 0;
    uint16_t half;

    if (len >= 4) {
        memcpy(&first, s, 4);
        memcpy(&last, s + len - 4, 4);
    } else {
        if (len >= 2) {
            memcpy(&half, s, 2);
            first = half;
        }
        if (len != 0)
            last = s[len - 1];
    }
    return ((first | last) & UINT32_C(0x80808080)) == 0;
}

#define BLOCK 64u

/* block_is_ascii looks at 64 bytes, whose words are loaded side by side. */
static bool block_is_ascii(const unsigned char *s)
{
    uint64_t w[BLOCK / 8];

    memcpy(w, s, BLOCK);
    return (((w[0] | w[1]) | (w[2] | w[3]) | (w[4] | w[5]) | (w[6] | w[7])) &
            UINT64_C(0x8080808080808080)) == 0;
}

size_t gri_utf8_valid_len(const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t
        at = 0,
        look =
            0; /* look: where a block is looked at next, since one that is not ASCII is gone through */

    while (at < len) {
        uint64_t word;
        size_t n;

        if (at >= look) {
            while (len - at >= BLOCK && block_is_ascii(p + at))
                at += BLOCK;
            look = at + BLOCK;
        }
        if (len - at >= 8) { /* eight ASCII bytes at a time */
            memcpy(&word, p + at, 8);
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                at += 8;
                continue;
            }
        } else if (few_are_ascii(p + at, len - at)) {
            return len;
        }
        n = char_len(p + at, len - at);
        if (n == 0)
            break;
        at += n;
    }
    return at;
}

size_t gri_utf8_next(const char *s, size_t len, uint32_t *ret_char)
{
    static const unsigned char masks[5] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    const unsigned char *p = (const unsigned char *)s;
    size_t n = char_len(p, len);
    uint32_t c;

    if (n == 0) { /* not valid: give the replacement character, one byte on */
        *ret_char = 0xfffd;
        return 1;
    }
    c = p[0] & masks[n];
    for (size_t i = 1; i < n; i++)
        c = (c << 6) | (p[i] & 0x3f);
    *ret_char = c;
    return n;
}

size_t gri_utf8_put(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | (c >> 6));
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        if (c >= 0xd800 && c <= 0xdfff)
            return 0;
        out[0] = (char)(0xe0 | (c >> 12));
        out[1] = (char)(0x80 | ((c >> 6) & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    if (c > 0x10ffff)
        return 0;
    out[0] = (char)(0xf0 | (c >> 18));
    out[1] = (char)(0x80 | ((c >> 12) & 0x3f));
    out[2] = (char)(0x80 | ((c >> 6) & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}
