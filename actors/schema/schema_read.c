/* SPDX-License-Identifier: Apache-2.0 */
/* schema_read.c - from a schema's value to nodes and checks. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "actors/schema/schema.h"
#include "actors/text/regex.h"
#include "runtime/base/alloc.h"

/* A path is for people, and each node that is still to be read has one. */
#define POINTER_MAX 200
#define POINTER_KEY_MAX 64
#define STEPS_MAX 10000000 /* of looking for anchors, over all refs */

void gri_schema_node_free(struct gri_schema_node *n)
{
    for (size_t i = 0; i < n->check_count; i++) {
        struct gri_check *k = &n->checks[i];

        for (size_t j = 0; j < k->pattern_count; j++)
            gri_regex_free(k->patterns[j]);
        gri_free(k->patterns);
        gri_free(k->subs);
    }
    gri_free(n->checks);
    gri_free(n->path);
    gri_free(n);
}

/* ---- what goes wrong ---------------------------------------------------------------------------- */

static bool no_memory(struct gri_schema_reader *r)
{
    if (r->err == NULL)
        r->err = gr_error(GR_ENOMEM, "out of memory for a schema");
    return false;
}

static bool refuse_at(struct gri_schema_reader *r, const char *path, const char *word,
                      const char *text)
{
    if (r->err != NULL)
        return false;
    r->err = gr_error(GR_EINVAL, "schema: %s%s%s: %s", path, word != NULL ? "/" : "",
                      word != NULL    ? word
                      : *path == '\0' ? "/"
                                      : "",
                      text);
    r->err = gr_error_with(r->err, "kind", gr_str("SchemaError"));
    return false;
}

bool gri_schema_refuse(struct gri_schema_reader *r, const struct gri_check *k, const char *fmt, ...)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    va_list ap;

    va_start(ap, fmt);
    gri_strbuf_vaddf(&b, fmt, ap);
    va_end(ap);
    if (b.failed)
        (void)no_memory(r);
    else
        (void)refuse_at(r, k->node->path, k->word->name, b.data);
    gri_strbuf_fini(&b);
    return false;
}

/* ---- nodes ---------------------------------------------------------------------------------------- */

static uint64_t key_of(const gr_value *v)
{
    return (uint64_t)(uintptr_t)v;
}

static bool add_pending(struct gri_schema_reader *r, struct gri_schema_node *n)
{
    if (r->pending_count == r->pending_cap) {
        size_t cap = r->pending_cap == 0 ? 16 : 2 * r->pending_cap;
        struct gri_schema_node **more = gri_resize(r->pending, cap * sizeof(*more));

        if (more == NULL)
            return no_memory(r);
        r->pending = more;
        r->pending_cap = cap;
    }
    r->pending[r->pending_count++] = n;
    return true;
}

/* make_node makes the node of a schema that has none yet; takes the path. */
static struct gri_schema_node *make_node(struct gri_schema_reader *r, const gr_value *v,
                                         const gr_value *root, char *path)
{
    struct gri_schema_node *n = path != NULL ? gri_new0(struct gri_schema_node) : NULL;

    if (n == NULL || !gri_map_put(&r->s->by_value, key_of(v), n)) {
        gri_free(n);
        gri_free(path);
        (void)no_memory(r);
        return NULL;
    }
    *n = (struct gri_schema_node){ .v = v, .root = root, .path = path };
    if (gr_value_type(gr_get(v, "$id")) == GR_STR && gr_cstr(gr_get(v, "$id"), "")[0] != '#')
        n->root = v;
    return add_pending(r, n) ? n : NULL;
}

/* node_of finds the node of a schema, or makes it; takes the path. */
static struct gri_schema_node *node_of(struct gri_schema_reader *r, const gr_value *v,
                                       const gr_value *root, char *path)
{
    struct gri_schema_node *n = gri_map_get(&r->s->by_value, key_of(v));

    if (n != NULL) {
        gri_free(path);
        return n;
    }
    if (path != NULL && gr_value_type(v) != GR_MAP && gr_value_type(v) != GR_BOOL) {
        (void)refuse_at(r, path, NULL, "a schema must be a map, true or false");
        gri_free(path);
        return NULL;
    }
    if (r->s->by_value.count < r->nodes_max)
        return make_node(r, v, root, path);
    if (r->err == NULL)
        r->err =
            gr_error_with(gr_error(GR_EFULL, "schema: more than %zu schemas in it", r->nodes_max),
                          "kind", gr_str("SchemaError"));
    gri_free(path);
    return NULL;
}

/* ---- what checks are made of ------------------------------------------------------------------------ */

/* grow makes room for one more pointer in an array that has `count`. */
static void *grow(void *array, size_t count)
{
    if ((count & (count - 1)) != 0)
        return array; /* the room doubles at each power of two */
    return gri_resize(array, (count == 0 ? 1 : 2 * count) * sizeof(void *));
}

static bool add_sub(struct gri_schema_reader *r, struct gri_check *k, struct gri_schema_node *n)
{
    struct gri_schema_node **subs = grow(k->subs, k->sub_count);

    if (subs == NULL)
        return no_memory(r);
    k->subs = subs;
    k->subs[k->sub_count++] = n;
    return true;
}

bool gri_schema_sub_none(struct gri_schema_reader *r, struct gri_check *k)
{
    return add_sub(r, k, NULL);
}

bool gri_schema_sub(struct gri_schema_reader *r, struct gri_check *k, const gr_value *v,
                    const char *key, size_t index)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    struct gri_schema_node *n;

    gri_strbuf_adds(&b, k->node->path);
    if (b.len < POINTER_MAX) {
        gri_strbuf_addf(&b, "/%s", k->word->name);
        if (key != NULL)
            gri_strbuf_addf(&b, "/%.*s", POINTER_KEY_MAX, key);
        if (index != SIZE_MAX)
            gri_strbuf_addf(&b, "/%zu", index);
    }
    n = node_of(r, v, k->node->root, gri_strbuf_take(&b));
    return n != NULL ? add_sub(r, k, n) : r->err == NULL ? no_memory(r) : false;
}

bool gri_schema_pattern(struct gri_schema_reader *r, struct gri_check *k, const char *text,
                        size_t len)
{
    struct gri_regex **patterns = grow(k->patterns, k->pattern_count);
    gr_value *err = NULL;

    if (patterns == NULL)
        return no_memory(r);
    k->patterns = patterns;
    if (gri_regex_new(text, len, GRI_REGEX_ECMA, &k->patterns[k->pattern_count], &err) == GR_OK) {
        k->pattern_count++;
        return true;
    }
    if (gr_error_code(err) == GR_ENOMEM)
        (void)no_memory(r);
    else
        (void)gri_schema_refuse(r, k, "%s", gr_error_text(err));
    gr_value_unref(err);
    return false;
}

/* ---- refs ------------------------------------------------------------------------------------------- */

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* add_part reads a part of a pointer in a URI, up to the next slash, and returns where that is. */
static const char *add_part(struct gri_strbuf *b, const char *p)
{
    for (; *p != '\0' && *p != '/'; p++) {
        int high = *p == '%' ? hex_of(p[1]) : -1, low = high >= 0 ? hex_of(p[2]) : -1;
        char c = *p;

        if (low >= 0) {
            c = (char)(high * 16 + low);
            p += 2;
        }
        gri_strbuf_addc(b, c);
    }
    return p;
}

/* unescape reads ~0 and ~1 in place. */
static void unescape(char *s)
{
    char *to = s;

    for (; *s != '\0'; s++) {
        if (s[0] == '~' && (s[1] == '0' || s[1] == '1'))
            *to++ = *++s == '0' ? '~' : '/';
        else
            *to++ = *s;
    }
    *to = '\0';
}

static const gr_value *child(const gr_value *v, const char *name)
{
    char *end = NULL;
    unsigned long index;

    if (gr_value_type(v) != GR_LIST)
        return gr_get(v, name);
    index = strtoul(name, &end, 10);
    return *name >= '0' && *name <= '9' && *end == '\0' ? gr_at(v, index) : NULL;
}

/* find_pointer follows "/a/0". */
static const gr_value *find_pointer(struct gri_schema_reader *r, const gr_value *v,
                                    const char *pointer)
{
    struct gri_strbuf part = GRI_STRBUF_INIT;

    while (v != NULL && *pointer == '/') {
        gri_strbuf_clear(&part);
        gri_strbuf_add(&part, "", 0);
        pointer = add_part(&part, pointer + 1);
        if (part.len > 0)
            unescape(part.data);
        v = child(v, part.len > 0 ? part.data : "");
        if (part.failed)
            (void)no_memory(r);
    }
    gri_strbuf_fini(&part);
    return *pointer == '\0' ? v : NULL;
}

/* find_anchor looks for {"$anchor": name} all over; a value's depth is bounded. */
static const gr_value *find_anchor(struct gri_schema_reader *r, const gr_value *v, const char *name)
{
    const gr_value *found = NULL;
    const char *key = NULL;
    size_t count = gr_value_type(v) == GR_MAP || gr_value_type(v) == GR_LIST ? gr_len(v) : 0;

    if (++r->steps > STEPS_MAX)
        return NULL;
    if (gr_value_type(v) == GR_MAP && strcmp(gr_cstr(gr_get(v, "$anchor"), ""), name) == 0)
        return v;
    for (size_t i = 0; i < count && found == NULL; i++)
        found =
            find_anchor(r, gr_value_type(v) == GR_MAP ? gr_pair_at(v, i, &key) : gr_at(v, i), name);
    return found;
}

bool gri_schema_ref(struct gri_schema_reader *r, struct gri_check *k)
{
    const gr_value *root = k->node->root, *to = NULL;
    const char *ref = gr_cstr(k->arg, NULL), *id = gr_cstr(gr_get(root, "$id"), "");
    size_t id_len = strcspn(id, "#");
    struct gri_schema_node *n;

    if (ref == NULL)
        return gri_schema_refuse(r, k, "must be a text");
    if (id_len > 0 && strncmp(ref, id, id_len) == 0 && (ref[id_len] == '#' || ref[id_len] == '\0'))
        ref += id_len;
    if (*ref != '#' && *ref != '\0')
        return gri_schema_refuse(
            r, k, "'%s' is not in this schema, and nothing is fetched; refs begin with #", ref);
    ref += *ref == '#';
    to = *ref == '\0' || *ref == '/' ? find_pointer(r, root, ref) : find_anchor(r, root, ref);
    if (to == NULL || r->err != NULL)
        return gri_schema_refuse(r, k, "there is no '#%s'", ref);
    ref = gr_cstr(k->arg, "");
    n = node_of(r, to, root, gri_strndup(ref, strnlen(ref, POINTER_MAX)));
    return n != NULL ? add_sub(r, k, n) : r->err == NULL ? no_memory(r) : false;
}

/* ---- reading ------------------------------------------------------------------------------------------ */

/* read_word makes the check of a word that the node has. */
static bool read_word(struct gri_schema_reader *r, struct gri_schema_node *n,
                      const struct gri_schema_word *word, const gr_value *arg)
{
    struct gri_check *k = &n->checks[n->check_count];

    *k = (struct gri_check){ .word = word, .node = n, .arg = arg };
    n->check_count++; /* first, so that what was made is freed with it */
    return word->read == NULL || word->read(r, k);
}

/* read_node reads the words of one schema. Those of the first pass are counted only. */
static bool read_node(struct gri_schema_reader *r, struct gri_schema_node *n)
{
    size_t count, has = 0;
    const struct gri_schema_word *words = gri_schema_words(&count);

    if (gr_value_type(n->v) != GR_MAP)
        return true;
    for (size_t i = 0; i < count; i++)
        has += gr_get(n->v, words[i].name) != NULL;
    if (has == 0)
        return true;
    n->checks = gri_alloc_array(has, sizeof(*n->checks));
    if (n->checks == NULL)
        return no_memory(r);
    for (size_t i = 0; i < count; i++) {
        const gr_value *arg = gr_get(n->v, words[i].name);

        if (arg != NULL && !read_word(r, n, &words[i], arg))
            return false;
    }
    return true;
}

bool gri_schema_read(struct gri_schema_reader *r)
{
    bool ok;

    if (gr_error_code(r->s->v) != GR_OK) {
        r->err = r->s->v != NULL ? gr_value_ref(r->s->v) : gr_error(GR_EINVAL, "no value");
        return false;
    }
    r->s->top = node_of(r, r->s->v, r->s->v, gri_strdup(""));
    ok = r->s->top != NULL || (r->err == NULL ? no_memory(r) : false);
    while (ok && r->pending_count > 0) {
        struct gri_schema_node *n = r->pending[--r->pending_count];

        ok = read_node(r, n);
        gri_free(n->path);
        n->path = NULL;
    }
    gri_free(r->pending);
    return ok;
}
