/* SPDX-License-Identifier: Apache-2.0 */
/* text_json.c - see the header. What is in the fence is read only once the whole text gives nothing. */
#include "actors/parse/text_json.h"

#include <string.h>

#include <greenroom/codec.h>

#include "actors/parse/parsing.h"

#define FENCE "```"
#define FENCE_LEN 3

void gri_text_json_init(struct gri_text_json *t, size_t bytes_max)
{
    *t = (struct gri_text_json){ .text.max = bytes_max, .start = SIZE_MAX, .inside = SIZE_MAX };
    gri_json_feed_init(&t->whole);
    gri_json_feed_init(&t->fenced);
    t->fenced.stops = true;
}

void gri_text_json_fini(struct gri_text_json *t)
{
    gri_json_feed_fini(&t->whole);
    gri_json_feed_fini(&t->fenced);
    gri_strbuf_fini(&t->text);
}

/* is_around tells whether a letter does not count where JSON begins or ends. */
static bool is_around(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '`';
}

/* first gives where JSON begins from there on; SIZE_MAX: nowhere yet. */
static size_t first(const struct gri_text_json *t, size_t from)
{
    while (from < t->text.len && is_around(t->text.data[from]))
        from++;
    return from < t->text.len ? from : SIZE_MAX;
}

/* find_inside finds where the fence's inside begins: behind ``` or ```json. */
static size_t find_inside(struct gri_text_json *t)
{
    const char *fence = strstr(t->text.data + t->looked, FENCE);
    size_t at, left;

    if (fence == NULL) {
        if (t->text.len >= t->looked + FENCE_LEN)
            t->looked = t->text.len - (FENCE_LEN - 1);
        return SIZE_MAX;
    }
    t->looked = (size_t)(fence - t->text.data);
    at = t->looked + FENCE_LEN;
    left = t->text.len - at;
    if (left < 4 && memcmp(t->text.data + at, "json", left) == 0)
        return SIZE_MAX; /* it may be the word yet */
    return first(t, at + (strncmp(t->text.data + at, "json", 4) == 0 ? 4 : 0));
}

/* read_part reads what begins at *at, as far as it has come; nil: nothing can be read. */
static gr_value *read_part(const struct gri_text_json *t, struct gri_json_feed *feed, size_t at,
                           bool *ret_changed)
{
    size_t end = t->text.len;

    if (at == SIZE_MAX)
        return gr_nil();
    while (end > at && is_around(t->text.data[end - 1]))
        end--;
    return gri_json_feed(feed, t->text.data + at, end - at, ret_changed);
}

static gr_value *read_all(struct gri_text_json *t)
{
    bool changed = false, fence = false;
    gr_value *v;

    if (t->start == SIZE_MAX)
        t->start = first(t, 0);
    v = read_part(t, &t->whole, t->start, &changed);
    if (gr_is_nil(v) && gr_error_code(v) == GR_OK) {
        fence = true;
        if (t->inside == SIZE_MAX)
            t->inside = find_inside(t);
        v = read_part(t, &t->fenced, t->inside, &changed);
    }
    if (gr_error_code(v) != GR_OK)
        return v;
    if (!gr_is_nil(v)) {
        if (fence != t->in_fence)
            changed = true;
        t->in_fence = fence;
        if (changed)
            return v;
    }
    gr_value_unref(v);
    return NULL;
}

gr_value *gri_text_json_add(struct gri_text_json *t, const char *more)
{
    gri_strbuf_adds(&t->text, more);
    if (t->text.failed)
        return gr_error(GR_ENOMEM, "too much text for a JSON parser");
    return t->text.len > 0 ? read_all(t) : NULL;
}

size_t gri_text_json_values(const struct gri_text_json *t)
{
    return t->in_fence ? t->fenced.tree.values : t->whole.tree.values;
}

/* ---- a whole text ---------------------------------------------------------------------------- */

/* read_rest reads a text that is more, or less, than one JSON value; NULL: there is nothing to read in it. */
static gr_value *read_rest(const char *text)
{
    struct gri_text_json t;
    gr_value *v;

    gri_text_json_init(&t, GRI_PARSER_BYTES_MAX);
    v = gri_text_json_add(&t, text);
    gri_text_json_fini(&t);
    return v;
}

gr_value *gri_json_in(const gr_value *text)
{
    const char *s = gr_cstr(text, "");
    gr_value *v = gr_json_parse(s, gr_len(text), NULL);

    if (gr_error_code(v) != GR_EINVAL)
        return v;
    gr_value_unref(v);
    v = read_rest(s);
    return v != NULL ? v : gri_parse_error(text, "Invalid json output: %.200s", s);
}
