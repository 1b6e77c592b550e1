/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/observe/uuid.h"

#include <endian.h>
#include <string.h>

/* hex writes the digits of 32 bits, all at a time: each half byte gets a byte of its own, and each byte
 * above 9 what lies between the digits and the letters. */
static void hex(char ret[8], uint32_t bits)
{
    uint64_t v = bits, letters;

    v = (v << 16 | v) & UINT64_C(0x0000ffff0000ffff);
    v = (v << 8 | v) & UINT64_C(0x00ff00ff00ff00ff);
    v = (v << 4 | v) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    letters = (v + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
    v += UINT64_C(0x3030303030303030) + letters * ('a' - '0' - 10);
    v = htobe64(v);
    memcpy(ret, &v, 8);
}

void gri_uuid7(char ret[GRI_UUID_BYTES], uint64_t ms, uint64_t chance1, uint64_t chance2)
{
    uint64_t high = ms << 16 | UINT64_C(0x7000) | (chance1 & 0xfff),
             low = UINT64_C(1) << 63 | chance2 >> 2;
    char digits[32];

    hex(digits, (uint32_t)(high >> 32));
    hex(digits + 8, (uint32_t)high);
    hex(digits + 16, (uint32_t)(low >> 32));
    hex(digits + 24, (uint32_t)low);
    memcpy(ret, digits, 8);
    ret[8] = ret[13] = ret[18] = ret[23] = '-';
    memcpy(ret + 9, digits + 8, 4);
    memcpy(ret + 14, digits + 12, 4);
    memcpy(ret + 19, digits + 16, 4);
    memcpy(ret + 24, digits + 20, 12);
    ret[36] = '\0';
}
