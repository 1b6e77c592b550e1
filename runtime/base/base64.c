/* SPDX-License-Identifier: Apache-2.0 */
/* base64.c - reading base64. */
#include "runtime/base/base64.h"

#include <stdint.h>

static int digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;

    return at != NULL ? (int)(at - digits) : -1;
}

bool gri_base64_decode(struct gri_strbuf *b, const char *text, size_t len)
{
    uint32_t bits = 0;
    int held = 0;

    gri_strbuf_reserve(b, len / 4 * 3 + 3);
    for (int i = 0; i < 2 && len > 0 && text[len - 1] == '='; i++)
        len--;
    if (len % 4 == 1)
        return false;
    for (size_t i = 0; i < len; i++) {
        int d = digit(text[i]);

        if (d < 0)
            return false;
        bits = bits << 6 | (uint32_t)d;
        held += 6;
        if (held >= 8) {
            held -= 8;
            gri_strbuf_addc(b, (char)(bits >> held & 0xff));
        }
    }
    return !b->failed;
}
