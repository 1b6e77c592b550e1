/* SPDX-License-Identifier: Apache-2.0 */
/* ndjson.c - a line that lies whole in the input is passed on in place; only cut ones are kept. */
#include "runtime/http/ndjson.h"

#include <string.h>

#include "runtime/base/assert.h"

void gri_ndjson_init(struct gri_ndjson *n, size_t line_max, gri_ndjson_line_fn *on_line, void *arg)
{
    gri_assert(on_line != NULL);
    memset(n, 0, sizeof(*n));
    n->line_max = line_max != 0 ? line_max : GRI_NDJSON_LINE_MAX;
    n->on_line = on_line;
    n->arg = arg;
}

void gri_ndjson_fini(struct gri_ndjson *n)
{
    gri_strbuf_fini(&n->line);
}

static gr_code fail(struct gri_ndjson *n, gr_value **reterr, gr_value *err)
{
    n->failed = GR_ENOMEM;
    if (reterr != NULL)
        *reterr = err;
    else
        gr_value_unref(err);
    return GR_ENOMEM;
}

/* keep adds to the line that is being gathered. */
static gr_code keep(struct gri_ndjson *n, const char *bytes, size_t len, gr_value **reterr)
{
    if (len > n->line_max - n->line.len)
        return fail(n, reterr,
                    gr_error(GR_ENOMEM, "JSON lines: a line of more than %zu bytes", n->line_max));
    gri_strbuf_add(&n->line, bytes, len);
    if (n->line.failed)
        return fail(n, reterr, gr_error(GR_ENOMEM, "JSON lines: no memory"));
    return GR_OK;
}

static bool is_blank(const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (line[i] != ' ' && line[i] != '\t')
            return false;
    return true;
}

/* give passes a line on, without the \r of a \r\n. Returns on_line's wish. */
static bool give(struct gri_ndjson *n, const char *line, size_t len)
{
    if (len > 0 && line[len - 1] == '\r')
        len--;
    return is_blank(line, len) || n->on_line(n->arg, line, len);
}

static gr_code end_line(struct gri_ndjson *n, const char *bytes, size_t len, bool *ret_go_on,
                        gr_value **reterr)
{
    gr_code rc = GR_OK;

    *ret_go_on = true;
    if (n->line.len == 0 && len <= n->line_max) {
        *ret_go_on = give(n, bytes, len);
        return GR_OK;
    }
    rc = keep(n, bytes, len, reterr);
    if (rc != GR_OK)
        return rc;
    *ret_go_on = give(n, n->line.data, n->line.len);
    gri_strbuf_clear(&n->line);
    return GR_OK;
}

gr_code gri_ndjson_feed(struct gri_ndjson *n, const char *bytes, size_t len, size_t *ret_used,
                        gr_value **reterr)
{
    const char *lf = NULL;
    size_t used = 0, line_len = 0;
    bool go_on = true;
    gr_code rc = GR_OK;

    if (n->failed != GR_OK)
        rc = fail(n, reterr, gr_error(n->failed, "JSON lines: they failed before"));
    while (rc == GR_OK && go_on && used < len) {
        lf = memchr(bytes + used, '\n', len - used);
        line_len = lf != NULL ? (size_t)(lf - bytes) - used : len - used;
        if (lf == NULL) {
            rc = keep(n, bytes + used, line_len, reterr);
            used = len;
        } else {
            rc = end_line(n, bytes + used, line_len, &go_on, reterr);
            used += line_len + 1;
        }
    }
    if (ret_used != NULL)
        *ret_used = used;
    return rc;
}

gr_code gri_ndjson_end(struct gri_ndjson *n, gr_value **reterr)
{
    bool go_on = true;

    if (n->failed != GR_OK)
        return fail(n, reterr, gr_error(n->failed, "JSON lines: they failed before"));
    return n->line.len > 0 ? end_line(n, "", 0, &go_on, reterr) : GR_OK;
}
