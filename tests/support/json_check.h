/* SPDX-License-Identifier: Apache-2.0 */
/* json_check.h - values in tests, written and compared as JSON. */
#ifndef GR_TESTS_SUPPORT_JSON_CHECK_H
#define GR_TESTS_SUPPORT_JSON_CHECK_H

#include <greenroom/codec.h>

#include <stdio.h>
#include <string.h>

static inline gr_value *json(const char *text)
{
    return gr_json_parse(text, strlen(text), NULL);
}

/* is tells whether v prints as text, and frees it. */
static inline bool is(gr_value *v, const char *text)
{
    gr_value *want = json(text);
    bool same = gr_equal(v, want);

    if (!same) {
        char *got = gr_json_print(v, 0, NULL);

        fprintf(stderr, "got  %s\nwant %s\n", got == NULL ? "?" : got, text);
        gr_free(got);
    }
    gr_value_unref(v);
    gr_value_unref(want);
    return same;
}

#endif
