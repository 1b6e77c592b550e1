/* SPDX-License-Identifier: Apache-2.0 */
/* template.c - reading a template and filling it in. */
#include "actors/prompt/template.h"

#include <string.h>

#include <greenroom/codec.h>
#include <greenroom/message.h>

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
    char **names; /* owned, each owned: the distinct variables */
    size_t name_count;
};

void gri_template_free(struct gri_template *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->name_count; i++)
        gri_free(t->names[i]);
    gri_free(t->names);
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

/* error_at counts columns in characters, from 1, as editors do. */
static gr_value *error_at(const char *text, size_t at, const char *what)
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
        return error_at(s, *at, "expected '}' to close this '{'");
    if (end == start && s[end] == '}')
        return error_at(s, end, "expected a variable's name between '{' and '}'");
    if (s[end] != '}')
        return error_at(s, end,
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
            return error_at(s, at, "a '}' without its '{'; write '}}' for a brace");
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

gr_value *gri_vars_take(const gr_value *input, const gr_value *names)
{
    if (gr_value_type(input) == GR_MAP || gr_len(names) != 1)
        return gr_value_ref(input);
    return gr_map(GR_KV(gr_cstr(gr_at(names, 0), ""), gr_value_ref(input)));
}

static gr_value *not_a_map(const gr_value *vars)
{
    return gr_error(GR_ETYPE, "expected a map of variables, got a value of type %s",
                    gr_type_name(gr_value_type(vars)));
}

gr_value *gri_vars_given(const gr_value *input, const gr_value *names, const gr_value *partial)
{
    gr_value *vars = gri_vars_take(input, names);

    if (gr_value_type(partial) != GR_MAP)
        return vars;
    if (gr_value_type(vars) == GR_MAP)
        return gr_merge(gr_value_ref(partial), vars);
    if (gr_len(names) > 0 || gr_error_code(vars) != GR_OK)
        return vars; /* gri_vars_check tells */
    if (!gr_is_nil(vars)) {
        gr_value_unref(vars);
        return not_a_map(input);
    }
    gr_value_unref(vars);
    return gr_value_ref(partial);
}

gr_value *gri_vars_not_a_map(gr_value *partial)
{
    gr_value *err;

    if (gr_error_code(partial) != GR_OK)
        return partial;
    err = gr_error(GR_ETYPE, "a prompt's partial is a map of variables, not of type %s",
                   gr_type_name(gr_value_type(partial)));
    gr_value_unref(partial);
    return err;
}

gr_value *gri_vars_due(gr_value *names, const gr_value *partial)
{
    gr_value *due = gr_list_n(NULL, 0);

    if (gr_error_code(names) != GR_OK) {
        gr_value_unref(due);
        return names;
    }
    for (size_t i = 0; i < gr_len(names); i++)
        if (gr_get(partial, gr_cstr(gr_at(names, i), "")) == NULL)
            due = gr_append(due, gr_value_ref(gr_at(names, i)));
    gr_value_unref(names);
    return due;
}

gr_value *gri_vars_whole(gr_value *args)
{
    static const char *const keys[] = { "names", "partial" };

    for (size_t i = 0; i < 2; i++) {
        const gr_value *v = gr_get(args, keys[i]);

        if (gr_error_code(args) == GR_OK && gr_error_code(v) != GR_OK) {
            gr_value *err = gr_value_ref(v);

            gr_value_unref(args);
            return err;
        }
    }
    return args;
}

static void add_quoted(struct gri_strbuf *b, const char *name, size_t *count)
{
    gri_strbuf_addf(b, "%s'%s'", *count == 0 ? "" : ", ", name);
    ++*count;
}

static bool has_all(const gr_value *vars, const gr_value *names)
{
    for (size_t i = 0; i < gr_len(names); i++)
        if (gr_get(vars, gr_cstr(gr_at(names, i), "")) == NULL)
            return false;
    return true;
}

gr_value *gri_vars_check(const char *who, const gr_value *names, const gr_value *vars)
{
    struct gri_strbuf missing = GRI_STRBUF_INIT, wanted = GRI_STRBUF_INIT, got = GRI_STRBUF_INIT;
    size_t missing_count = 0, wanted_count = 0, got_count = 0;
    const char *first = NULL, *key = NULL;
    gr_value *err = NULL;

    if (gr_error_code(names) != GR_OK || gr_error_code(vars) != GR_OK)
        return gr_value_ref(gr_error_code(names) != GR_OK ? names : vars);
    if (gr_value_type(vars) != GR_MAP && gr_len(names) > 0)
        return not_a_map(vars);
    if (has_all(vars, names))
        return NULL;
    for (size_t i = 0; i < gr_len(names); i++) {
        const char *name = gr_cstr(gr_at(names, i), "");

        add_quoted(&wanted, name, &wanted_count);
        if (gr_get(vars, name) != NULL)
            continue;
        if (first == NULL)
            first = name;
        add_quoted(&missing, name, &missing_count);
    }
    for (size_t i = 0; gr_pair_at(vars, i, &key) != NULL; i++)
        add_quoted(&got, key, &got_count);
    if (missing.failed || wanted.failed || got.failed)
        err = gr_error(GR_ENOMEM, "out of memory");
    else
        err =
            gr_error(GR_EINVAL,
                     "Input to %s is missing variables {%s}. Expected: [%s] Received: [%s]. "
                     "If {%s} is meant as text, write {{%s}}.",
                     who, missing.data, wanted.data, got_count == 0 ? "" : got.data, first, first);
    err = gr_error_with(err, "kind", gr_str("KeyError"));
    gri_strbuf_fini(&missing);
    gri_strbuf_fini(&wanted);
    gri_strbuf_fini(&got);
    return err;
}
