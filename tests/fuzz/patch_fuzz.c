/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_fuzz.c - patches of JSON: what makes one value out of another does so; and any JSON as the patch of a log is
 * applied or refused. A line that is "---" is between the two documents.
 */
#include <greenroom/callbacks.h>
#include <greenroom/codec.h>

#include "actors/parse/json_patch.h"
#include "tests/fuzz/fuzz.h"

/* leads_to: the operations, one after the other, make `after` of `before`. */
static void leads_to(const gr_value *before, const gr_value *after)
{
    gr_value *patch = gri_json_patch(before, after), *state;

    must(gr_error_code(patch) == GR_OK && gr_value_type(patch) == GR_LIST);
    state = gr_log_apply(gr_value_ref(before), patch);
    must(gr_equal(state, after));
    gr_value_unref(state);
    gr_value_unref(patch);
}

static void apply(const gr_value *state, const gr_value *patch)
{
    gr_value *out = gr_log_apply(gr_value_ref(state), patch);

    must(out != NULL);
    must(gr_error_code(out) == GR_OK || gr_error_code(out) == GR_EINVAL ||
         (gr_error_code(out) == GR_ETYPE && gr_value_type(patch) != GR_LIST));
    gr_value_unref(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_cost cost = fuzz_begin();
    const char *text = (const char *)data,
               *line = size > 5 ? memmem(data, size, "\n---\n", 5) : NULL;
    gr_value *a, *b;

    if (line == NULL)
        return 0;
    a = gr_json_parse(text, (size_t)(line - text), GR_DECODE(.depth_max = 32));
    b = gr_json_parse(line + 5, size - (size_t)(line - text) - 5, GR_DECODE(.depth_max = 32));
    if (gr_error_code(a) == GR_OK && gr_error_code(b) == GR_OK) {
        leads_to(a, b);
        leads_to(b, a);
        apply(a, b);
        apply(NULL, b);
    }
    gr_value_unref(a);
    gr_value_unref(b);
    fuzz_end(&cost, size, 1024);
    return 0;
}
