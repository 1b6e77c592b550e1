/* SPDX-License-Identifier: Apache-2.0 */
/* json_tracer.c - each event as a line of JSON: what astream_events gives, and when it happened. */
#include <greenroom/codec.h>

#include "actors/observe/moment.h"
#include "actors/observe/trace_out.h"
#include "actors/observe/trim.h"

/* trim_data: each of the values that the event tells of by itself, so that a long input leaves the
 * output its room. */
static gr_value *trim_data(const gr_event *event, const gr_value *data, size_t max)
{
    gr_value *cut;
    const char *key = NULL;

    if (event->kind == GR_RUN_CUSTOM || gr_value_type(data) != GR_MAP)
        return gri_trim(data, max);
    cut = gr_map_n(NULL, 0);
    for (size_t i = 0; i < gr_len(data); i++) {
        const gr_value *part = gr_pair_at(data, i, &key);

        cut = gr_set(cut, key, gri_trim(part, max));
    }
    return cut;
}

static gr_value *line_of(const gr_event *event, size_t max)
{
    static const char *const theirs[] = { "name", "tags", "metadata" }; /* of any length */
    char at[GRI_MOMENT_CAP];
    gr_value *v = gr_event_value(event), *part;

    part = trim_data(event, gr_get(v, "data"), max);
    v = gr_set(v, "data", part);
    for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++) {
        part = gri_trim(gr_get(v, theirs[i]), max);
        v = gr_set(v, theirs[i], part);
    }
    return gr_set(v, "time", gr_str(gri_moment(at, event->at_us, GRI_MOMENT_US)));
}

static void json_event(void *arg, const gr_event *event)
{
    struct gri_trace_out *out = arg;
    struct gri_strbuf line = GRI_STRBUF_INIT;
    gr_value *v = line_of(event, out->value_max);
    size_t len = 0;
    char *text = gr_json_print(v, 0, &len);

    if (text != NULL)
        gri_strbuf_add(&line, text, len);
    else
        line.failed = true;
    gr_free(text);
    gr_value_unref(v);
    gri_trace_line(out, &line);
}

gr_value *gr_json_tracer(int fd, const gr_tracer_opts *opts)
{
    return gri_tracer_new("JSON tracer", json_event, GR_RUN_ALL, fd, opts);
}
