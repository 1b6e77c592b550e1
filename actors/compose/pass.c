/* SPDX-License-Identifier: Apache-2.0 */
/* pass.c - kwargs and chunks, handed on. */
#include "actors/compose/pass.h"

gr_call_opts gri_pass_opts(gr_ctx *c)
{
    gr_call_opts opts = { .size = sizeof(opts) };

    if (gr_kwargs(c) != NULL)
        opts.config = gr_map(GR_KV("kwargs", gr_value_ref(gr_kwargs(c))));
    return opts;
}

gr_code gri_pass_stream(gr_ctx *c, gr_stream *s, gr_value **ret_sum, gr_value **ret_err)
{
    gr_value *sum = NULL;
    gr_outcome o;
    gr_code rc = GR_OK;

    *ret_err = NULL;
    while (rc == GR_OK && (o = gr_next(s, -1)).code == GR_OK) {
        if (ret_sum != NULL)
            sum = gr_add(sum, gr_value_ref(o.value));
        rc = gr_emit(c, gr_value_ref(o.value));
    }
    if (rc == GR_OK && o.code != GR_EOS) {
        rc = o.code;
        *ret_err =
            o.error != NULL ? gr_value_ref(o.error) : gr_error(o.code, "the stream has broken off");
    }
    gr_stream_free(s);
    if (ret_sum != NULL)
        *ret_sum = sum;
    return rc;
}
