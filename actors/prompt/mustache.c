/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mustache.c - see the header. As in langchain-core, {{x}} escapes & " < >, and {{{x}}} does not.
 *
 * A template is read into a row of parts; a section's beginning knows where its end is. A tag of a section, or a comment, that stands
 * alone on its line takes the line with it.
 */
#include "actors/prompt/mustache.h"

#include <string.h>

#include "actors/prompt/template.h"
#include "runtime/base/alloc.h"

enum kind { TEXT, VARIABLE, RAW, SECTION, INVERTED, END };

struct part {
    enum kind kind;
    size_t start, len; /* of the text, or of the name in it */
    size_t end;        /* of a section: the part that ends it */
};

struct gri_mustache {
    char *text;         /* owned */
    struct part *parts; /* owned */
    size_t count, cap;
};

void gri_mustache_free(struct gri_mustache *m)
{
    if (m == NULL)
        return;
    gri_free(m->parts);
    gri_free(m->text);
    gri_free(m);
}

/* ---- reading --------------------------------------------------------------------------------- */

struct reader {
    struct gri_mustache *m;
    size_t len, at;
    size_t open[GRI_MUSTACHE_DEPTH_MAX]; /* parts of the sections that are open */
    size_t depth;
    bool oom;
};

static void add_part(struct reader *r, enum kind kind, size_t start, size_t len)
{
    struct gri_mustache *m = r->m;

    if (kind == TEXT && len == 0)
        return;
    if (m->count == m->cap) {
        size_t cap = m->cap == 0 ? 8 : m->cap * 2;
        struct part *parts = gri_resize(m->parts, cap * sizeof(*parts));

        if (parts == NULL) {
            r->oom = true;
            return;
        }
        m->parts = parts;
        m->cap = cap;
    }
    m->parts[m->count++] = (struct part){ kind, start, len, 0 };
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static gr_value *wrong(const struct reader *r, size_t at, const char *what)
{
    return gri_template_error(r->m->text, at, what);
}

/* What one tag says. */
struct tag {
    size_t open, close; /* where its first brace is; what follows its last one */
    char sigil;         /* of # ^ / ! & { , 0: a variable */
    size_t start, len;  /* its name */
};

/* read_tag reads the tag that begins at tag->open; NULL, or what is wrong. */
static gr_value *read_tag(struct reader *r, struct tag *tag)
{
    const char *s = r->m->text, *end;
    size_t at = tag->open + 2, stop;

    while (at < r->len && is_space(s[at]))
        at++;
    tag->sigil = at < r->len && strchr("#^/!&{>=", s[at]) != NULL ? s[at] : '\0';
    if (tag->sigil == '>' || tag->sigil == '=')
        return wrong(r, at,
                     tag->sigil == '>' ? "partials are not supported"
                                       : "other delimiters are not supported");
    at += tag->sigil != '\0';
    end = strstr(s + at, tag->sigil == '{' ? "}}}" : "}}");
    if (end == NULL)
        return wrong(r, tag->open, "expected '}}' to close this '{{'");
    stop = (size_t)(end - s);
    tag->close = stop + (tag->sigil == '{' ? 3 : 2);
    while (at < stop && (is_space(s[at]) || s[at] == '\n' || s[at] == '\r'))
        at++;
    while (stop > at && (is_space(s[stop - 1]) || s[stop - 1] == '\n' || s[stop - 1] == '\r'))
        stop--;
    tag->start = at;
    tag->len = stop - at;
    if (tag->len == 0 && tag->sigil != '!')
        return wrong(r, at, "expected a variable's name");
    for (size_t i = at; i < stop && tag->sigil != '!'; i++)
        if (strchr(" \t\r\n{}", s[i]) != NULL)
            return wrong(r, i, "a name has no blanks and no braces");
    return NULL;
}

/* alone: nothing but blanks stands beside the tag on its line; *ret_from and *ret_to are the line's ends. */
static bool alone(const struct reader *r, const struct tag *tag, size_t *ret_from, size_t *ret_to)
{
    const char *s = r->m->text;
    size_t from = tag->open, to = tag->close;

    if (tag->sigil == '\0' || strchr("#^/!", tag->sigil) == NULL)
        return false;
    while (from > r->at && is_space(s[from - 1]))
        from--;
    if (from > 0 && s[from - 1] != '\n')
        return false;
    while (to < r->len && is_space(s[to]))
        to++;
    if (to < r->len && s[to] == '\r')
        to++;
    if (to < r->len && s[to] != '\n')
        return false;
    *ret_from = from;
    *ret_to = to < r->len ? to + 1 : to;
    return true;
}

static gr_value *open_section(struct reader *r, const struct tag *tag)
{
    if (r->depth == GRI_MUSTACHE_DEPTH_MAX)
        return wrong(r, tag->open, "sections nested too deeply");
    r->open[r->depth++] = r->m->count;
    add_part(r, tag->sigil == '#' ? SECTION : INVERTED, tag->start, tag->len);
    return NULL;
}

static gr_value *close_section(struct reader *r, const struct tag *tag)
{
    const char *s = r->m->text;
    struct part *p;

    if (r->depth == 0)
        return wrong(r, tag->open, "this closes no section");
    p = &r->m->parts[r->open[--r->depth]];
    if (p->len != tag->len || memcmp(s + p->start, s + tag->start, tag->len) != 0)
        return wrong(r, tag->open, "this closes another section than the one that is open");
    p->end = r->m->count;
    add_part(r, END, tag->start, tag->len);
    return NULL;
}

static gr_value *take_tag(struct reader *r, const struct tag *tag)
{
    size_t from = tag->open, to = tag->close;

    (void)alone(r, tag, &from, &to);
    add_part(r, TEXT, r->at, from - r->at);
    r->at = to;
    if (r->oom)
        return NULL;
    switch (tag->sigil) {
    case '#':
    case '^': return open_section(r, tag);
    case '/': return close_section(r, tag);
    case '!': return NULL;
    default: break;
    }
    add_part(r, tag->sigil == '\0' ? VARIABLE : RAW, tag->start, tag->len);
    return NULL;
}

static gr_value *read_all(struct reader *r)
{
    const char *s = r->m->text, *brace;
    gr_value *err = NULL;

    while (err == NULL && !r->oom && (brace = strstr(s + r->at, "{{")) != NULL) {
        struct tag tag = { .open = (size_t)(brace - s) };

        err = read_tag(r, &tag);
        if (err == NULL)
            err = take_tag(r, &tag);
    }
    if (err == NULL && !r->oom && r->depth > 0)
        err = wrong(r, r->m->parts[r->open[r->depth - 1]].start, "this section is never closed");
    if (err == NULL && !r->oom)
        add_part(r, TEXT, r->at, r->len - r->at);
    return err;
}

gr_code gri_mustache_parse(const char *text, size_t len, struct gri_mustache **ret_m,
                           gr_value **reterr)
{
    struct reader r = { .m = gri_new0(struct gri_mustache), .len = len, .oom = true };
    gr_value *err = NULL;

    if (r.m != NULL && (r.m->text = gri_strndup(text, len)) != NULL) {
        r.oom = false;
        r.len = strlen(r.m->text);
        err = r.len == len ? read_all(&r) : wrong(&r, r.len, "a NUL in a template");
    }
    if (err == NULL && r.oom)
        err = gr_error(GR_ENOMEM, "out of memory for a template");
    if (err == NULL) {
        *ret_m = r.m;
        return GR_OK;
    }
    gri_mustache_free(r.m);
    *reterr = err;
    return gr_error_code(err);
}

bool gri_mustache_each(const struct gri_mustache *m,
                       bool (*each)(void *arg, const char *name, size_t len), void *arg)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct part *p = &m->parts[i];
        const char *name = m->text + p->start, *dot = memchr(name, '.', p->len);

        if (p->kind != TEXT && p->kind != END && !(p->len == 1 && name[0] == '.') &&
            !each(arg, name, dot == NULL ? p->len : (size_t)(dot - name)))
            return false;
        if (p->kind == SECTION || p->kind == INVERTED)
            i = p->end;
    }
    return true;
}

/* ---- printing -------------------------------------------------------------------------------- */

struct printer {
    const struct gri_mustache *m;
    struct gri_strbuf *b;
    const gr_value *scopes[GRI_MUSTACHE_DEPTH_MAX + 1]; /* the innermost last */
    size_t depth;
    size_t steps;
};

/* child gives what is under a part of a name. */
static const gr_value *child(const gr_value *v, const char *name, size_t len)
{
    char key[256];
    size_t index = 0;

    if (len >= sizeof(key))
        return NULL;
    memcpy(key, name, len);
    key[len] = '\0';
    if (gr_value_type(v) != GR_LIST)
        return gr_value_type(v) == GR_MAP ? gr_get(v, key) : NULL;
    for (size_t i = 0; i < len; i++) {
        if (key[i] < '0' || key[i] > '9' || index > 100000000)
            return NULL;
        index = index * 10 + (size_t)(key[i] - '0');
    }
    return gr_at(v, index);
}

/* look_up finds a name in the innermost scope that has it. */
static const gr_value *look_up(const struct printer *p, const struct part *part)
{
    const char *name = p->m->text + part->start, *end = name + part->len;

    if (part->len == 1 && name[0] == '.')
        return p->scopes[p->depth - 1];
    for (size_t i = p->depth; i-- > 0;) {
        const gr_value *v = p->scopes[i];

        for (const char *at = name; v != NULL && at <= end;) {
            const char *dot = memchr(at, '.', (size_t)(end - at));

            dot = dot == NULL ? end : dot;
            v = child(v, at, (size_t)(dot - at));
            at = dot + 1;
        }
        if (v != NULL)
            return v;
    }
    return NULL;
}

/* holds as Python has it. */
static bool holds(const gr_value *v)
{
    switch (gr_value_type(v)) {
    case GR_NIL: return false;
    case GR_BOOL: return gr_as_bool(v, false);
    case GR_INT:
    case GR_REAL: return gr_as_real(v, 0) != 0;
    case GR_STR:
    case GR_LIST:
    case GR_MAP: return gr_len(v) > 0;
    default: return true;
    }
}

static void print_escaped(struct gri_strbuf *b, const gr_value *v)
{
    struct gri_strbuf plain = { .max = b->max };
    const char *s;

    gri_print_value(&plain, v);
    b->failed |= plain.failed;
    for (s = plain.data; s != NULL && s < plain.data + plain.len; s++) {
        switch (*s) {
        case '&': gri_strbuf_adds(b, "&amp;"); break;
        case '"': gri_strbuf_adds(b, "&quot;"); break;
        case '<': gri_strbuf_adds(b, "&lt;"); break;
        case '>': gri_strbuf_adds(b, "&gt;"); break;
        default: gri_strbuf_addc(b, *s); break;
        }
    }
    gri_strbuf_fini(&plain);
}

/* print goes over the parts from..to; sections call it again, at most GRI_MUSTACHE_DEPTH_MAX deep. */
static void print(struct printer *p, size_t from, size_t to);

static void print_within(struct printer *p, const gr_value *scope, size_t from, size_t to)
{
    p->scopes[p->depth++] = scope;
    print(p, from, to);
    p->depth--;
}

static void print_section(struct printer *p, size_t at)
{
    const struct part *part = &p->m->parts[at];
    const gr_value *v = look_up(p, part);

    if (part->kind == INVERTED) {
        if (!holds(v))
            print(p, at + 1, part->end);
        return;
    }
    if (!holds(v))
        return;
    if (gr_value_type(v) != GR_LIST) {
        print_within(p, v, at + 1, part->end);
        return;
    }
    for (size_t i = 0; i < gr_len(v) && !p->b->failed; i++)
        print_within(p, gr_at(v, i), at + 1, part->end);
}

static void print(struct printer *p, size_t from, size_t to)
{
    for (size_t i = from; i < to && !p->b->failed; i++) {
        const struct part *part = &p->m->parts[i];

        if (++p->steps > GRI_MUSTACHE_STEPS_MAX)
            p->b->failed = true;
        switch (part->kind) {
        case TEXT: gri_strbuf_add(p->b, p->m->text + part->start, part->len); break;
        case VARIABLE: print_escaped(p->b, look_up(p, part)); break;
        case RAW: gri_print_value(p->b, look_up(p, part)); break;
        case SECTION:
        case INVERTED:
            print_section(p, i);
            i = part->end;
            break;
        case END: break;
        }
    }
}

void gri_mustache_print(const struct gri_mustache *m, const gr_value *vars, struct gri_strbuf *b)
{
    struct printer p = { .m = m, .b = b, .scopes = { vars }, .depth = 1 };

    print(&p, 0, m->count);
}
