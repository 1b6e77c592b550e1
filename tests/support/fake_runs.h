/* SPDX-License-Identifier: Apache-2.0 */
/* fake_runs.h - events made by hand, for handlers that are tested without runs. */
#ifndef GR_TESTS_SUPPORT_FAKE_RUNS_H
#define GR_TESTS_SUPPORT_FAKE_RUNS_H

#include <greenroom/greenroom.h>

#include "runtime/observe/handler_of.h"
#include "tests/support/test.h"

#define FAKE_START_US INT64_C(1785542400000000) /* 2026-08-01T00:00:00Z */

/* A run with the id, and in the run, given by hand; what is made for it goes with fake_end. */
struct fake_run {
    gr_run run;
    gr_value *parent_ids, *tags, *metadata, *input;
};

static inline void fake_run(struct fake_run *f, const struct fake_run *parent, const char *id,
                            const char *name, gr_run_type type, gr_value *input)
{
    f->parent_ids = parent == NULL
                        ? gr_list_n(NULL, 0)
                        : gr_append(gr_value_ref(parent->parent_ids), gr_str(parent->run.id));
    f->tags = gr_list_n(NULL, 0);
    f->metadata = gr_map_n(NULL, 0);
    f->input = input;
    f->run = (gr_run){ .id = id,
                       .parent_id = parent != NULL ? parent->run.id : NULL,
                       .parent_ids = f->parent_ids,
                       .name = name,
                       .type = type,
                       .tags = f->tags,
                       .metadata = f->metadata,
                       .input = input,
                       .start_us = FAKE_START_US };
}

static inline void fake_free(struct fake_run *f)
{
    gr_value_unref(f->parent_ids);
    gr_value_unref(f->tags);
    gr_value_unref(f->metadata);
    gr_value_unref(f->input);
}

/* tell gives an event to the handler in a value, if it wants that kind; data is taken. */
static inline void tell(const gr_value *handler, const struct fake_run *f, gr_event_kind kind,
                        gr_value *data)
{
    const gr_handler *h = gri_handler_of(handler);
    bool bad = kind == GR_RUN_ERROR || kind == GR_RUN_RETRY;
    gr_event event = { .kind = kind,
                       .run = &f->run,
                       .data = bad ? NULL : data,
                       .error = bad ? data : NULL,
                       .name = kind == GR_RUN_CUSTOM ? "progress" : NULL,
                       .at_us = FAKE_START_US + 1500,
                       .number = 1 };

    cr_assert_not_null(h);
    if ((h->kinds & (unsigned)kind) != 0)
        h->on_event(h->arg, &event);
    gr_value_unref(data);
}

#endif
