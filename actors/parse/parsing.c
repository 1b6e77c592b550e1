/* SPDX-License-Identifier: Apache-2.0 */
/* parsing.c - see the header. */
#include "actors/parse/parsing.h"

#include <stdarg.h>
#include <string.h>

#include "runtime/base/strbuf.h"

#define KIND "OutputParserException"

gr_value *gri_parse_error(const gr_value *text, const char *fmt, ...)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *err;
    va_list ap;

    va_start(ap, fmt);
    gri_strbuf_vaddf(&b, fmt, ap);
    va_end(ap);
    err = b.failed ? gr_error(GR_ENOMEM, "out of memory for a parser's error")
                   : gr_error(GR_EINVAL, "%s", b.data);
    gri_strbuf_fini(&b);
    if (gr_error_code(err) != GR_EINVAL)
        return err;
    err = gr_error_with(err, "kind", gr_str(KIND));
    if (!gri_is_parse_error(err)) { /* it goes without what can't be set */
        gr_value_unref(err);
        return gr_error(GR_ENOMEM, "out of memory for a parser's error");
    }
    if (text == NULL)
        return err;
    return gr_error_with(err, "detail", gr_map(GR_KV("llm_output", gr_value_ref(text))));
}

bool gri_is_parse_error(const gr_value *v)
{
    return gr_value_type(v) == GR_ERROR && strcmp(gr_cstr(gr_get(v, "kind"), ""), KIND) == 0;
}

gr_code gri_parse_each(gr_ctx *c, gr_stream *in, gri_parse_next_fn *next, void *state)
{
    gr_outcome o = { .code = GR_EOS };
    gr_code rc = GR_OK;

    while (in != NULL && rc == GR_OK && (o = gr_next(in, -1)).code == GR_OK)
        rc = next(c, state, o.value);
    if (rc == GR_OK && o.code != GR_EOS)
        rc = o.error != NULL ? gr_fail(c, gr_value_ref(o.error)) : o.code;
    return rc;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

gr_value *gri_trimmed(const gr_value *text)
{
    const char *s = gr_cstr(text, "");
    size_t from = 0, to = gr_len(text);

    while (from < to && is_blank(s[from]))
        from++;
    while (to > from && is_blank(s[to - 1]))
        to--;
    return gr_strn(s + from, to - from);
}

gr_value *gr_get_format_instructions(gr_runtime *rt, gr_ref parser, gr_value **reterr)
{
    return gr_do(rt, parser, "get_format_instructions", gr_nil(), NULL, reterr);
}
