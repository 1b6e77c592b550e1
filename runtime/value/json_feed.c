/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_feed.c - see the header.
 *
 * Where the text can't go on as JSON what was read stays, as long as the brackets behind it are level: see
 * json_partial.c. Keys that are given twice count as a change even if the value is the same.
 */
#include "runtime/value/json_feed.h"

#include <string.h>

#include "runtime/base/assert.h"
#include "runtime/value/json.h"

enum want { VALUE, ITEM_OR_END, KEY_OR_END, KEY, COLON, COMMA_OR_END, NOTHING, LOST, OVER };
enum token { NO_TOKEN, TEXT_TOKEN, KEY_TOKEN, NUMBER_TOKEN, WORD_TOKEN };

#define NUMBER_BYTES_MAX 4096 /* a longer number is read when it has ended */

/* One piece of the text. */
struct piece {
    struct gri_json_feed *f;
    const char *text;
    size_t len;
};

void gri_json_feed_init(struct gri_json_feed *f)
{
    memset(f, 0, sizeof(*f));
    f->want = VALUE;
}

void gri_json_feed_fini(struct gri_json_feed *f)
{
    gri_json_tree_fini(&f->tree);
}

/* drop lets go of all that was read. */
static void drop(struct gri_json_feed *f)
{
    gri_json_tree_fini(&f->tree);
    f->token = NO_TOKEN;
}

static void over(struct gri_json_feed *f)
{
    drop(f);
    f->want = OVER;
}

/* ---- what is no JSON ------------------------------------------------------------------------- */

/* level follows the brackets, as rest_is_level in json_partial.c. */
static void level(struct gri_json_feed *f, char c)
{
    if (f->rest.broken)
        return;
    if (f->rest.in_text) {
        if (f->rest.escaped)
            f->rest.escaped = false;
        else if (c == '\\')
            f->rest.escaped = true;
        else if (c == '"')
            f->rest.in_text = false;
    } else if (c == '"') {
        f->rest.in_text = true;
    } else if (c == '{' || c == '[') {
        f->rest.broken = f->rest.depth == GR_DEPTH_MAX;
        if (!f->rest.broken)
            f->rest.open[f->rest.depth++] = c == '{' ? '}' : ']';
    } else if (c == '}' || c == ']') {
        f->rest.broken = f->rest.depth == 0 || f->rest.open[--f->rest.depth] != c;
    }
}

/* lose: at `from` the text can't go on; what stands before `good` was read. That is read once more, which
 * happens once. */
static bool lose(const struct piece *p, size_t from, size_t good)
{
    struct gri_json_feed *f = p->f;
    bool gone = f->tree.has_leaf && f->tree.seen;
    gr_value *v;

    drop(f);
    v = gr_json_partial(p->text, good, NULL);
    if (gr_error_code(v) != GR_OK) {
        gr_value_unref(v);
        return false;
    }
    f->tree.root = v;
    f->want = LOST;
    f->tree.changed |= gone;
    f->tree.grown = false;
    f->used = from;
    return true;
}

/* ---- tokens ---------------------------------------------------------------------------------- */

/* read_part begins a reader of a part of the text. */
static void read_part(struct gri_json *r, const char *text, size_t len)
{
    gr_decode_opts limits = gri_decode_opts(NULL);

    gri_json_init(r, text, len, &limits);
    r->partial = true;
}

/* grow_text adds to the text that is still coming. */
static bool grow_text(struct gri_json_feed *f, gr_value *more)
{
    if (gri_is_broken(more))
        return false;
    f->tree.grown |= gr_len(more) > 0;
    f->tree.leaf = gri_text_add(f->tree.leaf, more);
    return !gri_is_broken(f->tree.leaf);
}

/* escape_len is how long the escape at s is, as far as can be told. */
static size_t escape_len(const char *s, size_t len)
{
    if (len < 2 || s[1] != 'u')
        return 2;
    return len >= 4 && (s[2] | 0x20) == 'd' && strchr("89abAB", s[3]) != NULL ? 12 : 6;
}

/* read_escape reads the one at `used`; *ret_more: its end is still to come. False: see f->want. */
static bool read_escape(const struct piece *p, bool *ret_more)
{
    struct gri_json_feed *f = p->f;
    const char *s = p->text + f->used;
    size_t left = p->len - f->used, len = escape_len(s, left);
    char quoted[16] = "\"";
    struct gri_json r;
    gr_value *v = NULL;
    bool fine;

    *ret_more = left < len;
    if (*ret_more)
        len = left;
    memcpy(quoted + 1, s, len);
    read_part(&r, quoted, len + 1);
    fine = gri_json_text(&r, false, &v);
    gri_builder_fini(&r.b);
    if (!fine)
        return v == NULL && r.stop == GRI_JSON_BAD && lose(p, f->start, f->start);
    if (*ret_more ||
        (gr_len(v) == 0 && !gri_is_broken(v))) { /* nothing: a character was cut in its digits */
        gr_value_unref(v);
        return *ret_more || lose(p, f->start, f->start);
    }
    f->used += len;
    return grow_text(f, v);
}

/* read_text reads on in a text, up to its quote or the end of what has come. */
static bool read_text(const struct piece *p)
{
    struct gri_json_feed *f = p->f;
    bool more = false;

    while (f->used < p->len && !more && f->want != LOST) {
        const char *s = p->text + f->used;
        size_t len = 0;

        while (f->used + len < p->len && s[len] != '"' && s[len] != '\\')
            len++;
        if (len > 0 && !grow_text(f, gr_strn(s, len)))
            return false;
        f->used += len;
        if (f->used == p->len)
            break;
        if (s[len] == '"') {
            f->used++;
            gri_json_tree_end_leaf(&f->tree);
            f->token = NO_TOKEN;
            break;
        }
        if (!read_escape(p, &more))
            return false;
    }
    f->waits = more; /* it is looked at again when more of it has come */
    return true;
}

/* read_key looks for the end of a key, and reads it when it is there. */
static bool read_key(const struct piece *p)
{
    struct gri_json_feed *f = p->f;
    struct gri_json r;
    gr_value *key = NULL;
    bool ended = false, fine;

    while (f->used < p->len && !ended) {
        char c = p->text[f->used++];

        ended = c == '"' && !f->escaped;
        f->escaped = c == '\\' && !f->escaped;
    }
    if (!ended)
        return true;
    read_part(&r, p->text + f->start, f->used - f->start);
    fine = gri_json_text(&r, true, &key) && !gri_is_broken(key);
    gri_builder_fini(&r.b);
    if (!fine) {
        gr_value_unref(key);
        return key == NULL && r.stop == GRI_JSON_BAD && lose(p, f->start, f->start);
    }
    f->tree.open[f->tree.depth - 1].key = key;
    f->token = NO_TOKEN;
    f->want = COLON;
    return true;
}

/* take_number gives the leaf, or what becomes it, its value. */
static bool take_number(struct gri_json_feed *f, gr_value *v)
{
    if (!f->tree.has_leaf)
        return gri_json_tree_place_leaf(&f->tree, v);
    f->tree.grown |= !gr_equal(f->tree.leaf, v);
    gr_value_unref(f->tree.leaf);
    f->tree.leaf = v;
    return !gri_is_broken(v);
}

static bool read_number(const struct piece *p)
{
    struct gri_json_feed *f = p->f;
    struct gri_json r;
    gr_value *v = NULL;
    size_t end = f->used;
    bool fine;

    while (end < p->len && strchr("0123456789+-.eE", p->text[end]) != NULL && p->text[end] != '\0')
        end++;
    f->used = end;
    if (end == p->len && end - f->start > NUMBER_BYTES_MAX)
        return true;
    read_part(&r, p->text + f->start, p->len - f->start);
    r.end = end < p->len ? p->text + end + 1 : p->text + end; /* one more tells that it has ended */
    fine = gri_json_number(&r, &v);
    gri_builder_fini(&r.b);
    if (!fine && r.stop == GRI_JSON_BAD)
        return lose(p, (size_t)(r.p - p->text), f->start);
    if (!fine)
        return r.stop == GRI_JSON_END;
    if (!take_number(f, v))
        return false;
    if (r.p == p->text + p->len)
        return true; /* it may go on */
    f->used = (size_t)(r.p - p->text);
    gri_json_tree_end_leaf(&f->tree);
    f->token = NO_TOKEN;
    return true;
}

static bool read_word(const struct piece *p)
{
    static const char *const words[] = { "true", "false", "null" };
    struct gri_json_feed *f = p->f;
    const char *s = p->text + f->start;
    const char *word = words[s[0] == 't' ? 0 : s[0] == 'f' ? 1 : 2];
    size_t left = p->len - f->start, len = strlen(word);

    if (memcmp(s, word, left < len ? left : len) != 0)
        return lose(p, f->start, f->start);
    f->used = left < len ? p->len : f->start + len;
    if (left < len)
        return true;
    f->token = NO_TOKEN;
    f->tree.changed = true;
    return gri_json_tree_place(&f->tree, s[0] == 'n' ? gr_nil() : gr_bool(s[0] == 't'));
}

/* ---- one step -------------------------------------------------------------------------------- */

static bool open_container(struct gri_json_feed *f, bool map)
{
    f->used++;
    f->want = map ? KEY_OR_END : ITEM_OR_END;
    return gri_json_tree_open(&f->tree, map);
}

static bool close_container(struct gri_json_feed *f)
{
    bool fits = gri_json_tree_close(&f->tree);

    f->used++;
    f->want = f->tree.depth > 0 ? COMMA_OR_END : NOTHING;
    return fits;
}

static bool begin(struct gri_json_feed *f, enum token token)
{
    f->token = (int)token;
    f->start = f->used;
    if (token == TEXT_TOKEN || token == KEY_TOKEN)
        f->used++;
    f->escaped = false;
    if (token != KEY_TOKEN)
        f->want = f->tree.depth > 0 ? COMMA_OR_END : NOTHING;
    return token != TEXT_TOKEN || gri_json_tree_place_leaf(&f->tree, gr_str(""));
}

static bool begin_value(const struct piece *p, char c)
{
    struct gri_json_feed *f = p->f;

    switch (c) {
    case '{': return open_container(f, true);
    case '[': return open_container(f, false);
    case '"': return begin(f, TEXT_TOKEN);
    case 't':
    case 'f':
    case 'n': return begin(f, WORD_TOKEN);
    default: break;
    }
    if (c == '-' || (c >= '0' && c <= '9'))
        return begin(f, NUMBER_TOKEN);
    return lose(p, f->used, f->used);
}

static bool begin_key(const struct piece *p, char c)
{
    return c == '"' ? begin(p->f, KEY_TOKEN) : lose(p, p->f->used, p->f->used);
}

/* between reads what stands between tokens. */
static bool between(const struct piece *p)
{
    struct gri_json_feed *f = p->f;
    const char *s = gri_json_skip_space(p->text + f->used, p->text + p->len);
    bool map = f->tree.depth > 0 && f->tree.open[f->tree.depth - 1].map;
    char c;

    f->used = (size_t)(s - p->text);
    if (f->used == p->len)
        return true;
    c = *s;
    switch ((enum want)f->want) {
    case VALUE: return begin_value(p, c);
    case ITEM_OR_END: return c == ']' ? close_container(f) : begin_value(p, c);
    case KEY_OR_END: return c == '}' ? close_container(f) : begin_key(p, c);
    case KEY: return begin_key(p, c);
    case COLON:
        f->want = VALUE;
        f->used += c == ':';
        return c == ':' || lose(p, f->used, f->used);
    case COMMA_OR_END:
        if (c == (map ? '}' : ']'))
            return close_container(f);
        f->want = map ? KEY : VALUE;
        f->used += c == ',';
        return c == ',' || lose(p, f->used, f->used);
    case NOTHING:
        if (f->stops)
            f->used = p->len;
        return f->stops || lose(p, f->used, f->used);
    case LOST:
    case OVER: break;
    }
    return true;
}

static bool step(const struct piece *p)
{
    switch ((enum token)p->f->token) {
    case TEXT_TOKEN: return read_text(p);
    case KEY_TOKEN: return read_key(p);
    case NUMBER_TOKEN: return read_number(p);
    case WORD_TOKEN: return read_word(p);
    case NO_TOKEN: break;
    }
    return between(p);
}

/* read_on reads as far as it goes: to the end, or to an escape whose rest is still to come. */
static bool read_on(const struct piece *p)
{
    struct gri_json_feed *f = p->f;

    f->waits = false;
    if (f->used == 0)
        f->used = gri_json_mark(p->text, p->len);
    while (f->used < p->len && f->want != LOST && !f->waits)
        if (!step(p))
            return false;
    return true;
}

gr_value *gri_json_feed(struct gri_json_feed *f, const char *text, size_t len, bool *ret_changed)
{
    struct piece p = { f, text, len };
    bool level_now;

    if (f->want != OVER && f->want != LOST && f->used < len &&
        (!gri_json_tree_take_apart(&f->tree) || !read_on(&p) ||
         (f->want != LOST && !gri_json_tree_put_together(&f->tree))))
        over(f);
    for (; f->want == LOST && f->used < len; f->used++)
        level(f, text[f->used]);
    level_now = f->want != LOST || (!f->rest.broken && f->rest.depth == 0);
    if (ret_changed != NULL)
        *ret_changed = false;
    if (f->want == OVER)
        return gr_error(GR_ENOMEM, "JSON above a limit, or out of memory");
    if (gr_is_nil(f->tree.root) || !level_now)
        return gr_nil();
    if (ret_changed != NULL)
        *ret_changed = f->tree.changed || f->tree.grown;
    f->tree.changed = f->tree.grown = false;
    f->tree.seen = f->tree.has_leaf;
    return gr_value_ref(f->tree.root);
}
