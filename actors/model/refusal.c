/* SPDX-License-Identifier: Apache-2.0 */
/* refusal.c - what an error's detail tells besides, and what it must not. */
#include "actors/model/refusal.h"

#include <string.h>
#include <strings.h>

#include "runtime/base/utf8.h"

gr_value *gri_refusal_told(struct gri_http_exchange *x)
{
    const char *again = gri_http_header_of(x, "x-should-retry");
    const char *id = gri_http_header_of(x, "x-request-id");
    gr_value *told = gr_map_n(NULL, 0);

    if (id == NULL)
        id = gri_http_header_of(x, "request-id");
    if (again != NULL && (strcasecmp(again, "true") == 0 || strcasecmp(again, "false") == 0))
        told = gr_set(told, "should_retry", gr_bool(strcasecmp(again, "true") == 0));
    if (id != NULL)
        told = gr_set(told, "request_id", gr_strn(id, gri_utf8_valid_len(id, strlen(id))));
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

bool gri_refusal_hide(char *text, size_t len, const char *key)
{
    size_t key_len = key == NULL ? 0 : strlen(key);
    char *end = text + len;
    bool found = false;

    while (key_len > 0 && (size_t)(end - text) >= key_len &&
           (text = memmem(text, (size_t)(end - text), key, key_len)) != NULL) {
        memset(text, '*', key_len);
        text += key_len;
        found = true;
    }
    return found;
}
