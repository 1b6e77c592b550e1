/* SPDX-License-Identifier: Apache-2.0 */
#include "actors/observe/trim.h"

#include <ctype.h>
#include <string.h>

#define CUT "\xe2\x80\xa6" /* … */
#define SECRET "***"
#define SCALAR_BYTES 8 /* what a number or the like counts for */
#define KEY_LETTERS 64 /* of a key's end that are looked at */

static const char *const endings[] = {
    "apikey", "authorization", "password",    "passwd",     "passphrase", "secret", "secretkey",
    "token",  "credential",    "credentials", "privatekey", "accesskey",  "cookie",
};

/* letters copies what is a letter or a digit, small; of a long key the end. */
static size_t letters(const char *key, char out[KEY_LETTERS])
{
    char all[KEY_LETTERS * 2];
    size_t len = strlen(key), count = 0;

    for (size_t i = len > sizeof(all) ? len - sizeof(all) : 0; i < len; i++)
        if (isalnum((unsigned char)key[i]))
            all[count++] = (char)tolower((unsigned char)key[i]);
    len = count < KEY_LETTERS ? count : KEY_LETTERS;
    memcpy(out, all + count - len, len);
    return len;
}

bool gri_is_secret(const char *key)
{
    char text[KEY_LETTERS];
    size_t len = letters(key, text);

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        size_t want = strlen(endings[i]);

        if (len >= want && memcmp(text + len - want, endings[i], want) == 0)
            return true;
    }
    return false;
}

/* What may still be taken; left 0: the rest is left out. An error becomes two levels of one, so what is
 * nested very deeply goes too. */
struct trim {
    size_t left;
    unsigned depth;
};
#define DEPTH_MAX 40

static gr_value *trim_any(struct trim *t, const gr_value *v);

static void spend(struct trim *t, size_t bytes)
{
    t->left = bytes < t->left ? t->left - bytes : 0;
}

/* cut_of gives the first `len` bytes of a text, or fewer, so that no character is cut in two. */
static gr_value *cut_of(const char *text, size_t len)
{
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    return gr_strf("%.*s" CUT, (int)len, text);
}

static gr_value *trim_text(struct trim *t, const gr_value *v)
{
    size_t len = gr_len(v), most = t->left;

    spend(t, len + 2);
    return len <= most ? gr_value_ref(v) : cut_of(gr_cstr(v, ""), most);
}

/* trim_bytes: binary and floats print at some bytes an element. */
static gr_value *trim_array(struct trim *t, const gr_value *v, size_t each)
{
    size_t bytes = gr_len(v) * each;

    if (bytes <= t->left) {
        spend(t, bytes);
        return gr_value_ref(v);
    }
    spend(t, bytes);
    return gr_strf("%zu %s" CUT, gr_len(v), gr_value_type(v) == GR_BIN ? "bytes" : "floats");
}

static gr_value *trim_list(struct trim *t, const gr_value *v)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(v); i++) {
        if (t->left == 0)
            return gr_append(list, gr_str(CUT));
        list = gr_append(list, trim_any(t, gr_at(v, i)));
    }
    return list;
}

static gr_value *trim_pair(struct trim *t, gr_value *map, const char *key, const gr_value *v)
{
    spend(t, strlen(key) + 4);
    return gr_set(map, key, gri_is_secret(key) && !gr_is_nil(v) ? gr_str(SECRET) : trim_any(t, v));
}

static gr_value *trim_map(struct trim *t, const gr_value *v)
{
    gr_value *map = gr_map_n(NULL, 0);
    const char *key = NULL;

    for (size_t i = 0; i < gr_len(v); i++) {
        const gr_value *part = gr_pair_at(v, i, &key);

        if (t->left == 0)
            return gr_set(map, CUT, gr_str(CUT));
        map = trim_pair(t, map, key, part);
    }
    return map;
}

static gr_value *trim_error(struct trim *t, const gr_value *v)
{
    static const char *const fields[] = { "code",   "kind",           "text",   "where",
                                          "status", "retry_after_ms", "detail", "cause" };
    gr_value *map = gr_map_n(NULL, 0);

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]) && t->left > 0; i++) {
        const gr_value *field = gr_get(v, fields[i]);

        if (field != NULL)
            map = trim_pair(t, map, fields[i], field);
    }
    return gr_map(GR_KV("$error", map));
}

static gr_value *trim_part(struct trim *t, const gr_value *v)
{
    switch (gr_value_type(v)) {
    case GR_STR: return trim_text(t, v);
    case GR_LIST: return trim_list(t, v);
    case GR_MAP: return trim_map(t, v);
    case GR_ERROR: return trim_error(t, v);
    case GR_BIN: return trim_array(t, v, 2);
    case GR_FLOATS: return trim_array(t, v, SCALAR_BYTES);
    case GR_NIL:
    case GR_BOOL:
    case GR_INT:
    case GR_REAL:
    case GR_REFV:
    case GR_OPAQUE: break;
    }
    spend(t, SCALAR_BYTES);
    return v != NULL ? gr_value_ref(v) : gr_nil();
}

static gr_value *trim_any(struct trim *t, const gr_value *v)
{
    gr_value *part;

    if (t->depth == DEPTH_MAX)
        return gr_str(CUT);
    t->depth++;
    part = trim_part(t, v);
    t->depth--;
    return part;
}

gr_value *gri_trim(const gr_value *v, size_t max)
{
    struct trim t = { .left = max };

    return trim_any(&t, v);
}
