/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sse.c - the parser works line by line: `line` holds only what was cut off at the end of a feed,
 * the other buffers the event so far. Keeping the buffers between events makes a long stream of
 * tokens cost no allocation.
 */
#include "runtime/http/sse.h"

#include <string.h>

#include "runtime/base/assert.h"

void gri_sse_init(struct gri_sse *s, size_t line_max, size_t event_max, gri_sse_event_fn *on_event,
                  void *arg)
{
    gri_assert(on_event != NULL);
    memset(s, 0, sizeof(*s));
    s->line_max = line_max != 0 ? line_max : GRI_SSE_LINE_MAX;
    s->event_max = event_max != 0 ? event_max : GRI_SSE_EVENT_MAX;
    s->on_event = on_event;
    s->arg = arg;
    s->retry_ms = -1;
}

void gri_sse_fini(struct gri_sse *s)
{
    gri_strbuf_fini(&s->line);
    gri_strbuf_fini(&s->name);
    gri_strbuf_fini(&s->data);
    gri_strbuf_fini(&s->id);
}

static gr_code fail(struct gri_sse *s, gr_value **reterr, gr_value *err)
{
    s->failed = GR_ENOMEM;
    if (reterr != NULL)
        *reterr = err;
    else
        gr_value_unref(err);
    return GR_ENOMEM;
}

static gr_code fail_again(struct gri_sse *s, gr_value **reterr)
{
    return fail(s, reterr, gr_error(s->failed, "event stream: it failed before"));
}

static gr_code fail_memory(struct gri_sse *s, gr_value **reterr)
{
    return fail(s, reterr, gr_error(GR_ENOMEM, "event stream: no memory"));
}

static gr_code fail_limit(struct gri_sse *s, gr_value **reterr, const char *what, size_t limit)
{
    return fail(s, reterr,
                gr_error(GR_ENOMEM, "event stream: %s of more than %zu bytes", what, limit));
}

/* dispatch gives out the event gathered so far, if any, and starts a new one.
 * Returns on_event's wish. */
static bool dispatch(struct gri_sse *s)
{
    struct gri_sse_event event;
    bool go_on = true;

    if (s->has_data || s->has_name) {
        event.name = s->has_name && s->name.len > 0 ? s->name.data
                     : s->is_error                  ? "error"
                                                    : "message";
        event.data = s->data.len > 0 ? s->data.data : "";
        event.data_len = s->data.len;
        event.has_data = s->has_data;
        event.id = s->id.len > 0 ? s->id.data : "";
        event.retry_ms = s->retry_ms;
        go_on = s->on_event(s->arg, &event);
    }
    gri_strbuf_clear(&s->name);
    gri_strbuf_clear(&s->data);
    s->has_data = s->has_name = s->is_error = false;
    s->retry_ms = -1;
    return go_on;
}

/* A retry that is not all digits is ignored, as the standard says; so is one of over 24 days. */
static void read_retry(struct gri_sse *s, const char *value, size_t len)
{
    int64_t ms = 0;

    for (size_t i = 0; i < len; i++) {
        if (value[i] < '0' || value[i] > '9' || ms > INT32_MAX)
            return;
        ms = ms * 10 + (value[i] - '0');
    }
    if (len > 0 && ms <= INT32_MAX)
        s->retry_ms = ms;
}

static void set_text(struct gri_strbuf *b, const char *value, size_t len)
{
    gri_strbuf_clear(b);
    gri_strbuf_add(b, value, len);
}

static bool is_field(const char *name, size_t len, const char *want)
{
    return strlen(want) == len && memcmp(name, want, len) == 0;
}

static void read_field(struct gri_sse *s, const char *name, size_t name_len, const char *value,
                       size_t len)
{
    bool is_error = is_field(name, name_len, "error");

    if (is_error || is_field(name, name_len, "data")) {
        if (s->has_data)
            gri_strbuf_addc(&s->data, '\n');
        gri_strbuf_add(&s->data, value, len);
        s->has_data = true;
        s->is_error = s->is_error || is_error;
    } else if (is_field(name, name_len, "event")) {
        set_text(&s->name, value, len);
        s->has_name = true;
    } else if (is_field(name, name_len, "id") && memchr(value, '\0', len) == NULL) {
        set_text(&s->id, value, len);
    } else if (is_field(name, name_len, "retry")) {
        read_retry(s, value, len);
    }
}

/* read_line takes one line without its end. *ret_go_on: what on_event said, true
 * if it wasn't called. */
static gr_code read_line(struct gri_sse *s, const char *line, size_t len, bool *ret_go_on,
                         gr_value **reterr)
{
    const char *colon = NULL, *value = NULL;

    *ret_go_on = true;
    if (len > s->line_max)
        return fail_limit(s, reterr, "a line", s->line_max);
    if (!s->begun && len >= 3 && memcmp(line, "\xEF\xBB\xBF", 3) == 0) {
        line += 3;
        len -= 3;
    }
    s->begun = true;
    if (len == 0) {
        *ret_go_on = dispatch(s);
        return GR_OK;
    }
    colon = memchr(line, ':', len);
    if (colon == line)
        return GR_OK;
    value = colon == NULL ? line + len : colon + 1;
    if (value < line + len && *value == ' ')
        value++;
    read_field(s, line, colon == NULL ? len : (size_t)(colon - line), value,
               (size_t)(line + len - value));
    if (s->name.failed || s->data.failed || s->id.failed)
        return fail_memory(s, reterr);
    if (s->name.len + s->data.len + s->id.len > s->event_max)
        return fail_limit(s, reterr, "an event", s->event_max);
    return GR_OK;
}

/* find returns where the next such byte is, len when there is none. */
static size_t find(const char *bytes, size_t from, size_t len, char byte)
{
    const char *at = memchr(bytes + from, byte, len - from);

    return at != NULL ? (size_t)(at - bytes) : len;
}

/* end_line reads the line that ends before `bytes + len`, joined to what an
 * earlier feed left of it. */
static gr_code end_line(struct gri_sse *s, const char *bytes, size_t len, bool *ret_go_on,
                        gr_value **reterr)
{
    gr_code rc = GR_OK;

    if (s->line.len == 0)
        return read_line(s, bytes, len, ret_go_on, reterr);
    gri_strbuf_add(&s->line, bytes, len);
    if (s->line.failed)
        return fail_memory(s, reterr);
    rc = read_line(s, s->line.data, s->line.len, ret_go_on, reterr);
    gri_strbuf_clear(&s->line);
    return rc;
}

/* keep_rest puts the start of a line away. It checks the limit, lest a line
 * without end fill the memory. */
static gr_code keep_rest(struct gri_sse *s, const char *bytes, size_t len, gr_value **reterr)
{
    if (s->line.len + len > s->line_max)
        return fail_limit(s, reterr, "a line", s->line_max);
    gri_strbuf_add(&s->line, bytes, len);
    return s->line.failed ? fail_memory(s, reterr) : GR_OK;
}

gr_code gri_sse_feed(struct gri_sse *s, const char *bytes, size_t len, size_t *ret_used,
                     gr_value **reterr)
{
    size_t used = 0, end = 0, feed = 0; /* feed: the next \n, which is not looked for twice */
    bool go_on = true, begun = false;
    gr_code rc = s->failed != GR_OK ? fail_again(s, reterr) : GR_OK;

    while (rc == GR_OK && go_on && used < len) {
        if (s->after_cr && bytes[used] == '\n') {
            s->after_cr = false;
            used++;
            continue;
        }
        s->after_cr = false;
        if (!begun || feed < used)
            feed = find(bytes, used, len, '\n');
        begun = true;
        end = find(bytes, used, feed, '\r');
        if (end == len) {
            rc = keep_rest(s, bytes + used, len - used, reterr);
            used = len;
            break;
        }
        s->after_cr = bytes[end] == '\r';
        rc = end_line(s, bytes + used, end - used, &go_on, reterr);
        used = end + 1;
    }
    if (ret_used != NULL)
        *ret_used = used;
    return rc;
}

gr_code gri_sse_end(struct gri_sse *s, gr_value **reterr)
{
    bool go_on = true;
    gr_code rc = GR_OK;

    if (s->failed != GR_OK)
        return fail_again(s, reterr);
    if (s->line.len > 0)
        rc = end_line(s, "", 0, &go_on, reterr);
    if (rc == GR_OK)
        dispatch(s);
    return rc;
}
