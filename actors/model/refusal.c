/* SPDX-License-Identifier: Apache-2.0 */
/* refusal.c - what an error's detail tells besides. */
#include "actors/model/refusal.h"

#include <string.h>
#include <strings.h>

#include "runtime/base/alloc.h"
#include "runtime/base/utf8.h"

/* id_of gives a request's name without what is hidden; NULL: no memory for it. */
static gr_value *id_of(const char *id, const struct gri_hidden *hidden)
{
    size_t len = gri_utf8_valid_len(id, strlen(id));
    char *copy = gri_strndup(id, len);
    gr_value *v = NULL;

    if (copy != NULL) {
        (void)gri_hidden_mask(hidden, copy, len);
        v = gr_strn(copy, len);
    }
    gri_free(copy);
    return v;
}

gr_value *gri_refusal_told(struct gri_http_exchange *x, const struct gri_hidden *hidden)
{
    const char *again = gri_http_header_of(x, "x-should-retry");
    const char *id = gri_http_header_of(x, "x-request-id");
    gr_value *told = gr_map_n(NULL, 0), *name;

    if (id == NULL)
        id = gri_http_header_of(x, "request-id");
    if (again != NULL && (strcasecmp(again, "true") == 0 || strcasecmp(again, "false") == 0))
        told = gr_set(told, "should_retry", gr_bool(strcasecmp(again, "true") == 0));
    name = id != NULL ? id_of(id, hidden) : NULL;
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
