/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regex.c - the one user of PCRE2.
 *
 * PCRE2's own limit on steps begins anew at each place where a match may begin, and does not count the characters that a
 * loop over one class passes, so with it alone a text costs its square. Therefore every item of a pattern has a callout
 * before it (PCRE2_AUTO_CALLOUT), and these count, over the whole text (struct meter).
 *
 * The just-in-time compiler stays off: its matches count no steps. \C, which could cut a character in two, is refused.
 * Memory comes from gri_alloc.
 */
#include "actors/text/regex.h"

#include "runtime/base/alloc.h"

#ifdef GR_PCRE2
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define REPEAT_MAX ((size_t)65535) /* PCRE2's own limit */

struct gri_regex {
    pcre2_general_context *general; /* owned, as are the rest */
    pcre2_compile_context *compile;
    pcre2_match_context *match;
    pcre2_code *code;
    uint32_t groups;
    size_t repeat_max; /* the largest number of times that the pattern asks for at once */
    bool refers_back;
};

static void *get_memory(PCRE2_SIZE size, void *arg)
{
    (void)arg;
    return gri_alloc(size);
}

static void give_memory(void *p, void *arg)
{
    (void)arg;
    gri_free(p);
}

bool gri_regex_there(void)
{
    return true;
}

void gri_regex_free(struct gri_regex *re)
{
    if (re == NULL)
        return;
    pcre2_code_free(re->code);
    pcre2_match_context_free(re->match);
    pcre2_compile_context_free(re->compile);
    pcre2_general_context_free(re->general);
    gri_free(re);
}

static bool make_contexts(struct gri_regex *re)
{
    re->general = pcre2_general_context_create(get_memory, give_memory, NULL);
    if (re->general == NULL)
        return false;
    re->compile = pcre2_compile_context_create(re->general);
    re->match = pcre2_match_context_create(re->general);
    if (re->compile == NULL || re->match == NULL)
        return false;
    pcre2_set_match_limit(re->match, GRI_REGEX_STEPS_MAX);
    pcre2_set_depth_limit(re->match, GRI_REGEX_DEPTH_MAX);
    pcre2_set_heap_limit(re->match, GRI_REGEX_HEAP_KIB_MAX);
    return true;
}

static uint32_t options_of(unsigned flags)
{
    uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_AUTO_CALLOUT;

    if ((flags & GRI_REGEX_CASELESS) != 0)
        options |= PCRE2_CASELESS;
    if ((flags & GRI_REGEX_DOTALL) != 0)
        options |= PCRE2_DOTALL;
    if ((flags & GRI_REGEX_MULTILINE) != 0)
        options |= PCRE2_MULTILINE;
    if ((flags & GRI_REGEX_ECMA) != 0) /* \d and the like are ASCII there */
        options = (options & ~(uint32_t)PCRE2_UCP) | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_BSUX |
                  PCRE2_ALLOW_EMPTY_CLASS | PCRE2_MATCH_UNSET_BACKREF;
    return options;
}

static gr_value *bad_pattern(int code, PCRE2_SIZE at)
{
    PCRE2_UCHAR text[160];

    if (code == PCRE2_ERROR_NOMEMORY || code == PCRE2_ERROR_HEAP_FAILED)
        return gr_error(GR_ENOMEM, "out of memory for a regular expression");
    if (pcre2_get_error_message(code, text, sizeof(text)) < 0)
        text[0] = '\0';
    return gr_error(GR_EINVAL, "bad regular expression: position %zu: %s", (size_t)at + 1,
                    (const char *)text);
}

/* repeat_max gives the largest number behind a brace: no item can fail after more characters than that. */
static size_t repeat_max(const char *pattern, size_t len)
{
    size_t most = 1;

    for (size_t i = 0; i < len; i++) {
        size_t n = 0;

        if (pattern[i] != '{')
            continue;
        while (i + 1 < len && pattern[i + 1] >= '0' && pattern[i + 1] <= '9' && n < REPEAT_MAX)
            n = n * 10 + (size_t)(pattern[++i] - '0');
        most = n > most ? n : most;
    }
    return most;
}

static gr_value *compile(struct gri_regex *re, const char *pattern, size_t len, unsigned flags)
{
    PCRE2_SIZE at = 0;
    uint32_t back = 0;
    int code = 0;

    if (len > GRI_REGEX_BYTES_MAX)
        return gr_error(GR_EINVAL, "a regular expression of %zu bytes, the limit is %zu", len,
                        GRI_REGEX_BYTES_MAX);
    if (re == NULL || !make_contexts(re))
        return gr_error(GR_ENOMEM, "out of memory for a regular expression");
    if ((flags & GRI_REGEX_ECMA) != 0)
        (void)pcre2_set_compile_extra_options(re->compile, PCRE2_EXTRA_ALT_BSUX);
    re->code = pcre2_compile((PCRE2_SPTR)pattern, len, options_of(flags), &code, &at, re->compile);
    if (re->code == NULL)
        return bad_pattern(code, at);
    (void)pcre2_pattern_info(re->code, PCRE2_INFO_CAPTURECOUNT, &re->groups);
    re->groups++;
    (void)pcre2_pattern_info(re->code, PCRE2_INFO_BACKREFMAX, &back);
    re->refers_back = back > 0;
    re->repeat_max = repeat_max(pattern, len);
    return NULL;
}

gr_code gri_regex_new(const char *pattern, size_t len, unsigned flags, struct gri_regex **ret_re,
                      gr_value **reterr)
{
    struct gri_regex *re = gri_new0(struct gri_regex);
    gr_value *err = compile(re, pattern, len, flags);

    if (err == NULL) {
        *ret_re = re;
        return GR_OK;
    }
    gri_regex_free(re);
    *reterr = err;
    return gr_error_code(err);
}

size_t gri_regex_groups(const struct gri_regex *re)
{
    return re->groups;
}

static void take_spans(pcre2_match_data *data, struct gri_regex_span *spans, size_t count)
{
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(data);
    uint32_t pairs = pcre2_get_ovector_count(data);

    for (size_t i = 0; i < count; i++) {
        bool set = i < pairs && at[2 * i] != PCRE2_UNSET && at[2 * i + 1] >= at[2 * i];

        spans[i] = set ? (struct gri_regex_span){ at[2 * i], at[2 * i + 1] - at[2 * i] }
                       : (struct gri_regex_span){ SIZE_MAX, 0 };
    }
}

/* What a search has taken so far. */
struct meter {
    const struct gri_regex *re;
    size_t steps;
    PCRE2_SIZE start, at; /* where the match that is tried began, and how far it was */
    size_t may_fail;      /* characters that the item there may look at, and fail */
};

/* longest_group gives the length of what a reference back may compare. */
static size_t longest_group(const pcre2_callout_block *b)
{
    size_t most = 0;

    for (uint32_t i = 1; i < b->capture_top; i++) {
        PCRE2_SIZE from = b->offset_vector[2 * i], to = b->offset_vector[2 * i + 1];

        if (from != PCRE2_UNSET && to > from && to - from > most)
            most = to - from;
    }
    return most;
}

/*
 * count_step is called before each item: one step, and one for each character that the item before it has passed. Where the search is
 * no further that item may have failed, and nobody tells how many it had looked at; those are counted that it may have.
 */
static int count_step(pcre2_callout_block *b, void *arg)
{
    struct meter *m = arg;
    bool further = b->start_match == m->start && b->current_position > m->at;

    m->steps += 1 + (further ? b->current_position - m->at : m->may_fail);
    m->start = b->start_match;
    m->at = b->current_position;
    m->may_fail = m->re->repeat_max + (m->re->refers_back ? longest_group(b) : 0);
    if (m->may_fail > b->subject_length - b->current_position)
        m->may_fail = b->subject_length - b->current_position;
    return m->steps > GRI_REGEX_STEPS_MAX ? PCRE2_ERROR_CALLOUT : 0;
}

/* no_match maps what pcre2_match says when there is none. */
static gr_code no_match(int code, gr_value **reterr)
{
    PCRE2_UCHAR text[160];

    switch (code) {
    case PCRE2_ERROR_NOMATCH: return GR_EOS;
    case PCRE2_ERROR_CALLOUT:
    case PCRE2_ERROR_MATCHLIMIT:
    case PCRE2_ERROR_DEPTHLIMIT:
    case PCRE2_ERROR_HEAPLIMIT:
        *reterr = gr_error(GR_EFULL, "a regular expression took more than %u steps, or its memory",
                           GRI_REGEX_STEPS_MAX);
        return GR_EFULL;
    case PCRE2_ERROR_NOMEMORY:
        *reterr = gr_error(GR_ENOMEM, "out of memory for a regular expression");
        return GR_ENOMEM;
    default: break;
    }
    if (pcre2_get_error_message(code, text, sizeof(text)) < 0)
        text[0] = '\0';
    *reterr = gr_error(GR_EINVAL, "a regular expression can't be matched: %s", (const char *)text);
    return GR_EINVAL;
}

gr_code gri_regex_find(const struct gri_regex *re, const char *text, size_t len, size_t from,
                       struct gri_regex_span *spans, size_t count, gr_value **reterr)
{
    struct meter meter = { .re = re, .start = from, .at = from };
    pcre2_match_context *context;
    pcre2_match_data *data;
    gr_code rc = GR_OK;
    int code = PCRE2_ERROR_NOMEMORY;

    if (from > len)
        return GR_EOS;
    data = pcre2_match_data_create(count == 0 ? 1 : (uint32_t)count, re->general);
    context = pcre2_match_context_copy(re->match); /* the meter is this search's own */
    if (data != NULL && context != NULL) {
        (void)pcre2_set_callout(context, count_step, &meter);
        code = pcre2_match(re->code, (PCRE2_SPTR)text, len, from, 0, data, context);
    }
    if (code >= 0) /* 0: more groups than spans */
        take_spans(data, spans, count);
    else
        rc = no_match(code, reterr);
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
    return rc;
}

#else /* !GR_PCRE2 */

bool gri_regex_there(void)
{
    return false;
}

gr_code gri_regex_new(const char *pattern, size_t len, unsigned flags, struct gri_regex **ret_re,
                      gr_value **reterr)
{
    (void)pattern;
    (void)len;
    (void)flags;
    (void)ret_re;
    *reterr = gr_error(GR_EINVAL, "this library was built without regular expressions (PCRE2)");
    return GR_EINVAL;
}

void gri_regex_free(struct gri_regex *re)
{
    (void)re;
}

size_t gri_regex_groups(const struct gri_regex *re)
{
    (void)re;
    return 0;
}

gr_code gri_regex_find(const struct gri_regex *re, const char *text, size_t len, size_t from,
                       struct gri_regex_span *spans, size_t count, gr_value **reterr)
{
    (void)re;
    (void)text;
    (void)len;
    (void)from;
    (void)spans;
    (void)count;
    (void)reterr;
    return GR_EOS;
}

#endif

gr_code gri_regex_matches(const struct gri_regex *re, const char *text, size_t len, bool *ret_found,
                          gr_value **reterr)
{
    gr_code rc = gri_regex_find(re, text, len, 0, NULL, 0, reterr);

    *ret_found = rc == GR_OK;
    return rc == GR_EOS ? GR_OK : rc;
}
