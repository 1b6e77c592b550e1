/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_plain.h - Criterion's spelling without Criterion; see test.h, which includes it.
 *
 * One executable is one test file, so the runner, main included, may live in this header.
 */
#ifndef GR_TESTS_SUPPORT_TEST_PLAIN_H
#define GR_TESTS_SUPPORT_TEST_PLAIN_H

/* Its macros expand in the tests; as a system header they are as quiet as Criterion's. */
#if defined(__GNUC__)
#pragma GCC system_header
#endif

#include <fnmatch.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct test_options { /* the fields of Criterion's that may be given to Test and TestSuite */
    void (*init)(void);
    void (*fini)(void);
    double timeout; /* seconds; 0: five minutes */
    int signal, exit_code;
    bool disabled;
    const char *description;
    int sentinel;
};

struct test_case {
    const char *suite, *name; /* name NULL: the options of the whole suite */
    void (*fn)(void);
    struct test_options options;
    struct test_case *next;
};

static struct {
    struct test_case *first, **end;
    struct test_case *running;
    pthread_t thread; /* the one that may jump */
    jmp_buf leave;
    bool failed, skipped; /* of the running test */
    int tested, failures, skips;
} test_run = { .end = &test_run.first };

static inline void test_register(struct test_case *c)
{
    *test_run.end = c;
    test_run.end = &c->next;
}

static inline void test_summary(int crashed)
{
    printf(
        "[====] Synthesis: Tested: %d | Passing: %d | Failing: %d | Crashing: %d | Skipped: %d\n",
        test_run.tested, test_run.tested - test_run.failures - crashed, test_run.failures, crashed,
        test_run.skips);
    fflush(stdout);
}

static inline __attribute__((format(printf, 5, 6))) void test_fail(bool fatal, const char *file,
                                                                   int line, const char *what,
                                                                   const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "[FAIL] %s::%s: %s:%d: %s", test_run.running->suite, test_run.running->name,
            file, line, what);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    test_run.failed = true;
    if (!fatal)
        return;
    if (pthread_equal(pthread_self(), test_run.thread))
        longjmp(test_run.leave, 1);
    test_run.failures++;
    test_summary(0);
    _exit(1);
}

static inline void test_skip(void)
{
    test_run.skipped = true;
    longjmp(test_run.leave, 1);
}

static inline void test_timed_out(int sig)
{
    static const char text[] =
        "[FAIL] the running test took too long\n"
        "[====] Synthesis: Tested: 1 | Passing: 0 | Failing: 1 | Crashing: 0\n";

    (void)sig;
    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
        _exit(2);
    _exit(1);
}

/* test_suite_options returns what TestSuite(suite, …) said, or nothing. */
static inline struct test_options test_suite_options(const char *suite)
{
    struct test_options none = { .init = NULL };

    for (struct test_case *c = test_run.first; c != NULL; c = c->next)
        if (c->name == NULL && strcmp(c->suite, suite) == 0)
            return c->options;
    return none;
}

static inline bool test_chosen(const struct test_case *c, int argc, char **argv)
{
    char full[256];
    bool any = false;

    snprintf(full, sizeof(full), "%s/%s", c->suite, c->name);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--filter") == 0 && i + 1 < argc) {
            any = true;
            if (fnmatch(argv[++i], full, 0) == 0)
                return true;
        } else if (argv[i][0] != '-') {
            any = true;
            if (strstr(full, argv[i]) != NULL)
                return true;
        }
    }
    return !any;
}

static inline void test_run_one(struct test_case *c)
{
    struct test_options suite = test_suite_options(c->suite);
    struct test_options *o = &c->options;

    test_run.running = c;
    test_run.failed = test_run.skipped = false;
    if (o->disabled || suite.disabled || o->signal != 0 || o->exit_code != 0) {
        test_run.skips++;
        return;
    }
    alarm(o->timeout >= 1 ? (unsigned)o->timeout : 300);
    if (setjmp(test_run.leave) == 0) {
        if (suite.init != NULL)
            suite.init();
        if (o->init != NULL)
            o->init();
        c->fn();
        if (o->fini != NULL)
            o->fini();
        if (suite.fini != NULL)
            suite.fini();
    }
    alarm(0);
    if (test_run.skipped) {
        test_run.skips++;
        return;
    }
    test_run.tested++;
    test_run.failures += test_run.failed;
}

int main(int argc, char **argv)
{
    test_run.thread = pthread_self();
    signal(SIGALRM, test_timed_out);
    for (struct test_case *c = test_run.first; c != NULL; c = c->next)
        if (c->name != NULL && test_chosen(c, argc, argv))
            test_run_one(c);
    test_summary(0);
    return test_run.failures == 0 ? 0 : 1;
}

#define Test(...) TEST_DEFINE_(__VA_ARGS__, .sentinel = 0)
#define TEST_DEFINE_(s, n, ...)                                                                    \
    static void s##_##n##_test_(void);                                                             \
    static struct test_case s##_##n##_case_ = { #s, #n, s##_##n##_test_, { __VA_ARGS__ }, NULL };  \
    __attribute__((constructor)) static void s##_##n##_register_(void)                             \
    {                                                                                              \
        test_register(&s##_##n##_case_);                                                           \
    }                                                                                              \
    static void s##_##n##_test_(void)
#define TestSuite(...) TEST_SUITE_(__VA_ARGS__, .sentinel = 0)
#define TEST_SUITE_(s, ...)                                                                        \
    static struct test_case s##_suite_ = { #s, NULL, NULL, { __VA_ARGS__ }, NULL };                \
    __attribute__((constructor)) static void s##_suite_register_(void)                             \
    {                                                                                              \
        test_register(&s##_suite_);                                                                \
    }                                                                                              \
    struct test_suite_wants_semicolon_

#define TEST_CHECK_(fatal, cond, text, ...)                                                        \
    ((cond) ? (void)0 : test_fail(fatal, __FILE__, __LINE__, text, " " __VA_ARGS__))
#define TEST_FLOAT_(a, b, e)                                                                       \
    (((a) > (b) ? (double)(a) - (double)(b) : (double)(b) - (double)(a)) <= (double)(e))

#define cr_assert(cond, ...) TEST_CHECK_(true, cond, #cond, __VA_ARGS__)
#define cr_assert_not(cond, ...) TEST_CHECK_(true, !(cond), "not " #cond, __VA_ARGS__)
#define cr_assert_eq(a, b, ...) TEST_CHECK_(true, (a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...) TEST_CHECK_(true, (a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...) TEST_CHECK_(true, (a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...) TEST_CHECK_(true, (a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...) TEST_CHECK_(true, (a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...) TEST_CHECK_(true, (a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_assert_null(p, ...) TEST_CHECK_(true, (p) == NULL, #p " is NULL", __VA_ARGS__)
#define cr_assert_not_null(p, ...) TEST_CHECK_(true, (p) != NULL, #p " is not NULL", __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...)                                                                \
    TEST_CHECK_(true, strcmp((a), (b)) == 0, #a " is the text " #b, __VA_ARGS__)
#define cr_assert_str_neq(a, b, ...)                                                               \
    TEST_CHECK_(true, strcmp((a), (b)) != 0, #a " is not the text " #b, __VA_ARGS__)
#define cr_assert_str_empty(a, ...) TEST_CHECK_(true, (a)[0] == '\0', #a " is empty", __VA_ARGS__)
#define cr_assert_str_not_empty(a, ...)                                                            \
    TEST_CHECK_(true, (a)[0] != '\0', #a " is not empty", __VA_ARGS__)
#define cr_assert_arr_eq(a, b, size, ...)                                                          \
    TEST_CHECK_(true, memcmp((a), (b), (size)) == 0, #a " has the bytes of " #b, __VA_ARGS__)
#define cr_assert_arr_neq(a, b, size, ...)                                                         \
    TEST_CHECK_(true, memcmp((a), (b), (size)) != 0, #a " has not the bytes of " #b, __VA_ARGS__)
#define cr_assert_float_eq(a, b, e, ...)                                                           \
    TEST_CHECK_(true, TEST_FLOAT_(a, b, e), #a " is about " #b, __VA_ARGS__)
#define cr_assert_float_neq(a, b, e, ...)                                                          \
    TEST_CHECK_(true, !TEST_FLOAT_(a, b, e), #a " is not about " #b, __VA_ARGS__)
#define cr_assert_fail(...)                                                                        \
    test_fail(true, __FILE__, __LINE__, "must not get here", " " __VA_ARGS__)
#define cr_expect(cond, ...) TEST_CHECK_(false, cond, #cond, __VA_ARGS__)
#define cr_expect_eq(a, b, ...) TEST_CHECK_(false, (a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...)                                                                \
    TEST_CHECK_(false, strcmp((a), (b)) == 0, #a " is the text " #b, __VA_ARGS__)
#define cr_skip_test(...) test_skip()
#define cr_log_info(...) (fprintf(stderr, __VA_ARGS__), (void)fputc('\n', stderr))

#endif
