/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_partial.c - what can be read of a JSON text that is still arriving.
 *
 * langchain-core tries the text with the missing brackets added, and again with one character less,
 * until something parses. For the beginning of a good text this gives the same answers from one
 * pass; but a string cut inside an escape or inside a character keeps what came before, where the
 * original drops it for a moment. Of a damaged text it may say nil where the original still finds a
 * remnant.
 */
#include "runtime/value/json.h"

/* skip_string returns what follows the string that p is inside of. */
static const char *skip_string(const char *p, const char *end)
{
    for (; p < end; p++) {
        if (*p == '"')
            return p + 1;
        if (*p == '\\' && end - p > 1)
            p++;
    }
    return end;
}

/*
 * rest_is_level looks at the brackets from p on, with those of r open: true when every closing one
 * fits, and at the end the same ones are open as at the start. Only then can a prefix that ends
 * before p have been continued by the brackets that are missing now.
 */
static bool rest_is_level(const struct gri_json *r, const char *p)
{
    char open[GR_DEPTH_MAX];
    size_t depth = 0;

    while (p < r->end) {
        char c = *p++;

        if (c == '"') {
            p = skip_string(p, r->end);
        } else if (c == '{' || c == '[') {
            if (depth == GR_DEPTH_MAX)
                return false;
            open[depth++] = c == '{' ? '}' : ']';
        } else if (c == '}' || c == ']') {
            if (depth == 0 || open[--depth] != c)
                return false;
        }
    }
    return depth == 0;
}

static gr_value *close_all(struct gri_json *r)
{
    gr_value *v;

    while (r->b.depth != 0)
        if (!gri_builder_close(&r->b, NULL)) {
            r->stop = GRI_JSON_LIMIT;
            return gri_json_error(r);
        }
    v = gri_builder_take(&r->b);
    return v != NULL ? v : gr_nil();
}

gr_value *gr_json_partial(const char *text, size_t len, const gr_decode_opts *opts)
{
    gr_decode_opts limits = gri_decode_opts(opts);
    struct gri_json r;
    gr_value *v = NULL;

    if (text == NULL)
        return gr_error(GR_EINVAL, "no text");
    if (len > limits.bytes_max)
        return gr_error(GR_ENOMEM, "%zu bytes of JSON, the limit is %zu", len, limits.bytes_max);
    gri_json_init(&r, text, len, &limits);
    r.p = r.text = text + gri_json_mark(text, len);
    r.partial = true;
    gri_json_run(&r);
    if (r.stop == GRI_JSON_LIMIT)
        v = gri_json_error(&r);
    else if (r.stop == GRI_JSON_END || rest_is_level(&r, r.in_text != NULL ? r.in_text : r.p))
        v = close_all(&r);
    else
        v = gr_nil();
    gri_builder_fini(&r.b);
    return v;
}
