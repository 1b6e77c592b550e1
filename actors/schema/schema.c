/* SPDX-License-Identifier: Apache-2.0 */
/* schema.c - gr_schema: judging values against a schema that was read, and telling what is wrong. */
#include "actors/schema/schema.h"

#include <stdarg.h>
#include <string.h>

#include "actors/text/regex.h"
#include "runtime/base/alloc.h"
#include "runtime/base/utf8.h"

#define DEPTH_MAX 128
#define WORK_MAX 1000000
#define ERRORS_MAX 32
#define NODES_MAX 65536
#define SHOWN_MAX 200

/* ---- making ------------------------------------------------------------------------------------ */

void gr_schema_free(gr_schema *s)
{
    const struct gri_map_slot *slot;
    size_t at = 0;

    if (s == NULL)
        return;
    while ((slot = gri_map_next(&s->by_value, &at)) != NULL)
        gri_schema_node_free(slot->value);
    gri_map_fini(&s->by_value);
    gr_value_unref(s->v);
    gri_free(s);
}

gr_schema *gr_schema_new(gr_value *schema, const gr_schema_opts *opts, gr_value **reterr)
{
    static const gr_schema_opts none = { .size = sizeof(none) };
    const gr_schema_opts *o = opts != NULL ? opts : &none;
    struct gri_schema_reader r = { .nodes_max = o->nodes_max != 0 ? o->nodes_max : NODES_MAX };
    gr_schema *s = gri_new0(gr_schema);

    if (s == NULL) {
        gr_value_unref(schema);
        if (reterr != NULL)
            *reterr = gr_error(GR_ENOMEM, "out of memory for a schema");
        return NULL;
    }
    s->v = schema;
    s->depth_max = o->depth_max != 0 ? o->depth_max : DEPTH_MAX;
    s->work_max = o->work_max != 0 ? o->work_max : WORK_MAX;
    s->errors_max = o->errors_max != 0 ? o->errors_max : ERRORS_MAX;
    gri_map_init(&s->by_value, (uint64_t)(uintptr_t)s);
    r.s = s;
    if (gri_schema_read(&r))
        return s;
    gr_schema_free(s);
    if (reterr != NULL)
        *reterr = r.err;
    else
        gr_value_unref(r.err);
    return NULL;
}

const gr_value *gr_schema_value(const gr_schema *s)
{
    return s != NULL ? s->v : NULL;
}

/* ---- types --------------------------------------------------------------------------------------- */

unsigned gri_schema_types_of(const gr_value *v)
{
    double d;

    switch (gr_value_type(v)) {
    case GR_NIL: return GRI_IS_NULL;
    case GR_BOOL: return GRI_IS_BOOLEAN;
    case GR_INT: return GRI_IS_INTEGER | GRI_IS_NUMBER;
    case GR_REAL:
        d = gr_as_real(v, 0);
        if (!(d - d == 0)) /* NaN and infinities */
            return 0;
        return __builtin_trunc(d) == d ? GRI_IS_INTEGER | GRI_IS_NUMBER : GRI_IS_NUMBER;
    case GR_STR: return GRI_IS_STRING;
    case GR_LIST:
    case GR_FLOATS: return GRI_IS_ARRAY;
    case GR_MAP: return GRI_IS_OBJECT;
    default: return 0;
    }
}

const char *gri_schema_type_name(unsigned type)
{
    static const char *const names[] = { "null",   "boolean", "integer", "number",
                                         "string", "array",   "object" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if ((type & 1u << i) != 0)
            return names[i];
    return "something that JSON has not";
}

/* ---- judging --------------------------------------------------------------------------------------- */

/* stop ends the judging for a reason, which it takes. */
static bool stop(struct gri_schema_run *r, gr_value *why)
{
    if (r->why == NULL)
        r->why = why;
    else
        gr_value_unref(why);
    return false;
}

bool gri_schema_no_memory(struct gri_schema_run *r)
{
    return stop(r, gr_error(GR_ENOMEM, "out of memory for a schema's errors"));
}

static gr_value *limit(const char *what, size_t most)
{
    return gr_error_with(gr_error(GR_EFULL, "schema: %s, the limit is %zu", what, most), "kind",
                         gr_str("SchemaError"));
}

bool gri_schema_work(struct gri_schema_run *r, size_t steps)
{
    if (gri_schema_stopped(r))
        return false;
    if (r->work < steps)
        return stop(r, limit("the value takes too many steps", r->s->work_max));
    r->work -= steps;
    return true;
}

/* judge_map asks all checks of a node whose schema is a map. */
static bool judge_map(struct gri_schema_run *r, const struct gri_schema_node *n, const gr_value *v)
{
    unsigned types = gri_schema_types_of(v);
    bool holds = true;

    for (size_t i = 0; i < n->check_count; i++) {
        const struct gri_check *k = &n->checks[i];

        if ((k->word->types & types) == 0 && k->word->types != GRI_IS_ANY)
            continue;
        if (!gri_schema_work(r, 1))
            return false;
        if (k->word->holds(r, k, v))
            continue;
        holds = false;
        if (r->quiet > 0 || gri_schema_stopped(r) || gr_len(r->errors) >= r->s->errors_max)
            return false;
    }
    return holds;
}

bool gri_schema_judge(struct gri_schema_run *r, const struct gri_schema_node *n, const gr_value *v)
{
    static const struct gri_schema_word never = { "false", GRI_IS_ANY, NULL, NULL };
    const struct gri_check nothing = { .word = &never };
    bool holds;

    if (!gri_schema_work(r, 1))
        return false;
    if (gr_value_type(n->v) == GR_BOOL)
        return gr_as_bool(n->v, false) || gri_schema_wrong(r, &nothing, "nothing may be here");
    if (r->depth >= r->s->depth_max)
        return stop(r, limit("schemas within each other", r->s->depth_max));
    r->depth++;
    holds = judge_map(r, n, v);
    r->depth--;
    return holds;
}

/* add_key adds a key as JSON pointers have it. */
static void add_key(struct gri_strbuf *b, const char *key)
{
    gri_strbuf_addc(b, '/');
    for (; *key != '\0'; key++) {
        if (*key == '~')
            gri_strbuf_adds(b, "~0");
        else if (*key == '/')
            gri_strbuf_adds(b, "~1");
        else
            gri_strbuf_addc(b, *key);
    }
}

bool gri_schema_judge_at(struct gri_schema_run *r, const struct gri_schema_node *n,
                         const gr_value *v, const char *key, size_t index)
{
    size_t len = r->path.len;
    bool holds;

    if (r->quiet > 0)
        return gri_schema_judge(r, n, v);
    if (key != NULL)
        add_key(&r->path, key);
    else
        gri_strbuf_addf(&r->path, "/%zu", index);
    holds = gri_schema_judge(r, n, v);
    if (r->path.failed)
        return gri_schema_no_memory(r);
    r->path.len = len;
    return holds;
}

bool gri_schema_try(struct gri_schema_run *r, const struct gri_schema_node *n, const gr_value *v)
{
    bool holds;

    r->quiet++;
    holds = gri_schema_judge(r, n, v);
    r->quiet--;
    return holds;
}

bool gri_schema_matches(struct gri_schema_run *r, const struct gri_check *k, size_t index,
                        const char *text, size_t len)
{
    gr_value *err = NULL;
    gr_code rc;

    if (!gri_schema_work(r, 1 + len / 16))
        return false;
    rc = gri_regex_find(k->patterns[index], text, len, 0, NULL, 0, &err);
    if (rc != GR_OK && rc != GR_EOS)
        return stop(r, err);
    return rc == GR_OK;
}

int gri_schema_shown(const char *text)
{
    return (int)gri_utf8_valid_len(text, strnlen(text, SHOWN_MAX));
}

bool gri_schema_wrong(struct gri_schema_run *r, const struct gri_check *k, const char *fmt, ...)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *path, *message;
    va_list ap;

    if (r->quiet > 0 || gri_schema_stopped(r) || gr_len(r->errors) >= r->s->errors_max)
        return false;
    va_start(ap, fmt);
    gri_strbuf_vaddf(&b, fmt, ap);
    va_end(ap);
    if (b.failed) {
        gri_strbuf_fini(&b);
        return gri_schema_no_memory(r);
    }
    path = r->path.len > 0 ? gr_strn(r->path.data, r->path.len) : gr_str("");
    message = gr_strn(b.data, b.len);
    gri_strbuf_fini(&b);
    r->errors =
        gr_append(r->errors, gr_map(GR_KV("path", path), GR_KV("keyword", gr_str(k->word->name)),
                                    GR_KV("message", message)));
    if (gr_error_code(r->errors) != GR_OK)
        (void)stop(r, gr_value_ref(r->errors));
    return false;
}

gr_value *gr_schema_validate(const gr_schema *s, const gr_value *v)
{
    struct gri_schema_run r;

    if (s == NULL)
        return gr_error(GR_EINVAL, "no schema");
    if (v == NULL || (gr_value_type(v) == GR_ERROR && gr_error_code(v) != GR_OK))
        return v != NULL ? gr_value_ref(v) : gr_error(GR_EINVAL, "no value");
    r = (struct gri_schema_run){ .s = s, .errors = gr_list_n(NULL, 0), .work = s->work_max };
    (void)gri_schema_judge(&r, s->top, v);
    gri_strbuf_fini(&r.path);
    if (r.why == NULL)
        return r.errors;
    gr_value_unref(r.errors);
    return r.why;
}

gr_value *gr_schema_text(const gr_value *errors)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *text;

    if (gr_error_code(errors) != GR_OK)
        return errors != NULL ? gr_value_ref(errors) : gr_error(GR_EINVAL, "no value");
    for (size_t i = 0; i < gr_len(errors); i++) {
        const gr_value *e = gr_at(errors, i);
        const char *path = gr_cstr(gr_get(e, "path"), "");

        gri_strbuf_addf(&b, "%s%s%s%s", i > 0 ? "\n" : "", path, *path != '\0' ? ": " : "",
                        gr_cstr(gr_get(e, "message"), ""));
    }
    text = b.failed ? gr_error(GR_ENOMEM, "out of memory for a schema's errors")
                    : gr_strn(b.len > 0 ? b.data : "", b.len);
    gri_strbuf_fini(&b);
    return text;
}
