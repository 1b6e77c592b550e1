/* SPDX-License-Identifier: Apache-2.0 */
/* refusal.c - what an error's detail tells besides, and what it must not. */
#include "actors/model/refusal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/alloc.h"
#include "runtime/base/utf8.h"

/* id_of gives a request's name without the key; NULL: no memory for it. */
static gr_value *id_of(const char *id, const char *key)
{
    size_t len = gri_utf8_valid_len(id, strlen(id));
    char *copy = gri_strndup(id, len);
    gr_value *v = NULL;

    if (copy != NULL) {
        (void)gri_refusal_hide(copy, len, key);
        v = gr_strn(copy, len);
    }
    gri_free(copy);
    return v;
}

gr_value *gri_refusal_told(struct gri_http_exchange *x, const char *key)
{
    const char *again = gri_http_header_of(x, "x-should-retry");
    const char *id = gri_http_header_of(x, "x-request-id");
    gr_value *told = gr_map_n(NULL, 0), *name;

    if (id == NULL)
        id = gri_http_header_of(x, "request-id");
    if (again != NULL && (strcasecmp(again, "true") == 0 || strcasecmp(again, "false") == 0))
        told = gr_set(told, "should_retry", gr_bool(strcasecmp(again, "true") == 0));
    name = id != NULL ? id_of(id, key) : NULL;
    if (name != NULL)
        told = gr_set(told, "request_id", name);
    return told;
}

gr_value *gri_refusal_with(gr_value *err, const gr_value *told)
{
    const gr_value *detail = gr_get(err, "detail");

    if (gr_len(told) == 0)
        return err;
    return gr_error_with(
        err, "detail",
        gr_merge(gr_value_type(detail) == GR_MAP ? gr_value_ref(detail) : gr_map_n(NULL, 0),
                 gr_value_ref(told)));
}

/* letter_len: how many bytes spell c here, as it is or as JSON may escape it; 0: they don't. */
static size_t letter_len(const char *at, size_t len, char c)
{
    char code[8];

    if (len >= 2 && at[0] == '\\' && at[1] == c && strchr("\"\\/", c) != NULL)
        return 2;
    if (len >= 6 && at[0] == '\\' && at[1] == 'u') {
        snprintf(code, sizeof(code), "%04x", (unsigned)(unsigned char)c);
        return strncasecmp(at + 2, code, 4) == 0 ? 6 : 0;
    }
    return len >= 1 && at[0] == c ? 1 : 0;
}

/* key_len: so of a key. */
static size_t key_len(const char *at, size_t len, const char *key)
{
    size_t all = 0;

    for (; *key != '\0'; key++) {
        size_t one = letter_len(at + all, len - all, *key);

        if (one == 0)
            return 0;
        all += one;
    }
    return all;
}

bool gri_refusal_hide(char *text, size_t len, const char *key)
{
    bool found = false;

    for (size_t at = 0; key != NULL && at < len;) {
        size_t there = key_len(text + at, len - at, key);

        memset(text + at, '*', there);
        found = found || there > 0;
        at += there > 0 ? there : 1;
    }
    return found;
}
