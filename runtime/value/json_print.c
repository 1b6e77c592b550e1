/* SPDX-License-Identifier: Apache-2.0 */
/* json_print.c - values as JSON text. Recursion is bounded by the values' own depth. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <greenroom/codec.h>

#include "runtime/base/strbuf.h"
#include "runtime/value/json.h"

struct printer {
    struct gri_strbuf out;
    unsigned indent; /* spaces a level; 0: one line */
    unsigned level;
};

static void print(struct printer *p, const gr_value *v);

/* add_escape writes the two or six characters for one that can't stand in a string. */
static void add_escape(struct gri_strbuf *out, char c)
{
    switch (c) {
    case '"': gri_strbuf_add(out, "\\\"", 2); break;
    case '\\': gri_strbuf_add(out, "\\\\", 2); break;
    case '\b': gri_strbuf_add(out, "\\b", 2); break;
    case '\f': gri_strbuf_add(out, "\\f", 2); break;
    case '\n': gri_strbuf_add(out, "\\n", 2); break;
    case '\r': gri_strbuf_add(out, "\\r", 2); break;
    case '\t': gri_strbuf_add(out, "\\t", 2); break;
    default: gri_strbuf_addf(out, "\\u%04x", (unsigned)(unsigned char)c); break;
    }
}

static void print_text(struct printer *p, const char *s, size_t len)
{
    const char *end = s + len;
    const char *plain = s;

    gri_strbuf_addc(&p->out, '"');
    for (; s < end; s++) {
        if ((unsigned char)*s >= 0x20 && *s != '"' && *s != '\\')
            continue;
        gri_strbuf_add(&p->out, plain, (size_t)(s - plain));
        add_escape(&p->out, *s);
        plain = s + 1;
    }
    gri_strbuf_add(&p->out, plain, (size_t)(end - plain));
    gri_strbuf_addc(&p->out, '"');
}

static void print_real(struct printer *p, double d, bool single)
{
    char text[GRI_REAL_TEXT_MAX];

    if (isfinite(d))
        gri_strbuf_add(&p->out, text, gri_real_print(d, single, text));
    else
        gri_strbuf_add(&p->out, "null", 4);
}

static void print_int(struct printer *p, int64_t i)
{
    char text[24];

    gri_strbuf_add(&p->out, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, i));
}

static void print_base64(struct printer *p, const unsigned char *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    gri_strbuf_addc(&p->out, '"');
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t word = (uint32_t)data[i] << 16 | (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                        (left > 2 ? (uint32_t)data[i + 2] : 0);
        char four[4] = { digits[word >> 18], digits[(word >> 12) & 63],
                         left > 1 ? digits[(word >> 6) & 63] : '=',
                         left > 2 ? digits[word & 63] : '=' };

        gri_strbuf_add(&p->out, four, 4);
    }
    gri_strbuf_addc(&p->out, '"');
}

/* ---- containers ------------------------------------------------------------------------------ */

static void new_line(struct printer *p)
{
    if (p->indent == 0)
        return;
    gri_strbuf_addc(&p->out, '\n');
    for (unsigned i = 0; i < p->indent * p->level; i++)
        gri_strbuf_addc(&p->out, ' ');
}

static void open_with(struct printer *p, char c)
{
    gri_strbuf_addc(&p->out, c);
    p->level++;
}

static void close_with(struct printer *p, char c, bool empty)
{
    p->level--;
    if (!empty)
        new_line(p);
    gri_strbuf_addc(&p->out, c);
}

/* next stands in front of each element: behind a comma unless it is the first. */
static void next(struct printer *p, bool first)
{
    if (!first)
        gri_strbuf_add(&p->out, ", ", p->indent == 0 ? 2 : 1);
    new_line(p);
}

static void print_key(struct printer *p, const char *key, size_t len)
{
    print_text(p, key, len);
    gri_strbuf_add(&p->out, ": ", 2);
}

static void print_list(struct printer *p, const gr_value *v)
{
    size_t count = gr_len(v);

    open_with(p, '[');
    for (size_t i = 0; i < count; i++) {
        next(p, i == 0);
        print(p, gr_at(v, i));
    }
    close_with(p, ']', count == 0);
}

static void print_floats(struct printer *p, const gr_value *v)
{
    size_t count = gr_len(v);
    const float *x = gr_as_floats(v, NULL);

    gri_strbuf_addc(&p->out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i != 0)
            gri_strbuf_add(&p->out, ", ", 2);
        print_real(p, (double)x[i], true);
    }
    gri_strbuf_addc(&p->out, ']');
}

static void print_map(struct printer *p, const gr_value *v)
{
    const struct gri_pairs *m = gri_pairs(v);

    open_with(p, '{');
    for (uint32_t i = 0; i < m->count; i++) {
        next(p, i == 0);
        print_key(p, gri_text(m->at[i].key)->data, gri_text(m->at[i].key)->len);
        print(p, m->at[i].value);
    }
    close_with(p, '}', m->count == 0);
}

/* print_error gives {"$error": {"code": …, …}}: code, kind, and the fields that are set. */
static void print_error(struct printer *p, const gr_value *v)
{
    open_with(p, '{');
    next(p, true);
    print_key(p, "$error", 6);
    open_with(p, '{');
    next(p, true);
    print_key(p, "code", 4);
    print(p, gri_error_get(v, "code"));
    for (int f = 0; f < GRI_FIELD_COUNT; f++) {
        const char *name = gri_field_name((enum gri_field)f);
        const gr_value *field = gri_error_get(v, name);

        if (field == NULL)
            continue;
        next(p, false);
        print_key(p, name, strlen(name));
        print(p, field);
    }
    close_with(p, '}', false);
    close_with(p, '}', false);
}

static void print_ref(struct printer *p, gr_ref ref)
{
    char text[40];
    int len = snprintf(text, sizeof(text), "%016" PRIx64 "-%016" PRIx64, ref.node, ref.id);

    open_with(p, '{');
    next(p, true);
    print_key(p, "$ref", 4);
    print_text(p, text, (size_t)len);
    close_with(p, '}', false);
}

static void print(struct printer *p, const gr_value *v)
{
    switch (gr_value_type(v)) {
    case GR_NIL:
    case GR_OPAQUE: gri_strbuf_add(&p->out, "null", 4); break;
    case GR_BOOL: gri_strbuf_adds(&p->out, gr_as_bool(v, false) ? "true" : "false"); break;
    case GR_INT: print_int(p, gr_as_int(v, 0)); break;
    case GR_REAL: print_real(p, gr_as_real(v, 0), false); break;
    case GR_STR: print_text(p, gri_text(v)->data, gri_text(v)->len); break;
    case GR_BIN: print_base64(p, gr_as_bin(v, NULL), gr_len(v)); break;
    case GR_LIST: print_list(p, v); break;
    case GR_MAP: print_map(p, v); break;
    case GR_FLOATS: print_floats(p, v); break;
    case GR_REFV: print_ref(p, gr_as_ref(v)); break;
    case GR_ERROR: print_error(p, v); break;
    }
}

char *gr_json_print(const gr_value *v, unsigned indent, size_t *ret_len)
{
    struct printer p = { .out = GRI_STRBUF_INIT, .indent = indent > 16 ? 16 : indent };
    size_t len;
    char *text;

    print(&p, v);
    len = p.out.len;
    text = gri_strbuf_take(&p.out);
    if (text != NULL && ret_len != NULL)
        *ret_len = len;
    return text;
}
