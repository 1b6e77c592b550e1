/* SPDX-License-Identifier: Apache-2.0 */
/* split_test.c - the splitter's algorithm, against what LangChain's splitter gives. */
#include "actors/text/split.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/memory.h"
#include "tests/support/test.h"

struct got {
    char text[4096]; /* the chunks with | between them */
    size_t starts[64];
    size_t count, longest;
};

static gr_code collect(void *arg, const char *chunk, size_t len, size_t start_chars)
{
    struct got *g = arg;

    snprintf(g->text + strlen(g->text), sizeof(g->text) - strlen(g->text), "%s%.*s",
             g->count == 0 ? "" : "|", (int)len, chunk);
    if (g->count < 64)
        g->starts[g->count] = start_chars;
    g->count++;
    g->longest = len > g->longest ? len : g->longest;
    return GR_OK;
}

static const char *const usual[] = { "\n\n", "\n", " ", "" };

static struct gri_split_opts sizes(size_t size, size_t overlap)
{
    return (struct gri_split_opts){ size, overlap, usual, 4, false, false };
}

static struct got split(const char *text, struct gri_split_opts opts)
{
    static struct got g;

    g = (struct got){ .count = 0 };
    cr_assert_eq(gri_split(text, strlen(text), &opts, collect, &g), GR_OK);
    return g;
}

Test(split, cuts_as_langchain_does)
{
    struct got g = split("Hi.\n\nI'm Harrison.\n\nHow? Are? You?\nOkay then f f f f.\n"
                         "This is a weird text to write, but gotta test the splittingggg some how."
                         "\n\nBye!\n\n-H.",
                         sizes(10, 1));

    cr_assert_str_eq(g.text, "Hi.|I'm|Harrison.|How? Are?|You?|Okay then|f f f f.|This is a|weird|"
                             "text to|write,|but gotta|test the|splitting|gggg|some how.|Bye!|-H.");
}

Test(split, repeats_the_overlap)
{
    struct got g = split("aa bb cc dd ee", sizes(6, 3));

    cr_assert_str_eq(g.text, "aa bb|bb cc|cc dd|dd ee");
    cr_assert_eq(g.starts[0], 0);
    cr_assert_eq(g.starts[1], 3);
    cr_assert_eq(g.starts[3], 9);
}

Test(split, counts_characters_not_bytes)
{
    struct got g = split("äöü äöü äöü", sizes(7, 0));

    cr_assert_str_eq(g.text, "äöü äöü|äöü");
    cr_assert_eq(g.starts[1], 8);
    g = split("äöüßéè", sizes(2, 0));
    cr_assert_str_eq(g.text, "äö|üß|éè");
}

Test(split, drops_separators_when_asked)
{
    static const char *const comma[] = { ",", "" };
    struct gri_split_opts o = { 5, 0, comma, 2, true, false };
    struct got g = split("a,b,c,ddddddd", o);

    cr_assert_str_eq(g.text, "a,b,c|ddddd|dd");
}

Test(split, short_and_empty_texts)
{
    cr_assert_eq(split("", sizes(10, 0)).count, 0);
    cr_assert_eq(split(" \n ", sizes(10, 0)).count, 0);
    cr_assert_str_eq(split("  one  ", sizes(10, 0)).text, "one");
    struct gri_split_opts keep = sizes(10, 0);

    keep.keep_whitespace = true;
    cr_assert_str_eq(split("  one  ", keep).text, "  one  ");
}

Test(split, a_piece_nothing_cuts_stays_whole)
{
    static const char *const lines[] = { "\n" };
    struct gri_split_opts o = { 4, 0, lines, 1, false, false };

    cr_assert_str_eq(split("abcdef\ngh", o).text, "abcdef|gh");
}

static gr_code refuse(void *arg, const char *chunk, size_t len, size_t start_chars)
{
    (void)arg;
    (void)chunk;
    (void)len;
    (void)start_chars;
    return GR_ECANCELED;
}

Test(split, stops_when_told)
{
    struct gri_split_opts o = sizes(3, 0);

    cr_assert_eq(gri_split("aa bb cc", 8, &o, refuse, NULL), GR_ECANCELED);
}

Test(split, no_allocation_is_trusted)
{
    static const char *const comma[] = { ",", "" };
    struct gri_split_opts o = { 5, 2, comma, 2, true, false };
    long before = test_memory_live();
    bool more = true;

    for (long n = 1; more; n++) {
        struct got g = { .count = 0 };
        gr_code rc;

        test_memory_fail_at(n);
        rc = gri_split("a,b,c,ddddddd,e", 15, &o, collect, &g);
        more = test_memory_reached();
        cr_assert_eq(rc, more ? GR_ENOMEM : GR_OK);
        cr_assert_eq(test_memory_live(), before, "after allocation %ld", n);
    }
}
