/* SPDX-License-Identifier: Apache-2.0 */
/* observed_memory_test.c - memory that is short for a moment costs what was told in it, and nothing after it. */
#include <greenroom/callbacks.h>

#include "tests/support/memory.h"
#include "tests/support/observer.h"

TestSuite(observed_memory, .init = set_up, .fini = tear_down, .timeout = 240);

struct short_of {
    int chunks, bad;  /* events of chunks, and those that are no such event */
    int within, lost; /* runs within another, and those that don't say in which */
};

/* first_fails makes a value of each chunk's event, of the first one without memory. */
static void first_fails(void *arg, const gr_event *event)
{
    struct short_of *s = arg;
    gr_value *v;

    if (s->chunks++ == 0)
        test_memory_fail_from(1);
    v = gr_event_value(event);
    test_memory_fail_from(0);
    s->bad += strcmp(gr_cstr(gr_get(v, "event"), ""), "on_chain_stream") != 0;
    gr_value_unref(v);
}

Test(observed_memory, a_chunk_without_memory_does_not_spoil_those_that_follow)
{
    struct short_of s = { 0 };
    gr_value *handler =
        gr_handler_value(GR_HANDLER(.on_event = first_fails, .arg = &s, .kinds = GR_RUN_STREAM));
    gr_value *config = gr_map(GR_KV("callbacks", gr_list(handler)));
    gr_stream *in = gr_astream(rt, letters("abcd"), gr_nil(), GR_CALL(.config = config));

    while (gr_next(in, TEST_WAIT_MS).code == GR_OK)
        ;
    gr_stream_free(in);
    cr_assert_eq(s.chunks, 4);
    cr_assert_eq(s.bad, 1);
}

static void note_parents(void *arg, const gr_event *event)
{
    struct short_of *s = arg;

    if (event->run->parent_id == NULL)
        return;
    s->within++;
    s->lost += gr_len(event->run->parent_ids) != 1;
}

Test(observed_memory, a_run_without_memory_does_not_spoil_those_beside_it)
{
    gr_ref r = gr_seq(root, inc(GR_ASYNC), inc(GR_ASYNC), inc(GR_ASYNC), inc(GR_ASYNC));
    bool reached = true;

    for (long n = 1; reached && n < 2000; n++) {
        struct short_of s = { 0 };
        gr_value *handler = gr_handler_value(
            GR_HANDLER(.on_event = note_parents, .arg = &s, .kinds = GR_RUN_START));
        gr_value *config = gr_map(GR_KV("callbacks", gr_list(handler)));
        gr_future *f;

        test_memory_fail_at(n);
        f = gr_ainvoke(rt, r, gr_int(1), GR_CALL(.config = config));
        gr_await(f, -1);
        reached = test_memory_reached();
        gr_future_free(f);
        cr_assert_leq(s.lost, 1, "allocation %ld: %d of %d", n, s.lost, s.within);
    }
}
