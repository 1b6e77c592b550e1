/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isolate_test.c - isolated actors: they are called like others, and when their process ends that is an
 * exit reason here. The child is this very program: see the constructor.
 */
#include "tests/support/engine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <greenroom/greenroom.h>

#include "tests/support/isolated.h"

TestSuite(isolate, .init = engine_up, .fini = engine_down);

/* ---- called like any actor ------------------------------------------------------------------- */

Test(isolate, is_called_with_every_verb)
{
    gr_ref r = isolated_spawn(root, gr_str("hello"));
    gr_value *err = NULL, *v;
    gr_stream *s;

    v = gr_invoke(rt, r, gr_int(21), NULL, &err);
    cr_assert_eq(gr_as_int(v, 0), 42, "%s", gr_error_text(err));
    gr_value_unref(v);
    v = gr_do(rt, r, "args", gr_nil(), NULL, &err);
    cr_assert_str_eq(gr_cstr(v, ""), "hello");
    gr_value_unref(v);
    v = gr_do(rt, r, "pid", gr_nil(), NULL, &err);
    cr_assert_neq(gr_as_int(v, 0), getpid());
    cr_assert_gt(gr_as_int(v, 0), 0);
    gr_value_unref(v);
    v = gr_batch(rt, r, gr_list(gr_int(1), gr_int(2), gr_int(3)), NULL, &err);
    cr_assert_eq(gr_as_int(gr_at(v, 2), 0), 6, "%s", gr_error_text(err));
    gr_value_unref(v);
    s = gr_astream(rt, r, gr_int(1000), NULL);
    for (int i = 0; i < 1000; i++) {
        gr_outcome o = gr_next(s, TEST_WAIT_MS);

        cr_assert_eq(gr_as_int(o.value, -1), i, "%d: %s", i, gr_error_text(o.error));
    }
    cr_assert_eq(gr_next(s, TEST_WAIT_MS).code, GR_EOS);
    gr_stream_free(s);
    s = gr_atransform(rt, r, gr_stream_of(rt, gr_list(gr_int(4), gr_int(5))), NULL);
    cr_assert_eq(gr_as_int(gr_next(s, TEST_WAIT_MS).value, 0), 5);
    cr_assert_eq(gr_as_int(gr_next(s, TEST_WAIT_MS).value, 0), 6);
    cr_assert_eq(gr_next(s, TEST_WAIT_MS).code, GR_EOS);
    gr_stream_free(s);
}

Test(isolate, hears_what_it_is_told_and_keeps_its_state)
{
    gr_ref r = isolated_spawn(root, NULL);

    for (int i = 1; i <= 10; i++)
        cr_assert_eq(gr_tell(rt, r, gr_int(i)), GR_OK);
    for (int i = 0;; i++) {
        gr_value *v = gr_do(rt, r, "sum", gr_nil(), NULL, NULL);
        int64_t sum = gr_as_int(v, 0);

        gr_value_unref(v);
        if (sum == 55)
            break;
        cr_assert_lt(i, 2000, "the sum is %lld", (long long)sum);
        gr_sleep(rt, 10);
    }
}

Test(isolate, errors_of_its_own_come_back_and_it_lives_on)
{
    gr_ref r = isolated_spawn(root, NULL);
    gr_value *err = NULL;

    for (int i = 0; i < 3; i++) {
        cr_assert_null(gr_do(rt, r, "fail", gr_int(GR_EUNREACH), NULL, &err));
        cr_assert_eq(gr_error_code(err), GR_EUNREACH);
        cr_assert_not_null(strstr(gr_error_text(err), "as asked"), "%s", gr_error_text(err));
        gr_value_unref(err);
    }
    isolated_expect_alive(rt, r);
}

Test(isolate, a_start_function_makes_what_runs_there)
{
    gr_ref r = gr_isolated(root, "lambda", GR_SPAWN(.args = gr_int(7)));
    gr_value *err = NULL, *v = gr_invoke(rt, r, gr_int(5), NULL, &err);

    cr_assert_eq(gr_as_int(v, 0), 12, "%s", gr_error_text(err));
    gr_value_unref(v);
}

Test(isolate, a_call_that_is_cancelled_is_cancelled_there)
{
    gr_ref r = isolated_spawn(root, NULL);
    gr_future *f = gr_acall(rt, r, "wait", gr_nil(), NULL);

    isolated_wait_for(rt, r, "waiting", 1);
    gr_future_free(f);
    isolated_wait_for(rt, r, "waiting", 0);
}

Test(isolate, a_deadline_holds_there_and_here)
{
    gr_ref r = isolated_spawn(root, NULL);
    gr_value *err = NULL;

    isolated_expect_alive(rt, r);
    cr_assert_null(gr_do(rt, r, "wait", gr_nil(), GR_CALL(.timeout_ms = 50), &err));
    cr_assert_eq(gr_error_code(err), GR_ETIMEDOUT);
    gr_value_unref(err);
    isolated_wait_for(rt, r, "waiting", 0);
}

static gr_value *add_one(gr_ctx *c, void *arg, const gr_value *in)
{
    (void)c, (void)arg;
    return gr_int(gr_as_int(in, 0) + 1);
}

Test(isolate, a_ref_in_its_arguments_is_called_from_there)
{
    gr_ref mine = gr_lambda(root, GR_CHEAP, add_one, NULL, NULL);
    gr_ref r = isolated_spawn(root, gr_ref_value(mine));
    gr_value *err = NULL, *v = gr_do(rt, r, "ask", gr_int(4), NULL, &err);

    cr_assert_eq(gr_as_int(v, 0), 5, "%s", gr_error_text(err));
    gr_value_unref(v);
    v = gr_do(rt, r, "args", gr_nil(), NULL, NULL);
    cr_assert_eq(gr_as_ref(v).id, mine.id);
    gr_value_unref(v);
}

/* ---- crashes --------------------------------------------------------------------------------- */

static void crash(const char *how, const char *says)
{
    gr_ref r = isolated_spawn(root, NULL);
    gr_value *err = NULL, *reason;
    gr_future *ended = gr_ended(rt, r);

    isolated_expect_alive(rt, r);
    cr_assert_null(gr_do(rt, r, how, gr_nil(), NULL, &err));
    isolated_expect_exit(err, says);
    gr_value_unref(err);
    cr_assert_null(gr_take(ended, &reason));
    cr_assert_not_null(strstr(gr_error_text(reason), "isolated process ended: "));
    cr_assert_str_eq(gr_cstr(gr_get(reason, "kind"), ""), "IsolatedExit");
    cr_assert_gt(gr_as_int(gr_get(gr_get(reason, "detail"), "pid"), 0), 0);
    gr_value_unref(reason);
    cr_assert_null(gr_invoke(rt, r, gr_int(1), NULL, &err));
    cr_assert(gr_error_code(err) == GR_EBROKEN || gr_error_code(err) == GR_EDEAD);
    gr_value_unref(err);
}

Test(isolate, a_segfault_is_an_exit_reason)
{
    crash("null", isolated_sanitized() ? "" : "signal 11 (SIGSEGV)");
}

Test(isolate, an_abort_is_an_exit_reason)
{
    crash("abort", "signal 6 (SIGABRT)");
}

Test(isolate, an_exit_is_an_exit_reason)
{
    crash("exit", "exit status 3");
}

Test(isolate, an_exit_of_the_actor_itself_has_its_own_reason)
{
    gr_ref r = isolated_spawn(root, NULL);
    gr_future *ended = gr_ended(rt, r);
    gr_value *reason;

    isolated_expect_alive(rt, r);
    gr_value_unref(gr_do(rt, r, "leave", gr_str("tired"), NULL, NULL));
    reason = gr_take(ended, NULL);
    cr_assert_str_eq(gr_cstr(reason, ""), "tired");
    gr_value_unref(reason);
    r = isolated_spawn(root, NULL);
    ended = gr_ended(rt, r);
    isolated_expect_alive(rt, r);
    gr_value_unref(gr_do(rt, r, "leave", gr_str("normal"), NULL, NULL));
    reason = gr_take(ended, NULL);
    cr_assert_str_eq(gr_cstr(reason, ""), "normal");
    gr_value_unref(reason);
}

Test(isolate, a_kill_in_a_stream_ends_it_after_what_came)
{
    gr_ref r = isolated_spawn(root, NULL);
    gr_stream *s = gr_astream(rt, r, gr_int(-1), NULL);
    pid_t pid = isolated_pid(rt, r);
    gr_outcome o;
    int64_t next = 0;

    for (; next < 5; next++)
        cr_assert_eq(gr_as_int(gr_next(s, TEST_WAIT_MS).value, -1), next);
    cr_assert_eq(kill(pid, SIGKILL), 0);
    while ((o = gr_next(s, TEST_WAIT_MS)).code == GR_OK)
        cr_assert_eq(gr_as_int(o.value, -1), next++);
    isolated_expect_exit(o.error, "signal 9 (SIGKILL)");
    gr_stream_free(s);
}

Test(isolate, a_link_carries_the_reason_and_a_monitor_tells_it)
{
    gr_value *err = NULL;
    gr_ref keeper = gr_spawn(root, &isolated_keeper_class, NULL);
    gr_future *ended = gr_ended(rt, keeper);

    cr_assert_null(gr_do(rt, keeper, "crash_a_linked_one", gr_nil(), NULL, &err));
    gr_value_unref(err);
    cr_assert_null(gr_take(ended, &err));
    cr_assert_not_null(strstr(gr_error_text(err), "isolated process ended: signal 6 (SIGABRT)"),
                       "%s", gr_error_text(err));
    gr_value_unref(err);
}

/* ---- supervised ------------------------------------------------------------------------------ */

static gr_ref start_lambda(gr_scope *in, void *arg, const gr_value *args)
{
    (void)arg;
    return gr_isolated(in, "lambda", GR_SPAWN(.args = gr_value_ref(args)));
}

Test(isolate, a_null_in_a_batch_fails_its_item_alone)
{
    gr_child_spec spec = GR_CHILD(.id = "lambda", .start = start_lambda, .args = gr_int(100));
    gr_ref sup = gr_supervisor(root, GR_SUPERVISOR(.intensity = 20, .period_ms = 60000,
                                                   .children = &spec, .child_count = 1));
    gr_ref child = gr_child(root, sup, "lambda", GR_NAMED(.wait_ms = TEST_WAIT_MS));
    gr_ref step = gr_with_retry(root, child, GR_RETRY(.attempts = 3, .backoff_ms = 1));
    gr_value *err = NULL, *inputs = gr_list_n(NULL, 0), *out, *item;
    int64_t before, after;

    for (int i = 0; i < 10; i++)
        inputs = gr_append(inputs, gr_int(i == 4 ? ISOLATED_NULL : i));
    before = isolated_pid(rt, child);
    out = gr_batch(
        rt, step, inputs,
        GR_CALL(.return_exceptions = true, .config = gr_map(GR_KV("max_concurrency", gr_int(2)))),
        &err);
    cr_assert_not_null(out, "%s", gr_error_text(err));
    for (int i = 0; i < 10; i++) {
        item = gr_value_ref(gr_at(out, (size_t)i));
        if (i == 4)
            isolated_expect_exit(item, isolated_sanitized() ? "" : "signal 11 (SIGSEGV)");
        else
            cr_assert_eq(gr_as_int(item, 0), 100 + i, "%d: %s", i, gr_error_text(item));
        gr_value_unref(item);
    }
    gr_value_unref(out);
    after = isolated_pid(rt, child); /* the supervisor has a new process for what comes next */
    cr_assert_neq(before, after);
    out = gr_batch(rt, step, gr_list(gr_int(1), gr_int(2)), NULL, &err);
    cr_assert_eq(gr_as_int(gr_at(out, 1), 0), 102, "%s", gr_error_text(err));
    gr_value_unref(out);
    gr_stop(rt, sup);
}

Test(isolate, fifty_restarts_leave_nothing_behind)
{
    gr_child_spec spec =
        GR_CHILD(.id = "one", .cls = &isolated_class, .spawn = GR_SPAWN(.isolate = GR_ISOLATE()));
    int rounds = isolated_sanitized() ? 15 : 50, fds = 0;
    gr_ref sup, one;
    pid_t last = 0;

    isolated_own_folder(); /* before there is a child, whose start reads the environment */
    sup = gr_supervisor(root, GR_SUPERVISOR(.intensity = 1000, .period_ms = 600000,
                                            .children = &spec, .child_count = 1));
    one = gr_child(root, sup, "one", GR_NAMED(.wait_ms = TEST_WAIT_MS));
    for (int i = 0; i < rounds; i++) {
        pid_t pid = isolated_pid(rt, one);
        gr_value *err = NULL;
        gr_future *f;

        cr_assert_neq(pid, last);
        last = pid;
        if (i == 1)
            fds = isolated_fds();
        f = gr_acall(rt, one, "wait", gr_nil(), NULL);
        if (i % 2 == 0)
            isolated_wait_for(rt, one, "waiting", 1);
        cr_assert_eq(kill(pid, SIGKILL), 0);
        cr_assert_null(gr_take(f, &err));
        cr_assert(gr_error_retryable(err), "%s", gr_error_text(err));
        gr_value_unref(err);
    }
    isolated_pid(rt, one);
    for (int i = 0; isolated_fds() > fds && i < 1000; i++)
        gr_sleep(rt, 10); /* the last one's link may still be closing, or the first one's was */
    cr_assert_leq(isolated_fds(), fds, "%d descriptors, %d before", isolated_fds(), fds);
    cr_assert_eq(isolated_children(), 1);
    cr_assert_eq(isolated_files(), 0);
    gr_stop(rt, sup);
}

/* ---- the process ----------------------------------------------------------------------------- */

Test(isolate, the_child_has_no_descriptors_or_signals_of_ours)
{
    int kept = open("/dev/null", O_RDONLY); /* without close-on-exec */
    sigset_t all, old;
    gr_value *v;
    gr_ref r;

    cr_assert_geq(dup2(kept, 700), 0);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    signal(SIGUSR1, SIG_IGN);
    r = isolated_spawn(root, NULL);
    v = gr_do(rt, r, "inherited", gr_nil(), NULL, NULL);
    cr_assert_str_eq(gr_cstr(v, "?"), "");
    gr_value_unref(v);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    close(700);
    close(kept);
}

Test(isolate, a_stopped_child_keeps_to_no_deadline_but_its_callers_do)
{
    gr_ref r = gr_spawn(root, &isolated_class, GR_SPAWN(.isolate = GR_ISOLATE(.silence_ms = 1000)));
    pid_t pid = isolated_pid(rt, r);
    gr_future *ended = gr_ended(rt, r);
    gr_value *err = NULL;

    isolated_halt(pid);
    cr_assert_null(gr_invoke(rt, r, gr_int(1), GR_CALL(.timeout_ms = 50), &err));
    cr_assert_eq(gr_error_code(err), GR_ETIMEDOUT);
    gr_value_unref(err);
    cr_assert_null(gr_take(ended, &err)); /* and it is found out */
    cr_assert_str_eq(gr_error_text(err), "isolated process ended: it showed no sign of life");
    gr_value_unref(err);
}

Test(isolate, stopping_it_ends_the_process_and_terminate_runs_there)
{
    gr_ref r = isolated_spawn(root, NULL);
    char path[64];
    gr_future *ended = gr_ended(rt, r);

    snprintf(path, sizeof(path), "/tmp/gr-test-terminate-%ld", (long)getpid());
    unlink(path);
    gr_value_unref(gr_do(rt, r, "mark_end", gr_str(path), NULL, NULL));
    gr_stop(rt, r);
    gr_value_unref(gr_take(ended, NULL));
    cr_assert_eq(access(path, F_OK), 0);
    unlink(path);
    isolated_wait_no_children();
}

Test(isolate, a_scope_that_ends_takes_its_processes_along)
{
    gr_scope *in = gr_scope_new(root);
    gr_future *f;
    gr_ref a, b;

    isolated_own_folder();
    a = isolated_spawn(in, NULL);
    b = isolated_spawn(in, NULL);
    isolated_expect_alive(rt, a);
    isolated_expect_alive(rt, b);
    f = gr_acall(rt, a, "wait", gr_nil(), GR_CALL(.scope = in));
    isolated_wait_for(rt, a, "waiting", 1);
    gr_scope_free(in);
    cr_assert_eq(gr_await(f, 0).code, GR_ECANCELED);
    gr_future_free(f);
    isolated_wait_no_children();
    cr_assert_eq(isolated_files(), 0);
}

Test(isolate, a_brutal_kill_leaves_no_process)
{
    gr_ref r = isolated_spawn(root, NULL);
    gr_future *ended = gr_ended(rt, r);
    gr_value *reason;

    isolated_expect_alive(rt, r);
    cr_assert_eq(gr_exit_to(rt, r, gr_str("kill")), GR_OK);
    reason = gr_take(ended, NULL);
    cr_assert_str_eq(gr_cstr(reason, ""), "killed");
    gr_value_unref(reason);
    isolated_wait_no_children();
}

Test(isolate, the_child_dies_with_a_parent_that_is_killed)
{
    isolated_own_folder();
    for (int stopped = 0; stopped < 2; stopped++) {
        pid_t child = 0, parent = isolated_parent(&child);

        if (stopped) { /* which only the kernel can end */
            gr_sleep(
                rt,
                500); /* it is told so when its link is there, which may be later than its first answer */
            isolated_halt(child);
        }
        cr_assert_eq(kill(parent, SIGKILL), 0);
        waitpid(parent, NULL, 0);
        for (int i = 0; isolated_is_there(child); i++) {
            cr_assert_lt(i, 2000, "%ld lives", (long)child);
            gr_sleep(rt, 10);
        }
    }
    cr_assert_eq(isolated_files(), 0);
}

/* ---- what can't be started ------------------------------------------------------------------- */

static void expect_refused(gr_ref r, gr_code code, const char *says)
{
    gr_value *err = NULL;

    gr_value_unref(gr_take(gr_started(rt, r), &err));
    cr_assert_eq(gr_error_code(err), code, "%s", gr_error_text(err));
    cr_assert_not_null(strstr(gr_error_text(err), says), "%s", gr_error_text(err));
    gr_value_unref(err);
    isolated_wait_no_children();
}

Test(isolate, what_is_not_registered_is_refused)
{
    expect_refused(gr_spawn(root, &isolated_keeper_class, GR_SPAWN(.isolate = GR_ISOLATE())),
                   GR_EINVAL, "the class 'keeper' is not among those that gr_isolate_main");
    expect_refused(gr_isolated(root, "nobody", GR_SPAWN(.args = gr_int(1))), GR_EINVAL,
                   "the kind 'nobody' is not among those that gr_isolate_main");
}

Test(isolate, a_program_that_is_not_there_is_refused)
{
    expect_refused(
        gr_isolated(root, "lambda", GR_SPAWN(.isolate = GR_ISOLATE(.program = "/nonexistent/x"))),
        GR_EBROKEN, "/nonexistent/x can't be run: No such file or directory");
}

Test(isolate, a_program_that_knows_nothing_of_it_is_refused)
{
    expect_refused(
        gr_isolated(root, "lambda", GR_SPAWN(.isolate = GR_ISOLATE(.program = "/bin/true"))),
        GR_EBROKEN, "isolated process ended: exit status 0");
}

Test(isolate, a_program_that_hangs_is_given_up)
{
    expect_refused(gr_isolated(root, "hang", GR_SPAWN(.isolate = GR_ISOLATE(.start_ms = 300))),
                   GR_ETIMEDOUT, "was not up in 300 ms");
}

Test(isolate, an_init_that_fails_or_crashes_there_fails_here)
{
    expect_refused(isolated_spawn(root, gr_str("refuse")), GR_EREMOTE, "refused as asked");
    expect_refused(isolated_spawn(root, gr_str("die")), GR_EBROKEN,
                   "isolated process ended: exit status 5");
}

static void ignore(void *p)
{
    (void)p;
}

Test(isolate, what_cannot_cross_is_refused)
{
    static int thing;
    gr_value *err = NULL;
    gr_ref r;

    expect_refused(isolated_spawn(root, gr_opaque(&thing, ignore)), GR_ETYPE, "the arguments");
    r = isolated_spawn(root, NULL);
    isolated_expect_alive(rt, r);
    cr_assert_null(gr_invoke(rt, r, gr_opaque(&thing, ignore), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_ETYPE);
    gr_value_unref(err);
    cr_assert_null(gr_do(rt, r, "opaque", gr_nil(), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_ETYPE);
    gr_value_unref(err);
    isolated_expect_alive(rt, r);
}

Test(isolate, memory_beyond_its_limit_is_not_to_be_had)
{
    gr_ref r;
    gr_value *v;

    if (isolated_sanitized())
        return; /* the limit is not applied then */
    r = gr_spawn(root, &isolated_class,
                 GR_SPAWN(.isolate = GR_ISOLATE(.memory_max = (size_t)256 << 20)));
    v = gr_do(rt, r, "allocate", gr_int((int64_t)100 << 20), NULL, NULL);
    cr_assert(gr_as_bool(v, false));
    gr_value_unref(v);
    v = gr_do(rt, r, "allocate", gr_int((int64_t)1 << 30), NULL, NULL);
    cr_assert(!gr_as_bool(v, true));
    gr_value_unref(v);
}

/* ---- how many -------------------------------------------------------------------------------- */

Test(isolate_limit, processes_are_bounded_and_a_place_is_free_again)
{
    gr_runtime *few = NULL;
    gr_ref a, b;
    gr_value *err = NULL;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2, .isolated_max = 1), &few), GR_OK);
    for (int i = 0; i < 3; i++) {
        a = isolated_spawn(gr_root(few), NULL);
        isolated_expect_alive(few, a);
        b = isolated_spawn(gr_root(few), NULL);
        gr_value_unref(gr_take(gr_started(few, b), &err));
        cr_assert_eq(gr_error_code(err), GR_EFULL, "%s", gr_error_text(err));
        gr_value_unref(err);
        gr_exit_to(few, a, gr_str("kill"));
        gr_value_unref(gr_take(gr_ended(few, a), NULL));
    }
    gr_runtime_free(few);
    cr_assert_eq(isolated_children(), 0);
}

Test(isolate_limit, a_node_with_a_cluster_and_a_secret_has_them_too)
{
    gr_runtime *own = NULL;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &own), GR_OK);
    cr_assert_eq(
        gr_node_configure(own, GR_NODE(.cluster = "here", .secret = "sixteen bytes or more"), NULL),
        GR_OK);
    isolated_expect_alive(own, isolated_spawn(gr_root(own), NULL));
    gr_runtime_free(own);
}

Test(isolate_limit, in_a_simulation_it_lives_in_the_one_process)
{
    gr_runtime *sim = NULL;
    gr_value *v;
    gr_ref r;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.sim_seed = 7), &sim), GR_OK);
    r = isolated_spawn(gr_root(sim), NULL);
    v = gr_do(sim, r, "pid", gr_nil(), NULL, NULL);
    cr_assert_eq(gr_as_int(v, 0), getpid());
    gr_value_unref(v);
    r = gr_isolated(gr_root(sim), "lambda", GR_SPAWN(.args = gr_int(1)));
    v = gr_invoke(sim, r, gr_int(1), NULL, NULL);
    cr_assert_eq(gr_as_int(v, 0), 2);
    gr_value_unref(v);
    gr_runtime_free(sim);
}
