/* SPDX-License-Identifier: Apache-2.0 */
/* log_apply_test.c - gr_log_apply: the patches of astream_log. */
#include "tests/support/runnables.h"

static gr_value *applied(const char *state, const char *patch)
{
    gr_value *p = json(patch);
    gr_value *v = gr_log_apply(state != NULL ? json(state) : NULL, p);

    gr_value_unref(p);
    return v;
}

Test(log_apply, the_first_patch_makes_the_state)
{
    is(applied(NULL, "[{\"op\":\"replace\",\"path\":\"\",\"value\":{\"logs\":{}}}]"),
       "{\"logs\":{}}");
    is(applied(NULL, "[]"), "null");
}

Test(log_apply, add_replace_and_remove_in_maps)
{
    is(applied("{\"a\":{\"b\":1}}", "[{\"op\":\"add\",\"path\":\"/a/c\",\"value\":2},"
                                    "{\"op\":\"replace\",\"path\":\"/a/b\",\"value\":[3]},"
                                    "{\"op\":\"add\",\"path\":\"/a/c\",\"value\":4}]"),
       "{\"a\":{\"b\":[3],\"c\":4}}");
    is(applied("{\"a\":1,\"b\":2}", "[{\"op\":\"remove\",\"path\":\"/a\"}]"), "{\"b\":2}");
}

Test(log_apply, add_replace_and_remove_in_lists)
{
    is(applied("[1,2,3]", "[{\"op\":\"add\",\"path\":\"/-\",\"value\":4},"
                          "{\"op\":\"add\",\"path\":\"/0\",\"value\":0},"
                          "{\"op\":\"add\",\"path\":\"/5\",\"value\":5},"
                          "{\"op\":\"replace\",\"path\":\"/1\",\"value\":\"one\"},"
                          "{\"op\":\"remove\",\"path\":\"/2\"}]"),
       "[0,\"one\",3,4,5]");
    is(applied("{\"a\":[{\"b\":[]}]}", "[{\"op\":\"add\",\"path\":\"/a/0/b/-\",\"value\":1}]"),
       "{\"a\":[{\"b\":[1]}]}");
}

Test(log_apply, keys_are_escaped_as_in_rfc_6901)
{
    is(applied("{\"a/b\":{\"c~d\":1}}",
               "[{\"op\":\"replace\",\"path\":\"/a~1b/c~0d\",\"value\":2}]"),
       "{\"a/b\":{\"c~d\":2}}");
}

Test(log_apply, what_has_no_place_is_told_and_the_state_goes)
{
    static const char *const bad[] = {
        "[{\"op\":\"add\",\"path\":\"/x/y\",\"value\":1}]",
        "[{\"op\":\"replace\",\"path\":\"/x\",\"value\":1}]",
        "[{\"op\":\"remove\",\"path\":\"/x\"}]",
        "[{\"op\":\"add\",\"path\":\"a\",\"value\":1}]",
        "[{\"op\":\"add\",\"path\":\"/l/9\",\"value\":1}]",
        "[{\"op\":\"add\",\"path\":\"/l/1x\",\"value\":1}]",
        "[{\"op\":\"replace\",\"path\":\"/l/-\",\"value\":1}]",
        "[{\"op\":\"add\",\"path\":\"/l/0/q\",\"value\":1}]",
        "[{\"op\":\"move\",\"path\":\"/l\",\"from\":\"/x\"}]",
        "[{\"op\":\"add\",\"path\":\"/l\"}]",
        "[1]",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        fails_with(applied("{\"l\":[1]}", bad[i]), GR_EINVAL, "");
    fails_with(applied("{}", "{}"), GR_ETYPE, "a patch is a list");
}

Test(log_apply, who_holds_an_older_state_keeps_it)
{
    gr_value *patch = json("[{\"op\":\"add\",\"path\":\"/a/b/-\",\"value\":2}]");
    gr_value *before = json("{\"a\":{\"b\":[1]}}");
    gr_value *after = gr_log_apply(gr_value_ref(before), patch);

    is(before, "{\"a\":{\"b\":[1]}}");
    is(after, "{\"a\":{\"b\":[1,2]}}");
    gr_value_unref(patch);
}

/* Each patch takes as long as the one before: ten times as many take ten times as long, not a
 * hundred times. */
static double seconds_for(int count)
{
    gr_value *patch = json("[{\"op\":\"add\",\"path\":\"/logs/m/streamed_output/-\",\"value\":1}]");
    gr_value *state = json("{\"logs\":{\"m\":{\"streamed_output\":[]}}}");
    struct timespec begin, end;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    for (int i = 0; i < count; i++)
        state = gr_log_apply(state, patch);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    cr_assert_eq(gr_len(gr_get(gr_get(gr_get(state, "logs"), "m"), "streamed_output")),
                 (size_t)count);
    gr_value_unref(state);
    gr_value_unref(patch);
    return (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
}

Test(log_apply, a_log_grows_in_linear_time)
{
    double few = seconds_for(10000), many = seconds_for(100000);

    cr_assert_lt(many, 40 * few, "%.4f s, then %.4f s", few, many);
}
