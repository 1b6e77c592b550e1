/* SPDX-License-Identifier: Apache-2.0 */
/* json_parse.c - reading JSON text (RFC 8259). Strings and numbers: json_text.c, json_number.c. */
#include "runtime/value/json.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/assert.h"

enum state {
    WANT_VALUE,
    WANT_ITEM_OR_END, /* right behind '[' */
    WANT_KEY_OR_END,  /* right behind '{' */
    WANT_KEY,
    WANT_COMMA_OR_END,
    STOPPED
};

const char *gri_json_skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
        p++;
    return p;
}

bool gri_json_stopped(struct gri_json *r, enum gri_json_stop stop, const char *at, const char *what,
                      const char *expected)
{
    r->stop = stop;
    r->p = at;
    r->what = what;
    r->expected = expected;
    return false;
}

static enum state stop_at(struct gri_json *r, enum gri_json_stop stop, const char *expected)
{
    gri_json_stopped(r, stop, r->p, NULL, expected);
    return STOPPED;
}

static enum state stop_limit(struct gri_json *r)
{
    gri_json_stopped(r, GRI_JSON_LIMIT, r->p, r->b.problem_text, NULL);
    return STOPPED;
}

/* ---- one step of each kind ------------------------------------------------------------------- */

static enum state push(struct gri_json *r, gr_value *v)
{
    return gri_builder_push(&r->b, v) ? WANT_COMMA_OR_END : stop_limit(r);
}

/* word reads true, false or null. Cut off by the end of the text it says END, so that a partial
 * reading can tell "tru" from "trx". */
static enum state word(struct gri_json *r, const char *name, size_t len, gr_value *v)
{
    size_t left = (size_t)(r->end - r->p);

    if (left < len && memcmp(r->p, name, left) == 0) {
        r->p = r->end;
        return stop_at(r, GRI_JSON_END, name);
    }
    if (left < len || memcmp(r->p, name, len) != 0)
        return stop_at(r, GRI_JSON_BAD, "a value");
    r->p += len;
    return push(r, v);
}

static enum state open_container(struct gri_json *r, bool map)
{
    if (!gri_builder_open(&r->b, map, 0))
        return stop_limit(r);
    r->p++;
    return map ? WANT_KEY_OR_END : WANT_ITEM_OR_END;
}

static enum state close_container(struct gri_json *r)
{
    r->p++;
    return gri_builder_close(&r->b, NULL) ? WANT_COMMA_OR_END : stop_limit(r);
}

static enum state value(struct gri_json *r, const char *expected)
{
    gr_value *v = NULL;

    switch (*r->p) {
    case '{': return open_container(r, true);
    case '[': return open_container(r, false);
    case '"': return gri_json_text(r, false, &v) ? push(r, v) : STOPPED;
    case 't': return word(r, "true", 4, gr_bool(true));
    case 'f': return word(r, "false", 5, gr_bool(false));
    case 'n': return word(r, "null", 4, gr_nil());
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': return gri_json_number(r, &v) ? push(r, v) : STOPPED;
    default: return stop_at(r, GRI_JSON_BAD, expected);
    }
}

static enum state key(struct gri_json *r, const char *expected)
{
    gr_value *k = NULL;

    if (*r->p != '"')
        return stop_at(r, GRI_JSON_BAD, expected);
    if (!gri_json_text(r, true, &k))
        return STOPPED;
    if (!gri_builder_push_key(&r->b, k))
        return stop_limit(r);
    r->p = gri_json_skip_space(r->p, r->end);
    if (r->p == r->end)
        return stop_at(r, GRI_JSON_END, "':'");
    if (*r->p != ':')
        return stop_at(r, GRI_JSON_BAD, "':'");
    r->p++;
    return WANT_VALUE;
}

static enum state comma_or_end(struct gri_json *r)
{
    const struct gri_frame *f = gri_builder_frame(&r->b);
    bool map;

    gri_assert(f != NULL); /* step has seen to that */
    map = f->map;
    if (*r->p == ',') {
        r->p++;
        return map ? WANT_KEY : WANT_VALUE;
    }
    if (*r->p == (map ? '}' : ']'))
        return close_container(r);
    return stop_at(r, GRI_JSON_BAD, map ? "',' or '}'" : "',' or ']'");
}

static const char *expected_in(const struct gri_json *r, enum state state)
{
    const struct gri_frame *f = gri_builder_frame(&r->b);

    switch (state) {
    case WANT_ITEM_OR_END: return "a value or ']'";
    case WANT_KEY_OR_END: return "a key in quotes or '}'";
    case WANT_KEY: return "a key in quotes";
    case WANT_COMMA_OR_END: return f != NULL && f->map ? "',' or '}'" : "',' or ']'";
    case WANT_VALUE:
    case STOPPED: break;
    }
    return "a value";
}

static enum state step(struct gri_json *r, enum state state)
{
    if (state == WANT_COMMA_OR_END && r->b.depth == 0)
        return stop_at(r, GRI_JSON_DONE, "the end of the text");
    r->p = gri_json_skip_space(r->p, r->end);
    if (r->p == r->end)
        return stop_at(r, GRI_JSON_END, expected_in(r, state));
    switch (state) {
    case WANT_ITEM_OR_END:
        if (*r->p == ']')
            return close_container(r);
        break;
    case WANT_KEY_OR_END: return *r->p == '}' ? close_container(r) : key(r, expected_in(r, state));
    case WANT_KEY: return key(r, expected_in(r, state));
    case WANT_COMMA_OR_END: return comma_or_end(r);
    case WANT_VALUE:
    case STOPPED: break;
    }
    return value(r, expected_in(r, state));
}

void gri_json_init(struct gri_json *r, const char *text, size_t len, const gr_decode_opts *opts)
{
    r->text = r->p = text;
    r->end = text + len;
    r->in_text = NULL;
    r->controls = opts->control_characters;
    r->partial = false;
    r->stop = GRI_JSON_END;
    r->what = r->expected = NULL;
    gri_builder_init(&r->b, opts);
}

size_t gri_json_mark(const char *text, size_t len)
{
    return len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

void gri_json_run(struct gri_json *r)
{
    enum state state = WANT_VALUE;

    while (state != STOPPED)
        state = step(r, state);
}

/* ---- errors ---------------------------------------------------------------------------------- */

/* Columns count characters, not bytes, as editors do. */
static void position_of(const struct gri_json *r, size_t *ret_line, size_t *ret_column)
{
    size_t line = 1, column = 1;

    for (const char *p = r->text; p < r->p; p++) {
        if (*p == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)*p & 0xc0) != 0x80) {
            column++;
        }
    }
    *ret_line = line;
    *ret_column = column;
}

gr_value *gri_json_error(const struct gri_json *r)
{
    char found[32] = "";
    size_t line, column;

    position_of(r, &line, &column);
    if (r->stop == GRI_JSON_LIMIT)
        return gr_error(GR_ENOMEM, "line %zu, column %zu: %s", line, column, r->b.problem_text);
    if (r->what != NULL)
        return gr_error(GR_EINVAL, "line %zu, column %zu: %s, expected %s", line, column, r->what,
                        r->expected);
    if (r->p >= r->end)
        snprintf(found, sizeof(found), "the text ends");
    else if (*r->p > ' ' && *r->p < 0x7f)
        snprintf(found, sizeof(found), "found '%c'", *r->p);
    else
        snprintf(found, sizeof(found), "found byte 0x%02x", (unsigned)(unsigned char)*r->p);
    return gr_error(GR_EINVAL, "line %zu, column %zu: %s, expected %s", line, column, found,
                    r->expected);
}

gr_value *gr_json_parse(const char *text, size_t len, const gr_decode_opts *opts)
{
    gr_decode_opts limits = gri_decode_opts(opts);
    struct gri_json r;
    gr_value *v;

    if (text == NULL)
        return gr_error(GR_EINVAL, "no text");
    if (len > limits.bytes_max)
        return gr_error(GR_ENOMEM, "%zu bytes of JSON, the limit is %zu", len, limits.bytes_max);
    gri_json_init(&r, text, len, &limits);
    r.p = r.text = text + gri_json_mark(text, len);
    gri_json_run(&r);
    if (r.stop == GRI_JSON_DONE) {
        r.p = gri_json_skip_space(r.p, r.end);
        if (r.p != r.end)
            r.stop = GRI_JSON_BAD;
    }
    v = r.stop == GRI_JSON_DONE ? gri_builder_take(&r.b) : gri_json_error(&r);
    gri_builder_fini(&r.b);
    return v;
}
