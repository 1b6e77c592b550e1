/* SPDX-License-Identifier: Apache-2.0 */
/* Observed calls, cancelled at any time, in any order that a thousand seeds come up with. */
#include "tests/support/watched.h"

#include "tests/support/test.h"

Test(watched, each_run_ends_once_and_in_order)
{
    struct sim_sum sum = { 0 };

    sim_many(&sum, 80001, 1000, GR_RUNTIME(.workers = 0), watched_play);
    sim_all_well(&sum, 300);
}

/* ---- streams of events and logs, whose readers are slow, leave, or are refused ----------------- */

/* ended_well: the codes that a stream may end with here. */
static bool ended_well(gr_code rc)
{
    return rc == GR_EOS || rc == GR_EFULL || rc == GR_ETIMEDOUT || rc == GR_EREMOTE ||
           rc == GR_ECANCELED;
}

/* check_event: of a run nothing is told before its start; starts has the ids of those that have begun. */
static gr_value *check_event(struct sim *s, gr_value *starts GR_TAKES, const gr_value *event)
{
    const char *name = gr_cstr(gr_get(event, "event"), "?");
    const char *id = gr_cstr(gr_get(event, "run_id"), "?");
    bool begins = strstr(name, "_start") != NULL;

    sim_check(s, (gr_get(starts, id) == NULL) == begins, "%s of a run that has %sbegun", name,
              begins ? "" : "not ");
    return gr_set(starts, id, gr_nil());
}

/* check_patch: each patch has its place in the log so far. */
static gr_value *check_patch(struct sim *s, gr_value *log GR_TAKES, const gr_value *patch)
{
    log = gr_log_apply(log, patch);
    sim_check(s, gr_error_code(log) == GR_OK, "%s", gr_error_text(log));
    return log;
}

static void read_some(struct sim *s, gr_stream *st, bool is_log)
{
    gr_value *sum = is_log ? NULL : gr_map_n(NULL, 0);
    gr_outcome o = { .code = GR_OK };
    uint64_t most = sim_roll(s, 60);

    for (uint64_t i = 0; i < most && (o.code == GR_OK || o.code == GR_EPENDING); i++) {
        if (sim_roll(s, 8) == 0)
            (void)gr_sleep(s->rt, (int64_t)sim_roll(s, 4));
        o = gr_next(st, 20);
        if (o.code == GR_OK)
            sum = is_log ? check_patch(s, sum, o.value) : check_event(s, sum, o.value);
    }
    sim_check(s, o.code == GR_OK || o.code == GR_EPENDING || ended_well(o.code), "it ended with %s",
              gr_code_name(o.code));
    gr_value_unref(sum);
    gr_stream_free(st);
}

static void event_stream_play(struct sim *s)
{
    gr_ref r = watched_chain(s->root);

    for (int i = 0; i < 6 && s->complaint[0] == '\0'; i++) {
        bool is_log = sim_roll(s, 2) == 0;
        gr_value *input = gr_int((int64_t)sim_roll(s, 10));
        const gr_call_opts *opts =
            GR_CALL(.window_chunks = 1 + (unsigned)sim_roll(s, 8),
                    .timeout_ms = sim_roll(s, 4) == 0 ? 1 + (int64_t)sim_roll(s, 5) : 0);
        const gr_events_opts *events = GR_EVENTS(.events_max = 1 + sim_roll(s, 20));

        read_some(s,
                  is_log ? gr_astream_log(s->rt, r, input, opts, events)
                         : gr_astream_events(s->rt, r, input, opts, events),
                  is_log);
    }
    gr_sim_heal();
    gr_sim_advance(s->rt, 1000);
}

Test(watched, streams_of_events_are_told_in_order_up_to_an_end_that_has_a_reason)
{
    struct sim_sum sum = { 0 };

    sim_many(&sum, 90001, 600, GR_RUNTIME(.workers = 0), event_stream_play);
    sim_all_well(&sum, 300);
}
