/* SPDX-License-Identifier: Apache-2.0 */
/* regex_test.c - regular expressions: what they find, what they refuse, and what they may cost. */
#include "actors/text/regex.h"

#include <string.h>

#include "tests/support/memory.h"
#include "tests/support/test.h"

static struct gri_regex *make(const char *pattern, unsigned flags)
{
    struct gri_regex *re = NULL;
    gr_value *err = NULL;

    cr_assert_eq(gri_regex_new(pattern, strlen(pattern), flags, &re, &err), GR_OK, "%s: %s",
                 pattern, err != NULL ? gr_error_text(err) : "");
    return re;
}

static bool finds(const char *pattern, unsigned flags, const char *text)
{
    struct gri_regex *re = make(pattern, flags);
    gr_value *err = NULL;
    bool found = false;

    cr_assert_eq(gri_regex_matches(re, text, strlen(text), &found, &err), GR_OK);
    gri_regex_free(re);
    return found;
}

Test(regex, finds_where_and_which_groups)
{
    struct gri_regex_span at[4];
    gr_value *err = NULL;
    struct gri_regex *re;

    if (!gri_regex_there())
        return;
    re = make("(\\w+)-(x)?(\\d+)", 0);
    cr_assert_eq(gri_regex_groups(re), 4);
    cr_assert_eq(gri_regex_find(re, "say ab-12 now", 13, 0, at, 4, &err), GR_OK);
    cr_assert_eq(at[0].start, 4);
    cr_assert_eq(at[0].len, 5);
    cr_assert_eq(at[1].start, 4);
    cr_assert_eq(at[2].start, SIZE_MAX, "a group that took no part");
    cr_assert_eq(at[3].start, 7);
    cr_assert_eq(at[3].len, 2);
    cr_assert_eq(gri_regex_find(re, "say ab-12 now", 13, 9, at, 4, &err), GR_EOS);
    cr_assert_eq(gri_regex_find(re, "x", 1, 2, at, 4, &err), GR_EOS, "behind the end");
    gri_regex_free(re);
}

Test(regex, flags)
{
    if (!gri_regex_there())
        return;
    cr_assert(finds("AB", GRI_REGEX_CASELESS, "xabx"));
    cr_assert(!finds("AB", 0, "xabx"));
    cr_assert(finds("a.b", GRI_REGEX_DOTALL, "a\nb"));
    cr_assert(!finds("a.b", 0, "a\nb"));
    cr_assert(finds("^b", GRI_REGEX_MULTILINE, "a\nb"));
    cr_assert(finds("a$", 0, "a\n"));
    cr_assert(!finds("a$", GRI_REGEX_ECMA, "a\n"));
    cr_assert(finds("^\\u00e9$", GRI_REGEX_ECMA, "\xc3\xa9"));
    cr_assert(finds("^.$", 0, "\xc3\xa9"), "a character is one");
}

Test(regex, bad_patterns_say_where)
{
    static const char *const bad[] = { "(", "a{2,1}", "[z-a]", "\\C", "(?<n>a" };
    struct gri_regex *re = NULL;
    char *large = NULL;

    if (!gri_regex_there())
        return;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        gr_value *err = NULL;

        cr_assert_eq(gri_regex_new(bad[i], strlen(bad[i]), 0, &re, &err), GR_EINVAL, "%s", bad[i]);
        cr_assert_not_null(strstr(gr_error_text(err), "position "), "%s", gr_error_text(err));
        gr_value_unref(err);
    }
    large = calloc(1, GRI_REGEX_BYTES_MAX + 2);
    memset(large, 'a', GRI_REGEX_BYTES_MAX + 1);
    {
        gr_value *err = NULL;

        cr_assert_eq(gri_regex_new(large, GRI_REGEX_BYTES_MAX + 1, 0, &re, &err), GR_EINVAL);
        gr_value_unref(err);
    }
    free(large);
}

/* Each of these takes exponential or quadratic time without limits. */
Test(regex, a_match_is_bounded)
{
    static const struct {
        const char *pattern, *unit;
        size_t count;
    } hard[] = {
        { "^(a+)+$", "a", 60 },
        { "^(a|a)*$", "a", 60 },
        { "(.*a){25}$", "a", 64 },
        { "(x+x+)+y", "x", 5000 },
    };

    if (!gri_regex_there())
        return;
    for (size_t i = 0; i < sizeof(hard) / sizeof(hard[0]); i++) {
        struct gri_regex *re = make(hard[i].pattern, 0);
        char *text = calloc(1, hard[i].count + 2);
        gr_value *err = NULL;
        bool found = false;
        gr_code rc;

        memset(text, hard[i].unit[0], hard[i].count);
        text[hard[i].count] = '!';
        rc = gri_regex_matches(re, text, hard[i].count + 1, &found, &err);
        cr_assert(rc == GR_EFULL || (rc == GR_OK && !found), "%s: %s", hard[i].pattern,
                  gr_code_name(rc));
        cr_assert_eq(rc == GR_EFULL, err != NULL);
        gr_value_unref(err);
        free(text);
        gri_regex_free(re);
    }
}

/*
 * What one place allows is too much for a text of many: without a limit over all of them each of these takes from
 * minutes to days. No clock is looked at: who comes back at all has passed.
 */
Test(regex, a_search_is_bounded_over_the_whole_text, .timeout = 60)
{
    static const struct {
        const char *pattern, *unit;
    } hard[] = {
        { "[ab]*[cd]", "ab" },                   /* a loop that never goes back, at each place */
        { "\\w*+!", "ab" },                      /* one that must not */
        { "[ab]{60000}c", "ab" },                /* one of a fixed length */
        { "[ab]{60000}c", "abababababababab." }, /* one that fails before its length is reached */
        { "(?:x|[ab]{30000}c|[ab])+z",
          "ababababc" },                      /* one that fails, and another takes its place */
        { "(a+)b\\1c", "aaaaaaaaaaaaaaaab" }, /* comparing with what was found */
        { "(?=[ab]*c)x", "ab" },              /* looking ahead */
        { ".*?c", "ab" },                     /* one character after the other */
        { "(.)+c", "ab" },
    };
    const size_t len = (size_t)4 << 20;
    char *text;

    if (!gri_regex_there())
        return;
    text = malloc(len);
    for (size_t i = 0; i < sizeof(hard) / sizeof(hard[0]); i++) {
        struct gri_regex *re = make(hard[i].pattern, 0);
        size_t unit = strlen(hard[i].unit);
        gr_value *err = NULL;
        bool found = false;
        gr_code rc;

        for (size_t k = 0; k < len; k++)
            text[k] = hard[i].unit[k % unit];
        rc = gri_regex_matches(re, text, len, &found, &err);
        cr_assert(!found, "%s", hard[i].pattern);
        cr_assert(rc == GR_EFULL || rc == GR_OK, "%s: %s", hard[i].pattern, gr_error_text(err));
        gr_value_unref(err);
        gri_regex_free(re);
    }
    free(text);
}

/* Patterns that people write find what they look for in a long text. */
Test(regex, a_long_text_is_searched_to_its_end)
{
    static const char *const plain[] = { "Score: (\\d+)", "(?:Score|Points): (\\d+)",
                                         "\\bScore\\b.*$", "[A-Z]\\w+: [0-9]{2}" };
    const char *unit = "the quick brown fox jumps over it\n";
    const size_t len = (size_t)1 << 20;
    char *text;

    if (!gri_regex_there())
        return;
    text = malloc(len + 16);
    for (size_t k = 0; k < len; k++)
        text[k] = unit[k % strlen(unit)];
    memcpy(text + len, "\nScore: 42", 10);
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        struct gri_regex *re = make(plain[i], 0);
        gr_value *err = NULL;
        bool found = false;

        cr_assert_eq(gri_regex_matches(re, text, len + 10, &found, &err), GR_OK, "%s: %s", plain[i],
                     gr_error_text(err));
        cr_assert(found, "%s", plain[i]);
        gri_regex_free(re);
    }
    free(text);
}

Test(regex, bad_utf8_is_an_error)
{
    struct gri_regex *re;
    gr_value *err = NULL;
    bool found = false;

    if (!gri_regex_there())
        return;
    re = make("a", 0);
    cr_assert_eq(gri_regex_matches(re, "\xff\x61", 2, &found, &err), GR_EINVAL);
    gr_value_unref(err);
    gri_regex_free(re);
}

Test(regex, without_memory)
{
    if (!gri_regex_there())
        return;
    for (long n = 1;; n++) {
        struct gri_regex *re = NULL;
        gr_value *err = NULL;
        bool found = false;
        gr_code rc;

        test_memory_fail_at(n);
        rc = gri_regex_new("(a+)b", 5, 0, &re, &err);
        if (rc == GR_OK)
            rc = gri_regex_matches(re, "xaab", 4, &found, &err);
        test_memory_fail_at(0);
        gri_regex_free(re);
        gr_value_unref(err);
        if (rc == GR_OK) {
            cr_assert(found);
            break;
        }
        cr_assert_eq(rc, GR_ENOMEM);
        cr_assert_lt(n, 100);
    }
}
