/* SPDX-License-Identifier: Apache-2.0 */
/* event_filter_test.c - which runs a stream of events tells of. */
#include "actors/observe/event_filter.h"

#include "tests/support/runnables.h"

static gr_value *args;
static struct gri_event_filter filter;

static void filter_of(const gr_events_opts *events)
{
    gr_value_unref(args);
    args = gri_filter_args(gr_map(GR_KV("input", gr_nil())), events);
    cr_assert_null(gri_filter_read(&filter, args));
}

static bool takes(const char *name, const char *type, const char *tags)
{
    gr_value *list = json(tags);
    bool yes = gri_filter_takes(&filter, name, type, list);

    gr_value_unref(list);
    return yes;
}

static void fini(void)
{
    gr_value_unref(args);
    args = NULL;
}

TestSuite(event_filter, .fini = fini);

#define TEXTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

Test(event_filter, without_any_it_takes_all)
{
    filter_of(NULL);
    cr_assert(takes("a", "chain", "[]"));
    filter_of(GR_EVENTS(.events_max = 1));
    cr_assert(takes("a", "chain", "[\"x\"]"));
}

Test(event_filter, one_include_that_matches_is_enough)
{
    filter_of(GR_EVENTS(.include_names = TEXTS("a", "b"), .include_types = TEXTS("tool"),
                        .include_tags = TEXTS("mine")));
    cr_assert(takes("b", "chain", "[]"));
    cr_assert(takes("c", "tool", "[]"));
    cr_assert(takes("c", "chain", "[\"yours\",\"mine\"]"));
    cr_assert(!takes("c", "chain", "[\"yours\"]"));
}

Test(event_filter, an_empty_list_includes_nothing)
{
    const char *const none[] = { NULL };

    filter_of(GR_EVENTS(.include_names = none));
    cr_assert(!takes("a", "chain", "[]"));
}

Test(event_filter, each_exclude_has_a_veto)
{
    filter_of(GR_EVENTS(.include_names = TEXTS("a"), .exclude_types = TEXTS("tool")));
    cr_assert(takes("a", "chain", "[]"));
    cr_assert(!takes("a", "tool", "[]"));
    filter_of(GR_EVENTS(.exclude_names = TEXTS("a")));
    cr_assert(!takes("a", "chain", "[]"));
    cr_assert(takes("b", "chain", "[]"));
    filter_of(GR_EVENTS(.exclude_tags = TEXTS("x")));
    cr_assert(!takes("b", "chain", "[\"y\",\"x\"]"));
    cr_assert(takes("b", "chain", "[\"y\"]"));
}

Test(event_filter, what_is_no_list_of_texts_is_refused)
{
    gr_value *bad = json("{\"include_names\":\"a\"}"), *worse = json("{\"exclude_tags\":[1]}");

    fails_with(gri_filter_read(&filter, bad), GR_ETYPE, "include_names");
    fails_with(gri_filter_read(&filter, worse), GR_ETYPE, "exclude_tags");
    gr_value_unref(bad);
    gr_value_unref(worse);
}
