/* SPDX-License-Identifier: Apache-2.0 */
/*
 * observer.h - a handler that keeps what it hears, as JSON to compare with.
 *
 * Runs are r1, r2 … in the order in which they begin, as the catalogue of cases has them.
 */
#ifndef GR_TESTS_SUPPORT_OBSERVER_H
#define GR_TESTS_SUPPORT_OBSERVER_H

#include <stdio.h>

#include "tests/support/runnables.h"

#define OBSERVED_RUNS 4096

struct observed_run {
    char id[40], name[64];
    gr_run_type type;
    int starts, ends; /* ends well or not; both 1 in the end */
    gr_code code;     /* what it ended with */
};

struct observer {
    pthread_mutex_t lock;
    gr_value *lines; /* counted; a list of lists */
    struct observed_run runs[OBSERVED_RUNS];
    size_t run_count;
    uint64_t number; /* of the last event; those of a tree count up by one */
    bool in_order, inside, overlapped;
};

/* observer_run finds a run, or makes it. */
static inline struct observed_run *observer_run(struct observer *o, const gr_run *r)
{
    for (size_t i = o->run_count; i-- > 0;)
        if (strcmp(o->runs[i].id, r->id) == 0)
            return &o->runs[i];
    cr_assert_lt(o->run_count, OBSERVED_RUNS);
    snprintf(o->runs[o->run_count].id, sizeof(o->runs[0].id), "%s", r->id);
    snprintf(o->runs[o->run_count].name, sizeof(o->runs[0].name), "%s", r->name);
    o->runs[o->run_count].type = r->type;
    return &o->runs[o->run_count++];
}

/* observer_number gives "r2" for an id, nil for NULL and for one that it has not heard of. */
static inline gr_value *observer_number(const struct observer *o, const char *id)
{
    for (size_t i = 0; id != NULL && i < o->run_count; i++)
        if (strcmp(o->runs[i].id, id) == 0)
            return gr_strf("r%zu", i + 1);
    return gr_nil();
}

static inline void observer_event(void *arg, const gr_event *e)
{
    static const char *const names[] = {
        [GR_RUN_START] = "start", [GR_RUN_STREAM] = "stream", [GR_RUN_END] = "end",
        [GR_RUN_ERROR] = "error", [GR_RUN_CUSTOM] = "custom", [GR_RUN_RETRY] = "retry"
    };
    struct observer *o = arg;
    struct observed_run *r;
    gr_value *line;

    pthread_mutex_lock(&o->lock);
    o->overlapped = o->overlapped || o->inside;
    o->inside = true;
    o->in_order = o->in_order && e->number == o->number + 1;
    o->number = e->number;
    r = observer_run(o, e->run);
    r->starts += e->kind == GR_RUN_START;
    if (e->kind == GR_RUN_END || e->kind == GR_RUN_ERROR) {
        r->ends++;
        r->code = gr_error_code(e->error != NULL ? e->error : e->data);
    }
    line = gr_list(gr_str(names[e->kind]), gr_str(e->name != NULL ? e->name : e->run->name),
                   observer_number(o, e->run->id), observer_number(o, e->run->parent_id),
                   gr_value_ref(e->run->tags));
    if (e->kind == GR_RUN_START)
        line = gr_append(line, e->run->input != NULL ? gr_value_ref(e->run->input) : gr_nil());
    else
        line = gr_append(line, e->data != NULL ? gr_value_ref(e->data) : gr_nil());
    if (e->error != NULL)
        line = gr_append(line, gr_str(gr_code_name(gr_error_code(e->error))));
    o->lines = gr_append(o->lines, line);
    o->inside = false;
    pthread_mutex_unlock(&o->lock);
}

static inline void observer_init(struct observer *o)
{
    memset(o, 0, sizeof(*o));
    pthread_mutex_init(&o->lock, NULL);
    o->lines = gr_list_n(NULL, 0);
    o->in_order = true;
}

/* observer_heard counts events, and observer_runs runs, while they may still come. */
static inline size_t observer_heard(struct observer *o)
{
    size_t count;

    pthread_mutex_lock(&o->lock);
    count = gr_len(o->lines);
    pthread_mutex_unlock(&o->lock);
    return count;
}

static inline size_t observer_runs(struct observer *o)
{
    size_t count;

    pthread_mutex_lock(&o->lock);
    count = o->run_count;
    pthread_mutex_unlock(&o->lock);
    return count;
}

/* observed is a config whose one handler is o; more, taken, is laid over it. */
static inline gr_value *observed(struct observer *o, gr_value *more)
{
    gr_value *config = gr_map(GR_KV(
        "callbacks", gr_list(gr_handler_value(
                         GR_HANDLER(.name = "observer", .on_event = observer_event, .arg = o)))));

    return more != NULL ? gr_merge(config, more) : config;
}

/* lines_are compares what o has heard, columns of it that are named by a letter each: k kind, n name,
 * r run, p parent, t tags, d data or the start's input, e the error's code, if there is one. */
static inline void lines_are(struct observer *o, const char *columns, const char *expected)
{
    static const char letters_of[] = "knrptde";
    gr_value *out = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(o->lines); i++) {
        const gr_value *line = gr_at(o->lines, i);
        gr_value *shown = gr_list_n(NULL, 0);

        for (const char *c = columns; *c != '\0'; c++) {
            const gr_value *v = gr_at(line, (size_t)(strchr(letters_of, *c) - letters_of));

            if (v != NULL)
                shown = gr_append(shown, gr_value_ref(v));
        }
        if (strlen(columns) == 1) {
            gr_value *only = gr_value_ref(gr_at(shown, 0));

            gr_value_unref(shown);
            shown = only;
        }
        out = gr_append(out, shown);
    }
    is(out, expected);
}

/* observer_fini checks what always holds: each run has begun and ended once, one event after the
 * other. */
static inline void observer_fini(struct observer *o)
{
    for (size_t i = 0; i < o->run_count; i++) {
        cr_assert_eq(o->runs[i].starts, 1, "%s began %d times", o->runs[i].name, o->runs[i].starts);
        cr_assert_eq(o->runs[i].ends, 1, "%s ended %d times", o->runs[i].name, o->runs[i].ends);
    }
    cr_assert(!o->overlapped, "two events at a time");
    gr_value_unref(o->lines);
    pthread_mutex_destroy(&o->lock);
}

/* called gives a runnable a name. */
static inline gr_ref called(const char *name, gr_ref r)
{
    return gr_with_config(root, r, gr_map(GR_KV("run_name", gr_str(name))));
}

#endif
