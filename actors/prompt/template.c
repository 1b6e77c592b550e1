/* SPDX-License-Identifier: Apache-2.0 */
/* template.c - reading a template and filling it in. */
#include "actors/prompt/template.h"

#include <string.h>

#include <greenroom/codec.h>
#include <greenroom/message.h>

#include "actors/prompt/mustache.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

struct part {
    size_t start, len; /* of the text; a variable's name without its braces */
    bool is_var;
};

struct gri_template {
    char *text;         /* owned */
    struct part *parts; /* owned */
    size_t count, cap;
    struct gri_mustache *mustache; /* owned; NULL: an f-string */
    char **names;                  /* owned, each owned: the distinct variables */
    size_t name_count;
};

void gri_template_free(struct gri_template *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->name_count; i++)
        gri_free(t->names[i]);
    gri_free(t->names);
    gri_mustache_free(t->mustache);
    gri_free(t->parts);
    gri_free(t->text);
    gri_free(t);
}

const char *gri_template_var(const struct gri_template *t, size_t index)
{
    return index < t->name_count ? t->names[index] : NULL;
}

static bool add_part(struct gri_template *t, size_t start, size_t len, bool is_var)
{
    if (len == 0)
        return true;
    if (t->count == t->cap) {
        size_t cap = t->cap == 0 ? 8 : t->cap * 2;
        struct part *parts = gri_resize(t->parts, cap * sizeof(*parts));

        if (parts == NULL)
            return false;
        t->parts = parts;
        t->cap = cap;
    }
    t->parts[t->count++] = (struct part){ start, len, is_var };
    return true;
}

static bool add_name(struct gri_template *t, const char *name, size_t len)
{
    char **names;

    for (size_t i = 0; i < t->name_count; i++)
        if (strlen(t->names[i]) == len && memcmp(t->names[i], name, len) == 0)
            return true;
    names = gri_resize(t->names, (t->name_count + 1) * sizeof(*names));
    if (names == NULL)
        return false;
    t->names = names;
    names[t->name_count] = gri_strndup(name, len);
    if (names[t->name_count] == NULL)
        return false;
    t->name_count++;
    return true;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

gr_value *gri_template_error(const char *text, size_t at, const char *what)
{
    size_t line = 1, column = 1;

    for (size_t i = 0; i < at; i++) {
        if (text[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)text[i] & 0xc0) != 0x80) {
            column++;
        }
    }
    return gr_error(GR_EINVAL, "line %zu, column %zu: %s", line, column, what);
}

/* read_var reads the variable whose { is at *at; on success *at is past its }. NULL: fine, or no
 * memory with *oom set. */
static gr_value *read_var(struct gri_template *t, size_t len, size_t *at, bool *oom)
{
    const char *s = t->text;
    size_t start = *at + 1, end = start;

    while (end < len && (is_letter(s[end]) || (end > start && is_digit(s[end]))))
        end++;
    if (end == len)
        return gri_template_error(s, *at, "expected '}' to close this '{'");
    if (end == start && s[end] == '}')
        return gri_template_error(s, end, "expected a variable's name between '{' and '}'");
    if (s[end] != '}')
        return gri_template_error(s, end,
                                  "expected '}' or a name of letters, digits and '_'; "
                                  "write '{{' for a brace");
    if (!add_part(t, start, end - start, true) || !add_name(t, s + start, end - start))
        *oom = true;
    *at = end + 1;
    return NULL;
}

static gr_value *read_parts(struct gri_template *t, size_t len, bool *oom)
{
    const char *s = t->text;
    size_t at = 0, literal = 0;

    while (at < len && !*oom) {
        gr_value *err;

        if (s[at] != '{' && s[at] != '}') {
            at++;
            continue;
        }
        if (at + 1 < len && s[at + 1] == s[at]) { /* a doubled brace: keep the first of the two */
            *oom = !add_part(t, literal, at + 1 - literal, false);
            at += 2;
            literal = at;
            continue;
        }
        if (s[at] == '}')
            return gri_template_error(s, at, "a '}' without its '{'; write '}}' for a brace");
        *oom = !add_part(t, literal, at - literal, false);
        err = *oom ? NULL : read_var(t, len, &at, oom);
        if (err != NULL)
            return err;
        literal = at;
    }
    if (!*oom)
        *oom = !add_part(t, literal, len - literal, false);
    return NULL;
}

gr_code gri_template_parse(const char *text, size_t len, struct gri_template **ret_t,
                           gr_value **reterr)
{
    struct gri_template *t = gri_new0(struct gri_template);
    gr_value *err = NULL;
    bool oom = true;

    if (t != NULL && (t->text = gri_strndup(text, len)) != NULL) {
        oom = false;
        err = read_parts(t, len, &oom);
    }
    if (err == NULL && oom)
        err = gr_error(GR_ENOMEM, "out of memory for a template");
    if (err == NULL) {
        *ret_t = t;
        return GR_OK;
    }
    gri_template_free(t);
    *reterr = err;
    return gr_error_code(err);
}

static bool add_variable(void *t, const char *name, size_t len)
{
    return add_name(t, name, len);
}

/* read_mustache: as gri_template_parse. */
static gr_code read_mustache(const char *text, size_t len, struct gri_template **ret_t,
                             gr_value **reterr)
{
    struct gri_template *t = gri_new0(struct gri_template);
    gr_code rc = GR_ENOMEM;

    if (t != NULL)
        rc = gri_mustache_parse(text, len, &t->mustache, reterr);
    if (rc == GR_OK && !gri_mustache_each(t->mustache, add_variable, t))
        rc = GR_ENOMEM;
    if (rc == GR_OK) {
        *ret_t = t;
        return GR_OK;
    }
    gri_template_free(t);
    if (*reterr == NULL)
        *reterr = gr_error(GR_ENOMEM, "out of memory for a template");
    return rc;
}

gr_code gri_template_read(const char *text, size_t len, gr_template_format format,
                          struct gri_template **ret_t, gr_value **reterr)
{
    *reterr = NULL;
    switch (format) {
    case GR_FSTRING: return gri_template_parse(text, len, ret_t, reterr);
    case GR_MUSTACHE: return read_mustache(text, len, ret_t, reterr);
    }
    *reterr = gr_error(GR_EINVAL, "no such template format: %d", (int)format);
    return GR_EINVAL;
}

void gri_print_value(struct gri_strbuf *b, const gr_value *v)
{
    size_t len = 0;
    char *json;

    switch (gr_value_type(v)) {
    case GR_NIL: return;
    case GR_STR: gri_strbuf_add(b, gr_cstr(v, ""), gr_len(v)); return;
    case GR_MAP:
        if (gr_get(v, "content") != NULL && gr_get(v, "type") != NULL) {
            gr_value *text = gr_message_text(v);

            if (gr_error_code(text) == GR_OK) {
                gri_strbuf_add(b, gr_cstr(text, ""), gr_len(text));
                gr_value_unref(text);
                return;
            }
            gr_value_unref(text);
        }
        break;
    default: break;
    }
    json = gr_json_print(v, 0, &len);
    if (json == NULL) {
        b->failed = true;
        return;
    }
    gri_strbuf_add(b, json, len);
    gr_free(json);
}

void gri_template_print(const struct gri_template *t, const gr_value *vars, struct gri_strbuf *b)
{
    if (t->mustache != NULL) {
        gri_mustache_print(t->mustache, vars, b);
        return;
    }
    for (size_t i = 0; i < t->count; i++) {
        const struct part *p = &t->parts[i];

        if (!p->is_var) {
            gri_strbuf_add(b, t->text + p->start, p->len);
            continue;
        }
        for (size_t n = 0; n < t->name_count; n++)
            if (strncmp(t->names[n], t->text + p->start, p->len) == 0 &&
                t->names[n][p->len] == '\0') {
                gri_print_value(b, gr_get(vars, t->names[n]));
                break;
            }
    }
}

gr_value *gri_strbuf_value(struct gri_strbuf *b)
{
    gr_value *v = b->failed ? gr_error(GR_ENOMEM, "out of memory, or a text above its limit")
                            : gr_strn(b->len == 0 ? "" : b->data, b->len);

    gri_strbuf_fini(b);
    return v;
}
