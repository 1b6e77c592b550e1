/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recovery.c - with_retry and with_fallbacks: a model that is too busy is asked again, one that says no
 * for good is replaced by another.
 *
 *     cc recovery.c $(pkg-config --cflags --libs greenroom) && ./a.out
 *
 * It prints:
 *
 *     again, after: too many requests
 *     again, after: too many requests
 *     The first model says hello.
 *     The second model says hello.
 */
#include <greenroom/greenroom.h>

#include <stdio.h>

/* on_retry hears of each attempt that is about to be made again. */
static void on_retry(void *arg, const gr_event *event)
{
    (void)arg;
    printf("again, after: %s\n", gr_error_text(event->error));
}

static int ask(gr_runtime *rt, gr_ref chain, gr_value *callbacks)
{
    gr_value *err = NULL;
    gr_value *answer = gr_invoke(rt, chain, gr_str("Say hello."),
                                 GR_CALL(.config = gr_map(GR_KV("callbacks", callbacks))), &err);
    int failed;

    printf("%s\n", answer != NULL ? gr_cstr(answer, "?") : gr_error_text(err));
    failed = answer == NULL;
    gr_value_unref(err);
    gr_value_unref(answer);
    return failed;
}

int main(void)
{
    gr_value *handler = gr_handler_value(GR_HANDLER(.on_event = on_retry, .kinds = GR_RUN_RETRY));
    GR_AUTO(gr_runtime) rt = NULL;
    gr_scope *in;
    gr_ref first, second, chain;
    int failed;

    if (gr_runtime_new(NULL, &rt) != GR_OK)
        return 1;
    in = gr_root(rt);
    /* Twice too busy, then well; and in the second call a failure that no retry can mend. */
    first = gr_script_model(
        in, GR_SCRIPT(.answers = gr_list(gr_error(GR_ERATE, "too many requests"),
                                         gr_error(GR_ERATE, "too many requests"),
                                         gr_str("The first model says hello."),
                                         gr_error_with(gr_error(GR_EREMOTE, "no such model"),
                                                       "status", gr_int(404)))));
    second =
        gr_script_model(in, GR_SCRIPT(.answers = gr_list(gr_str("The second model says hello."))));
    first = gr_with_retry(in, first, GR_RETRY(.attempts = 4, .backoff_ms = 1, .jitter_ms = -1));
    chain = gr_seq(in, gr_with_fallbacks(in, first, second), gr_str_parser(in));

    failed = ask(rt, chain, gr_list(gr_value_ref(handler)));
    failed |= ask(rt, chain, gr_list(handler));
    return failed;
}
