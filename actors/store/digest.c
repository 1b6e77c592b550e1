/* SPDX-License-Identifier: Apache-2.0 */
/* digest.c - mbedtls' SHA-256 over bytes, and over values in one order. */
#include "actors/store/digest.h"

#include <mbedtls/md.h>
#include <stdlib.h>
#include <string.h>

#include <greenroom/codec.h>

#include "runtime/base/alloc.h"

bool gri_digest(const void *data, size_t size, char ret_hex[GRI_DIGEST_LEN + 1])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char raw[GRI_DIGEST_LEN / 2];

    if (mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256),
                   size == 0 ? (const void *)"" : data, size, raw) != 0)
        return false;
    for (size_t i = 0; i < sizeof(raw); i++) {
        ret_hex[2 * i] = hex[raw[i] >> 4];
        ret_hex[2 * i + 1] = hex[raw[i] & 15];
    }
    ret_hex[GRI_DIGEST_LEN] = '\0';
    return true;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const gr_kv *)a)->key, ((const gr_kv *)b)->key);
}

static gr_value *sorted(const gr_value *v);

static gr_value *sorted_map(const gr_value *v)
{
    size_t count = gr_len(v);
    gr_kv *pairs = gri_alloc_array(count + 1, sizeof(*pairs));
    gr_value *map;

    if (pairs == NULL)
        return gr_error(GR_ENOMEM, "out of memory for a digest");
    for (size_t i = 0; i < count; i++) {
        const gr_value *item = gr_pair_at(v, i, &pairs[i].key);

        pairs[i].value = sorted(item);
    }
    qsort(pairs, count, sizeof(*pairs), by_key);
    map = gr_map_n(pairs, count);
    gri_free(pairs);
    return map;
}

/* sorted gives v with the keys of all its maps in order; as deep as a value can be. */
static gr_value *sorted(const gr_value *v)
{
    gr_value *list;

    if (gr_value_type(v) == GR_MAP)
        return sorted_map(v);
    if (gr_value_type(v) != GR_LIST)
        return v != NULL ? gr_value_ref(v) : gr_nil();
    list = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(v); i++)
        list = gr_append(list, sorted(gr_at(v, i)));
    return list;
}

bool gri_digest_value(const gr_value *v, char ret_hex[GRI_DIGEST_LEN + 1])
{
    gr_value *whole = sorted(v);
    size_t len = 0;
    char *text = gr_error_code(whole) == GR_OK ? gr_json_print(whole, 0, &len) : NULL;
    bool done = text != NULL && gri_digest(text, len, ret_hex);

    gr_free(text);
    gr_value_unref(whole);
    return done;
}
