/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value_error.c - error values, and the broken ones.
 *
 * An error that somebody reports must not turn into a lesser one on its way. So a field that can't
 * be set (out of memory, a bad value, too deep) is left out, and the error stays what it was; and
 * bytes in its text that are not UTF-8 become '?'.
 */
#include "runtime/value/fixed.h"
#include "runtime/value/value.h"

#include <string.h>

#include "runtime/base/assert.h"

/* ---- static nodes ---------------------------------------------------------------------------- */

static struct {
    gr_code code;
    struct gri_fixed_text name;
} codes[] = {
    { GR_ENOMEM, GRI_FIXED("GR_ENOMEM") },
    { GR_EINVAL, GRI_FIXED("GR_EINVAL") },
    { GR_ETYPE, GRI_FIXED("GR_ETYPE") },
    { GR_ETIMEDOUT, GRI_FIXED("GR_ETIMEDOUT") },
    { GR_ECANCELED, GRI_FIXED("GR_ECANCELED") },
    { GR_EDEAD, GRI_FIXED("GR_EDEAD") },
    { GR_EBROKEN, GRI_FIXED("GR_EBROKEN") },
    { GR_EFULL, GRI_FIXED("GR_EFULL") },
    { GR_EUNREACH, GRI_FIXED("GR_EUNREACH") },
    { GR_EPROTO, GRI_FIXED("GR_EPROTO") },
    { GR_EREMOTE, GRI_FIXED("GR_EREMOTE") },
    { GR_ERATE, GRI_FIXED("GR_ERATE") },
    { GR_EPENDING, GRI_FIXED("GR_EPENDING") },
    { GR_EOS, GRI_FIXED("GR_EOS") },
    { GR_EDEADLK, GRI_FIXED("GR_EDEADLK") },
    { GR_EINTR, GRI_FIXED("GR_EINTR") },
    { GR_OK, GRI_FIXED("GR_E?") }, /* the end, and what is no known code */
};
#define CODE_COUNT (sizeof(codes) / sizeof(codes[0]) - 1)

static struct gri_fixed_text broken_texts[GRI_BROKEN_COUNT] = {
    GRI_FIXED("out of memory"),
    GRI_FIXED("bad UTF-8"),
    GRI_FIXED("nested too deep"),
    GRI_FIXED("too large"),
    GRI_FIXED("no value"),
    GRI_FIXED("wrong kind of value"),
    GRI_FIXED("more than 4096 indexed parts in a list"),
};

#define BROKEN(error_code, why)                                                                    \
    {                                                                                              \
        .head = { .refs = GRI_PINNED, .type = GR_ERROR, .flag = 1, .code = (error_code) },         \
        .field = {                                                                                 \
            [GRI_FIELD_TEXT] = GRI_FIXED_NODE(broken_texts[why])                                   \
        }                                                                                          \
    }

static struct gri_error broken[GRI_BROKEN_COUNT] = {
    BROKEN(GR_ENOMEM, GRI_BROKEN_MEMORY),  BROKEN(GR_EINVAL, GRI_BROKEN_UTF8),
    BROKEN(GR_EINVAL, GRI_BROKEN_DEEP),    BROKEN(GR_ENOMEM, GRI_BROKEN_LARGE),
    BROKEN(GR_EINVAL, GRI_BROKEN_MISSING), BROKEN(GR_ETYPE, GRI_BROKEN_TYPE),
    BROKEN(GR_ENOMEM, GRI_BROKEN_PARTS),
};

gr_value *gri_broken(enum gri_broken why)
{
    return &broken[why].head;
}

static struct gri_fixed_text wait_texts[] = {
    GRI_FIXED("out of memory"),
    GRI_FIXED("too many handlers wait (fibers_max)"),
    GRI_FIXED("the waiting handler was cancelled"),
    GRI_FIXED("this wait would never end"),
};

#define WAIT_ERROR(error_code, text)                                                               \
    {                                                                                              \
        .head = { .refs = GRI_PINNED, .type = GR_ERROR, .code = (error_code) }, .field = {         \
            [GRI_FIELD_TEXT] = GRI_FIXED_NODE(wait_texts[text])                                    \
        }                                                                                          \
    }

static struct gri_error wait_errors[] = {
    WAIT_ERROR(GR_ENOMEM, 0),
    WAIT_ERROR(GR_EFULL, 1),
    WAIT_ERROR(GR_EINTR, 2),
    WAIT_ERROR(GR_EDEADLK, 3),
};

const gr_value *gri_wait_error(gr_code code)
{
    for (size_t i = 0; i < sizeof(wait_errors) / sizeof(wait_errors[0]); i++)
        if (wait_errors[i].head.code == (uint8_t)code)
            return &wait_errors[i].head;
    return NULL;
}

static size_t code_index(int64_t code)
{
    size_t i = 0;

    while (i < CODE_COUNT && codes[i].code != code)
        i++;
    return i;
}

bool gri_code_known(int64_t code)
{
    return code_index(code) < CODE_COUNT;
}

/* ---- fields ---------------------------------------------------------------------------------- */

const char *gri_field_name(enum gri_field field)
{
    static const char *const names[GRI_FIELD_COUNT] = { "kind",   "text",           "where",
                                                        "status", "retry_after_ms", "detail",
                                                        "cause" };

    return names[field];
}

static struct gri_error *error_of(gr_value *err)
{
    return (struct gri_error *)(void *)err;
}

const gr_value *gri_error_get(const gr_value *err, const char *name)
{
    const gr_value *v = NULL;

    if (strcmp(name, "code") == 0)
        return GRI_FIXED_NODE(codes[code_index(err->code)].name);
    for (int f = 0; f < GRI_FIELD_COUNT; f++)
        if (strcmp(name, gri_field_name((enum gri_field)f)) == 0)
            v = gri_error(err)->field[f];
    if (v == NULL && strcmp(name, "kind") == 0)
        return GRI_FIXED_NODE(codes[code_index(err->code)].name);
    return v;
}

void gri_error_free(gr_value *err)
{
    for (int f = 0; f < GRI_FIELD_COUNT; f++)
        gr_value_unref(error_of(err)->field[f]);
}

/* fits tells whether v is of the kind that the field holds. */
static bool fits(enum gri_field field, const gr_value *v)
{
    switch (field) {
    case GRI_FIELD_KIND:
    case GRI_FIELD_TEXT:
    case GRI_FIELD_WHERE: return gri_is_node(v, GR_STR);
    case GRI_FIELD_STATUS:
    case GRI_FIELD_RETRY_AFTER_MS: return gr_value_type(v) == GR_INT;
    case GRI_FIELD_CAUSE: return gri_is_node(v, GR_ERROR);
    case GRI_FIELD_DETAIL:
    case GRI_FIELD_COUNT: break;
    }
    return true;
}

/* Only a detail or a cause can be nested: plain fields leave an error at height 0. */
static void settle_height(gr_value *err)
{
    const gr_value *detail = gri_error(err)->field[GRI_FIELD_DETAIL];
    const gr_value *cause = gri_error(err)->field[GRI_FIELD_CAUSE];

    err->height = 0;
    if (detail != NULL)
        (void)gri_nest(err, gri_height(detail));
    if (cause != NULL)
        (void)gri_nest(err, gri_height(cause));
}

/* only returns err as one that the caller alone holds; NULL when out of memory (err then stays). */
static gr_value *only(gr_value *err)
{
    struct gri_error *copy;

    if (gri_value_is_only(err))
        return err;
    copy = gri_value_new(GR_ERROR, sizeof(*copy));
    if (copy == NULL)
        return NULL;
    copy->head.code = err->code;
    copy->head.height = err->height;
    for (int f = 0; f < GRI_FIELD_COUNT; f++)
        copy->field[f] = gr_value_ref(gri_error(err)->field[f]);
    gr_value_unref(err);
    return &copy->head;
}

gr_value *gr_error_with(gr_value *err, const char *field, gr_value *v)
{
    enum gri_field f = GRI_FIELD_COUNT;
    gr_value *mine;

    if (!gri_is_node(err, GR_ERROR)) {
        mine = gri_broken(err == NULL ? GRI_BROKEN_MISSING : GRI_BROKEN_TYPE);
        gr_value_unref(v);
        gr_value_unref(err);
        return mine;
    }
    for (int i = 0; field != NULL && i < GRI_FIELD_COUNT; i++)
        if (strcmp(field, gri_field_name((enum gri_field)i)) == 0)
            f = (enum gri_field)i;
    /* a broken value can't be a detail, but as a cause it tells something */
    if (f == GRI_FIELD_COUNT || v == NULL || !fits(f, v) || gri_height(v) >= GR_DEPTH_MAX ||
        (gri_is_broken(v) && f != GRI_FIELD_CAUSE))
        goto out;
    mine = only(err);
    if (mine == NULL)
        goto out;
    err = mine;
    gr_value_unref(error_of(err)->field[f]);
    error_of(err)->field[f] = v;
    v = NULL; /* handed over */
    settle_height(err);
out:
    gr_value_unref(v);
    return err;
}

/* ---- making and reading ---------------------------------------------------------------------- */

gr_value *gri_error_new(gr_code code, gr_value *text)
{
    struct gri_error *e;

    if (gri_is_broken(text))
        return text;
    gri_assert(gri_is_node(text, GR_STR));
    e = gri_value_new(GR_ERROR, sizeof(*e));
    if (e == NULL) {
        gr_value_unref(text);
        return gri_broken(GRI_BROKEN_MEMORY);
    }
    for (int f = 0; f < GRI_FIELD_COUNT; f++)
        e->field[f] = NULL;
    e->field[GRI_FIELD_TEXT] = text;
    /* GR_OK is no error, and a number nobody knows can only come from elsewhere */
    e->head.code = (uint8_t)(gri_code_known(code) ? code : code == GR_OK ? GR_EINVAL : GR_EREMOTE);
    return &e->head;
}

gr_value *gr_error(gr_code code, const char *fmt, ...)
{
    gr_value *text;
    va_list ap;

    va_start(ap, fmt);
    text = gri_text_vf(true, fmt, ap);
    va_end(ap);
    return gri_error_new(code, text);
}

gr_code gr_error_code(const gr_value *v)
{
    if (v == NULL)
        return GR_EINVAL;
    return gri_is_node(v, GR_ERROR) ? (gr_code)v->code : GR_OK;
}

const char *gr_error_text(const gr_value *v)
{
    if (v == NULL)
        return gr_error_text(gri_broken(GRI_BROKEN_MISSING));
    return gri_is_node(v, GR_ERROR) ? gr_cstr(gri_error(v)->field[GRI_FIELD_TEXT], "") : "";
}

/* The statuses after which the same request may well succeed, as the makers of models list them. */
static bool status_retryable(int64_t status)
{
    return status == 408 || status == 409 || status == 429 || status >= 500;
}

bool gr_error_retryable(const gr_value *v)
{
    const gr_value *status, *said = gr_get(gr_get(v, "detail"), "should_retry");

    if (gr_value_type(said) == GR_BOOL && gr_get(v, "status") != NULL)
        return gr_as_bool(said, false); /* the server knows best: x-should-retry */
    switch (gr_error_code(v)) {
    case GR_ETIMEDOUT:
    case GR_EUNREACH: return true;
    case GR_EFULL: /* what a run may use up doesn't come back */
        return strcmp(gr_cstr(gr_get(v, "kind"), ""), "budget") != 0 &&
               strcmp(gr_cstr(gr_get(v, "kind"), ""), "recursion") != 0;
    case GR_EBROKEN: /* its actor exited: whoever takes its place may answer */
        return strcmp(gr_cstr(gr_get(v, "kind"), ""), "ActorExit") == 0;
    case GR_ERATE: /* a spent quota doesn't come back by waiting */
        return strcmp(gr_cstr(gr_get(v, "kind"), ""), "insufficient_quota") != 0;
    case GR_EREMOTE:
        status = gr_get(v, "status");
        return status != NULL && status_retryable(gr_as_int(status, 0));
    default: return false;
    }
}
