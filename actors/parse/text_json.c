/* SPDX-License-Identifier: Apache-2.0 */
/* text_json.c - see the header. What is in the fence is read only once the whole text gives nothing. */
#include "actors/parse/text_json.h"

#include <string.h>

#define FENCE "```"
#define FENCE_LEN 3

void gri_text_json_init(struct gri_text_json *t, size_t bytes_max)
{
    *t = (struct gri_text_json){ .text.max = bytes_max, .start = SIZE_MAX, .end = SIZE_MAX };
    gri_json_feed_init(&t->whole);
    gri_json_feed_init(&t->fenced);
}

void gri_text_json_fini(struct gri_text_json *t)
{
    gri_json_feed_fini(&t->whole);
    gri_json_feed_fini(&t->fenced);
    gri_strbuf_fini(&t->text);
}

/* find looks for a fence in what has come since; its position, or SIZE_MAX. */
static size_t find(struct gri_text_json *t)
{
    const char *at = strstr(t->text.data + t->looked, FENCE);

    if (at != NULL)
        return (size_t)(at - t->text.data);
    if (t->text.len >= t->looked + FENCE_LEN)
        t->looked = t->text.len - (FENCE_LEN - 1);
    return SIZE_MAX;
}

/* find_start finds where the fence's inside begins: behind ``` or ```json. */
static void find_start(struct gri_text_json *t)
{
    size_t at = find(t), left;

    if (at == SIZE_MAX)
        return;
    at += FENCE_LEN;
    left = t->text.len - at;
    if (left < 4 && memcmp(t->text.data + at, "json", left) == 0)
        return; /* it may be the word yet */
    t->start = t->looked = at + (strncmp(t->text.data + at, "json", 4) == 0 ? 4 : 0);
}

/* read_fence reads what is in the fence; nil: nothing can be read. */
static gr_value *read_fence(struct gri_text_json *t, bool ended, bool *ret_changed)
{
    size_t end;

    if (t->start == SIZE_MAX)
        find_start(t);
    if (t->start == SIZE_MAX)
        return gr_nil();
    if (t->end == SIZE_MAX)
        t->end = find(t);
    end = t->end != SIZE_MAX ? t->end : t->text.len;
    while (t->end == SIZE_MAX && !ended && end > t->start && t->text.data[end - 1] == '`')
        end--;
    return gri_json_feed(&t->fenced, t->text.data + t->start, end - t->start, ret_changed);
}

static gr_value *read_all(struct gri_text_json *t, bool ended)
{
    bool changed = false, fence = false;
    gr_value *v = gri_json_feed(&t->whole, t->text.data, t->text.len, &changed);

    if (gr_is_nil(v) || gr_error_code(v) != GR_OK) {
        gr_value_unref(v);
        fence = true;
        v = read_fence(t, ended, &changed);
    }
    if (!gr_is_nil(v) && gr_error_code(v) == GR_OK) {
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
    return t->text.len > 0 ? read_all(t, false) : NULL;
}

gr_value *gri_text_json_end(struct gri_text_json *t)
{
    return t->text.len > 0 ? read_all(t, true) : NULL;
}
