/* SPDX-License-Identifier: Apache-2.0 */
/* events.h - reading a stream of events in a test: what matters of them, in order. */
#ifndef GR_TESTS_SUPPORT_EVENTS_H
#define GR_TESTS_SUPPORT_EVENTS_H

#include "tests/support/runnables.h"

#define TEXTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static inline gr_stream *events_of(gr_ref r, const char *input, const gr_call_opts *opts,
                                   const gr_events_opts *events)
{
    return gr_astream_events(rt, r, json(input), opts, events);
}

static inline gr_ref named(gr_ref r, const char *name)
{
    return gr_with_config(root, r, gr_map(GR_KV("run_name", gr_str(name))));
}

static inline gr_ref tagged(gr_ref r, const char *tag)
{
    return gr_with_config(root, r, gr_map(GR_KV("tags", gr_list(gr_str(tag)))));
}

/* short_form gives [event, name, data] of each. */
static inline gr_value *short_form(gr_value *events)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(events); i++) {
        const gr_value *e = gr_at(events, i);

        list = gr_append(list,
                         gr_list(gr_value_ref(gr_get(e, "event")), gr_value_ref(gr_get(e, "name")),
                                 gr_value_ref(gr_get(e, "data"))));
    }
    gr_value_unref(events);
    return list;
}

/* field_of gives one key of each. */
static inline gr_value *field_of(gr_value *events, const char *key)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(events); i++)
        list = gr_append(list, gr_value_ref(gr_get(gr_at(events, i), key)));
    gr_value_unref(events);
    return list;
}

/* all_of reads a stream that must end well. */
static inline gr_value *all_of(gr_stream *s)
{
    gr_value *err = NULL, *list = chunks(s, &err);

    cr_assert_null(err, "%s", gr_error_text(err));
    return list;
}

static inline gr_value *reverse_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    char text[64] = "";
    size_t len = gr_len(input) < sizeof(text) ? gr_len(input) : sizeof(text) - 1;

    (void)c, (void)arg;
    for (size_t i = 0; i < len; i++)
        text[i] = gr_cstr(input, "")[len - 1 - i];
    return gr_strn(text, len);
}

/* reverse turns a text around, under a name. */
static inline gr_ref reverse(const char *name)
{
    return named(gr_lambda(root, GR_CHEAP, reverse_fn, NULL, NULL), name);
}

#endif
