/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regex.h - regular expressions with limits, for patterns and texts of strangers: Perl's syntax, by PCRE2.
 *
 * An expression never changes after it is made, so any number of threads may match with it. A search takes
 * a bounded number of steps over the whole text, a bounded depth and a bounded memory; what would take more gives an error,
 * never a thread that hangs. Where the library was built without PCRE2 making one gives GR_EINVAL, which says so.
 */
#ifndef GR_ACTORS_TEXT_REGEX_H
#define GR_ACTORS_TEXT_REGEX_H

#include <greenroom/value.h>

#define GRI_REGEX_BYTES_MAX ((size_t)64 << 10) /* of a pattern */
/* of one search, wherever a match may begin: an item of the pattern that is tried is one, and each byte it passes */
#define GRI_REGEX_STEPS_MAX 20000000u
#define GRI_REGEX_DEPTH_MAX 100000u   /* of nested backtracking */
#define GRI_REGEX_HEAP_KIB_MAX 16384u /* for backtracking */
#define GRI_REGEX_GROUPS_MAX 64u      /* that a match tells of, with the whole */

struct gri_regex;

enum {
    GRI_REGEX_CASELESS = 1,
    GRI_REGEX_DOTALL = 2,    /* . is a line's end, too */
    GRI_REGEX_MULTILINE = 4, /* ^ and $ are at each line's ends */
    GRI_REGEX_ECMA =
        8 /* $ is the end alone, and \uXXXX and \u{X} are characters: patterns of JSON Schema */
};

/* Where a group matched; start is SIZE_MAX for one that took no part. */
struct gri_regex_span {
    size_t start, len;
};

bool gri_regex_there(void); /* built with PCRE2 */
/* gri_regex_new: GR_EINVAL with *reterr "position 7: …"; GR_ENOMEM. The pattern is UTF-8. [any] */
gr_code gri_regex_new(const char *pattern, size_t len, unsigned flags, struct gri_regex **ret_re,
                      gr_value **reterr);
void gri_regex_free(struct gri_regex *re);
size_t gri_regex_groups(const struct gri_regex *re); /* with the whole, which is the first */
/*
 * gri_regex_find looks for the first match at or behind `from`, a position of a character, in a text of UTF-8.
 * Returns GR_OK with spans[0..count) set; GR_EOS when there is none; GR_EFULL with *reterr
 * when it took too many steps or too much memory; GR_ENOMEM, GR_EINVAL with *reterr. [any]
 */
gr_code gri_regex_find(const struct gri_regex *re, const char *text, size_t len, size_t from,
                       struct gri_regex_span *spans, size_t count, gr_value **reterr);
/* gri_regex_matches tells whether it matches anywhere, in *ret_found; errors as above. [any] */
gr_code gri_regex_matches(const struct gri_regex *re, const char *text, size_t len, bool *ret_found,
                          gr_value **reterr);

#endif
