/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - names of conversations. */
#include "actors/message/session.h"

#include <greenroom/codec.h>

#include <string.h>

#include "runtime/base/alloc.h"

#define NAME_MAX_BYTES 4096

/* is_plain: a text that can't be taken for JSON of other ids. */
static bool is_plain(const gr_value *ids)
{
    const gr_value *id = gr_get(ids, "session_id");
    const char *text = gr_cstr(id, "");

    return gr_len(ids) == 1 && gr_value_type(id) == GR_STR && text[0] != '{' && text[0] != '\0' &&
           strlen(text) == gr_len(id);
}

char *gri_session_name(const gr_value *ids, gr_value **ret_err)
{
    char *name;

    if (gr_value_type(ids) != GR_MAP || gr_len(ids) == 0) {
        *ret_err = gr_error(GR_EINVAL, "a session is named by a map of ids, not %s",
                            gr_type_name(gr_value_type(ids)));
        return NULL;
    }
    name = is_plain(ids) ? gri_strdup(gr_cstr(gr_get(ids, "session_id"), ""))
                         : gr_json_print(ids, 0, NULL);
    if (name == NULL) {
        *ret_err = gr_error(GR_ENOMEM, "out of memory for a session");
    } else if (strlen(name) > NAME_MAX_BYTES) {
        gr_free(name);
        name = NULL;
        *ret_err = gr_error(GR_EINVAL, "a session's ids are at most %d bytes", NAME_MAX_BYTES);
    }
    return name;
}
