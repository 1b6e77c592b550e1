/* SPDX-License-Identifier: Apache-2.0 */
/* summary_test.c - summaries of conversations when memory runs out. */
#include <greenroom/history.h>
#include <greenroom/message.h>

#include "tests/support/memory.h"
#include "tests/support/runnables.h"

TestSuite(summary, .init = set_up, .fini = tear_down, .timeout = 300);

static gr_value *tell_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg, (void)input;
    return gr_message("ai", gr_str("in short"));
}

static void add(gr_ref history, const char *text)
{
    gr_value_unref(answer(gr_acall(rt, history, "add_messages",
                                   gr_map(GR_KV("ids", gr_map(GR_KV("session_id", gr_str("s")))),
                                          GR_KV("messages", gr_str(text))),
                                   NULL)));
}

static bool is_summarised(gr_ref history)
{
    gr_value *list = answer(
        gr_acall(rt, history, "get_messages", gr_map(GR_KV("session_id", gr_str("s"))), NULL));
    bool is = strcmp(gr_cstr(gr_get(gr_at(list, 0), "type"), ""), "system") == 0;

    gr_value_unref(list);
    return is;
}

/* Whatever could not be done for want of memory, what comes later is summarised again. */
Test(summary, want_of_memory_passes)
{
    gr_ref model = gr_lambda(root, GR_ASYNC, tell_fn, NULL, NULL);
    bool reached = true;

    for (long n = 1; reached; n++) {
        gr_scope *s = gr_scope_new(root);
        gr_ref history =
            gr_summary_history(s, gr_memory_history(s, NULL), model, GR_SUMMARY(.tokens = 12));

        add(history, "one");
        test_memory_fail_at(n);
        add(history, "two");
        add(history, "three");
        reached = test_memory_reached();
        for (int i = 0; i < 4; i++)
            add(history, "later");
        cr_assert(is_summarised(history), "after allocation %ld", n);
        gr_scope_free(s);
    }
}
