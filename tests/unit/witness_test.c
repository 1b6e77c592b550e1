/* SPDX-License-Identifier: Apache-2.0 */
/* witness_test.c - what a worker tells when a signal interrupts it: a stack that overflows has a
 * name, and the host keeps its handlers. */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <greenroom/runnable.h>

#include "tests/support/engine.h"

/* The sanitizers report an overflow, and every other fault, themselves. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static void start(bool report)
{
    gr_set_log(NULL, NULL, 0);
    cr_assert_eq(gr_runtime_new(
                     GR_RUNTIME(.workers = 2, .stack_size = 65536, .report_overflow = report), &rt),
                 GR_OK);
    root = gr_root(rt);
}

#ifndef SANITIZED

/* ---- handlers that fault ---------------------------------------------------------------------- */

static volatile int depth_max = 1 << 30;

__attribute__((noinline)) static int recurse(volatile char *above, int depth)
{
    volatile char frame[512];

    frame[0] = *above;
    if (depth == depth_max)
        return frame[0];
    return recurse(frame, depth + 1) + frame[0];
}

static gr_value *deep_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    volatile char first = 1;

    (void)c, (void)self, (void)args;
    return gr_int(recurse(&first, 0));
}

static gr_value *deep_later(gr_ctx *c, void *self, const gr_value *args)
{
    if (gr_sleep(gr_runtime_of(c), 1) != GR_OK) /* it goes on on the stack that it has left */
        return gr_error(GR_EINTR, "no sleep");
    return deep_invoke(c, self, args);
}

static volatile int *volatile nowhere;

static gr_value *null_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self, (void)args;
    return gr_int(*nowhere);
}

static const gr_method methods[] = { { "invoke", GR_ASYNC, deep_invoke, NULL },
                                     { "later", GR_ASYNC, deep_later, NULL },
                                     { "null", GR_ASYNC, null_invoke, NULL } };
static const gr_class deep_class = GR_CLASS(.name = "deep", .state_size = 8, GR_METHODS(methods));

/* ---- a child process -------------------------------------------------------------------------- */

struct end {
    int status;
    char text[512]; /* what it wrote on stderr */
};

/* run_child runs fn in a process of its own, before this one has a thread of ours. */
static void run_child(void (*fn)(void), struct end *ret)
{
    struct rlimit no_core = { 0, 0 };
    int ends[2];
    size_t len = 0;
    ssize_t n;
    pid_t pid;

    cr_assert_eq(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &no_core);
        alarm(20);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        for (int i = 1; i < NSIG; i++)
            if (i != SIGKILL && i != SIGSTOP)
                (void)signal(i, SIG_DFL); /* the test's own runner has some */
        fn();
        _exit(0);
    }
    close(ends[1]);
    while (len < sizeof(ret->text) - 1 &&
           (n = read(ends[0], ret->text + len, sizeof(ret->text) - 1 - len)) > 0)
        len += (size_t)n;
    ret->text[len] = '\0';
    close(ends[0]);
    cr_assert_eq(waitpid(pid, &ret->status, 0), pid);
}

static void killed_by(const struct end *e, int number)
{
    cr_assert(WIFSIGNALED(e->status) && WTERMSIG(e->status) == number, "status %x, '%s'",
              (unsigned)e->status, e->text);
}

static void exited_with(const struct end *e, int code)
{
    cr_assert(WIFEXITED(e->status) && WEXITSTATUS(e->status) == code, "status %x, '%s'",
              (unsigned)e->status, e->text);
}

static gr_ref deep(void)
{
    return gr_spawn(root, &deep_class, GR_SPAWN(.name = "the deep one"));
}

static void call(gr_ref to, const char *verb)
{
    gr_detach(gr_acall(rt, to, verb, gr_nil(), NULL));
}

static void await(gr_ref to, const char *verb)
{
    gr_value_unref(gr_do(rt, to, verb, gr_nil(), NULL, NULL));
}

#define SAID                                                                                       \
    "greenroom: actor the deep one overflowed its stack of 65536 bytes (option stack_size)\n"

static void overflow(void)
{
    start(true);
    await(deep(), "invoke");
}

Test(witness, an_overflow_is_named_before_the_process_ends)
{
    struct end e;

    run_child(overflow, &e);
    cr_assert_str_eq(e.text, SAID);
    killed_by(&e, SIGSEGV);
}

static void overflow_after_a_wait(void)
{
    start(true);
    await(deep(), "later");
}

Test(witness, also_on_a_stack_that_has_waited)
{
    struct end e;

    run_child(overflow_after_a_wait, &e);
    cr_assert_str_eq(e.text, SAID);
    killed_by(&e, SIGSEGV);
}

static void overflow_in_a_sequence(void)
{
    start(true);
    await(gr_seq(root, gr_passthrough(root), gr_lambda(root, GR_CHEAP, deep_invoke, NULL, NULL)),
          "invoke");
}

static void overflow_behind_one_of_ours(void)
{
    start(true);
    await(gr_seq(root, gr_passthrough(root), deep()), "invoke");
}

/* The composition runs a cheap step on its own stack; that one's name counts. */
Test(witness, a_step_of_a_composition_is_named)
{
    struct end e;

    run_child(overflow_in_a_sequence, &e);
    cr_assert_eq(strncmp(e.text, "greenroom: actor RunnableLambda overflowed", 42), 0, "%s",
                 e.text);
    killed_by(&e, SIGSEGV);
    run_child(overflow_behind_one_of_ours, &e);
    cr_assert_str_eq(e.text, SAID);
    killed_by(&e, SIGSEGV);
}

static void overflow_silently(void)
{
    start(false);
    await(deep(), "invoke");
}

Test(witness, nothing_is_said_without_the_option)
{
    struct end e;

    run_child(overflow_silently, &e);
    cr_assert_str_eq(e.text, "");
    killed_by(&e, SIGSEGV);
}

static void null_in_a_handler(void)
{
    start(true);
    await(deep(), "null");
}

Test(witness, another_fault_ends_the_process_as_ever)
{
    struct end e;

    run_child(null_in_a_handler, &e);
    cr_assert_str_eq(e.text, "");
    killed_by(&e, SIGSEGV);
}

static void sent_from_outside(void)
{
    start(true);
    (void)kill(getpid(), SIGSEGV);
    for (;;)
        pause();
}

Test(witness, a_signal_that_was_sent_does_as_ever)
{
    struct end e;

    run_child(sent_from_outside, &e);
    killed_by(&e, SIGSEGV);
}

/* ---- the host's handlers ---------------------------------------------------------------------- */

static void host_info(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    if (info->si_addr == NULL && write(STDERR_FILENO, "host\n", 5) == 5)
        _exit(3);
    _exit(4);
}

static void host_plain(int number)
{
    (void)number;
    _exit(5);
}

static void host_has(void (*info)(int, siginfo_t *, void *), void (*plain)(int), int flags)
{
    struct sigaction a = { .sa_flags = flags };

    if (info != NULL)
        a.sa_sigaction = info;
    else
        a.sa_handler = plain;
    (void)sigaction(SIGSEGV, &a, NULL);
}

static void host_thread_faults(void)
{
    host_has(host_info, NULL, SA_SIGINFO);
    start(true);
    _exit(*nowhere == 7 ? 6 : 7);
}

static void worker_faults(void)
{
    host_has(host_info, NULL, SA_SIGINFO);
    start(true);
    await(deep(), "null");
}

Test(witness, the_hosts_handler_gets_the_other_faults)
{
    struct end e;

    run_child(host_thread_faults, &e);
    cr_assert_str_eq(e.text, "host\n");
    exited_with(&e, 3);
    run_child(worker_faults, &e);
    cr_assert_str_eq(e.text, "host\n");
    exited_with(&e, 3);
}

static void overflow_with_host(void)
{
    host_has(NULL, host_plain, SA_ONSTACK);
    start(true);
    await(deep(), "invoke");
}

Test(witness, the_hosts_handler_gets_an_overflow_too_once_it_is_named)
{
    struct end e;

    run_child(overflow_with_host, &e);
    cr_assert_str_eq(e.text, SAID);
    exited_with(&e, 5);
}

static void host_on_top(void)
{
    gr_runtime *first;

    start(true);
    first = rt;
    host_has(NULL, host_plain, 0); /* over ours */
    gr_runtime_free(first);
    start(true); /* it is still there */
    (void)raise(SIGSEGV);
}

Test(witness, a_handler_that_the_host_put_on_top_stays)
{
    struct end e;

    run_child(host_on_top, &e);
    exited_with(&e, 5);
}

/* Many fault at once: each is told, and the process ends. */
static void many(void)
{
    start(true);
    for (int i = 0; i < 8; i++)
        call(deep(), "invoke");
    for (;;)
        pause();
}

Test(witness, two_overflows_at_once)
{
    struct end e;

    run_child(many, &e);
    cr_assert_eq(strncmp(e.text, SAID, strlen(SAID)), 0, "%s", e.text);
    killed_by(&e, SIGSEGV);
}
#endif

/* ---- handlers that are not ours to leave ------------------------------------------------------ */

static void *handler_of(int number)
{
    struct sigaction a;

    cr_assert_eq(sigaction(number, NULL, &a), 0);
    return (void *)(uintptr_t)a.sa_sigaction;
}

Test(witness, no_signal_is_handled_without_an_option)
{
    void *before[NSIG];

    for (int i = 1; i < NSIG; i++)
        before[i] = i == 32 || i == 33 ? NULL : handler_of(i); /* the C library's */
    start(false);
    for (int i = 1; i < NSIG; i++)
        cr_assert(i == 32 || i == 33 || handler_of(i) == before[i], "%d", i);
    gr_runtime_free(rt);
}

Test(witness, the_last_runtime_gives_back_what_was_there)
{
    void *before = handler_of(SIGSEGV);
    gr_runtime *first;

    start(true);
    first = rt;
    cr_assert_neq(handler_of(SIGSEGV), before);
    start(true);
    gr_runtime_free(first);
    cr_assert_neq(handler_of(SIGSEGV), before, "the other one still wants it");
    gr_runtime_free(rt);
    cr_assert_eq(handler_of(SIGSEGV), before);
}

static void somebody(int number)
{
    (void)number;
}

Test(witness, the_signal_for_backtraces_must_be_free)
{
    int number = SIGRTMAX - 3;
    gr_runtime *two;

    (void)signal(number, somebody);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.backtrace_signal = number), &rt), GR_EINVAL);
    cr_assert_eq(handler_of(number), (void *)(uintptr_t)somebody);
    (void)signal(number, SIG_DFL);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.backtrace_signal = number), &rt), GR_OK);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.backtrace_signal = number), &two), GR_OK,
                 "two runtimes share it");
    gr_runtime_free(two);
    gr_runtime_free(rt);
    cr_assert_eq(handler_of(number), (void *)(uintptr_t)SIG_DFL);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.backtrace_signal = SIGKILL), &rt), GR_EINVAL);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.backtrace_signal = 1000), &rt), GR_EINVAL);
    cr_assert_eq(
        gr_runtime_new(GR_RUNTIME(.backtrace_signal = SIGSEGV, .report_overflow = true), &rt),
        GR_EINVAL, "not for both");
}

Test(witness, memory_may_run_out)
{
    gr_code rc = GR_ENOMEM;

    for (long n = 1; rc != GR_OK; n++) {
        long before = test_memory_live();
        void *segv = handler_of(SIGSEGV);

        test_memory_fail_at(n);
        rc = gr_runtime_new(GR_RUNTIME(.workers = 1, .report_overflow = true,
                                       .backtrace_signal = GR_BACKTRACE_SIGNAL),
                            &rt);
        test_memory_fail_at(0);
        if (rc == GR_OK)
            gr_runtime_free(rt);
        else
            cr_assert_eq(rc, GR_ENOMEM);
        cr_assert_eq(test_memory_live(), before);
        cr_assert_eq(handler_of(SIGSEGV), segv);
    }
}
